/* SPDX-License-Identifier: ISC */
/*
 * What is found in a record: each is read whole, split at every byte and byte
 * by byte.
 */
#include "event/pick.h"

#include "base/buf.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define REPLACED "\xEF\xBF\xBD"
#define CUT "\xE2\x80\xA6"

static const struct row {
	const char *title;
	const char *value;
	const char *want;	/* log_id type x later */
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
	{ "a NUL is a part of a name",
	    "{\"log_id\\u0000z\":\"1\",\"data\\u0000\":{\"type\":\"s\"},"
	    "\"data\":{\"type\\u0000\":\"s\",\"type\":\"f\",\"\\u0000x\":"
	    "\"y\",\"later\\u0000\\u0000xx\":\"z\"}}", "- f - -" },
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
	add(out, pick_text(p, "x"));
	add(out, pick_text(p, "later"));
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
	enum prune_stop stop = PRUNE_MORE;
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
	if (stop != PRUNE_WHOLE)
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
	{ "a name with a NUL in it", "{\"data\":{\"type\":\"f\",\"x\\u0000",
	    "\\\"", "\":\"y\"}}", 20000, "- f - -" },
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
	{ "a name with a NUL in it", "{\"logs\\u0000\":[7],\"type\":\"f\"}", 0,
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
	enum prune_stop stop = PRUNE_MORE;
	struct scan s = { 0 };
	const char *why;

	pick_begin(p, &s, true);
	while (done < len && stop != PRUNE_WHOLE && stop != PRUNE_BAD) {
		if (end <= done)
			end = len;
		done += pick_read(p, &s, value + done, end - done, &stop,
		    &why);
		if (stop != PRUNE_LOGS)
			continue;
		logs = done;
		scan_bytes(&s, value + done, 3, &why); /* [7] */
		done += 3;
		pick_resume(p, &s);
	}
	if (stop == PRUNE_WHOLE && done == len)
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
		is_str(pick_text(p, "logs"), NULL, "logs are no text");
	buf_release(&got);
}

/* ----------------------------------------------------------------- paths */

static const struct {
	const char *title;
	const char *data;	/* with a type before it */
	const char *path;
	const char *want;	/* kind and text of each */
} paths[] = {
	{ "a text within an object", "\"a\":{\"b\":{\"c\":\"1\"}}", "a.b.c",
	    "string 1" },
	{ "between others", "\"b\":1,\"a\":{\"c\":\"0\",\"b\":{\"a\":{\"c\":"
	    "2},\"c\":\"1\",\"d\":3}},\"c\":4", "a.b.c", "string 1" },
	{ "a number", "\"a\":{\"n\":-12.50e2}", "a.n", "number -12.50e2" },
	{ "one of many digits", "\"a\":{\"n\":90020260801123456789000000000"
	    "}", "a.n", "number 90020260801123456789000000000" },
	{ "truths", "\"list\":[true,false]", "list", "boolean true boolean "
	    "false" },
	{ "an empty text", "\"list\":\"\"", "list", "string " },
	{ "null", "\"list\":null", "list", "" },
	{ "what is not there", "\"a\":{\"x\":\"1\"}", "a.b.c", "" },
	{ "a text on the way", "\"a\":{\"b\":\"1\"}", "a.b.c", "" },
	{ "an object at the end", "\"a\":{\"b\":{\"x\":1}}", "a.b", "object " },
	{ "an empty one", "\"list\":{}", "list", "object " },
	{ "each item", "\"list\":[\"1\",2,null,true,{\"x\":1}]", "list",
	    "string 1 number 2 boolean true object " },
	{ "items of items", "\"list\":[[\"1\",[[]],[2]],[],\"3\"]", "list",
	    "string 1 number 2 string 3" },
	{ "lists on the way", "\"a\":[{\"b\":[{\"c\":1},{\"c\":[2,3]},4]},"
	    "{\"b\":{\"c\":5}},6]", "a.b.c", "number 1 number 2 number 3 "
	    "number 5" },
	{ "a list that nobody wants the items of", "\"a\":{\"n\":[1,2]}",
	    "a.n", "object " },
	{ "an empty list", "\"list\":[]", "list", "" },
	{ "the last of a name", "\"a\":{\"b\":{\"c\":1}},\"a\":{\"b\":{\"c\":2,"
	    "\"c\":3}}", "a.b.c", "number 3" },
	{ "nothing of the first", "\"a\":{\"b\":{\"c\":1}},\"a\":{}", "a.b.c",
	    "" },
	{ "escaped names", "\"\\u0061\":{\"\\u0062\":{\"\\u0063\":\"\\u0031\""
	    "}}", "a.b.c", "string 1" },
	{ "a NUL", "\"list\":[\"a\\u0000b\",\"\\u0000\"]", "list", "string a"
	    REPLACED "b string " REPLACED },
	{ "space everywhere", "\"a\" : {\n\"b\" : [ { \"c\" :\t[ 1 , \"2\" ] "
	    "} ] }", "a.b.c", "number 1 string 2" },
	{ "what nobody wanted", "\"z\":{\"y\":1}", "z.y", "" },
};

static bool
add_value(void *context, enum pick_kind kind, const char *text)
{
	static const char *const kinds[] = {
		[PICK_STRING] = "string",
		[PICK_NUMBER] = "number",
		[PICK_BOOLEAN] = "boolean",
		[PICK_OBJECT] = "object",
	};
	struct buf *out = context;

	buf_addf(out, "%s%s %s", out->len > 0 ? " " : "", kinds[kind], text);
	return false;
}

static bool
stop_at_once(void *context, enum pick_kind kind, const char *text)
{
	return !add_value(context, kind, text);
}

static void
visit_in_pieces(struct buf *got, struct pick *p, const struct buf *value,
    const char *path, size_t first)
{
	struct buf unused = BUF_INIT;

	buf_clear(got);
	read_in_pieces(&unused, p, value, first, value->len);
	pick_visit(p, path, add_value, got);
	buf_release(&unused);
}

static void
test_path(struct pick *p, size_t row, bool bare)
{
	struct buf got = BUF_INIT, value = BUF_INIT;
	size_t i, bad = 0;

	buf_addf(&value, bare ? "{\"type\":\"f\",%s}" :
	    "{\"data\":{\"type\":\"f\",%s}}", paths[row].data);
	for (i = 1; i < value.len; i++) {
		visit_in_pieces(&got, p, &value, paths[row].path, i);
		bad += strcmp(buf_text(&got), paths[row].want) != 0;
	}
	visit_in_pieces(&got, p, &value, paths[row].path, value.len);
	is_str(buf_text(&got), paths[row].want, "%s at a path%s",
	    paths[row].title, bare ? " of a bare event" : "");
	is_num((long long)bad, 0, "the same in pieces");
	buf_release(&got);
	buf_release(&value);
}

static void
test_stop(struct pick *p)
{
	struct buf got = BUF_INIT, value = BUF_INIT;

	buf_adds(&value, "{\"type\":\"f\",\"list\":[1,2,3]}");
	visit_in_pieces(&got, p, &value, "list", value.len);
	is_str(buf_text(&got), "number 1 number 2 number 3", "three items");
	buf_clear(&got);
	ok(pick_visit(p, "list", stop_at_once, &got), "who has seen enough");
	is_str(buf_text(&got), "number 1", "sees no more");
	ok(!pick_visit(p, "list", add_value, &got), "nobody had");
	buf_release(&got);
	buf_release(&value);
}

/* Arrays within arrays, with an item in the innermost. */
static void
test_levels(struct pick *p, size_t levels, const char *want)
{
	struct buf got = BUF_INIT, value = BUF_INIT;

	buf_adds(&value, "{\"type\":\"f\",\"list\":");
	add_times(&value, "[", levels);
	buf_adds(&value, "7");
	add_times(&value, "]", levels);
	buf_adds(&value, "}");
	visit_in_pieces(&got, p, &value, "list", value.len);
	is_str(buf_text(&got), want, "an item in %zu lists", levels);
	visit_in_pieces(&got, p, &value, "list", value.len / 2);
	is_str(buf_text(&got), want, "the same in pieces");
	buf_release(&got);
	buf_release(&value);
}

static bool
count_value(void *count, enum pick_kind kind, const char *text)
{
	(void)kind;
	(void)text;
	++*(size_t *)count;
	return false;
}

static void
test_items(struct pick *p)
{
	struct buf unused = BUF_INIT, value = BUF_INIT;
	size_t count = 0;

	buf_adds(&value, "{\"type\":\"f\",\"list\":[0");
	add_times(&value, ",1", PRUNE_ITEMS_MAX + 10);
	buf_adds(&value, "],\"x\":\"y\"}");
	read_in_pieces(&unused, p, &value, value.len, 1);
	pick_visit(p, "list", count_value, &count);
	is_num((long long)count, PRUNE_ITEMS_MAX, "of so many items none is "
	    "seen beyond those");
	is_str(buf_text(&unused), "- f y -", "and what follows is");
	buf_release(&unused);
	buf_release(&value);
}

static void
test_paths(struct pick *p)
{
	size_t i;

	for (i = 0; i < ROWS(paths); i++) {
		test_path(p, i, false);
		test_path(p, i, true);
	}
	test_stop(p);
	test_levels(p, PRUNE_LEVELS_MAX - 1, "number 7");
	test_levels(p, PRUNE_LEVELS_MAX, "");
	test_levels(p, 100000, "");
	test_items(p);
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
	is_str(pick_text(p, "absent"), NULL, "what nobody wanted is not "
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
	pick_want(p, "later", PRUNE_NO_ITEMS);
	pick_want(p, "x", PRUNE_NO_ITEMS);
	pick_want(p, "type", PRUNE_NO_ITEMS);
	pick_want(p, "logs", PRUNE_ITEMS);
	pick_want(p, "a.b.c", PRUNE_ITEMS);
	pick_want(p, "a.b", PRUNE_ITEMS);
	pick_want(p, "a.n", PRUNE_NO_ITEMS);
	pick_want(p, "list", PRUNE_ITEMS);
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
	test_paths(p);
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
