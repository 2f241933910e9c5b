/* SPDX-License-Identifier: ISC */
/*
 * The queue's rows in an SQLite file. It knows nothing of events, pacing
 * or Slack.
 */
#include "queue/sqlite/queue_sqlite.h"

#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_PAGES 256		/* free ones that are left in the file */
#define VACUUM_PAGES 4096	/* given back at a time */
#define CHECKED_PAGES 16384	/* of a file that is small enough to check */

/* ---------------------------------------------------------------- put */

enum queue_result
store_count_waiting(struct store *s, const char *destination, bool exactly,
    int64_t *waiting, struct buf *why)
{
	sqlite3_stmt *st = store_statement(s, exactly ? COUNT_ONE : SPAN);

	store_bind_text(st, 1, destination);
	return store_take_number(st, waiting) ? QUEUE_OK :
	    store_fail(s, "cannot be written to", why);
}

/* Without its record where that is too much. */
static bool
put_row(struct store *s, struct stored *row, bool bare, int64_t now_ms)
{
	sqlite3_stmt *st = store_statement(s, PUT);

	store_bind_text(st, 1, row->destination);
	store_bind_text(st, 2, row->log_id);
	store_bind_text(st, 3, row->type);
	store_bind_text(st, 4, bare ? NULL : row->record);
	sqlite3_bind_int64(st, 5, now_ms);
	sqlite3_bind_int64(st, 6, row->nonce);
	if (!store_run(st))
		return false;
	row->duplicate = sqlite3_changes(s->db) == 0;
	return true;
}

static bool
put_destination(struct store *s, const char *name)
{
	sqlite3_stmt *st = store_statement(s, PUT_DESTINATION);

	store_bind_text(st, 1, name);
	return store_run(st);
}

static enum queue_result
put_rows(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	const char *known = "";
	enum queue_result result;
	bool bare;
	size_t i;

	for (i = 0; i < count; i++) {
		result = rooms_take(&s->rooms, s, rows[i].destination, true,
		    &bare, why);
		if (result != QUEUE_OK)
			return result;
		if (!put_row(s, &rows[i], bare, now_ms))
			return store_fail(s, "cannot be written to", why);
		if (rows[i].duplicate ||
		    strcmp(known, rows[i].destination) == 0)
			continue;
		known = rows[i].destination;
		if (!put_destination(s, known))
			return store_fail(s, "cannot be written to", why);
	}
	return QUEUE_OK;
}

static enum queue_result
store_put(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	enum queue_result result = store_begin(s, why);

	if (result != QUEUE_OK)
		return result;
	return store_finish(s, put_rows(s, rows, count, now_ms, why), why);
}

/* --------------------------------------------------------------- read */

static const char *
text_at(sqlite3_stmt *st, int column)
{
	return (const char *)sqlite3_column_text(st, column);
}

#define ROW_NUMBER(column) row.column = sqlite3_column_int64(st, i++)
#define ROW_TEXT(column) row.column = text_at(st, i++)

/* Gives one row of COLUMNS away. */
static bool
take_row(sqlite3_stmt *st, store_take *take, void *context)
{
	struct queue_row row;
	const char *record;
	int i = 0;

	ROW_COLUMNS(ROW_NUMBER, ROW_TEXT, ;);
	row.reason = text_at(st, i++);
	record = text_at(st, i);
	if (!row.destination)
		row.destination = "";
	if (!row.type)
		row.type = "";
	return take(context, &row, record,
	    record ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

/* Gives the rows of a bound statement away, as long as they are wanted. */
static enum queue_result
take_rows(struct store *s, sqlite3_stmt *st, store_take *take, void *context,
    struct buf *why)
{
	bool good;

	while (store_step(st, &good))
		if (!take_row(st, take, context)) {
			sqlite3_reset(st);
			return QUEUE_OK;
		}
	return good ? QUEUE_OK : store_fail(s, "cannot be read", why);
}

static enum queue_result
store_read(struct store *s, const char *destination, size_t max,
    int64_t now_ms, store_take *take, void *context, struct buf *why)
{
	sqlite3_stmt *st = store_statement(s, READ);

	store_bind_text(st, 1, destination);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	sqlite3_bind_int64(st, 3, now_ms);
	return take_rows(s, st, take, context, why);
}

/* For up to max rows: of a number above after, or of a time before it. */
static sqlite3_stmt *
page_statement(struct store *s, enum statement which, int64_t after,
    size_t max)
{
	sqlite3_stmt *st = store_statement(s, which);

	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	return st;
}

static enum queue_result
take_page(struct store *s, enum statement which, int64_t after, size_t max,
    store_take *take, void *context, struct buf *why)
{
	return take_rows(s, page_statement(s, which, after, max), take,
	    context, why);
}

static enum queue_result
store_list(struct store *s, int64_t after, size_t max, store_take *take,
    void *context, struct buf *why)
{
	return take_page(s, LIST, after, max, take, context, why);
}

static enum queue_result
store_names(struct store *s, void (*take)(void *context, const char *name),
    void *context, struct buf *why)
{
	sqlite3_stmt *st = store_statement(s, NAMES);
	bool good;

	while (store_step(st, &good))
		if (text_at(st, 0))
			take(context, text_at(st, 0));
	return good ? QUEUE_OK : store_fail(s, "cannot be read", why);
}

/* --------------------------------------------------------------- pace */

#define BIND_NUMBER(column) sqlite3_bind_int64(st, i++, p->column)
#define BIND_TEXT(column) store_bind_text(st, i++, p->column)

static bool
keep_pace(struct store *s, const char *name, const struct pace *p)
{
	sqlite3_stmt *st = store_statement(s, KEEP_PACE);
	int i = 1;

	store_bind_text(st, i++, name);
	PACE_COLUMNS(BIND_NUMBER, BIND_TEXT, ;);
	return store_run(st);
}

static void
take_text(sqlite3_stmt *st, int column, char *text, size_t size)
{
	const char *kept = text_at(st, column);

	snprintf(text, size, "%s", kept ? kept : "");
}

#define TAKE_NUMBER(column) p->column = sqlite3_column_int64(st, i++)
#define TAKE_TEXT(column) \
	take_text(st, i++, p->column, sizeof(p->column))

#define TAKE_COUNT(column) tally->column = sqlite3_column_int64(st, i++)

static enum queue_result
store_count(struct store *s, const char *destination, const char *pace_of,
    struct queue_tally *tally, struct buf *why)
{
	enum queue_result result = store_check_unmoved(s, why);
	sqlite3_stmt *st = store_statement(s, COUNT);
	struct pace *p = &tally->pace;
	bool good;
	int i;

	memset(tally, 0, sizeof(*tally));
	if (result != QUEUE_OK)
		return result;
	store_bind_text(st, 1, destination);
	store_bind_text(st, 2, pace_of);
	while (store_step(st, &good)) {
		i = 0;
		TALLY_COLUMNS(TAKE_COUNT, ;);
		PACE_COLUMNS(TAKE_NUMBER, TAKE_TEXT, ;);
	}
	return good ? QUEUE_OK : store_fail(s, "cannot be read", why);
}

static enum queue_result
store_last_done(struct store *s, int64_t until_ms, int64_t *done_ms,
    struct buf *why)
{
	sqlite3_stmt *st = store_statement(s, LAST_DONE);

	sqlite3_bind_int64(st, 1, until_ms);
	return store_take_number(st, done_ms) ? QUEUE_OK :
	    store_fail(s, "cannot be read", why);
}

/* ------------------------------------------------------------- change */

/* Which statements make a change, one after the other until a row is met. */
static const struct {
	enum statement first, second;	/* STATEMENTS: none */
} changes[] = {
	[QUEUE_CLAIM] = { CLAIM, STATEMENTS },
	[QUEUE_SETTLE] = { FORGET_NAMELESS, SETTLE },
	[QUEUE_SET_ASIDE] = { SET_ASIDE, STATEMENTS },
	[QUEUE_POSTPONE] = { POSTPONE, SET_ASIDE },
	[QUEUE_RECALL] = { STATEMENTS, STATEMENTS },
	[QUEUE_PUT_BACK] = { STATEMENTS, STATEMENTS },
};

/* Runs one for the row of a key, which is missed unless there is one. What
 * a statement has no parameter for is not bound. */
static bool
run_change(struct store *s, enum statement which, struct queue_key *key,
    const struct queue_batch *batch, int64_t now_ms)
{
	sqlite3_stmt *st = store_statement(s, which);

	sqlite3_bind_int64(st, 1, key->number);
	sqlite3_bind_int64(st, 2, key->nonce);
	sqlite3_bind_int64(st, 3, now_ms);
	store_bind_text(st, 4, batch->reason);
	sqlite3_bind_int64(st, 5, batch->later_ms);
	sqlite3_bind_int64(st, 6, batch->expired_ms);
	if (!store_run(st))
		return false;
	key->missed = sqlite3_changes(s->db) == 0;
	return true;
}

static bool
change_row(struct store *s, enum queue_change change, struct queue_key *key,
    const struct queue_batch *batch, int64_t now_ms)
{
	enum statement first = changes[change].first;
	enum statement second = changes[change].second;

	key->missed = false;
	if (first == STATEMENTS)
		return true;
	return run_change(s, first, key, batch, now_ms) &&
	    (!key->missed || second == STATEMENTS ||
	    run_change(s, second, key, batch, now_ms));
}

/* What a change does to other rows of the destination. */
static bool
change_others(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms)
{
	sqlite3_stmt *st;

	if (change == QUEUE_RECALL) {
		st = store_statement(s, RECALL);
		store_bind_text(st, 1, batch->destination);
		sqlite3_bind_int64(st, 2, now_ms);
		store_bind_text(st, 3, batch->reason);
		sqlite3_bind_int64(st, 4, batch->since_ms);
		if (!store_run(st))
			return false;
	}
	if (!batch->told)
		return true;
	st = store_statement(s, TELL);
	store_bind_text(st, 1, batch->destination);
	return store_run(st);
}

static enum queue_result
store_change(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	enum queue_result result = store_begin(s, why);
	size_t i;

	if (result != QUEUE_OK)
		return result;
	for (i = 0; i < batch->count && result == QUEUE_OK; i++)
		if (!change_row(s, change, &batch->keys[i], batch, now_ms))
			result = store_fail(s, "cannot be written to", why);
	if (result == QUEUE_OK &&
	    (!change_others(s, change, batch, now_ms) ||
	    (batch->pace && !keep_pace(s, batch->pace_of, batch->pace))))
		result = store_fail(s, "cannot be written to", why);
	if (result == QUEUE_OK && change == QUEUE_CLAIM &&
	    queue_missed(batch)) {
		store_finish(s, QUEUE_FAILED, why);
		return QUEUE_OK;
	}
	return store_finish(s, result, why);
}

/* -------------------------------------------------------------- purge */

/*
 * Free pages go back to the disk, some at a time: others wait for us. A
 * file that was made by another hand, with .recover, cannot shrink.
 */
static void
give_back(struct store *s)
{
	int64_t before, left = store_ask_number(s, "PRAGMA freelist_count");
	char text[64];

	snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%d)",
	    VACUUM_PAGES);
	for (before = INT64_MAX; left > SPARE_PAGES && left < before;
	     left = store_ask_number(s, "PRAGMA freelist_count")) {
		before = left;
		store_wait_for_turn(s);
		store_execute(s, text);
		store_end_turn(s);
	}
}

static enum queue_result
store_purge(struct store *s, int64_t retention_ms, int64_t now_ms,
    size_t max, store_take *take, void *context, size_t *count,
    struct buf *why)
{
	int64_t before_ms = now_ms - retention_ms;
	enum queue_result result = store_begin(s, why);

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	result = take_page(s, OLD, before_ms, max, take, context, why);
	if (result == QUEUE_OK &&
	    !store_run(page_statement(s, DELETE, before_ms, max)))
		result = store_fail(s, "cannot be written to", why);
	*count = (size_t)sqlite3_changes(s->db);
	result = store_finish(s, result, why);
	if (result == QUEUE_OK)
		give_back(s);
	return result;
}

/* --------------------------------------------------------- for people */

static const struct {
	enum statement by_id, by_number, all;
} edits[] = {
	[QUEUE_RETRY] = { RETRY_ID, RETRY_NUMBER, RETRY_ALL },
	[QUEUE_REMOVE] = { REMOVE_ID, REMOVE_NUMBER, REMOVE_ALL },
};

static bool
edit_rows(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count)
{
	sqlite3_stmt *st = store_statement(s, log_id ? edits[edit].by_id :
	    number > 0 ? edits[edit].by_number : edits[edit].all);

	if (log_id)
		store_bind_text(st, 1, log_id);
	else if (number > 0)
		sqlite3_bind_int64(st, 1, number);
	sqlite3_bind_int64(st, 2, now_ms);
	if (!store_run(st))
		return false;
	*count = sqlite3_changes(s->db);
	if (edit == QUEUE_RETRY)
		return true;
	st = store_statement(s, FORGET_REMOVED);
	sqlite3_bind_int64(st, 1, now_ms);
	return store_run(st);
}

static enum queue_result
store_edit(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count, struct buf *why)
{
	enum queue_result result = store_begin(s, why);

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	if (!edit_rows(s, edit, log_id, number, now_ms, count))
		result = store_fail(s, "cannot be written to", why);
	return store_finish(s, result, why);
}

static enum queue_result
store_hurry(struct store *s, const char *destination, struct buf *why)
{
	sqlite3_stmt *st = store_statement(s, HURRY);

	if (!st)
		return store_fail(s, "cannot be read", why);
	store_bind_text(st, 1, destination);
	return store_run(st) ? QUEUE_OK :
	    store_fail(s, "cannot be written to", why);
}

static enum queue_result
store_waits(struct store *s, const char *const *destinations, size_t count,
    bool *waits, struct buf *why)
{
	enum queue_result result = store_check_unmoved(s, why);
	sqlite3_stmt *st;
	bool good = true;
	size_t i;

	if (result != QUEUE_OK)
		return result;
	for (i = 0; i < count && good && !*waits; i++) {
		st = store_statement(s, WAITS);
		store_bind_text(st, 1, destinations[i]);
		while (store_step(st, &good))
			*waits = true;
	}
	return good ? QUEUE_OK : store_fail(s, "cannot be read", why);
}

static enum queue_result
store_verify(struct store *s, struct buf *why)
{
	char word[16];

	/* A check of a large one would keep others from writing. */
	if (store_ask_number(s, "PRAGMA page_count") > CHECKED_PAGES)
		return QUEUE_OK;
	if (!store_ask_word(s, "PRAGMA quick_check(1)", word))
		return store_fail(s, "cannot be read", why);
	if (strcmp(word, "ok") == 0)
		return QUEUE_OK;
	buf_addf(why, "%s: is damaged: move it and its -journal and -wal "
	    "away and a new one is made; \"sqlite3 FILE .recover\" may save "
	    "what is in it", s->path);
	return QUEUE_FAILED;
}

const struct queue_engine queue_sqlite = {
	.scheme = "sqlite:",
	.is_there = store_is_there,
	.open = store_open,
	.close = store_close,
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
	.waits = store_waits,
	.own_path_dup = store_lock_path_dup,
};
