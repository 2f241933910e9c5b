/* SPDX-License-Identifier: ISC */
/*
 * What t/unit/queue.c cannot see: the SQLite file itself, what is wrong
 * with it, and rows that somebody else wrote into it.
 */
#include "queue/sqlite/queue_sqlite.h"

#include "base/clock.h"
#include "base/log.h"
#include "tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Becomes the worker for the life of this process, whatever the reason. */
static bool
become_worker(const char *address)
{
	struct queue_lock *lock = queue_lock_new(address);
	struct buf why = BUF_INIT;
	bool mine = false;

	queue_lock_take(lock, NULL, &mine, &why);
	buf_release(&why);
	return mine;
}

#define NOW 1785587696789	/* some day of 2026 */
#define NOBODY 65534		/* a user who is not root */

static const char *scratch;
static struct buf caught;	/* the log */
static struct buf why;		/* of the last queue_open() or call */
static sqlite3 *newest;		/* the connection that was made last */

static int
remember(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
	(void)error;
	(void)api;
	newest = db;
	return SQLITE_OK;
}

/* -------------------------------------------------------------- SQLite */

/* Ends the program, because the test itself is at fault. */
NORETURN static void
give_up(const char *what, const char *reason)
{
	diag("%s: %s", what, reason);
	printf("Bail out! %s\n", what);
	exit(1);
}

static sqlite3 *
raw_open(const char *name)
{
	sqlite3 *db;

	if (sqlite3_open(name, &db) != SQLITE_OK)
		give_up(name, sqlite3_errmsg(db));
	return db;
}

static int
raw_try(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void
raw_do(sqlite3 *db, const char *sql)
{
	if (raw_try(db, sql) != SQLITE_OK)
		give_up(sql, sqlite3_errmsg(db));
}

/* Does this to a file that no queue has open. */
static void
raw(const char *name, const char *sql)
{
	sqlite3 *db = raw_open(name);

	raw_do(db, sql);
	sqlite3_close(db);
}

static int
keep_text(void *context, int columns, char **texts, char **names)
{
	struct buf *out = context;

	(void)columns;
	(void)names;
	buf_adds(out, texts[0] ? texts[0] : "NULL");
	return 0;
}

/* The first column of all rows, valid until the next call. */
static const char *
ask(sqlite3 *db, const char *sql)
{
	static struct buf out;

	buf_clear(&out);
	if (sqlite3_exec(db, sql, keep_text, &out, NULL) != SQLITE_OK)
		return sqlite3_errmsg(db);
	return buf_text(&out);
}

/* --------------------------------------------------------------- queue */

static const char *
word_of(enum queue_result result)
{
	static const char *const words[] = {
		[QUEUE_FAILED] = "failed", [QUEUE_BUSY] = "busy",
		[QUEUE_FULL] = "full", [QUEUE_REPLACED] = "replaced",
		[QUEUE_OK] = "ok"
	};

	return words[result];
}

static struct queue *
try_open(const char *name, int64_t max_waiting, bool settles,
    enum queue_result *result)
{
	struct buf address = BUF_INIT;
	struct queue_options options = { .max_waiting = max_waiting,
	    .settles = settles };
	struct queue *q;

	buf_addf(&address, "sqlite:%s/%s", scratch, name);
	options.address = address.data;
	buf_clear(&why);
	q = queue_open(&options, result, &why);
	buf_release(&address);
	return q;
}

static struct queue *
open_queue(const char *name)
{
	enum queue_result result;
	struct queue *q = try_open(name, 1000000, true, &result);

	if (!q)
		give_up(name, buf_text(&why));
	return q;
}

/* The reason of the last failure, without the directory. */
static const char *
reason(void)
{
	const char *text = buf_text(&why);
	size_t len = strlen(scratch);

	return strncmp(text, scratch, len) == 0 && text[len] == '/' ?
	    text + len + 1 : text;
}

/* Puts one event; its description is as long as that. */
static const char *
put_long(struct queue *q, const char *log_id, size_t len)
{
	struct event e = { .type = "f", .time_ms = EVENT_NO_TIME };
	struct queue_item item = { "a", &e, false };
	char *text = mem_alloc(len + 1);
	enum queue_result result;

	memset(text, 'x', len);
	text[len] = '\0';
	e.log_id = log_id;
	e.description = len > 0 ? text : NULL;
	buf_clear(&why);
	result = queue_put(q, &item, 1, NOW, &why);
	free(text);
	return word_of(result);
}

static const char *
put(struct queue *q, const char *log_id)
{
	return put_long(q, log_id, 0);
}

static enum queue_result
put_two(struct queue *q, const char *first, const char *second)
{
	struct event e[2] = { { .log_id = first, .type = "f" },
	    { .log_id = second, .type = "f" } };
	struct queue_item items[2] = { { "a", &e[0], false },
	    { "a", &e[1], false } };

	buf_clear(&why);
	return queue_put(q, items, 2, NOW, &why);
}

#define NUMBERS_MAX 1000

struct taken {
	struct buf ids;
	struct queue_key keys[NUMBERS_MAX];
	size_t count;
	size_t stop_after;
};

static bool
take(void *context, struct event *e, size_t bytes)
{
	struct taken *t = context;

	(void)bytes;
	buf_addf(&t->ids, "%s ", e->log_id ? e->log_id : "-");
	t->keys[t->count].number = e->number;
	t->keys[t->count++].nonce = e->nonce;
	free(e);
	return t->count != t->stop_after && t->count < NUMBERS_MAX;
}

static struct taken taken;

/* What waits for "a", with its numbers in taken. */
static const char *
waiting(struct queue *q)
{
	enum queue_result result;

	buf_clear(&taken.ids);
	buf_clear(&why);
	taken.count = 0;
	result = queue_read(q, "a", NUMBERS_MAX, take, &taken, NOW, &why);
	return result == QUEUE_OK ? buf_text(&taken.ids) : word_of(result);
}

/* Changes what waiting() gave last. */
static const char *
change(struct queue *q, enum queue_change what, const struct pace *pace)
{
	struct queue_batch batch = { .destination = "a",
	    .keys = taken.keys, .count = taken.count, .reason = "r",
	    .pace_of = "a", .pace = pace };

	buf_clear(&why);
	return word_of(queue_change(q, what, &batch, NOW, &why));
}

static int64_t
count(struct queue *q)
{
	struct queue_tally tally;

	if (queue_count(q, "a", "a", &tally, &why) != QUEUE_OK)
		return -1;
	return tally.waiting;
}

static int64_t
size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) < 0 ? -1 : (int64_t)st.st_size;
}

static int
mode_of(const char *name)
{
	struct stat st;

	return stat(name, &st) < 0 ? -1 : (int)(st.st_mode & 07777);
}

/* ----------------------------------------------------------- processes */

/* Runs this in a child that writes to a pipe, of which the end comes back. */
static int
child_start(void (*run)(int out), pid_t *pid)
{
	int ends[2];

	fflush(stdout);
	if (pipe(ends) < 0 || (*pid = fork()) < 0)
		give_up("fork", "no process to be had");
	if (*pid == 0) {
		close(ends[0]);
		run(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

static void
say(int out, const char *text)
{
	if (write(out, text, strlen(text)) < 0)
		_exit(1);
}

/* All that the child wrote until it ended, valid until the next call. */
static const char *
child_end(int in, pid_t pid)
{
	static struct buf text;
	char part[1000];
	ssize_t n;

	buf_clear(&text);
	while ((n = read(in, part, sizeof(part))) > 0)
		buf_add(&text, part, (size_t)n);
	close(in);
	waitpid(pid, NULL, 0);
	return buf_text(&text);
}

/* ----------------------------------------------------------- busy files */

/* What came of it after so long, which is to be ms, or somewhat more. */
static void
say_when(int out, const char *result, int64_t began, int64_t ms)
{
	int64_t took = clock_ms() - began;

	say(out, result);
	say(out, took >= ms - 500 && took < ms + 8000 ? " in time" :
	    " at a wrong time");
	if (why.len > 0)
		say(out, ": "), say(out, reason());
}

static void
put_when_locked(int out)
{
	struct queue *q = open_queue("locked.db");
	int64_t began = clock_ms();

	say_when(out, put(q, "2"), began, 5000);
	queue_close(q);
}

static void
open_when_locked(int out)
{
	enum queue_result result = QUEUE_OK;
	int64_t began = clock_ms();
	struct queue *q = try_open("exclusive.db", 10, false, &result);

	say_when(out, q ? "opened" : word_of(result), began, 5000);
}

static void
put_out_of_turn(int out)
{
	struct queue *q = open_queue("turn.db");
	int64_t began = clock_ms();

	say_when(out, put(q, "1"), began, 10000);
	queue_close(q);
}

NORETURN static void
hold(int out)
{
	say(out, ".");
	for (;;)
		pause();
}

static void
hold_writer(int out)
{
	raw_do(raw_open("locked.db"), "BEGIN IMMEDIATE");
	hold(out);
}

/* In WAL mode, too, nobody else can then read. */
static void
hold_exclusive(int out)
{
	raw_do(raw_open("exclusive.db"), "PRAGMA locking_mode = EXCLUSIVE;"
	    "BEGIN EXCLUSIVE");
	hold(out);
}

/* As a process of ours that was stopped in the middle of its turn. */
static void
hold_turn(int out)
{
	int fd = open("turn.db-turn", O_RDWR);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		_exit(1);
	hold(out);
}

static struct {
	const char *name;
	void (*hold)(int out);
	void (*use)(int out);
	const char *said;
	const char *title;
	pid_t holder, user;
	int in;
} locked[] = {
	{ .name = "locked.db", .hold = hold_writer, .use = put_when_locked,
	  .said = "busy in time: locked.db: cannot be written to: database "
	    "is locked: another process has it locked",
	  .title = "a queue that another program keeps locked is given up "
	    "after five seconds" },
	{ .name = "exclusive.db", .hold = hold_exclusive,
	  .use = open_when_locked,
	  .said = "busy in time: exclusive.db: cannot be opened: database "
	    "is locked: another process has it locked",
	  .title = "so is one that cannot be opened for that" },
	{ .name = "turn.db", .hold = hold_turn, .use = put_out_of_turn,
	  .said = "ok in time",
	  .title = "the turn of a process that is stuck is waited for, for "
	    "ten seconds" },
};

static pid_t
holder_start(void (*run)(int out))
{
	pid_t pid;
	char byte;
	int in = child_start(run, &pid);

	if (read(in, &byte, 1) != 1)
		give_up("a holder", "it failed");
	close(in);
	return pid;
}

/* Waiting takes ten seconds: it is begun first and looked at last. */
static void
locked_start(void)
{
	struct queue *q;
	size_t i;

	for (i = 0; i < ROWS(locked); i++) {
		q = open_queue(locked[i].name);
		put(q, "0");
		queue_close(q);
		locked[i].holder = holder_start(locked[i].hold);
		locked[i].in = child_start(locked[i].use, &locked[i].user);
	}
	q = open_queue("locked.db");
	is_str(waiting(q), "0 ", "one that writes keeps nobody from reading");
	queue_close(q);
}

static void
locked_end(void)
{
	struct queue *q;
	size_t i;

	for (i = 0; i < ROWS(locked); i++) {
		is_str(child_end(locked[i].in, locked[i].user),
		    locked[i].said, "%s", locked[i].title);
		kill(locked[i].holder, SIGKILL);
		waitpid(locked[i].holder, NULL, 0);
	}
	q = open_queue("locked.db");
	is_str(waiting(q), "0 ", "what was given up is not put");
	is_str(put(q, "2"), "ok", "who held it was killed: it is free");
	queue_close(q);
}

/* ------------------------------------------------------------ the file */

static const mode_t umasks[] = { 0, 022, 077, 0777 };

static void
test_mode(void)
{
	struct queue *q;
	mode_t before;
	char name[32];
	size_t i;

	for (i = 0; i < ROWS(umasks); i++) {
		snprintf(name, sizeof(name), "mode%zu.db", i);
		before = umask(umasks[i]);
		q = open_queue(name);
		put(q, "1");
		umask(before);
		is_num(mode_of(name), 0600, "with umask %03o the file is "
		    "its owner's alone", (unsigned)umasks[i]);
		queue_close(q);
	}
	chmod("mode0.db", 0660);
	queue_close(open_queue("mode0.db"));
	is_num(mode_of("mode0.db"), 0660, "a group that was given it keeps "
	    "it");
}

static const struct {
	int version;
	bool on_network;
	const char *mode;
} journals[] = {
	{ 3024000, false, "truncate" },
	{ 3040001, false, "truncate" },
	{ 3044005, false, "truncate" },
	{ 3044006, false, "wal" },
	{ 3044999, false, "wal" },
	{ 3045000, false, "truncate" },
	{ 3045003, false, "truncate" },
	{ 3050006, false, "truncate" },
	{ 3050007, false, "wal" },
	{ 3050999, false, "wal" },
	{ 3051000, false, "truncate" },
	{ 3051002, false, "truncate" },
	{ 3051003, false, "wal" },
	{ 3052000, false, "wal" },
	{ 4000000, false, "wal" },
	{ 3044006, true, "truncate" },
	{ 3050007, true, "truncate" },
	{ 3051003, true, "truncate" },
};

static void
test_journals(void)
{
	size_t i;

	for (i = 0; i < ROWS(journals); i++)
		is_str(queue_sqlite_journal(journals[i].version,
		    journals[i].on_network), journals[i].mode,
		    "SQLite %d on a %s file system", journals[i].version,
		    journals[i].on_network ? "network" : "local");
}

static void
test_settings(void)
{
	struct queue *q = open_queue("settings.db");
	enum queue_result result;

	is_str(ask(newest, "PRAGMA journal_mode"),
	    queue_sqlite_journal(sqlite3_libversion_number(), false),
	    "the journal mode is the one for this version");
	is_str(ask(newest, "PRAGMA synchronous"), "2", "every commit is "
	    "synced");
	is_str(ask(newest, "PRAGMA auto_vacuum"), "2", "the file can shrink");
	is_str(ask(newest, "PRAGMA user_version"), "2", "the tables have a "
	    "version");
	is_str(ask(newest, "PRAGMA application_id"), "1280520787",
	    "and are ours");
	is_str(ask(newest, "PRAGMA max_page_count"), "2520480",
	    "who settles has room for that");
	queue_close(q);
	q = try_open("settings.db", 1000000, false, &result);
	is_str(ask(newest, "PRAGMA max_page_count"), "2016384",
	    "others have two pages for each event that may wait");
	is_str(ask(newest, "PRAGMA synchronous"), "2", "they sync as well");
	is_str(ask(newest, "PRAGMA journal_mode"),
	    queue_sqlite_journal(sqlite3_libversion_number(), false),
	    "with the same journal");
	queue_close(q);
	q = try_open("settings.db", 1, false, &result);
	is_str(ask(newest, "PRAGMA max_page_count"), "16386",
	    "a small QUEUE_MAX leaves room to work");
	queue_close(q);
}

static void
ignore_row(void *context, const struct queue_row *row)
{
	(void)context;
	(void)row;
}

/* What is asked of the connection behind a queue's back is let go of. */
static void
test_no_lock(void)
{
	struct queue *q = open_queue("lock.db");
	sqlite3 *other = raw_open("lock.db");
	struct pace pace = { 0 };
	int64_t after = 0, edited;

	put(q, "1");
	put(q, "2");
	taken.stop_after = 1;
	is_str(waiting(q), "1 ", "who stops reading early");
	is_num(raw_try(other, "BEGIN EXCLUSIVE; COMMIT"), SQLITE_OK,
	    "leaves nothing locked");
	taken.stop_after = 0;
	change(q, QUEUE_CLAIM, &pace);
	count(q);
	is_num(raw_try(other, "BEGIN EXCLUSIVE; COMMIT"), SQLITE_OK,
	    "nor does who counts");
	queue_list(q, &after, ignore_row, NULL, &why);
	queue_verify(q, &why);
	queue_edit(q, QUEUE_RETRY, NULL, NOW, &edited, &why);
	queue_hurry(q, NULL, &why);
	queue_purge(q, 0, NOW, &why);
	is_num(raw_try(other, "BEGIN EXCLUSIVE; COMMIT"), SQLITE_OK,
	    "nor any other");
	sqlite3_close(other);
	queue_close(q);
}

/* -------------------------------------------------------- wrong places */

static void
make_directory(const char *name)
{
	if (mkdir(name, 0700) < 0)
		give_up(name, "cannot be made");
}

static void
make_link_to_directory(const char *name)
{
	make_directory("target");
	if (symlink("target", name) < 0)
		give_up(name, "cannot be made");
}

static void
make_link_to_queue(const char *name)
{
	queue_close(open_queue("linked.db"));
	if (symlink("linked.db", name) < 0)
		give_up(name, "cannot be made");
}

static void
make_link_to_nothing(const char *name)
{
	if (symlink("nothing.db", name) < 0)
		give_up(name, "cannot be made");
}

static void
make_fifo(const char *name)
{
	if (mkfifo(name, 0600) < 0)
		give_up(name, "cannot be made");
}

static void
make_readable(const char *name)
{
	queue_close(open_queue(name));
	chmod(name, 0644);
}

static void
make_executable(const char *name)
{
	queue_close(open_queue(name));
	chmod(name, 0601);
}

static void
make_text(const char *name)
{
	char text[9000];

	memset(text, 'x', sizeof(text));
	file_write(name, text, sizeof(text), 0600);
}

static void
make_short_text(const char *name)
{
	file_write(name, "hello\n", 6, 0600);
}

static void
make_other(const char *name)
{
	raw(name, "CREATE TABLE event (number INTEGER)");
	chmod(name, 0600);
}

static void
make_other_wal(const char *name)
{
	raw(name, "PRAGMA journal_mode = wal; CREATE TABLE x (y);"
	    "PRAGMA wal_checkpoint(TRUNCATE)");
	chmod(name, 0600);
}

static void
make_other_vacuum(const char *name)
{
	raw(name, "PRAGMA auto_vacuum = FULL; CREATE TABLE x (y);"
	    "PRAGMA user_version = 1");
	chmod(name, 0600);
}

static void
make_other_version(const char *name)
{
	raw(name, "CREATE TABLE x (y); PRAGMA user_version = 77;"
	    "PRAGMA application_id = 5");
	chmod(name, 0600);
}

static void
make_other_negative(const char *name)
{
	raw(name, "CREATE TABLE x (y); PRAGMA user_version = -1");
	chmod(name, 0600);
}

static void
make_newer(const char *name)
{
	queue_close(open_queue(name));
	raw(name, "PRAGMA user_version = 3");
}

#define LINK "is not a regular file but a link: name the file itself"
#define OTHER "is a database of another program"
#define NO_DATABASE "cannot be opened: file is not a database: move it " \
	"away and a new one is made"

static const struct {
	void (*make)(const char *name);
	const char *name;
	const char *why;
} places[] = {
	{ NULL, "none/queue.db", "cannot be opened: No such file or "
	    "directory: make its directory, writable for the user of this "
	    "program" },
	{ make_directory, "directory", "is not a regular file" },
	{ make_link_to_directory, "link", LINK },
	{ make_link_to_queue, "link.db", LINK },
	{ make_link_to_nothing, "dangling.db", LINK },
	{ make_fifo, "fifo", "is not a regular file" },
	{ make_readable, "readable.db", "every user of this machine may read "
	    "or write it: run chmod o-rwx on it" },
	{ make_executable, "executable.db", "every user of this machine may "
	    "read or write it: run chmod o-rwx on it" },
	{ make_text, "text", NO_DATABASE },
	{ make_short_text, "short", NO_DATABASE },
	{ make_other, "other.db", OTHER },
	{ make_other_wal, "wal.db", OTHER },
	{ make_other_vacuum, "vacuum.db", OTHER },
	{ make_other_version, "version.db", OTHER },
	{ make_other_negative, "negative.db", OTHER },
	{ make_newer, "newer.db", "was made by a newer version of this "
	    "program (3; this one knows 2)" },
};

/* ----------------------------------------------------------- versions */

/* What each column of each table and each index is. */
static const char *
schema_of(const char *name)
{
	static struct buf texts[2];
	static size_t next;
	struct buf *out = &texts[next++ % 2];
	sqlite3 *db = raw_open(name);

	buf_clear(out);
	buf_adds(out, ask(db, "SELECT m.name || ' ' || c.name || ' ' ||"
	    " c.type || ' ' || ifnull(c.dflt_value, '-') || ' ' || m.type"
	    " FROM sqlite_master AS m, pragma_table_info(m.name) AS c"
	    " UNION SELECT sql FROM sqlite_master WHERE type = 'index'"
	    " AND sql IS NOT NULL ORDER BY 1"));
	sqlite3_close(db);
	return buf_text(out);
}

/* A copy of the file that the programs of version 1 of the tables made. */
static void
copy_version_1(const char *name)
{
	struct buf bytes = BUF_INIT;

	file_read(source_path("t/data/queue/version-1.db"), &bytes);
	file_write(name, bytes.data, bytes.len, 0600);
	buf_release(&bytes);
}

static bool
stop_after_one(void *context, struct event *e, size_t bytes)
{
	(void)bytes;
	*(struct event **)context = e;
	return false;
}

static void
test_migration(void)
{
	struct event *first = NULL;
	struct queue_tally tally;
	struct queue_key key = { 0, 0, false };
	struct queue_batch batch = { .destination = "default",
	    .keys = &key, .count = 1 };
	struct queue *q;

	copy_version_1("old.db");
	q = open_queue("old.db");
	is_str(ask(newest, "PRAGMA user_version"), "2", "a queue of version 1 "
	    "becomes one of version 2");
	is_str(ask(newest, "SELECT count(*) FROM event"), "6",
	    "with all that is in it");
	is_str(ask(newest, "SELECT count(DISTINCT nonce) FROM event"
	    " WHERE state < 2 AND nonce <> 0"), "4",
	    "each row that waits or is set aside gets a nonce of its own");
	is_num(queue_count(q, "default", "default", &tally, &why), QUEUE_OK,
	    "it can be used");
	ok(tally.waiting == 3 && tally.aside == 1 && tally.pace.refused &&
	    strcmp(tally.pace.error, "no_service") == 0,
	    "what was known of a destination is known");
	queue_read(q, "default", 1, stop_after_one, &first, NOW, &why);
	ok(first && strcmp(first->log_id, "waits-1") == 0,
	    "what waited waits in its order");
	key.number = first ? first->number : 0;
	key.nonce = first ? first->nonce : 0;
	is_num(queue_change(q, QUEUE_SETTLE, &batch, NOW, &why), QUEUE_OK,
	    "and can be delivered");
	ok(!key.missed, "by its key");
	queue_close(q);
	free(first);
	q = open_queue("new.db");
	queue_close(q);
	is_str(schema_of("old.db"), schema_of("new.db"),
	    "its tables are those of a new queue");
}

/* Both know the file as it was; the newer one changes it. */
static void
test_newer_meanwhile(void)
{
	struct queue *q = open_queue("meanwhile.db");
	sqlite3 *db;

	is_str(put(q, "1"), "ok", "a program puts");
	raw("meanwhile.db", "PRAGMA user_version = 3");
	buf_clear(&why);
	is_str(put(q, "2"), "replaced", "and no more when a newer one has "
	    "changed the tables");
	is_str(reason(), "meanwhile.db: its tables are of another version "
	    "now: it has to be opened anew", "which it says");
	queue_close(q);
	db = raw_open("meanwhile.db");
	is_str(ask(db, "SELECT count(*) FROM event"), "1",
	    "nothing is written");
	sqlite3_close(db);
}

static void
test_place(size_t i)
{
	struct buf before = BUF_INIT, after = BUF_INIT, want = BUF_INIT;
	const char *name = places[i].name;
	enum queue_result result = QUEUE_OK;
	struct stat st;
	bool file;

	if (places[i].make)
		places[i].make(name);
	file = lstat(name, &st) == 0 && S_ISREG(st.st_mode);
	if (file)
		file_read(name, &before);
	buf_addf(&want, "%s: %s", name, places[i].why);
	ok(!try_open(name, 10, true, &result) && result == QUEUE_FAILED,
	    "%s is not used", name);
	is_str(reason(), buf_text(&want), "... and why is said");
	if (file) {
		file_read(name, &after);
		ok(before.len == after.len && memcmp(before.data, after.data,
		    after.len) == 0, "... it is as it was");
	}
	buf_release(&before);
	buf_release(&after);
	buf_release(&want);
}

static void
test_places(void)
{
	size_t i;

	for (i = 0; i < ROWS(places); i++)
		test_place(i);
	is_num(size_of("nothing.db"), -1, "no link was followed");
	is_num(size_of("none"), -1, "no directory was made");
}

static void
test_empty(void)
{
	struct queue *q;

	file_write("empty.db", "", 0, 0600);
	q = open_queue("empty.db");
	is_str(put(q, "1"), "ok", "an empty file becomes a queue");
	queue_close(q);
}

/* As another user, whom permissions hold off, as they do not root. */
static void
use_unwritable(int out)
{
	enum queue_result result = QUEUE_OK;
	struct queue *q;

	if (geteuid() == 0 && setuid(NOBODY) < 0) {
		say(out, "skip");
		return;
	}
	q = try_open("open/file.db", 10, true, &result);
	say(out, q ? put(q, "1") : word_of(result));
	say(out, ": ");
	say(out, reason());
	queue_close(q);
	if (!try_open("closed/new.db", 10, true, &result))
		say(out, "\n"), say(out, reason());
	say(out, !become_worker("sqlite:closed/new.db") ?
	    "\nno worker" : "\na worker");
}

static void
test_unwritable(void)
{
	enum queue_result result;
	const char *got;
	pid_t pid;
	int in;

	make_directory("open");
	make_directory("closed");
	queue_close(open_queue("open/file.db"));
	if (geteuid() == 0 && chown("open/file.db", NOBODY, NOBODY) < 0)
		give_up("open/file.db", "cannot be given away");
	chmod("open/file.db", 0440);
	chmod("open", 0775);
	if (geteuid() == 0 && chown("open", NOBODY, NOBODY) < 0)
		give_up("open", "cannot be given away");
	chmod("closed", 0555);
	chmod(".", 0755);
	in = child_start(use_unwritable, &pid);
	got = child_end(in, pid);
	if (strcmp(got, "skip") == 0)
		skip("a file that cannot be written to", "no other user");
	else
		is_str(got, "failed: open/file.db: cannot be written to: "
		    "attempt to write a readonly database: the user of this "
		    "program must be able to write to the file and its "
		    "directory\n"
		    "closed/new.db: cannot be opened: Permission denied: "
		    "make its directory, writable for the user of this "
		    "program\n"
		    "no worker", "a file or directory that cannot be written "
		    "to is said to be that");
	chmod("closed", 0755);
	chmod("open", 01777);
	ok(!try_open("open/other.db", 10, true, &result) &&
	    result == QUEUE_FAILED && access("open/other.db", F_OK) < 0,
	    "a directory that everybody may write to is none for a queue");
	is_str(reason(), "open/other.db: every user of this machine may "
	    "write to its directory: give it one of its own",
	    "and it says so");
}

/* What makes a file of the queue one that is not to be used. */

static void
link_away(const char *name)
{
	unlink(name);
	if (symlink("planted", name) < 0)
		give_up(name, "cannot be made");
}

static void
open_to_all(const char *name)
{
	chmod(name, 0602);
}

static void
give_away(const char *name)
{
	if (chown(name, NOBODY, NOBODY) < 0)
		give_up(name, "cannot be given away");
}

static void
test_tampered(const char *ending, void (*tamper)(const char *name),
    const char *reason_why)
{
	enum queue_result result = QUEUE_OK;
	struct buf name = BUF_INIT, want = BUF_INIT;

	queue_close(open_queue("safe.db"));
	buf_addf(&name, "safe.db%s", ending);
	if (access(name.data, F_OK) < 0)
		file_write(name.data, "", 0, 0600);
	tamper(name.data);
	buf_addf(&want, "%s: %s", name.data, reason_why);
	ok(!try_open("safe.db", 10, true, &result) && result == QUEUE_FAILED,
	    "a queue whose %s is such is not used", name.data);
	is_str(reason(), want.data, "... and why is said");
	unlink(name.data);
	buf_release(&name);
	buf_release(&want);
}

/* Whoever plants a journal writes to the queue with our rights. */
static void
test_all_tampered(void)
{
	static const char *const endings[] = { "", "-journal", "-wal", "-shm",
	    "-turn", "-worker" };
	size_t i;

	for (i = 0; i < ROWS(endings); i++) {
		test_tampered(endings[i], link_away, LINK);
		test_tampered(endings[i], open_to_all, "every user of this "
		    "machine may read or write it: run chmod o-rwx on it");
		if (geteuid() == 0)
			test_tampered(endings[i], give_away, "belongs to "
			    "another user, number 65534: give that user its "
			    "directory, or run this as that user");
		else
			skip("a file of another user", "not root");
	}
	queue_close(open_queue("safe.db"));
	is_num(size_of("planted"), -1, "no link was followed");
}

#define SOMEBODY 12345

static void
use_anothers(int out)
{
	enum queue_result result = QUEUE_OK;
	struct queue *q;

	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		_exit(1);
	q = try_open("anothers/q.db", 10, true, &result);
	say(out, q ? "opened" : reason());
	queue_close(q);
	q = try_open("roots/q.db", 10, true, &result);
	say(out, q ? "\nopened" : reason());
	queue_close(q);
}

/* Root's programs give what they make to the directory's owner. */
static void
test_owners(void)
{
	struct queue *q;
	pid_t pid;
	int in;

	if (geteuid() != 0) {
		skip("a directory of another user", "not root");
		return;
	}
	make_directory("anothers");
	make_directory("roots");
	chmod("anothers", 0775);
	chmod("roots", 0770);
	if (chown("anothers", SOMEBODY, NOBODY) < 0 ||
	    chown("roots", 0, NOBODY) < 0)
		give_up("anothers", "cannot be given away");
	in = child_start(use_anothers, &pid);
	is_str(child_end(in, pid), "anothers/q.db: its directory belongs to "
	    "another user, number 12345: give it one of its own\nopened",
	    "a directory of another user's is none for a queue, but root's");
	q = open_queue("anothers/q.db");
	is_str(put(q, "1"), "ok", "root uses the directory of another");
	queue_close(q);
	q = open_queue("anothers/q.db");
	is_str(put(q, "2"), "ok", "and what it has made there");
	queue_close(q);
}

/* -------------------------------------------------------------- damage */

/* A queue with some pages of rows. */
static void
make_filled(const char *name)
{
	struct queue *q = open_queue(name);
	char id[16];
	int i;

	for (i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "%d", i);
		put_long(q, id, 3000);
	}
	queue_close(q);
}

/* Opens it, puts, reads and looks it over: the last may not be good. */
static void
is_damaged(const char *name, const char *title)
{
	enum queue_result result = QUEUE_OK;
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct queue *q;
	bool good;

	file_read(name, &before);
	q = try_open(name, 10000, true, &result);
	if (q)
		result = queue_verify(q, &why);
	good = is_num(result, QUEUE_FAILED, "%s is seen", title);
	good = ok(strstr(reason(), "away and a new one is made") != NULL,
	    "... and what to do") && good;
	if (!good)
		diag("%s", reason());
	queue_close(q);
	file_read(name, &after);
	ok(before.len == after.len && memcmp(before.data, after.data,
	    before.len) == 0, "... nothing was made worse");
	buf_release(&before);
	buf_release(&after);
}

/* Overwrites len bytes from a place on. */
static void
spoil(const char *name, off_t at, size_t len, int byte)
{
	char *bytes = mem_alloc(len);
	int fd = open(name, O_WRONLY);

	memset(bytes, byte, len);
	if (fd < 0 || pwrite(fd, bytes, len, at) != (ssize_t)len)
		give_up(name, "cannot be spoilt");
	close(fd);
	free(bytes);
}

static void
test_damage(void)
{
	make_filled("cut.db");
	if (truncate("cut.db", size_of("cut.db") / 2 / 4096 * 4096) < 0)
		give_up("cut.db", "cannot be cut");
	is_damaged("cut.db", "a file that was cut");
	make_filled("torn.db");
	if (truncate("torn.db", 5000) < 0)
		give_up("torn.db", "cannot be cut");
	is_damaged("torn.db", "one cut within a page");
	make_filled("stub.db");
	if (truncate("stub.db", 50) < 0)
		give_up("stub.db", "cannot be cut");
	is_damaged("stub.db", "one cut within its first page");
	make_filled("header.db");
	spoil("header.db", 0, 100, 0xff);
	is_damaged("header.db", "a header of rubbish");
	make_filled("schema.db");
	spoil("schema.db", 100, 3996, 0xff);
	is_damaged("schema.db", "a schema of rubbish");
	make_filled("pages.db");
	spoil("pages.db", 2 * 4096, 10 * 4096, 0xff);
	is_damaged("pages.db", "pages of rubbish");
	make_filled("zero.db");
	spoil("zero.db", 2 * 4096, (size_t)size_of("zero.db") - 2 * 4096, 0);
	is_damaged("zero.db", "pages of zeros");
}

static void
test_damage_in_use(void)
{
	struct queue *q;

	make_filled("use.db");
	spoil("use.db", 2 * 4096, (size_t)size_of("use.db") - 2 * 4096, 0xff);
	q = open_queue("use.db");
	is_str(put(q, "new"), "failed", "a damaged queue takes nothing");
	is_str(reason(), "use.db: cannot be written to: database disk image "
	    "is malformed: move it and its -journal and -wal away and a new "
	    "one is made; \"sqlite3 FILE .recover\" may save what is in it",
	    "and what can be done is said");
	is_str(waiting(q), "failed", "it gives nothing");
	is_num(count(q), -1, "and counts nothing");
	queue_close(q);
}

/* As its owner is told to, while a door has it open. */
static void
test_moved(void)
{
	struct queue *q = open_queue("moved.db"), *again;
	bool wal = strcmp(ask(newest, "PRAGMA journal_mode"), "wal") == 0;

	put(q, "1");
	is_num(count(q), 1, "a file is where it was");
	if (rename("moved.db", "away.db") < 0)
		give_up("moved.db", "cannot be moved");
	is_str(put(q, "2"), "replaced", "nothing is put into a file that was "
	    "moved away");
	is_str(reason(), "moved.db: was moved away or replaced: it has to be "
	    "opened anew", "and that is said");
	is_num(count(q), -1, "whoever counts what waits learns it too");
	queue_close(q);
	q = open_queue("away.db");
	if (wal)
		skip("what was put before is in it", "some is in its -wal");
	else
		is_str(waiting(q), "1 ", "what was put before is in it");
	queue_close(q);
	again = open_queue("moved.db");
	is_str(put(again, "2"), "ok", "whoever opens it again has a new one");
	is_str(waiting(again), "2 ", "with nothing in it before");
	queue_close(again);
}

/* -------------------------------------------------------- all or nothing */

static void
test_atomic_put(void)
{
	struct queue *q = open_queue("atomic.db");

	raw_do(newest, "CREATE TRIGGER t BEFORE INSERT ON event WHEN "
	    "new.log_id = '2' BEGIN SELECT RAISE(ABORT, 'no'); END");
	is_str(word_of(put_two(q, "1", "2")), "failed", "when one of a batch "
	    "cannot be put");
	is_str(reason(), "atomic.db: cannot be written to: no",
	    "the reason is SQLite's");
	is_str(waiting(q), "", "none is put");
	raw_do(newest, "DROP TRIGGER t");
	is_str(word_of(put_two(q, "1", "2")), "ok", "the batch can be put "
	    "later");
	queue_close(q);
}

static void
test_atomic_change(void)
{
	struct pace pace = { .failures = 5 }, none = { 0 };
	struct queue *q = open_queue("change.db");
	struct queue_tally tally;
	int64_t edited = 5;

	put_two(q, "1", "2");
	raw_do(newest, "CREATE TRIGGER t BEFORE UPDATE ON event WHEN "
	    "new.log_id = '2' BEGIN SELECT RAISE(ABORT, 'no'); END");
	waiting(q);
	is_str(change(q, QUEUE_SETTLE, &pace), "failed", "when one of several "
	    "cannot be settled");
	is_str(waiting(q), "1 2 ", "none is");
	is_str(change(q, QUEUE_SET_ASIDE, &pace), "failed", "or set aside");
	is_str(waiting(q), "1 2 ", "none is");
	is_num(queue_edit(q, QUEUE_REMOVE, "2", NOW, &edited, &why),
	    QUEUE_FAILED, "or removed");
	is_num(edited, 0, "none is");
	raw_do(newest, "DROP TRIGGER t; CREATE TRIGGER t BEFORE INSERT ON "
	    "destination BEGIN SELECT RAISE(ABORT, 'no'); END");
	is_str(change(q, QUEUE_SETTLE, &pace), "failed", "when the pace cannot "
	    "be kept");
	is_str(waiting(q), "1 2 ", "nothing is changed");
	queue_count(q, "a", "a", &tally, &why);
	is_num(tally.pace.failures, none.failures, "nor is the pace");
	queue_close(q);
}

static void
test_atomic_purge(void)
{
	struct queue *q = open_queue("purge.db");

	put_two(q, "1", "2");
	waiting(q);
	change(q, QUEUE_SETTLE, NULL);
	raw_do(newest, "CREATE TRIGGER t BEFORE DELETE ON event WHEN "
	    "old.log_id = '2' BEGIN SELECT RAISE(ABORT, 'no'); END");
	is_num(queue_purge(q, 0, NOW + 1, &why), QUEUE_FAILED, "when one "
	    "cannot be purged");
	is_str(ask(newest, "SELECT count(*) FROM event"), "2", "none is");
	queue_close(q);
}

/* What has no log_id need not be remembered. */
static void
test_nameless(void)
{
	struct queue *q = open_queue("nameless.db");
	int64_t edited = 0;

	put(q, NULL);
	put(q, "known");
	waiting(q);
	change(q, QUEUE_SETTLE, NULL);
	is_str(ask(newest, "SELECT log_id FROM event"), "known",
	    "what was delivered is only kept for its log_id");
	put(q, NULL);
	waiting(q);
	change(q, QUEUE_SET_ASIDE, NULL);
	is_str(ask(newest, "SELECT count(*) FROM event"), "2",
	    "what is set aside is kept");
	put(q, NULL);
	queue_edit(q, QUEUE_REMOVE, NULL, NOW, &edited, &why);
	is_num(edited, 1, "what is removed");
	is_str(ask(newest, "SELECT sum(state < 2) FROM event"), "1",
	    "is gone");
	is_str(ask(newest, "SELECT count(*) FROM event"), "2", "altogether");
	is_str(ask(newest, "SELECT count(record) FROM event"), "1",
	    "and no text is kept but of what waits or is set aside");
	queue_close(q);
}

/* ------------------------------------------------- rows of somebody else */

#define UNREADABLE "the row cannot be read: "
#define NO_OBJECT UNREADABLE "it is no object"
#define NO_TYPE UNREADABLE "it has no type"

static const struct {
	const char *record;	/* in SQL */
	const char *reason;
} bad_rows[] = {
	{ "''", UNREADABLE "it is empty" },
	{ "'   '", UNREADABLE "it is empty" },
	{ "'garbage'", NO_OBJECT },
	{ "12", NO_OBJECT },
	{ "1.5", NO_OBJECT },
	{ "x''", UNREADABLE "it is empty" },
	{ "x'7b00'", UNREADABLE "a control byte at byte 1" },
	{ "'{}'", NO_TYPE },
	{ "'{\"data\":{\"description\":\"no type\"}}'", NO_TYPE },
	{ "'{\"data\":{\"type\":\"f\"}'", UNREADABLE "it is cut at byte "
	    "20" },
	{ "'[{\"data\":{\"type\":\"f\"}},{\"data\":{\"type\":\"f\"}}]'",
	    NO_OBJECT },
	{ "CAST(x'7b2264617461223a7b2274797065223a22ff227d7d' AS TEXT)",
	    UNREADABLE "text that is not UTF-8 at byte 17" },
	{ "zeroblob(300000)", NO_OBJECT },
};

static void
add_reason(void *context, const struct queue_row *row)
{
	buf_addf(context, "%s: %s\n", row->log_id ? row->log_id : "-",
	    row->reason ? row->reason : "-");
}

static const char *
list(struct queue *q)
{
	static struct buf text;
	int64_t after = 0;

	buf_clear(&text);
	if (queue_list(q, &after, add_reason, &text, &why) != QUEUE_OK)
		return reason();
	return buf_text(&text);
}

static void
insert_bad(sqlite3 *db, size_t number, const char *record)
{
	struct buf sql = BUF_INIT;

	buf_addf(&sql, "INSERT INTO event (destination, log_id, type, "
	    "queued_ms, changed_ms, record) VALUES ('a', 'bad%zu', 't', 5, "
	    "5, %s)", number, record);
	raw_do(db, buf_text(&sql));
	buf_release(&sql);
}

static void
test_bad_rows(void)
{
	struct buf want = BUF_INIT, log = BUF_INIT;
	struct queue *q = open_queue("bad.db");
	size_t i, lines = 0;
	const char *line;

	put(q, "first");
	buf_adds(&want, "first: -\n");
	for (i = 0; i < ROWS(bad_rows); i++) {
		insert_bad(newest, i, bad_rows[i].record);
		buf_addf(&want, "bad%zu: %s\n", i, bad_rows[i].reason);
	}
	put(q, "last");
	buf_adds(&want, "last: -\n");
	buf_clear(&caught);
	is_str(waiting(q), "first last ", "rows that cannot be read stop no "
	    "others");
	is_str(list(q), buf_text(&want), "each is set aside with what is "
	    "wrong with it");
	for (line = strstr(buf_text(&caught), "outcome=set-aside"); line;
	     line = strstr(line + 1, "outcome=set-aside"))
		lines++;
	is_num((long long)lines, ROWS(bad_rows), "and logged");
	buf_addf(&log, "error log_id=bad0 type=t destination=a reason=\""
	    UNREADABLE "it is empty\" outcome=set-aside\n");
	ok(strstr(buf_text(&caught), buf_text(&log)) != NULL,
	    "with its log_id and why");
	buf_clear(&caught);
	is_str(waiting(q), "first last ", "they are not given again");
	is_str(buf_text(&caught), "", "nor logged");
	is_num(count(q), 2, "nor counted as waiting");
	queue_close(q);
	buf_release(&want);
	buf_release(&log);
}

/* Other columns of other types than ours, and no log_id. */
static void
test_odd_rows(void)
{
	struct queue *q = open_queue("odd.db");

	raw_do(newest, "INSERT INTO event (destination, log_id, type, "
	    "queued_ms, changed_ms, tries, record) VALUES "
	    "('a', NULL, x'ff00', 'then', 'now', 'many', 'x'),"
	    "('a', x'ff', 5, 1e300, -1, 1.5, '{\"data\":{\"type\":\"f\"}}'),"
	    "('a', 7, '', 1, 1, 1, '{\"data\":{\"type\":\"f\"}}')");
	is_str(waiting(q), "- - ", "rows of odd types are given as far as "
	    "their record can be read");
	is_num(queue_verify(q, &why), QUEUE_OK, "they are no damage");
	is_str(change(q, QUEUE_SETTLE, NULL), "ok", "and can be settled");
	is_str(list(q), "-: " NO_OBJECT "\n",
	    "the bad one is listed");
	queue_close(q);
}

static void
test_many_bad(void)
{
	struct queue *q = open_queue("many.db");
	int calls = 0;
	size_t i;

	raw_do(newest, "BEGIN");
	for (i = 0; i < 600; i++)
		insert_bad(newest, i, i % 2 == 0 ? "'x'" : "''");
	raw_do(newest, "COMMIT");
	put(q, "good");
	while (strcmp(waiting(q), "") == 0 && ++calls < 5)
		;
	is_str(buf_text(&taken.ids), "good ", "600 bad rows in a row do not "
	    "stop the good one behind them");
	is_num(count(q), 1, "they are set aside");
	queue_close(q);
}

/* ------------------------------------------------------------ the limit */

static void
test_limit(void)
{
	enum queue_result result;
	struct queue *door = try_open("full.db", 1000, false, &result);
	struct queue *settler;
	const char *got = "ok";
	int64_t size;
	char id[16];
	int i;

	for (i = 0; i < 1000 && strcmp(got, "ok") == 0; i++) {
		snprintf(id, sizeof(id), "%d", i);
		got = put_long(door, id, 240000);
	}
	is_str(got, "full", "the file has a limit, which is not the disk's");
	is_str(reason(), "full.db: cannot be written to: database or disk is "
	    "full: make room on its disk, or raise QUEUE_MAX",
	    "and that is said");
	queue_close(door);
	size = size_of("full.db");
	ok(size > 64000000 && size <= 18384 * 4096, "it is as large as that "
	    "allows");
	settler = try_open("full.db", 1000, true, &result);
	is_num(count(settler), i - 1, "what was put before is there");
	waiting(settler);
	is_str(change(settler, QUEUE_CLAIM, &(struct pace){ .failures = 1 }),
	    "ok", "who settles can do that");
	is_str(change(settler, QUEUE_SETTLE, &(struct pace){ .failures = 1 }),
	    "ok", "all of it");
	is_str(put_long(settler, "next", 240000), "ok", "then there is room");
	is_num(size_of("full.db"), size, "in the file as it is");
	is_num(queue_purge(settler, 1000, NOW + 1, &why), QUEUE_OK,
	    "when it is purged");
	ok(size_of("full.db") < size / 4, "the file becomes smaller");
	is_str(waiting(settler), "next ", "nothing that waits is lost");
	is_num(queue_verify(settler, &why), QUEUE_OK, "and it is whole");
	queue_close(settler);
}

/* How SQLite goes about a statement. */
static const char *
plan_of(sqlite3 *db, const char *text)
{
	static struct buf plan;
	struct buf explain = BUF_INIT;
	sqlite3_stmt *st = NULL;

	buf_clear(&plan);
	buf_addf(&explain, "EXPLAIN QUERY PLAN %s", text);
	sqlite3_prepare_v2(db, explain.data, -1, &st, NULL);
	while (sqlite3_step(st) == SQLITE_ROW)
		buf_addf(&plan, "%s; ",
		    (const char *)sqlite3_column_text(st, 3));
	sqlite3_finalize(st);
	buf_release(&explain);
	return buf_text(&plan);
}

/*
 * A queue remembers a million delivered events, and a worker looks several
 * times a second: no statement may go through all rows, but the count that
 * is only made when the queue may be full.
 */
static void
test_plans(void)
{
	struct queue_options options = { .max_waiting = 1000,
	    .settles = true };
	struct buf address = BUF_INIT;
	enum queue_result result;
	struct store *s;
	const char *text, *plan;
	int i, bad = 0;

	buf_addf(&address, "sqlite:%s/plans.db", scratch);
	options.address = address.data;
	s = store_open(&options, &result, &why);
	for (i = 0; s && i < STATEMENTS; i++) {
		if (i == COUNT_ONE)
			continue;
		text = sqlite3_sql(store_statement(s, (enum statement)i));
		plan = plan_of(s->db, text);
		if (!strstr(plan, "SCAN event") && !strstr(plan, "TEMP B-TREE"))
			continue;
		diag("%s: %s", text, plan);
		bad++;
	}
	ok(s && bad == 0, "no statement goes through all events");
	store_close(s);
	buf_release(&address);
}

int
main(void)
{
	scratch = scratch_enter();
	log_catch(&caught);
	sqlite3_auto_extension((void (*)(void))remember);
	locked_start();
	test_mode();
	test_journals();
	test_settings();
	test_no_lock();
	test_places();
	test_empty();
	test_unwritable();
	test_all_tampered();
	test_owners();
	test_damage();
	test_damage_in_use();
	test_migration();
	test_newer_meanwhile();
	test_moved();
	test_atomic_put();
	test_atomic_change();
	test_atomic_purge();
	test_nameless();
	test_bad_rows();
	test_odd_rows();
	test_many_bad();
	test_limit();
	test_plans();
	locked_end();
	buf_release(&taken.ids);
	buf_release(&caught);
	buf_release(&why);
	return done_testing();
}
