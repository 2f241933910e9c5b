/* SPDX-License-Identifier: ISC */
/*
 * An event as text, for keeping: a record of the form that Auth0 sends,
 * {"log_id": "...", "data": {"type": "...", ...}}, with what an event
 * keeps of it and no more. Its date is the milliseconds since 1970; older
 * versions, which read that as well, wrote it as ISO 8601. Pure.
 */
#ifndef RECORD_H
#define RECORD_H

#include "base/buf.h"
#include "event/event.h"

/* Adds the record of an event to *out, on one line. */
void record_write(struct buf *out, const struct event *e);

/*
 * Reads one back; the caller frees it with free(). Returns NULL and adds
 * to *why what is wrong when the text is not one record with a type.
 */
struct event *record_read(const char *text, size_t len, struct buf *why);

#endif
