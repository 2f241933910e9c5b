/* SPDX-License-Identifier: ISC */
/*
 * insert QUEUE FILE ROWS SECONDS: how many rows a second SQLite takes when
 * nothing stands between: one process, one table without an index, so many
 * rows a transaction, journal and sync as the queue has them. A row holds
 * what the first one in QUEUE does. Prints the rows and the microseconds.
 */
#include "queue/sqlite/queue_sqlite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static sqlite3 *
open_or_exit(const char *path, int flags)
{
	sqlite3 *db;

	if (sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(db, 5000) == SQLITE_OK)
		return db;
	fprintf(stderr, "insert: %s: %s\n", path, sqlite3_errmsg(db));
	exit(1);
}

static void
run_or_exit(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return;
	fprintf(stderr, "insert: %s: %s\n", sql, sqlite3_errmsg(db));
	exit(1);
}

static sqlite3_stmt *
prepare_or_exit(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK)
		return statement;
	fprintf(stderr, "insert: %s: %s\n", sql, sqlite3_errmsg(db));
	exit(1);
}

/* A log_id and a record, bound to the insertion. */
static void
copy_row(const char *queue, sqlite3_stmt *insertion)
{
	sqlite3 *db = open_or_exit(queue, SQLITE_OPEN_READONLY);
	sqlite3_stmt *row = prepare_or_exit(db,
	    "SELECT log_id, record FROM event LIMIT 1");

	if (sqlite3_step(row) != SQLITE_ROW) {
		fprintf(stderr, "insert: %s: has no row\n", queue);
		exit(1);
	}
	sqlite3_bind_value(insertion, 1, sqlite3_column_value(row, 0));
	sqlite3_bind_value(insertion, 2, sqlite3_column_value(row, 1));
	sqlite3_finalize(row);
	sqlite3_close(db);
}

static sqlite3 *
make(const char *path)
{
	sqlite3 *db = open_or_exit(path,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	char journal[64];

	snprintf(journal, sizeof(journal), "PRAGMA journal_mode = %s",
	    queue_sqlite_journal(sqlite3_libversion_number(), false));
	run_or_exit(db, journal);
	run_or_exit(db, "PRAGMA synchronous = FULL");
	run_or_exit(db, "CREATE TABLE IF NOT EXISTS event "
	    "(number INTEGER PRIMARY KEY, log_id TEXT, record TEXT)");
	return db;
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
insert(sqlite3 *db, sqlite3_stmt *insertion, long rows)
{
	run_or_exit(db, "BEGIN IMMEDIATE");
	for (; rows > 0; rows--) {
		if (sqlite3_step(insertion) != SQLITE_DONE)
			exit(1);
		sqlite3_reset(insertion);
	}
	run_or_exit(db, "COMMIT");
}

int
main(int argc, char **argv)
{
	long rows, count = 0;
	int64_t begin, length;
	sqlite3_stmt *insertion;
	sqlite3 *db;

	if (argc != 5)
		return 2;
	rows = strtol(argv[3], NULL, 10);
	length = 1000000 * strtol(argv[4], NULL, 10);
	db = make(argv[2]);
	insertion = prepare_or_exit(db,
	    "INSERT INTO event (log_id, record) VALUES (?1, ?2)");
	copy_row(argv[1], insertion);
	for (begin = now_us(); now_us() - begin < length; count += rows)
		insert(db, insertion, rows);
	printf("%ld %" PRId64 "\n", count, now_us() - begin);
	sqlite3_finalize(insertion);
	return sqlite3_close(db) != SQLITE_OK;
}
