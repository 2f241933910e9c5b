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

#define MAX_BYTES 4000

static const struct row {
	const char *title;
	enum pick_kind kind;
	const char *value;
	const char *want;	/* log_id / type / x / text / data */
} rows[] = {
	{ "a record", PICK_RECORD,
	    "{\"log_id\":\"1\",\"data\":{\"type\":\"f\",\"x\":\"y\"}}",
	    "1 f y - {" },
	{ "the same the other way round", PICK_RECORD,
	    "{\"data\":{\"x\":\"y\",\"type\":\"f\"},\"log_id\":\"1\"}",
	    "1 f y - {" },
	{ "the data of a record", PICK_DATA,
	    "{\"log_id\":\"1\",\"type\":\"f\",\"x\":\"y\"}", "- f y - {" },
	{ "data that would be a record is no data", PICK_DATA,
	    "{\"data\":{\"type\":\"f\"}}", "- - - - {" },
	{ "a text", PICK_TEXT, "\"data\"", "- - - data -" },
	{ "a number is no text", PICK_TEXT, "5", "- - - - -" },
	{ "an empty text is none", PICK_TEXT, "\"\"", "- - - - -" },
	{ "nothing is picked where nobody asked", PICK_NOTHING,
	    "{\"log_id\":\"1\",\"data\":{\"type\":\"f\"}}", "- - - - -" },
	{ "names deeper than data are others", PICK_RECORD,
	    "{\"data\":{\"a\":{\"type\":\"s\",\"x\":\"z\"},\"type\":\"f\","
	    "\"b\":[{\"x\":\"z\"}]}}", "- f - - {" },
	{ "names beside data are others", PICK_RECORD,
	    "{\"type\":\"s\",\"x\":\"z\",\"data\":{\"type\":\"f\"},"
	    "\"other\":{\"type\":\"s\",\"x\":\"z\"}}", "- f - - {" },
	{ "texts are no names", PICK_RECORD,
	    "{\"data\":{\"a\":\"type\",\"b\":[\"x\",\"y\"],\"type\":\"f\"},"
	    "\"c\":\"log_id\"}", "- f - - {" },
	{ "of two of a name the last counts", PICK_RECORD,
	    "{\"log_id\":\"1\",\"log_id\":\"2\",\"data\":{\"type\":\"s\","
	    "\"x\":\"z\",\"type\":\"f\",\"x\":\"y\"}}", "2 f y - {" },
	{ "be it null, empty or a number", PICK_RECORD,
	    "{\"log_id\":\"1\",\"log_id\":0,\"data\":{\"type\":\"s\","
	    "\"x\":\"z\",\"type\":null,\"x\":\"\"}}", "- - - - {" },
	{ "or an object with one like it", PICK_RECORD,
	    "{\"data\":{\"type\":\"s\",\"type\":{\"type\":\"f\"}}}",
	    "- - - - {" },
	{ "of the first data nothing is left", PICK_RECORD,
	    "{\"data\":{\"type\":\"s\",\"x\":\"z\"},\"data\":{\"type\":"
	    "\"f\"}}", "- f - - {" },
	{ "and no data after data is none", PICK_RECORD,
	    "{\"data\":{\"type\":\"s\",\"x\":\"z\"},\"data\":[]}",
	    "- - - - -" },
	{ "a list with data in it is none", PICK_RECORD,
	    "[{\"type\":\"f\",\"x\":\"y\"}]", "- - - - -" },
	{ "a list with a record in it is none", PICK_RECORD,
	    "[{\"data\":{\"type\":\"f\"}}]", "- - - - -" },
	{ "a list for data is none", PICK_RECORD,
	    "{\"data\":[{\"type\":\"f\"},\"x\"]}", "- - - - -" },
	{ "escaped names", PICK_RECORD,
	    "{\"\\u006cog_id\":\"1\",\"dat\\u0061\":{\"typ\\u0065\":\"f\","
	    "\"\\u0078\":\"y\"}}", "1 f y - {" },
	{ "a name ends at a NUL", PICK_RECORD,
	    "{\"log_id\\u0000z\":\"1\",\"data\\u0000\":{\"type\\u0000\":"
	    "\"f\",\"\\u0000x\":\"y\"}}", "1 f - - {" },
	{ "a name that needs another escape", PICK_DATA,
	    "{\"type\\\\\":\"s\",\"\\\"type\":\"s\",\"type\\u0020\":\"s\"}",
	    "- - - - {" },
	{ "names that only begin like it", PICK_DATA,
	    "{\"typ\":\"s\",\"types\":\"s\",\"\":\"s\"}", "- - - - {" },
	{ "space wherever it may stand", PICK_RECORD,
	    "{ \"log_id\" :\n\"1\" ,\t\"data\"\r: { \"type\" : \"f\" , "
	    "\"x\"  :  \"y\" } }", "1 f y - {" },
	{ "a NUL in a text, and half a pair", PICK_DATA,
	    "{\"type\":\"a\\u0000\",\"x\":\"\\ud83d!\\ude00\"}",
	    "- a\xEF\xBF\xBD \xEF\xBF\xBD!\xEF\xBF\xBD - {" },
	{ "a text with a quote and a backslash", PICK_DATA,
	    "{\"type\":\"\\\"\\\\\",\"x\":\"\\\\\"}", "- \"\\ \\ - {" },
	{ "an empty record", PICK_RECORD, "{}", "- - - - -" },
	{ "a word for a record", PICK_RECORD, "null", "- - - - -" },
};

static void
add(struct buf *out, const char *text)
{
	buf_addf(out, "%s ", text ? text : "-");
}

static void
describe(struct buf *out, struct pick *p)
{
	const char *data;
	size_t len;

	buf_clear(out);
	add(out, pick_log_id(p));
	add(out, pick_field(p, "type"));
	add(out, pick_field(p, "x"));
	add(out, pick_text(p));
	data = pick_data(p, &len);
	buf_addc(out, data ? *data : '-');
}

/*
 * Reads a value that stands in an array, in a piece of first bytes and
 * others of rest bytes, which are gone when the next comes.
 */
static void
read_in_pieces(struct pick *p, enum pick_kind kind, const char *value,
    size_t first, size_t rest)
{
	size_t len = strlen(value), done, n, piece = first;
	enum scan_stop stop = SCAN_MORE;
	const char *why;
	struct scan s;
	char *bytes;

	memset(&s, 0, sizeof(s));
	scan_bytes(&s, "[", 1, &why);
	pick_begin(p, kind, &s);
	for (done = 0; done < len; done += piece, piece = rest) {
		n = len - done < piece ? len - done : piece;
		bytes = mem_alloc(n);
		memcpy(bytes, value + done, n);
		pick_read(p, &s, bytes, n, &stop, &why);
		pick_hold(p);
		free(bytes);
	}
	if (stop == SCAN_MORE) /* a number */
		pick_read(p, &s, "]", 1, &stop, &why);
}

static void
test_row(struct pick *p, const struct row *row)
{
	struct buf got = BUF_INIT, whole = BUF_INIT;
	size_t i, bad = 0, len = strlen(row->value);

	read_in_pieces(p, row->kind, row->value, len, 1);
	describe(&whole, p);
	is_str(buf_text(&whole), row->want, "%s", row->title);
	for (i = 0; i <= len; i++) {
		if (i == 0)
			read_in_pieces(p, row->kind, row->value, 1, 1);
		else
			read_in_pieces(p, row->kind, row->value, i, len);
		describe(&got, p);
		bad += strcmp(buf_text(&got), buf_text(&whole)) != 0;
	}
	is_num((long long)bad, 0, "the same in pieces");
	buf_release(&got);
	buf_release(&whole);
}

/* A value of so many bytes in all. */
static void
test_length(struct pick *p, size_t bytes, size_t piece)
{
	static const char head[] = "{\"data\":{\"type\":\"f\",\"a\":\"";
	static const char tail[] = "\",\"x\":\"y\"}}";
	struct buf value = BUF_INIT, got = BUF_INIT;
	bool fits = bytes <= MAX_BYTES;

	buf_adds(&value, head);
	while (value.len < bytes - strlen(tail))
		buf_addc(&value, 'x');
	buf_adds(&value, tail);
	read_in_pieces(p, PICK_RECORD, value.data, piece, piece);
	describe(&got, p);
	ok(pick_is_too_long(p) == !fits, "a value of %zu bytes in pieces of "
	    "%zu is %stoo long", bytes, piece, fits ? "not " : "");
	is_str(buf_text(&got), fits ? "- f y - {" : "- - - - -", "and has %s",
	    fits ? "all" : "nothing");
	buf_release(&value);
	buf_release(&got);
}

static void
test_clear(struct pick *p)
{
	struct buf got = BUF_INIT;

	read_in_pieces(p, PICK_RECORD, rows[0].value, 5, 5);
	pick_clear(p);
	describe(&got, p);
	is_str(buf_text(&got), "- - - - -", "what is cleared has nothing");
	read_in_pieces(p, PICK_TEXT, "\"a\\u0000b\"", 20, 1);
	is_str(pick_name(p), "a", "a name is cut at a NUL");
	is_str(pick_field(p, "absent"), NULL, "what nobody wanted is not "
	    "there");
	buf_release(&got);
	pick_free(NULL);
}

int
main(void)
{
	struct pick *p = pick_new(MAX_BYTES);
	size_t i;

	pick_want(p, "type");
	pick_want(p, "x");
	pick_want(p, "type");
	for (i = 0; i < ROWS(rows); i++)
		test_row(p, &rows[i]);
	test_length(p, MAX_BYTES, MAX_BYTES + 1);
	test_length(p, MAX_BYTES + 1, MAX_BYTES + 1);
	test_length(p, MAX_BYTES, 7);
	test_length(p, MAX_BYTES + 1, 7);
	test_length(p, 3 * MAX_BYTES, MAX_BYTES / 2);
	test_clear(p);
	pick_free(p);
	return done_testing();
}
