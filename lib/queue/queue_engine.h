/* SPDX-License-Identifier: ISC */
/*
 * What keeps the rows of a queue, as one table of functions. For queue.c
 * and the engines; others see queue.h, whose rules hold here too. Every
 * engine passes t/unit/queue.c.
 *
 * Each function is one transaction: it happens as a whole and is on disk
 * when QUEUE_OK comes back, or it does not happen.
 */
#ifndef QUEUE_ENGINE_H
#define QUEUE_ENGINE_H

#include "queue/queue.h"

struct store;

/* A row to be put. */
struct stored {
	const char *destination;
	const char *log_id;	/* NULL: none, and no duplicate of any */
	const char *type;
	const char *record;	/* see record.h; not kept above QUEUE_MAX */
	int64_t nonce;		/* see struct queue_key */
	bool duplicate;		/* out */
};

/* Gets a row with its record, which may be NULL; false: no more of them. */
typedef bool store_take(void *context, const struct queue_row *row,
    const char *record, size_t len);

/*
 * The columns of a destination's state in every engine, named like the
 * members of struct pace: NUMBER(x) for a number, TEXT(x) for a text, and
 * between for what stands between two of them. Those of a row, like the
 * members of struct queue_row; its reason and its record come behind them.
 */
#define PACE_COLUMNS(NUMBER, TEXT, between) \
	NUMBER(set_ms) between NUMBER(until_ms) between NUMBER(obey_ms) \
	between NUMBER(failures) between NUMBER(suspects) \
	between NUMBER(posting) between NUMBER(refused) \
	between NUMBER(success_ms) between NUMBER(error_ms) \
	between NUMBER(condemned) between NUMBER(condemned_ms) \
	between NUMBER(webhook) between TEXT(error) \
	between TEXT(condemned_by)
#define ROW_COLUMNS(NUMBER, TEXT, between) \
	NUMBER(number) between NUMBER(nonce) between NUMBER(later_ms) \
	between NUMBER(state) between NUMBER(queued_ms) \
	between NUMBER(changed_ms) between NUMBER(tries) \
	between TEXT(destination) between TEXT(log_id) between TEXT(type)

/*
 * What a count of a destination gives, in the order of its statement, like
 * the members of struct queue_tally; PACE_COLUMNS come behind it.
 */
#define TALLY_COLUMNS(NUMBER, between) \
	NUMBER(waiting) between NUMBER(oldest_ms) between NUMBER(postponed) \
	between NUMBER(later_ms) between NUMBER(aside) \
	between NUMBER(untold) between NUMBER(untold_ms) \
	between NUMBER(clock_ms)

/* Their names in SQL, and what makes an insert an update. */
#define COLUMN_NAME(column) #column
#define COLUMN_UPDATE(column) #column " = excluded." #column
#define PACE_NAMES PACE_COLUMNS(COLUMN_NAME, COLUMN_NAME, ", ")
#define ROW_NAMES ROW_COLUMNS(COLUMN_NAME, COLUMN_NAME, ", ")
#define PACE_UPDATES PACE_COLUMNS(COLUMN_UPDATE, COLUMN_UPDATE, ", ")

/* The statements that both engines have, each in its own SQL. */
#define COMMON_STATEMENTS PUT, VERSION_NOW, SPAN, COUNT_ONE, READ, CLAIM, \
	FORGET_NAMELESS, SETTLE, SET_ASIDE, POSTPONE, RECALL, TELL, \
	LAST_DONE, KEEP_PACE, COUNT, WAITS, DELETE, LIST, \
	NAMES, RETRY_ID, RETRY_NUMBER, RETRY_ALL, REMOVE_ID, \
	REMOVE_NUMBER, REMOVE_ALL, FORGET_REMOVED, HURRY

struct queue_engine {
	const char *scheme;	/* what an address begins with, ":" included */

	/* See queue_is_there(). NULL: always. */
	bool (*is_there)(const char *address);
	struct store *(*open)(const struct queue_options *options,
	    enum queue_result *result, struct buf *why);
	void (*close)(struct store *s);

	enum queue_result (*put)(struct store *s, struct stored *rows,
	    size_t count, int64_t now_ms, struct buf *why);
	enum queue_result (*read)(struct store *s, const char *destination,
	    size_t max, int64_t now_ms, store_take *take, void *context,
	    struct buf *why);
	enum queue_result (*change)(struct store *s, enum queue_change change,
	    const struct queue_batch *batch, int64_t now_ms, struct buf *why);
	enum queue_result (*count)(struct store *s, const char *destination,
	    const char *pace_of, struct queue_tally *tally, struct buf *why);
	enum queue_result (*last_done)(struct store *s, int64_t until_ms,
	    int64_t *done_ms, struct buf *why);
	/* Deletes up to max rows; *count gets how many they were. Whoever
	 * has a clock of its own goes by the earlier one. */
	enum queue_result (*purge)(struct store *s, int64_t retention_ms,
	    int64_t now_ms, size_t max, store_take *take, void *context,
	    size_t *count, struct buf *why);
	/* Waiting and set aside rows of a number above after, up to max. */
	enum queue_result (*list)(struct store *s, int64_t after, size_t max,
	    store_take *take, void *context, struct buf *why);
	enum queue_result (*names)(struct store *s,
	    void (*take)(void *context, const char *name), void *context,
	    struct buf *why);
	/* By log_id, or else by number, or else all that are set aside. */
	enum queue_result (*edit)(struct store *s, enum queue_edit edit,
	    const char *log_id, int64_t number, int64_t now_ms,
	    int64_t *count, struct buf *why);
	enum queue_result (*hurry)(struct store *s, const char *destination,
	    struct buf *why);
	enum queue_result (*verify)(struct store *s, struct buf *why);

	/* See queue_begin_turn(). NULL, all three: one worker has all. */
	enum queue_result (*begin_turn)(struct store *s,
	    const char *destination, bool *mine, struct buf *why);
	void (*end_turn)(struct store *s, const char *destination);
	bool (*has_turn)(struct store *s, const char *destination);

	enum queue_result (*waits)(struct store *s,
	    const char *const *destinations, size_t count, bool *waits,
	    struct buf *why);

	/* A path in the directory whose owner is the programs' user; the
	 * caller frees it. Without lock_worker it is the worker's file. */
	char *(*own_path_dup)(const char *address);

	/* See queue_lock_take() and what follows it. NULL, all of them: a
	 * file is locked. */
	enum queue_result (*lock_worker)(struct store *s, bool *mine,
	    struct buf *why);
	bool (*has_worker_lock)(struct store *s);
	void (*unlock_worker)(struct store *s);
	enum queue_result (*sign)(struct store *s, const char *note,
	    struct buf *why);
	enum queue_result (*find_worker)(struct store *s,
	    struct queue_holder *holder, struct buf *why);
	void (*note)(struct store *s, const char *note);
	void (*read_note)(struct store *s, struct buf *note);

	/* See queue_machines(). NULL: no other machine has it. */
	enum queue_result (*machines)(struct store *s,
	    queue_show_machine *show, void *context, struct buf *why);
};

extern const struct queue_engine queue_sqlite;
extern const struct queue_engine queue_pgsql;	/* where there is libpq */
extern const char pgsql_schema[];

/* The journal mode for a version of SQLite, as sqlite3_libversion_number()
 * has it: "wal" or "truncate". */
const char *queue_sqlite_journal(int version, bool on_network);

#endif
