/* SPDX-License-Identifier: ISC */
/*
 * A value picked over while it arrives: scan.h walks its bytes, and where
 * the few strings stand that are wanted of it is remembered. Their text is
 * made when somebody asks. Pure.
 *
 * Of members of one name the last counts, whatever it holds; a name ends
 * at "\u0000", as it does for json-c.
 */
#ifndef PICK_H
#define PICK_H

#include "scan.h"

#include <stdbool.h>
#include <stddef.h>

enum pick_kind {
	PICK_NOTHING,	/* a value that nobody wants */
	PICK_TEXT,	/* one that may be a string, or a name */
	PICK_DATA,	/* the data of a record */
	PICK_RECORD	/* a record, with "log_id" and "data" */
};

struct pick;

/* A value of more than max_bytes is read, but not kept. */
struct pick *pick_new(size_t max_bytes);
void pick_free(struct pick *p);

/* From now on this member of data is wanted. The name is borrowed. */
void pick_want(struct pick *p, const char *name);

/* The next byte begins such a value. What was there before is forgotten. */
void pick_begin(struct pick *p, enum pick_kind kind, struct scan *s);

/*
 * Reads on in the value, as scan_value() does, to its end. It may keep a
 * view of the bytes of a whole value: see pick_hold().
 */
size_t pick_read(struct pick *p, struct scan *s, const char *bytes,
    size_t len, enum scan_stop *stop, const char **why);

/* The bytes of the last call may go; the value stays. */
void pick_hold(struct pick *p);

/* Forgets the value: there is none, which has nothing. */
void pick_clear(struct pick *p);

bool pick_is_too_long(const struct pick *p);

/*
 * Of a whole value: the string of that name in data (one that is wanted);
 * the record's own log_id; the value itself. NULL when there is none, or
 * it is no string, or empty; U+0000 is U+FFFD in it. Valid until the same
 * is asked for again, or another value is begun.
 */
const char *pick_field(struct pick *p, const char *name);
const char *pick_log_id(struct pick *p);
const char *pick_text(struct pick *p);

/* As pick_text(), but "" for NULL and, as a name, cut at U+0000. */
const char *pick_name(struct pick *p);

/*
 * The bytes of data, and what of the record may come behind it; NULL when
 * there is none.
 */
const char *pick_data(const struct pick *p, size_t *len);

#endif
