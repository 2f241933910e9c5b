/* SPDX-License-Identifier: ISC */
/* What several targets look for. It knows none of them. */
#include "target.h"

#include "base/utf8.h"

#include <json-c/json.h>
#include <string.h>

bool
is_plain_line(const char *text, size_t len)
{
	uint32_t code;
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (utf8_is_control(code) || utf8_turns_direction(code) ||
		    (n == 1 && code == 0xFFFD))
			return false;
	}
	return true;
}

bool
are_plain_lines(const char *text)
{
	size_t len;

	for (; *text; text += len + 1) {
		len = strcspn(text, "\n");
		if (text[len] == '\0' || !is_plain_line(text, len))
			return false;
	}
	return true;
}

void
quote(struct buf *out, const char *text)
{
	struct json_object *string = json_object_new_string(text);

	buf_adds(out, json_object_to_json_string_ext(string,
	    JSON_C_TO_STRING_PLAIN));
	json_object_put(string);
}
