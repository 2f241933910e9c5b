/* SPDX-License-Identifier: ISC */
/*
 * The queue's rows in a PostgreSQL database. It knows nothing of events,
 * pacing or Slack.
 */
#include "queue/pgsql/queue_pgsql.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARAMETERS_MAX 15
#define MACHINE_SIZE 256	/* of its name, as Linux has it */

/* ---------------------------------------------------------- parameters */

/* Texts of a statement, which ask() frees; NULL is SQL's. */
struct parameters {
	char *texts[PARAMETERS_MAX];
	int count;
};

/* The server takes UTF-8 alone; Slack's words and names may be other. */
static void
add_text(struct parameters *p, const char *text)
{
	struct buf clean = BUF_INIT;

	if (text)
		utf8_mend(&clean, text, strlen(text));
	p->texts[p->count++] = text ? buf_detach(&clean) : NULL;
}

static void
add_number(struct parameters *p, int64_t number)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%" PRId64, number);
	p->texts[p->count++] = buf_detach(&text);
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

/* Ends an array, which the parameters then have. */
static void
add_array(struct parameters *p, struct buf *array)
{
	buf_adds(array, array->len > 0 ? "}" : "{}");
	p->texts[p->count++] = buf_detach(array);
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

/*
 * Runs a statement unless *result is a failure already, and frees its
 * parameters. NULL: it is one now.
 */
static PGresult *
ask(struct store *s, enum which which, struct parameters *p,
    enum queue_result *result, struct buf *why)
{
	PGresult *r = NULL;

	if (*result == QUEUE_OK)
		r = session_run(s, &s->main, &pgsql_statements[which],
		    (const char *const *)p->texts, result, why);
	while (p->count > 0)
		free(p->texts[--p->count]);
	return r;
}

/* The same for one that changes rows; returns how many they were. */
static int64_t
run(struct store *s, enum which which, struct parameters *p,
    enum queue_result *result, struct buf *why)
{
	PGresult *r = ask(s, which, p, result, why);
	int64_t count = r ? strtoll(s->pq->cmdTuples(r), NULL, 10) : 0;

	s->pq->clear(r);
	return count;
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

/* A boolean in the first row. */
static bool
flag_at(const struct store *s, const PGresult *r, int column)
{
	return strcmp(s->pq->getvalue(r, 0, column), "t") == 0;
}

/* The one number that a statement gives; 0 with a failure. */
static int64_t
ask_number(struct store *s, enum which which, struct parameters *p,
    enum queue_result *result, struct buf *why)
{
	PGresult *r = ask(s, which, p, result, why);
	int64_t number = r ? number_at(s, r, 0, 0) : 0;

	s->pq->clear(r);
	return number;
}

/* The one boolean; false with a failure. */
static bool
ask_flag(struct store *s, enum which which, struct parameters *p,
    enum queue_result *result, struct buf *why)
{
	PGresult *r = ask(s, which, p, result, why);
	bool flag = r && flag_at(s, r, 0);

	s->pq->clear(r);
	return flag;
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

/*
 * All are duplicates but those whose nonces came back, in their order. Returns
 * whether any did.
 */
static bool
mark_duplicates(const struct store *s, const PGresult *r,
    struct stored *rows, size_t count)
{
	int i, given = s->pq->ntuples(r);
	bool added = false;
	size_t at;

	for (at = 0, i = 0; at < count; at++) {
		rows[at].duplicate = i == given ||
		    rows[at].nonce != number_at(s, r, i, 1);
		if (!rows[at].duplicate) {
			added = true;
			i++;
		}
	}
	return added;
}

/* The rows as an array of each column. */
static void
add_columns(struct parameters *p, const struct stored *rows,
    const bool *bare, size_t count, int64_t now_ms)
{
	struct buf destinations = BUF_INIT, log_ids = BUF_INIT;
	struct buf types = BUF_INIT, records = BUF_INIT, nonces = BUF_INIT;
	size_t i;

	for (i = 0; i < count; i++) {
		add_element(&destinations, rows[i].destination);
		add_element(&log_ids, rows[i].log_id);
		add_element(&types, rows[i].type);
		add_element(&records, bare[i] ? NULL : rows[i].record);
		add_to_numbers(&nonces, rows[i].nonce);
	}
	add_array(p, &destinations);
	add_array(p, &log_ids);
	add_array(p, &types);
	add_array(p, &records);
	add_number(p, now_ms);
	add_array(p, &nonces);
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
	enum queue_result result = QUEUE_OK;

	add_text(&p, row->destination);
	add_text(&p, row->log_id);
	run(s, CONFIRM, &p, &result, why);
	return result;
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
put_rows(struct store *s, struct stored *rows, const bool *bare,
    size_t count, int64_t now_ms, struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result = QUEUE_OK;
	bool known, added;
	PGresult *r;

	add_columns(&p, rows, bare, count, now_ms);
	r = ask(s, PUT, &p, &result, why);
	known = r && flag_at(s, r, 0);
	added = known && mark_duplicates(s, r, rows, count);
	s->pq->clear(r);
	if (result == QUEUE_OK && !known)
		return refuse_version(s, why);
	return result == QUEUE_OK && !added ? confirm(s, &rows[0], why) :
	    result;
}

enum queue_result
pgsql_count_waiting(struct store *s, const char *destination, bool exactly,
    int64_t *waiting, struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result = QUEUE_OK;

	add_text(&p, destination);
	*waiting = ask_number(s, exactly ? COUNT_ONE : SPAN, &p, &result, why);
	return result;
}

/* Which of the rows are above QUEUE_MAX. */
static enum queue_result
find_bare(struct store *s, const struct stored *rows, size_t count,
    bool *bare, struct buf *why)
{
	enum queue_result result = QUEUE_OK;
	const char *last = "";
	size_t i;

	for (i = 0; i < count && result == QUEUE_OK; i++) {
		result = rooms_take(&s->rooms, s, rows[i].destination,
		    strcmp(last, rows[i].destination) != 0, &bare[i], why);
		last = rows[i].destination;
	}
	return result;
}

static enum queue_result
put_once(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	bool *bare = mem_alloc(count * sizeof(*bare));
	enum queue_result result = begin_call(s, why);

	if (result == QUEUE_OK)
		result = find_bare(s, rows, count, bare, why);
	if (result == QUEUE_OK)
		result = put_rows(s, rows, bare, count, now_ms, why);
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

/* What was set aside may wait again, with its old number. */
static void
lower(struct store *s, enum queue_result *result, struct buf *why)
{
	struct parameters none = { .count = 0 };

	run(s, LOWER, &none, result, why);
}

/* --------------------------------------------------------------- read */

#define ROW_NUMBER(column) row.column = number_at(s, r, at, i++)
#define ROW_TEXT(column) row.column = text_at(s, r, at, i++)

/* Gives one row of COLUMNS away. */
static bool
take_row(const struct store *s, const PGresult *r, int at, store_take *take,
    void *context)
{
	struct queue_row row;
	const char *record;
	int i = 0;

	ROW_COLUMNS(ROW_NUMBER, ROW_TEXT, ;);
	row.reason = text_at(s, r, at, i++);
	record = text_at(s, r, at, i);
	return take(context, &row, record,
	    record ? (size_t)s->pq->getlength(r, at, i) : 0);
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
	enum queue_result result = QUEUE_OK;
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
	if (count > 0) { /* places in ROW_COLUMNS */
		at->number = number_at(s, r, (int)count - 1, 0);
		at->later_ms = number_at(s, r, (int)count - 1, 2);
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

static enum queue_result
store_list(struct store *s, int64_t after, size_t max, store_take *take,
    void *context, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	PGresult *r;

	add_number(&p, after);
	add_number(&p, (int64_t)max);
	r = ask(s, LIST, &p, &result, why);
	if (r)
		take_rows(s, r, take, context);
	s->pq->clear(r);
	return result;
}

static enum queue_result
store_names(struct store *s, void (*take)(void *context, const char *name),
    void *context, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters none = { .count = 0 };
	PGresult *r = ask(s, NAMES, &none, &result, why);
	int i;

	for (i = 0; r && i < s->pq->ntuples(r); i++)
		take(context, text_at(s, r, i, 0));
	s->pq->clear(r);
	return result;
}

/* --------------------------------------------------------------- pace */

#define ADD_NUMBER(column) add_number(&p, pace->column)
#define ADD_TEXT(column) add_text(&p, pace->column)

static enum queue_result
keep_pace(struct store *s, const char *name, const struct pace *pace,
    struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result = QUEUE_OK;

	add_text(&p, name);
	PACE_COLUMNS(ADD_NUMBER, ADD_TEXT, ;);
	run(s, KEEP_PACE, &p, &result, why);
	return result;
}

#define TAKE_NUMBER(column) p->column = number_at(s, r, 0, i++)
#define TAKE_TEXT(column) snprintf(p->column, sizeof(p->column), "%s", \
	s->pq->getvalue(r, 0, i++))
#define TAKE_COUNT(column) tally->column = number_at(s, r, 0, i++)

static enum queue_result
store_count(struct store *s, const char *destination, const char *pace_of,
    struct queue_tally *tally, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters about = { .count = 0 };
	struct pace *p = &tally->pace;
	PGresult *r;
	int i = 0;

	memset(tally, 0, sizeof(*tally));
	add_text(&about, destination);
	add_text(&about, pace_of);
	r = ask(s, COUNT, &about, &result, why);
	if (r) {
		TALLY_COLUMNS(TAKE_COUNT, ;);
		PACE_COLUMNS(TAKE_NUMBER, TAKE_TEXT, ;);
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
static void
change_named(struct store *s, enum which which,
    const struct queue_batch *batch, int64_t now_ms,
    enum queue_result *result, struct buf *why)
{
	struct buf numbers = BUF_INIT, nonces = BUF_INIT;
	struct parameters p = { .count = 0 };
	PGresult *r;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		add_to_numbers(&numbers, batch->keys[i].number);
		add_to_numbers(&nonces, batch->keys[i].nonce);
	}
	add_array(&p, &numbers);
	add_array(&p, &nonces);
	add_number(&p, now_ms);
	add_text(&p, batch->reason ? batch->reason : "");
	add_number(&p, batch->later_ms);
	add_number(&p, batch->expired_ms);
	r = ask(s, which, &p, result, why);
	if (r)
		mark_met(s, r, batch);
	s->pq->clear(r);
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

static void
change_rows(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms,
    enum queue_result *result, struct buf *why)
{
	enum which first = changes[change].first;
	enum which second = changes[change].second;

	mark_all(batch, first != STATEMENTS);
	if (first != STATEMENTS)
		change_named(s, first, batch, now_ms, result, why);
	if (second != STATEMENTS)
		change_named(s, second, batch, now_ms, result, why);
}

/* What a change does to other rows of the destination. */
static void
change_others(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms,
    enum queue_result *result, struct buf *why)
{
	struct parameters p = { .count = 0 };

	if (change == QUEUE_RECALL) {
		add_text(&p, batch->destination);
		add_number(&p, now_ms);
		add_text(&p, batch->reason);
		add_number(&p, batch->since_ms);
		run(s, RECALL, &p, result, why);
		lower(s, result, why);
	}
	if (batch->told) {
		add_text(&p, batch->destination);
		run(s, TELL, &p, result, why);
	}
}

/* -------------------------------------------------------------- leases */

/*
 * A lease, or the worker's lock, is a lock of the session (PostgreSQL,
 * "Advisory Locks"), and gone with it. This is what it is called.
 */
static void
add_lease(struct parameters *p, const char *kind, const char *name)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s/%s", kind, name);
	add_text(p, text.data);
	buf_release(&text);
}

/* Whether the session that took it goes on, as can be seen without a call. */
static bool
has_lease(struct store *s, unsigned session)
{
	return session == s->sessions && session_lives(s, &s->main);
}

/* A lease that is held is not taken twice: one release would not do. */
static enum queue_result
take_lease(struct store *s, const char *kind, const char *name,
    unsigned *session, bool *mine, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };

	*mine = has_lease(s, *session);
	if (*mine)
		return result;
	add_lease(&p, kind, name);
	*mine = ask_flag(s, LOCK, &p, &result, why);
	if (*mine)
		*session = s->sessions;
	return result;
}

static void
release_lease(struct store *s, const char *kind, const char *name,
    unsigned *session)
{
	enum queue_result result = QUEUE_OK;
	struct parameters p = { .count = 0 };
	struct buf ignored = BUF_INIT;
	bool held = has_lease(s, *session);

	*session = 0;
	if (!held)
		return;
	session_begin_call(s);
	add_lease(&p, kind, name);
	run(s, UNLOCK, &p, &result, &ignored);
	if (result != QUEUE_OK)
		session_end(s, &s->main);
	buf_release(&ignored);
}

static enum queue_result
store_begin_turn(struct store *s, const char *destination, bool *mine,
    struct buf *why)
{
	return take_lease(s, "destination", destination,
	    &rooms_find(&s->rooms, destination)->session, mine, why);
}

static bool
store_has_turn(struct store *s, const char *destination)
{
	return has_lease(s, rooms_find(&s->rooms, destination)->session);
}

static void
store_end_turn(struct store *s, const char *destination)
{
	release_lease(s, "destination", destination,
	    &rooms_find(&s->rooms, destination)->session);
}

/* The two answers of PROVE for a lease that this session took. */
static enum queue_result
ask_proof(struct store *s, const char *destination, struct buf *why)
{
	struct parameters p = { .count = 0 };
	enum queue_result result = QUEUE_OK;
	bool mine, known;
	PGresult *r;

	add_lease(&p, "destination", destination);
	r = ask(s, PROVE, &p, &result, why);
	mine = r && flag_at(s, r, 0);
	known = r && flag_at(s, r, 1);
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
	const char *name = batch->pace_of ? batch->pace_of :
	    batch->destination;

	*mine = store_has_turn(s, name);
	if (*mine)
		return ask_proof(s, name, why);
	mark_all(batch, true);
	if (batch->count > 0)
		return QUEUE_OK;
	buf_addf(why, "%s: the lease of a destination was lost", s->place);
	return QUEUE_BUSY;
}

/* What is no claim needs no lease, but tables that are ours. */
static enum queue_result
check_version(struct store *s, struct buf *why)
{
	struct parameters none = { .count = 0 };
	enum queue_result result = QUEUE_OK;
	bool known = ask_flag(s, VERSION_NOW, &none, &result, why);

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
		change_rows(s, change, batch, now_ms, &result, why);
	if (result == QUEUE_OK && claim && queue_missed(batch)) {
		finish(s, QUEUE_FAILED, why);
		return QUEUE_OK;
	}
	change_others(s, change, batch, now_ms, &result, why);
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

/* As others know this machine. */
static char *
machine_name(char name[MACHINE_SIZE])
{
	if (gethostname(name, MACHINE_SIZE) < 0)
		*name = '\0';
	name[MACHINE_SIZE - 1] = '\0';
	return name;
}

static enum queue_result
store_sign(struct store *s, const char *note, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	char machine[MACHINE_SIZE];

	add_text(&p, machine_name(machine));
	add_number(&p, getpid());
	add_text(&p, note);
	run(s, SIGN, &p, &result, why);
	return result;
}

static enum queue_result
store_lock_worker(struct store *s, bool *mine, struct buf *why)
{
	char machine[MACHINE_SIZE];
	enum queue_result result = take_lease(s, "worker",
	    machine_name(machine), &s->worker, mine, why);

	return result == QUEUE_OK && *mine ? store_sign(s, "", why) : result;
}

static bool
store_has_worker_lock(struct store *s)
{
	return has_lease(s, s->worker);
}

/* Others see that none is there, before it can be. */
static void
store_unlock_worker(struct store *s)
{
	struct parameters p = { .count = 0 };
	struct buf ignored = BUF_INIT;
	char machine[MACHINE_SIZE];
	enum queue_result result;

	if (has_lease(s, s->worker)) {
		result = begin_call(s, &ignored);
		add_text(&p, machine_name(machine));
		add_number(&p, getpid());
		run(s, SIGN_OUT, &p, &result, &ignored);
		release_lease(s, "worker", machine, &s->worker);
	}
	s->worker = 0;
	buf_release(&ignored);
}

static enum queue_result
store_find_worker(struct store *s, struct queue_holder *holder,
    struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	char machine[MACHINE_SIZE];
	PGresult *r;

	add_lease(&p, "worker", machine_name(machine));
	add_text(&p, machine);
	r = ask(s, FIND_WORKER, &p, &result, why);
	if (r) {
		holder->held = flag_at(s, r, 0);
		holder->pid = (pid_t)number_at(s, r, 0, 1);
		holder->silent_ms = number_at(s, r, 0, 2);
	}
	s->pq->clear(r);
	return result;
}

static void
store_note(struct store *s, const char *note)
{
	struct buf ignored = BUF_INIT;
	enum queue_result result = begin_call(s, &ignored);
	struct parameters p = { .count = 0 };
	char machine[MACHINE_SIZE];

	add_text(&p, machine_name(machine));
	add_text(&p, note);
	run(s, NOTE, &p, &result, &ignored);
	buf_release(&ignored);
}

static void
store_read_note(struct store *s, struct buf *note)
{
	struct buf ignored = BUF_INIT;
	enum queue_result result = begin_call(s, &ignored);
	struct parameters p = { .count = 0 };
	char machine[MACHINE_SIZE];
	PGresult *r;

	add_text(&p, machine_name(machine));
	r = ask(s, READ_NOTE, &p, &result, &ignored);
	if (r && s->pq->ntuples(r) > 0)
		buf_adds(note, s->pq->getvalue(r, 0, 0));
	s->pq->clear(r);
	buf_release(&ignored);
}

static enum queue_result
store_waits(struct store *s, const char *const *destinations, size_t count,
    bool *waits, struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	struct buf names = BUF_INIT;
	size_t i;

	for (i = 0; i < count; i++)
		add_element(&names, destinations[i]);
	add_array(&p, &names);
	*waits = ask_flag(s, WAITS, &p, &result, why);
	return result;
}

static enum queue_result
store_machines(struct store *s, queue_show_machine *show, void *context,
    struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters none = { .count = 0 };
	PGresult *r = ask(s, MACHINES, &none, &result, why);
	struct queue_machine machine;
	int i;

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

	add_number(&p, until_ms);
	*done_ms = ask_number(s, LAST_DONE, &p, &result, why);
	return result;
}

static enum queue_result
store_purge(struct store *s, int64_t retention_ms, int64_t now_ms,
    size_t max, store_take *take, void *context, size_t *count,
    struct buf *why)
{
	enum queue_result result = begin_call(s, why);
	struct parameters p = { .count = 0 };
	PGresult *r;

	add_number(&p, now_ms);
	add_number(&p, retention_ms);
	add_number(&p, (int64_t)max);
	r = ask(s, DELETE, &p, &result, why);
	*count = r ? (size_t)s->pq->ntuples(r) : 0;
	if (r)
		take_rows(s, r, take, context);
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
edit_once(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count, struct buf *why)
{
	enum which which = edits[edit].all;
	struct parameters p = { .count = 0 };
	enum queue_result result = begin(s, why);

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	add_number(&p, now_ms);
	if (log_id) {
		which = edits[edit].by_id;
		add_text(&p, log_id);
	} else if (number > 0) {
		which = edits[edit].by_number;
		add_number(&p, number);
	}
	*count = run(s, which, &p, &result, why);
	if (edit == QUEUE_REMOVE) {
		add_number(&p, now_ms);
		run(s, FORGET_REMOVED, &p, &result, why);
	} else if (*count > 0) {
		lower(s, &result, why);
	}
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
	run(s, HURRY, &p, &result, why);
	return result;
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
