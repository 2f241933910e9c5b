/* SPDX-License-Identifier: ISC */
/*
 * The text that a string of JSON stands for, as json-c reads it too, and the
 * string that stands for a text. Pure.
 */
#ifndef UNQUOTE_H
#define UNQUOTE_H

#include "buf.h"

/*
 * Adds to *out the text of a string that scan.h found good; quoted is at
 * its opening quote, and its closing one stands before end. For half of a
 * surrogate pair there is U+FFFD, and nul for each U+0000.
 *
 * Where end comes first the string is cut: an escape that begins less than
 * UNQUOTE_SLACK bytes before it, and what follows, is left out. Behind end
 * there is a NUL then.
 */
#define UNQUOTE_SLACK 12 /* bytes of a pair, \uD83D\uDE00 */
void unquote(struct buf *out, const char *quoted, const char *end,
    const char *nul, size_t nul_len);

/* Adds to *out the string of a text, within quotes: what json-c writes. */
void quote(struct buf *out, const char *text);

#endif
