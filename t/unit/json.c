/* SPDX-License-Identifier: ISC */
/* JSON by way of json-c: what is written, and read back. */
#include "json/json.h"

#include "json/scan.h"
#include "tap.h"

#include <stdio.h>
#include <string.h>

/* The value as text, which is good JSON; the value is freed. */
static const char *
written(struct json *value, struct buf *out)
{
	struct scan s = { 0 };
	enum scan_stop stop;
	const char *text, *why;
	size_t len;

	text = json_text(value, &len);
	buf_clear(out);
	buf_add(out, text, len);
	scan_begin(&s, 0, 0);
	if (scan_value(&s, out->data, out->len, &stop, &why) != len ||
	    stop != SCAN_WHOLE)
		buf_adds(out, " is no JSON");
	scan_release(&s);
	json_free(value);
	return buf_text(out);
}

static void
test_write(void)
{
	struct json *object = json_new_object(), *array = json_new_array();
	struct buf out = BUF_INIT;

	json_put_text(object, "b", "text");
	json_put_number(object, "a", -1);
	json_put_boolean(object, "yes", true);
	json_put_boolean(object, "no", false);
	json_put_text(object, "none", NULL);
	json_put(object, "null", NULL);
	json_add(array, json_new_object());
	json_add(array, json_new_array());
	json_put(object, "array", array);
	is_str(written(object, &out), "{\"b\":\"text\",\"a\":-1,\"yes\":true,"
	    "\"no\":false,\"none\":null,\"null\":null,\"array\":[{},[]]}",
	    "members stand in their order, without spaces");
	is_str(written(json_new_object(), &out), "{}", "an empty object");
	is_str(written(json_new_array(), &out), "[]", "an empty array");
	object = json_new_object();
	json_put_number(object, "x", 1);
	json_put_number(object, "y", 2);
	json_put_text(object, "x", "3");
	is_str(written(object, &out), "{\"x\":\"3\",\"y\":2}",
	    "a member takes the place of one of its name");
	buf_release(&out);
	json_free(NULL);
}

static void
test_numbers(void)
{
	static const struct {
		int64_t number;
		const char *want;
	} numbers[] = {
		{ 0, "{\"n\":0}" },
		{ 1785587696789, "{\"n\":1785587696789}" },
		{ 9007199254740993, "{\"n\":9007199254740993}" },
		{ INT64_MAX, "{\"n\":9223372036854775807}" },
		{ INT64_MIN, "{\"n\":-9223372036854775808}" },
	};
	struct buf out = BUF_INIT;
	struct json *object;
	size_t i;

	for (i = 0; i < ROWS(numbers); i++) {
		object = json_new_object();
		json_put_number(object, "n", numbers[i].number);
		is_str(written(object, &out), numbers[i].want, "a number has "
		    "all its digits");
	}
	buf_release(&out);
}

static const struct {
	const char *text;
	const char *want;	/* within quotes */
	const char *title;
} strings[] = {
	{ "", "", "an empty text" },
	{ "\"\\/", "\\\"\\\\/", "a quote and a backslash, but no slash" },
	{ "\b\f\n\r\t", "\\b\\f\\n\\r\\t", "what has a letter" },
	{ "\x01\x1b\x1f\x7f", "\\u0001\\u001b\\u001f\x7f", "control bytes" },
	{ "\xC3\xA9 \xE2\x82\xAC", "\xC3\xA9 \xE2\x82\xAC", "UTF-8" },
	{ "\xE2\x80\xA8\xE2\x80\xA9", "\xE2\x80\xA8\xE2\x80\xA9",
	    "line separators" },
	{ "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80", "a character of four" },
	{ "</script><!--", "</script><!--", "what HTML minds" },
	{ "%s%n", "%s%n", "what printf(3) minds" },
};

static void
test_strings(void)
{
	struct buf out = BUF_INIT, want = BUF_INIT;
	struct json *object;
	size_t i;

	for (i = 0; i < ROWS(strings); i++) {
		object = json_new_object();
		json_put_text(object, "t", strings[i].text);
		buf_clear(&want);
		buf_addf(&want, "{\"t\":\"%s\"}", strings[i].want);
		is_str(written(object, &out), buf_text(&want), "%s",
		    strings[i].title);
	}
	buf_release(&out);
	buf_release(&want);
}

/* Reads a text in pieces of so many bytes. */
static struct json *
read_text(struct json_reader *r, const char *text, size_t piece)
{
	size_t len = strlen(text), done, n;

	for (done = 0; done < len; done += n) {
		n = len - done < piece ? len - done : piece;
		json_reader_feed(r, text + done, n);
	}
	return json_reader_end(r);
}

static void
test_read(size_t piece)
{
	struct json_reader *r = json_reader_new();
	struct json *value, *item;
	const char *text;
	size_t len;

	value = read_text(r, "{\"s\":\"a\\u0000\\u00e9\\ud83d\\ude00\",\"t\":"
	    "true,\"n\":null,\"a\":[\"1\",[],{}],\"s2\":\"1\",\"s2\":\"2\"}",
	    piece);
	is_num(json_kind_of(value), JSON_OBJECT, "an object");
	text = json_string(json_member(value, "s"), &len);
	ok(len == 8 && memcmp(text, "a\0\xC3\xA9\xF0\x9F\x98\x80", 8) == 0,
	    "a string with a NUL in it");
	ok(json_kind_of(json_member(value, "t")) == JSON_BOOLEAN &&
	    json_boolean(json_member(value, "t")), "true");
	ok(json_has(value, "n") && !json_member(value, "n") &&
	    json_kind_of(NULL) == JSON_NULL, "null");
	ok(!json_has(value, "none") && !json_member(value, "none"),
	    "what is not there");
	is_str(json_string(json_member(value, "s2"), &len), "2",
	    "of two of a name the last counts");
	item = json_member(value, "a");
	is_num(json_kind_of(item), JSON_ARRAY, "an array");
	is_num((long long)json_item_count(item), 3, "of three");
	is_str(json_string(json_item(item, 0), &len), "1", "a string");
	is_num(json_kind_of(json_item(item, 1)), JSON_ARRAY, "an array");
	ok(!json_member(json_item(item, 2), "x"), "and an object of nothing");
	ok(!json_member(json_item(item, 0), "x"), "a string has no members");
	json_set_string(json_member(value, "s2"), "other\0text", 10);
	json_string(json_member(value, "s2"), &len);
	is_num((long long)len, 10, "a string that is set has its length");
	json_free(value);
	json_reader_feed(r, "{\"half\":", 8);
	json_reader_reset(r);
	value = read_text(r, "[]", piece);
	is_num(json_kind_of(value), JSON_ARRAY, "another value after one that "
	    "was given up");
	json_free(value);
	json_reader_free(r);
	json_reader_free(NULL);
}

int
main(void)
{
	size_t piece;

	test_write();
	test_numbers();
	test_strings();
	for (piece = 1; piece < 20; piece++)
		test_read(piece);
	test_read(1000);
	return done_testing();
}
