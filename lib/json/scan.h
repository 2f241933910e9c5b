/* SPDX-License-Identifier: ISC */
/*
 * Is it JSON? RFC 8259 to the letter, each byte looked at once. Pure.
 *
 * RFC 8259 is the judge; json-c, which it is tested against, differs in this,
 * though strict:
 *
 *	numbers		it takes 00, -01, 1., 1.e5 and -.5, and, when they
 *			come in pieces, more that are none; from 0.17 on it
 *			refuses integers beyond 64 bits, which are good
 *	words		it takes NaN, Infinity and -Infinity
 *	strings		it takes control bytes in them, and what is not
 *			UTF-8 (told to check, still overlong forms and
 *			surrogates); 0.18 refuses all but ASCII
 *	names		it takes them in single quotes, and ends one at
 *			"\u0000"
 *	depth		it takes as many levels as it was told to; here the
 *			length of the text alone limits them
 *
 * On everything else the two agree: t/fuzz holds them together. Half of a
 * surrogate pair is good by the grammar; both make U+FFFD of it.
 *
 * The text is a stream of values: what may stand between two of them, and
 * whether there may be more than one, is for the caller to say.
 */
#ifndef SCAN_H
#define SCAN_H

#include "base/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scan_place {
	SCAN_VALUE,		/* zero: at the start of a value */
	SCAN_FIRST_ITEM,
	SCAN_FIRST_KEY,
	SCAN_KEY,
	SCAN_COLON,
	SCAN_AFTER,		/* a value within an array or object */
	SCAN_STRING,		/* from here on: within a value */
	SCAN_CHARACTER,		/* one beyond ASCII */
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

/* Why scan_value() came back. */
enum scan_stop {
	SCAN_MORE,		/* the bytes are over, the value is not */
	SCAN_BAD,
	SCAN_NAME,		/* a name that was asked for has ended */
	SCAN_WHOLE		/* the value has */
};

/*
 * How far a text has been read. All zero: not at all. What is open is one
 * bit a level, 1 for an object: the last 1 to 64 of them in open, those
 * around them in outer, which scan_release() frees.
 */
struct scan {
	unsigned long long taken; /* bytes that were good, all in all */
	unsigned long long name; /* of them, those before the last name */
	enum scan_place place;
	bool in_key;
	bool escaped;		/* the last name has an escape in it */
	struct utf8 utf8;	/* of SCAN_CHARACTER */
	unsigned hex;		/* digits of \uXXXX still to come */
	const char *literal;	/* letters of true, ... still to come */
	size_t depth;		/* arrays and objects that are open */
	uint64_t open;
	uint64_t *outer;
	size_t outer_size;

	/* What is to be told of: see scan_begin(). */
	size_t value_depth, name_depth;
	uint64_t name_lens;
	enum scan_stop stop;

	/* Of the call in hand. */
	const char *from;
	const char *why;
};

/*
 * Reads on. Returns how many of the bytes are good: len, or the place of
 * the first that cannot stand where it does, with the reason in *why (a
 * literal, such as "a control byte"). After that no more may be given.
 */
size_t scan_bytes(struct scan *s, const char *bytes, size_t len,
    const char **why);

/*
 * What comes next is one value, to be read with scan_value() to its end. The
 * names in so many levels of it are told of: 1, those of its own members; 2,
 * those of their members as well. In the last of these levels it is only
 * those with an escape and those whose length in bytes, without quotes, has
 * its bit in lens: see scan_len_bit().
 */
void scan_begin(struct scan *s, size_t levels, uint64_t lens);

/* The bit of a length; those of 63 and more have one in common. */
#define SCAN_ALL_LENS UINT64_MAX
uint64_t scan_len_bit(unsigned long long len);

/*
 * Goes back to a value that scan_begin() began at this depth, from others
 * that were read within it.
 */
void scan_resume(struct scan *s, size_t depth, size_t levels, uint64_t lens);

/*
 * Reads on in that value, and no further than its end, or that of a name
 * which is told of; s->name is then where its opening quote is. Returns as
 * scan_bytes does; *why is set with SCAN_BAD alone.
 */
size_t scan_value(struct scan *s, const char *bytes, size_t len,
    enum scan_stop *stop, const char **why);

/* After SCAN_NAME: which level the name is of, 1 or more. */
size_t scan_level(const struct scan *s);

/* Whether the bytes ended within a name that will be told of. */
bool scan_in_name(const struct scan *s);

/* Frees what it has allocated, and makes it as new. */
void scan_release(struct scan *s);

/* White space between values. */
bool scan_is_space(char c);

#endif
