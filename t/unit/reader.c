/* SPDX-License-Identifier: ISC */
/*
 * From the bytes of a body to events. Every body is read whole, byte by
 * byte and in two pieces split at each place, always with one outcome.
 */
#include "event/reader.h"

#include "base/log.h"
#include "event/filter.h"
#include "event/pick.h"
#include "tap.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BODIES "t/data/bodies"
#define SPLITS_MAX 3000		/* longer bodies are split here and there */
#define NOT_JSON "400 the body is not the JSON that Auth0 sends: "
#define NO_EVENT "400 no record in the body is a log event: none has a " \
	"data.type, or a type of its own "

/* ------------------------------------------------------------ reading */

static unsigned
keep_all(void *context, const char *type, struct pick *record)
{
	(void)context;
	(void)type;
	(void)record;
	return true;
}

static unsigned
keep_none(void *context, const char *type, struct pick *record)
{
	return !keep_all(context, type, record);
}

static unsigned
keep_filtered(void *context, const char *type, struct pick *record)
{
	return filter_keeps(context, type, record);
}

/* How a body is read. */
struct reading {
	event_keep *keep;
	void *context;
};

/*
 * Feeds first bytes, then pieces of rest bytes. Each piece is a piece of
 * memory of its own, so that a read beyond its end is found.
 */
static bool
feed(struct event_reader *reader, const struct buf *body, size_t first,
    size_t rest, struct buf *why)
{
	size_t done = 0, len = first;
	bool good = true;
	char *piece;

	for (; good && done < body->len; done += len, len = rest) {
		if (len > body->len - done)
			len = body->len - done;
		piece = mem_alloc(len);
		if (len > 0)
			memcpy(piece, body->data + done, len);
		good = event_reader_feed(reader, piece, len, why);
		free(piece);
	}
	return good && event_reader_end(reader, why);
}

static void
add_word(struct buf *out, const char *text)
{
	if (text)
		log_escape(out, text, strlen(text));
	else
		buf_addc(out, '-');
}

static void
add_events(struct buf *out, const struct event_list *list)
{
	const struct event *e;
	size_t i;

	for (i = 0; i < list->count; i++) {
		e = list->events[i];
		buf_addc(out, '\n');
		add_word(out, e->log_id);
		buf_addc(out, ' ');
		add_word(out, e->type);
		buf_addc(out, ' ');
		add_word(out, e->description);
	}
}

/* Sets *out to the outcome, written as in an .expect file. */
static void
read_body(struct buf *out, const struct buf *body, size_t first, size_t rest,
    const struct reading *reading)
{
	struct event_list list = { NULL, 0, 0 };
	struct event_reader *reader;
	struct buf why = BUF_INIT;

	reader = event_reader_new(reading->keep, reading->context, &list);
	event_reader_hold(reader, first % 3 * 30); /* 0, 30, 60 */
	buf_clear(out);
	if (!feed(reader, body, first, rest, &why)) {
		buf_addf(out, "400 %s", buf_text(&why));
	} else if (list.count == 0) {
		buf_adds(out, "204");
	} else {
		event_list_sort(&list);
		buf_addf(out, "200 %zu", list.count);
		add_events(out, &list);
	}
	event_list_release(&list);
	event_reader_free(reader);
	buf_release(&why);
}

/*
 * Looks for a way to cut the body up that has another outcome; describes
 * the first one in *how.
 */
static bool
same_in_pieces(const struct buf *body, const struct reading *reading,
    const char *want, struct buf *how)
{
	struct buf got = BUF_INIT;
	size_t i, step = 1 + body->len / SPLITS_MAX;

	read_body(&got, body, 1, 1, reading);
	if (strcmp(buf_text(&got), want) != 0)
		buf_addf(how, "byte by byte: %s", buf_text(&got));
	for (i = 0; i <= body->len && how->len == 0; i += step) {
		read_body(&got, body, i, body->len, reading);
		if (strcmp(buf_text(&got), want) != 0)
			buf_addf(how, "split at %zu: %s", i, buf_text(&got));
	}
	buf_release(&got);
	return how->len == 0;
}

/* Two tests: the outcome, and that it is the same in pieces. */
static void
check_body(const char *title, const struct buf *body,
    const struct reading *reading, const char *want)
{
	struct buf got = BUF_INIT, how = BUF_INIT;

	read_body(&got, body, body->len, 1, reading);
	is_str(buf_text(&got), want, "%s", title);
	if (!ok(same_in_pieces(body, reading, buf_text(&got), &how),
	    "%s: the same in pieces", title))
		diag("%s", buf_text(&how));
	buf_release(&got);
	buf_release(&how);
}

/* A body in memory, of strlen(text) bytes. */
static struct buf
body_of(const char *text)
{
	struct buf body = BUF_INIT;

	buf_adds(&body, text);
	return body;
}

static void
check_text(const char *title, const char *text, const char *want)
{
	const struct reading reading = { keep_all, NULL };
	struct buf body = body_of(text);

	check_body(title, &body, &reading, want);
	buf_release(&body);
}

/* --------------------------------------------------- bodies on file */

static int
is_expectation(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 7 && strcmp(entry->d_name + len - 7, ".expect") == 0;
}

static void
test_file(const char *name, const struct reading *reading)
{
	struct buf want = BUF_INIT, body = BUF_INIT, path = BUF_INIT;

	buf_addf(&path, BODIES "/%s.expect", name);
	file_read(source_path(buf_text(&path)), &want);
	buf_clear(&path);
	buf_addf(&path, BODIES "/%s.json", name);
	file_read(source_path(buf_text(&path)), &body);
	if (want.len > 0 && want.data[want.len - 1] == '\n')
		want.data[--want.len] = '\0';
	check_body(name, &body, reading, buf_text(&want));
	buf_release(&want);
	buf_release(&body);
	buf_release(&path);
}

static void
test_files(void)
{
	struct buf why = BUF_INIT;
	struct reading reading = { keep_filtered, NULL };
	struct filter *filter = filter_new(FILTER_DEFAULT, &why);
	struct dirent **entries;
	int i, count = scandir(source_path(BODIES), &entries, is_expectation,
	    alphasort);

	reading.context = filter;
	ok(count > 100, "there are bodies in " BODIES);
	for (i = 0; i < count; i++) {
		entries[i]->d_name[strlen(entries[i]->d_name) - 7] = '\0';
		test_file(entries[i]->d_name, &reading);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	filter_free(filter);
	buf_release(&why);
}

/* ------------------------------------------------------------- values */

/* Where a value may stand: json-c sees each of these in another way. */
static const struct {
	const char *where;
	const char *before;
	const char *after;
} places[] = {
	{ "in a record", "[{\"data\":{\"type\":\"f\",\"x\":", "}}]" },
	{ "as a member of a line", "{\"data\":{\"type\":\"f\"},\"x\":", "}" },
	{ "as a record", "[", ",{\"data\":{\"type\":\"f\"}}]" },
	{ "last in an array", "[{\"data\":{\"type\":\"f\"},\"x\":[1,", "]}]" },
};

#define GOOD "200 1\n- f -"

/*
 * Every value, at every place, has to be taken, or has to be refused. The
 * integers beyond 64 bits are there because json-c from 0.17 on refuses
 * them when it is strict, and the text beyond ASCII because 0.18 does.
 */
static const char *const good_values[] = {
	"0", "-0", "1", "-1", "10", "1234567890", "0.5", "-0.5", "1.0",
	"1.50", "0e0", "1e5", "1E5", "1e+5", "1e-5", "1.5e10", "-0.0E-0",
	"1e400", "-1e400", "1e-400", "9223372036854775807",
	"9223372036854775808", "-9223372036854775808",
	"-9223372036854775809", "18446744073709551615",
	"18446744073709551616",
	"90020260801123456789000000000000001223372036854775807001",
	"-90020260801123456789000000000000001223372036854775807001",
	"true", "false", "null", "\"\"", "\"a\"", "\"\\\"\"", "\"\\\\\"",
	"\"\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\u00fc\\u20AC\"",
	"\"\\uD83D\\uDE00\"", "\"\\u0000\"", "\"\\uD800\"", "\"\\uDC00\"",
	"\"\x7F\"", "\"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80\"",
	"\"\xEF\xBB\xBF\"", "\"'/*NaN*/\"", "[]", "[ ]", "[[],[]]", "{}",
	"{ }", "{\"\":1}", "{\"a\":{\"b\":[{}]}}", " 1 ", "\t[\n1\r,\n2 ] ",
	"{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1,\"a\":2}", "[1,2,3]",
};

static const char *const bad_values[] = {
	/* Numbers that json-c 0.16, though strict, takes itself. */
	"-01", "00", "-00", "1.", "-1.", "1.e5", "-.5", "00.5", "1,5.",
	/* Numbers that it takes when they come in pieces. */
	"1-2", "1-", "-1-",
	/* Other numbers. */
	"01", ".5", "+1", "1e", "1e+", "1E-", "-", "--1", "-+1", "1+2",
	"1e5e5", "1.2.3", "1e5.5", "0x10", "1_000", "0e", "- 1", "1 2",
	"1 .5", "1e 5", "NaN", "nan", "-NaN", "Infinity", "-Infinity", "inf",
	"infinity",
	/* Words. */
	"True", "TRUE", "tRUE", "tru", "truee", "truefalse", "False", "fals",
	"Null", "NULL", "nul", "nulll", "nu ll", "none", "undefined", "e",
	"E1", "f", "t", "n",
	/* Strings. */
	"'a'", "\"a", "a\"", "a", "\"a\"\"b\"", "\"a\" \"b\"", "\"\\x41\"",
	"\"\\'\"", "\"\\0\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u 123\"",
	"\"\\U0041\"", "\"\\\n\"", "\"\n\"", "\"\t\"", "\"\x01\"",
	"\"\x1F\"", "`a`", "\"\\\"",
	/* Arrays and objects. */
	"[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1;2]", "[1:2]", "[",
	"]", "[1}", "[1", "{\"a\":1,}", "{,}", "{,\"a\":1}", "{\"a\"}",
	"{\"a\":}", "{\"a\":1,,\"b\":2}", "{\"a\":1 \"b\":2}", "{\"a\" 1}",
	"{\"a\"::1}", "{\"a\",1}", "{\"a\"=1}", "{a:1}", "{'a':1}", "{1:2}",
	"{null:1}", "{[]:1}", "{\"a\":1]", "{", "}", "[1][2]", "{}{}",
	"{\"a\":1}2", "[1]2",
	/* Other languages. */
	"", " ", "/**/1", "1/**/", "1//x\n", "#x\n1", "(1)", "!1", "~", "=",
	"1;", "\\", "\\u0031", "\xC3\xBC", "\xEF\xBB\xBF" "1", "\xC2\xA0" "1",
	"\x7F", "\x0B" "1", "\x0C" "1", "1\x1A",
};

/* Whether the value is taken everywhere (or refused, if that is wanted). */
static bool
value_is(const char *value, bool wanted, struct buf *how)
{
	const struct reading reading = { keep_all, NULL };
	struct buf body = BUF_INIT, got = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(places) && how->len == 0; i++) {
		buf_clear(&body);
		buf_addf(&body, "%s%s%s", places[i].before, value,
		    places[i].after);
		read_body(&got, &body, body.len, 1, &reading);
		if (wanted ? strcmp(buf_text(&got), GOOD) != 0 :
		    strncmp(buf_text(&got), "400 ", 4) != 0)
			buf_addf(how, "%s: %s", places[i].where,
			    buf_text(&got));
		else if (!same_in_pieces(&body, &reading, buf_text(&got), how))
			buf_addf(how, " (%s; whole: %s)", places[i].where,
			    buf_text(&got));
	}
	buf_release(&body);
	buf_release(&got);
	return how->len == 0;
}

static void
test_values(const char *const *values, size_t count, bool wanted)
{
	struct buf how = BUF_INIT;
	size_t i;

	for (i = 0; i < count; i++) {
		buf_clear(&how);
		if (!ok(value_is(values[i], wanted, &how), "the value <%s> "
		    "is %s everywhere, in pieces too", values[i],
		    wanted ? "taken" : "refused"))
			diag("%s", buf_text(&how));
	}
	buf_release(&how);
}

/* RFC 8259 section 6, read off its grammar. */
static bool
is_number(const char *text)
{
	size_t digits;

	text += *text == '-';
	digits = strspn(text, "0123456789");
	if (digits == 0 || (digits > 1 && *text == '0'))
		return false;
	text += digits;
	if (*text == '.') {
		digits = strspn(++text, "0123456789");
		if (digits == 0)
			return false;
		text += digits;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		digits = strspn(text, "0123456789");
		if (digits == 0)
			return false;
		text += digits;
	}
	return *text == '\0';
}

/* Whether a number is judged as it should be, whole and byte by byte. */
static bool
number_is_judged(const char *number, struct buf *body, struct buf *got)
{
	const struct reading reading = { keep_all, NULL };
	bool want = is_number(number), whole, bytes;

	buf_clear(body);
	buf_addf(body, "[{\"data\":{\"type\":\"f\",\"x\":%s}}]", number);
	read_body(got, body, body->len, 1, &reading);
	whole = strncmp(buf_text(got), "200", 3) == 0;
	read_body(got, body, 1, 1, &reading);
	bytes = strncmp(buf_text(got), "200", 3) == 0;
	return whole == want && bytes == want;
}

/* All that can be written with these signs: 9330 texts. */
static void
test_all_numbers(void)
{
	struct buf body = BUF_INIT, got = BUF_INIT, wrong = BUF_INIT;
	static const char letters[] = "01.-+e";
	unsigned bad = 0;
	char text[8];
	size_t len;

	for (len = 1; len <= 5; len++) {
		memset(text, letters[0], len);
		text[len] = '\0';
		do {
			if (number_is_judged(text, &body, &got))
				continue;
			if (bad++ < 40)
				buf_addf(&wrong, "%s ", text);
		} while (next_text(text, letters, len));
	}
	if (!is_num(bad, 0, "of all texts of five signs out of %s those are "
	    "numbers that RFC 8259 says, whole and byte by byte", letters))
		diag("wrongly judged: %s", buf_text(&wrong));
	buf_release(&body);
	buf_release(&got);
	buf_release(&wrong);
}

/* ------------------------------------------------------- odd records */

static const struct {
	const char *title;
	const char *body;
	const char *want;
} texts[] = {
	{ "a NUL does not end a name",
	    "[{\"data\":{\"type\":\"f\",\"type\\u0000x\":\"s\"}}]", GOOD },
	{ "of the data, too",
	    "{\"data\":{\"type\":\"f\"},\"data\\u0000x\":{\"type\":\"s\"}}",
	    GOOD },
	{ "a type of one NUL is a type",
	    "[{\"data\":{\"type\":\"\\u0000\"}}]",
	    "200 1\n- \xEF\xBF\xBD -" },
	{ "logs beside data are records, and so is the object",
	    "{\"logs\":[{\"data\":{\"type\":\"s\"}}],"
	    "\"data\":{\"type\":\"f\"}}", "200 2\n- s -\n- f -" },
	{ "and so is the object with a type of its own",
	    "{\"type\":\"f\",\"logs\":[{\"data\":{\"type\":\"s\"}}]}",
	    "200 2\n- s -\n- f -" },
	{ "one with data that have none is not",
	    "{\"data\":{\"x\":1},\"logs\":[{\"type\":\"s\"}],\"x\":2}",
	    "200 1\n- s -" },
	{ "logs within logs are no records",
	    "{\"logs\":[{\"logs\":[{\"data\":{\"type\":\"s\"}}]},"
	    "{\"data\":{\"type\":\"f\"}}]}", GOOD },
	{ "an empty array of logs ends a line as well",
	    "{\"logs\":[]}\n{\"logs\":[]}\n", "204" },
	{ "the name of logs is in small letters",
	    "{\"Logs\":[{\"data\":{\"type\":\"f\"}}]}",
	    NO_EVENT "(records: 1)" },
	{ "a carriage return alone does not end a line",
	    "{\"data\":{\"type\":\"f\"}}\r{\"data\":{\"type\":\"f\"}}",
	    NOT_JSON "an unexpected character at byte 22" },
	{ "the first thing wrong is named, whatever follows it",
	    "[}\x01", NOT_JSON "an unexpected character at byte 1" },
	{ "and so when what follows is no UTF-8",
	    "[{\"data\":{\"type\":\"f\"}}] x \xFF",
	    NOT_JSON "more text after its end at byte 24" },
	{ "a line behind one with logs is a record of its own",
	    "{\"logs\":[]}\n{}",
	    NO_EVENT "(records: 1)" },
};

static void
test_texts(void)
{
	size_t i;

	for (i = 0; i < ROWS(texts); i++)
		check_text(texts[i].title, texts[i].body, texts[i].want);
}

/* ------------------------------------------------------------- cutting */

/* Where a body may end: a good one stays good up to there, as a shorter
 * one of JSON Lines does. */
static const struct {
	const char *title;
	const char *body;
	const char *ends[4];	/* beginnings that are bodies themselves */
} cuttable[] = {
	{ "an array", "[{\"log_id\":\"1\",\"data\":{\"type\":\"f\","
	    "\"description\":\"J\xC3\xBCrgen \\u20ac \\\" ]}\",\"x\":[1.5e3,"
	    "true,null,{}]}},{\"data\":{\"type\":\"s\"}}]", { NULL } },
	{ "a pretty array", " [ {\n \"data\" : { \"type\" : \"f\" }\n } , \n"
	    "{ } ]", { NULL } },
	{ "an empty array", " [ ]", { NULL } },
	{ "an object with logs", "{\"a\":[1],\"logs\":[{\"data\":{\"type\":"
	    "\"f\"}}],\"z\":{\"y\":-1}}", { NULL } },
	{ "a bare record", "{\"log_id\":\"1\",\"data\":{\"type\":\"f\"},"
	    "\"n\":12}", { NULL } },
	{ "two lines", "{\"data\":{\"type\":\"f\"}}\n"
	    "{\"data\":{\"type\":\"s\"}}", { "{\"data\":{\"type\":\"f\"}}",
	    "{\"data\":{\"type\":\"f\"}}\n", NULL } },
};

static bool
may_end(size_t row, size_t len)
{
	size_t i;

	for (i = 0; cuttable[row].ends[i]; i++)
		if (strlen(cuttable[row].ends[i]) == len)
			return true;
	return len == strlen(cuttable[row].body);
}

static bool
is_cut_reason(const char *got, size_t len)
{
	char want[100];

	snprintf(want, sizeof(want), "400 the body ends in the middle of its "
	    "JSON, after %zu bytes", len);
	return strcmp(got, want) == 0 ||
	    strcmp(got, "400 the body is empty") == 0;
}

static void
test_cuts(void)
{
	const struct reading reading = { keep_all, NULL };
	struct buf body = BUF_INIT, got = BUF_INIT;
	size_t row, len, bad;
	bool good;

	for (row = 0; row < ROWS(cuttable); row++) {
		bad = 0;
		for (len = 0; len <= strlen(cuttable[row].body); len++) {
			buf_clear(&body);
			buf_add(&body, cuttable[row].body, len);
			read_body(&got, &body, len, 1, &reading);
			good = may_end(row, len) ?
			    strncmp(buf_text(&got), "20", 2) == 0 :
			    is_cut_reason(buf_text(&got), len);
			if (!good && bad++ == 0)
				diag("%zu bytes: %s", len, buf_text(&got));
		}
		is_num((long long)bad, 0, "%s that is cut is never taken, "
		    "wherever it is cut", cuttable[row].title);
	}
	buf_release(&body);
	buf_release(&got);
}

/* Any one byte changed into any other: no crash, and one outcome. */
static void
test_changed_bytes(void)
{
	static const char text[] = "[{\"data\":{\"type\":\"f\",\"x\":-1.5}}]";
	const struct reading reading = { keep_all, NULL };
	struct buf body = BUF_INIT, whole = BUF_INIT, bytes = BUF_INIT;
	size_t i, bad = 0;
	unsigned byte;

	buf_adds(&body, text);
	for (i = 0; i < body.len; i++) {
		for (byte = 0; byte < 256; byte++) {
			body.data[i] = (char)byte;
			read_body(&whole, &body, body.len, 1, &reading);
			read_body(&bytes, &body, 1, 1, &reading);
			if (strcmp(buf_text(&whole), buf_text(&bytes)) == 0 ||
			    bad++ > 2)
				continue;
			diag("byte %zu is %02x: whole %s, bytes %s", i, byte,
			    buf_text(&whole), buf_text(&bytes));
		}
		body.data[i] = text[i];
	}
	is_num((long long)bad, 0, "with any byte changed a body is judged the "
	    "same whole and byte by byte");
	buf_release(&body);
	buf_release(&whole);
	buf_release(&bytes);
}

/* ------------------------------------------------------------- depth */

/*
 * A body in each format, with a value of that many levels in data (%s), and
 * the innermost of them around inside.
 */
static void
make_deep_body(struct buf *body, const char *format, size_t levels,
    const char *inside)
{
	const char *hole = strstr(format, "%s");
	size_t i;

	buf_clear(body);
	buf_add(body, format, (size_t)(hole - format));
	for (i = 0; i < levels; i++)
		buf_adds(body, i % 3 < 2 ? "[" : "{\"type\":");
	buf_adds(body, inside);
	for (i = levels; i-- > 0;)
		buf_addc(body, i % 3 < 2 ? ']' : '}');
	buf_adds(body, hole + strlen("%s"));
}

static void
test_depth(void)
{
	static const size_t levels[] = { 60, 97, 98, 99, 100, 1000, 100000 };
	static const struct {
		const char *name;
		const char *format;
	} formats[] = {
		{ "an array",
		    "[{\"data\":{\"type\":\"f\",\"x\":%s}}]" },
		{ "lines", "{\"data\":{\"type\":\"f\",\"x\":%s}}\n" },
		{ "an object with logs",
		    "{\"logs\":[{\"data\":{\"type\":\"f\",\"x\":%s}}]}" },
		{ "a bare event", "{\"type\":\"f\",\"x\":%s}" },
		{ "an array with others", "[%s,{\"type\":\"f\"}]" },
		{ "a line with logs",
		    "{\"a\":%s,\"logs\":[{\"type\":\"f\"}],\"b\":1}" },
		{ "a description",
		    "[{\"type\":\"f\",\"description\":%s}]" },
	};
	const struct reading reading = { keep_all, NULL };
	struct buf body = BUF_INIT, whole = BUF_INIT, pieces = BUF_INIT;
	size_t i, f;

	for (i = 0; i < ROWS(levels); i++)
		for (f = 0; f < ROWS(formats); f++) {
			make_deep_body(&body, formats[f].format, levels[i],
			    "\"x\",null");
			if (levels[i] % 3 == 0) /* they stand in an object */
				make_deep_body(&body, formats[f].format,
				    levels[i], "\"x\"");
			read_body(&whole, &body, body.len, 1, &reading);
			read_body(&pieces, &body, body.len / 3, 5, &reading);
			if (!ok(strcmp(buf_text(&whole), GOOD) == 0 &&
			    strcmp(buf_text(&pieces), GOOD) == 0,
			    "%s with a value of %zu levels is taken",
			    formats[f].name, levels[i]))
				diag("%s %s", buf_text(&whole),
				    buf_text(&pieces));
		}
	buf_release(&body);
	buf_release(&whole);
	buf_release(&pieces);
}

/* The bracket that is wrong is found at any depth. */
static void
test_wrong_depth(void)
{
	const struct reading reading = { keep_all, NULL };
	struct buf body = BUF_INIT, want = BUF_INIT;

	make_deep_body(&body, "[{\"data\":{\"type\":\"f\",\"x\":%s}}]", 3000,
	    "1");
	body.data[body.len - 5] = '}';
	buf_addf(&want, NOT_JSON "an unexpected character at byte %zu",
	    body.len - 5);
	check_body("a wrong bracket around 3,000 levels", &body, &reading,
	    buf_text(&want));
	buf_release(&body);
	buf_release(&want);
}

/* ------------------------------------------------------------- counts */

static void
test_counts(void)
{
	struct buf body = body_of("[{},{\"data\":{\"type\":\"f\"}},null,"
	    "{\"data\":{\"type\":\"s\"}},{\"data\":{\"type\":\"fu\"}}]");
	struct buf why = BUF_INIT;
	struct event_list list = { NULL, 0, 0 };
	struct filter *filter = filter_new(FILTER_DEFAULT, &why);
	struct event_reader *reader;
	const struct event_counts *counts;

	reader = event_reader_new(keep_filtered, filter, &list);
	counts = event_reader_counts(reader);
	ok(counts->records == 0 && counts->unusable == 0 && counts->kept == 0,
	    "a new reader has counted nothing");
	ok(feed(reader, &body, body.len, 1, &why), "a mixed body is read");
	is_num((long long)counts->records, 5, "all records are counted");
	is_num((long long)counts->unusable, 2, "those without a type are");
	is_num((long long)counts->kept, 2, "and those kept");
	is_num((long long)list.count, 2, "which are in the list");
	event_reader_free(reader);
	is_str(list.events[1]->type, "fu", "events outlive their reader");
	event_list_release(&list);
	ok(!list.events && list.count == 0, "a released list is empty");
	event_list_release(&list);
	event_reader_free(NULL);
	filter_free(filter);
	buf_release(&body);
	buf_release(&why);
}

/* ------------------------------------------------------------- fields */

static void
test_fields(void)
{
	struct buf body = body_of("[{\"log_id\":\"1\",\"data\":{"
	    "\"type\":\"limit_wc\",\"description\":\"d\\u00e9\","
	    "\"client_id\":\"ci\",\"client_name\":\"cn\","
	    "\"connection\":\"co\",\"hostname\":\"h.eu.auth0.com\","
	    "\"ip\":\"192.0.2.1\",\"tenant_name\":\"t\","
	    "\"user_id\":\"auth0|5\",\"user_name\":\"u\","
	    "\"date\":\"2026-08-01T12:34:56.789Z\","
	    "\"details\":{\"type\":\"s\",\"ip\":\"inner\"}}},"
	    "{\"description\":\"outer\",\"data\":{\"type\":\"xyz\"}}]");
	struct event_list list = { NULL, 0, 0 };
	struct event_reader *reader;
	struct buf why = BUF_INIT;
	const struct event *e;

	reader = event_reader_new(keep_all, NULL, &list);
	ok(feed(reader, &body, 7, 5, &why) && list.count == 2,
	    "two records are read");
	event_reader_free(reader);
	e = list.events[0];
	is_str(e->log_id, "1", "log_id");
	is_str(e->type, "limit_wc", "type");
	is_str(e->description, "d\xC3\xA9", "description");
	is_str(e->client_id, "ci", "client_id");
	is_str(e->client_name, "cn", "client_name");
	is_str(e->connection, "co", "connection");
	is_str(e->hostname, "h.eu.auth0.com", "hostname");
	is_str(e->ip, "192.0.2.1", "ip is that of data, not of details");
	is_str(e->tenant_name, "t", "tenant_name");
	is_str(e->user_id, "auth0|5", "user_id");
	is_str(e->user_name, "u", "user_name");
	is_num(e->class, CLASS_ANOMALY, "the class is the catalogue's");
	is_num(e->time_ms, 1785587696789, "the time is in milliseconds");
	e = list.events[1];
	ok(!e->log_id && !e->description && !e->client_id &&
	    !e->client_name && !e->connection && !e->hostname && !e->ip &&
	    !e->tenant_name && !e->user_id && !e->user_name,
	    "what data lacks is NULL");
	is_num(e->class, CLASS_NOTICE, "an unknown type has a class");
	ok(e->time_ms == EVENT_NO_TIME, "a record without a date has no time");
	event_list_release(&list);
	buf_release(&body);
	buf_release(&why);
}

static const char *const names_noted[] = {
	"text", "type", "empty", "null", "number", "truth", "object",
	"absent", "nul", "twice",
};

/* What pick_text says of the record at hand. */
static unsigned
note_fields(void *context, const char *type, struct pick *record)
{
	const char *value;
	size_t i;

	buf_addf(context, "%s:", type);
	for (i = 0; i < ROWS(names_noted); i++) {
		value = pick_text(record, names_noted[i]);
		buf_addf(context, " %s", value ? value : "-");
	}
	return false;
}

static void
test_fields_asked_for(void)
{
	struct buf body = body_of("{\"text\":\"outer\",\"data\":{\"type\":"
	    "\"f\",\"text\":\"inner\",\"empty\":\"\",\"null\":null,"
	    "\"number\":9007199254740993,\"truth\":true,\"object\":"
	    "{\"text\":\"x\"},\"nul\":"
	    "\"a\\u0000b\",\"twice\":\"1\",\"twice\":\"2\"}}");
	struct event_list list = { NULL, 0, 0 };
	struct buf seen = BUF_INIT, why = BUF_INIT;
	struct event_reader *reader;
	size_t i;

	reader = event_reader_new(note_fields, &seen, &list);
	for (i = 0; i < ROWS(names_noted); i++)
		event_reader_want(reader, names_noted[i]);
	ok(feed(reader, &body, body.len, 1, &why), "a record is read");
	is_str(buf_text(&seen), "f: inner f - - 9007199254740993 true - - "
	    "a\xEF\xBF\xBD" "b 2",
	    "a field is a text, number or truth of data");
	is_num((long long)list.count, 0, "what keep does not want is not "
	    "kept");
	event_reader_free(reader);
	event_list_release(&list);
	buf_release(&body);
	buf_release(&seen);
	buf_release(&why);
}

/* ------------------------------------------------------------- memory */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

/* Bytes of memory in use; without a sanitizer, the most there ever were. */
static long long
memory_held(void)
{
#ifdef SANITIZED
	return (long long)__sanitizer_get_current_allocated_bytes();
#else
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (long long)usage.ru_maxrss * 1024;
#endif
}

static const struct {
	const char *name;
	const char *begin, *between, *end;
	unsigned records;
} floods[] = {
	{ "an array", "[", ",", "]", 200000 },
	{ "lines", "", "\n", "\n", 50000 },
	{ "an object with logs", "{\"n\":1,\"logs\":[", ",", "]}", 50000 },
};

#define RECORD "{\"log_id\":\"90020260801123456789000000000000001223372036" \
	"854775807001\",\"data\":{\"type\":\"s\",\"description\":\"text\"," \
	"\"details\":{\"a\":[1,2,{\"b\":\"c\"}]},\"user_name\":\"x\"}}"

/*
 * A record held on to would be some 2 kB of json-c's, 100 MB and more in
 * all. The bound is below that, and above what valgrind keeps of freed
 * memory.
 */
static void
test_memory(size_t row)
{
	struct event_list list = { NULL, 0, 0 };
	struct event_reader *reader;
	struct buf part = BUF_INIT, why = BUF_INIT;
	long long before = 0, most = 0;
	unsigned i;
	bool good;

	reader = event_reader_new(keep_none, NULL, &list);
	good = event_reader_feed(reader, floods[row].begin,
	    strlen(floods[row].begin), &why);
	for (i = 0; good && i < floods[row].records; i++) {
		buf_clear(&part);
		buf_adds(&part, i > 0 ? floods[row].between : "");
		buf_adds(&part, RECORD);
		good = event_reader_feed(reader, part.data, part.len, &why);
		if (i == 1000)
			before = memory_held();
		if (i % 1000 == 0 && i > 1000 && memory_held() > most)
			most = memory_held();
	}
	good = good && event_reader_feed(reader, floods[row].end,
	    strlen(floods[row].end), &why) && event_reader_end(reader, &why);
	ok(good, "%u records as %s are read", floods[row].records,
	    floods[row].name);
	is_num((long long)event_reader_counts(reader)->records,
	    floods[row].records, "all of them");
	if (!ok(before > 0 && most - before < 60000000, "and memory does not "
	    "grow with those that are not kept"))
		diag("from %lld to %lld bytes", before, most);
	event_reader_free(reader);
	event_list_release(&list);
	buf_release(&part);
	buf_release(&why);
}

/* A record of 16 MiB beside a small one: what makes it so long. */
static const struct {
	const char *title;
	const char *before, *filler, *after;
	const char *want;	/* of both */
} long_records[] = {
	{ "a text that nobody asks for",
	    "[{\"data\":{\"type\":\"f\",\"x\":\"", "x",
	    "\"}},{\"type\":\"fu\"}]", "200 2\n- f -\n- fu -" },
	{ "one before the data, among logs",
	    "{\"logs\":[{\"x\":\"", "x",
	    "\",\"data\":{\"type\":\"f\"}},{\"type\":\"fu\"}]}",
	    "200 2\n- f -\n- fu -" },
	{ "objects, which cost json-c the most",
	    "[{\"type\":\"fu\"},{\"data\":{\"type\":\"f\",\"x\":[1", ",{}",
	    "]}}]", "200 2\n- fu -\n- f -" },
	{ "a deep one, on a line",
	    "{\"type\":\"fu\"}\n{\"x\":", "[", "", "400" },
	{ "a line with logs behind it",
	    "{\"x\":\"", "x", "\",\"logs\":[{\"type\":\"f\"}],\"type\":"
	    "\"fu\"}", "200 2\n- f -\n- fu -" },
	{ "a line with logs before it",
	    "{\"logs\":[{\"type\":\"f\"}],\"x\":\"", "x", "\",\"type\":"
	    "\"fu\"}", "200 2\n- f -\n- fu -" },
	{ "a log_id", "[{\"log_id\":\"", "9", "\",\"type\":\"f\"},{\"type\":"
	    "\"fu\",\"log_id\":\"1\"}]", "200 2\n- f -\n1 fu -" },
	{ "names", "[{\"type\":\"f\"", ",\"type\\u0020\":1",
	    "},{\"type\":\"fu\"}]", "200 2\n- f -\n- fu -" },
};

static void
test_long_record(size_t row)
{
	struct event_list list = { NULL, 0, 0 };
	struct buf part = BUF_INIT, why = BUF_INIT, got = BUF_INIT;
	struct event_reader *reader;
	long long before, most = 0;
	size_t fed = 0;
	bool good;

	reader = event_reader_new(keep_all, NULL, &list);
	good = event_reader_feed(reader, long_records[row].before,
	    strlen(long_records[row].before), &why);
	while (part.len < 60000)
		buf_adds(&part, long_records[row].filler);
	before = memory_held();
	for (; good && fed < 16777216; fed += part.len) {
		good = event_reader_feed(reader, part.data, part.len, &why);
		if (memory_held() > most)
			most = memory_held();
	}
	good = good && event_reader_feed(reader, long_records[row].after,
	    strlen(long_records[row].after), &why) &&
	    event_reader_end(reader, &why);
	if (good) {
		buf_addf(&got, "200 %zu", list.count);
		add_events(&got, &list);
	} else {
		buf_adds(&got, "400");
	}
	is_str(buf_text(&got), long_records[row].want, "a record of 16 MiB: "
	    "%s", long_records[row].title);
	if (!ok(most - before < 5000000, "and memory has not grown with it"))
		diag("from %lld to %lld bytes", before, most);
	event_reader_free(reader);
	event_list_release(&list);
	buf_release(&part);
	buf_release(&why);
	buf_release(&got);
}

/* A text that is shown is cut, and says so. */
static void
test_long_text(void)
{
	const struct reading reading = { keep_all, NULL };
	struct buf body = BUF_INIT, want = BUF_INIT;
	size_t i;

	buf_adds(&body, "[{\"type\":\"f\",\"description\":\"");
	for (i = 0; i < 1000; i++)
		buf_adds(&body, "0123456789");
	buf_adds(&body, "\"}]");
	buf_adds(&want, "200 1\n- f ");
	for (i = 0; i < PICK_TEXT_MAX - 3; i++)
		buf_addc(&want, "0123456789"[i % 10]);
	buf_adds(&want, "\xE2\x80\xA6");
	check_body("a description of 10 kB is cut, with a mark", &body,
	    &reading, buf_text(&want));
	buf_release(&body);
	buf_release(&want);
}

/*
 * Two ids with a beginning in common are never made one: they are kept
 * whole, or not at all.
 */
static void
test_long_ids(void)
{
	static const size_t lens[] = {
		EVENT_LOG_ID_MAX - 1, EVENT_LOG_ID_MAX, EVENT_LOG_ID_MAX + 1,
		PICK_TEXT_MAX, PICK_TEXT_MAX + 1, 20 * PICK_TEXT_MAX
	};
	struct event_list list = { NULL, 0, 0 };
	struct buf id = BUF_INIT, body = BUF_INIT, why = BUF_INIT;
	struct event_reader *reader;
	size_t i;

	for (i = 0; i < ROWS(lens); i++) {
		buf_clear(&id);
		buf_clear(&body);
		while (id.len < lens[i] - 1)
			buf_addc(&id, '9');
		buf_addf(&body, "[{\"log_id\":\"%sa\",\"type\":\"f\"},"
		    "{\"data\":{\"log_id\":\"%sb\",\"type\":\"f\"}}]",
		    buf_text(&id), buf_text(&id));
		reader = event_reader_new(keep_all, NULL, &list);
		ok(feed(reader, &body, 3000, 3000, &why) && list.count == 2,
		    "two events with ids of %zu bytes are read", lens[i]);
		if (lens[i] <= EVENT_LOG_ID_MAX)
			ok(strlen(list.events[0]->log_id) == lens[i] &&
			    strcmp(list.events[0]->log_id,
			    list.events[1]->log_id) < 0,
			    "the ids are whole, and differ");
		else
			ok(!list.events[0]->log_id && !list.events[1]->log_id,
			    "they have none: cut, they would be the same");
		event_reader_free(reader);
		event_list_release(&list);
	}
	buf_release(&id);
	buf_release(&body);
	buf_release(&why);
}

int
main(void)
{
	size_t i;

	/* First, while nothing has made the process large. */
	for (i = 0; i < ROWS(long_records); i++)
		test_long_record(i);
	for (i = 0; i < ROWS(floods); i++)
		test_memory(i);
	test_files();
	test_values(good_values, ROWS(good_values), true);
	test_values(bad_values, ROWS(bad_values), false);
	test_all_numbers();
	test_texts();
	test_cuts();
	test_changed_bytes();
	test_depth();
	test_wrong_depth();
	test_counts();
	test_fields_asked_for();
	test_fields();
	test_long_text();
	test_long_ids();
	return done_testing();
}
