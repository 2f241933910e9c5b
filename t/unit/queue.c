/* SPDX-License-Identifier: ISC */
/*
 * The contract of a queue, which every engine keeps. Nothing here knows
 * how one keeps its rows: each gives addresses of new queues, and the rest
 * goes through queue.h.
 */
#include "delivery/pace.h"
#include "queue/queue.h"

#include "base/log.h"
#include "base/utf8.h"
#include "queue/queue_engine.h"
#include "tap.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1785587696789	/* some day of 2026 */
#define DAY 86400000
#define LOTS 1000000		/* QUEUE_MAX where it does not matter */

/* ------------------------------------------------------------- engines */

static const char *scratch;

static void
sqlite_address(struct buf *out, unsigned number)
{
	buf_addf(out, "sqlite:%s/%u.db", scratch, number);
}

/*
 * Databases of a server that the test of PostgreSQL started: its address is
 * "postgresql://...". Each queue is a schema of its own.
 */
static void
pgsql_address(struct buf *out, unsigned number)
{
	buf_addf(out, "%s&options=-csearch_path%%3Dcontract%u",
	    getenv("TEST_POSTGRESQL"), number);
}

static const struct engine {
	const char *name;
	const char *needs;	/* in the environment */
	/* Adds the address of a queue that is not there yet. */
	void (*add_address)(struct buf *out, unsigned number);
} engines[] = {
	{ "sqlite", NULL, sqlite_address },
	{ "postgresql", "TEST_POSTGRESQL", pgsql_address },
};

static const struct engine *engine;

/* ------------------------------------------------- one queue for a test */

static struct {
	char *address;
	int64_t max_waiting;
	struct queue *q;
	struct buf why;		/* of the last call that failed */
	struct buf log;
} at;

static const char *
word_of(enum queue_result result)
{
	switch (result) {
	case QUEUE_FAILED:
		return "failed";
	case QUEUE_BUSY:
		return "busy";
	case QUEUE_FULL:
		return "full";
	case QUEUE_REPLACED:
		return "replaced";
	case QUEUE_OK:
		return "ok";
	}
	return "no result";
}

/* A call that has to work; else the test ends with the reason. */
static void
must(enum queue_result result, const char *what)
{
	if (result == QUEUE_OK)
		return;
	printf("Bail out! %s: %s: %s\n", what, word_of(result),
	    buf_text(&at.why));
	exit(1);
}

static void
connect_queue(void)
{
	struct queue_options options = { .address = at.address,
	    .max_waiting = at.max_waiting, .settles = true };
	enum queue_result result = QUEUE_FAILED;

	at.q = queue_open(&options, &result, &at.why);
	must(result, "open");
}

static void
leave_queue(void)
{
	queue_close(at.q);
	at.q = NULL;
}

/* A new address; nothing is there yet. */
static void
begin_apart(void)
{
	static unsigned number;
	struct buf address = BUF_INIT;

	leave_queue();
	free(at.address);
	engine->add_address(&address, ++number);
	at.address = buf_detach(&address);
	buf_clear(&at.why);
	buf_clear(&at.log);
}

/* A new queue, open. */
static void
begin(int64_t max_waiting)
{
	begin_apart();
	at.max_waiting = max_waiting;
	connect_queue();
}

/* ------------------------------------------------- calls as short texts */

/* The letters before a space, as a text of their own; "-" is NULL. */
static char *
next_word(const char **text)
{
	size_t len;
	char *word;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	word = mem_alloc(len + 1);
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len;
	return word;
}

#define WORDS_MAX 1300

/*
 * Puts an event for each word: "+" for each that was queued, "=" for each
 * duplicate; or what went wrong. A word is destination/log_id, without a
 * log_id destination/-.
 */
static const char *
put_at(const char *words, int64_t now_ms)
{
	static struct queue_item items[WORDS_MAX];
	static char signs[WORDS_MAX + 1];
	struct event *e;
	enum queue_result result;
	size_t i, count = 0;
	char *word, *slash;

	for (; *words; count++) {
		word = next_word(&words);
		slash = word + strcspn(word, "/");
		*slash = '\0';
		e = mem_alloc(sizeof(*e));
		memset(e, 0, sizeof(*e));
		e->type = "f";
		e->time_ms = EVENT_NO_TIME;
		e->log_id = strcmp(slash + 1, "-") != 0 ? slash + 1 : NULL;
		items[count].destination = word;
		items[count].event = e;
		items[count].duplicate = true;
	}
	result = queue_put(at.q, items, count, now_ms, &at.why);
	for (i = 0; i < count; i++) {
		signs[i] = items[i].duplicate ? '=' : '+';
		free((void *)(uintptr_t)items[i].destination);
		free((void *)(uintptr_t)items[i].event);
	}
	signs[count] = '\0';
	return result == QUEUE_OK ? signs : word_of(result);
}

static const char *
put(const char *words)
{
	return put_at(words, NOW);
}

struct reader {
	struct buf ids;
	size_t stop_after;	/* 0: never */
	size_t count;
	int64_t last;
	bool ordered;
	size_t bytes;
};

static bool
take_id(void *context, struct event *e, size_t bytes)
{
	struct reader *r = context;

	buf_addf(&r->ids, "%s%s", r->count > 0 ? " " : "",
	    e->log_id ? e->log_id : "-");
	if (e->postponed)
		buf_addc(&r->ids, '*');
	r->ordered = r->ordered && (e->number > r->last || e->postponed);
	r->last = e->number;
	r->bytes += bytes;
	free(e);
	return ++r->count != r->stop_after;
}

/* The log_ids of the first max that wait for a destination. */
static const char *
read_some(const char *destination, size_t max, size_t stop_after)
{
	static struct reader r;
	enum queue_result result;

	buf_clear(&r.ids);
	r.stop_after = stop_after;
	r.count = r.bytes = 0;
	r.last = 0;
	r.ordered = true;
	result = queue_read(at.q, destination, max, take_id, &r, NOW,
	    &at.why);
	if (result != QUEUE_OK)
		return word_of(result);
	return r.ordered && (r.bytes > 0) == (r.count > 0) ?
	    buf_text(&r.ids) : "out of order";
}

static const char *
waiting(const char *destination)
{
	return read_some(destination, LOTS, 0);
}

struct shown {
	struct buf text;
	bool with_reason;
	int64_t last;
	size_t count;
	bool ordered;
};

static void
show(void *context, const struct queue_row *row)
{
	static const char *const states[] = { "waits", "aside", "gone" };
	struct shown *s = context;

	s->ordered = s->ordered && row->number > s->last;
	s->last = row->number;
	buf_addf(&s->text, "%s%s/%s %s %" PRId64, s->count++ > 0 ? "\n" : "",
	    row->destination, row->log_id ? row->log_id : "-",
	    states[row->state], row->tries);
	if (s->with_reason)
		buf_addf(&s->text, " %s", row->reason ? row->reason : "-");
}

/* All that is listed: "destination/log_id state tries reason" a line. */
static const char *
list(void)
{
	static struct shown s;
	int64_t before, after = 0;

	buf_clear(&s.text);
	s.with_reason = true;
	s.last = 0;
	s.count = 0;
	s.ordered = true;
	do {
		before = after;
		must(queue_list(at.q, &after, show, &s, &at.why), "list");
	} while (after != before);
	return s.ordered && after == s.last ? buf_text(&s.text) :
	    "out of order";
}

struct finder {
	const char *destination, *log_id;
	struct queue_key key;
};

static void
find(void *context, const struct queue_row *row)
{
	struct finder *f = context;

	if (strcmp(row->destination, f->destination) == 0 &&
	    strcmp(row->log_id ? row->log_id : "-", f->log_id) == 0) {
		f->key.number = row->number;
		f->key.nonce = row->nonce;
	}
}

/* Of what is listed; its number is 0 when it is not. */
static struct queue_key
key_of(const char *destination, const char *log_id)
{
	struct finder f = { destination, log_id, { 0, 0, false } };
	int64_t before, after = 0;

	do {
		before = after;
		must(queue_list(at.q, &after, find, &f, &at.why), "list");
	} while (after != before);
	return f.key;
}

static int64_t
number_of(const char *destination, const char *log_id)
{
	return key_of(destination, log_id).number;
}

/* A change by the worker whose turn it is: "ok", or "missed" some. */
static const char *
change_keys(enum queue_change what, const struct queue_batch *batch,
    int64_t now_ms)
{
	enum queue_result result;
	bool mine;

	must(queue_begin_turn(at.q, batch->destination, &mine, &at.why),
	    "turn");
	result = queue_change(at.q, what, batch, now_ms, &at.why);
	queue_end_turn(at.q, batch->destination);
	return result == QUEUE_OK && queue_missed(batch) ? "missed" :
	    word_of(result);
}

/* Changes the events of these log_ids, which must be listed. */
static const char *
change(enum queue_change what, const char *destination, const char *ids,
    const char *reason, const struct pace *pace, int64_t now_ms)
{
	struct queue_key keys[16];
	struct queue_batch batch = { .destination = destination,
	    .keys = keys, .reason = reason, .pace_of = destination,
	    .pace = pace };
	char *id;

	while (*ids) {
		id = next_word(&ids);
		keys[batch.count] = key_of(destination, id);
		if (keys[batch.count++].number == 0)
			diag("%s/%s is not listed", destination, id);
		free(id);
	}
	return change_keys(what, &batch, now_ms);
}

static const char *
settle(const char *destination, const char *ids, int64_t now_ms)
{
	return change(QUEUE_SETTLE, destination, ids, NULL, NULL, now_ms);
}

static const char *
set_aside(const char *destination, const char *ids, const char *reason,
    int64_t now_ms)
{
	return change(QUEUE_SET_ASIDE, destination, ids, reason, NULL,
	    now_ms);
}

/* "2 waiting, 1 aside, since 50": since is after NOW. */
static const char *
count(const char *destination)
{
	static struct buf text;
	struct queue_tally tally;

	memset(&tally, 0x55, sizeof(tally));
	must(queue_count(at.q, destination, destination, &tally, &at.why),
	    "count");
	buf_clear(&text);
	buf_addf(&text, "%" PRId64 " waiting, %" PRId64 " aside",
	    tally.waiting, tally.aside);
	if (tally.waiting > 0)
		buf_addf(&text, ", since %" PRId64, tally.oldest_ms - NOW);
	return buf_text(&text);
}

/* A message tells of what is set aside. */
static void
tell(const char *destination)
{
	struct queue_batch batch = { .destination = destination,
	    .told = true };

	must(queue_change(at.q, QUEUE_PUT_BACK, &batch, NOW, &at.why), "tell");
}

static int64_t
edit(enum queue_edit what, const char *id)
{
	int64_t edited = -7;

	must(queue_edit(at.q, what, id, NOW, &edited, &at.why), "edit");
	return edited;
}

static int64_t
edit_number(enum queue_edit what, int64_t number)
{
	char id[32];

	snprintf(id, sizeof(id), "#%" PRId64, number);
	return edit(what, id);
}

static const char *
purge(int64_t retention_ms, int64_t now_ms)
{
	return word_of(queue_purge(at.q, retention_ms, now_ms, &at.why));
}

/* ---------------------------------------------------------------- put */

static void
test_put(void)
{
	begin(LOTS);
	is_str(put("a/1 a/2 a/3"), "+++", "new events are queued");
	is_str(waiting("a"), "1 2 3", "and wait in the order they came");
	is_str(put("a/4 a/4 a/4"), "+==", "a log_id is queued once of a "
	    "batch");
	is_str(put("a/2 a/5 a/1"), "=+=", "and once of several");
	is_str(put("b/1 b/2 a/1"), "++=", "for another destination it is "
	    "another event");
	is_str(put("a/- a/- b/-"), "+++", "no event without a log_id is a "
	    "duplicate");
	is_str(put("a/-"), "+", "at any time");
	is_str(waiting("a"), "1 2 3 4 5 - - -", "all are there");
	is_str(waiting("b"), "1 2 -", "each for its destination");
	is_str(waiting("c"), "", "and nothing for one that is not known");
	is_str(put(""), "", "nothing to put is put");
}

static void
test_duplicates(void)
{
	begin(LOTS);
	put("a/1 a/2 a/3 a/4");
	settle("a", "1", NOW);
	set_aside("a", "2", "r", NOW);
	edit(QUEUE_REMOVE, "3");
	is_str(put("a/1"), "=", "what was delivered is known");
	is_str(put("a/2"), "=", "so is what is set aside");
	is_str(put("a/3"), "=", "and what was removed");
	is_str(put("a/4"), "=", "and what waits");
	is_str(waiting("a"), "4", "none of them is queued again");
	is_str(put_at("a/1 a/2 a/3 a/4", NOW + 100 * (int64_t)DAY), "====",
	    "however late, until they are purged");
	edit(QUEUE_RETRY, "2");
	is_str(put("a/2"), "=", "nor is one that is tried again");
}

/* Of each event that waits, whether it has its record. */
static bool
take_record_sign(void *context, struct event *e, size_t bytes)
{
	buf_addf(context, "%s%s", e->log_id ? e->log_id : "?",
	    bytes > 0 ? "+" : "-");
	is_num(e->type != NULL && strcmp(e->type, "f") == 0, true,
	    "... its type is known");
	free(e);
	return true;
}

static const char *
signs_of(const char *destination)
{
	static struct buf text;

	buf_clear(&text);
	must(queue_read(at.q, destination, LOTS, take_record_sign, &text, NOW,
	    &at.why), "read");
	return buf_text(&text);
}

static void
test_full(void)
{
	begin(3);
	is_str(put("a/1 a/2 a/3 a/4"), "++++", "more than QUEUE_MAX are "
	    "taken");
	is_str(signs_of("a"), "1+2+3+4-", "above it without their records");
	is_str(put("b/1 b/2 b/3"), "+++", "another destination does not "
	    "notice");
	is_str(signs_of("b"), "1+2+3+", "and has its records");
	is_str(put("a/4 a/5"), "=+", "one without its record is known by its "
	    "log_id");
	settle("a", "1 2 3", NOW);
	is_str(signs_of("a"), "4-5-", "it is delivered like any other");
	is_str(count("a"), "2 waiting, 0 aside, since 0", "and counted");
	is_str(put("a/6"), "+", "when there is room again");
	is_str(signs_of("a"), "4-5-6+", "the next has its record");
	settle("a", "4", NOW);
	is_str(put("a/4"), "=", "what was delivered without one is known");
}

static bool
count_bare(void *context, struct event *e, size_t bytes)
{
	*(int64_t *)context += bytes == 0;
	free(e);
	return true;
}

static void
test_full_hundredth(void)
{
	int64_t above = 0;
	size_t i;
	char word[32];

	begin(1000);
	for (i = 1; i <= 1100; i++) {
		snprintf(word, sizeof(word), "a/%zu", i);
		put(word);
	}
	must(queue_read(at.q, "a", LOTS, count_bare, &above, NOW, &at.why),
	    "read");
	ok(above >= 90 && above <= 100, "QUEUE_MAX is kept to, but for a "
	    "hundredth");
}

/* --------------------------------------------------------------- read */

static void
test_read(void)
{
	begin(LOTS);
	put("a/1 b/1 a/2 b/2 a/3");
	put("a/4 a/5");
	is_str(read_some("a", 3, 0), "1 2 3", "no more are read than asked "
	    "for");
	is_str(read_some("a", 3, 0), "1 2 3", "they wait on");
	is_str(read_some("a", 1, 0), "1", "be it one");
	is_str(read_some("a", 0, 0), "", "or none");
	is_str(read_some("a", 9, 2), "1 2", "who takes them may stop early");
	is_str(read_some("a", 9, 0), "1 2 3 4 5", "and read again");
	is_str(settle("a", "2", NOW), "ok", "one is delivered");
	set_aside("a", "4", "r", NOW);
	is_str(waiting("a"), "1 3 5", "what does not wait is not read");
	edit(QUEUE_RETRY, "4");
	is_str(waiting("a"), "1 3 4 5", "what is tried again comes where it "
	    "was");
	ok(number_of("a", "1") != number_of("b", "1"),
	    "a number is of one destination");
}

static const struct event fields[] = {
	{ .type = "f", .time_ms = EVENT_NO_TIME },
	{ .log_id = "1", .type = "fp", .description = "Wrong \"password\".",
	    .client_id = "ci", .client_name = "it's", .connection = "co",
	    .hostname = "h.example", .ip = "2001:db8::1",
	    .tenant_name = "t", .user_id = "auth0|1", .user_name = "un",
	    .time_ms = 1785587696789 },
	{ .log_id = "2", .type = "limit_wc", .time_ms = 946684800000 },
	{ .log_id = "3", .type = "s", .time_ms = 1785587696789 },
	{ .log_id = "caf\xc3\xa9 \xf0\x9f\x98\x80", .type = "\xe2\x82\xac",
	    .description = "\x01\x02\x1b[31m\x7f\b\f\r\n\t\\ \xc2\x9b"
	    "\xe2\x80\xa8\xe2\x80\xae", .user_name = "'; DROP TABLE event;",
	    .time_ms = 1785587696700 },
	{ .log_id = "#1", .type = "%s%n", .user_id = UTF8_REPLACEMENT,
	    .time_ms = 4102444799999 },
};

static void
add_text(void *context, const char *name, const char *text)
{
	buf_addf(context, "%s=%s\n", name, text);
}

static void
add_event(struct buf *out, const struct event *e)
{
	buf_addf(out, "log_id=%s\ntime=%" PRId64 "\nclass=%d\n",
	    e->log_id ? e->log_id : "none", e->time_ms, (int)e->class);
	event_each_text(e, add_text, out);
}

struct whole {
	struct buf text;
	int64_t number;
};

static bool
take_whole(void *context, struct event *e, size_t bytes)
{
	struct whole *w = context;

	(void)bytes;
	add_event(&w->text, e);
	w->number = e->number;
	free(e);
	return true;
}

static void
is_kept(const struct event *from, const char *title)
{
	struct event e = *from;
	struct queue_item item = { "a", &e, true };
	struct whole got = { BUF_INIT, 0 };
	struct buf want = BUF_INIT;

	e.class = catalog_class(e.type);
	begin(LOTS);
	must(queue_put(at.q, &item, 1, NOW, &at.why), "put");
	leave_queue();
	connect_queue();
	must(queue_read(at.q, "a", 9, take_whole, &got, NOW, &at.why),
	    "read");
	add_event(&want, &e);
	is_str(buf_text(&got.text), buf_text(&want), "%s", title);
	ok(!item.duplicate && got.number == number_of("a", e.log_id ?
	    e.log_id : "-"), "... with its number");
	is_str(put("a/x"), "+", "... and it stops no other");
	buf_release(&got.text);
	buf_release(&want);
}

static void
test_fields(void)
{
	struct event e = { .log_id = "long", .type = "f",
	    .time_ms = 946684800005 };
	char *text = mem_alloc(200001);
	size_t i;

	for (i = 0; i < ROWS(fields); i++)
		is_kept(&fields[i], "every field comes back as it was");
	memset(text, 'x', 200000);
	text[8000] = '\0';
	e.description = text;
	is_kept(&e, "so does a very long one");
	free(text);
}

/* ------------------------------------------------------------- change */

static const struct pace some_pace = {
	.set_ms = NOW, .until_ms = NOW + 70000, .obey_ms = NOW + 1000,
	.failures = 3, .suspects = 17, .posting = true, .refused = true,
	.success_ms = NOW - 5, .error_ms = NOW - 1,
	.error = "no_service: it's \"gone\" \xe2\x82\xac\\\n\x01%s",
	.condemned = 2, .condemned_ms = NOW - 3,
	.condemned_by = "it's a \"word\"", .webhook = 4294967296,
};

static struct pace
pace_of(const char *destination)
{
	struct queue_tally tally;

	must(queue_count(at.q, destination, destination, &tally, &at.why),
	    "count");
	return tally.pace;
}

static void
test_change(void)
{
	begin(LOTS);
	put("a/1 a/2 a/3 a/4 a/-");
	is_str(change(QUEUE_CLAIM, "a", "1 2", NULL, NULL, NOW), "ok",
	    "events are claimed");
	change(QUEUE_CLAIM, "a", "1", NULL, NULL, NOW);
	is_str(list(), "a/1 waits 2 -\na/2 waits 1 -\na/3 waits 0 -\n"
	    "a/4 waits 0 -\na/- waits 0 -", "each claim is one more try");
	is_str(change(QUEUE_PUT_BACK, "a", "1 2", NULL, NULL, NOW), "ok",
	    "events are put back");
	is_str(waiting("a"), "1 2 3 4 -", "and wait as before");
	is_str(set_aside("a", "2", "it's \"never\"", NOW), "ok",
	    "one is set aside");
	is_str(settle("a", "1 3 -", NOW), "ok", "others are delivered");
	is_str(list(), "a/2 aside 1 it's \"never\"\na/4 waits 0 -",
	    "one is listed with its reason, the others are gone");
	is_str(waiting("a"), "4", "and only one waits");
	is_str(change(QUEUE_CLAIM, "a", "4 2", NULL, &some_pace, NOW),
	    "missed", "what is set aside cannot be claimed");
	is_str(list(), "a/2 aside 1 it's \"never\"\na/4 waits 0 -",
	    "nor what is claimed with it");
	is_num(pace_of("a").failures, 0, "and its pace is not kept");
	is_str(set_aside("a", "2", "other", NOW), "missed",
	    "nor can it be set aside again");
	is_str(list(), "a/2 aside 1 it's \"never\"\na/4 waits 0 -",
	    "but for the first reason");
	is_str(settle("a", "2", NOW), "ok", "and be delivered after all");
	is_str(list(), "a/4 waits 0 -", "then it is gone");
	is_str(settle("a", "", NOW), "ok", "no event can be changed too");
}

/* A person removes an event while a message with it is on its way. */
static void
test_change_removed(void)
{
	struct queue_key key;
	struct queue_batch batch = { .destination = "a", .keys = &key,
	    .count = 1, .reason = "r" };

	begin(LOTS);
	put("a/1");
	key = key_of("a", "1");
	edit(QUEUE_REMOVE, "1");
	is_str(change_keys(QUEUE_SET_ASIDE, &batch, NOW), "missed",
	    "what was removed cannot be set aside");
	is_str(list(), "", "it stays gone");
	is_str(change_keys(QUEUE_CLAIM, &batch, NOW), "missed",
	    "nor claimed");
	is_str(change_keys(QUEUE_SETTLE, &batch, NOW), "ok",
	    "but it may be delivered");
	is_str(list(), "", "whatever becomes of it");
	is_str(put("a/1"), "=", "and known");
	key.number = 123456789;
	is_str(change_keys(QUEUE_SETTLE, &batch, NOW), "missed",
	    "a number that is none is passed over");
}

/*
 * Another incarnation of the database gives the same number to another
 * event: the keys of two rows with their nonces exchanged.
 */
static void
test_change_other(void)
{
	static const char *const names[] = { "1", "2", "-" };
	struct queue_key keys[3];
	struct queue_batch batch = { .destination = "a", .keys = keys,
	    .count = 3, .reason = "r", .pace_of = "a",
	    .pace = &some_pace };
	int64_t nonce;
	size_t i;

	begin(LOTS);
	put("a/1 a/2 a/- a/4");
	for (i = 0; i < 3; i++)
		keys[i] = key_of("a", names[i]);
	nonce = keys[0].nonce;
	for (i = 0; i < 2; i++)
		keys[i].nonce = keys[i + 1].nonce;
	keys[2].nonce = nonce;
	is_str(change_keys(QUEUE_CLAIM, &batch, NOW), "missed", "rows of the "
	    "same numbers that are others cannot be claimed");
	is_str(change_keys(QUEUE_SETTLE, &batch, NOW), "missed",
	    "nor delivered");
	is_str(change_keys(QUEUE_SET_ASIDE, &batch, NOW), "missed",
	    "nor set aside");
	is_str(waiting("a"), "1 2 - 4", "they wait on, all of them");
	is_num(pace_of("a").failures, 3, "what else is known is kept");
	batch.count = 2;
	keys[0] = key_of("a", "4");
	is_str(change_keys(QUEUE_SETTLE, &batch, NOW), "missed",
	    "of several");
	ok(!keys[0].missed && keys[1].missed, "each that is missed is marked");
	is_str(waiting("a"), "1 2 -", "and the others are delivered");
}

/* "a/1 until NOW + 100", as a change of what this names. */
static const char *
postpone(const char *destination, const char *ids, int64_t later_ms,
    int64_t expired_ms)
{
	struct queue_key keys[16];
	struct queue_batch batch = { .destination = destination, .keys = keys,
	    .reason = "it fails alone", .later_ms = later_ms,
	    .expired_ms = expired_ms };
	char *id;

	while (*ids) {
		id = next_word(&ids);
		keys[batch.count++] = key_of(destination, id);
		free(id);
	}
	return change_keys(QUEUE_POSTPONE, &batch, NOW);
}

static struct queue_tally
tally_of(const char *destination)
{
	struct queue_tally tally;

	must(queue_count(at.q, destination, destination, &tally, &at.why),
	    "count");
	return tally;
}

static void
test_postpone(void)
{
	struct queue_tally t;

	begin(LOTS);
	put_at("a/1 a/2", NOW - 5000);
	put("a/3");
	is_str(postpone("a", "1", NOW, NOW - 9000), "ok", "an event is "
	    "postponed");
	is_str(waiting("a"), "2 3 1*", "and comes behind the others");
	t = tally_of("a");
	ok(t.waiting == 3 && t.postponed == 1 && t.later_ms == NOW &&
	    t.oldest_ms == NOW - 5000, "it is counted");
	is_str(postpone("a", "2", NOW + 1, NOW - 9000), "ok", "another, for "
	    "longer");
	is_str(waiting("a"), "3 1*", "is not there before its time");
	t = tally_of("a");
	ok(t.waiting == 3 && t.postponed == 2 && t.later_ms == NOW,
	    "but counted");
	is_str(put("a/4"), "+", "what comes later");
	is_str(waiting("a"), "3 4 1*", "comes before it");
	is_str(postpone("a", "1", NOW + 9, NOW - 4000), "ok", "one that was "
	    "queued before RETENTION");
	ok(strstr(list(), "a/1 aside 0 it fails alone") != NULL,
	    "is set aside");
	edit(QUEUE_RETRY, "1");
	is_str(waiting("a"), "1 3 4", "who tries it again has it first");
}

static void
test_recall(void)
{
	struct queue_key key;
	struct queue_batch batch = { .destination = "a", .keys = &key,
	    .count = 1, .reason = "word", .since_ms = NOW + 10 };

	begin(LOTS);
	put("a/1 a/2 a/3 a/4 a/5 b/1");
	set_aside("a", "1", "word", NOW + 9);
	set_aside("a", "2", "word", NOW + 10);
	set_aside("a", "3", "other", NOW + 11);
	set_aside("b", "1", "word", NOW + 12);
	key = key_of("a", "4");
	is_str(change_keys(QUEUE_RECALL, &batch, NOW + 13), "ok", "what was "
	    "set aside for a reason is recalled");
	is_str(waiting("a"), "2 4 5", "since a time, and waits in its place");
	is_str(list(), "a/1 aside 0 word\na/2 waits 0 -\na/3 aside 0 other\n"
	    "a/4 waits 0 -\na/5 waits 0 -\nb/1 aside 0 word", "nothing else "
	    "is");
}

static void
test_told(void)
{
	struct queue_batch batch = { .destination = "a", .told = true };
	struct queue_tally t;

	begin(LOTS);
	put("a/1 a/2 a/3 b/1");
	set_aside("a", "1", "word", NOW - 7);
	set_aside("a", "2", "word", NOW - 5);
	set_aside("b", "1", "word", NOW - 5);
	t = tally_of("a");
	ok(t.aside == 2 && t.untold == 2 && t.untold_ms == NOW - 7,
	    "what is set aside is untold");
	is_str(purge(1, NOW + DAY), "ok", "a purge");
	is_num(tally_of("a").aside, 2, "does not delete that, however old");
	is_str(change_keys(QUEUE_PUT_BACK, &batch, NOW), "ok", "a message "
	    "tells");
	t = tally_of("a");
	ok(t.aside == 2 && t.untold == 0, "then it is told");
	is_num(tally_of("b").untold, 1, "that of another destination is not");
	buf_clear(&at.log);
	is_str(purge(1, NOW + DAY), "ok", "the next purge");
	is_num(tally_of("a").aside, 0, "deletes it");
	ok(strstr(buf_text(&at.log), "log_id=1 ") != NULL &&
	    strstr(buf_text(&at.log), "log_id=2 ") != NULL, "with a line "
	    "each");
	put("a/4");
	set_aside("a", "4", "word", NOW);
	is_num(tally_of("a").untold, 1, "another is untold");
}

static int64_t
last_done(int64_t until_ms)
{
	int64_t done = -1;

	must(queue_last_done(at.q, until_ms, &done, &at.why), "last done");
	return done;
}

static void
test_last_done(void)
{
	begin(LOTS);
	put("a/1 a/2 a/3 a/4");
	is_num(last_done(NOW + DAY), 0, "in a new queue nothing was done");
	settle("a", "1", NOW + 10);
	settle("a", "2", NOW + 30);
	set_aside("a", "3", "r", NOW + 20);
	is_num(last_done(NOW + DAY), NOW + 30, "the last is found");
	is_num(last_done(NOW + 29), NOW + 20, "before a time");
	is_num(last_done(NOW + 19), NOW + 10, "whatever was done");
	is_num(last_done(NOW + 9), 0, "or nothing");
}

static void
test_waits(void)
{
	static const char *const none[] = { "c", "d" };
	static const char *const some[] = { "c", "b", "a" };
	bool waits = true;

	begin(LOTS);
	must(queue_waits(at.q, some, 3, &waits, &at.why), "waits");
	ok(!waits, "in a new queue nothing waits");
	put("a/1 b/2");
	must(queue_waits(at.q, some, 3, &waits, &at.why), "waits");
	ok(waits, "what was put waits");
	must(queue_waits(at.q, none, 2, &waits, &at.why), "waits");
	ok(!waits, "not for other destinations");
	must(queue_waits(at.q, NULL, 0, &waits, &at.why), "waits");
	ok(!waits, "nor for none");
	settle("a", "1", NOW);
	must(queue_waits(at.q, some, 3, &waits, &at.why), "waits");
	ok(waits, "one is enough");
	set_aside("b", "2", "r", NOW);
	must(queue_waits(at.q, some, 3, &waits, &at.why), "waits");
	ok(!waits, "what is delivered or set aside does not wait");
}

#define IS_NUMBER(column) \
	is_num(p->column, want->column, "%s: " #column, title)
#define IS_TEXT(column) \
	is_str(p->column, want->column, "%s: " #column, title)

static void
is_pace(const char *destination, const struct pace *want, const char *title)
{
	struct queue_tally tally;
	const struct pace *p = &tally.pace;

	memset(&tally, 0x55, sizeof(tally));
	must(queue_count(at.q, destination, destination, &tally, &at.why),
	    "count");
	PACE_COLUMNS(IS_NUMBER, IS_TEXT, ;);
}

static void
test_pace(void)
{
	struct pace pace = some_pace, none = { 0 };

	begin(LOTS);
	put("a/1 b/1");
	is_pace("a", &none, "of a destination that was never posted to "
	    "nothing is known");
	is_pace("x", &none, "nor of one that there is not");
	change(QUEUE_CLAIM, "a", "1", NULL, &pace, NOW);
	is_pace("a", &pace, "a pace is kept");
	is_pace("b", &none, "for one destination");
	change(QUEUE_CLAIM, "a", "1", NULL, NULL, NOW);
	is_pace("a", &pace, "a change without one leaves it");
	leave_queue();
	connect_queue();
	is_pace("a", &pace, "it outlives every process");
	memset(pace.error, 'x', sizeof(pace.error) - 1);
	pace.suspects = 0;
	change(QUEUE_PUT_BACK, "a", "1", NULL, &pace, NOW);
	is_pace("a", &pace, "a new one takes its place, with events or "
	    "without");
	memset(&pace, 0, sizeof(pace));
	change(QUEUE_PUT_BACK, "a", "", NULL, &pace, NOW);
	is_pace("a", &none, "be it all zero");
	change(QUEUE_PUT_BACK, "new", "", NULL, &some_pace, NOW);
	is_pace("new", &some_pace, "it needs no event");
}

/* -------------------------------------------------------------- count */

static void
test_count(void)
{
	begin(LOTS);
	is_str(count("a"), "0 waiting, 0 aside", "of nothing there is "
	    "nothing");
	put_at("a/1", NOW + 10);
	put_at("a/2 b/1", NOW + 20);
	put_at("a/3 a/1", NOW + 30);
	is_str(count("a"), "3 waiting, 0 aside, since 10",
	    "what waits is counted, with the time of the first");
	is_str(count("b"), "1 waiting, 0 aside, since 20",
	    "by destination");
	settle("a", "1", NOW + 40);
	is_str(count("a"), "2 waiting, 0 aside, since 20",
	    "without what was delivered");
	set_aside("a", "2", "r", NOW + 50);
	is_str(count("a"), "1 waiting, 1 aside, since 30",
	    "what is set aside is counted apart");
	edit(QUEUE_RETRY, "2");
	is_str(count("a"), "2 waiting, 0 aside, since 20",
	    "what is tried again waits since it came");
	edit(QUEUE_REMOVE, "2");
	edit(QUEUE_REMOVE, "3");
	is_str(count("a"), "0 waiting, 0 aside", "what was removed is not "
	    "counted");
}

/* -------------------------------------------------------------- purge */

static void
test_purge(void)
{
	int64_t edited;

	begin(LOTS);
	put_at("a/old a/aside a/waits a/removed", NOW - 10 * (int64_t)DAY);
	settle("a", "old", NOW - 5 * (int64_t)DAY);
	set_aside("a", "aside", "too large", NOW - 5 * (int64_t)DAY);
	must(queue_edit(at.q, QUEUE_REMOVE, "removed",
	    NOW - 5 * (int64_t)DAY, &edited, &at.why), "edit");
	tell("a");
	is_str(purge(5 * (int64_t)DAY, NOW), "ok", "a queue is purged");
	is_str(put("a/old a/aside a/removed"), "===", "what became of an "
	    "event is remembered for RETENTION");
	is_str(list(), "a/aside aside 0 too large\na/waits waits 0 -",
	    "and what is set aside is kept so long");
	is_str(buf_text(&at.log), "", "nothing is said");
	is_str(purge(5 * (int64_t)DAY - 1, NOW), "ok", "after that");
	is_str(list(), "a/waits waits 0 -", "what is set aside is deleted");
	ok(strstr(buf_text(&at.log), "warn log_id=aside type=f destination=a "
	    "reason=\"too large\" outcome=expired\n") != NULL,
	    "with a line in the log");
	ok(!strstr(buf_text(&at.log), "=old") &&
	    !strstr(buf_text(&at.log), "=removed"),
	    "what was delivered or removed goes without a word");
	is_str(put("a/old a/aside a/removed a/waits"), "+++=", "their "
	    "log_ids may come again, but not that of what waits");
	is_str(purge(0, NOW + 1000 * (int64_t)DAY), "ok", "of what waits");
	is_str(waiting("a"), "waits old aside removed",
	    "nothing is ever purged");
}

/* Rows are counted by thousands, so that they are more than one page. */
static void
put_lots(const char *destination, size_t first, size_t lots)
{
	struct buf words = BUF_INIT;
	size_t i;

	for (i = 0; i < lots; i++)
		buf_addf(&words, "%s%s/%zu", i > 0 ? " " : "", destination,
		    first + i);
	put(buf_text(&words));
	buf_release(&words);
}

struct keys {
	struct queue_key list[2 * WORDS_MAX];
	size_t count;
};

static bool
take_key(void *context, struct event *e, size_t bytes)
{
	struct keys *k = context;

	(void)bytes;
	k->list[k->count].number = e->number;
	k->list[k->count++].nonce = e->nonce;
	free(e);
	return true;
}

/* Changes all that wait for a destination but the last few. */
static void
change_lots(enum queue_change what, const char *destination, size_t but)
{
	static struct keys k;
	struct queue_batch batch = { .destination = destination,
	    .keys = k.list, .reason = "r" };

	k.count = 0;
	must(queue_read(at.q, destination, 2 * WORDS_MAX, take_key, &k,
	    NOW, &at.why), "read");
	batch.count = k.count - but;
	must(queue_change(at.q, what, &batch, NOW, &at.why), "change");
}

static size_t
lines_of(const struct buf *text, const char *word)
{
	const char *line = buf_text(text);
	size_t lines = 0;

	while ((line = strstr(line, word)) != NULL) {
		line += strlen(word);
		lines++;
	}
	return lines;
}

static void
test_purge_lots(void)
{
	begin(LOTS);
	put_lots("a", 1, 1200);
	put_lots("b", 1, 1200);
	change_lots(QUEUE_SETTLE, "a", 1);
	change_lots(QUEUE_SET_ASIDE, "b", 2);
	tell("b");
	is_str(purge(1, NOW + DAY), "ok", "thousands are purged");
	is_str(count("a"), "1 waiting, 0 aside, since 0",
	    "all that was delivered");
	is_str(count("b"), "2 waiting, 0 aside, since 0",
	    "all that was set aside");
	is_num((long long)lines_of(&at.log, "outcome=expired"), 1198,
	    "each of which the log has a line of");
	put_lots("a", 1, 1200);
	is_str(count("a"), "1200 waiting, 0 aside, since 0",
	    "what was delivered may come again");
}

/* --------------------------------------------------------------- list */

static void
test_list(void)
{
	struct pace failing = some_pace;

	begin(LOTS);
	is_str(list(), "", "of nothing there is no list");
	put("b/1 a/1 a/2 a/-");
	set_aside("a", "1", "too_many_attachments", NOW);
	settle("a", "2", NOW);
	is_str(list(), "b/1 waits 0 -\na/1 aside 0 too_many_attachments\n"
	    "a/- waits 0 -", "what waits or is set aside is listed in the "
	    "order it came");
	snprintf(failing.error, sizeof(failing.error), "no_service");
	change(QUEUE_PUT_BACK, "a", "", NULL, &failing, NOW);
	is_str(list(), "b/1 waits 0 -\na/1 aside 0 too_many_attachments\n"
	    "a/- waits 0 no_service", "what waits for a destination that "
	    "fails has its last error");
	failing.failures = 0;
	change(QUEUE_PUT_BACK, "a", "", NULL, &failing, NOW);
	is_str(list(), "b/1 waits 0 -\na/1 aside 0 too_many_attachments\n"
	    "a/- waits 0 -", "which is over when it does not");
}

struct pages {
	struct buf ids;
	int64_t last;
	size_t count, aside;
	bool ordered;
};

static void
count_row(void *context, const struct queue_row *row)
{
	struct pages *p = context;

	p->ordered = p->ordered && row->number > p->last &&
	    row->state != QUEUE_GONE && row->queued_ms == NOW &&
	    strcmp(row->type, "f") == 0;
	p->last = row->number;
	p->count++;
	p->aside += row->state == QUEUE_ASIDE;
}

static void
test_list_pages(void)
{
	struct pages p = { BUF_INIT, 0, 0, 0, true };
	int64_t before, after = 0;
	size_t pages = 0, largest = 0, sofar;

	begin(LOTS);
	put_lots("b", 1, 700);
	change_lots(QUEUE_SET_ASIDE, "b", 100);
	put_lots("gone", 1, 1200);
	change_lots(QUEUE_SETTLE, "gone", 0);
	put_lots("a", 1, 500);
	do {
		before = after;
		sofar = p.count;
		must(queue_list(at.q, &after, count_row, &p, &at.why), "list");
		largest = p.count - sofar > largest ? p.count - sofar :
		    largest;
		pages += after != before;
		if (after != p.last)
			p.ordered = false;
	} while (after != before);
	is_num((long long)p.count, 1200, "each of 1,200 is listed once");
	is_num((long long)p.aside, 600, "of both states");
	ok(p.ordered, "in the order of number, which the page ends with");
	ok(pages > 1 && largest < 1200, "in several pages");
	must(queue_list(at.q, &after, count_row, &p, &at.why), "list");
	is_num((long long)p.count, 1200, "at the end nothing more is given");
	after = INT64_MAX;
	must(queue_list(at.q, &after, count_row, &p, &at.why), "list");
	ok(p.count == 1200 && after == INT64_MAX, "nor behind it");
}

/* --------------------------------------------------------------- edit */

static void
test_retry(void)
{
	begin(LOTS);
	put("a/1 a/2 a/3 a/4 b/1 a/- a/w");
	change(QUEUE_CLAIM, "a", "1", NULL, NULL, NOW);
	set_aside("a", "1 2 3 -", "never", NOW);
	set_aside("b", "1", "never", NOW);
	is_num(edit(QUEUE_RETRY, "1"), 2, "what is set aside is tried again, "
	    "by log_id, for each destination");
	is_str(waiting("a"), "1 4 w", "it waits where it was");
	is_str(waiting("b"), "1", "for each");
	is_str(list(), "a/1 waits 1 -\na/2 aside 0 never\na/3 aside 0 never\n"
	    "a/4 waits 0 -\nb/1 waits 0 -\na/- aside 0 never\na/w waits 0 -",
	    "without its reason");
	is_num(edit_number(QUEUE_RETRY, number_of("a", "-")), 1,
	    "or by number, where it has no log_id");
	is_num(edit(QUEUE_RETRY, "w"), 0, "what waits needs no retry");
	is_num(edit_number(QUEUE_RETRY, number_of("a", "w")), 0,
	    "by number neither");
	is_num(edit(QUEUE_RETRY, NULL), 2, "or all");
	is_num(edit(QUEUE_RETRY, NULL), 0, "once");
	is_str(waiting("a"), "1 2 3 4 - w", "all wait then");
	settle("a", "1", NOW);
	is_num(edit(QUEUE_RETRY, "1"), 0, "what was delivered is not sent "
	    "again");
}

static void
test_remove(void)
{
	begin(LOTS);
	put("a/1 a/2 a/3 b/1 a/- a/4");
	set_aside("a", "2 3", "never", NOW);
	is_num(edit(QUEUE_REMOVE, "1"), 2, "what waits is removed, by log_id, "
	    "for each destination");
	is_num(edit(QUEUE_REMOVE, "2"), 1, "so is what is set aside");
	is_num(edit_number(QUEUE_REMOVE, number_of("a", "-")), 1,
	    "or by number, where it has no log_id");
	is_str(list(), "a/3 aside 0 never\na/4 waits 0 -", "they are gone");
	is_str(put("a/1 a/2 b/1 a/-"), "===+", "and known, as if they had "
	    "been delivered");
	is_num(edit(QUEUE_REMOVE, "1"), 0, "but once");
	is_num(edit(QUEUE_REMOVE, NULL), 1, "all that is set aside is removed");
	is_str(list(), "a/4 waits 0 -\na/- waits 0 -", "and nothing that "
	    "waits");
	is_num(edit(QUEUE_RETRY, "1"), 0, "what was removed cannot be tried "
	    "again");
	is_str(put("a/3"), "=", "and is not queued again");
}

static const char *const unknown_ids[] = {
	"", "9", "#", "#0", "#-1", "#1x", "# 1", "#99999", "#+1", "1 OR 1=1",
	"#9223372036854775807", "#9223372036854775808",
	"#18446744073709551617", "%", "*", "a/1", "a",
};

static void
test_unknown(void)
{
	int64_t first;
	size_t i;

	begin(LOTS);
	put("a/1 a/- b/#5");
	set_aside("a", "1 -", "r", NOW);
	first = number_of("a", "1");
	for (i = 0; i < ROWS(unknown_ids); i++)
		ok(edit(QUEUE_RETRY, unknown_ids[i]) == 0 &&
		    edit(QUEUE_REMOVE, unknown_ids[i]) == 0,
		    "nothing is called \"%s\"", unknown_ids[i]);
	is_str(list(), "a/1 aside 0 r\na/- aside 0 r\nb/#5 waits 0 -",
	    "nothing was changed");
	is_num(edit_number(QUEUE_REMOVE, first), 1, "a number is one");
}

static void
add_name(void *context, const char *name)
{
	buf_addf(context, "%s ", name);
}

static void
test_names(void)
{
	struct buf names = BUF_INIT;

	begin(LOTS);
	must(queue_names(at.q, add_name, &names, &at.why), "names");
	is_str(buf_text(&names), "", "a new queue has no destination");
	put("zeta/1 default/1 default/2 alpha/1 zeta/2");
	put("ops/1");
	edit(QUEUE_REMOVE, "1");
	purge(0, NOW + DAY);
	must(queue_names(at.q, add_name, &names, &at.why), "names");
	is_str(buf_text(&names), "alpha default ops zeta ",
	    "every name that ever had an event is given once, sorted");
	buf_release(&names);
}

/* -------------------------------------------------------------- hurry */

static const char *
hurry(const char *destination)
{
	return word_of(queue_hurry(at.q, destination, &at.why));
}

static int64_t
left(const char *destination)
{
	struct queue_tally tally;

	must(queue_count(at.q, destination, destination, &tally, &at.why),
	    "count");
	return pace_left(&tally.pace, NOW);
}

static void
test_hurry(void)
{
	struct pace asked = some_pace, hurried = some_pace;

	asked.obey_ms = asked.until_ms = NOW + 90000;
	hurried.until_ms = hurried.obey_ms;
	hurried.failures = 0;
	begin(LOTS);
	put("a/1 b/1 c/1");
	change(QUEUE_PUT_BACK, "a", "", NULL, &some_pace, NOW);
	change(QUEUE_PUT_BACK, "b", "", NULL, &some_pace, NOW);
	change(QUEUE_PUT_BACK, "c", "", NULL, &asked, NOW);
	is_str(hurry("a"), "ok", "a back-off is ended");
	is_num(left("a"), 1000, "but for what must be obeyed");
	is_num(left("b"), 70000, "other destinations wait on");
	is_pace("a", &hurried, "all else is as it was");
	is_str(hurry(NULL), "ok", "all are ended");
	is_num(left("b"), 1000, "so is that of the other");
	is_num(left("c"), 90000, "what Slack asked for is waited for");
	is_str(hurry("nobody"), "ok", "one that is not known has none");
}

/* -------------------------------------------------------------- verify */

static void
test_verify(void)
{
	begin(LOTS);
	is_str(word_of(queue_verify(at.q, &at.why)), "ok", "a new queue is "
	    "whole");
	put_lots("a", 1, 1200);
	change_lots(QUEUE_SET_ASIDE, "a", 600);
	is_str(word_of(queue_verify(at.q, &at.why)), "ok", "so is one with "
	    "something in it");
	is_str(buf_text(&at.why), "", "and nothing is said");
}

static void
test_open_again(void)
{
	struct queue *first;

	begin(LOTS);
	put("a/1 a/2 a/3 a/4");
	settle("a", "1", NOW);
	set_aside("a", "2", "r", NOW);
	change(QUEUE_CLAIM, "a", "3", NULL, &some_pace, NOW);
	leave_queue();
	connect_queue();
	is_str(list(), "a/2 aside 0 r\na/3 waits 1 no_service: it's \"gone\" "
	    "\xe2\x82\xac\\\n\x01%s\na/4 waits 0 no_service: it's \"gone\" "
	    "\xe2\x82\xac\\\n\x01%s", "a queue that is opened again has "
	    "everything");
	is_str(put("a/1"), "=", "and knows what was delivered");
	is_str(put("a/5"), "+", "new events come behind");
	is_str(waiting("a"), "3 4 5", "what waits");
	first = at.q;
	connect_queue();
	is_str(put("a/6 a/4"), "+=", "a process may have it open twice");
	is_str(settle("a", "3", NOW), "ok", "and change it here");
	leave_queue();
	at.q = first;
	is_str(waiting("a"), "4 5 6", "and read it there");
	is_str(put("a/6 a/7"), "=+", "with each knowing what the other put");
	queue_close(NULL);
	ok(true, "no queue can be closed too");
}

static void
test_no_engine(void)
{
	struct queue_options options = { "carrier-pigeon:coop", 1, 1, false,
	    false };
	enum queue_result result = QUEUE_OK;
	struct buf why = BUF_INIT;

	ok(!queue_open(&options, &result, &why) && result == QUEUE_FAILED,
	    "a queue of an unknown kind is not opened");
	is_str(buf_text(&why), "QUEUE: there is no such kind of "
	    "queue", "and why is said, without the address");
	buf_release(&why);
}

/* ---------------------------------------------------------- processes */

/* A child that runs this in a queue of its own, and its pipes. */
struct child {
	pid_t pid;
	int go;		/* a byte here lets it run */
	int out;
};

/* Runs in a new process once it gets a byte; what it returns is its status. */
static struct child
child_start(int (*run)(int out))
{
	struct child child = { -1, -1, -1 };
	int go[2], out[2];
	char byte;

	fflush(stdout);
	if (pipe(go) < 0 || pipe(out) < 0 || (child.pid = fork()) < 0)
		abort();
	if (child.pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(99);
		_exit(run(out[1]));
	}
	close(go[0]);
	close(out[1]);
	child.go = go[1];
	child.out = out[0];
	return child;
}

static void
child_go(const struct child *child)
{
	if (write(child->go, "", 1) != 1)
		abort();
}

/* Waits for its end; returns its exit status, -1 when it was killed. */
static int
child_end(struct child *child)
{
	int status = 0;

	close(child->go);
	close(child->out);
	waitpid(child->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CHILDREN 8
#define BATCHES 20

/* Puts what all the others put too: two hundred events, ten at a time. */
static int
put_the_same(int out)
{
	struct buf words = BUF_INIT;
	const char *signs;
	unsigned char added = 0;
	int i, j;

	connect_queue();
	for (i = 0; i < BATCHES; i++) {
		buf_clear(&words);
		for (j = 0; j < 10; j++)
			buf_addf(&words, "%sa/%d", j > 0 ? " " : "",
			    10 * i + j);
		signs = put(buf_text(&words));
		if (strlen(signs) != 10)
			return 1;
		for (; *signs; signs++)
			added += *signs == '+';
	}
	leave_queue();
	buf_release(&words);
	return write(out, &added, 1) == 1 ? 0 : 2;
}

static void
test_processes(bool made_before)
{
	struct child children[CHILDREN];
	unsigned char added;
	unsigned sum = 0;
	int i, failed = 0;

	begin_apart();
	at.max_waiting = LOTS;
	if (made_before) {
		connect_queue();
		leave_queue();
	}
	for (i = 0; i < CHILDREN; i++)
		children[i] = child_start(put_the_same);
	for (i = 0; i < CHILDREN; i++)
		child_go(&children[i]);
	for (i = 0; i < CHILDREN; i++) {
		added = 0;
		if (read(children[i].out, &added, 1) == 1)
			sum += added;
		failed += child_end(&children[i]) != 0;
	}
	is_num(failed, 0, "%d processes at once put to %s queue", CHILDREN,
	    made_before ? "a" : "the same new");
	is_num(sum, 10 * BATCHES, "each event is new to one of them");
	connect_queue();
	is_str(count("a"), "200 waiting, 0 aside, since 0",
	    "and is queued exactly once");
	is_str(word_of(queue_verify(at.q, &at.why)), "ok", "all is whole");
}

static int
put_and_be_killed(int out)
{
	connect_queue();
	put("a/1 a/2");
	if (write(out, "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void
test_killed(void)
{
	struct child child;
	char byte;

	begin(LOTS);
	leave_queue();
	child = child_start(put_and_be_killed);
	child_go(&child);
	if (read(child.out, &byte, 1) != 1)
		diag("the child failed");
	kill(child.pid, SIGKILL);
	is_num(child_end(&child), -1, "a process is killed");
	connect_queue();
	is_str(waiting("a"), "1 2", "what it had put is there");
	is_str(put("a/3"), "+", "and it holds nobody up");
}

/* A byte for each event that was answered with QUEUE_OK. */
static int
put_until_killed(int out)
{
	char words[64];
	int i;

	connect_queue();
	for (i = 0;; i++) {
		snprintf(words, sizeof(words), "a/%ld-%d a/%ld-%d+",
		    (long)getpid(), i, (long)getpid(), i);
		if (strcmp(put(words), "++") != 0 || write(out, "", 1) != 1)
			return 1;
	}
}

#define KILLS 25

static void
test_kills(void)
{
	struct queue_tally tally;
	struct child child;
	int64_t answered = 0;
	char bytes[4096];
	ssize_t n;
	int i;

	begin(LOTS);
	leave_queue();
	for (i = 0; i < KILLS; i++) {
		child = child_start(put_until_killed);
		child_go(&child);
		if (read(child.out, bytes, 1) == 1)
			answered++;
		usleep((useconds_t)(i * 7919 % 15000));
		kill(child.pid, SIGKILL);
		while ((n = read(child.out, bytes, sizeof(bytes))) > 0)
			answered += n;
		child_end(&child);
	}
	connect_queue();
	must(queue_count(at.q, "a", "a", &tally, &at.why), "count");
	ok(answered >= KILLS && tally.waiting >= 2 * answered &&
	    tally.waiting <= 2 * (answered + KILLS), "a process that is "
	    "killed at any moment has all that was answered in the queue "
	    "(%" PRId64 " of %" PRId64 ")", tally.waiting, 2 * answered);
	is_num(tally.waiting % 2, 0, "and of the last batch all or none");
	is_str(word_of(queue_verify(at.q, &at.why)), "ok", "which is whole");
}

/* ---------------------------------------------------- the worker's lock */

static struct queue_lock *lock;

/* "mine", "another's", or how it failed. */
static const char *
take_lock(void)
{
	bool mine = false;
	enum queue_result result = queue_lock_take(lock, at.q, &mine,
	    &at.why);

	return result != QUEUE_OK ? word_of(result) :
	    mine ? "mine" : "another's";
}

static struct queue_holder
look(void)
{
	struct queue_holder holder;

	must(queue_lock_look(lock, at.q, &holder, &at.why), "look");
	return holder;
}

/* A server notices the end of a session a moment later. */
static bool
is_free_soon(void)
{
	int tries;

	for (tries = 0; look().held && tries < 500; tries++)
		usleep(10000);
	return !look().held;
}

/* In a process of its own, with a queue of its own. */
static void
open_elsewhere(void)
{
	at.q = NULL;
	at.max_waiting = LOTS;
	connect_queue();
	lock = queue_lock_new(at.address);
}

/* 1: it got the lock, and ends with it. */
static int
try_to_work(int out)
{
	(void)out;
	open_elsewhere();
	return strcmp(take_lock(), "mine") == 0;
}

/* 1: it sees that our process has the lock and lives, 2: another does. */
static int
look_for_worker(int out)
{
	struct queue_holder holder;

	(void)out;
	open_elsewhere();
	holder = look();
	if (!holder.held)
		return 0;
	return holder.pid == getppid() && holder.silent_ms < 5000 ? 1 : 2;
}

static int
elsewhere(int (*run)(int out))
{
	struct child child = child_start(run);

	child_go(&child);
	return child_end(&child);
}

static void
test_worker(void)
{
	struct buf note = BUF_INIT;

	begin(LOTS);
	lock = queue_lock_new(at.address);
	ok(!look().held, "of a new queue nobody is the worker");
	ok(!queue_lock_is_mine(lock, at.q), "least of all this process");
	queue_lock_note(lock, at.q, "no program");
	queue_lock_read_note(lock, at.q, &note);
	is_str(buf_text(&note), "no program", "why there is none is kept");
	is_str(take_lock(), "mine", "a process becomes the worker");
	ok(queue_lock_is_mine(lock, at.q), "and knows it");
	is_num(elsewhere(try_to_work), 0, "no other does");
	is_num(elsewhere(look_for_worker), 1, "others see which it is");
	put("a/1");
	is_num(elsewhere(look_for_worker), 1,
	    "using the queue changes nothing");
	must(queue_lock_sign(lock, at.q, "", &at.why), "sign");
	queue_lock_release(lock, at.q);
	ok(!queue_lock_is_mine(lock, at.q) && !look().held,
	    "who lets go of the lock is the worker no more");
	buf_clear(&note);
	queue_lock_read_note(lock, at.q, &note);
	is_str(buf_text(&note), "", "the note is gone");
	is_num(elsewhere(try_to_work), 1, "another takes its place");
	ok(is_free_soon(), "and ends: then there is none");
	is_str(take_lock(), "mine", "it can be taken again");
	if (queue_lock_needs_queue(lock)) {
		leave_queue();
		ok(!queue_lock_is_mine(lock, NULL),
		    "a session that ends lets go of it");
		connect_queue();
	} else {
		leave_queue();
		ok(queue_lock_is_mine(lock, NULL),
		    "closing the queue does not let go of it");
		is_num(elsewhere(look_for_worker), 1, "as others see");
	}
	queue_lock_free(lock, at.q);
	buf_release(&note);
}

static int
work_until_killed(int out)
{
	open_elsewhere();
	if (strcmp(take_lock(), "mine") != 0 || write(out, "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void
test_worker_killed(void)
{
	struct child child;
	char byte;

	begin(LOTS);
	leave_queue();
	child = child_start(work_until_killed);
	child_go(&child);
	if (read(child.out, &byte, 1) != 1)
		diag("the child failed");
	connect_queue();
	lock = queue_lock_new(at.address);
	ok(look().held && look().pid == child.pid,
	    "another process is the worker");
	is_str(take_lock(), "another's", "so we cannot be it");
	is_str(buf_text(&at.why), "", "which is no error");
	kill(child.pid, SIGKILL);
	child_end(&child);
	ok(is_free_soon(), "a worker that was killed is none");
	is_str(take_lock(), "mine", "and another takes its place");
	queue_lock_free(lock, at.q);
}

/* ---------------------------------------------------------------- all */

static void
test_engine(void)
{
	diag("engine %s", engine->name);
	test_put();
	test_duplicates();
	test_full();
	test_full_hundredth();
	test_read();
	test_fields();
	test_change();
	test_change_removed();
	test_change_other();
	test_waits();
	test_postpone();
	test_recall();
	test_told();
	test_last_done();
	test_pace();
	test_count();
	test_purge();
	test_purge_lots();
	test_list();
	test_list_pages();
	test_retry();
	test_remove();
	test_unknown();
	test_names();
	test_hurry();
	test_verify();
	test_open_again();
	leave_queue();
	test_processes(true);
	leave_queue();
	test_processes(false);
	test_killed();
	test_kills();
	leave_queue();
	test_worker();
	test_worker_killed();
}

int
main(void)
{
	size_t i;

	scratch = scratch_enter();
	log_catch(&at.log);
	for (i = 0; i < ROWS(engines); i++) {
		engine = &engines[i];
		if (!engine->needs || getenv(engine->needs))
			test_engine();
		else
			skip(engine->needs, "is not set: t/pgsql.t does");
	}
	test_no_engine();
	leave_queue();
	free(at.address);
	buf_release(&at.why);
	buf_release(&at.log);
	return done_testing();
}
