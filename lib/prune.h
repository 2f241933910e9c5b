/* SPDX-License-Identifier: ISC */
/*
 * The pruned copy of a record: while scan.h walks it, the members that are
 * wanted go to json-c, which makes a tree of them. For pick.c; all others see
 * pick.h. Pure.
 *
 * In the copy a number is an object, {"#":"12"}, whose text has every digit
 * (json-c saturates beyond 64 bits); an object that is wanted itself, and not
 * for something in it, is {}; so is an array whose items are not wanted. A
 * string is cut behind the bytes that PICK_TEXT_MAX needs. A value in more
 * than PICK_LEVELS_MAX arrays and objects is null.
 */
#ifndef PRUNE_H
#define PRUNE_H

#include "json_read.h"
#include "pick.h"
#include "scan.h"

#define PRUNE_NUMBER "#"

struct prune;

struct prune *prune_new(void);
void prune_free(struct prune *p);

/* As pick_want(), which names the members of data. */
void prune_want(struct prune *p, const char *path, enum pick_items items);

/* The next byte begins a record. */
void prune_begin(struct prune *p, bool stop_at_logs);

/*
 * Reads on, and sets *done to how many of the bytes are good; they may be gone
 * after the call. *why is set with PICK_BAD alone.
 */
enum pick_stop prune_read(struct prune *p, struct scan *s, const char *bytes,
    size_t len, size_t *done, const char **why);

/* The next byte is the first behind the array of "logs". */
void prune_resume(struct prune *p, struct scan *s);

/*
 * Goes on with s in place of the scan that has read the record so far, which
 * is around it where s has so many levels open.
 */
void prune_move(struct prune *p, struct scan *s, size_t depth);

/* Of a whole record: the copy, which the caller frees with json_free(). */
struct json *prune_end(struct prune *p);

/* The text of a name in quotes, with or without escapes. Adds to *text. */
void prune_unquote(struct prune *p, struct buf *text, const char *quoted,
    size_t len);

#endif
