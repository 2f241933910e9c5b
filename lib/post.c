/* SPDX-License-Identifier: ISC */
/*
 * POSTs. The only user of libcurl, which is loaded for the first of them; it
 * knows nothing of events, nor what an answer means: see post_judge.c.
 */
#include "post.h"

#include "clock.h"
#include "post_curl.h"
#include "url.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS 5000
#define BODY_KEPT 4096		/* bytes of an answer that are looked at */
#define BODY_READ 65536		/* bytes after which an answer is given up */
#define POLL_MAX_MS 60000

/* A post, on its way or waiting for the next. */
struct transfer {
	struct transfer *next;
	CURL *curl;			/* NULL: there was no libcurl yet */
	void *ticket;			/* NULL: not on its way */
	struct buf answer;
	size_t answer_bytes;
	int64_t timeout_ms;
	int64_t end_ms;			/* by clock_ms() */
	char detail[CURL_ERROR_SIZE];	/* libcurl's own words, or why there
					 * is none */
};

struct poster {
	CURLM *multi;			/* keeps the connections; NULL: there
					 * is no libcurl yet */
	struct curl_slist *headers;
	struct transfer *transfers;
};

static const struct libcurl *libcurl;	/* NULL until the first post */

/* ---------------------------------------------------------- transfer */

/* Sets an option. What it takes besides is memory, for a copy of a text. */
#define SET(curl, option, value) \
	check_memory(libcurl->easy_setopt((curl), (option), (value)))

static void
check_memory(CURLcode code)
{
	if (code == CURLE_OUT_OF_MEMORY)
		mem_exhausted();
}

static size_t
take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t len = size * count, keep = len;

	if (t->answer.len + keep > BODY_KEPT)
		keep = BODY_KEPT - t->answer.len;
	buf_add(&t->answer, bytes, keep);
	t->answer_bytes += len;
	return t->answer_bytes > BODY_READ ? 0 : len;
}

static void
use_authorities(CURL *curl)
{
	const char *file = getenv("CURL_CA_BUNDLE");
	const char *directory = getenv("SSL_CERT_DIR");

	if (!file || !*file)
		file = getenv("SSL_CERT_FILE");
	if (file && *file)
		SET(curl, CURLOPT_CAINFO, file);
	if (directory && *directory)
		SET(curl, CURLOPT_CAPATH, directory);
}

/* What is the same for every post. */
static void
transfer_prepare(struct transfer *t, const struct poster *p)
{
	t->curl = libcurl->easy_init();
	if (!t->curl)
		mem_exhausted();
	SET(t->curl, CURLOPT_HTTPHEADER, p->headers);
	SET(t->curl, CURLOPT_USERAGENT,
	    "log-stream-to-slack/" VERSION);
	SET(t->curl, CURLOPT_WRITEFUNCTION, take_answer);
	SET(t->curl, CURLOPT_WRITEDATA, t);
	SET(t->curl, CURLOPT_PRIVATE, t);
	SET(t->curl, CURLOPT_ERRORBUFFER, t->detail);
	SET(t->curl, CURLOPT_FOLLOWLOCATION, 0L);
	SET(t->curl, CURLOPT_NOSIGNAL, 1L);
	SET(t->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(t->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	use_authorities(t->curl);
}

static void
transfer_free(struct transfer *t)
{
	if (t->curl)
		libcurl->easy_cleanup(t->curl);
	buf_release(&t->answer);
	free(t);
}

static void
allow_protocol(CURL *curl, bool http)
{
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
	SET(curl, CURLOPT_PROTOCOLS_STR,
	    http ? "http" : "https");
#else
	SET(curl, CURLOPT_PROTOCOLS,
	    (long)(http ? CURLPROTO_HTTP : CURLPROTO_HTTPS));
#endif
}

static void
transfer_aim(struct transfer *t, const char *url, const struct buf *payload,
    int64_t timeout_ms)
{
	bool http = strncasecmp(url, "http:", 5) == 0 && url_is_loopback(url);

	buf_clear(&t->answer);
	t->answer_bytes = 0;
	*t->detail = '\0';
	allow_protocol(t->curl, http);
	/* A proxy has no business with an address of this machine. */
	SET(t->curl, CURLOPT_NOPROXY, http ? "*" : NULL);
	SET(t->curl, CURLOPT_URL, url);
	SET(t->curl, CURLOPT_POSTFIELDS, buf_text(payload));
	SET(t->curl, CURLOPT_POSTFIELDSIZE,
	    (long)payload->len);
	t->timeout_ms = timeout_ms;
	t->end_ms = clock_ms() + timeout_ms;
	SET(t->curl, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
}

static int64_t
retry_after(CURL *curl)
{
	curl_off_t seconds = 0;

	libcurl->easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
	return seconds;
}

/*
 * libcurl's words name hosts, never the path, which is the secret. Why there
 * is no connection it does not say; the system does.
 */
static void
judge_failure(const struct transfer *t, CURLcode code,
    struct post_outcome *outcome)
{
	const char *words = *t->detail ? t->detail :
	    libcurl->easy_strerror(code);
	long error = 0;

	/* Which is what older ones call a line of 100 kB. */
	if (code == CURLE_OUT_OF_MEMORY)
		words = "out of memory, or too long a header in the answer";
	memset(outcome, 0, sizeof(*outcome));
	outcome->timed_out = code == CURLE_OPERATION_TIMEDOUT;
	if (code == CURLE_COULDNT_CONNECT || outcome->timed_out)
		libcurl->easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &error);
	snprintf(outcome->reason, sizeof(outcome->reason), "%.*s%s%s",
	    (int)strcspn(words, "\r\n"), words, error > 0 ? ": " : "",
	    error > 0 ? strerror((int)error) : "");
}

/* No word of Slack's has a NUL byte in it. */
static const char *
answer_text(const struct transfer *t)
{
	const char *text = buf_text(&t->answer);

	return strlen(text) == t->answer.len ? text : "";
}

static void
transfer_judge(struct transfer *t, CURLcode code,
    struct post_outcome *outcome)
{
	long status = 0;

	libcurl->easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	/* An endless answer still has a status: CURLE_WRITE_ERROR is ours. */
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status > 0))
		post_judge(outcome, (int)status, answer_text(t),
		    retry_after(t->curl));
	else
		judge_failure(t, code, outcome);
}

/* ------------------------------------------------------------ poster */

struct poster *
poster_new(void)
{
	struct poster *p = mem_alloc(sizeof(*p));

	memset(p, 0, sizeof(*p));
	return p;
}

void
poster_free(struct poster *p)
{
	struct transfer *t, *next;

	if (!p)
		return;
	for (t = p->transfers; t; t = next) {
		next = t->next;
		if (t->ticket && t->curl)
			libcurl->multi_remove_handle(p->multi, t->curl);
		transfer_free(t);
	}
	if (p->multi) {
		libcurl->multi_cleanup(p->multi);
		libcurl->slist_free_all(p->headers);
	}
	free(p);
}

bool
poster_check(struct buf *why)
{
	return libcurl_load(why) != NULL;
}

/* For the first post. False, and why, when there is no libcurl. */
static bool
poster_prepare(struct poster *p, struct buf *why)
{
	struct curl_slist *headers;

	if (p->multi)
		return true;
	libcurl = libcurl_load(why);
	if (!libcurl)
		return false;
	if (libcurl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		mem_exhausted();
	p->multi = libcurl->multi_init();
	headers = libcurl->slist_append(NULL, "Content-Type: application/json");
	/* Slack needs no leave to send: without it a round trip is saved. */
	p->headers = libcurl->slist_append(headers, "Expect:");
	if (!p->multi || !headers || !p->headers)
		mem_exhausted();
	return true;
}

static struct transfer *
idle_transfer(struct poster *p)
{
	struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (!t->ticket)
			return t;
	t = mem_alloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	t->next = p->transfers;
	p->transfers = t;
	return t;
}

/* Without libcurl it is over at once: see take_failed(). */
void
poster_begin(struct poster *p, void *ticket, const char *url,
    const struct buf *payload, int64_t timeout_ms)
{
	struct transfer *t = idle_transfer(p);
	struct buf why = BUF_INIT;

	t->ticket = ticket;
	if (poster_prepare(p, &why)) {
		if (!t->curl)
			transfer_prepare(t, p);
		transfer_aim(t, url, payload, timeout_ms);
		if (libcurl->multi_add_handle(p->multi, t->curl) != CURLM_OK)
			mem_exhausted();
	} else {
		snprintf(t->detail, sizeof(t->detail), "%s", buf_text(&why));
	}
	buf_release(&why);
}

static void *
end_transfer(struct poster *p, struct transfer *t)
{
	void *ticket = t->ticket;

	t->ticket = NULL;
	if (!t->curl)
		return ticket;
	libcurl->multi_remove_handle(p->multi, t->curl);
	SET(t->curl, CURLOPT_POSTFIELDS, NULL);
	SET(t->curl, CURLOPT_URL, NULL);
	return ticket;
}

/* The ticket of a post for which there was no libcurl; NULL: none. */
static void *
take_failed(struct poster *p, struct post_outcome *outcome)
{
	struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->ticket && !t->curl)
			break;
	if (!t)
		return NULL;
	memset(outcome, 0, sizeof(*outcome));
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", t->detail);
	return end_transfer(p, t);
}

/*
 * The ticket of a post that has taken too long; NULL: none has. libcurl's
 * own time-out would look at the clock before it looks at the answer: that
 * of Slack would be lost where this process was held up.
 */
static void *
take_late(struct poster *p, struct post_outcome *outcome)
{
	int64_t now = clock_ms();
	struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->ticket && now >= t->end_ms)
			break;
	if (!t)
		return NULL;
	memset(outcome, 0, sizeof(*outcome));
	outcome->timed_out = true;
	snprintf(outcome->reason, sizeof(outcome->reason),
	    "timed out: no answer within %lld ms",
	    (long long)t->timeout_ms);
	return end_transfer(p, t);
}

/* How long to wait for something to happen. */
static int
time_to_poll(const struct poster *p, int64_t end_ms)
{
	int64_t left, now = clock_ms();
	const struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->ticket && t->end_ms < end_ms)
			end_ms = t->end_ms;
	left = end_ms > now ? end_ms - now : 0;
	return (int)(left < POLL_MAX_MS ? left : POLL_MAX_MS);
}

/* The ticket of a post that libcurl is done with; NULL: none is. */
static void *
take_finished(struct poster *p, struct post_outcome *outcome)
{
	struct transfer *t = NULL;
	CURLMsg *message;
	CURLcode code;
	int left;

	libcurl->multi_perform(p->multi, &left);
	do
		message = libcurl->multi_info_read(p->multi, &left);
	while (message && message->msg != CURLMSG_DONE);
	if (!message)
		return NULL;
	code = message->data.result;
	libcurl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
	transfer_judge(t, code, outcome);
	return end_transfer(p, t);
}

/* Sleeps until something may be over; true: wake_fd is readable. */
static bool
sleep_on(const struct poster *p, int wake_fd, int timeout_ms)
{
	struct curl_waitfd wake = { wake_fd, CURL_WAIT_POLLIN, 0 };
	struct pollfd same = { wake_fd, POLLIN, 0 };

	if (p->multi)
		libcurl->multi_poll(p->multi, &wake, wake_fd >= 0, timeout_ms,
		    NULL);
	else
		poll(&same, wake_fd >= 0, timeout_ms);
	return wake.revents != 0 || same.revents != 0;
}

void *
poster_wait(struct poster *p, int wake_fd, int64_t timeout_ms,
    struct post_outcome *outcome)
{
	int64_t end = clock_ms() + timeout_ms;
	bool awake = false;
	void *ticket;

	for (;;) {
		ticket = take_failed(p, outcome);
		if (!ticket && p->multi)
			ticket = take_finished(p, outcome);
		if (!ticket)
			ticket = take_late(p, outcome);
		if (ticket || awake || clock_ms() >= end)
			return ticket;
		awake = sleep_on(p, wake_fd, time_to_poll(p, end));
	}
}

void
poster_send(struct poster *p, const char *url, const struct buf *payload,
    int64_t timeout_ms, struct post_outcome *outcome)
{
	poster_begin(p, p, url, payload, timeout_ms);
	while (!poster_wait(p, -1, timeout_ms, outcome))
		;
}
