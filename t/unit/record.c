/* SPDX-License-Identifier: ISC */
/* Events as text and back. */
#include "event/record.h"

#include "base/utf8.h"
#include "event/pick.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------- writing */

static const struct {
	struct event e;
	const char *record;
	const char *title;
} written[] = {
	{ { .type = "f", .time_ms = EVENT_NO_TIME },
	    "{\"data\":{\"type\":\"f\"}}",
	    "an event of nothing but a type" },
	{ { .log_id = "9002", .type = "fp", .description = "Wrong password.",
	    .client_id = "ci", .client_name = "cn", .connection = "co",
	    .environment_name = "prod-eu-1", .hostname = "h", .ip = "::1",
	    .organization_id = "oi", .organization_name = "on",
	    .tenant_name = "t", .user_id = "auth0|1", .user_name = "un",
	    .time_ms = 1785587696789 },
	    "{\"log_id\":\"9002\",\"data\":{\"date\":"
	    "1785587696789,\"type\":\"fp\",\"description\":"
	    "\"Wrong password.\",\"client_id\":\"ci\",\"client_name\":\"cn\","
	    "\"connection\":\"co\",\"environment_name\":\"prod-eu-1\","
	    "\"hostname\":\"h\",\"ip\":\"::1\","
	    "\"organization_id\":\"oi\",\"organization_name\":\"on\","
	    "\"tenant_name\":\"t\",\"user_id\":\"auth0|1\",\"user_name\":"
	    "\"un\"}}",
	    "one of everything" },
	{ { .type = "f", .description = "a/b \"c\"\n\\", .time_ms =
	    946684800000 },
	    "{\"data\":{\"date\":946684800000,\"type\":\"f\","
	    "\"description\":\"a/b \\\"c\\\"\\n\\\\\"}}",
	    "a line end is escaped: a record is one line" },
};

static void
test_write(void)
{
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(written); i++) {
		buf_clear(&out);
		record_write(&out, &written[i].e);
		is_str(buf_text(&out), written[i].record, "%s",
		    written[i].title);
	}
	record_write(&out, &written[0].e);
	ok(strstr(buf_text(&out), "}}{") != NULL,
	    "a record is added to what is there");
	buf_release(&out);
}

/* ---------------------------------------------------------- round trip */

static void
add_text(void *context, const char *name, const char *text)
{
	buf_addf(context, "%s=%s\n", name, text);
}

/* All of an event as text, each field by name. */
static const char *
show(const struct event *e, struct buf *out)
{
	if (!e)
		return "none";
	buf_addf(out, "%s %lld %d\n", e->log_id ? e->log_id : "NULL",
	    (long long)e->time_ms, (int)e->class);
	event_each_text(e, add_text, out);
	return buf_text(out);
}

static void
is_kept(const struct event *fields, const char *title)
{
	struct buf record = BUF_INIT, why = BUF_INIT;
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct event source = *fields, *e;

	source.class = catalog_class(source.type);
	record_write(&record, &source);
	e = record_read(record.data, record.len, &why);
	is_str(show(e, &after), show(&source, &before), "%s come back as "
	    "they were", title);
	is_str(buf_text(&why), "", "... and nothing is wrong");
	ok(!memchr(record.data, '\n', record.len), "... from one line");
	free(e);
	buf_release(&record);
	buf_release(&why);
	buf_release(&before);
	buf_release(&after);
}

static const char *const texts[] = {
	"x",
	" ",
	"\"",
	"\\",
	"\\u0041",
	"'; DROP TABLE event; --",
	"</script>&amp;<!channel>",
	"\x01\x02\x1b[31m\x1f\x7f\b\f\r\t",
	"line\nline\r\n",
	"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	"\xc2\x9b\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xef\xbb\xbf",
	UTF8_REPLACEMENT,
	"\xf4\x8f\xbf\xbf\xef\xbf\xbf",
	"{\"data\":{\"type\":\"x\"}}",
	"null",
	"#12",
	"%s%n",
};

static void
test_texts(void)
{
	struct event e;
	size_t i;

	for (i = 0; i < ROWS(texts); i++) {
		memset(&e, 0, sizeof(e));
		e.log_id = e.type = e.description = texts[i];
		e.client_id = e.client_name = e.connection = texts[i];
		e.hostname = e.ip = e.tenant_name = texts[i];
		e.user_id = e.user_name = texts[i];
		e.time_ms = 1785587696000 + (int64_t)i;
		is_kept(&e, "fields of hostile text");
	}
}

static const struct {
	int64_t ms;
	const char *title;
} times[] = {
	{ EVENT_NO_TIME, "no time" },
	{ 946684800000, "the first moment of 2000" },
	{ 946684800001, "a millisecond" },
	{ 1785587696789, "a time of 2026" },
	{ 1785587696700, "one of whole tenths" },
	{ 1785587696000, "one of whole seconds" },
	{ 1785587696001, "one of a thousandth" },
	{ 1709164800000, "a leap day" },
	{ 4102444799999, "the last moment of 2099" },
};

static void
test_times(void)
{
	struct event e = { .type = "f" };
	size_t i;

	for (i = 0; i < ROWS(times); i++) {
		e.time_ms = times[i].ms;
		is_kept(&e, times[i].title);
	}
}

/* Nobody's clock shows these. */
static void
test_far_times(void)
{
	static const int64_t far[] = {
		0, 946684799999, 4102444800000, 253402300799999,
		253402300800000, -62167219200000, -62167219200001, INT64_MAX,
		INT64_MIN + 1
	};
	struct event fields = { .type = "f" }, *e;
	struct buf record = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(far); i++) {
		fields.time_ms = far[i];
		buf_clear(&record);
		record_write(&record, &fields);
		e = record_read(record.data, record.len, NULL);
		ok(e && e->time_ms == EVENT_NO_TIME, "a time far off (%lld) is "
		    "lost, and nothing else",
		    (long long)far[i]);
		free(e);
	}
	buf_release(&record);
}

/* The longest there is of one kind, which takes up most of a row. */
static void
test_long_text(char letter, const char *title)
{
	struct event e = { 0 };
	char *text = mem_alloc(PICK_TEXT_MAX + 1);
	char id[EVENT_LOG_ID_MAX + 1];

	memset(text, letter, PICK_TEXT_MAX);
	text[PICK_TEXT_MAX] = '\0';
	memset(id, letter, EVENT_LOG_ID_MAX);
	id[EVENT_LOG_ID_MAX] = '\0';
	e.log_id = id;
	e.type = e.description = e.client_id = e.client_name = text;
	e.connection = e.hostname = e.ip = e.tenant_name = text;
	e.user_id = e.user_name = text;
	e.time_ms = 1785587696789;
	is_kept(&e, title);
	free(text);
}

/* Rows of older versions may have texts of any length. */
static void
test_longer_text(void)
{
	struct event fields = { .type = "f", .user_name = "me" }, *e;
	struct buf record = BUF_INIT, why = BUF_INIT;
	size_t len = 1000000;
	char *text = mem_alloc(len + 1);

	memset(text, '\x01', len);
	text[len] = '\0';
	fields.log_id = fields.description = text;
	record_write(&record, &fields);
	e = record_read(record.data, record.len, &why);
	ok(e && !e->log_id && strlen(e->description) == PICK_TEXT_MAX,
	    "a record of 12 MB is read, its description cut, its log_id "
	    "left out");
	is_str(e ? e->user_name : NULL, "me", "and the rest as it was");
	free(e);
	free(text);
	buf_release(&record);
	buf_release(&why);
}

/* ------------------------------------------------------------- reading */

static const struct {
	const char *text;
	const char *type;	/* NULL: it is no record */
	const char *why;
	const char *title;
} reads[] = {
	{ "{\"data\":{\"type\":\"f\"}}", "f", "", "a record" },
	{ " {\"x\":1,\"data\":{\"type\":\"f\",\"y\":[2]}}\n", "f", "",
	    "one with more in it" },
	{ "{\"data\":{\"type\":\"f\",\"date\":\"noon\"}}", "f", "",
	    "one whose date is none" },
	{ "{\"data\":{\"date\":\"2026-08-01T12:34:56.789Z\",\"type\":\"f\"}}",
	    "f", "", "one of an older version" },
	{ "", NULL, "it is empty", "nothing" },
	{ " \n", NULL, "it is empty", "white space" },
	{ "garbage", NULL, "it is no object", "a word" },
	{ "12", NULL, "it is no object", "a number" },
	{ "null", NULL, "it is no object", "null" },
	{ "{\"data\":{\"type\":\"f\"}", NULL, "it is cut at byte 20",
	    "a record that was cut" },
	{ "{\"data\":{\"type\":\"f\"}}x", NULL,
	    "more text after its end at byte 21",
	    "a record with more behind it" },
	{ "{\"data\":{\"type\":\"\xff\"}}", NULL,
	    "text that is not UTF-8 at byte 17",
	    "a record that is not UTF-8" },
	{ "{}", NULL, "it has no type",
	    "an empty object" },
	{ "{\"data\":{\"type\":\"\"}}", NULL,
	    "it has no type",
	    "a record with an empty type" },
	{ "{\"data\":{\"type\":5}}", NULL,
	    "it has no type",
	    "a record whose type is a number" },
	{ "[]", NULL, "it is no object", "an empty array" },
	{ "[{\"data\":{\"type\":\"f\"}},{\"data\":{\"type\":\"g\"}}]", NULL,
	    "it is no object", "two records" },
	{ "{\"data\":{\"type\":\"f\"}}\n{\"data\":{\"type\":\"g\"}}", NULL,
	    "more text after its end at byte 22", "two lines" },
	{ "{\"data\":{\"type\":\"f\"}}\n{}", NULL,
	    "more text after its end at byte 22",
	    "a record and something else" },
};

static void
test_read(void)
{
	struct buf why = BUF_INIT;
	struct event *e;
	char *text;
	size_t i, len;

	for (i = 0; i < ROWS(reads); i++) {
		/* Without a NUL behind it: the length counts. */
		len = strlen(reads[i].text);
		text = memcpy(mem_alloc(len + 1), reads[i].text, len + 1);
		text = mem_realloc(text, len > 0 ? len : 1);
		buf_clear(&why);
		e = record_read(text, len, &why);
		is_str(e ? e->type : NULL, reads[i].type, "%s is %s record",
		    reads[i].title, reads[i].type ? "a" : "no");
		is_str(buf_text(&why), reads[i].why, "... and why not");
		free(e);
		free(text);
	}
	e = record_read("{\"data\":{\"type\":\"f\\u0000\"}}\0", 29, &why);
	ok(!e, "a NUL byte behind a record is more behind it");
	buf_release(&why);
}

int
main(void)
{
	test_write();
	test_texts();
	test_times();
	test_far_times();
	test_long_text('x', "a very long text");
	test_long_text('"', "very many quotes");
	test_long_text('\x01', "very many control characters");
	test_longer_text();
	test_read();
	return done_testing();
}
