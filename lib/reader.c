/* SPDX-License-Identifier: ISC */
/*
 * From bytes to events. The outer structure is walked here, so that every
 * record can be let go before the next is read; each value in it is walked
 * by pick.c, the data of records that are kept once more. json-c is not asked:
 * short of memory it leaves members out and does not say so. This file knows
 * nothing of requests or messages.
 */
#include "reader.h"

#include "pick.h"
#include "scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What the next byte that is not white space has to be. */
enum place {
	AT_START,
	AT_FIRST_ITEM,	/* after [ */
	AT_ITEM,	/* after a comma in an array */
	AFTER_ITEM,
	AT_FIRST_KEY,	/* after { */
	AT_KEY,		/* after a comma in an object */
	AFTER_KEY,
	AT_MEMBER,	/* after a colon */
	AFTER_MEMBER,
	AFTER_LINE,	/* after a } that closes a line */
	AT_LINE,	/* after the end of such a line */
	AFTER_ARRAY	/* after the ] that closes the body */
};

struct event_reader {
	event_keep *keep;
	void *context;
	struct event_list *list;
	struct event_counts counts;

	enum place place;
	struct scan scan;
	unsigned long long offset;	/* of the bytes in hand */

	struct pick *kept;		/* the data of one that is kept */
	struct pick *record;		/* an item of an array */
	struct pick *data;		/* that of the line in hand */
	struct pick *part;		/* a name, or another member of it */
	struct pick *in_hand;		/* the one half-way read, or NULL */

	/* The object that a line of the body is. */
	bool in_line;
	struct buf key;			/* the last one */
	struct buf log_id;
	bool wrapped;			/* it had "logs": [ ... ] */
};

/* The bytes still to be read of one call of event_reader_feed. */
struct span {
	const char *start;
	const char *at;
	const char *end;
};

struct record {
	struct pick *pick;
};

static unsigned long long
offset_of(const struct event_reader *r, const struct span *s)
{
	return r->offset + (unsigned long long)(s->at - s->start);
}

/* ----------------------------------------------------------- records */

const char *
record_field(const void *record, const char *name)
{
	return pick_field(((const struct record *)record)->pick, name);
}

static const char *
kept_field(const void *kept, const char *name)
{
	return pick_field((struct pick *)(uintptr_t)kept, name);
}

/* All that an event has is looked up only now: most records are not kept. */
static void
keep_record(struct event_reader *r, const struct pick *p, const char *log_id,
    unsigned destinations)
{
	struct scan scan = { 0 };
	enum scan_stop stop;
	const char *data, *why;
	struct event *e;
	size_t len;

	data = pick_data(p, &len);
	pick_begin(r->kept, PICK_DATA, &scan);
	pick_read(r->kept, &scan, data, len, &stop, &why);
	r->counts.kept++;
	e = event_read(kept_field, r->kept, log_id);
	e->destinations = destinations;
	event_list_add(r->list, e);
}

/* A record is whole, in its pick; log_id is its own, or NULL. */
static void
take_record(struct event_reader *r, struct pick *p, const char *log_id)
{
	const struct record record = { p };
	const char *type = pick_field(p, "type");
	unsigned destinations;

	r->counts.records++;
	if (!type) {
		r->counts.unusable++;
		return;
	}
	if (!log_id)
		log_id = pick_field(p, "log_id");
	destinations = r->keep(r->context, type, log_id, &record);
	if (destinations != 0)
		keep_record(r, p, log_id, destinations);
}

/* ------------------------------------------------------------- bytes */

static bool
fail(const struct event_reader *r, const struct span *s, const char *reason,
    struct buf *why)
{
	buf_addf(why, "the body is not the JSON that Auth0 sends: %s at byte "
	    "%llu", r->place == AFTER_ARRAY ? "more text after its end" :
	    reason, offset_of(r, s));
	return false;
}

/* -------------------------------------------------------- the places */

static void
begin_line(struct event_reader *r)
{
	r->in_line = true;
	r->wrapped = false;
	buf_clear(&r->log_id);
	pick_clear(r->data);
}

static void
end_line(struct event_reader *r)
{
	bool is_record = !r->wrapped || pick_field(r->data, "type");

	r->in_line = false;
	r->place = AFTER_LINE;
	if (is_record)
		take_record(r, r->data,
		    r->log_id.len > 0 ? buf_text(&r->log_id) : NULL);
}

static bool
key_is(const struct event_reader *r, const char *name)
{
	return strcmp(buf_text(&r->key), name) == 0;
}

static bool
is_key(enum place place)
{
	return place == AT_KEY || place == AT_FIRST_KEY;
}

/* Who reads the value that begins here, and what of it is wanted. */
static void
begin_value(struct event_reader *r)
{
	enum pick_kind kind = PICK_RECORD;

	r->in_hand = r->record;
	if (is_key(r->place) || r->place == AT_MEMBER) {
		r->in_hand = r->part;
		kind = is_key(r->place) || key_is(r, "log_id") ? PICK_TEXT :
		    PICK_NOTHING;
	}
	if (r->place == AT_MEMBER && key_is(r, "data")) {
		r->in_hand = r->data;
		kind = PICK_DATA;
	}
	pick_begin(r->in_hand, kind, &r->scan);
}

static void
set_text(struct buf *to, const char *text)
{
	buf_clear(to);
	buf_adds(to, text ? text : "");
}

static void
take_member(struct event_reader *r)
{
	pick_hold(r->data);
	if (key_is(r, "log_id"))
		set_text(&r->log_id, pick_text(r->part));
	r->place = AFTER_MEMBER;
}

/* A value is whole: a record, a key or a member, as the place says. */
static void
take_value(struct event_reader *r)
{
	r->counts.too_long += pick_is_too_long(r->in_hand);
	r->in_hand = NULL;
	if (r->place == AT_MEMBER) {
		take_member(r);
	} else if (is_key(r->place)) {
		set_text(&r->key, pick_name(r->part));
		r->place = AFTER_KEY;
	} else {
		r->place = AFTER_ITEM;
		take_record(r, r->record, pick_log_id(r->record));
	}
}

static bool
read_value(struct event_reader *r, struct span *s, struct buf *why)
{
	enum scan_stop stop;
	const char *reason;

	if (!r->in_hand)
		begin_value(r);
	s->at += pick_read(r->in_hand, &r->scan, s->at,
	    (size_t)(s->end - s->at), &stop, &reason);
	if (stop == SCAN_BAD)
		return fail(r, s, reason, why);
	if (stop == SCAN_WHOLE)
		take_value(r);
	return true;
}

/* What a byte leads to at a place; the first row that fits counts. */
enum step {
	STEP_VALUE,	/* a value begins with this byte */
	STEP_MOVE,	/* past the byte, to the next place */
	STEP_LINE,	/* as STEP_MOVE, with a new object begun */
	STEP_END_ARRAY,
	STEP_END_LINE
};

#define ANY '\0' /* but white space */

static const struct row {
	enum place place;
	char byte;
	enum step step;
	enum place next;	/* of STEP_MOVE and STEP_LINE */
} rows[] = {
	{ AT_START, '[', STEP_MOVE, AT_FIRST_ITEM },
	{ AT_START, '{', STEP_LINE, AT_FIRST_KEY },
	{ AT_FIRST_ITEM, ']', STEP_END_ARRAY, 0 },
	{ AT_FIRST_ITEM, ANY, STEP_VALUE, 0 },
	{ AT_ITEM, ANY, STEP_VALUE, 0 },
	{ AFTER_ITEM, ',', STEP_MOVE, AT_ITEM },
	{ AFTER_ITEM, ']', STEP_END_ARRAY, 0 },
	{ AT_FIRST_KEY, '}', STEP_END_LINE, 0 },
	{ AT_FIRST_KEY, '"', STEP_VALUE, 0 },
	{ AT_KEY, '"', STEP_VALUE, 0 },
	{ AFTER_KEY, ':', STEP_MOVE, AT_MEMBER },
	{ AT_MEMBER, ANY, STEP_VALUE, 0 },
	{ AFTER_MEMBER, ',', STEP_MOVE, AT_KEY },
	{ AFTER_MEMBER, '}', STEP_END_LINE, 0 },
	{ AFTER_LINE, '\n', STEP_MOVE, AT_LINE },
	{ AT_LINE, '{', STEP_LINE, AT_FIRST_KEY },
};

static const struct row *
find_row(enum place place, char byte)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].place == place && (rows[i].byte == byte ||
		    (rows[i].byte == ANY && !scan_is_space(byte))))
			return &rows[i];
	return NULL;
}

static void
take_step(struct event_reader *r, const struct row *row)
{
	switch (row->step) {
	case STEP_VALUE:
		break;
	case STEP_MOVE:
		r->place = row->next;
		break;
	case STEP_LINE:
		begin_line(r);
		r->place = row->next;
		break;
	case STEP_END_ARRAY:
		r->place = r->in_line ? AFTER_MEMBER : AFTER_ARRAY;
		break;
	case STEP_END_LINE:
		end_line(r);
		break;
	}
}

/* "logs": [ is not a member like others: its items are the records. */
static bool
begins_logs(const struct event_reader *r, char byte)
{
	return r->place == AT_MEMBER && byte == '[' &&
	    key_is(r, "logs");
}

static void
begin_logs(struct event_reader *r)
{
	r->wrapped = true;
	r->place = AT_FIRST_ITEM;
}

static bool
take_byte(struct event_reader *r, struct span *s, struct buf *why)
{
	const struct row *row = find_row(r->place, *s->at);
	bool logs = begins_logs(r, *s->at);
	const char *reason;

	if (row && row->step == STEP_VALUE && !logs)
		return read_value(r, s, why);
	if (scan_bytes(&r->scan, s->at, 1, &reason) == 0)
		return fail(r, s, reason, why);
	if (!row && !scan_is_space(*s->at))
		return fail(r, s, "an unexpected character", why);
	s->at++;
	if (logs)
		begin_logs(r);
	else if (row)
		take_step(r, row);
	return true;
}

/* -------------------------------------------------------- the reader */

static void
want_kept(void *kept, const char *name)
{
	pick_want(kept, name);
}

struct event_reader *
event_reader_new(event_keep *keep, void *context, struct event_list *list)
{
	struct event_reader *r = mem_alloc(sizeof(*r));

	memset(r, 0, sizeof(*r));
	r->keep = keep;
	r->context = context;
	r->list = list;
	r->kept = pick_new(EVENT_RECORD_MAX);
	r->record = pick_new(EVENT_RECORD_MAX);
	r->data = pick_new(EVENT_RECORD_MAX);
	r->part = pick_new(EVENT_RECORD_MAX);
	event_reader_want(r, "type");
	event_reader_want(r, "log_id");
	event_each_field(want_kept, r->kept);
	return r;
}

void
event_reader_want(struct event_reader *r, const char *name)
{
	pick_want(r->record, name);
	pick_want(r->data, name);
}

bool
event_reader_feed(struct event_reader *r, const char *bytes, size_t len,
    struct buf *why)
{
	struct span s = { bytes, bytes, bytes + len };

	while (s.at < s.end)
		if (!(r->in_hand ? read_value : take_byte)(r, &s, why))
			return false;
	r->offset += len;
	return true;
}

bool
event_reader_end(struct event_reader *r, struct buf *why)
{
	if (r->place == AT_START) {
		buf_adds(why, "the body is empty");
		return false;
	}
	if (r->place != AFTER_ARRAY && r->place != AFTER_LINE &&
	    r->place != AT_LINE) {
		buf_addf(why, "the body ends in the middle of its JSON, after "
		    "%llu bytes", r->offset);
		return false;
	}
	if (r->counts.records > 0 &&
	    r->counts.unusable == r->counts.records) {
		buf_addf(why, "no record in the body has a data.type (records: "
		    "%lu", r->counts.records);
		if (r->counts.too_long > 0)
			buf_addf(why, ", too long: %lu", r->counts.too_long);
		buf_addc(why, ')');
		return false;
	}
	return true;
}

const struct event_counts *
event_reader_counts(const struct event_reader *r)
{
	return &r->counts;
}

void
event_reader_free(struct event_reader *r)
{
	if (!r)
		return;
	pick_free(r->kept);
	pick_free(r->record);
	pick_free(r->data);
	pick_free(r->part);
	buf_release(&r->key);
	buf_release(&r->log_id);
	free(r);
}
