/* SPDX-License-Identifier: ISC */
/* Reading the bodies of answers. It does not know Slack's words. */
#include "webhook/post_answer.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "json/prune.h"

#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1000000000
#define BLANKS " \t\r\n"

int64_t
post_answer_seconds(const char *text)
{
	const char *p = text + strspn(text, BLANKS);
	size_t digits = strspn(p, ASCII_DIGITS);
	int64_t seconds = 0;
	size_t i;

	for (i = 0; i < digits; i++)
		if (seconds < SECONDS_MAX)
			seconds = seconds * 10 + (p[i] - '0');
	p += digits;
	if (digits > 0 && *p == '.') {
		p += 1 + strspn(p + 1, "0");
		if (*p >= '1' && *p <= '9')
			seconds++;
		p += strspn(p, ASCII_DIGITS);
	}
	p += strspn(p, BLANKS);
	if (*p != '\0')
		return 0;
	return seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
}

/* Takes len bytes as the word, if they are one. */
static void
take_word(struct post_answer *a, const char *text, size_t len)
{
	static const char letters[] = ASCII_ALNUM "_";

	if (len > POST_WORD_MAX || strspn(text, letters) < len)
		return;
	memcpy(a->word, text, len);
	a->word[len] = '\0';
}

/* ---------------------------------------------------------------- JSON */

static bool
is_true(const struct json *object, const char *name)
{
	const struct json *value = json_member(object, name);

	return json_kind_of(value) == JSON_BOOLEAN && json_boolean(value);
}

static int64_t
seconds_of(struct json *value)
{
	struct json *digits = json_member(value, PRUNE_NUMBER);
	double number;
	size_t len;

	if (json_kind_of(value) == JSON_STRING)
		return post_answer_seconds(json_string(value, &len));
	if (!digits)
		return 0;
	number = strtod(json_string(digits, &len), NULL);
	if (!(number > 0))	/* which no NaN is */
		return 0;
	if (number >= SECONDS_MAX)
		return SECONDS_MAX;
	return (int64_t)number + (number > (double)(int64_t)number);
}

static void
read_object(struct post_answer *a, const struct json *object)
{
	struct json *error = json_member(object, "error");
	const char *word;
	size_t len;

	a->json = true;
	a->ok = is_true(object, json_has(object, "ok") ? "ok" : "success");
	if (json_kind_of(error) == JSON_STRING) {
		word = json_string(error, &len);
		take_word(a, word, len);
	}
	a->retry_after_s = seconds_of(json_member(object, "retry_after"));
}

/* What is cut, or goes on behind its end, is nobody's answer. */
static void
read_json(struct post_answer *a, const char *body)
{
	static const char *const names[] = {
		"ok", "success", "error", "retry_after"
	};
	struct prune *prune = prune_new();
	struct scan s = { 0 };
	enum prune_stop stop;
	struct json *object;
	const char *why;
	size_t i, end;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		prune_want(prune, names[i], PRUNE_NO_ITEMS);
	prune_begin(prune, false);
	stop = prune_read(prune, &s, body, strlen(body), &end, &why);
	if (stop == PRUNE_WHOLE &&
	    body[end + strspn(body + end, BLANKS)] == '\0') {
		object = prune_end(prune);
		read_object(a, object);
		json_free(object);
	}
	scan_release(&s);
	prune_free(prune);
}

/* --------------------------------------------------------------- bodies */

/* Servers that speak Slack's language may end the line. */
static bool
is_ok(const char *body)
{
	return strncmp(body, "ok", 2) == 0 &&
	    body[2 + strspn(body + 2, "\r\n")] == '\0';
}

static void
read_plain(struct post_answer *a, const char *body)
{
	size_t len = strcspn(body, BLANKS);

	if (body[len + strspn(body + len, BLANKS)] == '\0')
		take_word(a, body, len);
}

void
post_answer_read(struct post_answer *a, const char *body)
{
	const char *begin = body + strspn(body, BLANKS);

	memset(a, 0, sizeof(*a));
	a->empty = *begin == '\0';
	if (*begin == '{') {
		if (strlen(begin) <= POST_ANSWER_MAX)
			read_json(a, begin);
		return;
	}
	read_plain(a, begin);
	a->ok = is_ok(body);
}
