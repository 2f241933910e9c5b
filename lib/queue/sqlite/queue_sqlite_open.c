/* SPDX-License-Identifier: ISC */
/*
 * How the queue's file is made and opened. What each pragma is for is said
 * at it; the reasons are those of SQLite's own documentation ("Atomic
 * Commit", "WAL-mode File Format", "Pragmas"), and of trials with power
 * cuts.
 */
#include "queue/sqlite/queue_sqlite.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With the wait for a turn below every web server's own time-out, 40 s. */
#define BUSY_MS 5000
#define LOOK_MS 100
#define SCHEMA_NONE 0		/* no tables yet */
#define SCHEMA_OTHER (-2)	/* those of another program */
#define PAGES_LEAST 16384	/* of a file's limit, however small QUEUE_MAX */
#define PAGES_MOST 3000000000	/* and however large; SQLite's is above */

/* "LS2S": the file is ours (SQLite, "PRAGMA application_id"). */
#define APPLICATION 0x4c533253

/*
 * How each version of the tables comes from the one before it; a new queue
 * takes all of the steps. A step is never changed once a release has it.
 *
 * States are in the order of the enum: 0 waits, 1 is set aside, 2 is gone,
 * that is delivered or removed, and only kept so that its log_id is known.
 */
static const char *const steps[SCHEMA] = {
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
	"CREATE INDEX event_waiting ON event (destination, state)"
	" WHERE state = 0;"
	"CREATE INDEX event_listed ON event (number)"
	" WHERE state < 2;"
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
	" error TEXT NOT NULL DEFAULT '');",

	/* A row is named by its number and a nonce (see struct queue_key),
	 * one that fails alone goes behind the others, and what is set aside
	 * is told of. What is gone needs no nonce: nothing names it. */
	"ALTER TABLE event ADD COLUMN nonce INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE event ADD COLUMN later_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE event ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
	"UPDATE event SET nonce = random() WHERE state < 2;"
	"UPDATE event SET told = 1 WHERE state = 1"
	" AND reason = '" QUEUE_EXPORTED "';"
	"DROP INDEX event_waiting;"
	"CREATE INDEX event_waiting ON event (destination, later_ms)"
	" WHERE state = 0;"
	"CREATE INDEX event_aside ON event (destination, told)"
	" WHERE state = 1;"
	"ALTER TABLE destination"
	" ADD COLUMN condemned INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE destination"
	" ADD COLUMN condemned_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE destination"
	" ADD COLUMN condemned_by TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE destination"
	" ADD COLUMN webhook INTEGER NOT NULL DEFAULT 0;",
};

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
 * that may wait at each destination, which is more than most need, and as
 * much again for those that are put without their records. Whoever settles
 * has a quarter more, so that a full queue can be emptied.
 */
static bool
limit_size(struct store *s, const struct queue_options *options)
{
	int64_t most = (int64_t)(options->destinations > 0 ?
	    options->destinations : 1);
	int64_t pages = options->max_waiting * most * 2 + PAGES_LEAST;
	char text[64];

	if (pages > PAGES_MOST)
		pages = PAGES_MOST;
	if (options->settles)
		pages += pages / 4;
	snprintf(text, sizeof(text), "PRAGMA max_page_count = %" PRId64,
	    pages);
	return store_execute(s, text);
}

static enum queue_result
set_journal(struct store *s, bool on_network, struct buf *why)
{
	const char *mode = queue_sqlite_journal(sqlite3_libversion_number(),
	    on_network);
	char text[64], word[16];

	snprintf(text, sizeof(text), "PRAGMA journal_mode = %s", mode);
	if (!store_ask_word(s, text, word))
		return store_fail(s, "cannot be opened", why);
	if (strcmp(word, mode) != 0) {
		buf_addf(why, "%s: its journal mode is %s and cannot be made "
		    "%s now: another process has it open", s->path, word,
		    mode);
		return QUEUE_BUSY;
	}
	/* FULL: in WAL mode too every commit is on disk when it returns. */
	if (!store_execute(s, "PRAGMA synchronous = FULL") ||
	    store_ask_number(s, "PRAGMA synchronous") != 2)
		return store_fail(s, "cannot be opened", why);
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
	return store_ask_number(s, text);
}

/*
 * SQLite lets nobody read while a commit is synced: whoever opens would be
 * kept out by those who write on and on. So they wait for their turn, too;
 * without one only as long as nobody ever had one.
 */
static int64_t
find_version_in_turn(struct store *s)
{
	int64_t version, end = clock_ms() + BUSY_MS;
	bool again;

	sqlite3_busy_timeout(s->db, LOOK_MS);
	do {
		if (store_has_turns(s)) {
			store_wait_for_turn(s);
			sqlite3_busy_timeout(s->db, BUSY_MS);
		}
		again = s->turn < 0 && clock_ms() < end;
		version = find_version(s);
	} while (again && version == -1 &&
	    (sqlite3_errcode(s->db) & 0xff) == SQLITE_BUSY);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	return version;
}

static enum queue_result
check_version(struct store *s, int64_t version, struct buf *why)
{
	if (version >= SCHEMA_NONE && version <= SCHEMA)
		return QUEUE_OK;
	if (version == -1)
		return store_fail(s, "cannot be opened", why);
	if (version > SCHEMA)
		buf_addf(why, "%s: was made by a newer version of this "
		    "program (%" PRId64 "; this one knows %d)", s->path,
		    version, SCHEMA);
	else
		buf_addf(why, "%s: is a database of another program", s->path);
	return QUEUE_FAILED;
}

/*
 * A number must never name another event, not even in a new file that took
 * the place of an old one while a message was on its way. So they begin at
 * the milliseconds since 1970: no queue gets a thousand events a second for
 * its whole life.
 */
static bool
begin_numbers(struct store *s)
{
	char text[128];

	snprintf(text, sizeof(text), "INSERT INTO sqlite_sequence (name, seq) "
	    "VALUES ('event', %" PRId64 ")", clock_wall_ms());
	return store_execute(s, text);
}

/* Takes the steps from this version on. */
static bool
take_steps(struct store *s, int64_t version)
{
	char text[96];
	int64_t i;

	for (i = version; i < SCHEMA; i++)
		if (!store_execute(s, steps[i]))
			return false;
	snprintf(text, sizeof(text), "PRAGMA user_version = %d;"
	    "PRAGMA application_id = %d", SCHEMA, APPLICATION);
	return (version != SCHEMA_NONE || begin_numbers(s)) &&
	    store_execute(s, text);
}

/*
 * Makes the tables, or brings older ones up to date, in one transaction.
 * Several processes may get here at once: one of them does it.
 */
static enum queue_result
make_schema(struct store *s, struct buf *why)
{
	enum queue_result result = store_begin_any(s, why);
	int64_t version;

	if (result != QUEUE_OK)
		return result;
	version = find_version(s);
	result = check_version(s, version, why);
	if (result == QUEUE_OK && version != SCHEMA &&
	    !take_steps(s, version))
		result = store_fail(s, "its tables cannot be made", why);
	return store_finish(s, result, why);
}

/*
 * Possible only before the first table. On a file that has tables it would
 * do nothing, but as a transaction that writes.
 */
static bool
prepare_to_shrink(struct store *s)
{
	int64_t pages = store_ask_number(s, "PRAGMA page_count");

	return pages > 0 || (pages == 0 &&
	    store_execute(s, "PRAGMA auto_vacuum = INCREMENTAL"));
}

static enum queue_result
set_up(struct store *s, const struct queue_options *options, bool on_network,
    struct buf *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	enum queue_result result;
	int64_t version;

	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		return store_fail(s, "cannot be opened", why);
	sqlite3_extended_result_codes(s->db, 1);
	/* First of all: what follows would change the file of another. */
	version = find_version_in_turn(s);
	result = check_version(s, version, why);
	if (result == QUEUE_OK && (!prepare_to_shrink(s) ||
	    !limit_size(s, options)))
		result = store_fail(s, "cannot be opened", why);
	if (result == QUEUE_OK)
		result = set_journal(s, on_network, why);
	store_end_turn(s);
	if (result == QUEUE_OK && version != SCHEMA)
		result = make_schema(s, why);
	return result;
}

static const char *
path_of(const char *address)
{
	return address + strlen(queue_sqlite.scheme);
}

bool
store_is_there(const char *address)
{
	return access(path_of(address), F_OK) == 0;
}

char *
store_lock_path_dup(const char *address)
{
	struct buf lock = BUF_INIT;

	buf_addf(&lock, "%s-worker", path_of(address));
	return buf_detach(&lock);
}

void
store_close(struct store *s)
{
	size_t i;

	for (i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	if (s->turn >= 0)
		close(s->turn);
	rooms_release(&s->rooms);
	free(s->path);
	free(s);
}

struct store *
store_open(const struct queue_options *options, enum queue_result *result,
    struct buf *why)
{
	const char *path = path_of(options->address);
	const char *network = store_network(path);
	struct store *s;

	store_listen();
	*result = QUEUE_FAILED;
	if (!store_check_place(path, network,
	    options->on_network, why))
		return NULL;
	s = mem_alloc(sizeof(*s));
	memset(s, 0, sizeof(*s));
	s->path = mem_dup(path);
	s->rooms.max = options->max_waiting;
	s->rooms.count_waiting = store_count_waiting;
	s->turn = -1;
	*result = set_up(s, options, network != NULL, why);
	if (*result == QUEUE_OK)
		return s;
	store_close(s);
	return NULL;
}
