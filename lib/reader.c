/* SPDX-License-Identifier: ISC */
/*
 * From bytes to events. The outer structure is walked here, so that every
 * record can be let go before the next is read; each value in it is given
 * to json-c's tokener, once scan.c has found it good. The tokener's own
 * strictness is off: in 0.17 and later it refuses long integers, in 0.18
 * all but ASCII. This file knows nothing of requests or messages.
 */
#include "reader.h"

#include "scan.h"
#include "utf8.h"

#include <json-c/json.h>
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
	struct json_tokener *tokener;
	bool in_value;			/* the tokener is half-way */

	/* The object that a line of the body is. */
	struct json_object *line;	/* its members but "logs" */
	char *key;
	bool wrapped;			/* it had "logs": [ ... ] */
};

/* The bytes still to be read of one call of event_reader_feed. */
struct span {
	const char *start;
	const char *at;
	const char *end;
};

struct record {
	struct json_object *data;
};

static unsigned long long
offset_of(const struct event_reader *r, const struct span *s)
{
	return r->offset + (unsigned long long)(s->at - s->start);
}

/* ----------------------------------------------------------- records */

/*
 * The text of a JSON string. "\u0000" is legal in JSON and would cut a C
 * string short, so it is replaced in place, in the rare case.
 */
static const char *
text_of(struct json_object *value)
{
	struct buf whole = BUF_INIT;
	const char *text, *end;
	size_t len;

	if (!json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	end = text + json_object_get_string_len(value);
	if (strlen(text) < (size_t)(end - text)) {
		while (text < end) {
			len = strnlen(text, (size_t)(end - text));
			buf_add(&whole, text, len);
			text += len;
			if (text < end) {
				buf_adds(&whole, UTF8_REPLACEMENT);
				text++;
			}
		}
		json_object_set_string_len(value, whole.data, (int)whole.len);
		buf_release(&whole);
		text = json_object_get_string(value);
	}
	return *text ? text : NULL;
}

static const char *
member_text(struct json_object *object, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value))
		return NULL;
	return text_of(value);
}

const char *
record_field(const void *record, const char *name)
{
	return member_text(((const struct record *)record)->data, name);
}

/* The type of a usable record; its data is then in *record. */
static const char *
usable_type(struct json_object *json, struct record *record)
{
	if (!json_object_is_type(json, json_type_object) ||
	    !json_object_object_get_ex(json, "data", &record->data) ||
	    !json_object_is_type(record->data, json_type_object))
		return NULL;
	return record_field(record, "type");
}

static void
take_record(struct event_reader *r, struct json_object *json)
{
	struct record record;
	const char *type = usable_type(json, &record);

	r->counts.records++;
	if (!type) {
		r->counts.unusable++;
	} else if (r->keep(r->context, type, &record)) {
		r->counts.kept++;
		event_list_add(r->list, event_read(record_field, &record,
		    member_text(json, "log_id")));
	}
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

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* -------------------------------------------------------- the places */

static void
end_of_line_object(struct event_reader *r)
{
	struct record record;

	if (!r->wrapped || usable_type(r->line, &record))
		take_record(r, r->line);
	json_object_put(r->line);
	r->line = NULL;
	r->wrapped = false;
	r->place = AFTER_LINE;
}

/* A value is whole: a record, a key or a member, as the place says. */
static void
take_value(struct event_reader *r, struct json_object *value)
{
	if (r->place == AT_MEMBER) {
		json_object_object_add(r->line, r->key, value);
		r->place = AFTER_MEMBER;
		return;
	}
	if (r->place == AT_KEY || r->place == AT_FIRST_KEY) {
		free(r->key);
		r->key = mem_dup(json_object_get_string(value));
		r->place = AFTER_KEY;
	} else {
		take_record(r, value);
		r->place = AFTER_ITEM;
	}
	json_object_put(value);
}

/*
 * Gives the tokener what there is. It goes on where it stopped when the
 * next bytes come.
 */
static bool
read_value(struct event_reader *r, struct span *s, struct buf *why)
{
	struct json_object *value;
	enum json_tokener_error error;

	r->in_value = true;
	value = json_tokener_parse_ex(r->tokener, s->at,
	    (int)(s->end - s->at));
	error = json_tokener_get_error(r->tokener);
	if (error == json_tokener_continue) {
		s->at = s->end;
		return true;
	}
	s->at += json_tokener_get_parse_end(r->tokener);
	if (error == json_tokener_success) {
		r->in_value = false;
		json_tokener_reset(r->tokener);
		take_value(r, value);
		return true;
	}
	return fail(r, s, json_tokener_error_desc(error), why);
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
		    (rows[i].byte == ANY && !is_space(byte))))
			return &rows[i];
	return NULL;
}

/* "logs": [ is not a member like others: its items are the records. */
static bool
begins_logs(const struct event_reader *r, char byte)
{
	return r->place == AT_MEMBER && byte == '[' &&
	    strcmp(r->key, "logs") == 0;
}

static bool
take_byte(struct event_reader *r, struct span *s, struct buf *why)
{
	const struct row *row = find_row(r->place, *s->at);

	if (!row && is_space(*s->at)) {
		s->at++;
		return true;
	}
	if (!row)
		return fail(r, s, "an unexpected character", why);
	switch (row->step) {
	case STEP_VALUE:
		return read_value(r, s, why);
	case STEP_MOVE:
		r->place = row->next;
		break;
	case STEP_LINE:
		r->line = json_object_new_object();
		r->place = row->next;
		break;
	case STEP_END_ARRAY:
		r->place = r->line ? AFTER_MEMBER : AFTER_ARRAY;
		break;
	case STEP_END_LINE:
		end_of_line_object(r);
		break;
	}
	s->at++;
	return true;
}

static bool
take_next(struct event_reader *r, struct span *s, struct buf *why)
{
	if (r->in_value)
		return read_value(r, s, why);
	if (begins_logs(r, *s->at)) {
		r->wrapped = true;
		r->place = AT_FIRST_ITEM;
		s->at++;
		return true;
	}
	return take_byte(r, s, why);
}

/* -------------------------------------------------------- the reader */

struct event_reader *
event_reader_new(event_keep *keep, void *context, struct event_list *list)
{
	struct event_reader *r = mem_alloc(sizeof(*r));

	memset(r, 0, sizeof(*r));
	r->keep = keep;
	r->context = context;
	r->list = list;
	r->tokener = json_tokener_new_ex(SCAN_DEPTH_MAX + 1);
	if (!r->tokener)
		mem_exhausted();
	return r;
}

bool
event_reader_feed(struct event_reader *r, const char *bytes, size_t len,
    struct buf *why)
{
	const char *reason = NULL;
	size_t good = scan_bytes(&r->scan, bytes, len, &reason);
	struct span s = { bytes, bytes, bytes + good };

	/* What comes before the fault may have an earlier one for us. */
	while (s.at < s.end)
		if (!take_next(r, &s, why))
			return false;
	if (good < len)
		return fail(r, &s, reason, why);
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
		    "%lu)", r->counts.records);
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
	json_tokener_free(r->tokener);
	json_object_put(r->line);
	free(r->key);
	free(r);
}
