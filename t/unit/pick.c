/* SPDX-License-Identifier: ISC */
/*
 * What is picked out of a record: each is read whole, split at every byte
 * and byte by byte, and json-c is not asked.
 */
#include "pick.h"

#include "buf.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define REPLACED "\xEF\xBF\xBD"
#define CUT "\xE2\x80\xA6"

static const struct row {
	const char *title;
	const char *value;
	const char *want;	/* log_id type x, and late the last two again */
} rows[] = {
	{ "a record",
	    "{\"log_id\":\"1\",\"data\":{\"type\":\"f\",\"x\":\"y\","
	    "\"later\":\"z\"}}", "1 f y z" },
	{ "the same the other way round",
	    "{\"data\":{\"later\":\"z\",\"x\":\"y\",\"type\":\"f\"},"
	    "\"log_id\":\"1\"}", "1 f y z" },
	{ "the log_id of data is the record's if it has none",
	    "{\"data\":{\"type\":\"f\",\"log_id\":\"2\"}}", "2 f - -" },
	{ "or an empty one",
	    "{\"log_id\":\"\",\"data\":{\"type\":\"f\",\"log_id\":\"2\"}}",
	    "2 f - -" },
	{ "and not if it has one",
	    "{\"data\":{\"type\":\"f\",\"log_id\":\"2\"},\"log_id\":\"1\"}",
	    "1 f - -" },

	{ "a bare event is its own data",
	    "{\"log_id\":\"1\",\"type\":\"f\",\"later\":\"z\",\"x\":\"y\"}",
	    "1 f y z" },
	{ "as is one with data that have no type",
	    "{\"data\":{\"x\":\"1\"},\"type\":\"f\",\"x\":\"y\"}", "- f y -" },
	{ "or data that are no object",
	    "{\"type\":\"f\",\"data\":\"text\",\"x\":\"y\"}", "- f y -" },
	{ "names beside data with a type are others",
	    "{\"type\":\"s\",\"x\":\"1\",\"later\":\"2\",\"data\":{\"type\":"
	    "\"f\"},\"other\":{\"type\":\"s\",\"x\":\"3\"}}", "- f - -" },
	{ "names deeper than data are others",
	    "{\"data\":{\"a\":{\"type\":\"s\",\"x\":\"1\"},\"type\":\"f\","
	    "\"b\":[{\"x\":\"2\"}]}}", "- f - -" },
	{ "names deeper than a bare event are others",
	    "{\"details\":{\"type\":\"s\",\"x\":\"1\",\"log_id\":\"2\"},"
	    "\"type\":\"f\"}", "- f - -" },
	{ "texts are no names",
	    "{\"data\":{\"a\":\"type\",\"b\":[\"x\",\"y\"],\"type\":\"f\"},"
	    "\"c\":\"log_id\"}", "- f - -" },

	{ "of two of a name the last counts",
	    "{\"log_id\":\"1\",\"log_id\":\"2\",\"data\":{\"type\":\"s\","
	    "\"x\":\"1\",\"type\":\"f\",\"x\":\"y\"}}", "2 f y -" },
	{ "be it null or empty",
	    "{\"log_id\":\"1\",\"log_id\":null,\"data\":{\"type\":\"f\","
	    "\"x\":\"1\",\"x\":\"\"}}", "- f - -" },
	{ "or an object with one like it",
	    "{\"data\":{\"type\":\"s\",\"type\":{\"type\":\"f\"}}}",
	    "- - - -" },
	{ "of the first data nothing is left",
	    "{\"data\":{\"type\":\"s\",\"x\":\"1\",\"later\":\"2\"},\"data\":"
	    "{\"type\":\"f\"}}", "- f - -" },
	{ "and no data after data is none",
	    "{\"data\":{\"type\":\"s\",\"x\":\"1\"},\"data\":[]}", "- - - -" },
	{ "of a bare event, too",
	    "{\"type\":\"s\",\"x\":\"1\",\"type\":\"f\",\"x\":\"y\"}",
	    "- f y -" },

	{ "a list with data in it is no record",
	    "[{\"type\":\"f\",\"x\":\"y\"}]", "- - - -" },
	{ "nor is a list with a record in it",
	    "[{\"data\":{\"type\":\"f\"}}]", "- - - -" },
	{ "a list for data is none",
	    "{\"data\":[{\"type\":\"f\"},\"x\"]}", "- - - -" },
	{ "an empty record", "{}", "- - - -" },
	{ "a word for a record", "null", "- - - -" },
	{ "a text for one", "\"type\"", "- - - -" },

	{ "escaped names",
	    "{\"\\u006cog_id\":\"1\",\"dat\\u0061\":{\"typ\\u0065\":\"f\","
	    "\"\\u0078\":\"y\",\"l\\u0061ter\":\"z\"}}", "1 f y z" },
	{ "names of nothing but escapes",
	    "{\"\\u006c\\u006f\\u0067\\u005f\\u0069\\u0064\":\"1\",\"data\":"
	    "{\"type\":\"f\",\"\\u006c\\u0061\\u0074\\u0065\\u0072\":"
	    "\"z\"}}", "1 f - z" },
	{ "a name ends at a NUL",
	    "{\"log_id\\u0000z\":\"1\",\"data\\u0000\":{\"type\\u0000\":"
	    "\"f\",\"\\u0000x\":\"y\",\"later\\u0000\\u0000xx\":\"z\"}}",
	    "1 f - z" },
	{ "a name that needs another escape",
	    "{\"data\":{\"type\\\\\":\"s\",\"\\\"type\":\"s\","
	    "\"type\\u0020\":\"s\"}}", "- - - -" },
	{ "names that only begin like it",
	    "{\"data\":{\"typ\":\"s\",\"types\":\"s\",\"\":\"s\"}}",
	    "- - - -" },
	{ "space wherever it may stand",
	    "{ \"log_id\" :\n\"1\" ,\t\"data\"\r: { \"type\" : \"f\" , "
	    "\"x\"  :  \"y\" , \"later\" \n: \"z\" } }", "1 f y z" },
	{ "a NUL in a text, and half a pair",
	    "{\"data\":{\"type\":\"a\\u0000\",\"x\":\"\\ud83d!\\ude00\"}}",
	    "- a" REPLACED " " REPLACED "!" REPLACED " -" },
	{ "a text of one NUL",
	    "{\"data\":{\"type\":\"\\u0000\"}}", "- " REPLACED " - -" },
	{ "a text with a quote and a backslash",
	    "{\"data\":{\"type\":\"\\\"\\\\\",\"x\":\"\\\\\"}}",
	    "- \"\\ \\ -" },
	{ "whole pairs, and text that is no ASCII",
	    "{\"data\":{\"type\":\"\\uD83D\\uDE00\",\"x\":\"\xC3\xBC\"}}",
	    "- \xF0\x9F\x98\x80 \xC3\xBC -" },

	{ "numbers are their digits",
	    "{\"log_id\":90020260801123456789000000000000001223372036854775807,"
	    "\"data\":{\"type\":\"f\",\"x\":-1.50E+400,\"later\":"
	    "9007199254740993}}", "90020260801123456789000000000000001223372036"
	    "854775807 f -1.50E+400 9007199254740993" },
	{ "before white space, too",
	    "{\"type\":\"f\",\"log_id\":12\n,\"x\":-0 }", "12 f -0 -" },
	{ "truths are their words",
	    "{\"data\":{\"type\":\"f\",\"x\":true,\"later\":false}}",
	    "- f true false" },
	{ "null, objects and lists have no text",
	    "{\"log_id\":null,\"data\":{\"type\":\"f\",\"x\":{\"x\":\"1\"},"
	    "\"later\":[\"1\"]}}", "- f - -" },
	{ "a type has to be a text",
	    "{\"data\":{\"type\":5,\"x\":\"y\"}}", "- - - -" },
	{ "a bare one, too", "{\"type\":true,\"x\":\"y\"}", "- - y -" },
	{ "an empty type is none, and the record's own is one",
	    "{\"data\":{\"type\":\"\",\"x\":\"1\"},\"type\":\"f\"}",
	    "- f - -" },
};

/* --------------------------------------------------------------- reading */

static void
add(struct buf *out, const char *text)
{
	buf_addf(out, "%s%s", out->len > 0 ? " " : "", text ? text : "-");
}

static void
describe(struct buf *out, struct pick *p)
{
	buf_clear(out);
	add(out, pick_log_id(p));
	add(out, pick_type(p));
	add(out, pick_field(p, "x"));
	pick_late(p);
	add(out, pick_field(p, "later"));
}

/*
 * Describes a record that stands in an array and is read in a piece of
 * first bytes and others of rest bytes, each of them gone when the next
 * comes.
 */
static void
read_in_pieces(struct buf *out, struct pick *p, const struct buf *value,
    size_t first, size_t rest)
{
	enum pick_stop stop = PICK_MORE;
	size_t done, n, piece = first;
	char *bytes = NULL;
	struct scan s = { 0 };
	const char *why;

	scan_bytes(&s, "[", 1, &why);
	pick_begin(p, &s, false);
	for (done = 0; done < value->len; done += piece, piece = rest) {
		n = value->len - done < piece ? value->len - done : piece;
		free(bytes);
		bytes = mem_alloc(n);
		memcpy(bytes, value->data + done, n);
		pick_read(p, &s, bytes, n, &stop, &why);
	}
	if (stop != PICK_WHOLE)
		buf_adds(out, "not whole");
	else
		describe(out, p);
	free(bytes);
	scan_release(&s);
}

/* Whether a record is the same however it is cut up. */
static bool
same_in_pieces(struct pick *p, const struct buf *value, const char *want,
    size_t step)
{
	struct buf got = BUF_INIT;
	size_t i;
	bool same;

	read_in_pieces(&got, p, value, 1, 1);
	same = strcmp(buf_text(&got), want) == 0;
	for (i = 1; same && i < value->len; i += step) {
		read_in_pieces(&got, p, value, i, value->len);
		same = strcmp(buf_text(&got), want) == 0;
	}
	if (!same)
		diag("%.200s", buf_text(&got));
	buf_release(&got);
	return same;
}

static void
test_row(struct pick *p, const struct row *row)
{
	struct buf got = BUF_INIT, value = BUF_INIT;

	buf_adds(&value, row->value);
	read_in_pieces(&got, p, &value, value.len, 1);
	is_str(buf_text(&got), row->want, "%s", row->title);
	ok(same_in_pieces(p, &value, row->want, 1), "the same in pieces");
	buf_release(&got);
	buf_release(&value);
}

/* ----------------------------------------------------------------- length */

static void
add_times(struct buf *out, const char *text, size_t times)
{
	while (times-- > 0)
		buf_adds(out, text);
}

/* Texts of so many times a character, and how many of them are left. */
static const struct {
	const char *title;
	const char *written;	/* in the record */
	const char *text;
	size_t times;
	size_t left;		/* before the mark; == times: no mark */
} long_texts[] = {
	{ "as long as a text may be", "x", "x", PICK_TEXT_MAX, PICK_TEXT_MAX },
	{ "one byte longer", "x", "x", PICK_TEXT_MAX + 1, PICK_TEXT_MAX - 3 },
	{ "very long", "x", "x", 9 * PICK_TEXT_MAX, PICK_TEXT_MAX - 3 },
	{ "of escapes", "\\u0041", "A", PICK_TEXT_MAX, PICK_TEXT_MAX },
	{ "of one escape more", "\\u0041", "A", PICK_TEXT_MAX + 1,
	    PICK_TEXT_MAX - 3 },
	{ "of very many escapes", "\\u0041", "A", 9 * PICK_TEXT_MAX,
	    PICK_TEXT_MAX - 3 },
	{ "of short escapes", "\\\"", "\"", 9 * PICK_TEXT_MAX,
	    PICK_TEXT_MAX - 3 },
	{ "of pairs", "\\uD83D\\uDE00", "\xF0\x9F\x98\x80",
	    5 * PICK_TEXT_MAX, (PICK_TEXT_MAX - 3) / 4 },
	{ "of halves of pairs", "\\uD83D", REPLACED, 9 * PICK_TEXT_MAX,
	    (PICK_TEXT_MAX - 3) / 3 },
	{ "of characters of two bytes", "\xC3\xBC", "\xC3\xBC",
	    8 * PICK_TEXT_MAX, (PICK_TEXT_MAX - 3) / 2 },
	{ "of characters of four", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80",
	    8 * PICK_TEXT_MAX, (PICK_TEXT_MAX - 3) / 4 },
	{ "of NULs", "\\u0000", REPLACED, 9 * PICK_TEXT_MAX,
	    (PICK_TEXT_MAX - 3) / 3 },
};

static void
test_long_text(struct pick *p, size_t row)
{
	struct buf value = BUF_INIT, want = BUF_INIT, got = BUF_INIT;

	buf_adds(&value, "{\"data\":{\"type\":\"f\",\"x\":\"");
	add_times(&value, long_texts[row].written, long_texts[row].times);
	buf_adds(&value, "\",\"later\":\"z\"}}");
	buf_adds(&want, "- f ");
	add_times(&want, long_texts[row].text, long_texts[row].left);
	buf_adds(&want, long_texts[row].left < long_texts[row].times ?
	    CUT " z" : " z");
	read_in_pieces(&got, p, &value, value.len, 1);
	ok(strcmp(buf_text(&got), buf_text(&want)) == 0, "a text %s is %s",
	    long_texts[row].title, long_texts[row].left <
	    long_texts[row].times ? "cut, with a mark" : "whole");
	ok(same_in_pieces(p, &value, buf_text(&want), value.len / 7),
	    "the same in pieces");
	buf_release(&value);
	buf_release(&want);
	buf_release(&got);
}

/* What is long, or many, and nobody asked for. */
static const struct {
	const char *title;
	const char *before, *filler, *after;
	size_t times;
	const char *want;
} long_parts[] = {
	{ "a text", "{\"data\":{\"type\":\"f\",\"a\":\"", "x",
	    "\",\"x\":\"y\"}}", 120000, "- f y -" },
	{ "a text before data", "{\"a\":\"", "x", "\",\"data\":{\"type\":"
	    "\"f\",\"later\":\"z\"}}", 120000, "- f - z" },
	{ "a list", "{\"data\":{\"type\":\"f\",\"a\":[1", ",{}",
	    "],\"x\":\"y\"}}", 40000, "- f y -" },
	{ "a wanted list", "{\"data\":{\"type\":\"f\",\"x\":[\"1\"", ",\"x\"",
	    "],\"later\":\"z\"}}", 40000, "- f - z" },
	{ "white space", "{\"data\":{\"type\":\"f\",\"x\":", " ",
	    "\"y\"}}", 120000, "- f y -" },
	{ "white space before a colon", "{\"data\":{\"type\":\"f\",\"x\"", "\n",
	    ":\"y\"}}", 120000, "- f y -" },
	{ "a name", "{\"data\":{\"type\":\"f\",\"xx", "x", "\":1,\"x\":\"y\"}}",
	    120000, "- f y -" },
	{ "a name of escapes", "{\"data\":{\"type\":\"f\",\"x", "\\u0078",
	    "\":1,\"x\":\"y\"}}", 20000, "- f y -" },
	{ "a name that ends at a NUL", "{\"data\":{\"type\":\"f\",\"x\\u0000",
	    "\\\"", "\":\"y\"}}", 20000, "- f y -" },
	{ "a number", "{\"data\":{\"type\":\"f\",\"a\":1", "0",
	    ",\"x\":\"y\"}}", 120000, "- f y -" },
	{ "other members", "{\"data\":{\"type\":\"f\"", ",\"a\":1",
	    ",\"x\":\"y\"}}", 20000, "- f y -" },
	{ "one member again and again", "{\"data\":{\"type\":\"f\"",
	    ",\"x\":\"z\"", ",\"x\":\"y\"}}", 20000, "- f y -" },
	{ "data again and again", "{\"data\":1", ",\"data\":{\"x\":\"z\"}",
	    ",\"data\":{\"type\":\"f\"}}", 10000, "- f - -" },
	{ "a bare event", "{\"type\":\"f\",\"a\":\"", "x", "\",\"x\":\"y\"}",
	    120000, "- f y -" },
};

static void
test_long_part(struct pick *p, size_t row)
{
	struct buf value = BUF_INIT, got = BUF_INIT;

	buf_adds(&value, long_parts[row].before);
	add_times(&value, long_parts[row].filler, long_parts[row].times);
	buf_adds(&value, long_parts[row].after);
	read_in_pieces(&got, p, &value, value.len, 1);
	is_str(buf_text(&got), long_parts[row].want, "%s of any length does "
	    "not matter", long_parts[row].title);
	ok(same_in_pieces(p, &value, long_parts[row].want, value.len / 7),
	    "the same in pieces");
	buf_release(&value);
	buf_release(&got);
}

/* Values nested in each other, too deep for json-c. */
static void
test_depth(struct pick *p, const char *name, const char *want)
{
	struct buf value = BUF_INIT, got = BUF_INIT;
	size_t depth = 20000;

	buf_addf(&value, "{\"data\":{\"%s\":", name);
	add_times(&value, "[{\"type\":", depth / 2);
	buf_adds(&value, "\"s\"");
	add_times(&value, "}]", depth / 2);
	buf_adds(&value, ",\"type\":\"f\",\"later\":\"z\"}}");
	read_in_pieces(&got, p, &value, value.len, 1);
	is_str(buf_text(&got), want, "a member %s of %zu levels does not "
	    "matter", name, depth);
	ok(same_in_pieces(p, &value, want, value.len / 7),
	    "the same in pieces");
	buf_release(&value);
	buf_release(&got);
}

/* ------------------------------------------------------------------ logs */

static const struct {
	const char *title;
	const char *value;
	size_t logs;		/* where to stop; 0: not */
	const char *want;
} lines[] = {
	{ "an array of logs", "{\"logs\":[7],\"type\":\"f\",\"x\":\"y\"}", 8,
	    "- f y -" },
	{ "between others", "{\"data\":{\"type\":\"f\"},\"logs\" :\t[7]\n,"
	    "\"log_id\":\"1\"}", 30, "1 f - -" },
	{ "an escaped one", "{\"l\\u006fgs\":[7],\"type\":\"f\"}", 13,
	    "- f - -" },
	{ "one cut at a NUL", "{\"logs\\u0000\":[7],\"type\":\"f\"}", 14,
	    "- f - -" },
	{ "no logs", "{\"type\":\"f\",\"log\":[7]}", 0, "- f - -" },
	{ "a text for logs", "{\"logs\":\"[7]\",\"type\":\"f\"}", 0,
	    "- f - -" },
	{ "an object for logs", "{\"logs\":{\"a\":[7]},\"type\":\"f\"}", 0,
	    "- f - -" },
	{ "logs in data", "{\"data\":{\"logs\":[7],\"type\":\"f\"}}", 0,
	    "- f - -" },
	{ "logs in logs", "{\"logs\":{\"logs\":[7]},\"type\":\"f\"}", 0,
	    "- f - -" },
};

/*
 * Reads a line in two pieces, and what its logs are in the way the reader
 * does. Returns where it stopped for them, 0 for nowhere.
 */
static size_t
read_line(struct buf *out, struct pick *p, const char *value, size_t first)
{
	size_t len = strlen(value), done = 0, end = first, logs = 0;
	enum pick_stop stop = PICK_MORE;
	struct scan s = { 0 };
	const char *why;

	pick_begin(p, &s, true);
	while (done < len && stop != PICK_WHOLE && stop != PICK_BAD) {
		if (end <= done)
			end = len;
		done += pick_read(p, &s, value + done, end - done, &stop,
		    &why);
		if (stop != PICK_LOGS)
			continue;
		logs = done;
		scan_bytes(&s, value + done, 3, &why); /* [7] */
		done += 3;
		pick_resume(p, &s);
	}
	if (stop == PICK_WHOLE && done == len)
		describe(out, p);
	else
		buf_adds(out, "not whole");
	scan_release(&s);
	return logs;
}

static void
test_line(struct pick *p, size_t row)
{
	struct buf got = BUF_INIT;
	size_t i, bad = 0, logs = 0;

	for (i = 1; i <= strlen(lines[row].value); i++) {
		buf_clear(&got);
		logs = read_line(&got, p, lines[row].value, i);
		bad += logs != lines[row].logs ||
		    strcmp(buf_text(&got), lines[row].want) != 0;
	}
	is_str(buf_text(&got), lines[row].want, "%s: the line",
	    lines[row].title);
	is_num((long long)logs, (long long)lines[row].logs, "stops before an "
	    "array of logs, and nowhere else");
	is_num((long long)bad, 0, "the same in pieces");
	if (lines[row].logs > 0)
		is_str(pick_field(p, "logs"), NULL, "logs are no text");
	buf_release(&got);
}

static void
test_rest(struct pick *p)
{
	struct buf got = BUF_INIT, value = BUF_INIT;

	buf_adds(&value, rows[0].value);
	read_in_pieces(&got, p, &value, 7, 40);
	buf_clear(&value);
	buf_adds(&value, "{}");
	read_in_pieces(&got, p, &value, 1, 1);
	is_str(buf_text(&got), "- - - -", "of the last record nothing is left");
	is_str(pick_field(p, "absent"), NULL, "what nobody wanted is not "
	    "there");
	buf_release(&got);
	buf_release(&value);
	pick_free(NULL);
}

static void
test_with(size_t hold_bytes)
{
	struct pick *p = pick_new(hold_bytes);
	size_t i;

	diag("of a record in pieces %zu bytes are held", hold_bytes);
	pick_want(p, "later", PICK_LATE);
	pick_want(p, "type", PICK_LATE);
	pick_want(p, "x", PICK_LATE);
	pick_want(p, "x", PICK_EARLY);
	pick_want(p, "type", PICK_EARLY);
	pick_want(p, "logs", PICK_EARLY);
	for (i = 0; i < ROWS(rows); i++)
		test_row(p, &rows[i]);
	for (i = 0; i < ROWS(long_texts); i++)
		test_long_text(p, i);
	for (i = 0; i < ROWS(long_parts); i++)
		test_long_part(p, i);
	test_depth(p, "details", "- f - z");
	test_depth(p, "x", "- f - z");
	for (i = 0; i < ROWS(lines); i++)
		test_line(p, i);
	test_rest(p);
	pick_free(p);
}

int
main(void)
{
	test_with(0);
	test_with(1);
	test_with(40);
	test_with(16384);
	return done_testing();
}
