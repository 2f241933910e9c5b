/* SPDX-License-Identifier: ISC */
/*
 * From the bytes of a request body to the events worth keeping.
 *
 * A body holds records, {"log_id": "...", "data": {"type": "...", ...}},
 * or bare events, {"log_id": "...", "type": "...", ...}, in one of the
 * formats of Auth0's "Custom Webhook" log stream, told apart by the body
 * itself, never by a header:
 *
 *	[record, ...]			JSON Array
 *	record, a line feed, record ...	JSON Lines; a single record as well
 *	{"logs": [record, ...]}		JSON Object
 *
 * The body is read as it arrives, record by record: memory grows with the
 * events kept, not with the body, nor with the length or depth of a record.
 * What is not strict JSON (RFC 8259) in UTF-8 is refused as a whole; a lone
 * surrogate escape, which its grammar allows, becomes U+FFFD. Of members of
 * the same name the last counts, but every "logs" is read; a name ends at
 * "\u0000", as it does for json-c.
 *
 * Of each record the scanner picks the texts that are wanted, numbers and
 * booleans too (pick.h); of one that is kept, then, all that an event has.
 */
#ifndef READER_H
#define READER_H

#include "buf.h"
#include "event.h"

#include <stdbool.h>
#include <stddef.h>

/* A record while it is read. */
struct record;

/*
 * An event_lookup: the text of a member of the record's data, as pick.h
 * tells what has one; NULL when it has none, or nobody said that it is
 * wanted. Valid during the call of keep only, until the same is looked up
 * again.
 */
const char *record_field(const void *record, const char *name);

/*
 * Who wants the record of this type and id (NULL: none), as a bit mask
 * that becomes the event's destinations; 0: it is not kept.
 */
typedef unsigned event_keep(void *context, const char *type, const char *log_id,
    const struct record *record);

struct event_counts {
	unsigned long records;	/* all that the body held */
	unsigned long unusable;	/* those without a type */
	unsigned long kept;
};

struct event_reader;

/* Kept events go to *list, which the caller owns. */
struct event_reader *event_reader_new(event_keep *keep, void *context,
    struct event_list *list);

/*
 * Before anything is wanted: so many bytes of a record that comes in pieces
 * are held as they are, of a longer one what may be wanted. For tests: what
 * comes of a body is always the same.
 */
void event_reader_hold(struct event_reader *r, size_t bytes);

/*
 * Before the first byte: keep may look this field up. "type" and "log_id"
 * may be without. The name is borrowed.
 */
void event_reader_want(struct event_reader *r, const char *name);

/*
 * Takes the next bytes of the body. Returns false and adds the reason, one
 * line without its end, to *why when the body cannot be used; no more may
 * then be fed, and what is already in the list must not be sent.
 */
bool event_reader_feed(struct event_reader *r, const char *bytes, size_t len,
    struct buf *why);

/*
 * The body is over. Returns false with the reason in *why when it is
 * empty, ends too early, or held records of which none is usable.
 */
bool event_reader_end(struct event_reader *r, struct buf *why);

const struct event_counts *event_reader_counts(const struct event_reader *r);

void event_reader_free(struct event_reader *r);

#endif
