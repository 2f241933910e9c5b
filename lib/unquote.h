/* SPDX-License-Identifier: ISC */
/* The string of JSON that stands for a text. Pure. */
#ifndef UNQUOTE_H
#define UNQUOTE_H

#include "buf.h"

/* Adds to *out the string of a text, within quotes: what json-c writes. */
void quote(struct buf *out, const char *text);

#endif
