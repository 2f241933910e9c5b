/* SPDX-License-Identifier: ISC */
/* Strings of JSON, held against what json-c writes. */
#include "unquote.h"

#include "tap.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

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

int
main(void)
{
	test_quote();
	return done_testing();
}
