/* SPDX-License-Identifier: ISC */
/*
 * Cards and the headline above them: what an event says, in raw text, and
 * how that is written for Slack and for a terminal. It does not know how
 * many cards make a message.
 */
#include "slack/slack_card.h"

#include "base/utf8.h"
#include "slack/slack_text.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define ID_MAX 256		/* bytes of a log_id in a link */

/* The colour of the bar, by class. */
static const char *const colours[CLASSES] = {
	[CLASS_NOTICE] = "#6e7781",
	[CLASS_FAILURE] = "#d1242f",
	[CLASS_LIMIT] = "#e8912d",
	[CLASS_ANOMALY] = "#8250df",
	[CLASS_WARNING] = "#ecb22e",
	[CLASS_SUCCESS] = "#2eb67d",
};

/* ------------------------------------------------------------ tenant */

struct label {
	const char *text;
	size_t len;
};

/* What an event tells of where it is from; empty labels where it does not. */
struct origin {
	struct label tenant;
	struct label region;
};

static bool
is_label(const struct label *label)
{
	static const char letters[] = ASCII_ALNUM "-_";

	return label->len > 0 && label->len <= SLACK_LABEL_MAX &&
	    strspn(label->text, letters) >= label->len;
}

static bool
are_same(const struct label *a, const struct label *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/*
 * eu, or eu-1. The second label of a Private Cloud's host is the name of a
 * company and no region: identity.mycompany.auth0.com.
 */
static bool
is_region(const struct label *label)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

	return label->len >= 2 && strspn(label->text, letters) == 2 &&
	    (label->len == 2 || (label->len > 3 && label->text[2] == '-' &&
	    strspn(label->text + 3, ASCII_DIGITS) >= label->len - 3));
}

/*
 * acme.eu.auth0.com is tenant acme in region eu; acme.auth0.com is in us.
 * False for any other host, a custom domain for example.
 */
static bool
split_hostname(const char *host, struct origin *o)
{
	static const char domain[] = ".auth0.com";
	size_t len = host ? strlen(host) : 0, tail = sizeof(domain) - 1;

	if (len <= tail || strcmp(host + len - tail, domain) != 0)
		return false;
	len -= tail;
	o->tenant.text = host;
	o->tenant.len = strcspn(host, ".");
	o->region.text = "us";
	o->region.len = 2;
	if (o->tenant.len < len) {
		o->region.text = host + o->tenant.len + 1;
		o->region.len = len - o->tenant.len - 1;
	}
	return is_label(&o->tenant) && is_region(&o->region);
}

/* prod-eu-1 is in region eu. False for a name of another form. */
static bool
split_environment(const char *name, struct label *region)
{
	static const char prefix[] = "prod-";
	struct label rest;

	if (!name || strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	rest.text = name + strlen(prefix);
	rest.len = strlen(rest.text);
	if (rest.len == 2 || !is_region(&rest))
		return false;
	region->text = rest.text;
	region->len = 2;
	return true;
}

/*
 * The tenant is the one that Auth0 names. A hostname counts where there is
 * no name, or where it is of the tenant of that name: in events of failures
 * it can be what a client made up.
 */
static struct origin
origin_of(const struct event *e)
{
	struct origin origin = { { NULL, 0 }, { NULL, 0 } }, host;
	bool has_host = split_hostname(e->hostname, &host);

	if (e->tenant_name) {
		origin.tenant.text = e->tenant_name;
		origin.tenant.len = strlen(e->tenant_name);
	} else if (has_host) {
		origin.tenant = host.tenant;
	}
	if (!split_environment(e->environment_name, &origin.region) &&
	    has_host && are_same(&host.tenant, &origin.tenant))
		origin.region = host.region;
	return origin;
}

/* ------------------------------------------------------ what is shown */

/* "name (id)": a long one of the two does not push the other out. */
static void
add_pair(struct buf *out, const char *name, const char *id, size_t max)
{
	size_t name_max = max, id_max = max;

	if (slack_text_len(name) + slack_text_len(id) + strlen(" ()") > max) {
		name_max = max / 2;
		id_max = max - name_max - strlen(" ()");
	}
	slack_text_cut(out, name, name_max);
	buf_adds(out, " (");
	slack_text_cut(out, id, id_max);
	buf_addc(out, ')');
}

/* Both, or the one there is; raw text or NULL comes in. */
static void
add_named(struct buf *out, const char *raw_name, const char *raw_id,
    size_t max)
{
	struct buf name = BUF_INIT, id = BUF_INIT;

	slack_text_clean(&name, raw_name ? raw_name : "", max);
	slack_text_clean(&id, raw_id ? raw_id : "", max);
	if (name.len > 0 && id.len > 0 && strcmp(name.data, id.data) != 0)
		add_pair(out, name.data, id.data, max);
	else
		slack_text_cut(out, buf_text(name.len > 0 ? &name : &id), max);
	buf_release(&name);
	buf_release(&id);
}

static void
client_of(struct buf *out, const struct event *e, size_t max)
{
	add_named(out, e->client_name, e->client_id, max);
}

static void
user_of(struct buf *out, const struct event *e, size_t max)
{
	add_named(out, e->user_name, e->user_id, max);
}

static void
ip_of(struct buf *out, const struct event *e, size_t max)
{
	add_named(out, e->ip, NULL, max);
}

static void
connection_of(struct buf *out, const struct event *e, size_t max)
{
	add_named(out, e->connection, NULL, max);
}

static void
tenant_name_of(struct buf *out, const struct event *e, size_t max)
{
	struct label tenant = origin_of(e).tenant;
	struct buf name = BUF_INIT;

	if (tenant.len > 0)
		buf_add(&name, tenant.text, tenant.len);
	add_named(out, buf_text(&name), NULL, max);
	buf_release(&name);
}

/* The name; the id stands for one that shows nothing. */
static void
organization_of(struct buf *out, const struct event *e, size_t max)
{
	size_t before = out->len;

	add_named(out, e->organization_name, NULL, max);
	if (out->len == before)
		add_named(out, e->organization_id, NULL, max);
}

const struct slack_shown slack_shown[SLACK_SHOWS] = {
	{ "Client", SHOW_CLIENT, client_of },
	{ "User", SHOW_USER, user_of },
	{ "IP address", SHOW_IP, ip_of },
	{ "Connection", SHOW_CONNECTION, connection_of },
	{ "Tenant", SHOW_TENANT, tenant_name_of },
	{ "Organization", SHOW_ORGANIZATION, organization_of },
};

/* ------------------------------------------------------------- cards */

void
slack_card_title(struct slack_card *card, const char *words, const char *type)
{
	struct buf clean = BUF_INIT, code = BUF_INIT;
	size_t room = SLACK_TITLE_MAX - strlen(" [type: ]");

	slack_text_clean(&clean, type, SLACK_TYPE_MAX);
	slack_text_cut(&code, buf_text(&clean), SLACK_TYPE_MAX);
	room -= slack_text_len(buf_text(&code));
	slack_text_cut(&card->title, words, room);
	buf_addf(&card->title, " [type: %s]", buf_text(&code));
	buf_release(&clean);
	buf_release(&code);
}

const char *
slack_card_words(const char *type)
{
	const struct event_type *known = catalog_find(type);

	return known ? known->name : "Event of an unknown type";
}

/* Whether text has the words in it, in whatever case of ASCII. */
static bool
says(const char *text, const char *words)
{
	size_t len = strlen(words);

	for (; *text; text++)
		if (strncasecmp(text, words, len) == 0)
			return true;
	return false;
}

/*
 * What happened, in words: never empty. A description can be of the reason
 * alone ("Password is too weak"), or of a person; the name of the event is
 * then below it, if it has one.
 */
static void
title_event(struct slack_card *card, const struct event *e, unsigned show)
{
	const struct event_type *known = catalog_find(e->type);
	struct buf words = BUF_INIT;

	if (e->description && (show & SHOW_DESCRIPTION))
		slack_text_clean(&words, e->description, SLACK_TITLE_MAX);
	if (words.len == 0)
		buf_adds(&words, slack_card_words(e->type));
	slack_card_title(card, words.data, e->type);
	if (known && !says(card->title.data, known->name))
		card->footer = known->name;
	buf_release(&words);
}

static void
add_link(struct buf *link, const struct event *e, const char *base)
{
	struct origin origin = origin_of(e);

	if (!e->log_id || strlen(e->log_id) > ID_MAX)
		return;
	buf_adds(link, base);
	if (strstr(base, "/dashboard/")) {
		buf_adds(link, "/logs/");
	} else if (is_label(&origin.tenant) && origin.region.len > 0) {
		buf_adds(link, "/dashboard/");
		slack_text_percent(link, origin.region.text,
		    origin.region.len);
		buf_addc(link, '/');
		slack_text_percent(link, origin.tenant.text,
		    origin.tenant.len);
		buf_adds(link, "/logs/");
	} else {
		buf_adds(link, "/#/logs/");
	}
	slack_text_percent(link, e->log_id, strlen(e->log_id));
}

void
slack_card_field(struct slack_card *card, const char *title,
    const char *value)
{
	struct slack_field *field = &card->fields[card->field_count];

	if (!*value)
		return;
	slack_text_cut(&field->value, value, SLACK_VALUE_MAX);
	field->title = title;
	card->field_count++;
}

void
slack_card_drop_field(struct slack_card *card)
{
	buf_release(&card->fields[--card->field_count].value);
}

static void
show(struct slack_card *card, const struct slack_shown *shown,
    const struct event *e)
{
	struct buf value = BUF_INIT;

	shown->value(&value, e, SLACK_VALUE_MAX);
	slack_card_field(card, shown->title, buf_text(&value));
	buf_release(&value);
}

void
slack_card_init(struct slack_card *card, const struct event *e,
    const struct slack_style *style)
{
	size_t i;

	memset(card, 0, sizeof(*card));
	card->class = e->class;
	card->time_ms = e->time_ms;
	title_event(card, e, style->show);
	add_link(&card->link, e, style->dashboard_url);
	for (i = 0; i < SLACK_SHOWS; i++)
		if (style->show & slack_shown[i].bit)
			show(card, &slack_shown[i], e);
}

void
slack_card_release(struct slack_card *card)
{
	buf_release(&card->title);
	buf_release(&card->link);
	while (card->field_count > 0)
		slack_card_drop_field(card);
}

/* -------------------------------------------------------------- JSON */

/* A member that is escaped by this way of doing it; none for an empty text. */
static void
put_escaped(struct json *object, const char *name, const char *text,
    void (*escape)(struct buf *out, const char *text))
{
	struct buf escaped = BUF_INIT;

	if (!*text)
		return;
	escape(&escaped, text);
	json_put_text(object, name, buf_text(&escaped));
	buf_release(&escaped);
}

static void
put_text(struct json *object, const char *name, const char *text)
{
	put_escaped(object, name, text, slack_text_escape);
}

static struct json *
fields_of(const struct slack_card *card)
{
	struct json *fields = json_new_array(), *field;
	size_t i;

	for (i = 0; i < card->field_count; i++) {
		field = json_new_object();
		put_text(field, "title", card->fields[i].title);
		put_text(field, "value", buf_text(&card->fields[i].value));
		json_put_boolean(field, "short", !card->wide);
		json_add(fields, field);
	}
	return fields;
}

struct json *
slack_card_json(const struct slack_card *card)
{
	struct json *json = json_new_object();

	put_text(json, "fallback", buf_text(&card->title));
	put_text(json, "color", colours[card->class]);
	put_text(json, "title", buf_text(&card->title));
	put_escaped(json, "title_link", buf_text(&card->link),
	    slack_text_escape_link);
	if (card->field_count > 0)
		json_put(json, "fields", fields_of(card));
	if (card->footer)
		put_text(json, "footer", card->footer);
	if (card->time_ms != EVENT_NO_TIME)
		json_put_number(json, "ts", card->time_ms / 1000);
	return json;
}

/* ---------------------------------------------------------- terminal */

void
slack_card_lines(const struct slack_card *card, struct buf *out)
{
	size_t i;

	buf_addf(out, "| %s\n", buf_text(&card->title));
	if (card->link.len > 0)
		buf_addf(out, "| %s\n", card->link.data);
	for (i = 0; i < card->field_count; i++)
		buf_addf(out, "| %s: %s\n", card->fields[i].title,
		    buf_text(&card->fields[i].value));
	if (card->footer)
		buf_addf(out, "| %s\n", card->footer);
}

static bool
write_moment(char *text, size_t size, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;

	return time_ms != EVENT_NO_TIME && gmtime_r(&seconds, &tm) &&
	    strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm) > 0;
}

void
slack_card_span(struct buf *out, int64_t first_ms, int64_t last_ms)
{
	char first[64], last[64];
	size_t date;

	if (!write_moment(first, sizeof(first), first_ms) ||
	    !write_moment(last, sizeof(last), last_ms))
		return;
	buf_adds(out, first);
	date = strcspn(first, " ") + 1;
	if (strncmp(first, last, date) != 0)
		date = 0;
	if (strcmp(first, last) != 0)
		buf_addf(out, " to %s", last + date);
	buf_adds(out, " UTC");
}

/* ---------------------------------------------------------- headline */

void
slack_headline_add(struct slack_headline *h, const struct event *e)
{
	struct label tenant = origin_of(e).tenant;
	bool tells = is_label(&tenant);

	if (h->count++ == 0 && tells) {
		memcpy(h->tenant, tenant.text, tenant.len);
		h->tenant[tenant.len] = '\0';
	} else if (!tells || strlen(h->tenant) != tenant.len ||
	    memcmp(h->tenant, tenant.text, tenant.len) != 0) {
		h->tenant[0] = '\0';
	}
}

/*
 * *Auth0 log alert*, acme, 3 events: markup applies here, so no foreign
 * text but a tenant's name made of letters, digits and hyphens. Slack
 * would take an underscore at a word's edge for italics.
 */
static void
add_headline(struct buf *out, const char *alert,
    const struct slack_headline *h)
{
	buf_adds(out, alert);
	if (h->tenant[0] && !strchr(h->tenant, '_'))
		buf_addf(out, ", %s", h->tenant);
	if (h->count > 1) {
		buf_adds(out, ", ");
		buf_add_count(out, h->count);
		buf_adds(out, " events");
	}
}

/* What nobody sees in the channel otherwise. */
static void
add_aside(struct buf *out, int64_t aside)
{
	if (aside <= 0)
		return;
	buf_addc(out, '\n');
	buf_add_count(out, (unsigned long long)aside);
	buf_adds(out, aside == 1 ? " event was" : " events were");
	buf_adds(out, " set aside and not sent: see log-stream-ctl list");
}

void
slack_headline_message(const struct slack_headline *h,
    struct json *attachments, struct buf *payload)
{
	struct json *message = json_new_object();
	struct buf text = BUF_INIT;
	const char *json;
	size_t len;

	add_headline(&text, "*Auth0 log alert*", h);
	add_aside(&text, h->aside);
	json_put_text(message, "text", buf_text(&text));
	if (json_item_count(attachments) > 0)
		json_put(message, "attachments", attachments);
	else
		json_free(attachments);
	json = json_text(message, &len);
	buf_add(payload, json, len);
	json_free(message);
	buf_release(&text);
}

void
slack_headline_line(const struct slack_headline *h, struct buf *text)
{
	add_headline(text, "Auth0 log alert", h);
	buf_addc(text, '\n');
}
