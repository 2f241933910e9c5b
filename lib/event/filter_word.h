/* SPDX-License-Identifier: ISC */
/*
 * Words of a filter that are no class: whether they can be type codes, and
 * what else may have been meant. Pure.
 */
#ifndef FILTER_WORD_H
#define FILTER_WORD_H

#include "base/buf.h"
#include "base/utf8.h"

#include <stdbool.h>

/* What Auth0's type codes are made of, behind a letter. */
#define FILTER_LETTERS "abcdefghijklmnopqrstuvwxyz"
#define FILTER_CODE FILTER_LETTERS ASCII_DIGITS "_"

/*
 * Whether word is a type code of the catalogue, or could be a new one.
 * False for what no code is called ("Fu", "f-g"), for what is nearly a
 * class ("faliure"), and for a word that people write in the hope that it
 * means something ("on", "all", "errors"): it would silently keep nothing.
 * What to write instead is then added to *instead, where that is known.
 */
bool filter_word_is_code(const char *word, struct buf *instead);

/* The code of the catalogue nearest to word (nearest.h); NULL: none. */
const char *filter_word_nearest(const char *word);

#endif
