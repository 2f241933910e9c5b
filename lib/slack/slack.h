/* SPDX-License-Identifier: ISC */
/*
 * From events to Slack messages: what a message says, escaping, limits and
 * splitting. Pure.
 *
 * Text of events is foreign and partly written by attackers. It stands
 * only where Slack applies no markup, with & < > escaped (Slack,
 * "Formatting text for app surfaces": that disarms <!channel>, <@U1> and
 * forged links), with what no reader can see taken out, with :names: that
 * Slack would turn into pictures broken, and cut, with a visible mark, at
 * the limits below.
 */
#ifndef SLACK_H
#define SLACK_H

#include "base/buf.h"
#include "event/event.h"

/* Limits of a message. Slack advises 20 attachments and allows 100. */
#define SLACK_ATTACHMENTS_MAX 20
#define SLACK_BYTES_MAX 100000
#define SLACK_TITLE_MAX 1024	/* characters, counted after escaping */
#define SLACK_VALUE_MAX 2000

/*
 * What a message tells besides the event's name, type, time and link. The
 * description is a part of the title; each of the others is a field.
 */
enum slack_show {
	SHOW_CLIENT = 1 << 0,
	SHOW_USER = 1 << 1,
	SHOW_IP = 1 << 2,
	SHOW_CONNECTION = 1 << 3,
	SHOW_TENANT = 1 << 4,
	SHOW_DESCRIPTION = 1 << 5,
	SHOW_ORGANIZATION = 1 << 6
};

/* The words of SHOW, for people. */
#define SLACK_SHOW_WORDS \
	"description client user ip connection tenant organization"

struct slack_style {
	unsigned show;		/* of enum slack_show */
	const char *dashboard_url; /* base of the links, no slash at its end;
				    * with /dashboard/ in it, region and
				    * tenant are in it as well */
	int64_t aside;		/* events that were set aside, of which the
				 * message tells */
};

/*
 * Reads words such as "client user" (separated by space or comma) into
 * *show. Returns false and adds to *why what is wrong.
 */
bool slack_show_read(const char *text, unsigned *show, struct buf *why);

/*
 * Adds to *payload the JSON of one message about as many of the first of
 * count > 0 events as fit, and returns how many that are; at least one
 * does. No member of the JSON is empty or null.
 */
size_t slack_message(struct buf *payload, struct event *const *events,
    size_t count, const struct slack_style *style);

/*
 * The same message laid out for a person in a terminal, in plain text.
 * The same number of events is taken.
 */
size_t slack_preview(struct buf *text, struct event *const *events,
    size_t count, const struct slack_style *style);

#endif
