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

	/* The value that is half-way read. */
	bool in_value;
	unsigned value_depth;
	size_t value_bytes;

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
	const char *type = usable_type(json, &record), *log_id;
	unsigned destinations;
	struct event *e;

	r->counts.records++;
	if (!type) {
		r->counts.unusable++;
		return;
	}
	log_id = member_text(json, "log_id");
	if (!log_id)
		log_id = record_field(&record, "log_id");
	destinations = r->keep(r->context, type, log_id, &record);
	if (destinations == 0)
		return;
	r->counts.kept++;
	e = event_read(record_field, &record, log_id);
	e->destinations = destinations;
	event_list_add(r->list, e);
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

/*
 * A member of the line: of those that are no record's, two are kept, or a
 * line of many would fill the memory.
 */
static void
take_member(struct event_reader *r, struct json_object *value)
{
	if (strcmp(r->key, "data") == 0 || strcmp(r->key, "log_id") == 0)
		json_object_object_add(r->line, r->key, value);
	else
		json_object_put(value);
	r->place = AFTER_MEMBER;
}

static void
take_key(struct event_reader *r, struct json_object *value)
{
	const char *key = json_object_get_string(value);

	free(r->key);
	r->key = mem_dup(key ? key : "");
	json_object_put(value);
	r->place = AFTER_KEY;
}

/*
 * A value is whole: a record, a key or a member, as the place says. It is
 * NULL when it was null, or too long to be kept.
 */
static void
take_value(struct event_reader *r, struct json_object *value)
{
	if (r->place == AT_MEMBER) {
		take_member(r, value);
	} else if (r->place == AT_KEY || r->place == AT_FIRST_KEY) {
		take_key(r, value);
	} else {
		take_record(r, value);
		json_object_put(value);
		r->place = AFTER_ITEM;
	}
}

/* Gives good bytes of a value to the tokener, which goes on where it was. */
static bool
parse(struct event_reader *r, const char *bytes, size_t len,
    struct json_object **value)
{
	enum json_tokener_error error;

	*value = json_tokener_parse_ex(r->tokener, bytes, (int)len);
	error = json_tokener_get_error(r->tokener);
	return error == json_tokener_success ||
	    error == json_tokener_continue;
}

static void
begin_value(struct event_reader *r)
{
	r->in_value = true;
	r->value_bytes = 0;
	r->value_depth = r->scan.depth;
	json_tokener_reset(r->tokener);
}

/*
 * Reads on in a value. From EVENT_RECORD_MAX on its bytes are checked but
 * no longer kept: a megabyte of [{},{},{}] makes json-c take 280.
 */
static bool
read_value(struct event_reader *r, struct span *s, struct buf *why)
{
	struct json_object *value = NULL;
	const char *reason, *at = s->at;
	bool whole, good = true;
	size_t len;

	if (!r->in_value)
		begin_value(r);
	len = scan_value(&r->scan, r->value_depth, at,
	    (size_t)(s->end - at), &whole, &reason);
	s->at += len;
	if (reason)
		return fail(r, s, reason, why);
	r->value_bytes += len;
	if (r->value_bytes <= EVENT_RECORD_MAX)
		good = parse(r, at, len, &value);
	else
		json_tokener_reset(r->tokener);
	if (good && whole && !value && r->value_bytes <= EVENT_RECORD_MAX)
		good = parse(r, " ", 1, &value); /* which ends a number */
	if (!good)
		return fail(r, s, "what json-c does not take", why);
	if (whole) {
		r->in_value = false;
		r->counts.too_long += r->value_bytes > EVENT_RECORD_MAX;
		take_value(r, value);
	}
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
}

/* "logs": [ is not a member like others: its items are the records. */
static bool
begins_logs(const struct event_reader *r, char byte)
{
	return r->place == AT_MEMBER && byte == '[' &&
	    strcmp(r->key, "logs") == 0;
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

struct event_reader *
event_reader_new(event_keep *keep, void *context, struct event_list *list)
{
	struct event_reader *r = mem_alloc(sizeof(*r));

	memset(r, 0, sizeof(*r));
	r->keep = keep;
	r->context = context;
	r->list = list;
	r->tokener = json_tokener_new_ex(SCAN_DEPTH_MAX);
	if (!r->tokener)
		mem_exhausted();
	return r;
}

bool
event_reader_feed(struct event_reader *r, const char *bytes, size_t len,
    struct buf *why)
{
	struct span s = { bytes, bytes, bytes + len };

	while (s.at < s.end)
		if (!(r->in_value ? read_value : take_byte)(r, &s, why))
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
	json_tokener_free(r->tokener);
	json_object_put(r->line);
	free(r->key);
	free(r);
}
