/* SPDX-License-Identifier: ISC */
/* Compressed or text, told by the first bytes of a body. */
#include "receive/compression.h"

#include "base/utf8.h"

#include <string.h>

/*
 * What compressed data begin with: RFC 1952, RFC 1950, RFC 8878. No text in
 * UTF-8 begins so. zlib's other beginnings, "x^" and "x\xDA", may be text,
 * and count with their Content-Encoding alone.
 */
static const struct mark {
	const char *name;
	const char *bytes;
} marks[] = {
	{ "gzip", "\x1F\x8B" },
	{ "zlib", "x\x01" },
	{ "zlib", "x\x9C" },
	{ "zstd", "\x28\xB5\x2F\xFD" },
};

static bool
is_control(unsigned char byte)
{
	return byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r';
}

/* The last character may end beyond these bytes. */
static bool
is_text(const char *bytes, size_t len)
{
	struct utf8 utf8 = { 0 };
	size_t i;

	for (i = 0; i < len; i++)
		if (is_control((unsigned char)bytes[i]) ||
		    !utf8_step(&utf8, (unsigned char)bytes[i]))
			return false;
	return true;
}

const char *
compression_name(const char *coding, const char *head, size_t len)
{
	size_t i, size;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size = strlen(marks[i].bytes);
		if (len >= size && memcmp(head, marks[i].bytes, size) == 0)
			return marks[i].name;
	}
	return is_text(head, len) ? NULL : coding;
}
