/* SPDX-License-Identifier: ISC */
/*
 * From events to Slack messages. A card is what an event says, in raw
 * text; it becomes an attachment in JSON, or lines for a terminal. This
 * file knows nothing of HTTP or of where events come from.
 */
#include "slack.h"

#include "log.h"
#include "slack_text.h"
#include "utf8.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TYPE_MAX 100		/* characters of a type code in a title */
#define ID_MAX 256		/* bytes of a log_id in a link */
#define LABEL_MAX 63		/* bytes of a DNS label, RFC 1035 */
#define FIELDS_MAX 5		/* as many as things to show */
#define ENVELOPE_MAX 600	/* bytes of a message without attachments */

/* The colour of the bar, by class. */
static const char *const colours[CLASSES] = {
	[CLASS_NOTICE] = "#6e7781",
	[CLASS_FAILURE] = "#d1242f",
	[CLASS_LIMIT] = "#e8912d",
	[CLASS_ANOMALY] = "#8250df",
	[CLASS_WARNING] = "#ecb22e",
	[CLASS_SUCCESS] = "#2eb67d",
};

struct field {
	const char *title;
	struct buf value;
};

struct card {
	const char *colour;
	struct buf title;
	struct buf link;		/* empty: none */
	int64_t time_ms;
	struct field fields[FIELDS_MAX];
	size_t field_count;
};

/* ------------------------------------------------------------ tenant */

struct label {
	const char *text;
	size_t len;
};

static bool
is_label(const struct label *label)
{
	static const char letters[] = ASCII_ALNUM "-_";

	return label->len > 0 && label->len <= LABEL_MAX &&
	    strspn(label->text, letters) >= label->len;
}

/*
 * acme.eu.auth0.com is tenant acme in region eu; acme.auth0.com is in us.
 * False for any other host, a custom domain for example.
 */
static bool
split_hostname(const char *host, struct label *tenant, struct label *region)
{
	static const char domain[] = ".auth0.com";
	size_t len = host ? strlen(host) : 0, tail = sizeof(domain) - 1;

	if (len <= tail || strcmp(host + len - tail, domain) != 0)
		return false;
	len -= tail;
	tenant->text = host;
	tenant->len = strcspn(host, ".");
	region->text = "us";
	region->len = 2;
	if (tenant->len < len) {
		region->text = host + tenant->len + 1;
		region->len = len - tenant->len - 1;
	}
	return is_label(tenant) && is_label(region);
}

/* The tenant of an event; false when it does not tell. */
static bool
tenant_of(const struct event *e, struct label *tenant)
{
	struct label region;

	if (e->tenant_name) {
		tenant->text = e->tenant_name;
		tenant->len = strlen(e->tenant_name);
		return true;
	}
	return split_hostname(e->hostname, tenant, &region);
}

/* The tenant that all the events agree on and that is safe in markup. */
static bool
common_tenant(struct event *const *events, size_t count, struct label *tenant)
{
	struct label other;
	size_t i;

	if (!tenant_of(events[0], tenant) || !is_label(tenant))
		return false;
	for (i = 1; i < count; i++)
		if (!tenant_of(events[i], &other) ||
		    other.len != tenant->len ||
		    memcmp(other.text, tenant->text, tenant->len) != 0)
			return false;
	/* Slack would take an underscore at a word's edge for italics. */
	return !memchr(tenant->text, '_', tenant->len);
}

/* ------------------------------------------------------------- cards */

static void
add_link(struct buf *link, const struct event *e, const char *base)
{
	struct label tenant, region;

	if (!e->log_id || strlen(e->log_id) > ID_MAX)
		return;
	buf_adds(link, base);
	if (split_hostname(e->hostname, &tenant, &region)) {
		buf_adds(link, "/dashboard/");
		slack_text_percent(link, region.text, region.len);
		buf_addc(link, '/');
		slack_text_percent(link, tenant.text, tenant.len);
		buf_adds(link, "/logs/");
	} else {
		buf_adds(link, "/#/logs/");
	}
	slack_text_percent(link, e->log_id, strlen(e->log_id));
}

/* What happened, in words: never empty. */
static const char *
words_for(const struct event *e, struct buf *clean)
{
	const struct event_type *type = catalog_find(e->type);

	if (e->description)
		slack_text_clean(clean, e->description);
	if (clean->len > 0)
		return clean->data;
	return type ? type->name : "Event of an unknown type";
}

static void
add_title(struct buf *title, const struct event *e)
{
	struct buf words = BUF_INIT, code = BUF_INIT, type = BUF_INIT;
	size_t room = SLACK_TITLE_MAX - strlen(" [type: ]");

	slack_text_clean(&code, e->type);
	slack_text_cut(&type, buf_text(&code), TYPE_MAX);
	room -= slack_text_len(buf_text(&type));
	slack_text_cut(title, words_for(e, &words), room);
	buf_addf(title, " [type: %s]", buf_text(&type));
	buf_release(&words);
	buf_release(&code);
	buf_release(&type);
}

/* Takes clean text; what is empty makes no field. */
static void
add_field(struct card *card, const char *title, const char *value)
{
	struct field *field = &card->fields[card->field_count];

	if (!*value)
		return;
	slack_text_cut(&field->value, value, SLACK_VALUE_MAX);
	field->title = title;
	card->field_count++;
}

/* "name (id)", or the one there is. */
static void
show_named(struct card *card, const char *title, const char *raw_name,
    const char *raw_id)
{
	struct buf name = BUF_INIT, id = BUF_INIT, both = BUF_INIT;

	slack_text_clean(&name, raw_name ? raw_name : "");
	slack_text_clean(&id, raw_id ? raw_id : "");
	if (name.len > 0 && id.len > 0 && strcmp(name.data, id.data) != 0) {
		slack_text_cut(&both, name.data, SLACK_VALUE_MAX / 2);
		buf_adds(&both, " (");
		slack_text_cut(&both, id.data, SLACK_VALUE_MAX / 2 - 3);
		buf_addc(&both, ')');
	} else {
		buf_adds(&both, buf_text(name.len > 0 ? &name : &id));
	}
	add_field(card, title, buf_text(&both));
	buf_release(&name);
	buf_release(&id);
	buf_release(&both);
}

static void
show_client(struct card *card, const struct event *e)
{
	show_named(card, "Client", e->client_name, e->client_id);
}

static void
show_user(struct card *card, const struct event *e)
{
	show_named(card, "User", e->user_name, e->user_id);
}

static void
show_ip(struct card *card, const struct event *e)
{
	show_named(card, "IP address", e->ip, NULL);
}

static void
show_connection(struct card *card, const struct event *e)
{
	show_named(card, "Connection", e->connection, NULL);
}

static void
show_tenant(struct card *card, const struct event *e)
{
	struct buf name = BUF_INIT;
	struct label tenant;

	if (tenant_of(e, &tenant))
		buf_add(&name, tenant.text, tenant.len);
	show_named(card, "Tenant", buf_text(&name), NULL);
	buf_release(&name);
}

static const struct {
	const char *name;
	enum slack_show bit;
	void (*show)(struct card *card, const struct event *e);
} shows[] = {
	{ "client", SHOW_CLIENT, show_client },
	{ "user", SHOW_USER, show_user },
	{ "ip", SHOW_IP, show_ip },
	{ "connection", SHOW_CONNECTION, show_connection },
	{ "tenant", SHOW_TENANT, show_tenant },
};

#define SHOWS (sizeof(shows) / sizeof(shows[0]))

static void
card_init(struct card *card, const struct event *e,
    const struct slack_style *style)
{
	size_t i;

	memset(card, 0, sizeof(*card));
	card->colour = colours[e->class];
	card->time_ms = e->time_ms;
	add_title(&card->title, e);
	add_link(&card->link, e, style->dashboard_url);
	for (i = 0; i < SHOWS; i++)
		if (style->show & shows[i].bit)
			shows[i].show(card, e);
}

static void
card_release(struct card *card)
{
	size_t i;

	buf_release(&card->title);
	buf_release(&card->link);
	for (i = 0; i < FIELDS_MAX; i++)
		buf_release(&card->fields[i].value);
}

static bool
read_word(const char *word, size_t len, unsigned *show)
{
	size_t i;

	for (i = 0; i < SHOWS; i++)
		if (strlen(shows[i].name) == len &&
		    memcmp(shows[i].name, word, len) == 0) {
			*show |= shows[i].bit;
			return true;
		}
	return false;
}

bool
slack_show_read(const char *text, unsigned *show, struct buf *why)
{
	size_t len;

	*show = 0;
	for (text += strspn(text, " \t,"); *text;
	     text += len, text += strspn(text, " \t,")) {
		len = strcspn(text, " \t,");
		if (!read_word(text, len, show)) {
			log_quote(why, text, len);
			buf_adds(why, " cannot be shown: choose from client "
			    "user ip connection tenant");
			return false;
		}
	}
	return true;
}

/* -------------------------------------------------------------- JSON */

/* Adds a member whose text is escaped for Slack; none when it is empty. */
static void
put_text(struct json_object *object, const char *name, const char *text)
{
	struct buf escaped = BUF_INIT;

	slack_text_escape(&escaped, text);
	if (escaped.len > 0)
		json_object_object_add(object, name,
		    json_object_new_string_len(escaped.data,
		    (int)escaped.len));
	buf_release(&escaped);
}

static struct json_object *
card_fields(const struct card *card)
{
	struct json_object *fields = json_object_new_array(), *field;
	size_t i;

	for (i = 0; i < card->field_count; i++) {
		field = json_object_new_object();
		put_text(field, "title", card->fields[i].title);
		put_text(field, "value", buf_text(&card->fields[i].value));
		json_object_object_add(field, "short",
		    json_object_new_boolean(1));
		json_object_array_add(fields, field);
	}
	return fields;
}

static struct json_object *
card_attachment(const struct card *card)
{
	struct json_object *a = json_object_new_object();

	put_text(a, "fallback", buf_text(&card->title));
	put_text(a, "color", card->colour);
	put_text(a, "title", buf_text(&card->title));
	put_text(a, "title_link", buf_text(&card->link));
	if (card->field_count > 0)
		json_object_object_add(a, "fields", card_fields(card));
	if (card->time_ms != EVENT_NO_TIME)
		json_object_object_add(a, "ts",
		    json_object_new_int64(card->time_ms / 1000));
	return a;
}

static const char *
json_text(struct json_object *object, size_t *len)
{
	return json_object_to_json_string_length(object,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, len);
}

/* *Auth0 log alert*, acme, 3 events: markup applies here, so no foreign
 * text but a tenant's name made of letters, digits and hyphens. */
static void
add_headline(struct buf *out, const char *alert, struct event *const *events,
    size_t count)
{
	struct label tenant;

	buf_adds(out, alert);
	if (common_tenant(events, count, &tenant))
		buf_addf(out, ", %.*s", (int)tenant.len, tenant.text);
	if (count > 1) {
		buf_adds(out, ", ");
		buf_add_count(out, count);
		buf_adds(out, " events");
	}
}

/*
 * The attachments of the first events, comma between them. An attachment
 * is always far smaller than a message may be: see the limits above.
 */
static size_t
add_attachments(struct buf *out, struct event *const *events, size_t count,
    const struct slack_style *style)
{
	struct json_object *attachment;
	struct card card;
	const char *text;
	size_t n, len;
	bool fits = true;

	for (n = 0; n < count && n < SLACK_ATTACHMENTS_MAX && fits;) {
		card_init(&card, events[n], style);
		attachment = card_attachment(&card);
		text = json_text(attachment, &len);
		fits = n == 0 ||
		    out->len + 1 + len + ENVELOPE_MAX <= SLACK_BYTES_MAX;
		if (fits) {
			if (n++ > 0)
				buf_addc(out, ',');
			buf_add(out, text, len);
		}
		json_object_put(attachment);
		card_release(&card);
	}
	return n;
}

size_t
slack_message(struct buf *payload, struct event *const *events, size_t count,
    const struct slack_style *style)
{
	struct buf attachments = BUF_INIT, headline = BUF_INIT;
	struct json_object *text;
	size_t taken, len;
	const char *json;

	taken = add_attachments(&attachments, events, count, style);
	add_headline(&headline, "*Auth0 log alert*", events, taken);
	text = json_object_new_string(headline.data);
	json = json_text(text, &len);
	buf_adds(payload, "{\"text\":");
	buf_add(payload, json, len);
	buf_adds(payload, ",\"attachments\":[");
	buf_add(payload, attachments.data, attachments.len);
	buf_adds(payload, "]}");
	json_object_put(text);
	buf_release(&headline);
	buf_release(&attachments);
	return taken;
}

/* ----------------------------------------------------------- preview */

static void
add_time(struct buf *text, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;
	char when[64];

	if (time_ms == EVENT_NO_TIME || !gmtime_r(&seconds, &tm) ||
	    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		return;
	buf_addf(text, "| %s\n", when);
}

static void
preview_card(struct buf *text, const struct card *card)
{
	size_t i;

	buf_addf(text, "| %s\n", buf_text(&card->title));
	if (card->link.len > 0)
		buf_addf(text, "| %s\n", card->link.data);
	for (i = 0; i < card->field_count; i++)
		buf_addf(text, "| %s: %s\n", card->fields[i].title,
		    buf_text(&card->fields[i].value));
	add_time(text, card->time_ms);
}

size_t
slack_preview(struct buf *text, struct event *const *events, size_t count,
    const struct slack_style *style)
{
	struct buf payload = BUF_INIT;
	struct card card;
	size_t i, taken;

	taken = slack_message(&payload, events, count, style);
	buf_release(&payload);
	add_headline(text, "Auth0 log alert", events, taken);
	buf_addc(text, '\n');
	for (i = 0; i < taken; i++) {
		card_init(&card, events[i], style);
		preview_card(text, &card);
		card_release(&card);
	}
	return taken;
}
