/* SPDX-License-Identifier: ISC */
/* Foreign text made fit for Slack. It knows no events. */
#include "slack_text.h"

#include "utf8.h"

#include <stdbool.h>
#include <string.h>

#define ELLIPSIS "\xE2\x80\xA6"

static bool
is_space(uint32_t code)
{
	return code == ' ' || code == 0xA0;
}

static size_t
width_of(uint32_t code)
{
	return code == '&' ? 5 : code == '<' || code == '>' ? 4 : 1;
}

void
slack_text_clean(struct buf *out, const char *text, size_t max)
{
	size_t len = strlen(text), n, count = 0;
	uint32_t code;
	bool space = false;

	for (; len > 0 && count <= max; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (is_space(code) || utf8_is_control(code)) {
			space = out->len > 0;
			continue;
		}
		if (space)
			buf_addc(out, ' ');
		count += space ? 2 : 1;
		space = false;
		if (utf8_turns_direction(code) || (n == 1 && code == 0xFFFD))
			buf_adds(out, UTF8_REPLACEMENT);
		else
			buf_add(out, text, n);
	}
}

size_t
slack_text_len(const char *text)
{
	size_t len = strlen(text), i, n, total = 0;
	uint32_t code;

	for (i = 0; i < len; i += n, total += width_of(code))
		n = utf8_next(text + i, len - i, &code);
	return total;
}

void
slack_text_cut(struct buf *out, const char *text, size_t max)
{
	size_t len = strlen(text), i, n, width, used = 0, cut = 0;
	uint32_t code;

	for (i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		width = width_of(code);
		if (used + width > max)
			break;
		used += width;
		if (used < max)
			cut = i + n; /* with room for the sign behind it */
	}
	buf_add(out, text, i < len ? cut : len);
	if (i < len)
		buf_adds(out, ELLIPSIS);
}

void
slack_text_escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		default:
			buf_addc(out, *text);
		}
	}
}

void
slack_text_percent(struct buf *out, const char *text, size_t len)
{
	static const char unreserved[] = ASCII_ALNUM "-._~";
	size_t i;

	for (i = 0; i < len; i++) {
		if (strchr(unreserved, text[i]))
			buf_addc(out, text[i]);
		else
			buf_addf(out, "%%%02X", (unsigned char)text[i]);
	}
}
