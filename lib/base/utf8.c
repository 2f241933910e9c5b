/* SPDX-License-Identifier: ISC */
/* UTF-8, byte by byte, after the table in RFC 3629 section 4. */
#include "base/utf8.h"

struct lead {
	unsigned char from, to;	/* range of the first byte */
	unsigned char need;	/* how many bytes follow */
	unsigned char low, high; /* range of the second byte */
	unsigned char mask;	/* bits of the first byte that count */
};

static const struct lead leads[] = {
	{ 0x00, 0x7F, 0, 0, 0, 0x7F },
	{ 0xC2, 0xDF, 1, 0x80, 0xBF, 0x1F },
	{ 0xE0, 0xE0, 2, 0xA0, 0xBF, 0x0F },
	{ 0xE1, 0xEC, 2, 0x80, 0xBF, 0x0F },
	{ 0xED, 0xED, 2, 0x80, 0x9F, 0x0F },
	{ 0xEE, 0xEF, 2, 0x80, 0xBF, 0x0F },
	{ 0xF0, 0xF0, 3, 0x90, 0xBF, 0x07 },
	{ 0xF1, 0xF3, 3, 0x80, 0xBF, 0x07 },
	{ 0xF4, 0xF4, 3, 0x80, 0x8F, 0x07 },
};

/* NULL for a byte that begins no character. */
static const struct lead *
find_lead(unsigned char byte)
{
	size_t i;

	for (i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (byte >= leads[i].from && byte <= leads[i].to)
			return &leads[i];
	return NULL;
}

static bool
begin(struct utf8 *u, unsigned char byte)
{
	const struct lead *lead = find_lead(byte);

	if (!lead)
		return false;
	u->need = lead->need;
	u->low = lead->low;
	u->high = lead->high;
	u->code = byte & lead->mask;
	return true;
}

bool
utf8_step(struct utf8 *u, unsigned char byte)
{
	if (u->need == 0)
		return begin(u, byte);
	if (byte < u->low || byte > u->high)
		return false;
	u->need--;
	u->low = 0x80;
	u->high = 0xBF;
	u->code = u->code << 6 | (byte & 0x3F);
	return true;
}

/* Whether bytes go on as the first of them, this lead, wants it. */
static bool
goes_on(const struct lead *lead, const unsigned char *bytes)
{
	size_t i;

	if (bytes[1] < lead->low || bytes[1] > lead->high)
		return false;
	for (i = 2; i <= lead->need; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xBF)
			return false;
	return true;
}

const char *
utf8_skip(const char *text, const char *end)
{
	const struct lead *lead;

	while (text < end && (unsigned char)*text >= 0x80) {
		lead = find_lead((unsigned char)*text);
		if (!lead || end - text <= (ptrdiff_t)lead->need ||
		    !goes_on(lead, (const unsigned char *)text))
			break;
		text += lead->need + 1;
	}
	return text;
}

bool
utf8_between(const struct utf8 *u)
{
	return u->need == 0;
}

size_t
utf8_next(const char *text, size_t len, uint32_t *code)
{
	struct utf8 u = { 0, 0, 0, 0 };
	size_t i;

	for (i = 0; i < len; i++) {
		if (!utf8_step(&u, (unsigned char)text[i]))
			break;
		if (utf8_between(&u)) {
			*code = u.code;
			return i + 1;
		}
	}
	*code = 0xFFFD;
	return 1;
}

void
utf8_mend(struct buf *out, const char *text, size_t len)
{
	uint32_t code;
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (n == 1 && code == 0xfffd)
			buf_adds(out, UTF8_REPLACEMENT);
		else
			buf_add(out, text, n);
	}
}

bool
utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7F && code < 0xA0) ||
	    code == 0x2028 || code == 0x2029;
}

bool
utf8_turns_direction(uint32_t code)
{
	return code == 0x061C || code == 0x200E || code == 0x200F ||
	    (code >= 0x202A && code <= 0x202E) ||
	    (code >= 0x2066 && code <= 0x2069);
}

struct range {
	uint32_t from, to;
};

/* In order. Unassigned ones count: they are reserved for such characters. */
static const struct range invisible[] = {
	{ 0xAD, 0xAD },		/* soft hyphen */
	{ 0x34F, 0x34F },	/* combining grapheme joiner */
	{ 0x61C, 0x61C },	/* Arabic letter mark */
	{ 0x115F, 0x1160 },	/* Hangul fillers */
	{ 0x17B4, 0x17B5 },	/* Khmer inherent vowels */
	{ 0x180B, 0x180F },	/* Mongolian selectors, vowel separator */
	{ 0x200B, 0x200F },	/* zero-width space and joiners, LRM, RLM */
	{ 0x202A, 0x202E },	/* embeddings and overrides */
	{ 0x2060, 0x206F },	/* word joiner, invisible signs, isolates */
	{ 0x3164, 0x3164 },	/* Hangul filler */
	{ 0xFE00, 0xFE0F },	/* variation selectors */
	{ 0xFEFF, 0xFEFF },	/* zero-width no-break space */
	{ 0xFFA0, 0xFFA0 },	/* halfwidth Hangul filler */
	{ 0xFFF0, 0xFFFB },	/* unassigned; interlinear annotation */
	{ 0x1BCA0, 0x1BCA3 },	/* shorthand format controls */
	{ 0x1D173, 0x1D17A },	/* musical format controls */
	{ 0xE0000, 0xE0FFF },	/* tags, more variation selectors */
};

bool
utf8_is_invisible(uint32_t code)
{
	size_t i;

	for (i = 0; i < sizeof(invisible) / sizeof(invisible[0]); i++)
		if (code <= invisible[i].to)
			return code >= invisible[i].from;
	return false;
}
