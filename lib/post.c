/* SPDX-License-Identifier: ISC */
/* One POST. The only user of libcurl; it knows nothing of events. */
#include "post.h"

#include "url.h"
#include "utf8.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS 5000
#define BODY_KEPT 4096		/* bytes of an answer that are looked at */
#define BODY_READ 65536		/* bytes after which an answer is given up */
#define WORD_MAX 64
#define LIMIT_WAIT_S 300	/* message_limit_exceeded comes without one */

struct poster {
	CURL *curl;
	struct curl_slist *headers;
	struct buf answer;
	size_t answer_bytes;
};

/* --------------------------------------------------------- judgement */

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
	if (status == 200 && strcmp(body, "ok") == 0)
		outcome->result = POST_SENT;
	else if (status == 200 && row == WORDS)
		reason = "status 200, but the body is not ok";
	else if (!*word)
		reason = other;
	if (retry_after_s == 0 && strcmp(word, "message_limit_exceeded") == 0)
		outcome->retry_after_s = LIMIT_WAIT_S;
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", reason);
}

/* ---------------------------------------------------------- transfer */

static size_t
take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct poster *p = context;
	size_t len = size * count, keep = len;

	if (p->answer.len + keep > BODY_KEPT)
		keep = BODY_KEPT - p->answer.len;
	buf_add(&p->answer, bytes, keep);
	p->answer_bytes += len;
	return p->answer_bytes > BODY_READ ? 0 : len;
}

static void
use_authorities(CURL *curl)
{
	const char *file = getenv("CURL_CA_BUNDLE");
	const char *directory = getenv("SSL_CERT_DIR");

	if (!file || !*file)
		file = getenv("SSL_CERT_FILE");
	if (file && *file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, file);
	if (directory && *directory)
		curl_easy_setopt(curl, CURLOPT_CAPATH, directory);
}

struct poster *
poster_new(void)
{
	struct poster *p = mem_alloc(sizeof(*p));
	struct curl_slist *headers;

	memset(p, 0, sizeof(*p));
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		mem_exhausted();
	p->curl = curl_easy_init();
	headers = curl_slist_append(NULL, "Content-Type: application/json");
	/* Slack needs no leave to send: without it a round trip is saved. */
	p->headers = curl_slist_append(headers, "Expect:");
	if (!p->curl || !headers || !p->headers)
		mem_exhausted();
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(p->curl, CURLOPT_USERAGENT,
	    "log-stream-to-slack/" VERSION);
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(p->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(p->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	use_authorities(p->curl);
	return p;
}

void
poster_free(struct poster *p)
{
	if (!p)
		return;
	curl_easy_cleanup(p->curl);
	curl_slist_free_all(p->headers);
	buf_release(&p->answer);
	free(p);
}

static void
allow_protocol(CURL *curl, bool http)
{
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, http ? "http" : "https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
	    (long)(http ? CURLPROTO_HTTP : CURLPROTO_HTTPS));
#endif
}

static int64_t
retry_after(CURL *curl)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
	return seconds;
}

/* libcurl's words name hosts, never the path, which is the secret. */
static void
judge_failure(struct post_outcome *outcome, CURLcode code, const char *detail)
{
	memset(outcome, 0, sizeof(*outcome));
	outcome->timed_out = code == CURLE_OPERATION_TIMEDOUT;
	snprintf(outcome->reason, sizeof(outcome->reason), "%s",
	    *detail ? detail : curl_easy_strerror(code));
	outcome->reason[strcspn(outcome->reason, "\r\n")] = '\0';
}

static CURLcode
transfer(struct poster *p, const char *url, const struct buf *payload,
    int64_t timeout_ms, char *detail)
{
	bool http = strncasecmp(url, "http:", 5) == 0;

	buf_clear(&p->answer);
	p->answer_bytes = 0;
	allow_protocol(p->curl, http);
	/* A proxy has no business with an address of this machine. */
	curl_easy_setopt(p->curl, CURLOPT_NOPROXY, http ? "*" : NULL);
	curl_easy_setopt(p->curl, CURLOPT_URL, url);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, buf_text(payload));
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE, (long)payload->len);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
	curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, detail);
	return curl_easy_perform(p->curl);
}

/* No word of Slack's has a NUL byte in it. */
static const char *
answer_text(const struct poster *p)
{
	const char *text = buf_text(&p->answer);

	return strlen(text) == p->answer.len ? text : "";
}

void
poster_send(struct poster *p, const char *url, const struct buf *payload,
    int64_t timeout_ms, struct post_outcome *outcome)
{
	char detail[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	if (strncmp(url, "https:", 6) == 0 || url_is_loopback(url))
		code = transfer(p, url, payload, timeout_ms, detail);
	else
		code = CURLE_UNSUPPORTED_PROTOCOL;
	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	/* An endless answer still has a status: CURLE_WRITE_ERROR is ours. */
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status > 0))
		post_judge(outcome, (int)status, answer_text(p),
		    retry_after(p->curl));
	else
		judge_failure(outcome, code, detail);
	curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(p->curl, CURLOPT_URL, NULL);
}
