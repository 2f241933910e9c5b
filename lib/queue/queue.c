/* SPDX-License-Identifier: ISC */
/*
 * The queue's policy: which engine, events to rows and back, rows that
 * cannot be read, what leaves it in the end. It knows no SQL.
 */
#include "queue/queue.h"

#include "base/lockfile.h"
#include "base/log.h"
#include "base/ownfile.h"
#include "base/process.h"
#include "base/random.h"
#include "base/utf8.h"
#include "event/catalog.h"
#include "event/record.h"
#include "queue/queue_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 500		/* rows listed or purged at a time */

static const struct queue_engine *const engines[] = {
	&queue_sqlite,
#ifdef HAVE_LIBPQ
	&queue_pgsql,
#endif
};

#define ENGINES (sizeof(engines) / sizeof(engines[0]))

struct queue {
	const struct queue_engine *engine;
	struct store *store;
};

static const struct queue_engine *
engine_of(const char *address)
{
	size_t i;

	for (i = 0; i < ENGINES; i++)
		if (strncmp(address, engines[i]->scheme,
		    strlen(engines[i]->scheme)) == 0)
			return engines[i];
	return NULL;
}

bool
queue_is_there(const char *address)
{
	const struct queue_engine *engine = engine_of(address);

	return !engine || !engine->is_there || engine->is_there(address);
}

struct queue *
queue_open(const struct queue_options *options, enum queue_result *result,
    struct buf *why)
{
	const struct queue_engine *engine = engine_of(options->address);
	struct store *store;
	struct queue *q;

	*result = QUEUE_FAILED;
	if (!engine) {
		/* Its address may hold a password. */
		buf_adds(why, "QUEUE: there is no such kind of queue");
		return NULL;
	}
	store = engine->open(options, result, why);
	if (!store)
		return NULL;
	q = mem_alloc(sizeof(*q));
	q->engine = engine;
	q->store = store;
	return q;
}

void
queue_close(struct queue *q)
{
	if (!q)
		return;
	q->engine->close(q->store);
	free(q);
}

static char *
own_path_dup(const char *address)
{
	const struct queue_engine *engine = engine_of(address);

	return engine ? engine->own_path_dup(address) : mem_dup("");
}

bool
queue_become_owner(const char *address, struct buf *why)
{
	char *path = own_path_dup(address);
	bool good = ownfile_become_owner(path, why);

	free(path);
	return good;
}

/* --------------------------------------------------------------- put */

static char *
record_dup(const struct event *e)
{
	struct buf record = BUF_INIT;

	record_write(&record, e);
	return buf_detach(&record);
}

enum queue_result
queue_put(struct queue *q, struct queue_item *items, size_t count,
    int64_t now_ms, struct buf *why)
{
	struct stored *rows = mem_alloc(count * sizeof(*rows));
	char **records = mem_alloc(count * sizeof(*records));
	enum queue_result result;
	size_t i, written = 0;

	for (i = 0; i < count; i++) {
		if (i == 0 || items[i].event != items[i - 1].event)
			records[written++] = record_dup(items[i].event);
		rows[i].destination = items[i].destination;
		rows[i].log_id = items[i].event->log_id;
		rows[i].type = items[i].event->type;
		rows[i].record = records[written - 1];
		rows[i].nonce = random_nonce();
		rows[i].duplicate = false;
	}
	result = q->engine->put(q->store, rows, count, now_ms, why);
	for (i = 0; i < count; i++)
		items[i].duplicate = rows[i].duplicate;
	while (written > 0)
		free(records[--written]);
	free(records);
	free(rows);
	return result;
}

/* -------------------------------------------------------------- read */

/* Rows that cannot be read are gathered while the others are given away. */
struct reading {
	queue_take *take;
	void *context;
	struct queue_key keys[PAGE];	/* of the bad ones */
	char *reasons[PAGE];	/* what is wrong with each */
	size_t bad;
};

static struct queue_key
key_of(const struct queue_row *row)
{
	struct queue_key key = { row->number, row->nonce, false };

	return key;
}

static bool
take_bad(struct reading *r, const struct queue_row *row, char *reason)
{
	log_event(LEVEL_ERROR, row->log_id, row->type, row->destination,
	    reason, "set-aside");
	r->keys[r->bad] = key_of(row);
	r->reasons[r->bad++] = reason;
	return r->bad < PAGE;
}

/* One that was put above QUEUE_MAX. */
static struct event *
without_record(const struct queue_row *row)
{
	struct event fields = { 0 };

	fields.log_id = row->log_id;
	fields.type = row->type;
	fields.class = catalog_class(row->type);
	fields.time_ms = row->queued_ms;
	return event_new(&fields);
}

static bool
take_record(void *context, const struct queue_row *row, const char *record,
    size_t len)
{
	struct reading *r = context;
	struct buf why = BUF_INIT;
	struct event *e;

	buf_adds(&why, "the row cannot be read: ");
	e = record ? record_read(record, len, &why) : without_record(row);
	if (!e)
		return take_bad(r, row, buf_detach(&why));
	buf_release(&why);
	e->number = row->number;
	e->nonce = row->nonce;
	e->postponed = row->later_ms > 0;
	return r->take(r->context, e, len);
}

/* Bad ones in a row that have the same fault make one change. */
static enum queue_result
set_bad_aside(struct queue *q, struct reading *r,
    const char *destination, int64_t now_ms, struct buf *why)
{
	struct queue_batch batch = { .destination = destination };
	enum queue_result result = QUEUE_OK;
	size_t i, end;

	for (i = 0; i < r->bad && result == QUEUE_OK; i = end) {
		for (end = i + 1; end < r->bad &&
		     strcmp(r->reasons[end], r->reasons[i]) == 0; end++)
			;
		batch.keys = r->keys + i;
		batch.count = end - i;
		batch.reason = r->reasons[i];
		result = queue_change(q, QUEUE_SET_ASIDE, &batch, now_ms,
		    why);
	}
	return result;
}

enum queue_result
queue_read(struct queue *q, const char *destination, size_t max,
    queue_take *take, void *context, int64_t now_ms, struct buf *why)
{
	struct reading r;
	enum queue_result result;

	r.take = take;
	r.context = context;
	r.bad = 0;
	result = q->engine->read(q->store, destination, max, now_ms,
	    take_record, &r, why);
	if (result == QUEUE_OK)
		result = set_bad_aside(q, &r, destination, now_ms, why);
	while (r.bad > 0)
		free(r.reasons[--r.bad]);
	return result;
}

/* ------------------------------------------------------------ change */

enum queue_result
queue_change(struct queue *q, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	return q->engine->change(q->store, change, batch, now_ms, why);
}

bool
queue_missed(const struct queue_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++)
		if (batch->keys[i].missed)
			return true;
	return false;
}

enum queue_result
queue_count(struct queue *q, const char *destination, const char *pace_of,
    struct queue_tally *tally, struct buf *why)
{
	return q->engine->count(q->store, destination, pace_of, tally, why);
}

enum queue_result
queue_last_done(struct queue *q, int64_t until_ms, int64_t *done_ms,
    struct buf *why)
{
	*done_ms = 0;
	return q->engine->last_done(q->store, until_ms, done_ms, why);
}

enum queue_result
queue_begin_turn(struct queue *q, const char *destination, bool *mine,
    struct buf *why)
{
	*mine = true;
	return q->engine->begin_turn ? q->engine->begin_turn(q->store,
	    destination, mine, why) : QUEUE_OK;
}

void
queue_end_turn(struct queue *q, const char *destination)
{
	if (q->engine->end_turn)
		q->engine->end_turn(q->store, destination);
}

bool
queue_has_turn(struct queue *q, const char *destination)
{
	return !q->engine->has_turn ||
	    q->engine->has_turn(q->store, destination);
}

/* What was set aside and never looked after ends with a line in the log. */
static bool
log_expired(void *context, const struct queue_row *row, const char *record,
    size_t len)
{
	(void)context;
	(void)record;
	(void)len;
	if (row->state == QUEUE_ASIDE)
		log_event(LEVEL_WARN, row->log_id, row->type,
		    row->destination, row->reason, "expired");
	return true;
}

enum queue_result
queue_purge(struct queue *q, int64_t retention_ms, int64_t now_ms,
    struct buf *why)
{
	enum queue_result result;
	size_t count;

	do
		result = q->engine->purge(q->store, retention_ms, now_ms,
		    PAGE, log_expired, NULL, &count, why);
	while (result == QUEUE_OK && count == PAGE);
	return result;
}

enum queue_result
queue_waits(struct queue *q, const char *const *destinations, size_t count,
    bool *waits, struct buf *why)
{
	*waits = false;
	return q->engine->waits(q->store, destinations, count, waits, why);
}

/* ------------------------------------------------- the worker's lock */

struct queue_lock {
	const struct queue_engine *engine;
	char *path;		/* of the file; NULL: the session has it */
	int fd;			/* -1: the file is not locked by us */
};

struct queue_lock *
queue_lock_new(const char *address)
{
	struct queue_lock *lock = mem_alloc(sizeof(*lock));

	lock->engine = engine_of(address);
	lock->path = lock->engine && lock->engine->lock_worker ? NULL :
	    own_path_dup(address);
	lock->fd = -1;
	return lock;
}

void
queue_lock_free(struct queue_lock *lock, struct queue *q)
{
	if (!lock)
		return;
	queue_lock_release(lock, q);
	free(lock->path);
	free(lock);
}

bool
queue_lock_needs_queue(const struct queue_lock *lock)
{
	return lock->path == NULL;
}

/*
 * A worker whose session has ended, for the server was started anew, takes
 * the lock again and then settles what it has posted. Till then it counts as
 * the holder, unless its process is gone.
 */
static enum queue_result
find_by_session(struct queue_lock *lock, struct queue *q,
    struct queue_holder *holder, struct buf *why)
{
	enum queue_result result;

	holder->looked_ms = INT64_MAX;
	result = lock->engine->find_worker(q->store, holder, why);
	if (holder->pid != getpid() && process_is_worker(holder->pid))
		holder->held = true;
	return result;
}

/* The same by the session of the queue. */
static enum queue_result
take_by_session(struct queue_lock *lock, struct queue *q, bool *mine,
    struct buf *why)
{
	struct queue_holder holder = { 0 };
	enum queue_result result = find_by_session(lock, q, &holder, why);

	*mine = false;
	if (result != QUEUE_OK || (holder.held && holder.pid != getpid()))
		return result;
	return lock->engine->lock_worker(q->store, mine, why);
}

enum queue_result
queue_lock_take(struct queue_lock *lock, struct queue *q, bool *mine,
    struct buf *why)
{
	if (!lock->path)
		return take_by_session(lock, q, mine, why);
	lock->fd = lockfile_take(lock->path);
	*mine = lock->fd >= 0;
	if (*mine || errno == 0)
		return QUEUE_OK;
	buf_addf(why, "%s: cannot be locked: %s", lock->path,
	    strerror(errno));
	return QUEUE_FAILED;
}

bool
queue_lock_is_mine(const struct queue_lock *lock, struct queue *q)
{
	if (!lock->path)
		return q && lock->engine->has_worker_lock(q->store);
	return lock->fd >= 0 && !lockfile_is_lost(lock->fd, lock->path);
}

void
queue_lock_release(struct queue_lock *lock, struct queue *q)
{
	if (!lock->path && q)
		lock->engine->unlock_worker(q->store);
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}

enum queue_result
queue_lock_sign(struct queue_lock *lock, struct queue *q, const char *note,
    struct buf *why)
{
	if (!lock->path)
		return lock->engine->sign(q->store, note, why);
	if (lock->fd >= 0)
		lockfile_sign_note(lock->fd, note);
	return QUEUE_OK;
}

enum queue_result
queue_lock_look(struct queue_lock *lock, struct queue *q,
    struct queue_holder *holder, struct buf *why)
{
	struct lockfile_state state;

	memset(holder, 0, sizeof(*holder));
	if (!lock->path)
		return find_by_session(lock, q, holder, why);
	state = lockfile_look(lock->path);
	holder->held = state.pid != 0;
	holder->pid = state.pid > 0 ? state.pid : 0;
	holder->silent_ms = state.silent_ms;
	holder->looked_ms = state.looked_ms;
	return QUEUE_OK;
}

bool
queue_holder_hangs(const struct queue_holder *holder)
{
	return holder->held && holder->silent_ms >= QUEUE_SILENT_MS;
}

void
queue_lock_stamp(struct queue_lock *lock)
{
	if (lock->path)
		lockfile_stamp(lock->path);
}

void
queue_lock_note(struct queue_lock *lock, struct queue *q, const char *note)
{
	if (lock->path)
		lockfile_note(lock->path, note);
	else
		lock->engine->note(q->store, note);
}

void
queue_lock_read_note(struct queue_lock *lock, struct queue *q,
    struct buf *note)
{
	if (lock->path)
		lockfile_read_note(lock->path, note);
	else
		lock->engine->read_note(q->store, note);
}

/* -------------------------------------------------------- for people */

enum queue_result
queue_machines(struct queue *q, queue_show_machine *show, void *context,
    struct buf *why)
{
	return q->engine->machines ? q->engine->machines(q->store, show,
	    context, why) : QUEUE_OK;
}

struct listing {
	queue_show *show;
	void *context;
	int64_t *last;
};

static bool
show_row(void *context, const struct queue_row *row, const char *record,
    size_t len)
{
	struct listing *listing = context;

	(void)record;
	(void)len;
	listing->show(listing->context, row);
	*listing->last = row->number;
	return true;
}

enum queue_result
queue_list(struct queue *q, int64_t *after, queue_show *show, void *context,
    struct buf *why)
{
	struct listing listing = { show, context, after };

	return q->engine->list(q->store, *after, PAGE, show_row, &listing,
	    why);
}

enum queue_result
queue_names(struct queue *q, void (*take)(void *context, const char *name),
    void *context, struct buf *why)
{
	return q->engine->names(q->store, take, context, why);
}

/* The number that "#12" names; 0 for anything else. */
static int64_t
read_number(const char *id)
{
	size_t digits;

	if (*id++ != '#')
		return 0;
	digits = strspn(id, ASCII_DIGITS);
	return digits > 0 && digits < 19 && !id[digits] ?
	    strtoll(id, NULL, 10) : 0;
}

enum queue_result
queue_edit(struct queue *q, enum queue_edit edit, const char *id,
    int64_t now_ms, int64_t *count, struct buf *why)
{
	int64_t number = id ? read_number(id) : 0;

	return q->engine->edit(q->store, edit, number > 0 ? NULL : id, number,
	    now_ms, count, why);
}

enum queue_result
queue_hurry(struct queue *q, const char *destination, struct buf *why)
{
	return q->engine->hurry(q->store, destination, why);
}

enum queue_result
queue_verify(struct queue *q, struct buf *why)
{
	return q->engine->verify(q->store, why);
}

const char *
queue_schema(void)
{
#ifdef HAVE_LIBPQ
	return pgsql_schema;
#else
	return NULL;
#endif
}
