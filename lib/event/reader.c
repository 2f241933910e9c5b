/* SPDX-License-Identifier: ISC */
/*
 * From bytes to events. The outer structure is walked here, so that every
 * record can be let go before the next is read; each record is walked by
 * pick.c. This file knows nothing of requests or messages.
 */
#include "event/reader.h"

#include "event/pick.h"
#include "json/scan.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_BYTES 16384	/* Auth0's records have 400 to 4,000 */

/* What the next byte that is not white space has to be. */
enum place {
	AT_START,
	AT_FIRST_ITEM,	/* after [ */
	AT_ITEM,	/* after a comma in an array */
	AFTER_ITEM,
	AT_LOGS,	/* in a line, before the [ of "logs" */
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

	struct pick *item;		/* of an array */
	struct pick *line;		/* the object that a line is */
	struct pick *in_hand;		/* the one half-way read, or NULL */
	bool in_line;
	bool wrapped;			/* the line had "logs": [ ... ] */
};

/* The bytes still to be read of one call of event_reader_feed. */
struct span {
	const char *start;
	const char *at;
	const char *end;
};

static unsigned long long
offset_of(const struct event_reader *r, const struct span *s)
{
	return r->offset + (unsigned long long)(s->at - s->start);
}

/* ----------------------------------------------------------- records */

/* All that an event has is looked up only now: most records are not kept. */
static void
keep_record(struct event_reader *r, struct pick *record,
    unsigned destinations)
{
	struct event *e = event_read(record);

	r->counts.kept++;
	e->destinations = destinations;
	event_list_add(r->list, e);
}

/* A record is whole. */
static void
take_record(struct event_reader *r, struct pick *record)
{
	const char *type = pick_type(record);
	unsigned destinations;

	r->counts.records++;
	if (!type) {
		r->counts.unusable++;
		return;
	}
	destinations = r->keep(r->context, type, record);
	if (destinations != 0)
		keep_record(r, record, destinations);
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

/* A record begins: an item of an array, or a line. */
static void
begin_record(struct event_reader *r)
{
	bool line = r->place == AT_START || r->place == AT_LINE;

	r->in_hand = line ? r->line : r->item;
	if (line) {
		r->in_line = true;
		r->wrapped = false;
	}
	pick_begin(r->in_hand, &r->scan, line);
}

static void
end_line(struct event_reader *r)
{
	r->in_line = false;
	r->place = AFTER_LINE;
	if (!r->wrapped || pick_type(r->line))
		take_record(r, r->line);
}

static void
end_item(struct event_reader *r)
{
	r->place = AFTER_ITEM;
	take_record(r, r->item);
}

/* The items of "logs" are records, and behind them the line goes on. */
static void
begin_logs(struct event_reader *r)
{
	r->wrapped = true;
	r->place = AT_LOGS;
	r->in_hand = NULL;
}

static void
end_array(struct event_reader *r)
{
	if (r->in_line) {
		r->in_hand = r->line;
		pick_resume(r->line, &r->scan);
	} else {
		r->place = AFTER_ARRAY;
	}
}

static void
end_record(struct event_reader *r)
{
	bool line = r->in_hand == r->line;

	r->in_hand = NULL;
	if (line)
		end_line(r);
	else
		end_item(r);
}

static bool
read_record(struct event_reader *r, struct span *s, struct buf *why)
{
	enum prune_stop stop;
	const char *reason;

	s->at += pick_read(r->in_hand, &r->scan, s->at,
	    (size_t)(s->end - s->at), &stop, &reason);
	switch (stop) {
	case PRUNE_MORE:
		break;
	case PRUNE_BAD:
		return fail(r, s, reason, why);
	case PRUNE_LOGS:
		begin_logs(r);
		break;
	case PRUNE_WHOLE:
		end_record(r);
		break;
	}
	return true;
}

/* What a byte leads to at a place; the first row that fits counts. */
enum step {
	STEP_RECORD,	/* one begins with this byte */
	STEP_MOVE,	/* past the byte, to the next place */
	STEP_END_ARRAY
};

#define ANY '\0' /* but white space */

static const struct row {
	enum place place;
	char byte;
	enum step step;
	enum place next;	/* of STEP_MOVE */
} rows[] = {
	{ AT_START, '[', STEP_MOVE, AT_FIRST_ITEM },
	{ AT_START, '{', STEP_RECORD, 0 },
	{ AT_FIRST_ITEM, ']', STEP_END_ARRAY, 0 },
	{ AT_FIRST_ITEM, ANY, STEP_RECORD, 0 },
	{ AT_ITEM, ANY, STEP_RECORD, 0 },
	{ AFTER_ITEM, ',', STEP_MOVE, AT_ITEM },
	{ AFTER_ITEM, ']', STEP_END_ARRAY, 0 },
	{ AT_LOGS, '[', STEP_MOVE, AT_FIRST_ITEM },
	{ AFTER_LINE, '\n', STEP_MOVE, AT_LINE },
	{ AT_LINE, '{', STEP_RECORD, 0 },
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

static bool
take_byte(struct event_reader *r, struct span *s, struct buf *why)
{
	const struct row *row = find_row(r->place, *s->at);
	const char *reason;

	if (row && row->step == STEP_RECORD) {
		begin_record(r);
		return read_record(r, s, why);
	}
	if (scan_bytes(&r->scan, s->at, 1, &reason) == 0)
		return fail(r, s, reason, why);
	if (!row && !scan_is_space(*s->at))
		return fail(r, s, "an unexpected character", why);
	s->at++;
	if (row && row->step == STEP_END_ARRAY)
		end_array(r);
	else if (row)
		r->place = row->next;
	return true;
}

/* -------------------------------------------------------- the reader */

void
event_reader_hold(struct event_reader *r, size_t bytes)
{
	pick_free(r->item);
	pick_free(r->line);
	r->item = pick_new(bytes);
	r->line = pick_new(bytes);
	event_want(r->item);
	event_want(r->line);
}

struct event_reader *
event_reader_new(event_keep *keep, void *context, struct event_list *list)
{
	struct event_reader *r = mem_alloc(sizeof(*r));

	memset(r, 0, sizeof(*r));
	r->keep = keep;
	r->context = context;
	r->list = list;
	event_reader_hold(r, HOLD_BYTES);
	return r;
}

void
event_reader_want(struct event_reader *r, const char *path)
{
	pick_want(r->item, path, PRUNE_ITEMS);
	pick_want(r->line, path, PRUNE_ITEMS);
}

bool
event_reader_feed(struct event_reader *r, const char *bytes, size_t len,
    struct buf *why)
{
	struct span s = { bytes, bytes, bytes + len };

	while (s.at < s.end)
		if (!(r->in_hand ? read_record : take_byte)(r, &s, why))
			return false;
	r->offset += len;
	return true;
}

bool
event_reader_end(struct event_reader *r, struct buf *why)
{
	if (r->place == AT_START && !r->in_line) {
		buf_adds(why, "the body is empty");
		return false;
	}
	if (r->in_line || (r->place != AFTER_ARRAY && r->place != AFTER_LINE &&
	    r->place != AT_LINE)) {
		buf_addf(why, "the body ends in the middle of its JSON, after "
		    "%llu bytes", r->offset);
		return false;
	}
	if (r->counts.records > 0 &&
	    r->counts.unusable == r->counts.records) {
		buf_addf(why, "no record in the body is a log event: none has "
		    "a data.type, or a type of its own (records: %lu)",
		    r->counts.records);
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
	pick_free(r->item);
	pick_free(r->line);
	scan_release(&r->scan);
	free(r);
}
