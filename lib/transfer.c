/* SPDX-License-Identifier: ISC */
/* Rows and paces as lines of JSON, and back. It knows no engine. */
#include "transfer.h"

#include "clock.h"
#include "scan.h"
#include "utf8.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 60000		/* a message takes no longer */
#define TURN_AGAIN_MS 100
#define BATCH_ROWS 500
#define BATCH_BYTES 4000000
#define NUMBER_MAX 9007199254740991	/* that any JSON can tell */

static const char *const states[] = {
	[QUEUE_WAITING] = "waiting",
	[QUEUE_ASIDE] = "set-aside",
	[QUEUE_GONE] = "gone",
};

#define STATES (sizeof(states) / sizeof(states[0]))

static const struct {
	const char *name;
	size_t offset;
} pace_numbers[] = {
	{ "set_ms", offsetof(struct pace, set_ms) },
	{ "until_ms", offsetof(struct pace, until_ms) },
	{ "obey_ms", offsetof(struct pace, obey_ms) },
	{ "failures", offsetof(struct pace, failures) },
	{ "suspects", offsetof(struct pace, suspects) },
	{ "success_ms", offsetof(struct pace, success_ms) },
	{ "error_ms", offsetof(struct pace, error_ms) },
}, pace_flags[] = {
	{ "posting", offsetof(struct pace, posting) },
	{ "refused", offsetof(struct pace, refused) },
};

#define PACE_NUMBERS (sizeof(pace_numbers) / sizeof(pace_numbers[0]))
#define PACE_FLAGS (sizeof(pace_flags) / sizeof(pace_flags[0]))

/* -------------------------------------------------------------- JSON */

/* Whether a text, as far as it goes, is JSON. */
static bool
is_json(const char *text, size_t len)
{
	struct scan scan = { 0 };
	const char *why;
	bool good = scan_bytes(&scan, text, len, &why) == len;

	scan_release(&scan);
	return good;
}

/*
 * NULL when the text is not an object and no more. The scanner is the judge
 * of that: what json-c refuses when it is told to be strict changes with its
 * version (0.18: each byte that is not ASCII).
 */
static struct json_object *
parse_object(const char *text, size_t len)
{
	struct json_tokener *tokener;
	struct json_object *object;

	if (len > INT_MAX || !is_json(text, len))
		return NULL;
	tokener = json_tokener_new();
	if (!tokener)
		mem_exhausted();
	object = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != len ||
	    !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

/* ------------------------------------------------------------- turns */

/* Names, each with its NUL, one behind the other. */
static void
add_name(void *context, const char *name)
{
	buf_add(context, name, strlen(name) + 1);
}

static const char *
next_name(const struct buf *names, const char *name)
{
	name = name ? name + strlen(name) + 1 : buf_text(names);
	return name < buf_text(names) + names->len ? name : NULL;
}

/* Waits for the message of another machine to be over. */
static enum queue_result
wait_for_turn(struct queue *q, const char *name, struct buf *why)
{
	int64_t end = clock_ms() + TURN_MS;
	enum queue_result result;
	bool mine;

	for (;;) {
		result = queue_begin_turn(q, name, &mine, why);
		if (result != QUEUE_OK || mine)
			return result;
		if (clock_ms() >= end)
			break;
		poll(NULL, 0, TURN_AGAIN_MS);
	}
	buf_addf(why, "destination %s: another machine has had it for too "
	    "long", name);
	return QUEUE_BUSY;
}

static void
end_turns(struct queue *q, const struct buf *names)
{
	const char *name = NULL;

	while ((name = next_name(names, name)) != NULL)
		queue_end_turn(q, name);
}

/* Those of all destinations, in the order of their names, or none. */
static enum queue_result
begin_turns(struct queue *q, struct buf *names, struct buf *why)
{
	enum queue_result result = queue_names(q, add_name, names, why);
	const char *name = NULL;

	while (result == QUEUE_OK && (name = next_name(names, name)) != NULL)
		result = wait_for_turn(q, name, why);
	if (result != QUEUE_OK)
		end_turns(q, names);
	return result;
}

/* ------------------------------------------------------------ export */

static void
put_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name,
	    text ? json_object_new_string(text) : NULL);
}

static void
put_number(struct json_object *object, const char *name, int64_t number)
{
	json_object_object_add(object, name, json_object_new_int64(number));
}

/* A row may hold bytes that are no UTF-8: json-c lets them. */
static void
add_line(struct buf *out, struct json_object *object)
{
	size_t len;
	const char *text = json_object_to_json_string_length(object,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	utf8_mend(out, text, len);
	buf_addc(out, '\n');
	json_object_put(object);
}

static struct json_object *
pace_json(const struct pace *pace)
{
	struct json_object *object = json_object_new_object();
	const char *base = (const char *)pace;
	int64_t number;
	bool flag;
	size_t i;

	for (i = 0; i < PACE_NUMBERS; i++) {
		memcpy(&number, base + pace_numbers[i].offset,
		    sizeof(number));
		put_number(object, pace_numbers[i].name, number);
	}
	for (i = 0; i < PACE_FLAGS; i++) {
		memcpy(&flag, base + pace_flags[i].offset, sizeof(flag));
		json_object_object_add(object, pace_flags[i].name,
		    json_object_new_boolean(flag));
	}
	put_text(object, "error", pace->error);
	return object;
}

static enum queue_result
add_destination(struct queue *q, const char *name, struct buf *out,
    struct buf *why)
{
	struct json_object *object;
	struct queue_tally tally;
	enum queue_result result = queue_count(q, name, name, &tally, why);

	if (result != QUEUE_OK)
		return result;
	object = json_object_new_object();
	put_text(object, "destination", name);
	json_object_object_add(object, "pace", pace_json(&tally.pace));
	add_line(out, object);
	return QUEUE_OK;
}

enum queue_result
transfer_destinations(struct queue *q, struct buf *out, struct buf *why)
{
	struct buf names = BUF_INIT;
	enum queue_result result = begin_turns(q, &names, why);
	const char *name = NULL;

	if (result == QUEUE_OK) {
		while (result == QUEUE_OK &&
		    (name = next_name(&names, name)) != NULL)
			result = add_destination(q, name, out, why);
		end_turns(q, &names);
	}
	buf_release(&names);
	return result;
}

/* As an object; what is none, as the text that it is. */
static struct json_object *
record_json(const char *record, size_t len)
{
	struct json_object *object = parse_object(record, len);

	return object ? object : json_object_new_string(record);
}

/* The state of a damaged row may be any number. */
static const char *
state_name(enum queue_state state)
{
	return states[(size_t)state < STATES ? state : QUEUE_ASIDE];
}

struct page {
	struct buf *out;
	struct transfer_sums sums;
};

static bool
add_row(void *context, const struct queue_row *row, const char *record,
    size_t len)
{
	struct json_object *object = json_object_new_object();
	struct page *page = context;

	put_text(object, "destination", row->destination);
	put_text(object, "log_id", row->log_id);
	put_text(object, "type", row->type);
	put_text(object, "state", state_name(row->state));
	put_number(object, "queued_ms", row->queued_ms);
	put_number(object, "changed_ms", row->changed_ms);
	put_number(object, "tries", row->tries);
	put_text(object, "reason", row->reason);
	json_object_object_add(object, "record",
	    record ? record_json(record, len) : NULL);
	add_line(page->out, object);
	page->sums.rows++;
	page->sums.waiting += row->state == QUEUE_WAITING;
	return page->out->len < BATCH_BYTES;
}

enum queue_result
transfer_rows(struct queue *q, int64_t *after, int64_t now_ms,
    struct transfer_sums *sums, struct buf *out, struct buf *why)
{
	struct page page = { out, *sums };
	struct buf names = BUF_INIT;
	enum queue_result result = begin_turns(q, &names, why);

	if (result == QUEUE_OK) {
		result = queue_export(q, after, add_row, &page, now_ms, why);
		end_turns(q, &names);
	}
	if (result == QUEUE_OK)
		*sums = page.sums;
	buf_release(&names);
	return result;
}

void
transfer_finish(const struct transfer_sums *sums, struct buf *out)
{
	buf_addf(out, "{\"rows\":%lu}\n", sums->rows);
}

/* ----------------------------------------------------------- members */

/* The text that a member is; a name is needed, other texts may be null. */
static bool
get_text(struct json_object *object, const char *name, bool needed,
    const char **text, struct buf *why)
{
	struct json_object *member = NULL;
	size_t len;

	*text = NULL;
	json_object_object_get_ex(object, name, &member);
	if (!member && !needed)
		return true;
	if (json_object_is_type(member, json_type_string)) {
		*text = json_object_get_string(member);
		len = (size_t)json_object_get_string_len(member);
		if (strlen(*text) == len && (len > 0 || !needed))
			return true;
	}
	buf_addf(why, "%s is not a text", name);
	return false;
}

static bool
get_number(struct json_object *object, const char *name, int64_t *number,
    struct buf *why)
{
	struct json_object *member = NULL;

	*number = -1;
	if (json_object_object_get_ex(object, name, &member) &&
	    json_object_is_type(member, json_type_int))
		*number = json_object_get_int64(member);
	if (*number >= 0 && *number <= NUMBER_MAX)
		return true;
	buf_addf(why, "%s is not a number that may be there", name);
	return false;
}

static bool
get_flag(struct json_object *object, const char *name, bool *flag,
    struct buf *why)
{
	struct json_object *member = NULL;

	if (json_object_object_get_ex(object, name, &member) &&
	    json_object_is_type(member, json_type_boolean)) {
		*flag = json_object_get_boolean(member);
		return true;
	}
	buf_addf(why, "%s is not true or false", name);
	return false;
}

static bool
get_state(struct json_object *object, enum queue_state *state,
    struct buf *why)
{
	const char *name;
	size_t i;

	if (!get_text(object, "state", true, &name, why))
		return false;
	for (i = 0; i < STATES; i++)
		if (strcmp(name, states[i]) == 0) {
			*state = (enum queue_state)i;
			return true;
		}
	buf_adds(why, "state is none of waiting, set-aside and gone");
	return false;
}

/* A record that is a text is one that no queue could read. */
static bool
get_record(struct json_object *object, const char **record, struct buf *why)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(object, "record", &member);
	if (!json_object_is_type(member, json_type_object))
		return get_text(object, "record", false, record, why);
	*record = json_object_to_json_string_ext(member,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return true;
}

/* ------------------------------------------------------------ import */

struct transfer {
	struct queue *queue;
	unsigned long line;		/* the last that was given */
	unsigned long first;		/* of the batch */
	unsigned long since_end;	/* rows behind the last that ended */
	bool ended;			/* by the line before */
	unsigned long rows, added;

	/* The batch: rows, and the lines that they borrow from. */
	struct queue_moved batch[BATCH_ROWS];
	struct json_object *lines[BATCH_ROWS];
	size_t count;
	size_t bytes;
};

struct transfer *
transfer_new(struct queue *q)
{
	struct transfer *t = mem_alloc(sizeof(*t));

	memset(t, 0, sizeof(*t));
	t->queue = q;
	return t;
}

static void
drop_batch(struct transfer *t)
{
	while (t->count > 0)
		json_object_put(t->lines[--t->count]);
	t->bytes = 0;
}

void
transfer_free(struct transfer *t)
{
	if (!t)
		return;
	drop_batch(t);
	free(t);
}

static bool
put_batch(struct transfer *t, struct buf *why)
{
	size_t added = 0, count = t->count;
	enum queue_result result = QUEUE_OK;
	struct buf words = BUF_INIT;

	if (count > 0)
		result = queue_import(t->queue, t->batch, count, &added,
		    &words);
	if (result == QUEUE_OK) {
		t->rows += count;
		t->added += added;
	} else {
		buf_addf(why, "lines %lu to %lu: %s", t->first, t->line,
		    buf_text(&words));
	}
	drop_batch(t);
	buf_release(&words);
	return result == QUEUE_OK;
}

/* A row of the batch, with a line that is t's from now on. */
static bool
take_row(struct transfer *t, struct json_object *line, struct buf *why)
{
	struct queue_moved *moved = &t->batch[t->count];
	struct queue_row *row = &moved->row;

	memset(moved, 0, sizeof(*moved));
	if (t->count == 0)
		t->first = t->line;
	t->lines[t->count++] = line;
	if (!get_text(line, "destination", true, &row->destination, why) ||
	    !get_text(line, "log_id", true, &row->log_id, why) ||
	    !get_text(line, "type", true, &row->type, why) ||
	    !get_state(line, &row->state, why) ||
	    !get_number(line, "queued_ms", &row->queued_ms, why) ||
	    !get_number(line, "changed_ms", &row->changed_ms, why) ||
	    !get_number(line, "tries", &row->tries, why) ||
	    !get_text(line, "reason", false, &row->reason, why) ||
	    !get_record(line, &moved->record, why))
		return false;
	if (row->state != QUEUE_ASIDE)
		row->reason = NULL;
	if (row->state == QUEUE_GONE)
		moved->record = NULL;
	t->since_end++;
	return true;
}

static bool
read_pace(struct json_object *object, struct pace *pace, struct buf *why)
{
	char *base = (char *)pace;
	const char *error;
	int64_t number;
	bool flag;
	size_t i;

	memset(pace, 0, sizeof(*pace));
	for (i = 0; i < PACE_NUMBERS; i++) {
		if (!get_number(object, pace_numbers[i].name, &number, why))
			return false;
		memcpy(base + pace_numbers[i].offset, &number,
		    sizeof(number));
	}
	for (i = 0; i < PACE_FLAGS; i++) {
		if (!get_flag(object, pace_flags[i].name, &flag, why))
			return false;
		memcpy(base + pace_flags[i].offset, &flag, sizeof(flag));
	}
	if (!get_text(object, "error", false, &error, why))
		return false;
	snprintf(pace->error, sizeof(pace->error), "%s", error ? error : "");
	return true;
}

/* Where both queues know a destination, the longer wait is kept. */
static enum queue_result
keep_pace(struct queue *q, const char *name, const struct pace *pace,
    struct buf *why)
{
	struct queue_batch batch = { .destination = name,
	    .pace_of = name, .pace = pace };
	struct queue_tally tally;
	enum queue_result result = wait_for_turn(q, name, why);

	if (result != QUEUE_OK)
		return result;
	result = queue_count(q, name, name, &tally, why);
	if (result == QUEUE_OK && pace->until_ms > tally.pace.until_ms)
		result = queue_change(q, QUEUE_PUT_BACK, &batch, 0, why);
	queue_end_turn(q, name);
	return result;
}

static bool
take_destination(struct transfer *t, struct json_object *line,
    struct json_object *object, struct buf *why)
{
	const char *name;
	struct pace pace;

	return get_text(line, "destination", true, &name, why) &&
	    read_pace(object, &pace, why) &&
	    keep_pace(t->queue, name, &pace, why) == QUEUE_OK;
}

static bool
take_end(struct transfer *t, struct json_object *line, struct buf *why)
{
	int64_t rows;

	if (!get_number(line, "rows", &rows, why))
		return false;
	if ((unsigned long)rows != t->since_end) {
		buf_addf(why, "%" PRId64 " rows were exported, and %lu are "
		    "here", rows, t->since_end);
		return false;
	}
	t->since_end = 0;
	t->ended = true;
	return true;
}

static bool
take_line(struct transfer *t, const char *line, size_t len, struct buf *why)
{
	struct json_object *object = parse_object(line, len), *member;
	bool good;

	if (!object) {
		buf_adds(why, "it is not a whole line of an export");
		return false;
	}
	t->ended = false;
	t->bytes += len;
	if (json_object_object_get_ex(object, "pace", &member))
		good = take_destination(t, object, member, why);
	else if (json_object_object_get_ex(object, "rows", NULL))
		good = take_end(t, object, why);
	else
		return take_row(t, object, why);
	json_object_put(object);
	return good;
}

bool
transfer_take(struct transfer *t, const char *line, size_t len,
    struct buf *why)
{
	struct buf words = BUF_INIT;
	bool good;

	t->line++;
	good = take_line(t, line, len, &words);
	if (!good)
		buf_addf(why, "line %lu: %s", t->line, buf_text(&words));
	buf_release(&words);
	if (!good || (t->count < BATCH_ROWS && t->bytes < BATCH_BYTES))
		return good;
	return put_batch(t, why);
}

bool
transfer_end(struct transfer *t, struct buf *why)
{
	if (!put_batch(t, why))
		return false;
	if (!t->ended)
		buf_addf(why, "line %lu: the export ends here, and is not "
		    "whole: run both again", t->line);
	return t->ended;
}

void
transfer_taken(const struct transfer *t, unsigned long *rows,
    unsigned long *added)
{
	*rows = t->rows;
	*added = t->added;
}
