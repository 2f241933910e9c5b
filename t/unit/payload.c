/* SPDX-License-Identifier: ISC */
/* What every payload keeps to. It does not know what payloads say. */
#include "payload.h"

#include "base/utf8.h"
#include "slack/slack.h"
#include "tap.h"

#include <json-c/json.h>
#include <string.h>

long
payload_characters(const char *text)
{
	struct utf8 u = { 0, 0, 0, 0 };
	long count = 0;

	for (; *text; text++) {
		if (!utf8_step(&u, (unsigned char)*text))
			return -1;
		count += utf8_between(&u);
	}
	return utf8_between(&u) ? count : -1;
}

/* Whether & < > stand as whole entities only. */
static bool
is_escaped(const char *text)
{
	for (; (text = strpbrk(text, "&<>")) != NULL; text++)
		if (strncmp(text, "&amp;", 5) != 0 &&
		    strncmp(text, "&lt;", 4) != 0 &&
		    strncmp(text, "&gt;", 4) != 0)
			return false;
	return true;
}

/*
 * What no text has but for the joiners and selectors of U+200C, U+200D,
 * U+2060, U+FE0E and U+FE0F, whose places slack.c tests.
 */
static bool
is_unwanted(uint32_t code)
{
	return code < 0x20 || (code >= 0x7F && code < 0xA0) ||
	    code == 0xAD || code == 0x61C || code == 0x115F ||
	    code == 0x200B || code == 0x200E || code == 0x200F ||
	    (code >= 0x2028 && code <= 0x202E) ||
	    (code >= 0x2061 && code <= 0x206F) || code == 0x3164 ||
	    (code >= 0xFE00 && code <= 0xFE0D) || code == 0xFEFF ||
	    (code >= 0xE0000 && code <= 0xE0FFF);
}

/* Whether no character ends a line, drives a terminal or turns text. */
static bool
is_tame(const char *text)
{
	size_t len = strlen(text), n;
	uint32_t code;

	for (; len > 0; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (is_unwanted(code))
			return false;
	}
	return true;
}

/* Whether ":name:" stands in it, which Slack may make a picture of. */
static bool
has_picture(const char *text)
{
	size_t len;

	for (; (text = strchr(text, ':')) != NULL; text++) {
		len = strspn(text + 1, ASCII_ALNUM "_+-'");
		if (len == 2 && strspn(text + 1, ASCII_DIGITS) == 2)
			continue; /* 12:00:00 */
		if (len > 0 && text[1 + len] == ':')
			return true;
	}
	return false;
}

static const struct {
	const char *name;
	long max;
} limits[] = {
	{ "title", SLACK_TITLE_MAX },
	{ "fallback", SLACK_TITLE_MAX },
	{ "value", SLACK_VALUE_MAX },
	{ "footer", 300 },
	{ "text", 4000 },
};

static const char *
text_fault(const char *name, const char *text)
{
	size_t i;

	if (!*text)
		return "is empty";
	if (payload_characters(text) < 0)
		return "is not UTF-8";
	if (!is_escaped(text))
		return "has & < or > in it";
	if (!is_tame(text))
		return "has a control character";
	if (strcmp(name, "title_link") != 0 && has_picture(text))
		return "has a picture in it";
	if (*text == ' ' || text[strlen(text) - 1] == ' ')
		return "begins or ends in a space";
	for (i = 0; i < ROWS(limits); i++)
		if (strcmp(name, limits[i].name) == 0 &&
		    payload_characters(text) > limits[i].max)
			return "is too long";
	return NULL;
}

static void find_faults(struct json_object *value, const char *name,
    struct buf *faults);

static void
find_item_faults(struct json_object *array, const char *name,
    struct buf *faults)
{
	size_t i, count = json_object_array_length(array);

	for (i = 0; i < count; i++)
		find_faults(json_object_array_get_idx(array, i), name, faults);
	if (count == 0)
		buf_addf(faults, "%s is an empty array; ", name);
}

static void
find_member_faults(struct json_object *object, const char *name,
    struct buf *faults)
{
	json_object_object_foreach(object, key, member)
		find_faults(member, key, faults);
	if (json_object_object_length(object) == 0)
		buf_addf(faults, "%s is an empty object; ", name);
}

/* Adds "name fault" for each thing wrong with the value and all in it. */
static void
find_faults(struct json_object *value, const char *name, struct buf *faults)
{
	const char *fault = NULL;

	if (!value)
		fault = "is null";
	else if (json_object_is_type(value, json_type_string))
		fault = text_fault(name, json_object_get_string(value));
	else if (json_object_is_type(value, json_type_array))
		find_item_faults(value, name, faults);
	else if (json_object_is_type(value, json_type_object))
		find_member_faults(value, name, faults);
	if (fault)
		buf_addf(faults, "%s %s; ", name, fault);
}

struct json_object *
payload_attachments(struct json_object *message)
{
	struct json_object *attachments = NULL;

	json_object_object_get_ex(message, "attachments", &attachments);
	return attachments;
}

const char *
payload_faults(const struct buf *payload)
{
	static struct buf faults;
	struct json_object *message;
	size_t count;

	buf_clear(&faults);
	if (payload->len > SLACK_BYTES_MAX)
		buf_addf(&faults, "%zu bytes; ", payload->len);
	if (strlen(buf_text(payload)) != payload->len)
		buf_adds(&faults, "a NUL byte; ");
	message = json_tokener_parse(buf_text(payload));
	find_faults(message, "message", &faults);
	if (!json_object_is_type(payload_attachments(message),
	    json_type_array)) {
		buf_adds(&faults, "no attachments; ");
	} else {
		count = json_object_array_length(payload_attachments(message));
		if (count > SLACK_ATTACHMENTS_MAX)
			buf_addf(&faults, "%zu attachments; ", count);
	}
	json_object_put(message);
	return buf_text(&faults);
}

const char *
payload_random_sign(unsigned *seed)
{
	static const char *const any[] = {
		"a", "z ", " ", "\n", "&", "<", ">", "\"", "\\", "*", "_",
		"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\x01",
		"\xE2\x80\xAE", "\xFF", "\xE2\x82", "\xC2\xA0", "</", "&&&",
		":", ":", ":a:b:", "\xE2\x80\x8B", "\xE2\x80\x8D",
		"\xE2\x80\x8C", "\xEF\xB8\x8F", "\xE3\x85\xA4",
		"\xF3\xA0\x81\xA1", "\xDB\x8C", "\xE2\x81\xA0",
	};

	*seed = *seed * 1103515245 + 12345;
	return any[(*seed >> 16) % ROWS(any)];
}
