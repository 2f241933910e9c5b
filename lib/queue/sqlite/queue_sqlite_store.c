/* SPDX-License-Identifier: ISC */
/* An open database: its statements, transactions and errors. */
#include "queue/sqlite/queue_sqlite.h"

#include "base/clock.h"
#include "base/ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#define TURN_S 10		/* see BUSY_MS */
#define TURN_AGAIN_US 100000

/* What a row is read from, for take_row(). */
#define COLUMNS ROW_NAMES ", reason, record"

/*
 * Conditions as the indexes have them (SQLite, "Partial Indexes": one is
 * used where its own condition is a term of the query's).
 */
#define WAITING "state = 0"
#define LISTED "state < 2"
#define DONE "state > 0"

/* What names a row: see struct queue_key. */
#define KEY "number = ?1 AND nonce = ?2"

#define PARAMETER(column) "?"

/* The same rows for both statements that name them in one transaction. */
#define FIRST_OLD " FROM event WHERE " DONE " AND state IN (1, 2)" \
	" AND changed_ms < ?1 AND (state = 2 OR told)" \
	" ORDER BY state, changed_ms, number LIMIT ?2"

/* What was set aside waits again; what is there is gone. */
#define RETRY "UPDATE event SET state = 0, changed_ms = ?2, reason = NULL," \
	" later_ms = 0 WHERE state = 1"
#define REMOVE "UPDATE event SET state = 2, changed_ms = ?2," \
	" record = NULL, reason = NULL"

static const char *const sql[STATEMENTS] = {
	/* A deferred one that then writes may fail with BUSY at once. */
	[BEGIN] = "BEGIN IMMEDIATE",
	[VERSION_NOW] = "PRAGMA user_version",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[PUT] = "INSERT INTO event (destination, log_id, type, record,"
		" queued_ms, changed_ms, nonce)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)"
		" ON CONFLICT (log_id, destination) DO NOTHING",
	[PUT_DESTINATION] = "INSERT INTO destination (name) VALUES (?1)"
		" ON CONFLICT (name) DO NOTHING",
	/* As many as can wait at the most but for those that are postponed,
	 * at next to no cost. */
	[SPAN] = "SELECT ifnull((SELECT max(number) FROM event)"
		" - (SELECT number FROM event"
		"  WHERE " WAITING " AND destination = ?1 AND later_ms = 0"
		"  ORDER BY number LIMIT 1) + 1, 0)",
	[COUNT_ONE] = "SELECT count(*) FROM event"
		" WHERE " WAITING " AND destination = ?1",
	[READ] = "SELECT " COLUMNS " FROM event"
		" WHERE " WAITING " AND destination = ?1 AND later_ms <= ?3"
		" ORDER BY later_ms, number LIMIT ?2",
	[CLAIM] = "UPDATE event SET tries = tries + 1"
		" WHERE " KEY " AND state = 0",
	[FORGET_NAMELESS] = "DELETE FROM event"
		" WHERE " KEY " AND log_id IS NULL",
	[SETTLE] = "UPDATE event SET state = 2, changed_ms = ?3,"
		" record = NULL, reason = NULL WHERE " KEY,
	[SET_ASIDE] = "UPDATE event SET state = 1, changed_ms = ?3,"
		" reason = ?4, told = 0, later_ms = 0"
		" WHERE " KEY " AND state = 0",
	[POSTPONE] = "UPDATE event SET later_ms = ?5"
		" WHERE " KEY " AND state = 0 AND queued_ms >= ?6",
	[RECALL] = "UPDATE event SET state = 0, changed_ms = ?2,"
		" reason = NULL WHERE state = 1 AND destination = ?1"
		" AND reason = ?3 AND changed_ms >= ?4",
	[TELL] = "UPDATE event SET told = 1"
		" WHERE state = 1 AND destination = ?1 AND told = 0",
	[LAST_DONE] = "SELECT max("
		" ifnull((SELECT max(changed_ms) FROM event"
		"  WHERE " DONE " AND state = 1 AND changed_ms <= ?1), 0),"
		" ifnull((SELECT max(changed_ms) FROM event"
		"  WHERE " DONE " AND state = 2 AND changed_ms <= ?1), 0))",
	[KEEP_PACE] = "INSERT INTO destination (name, " PACE_NAMES ")"
		" VALUES (?, " PACE_COLUMNS(PARAMETER, PARAMETER, ", ") ")"
		" ON CONFLICT (name) DO UPDATE SET " PACE_UPDATES,
	/* There is no clock but the program's own. */
	[COUNT] = "SELECT (SELECT count(*) FROM event"
		"  WHERE " WAITING " AND destination = ?1),"
		" coalesce(min(f.queued_ms, p.queued_ms), f.queued_ms,"
		"  p.queued_ms), p.count, p.later_ms,"
		" (SELECT count(*) FROM event"
		"  WHERE state = 1 AND destination = ?1),"
		" u.count, u.changed_ms, 0, " PACE_NAMES
		" FROM (SELECT count(*) AS count, min(later_ms) AS later_ms,"
		"  min(queued_ms) AS queued_ms FROM event"
		"  WHERE " WAITING " AND destination = ?1 AND later_ms > 0)"
		"  AS p,"
		" (SELECT count(*) AS count, min(changed_ms) AS changed_ms"
		"  FROM event WHERE state = 1 AND destination = ?1"
		"  AND told = 0) AS u"
		" LEFT JOIN (SELECT queued_ms FROM event"
		"  WHERE " WAITING " AND destination = ?1 AND later_ms = 0"
		"  ORDER BY number LIMIT 1) AS f ON 1"
		" LEFT JOIN destination ON name = ?2",
	[WAITS] = "SELECT 1 FROM event"
		" WHERE " WAITING " AND destination = ?1 LIMIT 1",
	[OLD] = "SELECT " COLUMNS FIRST_OLD,
	[DELETE] = "DELETE FROM event WHERE number IN"
		" (SELECT number" FIRST_OLD ")",
	/* What waits has no reason of its own, but that of its destination. */
	[LIST] = "SELECT " ROW_NAMES ", CASE state WHEN 1 THEN reason ELSE"
		"  (SELECT error FROM destination"
		"  WHERE name = destination AND failures > 0) END, NULL"
		" FROM event WHERE " LISTED " AND number > ?1"
		" ORDER BY number LIMIT ?2",
	[NAMES] = "SELECT name FROM destination ORDER BY name",
	[RETRY_ID] = RETRY " AND log_id = ?1",
	[RETRY_NUMBER] = RETRY " AND number = ?1",
	[RETRY_ALL] = RETRY " AND " DONE,
	[REMOVE_ID] = REMOVE " WHERE log_id = ?1 AND state < 2",
	[REMOVE_NUMBER] = REMOVE " WHERE number = ?1 AND state < 2",
	[REMOVE_ALL] = REMOVE " WHERE " DONE " AND state = 1",
	[FORGET_REMOVED] = "DELETE FROM event"
		" WHERE " DONE " AND state = 2 AND changed_ms = ?1"
		" AND log_id IS NULL",
	[HURRY] = "UPDATE destination SET until_ms = obey_ms, failures = 0"
		" WHERE (?1 IS NULL OR name = ?1) AND until_ms > obey_ms",
};

/* ------------------------------------------------------------- errors */

/* What to do about it, where there is something. */
static const struct {
	int code;
	const char *advice;
} advices[] = {
	{ SQLITE_BUSY, "another process has it locked" },
	{ SQLITE_CORRUPT, "move it and its -journal and -wal away and a new "
	    "one is made; \"sqlite3 FILE .recover\" may save what is in it" },
	{ SQLITE_NOTADB, "move it away and a new one is made" },
	{ SQLITE_FULL, "make room on its disk, or raise QUEUE_MAX" },
	{ SQLITE_READONLY, "the user of this program must be able to write "
	    "to the file and its directory" },
	{ SQLITE_CANTOPEN, "the user of this program must be able to write "
	    "to the file and its directory" },
};

static bool
is_no_space(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

/*
 * The system call that failed, and how. SQLite tells it to a listener alone
 * (SQLite, "The Error And Warning Log"), of which a process has one.
 */
static struct {
	int error;
	char call[32];
} cause;

/* "os_unix.c:44411: (28) full_fsync(/path) - ..." */
static void
note_cause(void *context, int code, const char *text)
{
	const char *number = strchr(text, '('), *call;

	(void)context;
	(void)code;
	if (!number || strncmp(text, "os_unix.c:", 10) != 0)
		return;
	cause.error = (int)strtol(number + 1, NULL, 10);
	call = strchr(number, ')');
	call = call ? call + 1 + strspn(call + 1, " ") : "";
	snprintf(cause.call, sizeof(cause.call), "%.*s",
	    (int)strcspn(call, "("), call);
}

void
store_listen(void)
{
	/* Refused, to no harm, once SQLite is in use. */
	sqlite3_config(SQLITE_CONFIG_LOG, note_cause, NULL);
}

/*
 * What a result code of SQLite means. Only a full disk on writing becomes
 * SQLITE_FULL by itself; on other calls it is another error.
 */
static enum queue_result
judge(int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return QUEUE_BUSY;
	case SQLITE_FULL:
		return QUEUE_FULL;
	case SQLITE_NOMEM:
		mem_exhausted();
	default:
		return is_no_space(cause.error) ? QUEUE_FULL : QUEUE_FAILED;
	}
}

enum queue_result
store_fail(struct store *s, const char *what, struct buf *why)
{
	int code = sqlite3_extended_errcode(s->db);
	enum queue_result result = judge(code);
	size_t i;

	buf_addf(why, "%s: %s: %s", s->path, what, sqlite3_errmsg(s->db));
	if (cause.error != 0)
		buf_addf(why, " (%s: %s)", cause.call, strerror(cause.error));
	else if ((code & 0xff) == SQLITE_IOERR)
		buf_addf(why, " (%d)", code);
	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if ((code & 0xff) == advices[i].code)
			buf_addf(why, ": %s", advices[i].advice);
	cause.error = 0;
	return result;
}

/* -------------------------------------------------------- statements */

sqlite3_stmt *
store_statement(struct store *s, enum statement which)
{
	sqlite3_stmt **st = &s->statements[which];

	if (!*st)
		sqlite3_prepare_v3(s->db, sql[which], -1,
		    SQLITE_PREPARE_PERSISTENT, st, NULL);
	return *st;
}

void
store_bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

bool
store_step(sqlite3_stmt *st, bool *good)
{
	int code = st ? sqlite3_step(st) : SQLITE_MISUSE;

	if (code == SQLITE_ROW)
		return true;
	*good = st && sqlite3_reset(st) == SQLITE_OK && code == SQLITE_DONE;
	return false;
}

bool
store_run(sqlite3_stmt *st)
{
	bool good;

	while (store_step(st, &good))
		;
	return good;
}

bool
store_take_number(sqlite3_stmt *st, int64_t *number)
{
	bool good;

	while (store_step(st, &good))
		*number = sqlite3_column_int64(st, 0);
	return good;
}

bool
store_run_plain(struct store *s, enum statement which)
{
	return store_run(store_statement(s, which));
}

static char *
turn_path_dup(const struct store *s)
{
	struct buf path = BUF_INIT;

	buf_addf(&path, "%s-turn", s->path);
	return buf_detach(&path);
}

bool
store_has_turns(const struct store *s)
{
	char *path = turn_path_dup(s);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static void
wake(int signal)
{
	(void)signal;
}

/*
 * Waits for the lock itself: whoever looked at it now and then would come
 * after those that come back for the next turn at once. flock(2) knows no
 * time-out, so an alarm ends it; it repeats, because one that comes right
 * before the call ends nothing.
 */
static void
wait_for_lock(int fd)
{
	static const struct itimerval off;
	const struct itimerval on = { { 0, TURN_AGAIN_US },
	    { TURN_S, 0 } };
	struct sigaction action = { 0 }, before;
	int64_t end = clock_ms() + TURN_S * 1000;
	sigset_t alarm, mask;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	action.sa_handler = wake;
	sigaction(SIGALRM, &action, &before);
	sigprocmask(SIG_UNBLOCK, &alarm, &mask);
	setitimer(ITIMER_REAL, &on, NULL);
	while (flock(fd, LOCK_EX) < 0 && errno == EINTR && clock_ms() < end)
		;
	setitimer(ITIMER_REAL, &off, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGALRM, &before, NULL);
}

void
store_wait_for_turn(struct store *s)
{
	char *path;

	if (s->turn < 0) {
		path = turn_path_dup(s);
		s->turn = ownfile_open(path, O_RDWR, 0600);
		free(path);
	}
	if (s->turn >= 0 && flock(s->turn, LOCK_EX | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK)
		wait_for_lock(s->turn);
}

void
store_end_turn(struct store *s)
{
	if (s->turn >= 0)
		flock(s->turn, LOCK_UN);
}

/*
 * A file that was moved away could still be used by who has it open, and
 * nobody else would ever see what is put there.
 */
enum queue_result
store_check_unmoved(struct store *s, struct buf *why)
{
	int moved = 0;

	sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return QUEUE_OK;
	buf_addf(why, "%s: was moved away or replaced: it has to be opened "
	    "anew", s->path);
	return QUEUE_REPLACED;
}

enum queue_result
store_finish(struct store *s, enum queue_result result, struct buf *why)
{
	if (result == QUEUE_OK && !store_run_plain(s, COMMIT))
		result = store_fail(s, "cannot be written to", why);
	if (result != QUEUE_OK && !sqlite3_get_autocommit(s->db))
		store_run_plain(s, ROLLBACK);
	store_end_turn(s);
	cause.error = 0; /* of what SQLite got over */
	return result;
}

/* A program that runs on may not write what it does not understand. */
static enum queue_result
check_version_now(struct store *s, struct buf *why)
{
	int64_t version = -1;

	if (!store_take_number(store_statement(s, VERSION_NOW), &version))
		return store_fail(s, "cannot be read", why);
	if (version == SCHEMA)
		return QUEUE_OK;
	buf_addf(why, "%s: its tables are of another version now: it has to "
	    "be opened anew", s->path);
	return QUEUE_REPLACED;
}

enum queue_result
store_begin(struct store *s, struct buf *why)
{
	enum queue_result result = store_begin_any(s, why);

	if (result != QUEUE_OK)
		return result;
	result = check_version_now(s, why);
	return result == QUEUE_OK ? QUEUE_OK : store_finish(s, result, why);
}

enum queue_result
store_begin_any(struct store *s, struct buf *why)
{
	enum queue_result result;

	cause.error = 0;
	store_wait_for_turn(s);
	if (store_run_plain(s, BEGIN))
		result = store_check_unmoved(s, why);
	else
		result = store_fail(s, "cannot be written to", why);
	return result == QUEUE_OK ? QUEUE_OK : store_finish(s, result, why);
}

int64_t
store_ask_number(struct store *s, const char *text)
{
	sqlite3_stmt *st = NULL;
	int64_t number = -1;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		number = sqlite3_column_int64(st, 0);
	return sqlite3_finalize(st) == SQLITE_OK ? number : -1;
}

bool
store_ask_word(struct store *s, const char *text, char word[16])
{
	sqlite3_stmt *st = NULL;
	const unsigned char *answer;

	*word = '\0';
	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW &&
	    (answer = sqlite3_column_text(st, 0)) != NULL)
		snprintf(word, 16, "%s", (const char *)answer);
	return sqlite3_finalize(st) == SQLITE_OK && *word;
}

bool
store_execute(struct store *s, const char *text)
{
	return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK;
}
