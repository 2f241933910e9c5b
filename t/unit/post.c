/* SPDX-License-Identifier: ISC */
/* What Slack's answers mean. Transfers are tested elsewhere. */
#include "post.h"

#include "tap.h"

#include <stdio.h>
#include <string.h>

/* "never 400 invalid_payload", and the wait when there is one. */
static const char *
judged(int status, const char *body, int64_t retry_after_s)
{
	static char text[400];
	struct post_outcome outcome;
	size_t len;

	memset(&outcome, 0xFF, sizeof(outcome));
	post_judge(&outcome, status, body, retry_after_s);
	snprintf(text, sizeof(text), "%s %d %s",
	    post_result_name(outcome.result), outcome.status, outcome.reason);
	len = strlen(text);
	if (outcome.retry_after_s != 0)
		snprintf(text + len, sizeof(text) - len, " after %lld",
		    (long long)outcome.retry_after_s);
	if (outcome.timed_out)
		strcat(text, " timed out");
	return text;
}

/* Slack's words, with the status that each comes with. */
static const struct {
	const char *word;
	int status;
	const char *result;
} words[] = {
	{ "invalid_payload", 400, "never" },
	{ "no_text", 400, "never" },
	{ "missing_text_or_fallback_or_attachments", 400, "never" },
	{ "invalid_attachments", 400, "never" },
	{ "invalid_blocks", 400, "never" },
	{ "too_many_attachments", 400, "never" },
	{ "user_not_found", 400, "never" },
	{ "invalid_token", 403, "refused" },
	{ "action_prohibited", 403, "refused" },
	{ "posting_to_general_channel_denied", 403, "refused" },
	{ "channel_not_found", 404, "refused" },
	{ "no_service", 404, "refused" },
	{ "no_active_hooks", 404, "refused" },
	{ "no_service_id", 404, "refused" },
	{ "no_team", 404, "refused" },
	{ "team_disabled", 404, "refused" },
	{ "channel_is_archived", 410, "refused" },
	{ "rollup_error", 500, "later" },
	{ "rate_limited", 429, "later" },
};

/*
 * The word decides whatever the status: Slack does not document all of
 * them. As JSON it counts wherever it stands.
 */
static void
test_words(void)
{
	static const struct {
		const char *before, *after;
	} forms[] = {
		{ "", "" },
		{ "", "\n" },
		{ "  ", " \r\n" },
		{ "{\"ok\":false,\"error\":\"", "\"}" },
		{ "{\"error\":\"", "\"}\n" },
		{ "{ \"error\" : \"", "\" }" },
		{ "{\"error\":\"", "\",\"ok\":false}" },
		{ "{\"ok\":false,\"error\":\"", "\",\"more\":{\"a\":1}}" },
	};
	static const int statuses[] = { 0, 200, 400, 403, 404, 410, 418, 429,
		500, 503 };
	char body[200], want[200], title[100];
	size_t i, f, s, bad;

	for (i = 0; i < ROWS(words); i++) {
		snprintf(want, sizeof(want), "%s %d %s", words[i].result,
		    words[i].status, words[i].word);
		snprintf(title, sizeof(title), "%d %s means %s",
		    words[i].status, words[i].word, words[i].result);
		is_str(judged(words[i].status, words[i].word, 0), want, "%s",
		    title);
		for (s = bad = 0; s < ROWS(statuses); s++) {
			snprintf(want, sizeof(want), "%s %d %s",
			    words[i].result, statuses[s], words[i].word);
			bad += strcmp(judged(statuses[s], words[i].word, 0),
			    want) != 0;
		}
		is_num((long long)bad, 0, "and with any other status");
	}
	for (f = 0; f < ROWS(forms); f++) {
		for (i = bad = 0; i < ROWS(words); i++) {
			snprintf(body, sizeof(body), "%s%s%s",
			    forms[f].before, words[i].word, forms[f].after);
			snprintf(want, sizeof(want), "%s %d %s",
			    words[i].result, words[i].status, words[i].word);
			bad += strcmp(judged(words[i].status, body, 0), want)
			    != 0;
		}
		is_num((long long)bad, 0, "each word is found in %sWORD%s",
		    forms[f].before, forms[f].after);
	}
}

#define NOT_OK "later 200 status 200, but the body is not ok"

static const struct {
	int status;
	const char *body;
	int64_t retry_after_s;
	const char *want;
	const char *title;
} answers[] = {
	/* Success is 200 and ok. */
	{ 200, "ok", 0, "sent 200 ok", "200 and ok is success" },
	{ 200, "ok", 5, "sent 200 ok after 5", "with any header" },
	{ 200, "", 0, NOT_OK,
	    "200 without a body is not" },
	{ 200, "ok\n", 0, "sent 200 ok", "so is one with a line end" },
	{ 200, "ok ok", 0, NOT_OK, "200 and more than ok is not" },
	{ 200, "OK", 0, NOT_OK, "200 and OK is not" },
	{ 200, " ok", 0, NOT_OK, "200 and a space before ok is not" },
	{ 200, "okay", 0, NOT_OK, "200 and okay is not" },
	{ 200, "\"ok\"", 0, NOT_OK,
	    "nor is ok in quotes" },
	{ 200, "{\"ok\":true}", 0,
	    NOT_OK,
	    "nor the web API's ok" },
	{ 200, "<!DOCTYPE html><html><body>ok</body></html>", 0,
	    NOT_OK,
	    "200 and a page, a proxy's perhaps, is not" },
	{ 200, "no_service", 0, "refused 200 no_service",
	    "200 with a word that refuses is refused" },
	{ 201, "ok", 0, "later 201 ok", "another 2xx with ok is not" },
	{ 204, "", 0, "later 204 status 204 and no word of Slack's",
	    "204 is not" },
	{ 500, "ok", 0, "later 500 ok", "nor 500 with ok" },
	{ 400, "ok", 0, "never 400 ok", "nor 400 with ok" },

	/* Waiting. */
	{ 429, "rate_limited", 30, "later 429 rate_limited after 30",
	    "Retry-After is passed on" },
	{ 429, "{\"ok\":false,\"error\":\"rate_limited\"}", 1,
	    "later 429 rate_limited after 1", "with the JSON form too" },
	{ 429, "", 7, "later 429 status 429 and no word of Slack's after 7",
	    "and without a word" },
	{ 429, "rate_limited", 0, "later 429 rate_limited",
	    "429 without Retry-After says no wait" },
	{ 429, "message_limit_exceeded", 0,
	    "later 429 message_limit_exceeded after 300",
	    "message_limit_exceeded without Retry-After waits minutes" },
	{ 429, "message_limit_exceeded", 10,
	    "later 429 message_limit_exceeded after 10",
	    "with one it waits as told" },
	{ 429, "{\"ok\":false,\"error\":\"message_limit_exceeded\"}", 0,
	    "later 429 message_limit_exceeded after 300",
	    "in the JSON form too" },
	{ 503, "", 120, "later 503 status 503 and no word of Slack's after "
	    "120", "503 may say a wait" },

	/* Words that nobody knows: the status decides. */
	{ 400, "brand_new_word", 0, "never 400 brand_new_word",
	    "an unknown word with 400" },
	{ 403, "brand_new_word", 0, "refused 403 brand_new_word",
	    "an unknown word with 403" },
	{ 503, "brand_new_word", 0, "later 503 brand_new_word",
	    "an unknown word with 503" },
	{ 404, "No_Service", 0, "refused 404 No_Service",
	    "a word is in small letters" },
	{ 500, "invalid_payloads", 0, "later 500 invalid_payloads",
	    "a longer word is another" },
	{ 500, "invalid_payloa", 0, "later 500 invalid_payloa",
	    "a shorter word is another" },

	/* What is not one plain word is not shown. */
	{ 404, "<html>no_service</html>", 0,
	    "refused 404 status 404 and no word of Slack's",
	    "a word within a page is none" },
	{ 502, "<p>\"error\":\"no_service\"</p>", 0,
	    "later 502 status 502 and no word of Slack's",
	    "nor is one in JSON within a page" },
	{ 404, "no_service at all", 0,
	    "refused 404 status 404 and no word of Slack's",
	    "a sentence is no word" },
	{ 502, "bad\x1B[31m", 0,
	    "later 502 status 502 and no word of Slack's",
	    "nor is what has control bytes" },
	{ 502, "evil\nforged", 0,
	    "later 502 status 502 and no word of Slack's",
	    "nor are two lines" },
	{ 502, "\xC3\xBC", 0, "later 502 status 502 and no word of Slack's",
	    "nor are letters beyond ASCII" },
	{ 400, "{}", 0, "never 400 status 400 and no word of Slack's",
	    "an empty object has none" },
	{ 400, "{\"error\":", 0,
	    "never 400 status 400 and no word of Slack's",
	    "nor has one that is cut" },
};

static void
test_answers(void)
{
	size_t i;

	for (i = 0; i < ROWS(answers); i++)
		is_str(judged(answers[i].status, answers[i].body,
		    answers[i].retry_after_s), answers[i].want, "%s",
		    answers[i].title);
}

static const char *
by_status(int status)
{
	static const int refused[] = { 401, 403, 404, 410 };
	size_t i;

	for (i = 0; i < ROWS(refused); i++)
		if (status == refused[i])
			return "refused";
	if (status == 400 || status == 413)
		return "never";
	return status >= 300 && status < 400 ? "refused" : "later";
}

/* 400, 413: payload; 3xx, 401, 403, 404, 410: destination; others wait. */
static void
test_statuses(void)
{
	static const int named[] = {
		300, 301, 302, 307, 308, 400, 401, 403, 404, 408, 410, 413,
		429, 500, 502, 503, 504, 599
	};
	char want[100];
	int status, bad = 0;
	size_t i;

	for (i = 0; i < ROWS(named); i++) {
		snprintf(want, sizeof(want), "%s %d status %d and no word of "
		    "Slack's", by_status(named[i]), named[i], named[i]);
		is_str(judged(named[i], "", 0), want, "%d without a word "
		    "means %s", named[i], by_status(named[i]));
	}
	for (status = 0; status < 1000; status++) {
		if (status == 200)
			continue; /* see the answers above */
		snprintf(want, sizeof(want), "%s %d status %d and no word of "
		    "Slack's", by_status(status), status, status);
		bad += strcmp(judged(status, "", 0), want) != 0;
	}
	is_num(bad, 0, "every other status waits; none without ok is success");
}

/* Words of every length: no overrun, and nothing but a word is told. */
static void
test_lengths(void)
{
	char body[2000];
	struct post_outcome outcome;
	size_t len, bad = 0;

	for (len = 0; len < sizeof(body); len++) {
		memset(body, 'w', len);
		body[len] = '\0';
		post_judge(&outcome, 500, body, 0);
		bad += outcome.result != POST_LATER ||
		    (strcmp(outcome.reason, body) != 0 &&
		    strcmp(outcome.reason, "status 500 and no word of "
		    "Slack's") != 0);
		if (len > 0 && len <= 60)
			bad += strcmp(outcome.reason, body) != 0;
	}
	is_num((long long)bad, 0, "a word is told whole or not at all");
}

static void
test_names(void)
{
	is_num(POST_LATER, 0, "the safe result is zero");
	is_str(post_result_name(POST_LATER), "later", "later");
	is_str(post_result_name(POST_SENT), "sent", "sent");
	is_str(post_result_name(POST_REFUSED), "refused", "refused");
	is_str(post_result_name(POST_NEVER), "never", "never");
}

int
main(void)
{
	test_words();
	test_answers();
	test_statuses();
	test_lengths();
	test_names();
	return done_testing();
}
