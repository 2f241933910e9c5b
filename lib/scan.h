/* SPDX-License-Identifier: ISC */
/*
 * Is it JSON? RFC 8259 to the letter, byte by byte. Pure.
 *
 * It stands in front of json-c, whose strict mode takes 1., 00, NaN and
 * control bytes in strings, and judges some texts otherwise when they come
 * in pieces. What passes here json-c takes too, however it is split.
 *
 * The text is a stream of values: what may stand between two of them, and
 * whether there may be more than one, is for the caller to say.
 */
#ifndef SCAN_H
#define SCAN_H

#include "utf8.h"

#include <stdbool.h>
#include <stddef.h>

#define SCAN_DEPTH_MAX 100	/* arrays and objects within each other */

enum scan_place {
	SCAN_VALUE,		/* zero: at the start of a value */
	SCAN_FIRST_ITEM,
	SCAN_FIRST_KEY,
	SCAN_KEY,
	SCAN_COLON,
	SCAN_AFTER,		/* a value within an array or object */
	SCAN_STRING,
	SCAN_ESCAPE,
	SCAN_HEX,
	SCAN_LITERAL,
	SCAN_MINUS,
	SCAN_ZERO,
	SCAN_INTEGER,
	SCAN_POINT,
	SCAN_FRACTION,
	SCAN_E,
	SCAN_E_SIGN,
	SCAN_EXPONENT,
	SCAN_PLACES
};

/* How far a text has been read. All zero: not at all. */
struct scan {
	enum scan_place place;
	bool started;		/* a byte was read */
	bool in_key;
	struct utf8 utf8;	/* of the string in hand */
	unsigned hex;		/* digits of \uXXXX still to come */
	const char *literal;	/* letters of true, ... still to come */
	unsigned depth;
	char open[SCAN_DEPTH_MAX]; /* the brackets that are open */
};

/*
 * Reads on. Returns how many of the bytes are good: len, or the place of
 * the first that cannot stand where it does, with the reason in *why (a
 * literal, such as "a control byte"). After that no more may be given.
 */
size_t scan_bytes(struct scan *s, const char *bytes, size_t len,
    const char **why);

/*
 * Reads on in the one value, or name of a member, that was begun at this
 * depth, and no further than its end: *whole tells whether that was
 * reached. Returns as scan_bytes does; *why is NULL when all is good.
 */
size_t scan_value(struct scan *s, unsigned depth, const char *bytes,
    size_t len, bool *whole, const char **why);

/* White space between values. */
bool scan_is_space(char c);

#endif
