/* SPDX-License-Identifier: ISC */
/* What answers mean. Pure, and without libcurl. */
#include "webhook/post.h"

#include "webhook/post_answer.h"

#include <stdio.h>
#include <string.h>

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
	/* Whose user is the one that installed the webhook. */
	{ "user_not_found", POST_REFUSED },
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

/* Statuses, where the word is none of those. */
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

/*
 * What is not Slack's tells nothing of the payload or the webhook: a proxy's
 * page may come with any status, and pass.
 */
static void
judge_foreign(struct post_outcome *outcome, const struct post_answer *a)
{
	const char *what = "not Slack's";

	if (outcome->status >= 200 && outcome->status < 300)
		what = "not ok";
	else if (a->empty)
		what = "empty";
	outcome->result = POST_LATER;
	snprintf(outcome->reason, sizeof(outcome->reason),
	    "status %d, but the body is %s", outcome->status, what);
}

static void
judge_word(struct post_outcome *outcome, const char *word)
{
	size_t row = find_row(word);

	outcome->result = row < WORDS ? words[row].result :
	    judge_status(outcome->status);
	if (outcome->retry_after_s == 0 &&
	    strcmp(word, "message_limit_exceeded") == 0)
		outcome->retry_after_s = LIMIT_WAIT_S;
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", word);
}

/* A plain word nobody knows, in a 2xx, is as good as a page. */
static bool
is_of_slack(const struct post_answer *a, int status)
{
	if (!*a->word)
		return false;
	return a->json || status < 200 || status > 299 ||
	    find_row(a->word) < WORDS;
}

void
post_judge(struct post_outcome *outcome, int status, const char *body,
    int64_t retry_after_s)
{
	bool good = status >= 200 && status < 300;
	struct post_answer a;

	post_answer_read(&a, body);
	memset(outcome, 0, sizeof(*outcome));
	outcome->status = status;
	outcome->retry_after_s = a.retry_after_s > retry_after_s ?
	    a.retry_after_s : retry_after_s;
	if ((good && a.ok) || (status == 204 && a.empty)) {
		outcome->result = POST_SENT;
		snprintf(outcome->reason, sizeof(outcome->reason), "ok");
	} else if (is_of_slack(&a, status)) {
		judge_word(outcome, a.word);
	} else {
		judge_foreign(outcome, &a);
	}
}
