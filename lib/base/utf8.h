/* SPDX-License-Identifier: ISC */
/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. Bytes in, yes or no and code points out.
 */
#ifndef UTF8_H
#define UTF8_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* For strspn(3), where names and the like are made of these and more. */
#define ASCII_DIGITS "0123456789"
#define ASCII_ALNUM \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" ASCII_DIGITS

/*
 * Where in a character a stream of bytes stands. All zero: between two
 * characters, which is also how a valid text ends (see utf8_between).
 */
struct utf8 {
	unsigned need;		/* continuation bytes still to come */
	unsigned char low;	/* bounds of the next one */
	unsigned char high;
	uint32_t code;		/* bits so far; whole when need is 0 */
};

/* Takes one byte. False when it cannot stand there. */
bool utf8_step(struct utf8 *u, unsigned char byte);

/*
 * Skips whole characters beyond ASCII, as utf8_step() would one by one.
 * Returns where text ends or another byte stands: ASCII, one that breaks a
 * character, or the first of one that ends beyond the text.
 */
const char *utf8_skip(const char *text, const char *end);

/* True when no character is half-read. */
bool utf8_between(const struct utf8 *u);

/*
 * Decodes the character that text (len > 0 bytes) begins with into *code
 * and returns its length in bytes, 1 to 4. A byte that begins no valid
 * character counts as one character U+FFFD of length 1.
 */
size_t utf8_next(const char *text, size_t len, uint32_t *code);

/* Adds text, len bytes, to *out with U+FFFD for each byte that is none. */
void utf8_mend(struct buf *out, const char *text, size_t len);

/*
 * Characters that do what text of others must not do to a line: end it or
 * drive a terminal (C0, DEL, C1, U+2028, U+2029), and turn the direction
 * in which it is shown.
 */
bool utf8_is_control(uint32_t code);
bool utf8_turns_direction(uint32_t code);

/*
 * Characters that show nothing and take no room: Unicode's property
 * Default_Ignorable_Code_Point (DerivedCoreProperties.txt, Unicode 16.0),
 * which are zero-width characters, marks of direction, fillers, variation
 * selectors and tags; and the annotation marks U+FFF9 to U+FFFB.
 */
bool utf8_is_invisible(uint32_t code);

#endif
