/* SPDX-License-Identifier: ISC */
/*
 * POSTs. The only user of libcurl, which is loaded for the first of them; it
 * knows nothing of events, nor what an answer means: see post_judge.c.
 */
#include "webhook/post.h"

#include "base/clock.h"
#include "base/url.h"
#include "base/watchdog.h"
#include "webhook/post_answer.h"
#include "webhook/post_curl.h"
#include "webhook/post_failure.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_MS 5000		/* longest for a name and a connection */
#define CONNECT_MORE_MS 500	/* libcurl's own limit is as much longer */
#define CONNECT_NEVER_MS 0x7FFFFFFFL
#define LOOKUPS_MAX 8		/* of one host's name that may hang */
#define LOAD_S 20		/* longest that loading libcurl may take */
#define BODY_READ 65536		/* bytes after which an answer is given up */
#define POLL_MAX_MS 60000

/*
 * A post, on its way, given up, or waiting for the next. One that is given up
 * while its host's name is looked up stays with libcurl until that is over:
 * libcurl would wait for it, and all other posts with it. It then ends without
 * a connection, and the address is known to the next post.
 */
struct transfer {
	struct transfer *next;
	CURL *curl;			/* NULL: none yet */
	void *ticket;			/* NULL: not on its way */
	bool given_up;			/* but still with libcurl */
	char *host;
	const struct buf *payload;
	size_t payload_sent;
	struct buf answer;
	size_t answer_bytes;
	int64_t retry_after_s;
	int socket_error;		/* errno; 0: none */
	int64_t timeout_ms;
	int64_t began_ms;		/* by clock_ms() */
	char unable[256];		/* why it was not begun; "": it was */
};

struct poster {
	CURLM *multi;			/* keeps the connections; NULL: there
					 * is no libcurl yet */
	struct curl_slist *headers;
	struct transfer *transfers;
};

static const struct libcurl *libcurl;	/* NULL until the first post */
/* What is left to the end of the process, which does not wait for it. */
static struct poster *volatile left_over;

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

/*
 * The body of a post, once. libcurl posts again by itself when a kept
 * connection ends without an answer, because the message may not have
 * arrived. Or it may: whoever began the post decides. So it cannot be had a
 * second time, and libcurl gives up.
 */
static size_t
give_payload(char *to, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t len = size * count, left;

	if (!t->payload || t->payload_sent == t->payload->len)
		return CURL_READFUNC_ABORT;
	left = t->payload->len - t->payload_sent;
	if (len > left)
		len = left;
	memcpy(to, t->payload->data + t->payload_sent, len);
	t->payload_sent += len;
	return len;
}

static int
refuse_seek(void *context, curl_off_t offset, int origin)
{
	(void)context;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* No connection for a post that was given up. */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = context;
	int fd;

	(void)purpose;
	if (t->given_up)
		return CURL_SOCKET_BAD;
	fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd < 0)
		t->socket_error = errno;
	return fd;
}

/* A proxy, or "continue", may have sent another header before. */
static size_t
take_header(char *bytes, size_t size, size_t count, void *context)
{
	static const char name[] = "Retry-After:";
	struct transfer *t = context;
	size_t len = size * count;
	char value[40];

	if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
		t->retry_after_s = 0;
	if (len < sizeof(name) || strncasecmp(bytes, name, sizeof(name) - 1))
		return len;
	snprintf(value, sizeof(value), "%.*s", (int)(len - sizeof(name) + 1),
	    bytes + sizeof(name) - 1);
	t->retry_after_s = post_answer_seconds(value);
	return len;
}

static size_t
take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t len = size * count, keep = len;

	if (t->answer.len + keep > POST_ANSWER_MAX)
		keep = POST_ANSWER_MAX - t->answer.len;
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
	SET(t->curl, CURLOPT_POST, 1L);
	SET(t->curl, CURLOPT_HTTPHEADER, p->headers);
	SET(t->curl, CURLOPT_USERAGENT,
	    "log-stream-to-slack/" VERSION);
	SET(t->curl, CURLOPT_READFUNCTION, give_payload);
	SET(t->curl, CURLOPT_READDATA, t);
	SET(t->curl, CURLOPT_SEEKFUNCTION, refuse_seek);
	SET(t->curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(t->curl, CURLOPT_OPENSOCKETDATA, t);
	SET(t->curl, CURLOPT_HEADERFUNCTION, take_header);
	SET(t->curl, CURLOPT_HEADERDATA, t);
	SET(t->curl, CURLOPT_WRITEFUNCTION, take_answer);
	SET(t->curl, CURLOPT_WRITEDATA, t);
	SET(t->curl, CURLOPT_PRIVATE, t);
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
	free(t->host);
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
transfer_aim(struct transfer *t, const char *url)
{
	bool http = strncasecmp(url, "http:", 5) == 0 && url_is_loopback(url);
	int64_t connect_ms = t->timeout_ms < CONNECT_MS ? t->timeout_ms :
	    CONNECT_MS;

	allow_protocol(t->curl, http);
	/* A proxy has no business with an address of this machine. */
	SET(t->curl, CURLOPT_NOPROXY, http ? "*" : NULL);
	SET(t->curl, CURLOPT_URL, url);
	SET(t->curl, CURLOPT_POSTFIELDSIZE_LARGE,
	    (curl_off_t)t->payload->len);
	SET(t->curl, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(connect_ms + CONNECT_MORE_MS));
}

static curl_off_t
time_of(const struct transfer *t, CURLINFO info)
{
	curl_off_t us = 0;

	libcurl->easy_getinfo(t->curl, info, &us);
	return us;
}

/* Whether the request is sent, or about to be. */
static bool
is_connected(const struct transfer *t)
{
	return time_of(t, CURLINFO_PRETRANSFER_TIME_T) > 0;
}

/* Over a connection that is kept there is nothing to look up. */
static bool
is_looking_up(const struct transfer *t)
{
	return time_of(t, CURLINFO_NAMELOOKUP_TIME_T) == 0 &&
	    time_of(t, CURLINFO_CONNECT_TIME_T) == 0 && !is_connected(t);
}

/* When it has taken too long, by clock_ms(). */
static int64_t
transfer_end_ms(const struct transfer *t)
{
	bool connecting = t->curl && !is_connected(t);

	return t->began_ms + (connecting && t->timeout_ms > CONNECT_MS ?
	    CONNECT_MS : t->timeout_ms);
}

/* libcurl's is for dates: it cuts off a fraction. */
static int64_t
retry_after(const struct transfer *t)
{
	curl_off_t seconds = 0;

	libcurl->easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &seconds);
	return t->retry_after_s > seconds ? t->retry_after_s : seconds;
}

static void
judge_failure(const struct transfer *t, CURLcode code,
    struct post_outcome *outcome)
{
	struct post_failure failure = { (int)code, 0, 0, 0 };

	libcurl->easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &failure.error);
	libcurl->easy_getinfo(t->curl, CURLINFO_HTTP_CONNECTCODE,
	    &failure.proxy_status);
	libcurl->easy_getinfo(t->curl, CURLINFO_SSL_VERIFYRESULT,
	    &failure.verified);
	if (failure.error == 0)
		failure.error = t->socket_error;
	memset(outcome, 0, sizeof(*outcome));
	outcome->timed_out = code == CURLE_OPERATION_TIMEDOUT;
	post_failure_explain(&failure, outcome->reason,
	    sizeof(outcome->reason));
}

/* What has a NUL byte in it is no word, nor JSON. */
static const char *
answer_text(const struct transfer *t)
{
	const char *text = buf_text(&t->answer);

	return strlen(text) == t->answer.len ? text : "?";
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
		    retry_after(t));
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

/* Whether libcurl would wait for something that may hang. */
static bool
has_lookups(const struct poster *p)
{
	const struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->given_up || (t->ticket && t->curl && is_looking_up(t)))
			return true;
	return false;
}

void
poster_free(struct poster *p)
{
	struct transfer *t, *next;

	if (!p)
		return;
	if (has_lookups(p)) {
		left_over = p;
		return;
	}
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

/*
 * OpenSSL 3.5 waits for itself for ever when memory runs out at the wrong
 * moment of its start.
 */
static void
begin_load(void)
{
	watchdog_start(LOAD_S, "loading libcurl and its libraries takes too "
	    "long, so this process ends: see whether memory is short, and "
	    "update libcurl and OpenSSL");
}

bool
poster_check(struct buf *why)
{
	bool good;

	begin_load();
	good = libcurl_load(why) != NULL;
	watchdog_stop();
	return good;
}

/* Starts libcurl, which is loaded; what it lacks is memory. */
static void
start_libcurl(struct poster *p)
{
	struct curl_slist *headers;
	CURL *first;

	if (libcurl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		mem_exhausted();
	p->multi = libcurl->multi_init();
	headers = libcurl->slist_append(NULL, "Content-Type: application/json");
	/* Slack needs no leave to send: without it a round trip is saved. */
	p->headers = libcurl->slist_append(headers, "Expect:");
	first = libcurl->easy_init();
	if (!p->multi || !headers || !p->headers || !first)
		mem_exhausted();
	libcurl->easy_cleanup(first);
}

/* For the first post. False, and why, when there is no libcurl. */
static bool
poster_prepare(struct poster *p, struct buf *why)
{
	if (p->multi)
		return true;
	begin_load();
	libcurl = libcurl_load(why);
	if (libcurl)
		start_libcurl(p);
	watchdog_stop();
	return libcurl != NULL;
}

void
poster_load(struct poster *p)
{
	struct buf why = BUF_INIT;

	poster_prepare(p, &why);
	buf_release(&why);
}

static struct transfer *
idle_transfer(struct poster *p)
{
	struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (!t->ticket && !t->given_up)
			return t;
	t = mem_alloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	t->next = p->transfers;
	p->transfers = t;
	return t;
}

/*
 * Whether so many look-ups of a host's name hang that there is to be no other:
 * each is a thread. libcurl is let see first which of them are over.
 */
static bool
lookups_hang(const struct poster *p, const char *host)
{
	const struct transfer *t;
	int left, count = 0;

	libcurl->multi_perform(p->multi, &left);
	for (t = p->transfers; t; t = t->next)
		if (t->given_up && is_looking_up(t) &&
		    strcmp(t->host, host) == 0)
			count++;
	return count >= LOOKUPS_MAX;
}

static char *
host_dup(const char *url)
{
	size_t len = 0;
	const char *host = url_host(url, &len);
	char *copy = mem_alloc(len + 1);

	memcpy(copy, host ? host : "", len);
	copy[len] = '\0';
	return copy;
}

static struct transfer *
new_transfer(struct poster *p, void *ticket, const char *url,
    const struct buf *payload, int64_t timeout_ms)
{
	struct transfer *t = idle_transfer(p);

	t->ticket = ticket;
	free(t->host);
	t->host = host_dup(url);
	t->payload = payload;
	t->payload_sent = 0;
	buf_clear(&t->answer);
	t->answer_bytes = 0;
	t->retry_after_s = 0;
	t->socket_error = 0;
	t->timeout_ms = timeout_ms;
	t->began_ms = clock_ms();
	t->unable[0] = '\0';
	return t;
}

/* One that cannot begin is over at once: see take_failed(). */
void
poster_begin(struct poster *p, void *ticket, const char *url,
    const struct buf *payload, int64_t timeout_ms)
{
	struct buf why = BUF_INIT;
	bool prepared = poster_prepare(p, &why);
	struct transfer *t = new_transfer(p, ticket, url, payload,
	    timeout_ms);

	if (!prepared) {
		snprintf(t->unable, sizeof(t->unable), "%s", buf_text(&why));
	} else if (lookups_hang(p, t->host)) {
		snprintf(t->unable, sizeof(t->unable), "the name server has "
		    "not answered for so long that it is not asked again");
	} else {
		if (!t->curl)
			transfer_prepare(t, p);
		transfer_aim(t, url);
		if (libcurl->multi_add_handle(p->multi, t->curl) != CURLM_OK)
			mem_exhausted();
	}
	buf_release(&why);
}

/*
 * Its connection stays with the others. A handle that failed does not serve
 * again: libcurl 8.14 still means to seek in the body of the failed post.
 */
static void
transfer_remove(struct poster *p, struct transfer *t, bool good)
{
	libcurl->multi_remove_handle(p->multi, t->curl);
	if (good) {
		SET(t->curl, CURLOPT_URL, NULL);
		return;
	}
	libcurl->easy_cleanup(t->curl);
	t->curl = NULL;
}

static void *
end_transfer(struct transfer *t)
{
	void *ticket = t->ticket;

	t->ticket = NULL;
	t->payload = NULL;
	return ticket;
}

/* The ticket of a post that could not begin; NULL: none. */
static void *
take_failed(struct poster *p, struct post_outcome *outcome)
{
	struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->ticket && t->unable[0])
			break;
	if (!t)
		return NULL;
	memset(outcome, 0, sizeof(*outcome));
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", t->unable);
	return end_transfer(t);
}

/* libcurl's own limit must not end it, or libcurl waits for the look-up. */
static void
give_up(struct poster *p, struct transfer *t, bool looking_up)
{
	if (!looking_up) {
		transfer_remove(p, t, false);
		return;
	}
	t->given_up = true;
	SET(t->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_NEVER_MS);
}

/* A post that has taken too long; NULL: none has. */
static struct transfer *
find_late(const struct poster *p, bool unconnected)
{
	int64_t now = clock_ms();
	struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->ticket && t->curl && now >= transfer_end_ms(t) &&
		    (!unconnected || !is_connected(t)))
			break;
	return t;
}

/* What it has waited for. */
static const char *
stage_of(const struct transfer *t)
{
	if (is_looking_up(t))
		return "no answer from a name server";
	return is_connected(t) ? "no answer" : "no connection";
}

/*
 * The ticket of such a post. libcurl's own time-out would look at the clock
 * before it looks at the answer: that of Slack would be lost where this
 * process was held up. Of a post without a connection there is none to lose,
 * and libcurl must not get to see that it is late.
 */
static void *
take_late(struct poster *p, bool unconnected, struct post_outcome *outcome)
{
	struct transfer *t = find_late(p, unconnected);

	if (!t)
		return NULL;
	memset(outcome, 0, sizeof(*outcome));
	outcome->timed_out = true;
	snprintf(outcome->reason, sizeof(outcome->reason),
	    "timed out: %s within %lld ms", stage_of(t),
	    (long long)(transfer_end_ms(t) - t->began_ms));
	give_up(p, t, is_looking_up(t));
	return end_transfer(t);
}

/* How long to wait for something to happen. */
static int
time_to_poll(const struct poster *p, int64_t end_ms)
{
	int64_t left, now = clock_ms();
	const struct transfer *t;

	for (t = p->transfers; t; t = t->next)
		if (t->ticket && t->curl && transfer_end_ms(t) < end_ms)
			end_ms = transfer_end_ms(t);
	left = end_ms > now ? end_ms - now : 0;
	return (int)(left < POLL_MAX_MS ? left : POLL_MAX_MS);
}

/* The next that libcurl is done with, and the code of it; NULL: none. */
static struct transfer *
next_done(const struct poster *p, CURLcode *code)
{
	struct transfer *t = NULL;
	CURLMsg *message;
	int left;

	do
		message = libcurl->multi_info_read(p->multi, &left);
	while (message && message->msg != CURLMSG_DONE);
	if (!message)
		return NULL;
	*code = message->data.result;
	libcurl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
	return t;
}

/* The ticket of a post that libcurl is done with; NULL: none is. */
static void *
take_finished(struct poster *p, struct post_outcome *outcome)
{
	struct transfer *t;
	CURLcode code;
	int left;

	libcurl->multi_perform(p->multi, &left);
	while ((t = next_done(p, &code)) != NULL) {
		if (!t->given_up)
			transfer_judge(t, code, outcome);
		transfer_remove(p, t, code == CURLE_OK);
		if (!t->given_up)
			return end_transfer(t);
		t->given_up = false;
	}
	return NULL;
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
		if (!ticket)
			ticket = take_late(p, true, outcome);
		if (!ticket && p->multi)
			ticket = take_finished(p, outcome);
		if (!ticket)
			ticket = take_late(p, false, outcome);
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
