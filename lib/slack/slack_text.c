/* SPDX-License-Identifier: ISC */
/* Foreign text made fit for Slack. It knows no events. */
#include "slack/slack_text.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

#define ELLIPSIS "\xE2\x80\xA6"
#define WORD_JOINER "\xE2\x81\xA0" /* U+2060 */
#define ZWNJ 0x200C
#define ZWJ 0x200D
#define TEXT_FORM 0xFE0E	/* of an emoji */
#define EMOJI_FORM 0xFE0F

/* --------------------------------------------------------- characters */

/* Unicode's White_Space but for control characters; the blank of Braille. */
static bool
is_space(uint32_t code)
{
	return code == ' ' || code == 0xA0 || code == 0x1680 ||
	    (code >= 0x2000 && code <= 0x200A) || code == 0x202F ||
	    code == 0x205F || code == 0x2800 || code == 0x3000;
}

/* What a joiner may stand between: two of a kind, but of NEITHER. */
enum kind { NEITHER, LETTER, EMOJI };

/*
 * By blocks, roughly: scripts whose letters join (Arabic, Syriac, N'Ko,
 * Mongolian, Adlam) or build clusters (those of Brahmi), and the blocks
 * that emoji are in.
 */
static const struct {
	uint32_t from, to;
	enum kind kind;
} kinds[] = {
	{ 0xA9, 0xA9, EMOJI },
	{ 0xAE, 0xAE, EMOJI },
	{ 0x600, 0xDFF, LETTER },	/* Arabic to Sinhala */
	{ 0x1000, 0x109F, LETTER },	/* Myanmar */
	{ 0x1780, 0x18AF, LETTER },	/* Khmer, Mongolian */
	{ 0x1A20, 0x1C4F, LETTER },	/* Tai Tham to Lepcha */
	{ 0x203C, 0x2BFF, EMOJI },
	{ 0x3030, 0x303D, EMOJI },
	{ 0x3297, 0x3299, EMOJI },
	{ 0xA800, 0xABFF, LETTER },	/* Syloti Nagri to Meetei Mayek */
	{ EMOJI_FORM, EMOJI_FORM, EMOJI },
	{ 0xFB50, 0xFDFF, LETTER },	/* Arabic presentation forms */
	{ 0xFE70, 0xFEFE, LETTER },
	{ 0x11000, 0x11FFF, LETTER },	/* Brahmi and its kin */
	{ 0x1E900, 0x1E95F, LETTER },	/* Adlam */
	{ 0x1F000, 0x1FAFF, EMOJI },
};

static enum kind
kind_of(uint32_t code)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (code <= kinds[i].to)
			return code >= kinds[i].from ? kinds[i].kind :
			    NEITHER;
	return NEITHER;
}

/* Whether the joiner is needed between the two characters. */
static bool
joins(uint32_t before, uint32_t joiner, uint32_t after)
{
	enum kind kind = kind_of(before);

	return kind != NEITHER && kind == kind_of(after) &&
	    (kind == LETTER || joiner == ZWJ);
}

/* ------------------------------------------------------------ cleaning */

struct cleaning {
	struct buf *out;
	size_t count;		/* of characters in it */
	uint32_t last;		/* of them; 0: none, or a space is due */
	uint32_t joiner;	/* stands behind last, if it is needed; or 0 */
	bool space;		/* one is due */
};

static void
pass_space(struct cleaning *c)
{
	c->space = c->out->len > 0;
	c->last = c->joiner = 0;
}

/* Keeps what chooses the form of an emoji, and minds a joiner. */
static void
pass_invisible(struct cleaning *c, const char *text, size_t n, uint32_t code)
{
	if (code == ZWJ || code == ZWNJ) {
		c->joiner = code;
	} else if ((code == TEXT_FORM || code == EMOJI_FORM) &&
	    c->last != EMOJI_FORM && kind_of(c->last) == EMOJI) {
		buf_add(c->out, text, n);
		c->count++;
		c->last = EMOJI_FORM;
	}
}

static void
pass_visible(struct cleaning *c, const char *text, size_t n, uint32_t code)
{
	bool joined = c->joiner && joins(c->last, c->joiner, code);

	if (joined)
		buf_adds(c->out, c->joiner == ZWJ ? "\xE2\x80\x8D" :
		    "\xE2\x80\x8C");
	if (c->space)
		buf_addc(c->out, ' ');
	c->count += joined || c->space ? 2 : 1;
	if (n == 1 && code == 0xFFFD)
		buf_adds(c->out, UTF8_REPLACEMENT);
	else
		buf_add(c->out, text, n);
	c->last = code;
	c->joiner = 0;
	c->space = false;
}

void
slack_text_clean(struct buf *out, const char *text, size_t max)
{
	struct cleaning c = { out, 0, 0, 0, false };
	size_t len = strlen(text), n;
	uint32_t code;

	for (; len > 0 && c.count <= max; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (is_space(code) || utf8_is_control(code))
			pass_space(&c);
		else if (utf8_is_invisible(code))
			pass_invisible(&c, text, n, code);
		else
			pass_visible(&c, text, n, code);
	}
}

/* ------------------------------------------------- cutting and escaping */

/*
 * Whether a colon opens a ":name:" that Slack may show as a picture, of its
 * own or of the workspace. Groups of an IPv6 address can be such names:
 * Slack has :100:, :1234:, :a:, :b:, :ab:, :abc:, :abcd:, :bed:, :bee:,
 * :cd: and :de:. It has none of two digits, which a time of day would be.
 */
static bool
opens_name(const char *colon)
{
	static const char signs[] = ASCII_ALNUM "_+-'";
	const char *name = colon + 1, *at = name;

	while (*at && ((unsigned char)*at >= 0x80 || strchr(signs, *at)))
		at++;
	if (at - name == 2 && strspn(name, ASCII_DIGITS) == 2)
		return false;
	return at > name && *at == ':';
}

/* Characters that the one at text takes when it is escaped. */
static size_t
width_at(const char *text)
{
	switch (*text) {
	case '&':
		return 5;
	case '<':
	case '>':
		return 4;
	case ':':
		return opens_name(text) ? 2 : 1;
	default:
		return 1;
	}
}

size_t
slack_text_len(const char *text)
{
	size_t len = strlen(text), i, n, total = 0;
	uint32_t code;

	for (i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		total += width_at(text + i);
	}
	return total;
}

void
slack_text_cut(struct buf *out, const char *text, size_t max)
{
	size_t len = strlen(text), i, n, width, used = 0, cut = 0;
	uint32_t code;

	for (i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		width = width_at(text + i);
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

static void
escape_sign(struct buf *out, char sign)
{
	switch (sign) {
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
		buf_addc(out, sign);
	}
}

/*
 * Slack has no escape for ":name:", and leaves it alone in code only, which
 * is markup, and off where foreign text stands. A WORD JOINER within shows
 * nothing, and unlike ZERO WIDTH SPACE it neither lets a line break there
 * nor ends a word: a double click still takes the whole of an address. It
 * is in what is copied, as any sign would be that breaks the name; the log
 * entry that the card links to, the queue and "log-stream-ctl try" have the
 * address as it came.
 */
void
slack_text_escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		escape_sign(out, *text);
		if (*text == ':' && opens_name(text))
			buf_adds(out, WORD_JOINER);
	}
}

void
slack_text_escape_link(struct buf *out, const char *link)
{
	for (; *link; link++)
		escape_sign(out, *link);
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
