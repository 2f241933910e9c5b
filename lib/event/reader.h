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
 * the same name the last counts, but every "logs" is read.
 *
 * Of each record only the type is looked at (pick.h); of one that is kept,
 * then, all that an event has, and of one whose fields decide what they name.
 */
#ifndef READER_H
#define READER_H

#include "base/buf.h"
#include "event/event.h"
#include "event/pick.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Who wants the record of this type, as a bit mask that becomes the event's
 * destinations; 0: it is not kept. The record may be asked about what was
 * wanted of it, during the call.
 */
typedef unsigned event_keep(void *context, const char *type,
    struct pick *record);

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
 * Before the first byte: keep may look at what is at this path of the data.
 * The path is borrowed.
 */
void event_reader_want(struct event_reader *r, const char *path);

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
