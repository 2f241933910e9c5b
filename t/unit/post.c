/* SPDX-License-Identifier: ISC */
/* What Slack's answers mean. Transfers are tested elsewhere. */
#include "webhook/post.h"

#include "webhook/post_answer.h"
#include "webhook/post_curl.h"
#include "webhook/post_failure.h"

#include "tap.h"

#include <errno.h>

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
	{ "user_not_found", 400, "refused" },
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
#define FOREIGN(status) "later " #status " status " #status ", but the body " \
	"is not Slack's"
#define EMPTY(status) "later " #status " status " #status ", but the body " \
	"is empty"

static const struct {
	int status;
	const char *body;
	int64_t retry_after_s;
	const char *want;
	const char *title;
} answers[] = {
	/* Success is a 2xx with ok. */
	{ 200, "ok", 0, "sent 200 ok", "200 and ok is success" },
	{ 200, "ok", 5, "sent 200 ok after 5", "with any header" },
	{ 200, "ok\n", 0, "sent 200 ok", "so is one with a line end" },
	{ 202, "ok", 0, "sent 202 ok", "202 and ok is success" },
	{ 201, "ok", 0, "sent 201 ok", "so is any 2xx with ok" },
	{ 204, "", 0, "sent 204 ok", "204 needs no body" },
	{ 204, "\r\n", 0, "sent 204 ok", "nor minds an empty line" },
	{ 200, "{\"success\":true}", 0, "sent 200 ok",
	    "Rocket.Chat's answer is success" },
	{ 200, "{\"result\":\"success\",\"msg\":\"\",\"ok\":true}\n", 0,
	    "sent 200 ok", "so is Zulip's" },
	{ 200, " { \"ok\" : true } ", 0, "sent 200 ok",
	    "and Slack's own in JSON" },
	{ 200, "", 0, "later 200 status 200, but the body is not ok",
	    "200 without a body is not" },
	{ 200, "ok ok", 0, NOT_OK, "200 and more than ok is not" },
	{ 200, "OK", 0, NOT_OK, "200 and OK is not" },
	{ 200, " ok", 0, NOT_OK, "200 and a space before ok is not" },
	{ 200, "okay", 0, NOT_OK, "200 and okay is not" },
	{ 200, "\"ok\"", 0, NOT_OK, "nor is ok in quotes" },
	{ 200, "{\"ok\":false}", 0, NOT_OK, "nor is JSON that says no" },
	{ 200, "{\"success\":false}", 0, NOT_OK, "be it Rocket.Chat's" },
	{ 200, "{\"ok\":false,\"success\":true}", 0, NOT_OK,
	    "ok counts before success" },
	{ 200, "{\"ok\":1}", 0, NOT_OK, "a number is not true" },
	{ 200, "{\"ok\":\"true\"}", 0, NOT_OK, "nor is a string" },
	{ 200, "{\"a\":{\"ok\":true}}", 0, NOT_OK,
	    "ok further down is another's" },
	{ 200, "[{\"ok\":true}]", 0, NOT_OK, "or in an array" },
	{ 200, "{\"ok\":true", 0, NOT_OK, "JSON that is cut is not" },
	{ 200, "{\"ok\":true}<html>", 0, NOT_OK,
	    "nor JSON with something behind it" },
	{ 200, "<!DOCTYPE html><html><body>ok</body></html>", 0,
	    NOT_OK, "200 and a page, a portal's perhaps, is not" },
	{ 200, "no_service", 0, "refused 200 no_service",
	    "200 with a word that refuses is refused" },
	{ 200, "{\"ok\":false,\"error\":\"no_service\"}", 0,
	    "refused 200 no_service", "in JSON too" },
	{ 200, "{\"ok\":false,\"error\":\"new_word\"}", 0,
	    "later 200 new_word", "one nobody knows is told" },
	{ 500, "ok", 0, "later 500 ok", "500 with ok is not success" },
	{ 500, "{\"ok\":true}", 0, FOREIGN(500), "nor 500 with JSON" },
	{ 400, "", 0, EMPTY(400), "400 without a body is no word" },
	{ 404, " \r\n", 0, EMPTY(404), "nor is white space" },

	/* Waiting. */
	{ 429, "rate_limited", 30, "later 429 rate_limited after 30",
	    "Retry-After is passed on" },
	{ 429, "{\"ok\":false,\"error\":\"rate_limited\"}", 1,
	    "later 429 rate_limited after 1", "with the JSON form too" },
	{ 429, "{\"ok\":false,\"error\":\"rate_limited\","
	    "\"retry_after\":4}", 0, "later 429 rate_limited after 4",
	    "retry_after in the body counts" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":4}", 2,
	    "later 429 rate_limited after 4", "as the longer of both" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":4}", 9,
	    "later 429 rate_limited after 9", "be that the header" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":1.2}", 0,
	    "later 429 rate_limited after 2", "its fraction is rounded up" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":\"0.5\"}", 0,
	    "later 429 rate_limited after 1", "in a string too" },
	{ 429, "{\"message\":\"x\",\"retry_after\":2.0}", 0,
	    "later 429 status 429, but the body is not Slack's after 2",
	    "Discord's has no word" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":-4}", 0,
	    "later 429 rate_limited", "less than none is none" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":1e300}", 0,
	    "later 429 rate_limited after 1000000000", "much is cut" },
	{ 429, "{\"error\":\"rate_limited\",\"retry_after\":null}", 3,
	    "later 429 rate_limited after 3", "no number is none" },
	{ 429, "", 7, EMPTY(429) " after 7", "and without a word" },
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
	{ 503, "", 120, EMPTY(503) " after 120", "503 may say a wait" },

	/* Words that nobody knows: the status decides. */
	{ 400, "brand_new_word", 0, "never 400 brand_new_word",
	    "an unknown word with 400" },
	{ 400, "{\"ok\":false,\"error\":\"brand_new_word\"}", 0,
	    "never 400 brand_new_word", "in JSON" },
	{ 403, "brand_new_word", 0, "refused 403 brand_new_word",
	    "an unknown word with 403" },
	{ 302, "brand_new_word", 0, "refused 302 brand_new_word",
	    "an unknown word with 302" },
	{ 503, "brand_new_word", 0, "later 503 brand_new_word",
	    "an unknown word with 503" },
	{ 404, "No_Service", 0, "refused 404 No_Service",
	    "a word is in small letters" },
	{ 500, "invalid_payloads", 0, "later 500 invalid_payloads",
	    "a longer word is another" },
	{ 500, "invalid_payloa", 0, "later 500 invalid_payloa",
	    "a shorter word is another" },

	/* What is not one plain word is not Slack's, and is not shown. */
	{ 400, "<html><body><h1>400 Bad Request</h1></body></html>", 0,
	    FOREIGN(400), "a proxy's page condemns nothing" },
	{ 413, "<html>no_text</html>", 0, FOREIGN(413),
	    "whatever is in it" },
	{ 404, "<html>no_service</html>", 0, FOREIGN(404),
	    "a word within a page is none" },
	{ 302, "<a href=\"/login\">Found</a>", 0, FOREIGN(302),
	    "nor does a redirect to a portal refuse" },
	{ 502, "<p>\"error\":\"no_service\"</p>", 0, FOREIGN(502),
	    "nor is one in JSON within a page" },
	{ 404, "no_service at all", 0, FOREIGN(404), "a sentence is no word" },
	{ 400, "Bad Request", 0, FOREIGN(400), "a proxy's least of all" },
	{ 400, "bad-request", 0, FOREIGN(400), "nor is one with a hyphen" },
	{ 502, "bad\x1B[31m", 0, FOREIGN(502),
	    "nor is what has control bytes" },
	{ 502, "evil\nforged", 0, FOREIGN(502), "nor are two lines" },
	{ 502, "\xC3\xBC", 0, FOREIGN(502),
	    "nor are letters beyond ASCII" },
	{ 400, "{}", 0, FOREIGN(400), "an empty object has none" },
	{ 400, "{\"error\":", 0, FOREIGN(400), "nor has one that is cut" },
	{ 400, "{\"error\":\"no_text\"", 0, FOREIGN(400),
	    "be it behind the word" },
	{ 400, "{\"error\":\"no text\"}", 0, FOREIGN(400),
	    "nor has one with a sentence" },
	{ 400, "{\"error\":\"no_text\\u0000\"}", 0, FOREIGN(400),
	    "or with a NUL" },
	{ 400, "{\"error\":[\"no_text\"]}", 0, FOREIGN(400),
	    "or with an array" },
	{ 400, "{\"a\":{\"error\":\"no_text\"}}", 0, FOREIGN(400),
	    "or with a word further down" },
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

/*
 * 400, 413: payload; 3xx, 401, 403, 404, 410: destination; others wait.
 * All that only if there is a word: else all wait.
 */
static void
test_statuses(void)
{
	static const int named[] = {
		300, 301, 302, 307, 308, 400, 401, 403, 404, 408, 410, 413,
		429, 500, 502, 503, 504, 599
	};
	char want[100];
	int status, bad = 0, foreign = 0;
	size_t i;

	for (i = 0; i < ROWS(named); i++) {
		snprintf(want, sizeof(want), "%s %d a_word",
		    by_status(named[i]), named[i]);
		is_str(judged(named[i], "a_word", 0), want, "%d with a word "
		    "nobody knows means %s", named[i], by_status(named[i]));
	}
	for (status = 0; status < 1000; status++) {
		if (status >= 200 && status < 300)
			continue; /* see the answers above */
		snprintf(want, sizeof(want), "%s %d a_word",
		    by_status(status), status);
		bad += strcmp(judged(status, "a_word", 0), want) != 0;
		snprintf(want, sizeof(want), "later %d status %d, but the "
		    "body is not Slack's", status, status);
		foreign += strcmp(judged(status, "<p>", 0), want) != 0;
	}
	is_num(bad, 0, "every other status waits");
	is_num(foreign, 0, "so does each, where the body is not Slack's");
}

static void
test_seconds(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{ "0", 0 }, { "1", 1 }, { "30", 30 }, { " 7 ", 7 },
		{ "1.0", 1 }, { "1.5", 2 }, { "0.001", 1 }, { "2.", 2 },
		{ "1.000", 1 }, { "1000000000", 1000000000 },
		{ "999999999.5", 1000000000 },
		{ "99999999999999999999999", 1000000000 },
		{ "", 0 }, { ".5", 0 }, { "-1", 0 }, { "+1", 0 },
		{ "1s", 0 }, { "1.5.5", 0 }, { "1,5", 0 }, { "0x10", 0 },
		{ "1e3", 0 }, { "Wed, 21 Oct 2015 07:28:00 GMT", 0 },
		{ "21 Oct 2015", 0 },
	};
	size_t i;

	for (i = 0; i < ROWS(rows); i++)
		is_num(post_answer_seconds(rows[i].text), rows[i].want,
		    "\"%s\" is %lld s", rows[i].text,
		    (long long)rows[i].want);
}

/* Words of every length: no overrun, and nothing but a word is told. */
static void
test_lengths(void)
{
	char body[2000];
	struct post_outcome outcome;
	size_t len, bad = 0;

	for (len = 1; len < sizeof(body); len++) {
		memset(body, 'w', len);
		body[len] = '\0';
		post_judge(&outcome, 500, body, 0);
		bad += outcome.result != POST_LATER ||
		    (strcmp(outcome.reason, body) != 0 &&
		    strcmp(outcome.reason, "status 500, but the body is not "
		    "Slack's") != 0);
		if (len <= 60)
			bad += strcmp(outcome.reason, body) != 0;
	}
	is_num((long long)bad, 0, "a word is told whole or not at all");
}

/* JSON as long and as deep as it can come. */
static void
test_bounds(void)
{
	char body[6000];
	size_t len;

	snprintf(body, sizeof(body), "{\"error\":\"no_text\",\"a\":\"%0*d\"}",
	    POST_ANSWER_MAX - 26, 0);
	is_num((long long)strlen(body), POST_ANSWER_MAX, "a body of 4 kB");
	is_str(judged(400, body, 0), "never 400 no_text", "is read");
	snprintf(body, sizeof(body), "{\"error\":\"no_text\",\"a\":\"%0*d\"}",
	    POST_ANSWER_MAX, 0);
	is_str(judged(400, body, 0), FOREIGN(400), "a longer one is not");
	for (len = 0; len < 4000; len += 5)
		memcpy(body + len, "{\"a\":", 5);
	body[len] = '\0';
	is_str(judged(400, body, 0), FOREIGN(400), "nor a deep one");
}

static const char *
explained(int code, long error, long proxy_status, long verified)
{
	struct post_failure failure = { code, error, proxy_status, verified };
	static char text[256];

	post_failure_explain(&failure, text, sizeof(text));
	return text;
}

/* libcurl's codes, in words that are ours whatever its version. */
static void
test_failures(void)
{
	is_str(explained(CURLE_COULDNT_CONNECT, ECONNREFUSED, 0, 0),
	    "no connection: Connection refused",
	    "why there is no connection the system says");
	is_str(explained(CURLE_COULDNT_CONNECT, 0, 0, 0), "no connection",
	    "unless it does not");
	is_str(explained(CURLE_COULDNT_RESOLVE_HOST, ENOENT, 0, 0),
	    "Slack's name cannot be resolved: see the webhook's address, and "
	    "this machine's name servers", "it has no say about names");
	is_str(explained(CURLE_RECV_ERROR, 0, 407, 0), "the proxy does not "
	    "connect: status 407: it wants another user name or password",
	    "a proxy that refuses is named before all else");
	is_str(explained(CURLE_RECV_ERROR, ECONNRESET, 200, 0),
	    "the connection broke off, or the answer is not HTTP: "
	    "Connection reset by peer", "one that does not is not");
	is_str(explained(CURLE_PEER_FAILED_VERIFICATION, 0, 0, 20),
	    "TLS: the certificate is not trusted: its authority is unknown: "
	    "install ca-certificates, or name the authority by "
	    "SSL_CERT_FILE", "a certificate is told by OpenSSL's number");
	is_str(explained(CURLE_PEER_FAILED_VERIFICATION, 0, 0, 999),
	    "TLS: the certificate is not trusted: it is another host's, or "
	    "its chain is broken", "be it one that is not known");
	is_str(explained(999, 0, 0, 0), "libcurl failed with its error 999",
	    "an error without words has libcurl's number");
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
	test_bounds();
	test_seconds();
	test_failures();
	test_names();
	return done_testing();
}
