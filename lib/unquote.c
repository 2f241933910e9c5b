/* SPDX-License-Identifier: ISC */
/* Text to escapes. */
#include "unquote.h"

#include <string.h>

static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";

/* Adds what stands for a character that may not stand for itself. */
static void
add_escape(struct buf *out, char c)
{
	const char *letter = strchr(meant, c);

	if (c == '"' || c == '\\')
		buf_addf(out, "\\%c", c);
	else if (letter)
		buf_addf(out, "\\%c", letters[letter - meant]);
	else
		buf_addf(out, "\\u%04x", (unsigned)c);
}

void
quote(struct buf *out, const char *text)
{
	static const char special[] = "\"\\"
	    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	    "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
	size_t plain;

	buf_addc(out, '"');
	for (;; text += plain + 1) {
		plain = strcspn(text, special);
		buf_add(out, text, plain);
		if (text[plain] == '\0')
			break;
		add_escape(out, text[plain]);
	}
	buf_addc(out, '"');
}
