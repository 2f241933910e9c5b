/* SPDX-License-Identifier: ISC */
/*
 * An event: what is kept of a record of Auth0's log stream, and lists of
 * them. Pure.
 */
#ifndef EVENT_H
#define EVENT_H

#include "event/catalog.h"
#include "event/pick.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_NO_TIME INT64_MIN
#define EVENT_LOG_ID_MAX 1024	/* bytes; Auth0's have 56 */

/*
 * What is kept of a record, in one piece of memory. Strings are valid
 * UTF-8 without NUL (U+0000 is kept as U+FFFD), none longer than
 * PICK_TEXT_MAX (pick.h); a number or boolean is the text that its record has
 * for it; one that is absent, empty, null, an object or an array is NULL.
 * Only type and class are always there.
 *
 * A log_id of more than EVENT_LOG_ID_MAX bytes is NULL: what is cut might be
 * another event's too, of which one would then be taken for a repetition.
 * Without one an event may come twice, and is never lost.
 */
struct event {
	const char *log_id;
	const char *type;
	const char *description;
	const char *client_id;
	const char *client_name;
	const char *connection;
	const char *environment_name;
	const char *hostname;
	const char *ip;
	const char *organization_id;
	const char *organization_name;
	const char *tenant_name;
	const char *user_id;
	const char *user_name;
	enum event_class class;
	int64_t time_ms;	/* since 1970 in UTC; or EVENT_NO_TIME */
	unsigned destinations;	/* bit mask of who wants it: see config.h */
	int64_t number;		/* its row in the queue; 0: none */
	int64_t nonce;		/* beside it: see struct queue_key */
	bool postponed;		/* it failed alone: see QUEUE_POSTPONE */
};

/* The list owns its events. All zero: empty. */
struct event_list {
	struct event **events;
	size_t count;
	size_t size;
};

/* Gives the event to the list. */
void event_list_add(struct event_list *list, struct event *e);

void event_list_release(struct event_list *list);

/*
 * Oldest first (Auth0 does not deliver in order); those without a time
 * last; among equals the order of arrival stays.
 */
void event_list_sort(struct event_list *list);

/*
 * Those of the events that the destination of this bit wants, as a view
 * into the list; the caller frees it. *count gets how many they are.
 */
struct event **event_list_wanted(const struct event_list *list,
    size_t destination, size_t *count);

/*
 * Makes an event from the fields of *fields, copying their text. The
 * caller frees it with free().
 */
struct event *event_new(const struct event *fields);

/* Gives each text that the event has but its log_id, by the field's name. */
void event_each_text(const struct event *e,
    void (*take)(void *context, const char *name, const char *text),
    void *context);

/* Before the first record: event_read() will ask for what an event has. */
void event_want(struct pick *record);

/*
 * Makes an event of a whole record that has a type. The caller frees it with
 * free().
 */
struct event *event_read(struct pick *record);

/*
 * Reads a date: ISO 8601 as Auth0 writes it (2026-08-01T12:34:56.789Z), with
 * a space in place of T, with an offset (+02:00, +0200, +02) in place of Z,
 * or with neither, which is UTC; or digits that are the seconds or, when
 * those would be too many, the milliseconds since 1970. EVENT_NO_TIME for
 * anything else, and for what is not of the years 2000 to 2099: 0001-01-01
 * and the like are what programs write that know no time.
 */
int64_t event_time_ms(const char *date);

#endif
