/* SPDX-License-Identifier: ISC */
/*
 * The worker, in a world of the test's own: its clock moves only while the
 * worker waits, and its Slack answers as it was told. The queue is a real
 * one, in a directory of its own.
 *
 * The world lies in memory that processes share, so that it goes on when a
 * child, which plays a worker that dies, is gone.
 */
#include "delivery/worker.h"

#include "base/log.h"
#include "config/config.h"
#include "queue/queue.h"
#include "slack/slack.h"
#include "slack/slack_digest.h"
#include "tap.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
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

#define WALL 1790000000000	/* when each test begins, by the wall clock */
#define RUN 5000000		/* the same by the run clock */
#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define LONGEST (6 * HOUR)	/* after which a worker is told to stop */
#define STILL_MAX 1000		/* waits in a row that do not wait */

#define IDS 100001		/* events are numbered from 1 */
#define PLACES 4		/* what webhooks lead to */
#define MESSAGES 4096
#define HOOKS 16

#define URL "=https://hooks.slack.com/services/"
#define ONE "SLACK_WEBHOOK_URL" URL "one\n"
#define TWO "SLACK_WEBHOOK_URL_ops" URL "two\n"
#define LIST "DIGEST_AFTER=0\n"
#define NEVER_ANSWERS DAY	/* a latency */

/* ------------------------------------------------------------- world */

struct message {
	char place[16];
	int64_t began_ms;	/* since the test began */
	int64_t ended_ms;
	enum post_result result;
	size_t listed;
	int ids[SLACK_ATTACHMENTS_MAX];
	int64_t counted;
	bool bad;		/* a bad event is in it */
	int64_t told;		/* events that it says are set aside */
};

/* Answers are letters of the table below; the last is said for ever. */
struct place {
	char name[16];
	int64_t latency_ms;
	char answers[32];
	size_t said;
	void *ticket;		/* of the post on its way; NULL: none */
	size_t message;
	int64_t ends_ms;
	bool late;
};

/* Something that happens at a moment. */
struct hook {
	int64_t at_ms;
	void (*go)(const struct hook *hook);
	const char *text;
	int64_t number;
	int count;
	bool done;
};

static struct {
	int64_t run_ms;
	int64_t wall_ahead_ms;
	double chance;
	bool stopping;
	bool in_child;
	struct worker_report report;
	pid_t ended;		/* the process that it ended last; 0: none */
	bool deathless;		/* no process can be */
	bool full;		/* nothing can be sent */
	unsigned waits;
	unsigned still;		/* waits in a row without time going by */
	int64_t told;		/* of events that are set aside */
	unsigned overlaps;	/* posts to a place that had one on its way */
	struct place places[PLACES];
	struct hook hooks[HOOKS];
	size_t hook_count;
	/* What happens at the begin, and at the end, of that message. */
	void (*on_begin)(const struct hook *hook);
	void (*on_answer)(const struct hook *hook);
	size_t nth;		/* from 1 */
	struct message messages[MESSAGES];
	size_t message_count;
	unsigned char had[IDS];	/* how often Slack took the event, listed */
	int64_t counted;	/* events that it took, counted */
	size_t heap_most;
} *w;

static const struct {
	char letter;
	struct post_outcome outcome;
} answers[] = {
	{ 'o', { POST_SENT, 200, 0, false, "ok" } },
	{ 'l', { POST_LATER, 503, 0, false, "service_unavailable" } },
	{ 'h', { POST_LATER, 429, 3600, false, "rate_limited" } },
	{ 'r', { POST_REFUSED, 404, 0, false, "no_service" } },
	{ 'n', { POST_NEVER, 400, 0, false, "invalid_blocks" } },
	{ 't', { POST_LATER, 0, 0, true, "timed out" } },
};

static struct buf caught;
static const char *scratch;

NORETURN static void
bail(const char *why)
{
	printf("Bail out! %s\n", why);
	fflush(stdout);
	if (w->in_child)
		_exit(1);
	exit(1);
}

/* Since the test began. */
static int64_t
now(void)
{
	return w->run_ms - RUN;
}

static int64_t
wall(void *context)
{
	(void)context;
	return WALL + now() + w->wall_ahead_ms;
}

static int64_t
run(void *context)
{
	(void)context;
	return w->run_ms;
}

static double
chance(void *context)
{
	(void)context;
	return w->chance;
}

static bool
stopping(void *context)
{
	(void)context;
	return w->stopping;
}

static bool
can_post(void *context, struct buf *why)
{
	(void)context;
	if (w->full)
		buf_adds(why, "nothing can be sent: for a test");
	return !w->full;
}

static bool
end_process(void *context, pid_t pid, struct buf *why)
{
	(void)context;
	w->ended = pid;
	if (!w->deathless && kill(pid, SIGKILL) == 0 &&
	    waitpid(pid, NULL, 0) == pid)
		return true;
	if (w->deathless)
		buf_adds(why, "it cannot be killed: for a test");
	return false;
}

#if defined(__GNUC__)
/* Of AddressSanitizer, where we have it. */
size_t __sanitizer_get_current_allocated_bytes(void)
    __attribute__((weak));

static size_t
heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes ?
	    __sanitizer_get_current_allocated_bytes() : 0;
}
#else
static size_t
heap_bytes(void)
{
	return 0;
}
#endif

static struct place *
place_of(const char *name)
{
	struct place *p;

	for (p = w->places; p < w->places + PLACES; p++) {
		if (!*p->name) {
			snprintf(p->name, sizeof(p->name), "%s", name);
			p->latency_ms = 100;
			strcpy(p->answers, "o");
		}
		if (strcmp(p->name, name) == 0)
			return p;
	}
	bail("too many places");
}

static int64_t
read_count(const char *text)
{
	int64_t count = 0;

	for (; isdigit((unsigned char)*text) || *text == ','; text++)
		if (*text != ',')
			count = count * 10 + (*text - '0');
	return count;
}

static void
read_payload(struct message *m, const char *text)
{
	static const char title[] = "\"title\":\"";

	const char *told = strstr(text, " set aside and not sent");

	m->bad = strstr(text, "[type: bad]") != NULL;
	if (told)
		m->told = read_count(strstr(text, "\\n") + 2);
	while ((text = strstr(text, title)) != NULL) {
		text += strlen(title);
		if (strncmp(text, "event-", 6) != 0)
			m->counted += read_count(text);
		else if (m->listed < SLACK_ATTACHMENTS_MAX)
			m->ids[m->listed++] = atoi(text + 6);
		else
			bail("a message of too many attachments");
	}
}

static void
begin(void *context, void *ticket, const char *url, const struct buf *payload,
    int64_t timeout_ms)
{
	struct place *p = place_of(strrchr(url, '/') + 1);
	struct message *m = &w->messages[w->message_count];

	(void)context;
	if (w->message_count == MESSAGES)
		bail("too many messages");
	w->overlaps += p->ticket != NULL;
	p->ticket = ticket;
	p->message = w->message_count++;
	p->late = p->latency_ms >= timeout_ms;
	p->ends_ms = w->run_ms + (p->late ? timeout_ms : p->latency_ms);
	memset(m, 0, sizeof(*m));
	memcpy(m->place, p->name, sizeof(m->place));
	m->began_ms = m->ended_ms = now();
	read_payload(m, buf_text(payload));
	if (heap_bytes() > w->heap_most)
		w->heap_most = heap_bytes();
	if (w->on_begin && w->message_count == w->nth)
		w->on_begin(NULL);
}

/* The letters 'b', 'f' and 's': when a bad event is in it never, a failure,
 * or a time-out; else ok. */
static char
next_answer(struct place *p, const struct message *m)
{
	char letter = p->late ? 't' : p->answers[p->said];

	if (p->answers[p->said + 1])
		p->said++;
	if (letter == 'b')
		return m->bad ? 'n' : 'o';
	if (letter == 'f')
		return m->bad ? 'l' : 'o';
	if (letter == 's')
		return m->bad ? 't' : 'o';
	return letter;
}

static void *
finish(struct place *p, struct post_outcome *outcome)
{
	struct message *m = &w->messages[p->message];
	char letter = next_answer(p, m);
	void *ticket = p->ticket;
	size_t i;

	for (i = 0; answers[i].letter != letter; i++)
		;
	*outcome = answers[i].outcome;
	m->result = outcome->result;
	m->ended_ms = now();
	p->ticket = NULL;
	if (m->result == POST_SENT) {
		w->counted += m->counted;
		w->told += m->told;
		for (i = 0; i < m->listed; i++)
			w->had[m->ids[i]]++;
	}
	if (w->on_answer && p->message + 1 == w->nth)
		w->on_answer(NULL);
	return ticket;
}

static struct place *
next_to_end(void)
{
	struct place *p, *first = NULL;

	for (p = w->places; p < w->places + PLACES; p++)
		if (p->ticket && (!first || p->ends_ms < first->ends_ms))
			first = p;
	return first;
}

static struct hook *
next_hook(void)
{
	struct hook *hook, *first = NULL;

	for (hook = w->hooks; hook < w->hooks + w->hook_count; hook++)
		if (!hook->done && (!first || hook->at_ms < first->at_ms))
			first = hook;
	return first;
}

static void
go_to(int64_t run_ms)
{
	if (run_ms <= w->run_ms)
		return;
	w->run_ms = run_ms;
	w->still = 0;
	if (now() > LONGEST)
		w->stopping = true;
}

static void *
wait_for_post(void *context, int64_t timeout_ms, struct post_outcome *outcome)
{
	int64_t until = w->run_ms + timeout_ms;
	struct place *p;
	struct hook *hook;

	(void)context;
	w->waits++;
	if (w->still++ == STILL_MAX)
		bail("the worker spins");
	while ((hook = next_hook()) != NULL && RUN + hook->at_ms <= until) {
		p = next_to_end();
		if (p && p->ends_ms < RUN + hook->at_ms)
			break;
		go_to(RUN + hook->at_ms);
		hook->done = true;
		hook->go(hook);
		if (w->stopping)
			return NULL;
	}
	p = next_to_end();
	go_to(p && p->ends_ms < until ? p->ends_ms : until);
	return p && p->ends_ms <= w->run_ms ? finish(p, outcome) : NULL;
}

static enum worker_end
work(enum worker_mode mode)
{
	const struct world world = { wall, run, chance, begin, wait_for_post,
	    stopping, can_post, end_process, NULL, NULL };

	return worker_run(mode, &world, &w->report);
}

/* A worker that dies, where a hook says so. */
static void
work_and_die(enum worker_mode mode)
{
	pid_t child;
	int status;
	size_t i;

	fflush(stdout);
	w->in_child = true;
	child = fork();
	if (child == 0) {
		work(mode);
		_exit(1);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		bail("the worker did not die");
	w->in_child = false;
	w->on_begin = w->on_answer = NULL;
	for (i = 0; i < PLACES; i++)
		w->places[i].ticket = NULL;
}

/* ------------------------------------------------------------- queue */

static void
execute(const char *sql)
{
	sqlite3 *db;
	char *error = NULL;

	if (sqlite3_open("queue.db", &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		bail(error ? error : sql);
	sqlite3_close(db);
}

static int64_t
ask(const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t number;
	sqlite3 *db;

	if (sqlite3_open("queue.db", &db) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		bail(sql);
	number = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return number;
}

static struct queue *
open_queue(void)
{
	struct buf address = BUF_INIT, why = BUF_INIT;
	struct queue_options options = { .max_waiting = 1000000 };
	enum queue_result result;
	struct queue *q;

	buf_addf(&address, "sqlite:%s/queue.db", scratch);
	options.address = buf_text(&address);
	q = queue_open(&options, &result, &why);
	if (!q)
		bail(buf_text(&why));
	buf_release(&address);
	buf_release(&why);
	return q;
}

/* The end of each use. */
static void
close_queue(struct queue *q, enum queue_result result, struct buf *why)
{
	if (result != QUEUE_OK)
		bail(buf_text(why));
	buf_release(why);
	queue_close(q);
}

static struct event *
make_event(const char *type, int id, const char *tail)
{
	struct buf description = BUF_INIT;
	struct event fields = { 0 }, *e;
	char log_id[32];

	snprintf(log_id, sizeof(log_id), "id-%d", id);
	buf_addf(&description, "event-%d%s", id, tail);
	fields.log_id = log_id;
	fields.type = type;
	fields.description = buf_text(&description);
	if (*tail)
		fields.client_name = fields.user_name =
		    fields.connection = tail;
	fields.time_ms = WALL - DAY + id * SECOND;
	e = event_new(&fields);
	buf_release(&description);
	return e;
}

/* Neighbours change places, as with Auth0, which does not keep the order. */
static int
shuffled(int i, int count)
{
	return (i ^ 1) < count ? i ^ 1 : i;
}

/* bad ends with 0; NULL: none. */
static const char *
type_of(const int *bad, int id)
{
	for (; bad && *bad > 0; bad++)
		if (*bad == id)
			return "bad";
	return "f";
}

/*
 * Puts count events from first on. Those with a tail are large: it stands
 * behind their descriptions, and in other fields.
 */
static void
put_events(const char *destination, const int *bad, int first, int count,
    const char *tail)
{
	struct queue_item *items = mem_alloc((size_t)count * sizeof(*items));
	struct queue *q = open_queue();
	struct buf why = BUF_INIT;
	enum queue_result result;
	int i, id;

	for (i = 0; i < count; i++) {
		id = first + shuffled(i, count);
		items[i].destination = destination;
		items[i].event = make_event(type_of(bad, id), id, tail);
	}
	result = queue_put(q, items, (size_t)count, wall(NULL), &why);
	for (i = 0; i < count; i++)
		free((void *)(uintptr_t)items[i].event);
	free(items);
	close_queue(q, result, &why);
}

static void
put(const char *destination, int id, int count)
{
	put_events(destination, NULL, id, count, "");
}

static struct queue_tally
tally_of(const char *destination)
{
	struct queue *q = open_queue();
	struct queue_tally tally;
	struct buf why = BUF_INIT;

	close_queue(q, queue_count(q, destination, destination, &tally, &why),
	    &why);
	return tally;
}

static int64_t
waiting(void)
{
	return tally_of("default").waiting;
}

static int64_t
aside(void)
{
	return tally_of("default").aside;
}

/* ------------------------------------------------------------- hooks */

static void
do_stop(const struct hook *hook)
{
	(void)hook;
	w->stopping = true;
}

static void
do_die(const struct hook *hook)
{
	(void)hook;
	_exit(0);
}

static void
do_put(const struct hook *hook)
{
	put(hook->text, (int)hook->number, hook->count);
}

static void
do_jump(const struct hook *hook)
{
	w->wall_ahead_ms += hook->number;
}

static void
do_execute(const struct hook *hook)
{
	execute(hook->text);
}

static void
do_hurry(const struct hook *hook)
{
	struct queue *q = open_queue();
	struct buf why = BUF_INIT;

	close_queue(q, queue_hurry(q, hook->text, &why), &why);
}

static void
do_edit(const struct hook *hook)
{
	struct queue *q = open_queue();
	struct buf why = BUF_INIT;
	int64_t count;

	close_queue(q, queue_edit(q, (enum queue_edit)hook->number,
	    hook->text, wall(NULL), &count, &why), &why);
}

/* Reading the queue goes on, but nothing can be written. */
static void
do_break(const struct hook *hook)
{
	(void)hook;
	execute("CREATE TRIGGER broken BEFORE INSERT ON destination BEGIN"
	    " SELECT RAISE(ABORT, 'on fire'); END");
}

static void
do_mend(const struct hook *hook)
{
	(void)hook;
	execute("DROP TRIGGER broken");
}

static void
do_move_away(const struct hook *hook)
{
	(void)hook;
	if (rename("queue.db", "away.db") < 0 || mkdir("queue.db", 0700) < 0)
		bail("queue.db cannot be moved");
}

static void
do_move_back(const struct hook *hook)
{
	if (rmdir("queue.db") < 0 || rename("away.db", "queue.db") < 0)
		bail("queue.db cannot be moved back");
	do_mend(hook);
}

static void
write_config(const char *text)
{
	file_write("new", text, strlen(text), 0600);
	if (rename("new", "conf") < 0)
		bail("conf cannot be written");
}

static void
configure(const char *settings)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "QUEUE=sqlite:%s/queue.db\nLOG_LEVEL=warn\n%s",
	    scratch, settings);
	write_config(buf_text(&text));
	buf_release(&text);
}

static void
do_configure(const struct hook *hook)
{
	configure(hook->text);
}

static void
do_write_config(const struct hook *hook)
{
	write_config(hook->text);
}

static void
at_with(int64_t at_ms, void (*go)(const struct hook *hook), const char *text,
    int64_t number, int count)
{
	struct hook hook = { at_ms, go, text, number, count, false };

	if (w->hook_count == HOOKS)
		bail("too many hooks");
	w->hooks[w->hook_count++] = hook;
}

static void
at(int64_t at_ms, void (*go)(const struct hook *hook), const char *text)
{
	at_with(at_ms, go, text, 0, 0);
}

/* ------------------------------------------------------------- tests */

static void
set_up(const char *settings)
{
	static const char *const files[] = { "queue.db", "queue.db-journal",
	    "queue.db-wal", "queue.db-shm", "queue.db-worker", "away.db",
	    "away.db-worker" };
	size_t i;

	for (i = 0; i < ROWS(files); i++)
		remove(files[i]);
	memset(w, 0, sizeof(*w));
	w->run_ms = RUN;
	buf_clear(&caught);
	configure(settings);
}

static void
slack_says(const char *name, int64_t latency_ms, const char *letters)
{
	struct place *p = place_of(name);

	p->latency_ms = latency_ms;
	p->said = 0;
	snprintf(p->answers, sizeof(p->answers), "%s", letters);
}

/* From now on it takes what it gets. */
static void
do_slack_says(const struct hook *hook)
{
	slack_says(hook->text, hook->number, "o");
}

static void
do_expect_rows(const struct hook *hook)
{
	is_num(ask("SELECT count(*) FROM event"), hook->number, "%s",
	    hook->text);
}

static void
do_expect_waiting(const struct hook *hook)
{
	is_num(waiting(), hook->number, "%s", hook->text);
}

/* Another worker, later. */
static enum worker_end
work_again(enum worker_mode mode)
{
	w->stopping = false;
	return work(mode);
}

/* When the messages to a place began. */
static const char *
times(const char *place)
{
	static struct buf text;
	size_t i;

	buf_clear(&text);
	for (i = 0; i < w->message_count; i++)
		if (strcmp(w->messages[i].place, place) == 0)
			buf_addf(&text, "%s%" PRId64, text.len ? " " : "",
			    w->messages[i].began_ms);
	return buf_text(&text);
}

/* The waits between the messages to a place. */
static const char *
gaps(const char *place)
{
	static struct buf text;
	const struct message *m, *last = NULL;

	buf_clear(&text);
	for (m = w->messages; m < w->messages + w->message_count; m++) {
		if (strcmp(m->place, place) != 0)
			continue;
		if (last)
			buf_addf(&text, "%s%" PRId64, text.len ? " " : "",
			    m->began_ms - last->ended_ms);
		last = m;
	}
	return buf_text(&text);
}

/* The events of the messages, as "1-20 21 x500"; x: counted. */
static const char *
contents(void)
{
	static struct buf text;
	const struct message *m;

	buf_clear(&text);
	for (m = w->messages; m < w->messages + w->message_count; m++) {
		if (text.len > 0)
			buf_addc(&text, ' ');
		if (m->counted > 0)
			buf_addf(&text, "x%" PRId64, m->counted);
		else if (m->listed == 1)
			buf_addf(&text, "%d", m->ids[0]);
		else
			buf_addf(&text, "%d-%d", m->ids[0],
			    m->ids[m->listed - 1]);
	}
	return buf_text(&text);
}

/* Whether all messages but the first came that long after the one before. */
/* Whether messages to a place are so far apart at least. */
static bool
never_sooner(const char *place, int64_t interval_ms)
{
	const struct message *m, *last = NULL;

	for (m = w->messages; m < w->messages + w->message_count; m++) {
		if (strcmp(m->place, place) != 0)
			continue;
		if (last && m->began_ms - last->ended_ms < interval_ms)
			return false;
		last = m;
	}
	return w->overlaps == 0;
}

static bool
paced(const char *place, int64_t interval_ms)
{
	const struct message *m, *last = NULL;

	for (m = w->messages; m < w->messages + w->message_count; m++) {
		if (strcmp(m->place, place) != 0)
			continue;
		if (last && m->began_ms - last->ended_ms != interval_ms)
			return false;
		last = m;
	}
	return w->overlaps == 0;
}

/* How many of the events from 1 to count Slack has taken so often. */
static int
taken(int count, unsigned often)
{
	int id, taken = 0;

	for (id = 1; id <= count; id++)
		taken += w->had[id] == often;
	return taken;
}

static bool
in_order(void)
{
	const struct message *m;
	int before = 0;
	size_t i;

	for (m = w->messages; m < w->messages + w->message_count; m++)
		for (i = 0; i < m->listed; i++) {
			if (m->ids[i] <= before)
				return false;
			before = m->ids[i];
		}
	return true;
}

/* How often words stand in the log. */
static int
logged(const char *words)
{
	const char *at_word = buf_text(&caught);
	int count = 0;

	while ((at_word = strstr(at_word, words)) != NULL) {
		at_word += strlen(words);
		count++;
	}
	return count;
}

/* ------------------------------------------------------- ends and modes */

static void
test_empty(void)
{
	set_up(ONE);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "an empty queue is drained");
	ok(now() <= 250, "at once");
	set_up(ONE);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "one that is to leave "
	    "when idle leaves an empty queue");
	ok(now() >= 3 * SECOND && now() <= 6 * SECOND, "after some seconds");
	set_up(ONE);
	at(10 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "one that is to stay ends");
	is_num(now(), 10 * MINUTE, "when told to");
	ok(w->waits <= 10 * 60 * 4 + 10, "and slept most of the time");
	set_up(ONE);
	put("default", 1, 1);
	at_with(20 * MINUTE, do_put, "default", 2, 1);
	at(30 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "it sends what comes "
	    "meanwhile");
	ok(w->messages[1].began_ms - 20 * MINUTE <= 250, "in no time");
	set_up(ONE);
	put("default", 1, 1);
	at_with(3 * SECOND, do_put, "default", 2, 1);
	at_with(6 * SECOND, do_put, "default", 3, 1);
	work(WORKER_UNTIL_IDLE);
	is_str(contents(), "1 2 3", "one that leaves when idle starts over "
	    "with each event");
	ok(now() >= 9 * SECOND && now() <= 12 * SECOND, "and leaves after "
	    "the last");
}

static void
test_numbers(void)
{
	static const struct {
		const char *settings;
		int events;
		int64_t interval_ms;
		const char *contents;
		enum worker_mode mode;
	} rows[] = {
		{ "", 1, 1000, "1", WORKER_DRAINS },
		{ "", 20, 1000, "1-20", WORKER_DRAINS },
		{ "", 21, 1000, "1-20 21", WORKER_UNTIL_IDLE },
		{ "", 60, 1000, "1-20 21-40 41-60", WORKER_DRAINS },
		{ "", 61, 1000, "x61", WORKER_DRAINS },
		{ "", 10020, 1000, "x10000 10001-10020", WORKER_DRAINS },
		{ "", 25000, 1000, "x10000 x10000 x5000", WORKER_UNTIL_IDLE },
		{ "DIGEST_AFTER=20\n", 21, 1000, "x21", WORKER_DRAINS },
		{ LIST, 61, 1000, "1-20 21-40 41-60 61", WORKER_DRAINS },
		{ "SLACK_INTERVAL=7s\n", 40, 7000, "1-20 21-40",
		    WORKER_DRAINS },
		{ "SLACK_INTERVAL=50ms\n", 40, 50, "1-20 21-40",
		    WORKER_DRAINS },
	};
	struct buf settings = BUF_INIT;
	bool each;
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		buf_clear(&settings);
		buf_addf(&settings, ONE "%s", rows[i].settings);
		set_up(buf_text(&settings));
		put("default", 1, rows[i].events);
		is_num(work(rows[i].mode), WORKER_EMPTY, "%d events go out",
		    rows[i].events);
		is_str(contents(), rows[i].contents, "in these messages");
		ok(paced("one", rows[i].interval_ms), "SLACK_INTERVAL apart");
		each = taken(rows[i].events, 1) + w->counted ==
		    rows[i].events && waiting() == 0 && aside() == 0;
		ok(each && in_order(), "each once, the oldest first");
	}
	buf_release(&settings);
}

static void
test_long_list(void)
{
	set_up(ONE LIST);
	put("default", 1, 2000);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "without digests 2,000 "
	    "events go out");
	is_num((long long)w->message_count, 100, "in 100 messages");
	is_num(taken(2000, 1), 2000, "each once");
	ok(in_order() && paced("one", SECOND), "in order and at the pace");
}

/* What does not fit into a message is not taken for sent. */
static void
test_large(void)
{
	struct buf tail = BUF_INIT;
	int i;

	for (i = 0; i < 3000; i++)
		buf_addc(&tail, 'x');
	set_up(ONE "SHOW=description client user connection\n");
	put_events("default", NULL, 1, 40, buf_text(&tail));
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "large events go out");
	is_num(taken(40, 1), 40, "each once");
	ok(w->message_count > 2 && in_order(), "in more messages than usual");
	buf_release(&tail);
}

static void
test_sudden_flood(void)
{
	set_up(ONE "SLACK_INTERVAL=1500ms\n");
	put("default", 1, 21);
	at_with(1300, do_put, "default", 22, 100);
	work(WORKER_DRAINS);
	is_str(contents(), "1-20 x101", "whether to list or to count is "
	    "decided when a message begins");
}

/* -------------------------------------------------------- destinations */

static void
test_neighbours(void)
{
	static const struct {
		int64_t latency_ms;
		const char *answers;
		const char *title;
	} rows[] = {
		{ NEVER_ANSWERS, "o", "never answers" },
		{ 9000, "o", "is slow" },
		{ 100, "r", "is refused" },
		{ 100, "h", "asks to wait an hour" },
		{ 100, "l", "fails for the moment" },
		{ 100, "n", "takes no message" },
	};
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		set_up(ONE TWO LIST);
		slack_says("one", rows[i].latency_ms, rows[i].answers);
		put("default", 1, 60);
		put("ops", 1, 60);
		at_with(20 * SECOND, do_put, "ops", 100, 1);
		at(30 * SECOND, do_stop, NULL);
		work(WORKER_UNTIL_IDLE);
		/* New events are looked for every 250 ms. */
		is_str(times("two"), "0 1100 2200 20050", "one that %s delays "
		    "no other", rows[i].title);
		is_num(tally_of("ops").waiting, 0, "which gets all");
	}
}

static void
test_many_destinations(void)
{
	set_up(ONE TWO "SLACK_WEBHOOK_URL_a" URL "three\n");
	put("default", 1, 20);
	put("ops", 21, 40);
	put("a", 61, 80);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "three get their events");
	is_str(times("one"), "0", "each");
	is_str(times("two"), "0 1100", "at its");
	is_str(times("three"), "0", "own pace");
	is_num(taken(60, 1), 60, "each gets its own events");
	is_num(w->counted, 80, "counted where there are many");
}

static void
test_refused(void)
{
	set_up(ONE LIST);
	slack_says("one", 100, "rrrro");
	put("default", 1, 30);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "one that was refused "
	    "gets its events when it is mended");
	is_str(gaps("one"), "300000 300000 300000 300000 1000", "and was "
	    "tried every SLACK_RETRY_MAX");
	is_num(taken(30, 1), 30, "nothing is lost");
	set_up(ONE TWO LIST);
	slack_says("one", 100, "r");
	put("default", 1, 30);
	put("ops", 31, 30);
	is_num(work(WORKER_DRAINS), WORKER_REMAINS, "drain leaves it be");
	is_str(times("one"), "0", "after one try");
	is_num(taken(60, 1), 30, "and serves the others");
	is_num(waiting(), 30, "its events wait");
	is_num(logged("does not have"), 0, "which needs no warning");
}

static void
test_new_webhook(void)
{
	static const char changed[] = "SLACK_WEBHOOK_URL" URL "new\n" TWO;
	static const struct {
		int64_t latency_ms, change_ms, since_ms;
		const char *title;
	} rows[] = {
		{ 100, 60300, 250, "a new webhook is tried at once" },
		{ 5000, 2000, SECOND, "so is one that came while a message to "
		    "the old one was on its way" },
	};
	int64_t since;
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		set_up(ONE TWO);
		slack_says("one", rows[i].latency_ms, "r");
		put("default", 1, 3);
		at(rows[i].change_ms, do_configure, changed);
		is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "%s",
		    rows[i].title);
		since = w->messages[1].began_ms - (rows[i].change_ms >
		    w->messages[0].ended_ms ? rows[i].change_ms :
		    w->messages[0].ended_ms);
		ok(since <= rows[i].since_ms, "at the next look");
		is_str(times("one"), "0", "the old one is not tried again");
		is_num(taken(3, 1), 3, "the events go there");
	}
	set_up(ONE TWO);
	slack_says("one", 100, "r");
	put("default", 1, 3);
	at(20 * SECOND, do_configure, TWO);
	at(60 * SECOND, do_configure, changed);
	at(70 * SECOND, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "and one for a destination "
	    "that was away");
	set_up(ONE TWO);
	slack_says("one", 100, "r");
	slack_says("new", 100, "llo");
	put("default", 1, 3);
	at(20 * SECOND, do_configure, changed);
	work(WORKER_UNTIL_IDLE);
	is_str(gaps("new"), "1000 2000", "but not again and again");
	set_up(ONE TWO);
	slack_says("two", 100, "h");
	put("ops", 1, 3);
	at(20 * SECOND, do_configure, ONE
	    "SLACK_WEBHOOK_URL_ops" URL "new\n");
	work(WORKER_UNTIL_IDLE);
	is_str(times("new"), "20000", "even where Slack asked the old one to "
	    "wait");
}

static void
test_lost_destination(void)
{
	static const char warning[] = "destination ops, which the "
	    "configuration does not have, has events waiting: 5";

	set_up(ONE);
	put("default", 1, 2);
	put("ops", 3, 5);
	is_num(work(WORKER_DRAINS), WORKER_REMAINS, "a destination that the "
	    "configuration does not have keeps its events");
	is_num(logged(warning), 1, "and a warning says so");
	is_str(contents(), "1-2", "the others get theirs");
	configure(ONE TWO);
	is_num(work_again(WORKER_DRAINS), WORKER_EMPTY, "put back it gets "
	    "them");
	is_num(taken(7, 1), 7, "each once");
	set_up(ONE TWO);
	slack_says("two", 3000, "o");
	put("ops", 1, 40);
	at(SECOND, do_configure, ONE);
	at(100 * SECOND, do_configure, ONE TWO);
	at(120 * SECOND, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "one that is away for a "
	    "while gets them afterwards");
	is_str(times("two"), "0 100000", "and none meanwhile");
	is_num(taken(40, 1), 40, "what was on its way is settled");
	set_up(ONE TWO);
	slack_says("two", 3000, "o");
	put("ops", 1, 40);
	at(SECOND, do_configure, ONE);
	is_num(work(WORKER_DRAINS), WORKER_REMAINS, "drain too");
	is_num(tally_of("ops").waiting, 20, "settles that");
	set_up(ONE TWO);
	slack_says("two", 100, "r");
	put("ops", 1, 1);
	at(20 * SECOND, do_configure, ONE);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_REMAINS, "nobody stays for one "
	    "that is gone");
	ok(now() < 30 * SECOND, "for long");
}

/* All but the default one have names that begin with this letter. */
static void
configure_many(char letter)
{
	struct buf text = BUF_INIT;
	int i;

	buf_adds(&text, ONE);
	for (i = 1; i < DESTINATIONS_MAX; i++)
		buf_addf(&text, "SLACK_WEBHOOK_URL_%c%d" URL "many\n",
		    letter, i);
	configure(buf_text(&text));
	buf_release(&text);
}

static void
do_configure_many(const struct hook *hook)
{
	configure_many(*hook->text);
}

static void
test_destinations_without_end(void)
{
	set_up(ONE);
	configure_many('a');
	at(SECOND, do_configure_many, "b");
	at_with(2 * SECOND, do_put, "b31", 1, 1);
	at_with(2 * SECOND, do_put, "default", 2, 1);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "a worker whose "
	    "destinations are all renamed");
	is_num(w->had[2], 1, "goes on with those it knows");
	is_num(w->had[1], 1, "and serves the new ones");
}

/* ------------------------------------------------------------ failures */

static void
test_backoff(void)
{
	set_up(ONE "SLACK_INTERVAL=100ms\n");
	slack_says("one", 200, "llllllllllllo");
	put("default", 1, 1);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "what fails for the "
	    "moment is tried again until it is sent");
	is_str(gaps("one"), "1000 2000 4000 8000 16000 32000 64000 128000 "
	    "256000 300000 300000 300000", "after waits that double up to "
	    "SLACK_RETRY_MAX");
	is_num(ask("SELECT tries FROM event"), 13, "each try is counted");
	set_up(ONE "SLACK_INTERVAL=100ms\n");
	slack_says("one", 200, "llllllllllllo");
	w->chance = 1;
	put("default", 1, 1);
	work(WORKER_UNTIL_IDLE);
	is_str(gaps("one"), "500 1000 2000 4000 8000 16000 32000 64000 "
	    "128000 150000 150000 150000", "or half of that, by chance");
	set_up(ONE "SLACK_RETRY_MAX=10s\n");
	slack_says("one", 200, "lllllolo");
	put("default", 1, 1);
	at_with(MINUTE, do_put, "default", 2, 1);
	at(2 * MINUTE, do_stop, NULL);
	work(WORKER_STAYS);
	is_str(times("one"), "0 1200 3400 7600 15800 26000 60200 61400",
	    "after a success they start over");
	set_up(ONE TWO LIST);
	slack_says("one", 100, "l");
	put("default", 1, 5);
	put("ops", 6, 20);
	is_num(work(WORKER_DRAINS), WORKER_REMAINS, "drain does not wait for "
	    "a failure to pass");
	is_str(times("one"), "0", "it tries once");
	is_num(taken(25, 1), 20, "and serves the others");
	set_up(ONE "SLACK_TIMEOUT=2s\n");
	slack_says("one", NEVER_ANSWERS, "o");
	put("default", 1, 1);
	at(10 * SECOND, do_stop, NULL);
	work(WORKER_STAYS);
	is_str(times("one"), "0 3000 9000", "a post may take SLACK_TIMEOUT, "
	    "and after a time-out twice that");
}

/* What is logged of events, at LOG_LEVEL=info. */
static void
test_log(void)
{
	set_up(ONE);
	setenv("LOG_LEVEL", "info", 1);
	slack_says("one", 100, "llo");
	put("default", 1, 2);
	work(WORKER_DRAINS);
	go_to(w->run_ms + MINUTE);
	work(WORKER_UNTIL_IDLE);
	is_num(logged("log_id=id-1 type=f destination=default outcome=later"),
	    1, "an event has a line when a failure begins");
	is_num(logged("log_id=id-2 type=f destination=default outcome=sent"),
	    1, "and when it is sent");
	is_num(logged("events=2"), 3, "each message has one");
	unsetenv("LOG_LEVEL");
}

static void
test_retry_after(void)
{
	set_up(ONE);
	slack_says("one", 100, "ho");
	put("default", 1, 1);
	at(MINUTE, do_hurry, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "when Slack asks to "
	    "wait it gets the message later");
	is_str(gaps("one"), "3600000", "as late as it asked for, whatever "
	    "people say");
	set_up(ONE);
	slack_says("one", 100, "ho");
	put("default", 1, 1);
	at(10 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_REMAINS, "told to stop it "
	    "leaves the event");
	is_num(work_again(WORKER_DRAINS), WORKER_REMAINS, "drain does not "
	    "wait that long");
	is_num(work_again(WORKER_UNTIL_IDLE), WORKER_EMPTY, "the next worker "
	    "waits on");
	is_str(gaps("one"), "3600000", "for no less and no more");
	set_up(ONE);
	slack_says("one", 100, "ho");
	put("default", 1, 1);
	at(10 * MINUTE, do_die, NULL);
	work_and_die(WORKER_UNTIL_IDLE);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "so does one after a "
	    "death");
	is_str(gaps("one"), "3600000", "just as long");
	is_num(logged("may appear twice"), 0, "nothing was on its way then");
}

/* ----------------------------------------------------- never to be taken */

static const struct never {
	const char *settings;
	int events;
	int bad[4];		/* the last is 0 */
	unsigned messages;	/* at most */
} nevers[] = {
	{ ONE, 1, { 1 }, 2 },
	{ ONE, 20, { 7 }, 9 },
	{ ONE, 20, { 1, 20 }, 15 },
	{ ONE, 500, { 321 }, 41 },
	{ ONE, 500, { 1, 499, 500 }, 41 },
	{ ONE LIST, 50, { 3, 17 }, 21 },
};

static void
put_nevers(const struct never *row)
{
	put_events("default", row->bad, 1, row->events, "");
	slack_says("one", 100, "b");
}

static int
bad_count(const struct never *row)
{
	size_t i;

	for (i = 0; row->bad[i] > 0; i++)
		;
	return (int)i;
}

/* Whether the bad ones, and they alone, are set aside with Slack's word. */
static bool
bad_are_aside(const struct never *row)
{
	char sql[200];
	int i, right = 0;

	for (i = 0; i < bad_count(row); i++) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM event "
		    "WHERE state = 1 AND reason = 'invalid_blocks' AND "
		    "log_id = 'id-%d'", row->bad[i]);
		right += ask(sql) == 1;
	}
	return right == bad_count(row) && aside() == right;
}

/* Messages of one event that Slack would not take. */
static int
stood_alone(void)
{
	const struct message *m;
	int count = 0;

	for (m = w->messages; m < w->messages + w->message_count; m++)
		count += m->result == POST_NEVER &&
		    (int64_t)m->listed + m->counted == 1;
	return count;
}

static void
test_never(void)
{
	const struct never *row;
	int bad;

	for (row = nevers; row < nevers + ROWS(nevers); row++) {
		bad = bad_count(row);
		set_up(row->settings);
		put_nevers(row);
		is_num(work(WORKER_DRAINS), WORKER_EMPTY, "%d of %d events "
		    "that Slack will never take stop nothing", bad,
		    row->events);
		ok(bad_are_aside(row), "they are set aside with Slack's word");
		is_num(stood_alone(), bad, "each stood alone at last");
		is_num(taken(row->events, 1) + w->counted, row->events - bad,
		    "the others went out, each once");
		ok(w->message_count <= row->messages && taken(IDS - 1, 2) == 0
		    && paced("one", SECOND), "with few messages, at the pace");
		is_num(logged("outcome=set-aside"), bad, "and the log tells");
	}
}

/* Events that Slack always fails over, or never answers. */
static void
test_failing_events(void)
{
	static const int bad[] = { 7, 8, 0 };
	static const char *const ways[] = { "f", "s" };
	size_t i;

	for (i = 0; i < ROWS(ways); i++) {
		set_up(ONE "RETENTION=2h\n");
		put_events("default", bad, 1, 30, "");
		slack_says("one", 100, ways[i]);
		at_with(5 * MINUTE, do_expect_waiting, "events that Slack "
		    "fails over hold up no others for long", 2, 0);
		at_with(10 * MINUTE, do_put, "default", 31, 5);
		at_with(11 * MINUTE, do_expect_waiting, "what comes later "
		    "passes them", 2, 0);
		at(4 * HOUR, do_stop, NULL);
		work(WORKER_STAYS);
		is_num(taken(35, 1), 33, "all others are sent, once");
		ok(never_sooner("one", SECOND), "at the pace");
		is_num(aside() + waiting(), 2, "and none is lost");
		is_num(aside(), 2, "after RETENTION they are set aside");
		ok(logged("outcome=postponed") >= 2, "the log tells");
		ok(w->message_count < 150, "and they are not tried more "
		    "often than SLACK_RETRY_MAX asks (%zu)",
		    w->message_count);
	}
}

/* An outage is no event's fault. */
static void
test_outage(void)
{
	set_up(ONE LIST);
	slack_says("one", 100, "lllllllllo");
	put("default", 1, 50);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "after an outage");
	is_num(taken(50, 1), 50, "all is sent, once");
	ok(now() < 15 * MINUTE, "soon after it has ended");
	is_num(logged("outcome=postponed"), 0, "and no event was blamed");
}

/* Slack takes no event at all, and says of each that it is at fault. */
static void
test_condemned(void)
{
	set_up(ONE);
	slack_says("one", 100, "n");
	put("default", 1, 30);
	at_with(10 * MINUTE, do_expect_waiting, "when three events in a row "
	    "are rejected by the same word all wait again", 30, 0);
	at_with(10 * MINUTE + SECOND, do_slack_says, "one", 100, 0);
	at_with(40 * MINUTE, do_expect_waiting, "and are sent when Slack "
	    "takes events again", 0, 0);
	at(41 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "nothing is left");
	is_num(taken(30, 1), 30, "each is sent once");
	is_num(aside(), 0, "none is set aside");
	ok(logged("so the webhook is at fault") >= 1, "the log tells");
}

static void
do_make_room(const struct hook *hook)
{
	(void)hook;
	w->full = false;
}

static void
test_no_room(void)
{
	set_up(ONE);
	w->full = true;
	put("default", 1, 3);
	at(MINUTE, do_make_room, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "while nothing can be "
	    "sent and settled");
	ok(w->messages[0].began_ms >= MINUTE, "nothing is sent");
	is_num(taken(3, 1), 3, "and all afterwards, once");
	is_num(logged("nothing can be sent: for a test"), 1, "the log tells");
	is_num(ask("SELECT max(tries) FROM event"), 1, "no try is counted");
}

static void
test_telling(void)
{
	static const int bad[] = { 2, 0 };

	set_up(ONE);
	put_events("default", bad, 1, 3, "");
	slack_says("one", 100, "b");
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "when an event was set "
	    "aside");
	is_num(w->told, 1, "a message says how many");
	is_num(tally_of("default").untold, 0, "once");
	set_up(ONE);
	put_events("default", bad, 2, 1, "");
	slack_says("one", 100, "bl");
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "where Slack cannot be told");
	ok(w->report.needs_person, "a person is");
	is_num(tally_of("default").untold, 1, "and it is still to be told");
	set_up(ONE);
	put_events("default", bad, 2, 1, "");
	slack_says("one", 100, "bn");
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "where it rejects even that");
	ok(w->report.needs_person && w->run_ms - RUN < MINUTE,
	    "nobody waits for SLACK_RETRY_MAX");
}

/* Two names of one webhook. */
static void
test_shared_webhook(void)
{
	set_up(ONE "SLACK_WEBHOOK_URL_ops" URL "one\n" LIST
	    "SLACK_INTERVAL=2s\n");
	put("default", 1, 60);
	put("ops", 61, 60);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "two destinations with one "
	    "webhook are served");
	is_num(taken(120, 1), 120, "both");
	ok(paced("one", 2 * SECOND), "at one pace");
	is_num(w->overlaps, 0, "one message at a time");
	set_up(ONE "SLACK_WEBHOOK_URL_ops" URL "one\n" LIST);
	slack_says("one", 100, "ho");
	put("ops", 61, 5);
	at_with(MINUTE, do_put, "default", 1, 5);
	work(WORKER_UNTIL_IDLE);
	is_str(gaps("one"), "3600000 1000", "what Slack asks one to wait holds "
	    "for the other");
}

static void
test_other_webhook_between_workers(void)
{
	set_up(ONE);
	slack_says("one", 100, "h");
	put("default", 1, 3);
	at(MINUTE, do_stop, NULL);
	work(WORKER_STAYS);
	w->stopping = false;
	configure("SLACK_WEBHOOK_URL" URL "new\n");
	is_num(work_again(WORKER_UNTIL_IDLE), WORKER_EMPTY, "a webhook that is "
	    "another than the last worker had");
	ok(w->messages[1].began_ms <= MINUTE + SECOND, "does not wait for the "
	    "old one");
	is_num(taken(3, 1), 3, "and gets the events");
}

/* The splitting goes on where it was, though the worker stops or dies. */
static void
test_never_across_restarts(void)
{
	const struct never *row = &nevers[4];
	bool good = true;
	size_t nth;

	for (nth = 1; nth <= 12; nth++) {
		set_up(row->settings);
		put_nevers(row);
		w->nth = nth;
		w->on_answer = do_stop;
		good &= work(WORKER_DRAINS) == WORKER_REMAINS &&
		    w->message_count == nth;
		w->on_answer = NULL;
		good &= work_again(WORKER_DRAINS) == WORKER_EMPTY;
		good &= bad_are_aside(row) && taken(IDS - 1, 2) == 0 &&
		    w->message_count <= row->messages &&
		    taken(row->events, 1) + w->counted == 497;
	}
	ok(good, "a restart during the splitting changes nothing");
	for (nth = 1, good = true; nth <= 12; nth++) {
		set_up(row->settings);
		put_nevers(row);
		w->nth = nth;
		w->on_begin = do_die;
		work_and_die(WORKER_DRAINS);
		good &= work(WORKER_DRAINS) == WORKER_EMPTY &&
		    bad_are_aside(row) && taken(IDS - 1, 2) == 0 &&
		    w->message_count <= row->messages + 1 &&
		    taken(row->events, 1) + w->counted == 497;
	}
	ok(good, "nor does a death");
}

/* ---------------------------------------------------------------- death */

static void
test_death(void)
{
	set_up(ONE LIST);
	put("default", 1, 60);
	w->nth = 2;
	w->on_begin = do_die;
	work_and_die(WORKER_UNTIL_IDLE);
	is_num(waiting(), 40, "a worker that dies over a message loses "
	    "nothing");
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "the next one sends it");
	is_str(contents(), "1-20 21-40 21-40 41-60", "and the others");
	is_num(taken(60, 1), 60, "each once, if it had not been sent");
	is_num(logged("destination default: a message was on its way when the "
	    "last worker ended; its events may appear twice"), 1,
	    "a warning says what may be");
	is_str(times("one"), "0 1100 2100 3200", "SLACK_INTERVAL is kept");
	set_up(ONE LIST);
	slack_says("one", 9000, "o");
	put("default", 1, 1);
	at(5 * SECOND, do_die, NULL);
	work_and_die(WORKER_UNTIL_IDLE);
	work(WORKER_DRAINS);
	is_str(times("one"), "0 6000", "by when that died, not when it "
	    "began");
	set_up(ONE LIST);
	put("default", 1, 60);
	w->nth = 2;
	w->on_answer = do_die;
	work_and_die(WORKER_UNTIL_IDLE);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "after a death between post "
	    "and settling the queue is emptied");
	is_num(taken(60, 1), 40, "each event appears once");
	is_num(taken(60, 2), 20, "but for those in flight, twice");
	is_num(logged("may appear twice"), 1, "as the log says");
	set_up(ONE LIST);
	put("default", 1, 60);
	at(500, do_die, NULL);
	work_and_die(WORKER_UNTIL_IDLE);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "after a death between "
	    "messages too");
	is_num(taken(60, 1), 60, "each appears once");
	is_num(logged("may appear twice"), 0, "and no warning says else");
	is_str(gaps("one"), "1000 1000", "SLACK_INTERVAL goes on");
}

/* Dead over a second try: a drain now and then has to get on with it. */
static void
test_death_in_back_off(void)
{
	int drains;

	set_up(ONE);
	slack_says("one", 100, "lo");
	put("default", 1, 3);
	w->nth = 2;
	w->on_begin = do_die;
	work_and_die(WORKER_STAYS);
	for (drains = 0; drains < 5 && waiting() > 0; drains++) {
		go_to(w->run_ms + MINUTE);
		work_again(WORKER_DRAINS);
	}
	ok(drains <= 2 && waiting() == 0, "after a death over a second try "
	    "drain sends");
	is_num(logged("may appear twice"), 1, "having warned once");
	set_up(ONE);
	put("default", 1, 3);
	w->nth = 1;
	w->on_begin = do_die;
	work_and_die(WORKER_STAYS);
	execute("DELETE FROM event");
	work_again(WORKER_DRAINS);
	work_again(WORKER_DRAINS);
	is_num(logged("may appear twice"), 1, "so it does where the events "
	    "are gone");
}

/* -------------------------------------------------------- a failing queue */

static void
test_settling_fails(void)
{
	set_up(ONE TWO LIST);
	put("default", 1, 40);
	put("ops", 41, 20);
	w->nth = 1;
	w->on_answer = do_break;
	at(10 * SECOND, do_mend, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "a queue that fails "
	    "after a post is used again when it is mended");
	is_num(taken(60, 1), 60, "nothing is posted twice");
	ok(w->messages[2].began_ms >= 11 * SECOND, "nor before what is known "
	    "could be kept");
	is_num(logged("on fire"), 1, "the same complaint is logged once");
	set_up(ONE LIST "SLACK_INTERVAL=50ms\n");
	put("default", 1, 40);
	w->nth = 1;
	w->on_answer = do_break;
	at(200, do_mend, NULL);
	work(WORKER_UNTIL_IDLE);
	ok(w->messages[1].began_ms >= 1100, "one that fails is not hammered "
	    "at");
	set_up(ONE LIST);
	put("default", 1, 40);
	w->nth = 1;
	w->on_answer = do_break;
	at(5 * SECOND, do_move_away, NULL);
	at(20 * MINUTE, do_move_back, NULL);
	at(21 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "so is one whose file is "
	    "gone for a while");
	is_num(taken(40, 1), 40, "nothing is posted twice");
	ok(w->messages[1].began_ms >= 20 * MINUTE, "nor too soon");
	is_num(logged("is not a regular file"), 4, "the log tells, every "
	    "five minutes");
}

static void
test_settling_fails_for_long(void)
{
	set_up(ONE LIST);
	put("default", 1, 40);
	w->nth = 1;
	w->on_answer = do_break;
	at(10 * MINUTE, do_mend, NULL);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "with a message that is not "
	    "settled even drain stays");
	ok(w->messages[1].began_ms >= 10 * MINUTE, "for as long as it takes");
	is_num(taken(40, 1), 40, "and nothing is posted twice");
	set_up(ONE LIST);
	put("default", 1, 40);
	w->nth = 1;
	w->on_answer = do_break;
	at(SECOND, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_REMAINS, "one that is told to stop "
	    "tries to settle");
	ok(now() >= 20 * SECOND && now() <= 40 * SECOND, "not for ever");
	is_num((long long)w->message_count, 1, "and posts no more");
}

/* Nothing is posted that could not be settled: the try is not kept. */
static void
test_claiming_fails(void)
{
	set_up(ONE TWO);
	put("ops", 1, 1);
	put("default", 2, 3);
	do_break(NULL);
	is_num(work(WORKER_DRAINS), WORKER_FAILED, "who drains a queue that "
	    "cannot be written to gives up");
	ok(now() >= 15 * SECOND && now() <= 17 * SECOND, "after a while");
	is_num((long long)w->message_count, 0, "nothing is posted");
	is_num(logged("on fire"), 1, "and the log says why, once");
	set_up(ONE);
	put("default", 1, 3);
	do_break(NULL);
	at(5 * MINUTE, do_mend, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "who leaves when idle "
	    "stays while it has something to do");
	is_str(contents(), "1-3", "and does it");
	set_up(ONE);
	put("default", 1, 3);
	do_break(NULL);
	at(5 * MINUTE, do_mend, NULL);
	at(6 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "one that stays goes on when "
	    "it is mended");
	is_num(logged("on fire"), 1, "and has not filled the log meanwhile");
	is_num(taken(3, 1), 3, "nothing is lost");
	set_up(ONE);
	at_with(1, do_put, "default", 1, 1);
	at(2, do_break, NULL);
	at(10 * SECOND, do_mend, NULL);
	at_with(MINUTE, do_put, "default", 2, 1);
	at(MINUTE + 1, do_break, NULL);
	at(MINUTE + 10 * SECOND, do_mend, NULL);
	at(2 * MINUTE, do_stop, NULL);
	work(WORKER_STAYS);
	is_num(logged("on fire"), 2, "a second failure is told of again");
	is_str(contents(), "1 2", "and both times it goes on");
}

static void
test_opening_fails(void)
{
	static const enum worker_mode modes[] = { WORKER_DRAINS,
	    WORKER_UNTIL_IDLE };
	size_t i;

	for (i = 0; i < ROWS(modes); i++) {
		set_up(ONE);
		file_write("queue.db", "no database at all", 18, 0600);
		is_num(work(modes[i]), WORKER_FAILED, "a queue that is none "
		    "is given up on");
		ok(modes[i] == WORKER_DRAINS ? now() <= 500 :
		    now() >= 15 * SECOND && now() <= 17 * SECOND,
		    "at once, or after a while");
		is_num(logged("not a database"), 1, "the log says why, once");
	}
}

/* Another process looks: one that holds the lock would lose it. */
static bool
worker_there(void)
{
	struct buf address = BUF_INIT, why = BUF_INIT;
	struct queue_holder holder;
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		buf_addf(&address, "sqlite:%s/queue.db", scratch);
		queue_lock_look(queue_lock_new(buf_text(&address)), NULL,
		    &holder, &why);
		_exit(holder.held);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		bail("the other process has failed");
	return WEXITSTATUS(status) != 0;
}

static void
do_expect_worker(const struct hook *hook)
{
	ok(worker_there(), "%s", hook->text);
}

static void
do_move_queue(const struct hook *hook)
{
	(void)hook;
	if (rename("queue.db", "away.db") < 0 ||
	    rename("queue.db-worker", "away.db-worker") < 0)
		bail("the queue cannot be moved");
}

/* As is advised for a queue that is damaged. */
static void
test_moved_queue(void)
{
	set_up(ONE);
	put("default", 1, 1);
	at(5 * SECOND, do_move_queue, NULL);
	at_with(10 * SECOND, do_put, "default", 2, 1);
	at(20 * SECOND, do_expect_worker, "who moves the queue away does not "
	    "make room for a second worker");
	at(MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "when the queue is moved "
	    "away a new one takes its place");
	is_str(contents(), "1 2", "and is worked off");
}

static void
test_other_failures(void)
{
	set_up(ONE);
	put("default", 1, 1);
	at(SECOND, do_execute, "ALTER TABLE event RENAME TO gone");
	at(10 * SECOND, do_execute, "ALTER TABLE gone RENAME TO event");
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "one that could leave "
	    "stays while the queue cannot be read");
	ok(now() >= 10 * SECOND && now() <= 16 * SECOND, "and not for much "
	    "longer");
	is_num(logged("no such table"), 1, "the log tells");
	set_up(ONE "RETENTION=3s\n");
	put("default", 1, 1);
	execute("CREATE TRIGGER broken BEFORE DELETE ON event BEGIN"
	    " SELECT RAISE(ABORT, 'on fire'); END");
	is_num(work(WORKER_UNTIL_IDLE), WORKER_FAILED, "one that cannot "
	    "forget what is old has failed");
	is_num(logged("on fire"), 1, "as the log says");
}

static void
test_unreadable(void)
{
	set_up(ONE);
	put("default", 1, 5);
	execute("UPDATE event SET record = '{' WHERE log_id = 'id-2'");
	execute("UPDATE event SET record = '[' WHERE log_id = 'id-4'");
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "rows that cannot be read "
	    "stop nothing");
	is_num(aside(), 2, "they are set aside");
	is_num(taken(5, 1), 3, "the others go out");
	set_up(ONE LIST);
	put("default", 1, 1100);
	execute("UPDATE event SET record = '{'");
	put("default", 1101, 1);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "however many they are");
	is_num(aside(), 1100, "all are set aside");
	is_str(contents(), "1101", "and the one that can be read goes out");
}

/* --------------------------------------------------------------- clocks */

static const struct jump {
	int64_t by_ms;
	const char *title;
} jumps[] = {
	{ -DAY, "back a day" },
	{ DAY, "ahead a day" },
	{ -WALL, "to 1970" },
	{ -30 * SECOND, "back some seconds" },
};

static void
test_jumps(void)
{
	const struct jump *jump;
	int64_t wait;

	for (jump = jumps; jump < jumps + ROWS(jumps); jump++) {
		set_up(ONE LIST "SLACK_INTERVAL=1min\n");
		put("default", 1, 60);
		at_with(10 * SECOND, do_jump, NULL, jump->by_ms, 0);
		work(WORKER_DRAINS);
		is_str(gaps("one"), "60000 60000", "a clock that is set %s "
		    "changes no interval", jump->title);
		set_up(ONE);
		slack_says("one", 100, "ho");
		put("default", 1, 1);
		at_with(10 * MINUTE, do_jump, NULL, jump->by_ms, 0);
		work(WORKER_UNTIL_IDLE);
		is_str(gaps("one"), "3600000", "nor what Slack asked for");
		set_up(ONE "SLACK_INTERVAL=1min\n");
		slack_says("one", 100, "llo");
		put("default", 1, 1);
		at_with(70 * SECOND, do_jump, NULL, jump->by_ms, 0);
		at(75 * SECOND, do_hurry, NULL);
		work(WORKER_UNTIL_IDLE);
		wait = w->messages[2].began_ms - w->messages[1].ended_ms;
		ok(wait >= MINUTE && wait <= 2 * MINUTE, "nor for one who is "
		    "in a hurry");
	}
}

static void
test_jumps_between_workers(void)
{
	const struct jump *jump;
	int64_t wait;

	for (jump = jumps; jump < jumps + ROWS(jumps); jump++) {
		set_up(ONE);
		slack_says("one", 100, "ho");
		put("default", 1, 1);
		at(10 * MINUTE, do_stop, NULL);
		work(WORKER_UNTIL_IDLE);
		w->wall_ahead_ms += jump->by_ms;
		is_num(work_again(WORKER_UNTIL_IDLE), WORKER_EMPTY, "with a "
		    "clock set %s between two workers", jump->title);
		wait = w->messages[1].began_ms - 10 * MINUTE;
		ok(jump->by_ms > 0 ? wait == 0 : wait >= 50 * MINUTE &&
		    wait <= HOUR, "a wait begins anew at most");
	}
}

/* A drain now and then, which waits for nothing. */
static void
test_jump_and_drains(void)
{
	const struct jump *jump;
	int64_t wait;

	for (jump = jumps; jump < jumps + ROWS(jumps); jump++) {
		set_up(ONE);
		slack_says("one", 600, "ho");
		put("default", 1, 1);
		work(WORKER_DRAINS);
		w->wall_ahead_ms += jump->by_ms;
		while (waiting() > 0 && now() < 3 * HOUR) {
			go_to(w->run_ms + MINUTE);
			work_again(WORKER_DRAINS);
		}
		wait = w->messages[1].began_ms - w->messages[0].ended_ms;
		ok(waiting() == 0 && wait <= HOUR + 2 * MINUTE, "with a clock "
		    "set %s drains do not wait for longer", jump->title);
	}
}

/* A date that is wrong for one worker's life, or for a while in it. */
static void
test_jumps_and_purges(void)
{
	set_up(ONE);
	put("default", 1, 3);
	work(WORKER_UNTIL_IDLE);
	w->wall_ahead_ms += 365 * DAY;
	put("default", 11, 1);
	work_again(WORKER_UNTIL_IDLE);
	w->wall_ahead_ms -= 365 * DAY;
	is_num(ask("SELECT count(*) FROM event"), 4, "a worker that begins "
	    "with a date of next year forgets nothing");
	work_again(WORKER_UNTIL_IDLE);
	is_num(ask("SELECT count(*) FROM event"), 4, "nor does the next one, "
	    "which has the right date");
	set_up(ONE);
	put("default", 1, 3);
	at_with(MINUTE, do_jump, NULL, 365 * DAY, 0);
	at_with(2 * HOUR, do_expect_rows, "a date that jumps ahead while it "
	    "runs is not believed", 3, 0);
	at_with(3 * HOUR, do_jump, NULL, -365 * DAY, 0);
	at(5 * HOUR, do_stop, NULL);
	work(WORKER_STAYS);
	is_num(ask("SELECT count(*) FROM event"), 3, "not even then");
	is_num(logged("the date was set: nothing is forgotten before"), 2,
	    "which the log tells, each time");
	set_up(ONE);
	put("default", 1, 3);
	work(WORKER_UNTIL_IDLE);
	w->wall_ahead_ms += 8 * DAY;
	put("default", 11, 1);
	work_again(WORKER_UNTIL_IDLE);
	is_num(ask("SELECT count(*) FROM event"), 4, "a queue that was not "
	    "used for longer than RETENTION");
	w->wall_ahead_ms += 4 * DAY;
	put("default", 12, 1);
	work_again(WORKER_UNTIL_IDLE);
	is_num(ask("SELECT count(*) FROM event"), 2, "is purged when half of "
	    "that has gone by");
}

/* ------------------------------------------------- beginning and leaving */

/*
 * An event that is put while a worker, about to leave, still holds the
 * lock. The moment is found by a run without it.
 */
static void
test_gap(void)
{
	static const enum worker_mode modes[] = { WORKER_DRAINS,
	    WORKER_UNTIL_IDLE };
	int64_t last;
	int had;
	size_t i;

	for (i = 0; i < ROWS(modes); i++) {
		for (had = 0; had <= 1; had++) {
			set_up(ONE);
			if (had)
				put("default", 1, 1);
			work(modes[i]);
			last = now();
			set_up(ONE);
			if (had)
				put("default", 1, 1);
			at_with(last, do_put, "default", 2, 1);
			is_num(work(modes[i]), WORKER_EMPTY, "what comes "
			    "during the last wait");
			is_num(w->had[2], 1, "is not left to nobody");
		}
	}
	set_up(ONE);
	at_with(SECOND, do_put, "default", 2, 1);
	at(SECOND, do_stop, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_REMAINS, "but a worker that is "
	    "told to stop leaves it");
	is_num((long long)w->message_count, 0, "unsent");
}

/* The same for a destination that failed, and must wait. */
static void
test_gap_in_back_off(void)
{
	int64_t last = 0;
	int runs;

	for (runs = 0; runs < 2; runs++) {
		set_up(ONE);
		slack_says("one", 100, "ro");
		put("default", 1, 1);
		at_with(10 * SECOND, do_edit, "id-1", QUEUE_REMOVE, 0);
		if (last > 0)
			at_with(last, do_put, "default", 2, 1);
		work(WORKER_UNTIL_IDLE);
		last = now();
	}
	is_num(w->had[2], 1, "a failure does not hide what comes during the "
	    "last wait");
}

/* Holds the lock in another process, which ends when *fd is closed. */
static pid_t
hold_lock(int *fd)
{
	struct buf address = BUF_INIT;
	int ready[2], done[2];
	pid_t child;
	char byte;

	buf_addf(&address, "sqlite:%s/queue.db", scratch);
	fflush(stdout);
	if (pipe(ready) < 0 || pipe(done) < 0)
		bail("no pipe to be had");
	child = fork();
	if (child == 0) {
		close(done[1]);
		if (!become_worker(buf_text(&address)) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(done[0], &byte, 1) < 0);
	}
	close(ready[1]);
	close(done[0]);
	if (read(ready[0], &byte, 1) != 1)
		bail("the other process has no lock");
	close(ready[0]);
	*fd = done[1];
	buf_release(&address);
	return child;
}

static void
test_one_worker(void)
{
	enum worker_mode mode;
	pid_t child;
	int fd;

	set_up(ONE);
	put("default", 1, 1);
	child = hold_lock(&fd);
	for (mode = WORKER_UNTIL_IDLE; mode <= WORKER_DRAINS; mode++)
		is_num(work(mode), WORKER_OTHER, "one worker is enough");
	ok(now() == 0 && w->message_count == 0 && w->waits == 0, "a second "
	    "one goes at once");
	at(5 * SECOND, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_OTHER, "a service waits for it");
	ok(now() >= 5 * SECOND && now() <= 6 * SECOND,
	    "until it is told to stop");
	close(fd);
	waitpid(child, NULL, 0);
	set_up(ONE);
	put("default", 1, 1);
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "when the first is dead "
	    "there may be another");
}

/* Sets the holder's last sign of life so far back. */
static void
silence(int64_t ms)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= (time_t)(ms / SECOND);
	times[1] = times[0];
	if (utimensat(AT_FDCWD, "queue.db-worker", times, 0) < 0)
		bail("the lock's time cannot be set");
}

static void
do_silence(const struct hook *hook)
{
	silence(hook->number);
}

static void
test_hanging_worker(void)
{
	pid_t child;
	int fd;

	set_up(ONE);
	put("default", 1, 1);
	child = hold_lock(&fd);
	silence(50 * SECOND);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_OTHER, "a worker that was "
	    "silent for less than a minute is let alone");
	silence(70 * SECOND);
	at_with(2 * SECOND, do_silence, NULL, 0, 0);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_OTHER, "so is one that gives "
	    "a sign of life while it is watched");
	ok(w->ended == 0 && !w->report.hung.held, "neither is ended");
	silence(70 * SECOND);
	w->deathless = true;
	is_num(work(WORKER_DRAINS), WORKER_STUCK, "one that hangs and cannot "
	    "be ended is not replaced");
	is_num(logged("hangs, and nothing is delivered: it cannot be killed: "
	    "for a test: end it by hand"), 1, "which the log says");
	is_num((long long)w->message_count, 0, "nothing is sent");
	w->deathless = false;
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "one that can be is ended");
	is_num(w->ended, child, "it and no other");
	ok(w->report.hung.held && w->report.hung.pid == child, "its caller "
	    "hears of it");
	is_num(logged("has given no sign of life for"), 2, "the log says so");
	is_num(w->had[1], 1, "and what waits is sent");
	close(fd);
}

/* By now the lock is another's, as after a move of the files. */
static void
do_lose_lock(const struct hook *hook)
{
	static int fd;

	(void)hook;
	do_move_queue(NULL);
	hold_lock(&fd);
}

static void
test_displaced(void)
{
	set_up(ONE);
	slack_says("one", 5000, "o");
	put("default", 1, 1);
	at(2 * SECOND, do_lose_lock, NULL);
	is_num(work(WORKER_STAYS), WORKER_OTHER, "a worker that has lost the "
	    "lock to another leaves");
	ok(now() >= 5 * SECOND && now() <= 7 * SECOND,
	    "when what was on its way is settled");
}

static void
test_traces(void)
{
	set_up(ONE);
	put("default", 1, 1);
	work(WORKER_DRAINS);
	ok(!worker_there(), "a worker that has done all is gone");
	set_up(ONE);
	slack_says("one", 100, "o");
	put("default", 1, 1);
	at(50, do_die, NULL);
	work_and_die(WORKER_DRAINS);
	ok(!worker_there(), "so is one that died");
}

static void
test_stopping(void)
{
	set_up(ONE TWO LIST);
	slack_says("one", 5000, "o");
	put("default", 1, 60);
	put("ops", 61, 60);
	at(2 * SECOND, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_REMAINS, "told to stop it ends");
	is_num(now(), 5 * SECOND, "when what is on its way has come through");
	is_str(times("one"), "0", "begins nothing");
	is_str(times("two"), "0 1100", "anywhere");
	is_num(waiting(), 40, "and settles what was sent");
	ok(w->waits < 100, "without a hurry");
	set_up(ONE);
	slack_says("one", NEVER_ANSWERS, "o");
	put("default", 1, 1);
	at(2 * SECOND, do_stop, NULL);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_REMAINS, "a post that is never "
	    "answered holds it up");
	is_num(now(), 10 * SECOND, "until its time-out");
	is_num(tally_of("default").pace.failures, 1, "which is kept");
}

/* ---------------------------------------------------------- configuration */

static void
test_bad_configuration(void)
{
	static const struct {
		const char *config, *logged;
	} rows[] = {
		{ ONE, "QUEUE is not set: without a queue there is nothing to "
		    "work off" },
		{ ONE "QUEUE=sqlite:/x/y\nCHANEL=x\n", "conf:3: unknown key" },
		{ "QUEUE=sqlite:/x/y\n", "SLACK_WEBHOOK_URL is not set" },
		{ ONE "QUEUE=sqlite:/nowhere/queue.db\n", "cannot be locked" },
	};
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		set_up(ONE);
		write_config(rows[i].config);
		is_num(work(WORKER_STAYS), WORKER_FAILED, "a configuration "
		    "that cannot be used");
		is_num(logged(rows[i].logged), 1, "is told of in the log: %s",
		    rows[i].logged);
		is_num(w->waits, 0, "and ends the worker at once");
	}
}

static void
test_new_configuration(void)
{
	static const struct {
		const char *config, *title;
	} rows[] = {
		{ ONE "QUEUE=sqlite:/x/other.db\n", "is named" },
		{ ONE, "is named no longer" },
	};
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		set_up(ONE);
		slack_says("one", 5000, "o");
		put("default", 1, 30);
		at(2 * SECOND, do_write_config, rows[i].config);
		is_num(work(WORKER_STAYS), WORKER_REMAINS, "when another "
		    "queue %s it ends", rows[i].title);
		is_str(contents(), "1-20", "begins nothing");
		is_num(waiting(), 10, "and settles what was on its way");
		ok(now() <= 6 * SECOND, "soon");
		is_num(logged("QUEUE is another now, and events still wait "
		    "in sqlite:"), 1, "and tells of what waits there");
	}
	set_up(ONE);
	at(5 * SECOND, do_configure, ONE "DIGEST_AFTER=x\n");
	at_with(6 * SECOND, do_put, "default", 1, 21);
	at(MINUTE, do_configure, ONE "DIGEST_AFTER=20\n");
	at_with(2 * MINUTE, do_put, "default", 22, 21);
	at(3 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "a bad new configuration "
	    "ends no worker");
	is_str(contents(), "1-20 21 x21", "and one that is mended counts");
	is_num(logged("stays in force"), 1, "the log tells");
}

/* --------------------------------------------------------------- people */

static void
test_people(void)
{
	set_up(ONE);
	slack_says("one", 100, "ro");
	put("default", 1, 2);
	at(95 * SECOND, do_hurry, "default");
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "who ends a back-off");
	ok(w->messages[1].began_ms >= 95 * SECOND &&
	    w->messages[1].began_ms <= 96 * SECOND, "waits for a second");
	set_up(ONE);
	slack_says("one", 100, "ro");
	put("default", 1, 2);
	at_with(95 * SECOND, do_edit, "id-1", QUEUE_REMOVE, 0);
	work(WORKER_UNTIL_IDLE);
	is_str(contents(), "1-2 2", "what is removed meanwhile is not sent");
	set_up(ONE);
	slack_says("one", 100, "r");
	put("default", 1, 1);
	at_with(95 * SECOND, do_edit, "id-1", QUEUE_REMOVE, 0);
	is_num(work(WORKER_UNTIL_IDLE), WORKER_EMPTY, "when all is removed it "
	    "leaves");
	ok(now() <= 101 * SECOND, "as soon as it would else");
	set_up(ONE);
	slack_says("one", 100, "no");
	put("default", 1, 1);
	at_with(95 * SECOND, do_edit, NULL, QUEUE_RETRY, 0);
	at(2 * MINUTE, do_stop, NULL);
	is_num(work(WORKER_STAYS), WORKER_EMPTY, "what was set aside may be "
	    "tried again");
	ok(w->message_count == 3 && w->messages[2].began_ms <= 96 * SECOND,
	    "and is at once");
}

/* ---------------------------------------------------------------- purge */

static void
test_purge(void)
{
	set_up(ONE "RETENTION=2h\n");
	put("default", 1, 3);
	at_with(3 * HOUR - MINUTE, do_expect_rows, "what was delivered is "
	    "remembered for RETENTION", 3, 0);
	at_with(3 * HOUR + MINUTE, do_expect_rows, "and forgotten within an "
	    "hour of it", 0, 0);
	at(3 * HOUR + 2 * MINUTE, do_stop, NULL);
	work(WORKER_STAYS);
	set_up(ONE "RETENTION=3s\n");
	put("default", 1, 3);
	work(WORKER_UNTIL_IDLE);
	is_num(ask("SELECT count(*) FROM event"), 0, "a worker that leaves "
	    "forgets what is old");
	set_up(ONE "RETENTION=3s\n");
	put("default", 1, 3);
	at_with(7 * SECOND, do_expect_rows, "a RETENTION that is short is "
	    "kept to", 0, 0);
	at(10 * SECOND, do_stop, NULL);
	work(WORKER_STAYS);
}

/* --------------------------------------------------------------- memory */

static void
test_memory(void)
{
	static const char title[] = "memory does not grow with the queue";
	struct buf tail = BUF_INIT;
	size_t before;
	int i;

	if (heap_bytes() == 0) {
		skip(title, "only AddressSanitizer knows");
		return;
	}
	set_up(ONE);
	for (i = 0; i < 10; i++)
		put("default", 1 + i * 10000, 10000);
	before = heap_bytes();
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "100,000 events go out");
	is_num((long long)w->message_count, 10, "in ten messages");
	is_num(w->counted, 100000, "each counted");
	ok(w->heap_most < before + 20000000, "%s", title);
	diag("%zu bytes at most", w->heap_most - before);
	set_up(ONE);
	for (i = 0; i < 4000; i++)
		buf_addc(&tail, 'x');
	for (i = 0; i < 4; i++)
		put_events("default", NULL, 1 + i * 1000, 1000,
		    buf_text(&tail));
	w->heap_most = 0;
	before = heap_bytes();
	is_num(work(WORKER_DRAINS), WORKER_EMPTY, "so do large ones");
	is_num(taken(4000, 1) + w->counted, 4000, "each once");
	ok(w->message_count <= 12, "in a few messages");
	ok(w->heap_most < before + 30000000, "nor with their size");
	diag("%zu bytes at most", w->heap_most - before);
	buf_release(&tail);
}

static void
forget_environment(void)
{
	static const char *const unset[] = {
		"SLACK_WEBHOOK_URL", "AUTH0_LOG_STREAM_TOKEN", "FILTER",
		"SHOW", "QUEUE", "QUEUE_ON_NETWORK", "SLACK_INTERVAL",
		"SLACK_TIMEOUT", "SLACK_RETRY_MAX", "DIGEST_AFTER",
		"RETENTION", "QUEUE_MAX", "DASHBOARD_URL", "LOG", "LOG_LEVEL",
	};
	size_t i;

	for (i = 0; i < ROWS(unset); i++)
		unsetenv(unset[i]);
	setenv("LOG_STREAM_CONFIG", "conf", 1);
}

static void (*const tests[])(void) = {
	test_empty,
	test_numbers,
	test_long_list,
	test_large,
	test_sudden_flood,
	test_neighbours,
	test_many_destinations,
	test_refused,
	test_new_webhook,
	test_lost_destination,
	test_destinations_without_end,
	test_backoff,
	test_log,
	test_retry_after,
	test_never,
	test_failing_events,
	test_outage,
	test_condemned,
	test_no_room,
	test_telling,
	test_shared_webhook,
	test_other_webhook_between_workers,
	test_never_across_restarts,
	test_death,
	test_death_in_back_off,
	test_settling_fails,
	test_settling_fails_for_long,
	test_claiming_fails,
	test_opening_fails,
	test_moved_queue,
	test_other_failures,
	test_unreadable,
	test_jumps,
	test_jumps_between_workers,
	test_jump_and_drains,
	test_jumps_and_purges,
	test_gap,
	test_gap_in_back_off,
	test_one_worker,
	test_hanging_worker,
	test_displaced,
	test_traces,
	test_stopping,
	test_bad_configuration,
	test_new_configuration,
	test_people,
	test_purge,
	test_memory,
};

int
main(void)
{
	size_t i;

	scratch = scratch_enter();
	forget_environment();
	log_catch(&caught);
	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED)
		return 1;
	for (i = 0; i < ROWS(tests); i++)
		tests[i]();
	buf_release(&caught);
	return done_testing();
}
