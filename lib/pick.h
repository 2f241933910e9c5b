/* SPDX-License-Identifier: ISC */
/*
 * A record picked over while it arrives: scan.h walks its bytes, and of the
 * few members that somebody may ask for the values are found. Their text is
 * made when somebody asks. Pure.
 *
 * A record is {"log_id": ..., "data": {"type": ..., ...}} or, bare, the
 * data itself: {"log_id": ..., "type": ..., ...}. It is bare when its data
 * has no type, and it has.
 *
 * Neither the length of a record nor what nobody asks for takes up memory:
 * while its bytes are in one piece, its values are views into that; once
 * more of it has come in several pieces than is held, the values are copied,
 * each up to what its text may need, and all else is passed over.
 *
 * The text of a string is the string; that of a number or boolean is what
 * stands in the record, digit by digit. Null, objects and arrays, however
 * deep, have no text, nor has an empty string. A text of more than
 * PICK_TEXT_MAX bytes, of which Slack would show a quarter at most, is cut
 * between two characters and ends in U+2026 (...), all within that length.
 *
 * Of members of one name the last counts, whatever it holds; a name ends
 * at "\u0000", as it does for json-c.
 */
#ifndef PICK_H
#define PICK_H

#include "scan.h"

#include <stdbool.h>
#include <stddef.h>

#define PICK_TEXT_MAX 8192

/* Why pick_read() came back. */
enum pick_stop {
	PICK_MORE,	/* the bytes are over, the record is not */
	PICK_BAD,
	PICK_LOGS,	/* before the array of "logs": see pick_begin() */
	PICK_WHOLE
};

enum pick_when {
	PICK_EARLY,	/* of each record */
	PICK_LATE	/* of those that pick_late() is called for */
};

struct pick;

/*
 * "type" and "log_id" may be asked for early from the beginning. So many
 * bytes of a record that comes in pieces are held: what is asked for is the
 * same with more or fewer, or none, and only sooner known.
 */
struct pick *pick_new(size_t hold_bytes);
void pick_free(struct pick *p);

/* Before the first record: this member may be asked for. Borrows name. */
void pick_want(struct pick *p, const char *name, enum pick_when when);

/*
 * The next byte begins a record. What was there before is forgotten. An
 * array that is a member "logs" of its own is left to the caller, if
 * stop_at_logs says so.
 */
void pick_begin(struct pick *p, struct scan *s, bool stop_at_logs);

/*
 * Reads on in the record, no further than its end, or the bracket that
 * begins the array of "logs". Returns how many of the bytes are good; *why
 * is set with PICK_BAD alone. The bytes have to last as long as the record
 * is asked for anything after PICK_WHOLE, and no longer after the others.
 */
size_t pick_read(struct pick *p, struct scan *s, const char *bytes,
    size_t len, enum pick_stop *stop, const char **why);

/* The next byte is the first behind that array. */
void pick_resume(struct pick *p, struct scan *s);

/* Of a whole record: makes what is wanted late known as well. */
void pick_late(struct pick *p);

/*
 * Of a whole record: its type, which has to be a string; its log_id, or else
 * that of its data; a member of its data, or of itself when it is bare. NULL:
 * it has none, or none with a text. U+0000 is U+FFFD in it. Valid until the
 * same is asked for again, or another record is begun.
 */
const char *pick_type(struct pick *p);
const char *pick_log_id(struct pick *p);
const char *pick_field(struct pick *p, const char *name);

#endif
