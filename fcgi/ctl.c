/* SPDX-License-Identifier: ISC */
/*
 * log-stream-ctl, for people: one table of verbs. It knows how to ask and
 * how to print, and leaves the rest to the library.
 */
#include "base/clock.h"
#include "base/core_dump.h"
#include "base/log.h"
#include "base/utf8.h"
#include "config/config.h"
#include "config/config_copy.h"
#include "delivery/launch.h"
#include "delivery/worker_process.h"
#include "event/catalog.h"
#include "event/filter.h"
#include "json/json.h"
#include "queue/queue.h"
#include "receive/relay.h"
#include "status/report.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_status {
	GOOD = 0,
	BAD = 1,
	MISUSE = 2,
	REMAINS = 3,	/* events that could not be delivered now */
	NEEDS_PERSON = 4 /* a worker hangs, Slack refuses or rejects */
};

enum option {
	JSON = 1 << 0,
	ALL = 1 << 1,
	UNTIL_IDLE = 1 << 2,
	CONFIGURATION_FD = 1 << 3	/* takes a value */
};

/* What stands behind the verb. */
struct line {
	char **arguments;	/* without the options; ends with NULL */
	int count;
	unsigned options;	/* of enum option */
	const char *descriptor;	/* of CONFIGURATION_FD */
};

struct verb {
	const char *name;
	const char *arguments;
	const char *help;
	int least, most;	/* arguments after the verb, options left out */
	unsigned options;	/* those it takes */
	enum exit_status (*run)(const struct config *c,
	    const struct line *line);
	bool needs_config;	/* a bad configuration stops it */
	bool posts;		/* needs a webhook */
};

static enum exit_status
misuse(const char *what, const char *which)
{
	struct buf shown = BUF_INIT;

	log_escape(&shown, which, strlen(which));
	fprintf(stderr, "log-stream-ctl: %s%s%s\n"
	    "Try 'log-stream-ctl --help'.\n", what, *which ? " " : "",
	    buf_text(&shown));
	buf_release(&shown);
	return MISUSE;
}

/* What is wrong with an argument: who named the file may be a stranger. */
static void
complain(const char *argument, const char *what)
{
	struct buf shown = BUF_INIT;

	log_escape(&shown, argument, strlen(argument));
	fprintf(stderr, "log-stream-ctl: %s: %s\n", buf_text(&shown), what);
	buf_release(&shown);
}

/* Prints each line of text behind a label. */
static void
print_lines(FILE *to, const char *label, const struct buf *text)
{
	char *lines = mem_dup(buf_text(text)), *line, *rest = NULL;

	for (line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		fprintf(to, "%s: %s\n", label, line);
	free(lines);
}

/* ------------------------------------------------------------- check */

/* NULL, and why, when there is none or it cannot be had. */
static struct queue *
open_queue(const struct config *c, struct buf *why)
{
	struct queue_options options = config_queue_options(c, true);
	enum queue_result result;

	if (!c->queue)
		buf_adds(why, "QUEUE is not set: there is no queue");
	if (!c->queue || !queue_become_owner(c->queue, why))
		return NULL;
	return queue_open(&options, &result, why);
}

/* Whether something waits for a destination that has a webhook. */
static bool
something_waits(const struct config *c, struct queue *q)
{
	const char *names[DESTINATIONS_MAX];
	size_t count = config_destination_names(c, names);
	struct buf ignored = BUF_INIT;
	bool waits;

	if (queue_waits(q, names, count, &waits, &ignored) != QUEUE_OK)
		waits = false;
	buf_release(&ignored);
	return waits;
}

/*
 * Sees whether somebody delivers what waits. False when a worker hangs,
 * which is then in *problems.
 */
static bool
check_worker(const struct config *c, struct queue *q, struct buf *problems,
    struct buf *doubts)
{
	struct queue_lock *lock = queue_lock_new(c->queue);
	struct buf note = BUF_INIT, ignored = BUF_INIT;
	struct queue_holder holder;
	bool good = true;

	queue_lock_look(lock, q, &holder, &ignored);
	queue_lock_read_note(lock, q, &note);
	if (queue_holder_hangs(&holder)) {
		report_silence(problems, &holder);
		good = false;
	} else if (!holder.held && something_waits(c, q)) {
		buf_adds(doubts, "QUEUE: events wait and no worker runs: the "
		    "next request starts one, or log-stream-ctl drain "
		    "delivers them");
		if (note.len > 0)
			buf_addf(doubts, "; the last one could not be "
			    "started: %s", buf_text(&note));
		buf_addc(doubts, '\n');
	}
	queue_lock_free(lock, q);
	buf_release(&note);
	buf_release(&ignored);
	return good;
}

/* Opens the queue, which makes it, and looks it over. */
static bool
check_queue(const struct config *c, struct buf *problems, struct buf *doubts,
    bool *hangs)
{
	struct queue *q = open_queue(c, problems);
	bool good = q && queue_verify(q, problems) == QUEUE_OK;

	if (!good)
		buf_addc(problems, '\n');
	else if (geteuid() == 0 && strncmp(c->queue, "sqlite:", 7) == 0)
		/* Still root: it is the owner. */
		buf_adds(doubts, "QUEUE: its directory is root's, so that "
		    "no other user can use it: chown -R it to the web "
		    "server's user\n");
	*hangs = good && !check_worker(c, q, problems, doubts);
	queue_close(q);
	return good && !*hangs;
}

/*
 * What the web server's user can do: by now root is the queue's owner,
 * which is that user.
 */
static bool
check_user(const struct config *c, struct buf *problems, struct buf *doubts)
{
	if (c->log_file && !log_can_append(c->log_file))
		buf_addf(doubts, "LOG: the file cannot be written to: %s: "
		    "lines go to standard error\n", strerror(errno));
	return config_reach(c, problems);
}

static enum exit_status
run_check(const struct config *ignored, const struct line *line)
{
	struct buf problems = BUF_INIT, doubts = BUF_INIT, text = BUF_INIT;
	struct config c;
	bool good, hangs = false;

	(void)ignored;
	(void)line;
	good = config_load_to_serve(&c, &problems);
	config_files(&c, &text);
	print_lines(stdout, "file", &text);
	buf_clear(&text);
	config_describe(&c, &text);
	printf("%s", buf_text(&text));
	config_doubts(&c, &doubts);
	if (c.queue && !check_queue(&c, &problems, &doubts, &hangs))
		good = false;
	if (!check_user(&c, &problems, &doubts))
		good = false;
	if (!poster_check(&problems))
		good = false;
	print_lines(stdout, "warning", &doubts);
	print_lines(stdout, "error", &problems);
	if (good && doubts.len == 0)
		puts("all is well");
	config_release(&c);
	buf_release(&problems);
	buf_release(&doubts);
	buf_release(&text);
	return hangs ? NEEDS_PERSON : good ? GOOD : BAD;
}

/* -------------------------------------------------------------- send */

static bool
send_test(const struct config *c, const struct destination *to)
{
	struct post_outcome outcome;
	struct buf reason = BUF_INIT;

	relay_send_test(c, to, &outcome);
	log_escape(&reason, outcome.reason, strlen(outcome.reason));
	if (c->destination_count > 1)
		printf("%s: ", to->name);
	if (outcome.status > 0)
		printf("Slack answered %d: %s\n", outcome.status,
		    buf_text(&reason));
	else
		printf("no answer: %s\n", buf_text(&reason));
	buf_release(&reason);
	return outcome.result == POST_SENT;
}

static enum exit_status
run_send(const struct config *c, const struct line *line)
{
	enum exit_status status = GOOD;
	size_t i;

	(void)line;
	for (i = 0; i < c->destination_count; i++)
		if (c->destinations[i].webhook_url &&
		    !send_test(c, &c->destinations[i]))
			status = BAD;
	return status;
}

/* --------------------------------------------------------------- try */

static enum body_state
read_stdio(void *context, char *bytes, size_t size, size_t *len,
    struct buf *why)
{
	FILE *file = context;

	*len = fread(bytes, 1, size, file);
	if (*len > 0)
		return BODY_MORE;
	if (!ferror(file))
		return BODY_END;
	buf_addf(why, "cannot be read: %s", strerror(errno));
	return BODY_BAD;
}

static void
print_counts(const struct event_counts *n)
{
	fprintf(stderr, "records: %lu, unusable: %lu, filtered out: %lu, "
	    "to send: %lu\n", n->records, n->unusable,
	    n->records - n->unusable - n->kept, n->kept);
}

/* A file, or standard input for "-", as a request. False, with why said. */
static bool
open_request(const char *path, struct request *request)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");

	if (!file)
		complain(path, strerror(errno));
	memset(request, 0, sizeof(*request));
	request->content_length = -1;
	request->read = read_stdio;
	request->context = file;
	return file != NULL;
}

static void
close_request(const struct request *request)
{
	if (request->context != stdin)
		fclose(request->context);
}

static enum exit_status
run_try(const struct config *c, const struct line *line)
{
	const char *path = line->arguments[0];
	struct request request;
	struct event_counts counts = { 0 };
	struct buf out = BUF_INIT, terms = BUF_INIT, why = BUF_INIT;
	bool good;

	if (!open_request(path, &request))
		return BAD;
	good = relay_try(c, &request, line->options & JSON, &out, &terms,
	    &counts, &why);
	if (good) {
		fwrite(buf_text(&out), 1, out.len, stdout);
		fwrite(buf_text(&terms), 1, terms.len, stderr);
		print_counts(&counts);
	} else {
		complain(path, buf_text(&why));
	}
	close_request(&request);
	buf_release(&out);
	buf_release(&terms);
	buf_release(&why);
	return good ? GOOD : BAD;
}

/* -------------------------------------------------------------- feed */

#define PROGRESS_MS 250

/* Where progress is shown, and when it was. */
struct progress {
	bool on_terminal;
	int64_t shown_ms;
};

static void
show_progress(void *context, const struct feed_counts *counts)
{
	struct progress *progress = context;
	struct buf text = BUF_INIT;

	if (!progress->on_terminal ||
	    clock_ms() - progress->shown_ms < PROGRESS_MS)
		return;
	progress->shown_ms = clock_ms();
	buf_add_count(&text, counts->read.records);
	buf_adds(&text, " records, ");
	buf_add_count(&text, counts->new);
	fprintf(stderr, "\r%s events new", text.data);
	fflush(stderr);
	buf_release(&text);
}

/* Takes the line of the terminal back. */
static void
end_progress(const struct progress *progress)
{
	if (progress->on_terminal && progress->shown_ms > 0)
		fputs("\r\033[K", stderr);
}

static void
print_fed(const struct feed_counts *counts, bool json)
{
	const struct event_counts *read = &counts->read;
	unsigned long filtered = read->records - read->unusable - read->kept;
	unsigned long known = read->kept - counts->new;
	struct json *object;
	size_t len;

	if (!json) {
		printf("records: %lu, unusable: %lu, filtered out: %lu, "
		    "new: %lu, known already: %lu\n", read->records,
		    read->unusable, filtered, counts->new, known);
		return;
	}
	object = json_new_object();
	json_put_number(object, "records", (int64_t)read->records);
	json_put_number(object, "unusable", (int64_t)read->unusable);
	json_put_number(object, "filtered", (int64_t)filtered);
	json_put_number(object, "new", (int64_t)counts->new);
	json_put_number(object, "known", (int64_t)known);
	printf("%s\n", json_text(object, &len));
	json_free(object);
}

/* A line for each event is for a log that is not the terminal. */
static void
begin_log(const struct config *c)
{
	log_to_syslog(c->syslog);
	log_to_file(c->log_file);
	log_set_level(c->syslog || c->log_file ? c->log_level : LEVEL_WARN);
}

static enum exit_status
run_feed(const struct config *c, const struct line *line)
{
	struct progress progress = { isatty(STDERR_FILENO) == 1, 0 };
	const char *path = line->arguments[0];
	struct feed_counts counts;
	struct buf why = BUF_INIT;
	struct request request;
	bool good;

	if (!open_request(path, &request))
		return BAD;
	begin_log(c);
	good = relay_feed(c, &request, show_progress, &progress, &counts,
	    &why);
	end_progress(&progress);
	if (good) {
		print_fed(&counts, line->options & JSON);
	} else {
		complain(path, buf_text(&why));
		if (counts.read.kept > 0)
			fprintf(stderr, "log-stream-ctl: %lu events were taken "
			    "before that, %lu of them new\n",
			    counts.read.kept, counts.new);
	}
	close_request(&request);
	buf_release(&why);
	return good ? GOOD : BAD;
}

/* ------------------------------------------------------------- types */

/* The catalogue has no fields, so that field=glob matches nothing. */
static void
print_types(const struct filter *f)
{
	const struct event_type *types;
	size_t i, count, sent = 0;
	bool keep;

	types = catalog_types(&count);
	for (i = 0; i < count; i++) {
		keep = filter_keeps(f, types[i].code, NULL);
		sent += keep;
		printf("%-4s  %-8s  %-42s  %s\n", keep ? "send" : "-",
		    catalog_class_name(types[i].class), types[i].code,
		    types[i].name);
	}
	printf("%zu of %zu types are sent\n", sent, count);
}

static enum exit_status
run_types(const struct config *c, const struct line *line)
{
	struct buf why = BUF_INIT;
	struct filter *f;

	if (line->count == 0) {
		print_types(c->destinations[0].filter);
		return GOOD;
	}
	f = filter_new(line->arguments[0], &why);
	if (f)
		print_types(f);
	else
		fprintf(stderr, "log-stream-ctl: FILTER: %s\n",
		    buf_text(&why));
	buf_release(&why);
	filter_free(f);
	return f ? GOOD : MISUSE;
}

/* ------------------------------------------------------------- queue */

/* The same, with the reason said; for the verbs of the queue. */
static struct queue *
need_queue(const struct config *c)
{
	struct buf why = BUF_INIT;
	struct queue *q = open_queue(c, &why);

	if (!q)
		fprintf(stderr, "log-stream-ctl: %s\n", buf_text(&why));
	buf_release(&why);
	return q;
}

/* Ends the use of a queue; good when all went well. */
static enum exit_status
close_queue(struct queue *q, enum queue_result result, struct buf *why)
{
	if (result != QUEUE_OK)
		fprintf(stderr, "log-stream-ctl: %s\n", buf_text(why));
	buf_release(why);
	queue_close(q);
	return result == QUEUE_OK ? GOOD : BAD;
}

#define DESCRIPTOR_DIGITS 5

/* The configuration of the receiver that started us, which closes it. */
static bool
inherit(const char *descriptor, struct buf *copy)
{
	size_t digits = strspn(descriptor, ASCII_DIGITS);
	struct buf why = BUF_INIT;
	bool good = false;
	int fd;

	if (digits == 0 || digits > DESCRIPTOR_DIGITS || descriptor[digits] ||
	    (fd = (int)strtol(descriptor, NULL, 10)) <= STDERR_FILENO) {
		buf_adds(&why, "it is not the number of a descriptor");
	} else {
		good = config_copy_slurp(fd, copy, &why);
		close(fd);
	}
	if (!good)
		log_say(LEVEL_ERROR, "--configuration-fd %s: %s: leave the "
		    "option out: it is for the receiver", descriptor,
		    buf_text(&why));
	buf_release(&why);
	return good;
}

static enum exit_status
run_work(const struct config *c, const struct line *line)
{
	enum worker_mode mode = line->options & UNTIL_IDLE ?
	    WORKER_UNTIL_IDLE : WORKER_STAYS;
	struct worker_report report;
	struct buf copy = BUF_INIT;
	enum worker_end end;

	(void)c;
	if (line->descriptor && !inherit(line->descriptor, &copy))
		return BAD;
	end = worker_process(mode, line->descriptor ? &copy : NULL,
	    &report);
	buf_release(&copy);
	switch (end) {
	case WORKER_FAILED:
		return BAD;
	case WORKER_OTHER:	/* to the end, when this one waited for it */
		if (line->options & UNTIL_IDLE)
			fprintf(stderr, "log-stream-ctl: another worker "
			    "runs: see log-stream-ctl status\n");
		break;
	case WORKER_STUCK:
		return NEEDS_PERSON;
	case WORKER_REMAINS:
	case WORKER_EMPTY:
		break;
	}
	return GOOD;
}

/*
 * Another worker delivers just as well: what remains is its business. One
 * that hangs does not; it is ended, and a person hears of that all the same.
 */
static enum exit_status
run_drain(const struct config *c, const struct line *line)
{
	struct worker_report report;
	enum worker_end end = worker_process(WORKER_DRAINS, NULL, &report);
	struct buf out = BUF_INIT;

	(void)c;
	(void)line;
	if (report.hung.held) {
		report_silence(&out, &report.hung);
		fprintf(stderr, "log-stream-ctl: %s", out.data);
		buf_release(&out);
		return NEEDS_PERSON;
	}
	switch (end) {
	case WORKER_FAILED:
		return BAD;
	case WORKER_STUCK:
		return NEEDS_PERSON;
	case WORKER_REMAINS:
		return report.needs_person ? NEEDS_PERSON : REMAINS;
	case WORKER_EMPTY:
		return report.needs_person ? NEEDS_PERSON : GOOD;
	case WORKER_OTHER:
		break;
	}
	return GOOD;
}

static enum exit_status
run_status(const struct config *c, const struct line *line)
{
	struct queue *q = need_queue(c);
	struct buf out = BUF_INIT, why = BUF_INIT;
	enum queue_result result;
	enum exit_status status;
	bool needs_person = false;

	if (!q)
		return BAD;
	result = report_status(q, c, line->options & JSON, clock_wall_ms(),
	    &out, &needs_person, &why);
	if (result == QUEUE_OK)
		fwrite(buf_text(&out), 1, out.len, stdout);
	buf_release(&out);
	status = close_queue(q, result, &why);
	return status == GOOD && needs_person ? NEEDS_PERSON : status;
}

static enum exit_status
run_list(const struct config *c, const struct line *line)
{
	struct queue *q = need_queue(c);
	struct buf out = BUF_INIT, why = BUF_INIT;
	enum queue_result result;
	int64_t after = 0;

	if (!q)
		return BAD;
	do {
		buf_clear(&out);
		result = report_list(q, line->options & JSON, clock_wall_ms(),
		    &after, &out, &why);
		fwrite(buf_text(&out), 1, out.len, stdout);
	} while (result == QUEUE_OK && out.len > 0);
	buf_release(&out);
	return close_queue(q, result, &why);
}

/* What waits again needs somebody to send it. */
static void
see_to_worker(const struct config *c, struct queue *q)
{
	struct queue_lock *lock = queue_lock_new(c->queue);
	struct queue_holder holder;
	struct buf why = BUF_INIT;

	if (queue_lock_look(lock, q, &holder, &why) == QUEUE_OK &&
	    (!holder.held || queue_holder_hangs(&holder)))
		launch_worker(c, &why);
	if (why.len > 0)
		fprintf(stderr, "log-stream-ctl: %s\n", buf_text(&why));
	queue_lock_free(lock, q);
	buf_release(&why);
}

/* Edits what the ids name; one that names nothing is an error. */
static enum exit_status
edit_events(const struct config *c, struct queue *q, enum queue_edit edit,
    const struct line *line, const char *done)
{
	bool all = line->options & ALL;
	int64_t count, sum = 0;
	struct buf why = BUF_INIT;
	enum queue_result result = QUEUE_OK;
	bool found = true;
	int i;

	for (i = 0; (i < line->count || (all && i == 0)) &&
	    result == QUEUE_OK; i++) {
		result = queue_edit(q, edit, all ? NULL : line->arguments[i],
		    clock_wall_ms(), &count, &why);
		if (result == QUEUE_OK && count == 0 && !all) {
			complain(line->arguments[i], edit == QUEUE_RETRY ?
			    "no such event is set aside" :
			    "no such event waits or is set aside");
			found = false;
		}
		sum += count;
	}
	if (result == QUEUE_OK && (edit == QUEUE_RETRY || sum > 0))
		result = queue_hurry(q, NULL, &why);
	if (result == QUEUE_OK && edit == QUEUE_RETRY && (sum > 0 || all))
		see_to_worker(c, q);
	printf("%lld %s\n", (long long)sum, done);
	return close_queue(q, result, &why) == GOOD && found ? GOOD : BAD;
}

static bool
names_events(const struct line *line)
{
	if ((line->count > 0) != ((line->options & ALL) != 0))
		return true;
	misuse("name the events by log_id, or say --all", "");
	return false;
}

static enum exit_status
run_edit(const struct config *c, enum queue_edit edit,
    const struct line *line, const char *done)
{
	struct queue *q;

	if (!names_events(line))
		return MISUSE;
	q = need_queue(c);
	return q ? edit_events(c, q, edit, line, done) : BAD;
}

static enum exit_status
run_retry(const struct config *c, const struct line *line)
{
	return run_edit(c, QUEUE_RETRY, line, "to be tried again");
}

static enum exit_status
run_remove(const struct config *c, const struct line *line)
{
	return run_edit(c, QUEUE_REMOVE, line, "removed");
}

static enum exit_status
run_schema(const struct config *c, const struct line *line)
{
	const char *schema = queue_schema();

	(void)c;
	(void)line;
	if (schema)
		fputs(schema, stdout);
	else
		fprintf(stderr, "log-stream-ctl: this program was built "
		    "without PostgreSQL\n");
	return schema ? GOOD : BAD;
}

/* ------------------------------------------------------------- verbs */

static const struct verb verbs[] = {
	{
		.name = "check",
		.arguments = "",
		.help = "show the configuration and what is wrong with it",
		.run = run_check,
	}, {
		.name = "send",
		.arguments = "",
		.help = "send a test message and print Slack's answer",
		.run = run_send,
		.needs_config = true,
		.posts = true,
	}, {
		.name = "try",
		.arguments = "[--json] FILE|-",
		.help = "show what a request body would send; nothing is sent",
		.least = 1,
		.most = 1,
		.options = JSON,
		.run = run_try,
		.needs_config = true,
	}, {
		.name = "feed",
		.arguments = "[--json] FILE|-",
		.help = "send what a file holds, like a request's body",
		.least = 1,
		.most = 1,
		.options = JSON,
		.run = run_feed,
		.needs_config = true,
		.posts = true,
	}, {
		.name = "types",
		.arguments = "[FILTER]",
		.help = "list the event types and which of them are sent",
		.most = 1,
		.run = run_types,
		.needs_config = true,
	}, {
		.name = "work",
		.arguments = "[--until-idle]",
		.help = "deliver what is queued, until told to stop",
		.options = UNTIL_IDLE | CONFIGURATION_FD,
		.run = run_work,
	}, {
		.name = "drain",
		.arguments = "",
		.help = "deliver what is due; ends with 3 if some must wait",
		.run = run_drain,
	}, {
		.name = "status",
		.arguments = "[--json]",
		.help = "show how the queue and its destinations stand",
		.options = JSON,
		.run = run_status,
		.needs_config = true,
	}, {
		.name = "list",
		.arguments = "[--json]",
		.help = "list the events that wait or are set aside",
		.options = JSON,
		.run = run_list,
		.needs_config = true,
	}, {
		.name = "retry",
		.arguments = "ID...|--all",
		.help = "send again what was set aside",
		.most = INT_MAX,
		.options = ALL,
		.run = run_retry,
		.needs_config = true,
	}, {
		.name = "remove",
		.arguments = "ID...|--all",
		.help = "take events out of the queue, unsent",
		.most = INT_MAX,
		.options = ALL,
		.run = run_remove,
		.needs_config = true,
	}, {
		.name = "schema",
		.arguments = "",
		.help = "print the SQL of a queue's tables, for PostgreSQL",
		.run = run_schema,
	},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void
print_usage(FILE *to)
{
	char form[64];
	size_t i;

	fprintf(to, "usage: log-stream-ctl VERB [ARGUMENT]\n\n");
	for (i = 0; i < VERBS; i++) {
		snprintf(form, sizeof(form), "%s %s", verbs[i].name,
		    verbs[i].arguments);
		fprintf(to, "  %-22s  %s\n", form, verbs[i].help);
	}
	fprintf(to, "\n  %-22s  %s\n  %-22s  %s\n", "--help", "show this",
	    "--version", "show the version");
}

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Loads what the verb needs and runs it. */
static enum exit_status
run(const struct verb *verb, const struct line *line)
{
	struct buf problems = BUF_INIT;
	enum exit_status status = BAD;
	struct config c;
	bool good = true;

	if (!verb->needs_config)
		return verb->run(NULL, line);
	good = verb->posts ? config_load_to_post(&c, &problems) :
	    config_load(&c, &problems);
	print_lines(stderr, "log-stream-ctl", &problems);
	if (good)
		status = verb->run(&c, line);
	config_release(&c);
	buf_release(&problems);
	return status;
}

static unsigned
find_option(const char *name)
{
	static const struct {
		const char *name;
		enum option option;
	} options[] = {
		{ "--json", JSON },
		{ "--all", ALL },
		{ "--until-idle", UNTIL_IDLE },
		{ "--configuration-fd", CONFIGURATION_FD },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(name, options[i].name) == 0)
			return options[i].option;
	return 0;
}

/* Takes the options out of the arguments and sees that the rest fits. */
static enum exit_status
run_verb(const struct verb *verb, char **arguments)
{
	struct line line = { arguments, 0, 0, NULL };
	unsigned option;
	char **next;

	for (next = arguments; *next; next++) {
		option = find_option(*next);
		if (option & verb->options & CONFIGURATION_FD && next[1])
			line.descriptor = *++next;
		else if (option & verb->options & ~CONFIGURATION_FD)
			line.options |= option;
		else if ((*next)[0] == '-' && (*next)[1] == '-')
			return misuse("unknown option", *next);
		else if (line.count >= verb->most)
			return misuse("too many arguments to", verb->name);
		else
			line.arguments[line.count++] = *next;
	}
	line.arguments[line.count] = NULL;
	if (line.count < verb->least)
		return misuse("too few arguments to", verb->name);
	return run(verb, &line);
}

static enum exit_status
run_line(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2)
		return misuse("which verb?", "");
	if (strcmp(argv[1], "--help") == 0) {
		print_usage(stdout);
		return GOOD;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("log-stream-ctl (log-stream-to-slack) " VERSION);
		return GOOD;
	}
	verb = find_verb(argv[1]);
	return verb ? run_verb(verb, argv + 2) :
	    misuse("unknown verb", argv[1]);
}

/*
 * A web server that has this program in a CGI directory makes arguments out
 * of the query (RFC 3875, 4.4): strangers would have every verb.
 */
static bool
is_request(void)
{
	return getenv("GATEWAY_INTERFACE") || getenv("REQUEST_METHOD");
}

int
main(int argc, char **argv)
{
	enum exit_status status;

	core_dump_forbid();
	signal(SIGXFSZ, SIG_IGN); /* a full file is an error, and not death */
	if (is_request()) {
		fprintf(stderr, "log-stream-ctl: this program does not answer "
		    "requests: keep it out of the web server's reach\n");
		return MISUSE;
	}
	status = run_line(argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "log-stream-ctl: cannot write: %s\n",
	    strerror(errno));
	return status == GOOD ? BAD : status;
}
