/* SPDX-License-Identifier: ISC */
/*
 * A record while it arrives, and what is in it: the one interface through
 * which events and filters see a record. Pure.
 *
 * A record is {"log_id": ..., "data": {"type": ..., ...}} or, bare, the
 * data itself: {"log_id": ..., "type": ..., ...}. It is bare when its data
 * has no type, and it has.
 *
 * scan.h walks the bytes, and of a record that nobody asks about no more is
 * found than its type. For one that somebody does ask about a pruned copy is
 * made, of the members that were wanted beforehand, and json-c reads that. So
 * neither the length nor the depth of a record takes up memory, only what of
 * it is wanted.
 *
 * Fields are named by a path within the data: "client_id", or
 * "details.error.message". Where the path meets an array it goes on in each
 * of its items. Of members of one name the last counts, whatever it holds.
 * U+0000 in a name is U+FFFD.
 */
#ifndef PICK_H
#define PICK_H

#include "json/prune.h"
#include "json/scan.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The longest text, in bytes, of which Slack would show a quarter at most. A
 * longer one is cut between two characters and ends in U+2026 (...), all
 * within that length.
 */
#define PICK_TEXT_MAX PRUNE_TEXT_MAX

struct pick;

/*
 * "type" and "log_id" are wanted from the beginning. So many bytes of a
 * record that comes in pieces are held as they are: what is found in it is
 * the same with more or fewer, or none, and only sooner known.
 */
struct pick *pick_new(size_t hold_bytes);
void pick_free(struct pick *p);

/*
 * Before the first record: what is at this path may be asked for. The path
 * is borrowed; its names must not need an escape in JSON.
 */
void pick_want(struct pick *p, const char *path, enum prune_items items);

/*
 * The next byte begins a record. What was there before is forgotten. An
 * array that is a member "logs" of its own is left to the caller, if
 * stop_at_logs says so.
 */
void pick_begin(struct pick *p, struct scan *s, bool stop_at_logs);

/*
 * Reads on in the record, no further than its end, or, with PRUNE_LOGS, the
 * bracket that begins the array of "logs". Returns how many of the bytes are
 * good; *why is set with PRUNE_BAD alone. The bytes have to last as long as
 * the record is asked for anything after PRUNE_WHOLE, and no longer after the
 * others.
 */
size_t pick_read(struct pick *p, struct scan *s, const char *bytes,
    size_t len, enum prune_stop *stop, const char **why);

/* The next byte is the first behind that array. */
void pick_resume(struct pick *p, struct scan *s);

/*
 * Of a whole record: its type, which has to be a string; its log_id, or else
 * that of its data. NULL: it has none, or an empty one. U+0000 is U+FFFD in
 * every text. Valid until another record is begun.
 */
const char *pick_type(struct pick *p);
const char *pick_log_id(struct pick *p);

/*
 * The text of a member of the data: of a string, or of a number or boolean,
 * which is what stands in the record, digit by digit. NULL for everything
 * else, and for an empty string. Valid until another record is begun.
 */
const char *pick_text(struct pick *p, const char *name);

/* What is found at a path. */
enum pick_kind {
	PICK_STRING,
	PICK_NUMBER,	/* its digits */
	PICK_BOOLEAN,	/* "true" or "false" */
	PICK_OBJECT	/* "", whatever it holds; an array that has no items */
};

/* Returns true to see no more. */
typedef bool pick_visitor(void *context, enum pick_kind kind,
    const char *text);

/*
 * Shows what is at a path that was wanted, but null: one value, or more
 * where an array is on the way or at its end. Returns whether visit did once.
 */
bool pick_visit(struct pick *p, const char *path, pick_visitor *visit,
    void *context);

#endif
