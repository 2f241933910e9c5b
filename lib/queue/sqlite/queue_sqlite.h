/* SPDX-License-Identifier: ISC */
/*
 * What the files of the SQLite engine share: an open database and its
 * statements. For queue_sqlite*.c alone, the only users of sqlite3.h.
 */
#ifndef QUEUE_SQLITE_H
#define QUEUE_SQLITE_H

#include "queue/queue_engine.h"
#include "queue/queue_room.h"

#include <sqlite3.h>

#define SCHEMA 2		/* the version of the tables that this
				 * program uses: PRAGMA user_version */

enum statement {
	COMMON_STATEMENTS,
	BEGIN,
	COMMIT,
	ROLLBACK,
	PUT_DESTINATION,
	OLD,
	STATEMENTS
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	char *path;
	struct rooms rooms;
	int turn;		/* a descriptor: see store_wait_for_turn() */
};

/* ------------------------------------------------------ queue_sqlite.c */

room_count store_count_waiting;

/* ------------------------------------------------- queue_sqlite_open.c */

/* As queue_engine.h has them. */
bool store_is_there(const char *address);
struct store *store_open(const struct queue_options *options,
    enum queue_result *result, struct buf *why);
void store_close(struct store *s);
char *store_lock_path_dup(const char *address);

/* ------------------------------------------------ queue_sqlite_place.c */

/* The kind of network file system path is or would be on; NULL: none. */
const char *store_network(const char *path);

/*
 * Whether a queue may be at path, where an empty file is made if there is
 * none. False, with *why: on another machine's disk (unless on_network),
 * in a directory that every user may write to, or that belongs to another
 * user than ours and root; or when the file, or one that SQLite or we put
 * beside it, is no regular file, belongs to another user, or is open to
 * all.
 */
bool store_check_place(const char *path, const char *network,
    bool on_network, struct buf *why);

/* ------------------------------------------------ queue_sqlite_store.c */

/* To be called before the first database is opened: for store_fail(). */
void store_listen(void);

/*
 * Says what failed, right after it did, with SQLite's and the system's
 * words and what to do, and returns what it means.
 */
enum queue_result store_fail(struct store *s, const char *what,
    struct buf *why);

/*
 * The statement, ready for its parameters; NULL when it cannot be made. That
 * fails when it is stepped: SQLite refuses to bind to it, and that is all.
 */
sqlite3_stmt *store_statement(struct store *s, enum statement which);

/* Text that outlives the statement's run; NULL is SQL's. */
void store_bind_text(sqlite3_stmt *st, int at, const char *text);

/*
 * Takes one step. True with a row; false at the end, or when it failed:
 * *good tells. The statement is then ready for its next use.
 */
bool store_step(sqlite3_stmt *st, bool *good);

/* Runs a statement that gives no rows; false when it failed. */
bool store_run(sqlite3_stmt *st);

/* Runs one that gives a number, which stays as it is where there is none. */
bool store_take_number(sqlite3_stmt *st, int64_t *number);

/* store_run() without parameters. */
bool store_run_plain(struct store *s, enum statement which);

/* Runs any SQL, which gives no rows. */
bool store_execute(struct store *s, const char *text);

/* The first number of the first row that text selects; -1 on failure. */
int64_t store_ask_number(struct store *s, const char *text);

/* The same for a word, which is *word's first 15 letters. */
bool store_ask_word(struct store *s, const char *text, char word[16]);

/*
 * Our processes write in turn. Waiting in SQLite itself, they would look
 * at the file again and again, which keeps the one that writes from ending,
 * and newcomers would overtake: some waited for seconds. A turn that cannot
 * be had only costs time; SQLite's own locks stay what protects the file.
 * While it waits it uses SIGALRM and ITIMER_REAL.
 */
void store_wait_for_turn(struct store *s);
/* Whether anybody ever wrote: before, there may be no such file. */
bool store_has_turns(const struct store *s);
void store_end_turn(struct store *s);

/* QUEUE_REPLACED when the file is not where it was: see queue.h. */
enum queue_result store_check_unmoved(struct store *s, struct buf *why);

/*
 * Begins a transaction that writes; when it fails none is open. It does
 * where a newer program has changed the tables since they were opened.
 */
enum queue_result store_begin(struct store *s, struct buf *why);

/* The same whatever the version of the tables. */
enum queue_result store_begin_any(struct store *s, struct buf *why);

/*
 * Ends it: as a whole when result is QUEUE_OK, else not at all. Returns
 * result, or how the commit failed.
 */
enum queue_result store_finish(struct store *s, enum queue_result result,
    struct buf *why);

#endif
