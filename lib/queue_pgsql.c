/* SPDX-License-Identifier: ISC */
/*
 * The queue's rows in a PostgreSQL database. It knows nothing of events,
 * pacing or Slack.
 */
#include "queue_pgsql.h"

#include "clock.h"
#include "random.h"
#include "utf8.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX 15

/* ---------------------------------------------------------- parameters */

/* Texts of a statement, and room for numbers among them. */
struct parameters {
	const char *texts[PARAMETERS_MAX];
	char numbers[PARAMETERS_MAX][24];
	int count;
};

static void
add_text(struct parameters *p, const char *text)
{
	p->texts[p->count++] = text;
}

static void
add_number(struct parameters *p, int64_t number)
{
	char *text = p->numbers[p->count];

	snprintf(text, sizeof(p->numbers[0]), "%" PRId64, number);
	add_text(p, text);
}

/* An element of an array (PostgreSQL, "Array Input and Output Syntax"). */
static void
add_element(struct buf *array, const char *text)
{
	size_t len;

	buf_addc(array, array->len > 0 ? ',' : '{');
	if (!text) {
		buf_adds(array, "NULL");
		return;
	}
	buf_addc(array, '"');
	for (; *text; text += len) {
		if (*text == '"' || *text == '\\')
			buf_addc(array, '\\');
		len = 1 + strcspn(text + 1, "\"\\");
		buf_add(array, text, len);
	}
	buf_addc(array, '"');
}

static void
add_to_numbers(struct buf *array, int64_t number)
{
	buf_addf(array, "%c%" PRId64, array->len > 0 ? ',' : '{', number);
}

/* --------------------------------------------------------- statements */

/* A new call: a session that the server has ended is begun again. */
static enum queue_result
begin_call(struct store *s, struct buf *why)
{
	enum queue_result result;

	session_begin_call(s);
	if (session_lives(s, &s->main))
		return QUEUE_OK;
	session_end(s, &s->main);
	result = pgsql_connect(s, &s->main, why);
	session_begin_call(s);
	return result;
}

static enum queue_result
begin(struct store *s, struct buf *why)
{
	enum queue_result result = begin_call(s, why);

	return result == QUEUE_OK ? session_do(s, &s->main, "BEGIN", why) :
	    result;
}

static enum queue_result
finish(struct store *s, enum queue_result result, struct buf *why)
{
	return session_finish(s, &s->main, result, why);
}

static PGresult *
ask(struct store *s, enum which which, const struct parameters *p,
    enum queue_result *result, struct buf *why)
{
	return session_run(s, &s->main, &pgsql_statements[which], p->texts,
	    result, why);
}

/* Runs one that changes rows; *count, unless it is NULL, is how many. */
static enum queue_result
run(struct store *s, enum which which, const struct parameters *p,
    int64_t *count, struct buf *why)
{
	enum queue_result result;
	PGresult *r = ask(s, which, p, &result, why);

	if (r && count)
		*count = strtoll(s->pq->cmdTuples(r), NULL, 10);
	s->pq->clear(r);
	return result;
}

static const char *
text_at(const struct store *s, const PGresult *r, int row, int column)
{
	return s->pq->getisnull(r, row, column) ? NULL :
	    s->pq->getvalue(r, row, column);
}

static int64_t
number_at(const struct store *s, const PGresult *r, int row, int column)
{
	return strtoll(s->pq->getvalue(r, row, column), NULL, 10);
}

/* --------------------------------------------------------------- again */

#define AGAIN_MAX 8		/* times */
#define AGAIN_MS 5000		/* after which it is not tried again */
#define AGAIN_PAUSE_MS 32	/* at the most, the first time */

/* What may be tried again, as nothing of it is done. */
struct attempt {
	unsigned failed;	/* so often */
	int64_t end_ms;
	size_t said;		/* how long *why was before */
};

static struct attempt
first_attempt(const struct buf *why)
{
	struct attempt attempt = { 0, clock_ms() + AGAIN_MS, why->len };

	return attempt;
}

/*
 * Whether it failed because of another transaction alone, which changed the
 * same rows in another order (PostgreSQL, "Serialization Failure Handling").
 */
static bool
must_repeat(const struct store *s, struct attempt *attempt,
    enum queue_result result, struct buf *why)
{
	if (result == QUEUE_OK || (!session_failed_with(s, "40001") &&
	    !session_failed_with(s, "40P01")) ||
	    attempt->failed >= AGAIN_MAX || clock_ms() > attempt->end_ms)
		return false;
	why->len = attempt->said;
	if (why->data)
		why->data[why->len] = '\0';
	poll(NULL, 0, (int)((uint64_t)random_nonce() %
	    (AGAIN_PAUSE_MS * ++attempt->failed)));
	return true;
}

/* ---------------------------------------------------------------- put */

/* Where the search for the next row that was added begins. */
static void
mark_added(struct stored *rows, size_t count, size_t *at,
    const char *destination, const char *log_id)
{
	const struct stored *row;
	size_t i;

	for (i = 0; i < count; i++, *at = (*at + 1) % count) {
		row = &rows[*at];
		if (row->duplicate &&
		    strcmp(row->destination, destination) == 0 &&
		    (row->log_id ? log_id && strcmp(row->log_id, log_id) == 0 :
		    !log_id)) {
			rows[*at].duplicate = false;
			return;
		}
	}
}

/* All are duplicates but those that came back. */
static void
mark_duplicates(const struct store *s, const PGresult *r,
    struct stored *rows, size_t count)
{
	int i, added = s->pq->ntuples(r);
	size_t at = 0;

	for (at = 0; at < count; at++)
		rows[at].duplicate = true;
	at = 0;
	for (i = 0; i < added; i++)
		if (text_at(s, r, i, 1))
			mark_added(rows, count, &at, text_at(s, r, i, 2),
			    text_at(s, r, i, 3));
}

/* The rows as arrays, one statement's parameters. */
struct columns {
	struct buf destinations, log_ids, types, records, nonces;
};

static void
add_columns(struct columns *c, const struct stored *rows, const bool *bare,
    size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		add_element(&c->destinations, rows[i].destination);
		add_element(&c->log_ids, rows[i].log_id);
		add_element(&c->types, rows[i].type);
		add_element(&c->records, bare[i] ? NULL : rows[i].record);
		add_to_numbers(&c->nonces, rows[i].nonce);
	}
	buf_addc(&c->nonces, '}');
	buf_addc(&c->destinations, '}');
	buf_addc(&c->log_ids, '}');
	buf_addc(&c->types, '}');
	buf_addc(&c->records, '}');
}

static void
columns_release(struct columns *c)
{
	buf_release(&c->destinations);
	buf_release(&c->log_ids);
	buf_release(&c->types);
	buf_release(&c->records);
	buf_release(&c->nonces);
}

static bool
adds_something(const struct stored *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!rows[i].duplicate)
			return true;
	return false;
}

/*
 * A duplicate may be one that a replica does not have, after a commit that
 * was not waited for to its end; and to find it needs no commit. A lock is
 * a change: its commit, like any, comes after all before it.
 */
static enum queue_result
confirm(struct store *s, const struct stored *row, struct buf *why)
{
	struct parameters p = { .count = 0 };

	add_text(&p, row->destination);
	add_text(&p, row->log_id);
	return run(s, CONFIRM, &p, NULL, why);
}

/* A program that runs on may not write what it does not understand. */
static enum queue_result
refuse_version(const struct store *s, struct buf *why)
{
	buf_addf(why, "%s: its tables are of another version now: it has to "
	    "be opened anew", s->place);
	return QUEUE_REPLACED;
}

static enum queue_result
put_rows(struct store *s, const struct columns *c, struct stored *rows,
    size_t count, int64_t now_ms, struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result;
	bool known;
	PGresult *r;

	add_text(&p, c->destinations.data);
	add_text(&p, c->log_ids.data);
	add_text(&p, c->types.data);
	add_text(&p, c->records.data);
	add_number(&p, now_ms);
	add_text(&p, c->nonces.data);
	r = ask(s, PUT, &p, &result, why);
	known = r && strcmp(s->pq->getvalue(r, 0, 0), "t") == 0;
	if (known)
		mark_duplicates(s, r, rows, count);
	else if (r)
		result = refuse_version(s, why);
	s->pq->clear(r);
	if (known && !adds_something(rows, count))
		result = confirm(s, &rows[0], why);
	return result;
}

/* The number that a statement gives for a destination; 0 with a failure. */
static int64_t
ask_number(struct store *s, enum which which, const char *destination,
    enum queue_result *result, struct buf *why)
{
	struct parameters p = { .count = 0 };
	int64_t number;
	PGresult *r;

	add_text(&p, destination);
	r = ask(s, which, &p, result, why);
	number = r ? number_at(s, r, 0, 0) : 0;
	s->pq->clear(r);
	return number;
}

/* Which of the rows are above QUEUE_MAX. */
static enum queue_result
find_bare(struct store *s, const struct stored *rows, size_t count,
    bool *bare, struct buf *why)
{
	enum queue_result result = QUEUE_OK;
	const char *known = "";
	struct room *room;
	int64_t waiting;
	size_t i;

	for (i = 0; i < count && result == QUEUE_OK; i++) {
		room = rooms_find(&s->rooms, rows[i].destination);
		/* What is put with it is not there to be counted yet. */
		if (strcmp(known, rows[i].destination) != 0 &&
		    room_is_stale(room)) {
			waiting = ask_number(s, SPAN, rows[i].destination,
			    &result, why);
			if (result == QUEUE_OK && waiting > s->max_waiting)
				waiting = ask_number(s, COUNT_ONE,
				    rows[i].destination, &result, why);
			room_counted(room, waiting, s->max_waiting);
		}
		bare[i] = room_take(room, s->max_waiting);
		known = rows[i].destination;
	}
	return result;
}

static enum queue_result
put_once(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	struct columns c = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT,
	    BUF_INIT };
	bool *bare = mem_alloc(count * sizeof(*bare));
	enum queue_result result = begin_call(s, why);

	if (result == QUEUE_OK)
		result = find_bare(s, rows, count, bare, why);
	if (result == QUEUE_OK) {
		add_columns(&c, rows, bare, count);
		result = put_rows(s, &c, rows, count, now_ms, why);
	}
	columns_release(&c);
	free(bare);
	return result == QUEUE_OK ? session_check_warning(s, &s->main, why) :
	    result;
}

static enum queue_result
store_put(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	struct attempt attempt = first_attempt(why);
	enum queue_result result;

	if (count == 0)
		return begin_call(s, why);
	do
		result = put_once(s, rows, count, now_ms, why);
	while (must_repeat(s, &attempt, result, why));
	return result;
}

/* ------------------------------------------------------------- import */

#define MOVED_TEXTS 5
#define MOVED_NUMBERS 5

/* Puts a row's columns behind those of the rows before, in IMPORT's order. */
static void
add_moved(struct buf *columns, const struct queue_moved *moved)
{
	const struct queue_row *row = &moved->row;
	const char *texts[MOVED_TEXTS] = { row->destination, row->log_id,
	    row->type, row->reason, moved->record };
	const int64_t numbers[MOVED_NUMBERS] = { (int64_t)row->state,
	    row->queued_ms, row->changed_ms, row->tries, random_nonce() };
	size_t i;

	for (i = 0; i < MOVED_TEXTS; i++)
		add_element(columns++, texts[i]);
	for (i = 0; i < MOVED_NUMBERS; i++)
		add_to_numbers(columns++, numbers[i]);
}

/* What was set aside may wait again, with its old number. */
static enum queue_result
lower(struct store *s, struct buf *why)
{
	struct parameters none = { .count = 0 };

	return run(s, LOWER, &none, NULL, why);
}

static enum queue_result
import_rows(struct store *s, const struct queue_moved *rows, size_t count,
    size_t *added, struct buf *why)
{
	struct buf columns[MOVED_TEXTS + MOVED_NUMBERS] = { BUF_INIT };
	struct parameters p = { .count = 0 };
	enum queue_result result;
	int64_t waiting = 0;
	PGresult *r;
	size_t i;

	for (i = 0; i < count; i++)
		add_moved(columns, &rows[i]);
	for (i = 0; i < MOVED_TEXTS + MOVED_NUMBERS; i++) {
		buf_addc(&columns[i], '}');
		add_text(&p, columns[i].data);
	}
	r = ask(s, IMPORT, &p, &result, why);
	if (r) {
		*added = (size_t)number_at(s, r, 0, 0);
		waiting = number_at(s, r, 0, 1);
	}
	s->pq->clear(r);
	for (i = 0; i < MOVED_TEXTS + MOVED_NUMBERS; i++)
		buf_release(&columns[i]);
	return result == QUEUE_OK && waiting > 0 ? lower(s, why) : result;
}

static enum queue_result
import_once(struct store *s, const struct queue_moved *rows, size_t count,
    size_t *added, struct buf *why)
{
	enum queue_result result = begin(s, why);

	*added = 0;
	if (result != QUEUE_OK)
		return result;
	if (count > 0)
		result = import_rows(s, rows, count, added, why);
	result = finish(s, result, why);
	return result == QUEUE_OK ? session_check_warning(s, &s->main, why) :
	    result;
}

static enum queue_result
store_import(struct store *s, const struct queue_moved *rows, size_t count,
    size_t *added, struct buf *why)
{
	struct attempt attempt = first_attempt(why);
	enum queue_result result;

	do
		result = import_once(s, rows, count, added, why);
	while (must_repeat(s, &attempt, result, why));
	return result;
}

/* --------------------------------------------------------------- read */

/* Gives one row of COLUMNS away. */
static bool
take_row(const struct store *s, const PGresult *r, int i, store_take *take,
    void *context)
{
	struct queue_row row = { 0 };
	const char *record;

	row.number = number_at(s, r, i, 0);
	row.nonce = number_at(s, r, i, 1);
	row.destination = text_at(s, r, i, 2);
	row.log_id = text_at(s, r, i, 3);
	row.type = text_at(s, r, i, 4);
	row.state = (enum queue_state)number_at(s, r, i, 5);
	row.queued_ms = number_at(s, r, i, 6);
	row.changed_ms = number_at(s, r, i, 7);
	row.tries = number_at(s, r, i, 8);
	row.reason = text_at(s, r, i, 9);
	record = text_at(s, r, i, 10);
	row.later_ms = number_at(s, r, i, 11);
	return take(context, &row, record,
	    record ? (size_t)s->pq->getlength(r, i, 10) : 0);
}

/* Gives rows away, as long as they are wanted; false: no more. */
static bool
take_rows(const struct store *s, const PGresult *r, store_take *take,
    void *context)
{
	int i, count = s->pq->ntuples(r);

	for (i = 0; i < count; i++)
		if (!take_row(s, r, i, take, context))
			return false;
	return true;
}

#define PAGE_ROWS 1000		/* read at a time */

/* Where a page of a destination's rows begins: behind this one. */
struct place {
	int64_t later_ms, number;
	size_t left;		/* to be read */
};

/* A page of them; *at moves. */
static enum queue_result
read_page(struct store *s, const char *destination, struct place *at,
    int64_t now_ms, store_take *take, void *context, struct buf *why)
{
	size_t page = at->left < PAGE_ROWS ? at->left : PAGE_ROWS;
	struct parameters p = { .count = 0 };
	enum queue_result result;
	size_t count;
	PGresult *r;

	add_text(&p, destination);
	add_number(&p, at->later_ms);
	add_number(&p, at->number);
	add_number(&p, (int64_t)page);
	add_number(&p, now_ms);
	r = ask(s, READ, &p, &result, why);
	count = r ? (size_t)s->pq->ntuples(r) : 0;
	at->left = count < page ? 0 : at->left - count;
	if (count > 0) {
		at->number = number_at(s, r, (int)count - 1, 0);
		at->later_ms = number_at(s, r, (int)count - 1, 11);
	}
	if (r && !take_rows(s, r, take, context))
		at->left = 0;
	s->pq->clear(r);
	return result;
}

static enum queue_result
store_read(struct store *s, const char *destination, size_t max,
    int64_t now_ms, store_take *take, void *context, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct place at = { 0, 0, max };

	while (result == QUEUE_OK && at.left > 0) {
		session_begin_call(s);
		result = read_page(s, destination, &at, now_ms, take,
		    context, why);
	}
	return result;
}

/* Those of a number above after, up to max. */
static enum queue_result
take_page(struct store *s, enum which which, int64_t after, size_t max,
    store_take *take, void *context, struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result;
	PGresult *r;

	add_number(&p, after);
	add_number(&p, (int64_t)max);
	r = ask(s, which, &p, &result, why);
	if (r)
		take_rows(s, r, take, context);
	s->pq->clear(r);
	return result;
}

static bool
take_none(void *context, const struct queue_row *row, const char *record,
    size_t len)
{
	(void)context;
	(void)row;
	(void)record;
	(void)len;
	return false;
}

static enum queue_result
store_list(struct store *s, int64_t after, size_t max, store_take *take,
    void *context, struct buf *why)
{
	enum queue_result result = begin_call(s, why);

	return result == QUEUE_OK ? take_page(s, LIST, after, max, take,
	    context, why) : result;
}

static enum queue_result
store_export(struct store *s, int64_t after, size_t max, store_take *take,
    void *context, struct buf *why)
{
	enum queue_result result = begin(s, why);

	if (result != QUEUE_OK)
		return result;
	result = take_page(s, NAME, after, max, take_none, NULL, why);
	if (result == QUEUE_OK)
		result = take_page(s, EXPORT, after, max, take, context, why);
	return finish(s, result, why);
}

static enum queue_result
store_names(struct store *s, void (*take)(void *context, const char *name),
    void *context, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters none = { .count = 0 };
	PGresult *r;
	int i;

	if (result != QUEUE_OK)
		return result;
	r = ask(s, NAMES, &none, &result, why);
	for (i = 0; r && i < s->pq->ntuples(r); i++)
		take(context, text_at(s, r, i, 0));
	s->pq->clear(r);
	return result;
}

/* --------------------------------------------------------------- pace */

static enum queue_result
keep_pace(struct store *s, const char *name, const struct pace *pace,
    struct buf *why)
{
	const int64_t numbers[] = { pace->set_ms, pace->until_ms,
	    pace->obey_ms, pace->failures, pace->suspects, pace->posting,
	    pace->refused, pace->success_ms, pace->error_ms,
	    pace->condemned, pace->condemned_ms, pace->webhook };
	struct parameters p = { .count = 0 };
	struct buf error = BUF_INIT, word = BUF_INIT;
	enum queue_result result;
	size_t i;

	add_text(&p, name);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		add_number(&p, numbers[i]);
	utf8_mend(&error, pace->error, strlen(pace->error));
	add_text(&p, buf_text(&error));
	utf8_mend(&word, pace->condemned_by, strlen(pace->condemned_by));
	add_text(&p, buf_text(&word));
	result = run(s, KEEP_PACE, &p, NULL, why);
	buf_release(&error);
	buf_release(&word);
	return result;
}

/* From column 4 of COUNT on. */
static void
take_pace(const struct store *s, const PGresult *r, struct pace *p)
{
	p->set_ms = number_at(s, r, 0, 4);
	p->until_ms = number_at(s, r, 0, 5);
	p->obey_ms = number_at(s, r, 0, 6);
	p->failures = number_at(s, r, 0, 7);
	p->suspects = number_at(s, r, 0, 8);
	p->posting = number_at(s, r, 0, 9) != 0;
	p->refused = number_at(s, r, 0, 10) != 0;
	p->success_ms = number_at(s, r, 0, 11);
	p->error_ms = number_at(s, r, 0, 12);
	snprintf(p->error, sizeof(p->error), "%s",
	    s->pq->getvalue(r, 0, 13));
	p->condemned = number_at(s, r, 0, 14);
	p->condemned_ms = number_at(s, r, 0, 15);
	p->webhook = number_at(s, r, 0, 16);
	snprintf(p->condemned_by, sizeof(p->condemned_by), "%s",
	    s->pq->getvalue(r, 0, 17));
}

static enum queue_result
store_count(struct store *s, const char *destination, const char *pace_of,
    struct queue_tally *tally, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	PGresult *r = NULL;

	memset(tally, 0, sizeof(*tally));
	add_text(&p, destination);
	add_text(&p, pace_of);
	if (result == QUEUE_OK)
		r = ask(s, COUNT, &p, &result, why);
	if (r) {
		tally->waiting = number_at(s, r, 0, 0);
		tally->oldest_ms = number_at(s, r, 0, 1);
		tally->aside = number_at(s, r, 0, 2);
		tally->clock_ms = number_at(s, r, 0, 3);
		take_pace(s, r, &tally->pace);
		tally->postponed = number_at(s, r, 0, 18);
		tally->later_ms = number_at(s, r, 0, 19);
		tally->untold = number_at(s, r, 0, 20);
		tally->untold_ms = number_at(s, r, 0, 21);
	}
	s->pq->clear(r);
	return result;
}

/* ------------------------------------------------------------- change */

/* Marks the keys whose rows came back as met; what is left was missed. */
static void
mark_met(const struct store *s, const PGresult *r,
    const struct queue_batch *batch)
{
	int i, met = s->pq->ntuples(r);
	size_t at = batch->count - 1, looked;
	int64_t number;

	for (i = 0; i < met; i++) {
		number = number_at(s, r, i, 0);
		for (looked = 0; looked < batch->count; looked++) {
			at = (at + 1) % batch->count;
			if (batch->keys[at].number == number)
				break;
		}
		batch->keys[at].missed = false;
	}
}

static void
mark_all(const struct queue_batch *batch, bool missed)
{
	size_t i;

	for (i = 0; i < batch->count; i++)
		batch->keys[i].missed = missed;
}

/* Runs a statement for the rows of a batch, and marks those that it met. */
static enum queue_result
change_named(struct store *s, enum which which, const struct parameters *p,
    const struct queue_batch *batch, struct buf *why)
{
	enum queue_result result;
	PGresult *r = ask(s, which, p, &result, why);

	if (r)
		mark_met(s, r, batch);
	s->pq->clear(r);
	return result;
}

/* Which statements make a change: all of them run, for the rows left over. */
static const struct {
	enum which first, second;	/* STATEMENTS: none */
} changes[] = {
	[QUEUE_CLAIM] = { CLAIM, STATEMENTS },
	[QUEUE_SETTLE] = { FORGET_NAMELESS, SETTLE },
	[QUEUE_SET_ASIDE] = { SET_ASIDE, STATEMENTS },
	[QUEUE_POSTPONE] = { POSTPONE, STATEMENTS },
	[QUEUE_RECALL] = { STATEMENTS, STATEMENTS },
	[QUEUE_PUT_BACK] = { STATEMENTS, STATEMENTS },
};

static enum queue_result
change_rows(struct store *s, enum queue_change change,
    const struct queue_batch *batch, const struct parameters *p,
    struct buf *why)
{
	enum which first = changes[change].first;
	enum which second = changes[change].second;
	enum queue_result result = QUEUE_OK;

	mark_all(batch, first != STATEMENTS);
	if (first != STATEMENTS)
		result = change_named(s, first, p, batch, why);
	if (result == QUEUE_OK && second != STATEMENTS)
		result = change_named(s, second, p, batch, why);
	return result;
}

static enum queue_result
change_batch(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	struct buf numbers = BUF_INIT, nonces = BUF_INIT, reason = BUF_INIT;
	struct parameters p = { .count = 0 };
	enum queue_result result;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		add_to_numbers(&numbers, batch->keys[i].number);
		add_to_numbers(&nonces, batch->keys[i].nonce);
	}
	buf_addc(&numbers, '}');
	buf_addc(&nonces, '}');
	add_text(&p, numbers.data);
	add_text(&p, nonces.data);
	add_number(&p, now_ms);
	/* The server takes UTF-8 alone; Slack's words may be other. */
	if (batch->reason)
		utf8_mend(&reason, batch->reason, strlen(batch->reason));
	add_text(&p, buf_text(&reason));
	add_number(&p, batch->later_ms);
	add_number(&p, batch->expired_ms);
	result = change_rows(s, change, batch, &p, why);
	buf_release(&numbers);
	buf_release(&nonces);
	buf_release(&reason);
	return result;
}

/* What a change does to other rows of the destination. */
static enum queue_result
change_others(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	struct parameters p = { .count = 0 }, tell = { .count = 0 };
	enum queue_result result = QUEUE_OK;

	add_text(&p, batch->destination);
	add_number(&p, now_ms);
	add_text(&p, batch->reason);
	add_number(&p, batch->since_ms);
	add_text(&tell, batch->destination);
	if (change == QUEUE_RECALL)
		result = run(s, RECALL, &p, NULL, why);
	if (result == QUEUE_OK && change == QUEUE_RECALL)
		result = lower(s, why);
	if (result == QUEUE_OK && batch->told)
		result = run(s, TELL, &tell, NULL, why);
	return result;
}

/* -------------------------------------------------------------- leases */

/* Where it is kept whether this session has a lease. */
static struct lease *
find_lease(struct store *s, const char *name)
{
	struct lease *lease;
	size_t i;

	for (i = 0; i < s->lease_count; i++)
		if (strcmp(s->leases[i].name, name) == 0)
			return &s->leases[i];
	s->leases = mem_realloc(s->leases,
	    (s->lease_count + 1) * sizeof(*s->leases));
	lease = &s->leases[s->lease_count++];
	lease->name = mem_dup(name);
	lease->session = 0;
	return lease;
}

/* As far as can be seen without a call. */
static bool
has_lease(struct store *s, const char *name)
{
	return find_lease(s, name)->session == s->sessions &&
	    session_lives(s, &s->main);
}

/* Runs a statement that answers with a boolean. */
static enum queue_result
ask_flag(struct store *s, enum which which, const char *text, bool *flag,
    struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result;
	PGresult *r;

	add_text(&p, text);
	r = ask(s, which, &p, &result, why);
	*flag = r && strcmp(s->pq->getvalue(r, 0, 0), "t") == 0;
	s->pq->clear(r);
	return result;
}

/* A lease that is held is not taken twice: one release would not do. */
static enum queue_result
take_lease(struct store *s, const char *name, bool *mine, struct buf *why)
{
	enum queue_result result = begin_call(s, why);

	*mine = result == QUEUE_OK && has_lease(s, name);
	if (result == QUEUE_OK && !*mine)
		result = ask_flag(s, LOCK, name, mine, why);
	if (result == QUEUE_OK && *mine)
		find_lease(s, name)->session = s->sessions;
	return result;
}

static void
release_lease(struct store *s, const char *name)
{
	bool held = has_lease(s, name), done;
	struct buf ignored = BUF_INIT;

	find_lease(s, name)->session = 0;
	session_begin_call(s);
	if (held && ask_flag(s, UNLOCK, name, &done, &ignored) != QUEUE_OK)
		session_end(s, &s->main);
	buf_release(&ignored);
}

/* The caller frees it. */
static char *
lease_name_dup(const char *kind, const char *name)
{
	struct buf text = BUF_INIT, clean = BUF_INIT;

	utf8_mend(&clean, name, strlen(name));
	buf_addf(&text, "%s/%s", kind, buf_text(&clean));
	buf_release(&clean);
	return buf_detach(&text);
}

static enum queue_result
store_begin_turn(struct store *s, const char *destination, bool *mine,
    struct buf *why)
{
	char *name = lease_name_dup("destination", destination);
	enum queue_result result = take_lease(s, name, mine, why);

	free(name);
	return result;
}

static bool
store_has_turn(struct store *s, const char *destination)
{
	char *name = lease_name_dup("destination", destination);
	bool mine = has_lease(s, name);

	free(name);
	return mine;
}

static void
store_end_turn(struct store *s, const char *destination)
{
	char *name = lease_name_dup("destination", destination);

	release_lease(s, name);
	free(name);
}

/* The two answers of PROVE for a lease that this session took. */
static enum queue_result
ask_proof(struct store *s, const char *name, struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result;
	bool mine, known;
	PGresult *r;

	add_text(&p, name);
	r = ask(s, PROVE, &p, &result, why);
	mine = r && strcmp(s->pq->getvalue(r, 0, 0), "t") == 0;
	known = r && strcmp(s->pq->getvalue(r, 0, 1), "t") == 0;
	s->pq->clear(r);
	if (result == QUEUE_OK && !known)
		return refuse_version(s, why);
	return result == QUEUE_OK && !mine ? session_refuse_pooler(s, why) :
	    result;
}

/*
 * Whether, in the transaction that is open, the destination is ours. If
 * not, every row of the claim is missed.
 */
static enum queue_result
prove_lease(struct store *s, const struct queue_batch *batch, bool *mine,
    struct buf *why)
{
	char *name = lease_name_dup("destination", batch->pace_of ?
	    batch->pace_of : batch->destination);
	enum queue_result result = QUEUE_OK;

	*mine = has_lease(s, name);
	if (*mine)
		result = ask_proof(s, name, why);
	else
		mark_all(batch, true);
	if (!*mine && batch->count == 0) {
		buf_addf(why, "%s: the lease of a destination was lost",
		    s->place);
		result = QUEUE_BUSY;
	}
	free(name);
	return result;
}

/* What is no claim needs no lease, but tables that are ours. */
static enum queue_result
check_version(struct store *s, struct buf *why)
{
	struct parameters none = { .count = 0 };
	enum queue_result result;
	PGresult *r = ask(s, VERSION_NOW, &none, &result, why);
	bool known = r && strcmp(s->pq->getvalue(r, 0, 0), "t") == 0;

	s->pq->clear(r);
	return result == QUEUE_OK && !known ? refuse_version(s, why) : result;
}

static enum queue_result
change_once(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	bool claim = change == QUEUE_CLAIM, mine = true;
	enum queue_result result = begin(s, why);

	if (result != QUEUE_OK)
		return result;
	result = claim ? prove_lease(s, batch, &mine, why) :
	    check_version(s, why);
	if (result == QUEUE_OK && mine && batch->count > 0)
		result = change_batch(s, change, batch, now_ms, why);
	if (result == QUEUE_OK && claim && queue_missed(batch)) {
		finish(s, QUEUE_FAILED, why);
		return QUEUE_OK;
	}
	if (result == QUEUE_OK)
		result = change_others(s, change, batch, now_ms, why);
	if (result == QUEUE_OK && batch->pace)
		result = keep_pace(s, batch->pace_of, batch->pace, why);
	return finish(s, result, why);
}

static enum queue_result
store_change(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	struct attempt attempt = first_attempt(why);
	enum queue_result result;

	do
		result = change_once(s, change, batch, now_ms, why);
	while (must_repeat(s, &attempt, result, why));
	return result;
}

/* ------------------------------------------------------------- workers */

/* Runs a statement about a machine, which gives no rows. */
static enum queue_result
run_machine(struct store *s, enum which which, const char *machine,
    int64_t pid, const char *note, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	struct buf clean = BUF_INIT, clean_note = BUF_INIT;

	utf8_mend(&clean, machine, strlen(machine));
	utf8_mend(&clean_note, note, strlen(note));
	add_text(&p, buf_text(&clean));
	add_number(&p, pid);
	add_text(&p, buf_text(&clean_note));
	if (result == QUEUE_OK)
		result = run(s, which, &p, NULL, why);
	buf_release(&clean);
	buf_release(&clean_note);
	return result;
}

static enum queue_result
store_sign(struct store *s, const char *machine, int64_t pid,
    const char *note, struct buf *why)
{
	return run_machine(s, SIGN, machine, pid, note, why);
}

/* Where the worker's lock of this session is kept. */
static const char worker_lease[] = "worker of this machine";

static enum queue_result
store_lock_worker(struct store *s, const char *machine, int64_t pid,
    bool *mine, struct buf *why)
{
	char *name = lease_name_dup("worker", machine);
	enum queue_result result = take_lease(s, name, mine, why);

	free(name);
	if (result == QUEUE_OK && *mine) {
		find_lease(s, worker_lease)->session = s->sessions;
		result = store_sign(s, machine, pid, "", why);
	}
	return result;
}

static bool
store_has_worker_lock(struct store *s)
{
	return has_lease(s, worker_lease);
}

/* Others see that none is there, before it can be. */
static void
store_unlock_worker(struct store *s, const char *machine, int64_t pid)
{
	char *name = lease_name_dup("worker", machine);
	struct buf ignored = BUF_INIT;

	if (has_lease(s, worker_lease)) {
		run_machine(s, SIGN_OUT, machine, pid, "", &ignored);
		release_lease(s, name);
	}
	find_lease(s, worker_lease)->session = 0;
	buf_release(&ignored);
	free(name);
}

static enum queue_result
store_find_worker(struct store *s, const char *machine,
    struct queue_holder *holder, struct buf *why)
{
	char *name = lease_name_dup("worker", machine);
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	PGresult *r = NULL;

	add_text(&p, name);
	add_text(&p, name + strlen("worker/"));
	if (result == QUEUE_OK)
		r = ask(s, FIND_WORKER, &p, &result, why);
	if (r) {
		holder->held = strcmp(s->pq->getvalue(r, 0, 0), "t") == 0;
		holder->pid = (pid_t)number_at(s, r, 0, 1);
		holder->silent_ms = number_at(s, r, 0, 2);
	}
	s->pq->clear(r);
	free(name);
	return result;
}

static void
store_note(struct store *s, const char *machine, const char *note)
{
	struct buf clean = BUF_INIT, name = BUF_INIT, ignored = BUF_INIT;
	enum queue_result result = begin_call(s, &ignored);
	struct parameters p = { .count = 0 };

	utf8_mend(&name, machine, strlen(machine));
	utf8_mend(&clean, note, strlen(note));
	add_text(&p, buf_text(&name));
	add_text(&p, buf_text(&clean));
	if (result == QUEUE_OK)
		run(s, NOTE, &p, NULL, &ignored);
	buf_release(&name);
	buf_release(&clean);
	buf_release(&ignored);
}

static void
store_read_note(struct store *s, const char *machine, struct buf *note)
{
	struct buf name = BUF_INIT, ignored = BUF_INIT;
	enum queue_result result = begin_call(s, &ignored);
	struct parameters p = { .count = 0 };
	PGresult *r = NULL;

	utf8_mend(&name, machine, strlen(machine));
	add_text(&p, buf_text(&name));
	if (result == QUEUE_OK)
		r = ask(s, READ_NOTE, &p, &result, &ignored);
	if (r && s->pq->ntuples(r) > 0)
		buf_adds(note, s->pq->getvalue(r, 0, 0));
	s->pq->clear(r);
	buf_release(&name);
	buf_release(&ignored);
}

static enum queue_result
store_waits(struct store *s, const char *const *destinations, size_t count,
    bool *waits, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct buf names = BUF_INIT;
	size_t i;

	for (i = 0; i < count; i++)
		add_element(&names, destinations[i]);
	buf_adds(&names, count > 0 ? "}" : "{}");
	if (result == QUEUE_OK)
		result = ask_flag(s, WAITS, names.data, waits, why);
	buf_release(&names);
	return result;
}

static enum queue_result
store_machines(struct store *s, queue_show_machine *show, void *context,
    struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters none = { .count = 0 };
	struct queue_machine machine;
	PGresult *r = NULL;
	int i;

	if (result == QUEUE_OK)
		r = ask(s, MACHINES, &none, &result, why);
	for (i = 0; r && i < s->pq->ntuples(r); i++) {
		machine.name = text_at(s, r, i, 0);
		machine.pid = number_at(s, r, i, 1);
		machine.since_ms = number_at(s, r, i, 2);
		machine.silent_ms = number_at(s, r, i, 3);
		show(context, &machine);
	}
	s->pq->clear(r);
	return result;
}

/* -------------------------------------------------------------- purge */

static enum queue_result
store_last_done(struct store *s, int64_t until_ms, int64_t *done_ms,
    struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	PGresult *r = NULL;

	add_number(&p, until_ms);
	if (result == QUEUE_OK)
		r = ask(s, LAST_DONE, &p, &result, why);
	if (r)
		*done_ms = number_at(s, r, 0, 0);
	s->pq->clear(r);
	return result;
}

static enum queue_result
delete_rows(struct store *s, const PGresult *r, struct buf *why)
{
	struct parameters p = { .count = 0 };
	struct buf numbers = BUF_INIT;
	enum queue_result result = QUEUE_OK;
	int i, count = s->pq->ntuples(r);

	for (i = 0; i < count; i++)
		buf_addf(&numbers, "%c%s", i > 0 ? ',' : '{',
		    s->pq->getvalue(r, i, 0));
	buf_addc(&numbers, '}');
	add_text(&p, numbers.data);
	if (count > 0)
		result = run(s, DELETE, &p, NULL, why);
	buf_release(&numbers);
	return result;
}

static enum queue_result
store_purge(struct store *s, int64_t retention_ms, int64_t now_ms,
    size_t max, store_take *take, void *context, size_t *count,
    struct buf *why)
{
	enum queue_result result = begin(s, why);
	struct parameters p = { .count = 0 };
	PGresult *r;

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	add_number(&p, now_ms);
	add_number(&p, retention_ms);
	add_number(&p, (int64_t)max);
	r = ask(s, OLD, &p, &result, why);
	if (r)
		result = delete_rows(s, r, why);
	result = finish(s, result, why);
	if (r && result == QUEUE_OK) {
		*count = (size_t)s->pq->ntuples(r);
		take_rows(s, r, take, context);
	}
	s->pq->clear(r);
	return result;
}

/* --------------------------------------------------------- for people */

static const struct {
	enum which by_id, by_number, all;
} edits[] = {
	[QUEUE_RETRY] = { RETRY_ID, RETRY_NUMBER, RETRY_ALL },
	[QUEUE_REMOVE] = { REMOVE_ID, REMOVE_NUMBER, REMOVE_ALL },
};

static enum queue_result
edit_rows(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count, struct buf *why)
{
	enum which which = edits[edit].all;
	struct parameters p = { .count = 0 };
	struct buf clean = BUF_INIT;
	enum queue_result result;

	add_number(&p, now_ms);
	if (log_id) {
		which = edits[edit].by_id;
		utf8_mend(&clean, log_id, strlen(log_id));
		add_text(&p, buf_text(&clean));
	} else if (number > 0) {
		which = edits[edit].by_number;
		add_number(&p, number);
	}
	result = run(s, which, &p, count, why);
	buf_release(&clean);
	if (result == QUEUE_OK && edit == QUEUE_REMOVE)
		result = run(s, FORGET_REMOVED, &p, NULL, why);
	if (result == QUEUE_OK && edit == QUEUE_RETRY && *count > 0)
		result = lower(s, why);
	return result;
}

static enum queue_result
edit_once(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count, struct buf *why)
{
	enum queue_result result = begin(s, why);

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	result = edit_rows(s, edit, log_id, number, now_ms, count, why);
	return finish(s, result, why);
}

static enum queue_result
store_edit(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count, struct buf *why)
{
	struct attempt attempt = first_attempt(why);
	enum queue_result result;

	do
		result = edit_once(s, edit, log_id, number, now_ms, count,
		    why);
	while (must_repeat(s, &attempt, result, why));
	return result;
}

static enum queue_result
store_hurry(struct store *s, const char *destination, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };

	add_text(&p, destination);
	return result == QUEUE_OK ? run(s, HURRY, &p, NULL, why) : result;
}

/* A change of nothing is refused like any other. */
static enum queue_result
store_verify(struct store *s, struct buf *why)
{
	enum queue_result result = begin_call(s, why);

	if (result == QUEUE_OK)
		result = pgsql_check_rights(s, why);
	if (result == QUEUE_OK)
		result = session_do(s, &s->main,
		    "DELETE FROM log_stream_machine WHERE false", why);
	return result == QUEUE_OK ? pgsql_check_sessions(s, why) : result;
}

const struct queue_engine queue_pgsql = {
	.scheme = "postgresql:",
	.open = pgsql_open,
	.close = pgsql_close,
	.put = store_put,
	.read = store_read,
	.change = store_change,
	.count = store_count,
	.last_done = store_last_done,
	.purge = store_purge,
	.list = store_list,
	.export = store_export,
	.import = store_import,
	.names = store_names,
	.edit = store_edit,
	.hurry = store_hurry,
	.verify = store_verify,
	.begin_turn = store_begin_turn,
	.end_turn = store_end_turn,
	.has_turn = store_has_turn,
	.waits = store_waits,
	.own_path_dup = queue_state_path_dup,
	.lock_worker = store_lock_worker,
	.has_worker_lock = store_has_worker_lock,
	.unlock_worker = store_unlock_worker,
	.sign = store_sign,
	.find_worker = store_find_worker,
	.note = store_note,
	.read_note = store_read_note,
	.machines = store_machines,
};
