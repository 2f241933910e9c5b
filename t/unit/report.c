/* SPDX-License-Identifier: ISC */
/* Reports of a queue, word for word. */
#include "status/report.h"

#include "tap.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#define NOW 1785587696000	/* 2026-08-01 12:34:56 UTC */
#define MINUTE 60000
#define HOUR 3600000
#define DAY 86400000

static const char *scratch;
static struct buf why;
static struct buf address;
static struct queue *q;
static bool needs_person;

/* A configuration with two destinations, one of which has no webhook. */
static char name_default[] = "default", name_ops[] = "ops";
static char webhook[] = "https://hooks.slack.com/services/secret";
static struct destination destinations[] = {
	{ .name = name_default },
	{ .name = name_ops, .webhook_url = webhook, .shares = 1 },
};
static struct config config = {
	.destinations = destinations,
	.destination_count = ROWS(destinations),
};

static void
begin(void)
{
	static unsigned number;
	struct queue_options options = { .max_waiting = 1000,
	    .settles = true };
	enum queue_result result;

	queue_close(q);
	buf_clear(&address);
	buf_addf(&address, "sqlite:%s/%u.db", scratch, ++number);
	options.address = config.queue = config.queue_shown = address.data;
	q = queue_open(&options, &result, &why);
	if (!q) {
		printf("Bail out! %s\n", buf_text(&why));
		exit(1);
	}
}

static void
put(const char *destination, const char *log_id, const char *type,
    int64_t now_ms)
{
	struct event e = { .log_id = log_id, .type = type,
	    .time_ms = EVENT_NO_TIME };
	struct queue_item item = { destination, &e, false };

	queue_put(q, &item, 1, now_ms, &why);
}

static void
note_number(void *context, const struct queue_row *row)
{
	int64_t *before = context;

	if (*before < 0)
		*before = row->number - 1;
}

/* The number before that of the first row, which is another at each run. */
static int64_t
number_before(void)
{
	int64_t before = -1, after = 0;

	queue_list(q, &after, note_number, &before, &why);
	return before;
}

struct nth {
	int64_t left;		/* of the rows before it */
	struct queue_key key;
};

static void
note_key(void *context, const struct queue_row *row)
{
	struct nth *nth = context;

	if (--nth->left != 0)
		return;
	nth->key.number = row->number;
	nth->key.nonce = row->nonce;
}

/* Of the nth row that is listed. */
static struct queue_key
key_of(int64_t nth)
{
	struct nth found = { nth, { 0, 0, false } };
	int64_t after = 0;

	queue_list(q, &after, note_key, &found, &why);
	return found.key;
}

/* Changes the nth row; 0: none. */
static void
change(enum queue_change what, const char *destination, int64_t nth,
    const char *reason, const struct pace *pace)
{
	struct queue_key key = key_of(nth);
	struct queue_batch batch = { .destination = destination,
	    .keys = &key, .count = nth > 0, .reason = reason,
	    .pace_of = destination, .pace = pace };

	queue_change(q, what, &batch, NOW, &why);
}

/* The queue's address, which is another at each run, as QUEUE. */
static const char *
tidy(struct buf *out)
{
	static struct buf text;
	const char *at = strstr(buf_text(out), address.data);

	buf_clear(&text);
	if (at) {
		buf_add(&text, out->data, (size_t)(at - out->data));
		buf_adds(&text, "QUEUE");
		buf_adds(&text, at + address.len);
	} else {
		buf_adds(&text, buf_text(out));
	}
	buf_release(out);
	return buf_text(&text);
}

static const char *
status(bool json, int64_t now_ms)
{
	struct buf out = BUF_INIT;

	if (report_status(q, &config, json, now_ms, &out, &needs_person,
	    &why) != QUEUE_OK)
		diag("no status: %s", buf_text(&why));
	return tidy(&out);
}

static const char *
list(bool json, int64_t now_ms)
{
	int64_t before, after = 0;
	struct buf out = BUF_INIT;

	do {
		before = after;
		if (report_list(q, json, now_ms, &after, &out, &why) !=
		    QUEUE_OK)
			diag("no list: %s", buf_text(&why));
	} while (after != before);
	return tidy(&out);
}

/* -------------------------------------------------------------- status */

static const struct pace failing = {
	.set_ms = NOW - 10000, .until_ms = NOW + 50000,
	.obey_ms = NOW - 9000, .failures = 4, .refused = true,
	.success_ms = NOW - 3 * HOUR, .error_ms = NOW - 10000,
	.error = "no_service",
};

static void
test_status_empty(void)
{
	begin();
	is_str(status(false, NOW), "queue: QUEUE\n"
	    "worker: none\n"
	    "destination ops: 0 waiting, 0 set aside\n"
	    "    last success: none\n",
	    "a new queue has a destination of the configuration's");
	is_str(status(true, NOW), "{\"queue\":\"QUEUE\",\"worker\":false,"
	    "\"worker_pid\":null,"
	    "\"worker_silent_ms\":null,\"worker_note\":null,"
	    "\"machines\":[],\"destinations\":[{\"name\":\"ops\","
	    "\"configured\":true,\"waiting\":0,\"set_aside\":0,"
	    "\"oldest_ms\":null,\"last_success_ms\":null,"
	    "\"last_error_ms\":null,\"last_error\":null,\"refused\":false,"
	    "\"failures\":0,\"next_try_ms\":null}]}\n", "so in JSON");
}

static void
test_status(void)
{
	begin();
	put("ops", "1", "f", NOW - 5 * MINUTE);
	put("ops", "2", "f", NOW - 4 * MINUTE);
	put("ops", "3", "f", NOW - 3 * MINUTE);
	put("gone", "4", "f", NOW - 2 * MINUTE);
	change(QUEUE_SET_ASIDE, "ops", 1, "too large", &failing);
	is_str(status(false, NOW), "queue: QUEUE\n"
	    "worker: none\n"
	    "destination ops: 2 waiting, 1 set aside, refused by Slack\n"
	    "    oldest: 2026-08-01 12:30:56 UTC, 4min ago\n"
	    "    last success: 2026-08-01 09:34:56 UTC, 3h ago\n"
	    "    last error: no_service, 2026-08-01 12:34:46 UTC, 10s ago\n"
	    "    next try: in 50s\n"
	    "destination gone: 1 waiting, 0 set aside\n"
	    "    oldest: 2026-08-01 12:32:56 UTC, 2min ago\n"
	    "    last success: none\n"
	    "    next try: never: the configuration has no webhook of this "
	    "name\n",
	    "each destination stands as it does, configured or not");
	is_str(status(true, NOW), "{\"queue\":\"QUEUE\",\"worker\":false,"
	    "\"worker_pid\":null,"
	    "\"worker_silent_ms\":null,\"worker_note\":null,"
	    "\"machines\":[],\"destinations\":[{\"name\":\"ops\","
	    "\"configured\":true,\"waiting\":2,\"set_aside\":1,"
	    "\"oldest_ms\":1785587456000,\"last_success_ms\":1785576896000,"
	    "\"last_error_ms\":1785587686000,\"last_error\":\"no_service\","
	    "\"refused\":true,\"failures\":4,\"next_try_ms\":1785587746000},"
	    "{\"name\":\"gone\",\"configured\":false,\"waiting\":1,"
	    "\"set_aside\":0,\"oldest_ms\":1785587576000,"
	    "\"last_success_ms\":null,\"last_error_ms\":null,"
	    "\"last_error\":null,\"refused\":false,\"failures\":0,"
	    "\"next_try_ms\":null}]}\n", "so in JSON");
	ok(strstr(status(false, NOW + 50000), "    next try: now\n") != NULL,
	    "when the wait is over the next try is now");
	ok(strstr(status(true, NOW + 50000),
	    "\"next_try_ms\":1785587746000") != NULL, "so in JSON");
	ok(strstr(status(false, NOW - DAY), "    next try: in 60s\n") != NULL,
	    "a clock that was set back makes it no later");
	ok(strstr(status(false, NOW - DAY), "oldest: 2026-08-01 12:30:56 UTC, "
	    "0s ago\n") != NULL, "and nothing is of the future");
}

static void
test_status_thousands(void)
{
	struct queue_item items[1000];
	struct event e = { .type = "f", .time_ms = EVENT_NO_TIME };
	size_t i;

	begin();
	for (i = 0; i < ROWS(items); i++) {
		items[i].destination = "ops";
		items[i].event = &e;
	}
	queue_put(q, items, ROWS(items), NOW, &why);
	ok(strstr(status(false, NOW), "destination ops: 1,000 waiting, 0 set "
	    "aside\n") != NULL, "thousands have commas");
	ok(strstr(status(true, NOW), "\"waiting\":1000,") != NULL,
	    "but not in JSON");
}

/* Sets the time of the file so many seconds back. */
static void
age_file(const char *path, const char *ending, long seconds)
{
	struct timespec times[2];
	struct buf file = BUF_INIT;

	buf_addf(&file, "%s%s", path, ending);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	utimensat(AT_FDCWD, file.data, times, 0);
	buf_release(&file);
}

/* A worker that is another process, as it is for whoever reports. */
static void
test_status_worker(void)
{
	int ready[2], end[2];
	struct buf want = BUF_INIT;
	pid_t child;
	char byte;

	begin();
	if (pipe(ready) < 0 || pipe(end) < 0 || (child = fork()) < 0)
		abort();
	if (child == 0) {
		close(end[1]);
		if (!become_worker(address.data) ||
		    write(ready[1], "", 1) != 1 || read(end[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		diag("the worker failed");
	buf_addf(&want, "queue: QUEUE\nworker: running, process %ld\n",
	    (long)child);
	ok(strncmp(status(false, NOW), want.data, want.len) == 0,
	    "a worker is told of, with its process");
	buf_clear(&want);
	buf_addf(&want, "\"worker\":true,\"worker_pid\":%ld,", (long)child);
	ok(strstr(status(true, NOW), want.data) != NULL, "so in JSON");
	ok(!needs_person, "it gives signs of life");
	age_file(address.data + strlen("sqlite:"), "-worker", 200);
	buf_clear(&want);
	buf_addf(&want, "queue: QUEUE\nthe worker, process %ld, has given no "
	    "sign of life for 3min: it hangs, and the next worker ends it\n",
	    (long)child);
	ok(strncmp(status(false, NOW), want.data, want.len) == 0,
	    "or it is told that it does not");
	ok(needs_person, "and that a person has to look");
	close(end[1]);
	waitpid(child, NULL, 0);
	buf_release(&want);
}

static void
test_status_note(void)
{
	struct queue_lock *lock;

	begin();
	lock = queue_lock_new(address.data);
	queue_lock_note(lock, NULL, "x cannot be started: \033[2J");
	ok(strstr(status(false, NOW), "worker: none\n    could not be "
	    "started: x cannot be started: \\x1b[2J\n") != NULL,
	    "why no worker could be started is told");
	ok(strstr(status(true, NOW), "\"worker_note\":\"x cannot be "
	    "started: \\u001b[2J\"") != NULL, "so in JSON");
	queue_lock_free(lock, NULL);
}

/* ---------------------------------------------------------------- list */

static void
test_list(void)
{
	struct buf want = BUF_INIT;

	begin();
	is_str(list(false, NOW), "", "of nothing there is no list");
	is_str(list(true, NOW), "", "in JSON neither");
	put("ops", "9002", "fp", NOW - 2 * DAY);
	put("ops", NULL, "limit_wc", NOW - HOUR);
	put("gone", "9003", "f", NOW);
	change(QUEUE_CLAIM, "ops", 1, NULL, &failing);
	change(QUEUE_CLAIM, "ops", 1, NULL, NULL);
	change(QUEUE_SET_ASIDE, "ops", 1, "too_many_attachments", NULL);
	buf_addf(&want,
	    "set-aside  9002  fp  ops  2d  2  too_many_attachments\n"
	    "waiting    #%lld  limit_wc  ops  60min  0  no_service\n"
	    "waiting    9003  f  gone  0s  0  -\n",
	    (long long)number_before() + 2);
	is_str(list(false, NOW), want.data,
	    "a line has state, name, type, destination, age, tries and "
	    "reason");
	buf_clear(&want);
	buf_addf(&want, "{\"state\":\"set-aside\",\"id\":\"9002\","
	    "\"type\":\"fp\",\"destination\":\"ops\","
	    "\"queued_ms\":1785414896000,\"tries\":2,"
	    "\"reason\":\"too_many_attachments\"}\n"
	    "{\"state\":\"waiting\",\"id\":\"#%lld\",\"type\":\"limit_wc\","
	    "\"destination\":\"ops\",\"queued_ms\":1785584096000,\"tries\":0,"
	    "\"reason\":\"no_service\"}\n"
	    "{\"state\":\"waiting\",\"id\":\"9003\",\"type\":\"f\","
	    "\"destination\":\"gone\",\"queued_ms\":1785587696000,"
	    "\"tries\":0,\"reason\":null}\n",
	    (long long)number_before() + 2);
	is_str(list(true, NOW), want.data, "so in JSON");
	buf_release(&want);
}

static const struct {
	int64_t age_ms;
	const char *age;
} ages[] = {
	{ 0, "0s" }, { -DAY, "0s" }, { 999, "0s" }, { 1000, "1s" },
	{ 119999, "119s" }, { 120000, "2min" }, { 7199999, "119min" },
	{ 7200000, "2h" }, { 172799999, "47h" }, { 172800000, "2d" },
	{ 1000 * (int64_t)DAY, "1000d" },
};

static void
test_ages(void)
{
	struct buf want = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(ages); i++) {
		begin();
		put("ops", "1", "f", NOW - ages[i].age_ms);
		buf_clear(&want);
		buf_addf(&want, "waiting    1  f  ops  %s  0  -\n",
		    ages[i].age);
		is_str(list(false, NOW), buf_text(&want), "an age of %lld ms",
		    (long long)ages[i].age_ms);
	}
	buf_release(&want);
}

#define HOSTILE "\x1b[2J\"a\\b\n\xc2\x9b\xe2\x80\xae caf\xc3\xa9"
#define ESCAPED "\\x1b[2J\\x22a\\x5cb\\x0a\\xc2\\x9b\\xe2\\x80\\xae caf\xc3\xa9"

/* Whether a line is one JSON object with this text as a member. */
static bool
has_member(const char *line, const char *name, const char *text)
{
	struct json_object *object = json_tokener_parse(line), *value;
	bool has = object && json_object_object_get_ex(object, name, &value) &&
	    strcmp(json_object_get_string(value), text) == 0;

	json_object_put(object);
	return has;
}

static void
test_hostile(void)
{
	struct pace pace = failing;
	const char *line;

	begin();
	put("ops", HOSTILE, HOSTILE, NOW);
	change(QUEUE_SET_ASIDE, "ops", 1, HOSTILE, NULL);
	is_str(list(false, NOW), "set-aside  " ESCAPED "  " ESCAPED "  ops  "
	    "0s  0  " ESCAPED "\n", "foreign text drives no terminal");
	line = list(true, NOW);
	ok(strchr(line, '\n') == line + strlen(line) - 1,
	    "in JSON it stays on its line");
	ok(has_member(line, "id", HOSTILE) && has_member(line, "type", HOSTILE)
	    && has_member(line, "reason", HOSTILE), "and as it is");
	ok(!strchr(line, '\x1b') && !strstr(line, "\xc2\x9b") &&
	    !strstr(line, "\xe2\x80\xae") && strstr(line, "caf\xc3\xa9"),
	    "with what controls a terminal escaped, and nothing else");
	snprintf(pace.error, sizeof(pace.error), "%s", HOSTILE);
	change(QUEUE_PUT_BACK, "ops", 0, NULL, &pace);
	change(QUEUE_PUT_BACK, HOSTILE, 0, NULL, &pace);
	line = status(false, NOW);
	ok(strstr(line, "    last error: " ESCAPED ", 2026") != NULL,
	    "nor does it in the status");
	ok(strstr(line, "destination " ESCAPED ": 0 waiting") != NULL,
	    "nor the name of a destination");
	ok(!strchr(line, '\x1b'), "nor anything else");
	line = status(true, NOW);
	ok(!strchr(line, '\x1b') && !strstr(line, "\xc2\x9b"),
	    "in JSON neither");
}

/* As a row of a damaged file, or a word of Slack's that was cut, may be. */
static void
test_not_utf8(void)
{
	begin();
	put("ops", "1", "f", NOW);
	change(QUEUE_SET_ASIDE, "ops", 1, "caf\xc3", NULL);
	is_str(list(false, NOW), "set-aside  1  f  ops  0s  0  caf\\xc3\n",
	    "what is not UTF-8 is escaped");
	ok(has_member(list(true, NOW), "reason", "caf\xef\xbf\xbd"),
	    "and is replaced in JSON");
}

static void
test_secrets(void)
{
	begin();
	put("ops", "1", "f", NOW);
	ok(!strstr(status(false, NOW), "secret") &&
	    !strstr(status(true, NOW), "secret"),
	    "no webhook is in a report");
}

static void
test_failure(void)
{
	struct buf out = BUF_INIT;
	int64_t after = 0;

	begin();
	put("ops", "1", "f", NOW);
	file_write(address.data + strlen("sqlite:"), "damage", 6, 0600);
	is_num(report_status(q, &config, true, NOW, &out, &needs_person, &why),
	    QUEUE_FAILED, "a queue that cannot be read has no status");
	is_num(report_list(q, true, NOW, &after, &out, &why), QUEUE_FAILED,
	    "nor a list");
	ok(why.len > 0, "and why is said");
	buf_release(&out);
}

int
main(void)
{
	scratch = scratch_enter();
	test_status_empty();
	test_status();
	test_status_thousands();
	test_status_worker();
	test_status_note();
	test_list();
	test_ages();
	test_hostile();
	test_not_utf8();
	test_secrets();
	test_failure();
	queue_close(q);
	buf_release(&address);
	buf_release(&why);
	return done_testing();
}
