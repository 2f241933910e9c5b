/* SPDX-License-Identifier: ISC */
/*
 * The pipeline: request, token, events, filter, message, post, answer. It
 * knows the order of the steps and what each failure is answered with, and
 * how none of them works.
 */
#include "relay.h"

#include "clock.h"
#include "token.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_SIZE 65536
#define RETRY_AFTER_S 30	/* when Slack says 429 and no time */
/*
 * All posts of a request together, and the most SLACK_TIMEOUT may be: web
 * servers give up at 40 s (mod_fcgid) and 60 s (nginx, Apache).
 */
#define POSTS_MS 25000

struct relay {
	struct config config;
	struct buf problems;	/* why the configuration cannot be used */
	struct poster *poster;	/* NULL until the first post */
	unsigned long requests;
};

/* What is known of a request when its log line is written. */
struct handling {
	struct relay *relay;
	const struct request *request;
	struct answer *answer;
	struct event_list events;
	struct event_counts counts;
	uint64_t bytes;
	struct buf why;
};

/* ----------------------------------------------------- configuration */

static void
log_problems(const struct buf *problems)
{
	char *lines = mem_dup(buf_text(problems)), *line, *rest = NULL;

	for (line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		log_say(LEVEL_ERROR, "%s", line);
	free(lines);
}

static bool
is_ready(const struct relay *r)
{
	return r->problems.len == 0;
}

static void
use_config(struct relay *r, struct config *fresh)
{
	config_release(&r->config);
	r->config = *fresh;
	log_set_level(r->config.log_level);
	log_to_syslog(r->config.syslog);
}

/*
 * A new configuration that is bad leaves a good old one in force; its
 * stamps are kept, so that it is complained about once.
 */
static void
reload(struct relay *r)
{
	struct buf problems = BUF_INIT;
	struct config fresh;

	config_load_to_post(&fresh, &problems);
	if (problems.len == 0 || !is_ready(r)) {
		use_config(r, &fresh);
		buf_release(&r->problems);
		r->problems = problems;
		return;
	}
	log_problems(&problems);
	log_say(LEVEL_ERROR, "the new configuration is bad: the old one "
	    "stays in force");
	config_adopt_stamps(&r->config, &fresh);
	config_release(&fresh);
	buf_release(&problems);
}

struct relay *
relay_new(void)
{
	struct relay *r = mem_alloc(sizeof(*r));
	struct config config;

	memset(r, 0, sizeof(*r));
	config_load_to_post(&config, &r->problems);
	use_config(r, &config);
	return r;
}

void
relay_free(struct relay *r)
{
	if (!r)
		return;
	poster_free(r->poster);
	config_release(&r->config);
	buf_release(&r->problems);
	free(r);
}

/* ------------------------------------------------------------ answer */

static void
answer_say(struct answer *answer, int status, const char *text)
{
	answer->status = status;
	buf_clear(&answer->body);
	buf_adds(&answer->body, text);
	buf_addc(&answer->body, '\n');
}

/* ------------------------------------------------------------ events */

static void
log_event(enum log_level level, const char *log_id, const char *type,
    const char *outcome)
{
	struct log_line line;

	log_begin(&line, level);
	log_str(&line, "log_id", log_id ? log_id : "");
	log_str(&line, "type", type);
	log_str(&line, "outcome", outcome);
	log_end(&line);
}

static bool
keep(void *context, const char *type, const char *log_id,
    const struct record *record)
{
	const struct config *c = context;
	bool kept = filter_keeps(c->filter, type, record_field, record);

	if (!kept && log_wants(LEVEL_DEBUG))
		log_event(LEVEL_DEBUG, log_id, type, "filtered");
	return kept;
}

enum reading { READ_BAD, READ_TOO_LONG, READ_WHOLE };

static enum reading
feed(struct event_reader *reader, const struct request *request,
    int64_t max_bytes, uint64_t *bytes, struct buf *why)
{
	char *part = mem_alloc(READ_SIZE);
	enum reading result = READ_BAD;
	enum body_state state;
	size_t len;

	for (*bytes = 0;; *bytes += len) {
		state = request->read(request->context, part, READ_SIZE, &len,
		    why);
		if (state != BODY_MORE)
			break;
		if (*bytes + len > (uint64_t)max_bytes) {
			result = READ_TOO_LONG;
			goto out;
		}
		if (!event_reader_feed(reader, part, len, why))
			goto out;
	}
	if (state == BODY_END && event_reader_end(reader, why))
		result = READ_WHOLE;
out:
	free(part);
	return result;
}

/* Unless the whole body was read, the reason is added to *why. */
static enum reading
read_events(const struct config *c, const struct request *request,
    struct event_list *events, struct event_counts *counts, uint64_t *bytes,
    struct buf *why)
{
	struct event_reader *reader;
	enum reading result = READ_TOO_LONG;

	reader = event_reader_new(keep, (void *)(uintptr_t)c, events);
	if (request->content_length <= c->max_body)
		result = feed(reader, request, c->max_body, bytes, why);
	if (result == READ_TOO_LONG)
		buf_addf(why, "the body is longer than MAX_BODY, %" PRId64
		    " bytes", c->max_body);
	*counts = *event_reader_counts(reader);
	event_reader_free(reader);
	event_list_sort(events);
	return result;
}

/* ---------------------------------------------------------- delivery */

static struct slack_style
style_of(const struct config *c)
{
	struct slack_style style = { c->show, c->dashboard_url };

	return style;
}

static void
log_message(const struct post_outcome *outcome, size_t events,
    int64_t took_ms)
{
	struct log_line line;

	log_begin(&line, outcome->result == POST_SENT ? LEVEL_INFO :
	    LEVEL_ERROR);
	log_str(&line, "destination", "default");
	log_num(&line, "events", (long long)events);
	log_num(&line, "slack_status", outcome->status);
	log_str(&line, "slack", outcome->reason);
	log_num(&line, "ms", took_ms);
	if (outcome->retry_after_s > 0)
		log_num(&line, "retry_after_s", outcome->retry_after_s);
	log_str(&line, "outcome", post_result_name(outcome->result));
	log_end(&line);
}

/* Posts one message; returns how many of the events were in it. */
static size_t
post_some(struct relay *r, struct event *const *events, size_t count,
    int64_t timeout_ms, struct post_outcome *outcome)
{
	struct slack_style style = style_of(&r->config);
	struct buf payload = BUF_INIT;
	int64_t began = clock_ms();
	size_t taken, i;

	if (!r->poster)
		r->poster = poster_new();
	taken = slack_message(&payload, events, count, &style);
	poster_send(r->poster, r->config.webhook_url, &payload, timeout_ms,
	    outcome);
	log_message(outcome, taken, clock_ms() - began);
	for (i = 0; i < taken; i++)
		log_event(LEVEL_INFO, events[i]->log_id, events[i]->type,
		    post_result_name(outcome->result));
	buf_release(&payload);
	return taken;
}

/* The answer that tells Auth0, and its owner, what Slack said. */
static void
answer_failure(struct answer *answer, const struct post_outcome *outcome)
{
	struct buf text = BUF_INIT;
	int status = 502;

	buf_addf(&text, "Slack did not take the message: %s",
	    outcome->reason);
	if (outcome->timed_out)
		status = 504;
	if (outcome->status == 429) {
		status = 503;
		answer->retry_after_s = outcome->retry_after_s > 0 ?
		    outcome->retry_after_s : RETRY_AFTER_S;
	}
	answer_say(answer, status, buf_text(&text));
	buf_release(&text);
}

/*
 * Message after message, until all are taken or one is not; returns how
 * many events were in those that were tried. Unless all went well, the
 * answer is set.
 */
static size_t
deliver(struct handling *h)
{
	int64_t end = clock_ms() + POSTS_MS, left;
	int64_t timeout = h->relay->config.slack_timeout_ms;
	struct post_outcome outcome;
	size_t done = 0;

	while (done < h->events.count) {
		left = end - clock_ms();
		if (left <= 0) {
			answer_say(h->answer, 504, "Slack took too long for "
			    "all the messages of this batch");
			break;
		}
		done += post_some(h->relay, h->events.events + done,
		    h->events.count - done, left < timeout ? left : timeout,
		    &outcome);
		if (outcome.result != POST_SENT) {
			answer_failure(h->answer, &outcome);
			break;
		}
	}
	return done;
}

/* ------------------------------------------------------------- steps */

/*
 * Each step returns true to go on, or false when it has set the answer.
 * They run in this order: see the table at the end.
 */

static bool
check_method(struct handling *h)
{
	if (h->request->method && strcmp(h->request->method, "POST") == 0)
		return true;
	answer_say(h->answer, 405, "this address takes Auth0's log stream: "
	    "POST only");
	h->answer->allow = "POST";
	return false;
}

static bool
check_ready(struct handling *h)
{
	if (is_ready(h->relay))
		return true;
	/* Said here and not at the start, when no server reads the log. */
	log_problems(&h->relay->problems);
	answer_say(h->answer, 503, "the configuration of this program is "
	    "bad: its log says why, and so does log-stream-ctl check");
	return false;
}

static bool
check_token(struct handling *h)
{
	const struct config *c = &h->relay->config;
	enum token_verdict verdict;

	if (!c->tokens)
		return true;
	verdict = token_check(c->tokens, h->request->authorization);
	if (verdict == TOKEN_OK)
		return true;
	answer_say(h->answer, 401, verdict == TOKEN_MISSING ?
	    "no token: no Authorization header reached this program" :
	    "wrong token: the Authorization header is not the one expected");
	return false;
}

static bool
check_body(struct handling *h)
{
	enum reading result;

	result = read_events(&h->relay->config, h->request, &h->events,
	    &h->counts, &h->bytes, &h->why);
	if (result == READ_WHOLE)
		return true;
	answer_say(h->answer, result == READ_TOO_LONG ? 413 : 400,
	    buf_text(&h->why));
	return false;
}

static bool
check_events(struct handling *h)
{
	if (h->events.count > 0)
		return true;
	h->answer->status = 204;
	return false;
}

static bool
send_events(struct handling *h)
{
	size_t i = deliver(h);

	for (; i < h->events.count; i++)
		log_event(LEVEL_INFO, h->events.events[i]->log_id,
		    h->events.events[i]->type, "untried");
	if (h->answer->status != 0)
		return false;
	h->answer->status = 200;
	buf_adds(&h->answer->body, "ok");
	return true;
}

static bool (*const steps[])(struct handling *h) = {
	check_method,
	check_ready,
	check_token,
	check_body,
	check_events,
	send_events,
};

static void
log_request(const struct handling *h)
{
	const struct answer *answer = h->answer;
	struct buf reason = BUF_INIT;
	struct log_line line;

	log_begin(&line, answer->status < 400 ? LEVEL_INFO : LEVEL_WARN);
	log_num(&line, "request", (long long)h->relay->requests);
	log_str(&line, "method", h->request->method);
	log_num(&line, "bytes", (long long)h->bytes);
	log_num(&line, "records", (long long)h->counts.records);
	log_num(&line, "unusable", (long long)h->counts.unusable);
	if (h->counts.too_long > 0)
		log_num(&line, "too_long", (long long)h->counts.too_long);
	log_num(&line, "kept", (long long)h->counts.kept);
	if (answer->status >= 400 && answer->body.len > 0) {
		buf_add(&reason, answer->body.data, answer->body.len - 1);
		log_str(&line, "reason", buf_text(&reason));
	}
	log_num(&line, "status", answer->status);
	log_end(&line);
	buf_release(&reason);
}

void
relay_handle(struct relay *r, const struct request *request,
    struct answer *answer)
{
	struct handling h = { r, request, answer, { 0 }, { 0 }, 0, BUF_INIT };
	size_t i;

	r->requests++;
	if (config_changed(&r->config))
		reload(r);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!steps[i](&h))
			break;
	log_request(&h);
	event_list_release(&h.events);
	buf_release(&h.why);
}

/* -------------------------------------------------------- for people */

bool
relay_try(const struct config *c, const struct request *request, bool json,
    struct buf *out, struct event_counts *counts, struct buf *why)
{
	struct slack_style style = style_of(c);
	struct event_list events = { 0 };
	enum reading result;
	uint64_t bytes = 0;
	size_t done;

	result = read_events(c, request, &events, counts, &bytes, why);
	for (done = 0; result == READ_WHOLE && done < events.count;) {
		done += (json ? slack_message : slack_preview)(out,
		    events.events + done, events.count - done, &style);
		buf_addc(out, '\n');
	}
	event_list_release(&events);
	return result == READ_WHOLE;
}

void
relay_send_test(const struct config *c, struct post_outcome *outcome)
{
	struct event test = { 0 }, *events[1] = { &test };
	struct slack_style style = style_of(c);
	struct poster *poster = poster_new();
	struct buf payload = BUF_INIT;

	test.description = "This is a test: messages from log-stream-to-slack "
	    "arrive here.";
	test.type = "test";
	test.time_ms = (int64_t)time(NULL) * 1000;
	slack_message(&payload, events, 1, &style);
	poster_send(poster, c->webhook_url, &payload, c->slack_timeout_ms,
	    outcome);
	buf_release(&payload);
	poster_free(poster);
}
