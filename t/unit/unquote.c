/* SPDX-License-Identifier: ISC */
/* The text of a JSON string: byte for byte what json-c makes of it. */
#include "unquote.h"

#include "tap.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each in memory of its own size, so that a read beyond it is found. */
static bool
is_json_cs(const char *quoted, struct buf *text)
{
	struct json_object *value = json_tokener_parse(quoted);
	size_t len = strlen(quoted);
	char *copy = mem_alloc(len);
	bool same;

	memcpy(copy, quoted, len);
	buf_clear(text);
	unquote(text, copy, copy + len, "", 1);
	same = value && text->len ==
	    (size_t)json_object_get_string_len(value) &&
	    memcmp(buf_text(text), json_object_get_string(value),
	    text->len) == 0;
	json_object_put(value);
	free(copy);
	return same;
}

static const char *const strings[] = {
	"", "a", "plain text", "\\\"", "\\\\", "\\/", "\\b\\f\\n\\r\\t",
	"a\\nb", "\\n\\n", "\\u0041", "\\u00e9\\u00E9", "\\u20aC", "\\u0000",
	"a\\u0000b", "\\uD83D\\uDE00", "\\uD83D\\uDE00x", "\\uD83D", "\\uDE00",
	"\\uD83Dx", "\\uD83D\\n", "\\uD83D\\\\u0041", "\\uD83D\\u0041",
	"\\uD83D\\uD83D\\uDE00", "\\uDE00\\uD83D", "\\uD83D\\u0000",
	"\xC3\xBC\\u00fc\xE2\x82\xAC", "\x7F", "'/*NaN*/", "\\\\\\\"",
};

static void
test_strings(void)
{
	char quoted[80];
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(strings); i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", strings[i]);
		ok(is_json_cs(quoted, &text), "%s is what json-c reads",
		    quoted);
	}
	buf_release(&text);
}

/* Every code alone, and the edges of what makes a pair with each other. */
static void
test_codes(void)
{
	static const unsigned edges[] = {
		0, 0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDBFF,
		0xDC00, 0xDFFF, 0xE000, 0xFFFF
	};
	struct buf text = BUF_INIT;
	unsigned code, bad = 0;
	char quoted[40];
	size_t i, j;

	for (code = 0; code <= 0xFFFF; code++) {
		snprintf(quoted, sizeof(quoted), "\"\\u%04x\"", code);
		bad += !is_json_cs(quoted, &text);
	}
	is_num(bad, 0, "so is every \\uXXXX");
	for (i = 0; i < ROWS(edges); i++)
		for (j = 0; j < ROWS(edges); j++) {
			snprintf(quoted, sizeof(quoted), "\"\\u%04X\\u%04X\"",
			    edges[i], edges[j]);
			bad += !is_json_cs(quoted, &text);
		}
	is_num(bad, 0, "and two of them in a row");
	buf_release(&text);
}

static void
test_nul(void)
{
	static const char quoted[] = "\"a\\u0000b\\u0000\" and more \"";
	struct buf text = BUF_INIT;

	buf_adds(&text, "before ");
	unquote(&text, quoted, quoted + sizeof(quoted) - 1, "<nul>", 5);
	is_str(buf_text(&text), "before a<nul>b<nul>", "the text is added, "
	    "with what is wanted for each U+0000");
	buf_release(&text);
}

static bool
is_quoted_as_json_c(const char *text)
{
	struct json_object *value = json_object_new_string(text);
	struct buf quoted = BUF_INIT;
	bool same;

	quote(&quoted, text);
	same = strcmp(buf_text(&quoted), json_object_to_json_string_ext(value,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) == 0;
	buf_release(&quoted);
	json_object_put(value);
	return same;
}

static void
test_quote(void)
{
	unsigned byte, bad = 0;
	char text[8];

	for (byte = 1; byte <= 255; byte++) {
		snprintf(text, sizeof(text), "a%c%cb", (int)byte, (int)byte);
		bad += !is_quoted_as_json_c(text);
	}
	is_num(bad, 0, "a text with any byte in it is quoted as json-c does");
	ok(is_quoted_as_json_c(""), "so is an empty one");
	ok(is_quoted_as_json_c("\""), "and one that is nothing else");
}

/*
 * Strings that end before their closing quote, each in memory of its own
 * size: their text is a beginning of what it was, and as much of it as is
 * certain.
 */
static void
test_cuts(void)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	char quoted[80], *copy;
	size_t i, len, end, bad = 0;

	for (i = 0; i < ROWS(strings); i++) {
		snprintf(quoted, sizeof(quoted), "\"%s%s\"", strings[i],
		    strings[i]);
		end = strlen(quoted);
		buf_clear(&whole);
		unquote(&whole, quoted, quoted + end, "", 1);
		for (len = 1; len < end; len++) {
			copy = mem_alloc(len + 1);
			memcpy(copy, quoted, len);
			copy[len] = '\0';
			buf_clear(&cut);
			unquote(&cut, copy, copy + len, "", 1);
			bad += cut.len > whole.len || (cut.len > 0 &&
			    memcmp(cut.data, whole.data, cut.len) != 0);
			bad += 6 * cut.len + 1 + UNQUOTE_SLACK < len;
			free(copy);
		}
	}
	is_num((long long)bad, 0, "a string that is cut has the beginning of "
	    "its text");
	buf_release(&whole);
	buf_release(&cut);
}

int
main(void)
{
	test_strings();
	test_quote();
	test_codes();
	test_cuts();
	test_nul();
	return done_testing();
}
