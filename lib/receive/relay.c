/* SPDX-License-Identifier: ISC */
/*
 * The pipeline: request, token, events, filter, message, post, answer. It
 * knows the order of the steps and what each failure is answered with, and
 * how none of them works.
 */
#include "receive/relay.h"

#include "base/clock.h"
#include "config/current.h"
#include "config/token.h"
#include "delivery/message.h"
#include "receive/compression.h"
#include "receive/deliver.h"
#include "slack/slack_digest.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE 65536
#define CODING_MAX 20		/* bytes of a Content-Encoding that are shown */
#define LOOK_MS 10000		/* with a configuration that is bad */
#define FEED_EVENTS 1000	/* that are delivered together */

struct relay {
	struct current current;
	struct deliverer *deliverer;
	unsigned long requests;
	bool stays;		/* this process has more than one */
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

struct relay *
relay_new(void)
{
	struct relay *r = mem_alloc(sizeof(*r));

	memset(r, 0, sizeof(*r));
	current_load_to_receive(&r->current);
	r->deliverer = deliverer_new();
	return r;
}

int64_t
relay_look(struct relay *r, bool once)
{
	r->stays = r->stays || !once;
	if (!current_is_ready(&r->current))
		return LOOK_MS;
	return deliver_look(r->deliverer, &r->current.config, once);
}

void
relay_free(struct relay *r)
{
	if (!r)
		return;
	deliverer_free(r->deliverer);
	current_release(&r->current);
	free(r);
}

/* ------------------------------------------------------------ events */

static void
log_filtered(const char *log_id, const char *type)
{
	struct log_line line;

	log_begin(&line, LEVEL_DEBUG);
	log_str(&line, "log_id", log_id ? log_id : "");
	log_str(&line, "type", type);
	log_str(&line, "outcome", "filtered");
	log_end(&line);
}

/* A single one without a webhook counts too, for whoever only tries. */
static bool
is_target(const struct config *c, size_t destination)
{
	return c->destinations[destination].webhook_url ||
	    c->destination_count == 1;
}

/* What a record is held against. */
struct sieve {
	const struct config *config;
	struct buf *terms;	/* of relay_try(), or NULL */
	int64_t max_bytes;
	/* After each part of the body; false ends it. NULL: goes on. */
	bool (*part)(void *context, const struct event_reader *reader,
	    uint64_t bytes, struct buf *why);
	void *context;
};

/* "ops: fu 9002...: sent, by failure"; one destination needs no name. */
static void
tell_term(const struct config *c, const struct destination *to,
    const char *type, struct pick *record, bool kept, struct buf *out)
{
	const char *term = filter_deciding_term(to->filter, type, record);
	const char *log_id = pick_log_id(record);

	if (c->destination_count > 1)
		buf_addf(out, "%s: ", to->name);
	log_escape(out, type, strlen(type));
	if (log_id) {
		buf_addc(out, ' ');
		log_escape(out, log_id, strlen(log_id));
	}
	buf_addf(out, ": %s", kept ? "sent" : "not sent");
	if (term)
		buf_addf(out, ", by %s\n", term);
	else
		buf_adds(out, ", because no term matches\n");
}

/* The destinations whose filter keeps the record. */
static unsigned
keep(void *context, const char *type, struct pick *record)
{
	const struct sieve *sieve = context;
	const struct config *c = sieve->config;
	const struct destination *to = c->destinations;
	unsigned destinations = 0;
	bool kept;
	size_t i;

	for (i = 0; i < c->destination_count; i++, to++) {
		if (!is_target(c, i))
			continue;
		kept = filter_keeps(to->filter, type, record);
		if (kept)
			destinations |= 1U << i;
		if (sieve->terms)
			tell_term(c, to, type, record, kept,
			    sieve->terms);
	}
	if (destinations == 0 && log_wants(LEVEL_DEBUG))
		log_filtered(pick_log_id(record), type);
	return destinations;
}

static void
want(void *reader, const char *name)
{
	event_reader_want(reader, name);
}

/* The first bytes of a body, kept for the case that it is not JSON. */
struct head {
	char bytes[COMPRESSION_HEAD];
	size_t len;
};

static void
head_add(struct head *head, const char *bytes, size_t len)
{
	size_t room = sizeof(head->bytes) - head->len;

	if (len > room)
		len = room;
	memcpy(head->bytes + head->len, bytes, len);
	head->len += len;
}

/* Reads on where the body has come in pieces too small to tell by. */
static void
head_complete(struct head *head, const struct request *request)
{
	struct buf unused = BUF_INIT;
	char part[COMPRESSION_HEAD];
	size_t len;

	while (head->len < COMPRESSION_LEAST && request->read(request->context,
	    part, sizeof(part), &len, &unused) == BODY_MORE)
		head_add(head, part, len);
	buf_release(&unused);
}

/*
 * The reader's reason names the byte at fault, which helps nobody whose body
 * is compressed.
 */
static void
explain(struct head *head, const struct request *request, struct buf *why)
{
	const char *name;
	size_t len;

	head_complete(head, request);
	name = compression_name(request->content_encoding, head->bytes,
	    head->len);
	if (!name)
		return;
	len = strlen(name);
	buf_clear(why);
	buf_adds(why, "the body is compressed (");
	log_escape(why, name, len < CODING_MAX ? len : CODING_MAX);
	buf_adds(why, "), and this program unpacks nothing: switch off the "
	    "compression of requests where they are sent, or in the proxy "
	    "that adds it");
}

enum reading { READ_BAD, READ_TOO_LONG, READ_WHOLE };

static enum reading
read_body(const struct sieve *sieve, struct event_reader *reader,
    const struct request *request, uint64_t *bytes, struct buf *why)
{
	char *part = mem_alloc(READ_SIZE);
	enum reading result = READ_BAD;
	struct head head = { "", 0 };
	enum body_state state;
	size_t len;

	for (*bytes = 0;; *bytes += len) {
		state = request->read(request->context, part, READ_SIZE, &len,
		    why);
		if (state != BODY_MORE)
			break;
		if (*bytes + len > (uint64_t)sieve->max_bytes) {
			result = READ_TOO_LONG;
			goto out;
		}
		head_add(&head, part, len);
		if (!event_reader_feed(reader, part, len, why)) {
			explain(&head, request, why);
			goto out;
		}
		if (sieve->part && !sieve->part(sieve->context, reader,
		    *bytes + len, why))
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
read_events(struct sieve *sieve, const struct request *request,
    struct event_list *events, struct event_counts *counts, uint64_t *bytes,
    struct buf *why)
{
	const struct config *c = sieve->config;
	struct event_reader *reader;
	enum reading result = READ_TOO_LONG;
	size_t i;

	reader = event_reader_new(keep, sieve, events);
	for (i = 0; i < c->destination_count; i++)
		if (is_target(c, i))
			filter_each_field(c->destinations[i].filter, want,
			    reader);
	if (request->content_length <= sieve->max_bytes)
		result = read_body(sieve, reader, request, bytes, why);
	if (result == READ_TOO_LONG)
		buf_addf(why, "the body is longer than MAX_BODY, %" PRId64
		    " bytes", c->max_body);
	*counts = *event_reader_counts(reader);
	event_reader_free(reader);
	event_list_sort(events);
	return result;
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
	if (current_is_ready(&h->relay->current))
		return true;
	/* Said here and not at the start, when no server reads the log. */
	current_log_problems(&h->relay->current);
	answer_say(h->answer, 503, "the configuration of this program is "
	    "bad: its log says why, and so does log-stream-ctl check");
	return false;
}

static bool
check_token(struct handling *h)
{
	const struct config *c = &h->relay->current.config;
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
	struct sieve sieve = { .config = &h->relay->current.config };
	enum reading result;

	sieve.max_bytes = sieve.config->max_body;
	result = read_events(&sieve, h->request, &h->events, &h->counts,
	    &h->bytes, &h->why);
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
deliver(struct handling *h)
{
	deliver_events(h->relay->deliverer, &h->relay->current.config,
	    &h->events, h->answer);
	return h->answer->status == 200;
}

static bool (*const steps[])(struct handling *h) = {
	check_method,
	check_ready,
	check_token,
	check_body,
	check_events,
	deliver,
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
	log_num(&line, "kept", (long long)h->counts.kept);
	if (answer->status >= 400 && answer->body.len > 0) {
		buf_add(&reason, answer->body.data, answer->body.len - 1);
		log_str(&line, "reason", buf_text(&reason));
	}
	log_num(&line, "status", answer->status);
	log_end(&line);
	buf_release(&reason);
}

/*
 * Here and not at the start, when no server reads the log. A process that
 * answers one request says it with those that go wrong: it would come with
 * every one.
 */
static void
log_warnings(struct relay *r, const struct answer *answer)
{
	if (r->stays || answer->status >= 400)
		current_log_warnings(&r->current);
}

void
relay_handle(struct relay *r, const struct request *request,
    struct answer *answer)
{
	struct handling h = { r, request, answer, { 0 }, { 0 }, 0, BUF_INIT };
	size_t i;

	r->requests++;
	if (current_refresh(&r->current))
		deliver_anew(r->deliverer);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!steps[i](&h))
			break;
	log_warnings(r, answer);
	log_request(&h);
	event_list_release(&h.events);
	buf_release(&h.why);
}

/* -------------------------------------------------------- for people */

/* The messages that one destination would get. */
static void
show_messages(const struct config *c, size_t destination, bool json,
    const struct event_list *events, struct buf *out)
{
	size_t done, count;
	struct event **wanted;
	bool digest;

	wanted = event_list_wanted(events, destination, &count);
	digest = slack_digest_is_due(c->digest_after, (int64_t)count);
	if (count > 0 && !json && c->destination_count > 1)
		buf_addf(out, "To destination %s:\n\n",
		    c->destinations[destination].name);
	for (done = 0; done < count; buf_addc(out, '\n'))
		done += json ?
		    message_compose(out, wanted + done, count - done, digest,
		    0, c) :
		    message_preview(out, wanted + done, count - done, digest,
		    c);
	free(wanted);
}

bool
relay_try(const struct config *c, const struct request *request, bool json,
    struct buf *out, struct buf *terms, struct event_counts *counts,
    struct buf *why)
{
	struct sieve sieve = { .config = c, .terms = terms,
	    .max_bytes = c->max_body };
	struct event_list events = { 0 };
	enum reading result;
	uint64_t bytes = 0;
	size_t i;

	result = read_events(&sieve, request, &events, counts, &bytes, why);
	for (i = 0; result == READ_WHOLE && i < c->destination_count; i++)
		show_messages(c, i, json, &events, out);
	event_list_release(&events);
	return result == READ_WHOLE;
}

/* A file that is fed. */
struct feeding {
	const struct config *config;
	struct deliverer *deliverer;
	struct event_list events;	/* not delivered yet */
	feed_progress *progress;
	void *context;
	struct feed_counts *counts;
	unsigned long delivered;
};

static bool
deliver_fed(struct feeding *f, struct buf *why)
{
	struct answer answer = { 0 };
	size_t new;
	bool good;

	if (f->events.count == 0)
		return true;
	if (f->delivered > 0 && !f->config->queue)
		poll(NULL, 0, (int)f->config->slack_interval_ms);
	event_list_sort(&f->events);
	new = deliver_events(f->deliverer, f->config, &f->events, &answer);
	good = answer.status == 200;
	if (good) {
		f->delivered += f->events.count;
		f->counts->new += new;
	} else {
		buf_add(why, answer.body.data, answer.body.len - 1);
	}
	event_list_release(&f->events);
	buf_release(&answer.body);
	return good;
}

static bool
take_part(void *context, const struct event_reader *reader, uint64_t bytes,
    struct buf *why)
{
	struct feeding *f = context;
	bool good = f->events.count < FEED_EVENTS || deliver_fed(f, why);

	f->counts->read = *event_reader_counts(reader);
	f->counts->bytes = bytes;
	if (good)
		f->progress(f->context, f->counts);
	return good;
}

bool
relay_feed(const struct config *c, const struct request *request,
    feed_progress *progress, void *context, struct feed_counts *counts,
    struct buf *why)
{
	struct feeding f = { c, deliverer_new(), { 0 }, progress, context,
	    counts, 0 };
	struct sieve sieve = { .config = c, .max_bytes = INT64_MAX,
	    .part = take_part, .context = &f };
	bool good;

	memset(counts, 0, sizeof(*counts));
	good = read_events(&sieve, request, &f.events, &counts->read,
	    &counts->bytes, why) == READ_WHOLE && deliver_fed(&f, why);
	counts->read.kept = f.delivered;
	event_list_release(&f.events);
	deliverer_free(f.deliverer);
	return good;
}

void
relay_send_test(const struct config *c, const struct destination *to,
    struct post_outcome *outcome)
{
	struct event test = { 0 }, *events[1] = { &test };
	struct poster *poster = poster_new();
	struct buf payload = BUF_INIT;

	test.description = "This is a test: messages from log-stream-to-slack "
	    "arrive here.";
	test.type = "test";
	test.time_ms = clock_wall_ms();
	message_compose(&payload, events, 1, false, 0, c);
	poster_send(poster, to->webhook_url, &payload, c->slack_timeout_ms,
	    outcome);
	buf_release(&payload);
	poster_free(poster);
}
