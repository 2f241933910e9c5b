/* SPDX-License-Identifier: ISC */
/* Comparing secrets. It knows nothing of where they come from. */
#include "config/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SPACE " \t\r"

struct slice {
	const char *text;
	size_t len;
};

static struct slice
bare(const char *text, size_t len)
{
	static const char scheme[] = "Bearer";
	const size_t skip = sizeof(scheme) - 1;
	struct slice s = { text, len };

	while (s.len > 0 && strchr(SPACE, s.text[0]))
		s.text++, s.len--;
	if (s.len > skip && strncasecmp(s.text, scheme, skip) == 0 &&
	    strchr(SPACE, s.text[skip])) {
		s.text += skip, s.len -= skip;
		while (s.len > 0 && strchr(SPACE, s.text[0]))
			s.text++, s.len--;
	}
	while (s.len > 0 && strchr(SPACE, s.text[s.len - 1]))
		s.len--;
	return s;
}

/* The next token of a list of lines; false at its end. */
static bool
next_token(const char **list, struct slice *token)
{
	const char *line;
	size_t len;

	while (**list) {
		line = *list;
		len = strcspn(line, "\n");
		*list = line + len + (line[len] == '\n');
		*token = bare(line, len);
		if (token->len > 0)
			return true;
	}
	return false;
}

/* All of given is looked at whatever the outcome. */
static unsigned
differ(struct slice given, struct slice token)
{
	volatile unsigned difference = given.len != token.len;
	size_t i;

	for (i = 0; i < given.len; i++)
		difference |= (unsigned char)given.text[i] ^
		    (unsigned char)token.text[i % token.len];
	return difference;
}

enum token_verdict
token_check(const char *accepted, const char *header)
{
	struct slice given, token;
	unsigned matches = 0;

	if (!header)
		return TOKEN_MISSING;
	given = bare(header, strlen(header));
	if (given.len == 0)
		return TOKEN_MISSING;
	while (next_token(&accepted, &token))
		matches |= differ(given, token) == 0;
	return matches ? TOKEN_OK : TOKEN_WRONG;
}

unsigned
token_count(const char *accepted, unsigned *shortest)
{
	struct slice token;
	unsigned count = 0;

	*shortest = 0;
	while (next_token(&accepted, &token)) {
		if (count == 0 || token.len < *shortest)
			*shortest = (unsigned)token.len;
		count++;
	}
	return count;
}
