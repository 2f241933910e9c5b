/* SPDX-License-Identifier: ISC */
/* Reading the bodies of answers. It does not know Slack's words. */
#include "post_answer.h"

#include "buf.h"
#include "utf8.h"

#include <json-c/json.h>
#include <string.h>

#define SECONDS_MAX 1000000000
#define DEPTH_MAX 16		/* of an answer's JSON, which has one level */
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
is_true(json_object *object, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(object, name, &value) &&
	    json_object_is_type(value, json_type_boolean) &&
	    json_object_get_boolean(value);
}

static int64_t
seconds_of(json_object *value)
{
	double number;

	if (json_object_is_type(value, json_type_string))
		return post_answer_seconds(json_object_get_string(value));
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return 0;
	number = json_object_get_double(value);
	if (!(number > 0))	/* which no NaN is */
		return 0;
	if (number >= SECONDS_MAX)
		return SECONDS_MAX;
	return (int64_t)number + (number > (double)(int64_t)number);
}

static void
read_object(struct post_answer *a, json_object *object)
{
	json_object *value;

	a->json = true;
	a->ok = json_object_object_get_ex(object, "ok", NULL) ?
	    is_true(object, "ok") : is_true(object, "success");
	if (json_object_object_get_ex(object, "error", &value) &&
	    json_object_is_type(value, json_type_string))
		take_word(a, json_object_get_string(value),
		    (size_t)json_object_get_string_len(value));
	if (json_object_object_get_ex(object, "retry_after", &value))
		a->retry_after_s = seconds_of(value);
}

/* What is cut, or goes on behind its end, is nobody's answer. */
static void
read_json(struct post_answer *a, const char *body)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *object;
	size_t end;

	if (!tokener)
		mem_exhausted();
	object = json_tokener_parse_ex(tokener, body, (int)strlen(body));
	end = json_tokener_get_parse_end(tokener);
	if (json_object_is_type(object, json_type_object) &&
	    body[end + strspn(body + end, BLANKS)] == '\0')
		read_object(a, object);
	json_object_put(object);
	json_tokener_free(tokener);
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
