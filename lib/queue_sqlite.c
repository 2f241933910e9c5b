/* SPDX-License-Identifier: ISC */
/*
 * The queue's rows in an SQLite file. The only user of sqlite3.h; it knows
 * nothing of events, pacing or Slack.
 *
 * What the pragmas below are for is said at each; the reasons are those of
 * SQLite's own documentation ("Atomic Commit", "WAL-mode File Format",
 * "Pragmas"), and of trials with power cuts.
 */
#include "queue_engine.h"

#include "clock.h"
#include "ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_SYS_VFS_H
#include <sys/vfs.h>
#endif

/* Together below every web server's own time-out, 40 s and more. */
#define TURN_MS 10000
#define BUSY_MS 5000
#define SCHEMA 1		/* PRAGMA user_version */
#define SCHEMA_NONE 0		/* no tables yet */
#define SCHEMA_OTHER (-2)	/* those of another program */
#define PAGES_LEAST 4096	/* of a file's limit, however small QUEUE_MAX */
#define SPARE_PAGES 256		/* free ones that are left in the file */
#define VACUUM_PAGES 4096	/* given back at a time */

/* "LS2S": the file is ours (SQLite, "PRAGMA application_id"). */
#define APPLICATION 0x4c533253

/*
 * In the order of the enum: 0 waits, 1 is set aside, 2 is gone, that is
 * delivered or removed, and only kept so that its log_id is known.
 */
static const char schema[] =
	"CREATE TABLE event ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" destination TEXT NOT NULL,"
	" log_id TEXT,"
	" type TEXT NOT NULL,"
	" state INTEGER NOT NULL DEFAULT 0,"
	" queued_ms INTEGER NOT NULL,"
	" changed_ms INTEGER NOT NULL,"
	" tries INTEGER NOT NULL DEFAULT 0,"
	" reason TEXT,"
	" record TEXT);"
	"CREATE UNIQUE INDEX event_known ON event (log_id, destination);"
	"CREATE INDEX event_waiting ON event (destination)"
	" WHERE state = 0;"
	"CREATE INDEX event_done ON event (state, changed_ms)"
	" WHERE state > 0;"
	"CREATE TABLE destination ("
	" name TEXT PRIMARY KEY,"
	" set_ms INTEGER NOT NULL DEFAULT 0,"
	" until_ms INTEGER NOT NULL DEFAULT 0,"
	" obey_ms INTEGER NOT NULL DEFAULT 0,"
	" failures INTEGER NOT NULL DEFAULT 0,"
	" suspects INTEGER NOT NULL DEFAULT 0,"
	" posting INTEGER NOT NULL DEFAULT 0,"
	" refused INTEGER NOT NULL DEFAULT 0,"
	" success_ms INTEGER NOT NULL DEFAULT 0,"
	" error_ms INTEGER NOT NULL DEFAULT 0,"
	" error TEXT NOT NULL DEFAULT '');";

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	PUT,
	PUT_DESTINATION,
	COUNT_ALL,
	READ,
	CLAIM,
	FORGET_NAMELESS,
	SETTLE,
	SET_ASIDE,
	KEEP_PACE,
	COUNT_WAITING,
	COUNT_ASIDE,
	FIND_PACE,
	OLD,
	DELETE,
	LIST,
	NAMES,
	RETRY_ID,
	RETRY_NUMBER,
	RETRY_ALL,
	REMOVE_ID,
	REMOVE_NUMBER,
	REMOVE_ALL,
	FORGET_REMOVED,
	HURRY,
	STATEMENTS
};

/* What a row is read from, in the order of take_row(). */
#define COLUMNS "number, destination, log_id, type, state, queued_ms, " \
	"tries, reason, record"

static const char *const sql[STATEMENTS] = {
	/* A deferred one that then writes may fail with BUSY at once. */
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[PUT] = "INSERT INTO event (destination, log_id, type, record,"
		" queued_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
		" ON CONFLICT (log_id, destination) DO NOTHING",
	[PUT_DESTINATION] = "INSERT INTO destination (name) VALUES (?1)"
		" ON CONFLICT (name) DO NOTHING",
	[COUNT_ALL] = "SELECT count(*) FROM event WHERE state = 0",
	[READ] = "SELECT " COLUMNS " FROM event"
		" WHERE state = 0 AND destination = ?1"
		" ORDER BY number LIMIT ?2",
	[CLAIM] = "UPDATE event SET tries = tries + 1"
		" WHERE number = ?1 AND state = 0",
	[FORGET_NAMELESS] = "DELETE FROM event"
		" WHERE number = ?1 AND log_id IS NULL",
	[SETTLE] = "UPDATE event SET state = 2, changed_ms = ?2,"
		" record = NULL, reason = NULL WHERE number = ?1",
	[SET_ASIDE] = "UPDATE event SET state = 1, changed_ms = ?2,"
		" reason = ?3 WHERE number = ?1 AND state = 0",
	[KEEP_PACE] = "INSERT INTO destination (name, set_ms, until_ms,"
		" obey_ms, failures, suspects, posting, refused, success_ms,"
		" error_ms, error)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
		" ON CONFLICT (name) DO UPDATE SET set_ms = ?2,"
		" until_ms = ?3, obey_ms = ?4, failures = ?5, suspects = ?6,"
		" posting = ?7, refused = ?8, success_ms = ?9,"
		" error_ms = ?10, error = ?11",
	[COUNT_WAITING] = "SELECT count(*), (SELECT queued_ms FROM event"
		"  WHERE state = 0 AND destination = ?1"
		"  ORDER BY number LIMIT 1)"
		" FROM event WHERE state = 0 AND destination = ?1",
	[COUNT_ASIDE] = "SELECT count(*) FROM event"
		" WHERE state = 1 AND destination = ?1",
	[FIND_PACE] = "SELECT set_ms, until_ms, obey_ms, failures, suspects,"
		" posting, refused, success_ms, error_ms, error"
		" FROM destination WHERE name = ?1",
	[OLD] = "SELECT " COLUMNS " FROM event"
		" WHERE state > 0 AND state IN (1, 2) AND changed_ms < ?1"
		" LIMIT ?2",
	[DELETE] = "DELETE FROM event WHERE number = ?1",
	/* What waits has no reason of its own, but that of its destination. */
	[LIST] = "SELECT number, destination, log_id, type, state,"
		" queued_ms, tries, CASE state WHEN 1 THEN reason ELSE"
		"  (SELECT error FROM destination"
		"  WHERE name = destination AND failures > 0) END, NULL"
		" FROM event WHERE number > ?1 AND state < 2"
		" ORDER BY number LIMIT ?2",
	[NAMES] = "SELECT name FROM destination ORDER BY name",
	[RETRY_ID] = "UPDATE event SET state = 0, changed_ms = ?2,"
		" reason = NULL WHERE log_id = ?1 AND state = 1",
	[RETRY_NUMBER] = "UPDATE event SET state = 0, changed_ms = ?2,"
		" reason = NULL WHERE number = ?1 AND state = 1",
	[RETRY_ALL] = "UPDATE event SET state = 0, changed_ms = ?2,"
		" reason = NULL WHERE state > 0 AND state = 1",
	[REMOVE_ID] = "UPDATE event SET state = 2, changed_ms = ?2,"
		" record = NULL, reason = NULL WHERE log_id = ?1 AND state < 2",
	[REMOVE_NUMBER] = "UPDATE event SET state = 2, changed_ms = ?2,"
		" record = NULL, reason = NULL WHERE number = ?1 AND state < 2",
	[REMOVE_ALL] = "UPDATE event SET state = 2, changed_ms = ?2,"
		" record = NULL, reason = NULL WHERE state > 0 AND state = 1",
	[FORGET_REMOVED] = "DELETE FROM event"
		" WHERE state > 0 AND state = 2 AND changed_ms = ?1"
		" AND log_id IS NULL",
	[HURRY] = "UPDATE destination SET until_ms = obey_ms, failures = 0"
		" WHERE (?1 IS NULL OR name = ?1) AND until_ms > obey_ms",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	char *path;
	int64_t max_waiting;
	int turn;		/* a descriptor: see wait_for_turn() */
};

/* ------------------------------------------------------------- errors */

/* What to do about it, where there is something. */
static const struct {
	int code;
	const char *advice;
} advices[] = {
	{ SQLITE_BUSY, "another process has it locked" },
	{ SQLITE_CORRUPT, "move the file away and a new one is made; "
	    "\"sqlite3 FILE .recover\" may save what is in it" },
	{ SQLITE_NOTADB, "move the file away and a new one is made" },
	{ SQLITE_FULL, "make room on its disk" },
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
 * What a result code of SQLite means. Only a full disk on writing becomes
 * SQLITE_FULL by itself; on other calls it is an I/O error.
 */
static enum queue_result
judge(int code, int error)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return QUEUE_BUSY;
	case SQLITE_FULL:
		return QUEUE_FULL;
	case SQLITE_IOERR:
		return is_no_space(error) ? QUEUE_FULL : QUEUE_FAILED;
	case SQLITE_NOMEM:
		mem_exhausted();
	default:
		return QUEUE_FAILED;
	}
}

/* Says what failed and returns what it means. */
static enum queue_result
fail(struct store *s, const char *what, struct buf *why)
{
	int code = sqlite3_extended_errcode(s->db);
	int error = sqlite3_system_errno(s->db);
	size_t i;

	buf_addf(why, "%s: %s: %s", s->path, what, sqlite3_errmsg(s->db));
	/* The system's word, where SQLite has kept it. */
	if ((code & 0xff) == SQLITE_IOERR)
		buf_addf(why, " (%d%s%s)", code, error ? ", " : "",
		    error ? strerror(error) : "");
	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if ((code & 0xff) == advices[i].code)
			buf_addf(why, ": %s", advices[i].advice);
	return judge(code, error);
}

/* -------------------------------------------------------- statements */

/* The statement, ready for its parameters; NULL when it cannot be made. */
static sqlite3_stmt *
statement(struct store *s, enum statement which)
{
	sqlite3_stmt **st = &s->statements[which];

	if (!*st)
		sqlite3_prepare_v3(s->db, sql[which], -1,
		    SQLITE_PREPARE_PERSISTENT, st, NULL);
	return *st;
}

/* Text that outlives the statement's run; NULL is SQL's. */
static void
bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

/*
 * Takes one step. True with a row; false at the end, or when it failed:
 * *good tells. The statement is then ready for its next use.
 */
static bool
step(sqlite3_stmt *st, bool *good)
{
	int code = sqlite3_step(st);

	if (code == SQLITE_ROW)
		return true;
	*good = sqlite3_reset(st) == SQLITE_OK && code == SQLITE_DONE;
	return false;
}

/* Runs a statement that gives no rows. */
static bool
run(sqlite3_stmt *st)
{
	bool good;

	if (!st)
		return false;
	while (step(st, &good))
		;
	return good;
}

static bool
run_plain(struct store *s, enum statement which)
{
	return run(statement(s, which));
}

/* Runs it with the number of an event, or with a name. */
static bool
run_number(struct store *s, enum statement which, int64_t number)
{
	sqlite3_stmt *st = statement(s, which);

	return st && sqlite3_bind_int64(st, 1, number) == SQLITE_OK &&
	    run(st);
}

/*
 * Our processes write in turn. Waiting in SQLite itself, they would look
 * at the file again and again, which keeps the one that writes from ending,
 * and newcomers would overtake: some waited for seconds. A turn that cannot
 * be had only costs time; SQLite's own locks stay what protects the file.
 */
static void
wait_for_turn(struct store *s)
{
	static const struct timespec pause = { 0, 300000 };
	int64_t end = clock_ms() + TURN_MS;
	struct buf path = BUF_INIT;

	if (s->turn < 0) {
		buf_addf(&path, "%s-turn", s->path);
		s->turn = ownfile_open(path.data, O_RDWR, 0600);
		buf_release(&path);
	}
	while (s->turn >= 0 && flock(s->turn, LOCK_EX | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK && clock_ms() < end)
		nanosleep(&pause, NULL);
}

static void
end_turn(struct store *s)
{
	if (s->turn >= 0)
		flock(s->turn, LOCK_UN);
}

/*
 * A file that was moved away could still be used by who has it open, and
 * nobody else would ever see what is put there.
 */
static enum queue_result
check_unmoved(struct store *s, struct buf *why)
{
	int moved = 0;

	sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return QUEUE_OK;
	buf_addf(why, "%s: was moved away or replaced: it has to be opened "
	    "anew", s->path);
	return QUEUE_FAILED;
}

/* Ends a transaction: as a whole when all went well, else not at all. */
static enum queue_result
finish(struct store *s, enum queue_result result, struct buf *why)
{
	if (result == QUEUE_OK && !run_plain(s, COMMIT))
		result = fail(s, "cannot be written to", why);
	if (result != QUEUE_OK && !sqlite3_get_autocommit(s->db))
		run_plain(s, ROLLBACK);
	end_turn(s);
	return result;
}

static enum queue_result
begin(struct store *s, struct buf *why)
{
	enum queue_result result;

	wait_for_turn(s);
	if (run_plain(s, BEGIN))
		result = check_unmoved(s, why);
	else
		result = fail(s, "cannot be written to", why);
	return result == QUEUE_OK ? QUEUE_OK : finish(s, result, why);
}

/* The first number of the first row that text selects; -1 on failure. */
static int64_t
ask_number(struct store *s, const char *text)
{
	sqlite3_stmt *st = NULL;
	int64_t number = -1;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		number = sqlite3_column_int64(st, 0);
	return sqlite3_finalize(st) == SQLITE_OK ? number : -1;
}

/* The same for a word, which is *word's first 15 letters. */
static bool
ask_word(struct store *s, const char *text, char word[16])
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

static bool
execute(struct store *s, const char *text)
{
	return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* -------------------------------------------------------------- place */

#ifdef HAVE_SYS_VFS_H
/* File systems of other machines: statfs(2), f_type. */
static const struct {
	unsigned long type;
	const char *name;
} networks[] = {
	{ 0x6969, "NFS" },
	{ 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB" },
	{ 0x517b, "SMB" },
	{ 0x5346414f, "AFS" },
	{ 0x6b414653, "AFS" },
	{ 0x73757245, "Coda" },
	{ 0x00c36400, "Ceph" },
	{ 0x0bd00bd0, "Lustre" },
	{ 0x01021997, "9P" },
};

/* The kind of network file system a file is or would be on; NULL: none. */
static const char *
network_of(const char *path)
{
	char *directory = mem_dup(path);
	struct statfs fs;
	size_t i;
	int got;

	*(strrchr(directory, '/') + 1) = '\0';
	got = statfs(directory, &fs);
	free(directory);
	if (got < 0)
		return NULL;
	for (i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (((unsigned long)fs.f_type & 0xffffffffUL) ==
		    networks[i].type)
			return networks[i].name;
	return NULL;
}
#else
static const char *
network_of(const char *path)
{
	(void)path;
	return NULL;
}
#endif

/* An empty file is a database to SQLite; made here, nobody else reads it. */
static bool
make_file(const char *path, struct buf *why)
{
	int fd = ownfile_open(path, O_RDWR, 0600);

	if (fd >= 0) {
		fchmod(fd, 0600); /* umask(2) may have taken too much */
		close(fd);
		return true;
	}
	buf_addf(why, "%s: cannot be opened: %s: make its directory, "
	    "writable for the user of this program", path, strerror(errno));
	return false;
}

static bool
check_file(const char *path, struct buf *why)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return make_file(path, why);
	if (!S_ISREG(st.st_mode)) {
		buf_addf(why, "%s: is not a regular file", path);
		return false;
	}
	if (st.st_mode & S_IRWXO) {
		buf_addf(why, "%s: every user of this machine may read or "
		    "write it: run chmod o-rwx on it", path);
		return false;
	}
	return true;
}

static bool
check_place(const struct queue_options *options, const char *path,
    struct buf *why)
{
	const char *network;

	network = network_of(path);
	if (!network || options->on_network)
		return check_file(path, why);
	buf_addf(why, "%s: lies on a network file system, %s, where locks "
	    "and syncs may not hold: put it on a local disk, or insist with "
	    "QUEUE_ON_NETWORK=yes", path, network);
	return false;
}

/* --------------------------------------------------------------- open */

/*
 * WAL mode loses committed rows when several connections write, in SQLite
 * 3.7.0 to 3.51.2 but for 3.50.7 and 3.44.6 and what follows them in their
 * lines (SQLite, "Write-Ahead Logging", the WAL-reset bug). A journal that
 * is truncated is as safe at every version; one that is deleted is not,
 * because the deletion may outlive the sync.
 */
const char *
queue_sqlite_journal(int version, bool on_network)
{
	bool mended = version >= 3051003 ||
	    (version >= 3050007 && version < 3051000) ||
	    (version >= 3044006 && version < 3045000);

	return mended && !on_network ? "wal" : "truncate";
}

/*
 * The limit of the file, on every connection anew: a page for each event
 * that may wait, which is more than most need. Whoever settles has a
 * quarter more, so that a full queue can be emptied.
 */
static bool
limit_size(struct store *s, const struct queue_options *options)
{
	int64_t pages = options->max_waiting + PAGES_LEAST;
	char text[64];

	if (options->settles)
		pages += pages / 4;
	snprintf(text, sizeof(text), "PRAGMA max_page_count = %" PRId64,
	    pages);
	return execute(s, text);
}

static enum queue_result
set_journal(struct store *s, bool on_network, struct buf *why)
{
	const char *mode = queue_sqlite_journal(sqlite3_libversion_number(),
	    on_network);
	char text[64], word[16];

	snprintf(text, sizeof(text), "PRAGMA journal_mode = %s", mode);
	if (!ask_word(s, text, word))
		return fail(s, "cannot be opened", why);
	if (strcmp(word, mode) != 0) {
		buf_addf(why, "%s: its journal mode is %s and cannot be made "
		    "%s now: another process has it open", s->path, word,
		    mode);
		return QUEUE_BUSY;
	}
	/* FULL: in WAL mode too every commit is on disk when it returns. */
	if (!execute(s, "PRAGMA synchronous = FULL") ||
	    ask_number(s, "PRAGMA synchronous") != 2)
		return fail(s, "cannot be opened", why);
	return QUEUE_OK;
}

/* In one statement: tables and version are made in one transaction. */
static int64_t
find_version(struct store *s)
{
	char text[256];

	snprintf(text, sizeof(text), "SELECT CASE"
	    " WHEN NOT EXISTS (SELECT 1 FROM sqlite_master) THEN %d"
	    " WHEN application_id = %d AND user_version > 0"
	    "  THEN user_version ELSE %d END"
	    " FROM pragma_application_id, pragma_user_version",
	    SCHEMA_NONE, APPLICATION, SCHEMA_OTHER);
	return ask_number(s, text);
}

static enum queue_result
check_version(struct store *s, int64_t version, struct buf *why)
{
	if (version == SCHEMA || version == SCHEMA_NONE)
		return QUEUE_OK;
	if (version == -1)
		return fail(s, "cannot be opened", why);
	if (version > SCHEMA)
		buf_addf(why, "%s: was made by a newer version of this "
		    "program (%" PRId64 "; this one knows %d)", s->path,
		    version, SCHEMA);
	else
		buf_addf(why, "%s: is a database of another program", s->path);
	return QUEUE_FAILED;
}

/* Several processes may get here at once: one of them makes the tables. */
static enum queue_result
make_schema(struct store *s, struct buf *why)
{
	enum queue_result result = begin(s, why);
	int64_t version;
	char text[96];

	if (result != QUEUE_OK)
		return result;
	snprintf(text, sizeof(text), "PRAGMA user_version = %d;"
	    "PRAGMA application_id = %d", SCHEMA, APPLICATION);
	version = find_version(s);
	if (version != SCHEMA_NONE)
		result = check_version(s, version, why);
	else if (!execute(s, schema) || !execute(s, text))
		result = fail(s, "cannot be made", why);
	return finish(s, result, why);
}

/*
 * Possible only before the first table. On a file that has tables it would
 * do nothing, but as a transaction that writes.
 */
static bool
prepare_to_shrink(struct store *s)
{
	int64_t pages = ask_number(s, "PRAGMA page_count");

	return pages > 0 || (pages == 0 &&
	    execute(s, "PRAGMA auto_vacuum = INCREMENTAL"));
}

static enum queue_result
set_up(struct store *s, const struct queue_options *options, struct buf *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	enum queue_result result;
	int64_t version;

	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		return fail(s, "cannot be opened", why);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	/* First of all: what follows would change the file of another. */
	version = find_version(s);
	result = check_version(s, version, why);
	if (result != QUEUE_OK)
		return result;
	if (!prepare_to_shrink(s) || !limit_size(s, options))
		return fail(s, "cannot be opened", why);
	result = set_journal(s, network_of(s->path) != NULL, why);
	if (result == QUEUE_OK && version == SCHEMA_NONE)
		result = make_schema(s, why);
	return result;
}

static const char *
path_of(const char *address)
{
	return address + strlen(queue_sqlite.scheme);
}

static char *
lock_path_dup(const char *address)
{
	struct buf lock = BUF_INIT;

	buf_addf(&lock, "%s-worker", path_of(address));
	return buf_detach(&lock);
}

static void
store_close(struct store *s)
{
	size_t i;

	for (i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	if (s->turn >= 0)
		close(s->turn);
	free(s->path);
	free(s);
}

static struct store *
store_open(const struct queue_options *options, enum queue_result *result,
    struct buf *why)
{
	const char *path = path_of(options->address);
	struct store *s;

	*result = QUEUE_FAILED;
	if (!check_place(options, path, why))
		return NULL;
	s = mem_alloc(sizeof(*s));
	memset(s, 0, sizeof(*s));
	s->path = mem_dup(path);
	s->max_waiting = options->max_waiting;
	s->turn = -1;
	*result = set_up(s, options, why);
	if (*result == QUEUE_OK)
		return s;
	store_close(s);
	return NULL;
}

/* ---------------------------------------------------------------- put */

static bool
put_row(struct store *s, struct stored *row, int64_t now_ms)
{
	sqlite3_stmt *st = statement(s, PUT);

	if (!st)
		return false;
	bind_text(st, 1, row->destination);
	bind_text(st, 2, row->log_id);
	bind_text(st, 3, row->type);
	bind_text(st, 4, row->record);
	sqlite3_bind_int64(st, 5, now_ms);
	if (!run(st))
		return false;
	row->duplicate = sqlite3_changes(s->db) == 0;
	return true;
}

static bool
put_destination(struct store *s, const char *name)
{
	sqlite3_stmt *st = statement(s, PUT_DESTINATION);

	if (!st)
		return false;
	bind_text(st, 1, name);
	return run(st);
}

/* The number that a statement gives; -1 on failure. */
static int64_t
run_count(struct store *s, enum statement which, const char *name)
{
	sqlite3_stmt *st = statement(s, which);
	int64_t number = -1;

	if (!st)
		return -1;
	if (name)
		bind_text(st, 1, name);
	if (sqlite3_step(st) == SQLITE_ROW)
		number = sqlite3_column_int64(st, 0);
	return sqlite3_reset(st) == SQLITE_OK ? number : -1;
}

static enum queue_result
check_room(struct store *s, struct buf *why)
{
	int64_t waiting = run_count(s, COUNT_ALL, NULL);

	if (waiting < 0)
		return fail(s, "cannot be read", why);
	if (waiting <= s->max_waiting)
		return QUEUE_OK;
	buf_addf(why, "%s: %" PRId64 " events would wait, and QUEUE_MAX is %"
	    PRId64, s->path, waiting, s->max_waiting);
	return QUEUE_FULL;
}

static enum queue_result
put_rows(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	const char *known = "";
	size_t i, added = 0;

	for (i = 0; i < count; i++) {
		if (!put_row(s, &rows[i], now_ms))
			return fail(s, "cannot be written to", why);
		if (rows[i].duplicate)
			continue;
		added++;
		if (strcmp(known, rows[i].destination) == 0)
			continue;
		known = rows[i].destination;
		if (!put_destination(s, known))
			return fail(s, "cannot be written to", why);
	}
	return added > 0 ? check_room(s, why) : QUEUE_OK;
}

static enum queue_result
store_put(struct store *s, struct stored *rows, size_t count, int64_t now_ms,
    struct buf *why)
{
	enum queue_result result = begin(s, why);

	if (result != QUEUE_OK)
		return result;
	return finish(s, put_rows(s, rows, count, now_ms, why), why);
}

/* --------------------------------------------------------------- read */

static const char *
text_at(sqlite3_stmt *st, int column)
{
	return (const char *)sqlite3_column_text(st, column);
}

/* Gives one row of COLUMNS away. */
static bool
take_row(sqlite3_stmt *st, store_take *take, void *context)
{
	struct queue_row row = { 0 };
	const char *record;

	row.number = sqlite3_column_int64(st, 0);
	row.destination = text_at(st, 1);
	row.log_id = text_at(st, 2);
	row.type = text_at(st, 3);
	row.state = (enum queue_state)sqlite3_column_int(st, 4);
	row.queued_ms = sqlite3_column_int64(st, 5);
	row.tries = sqlite3_column_int64(st, 6);
	row.reason = text_at(st, 7);
	record = text_at(st, 8);
	if (!row.destination)
		row.destination = "";
	if (!row.type)
		row.type = "";
	return take(context, &row, record,
	    record ? (size_t)sqlite3_column_bytes(st, 8) : 0);
}

/* Gives the rows of a bound statement away, as long as they are wanted. */
static enum queue_result
take_rows(struct store *s, sqlite3_stmt *st, store_take *take, void *context,
    struct buf *why)
{
	bool good;

	while (step(st, &good))
		if (!take_row(st, take, context)) {
			sqlite3_reset(st);
			return QUEUE_OK;
		}
	return good ? QUEUE_OK : fail(s, "cannot be read", why);
}

static enum queue_result
store_read(struct store *s, const char *destination, size_t max,
    store_take *take, void *context, struct buf *why)
{
	sqlite3_stmt *st = statement(s, READ);

	if (!st)
		return fail(s, "cannot be read", why);
	bind_text(st, 1, destination);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	return take_rows(s, st, take, context, why);
}

static enum queue_result
store_list(struct store *s, int64_t after, size_t max, store_take *take,
    void *context, struct buf *why)
{
	sqlite3_stmt *st = statement(s, LIST);

	if (!st)
		return fail(s, "cannot be read", why);
	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	return take_rows(s, st, take, context, why);
}

static enum queue_result
store_names(struct store *s, void (*take)(void *context, const char *name),
    void *context, struct buf *why)
{
	sqlite3_stmt *st = statement(s, NAMES);
	bool good;

	if (!st)
		return fail(s, "cannot be read", why);
	while (step(st, &good))
		if (text_at(st, 0))
			take(context, text_at(st, 0));
	return good ? QUEUE_OK : fail(s, "cannot be read", why);
}

/* --------------------------------------------------------------- pace */

static bool
keep_pace(struct store *s, const char *name, const struct pace *p)
{
	const int64_t numbers[] = { p->set_ms, p->until_ms, p->obey_ms,
	    p->failures, p->suspects, p->posting, p->refused, p->success_ms,
	    p->error_ms };
	const int count = sizeof(numbers) / sizeof(numbers[0]);
	sqlite3_stmt *st = statement(s, KEEP_PACE);
	int i;

	if (!st)
		return false;
	bind_text(st, 1, name);
	for (i = 0; i < count; i++)
		sqlite3_bind_int64(st, 2 + i, numbers[i]);
	bind_text(st, 2 + count, p->error);
	return run(st);
}

static void
take_pace(sqlite3_stmt *st, struct pace *p)
{
	const char *error = text_at(st, 9);

	p->set_ms = sqlite3_column_int64(st, 0);
	p->until_ms = sqlite3_column_int64(st, 1);
	p->obey_ms = sqlite3_column_int64(st, 2);
	p->failures = sqlite3_column_int64(st, 3);
	p->suspects = sqlite3_column_int64(st, 4);
	p->posting = sqlite3_column_int(st, 5) != 0;
	p->refused = sqlite3_column_int(st, 6) != 0;
	p->success_ms = sqlite3_column_int64(st, 7);
	p->error_ms = sqlite3_column_int64(st, 8);
	snprintf(p->error, sizeof(p->error), "%s", error ? error : "");
}

static bool
find_pace(struct store *s, const char *name, struct pace *p)
{
	sqlite3_stmt *st = statement(s, FIND_PACE);
	bool good;

	if (!st)
		return false;
	bind_text(st, 1, name);
	while (step(st, &good))
		take_pace(st, p);
	return good;
}

static bool
count_waiting(struct store *s, const char *name, struct queue_tally *tally)
{
	sqlite3_stmt *st = statement(s, COUNT_WAITING);
	bool good;

	if (!st)
		return false;
	bind_text(st, 1, name);
	while (step(st, &good)) {
		tally->waiting = sqlite3_column_int64(st, 0);
		tally->oldest_ms = sqlite3_column_int64(st, 1);
	}
	return good;
}

static enum queue_result
store_count(struct store *s, const char *destination,
    struct queue_tally *tally, struct buf *why)
{
	memset(tally, 0, sizeof(*tally));
	if (check_unmoved(s, why) != QUEUE_OK)
		return QUEUE_FAILED;
	if (count_waiting(s, destination, tally) &&
	    find_pace(s, destination, &tally->pace))
		tally->aside = run_count(s, COUNT_ASIDE, destination);
	else
		tally->aside = -1;
	return tally->aside >= 0 ? QUEUE_OK : fail(s, "cannot be read", why);
}

/* ------------------------------------------------------------- change */

static bool
run_change(struct store *s, enum statement which, int64_t number,
    int64_t now_ms, const char *reason)
{
	sqlite3_stmt *st = statement(s, which);

	if (!st)
		return false;
	sqlite3_bind_int64(st, 1, number);
	sqlite3_bind_int64(st, 2, now_ms);
	if (which == SET_ASIDE)
		bind_text(st, 3, reason);
	return run(st);
}

static bool
change_row(struct store *s, enum queue_change change, int64_t number,
    int64_t now_ms, const char *reason)
{
	switch (change) {
	case QUEUE_CLAIM:
		return run_number(s, CLAIM, number);
	case QUEUE_SETTLE:
		return run_number(s, FORGET_NAMELESS, number) &&
		    run_change(s, SETTLE, number, now_ms, NULL);
	case QUEUE_SET_ASIDE:
		return run_change(s, SET_ASIDE, number, now_ms, reason);
	case QUEUE_PUT_BACK:
		return true;
	}
	return false;
}

static enum queue_result
store_change(struct store *s, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why)
{
	enum queue_result result = begin(s, why);
	size_t i;

	if (result != QUEUE_OK)
		return result;
	for (i = 0; i < batch->count && result == QUEUE_OK; i++)
		if (!change_row(s, change, batch->numbers[i], now_ms,
		    batch->reason))
			result = fail(s, "cannot be written to", why);
	if (result == QUEUE_OK && batch->pace &&
	    !keep_pace(s, batch->destination, batch->pace))
		result = fail(s, "cannot be written to", why);
	return finish(s, result, why);
}

/* -------------------------------------------------------------- purge */

struct old {
	store_take *take;
	void *context;
	int64_t *numbers;
	size_t count;
};

static bool
take_old(void *context, const struct queue_row *row, const char *record,
    size_t len)
{
	struct old *old = context;

	old->numbers[old->count++] = row->number;
	return old->take(old->context, row, record, len);
}

static enum queue_result
purge_rows(struct store *s, int64_t before_ms, size_t max, struct old *old,
    struct buf *why)
{
	sqlite3_stmt *st = statement(s, OLD);
	enum queue_result result;
	size_t i;

	if (!st)
		return fail(s, "cannot be read", why);
	sqlite3_bind_int64(st, 1, before_ms);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	result = take_rows(s, st, take_old, old, why);
	for (i = 0; i < old->count && result == QUEUE_OK; i++)
		if (!run_number(s, DELETE, old->numbers[i]))
			result = fail(s, "cannot be written to", why);
	return result;
}

/* Free pages go back to the disk, some at a time: others wait for us. */
static void
give_back(struct store *s)
{
	char text[64];

	if (ask_number(s, "PRAGMA freelist_count") <= SPARE_PAGES)
		return;
	snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%d)",
	    VACUUM_PAGES);
	execute(s, text);
}

static enum queue_result
store_purge(struct store *s, int64_t before_ms, size_t max, store_take *take,
    void *context, size_t *count, struct buf *why)
{
	struct old old = { take, context, NULL, 0 };
	enum queue_result result = begin(s, why);

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	old.numbers = mem_alloc(max * sizeof(*old.numbers));
	result = finish(s, purge_rows(s, before_ms, max, &old, why), why);
	if (result == QUEUE_OK)
		*count = old.count;
	free(old.numbers);
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
	sqlite3_stmt *st = statement(s, log_id ? edits[edit].by_id :
	    number > 0 ? edits[edit].by_number : edits[edit].all);

	if (!st)
		return false;
	if (log_id)
		bind_text(st, 1, log_id);
	else if (number > 0)
		sqlite3_bind_int64(st, 1, number);
	sqlite3_bind_int64(st, 2, now_ms);
	if (!run(st))
		return false;
	*count = sqlite3_changes(s->db);
	return edit == QUEUE_RETRY || run_number(s, FORGET_REMOVED, now_ms);
}

static enum queue_result
store_edit(struct store *s, enum queue_edit edit, const char *log_id,
    int64_t number, int64_t now_ms, int64_t *count, struct buf *why)
{
	enum queue_result result = begin(s, why);

	*count = 0;
	if (result != QUEUE_OK)
		return result;
	if (!edit_rows(s, edit, log_id, number, now_ms, count))
		result = fail(s, "cannot be written to", why);
	return finish(s, result, why);
}

static enum queue_result
store_hurry(struct store *s, const char *destination, struct buf *why)
{
	sqlite3_stmt *st = statement(s, HURRY);

	if (!st)
		return fail(s, "cannot be read", why);
	bind_text(st, 1, destination);
	return run(st) ? QUEUE_OK : fail(s, "cannot be written to", why);
}

static enum queue_result
store_verify(struct store *s, struct buf *why)
{
	char word[16];

	if (!ask_word(s, "PRAGMA quick_check(1)", word))
		return fail(s, "cannot be read", why);
	if (strcmp(word, "ok") == 0)
		return QUEUE_OK;
	buf_addf(why, "%s: is damaged: %s", s->path, advices[1].advice);
	return QUEUE_FAILED;
}

const struct queue_engine queue_sqlite = {
	.scheme = "sqlite:",
	.open = store_open,
	.close = store_close,
	.put = store_put,
	.read = store_read,
	.change = store_change,
	.count = store_count,
	.purge = store_purge,
	.list = store_list,
	.names = store_names,
	.edit = store_edit,
	.hurry = store_hurry,
	.verify = store_verify,
	.lock_path_dup = lock_path_dup,
};
