/* SPDX-License-Identifier: ISC */
/*
 * Events of any text, and the messages about them: each is what payload.h
 * wants, no foreign text stands where Slack reads markup, and all events
 * are told, in order, once.
 *
 * The first three bytes say how:
 *
 *	style	five bits of SHOW; 0x20: a digest; 0x40: each copy has a
 *		type of its own; 0x80: links to another address
 *	copies	how often the events come again: 0 to 3 times, and from
 *		0xF0 on by twenties; 0x04: no description is shown; 0x08:
 *		the organization is
 *	stretch	how often each text is repeated in itself: likewise
 *
 * Behind them are the texts of the first event, each ended by a NUL byte,
 * in the order of names[]; then those of the next one.
 */
#include "target.h"

#include "base/utf8.h"
#include "delivery/message.h"
#include "json/scan.h"
#include "payload.h"
#include "slack/slack.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 3
#define STYLE_DIGEST 0x20
#define STYLE_TYPES 0x40
#define STYLE_ADDRESS 0x80
#define COPIES_NO_DESCRIPTION 0x04
#define COPIES_ORGANIZATION 0x08
#define EVENTS_MAX 300		/* more types than a digest counts apart */
#define TEXT_MAX 4000
#define LIST_ROOM 60000		/* bytes of all texts: they grow by escapes */
#define DIGEST_ROOM 200000	/* a digest is one message whatever it has */
#define ID_MAX 256		/* bytes of a log_id in a link */

static const char *const names[] = {
	"type", "description", "log_id", "date", "client_name", "client_id",
	"user_name", "user_id", "ip", "connection", "tenant_name", "hostname",
	"environment_name", "organization_id", "organization_name",
};

#define NAMES (sizeof(names) / sizeof(names[0]))

/* -------------------------------------------------------------- events */

struct record {
	struct buf texts[NAMES];
};

/* As a line that is posted has it. */
static struct event *
read_event(const struct record *record)
{
	struct pick *p = pick_new(0);
	struct buf json = BUF_INIT, text = BUF_INIT;
	struct scan s = { 0 };
	enum prune_stop stop;
	struct event *e;
	const char *why;
	size_t i;

	event_want(p);
	for (i = 0; i < NAMES; i++) {
		buf_clear(&text);
		utf8_mend(&text, buf_text(&record->texts[i]),
		    record->texts[i].len);
		buf_addf(&json, "%s\"%s\":", i > 0 ? "," : "{", names[i]);
		quote(&json, buf_text(&text));
	}
	buf_addc(&json, '}');
	pick_begin(p, &s, false);
	pick_read(p, &s, json.data, json.len, &stop, &why);
	e = stop == PRUNE_WHOLE && pick_type(p) ? event_read(p) : NULL;
	scan_release(&s);
	buf_release(&json);
	buf_release(&text);
	pick_free(p);
	return e;
}

/* Adds a text up to a NUL byte or the end; returns where the next begins. */
static const char *
take_text(struct buf *text, const char *at, const char *end, size_t times)
{
	const char *stop = at < end ? memchr(at, '\0', (size_t)(end - at)) :
	    NULL;
	size_t len = (size_t)((stop ? stop : end) - at), i;

	for (i = 0; i < times && text->len + len < TEXT_MAX; i++)
		buf_add(text, at, len);
	return stop ? stop + 1 : end;
}

/* What the events are made of, and how much more there may be. */
struct making {
	struct event_list list;
	struct record record;
	unsigned char style;
	size_t times;		/* for each text in itself */
	size_t room;		/* bytes of text */
};

/* Without a type it would be no event. */
static void
take_event(struct making *m)
{
	struct event *e = read_event(&m->record);
	size_t i, len = 0;

	for (i = 0; i < NAMES; i++)
		len += m->record.texts[i].len;
	m->room -= len < m->room ? len : m->room;
	if (e)
		event_list_add(&m->list, e);
}

static void
take_events(struct making *m, const char *at, const char *end, size_t copy)
{
	size_t i;

	while (at < end && m->list.count < EVENTS_MAX && m->room > 0) {
		for (i = 0; i < NAMES; i++) {
			buf_clear(&m->record.texts[i]);
			if (i == 0 && (m->style & STYLE_TYPES))
				buf_addf(&m->record.texts[i], "%zu", copy);
			at = take_text(&m->record.texts[i], at, end, m->times);
		}
		take_event(m);
	}
}

/* Few as a rule: what is long is slow. */
static size_t
times_of(unsigned char byte)
{
	return byte < 0xF0 ? byte % 4 : 20U * (byte - 0xEFU);
}

static void
make_events(struct making *m, const unsigned char *head, const char *at,
    const char *end)
{
	size_t i;

	memset(m, 0, sizeof(*m));
	m->style = head[0];
	m->times = times_of(head[2]) + 1;
	m->room = m->style & STYLE_DIGEST ? DIGEST_ROOM : LIST_ROOM;
	for (i = 0; i <= times_of(head[1]); i++)
		take_events(m, at, end, i);
	for (i = 0; i < NAMES; i++)
		buf_release(&m->record.texts[i]);
}

/* ---------------------------------------------------------- attachments */

static const char *
text_of(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value ? json_object_get_string(value) : NULL;
}

/* The byte at *at, which is moved behind it; -1 for one to be encoded. */
static int
take_byte(const char **at)
{
	char digits[3] = { 0 };

	if (**at != '%')
		return strchr(ASCII_ALNUM "-._~", **at) ? *(*at)++ : -1;
	strncpy(digits, *at + 1, 2);
	*at += 1 + strlen(digits);
	return (int)strtol(digits, NULL, 16);
}

/* base/.../logs/log_id */
static bool
link_leads_to(const char *link, const char *base, const char *log_id)
{
	size_t len = strlen(base);
	const char *at;

	if (strncmp(link, base, len) != 0 || link[len] != '/')
		return false;
	at = strstr(link + len, "/logs/");
	if (!at)
		return false;
	for (at += strlen("/logs/"); *at && *log_id; log_id++)
		if (take_byte(&at) != (unsigned char)*log_id)
			return false;
	return *at == *log_id;
}

static void
judge_link(struct json_object *a, const struct event *e, const char *base,
    struct buf *how)
{
	const char *link = text_of(a, "title_link");
	bool wanted = e->log_id && strlen(e->log_id) <= ID_MAX;

	if (wanted != (link != NULL))
		buf_adds(how, wanted ? "a link is missing; " :
		    "a link leads nowhere; ");
	else if (link && !link_leads_to(link, base, e->log_id))
		buf_addf(how, "the link is %s; ", link);
}

static void
judge_time(struct json_object *a, const struct event *e, struct buf *how)
{
	struct json_object *ts = NULL;

	json_object_object_get_ex(a, "ts", &ts);
	if ((e->time_ms != EVENT_NO_TIME) != (ts != NULL) ||
	    (ts && json_object_get_int64(ts) != e->time_ms / 1000))
		buf_adds(how, "the time is another; ");
}

/* The names that Slack reads, all of which are told here. */
static void
judge_names(struct json_object *object, const char *all, struct buf *how)
{
	struct buf name = BUF_INIT;

	json_object_object_foreach(object, key, value) {
		(void)value;
		buf_clear(&name);
		buf_addf(&name, " %s ", key);
		if (!strstr(all, buf_text(&name)))
			buf_addf(how, "there is a member %s; ", key);
	}
	buf_release(&name);
}

static void
judge_attachment(struct json_object *a, struct buf *how)
{
	struct json_object *fields = NULL;
	const char *title = text_of(a, "title"), *fallback;
	size_t i;

	judge_names(a, " fallback color title title_link fields footer ts ",
	    how);
	fallback = text_of(a, "fallback");
	if (!title || !strstr(title, " [type") || title[strlen(title) - 1] !=
	    ']' || !fallback || strcmp(title, fallback) != 0)
		buf_addf(how, "the title is %s; ", title ? title : "missing");
	json_object_object_get_ex(a, "fields", &fields);
	for (i = 0; fields && i < json_object_array_length(fields); i++)
		judge_names(json_object_array_get_idx(fields, i),
		    " title value short ", how);
}

/* ------------------------------------------------------------- messages */

/* *Auth0 log alert*, acme-1, 3 events: the one text with markup. */
static void
judge_headline(const char *text, size_t events, struct buf *how)
{
	static const char alert[] = "*Auth0 log alert*";
	struct buf count = BUF_INIT;
	const char *at = text;
	size_t len;

	if (events > 1) {
		buf_adds(&count, ", ");
		buf_add_count(&count, events);
		buf_adds(&count, " events");
	}
	if (text && strncmp(text, alert, strlen(alert)) == 0) {
		at += strlen(alert);
		len = at[0] && at[1] ? strspn(at + 2, ASCII_ALNUM "-") : 0;
		if (strcmp(at, buf_text(&count)) != 0 && len > 0)
			at += 2 + len;
	}
	if (!text || at == text || strcmp(at, buf_text(&count)) != 0)
		buf_addf(how, "the headline is %s; ", text ? text : "missing");
	buf_release(&count);
}

/* The number, with commas, that a title begins with. */
static size_t
number_of(const char *title)
{
	size_t number = 0;

	for (; title && strchr(ASCII_DIGITS ",", *title) && *title; title++)
		if (*title != ',')
			number = 10 * number + (size_t)(*title - '0');
	return number;
}

static unsigned
show_of(const unsigned char *head)
{
	unsigned show = head[0] & 0x1FU;

	if (!(head[1] & COPIES_NO_DESCRIPTION))
		show |= SHOW_DESCRIPTION;
	if (head[1] & COPIES_ORGANIZATION)
		show |= SHOW_ORGANIZATION;
	return show;
}

struct sending {
	struct event *const *events;
	size_t count;
	bool digest;
	struct config config;
	struct buf base;	/* of links, as a message has it */
};

static void
judge_attachments(const struct sending *s, size_t taken,
    struct json_object *all, struct buf *how)
{
	size_t i, told = 0, count = json_object_array_length(all);
	struct json_object *a;

	for (i = 0; i < count; i++) {
		a = json_object_array_get_idx(all, i);
		judge_attachment(a, how);
		told += s->digest ? number_of(text_of(a, "title")) : 1;
		if (s->digest || i >= taken)
			continue;
		judge_link(a, s->events[i], buf_text(&s->base), how);
		judge_time(a, s->events[i], how);
	}
	if (told != taken)
		buf_addf(how, "%zu of %zu events are told; ", told, taken);
}

static void
judge_payload(const struct sending *s, size_t taken,
    const struct buf *payload, struct buf *how)
{
	struct json_object *message = json_tokener_parse(buf_text(payload));
	struct scan scan = { 0 };
	const char *why;

	if (scan_bytes(&scan, buf_text(payload), payload->len, &why) !=
	    payload->len || scan.depth > 0)
		buf_adds(how, "it is no JSON; ");
	scan_release(&scan);
	buf_adds(how, payload_faults(payload));
	if (!json_object_is_type(message, json_type_object) ||
	    !json_object_is_type(payload_attachments(message),
	    json_type_array)) {
		buf_adds(how, "it is no message; ");
	} else {
		judge_names(message, " text attachments ", how);
		judge_headline(text_of(message, "text"), taken, how);
		judge_attachments(s, taken, payload_attachments(message), how);
	}
	json_object_put(message);
}

/* Takes the events of one message away. */
static void
judge_message(struct sending *s, struct buf *how)
{
	struct buf payload = BUF_INIT, preview = BUF_INIT;
	size_t taken;

	taken = message_compose(&payload, s->events, s->count, s->digest, 0,
	    &s->config);
	if (taken == 0 || taken > s->count) {
		buf_addf(how, "%zu events are taken; ", taken);
		taken = s->count;
	}
	judge_payload(s, taken, &payload, how);
	if (message_preview(&preview, s->events, s->count, s->digest,
	    &s->config) != taken || !are_plain_lines(buf_text(&preview)))
		buf_addf(how, "the preview is %s; ", buf_text(&preview));
	if (how->len > 0)
		buf_adds(how, buf_text(&payload));
	s->events += taken;
	s->count -= taken;
	buf_release(&payload);
	buf_release(&preview);
}

bool
message_holds(const char *bytes, size_t len, struct buf *how)
{
	static char usual[] = "https://manage.auth0.com";
	static char other[] = "http://[::1]:80/a&b;?c=<d&lt;&amp;";
	unsigned char head[HEAD];
	struct making m;
	struct sending s;

	if (len < HEAD)
		return true;
	memcpy(head, bytes, HEAD);
	make_events(&m, head, bytes + HEAD, bytes + len);
	memset(&s, 0, sizeof(s));
	s.events = m.list.events;
	s.count = m.list.count;
	s.digest = (head[0] & STYLE_DIGEST) != 0;
	s.config.show = show_of(head);
	s.config.dashboard_url = head[0] & STYLE_ADDRESS ? other : usual;
	buf_adds(&s.base, head[0] & STYLE_ADDRESS ?
	    "http://[::1]:80/a&amp;b;?c=&lt;d&amp;lt;&amp;amp;" : usual);
	while (s.count > 0 && how->len == 0)
		judge_message(&s, how);
	event_list_release(&m.list);
	buf_release(&s.base);
	return how->len == 0;
}
