/* SPDX-License-Identifier: ISC */
/*
 * What the readers of this program make of some bytes, held against what
 * json-c makes of them: whether they are JSON, which records a body has,
 * and every string of them that is told. And no way to cut the bytes up
 * may change it.
 */
#ifndef AGREE_H
#define AGREE_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether all agree on the bytes; if not, *how gets who does not. With
 * every_cut they are split at each place, or else at a few.
 */
bool agree(const char *bytes, size_t len, bool every_cut, struct buf *how);

#endif
