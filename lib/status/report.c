/* SPDX-License-Identifier: ISC */
/* Reports of a queue. Text in it is foreign: it is escaped either way. */
#include "status/report.h"

#include "base/log.h"
#include "base/utf8.h"
#include "delivery/pace.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------- times */

/* A length of time in its largest whole unit: "3min". */
static void
add_span(struct buf *out, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {
		{ 86400000, "d" }, { 3600000, "h" }, { 60000, "min" },
		{ 1000, "s" },
	};
	size_t i, last = sizeof(units) / sizeof(units[0]) - 1;

	if (ms < 0)
		ms = 0;
	for (i = 0; i < last && ms < 2 * units[i].ms; i++)
		;
	buf_addf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

static void
add_moment(struct buf *out, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[32];
	struct tm tm;

	if (gmtime_r(&seconds, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
		buf_adds(out, text);
}

/* "2026-08-01 10:00:00 UTC, 3min ago". */
static void
add_past(struct buf *out, int64_t ms, int64_t now_ms)
{
	add_moment(out, ms);
	buf_adds(out, ", ");
	add_span(out, now_ms - ms);
	buf_adds(out, " ago");
}

/* -------------------------------------------------------------- JSON */

/* Of texts, an empty one is none. */
static void
put_text(struct json *object, const char *name, const char *text)
{
	json_put_text(object, name, text && *text ? text : NULL);
}

/* Of times, 0 is none. */
static void
put_ms(struct json *object, const char *name, int64_t ms)
{
	if (ms > 0)
		json_put_number(object, name, ms);
	else
		json_put(object, name, NULL);
}

/* JSON may hold what drives a terminal or is no UTF-8: json-c lets it. */
static void
add_escaped(struct buf *out, const char *text, size_t len)
{
	uint32_t code;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		if (utf8_is_control(code) || utf8_turns_direction(code) ||
		    (n == 1 && code == 0xfffd))
			buf_addf(out, "\\u%04x", (unsigned)code);
		else
			buf_add(out, text + i, n);
	}
}

/* The value is given away. */
static void
add_json(struct buf *out, struct json *value)
{
	size_t len;
	const char *text = json_text(value, &len);

	add_escaped(out, text, len);
	buf_addc(out, '\n');
	json_free(value);
}

/* ------------------------------------------------------------ status */

/* A destination as a report tells of it. */
struct standing {
	const char *name;
	bool configured;
	struct queue_tally tally;
};

static int64_t
next_try_ms(const struct standing *s, int64_t now_ms)
{
	if (s->tally.waiting == 0 || !s->configured)
		return 0;
	return now_ms + pace_left(&s->tally.pace, now_ms);
}

static void
show_next_try(const struct standing *s, int64_t now_ms, struct buf *out)
{
	int64_t left = pace_left(&s->tally.pace, now_ms);

	if (s->tally.waiting == 0)
		return;
	buf_adds(out, "    next try: ");
	if (!s->configured)
		buf_adds(out, "never: the configuration has no webhook of "
		    "this name");
	else if (left == 0)
		buf_adds(out, "now");
	else
		buf_adds(out, "in "), add_span(out, left);
	buf_addc(out, '\n');
}

static void
show_standing(const struct standing *s, int64_t now_ms, struct buf *out)
{
	const struct pace *pace = &s->tally.pace;

	buf_adds(out, "destination ");
	log_escape(out, s->name, strlen(s->name));
	buf_adds(out, ": ");
	buf_add_count(out, (unsigned long long)s->tally.waiting);
	buf_adds(out, " waiting, ");
	buf_add_count(out, (unsigned long long)s->tally.aside);
	buf_adds(out, " set aside");
	buf_adds(out, pace->refused ? ", refused by Slack\n" : "\n");
	if (s->tally.waiting > 0) {
		buf_adds(out, "    oldest: ");
		add_past(out, s->tally.oldest_ms, now_ms);
		buf_addc(out, '\n');
	}
	buf_adds(out, "    last success: ");
	if (pace->success_ms > 0)
		add_past(out, pace->success_ms, now_ms);
	else
		buf_adds(out, "none");
	buf_addc(out, '\n');
	if (pace->error_ms > 0) {
		buf_adds(out, "    last error: ");
		log_escape(out, pace->error, strlen(pace->error));
		buf_adds(out, ", ");
		add_past(out, pace->error_ms, now_ms);
		buf_addc(out, '\n');
	}
	show_next_try(s, now_ms, out);
}

static struct json *
standing_json(const struct standing *s, int64_t now_ms)
{
	struct json *object = json_new_object();
	const struct pace *pace = &s->tally.pace;

	put_text(object, "name", s->name);
	json_put_boolean(object, "configured", s->configured);
	json_put_number(object, "waiting", s->tally.waiting);
	json_put_number(object, "set_aside", s->tally.aside);
	put_ms(object, "oldest_ms",
	    s->tally.waiting > 0 ? s->tally.oldest_ms : 0);
	put_ms(object, "last_success_ms", pace->success_ms);
	put_ms(object, "last_error_ms", pace->error_ms);
	put_text(object, "last_error", pace->error);
	json_put_boolean(object, "refused", pace->refused);
	json_put_number(object, "failures", pace->failures);
	put_ms(object, "next_try_ms", next_try_ms(s, now_ms));
	return object;
}

/* Names of destinations, each once. */
struct names {
	char **list;
	size_t count;
};

static void
add_name(void *context, const char *name)
{
	struct names *names = context;
	size_t i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->list[i], name) == 0)
			return;
	names->list = mem_realloc(names->list,
	    (names->count + 1) * sizeof(*names->list));
	names->list[names->count++] = mem_dup(name);
}

static void
names_release(struct names *names)
{
	while (names->count > 0)
		free(names->list[--names->count]);
	free(names->list);
}

/* Those of the configuration first, then those that only the queue has. */
static enum queue_result
find_names(struct queue *q, const struct config *c, struct names *names,
    struct buf *why)
{
	size_t i;

	for (i = 0; i < c->destination_count; i++)
		if (c->destinations[i].webhook_url)
			add_name(names, c->destinations[i].name);
	return queue_names(q, add_name, names, why);
}

/* The worker as a report tells of it. */
struct delivery {
	struct queue_holder holder;
	struct buf note;	/* why it cannot deliver, or not be started */
};

static enum queue_result
find_delivery(struct queue *q, const struct config *c, struct delivery *d,
    struct buf *why)
{
	struct queue_lock *lock = queue_lock_new(c->queue);
	enum queue_result result;

	result = queue_lock_look(lock, q, &d->holder, why);
	if (result == QUEUE_OK)
		queue_lock_read_note(lock, q, &d->note);
	queue_lock_free(lock, q);
	return result;
}

static struct json *
status_json(const struct config *c, const struct delivery *d,
    struct json *machines, struct json *destinations)
{
	struct json *status = json_new_object();

	put_text(status, "queue", c->queue_shown);
	json_put_boolean(status, "worker", d->holder.held);
	put_ms(status, "worker_pid", d->holder.held ? d->holder.pid : 0);
	put_ms(status, "worker_silent_ms",
	    d->holder.held ? d->holder.silent_ms : 0);
	put_text(status, "worker_note", buf_text(&d->note));
	json_put(status, "machines", machines);
	json_put(status, "destinations", destinations);
	return status;
}

void
report_silence(struct buf *out, const struct queue_holder *holder)
{
	buf_addf(out, "the worker, process %ld, has given no sign of life "
	    "for ", (long)holder->pid);
	add_span(out, holder->silent_ms);
	buf_adds(out, ": it hangs, and the next worker ends it\n");
}

static void
show_status(const struct config *c, const struct delivery *d, struct buf *out)
{
	buf_adds(out, "queue: ");
	log_escape(out, c->queue_shown, strlen(c->queue_shown));
	buf_addc(out, '\n');
	if (queue_holder_hangs(&d->holder))
		report_silence(out, &d->holder);
	else if (d->holder.held)
		buf_addf(out, "worker: running, process %ld\n",
		    (long)d->holder.pid);
	else
		buf_adds(out, "worker: none\n");
	if (d->note.len > 0) {
		buf_adds(out, d->holder.held ? "    cannot deliver: " :
		    "    could not be started: ");
		log_escape(out, d->note.data, d->note.len);
		buf_addc(out, '\n');
	}
}

/* ----------------------------------------------------------- machines */

static void
show_machine(void *context, const struct queue_machine *machine)
{
	struct buf *out = context;

	buf_adds(out, "machine ");
	log_escape(out, machine->name, strlen(machine->name));
	buf_addf(out, ": process %" PRId64 ", since ", machine->pid);
	add_moment(out, machine->since_ms);
	buf_adds(out, ", seen ");
	add_span(out, machine->silent_ms);
	buf_adds(out, " ago\n");
}

static void
add_machine(void *context, const struct queue_machine *machine)
{
	struct json *list = context;
	struct json *object = json_new_object();

	put_text(object, "name", machine->name);
	json_put_number(object, "worker_pid", machine->pid);
	put_ms(object, "since_ms", machine->since_ms);
	json_put_number(object, "silent_ms", machine->silent_ms);
	json_add(list, object);
}

/* Destinations with one webhook have the pace of the first. */
static const char *
pace_of(const struct config *c, const char *name)
{
	const struct destination *d = config_destination(c, name);

	return d ? c->destinations[d->shares].name : name;
}

enum queue_result
report_status(struct queue *q, const struct config *c, bool json,
    int64_t now_ms, struct buf *out, bool *needs_person,
    struct buf *why)
{
	struct json *list = json ? json_new_array() : NULL;
	struct json *machines = json ? json_new_array() : NULL;
	enum queue_result result;
	struct names names = { NULL, 0 };
	struct delivery delivery = { .note = BUF_INIT };
	struct standing s;
	size_t i;

	result = find_delivery(q, c, &delivery, why);
	*needs_person = queue_holder_hangs(&delivery.holder) ||
	    (delivery.holder.held && delivery.note.len > 0);
	if (!json)
		show_status(c, &delivery, out);
	if (result == QUEUE_OK)
		result = json ? queue_machines(q, add_machine, machines, why) :
	    queue_machines(q, show_machine, out, why);
	if (result == QUEUE_OK)
		result = find_names(q, c, &names, why);
	for (i = 0; i < names.count && result == QUEUE_OK; i++) {
		s.name = names.list[i];
		s.configured = config_destination(c, s.name) != NULL;
		result = queue_count(q, s.name, pace_of(c, s.name), &s.tally,
		    why);
		*needs_person = *needs_person || s.tally.aside > 0 ||
		    (s.tally.pace.refused && s.tally.waiting > 0);
		if (json)
			json_add(list, standing_json(&s, now_ms));
		else
			show_standing(&s, now_ms, out);
	}
	if (json)
		add_json(out, status_json(c, &delivery, machines, list));
	buf_release(&delivery.note);
	names_release(&names);
	return result;
}

/* -------------------------------------------------------------- list */

struct listing {
	struct buf *out;
	int64_t now_ms;
	bool json;
};

static const char *
state_name(enum queue_state state)
{
	return state == QUEUE_ASIDE ? "set-aside" : "waiting";
}

/* What it is called: its log_id, or its number where it has none. */
static void
add_id(struct buf *out, const struct queue_row *row)
{
	if (row->log_id)
		log_escape(out, row->log_id, strlen(row->log_id));
	else
		buf_addf(out, "#%" PRId64, row->number);
}

static void
show_row(const struct listing *l, const struct queue_row *row)
{
	struct buf *out = l->out;

	buf_addf(out, "%-9s  ", state_name(row->state));
	add_id(out, row);
	buf_adds(out, "  ");
	log_escape(out, row->type, strlen(row->type));
	buf_adds(out, "  ");
	log_escape(out, row->destination, strlen(row->destination));
	buf_adds(out, "  ");
	add_span(out, l->now_ms - row->queued_ms);
	buf_addf(out, "  %" PRId64 "  ", row->tries);
	if (row->reason)
		log_escape(out, row->reason, strlen(row->reason));
	else
		buf_addc(out, '-');
	buf_addc(out, '\n');
}

static void
show_row_json(const struct listing *l, const struct queue_row *row)
{
	struct json *object = json_new_object();
	struct buf id = BUF_INIT;

	buf_addf(&id, "#%" PRId64, row->number);
	put_text(object, "state", state_name(row->state));
	put_text(object, "id", row->log_id ? row->log_id : id.data);
	put_text(object, "type", row->type);
	put_text(object, "destination", row->destination);
	put_ms(object, "queued_ms", row->queued_ms);
	json_put_number(object, "tries", row->tries);
	put_text(object, "reason", row->reason);
	add_json(l->out, object);
	buf_release(&id);
}

static void
take_row(void *context, const struct queue_row *row)
{
	struct listing *l = context;

	if (l->json)
		show_row_json(l, row);
	else
		show_row(l, row);
}

enum queue_result
report_list(struct queue *q, bool json, int64_t now_ms, int64_t *after,
    struct buf *out, struct buf *why)
{
	struct listing listing = { out, now_ms, json };

	return queue_list(q, after, take_row, &listing, why);
}
