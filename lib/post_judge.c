/* SPDX-License-Identifier: ISC */
/* What Slack's answers mean. Pure, and without libcurl. */
#include "post.h"

#include "utf8.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 64
#define LIMIT_WAIT_S 300	/* message_limit_exceeded comes without one */

/* The words of Slack's answers, and what each means for us. */
static const struct {
	const char *word;
	enum post_result result;
} words[] = {
	{ "invalid_payload", POST_NEVER },
	{ "no_text", POST_NEVER },
	{ "missing_text_or_fallback_or_attachments", POST_NEVER },
	{ "invalid_attachments", POST_NEVER },
	{ "invalid_blocks", POST_NEVER },
	{ "too_many_attachments", POST_NEVER },
	{ "user_not_found", POST_NEVER },
	{ "invalid_token", POST_REFUSED },
	{ "action_prohibited", POST_REFUSED },
	{ "posting_to_general_channel_denied", POST_REFUSED },
	{ "channel_not_found", POST_REFUSED },
	{ "no_service", POST_REFUSED },
	{ "no_active_hooks", POST_REFUSED },
	{ "no_service_id", POST_REFUSED },
	{ "no_team", POST_REFUSED },
	{ "team_disabled", POST_REFUSED },
	{ "channel_is_archived", POST_REFUSED },
	{ "rollup_error", POST_LATER },
	{ "rate_limited", POST_LATER },
	{ "message_limit_exceeded", POST_LATER },
};

#define WORDS (sizeof(words) / sizeof(words[0]))

/* Statuses, where the word is not one of those; the first row counts. */
static const struct {
	int from, to;
	enum post_result result;
} statuses[] = {
	{ 400, 400, POST_NEVER },
	{ 413, 413, POST_NEVER },
	{ 300, 399, POST_REFUSED },
	{ 401, 401, POST_REFUSED },
	{ 403, 404, POST_REFUSED },
	{ 410, 410, POST_REFUSED },
};

#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

const char *
post_result_name(enum post_result result)
{
	switch (result) {
	case POST_LATER:
		return "later";
	case POST_SENT:
		return "sent";
	case POST_REFUSED:
		return "refused";
	case POST_NEVER:
		return "never";
	}
	return "later";
}

static enum post_result
judge_status(int status)
{
	size_t i;

	for (i = 0; i < STATUSES; i++)
		if (status >= statuses[i].from && status <= statuses[i].to)
			return statuses[i].result;
	return POST_LATER;
}

/* What is between the quotes of "error": "word"; "" for none. */
static const char *
json_error(const char *body)
{
	const char *error = strstr(body, "\"error\"");

	if (!error)
		return "";
	error += strlen("\"error\"");
	error += strspn(error, " \t\r\n:");
	return *error == '"' ? error + 1 : "";
}

/*
 * The word of an answer: the whole body, or the error of a JSON one. It is
 * shown to people, so nothing but a plain word is taken.
 */
static void
find_word(const char *body, char *word, size_t size)
{
	static const char letters[] = ASCII_ALNUM "_-";
	bool json = *body == '{';
	const char *begin = json ? json_error(body) : body;
	size_t len;

	begin += strspn(begin, " \t\r\n");
	len = strspn(begin, letters);
	if (len >= size || (json && begin[len] != '"') || (!json &&
	    begin[len + strspn(begin + len, " \t\r\n")] != '\0'))
		len = 0;
	memcpy(word, begin, len);
	word[len] = '\0';
}

/* The row of a word of Slack's; WORDS when it is none we know. */
static size_t
find_row(const char *word)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (strcmp(word, words[i].word) == 0)
			break;
	return i;
}

/* Servers that speak Slack's language may end the line. */
static bool
is_ok(const char *body)
{
	return strncmp(body, "ok", 2) == 0 &&
	    body[2 + strspn(body + 2, "\r\n")] == '\0';
}

void
post_judge(struct post_outcome *outcome, int status, const char *body,
    int64_t retry_after_s)
{
	char word[WORD_MAX + 1];
	const char *reason = word;
	char other[64];
	size_t row;

	memset(outcome, 0, sizeof(*outcome));
	find_word(body, word, sizeof(word));
	row = find_row(word);
	outcome->status = status;
	outcome->retry_after_s = retry_after_s;
	outcome->result = row < WORDS ? words[row].result :
	    judge_status(status);
	snprintf(other, sizeof(other), "status %d and no word of Slack's",
	    status);
	if (status == 200 && is_ok(body))
		outcome->result = POST_SENT;
	else if (status == 200 && row == WORDS)
		reason = "status 200, but the body is not ok";
	else if (!*word)
		reason = other;
	if (retry_after_s == 0 && strcmp(word, "message_limit_exceeded") == 0)
		outcome->retry_after_s = LIMIT_WAIT_S;
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", reason);
}
