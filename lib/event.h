/* SPDX-License-Identifier: ISC */
/*
 * From the bytes of a request body to the events worth keeping.
 *
 * A body holds records, {"log_id": "...", "data": {"type": "...", ...}},
 * in one of the formats of Auth0's "Custom Webhook" log stream, told apart
 * by the body itself, never by a header:
 *
 *	[record, ...]			JSON Array
 *	record, a line feed, record ...	JSON Lines; a bare record as well
 *	{"logs": [record, ...]}		JSON Object
 *
 * The body is read as it arrives, record by record: memory grows with the
 * events kept and the longest record, not with the body. What is not
 * strict JSON (RFC 8259) in UTF-8 is refused as a whole; a lone surrogate
 * escape, which its grammar allows, becomes U+FFFD.
 */
#ifndef EVENT_H
#define EVENT_H

#include "buf.h"
#include "catalog.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_DEPTH_MAX 100	/* nesting within a record */
#define EVENT_NO_TIME INT64_MIN

/*
 * What is kept of a record, in one piece of memory. Strings are valid
 * UTF-8 without NUL (U+0000 is kept as U+FFFD); one that is absent, empty,
 * null or no string at all is NULL. Only type and class are always there.
 */
struct event {
	const char *log_id;
	const char *type;
	const char *description;
	const char *client_id;
	const char *client_name;
	const char *connection;
	const char *hostname;
	const char *ip;
	const char *tenant_name;
	const char *user_id;
	const char *user_name;
	enum event_class class;
	int64_t time_ms;	/* since 1970 in UTC; or EVENT_NO_TIME */
};

/* The list owns its events. All zero: empty. */
struct event_list {
	struct event **events;
	size_t count;
	size_t size;
};

void event_list_release(struct event_list *list);

/*
 * Oldest first (Auth0 does not deliver in order); those without a time
 * last; among equals the order of arrival stays.
 */
void event_list_sort(struct event_list *list);

/*
 * Makes an event from the fields of *fields, copying their text. The
 * caller frees it with free().
 */
struct event *event_new(const struct event *fields);

/*
 * Reads ISO 8601 as Auth0 writes it (2026-08-01T12:34:56.789Z; an offset
 * such as +02:00 in place of Z is understood). EVENT_NO_TIME for anything
 * else.
 */
int64_t event_time_ms(const char *iso);

/* A record while it is read; see filter.h for the look-up. */
struct record;

/*
 * A top-level string of the record's data; NULL when it has none of that
 * name, or it is no string, or empty. Valid during the call of keep only.
 */
const char *record_field(const void *record, const char *name);

/* Whether the record, whose type is given, is to be kept. */
typedef bool event_keep(void *context, const char *type,
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
