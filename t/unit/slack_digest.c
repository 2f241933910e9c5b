/* SPDX-License-Identifier: ISC */
/*
 * What digests say, and that none loses an event, grows beyond what Slack
 * takes or can be bent by an attacker. Each payload made here is held
 * against the rules, and against its preview, by message_of().
 */
#include "slack/slack_digest.h"

#include "base/utf8.h"
#include "payload.h"
#include "slack/slack_text.h"
#include "tap.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "https://manage.auth0.com"
#define ELLIPSIS "\xE2\x80\xA6"
#define TIMES " \xC3\x97 "
#define ALL (SHOW_CLIENT | SHOW_USER | SHOW_IP | SHOW_CONNECTION | SHOW_TENANT)
#define NOON INT64_C(1785585600000)	/* 2026-08-01 12:00:00 UTC */
#define DAY_MS INT64_C(86400000)

/* ---------------------------------------------------------- a message */

/* A member's text; NULL when there is none. */
static const char *
text_of(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value ? json_object_get_string(value) : NULL;
}

static struct json_object *
array_of(struct json_object *object, const char *name)
{
	struct json_object *array = NULL;

	json_object_object_get_ex(object, name, &array);
	return array;
}

static size_t
length_of(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

/* Adds the lines that an attachment is laid out in. */
static void
add_lines(struct buf *lines, struct json_object *attachment)
{
	struct json_object *fields = array_of(attachment, "fields"), *field;
	size_t i;

	buf_addf(lines, "| %s\n", text_of(attachment, "title"));
	for (i = 0; i < length_of(fields); i++) {
		field = json_object_array_get_idx(fields, i);
		buf_addf(lines, "| %s: %s\n", text_of(field, "title"),
		    text_of(field, "value"));
	}
}

/* The lines of all attachments; valid until the next call. */
static const char *
lines_of(const char *payload)
{
	static struct buf lines;
	struct json_object *message = json_tokener_parse(payload), *all;
	size_t i;

	buf_clear(&lines);
	all = array_of(message, "attachments");
	for (i = 0; i < length_of(all); i++)
		add_lines(&lines, json_object_array_get_idx(all, i));
	json_object_put(message);
	return buf_text(&lines);
}

/* The number, with commas, that a title begins with. */
static size_t
number_of(const char *title)
{
	size_t number = 0;

	for (; title && *title && *title != ' '; title++)
		if (*title != ',')
			number = 10 * number + (size_t)(*title - '0');
	return number;
}

/* The events that the titles of a message count. */
static size_t
sum_of(struct json_object *message)
{
	struct json_object *all = array_of(message, "attachments");
	size_t i, sum = 0;

	for (i = 0; i < length_of(all); i++)
		sum += number_of(text_of(json_object_array_get_idx(all, i),
		    "title"));
	return sum;
}

static void
judge_payload(const struct slack_digest *d, const struct buf *payload,
    struct buf *faults)
{
	struct json_object *message = json_tokener_parse(buf_text(payload));

	buf_adds(faults, payload_faults(payload));
	if (sum_of(message) != slack_digest_count(d))
		buf_addf(faults, "%zu of %zu events are counted; ",
		    sum_of(message), slack_digest_count(d));
	json_object_put(message);
}

/* A preview says, unescaped, what the message says. */
static void
judge_preview(const struct slack_digest *d, const struct buf *payload,
    struct buf *faults)
{
	struct buf preview = BUF_INIT, escaped = BUF_INIT;

	slack_digest_preview(d, &preview);
	slack_text_escape(&escaped, strchr(buf_text(&preview), '\n') + 1);
	if (strcmp(buf_text(&escaped), lines_of(buf_text(payload))) != 0)
		buf_adds(faults, "the preview says something else; ");
	buf_release(&preview);
	buf_release(&escaped);
}

/*
 * The payload of a digest, valid until the next call. One that breaks a
 * rule fails a test of its own.
 */
static const char *
message_of(const struct slack_digest *d)
{
	static struct buf payload;
	struct buf faults = BUF_INIT;

	buf_clear(&payload);
	slack_digest_message(d, &payload);
	judge_payload(d, &payload, &faults);
	judge_preview(d, &payload, &faults);
	if (faults.len > 0)
		is_str(buf_text(&faults), "", "a digest breaks no rule");
	buf_release(&faults);
	return buf_text(&payload);
}

/* -------------------------------------------------------------- events */

static const struct slack_style style_all = { ALL, BASE, 0 };

static struct event
event_of(const char *type)
{
	struct event e = { 0 };

	e.type = type;
	e.class = catalog_class(type);
	e.time_ms = EVENT_NO_TIME;
	return e;
}

static void
add(struct slack_digest *d, struct event e, size_t times)
{
	for (; times > 0; times--)
		slack_digest_add(d, &e);
}

/* The lines about events of types t000, t001 ..., so many of each. */
static const char *
lines_about(const size_t *counts, size_t types)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	static struct buf lines;
	char type[32];
	size_t i;

	for (i = 0; i < types; i++) {
		snprintf(type, sizeof(type), "t%03zu", i);
		add(d, event_of(type), counts[i]);
	}
	buf_clear(&lines);
	buf_adds(&lines, lines_of(message_of(d)));
	slack_digest_free(d);
	return buf_text(&lines);
}

/* --------------------------------------------------------- whole ones */

static void
test_one(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);

	is_num((long long)slack_digest_count(d), 0, "a new digest counts "
	    "nothing");
	add(d, event_of("brand_new"), 1);
	is_num((long long)slack_digest_count(d), 1, "then one");
	is_str(message_of(d),
	    "{\"text\":\"*Auth0 log alert*\",\"attachments\":[{"
	    "\"fallback\":\"1" TIMES "Event of an unknown type "
	    "[type: brand_new]\","
	    "\"color\":\"#6e7781\","
	    "\"title\":\"1" TIMES "Event of an unknown type "
	    "[type: brand_new]\"}]}",
	    "one event that says nothing is this payload");
	slack_digest_free(d);
	slack_digest_free(NULL);
}

/* 1,234 failed logins and a blocked account at acme. */
static struct slack_digest *
full_digest(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event fail = event_of("f"), block = event_of("limit_wc");

	block.hostname = "acme.eu.auth0.com";
	block.user_name = "jane";
	block.user_id = "auth0|5";
	block.log_id = "900";
	block.time_ms = NOON + 789;
	add(d, block, 1);
	fail.description = "Wrong <password>";
	fail.tenant_name = "acme";
	fail.client_name = "My Shop";
	fail.client_id = "TestClientId";
	fail.time_ms = NOON;
	add(d, fail, 1000);
	fail.client_name = fail.client_id = "Other";
	fail.ip = "192.0.2.1";
	fail.time_ms = NOON - 65000;
	add(d, fail, 230);
	fail.client_name = "<!here>";
	fail.ip = NULL;
	fail.client_id = NULL;
	fail.time_ms = EVENT_NO_TIME;
	add(d, fail, 4);
	return d;
}

static void
test_full(void)
{
	struct slack_digest *d = full_digest();

	is_str(message_of(d),
	    "{\"text\":\"*Auth0 log alert*, acme, 1,235 events\","
	    "\"attachments\":[{"
	    "\"fallback\":\"1,234" TIMES "Failed Login [type: f]\","
	    "\"color\":\"#d1242f\","
	    "\"title\":\"1,234" TIMES "Failed Login [type: f]\","
	    "\"fields\":["
	    "{\"title\":\"Time\",\"value\":"
	    "\"2026-08-01 11:58:55 to 12:00:00 UTC\",\"short\":false},"
	    "{\"title\":\"Client\",\"value\":"
	    "\"My Shop (TestClientId)" TIMES "1,000, Other" TIMES "230, "
	    "&lt;!here&gt;" TIMES "4\",\"short\":false},"
	    "{\"title\":\"IP address\",\"value\":"
	    "\"192.0.2.1" TIMES "230\",\"short\":false},"
	    "{\"title\":\"Tenant\",\"value\":"
	    "\"acme" TIMES "1,234\",\"short\":false}],"
	    "\"ts\":1785585600},"
	    "{\"fallback\":\"1" TIMES "Blocked Account [type: limit_wc]\","
	    "\"color\":\"#8250df\","
	    "\"title\":\"1" TIMES "Blocked Account [type: limit_wc]\","
	    "\"fields\":["
	    "{\"title\":\"Time\",\"value\":"
	    "\"2026-08-01 12:00:00 UTC\",\"short\":false},"
	    "{\"title\":\"User\",\"value\":"
	    "\"jane (auth0|5)" TIMES "1\",\"short\":false},"
	    "{\"title\":\"Tenant\",\"value\":"
	    "\"acme" TIMES "1\",\"short\":false}],"
	    "\"ts\":1785585600}]}",
	    "two types with all there is to show are this payload");
	slack_digest_free(d);
}

static void
test_preview(void)
{
	struct slack_digest *d = full_digest();
	struct buf text = BUF_INIT;

	buf_adds(&text, "before\n");
	slack_digest_preview(d, &text);
	is_str(buf_text(&text), "before\n"
	    "Auth0 log alert, acme, 1,235 events\n"
	    "| 1,234" TIMES "Failed Login [type: f]\n"
	    "| Time: 2026-08-01 11:58:55 to 12:00:00 UTC\n"
	    "| Client: My Shop (TestClientId)" TIMES "1,000, Other" TIMES
	    "230, <!here>" TIMES "4\n"
	    "| IP address: 192.0.2.1" TIMES "230\n"
	    "| Tenant: acme" TIMES "1,234\n"
	    "| 1" TIMES "Blocked Account [type: limit_wc]\n"
	    "| Time: 2026-08-01 12:00:00 UTC\n"
	    "| User: jane (auth0|5)" TIMES "1\n"
	    "| Tenant: acme" TIMES "1\n",
	    "their preview is this text, added to what there was");
	buf_release(&text);
	slack_digest_free(d);
}

static void
test_goes_on(void)
{
	struct slack_digest *d = full_digest();
	char *first = mem_dup(message_of(d)), *again = mem_dup(message_of(d));

	is_str(again, first, "a digest says the same when asked again");
	add(d, event_of("fp"), 2000);
	is_num((long long)slack_digest_count(d), 3235, "more can be added "
	    "afterwards");
	ok(strstr(message_of(d), ",\"attachments\":[{\"fallback\":\"2,000"
	    TIMES) != NULL, "and is in the next message");
	free(first);
	free(again);
	slack_digest_free(d);
}

/* What is added may be gone when the message is made. */
static void
test_copies(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	char type[] = "fp", ip[] = "192.0.2.1", tenant[] = "acme";
	struct event e = event_of(type);

	e.ip = ip;
	e.tenant_name = tenant;
	add(d, e, 2);
	memset(type, 'x', strlen(type));
	memset(ip, 'x', strlen(ip));
	memset(tenant, 'x', strlen(tenant));
	is_str(lines_of(message_of(d)),
	    "| 2" TIMES "Failed Login (Incorrect Password) [type: fp]\n"
	    "| IP address: 192.0.2.1" TIMES "2\n"
	    "| Tenant: acme" TIMES "2\n", "a digest keeps copies");
	slack_digest_free(d);
}

/* ------------------------------------------------------ titles, order */

static const struct {
	const char *title;
	const char *type;
	const char *want;
} titles[] = {
	{ "a type is called by its name", "fu",
	    "| 2" TIMES "Failed Login (Invalid Email/Username) [type: fu]\n" },
	{ "one without a name has words as well", "xyz",
	    "| 2" TIMES "Event of an unknown type [type: xyz]\n" },
	{ "a type is escaped", "<!here>&",
	    "| 2" TIMES "Event of an unknown type "
	    "[type: &lt;!here&gt;&amp;]\n" },
	{ "a type loses its line ends", "a\r\nb\x1B[31m\xC2\x9B",
	    "| 2" TIMES "Event of an unknown type [type: a b [31m]\n" },
	{ "it does not turn text around", "x\xE2\x80\xAE",
	    "| 2" TIMES "Event of an unknown type [type: x]\n" },
	{ "nor has it bytes that are no UTF-8", "f\xFF",
	    "| 2" TIMES "Event of an unknown type "
	    "[type: f" UTF8_REPLACEMENT "]\n" },
	{ "one of nothing that shows is one too", "\x01",
	    "| 2" TIMES "Event of an unknown type [type: ]\n" },
};

static void
test_titles(void)
{
	struct slack_digest *d;
	struct event e;
	size_t i;

	for (i = 0; i < ROWS(titles); i++) {
		d = slack_digest_new(&style_all);
		e = event_of(titles[i].type);
		e.description = "not told";
		add(d, e, 2);
		is_str(lines_of(message_of(d)), titles[i].want, "%s",
		    titles[i].title);
		slack_digest_free(d);
	}
}

static void
test_long_type(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct buf type = BUF_INIT, want = BUF_INIT;
	int i;

	for (i = 0; i < 5000; i++)
		buf_addc(&type, 't');
	add(d, event_of(buf_text(&type)), 1);
	buf_addc(&type, 'u');
	add(d, event_of(buf_text(&type)), 1);
	buf_addf(&want, "| 2" TIMES "Event of an unknown type "
	    "[type: %.99s" ELLIPSIS "]\n", buf_text(&type));
	is_str(lines_of(message_of(d)), buf_text(&want), "an endless type is "
	    "cut, and two that look the same are one");
	buf_release(&type);
	buf_release(&want);
	slack_digest_free(d);
}

static void
test_order(void)
{
	static const size_t counts[] = { 2, 1000, 1, 2, 999, 2 };

#define LINE(n, code) "| " n TIMES "Event of an unknown type [type: " code "]\n"
	is_str(lines_about(counts, ROWS(counts)),
	    LINE("1,000", "t001") LINE("999", "t004") LINE("2", "t000")
	    LINE("2", "t003") LINE("2", "t005") LINE("1", "t002"),
	    "the most frequent type comes first, and of equals the one with "
	    "the lesser code");
#undef LINE
}

static void
test_colours(void)
{
	static const char *const want[CLASSES] = {
		[CLASS_NOTICE] = "#6e7781",
		[CLASS_FAILURE] = "#d1242f",
		[CLASS_LIMIT] = "#e8912d",
		[CLASS_ANOMALY] = "#8250df",
		[CLASS_WARNING] = "#ecb22e",
		[CLASS_SUCCESS] = "#2eb67d",
	};
	struct slack_digest *d;
	struct event e = event_of("f");
	char colour[40];
	int i;

	for (i = 0; i < CLASSES; i++) {
		d = slack_digest_new(&style_all);
		e.class = (enum event_class)i;
		add(d, e, 3);
		snprintf(colour, sizeof(colour), "\"color\":\"%s\"", want[i]);
		ok(strstr(message_of(d), colour) != NULL, "the colour of a "
		    "%s", catalog_class_name(e.class));
		slack_digest_free(d);
	}
}

/* ---------------------------------------------------------------- time */

#define NONE EVENT_NO_TIME

static const struct {
	const char *title;
	int64_t times[3];
	const char *span;
	const char *ts;
} spans[] = {
	{ "no event has a time", { NONE, NONE, NONE }, NULL, NULL },
	{ "all at once", { NOON, NOON, NOON },
	    "2026-08-01 12:00:00 UTC", "1785585600" },
	{ "all within a second", { NOON, NOON + 999, NOON + 5 },
	    "2026-08-01 12:00:00 UTC", "1785585600" },
	{ "one of them has a time", { NONE, NOON, NONE },
	    "2026-08-01 12:00:00 UTC", "1785585600" },
	{ "within a day", { NOON, NOON + 1000, NOON + 359000 },
	    "2026-08-01 12:00:00 to 12:05:59 UTC", "1785585959" },
	{ "in no order", { NOON + 1000, NOON - 1000, NONE },
	    "2026-08-01 11:59:59 to 12:00:01 UTC", "1785585601" },
	{ "the latest first", { NOON + 2000, NOON + 1000, NOON },
	    "2026-08-01 12:00:00 to 12:00:02 UTC", "1785585602" },
	{ "from one day to the next",
	    { NOON + DAY_MS / 2 - 1, NOON + DAY_MS / 2, NONE },
	    "2026-08-01 23:59:59 to 2026-08-02 00:00:00 UTC", "1785628800" },
	{ "at the same time of two days", { NOON, NOON + DAY_MS, NOON },
	    "2026-08-01 12:00:00 to 2026-08-02 12:00:00 UTC", "1785672000" },
	{ "before 1970 and in it", { -1000, 0, NONE },
	    "1969-12-31 23:59:59 to 1970-01-01 00:00:00 UTC", "0" },
};

static void
test_span(size_t row)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("xyz");
	struct buf want = BUF_INIT;
	struct json_object *message;
	size_t i;

	for (i = 0; i < 3; i++) {
		e.time_ms = spans[row].times[i];
		add(d, e, 1);
	}
	buf_adds(&want, "| 3" TIMES "Event of an unknown type [type: xyz]\n");
	if (spans[row].span)
		buf_addf(&want, "| Time: %s\n", spans[row].span);
	is_str(lines_of(message_of(d)), buf_text(&want), "time: %s",
	    spans[row].title);
	message = json_tokener_parse(message_of(d));
	is_str(text_of(json_object_array_get_idx(array_of(message,
	    "attachments"), 0), "ts"), spans[row].ts, "and ts: the newest");
	json_object_put(message);
	buf_release(&want);
	slack_digest_free(d);
}

/* -------------------------------------------------------------- values */

/* Addresses of events of one type, each as often as it says. */
static const struct {
	const char *title;
	struct {
		const char *value;
		size_t count;
	} values[7];
	const char *want;	/* NULL: no field */
} tallies[] = {
	{ "one value", { { "a", 5 } }, "a" TIMES "5" },
	{ "some have none", { { "a", 5 }, { "", 9 } }, "a" TIMES "5" },
	{ "none has one", { { "", 9 } }, NULL },
	{ "none that shows", { { " \n", 3 }, { "\x01", 2 } }, NULL },
	{ "three values, the most frequent first",
	    { { "a", 1 }, { "b", 1000 }, { "c", 2 } },
	    "b" TIMES "1,000, c" TIMES "2, a" TIMES "1" },
	{ "of equals the lesser first",
	    { { "c", 2 }, { "b", 2 }, { "a", 1 } },
	    "b" TIMES "2, c" TIMES "2, a" TIMES "1" },
	{ "a fourth", { { "a", 1 }, { "b", 2 }, { "c", 3 }, { "d", 4 } },
	    "d" TIMES "4, c" TIMES "3, b" TIMES "2, 1 other" },
	{ "a fourth and a fifth, each often", { { "e", 7 }, { "d", 7 },
	    { "c", 7 }, { "b", 7 }, { "a", 7 } },
	    "a" TIMES "7, b" TIMES "7, c" TIMES "7, 2 others" },
	{ "seven, and the last has the place of none", { { "g", 9 },
	    { "f", 8 }, { "e", 7 }, { "d", 6 }, { "c", 5 }, { "b", 4 },
	    { "a", 3 } },
	    "g" TIMES "9, f" TIMES "8, e" TIMES "7, 4 others" },
	{ "the same but for what does not show",
	    { { "a b", 1 }, { " a\nb", 1 }, { "a\x01 b\t", 1 },
	    { "a\xE2\x80\x8B b", 1 }, { "a\xE3\x80\x80" "b\xE3\x85\xA4", 1 } },
	    "a b" TIMES "5" },
	{ "addresses, whole", { { "2001:db8:100::1", 2 } },
	    "2001:\xE2\x81\xA0" "db8:\xE2\x81\xA0" "100::1" TIMES "2" },
	{ "escaped", { { "<@U1>", 2 }, { "&", 1 } },
	    "&lt;@U1&gt;" TIMES "2, &amp;" TIMES "1" },
	{ "letters of both cases are two", { { "a", 1 }, { "A", 1 } },
	    "A" TIMES "1, a" TIMES "1" },
};

static void
test_tally(size_t row)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("xyz");
	struct buf want = BUF_INIT;
	size_t i;

	for (i = 0; i < 7 && tallies[row].values[i].value; i++) {
		e.ip = tallies[row].values[i].value;
		if (!*e.ip)
			e.ip = NULL;
		add(d, e, tallies[row].values[i].count);
	}
	if (tallies[row].want)
		buf_addf(&want, "| IP address: %s\n", tallies[row].want);
	is_str(strchr(lines_of(message_of(d)), '\n') + 1, buf_text(&want),
	    "values: %s", tallies[row].title);
	buf_release(&want);
	slack_digest_free(d);
}

static void
test_many_values(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("xyz");
	char ip[64];
	size_t i;

	e.ip = ip;
	for (i = 0; i < DIGEST_MAX; i++) {
		snprintf(ip, sizeof(ip), "10.0.%zu.%zu", i % 4001 / 256,
		    i % 4001 % 256);
		slack_digest_add(d, &e);
	}
	is_str(lines_of(message_of(d)),
	    "| 10,000" TIMES "Event of an unknown type [type: xyz]\n"
	    "| IP address: 10.0.0.0" TIMES "3, 10.0.0.1" TIMES "3, "
	    "10.0.0.10" TIMES "3, 3,998 others\n",
	    "10,000 events of 4,001 addresses are counted right");
	slack_digest_free(d);
}

/* The same value in another type or another field is another one. */
static void
test_apart(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("fu");

	e.ip = e.connection = e.client_name = "same";
	add(d, e, 2);
	e.type = "fp";
	e.client_name = NULL;
	add(d, e, 1);
	is_str(lines_of(message_of(d)),
	    "| 2" TIMES "Failed Login (Invalid Email/Username) [type: fu]\n"
	    "| Client: same" TIMES "2\n"
	    "| IP address: same" TIMES "2\n"
	    "| Connection: same" TIMES "2\n"
	    "| 1" TIMES "Failed Login (Incorrect Password) [type: fp]\n"
	    "| IP address: same" TIMES "1\n"
	    "| Connection: same" TIMES "1\n",
	    "each type and each field is counted for itself");
	slack_digest_free(d);
}

static void
test_cut_values(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("xyz");
	struct buf text = BUF_INIT, want = BUF_INIT;
	int i;

	for (i = 0; i < 100; i++)
		buf_addc(&text, 'v');
	e.ip = buf_text(&text);
	add(d, e, 5);
	buf_adds(&text, "v");
	e.ip = buf_text(&text);
	add(d, e, 2);
	buf_adds(&text, "w");
	e.ip = buf_text(&text);
	e.client_name = buf_text(&text);
	e.client_id = "TheId";
	add(d, e, 1);
	buf_addf(&want, "| Client: %.49s" ELLIPSIS " (TheId)" TIMES "1\n"
	    "| IP address: %.100s" TIMES "5, %.99s" ELLIPSIS TIMES "3\n",
	    buf_text(&text), buf_text(&text), buf_text(&text));
	is_str(strchr(lines_of(message_of(d)), '\n') + 1, buf_text(&want),
	    "values are cut to 100 characters, then counted, and a long name "
	    "does not push the id out");
	buf_release(&text);
	buf_release(&want);
	slack_digest_free(d);
}

static const struct {
	unsigned show;
	const char *want;
} shown[] = {
	{ 0, "" },
	{ SHOW_CLIENT, "| Client: App (c1)" TIMES "2\n" },
	{ SHOW_USER, "| User: jane (auth0|5)" TIMES "2\n" },
	{ SHOW_IP, "| IP address: 192.0.2.1" TIMES "2\n" },
	{ SHOW_CONNECTION, "| Connection: Users" TIMES "2\n" },
	{ SHOW_TENANT, "| Tenant: acme" TIMES "2\n" },
	{ SHOW_ORGANIZATION, "| Organization: Retail" TIMES "2\n" },
	{ SHOW_DESCRIPTION, "" },
	{ SHOW_TENANT | SHOW_IP, "| IP address: 192.0.2.1" TIMES "2\n"
	    "| Tenant: acme" TIMES "2\n" },
};

static void
test_shown(void)
{
	struct event e = event_of("xyz");
	struct slack_digest *d;
	struct slack_style style;
	size_t i;

	e.client_name = "App";
	e.client_id = "c1";
	e.user_name = "jane";
	e.user_id = "auth0|5";
	e.ip = "192.0.2.1";
	e.connection = "Users";
	e.tenant_name = "acme";
	e.organization_name = "Retail";
	e.description = "d";
	for (i = 0; i < ROWS(shown); i++) {
		style = style_all;
		style.show = shown[i].show;
		d = slack_digest_new(&style);
		add(d, e, 2);
		is_str(strchr(lines_of(message_of(d)), '\n') + 1,
		    shown[i].want, "SHOW %u shows that and nothing else",
		    shown[i].show);
		slack_digest_free(d);
	}
}

/* ------------------------------------------------------------ headline */

static const struct {
	const char *title;
	const char *tenants[3];	/* "": does not tell */
	const char *text;
} headlines[] = {
	{ "one event", { "acme" }, "*Auth0 log alert*, acme" },
	{ "three that agree", { "acme", "acme", "acme" },
	    "*Auth0 log alert*, acme, 3 events" },
	{ "a last one that differs", { "acme", "acme", "other" },
	    "*Auth0 log alert*, 3 events" },
	{ "one that differs in the middle", { "acme", "other", "acme" },
	    "*Auth0 log alert*, 3 events" },
	{ "one that the other begins with", { "acme-dev", "acme" },
	    "*Auth0 log alert*, 2 events" },
	{ "one that does not tell", { "acme", "", "acme" },
	    "*Auth0 log alert*, 3 events" },
	{ "a first one that does not tell", { "", "acme", "acme" },
	    "*Auth0 log alert*, 3 events" },
	{ "a name in italics", { "_a_", "_a_" },
	    "*Auth0 log alert*, 2 events" },
	{ "a name that calls everybody", { "<!channel>", "<!channel>" },
	    "*Auth0 log alert*, 2 events" },
};

static void
test_headlines(void)
{
	struct slack_digest *d;
	struct json_object *message;
	struct event e = event_of("f");
	size_t i, n;

	for (i = 0; i < ROWS(headlines); i++) {
		d = slack_digest_new(&style_all);
		for (n = 0; n < 3 && headlines[i].tenants[n]; n++) {
			e.tenant_name = headlines[i].tenants[n];
			if (!*e.tenant_name)
				e.tenant_name = NULL;
			add(d, e, 1);
		}
		message = json_tokener_parse(message_of(d));
		is_str(text_of(message, "text"), headlines[i].text,
		    "headline: %s", headlines[i].title);
		json_object_put(message);
		slack_digest_free(d);
	}
}

/* ----------------------------------------------------------- many types */

/* The line that a text ends in. */
static const char *
last_line(const char *lines)
{
	const char *last = lines + strlen(lines) - 1;

	while (last > lines && last[-1] != '\n')
		last--;
	return last;
}

static size_t
count_lines(const char *lines)
{
	size_t count = 0;

	for (; (lines = strchr(lines, '\n')) != NULL; lines++)
		count++;
	return count;
}

static const struct {
	size_t types;
	size_t lines;
	const char *last;
} crowds[] = {
	{ 19, 19, "| 1" TIMES "Event of an unknown type [type: t018]\n" },
	{ 20, 20, "| 1" TIMES "Event of an unknown type [type: t019]\n" },
	{ 21, 20, "| 2" TIMES "other events [types: 2]\n" },
	{ 22, 20, "| 3" TIMES "other events [types: 3]\n" },
	{ 256, 20, "| 237" TIMES "other events [types: 237]\n" },
	{ 257, 20, "| 238" TIMES "other events [types: 238 or more]\n" },
	{ 999, 20, "| 980" TIMES "other events [types: 238 or more]\n" },
};

static void
test_crowds(void)
{
	size_t counts[999], i;
	const char *lines;

	for (i = 0; i < ROWS(counts); i++)
		counts[i] = 1;
	for (i = 0; i < ROWS(crowds); i++) {
		lines = lines_about(counts, crowds[i].types);
		is_str(last_line(lines), crowds[i].last, "the last of %zu "
		    "types", crowds[i].types);
		is_num((long long)count_lines(lines),
		    (long long)crowds[i].lines, "in as many attachments");
	}
}

/* Two of each of 19 types, then one of ever new ones, an hour apart. */
static void
test_rest(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("");
	struct json_object *message, *last;
	char type[16];
	int i;

	e.ip = "192.0.2.1";
	e.class = CLASS_FAILURE;
	e.type = type;
	for (i = 0; i < 300; i++) {
		snprintf(type, sizeof(type), "t%03d", i);
		e.time_ms = i == 100 ? EVENT_NO_TIME :
		    NOON + i * INT64_C(3600000);
		add(d, e, i < 19 ? 2 : 1);
	}
	message = json_tokener_parse(message_of(d));
	last = json_object_array_get_idx(array_of(message, "attachments"),
	    19);
	is_str(json_object_to_json_string_ext(last, JSON_C_TO_STRING_PLAIN),
	    "{\"fallback\":\"281" TIMES "other events "
	    "[types: 238 or more]\",\"color\":\"#6e7781\","
	    "\"title\":\"281" TIMES "other events [types: 238 or more]\","
	    "\"fields\":[{\"title\":\"Time\",\"value\":"
	    "\"2026-08-02 07:00:00 to 2026-08-13 23:00:00 UTC\","
	    "\"short\":false}],\"ts\":1786662000}",
	    "the attachment of all other types");
	json_object_put(message);
	slack_digest_free(d);
}

/* ---------------------------------------------------------- ill-meant */

static void
repeat(struct buf *out, const char *text, size_t times)
{
	for (; times > 0; times--)
		buf_adds(out, text);
}

static void
test_many_types(void)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct event e = event_of("");
	struct buf type = BUF_INIT;
	size_t i;

	for (i = 0; i < DIGEST_MAX; i++) {
		buf_clear(&type);
		buf_addf(&type, "%zu", i);
		repeat(&type, "\xF0\x9F\x98\x80\n<&>\"\\", 40);
		e.type = e.ip = buf_text(&type);
		slack_digest_add(d, &e);
	}
	is_str(last_line(lines_of(message_of(d))), "| 9,981" TIMES
	    "other events [types: 238 or more]\n",
	    "10,000 types are counted, and fit");
	buf_release(&type);
	slack_digest_free(d);
}

/* A sign, and how many fields the 20 attachments of fill() then have. */
static const struct {
	const char *name;
	const char *sign;
	const char *fields;
} floods[] = {
	{ "a letter", "a",
	    "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 1 " },
	{ "three bytes", "\xE2\x82\xAC",
	    "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 5 2 2 1 " },
	{ "four bytes", "\xF0\x9F\x98\x80",
	    "6 6 6 6 6 6 6 6 6 6 6 6 2 1 1 2 1 1 2 1 " },
	{ "&", "&",
	    "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 1 " },
	{ "a backslash", "\\",
	    "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 1 " },
	{ "a byte that is no UTF-8", "\xFF",
	    "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 5 2 2 1 " },
	{ "< and control characters", "\x01<\n>\xC2\x9B",
	    "6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 1 " },
};

/* Fields of each attachment in turn: "6 6 6 1 ". */
static void
add_field_counts(struct buf *out, const char *payload)
{
	struct json_object *message = json_tokener_parse(payload), *all;
	size_t i;

	all = array_of(message, "attachments");
	for (i = 0; i < length_of(all); i++)
		buf_addf(out, "%zu ", length_of(array_of(
		    json_object_array_get_idx(all, i), "fields")));
	json_object_put(message);
}

/* 10,000 events of 25 types of which each text is new and long. */
static void
fill(struct slack_digest *d, const char *sign)
{
	struct buf type = BUF_INIT, text = BUF_INIT;
	struct event e = event_of("");
	size_t i;

	for (i = 0; i < DIGEST_MAX; i++) {
		buf_clear(&type);
		buf_addf(&type, "%zu", i % 25);
		repeat(&type, sign, 100);
		buf_clear(&text);
		buf_addf(&text, "%zu", i);
		repeat(&text, sign, 120);
		e.type = buf_text(&type);
		e.description = e.client_name = e.user_id = e.ip =
		    e.connection = e.tenant_name = buf_text(&text);
		e.time_ms = NOON + (int64_t)i * 60000;
		slack_digest_add(d, &e);
	}
	buf_release(&type);
	buf_release(&text);
}

static void
test_flood(size_t row)
{
	struct slack_digest *d = slack_digest_new(&style_all);
	struct buf counts = BUF_INIT;

	fill(d, floods[row].sign);
	add_field_counts(&counts, message_of(d));
	is_str(buf_text(&counts), floods[row].fields, "10,000 different long "
	    "values of %s fit, and the less frequent types go without where "
	    "they would not", floods[row].name);
	buf_release(&counts);
	slack_digest_free(d);
}

/* Texts of anything, short and long, in every place: no rule is broken. */
static void
test_random_texts(void)
{
	struct buf text = BUF_INIT;
	struct slack_digest *d;
	struct event e;
	unsigned seed = 7;
	size_t round, i, n, sum = 0;

	for (round = 0; round < 60; round++) {
		d = slack_digest_new(&style_all);
		for (i = 0; i < 1 + 3 * round; i++) {
			buf_clear(&text);
			for (n = i * round / 8 % 150; n > 0; n--)
				buf_adds(&text, payload_random_sign(&seed));
			e = event_of(buf_text(&text));
			e.client_name = i & 1 ? buf_text(&text) : NULL;
			e.client_id = i & 2 ? buf_text(&text) : "id";
			e.user_name = e.connection = e.ip = e.tenant_name =
			    e.hostname = buf_text(&text);
			e.time_ms = (int64_t)seed * 1000;
			slack_digest_add(d, &e);
		}
		sum += strlen(message_of(d));
		slack_digest_free(d);
	}
	ok(sum > 0, "texts of any signs break no rule, whatever their "
	    "length");
	buf_release(&text);
}

int
main(void)
{
	size_t i;

	test_one();
	test_full();
	test_preview();
	test_goes_on();
	test_copies();
	test_titles();
	test_long_type();
	test_order();
	test_colours();
	for (i = 0; i < ROWS(spans); i++)
		test_span(i);
	for (i = 0; i < ROWS(tallies); i++)
		test_tally(i);
	test_many_values();
	test_apart();
	test_cut_values();
	test_shown();
	test_headlines();
	test_crowds();
	test_rest();
	test_many_types();
	for (i = 0; i < ROWS(floods); i++)
		test_flood(i);
	test_random_texts();
	return done_testing();
}
