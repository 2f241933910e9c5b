/* SPDX-License-Identifier: ISC */
/*
 * What messages say, and that none is ever of a form that Slack refuses or
 * an attacker can bend. Each payload made here passes payload_faults().
 */
#include "slack/slack.h"

#include "base/utf8.h"
#include "payload.h"
#include "tap.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "https://manage.auth0.com"
#define WJ "\xE2\x81\xA0"	/* U+2060, word joiner */
#define ELLIPSIS "\xE2\x80\xA6"
#define ALL (SHOW_DESCRIPTION | SHOW_CLIENT | SHOW_USER | SHOW_IP | \
	SHOW_CONNECTION | SHOW_TENANT | SHOW_ORGANIZATION)

/* ------------------------------------------------------- one message */

/*
 * The payload about events, valid until the next call. One that breaks a
 * rule fails a test of its own.
 */
static const char *
message_of(struct event *const *events, size_t count, unsigned show)
{
	static struct buf payload;
	const struct slack_style style = { show, BASE, 0 };
	const char *faults;
	size_t taken;

	buf_clear(&payload);
	taken = slack_message(&payload, events, count, &style);
	faults = payload_faults(&payload);
	if (*faults)
		is_str(faults, "", "a payload breaks no rule");
	if (taken == 0 || taken > count)
		ok(false, "a message takes one event at least");
	return buf_text(&payload);
}

static const char *
message(const struct event *e, unsigned show)
{
	struct event copy = *e, *events[1] = { &copy };

	return message_of(events, 1, show);
}

static struct event
plain_event(void)
{
	struct event e = { 0 };

	e.type = "f";
	e.class = CLASS_FAILURE;
	e.time_ms = EVENT_NO_TIME;
	return e;
}

/* A member of the first attachment; valid until the next call. */
static const char *
member_of(const char *payload, const char *name)
{
	static struct buf text;
	struct json_object *parsed = json_tokener_parse(payload), *first,
	    *value = NULL;

	buf_clear(&text);
	first = json_object_array_get_idx(payload_attachments(parsed), 0);
	if (json_object_object_get_ex(first, name, &value))
		buf_adds(&text, json_object_get_string(value));
	json_object_put(parsed);
	return value ? buf_text(&text) : NULL;
}

static const char *
title_of(const struct event *e)
{
	return member_of(message(e, SHOW_DESCRIPTION), "title");
}

/* "title=value" of the fields of the first attachment, a line each. */
static const char *
fields_of(const struct event *e, unsigned show)
{
	static struct buf text;
	struct json_object *parsed, *fields = NULL, *field, *title, *value;
	size_t i;

	buf_clear(&text);
	parsed = json_tokener_parse(message(e, show));
	json_object_object_get_ex(json_object_array_get_idx(
	    payload_attachments(parsed), 0), "fields", &fields);
	for (i = 0; fields && i < json_object_array_length(fields); i++) {
		field = json_object_array_get_idx(fields, i);
		title = value = NULL;
		json_object_object_get_ex(field, "title", &title);
		json_object_object_get_ex(field, "value", &value);
		buf_addf(&text, "%s=%s\n", json_object_get_string(title),
		    json_object_get_string(value));
	}
	json_object_put(parsed);
	return buf_text(&text);
}

static void
test_seed(void)
{
	struct event e = plain_event();

	e.description = "Test failure";
	e.client_id = "TestClientId";
	e.client_name = "Test Client Name";
	e.log_id = "abc1234567890";
	is_str(message(&e, SHOW_DESCRIPTION | SHOW_CLIENT),
	    "{\"text\":\"*Auth0 log alert*\",\"attachments\":[{"
	    "\"fallback\":\"Test failure [type: f]\","
	    "\"color\":\"#d1242f\","
	    "\"title\":\"Test failure [type: f]\","
	    "\"title_link\":\"" BASE "/#/logs/abc1234567890\","
	    "\"fields\":[{\"title\":\"Client\","
	    "\"value\":\"Test Client Name (TestClientId)\","
	    "\"short\":true}],\"footer\":\"Failed Login\"}]}",
	    "the seed case is this payload");
}

static void
test_full(void)
{
	struct event a = plain_event(), b = plain_event(),
	    *events[2] = { &a, &b };

	a.type = "limit_wc";
	a.class = CLASS_ANOMALY;
	a.time_ms = 1785587696789;
	a.log_id = "900";
	a.hostname = "acme.eu.auth0.com";
	a.client_id = "c1";
	a.user_name = "jane";
	a.user_id = "auth0|5";
	a.ip = "192.0.2.1";
	a.connection = "Users";
	b.type = "brand_new";
	b.class = CLASS_NOTICE;
	b.tenant_name = "acme";
	is_str(message_of(events, 2, ALL),
	    "{\"text\":\"*Auth0 log alert*, acme, 2 events\","
	    "\"attachments\":[{"
	    "\"fallback\":\"Blocked Account [type: limit_wc]\","
	    "\"color\":\"#8250df\","
	    "\"title\":\"Blocked Account [type: limit_wc]\","
	    "\"title_link\":\"" BASE "/dashboard/eu/acme/logs/900\","
	    "\"fields\":["
	    "{\"title\":\"Client\",\"value\":\"c1\",\"short\":true},"
	    "{\"title\":\"User\",\"value\":\"jane (auth0|5)\","
	    "\"short\":true},"
	    "{\"title\":\"IP address\",\"value\":\"192.0.2.1\","
	    "\"short\":true},"
	    "{\"title\":\"Connection\",\"value\":\"Users\",\"short\":true},"
	    "{\"title\":\"Tenant\",\"value\":\"acme\",\"short\":true}],"
	    "\"ts\":1785587696},"
	    "{\"fallback\":\"Event of an unknown type [type: brand_new]\","
	    "\"color\":\"#6e7781\","
	    "\"title\":\"Event of an unknown type [type: brand_new]\","
	    "\"fields\":[{\"title\":\"Tenant\",\"value\":\"acme\","
	    "\"short\":true}]}]}",
	    "two events with all there is to show are this payload");
}

/* -------------------------------------------------------------- titles */

static const struct {
	const char *title;
	const char *description;
	const char *type;
	const char *want;
} titles[] = {
	{ "the description and the type", "Wrong password.", "fp",
	    "Wrong password. [type: fp]" },
	{ "without a description the type's name", NULL, "f",
	    "Failed Login [type: f]" },
	{ "with an empty one too", "", "f", "Failed Login [type: f]" },
	{ "with one of white space too", " \t\n\xC2\xA0\xE2\x80\xA8", "f",
	    "Failed Login [type: f]" },
	{ "with one of control bytes too", "\x01\x7F\xC2\x9B", "f",
	    "Failed Login [type: f]" },
	{ "a type without a name has words as well", NULL, "xyz",
	    "Event of an unknown type [type: xyz]" },
	{ "& < > are escaped", "a & b <c> &amp;", "f",
	    "a &amp; b &lt;c&gt; &amp;amp; [type: f]" },
	{ "a mention is disarmed", "<!channel> <@U1> <#C1>", "f",
	    "&lt;!channel&gt; &lt;@U1&gt; &lt;#C1&gt; [type: f]" },
	{ "a link is disarmed", "<https://evil.example|Slack>", "f",
	    "&lt;https://evil.example|Slack&gt; [type: f]" },
	{ "a type is escaped too", "x", "<f>&", "x [type: &lt;f&gt;&amp;]" },
	{ "quotes and backslashes arrive", "say \"x\" \\n C:\\x", "f",
	    "say \"x\" \\n C:\\x [type: f]" },
	{ "lines become one", "one\ntwo\r\nthree\vfour", "f",
	    "one two three four [type: f]" },
	{ "runs of white space become one space", "  a \t\n  b  ", "f",
	    "a b [type: f]" },
	{ "so do the other line ends", "a\xC2\x85" "b\xE2\x80\xA8" "c"
	    "\xE2\x80\xA9" "d", "f", "a b c d [type: f]" },
	{ "an escape sequence loses its escape", "\x1B[31mred\x1B[0m", "f",
	    "[31mred [0m [type: f]" },
	{ "the C1 one too", "a\xC2\x9B" "31m", "f", "a 31m [type: f]" },
	{ "text cannot be turned around", "a\xE2\x80\xAE" "b\xE2\x81\xA6" "c"
	    "\xD8\x9C" "d\xE2\x80\x8F" "e", "f", "abcde [type: f]" },
	{ "neither can a type", "x", "f\xE2\x80\xAE", "x [type: f]" },
	{ "a name in Hebrew with its marks reads the same",
	    "\xE2\x80\x8F\xD7\x93\xD7\xA0\xD7\x94\xE2\x80\x8E", "f",
	    "\xD7\x93\xD7\xA0\xD7\x94 [type: f]" },
	{ "what is invisible is dropped: spaces of no width, fillers, tags",
	    "a\xE2\x80\x8B" "b\xE3\x85\xA4" "c\xE1\x85\x9F" "d\xC2\xAD" "e"
	    "\xF3\xA0\x81\xA1" "f\xEF\xBB\xBF" "g\xEF\xB8\x8F" "h", "f",
	    "abcdefgh [type: f]" },
	{ "with a description of nothing else, the type's name", "\xE3\x85\xA4"
	    "\xE2\xA0\x80 \xE2\x80\x8B", "f", "Failed Login [type: f]" },
	{ "white space of any width is one space", "a\xE3\x80\x80\xE2\x80\x83"
	    "\xE2\x80\x8B b", "f", "a b [type: f]" },
	{ "joiners between letters of Latin are dropped", "a\xE2\x80\x8D" "b"
	    "\xE2\x80\x8C" "c", "f", "abc [type: f]" },
	{ "a non-joiner between letters of Arabic stays, one",
	    "\xDB\x8C\xE2\x80\x8C\xE2\x80\x8C\xD8\xAE", "f",
	    "\xDB\x8C\xE2\x80\x8C\xD8\xAE [type: f]" },
	{ "at their ends it goes", "\xE2\x80\x8C\xDB\x8C\xE2\x80\x8C x", "f",
	    "\xDB\x8C x [type: f]" },
	{ "a joiner between letters of Devanagari stays",
	    "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D\xE0\xA4\xB7", "f",
	    "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D\xE0\xA4\xB7 [type: f]" },
	{ "emoji of several stay whole", "\xF0\x9F\x91\xA9\xE2\x80\x8D"
	    "\xF0\x9F\x92\xBB \xE2\x9D\xA4\xEF\xB8\x8F\xE2\x80\x8D"
	    "\xF0\x9F\x94\xA5", "f", "\xF0\x9F\x91\xA9\xE2\x80\x8D"
	    "\xF0\x9F\x92\xBB \xE2\x9D\xA4\xEF\xB8\x8F\xE2\x80\x8D"
	    "\xF0\x9F\x94\xA5 [type: f]" },
	{ "a second selector goes, and a non-joiner between emoji",
	    "\xE2\x9D\xA4\xEF\xB8\x8F\xEF\xB8\x8E\xE2\x80\x8C\xE2\x9D\xA4",
	    "f", "\xE2\x9D\xA4\xEF\xB8\x8F\xE2\x9D\xA4 [type: f]" },
	{ "a joiner between an emoji and a letter goes",
	    "\xE2\x9D\xA4\xE2\x80\x8D\xE0\xA4\x95", "f",
	    "\xE2\x9D\xA4\xE0\xA4\x95 [type: f]" },
	{ "a name between colons is no picture", "a :tada: b", "f",
	    "a :" WJ "tada: b [type: f]" },
	{ "neither are groups of an address", "2001:db8:100:1234:0:1f55::1",
	    "f", "2001:" WJ "db8:" WJ "100:" WJ "1234:" WJ "0:" WJ
	    "1f55::1 [type: f]" },
	{ "neither is a type", "x", "a:b:c", "x [type: a:" WJ "b:c]" },
	{ "names of other letters and signs neither", "::+1-_': :\xC3\xA9:",
	    "f", "::" WJ "+1-_': :" WJ "\xC3\xA9: [type: f]" },
	{ "neither is a time", "12:34:56, :7:, 1:123:4", "f",
	    "12:34:56, :" WJ "7:, 1:" WJ "123:4 [type: f]" },
	{ "a name that came broken is broken once", ":\xE2\x81\xA0tada:", "f",
	    ":" WJ "tada: [type: f]" },
	{ "colons that open no name stay as they are", "a: b :c d: :: :e.f: :g",
	    "f", "a: b :c d: :: :e.f: :g [type: f]" },
	{ "bytes that are not UTF-8 become U+FFFD", "a\xFF" "b\xED\xA0\x80",
	    "f", "a" UTF8_REPLACEMENT "b" UTF8_REPLACEMENT UTF8_REPLACEMENT
	    UTF8_REPLACEMENT " [type: f]" },
	{ "other letters arrive", "J\xC3\xBCrgen \xE6\x9D\xB1 "
	    "\xF0\x9F\x98\x80", "f", "J\xC3\xBCrgen \xE6\x9D\xB1 "
	    "\xF0\x9F\x98\x80 [type: f]" },
	{ "U+FFFD arrives", "a" UTF8_REPLACEMENT, "f",
	    "a" UTF8_REPLACEMENT " [type: f]" },
};

static void
test_titles(void)
{
	struct event e = plain_event();
	const char *payload;
	char *title;
	size_t i;

	for (i = 0; i < ROWS(titles); i++) {
		e.description = titles[i].description;
		e.type = titles[i].type;
		payload = message(&e, SHOW_DESCRIPTION);
		title = mem_dup(member_of(payload, "title"));
		is_str(title, titles[i].want, "%s", titles[i].title);
		is_str(member_of(payload, "fallback"), title, "and the "
		    "fallback has the same words");
		free(title);
	}
}

static void
test_long_type(void)
{
	struct event e = plain_event();
	struct buf type = BUF_INIT, want = BUF_INIT;
	int i;

	for (i = 0; i < 5000; i++)
		buf_addc(&type, 't');
	e.type = buf_text(&type);
	e.description = "d";
	buf_addf(&want, "d [type: %.99s" ELLIPSIS "]", buf_text(&type));
	is_str(title_of(&e), buf_text(&want), "an endless type is cut too");
	buf_release(&type);
	buf_release(&want);
}

/* ------------------------------------------------------------ cutting */

static const struct {
	const char *name;
	const char *raw;
	const char *escaped;
} signs[] = {
	{ "a letter", "a", "a" },
	{ "two bytes", "\xC3\xA9", "\xC3\xA9" },
	{ "three bytes", "\xE2\x82\xAC", "\xE2\x82\xAC" },
	{ "four bytes", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80" },
	{ "&", "&", "&amp;" },
	{ "<", "<", "&lt;" },
	{ ">", ">", "&gt;" },
	{ "a quote", "\"", "\"" },
};


static void
repeat(struct buf *out, const char *text, size_t times)
{
	buf_clear(out);
	for (; times > 0; times--)
		buf_adds(out, text);
}

/*
 * What n signs give when there is room for max characters: all of them, or
 * as many as leave room for the mark.
 */
static void
add_expected(struct buf *want, size_t sign, size_t n, long max)
{
	long width = payload_characters(signs[sign].escaped);
	size_t fit = (size_t)((max - 1) / width);

	if ((long)n * width <= max) {
		repeat(want, signs[sign].escaped, n);
	} else {
		repeat(want, signs[sign].escaped, fit);
		buf_adds(want, ELLIPSIS);
	}
}

static void
test_title_lengths(size_t sign)
{
	const long room = SLACK_TITLE_MAX - (long)strlen(" [type: f]");
	struct buf text = BUF_INIT, want = BUF_INIT;
	struct event e = plain_event();
	const char *title;
	size_t n, bad = 0;

	for (n = 195; n < 1040; n += n < 270 || n > 1000 ? 1 : 13) {
		repeat(&text, signs[sign].raw, n);
		e.description = buf_text(&text);
		add_expected(&want, sign, n, room);
		buf_adds(&want, " [type: f]");
		title = title_of(&e);
		bad += !title || strcmp(title, buf_text(&want)) != 0;
	}
	is_num((long long)bad, 0, "a title of %s is cut where it has to be",
	    signs[sign].name);
	buf_release(&text);
	buf_release(&want);
}

static void
test_value_lengths(size_t sign)
{
	struct buf text = BUF_INIT, want = BUF_INIT, line = BUF_INIT;
	struct event e = plain_event();
	size_t n, bad = 0;

	for (n = 395; n < 2010; n += n < 510 || n > 1990 ? 1 : 17) {
		repeat(&text, signs[sign].raw, n);
		e.ip = buf_text(&text);
		add_expected(&want, sign, n, SLACK_VALUE_MAX);
		buf_clear(&line);
		buf_addf(&line, "IP address=%s\n", buf_text(&want));
		bad += strcmp(fields_of(&e, SHOW_IP), buf_text(&line)) != 0;
	}
	is_num((long long)bad, 0, "a value of %s is cut where it has to be",
	    signs[sign].name);
	buf_release(&text);
	buf_release(&want);
	buf_release(&line);
}

/* Texts of anything, short and long, in every place: no rule is broken. */
static void
test_random_texts(void)
{
	struct buf text = BUF_INIT;
	const struct slack_style style = { ALL, BASE, 0 };
	struct buf payload = BUF_INIT;
	struct event e = plain_event(), *events[1] = { &e };
	unsigned seed = 7, round, i, bad = 0;
	size_t n, len;

	for (round = 0; round < 150; round++) {
		buf_clear(&text);
		len = round < 100 ? round : round * 17;
		for (n = 0; n < len; n++)
			buf_adds(&text, payload_random_sign(&seed));
		e.description = buf_text(&text);
		for (i = 0; i < 6; i++) {
			e.type = i == 0 ? buf_text(&text) : "f";
			e.client_name = i & 1 ? buf_text(&text) : NULL;
			e.client_id = i & 2 ? buf_text(&text) : "id";
			e.user_name = e.connection = e.ip = e.tenant_name =
			    e.environment_name = e.organization_name =
			    e.organization_id = e.hostname = e.user_id =
			    e.log_id = buf_text(&text);
			buf_clear(&payload);
			slack_message(&payload, events, 1, &style);
			if (*payload_faults(&payload) && bad++ == 0)
				diag("round %u.%u: %s", round, i,
				    payload_faults(&payload));
		}
	}
	is_num(bad, 0, "texts of any signs break no rule, whatever their "
	    "length");
	buf_release(&text);
	buf_release(&payload);
}

static void
test_long_names(void)
{
	struct buf name = BUF_INIT, want = BUF_INIT;
	struct event e = plain_event();

	repeat(&name, "n", 3000);
	e.client_name = buf_text(&name);
	e.client_id = "TheId";
	buf_addf(&want, "Client=%.999s" ELLIPSIS " (TheId)\n",
	    buf_text(&name));
	is_str(fields_of(&e, SHOW_CLIENT), buf_text(&want),
	    "a long name does not push the id out");
	buf_clear(&want);
	e.client_name = "Name";
	e.client_id = buf_text(&name);
	buf_addf(&want, "Client=Name (%.996s" ELLIPSIS ")\n",
	    buf_text(&name));
	is_str(fields_of(&e, SHOW_CLIENT), buf_text(&want),
	    "a long id is cut within its brackets");
	repeat(&name, "&", 3000);
	e.client_name = e.user_name = buf_text(&name);
	e.client_id = "a";
	ok(strstr(fields_of(&e, SHOW_CLIENT), "&amp;" ELLIPSIS " (a)\n") !=
	    NULL, "so is a name of nothing but &");
	buf_release(&name);
	buf_release(&want);
}

/* ------------------------------------------------------------- fields */

static struct event
talkative_event(void)
{
	struct event e = plain_event();

	e.client_name = "App";
	e.client_id = "c1";
	e.user_name = "jane";
	e.user_id = "auth0|5";
	e.ip = "192.0.2.1";
	e.connection = "Users";
	e.tenant_name = "acme";
	e.organization_name = "Retail";
	e.organization_id = "org_1";
	return e;
}

static const struct {
	unsigned show;
	const char *want;
} shown[] = {
	{ 0, "" },
	{ SHOW_CLIENT, "Client=App (c1)\n" },
	{ SHOW_USER, "User=jane (auth0|5)\n" },
	{ SHOW_IP, "IP address=192.0.2.1\n" },
	{ SHOW_CONNECTION, "Connection=Users\n" },
	{ SHOW_TENANT, "Tenant=acme\n" },
	{ SHOW_ORGANIZATION, "Organization=Retail\n" },
	{ SHOW_DESCRIPTION, "" },
	{ SHOW_TENANT | SHOW_IP, "IP address=192.0.2.1\nTenant=acme\n" },
	{ ALL, "Client=App (c1)\nUser=jane (auth0|5)\n"
	    "IP address=192.0.2.1\nConnection=Users\nTenant=acme\n"
	    "Organization=Retail\n" },
};

static void
test_shown(void)
{
	struct event e = talkative_event(), none = plain_event();
	size_t i;

	for (i = 0; i < ROWS(shown); i++) {
		is_str(fields_of(&e, shown[i].show), shown[i].want,
		    "SHOW %u shows that and nothing else", shown[i].show);
		ok(!member_of(message(&none, shown[i].show), "fields"),
		    "and nothing of an event that lacks it");
	}
}

static const struct {
	const char *name;
	const char *id;
	const char *want;
	const char *title;
} named[] = {
	{ "App", "c1", "Client=App (c1)\n", "a name and an id" },
	{ "App", NULL, "Client=App\n", "a name alone" },
	{ NULL, "c1", "Client=c1\n", "an id alone" },
	{ NULL, NULL, "", "neither" },
	{ "same", "same", "Client=same\n", "a name that is the id" },
	{ "<!here>", "&", "Client=&lt;!here&gt; (&amp;)\n",
	    "both are escaped" },
	{ " a \n b ", "c", "Client=a b (c)\n", "a name of two lines" },
	{ " ", "c1", "Client=c1\n", "a name of nothing that shows" },
	{ "App", "\x01", "Client=App\n", "an id of nothing that shows" },
	{ " ", "\t", "", "two of nothing that shows" },
};

static void
test_named(void)
{
	struct event e = plain_event();
	size_t i;

	for (i = 0; i < ROWS(named); i++) {
		e.client_name = named[i].name;
		e.client_id = named[i].id;
		is_str(fields_of(&e, ALL), named[i].want, "%s",
		    named[i].title);
	}
	e = plain_event();
	e.ip = " \x01";
	ok(!member_of(message(&e, ALL), "fields"), "an address of nothing "
	    "that shows");
}

static void
test_tenant_field(void)
{
	struct event e = plain_event();

	e.hostname = "acme.eu.auth0.com";
	is_str(fields_of(&e, ALL), "Tenant=acme\n", "a tenant is taken from "
	    "the hostname");
	e.tenant_name = "other";
	is_str(fields_of(&e, ALL), "Tenant=other\n", "unless it is named");
	e.tenant_name = "<a> b";
	is_str(fields_of(&e, ALL), "Tenant=&lt;a&gt; b\n", "by any name");
	e.tenant_name = NULL;
	e.hostname = "login.example.com";
	is_str(fields_of(&e, ALL), "", "a custom domain tells no tenant");
}

static void
test_organization(void)
{
	struct event e = plain_event();

	e.organization_id = "org_1";
	is_str(fields_of(&e, ALL), "Organization=org_1\n", "an organization "
	    "without a name is known by its id");
	e.organization_name = "\xE3\x85\xA4";
	is_str(fields_of(&e, ALL), "Organization=org_1\n", "so is one whose "
	    "name shows nothing");
	e.organization_name = "<a>";
	is_str(fields_of(&e, ALL), "Organization=&lt;a&gt;\n", "otherwise by "
	    "its name");
}

/* ----------------------------------------------------- the event's name */

static const struct {
	const char *title;
	const char *type;
	const char *description;
	unsigned show;
	const char *want;	/* title and footer */
} names[] = {
	{ "a description of the reason alone", "fs", "Password is too weak",
	    SHOW_DESCRIPTION, "Password is too weak [type: fs]|Failed Signup" },
	{ "one that says the name itself", "fs", "A failed signup: too weak",
	    SHOW_DESCRIPTION, "A failed signup: too weak [type: fs]|" },
	{ "no description", "fs", NULL, SHOW_DESCRIPTION,
	    "Failed Signup [type: fs]|" },
	{ "one that is not to be shown", "fs", "For j@example.org",
	    ALL & ~(unsigned)SHOW_DESCRIPTION, "Failed Signup [type: fs]|" },
	{ "a type without a name", "xyz", "Something", SHOW_DESCRIPTION,
	    "Something [type: xyz]|" },
	{ "the same without its description", "xyz", "For j@example.org", 0,
	    "Event of an unknown type [type: xyz]|" },
};

static void
test_names(void)
{
	struct event e = plain_event();
	struct buf got = BUF_INIT;
	const char *footer;
	size_t i;

	for (i = 0; i < ROWS(names); i++) {
		e.type = names[i].type;
		e.description = names[i].description;
		buf_clear(&got);
		buf_adds(&got, member_of(message(&e, names[i].show), "title"));
		footer = member_of(message(&e, names[i].show), "footer");
		buf_addf(&got, "|%s", footer ? footer : "");
		is_str(buf_text(&got), names[i].want, "the name of the event "
		    "is in title or footer once: %s", names[i].title);
	}
	buf_release(&got);
}

/* A long description says the name where it is cut away. */
static void
test_name_cut_away(void)
{
	struct event e = plain_event();
	struct buf text = BUF_INIT;

	repeat(&text, "x", SLACK_TITLE_MAX);
	buf_adds(&text, " Failed Login");
	e.description = buf_text(&text);
	is_str(member_of(message(&e, SHOW_DESCRIPTION), "footer"),
	    "Failed Login", "a name that was cut away is in the footer");
	buf_release(&text);
}

/* -------------------------------------------------------------- links */

static const struct {
	const char *title;
	const char *tenant;
	const char *environment;
	const char *hostname;
	const char *link;	/* between base and id */
} origins[] = {
	{ "tenant and environment", "acme", "prod-eu-1", NULL,
	    "/dashboard/eu/acme" },
	{ "another region", "acme", "prod-us-3", NULL, "/dashboard/us/acme" },
	{ "a region of two digits", "acme", "prod-au-12", NULL,
	    "/dashboard/au/acme" },
	{ "a custom domain beside them", "acme", "prod-us-3",
	    "login.acme.example", "/dashboard/us/acme" },
	{ "an environment, and a hostname of another region", "acme",
	    "prod-eu-1", "acme.us.auth0.com", "/dashboard/eu/acme" },
	{ "an environment, and a hostname of another tenant", "acme",
	    "prod-eu-1", "other.us.auth0.com", "/dashboard/eu/acme" },
	{ "a hostname of the tenant", "acme", NULL, "acme.eu.auth0.com",
	    "/dashboard/eu/acme" },
	{ "one without a region", "acme", NULL, "acme.auth0.com",
	    "/dashboard/us/acme" },
	{ "a hostname of another tenant", "acme", NULL,
	    "other.eu.auth0.com", "/#" },
	{ "one that begins like the tenant", "acme", NULL,
	    "acme2.eu.auth0.com", "/#" },
	{ "one that the tenant begins with", "acme", NULL,
	    "acm.eu.auth0.com", "/#" },
	{ "a tenant alone", "acme", NULL, NULL, "/#" },
	{ "an environment alone", NULL, "prod-eu-1", NULL, "/#" },
	{ "an environment and a hostname", NULL, "prod-eu-1",
	    "acme.us.auth0.com", "/dashboard/eu/acme" },
	{ "an environment that is not Auth0's", "acme", "acme-prod-1", NULL,
	    "/#" },
	{ "one of another stage", "acme", "dev-eu-1", NULL, "/#" },
	{ "one without a number", "acme", "prod-eu", NULL, "/#" },
	{ "one with an empty number", "acme", "prod-eu-", NULL, "/#" },
	{ "one with more behind the number", "acme", "prod-eu-1-x", NULL,
	    "/#" },
	{ "one of three letters", "acme", "prod-usa-1", NULL, "/#" },
	{ "one in capitals", "acme", "prod-EU-1", NULL, "/#" },
	{ "an empty one", "acme", "prod-", NULL, "/#" },
	{ "the beginning of one", "acme", "pr", NULL, "/#" },
	{ "one with a slash", "acme", "prod-../-1", NULL, "/#" },
	{ "a Private Cloud", "identity", "acme", "identity.acme.auth0.com",
	    "/#" },
	{ "a Private Cloud that names no tenant", NULL, NULL,
	    "identity.acme.auth0.com", "/#" },
	{ "a tenant that is no label", "a/../b", "prod-eu-1", NULL, "/#" },
	{ "a tenant with a space", "a b", "prod-eu-1", NULL, "/#" },
};

static void
test_origins(void)
{
	struct event e = plain_event();
	struct buf want = BUF_INIT;
	size_t i;

	e.log_id = "9/0";
	for (i = 0; i < ROWS(origins); i++) {
		e.tenant_name = origins[i].tenant;
		e.environment_name = origins[i].environment;
		e.hostname = origins[i].hostname;
		buf_clear(&want);
		buf_addf(&want, BASE "%s/logs/9%%2F0", origins[i].link);
		is_str(member_of(message(&e, 0), "title_link"),
		    buf_text(&want), "a link by %s", origins[i].title);
	}
	buf_release(&want);
}

static const struct {
	const char *title;
	const char *hostname;
	const char *log_id;
	const char *link;
} links[] = {
	{ "a host in a region", "acme.eu.auth0.com", "900",
	    BASE "/dashboard/eu/acme/logs/900" },
	{ "a host in a numbered region", "acme.us-3.auth0.com", "900",
	    BASE "/dashboard/us-3/acme/logs/900" },
	{ "a host without a region is in us", "acme.auth0.com", "900",
	    BASE "/dashboard/us/acme/logs/900" },
	{ "a tenant with signs", "my-app_1.jp.auth0.com", "900",
	    BASE "/dashboard/jp/my-app_1/logs/900" },
	{ "no host", NULL, "900", BASE "/#/logs/900" },
	{ "a custom domain", "login.example.com", "900",
	    BASE "/#/logs/900" },
	{ "the bare domain", "auth0.com", "900", BASE "/#/logs/900" },
	{ "the domain with a dot", ".auth0.com", "900",
	    BASE "/#/logs/900" },
	{ "too many labels", "a.b.c.auth0.com", "900", BASE "/#/logs/900" },
	{ "a region that is none", "identity.acme.auth0.com", "900",
	    BASE "/#/logs/900" },
	{ "a region with a slash", "acme.e/.auth0.com", "900",
	    BASE "/#/logs/900" },
	{ "an empty region", "a..auth0.com", "900", BASE "/#/logs/900" },
	{ "an empty tenant", ".eu.auth0.com", "900", BASE "/#/logs/900" },
	{ "another domain that ends so", "evilauth0.com", "900",
	    BASE "/#/logs/900" },
	{ "the domain in the middle", "a.auth0.com.evil.example", "900",
	    BASE "/#/logs/900" },
	{ "a label with a slash", "a/../b.eu.auth0.com", "900",
	    BASE "/#/logs/900" },
	{ "a label with a space", "a b.eu.auth0.com", "900",
	    BASE "/#/logs/900" },
	{ "a label that is too long",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    ".eu.auth0.com", "900", BASE "/#/logs/900" },
	{ "an id of 56 digits", NULL,
	    "90020260801123456789000000000000001223372036854775807001",
	    BASE "/#/logs/"
	    "90020260801123456789000000000000001223372036854775807001" },
	{ "signs in an id are percent-encoded", NULL, "a/b?c=d&e#f%g h+\"<>",
	    BASE "/#/logs/a%2Fb%3Fc%3Dd%26e%23f%25g%20h%2B%22%3C%3E" },
	{ "unreserved signs are not", NULL, "aZ09-._~",
	    BASE "/#/logs/aZ09-._~" },
	{ "bytes of UTF-8 are", NULL, "\xC3\xBC", BASE "/#/logs/%C3%BC" },
	{ "control bytes are", NULL, "a\nb\x7F", BASE "/#/logs/a%0Ab%7F" },
	{ "no id, no link", "acme.eu.auth0.com", NULL, NULL },
};

static void
test_links(void)
{
	struct event e = plain_event();
	size_t i;

	for (i = 0; i < ROWS(links); i++) {
		e.hostname = links[i].hostname;
		e.log_id = links[i].log_id;
		is_str(member_of(message(&e, 0), "title_link"),
		    links[i].link, "%s", links[i].title);
	}
}

static void
test_link_lengths(void)
{
	struct event e = plain_event();
	struct buf id = BUF_INIT;

	repeat(&id, "9", 256);
	e.log_id = buf_text(&id);
	ok(member_of(message(&e, 0), "title_link") != NULL,
	    "an id of 256 signs is linked to");
	repeat(&id, "9", 257);
	e.log_id = buf_text(&id);
	ok(!member_of(message(&e, 0), "title_link"),
	    "a longer one is no id, and has no link");
	buf_release(&id);
}

static const struct {
	const char *base;
	const char *link;
	const char *title;
} bases[] = {
	{ "https://manage.acme.example",
	    "https://manage.acme.example/dashboard/eu/acme/logs/7",
	    "the base of links is the configured one" },
	{ "https://manage.acme.auth0.com/dashboard/pi/identity",
	    "https://manage.acme.auth0.com/dashboard/pi/identity/logs/7",
	    "one that names region and tenant is used as it is" },
	{ "https://[2001:db8:100::1]/a&b:c:d",
	    "https://[2001:db8:100::1]/a&amp;b:c:d/dashboard/eu/acme/logs/7",
	    "an address in a link stays as it is" },
};

static void
test_bases(void)
{
	struct event e = plain_event(), *events[1] = { &e };
	struct buf payload = BUF_INIT;
	struct slack_style style = { 0, NULL, 0 };
	size_t i;

	e.log_id = "7";
	e.tenant_name = "acme";
	e.environment_name = "prod-eu-1";
	for (i = 0; i < ROWS(bases); i++) {
		buf_clear(&payload);
		style.dashboard_url = bases[i].base;
		slack_message(&payload, events, 1, &style);
		is_str(member_of(buf_text(&payload), "title_link"),
		    bases[i].link, "%s", bases[i].title);
	}
	buf_release(&payload);
}

/* ----------------------------------------------------- colour and time */

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
	struct event e = plain_event();
	int i;

	for (i = 0; i < CLASSES; i++) {
		e.class = (enum event_class)i;
		is_str(member_of(message(&e, 0), "color"), want[i],
		    "the colour of a %s", catalog_class_name(e.class));
	}
}

static void
test_ts(void)
{
	struct event e = plain_event();

	ok(!member_of(message(&e, 0), "ts"), "no time, no ts");
	e.time_ms = 1785587696789;
	is_str(member_of(message(&e, 0), "ts"), "1785587696",
	    "ts is in whole seconds");
	e.time_ms = 0;
	is_str(member_of(message(&e, 0), "ts"), "0", "1970 has a ts");
	e.time_ms = -1000;
	is_str(member_of(message(&e, 0), "ts"), "-1", "so has what was "
	    "before");
}

/* ------------------------------------------------------------ headline */

/* Tenant names of up to three events, "host:" before a hostname. */
static const struct {
	const char *title;
	const char *tenants[3];
	const char *text;
} headlines[] = {
	{ "one event, no tenant", { "" }, "*Auth0 log alert*" },
	{ "one event with one", { "acme" }, "*Auth0 log alert*, acme" },
	{ "three that agree", { "acme", "acme", "acme" },
	    "*Auth0 log alert*, acme, 3 events" },
	{ "one that differs", { "acme", "acme", "other" },
	    "*Auth0 log alert*, 3 events" },
	{ "one that does not tell", { "acme", "", "acme" },
	    "*Auth0 log alert*, 3 events" },
	{ "a first one that does not tell", { "", "acme" },
	    "*Auth0 log alert*, 2 events" },
	{ "one that begins like the other", { "acme", "acme-dev" },
	    "*Auth0 log alert*, 2 events" },
	{ "a hostname that agrees", { "acme", "host:acme.eu.auth0.com" },
	    "*Auth0 log alert*, acme, 2 events" },
	{ "a name that would be bold", { "*acme*" }, "*Auth0 log alert*" },
	{ "one that would be in italics", { "_acme_" },
	    "*Auth0 log alert*" },
	{ "a name with one underscore", { "a_b" }, "*Auth0 log alert*" },
	{ "one that would be struck out", { "~a~" }, "*Auth0 log alert*" },
	{ "one that would be code", { "`a`" }, "*Auth0 log alert*" },
	{ "one that would call everybody", { "<!channel>" },
	    "*Auth0 log alert*" },
	{ "one that would be a link", { "https://a.b" },
	    "*Auth0 log alert*" },
	{ "one with a space", { "a b" }, "*Auth0 log alert*" },
	{ "one beyond ASCII", { "\xC3\xBC" }, "*Auth0 log alert*" },
	{ "one that is too long",
	    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    }, "*Auth0 log alert*" },
};

static const char *
text_of(const char *payload)
{
	static struct buf text;
	struct json_object *parsed = json_tokener_parse(payload), *value;

	buf_clear(&text);
	if (json_object_object_get_ex(parsed, "text", &value))
		buf_adds(&text, json_object_get_string(value));
	json_object_put(parsed);
	return buf_text(&text);
}

static void
test_headlines(void)
{
	struct event e[3], *events[3] = { &e[0], &e[1], &e[2] };
	const char *tenant;
	size_t i, n;

	for (i = 0; i < ROWS(headlines); i++) {
		for (n = 0; n < 3 && headlines[i].tenants[n]; n++) {
			tenant = headlines[i].tenants[n];
			e[n] = plain_event();
			if (strncmp(tenant, "host:", 5) == 0)
				e[n].hostname = tenant + 5;
			else if (*tenant)
				e[n].tenant_name = tenant;
		}
		is_str(text_of(message_of(events, n, 0)), headlines[i].text,
		    "%s", headlines[i].title);
	}
}

/* ----------------------------------------------------------- splitting */

/* Many events: number i has "event i" as its description. */
struct crowd {
	struct event **events;
	size_t count;
};

static struct crowd
crowd_new(size_t count, const struct event *like)
{
	struct crowd crowd = { mem_alloc((count + 1) *
	    sizeof(struct event *)), count };
	struct event e = *like;
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < count; i++) {
		buf_clear(&text);
		buf_addf(&text, "event %zu %s", i, like->description ?
		    like->description : "");
		e.description = buf_text(&text);
		crowd.events[i] = event_new(&e);
	}
	buf_release(&text);
	return crowd;
}

static void
crowd_free(struct crowd *crowd)
{
	size_t i;

	for (i = 0; i < crowd->count; i++)
		free(crowd->events[i]);
	free(crowd->events);
}

/* Whether a message's attachments are those from first on, in order. */
static bool
holds_events(const char *payload, size_t first, size_t count)
{
	struct json_object *parsed = json_tokener_parse(payload), *all, *title;
	char want[40];
	bool good;
	size_t i;

	all = payload_attachments(parsed);
	good = all && json_object_array_length(all) == count;
	for (i = 0; good && i < count; i++) {
		snprintf(want, sizeof(want), "event %zu ", first + i);
		good = json_object_object_get_ex(json_object_array_get_idx(
		    all, i), "title", &title) && strncmp(want,
		    json_object_get_string(title), strlen(want)) == 0;
	}
	json_object_put(parsed);
	return good;
}

/*
 * Sends a crowd message by message. Adds the number of events in each to
 * *sizes; false when one is lost, doubled or out of order.
 */
static bool
send_crowd(const struct crowd *crowd, unsigned show, struct buf *sizes)
{
	const struct slack_style style = { show, BASE, 0 };
	struct buf payload = BUF_INIT;
	size_t done = 0, taken = 1;
	bool good = true;

	while (good && done < crowd->count) {
		buf_clear(&payload);
		taken = slack_message(&payload, crowd->events + done,
		    crowd->count - done, &style);
		good = taken > 0 && *payload_faults(&payload) == '\0' &&
		    holds_events(buf_text(&payload), done, taken);
		buf_addf(sizes, "%zu ", taken);
		done += taken;
	}
	if (!good)
		diag("after %zu events: %s", done, payload_faults(&payload));
	buf_release(&payload);
	return good && done == crowd->count;
}

static const struct {
	size_t count;
	const char *sizes;
} splits[] = {
	{ 1, "1 " },
	{ 2, "2 " },
	{ 19, "19 " },
	{ 20, "20 " },
	{ 21, "20 1 " },
	{ 40, "20 20 " },
	{ 41, "20 20 1 " },
	{ 105, "20 20 20 20 20 5 " },
};

static void
test_splits(void)
{
	struct event like = talkative_event();
	struct buf sizes = BUF_INIT;
	struct crowd crowd;
	size_t i;

	for (i = 0; i < ROWS(splits); i++) {
		crowd = crowd_new(splits[i].count, &like);
		buf_clear(&sizes);
		ok(send_crowd(&crowd, ALL, &sizes), "%zu events come out "
		    "once each and in order", splits[i].count);
		is_str(buf_text(&sizes), splits[i].sizes, "20 a message");
		crowd_free(&crowd);
	}
	crowd = crowd_new(41, &like);
	is_str(text_of(message_of(crowd.events, 41, ALL)),
	    "*Auth0 log alert*, acme, 20 events",
	    "the headline counts what is in its own message");
	crowd_free(&crowd);
	buf_release(&sizes);
}

/*
 * The largest events there can be, of each sign: their messages stay below
 * the limit of bytes, and none is lost.
 */
static void
test_large_events(size_t sign)
{
	struct event like = plain_event();
	struct buf text = BUF_INIT, id = BUF_INIT, sizes = BUF_INIT;
	struct crowd crowd;

	repeat(&text, signs[sign].raw, 5000);
	repeat(&id, "\xFF", 256);
	like.description = like.client_name = like.client_id = like.user_name =
	    like.user_id = like.ip = like.connection = like.tenant_name =
	    buf_text(&text);
	like.log_id = buf_text(&id);
	like.time_ms = 1785587696789;
	crowd = crowd_new(25, &like);
	ok(send_crowd(&crowd, ALL, &sizes), "25 of the largest events of %s "
	    "come out once each, in messages below 100 kB",
	    signs[sign].name);
	ok(strchr(buf_text(&sizes), ' ') + 1 < buf_text(&sizes) + sizes.len,
	    "more than one message");
	crowd_free(&crowd);
	buf_release(&text);
	buf_release(&id);
	buf_release(&sizes);
}

/*
 * Events of growing size, so that messages end at every distance from the
 * limit.
 */
static void
test_growing_events(void)
{
	struct event like = plain_event();
	struct buf text = BUF_INIT, sizes = BUF_INIT;
	struct crowd crowd;
	size_t n, bad = 0, least = 100, taken;

	for (n = 1; n < 2000; n += 111) {
		repeat(&text, "\xF0\x9F\x98\x80", n);
		like.description = like.client_name = like.user_name =
		    like.ip = like.connection = buf_text(&text);
		like.tenant_name = "acme";
		crowd = crowd_new(25, &like);
		buf_clear(&sizes);
		bad += !send_crowd(&crowd, ALL, &sizes);
		taken = (size_t)atoi(buf_text(&sizes));
		if (taken < least)
			least = taken;
		crowd_free(&crowd);
	}
	is_num((long long)bad, 0, "events of any size come out once each");
	ok(least > 1 && least < 20, "the large ones fewer than 20 a message");
	buf_release(&text);
	buf_release(&sizes);
}

/* ------------------------------------------------------------- preview */

static void
test_preview(void)
{
	const struct slack_style style = { SHOW_DESCRIPTION | SHOW_CLIENT |
	    SHOW_IP, BASE, 0 };
	struct event a = talkative_event(), b = plain_event(),
	    *events[2] = { &a, &b };
	struct buf text = BUF_INIT;

	a.description = "Wrong <password> & \x1B[31m more";
	a.log_id = "900";
	a.hostname = "acme.eu.auth0.com";
	a.time_ms = 1785587696789;
	b.tenant_name = "acme";
	buf_adds(&text, "before\n");
	is_num((long long)slack_preview(&text, events, 2, &style), 2,
	    "a preview is of both events");
	is_str(buf_text(&text), "before\n"
	    "Auth0 log alert, acme, 2 events\n"
	    "| Wrong <password> & [31m more [type: f]\n"
	    "| " BASE "/dashboard/eu/acme/logs/900\n"
	    "| Client: App (c1)\n"
	    "| IP address: 192.0.2.1\n"
	    "| Failed Login\n"
	    "| 2026-08-01 12:34:56 UTC\n"
	    "| Failed Login [type: f]\n",
	    "and is this text, added to what there was");
	buf_release(&text);
}

static void
test_preview_takes(void)
{
	struct event like = talkative_event();
	const struct slack_style style = { ALL, BASE, 0 };
	struct buf big = BUF_INIT, text = BUF_INIT, payload = BUF_INIT;
	struct crowd crowd = crowd_new(41, &like);
	size_t done, bad = 0;

	for (done = 0; done < 41; done++)
		bad += slack_preview(&text, crowd.events + done, 41 - done,
		    &style) != slack_message(&payload, crowd.events + done,
		    41 - done, &style);
	crowd_free(&crowd);
	repeat(&big, "\xF0\x9F\x98\x80", 2000);
	like.ip = like.connection = like.user_name = buf_text(&big);
	crowd = crowd_new(30, &like);
	for (done = 0; done < 30; done++)
		bad += slack_preview(&text, crowd.events + done, 30 - done,
		    &style) != slack_message(&payload, crowd.events + done,
		    30 - done, &style);
	crowd_free(&crowd);
	is_num((long long)bad, 0, "a preview takes as many events as the "
	    "message");
	buf_release(&big);
	buf_release(&text);
	buf_release(&payload);
}

/* ---------------------------------------------------------------- SHOW */

#define CANNOT(word) "\"" word "\" cannot be shown: choose from " \
	"description client user ip connection tenant organization"

static const struct {
	const char *text;
	unsigned show;
	const char *why;	/* NULL: it is good */
} shows[] = {
	{ "client", SHOW_CLIENT, NULL },
	{ "user", SHOW_USER, NULL },
	{ "ip", SHOW_IP, NULL },
	{ "connection", SHOW_CONNECTION, NULL },
	{ "tenant", SHOW_TENANT, NULL },
	{ "description", SHOW_DESCRIPTION, NULL },
	{ "organization", SHOW_ORGANIZATION, NULL },
	{ "client user ip connection tenant", SHOW_CLIENT | SHOW_USER |
	    SHOW_IP | SHOW_CONNECTION | SHOW_TENANT, NULL },
	{ "description client user ip connection tenant organization", ALL,
	    NULL },
	{ "tenant,ip", SHOW_TENANT | SHOW_IP, NULL },
	{ " ,ip ,\t, user, ", SHOW_IP | SHOW_USER, NULL },
	{ "ip ip", SHOW_IP, NULL },
	{ "", 0, NULL },
	{ " ,", 0, NULL },
	{ "clients", 0, CANNOT("clients") },
	{ "clien", 0, CANNOT("clien") },
	{ "Client", 0, CANNOT("Client") },
	{ "user;ip", 0, CANNOT("user;ip") },
	{ "user nothing ip", 0, CANNOT("nothing") },
	{ "-user", 0, CANNOT("-user") },
	{ "a\nb\x1B", 0, CANNOT("a\\x0ab\\x1b") },
};

static void
test_show_read(void)
{
	struct buf why = BUF_INIT;
	unsigned show;
	size_t i;
	bool good;

	for (i = 0; i < ROWS(shows); i++) {
		buf_clear(&why);
		show = 99;
		good = slack_show_read(shows[i].text, &show, &why);
		is_str(buf_text(&why), shows[i].why ? shows[i].why : "",
		    "\"%s\" is %s", shows[i].text, shows[i].why ? "refused" :
		    "taken");
		ok(good == !shows[i].why && (!good || show == shows[i].show),
		    "and means what it says");
	}
	buf_release(&why);
}

int
main(void)
{
	size_t i;

	test_seed();
	test_full();
	test_titles();
	test_long_type();
	for (i = 0; i < ROWS(signs); i++) {
		test_title_lengths(i);
		test_value_lengths(i);
		test_large_events(i);
	}
	test_random_texts();
	test_long_names();
	test_shown();
	test_named();
	test_tenant_field();
	test_organization();
	test_names();
	test_name_cut_away();
	test_origins();
	test_links();
	test_link_lengths();
	test_bases();
	test_colours();
	test_ts();
	test_headlines();
	test_splits();
	test_growing_events();
	test_preview();
	test_preview_takes();
	test_show_read();
	return done_testing();
}
