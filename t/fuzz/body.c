/* SPDX-License-Identifier: ISC */
/*
 * What the readers of this program make of a body, held against what
 * json-c makes of it: whether it is JSON, which records it has, and every
 * string of them that is told. And no way to cut the bytes up may change
 * it. For that there is a second reader, as simple as can be: json-c makes
 * a tree of each value, the records are looked up in it.
 */
#include "target.h"

#include "base/log.h"
#include "event/pick.h"
#include "event/reader.h"
#include "json/scan.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* Fields that a filter might name, beside those that an event has. */
static const char *const wanted[] = { "x", "\xC3\xBC", "date" };

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

/* Paths that one might name. */
static const char *const paths[] = { "x", "x.x", "a.b", "details.a.x", "z" };

#define PATHS (sizeof(paths) / sizeof(paths[0]))

/* Newer ones, when strict, refuse long integers and what is not ASCII. */
#if JSON_C_VERSION_NUM < (17 << 8)
#define STRICT_TAKES_ALL JSON_TOKENER_STRICT
#else
#define STRICT_TAKES_ALL 0
#endif

/* ------------------------------------------------- what both write down */

static void
add_text(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, " %s=", name);
	if (text)
		log_escape(out, text, strlen(text));
	else
		buf_addc(out, '-');
}

static void
add_event_text(void *out, const char *name, const char *text)
{
	add_text(out, name, text);
}

static void
add_event(struct buf *out, const struct event *e)
{
	add_text(out, "event", e->log_id);
	event_each_text(e, add_event_text, out);
	buf_addf(out, " time=%lld\n", (long long)e->time_ms);
}

static void
add_counts(struct buf *out, unsigned long records, unsigned long unusable)
{
	buf_addf(out, "%lu records, %lu unusable\n", records, unusable);
}

/* ---------------------------------------------------------- our reader */

static void
add_value(struct buf *out, enum pick_kind kind, const char *text)
{
	buf_addf(out, " %d:", (int)kind);
	log_escape(out, text, strlen(text));
}

static bool
note_value(void *out, enum pick_kind kind, const char *text)
{
	add_value(out, kind, text);
	return false;
}

static unsigned
note_record(void *out, const char *type, struct pick *record)
{
	size_t i;

	add_text(out, "record", type);
	add_text(out, "log_id", pick_log_id(record));
	for (i = 0; i < WANTED; i++)
		add_text(out, wanted[i], pick_text(record, wanted[i]));
	for (i = 0; i < PATHS; i++)
		pick_visit(record, paths[i], note_value, out);
	buf_addc(out, '\n');
	return 1;
}

/* A piece in memory of its own: a read beyond it is found. */
static bool
feed(struct event_reader *r, const char *bytes, size_t len, struct buf *why)
{
	char *piece = mem_alloc(len);
	bool good;

	if (len > 0)
		memcpy(piece, bytes, len);
	good = event_reader_feed(r, piece, len, why);
	free(piece);
	return good;
}

/*
 * Sets *out to all that comes of a body that is fed as first bytes, then
 * pieces of rest, of which a record may hold so many bytes. For one that is
 * refused that is the reason alone.
 */
static bool
read_ours(struct buf *out, const char *bytes, size_t len, size_t first,
    size_t rest, size_t hold)
{
	struct event_list list = { NULL, 0, 0 };
	struct event_reader *r = event_reader_new(note_record, out, &list);
	struct buf why = BUF_INIT;
	size_t i, done, piece = first;
	bool good = true;

	buf_clear(out);
	event_reader_hold(r, hold);
	for (i = 0; i < WANTED; i++)
		event_reader_want(r, wanted[i]);
	for (i = 0; i < PATHS; i++)
		event_reader_want(r, paths[i]);
	for (done = 0; good && done < len; done += piece, piece = rest) {
		if (piece > len - done)
			piece = len - done;
		good = feed(r, bytes + done, piece, &why);
	}
	good = good && event_reader_end(r, &why);
	for (i = 0; i < list.count; i++)
		add_event(out, list.events[i]);
	add_counts(out, event_reader_counts(r)->records,
	    event_reader_counts(r)->unusable);
	if (!good) {
		buf_clear(out);
		buf_add(out, why.data, why.len);
	}
	event_reader_free(r);
	event_list_release(&list);
	buf_release(&why);
	return good;
}

/* ------------------------------------------------------- json-c's words */

/*
 * json-c has no room for every digit. So it gets numbers as strings; and
 * each string, names too, with a letter before it that tells which it was.
 */
#define WAS_STRING 's'
#define WAS_NUMBER 'n'

static const char *
end_of_string(const char *quoted)
{
	const char *at = quoted + 1;

	while (*at != '"')
		at += *at == '\\' ? 2 : 1;
	return at + 1;
}

/* Adds what is behind a quote, with U+FFFD for each NUL, which ends a name. */
static void
add_without_nul(struct buf *out, const char *at, const char *end)
{
	static const char nul[] = "\\u0000";
	size_t len;

	for (; at < end; at += len) {
		len = *at == '\\' ? 2 : 1;
		if (strncmp(at, nul, strlen(nul)) == 0) {
			len = strlen(nul);
			buf_adds(out, UTF8_REPLACEMENT);
		} else {
			buf_add(out, at, len);
		}
	}
}

/* Adds a text that is good JSON. */
static void
add_marked(struct buf *out, const char *text)
{
	const char *end;

	for (; *text; text = end) {
		if (*text == '"') {
			end = end_of_string(text);
			buf_addf(out, "\"%c", WAS_STRING);
			add_without_nul(out, text + 1, end);
		} else if (strchr("-0123456789", *text)) {
			end = text + strspn(text, "+-.0123456789eE");
			buf_addf(out, "\"%c%.*s\"", WAS_NUMBER,
			    (int)(end - text), text);
		} else {
			end = text + 1;
			buf_addc(out, *text);
		}
	}
}

static struct json_object *
member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;
	struct buf marked = BUF_INIT;

	buf_addf(&marked, "%c%s", WAS_STRING, name);
	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, marked.data, &value);
	buf_release(&marked);
	return value;
}

static bool
was_string(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	    json_object_get_string(value)[0] == WAS_STRING;
}

static void
add_string(struct buf *text, struct json_object *value)
{
	buf_adds(text, json_object_get_string(value) + 1);
}

static void
cut(struct buf *text)
{
	static const char mark[] = "\xE2\x80\xA6";
	size_t len = PICK_TEXT_MAX - strlen(mark);

	if (text->len <= PICK_TEXT_MAX)
		return;
	while ((text->data[len] & 0xC0) == 0x80)
		len--;
	text->len = len;
	buf_adds(text, mark);
}

/* Valid until the next call for this place. */
static const char *
text_of(struct json_object *value, struct buf *text)
{
	buf_clear(text);
	if (json_object_is_type(value, json_type_string))
		add_string(text, value);
	else if (json_object_is_type(value, json_type_boolean))
		buf_adds(text, json_object_get_boolean(value) ? "true" :
		    "false");
	cut(text);
	return text->len > 0 ? buf_text(text) : NULL;
}

struct second {
	struct buf records;	/* lines for each record, and each event */
	struct buf events;
	unsigned long count, unusable;
};

static bool
has_type(struct json_object *data)
{
	struct json_object *type = member(data, "type");

	return was_string(type) && json_object_get_string_len(type) > 1;
}

static bool
is_usable(struct json_object *record)
{
	return has_type(member(record, "data")) || has_type(record);
}

/*
 * What is at a path, or at its end where path is NULL, of a value in so many
 * arrays and objects.
 */
static void
visit_value(struct buf *out, struct json_object *value, const char *path,
    size_t levels)
{
	struct buf text = BUF_INIT, name = BUF_INIT;
	size_t i, len;

	if (levels > PRUNE_LEVELS_MAX)
		return;
	if (json_object_is_type(value, json_type_array) &&
	    levels < PRUNE_LEVELS_MAX) {
		for (i = 0; i < json_object_array_length(value); i++)
			visit_value(out, json_object_array_get_idx(value, i),
			    path, levels + 1);
	} else if (json_object_is_type(value, json_type_array)) {
		return;
	} else if (path) {
		len = strcspn(path, ".");
		buf_add(&name, path, len);
		visit_value(out, member(value, buf_text(&name)),
		    path[len] ? path + len + 1 : NULL, levels + 1);
	} else if (json_object_is_type(value, json_type_object)) {
		add_value(out, PICK_OBJECT, "");
	} else if (value) {
		text_of(value, &text);
		add_value(out, was_string(value) ? PICK_STRING :
		    json_object_is_type(value, json_type_boolean) ?
		    PICK_BOOLEAN : PICK_NUMBER, buf_text(&text));
	}
	buf_release(&text);
	buf_release(&name);
}

/* The strings of an event, in the order in which they are told. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{ "type", offsetof(struct event, type) },
	{ "description", offsetof(struct event, description) },
	{ "client_id", offsetof(struct event, client_id) },
	{ "client_name", offsetof(struct event, client_name) },
	{ "connection", offsetof(struct event, connection) },
	{ "environment_name", offsetof(struct event, environment_name) },
	{ "hostname", offsetof(struct event, hostname) },
	{ "ip", offsetof(struct event, ip) },
	{ "organization_id", offsetof(struct event, organization_id) },
	{ "organization_name", offsetof(struct event, organization_name) },
	{ "tenant_name", offsetof(struct event, tenant_name) },
	{ "user_id", offsetof(struct event, user_id) },
	{ "user_name", offsetof(struct event, user_name) },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void
add_event_of(struct buf *out, struct json_object *data, const char *log_id)
{
	struct buf texts[FIELDS] = { BUF_INIT }, date = BUF_INIT;
	struct event e = { 0 };
	const char *when = text_of(member(data, "date"), &date);
	size_t i;

	for (i = 0; i < FIELDS; i++)
		*(const char **)(void *)((char *)&e + fields[i].offset) =
		    text_of(member(data, fields[i].name), &texts[i]);
	e.log_id = log_id && strlen(log_id) <= EVENT_LOG_ID_MAX ? log_id :
	    NULL;
	e.time_ms = when ? event_time_ms(when) : EVENT_NO_TIME;
	add_event(out, &e);
	for (i = 0; i < FIELDS; i++)
		buf_release(&texts[i]);
	buf_release(&date);
}

static void
read_record(struct second *s, struct json_object *json)
{
	struct json_object *inner = member(json, "data");
	struct json_object *data = has_type(inner) ? inner : json;
	struct buf text = BUF_INIT, id = BUF_INIT;
	const char *log_id;
	size_t i;

	s->count++;
	s->unusable += !is_usable(json);
	if (is_usable(json)) {
		log_id = text_of(member(json, "log_id"), &id);
		if (!log_id)
			log_id = text_of(member(inner, "log_id"), &id);
		add_text(&s->records, "record", text_of(member(data, "type"),
		    &text));
		add_text(&s->records, "log_id", log_id);
		for (i = 0; i < WANTED; i++)
			add_text(&s->records, wanted[i],
			    text_of(member(data, wanted[i]), &text));
		for (i = 0; i < PATHS; i++)
			visit_value(&s->records, data, paths[i],
			    data == json ? 0 : 1);
		buf_addc(&s->records, '\n');
		add_event_of(&s->events, data, log_id);
	}
	buf_release(&text);
	buf_release(&id);
}

static void
read_items(struct second *s, struct json_object *array)
{
	size_t i;

	for (i = 0; i < json_object_array_length(array); i++)
		read_record(s, json_object_array_get_idx(array, i));
}

static void
read_line(struct second *s, struct json_object *line)
{
	struct json_object *logs = member(line, "logs");
	bool wrapped = json_object_is_type(logs, json_type_array);

	if (wrapped)
		read_items(s, logs);
	if (!wrapped || is_usable(line))
		read_record(s, line);
}

/* Levels that a text may have, and one that json-c wants for what is in. */
static int
levels_of(const char *text, size_t len)
{
	int levels = 2;
	size_t i;

	for (i = 0; i < len; i++)
		levels += text[i] == '[' || text[i] == '{';
	return levels;
}

/* The length of the value that text begins with. */
static size_t
parse_one(const char *text, size_t len, int flags, struct json_object **value)
{
	struct json_tokener *tokener = json_tokener_new_ex(levels_of(text,
	    len));
	size_t end = 0;

	json_tokener_set_flags(tokener, flags);
	*value = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) == json_tokener_success)
		end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	return end;
}

static size_t
space(const char *text)
{
	return strspn(text, " \t\r\n");
}

/*
 * Whether the second reader takes a text that is a stream of values: an
 * array, or objects with a line feed between them.
 */
static bool
read_values(struct second *s, const char *text)
{
	struct json_object *value;
	const char *at = text + space(text);
	bool line = *at == '{';
	size_t gap;

	if (*at != '[' && *at != '{')
		return false;
	do {
		at += parse_one(at, strlen(at) + 1, 0, &value);
		(line ? read_line : read_items)(s, value);
		json_object_put(value);
		while (scan_is_space(at[-1])) /* json-c went past it */
			at--;
		gap = space(at);
		if (at[gap] && (!line || at[gap] != '{' ||
		    !memchr(at, '\n', gap)))
			return false;
		at += gap;
	} while (*at);
	return s->count == 0 || s->unusable < s->count;
}

static bool
read_second(struct second *s, const char *text)
{
	struct buf marked = BUF_INIT;
	bool taken;

	add_marked(&marked, text);
	taken = read_values(s, buf_text(&marked));
	buf_release(&marked);
	return taken;
}

/* -------------------------------------------------------- comparisons */

/* Where the first text that is no JSON begins, or len. */
static size_t
scan_all(struct scan *s, const char *bytes, size_t len)
{
	const char *why;

	memset(s, 0, sizeof(*s));
	return scan_bytes(s, bytes, len, &why);
}

/*
 * Whether json-c takes by itself what scan.c refuses at this byte, so that
 * it is one of the differences that scan.h lists.
 */
static bool
is_listed(const struct scan *s, const char *text, size_t at)
{
	char c = text[at];

	switch (s->place) {
	case SCAN_VALUE:
	case SCAN_FIRST_ITEM:
		return c == 'N' || c == 'I';
	case SCAN_AFTER: /* or behind a number that has ended */
		return at > 0 && c != '\0' && strchr("0123456789", text[at - 1])
		    && strchr("0123456789+-.eE", c);
	case SCAN_MINUS:
	case SCAN_POINT:
	case SCAN_E:
	case SCAN_E_SIGN:
	case SCAN_STRING:
	case SCAN_CHARACTER:
		return true;
	case SCAN_FIRST_KEY:
	case SCAN_KEY:
		return c == '\'';
	case SCAN_COLON:
	case SCAN_ESCAPE:
	case SCAN_HEX:
	case SCAN_LITERAL:
	case SCAN_ZERO:
	case SCAN_INTEGER:
	case SCAN_FRACTION:
	case SCAN_EXPONENT:
	case SCAN_PLACES:
		break;
	}
	return false;
}

/* One value, from the first byte to the last. */
static bool
scans_as_one(struct scan *s, const struct buf *text, size_t *good)
{
	enum scan_stop stop;
	const char *why;

	memset(s, 0, sizeof(*s));
	scan_begin(s, 0, 0);
	*good = scan_value(s, text->data, text->len, &stop, &why);
	return stop == SCAN_WHOLE && *good == text->len;
}

static bool
json_c_takes(const struct buf *text, int flags)
{
	struct json_object *value;
	bool good = parse_one(text->data, text->len, flags, &value) > 0;

	json_object_put(value);
	return good;
}

/* In an array, so that all kinds of values end alike. */
static bool
verdicts_agree(const char *bytes, size_t len, struct buf *how)
{
	struct buf text = BUF_INIT;
	struct scan s;
	size_t good;
	bool ours;

	buf_addc(&text, '[');
	buf_add(&text, bytes, len);
	buf_addc(&text, ']');
	ours = scans_as_one(&s, &text, &good);
	if (ours && !json_c_takes(&text, STRICT_TAKES_ALL))
		buf_adds(how, "json-c refuses what scan.c takes");
	if (!ours && json_c_takes(&text, JSON_TOKENER_STRICT) &&
	    (s.stop != SCAN_BAD || !is_listed(&s, text.data, good)))
		buf_addf(how, "json-c takes what scan.c refuses at %zu",
		    good - 1);
	scan_release(&s);
	buf_release(&text);
	return how->len == 0;
}

/* Whether json-c reads a name as this one. */
static bool
is_name(const char *quoted, size_t len, const char *name)
{
	struct json_object *value;
	bool same;

	parse_one(quoted, len, 0, &value);
	same = json_object_is_type(value, json_type_string) &&
	    (size_t)json_object_get_string_len(value) == strlen(name) &&
	    strcmp(json_object_get_string(value), name) == 0;
	json_object_put(value);
	return same;
}

/* A second "logs" of one object is for ours alone: json-c has the last. */
static bool
has_one_logs(const char *text, size_t len)
{
	enum scan_stop stop;
	unsigned count = 0;
	const char *why;
	size_t at = 0;
	struct scan s;

	memset(&s, 0, sizeof(s));
	while (at < len && count < 2) {
		if (s.depth == 0) {
			count = 0;
			scan_begin(&s, 1, SCAN_ALL_LENS);
		}
		at += scan_value(&s, text + at, len - at, &stop, &why);
		if (stop == SCAN_NAME)
			count += is_name(text + s.name, at - s.name, "logs");
	}
	scan_release(&s);
	return count < 2;
}

static bool
readers_agree(const char *text, size_t len, const struct buf *ours,
    bool good, struct buf *how)
{
	struct second second = { BUF_INIT, BUF_INIT, 0, 0 };
	bool stream, taken;
	struct scan s;

	stream = scan_all(&s, text, len) == len && s.depth == 0 &&
	    s.place == SCAN_VALUE;
	scan_release(&s);
	if (stream && !has_one_logs(text, len))
		return true;
	taken = stream && read_second(&second, text);
	if (second.events.len > 0)
		buf_add(&second.records, second.events.data,
		    second.events.len);
	add_counts(&second.records, second.count, second.unusable);
	if (taken != good)
		buf_addf(how, "the second reader %s it; ours: %s",
		    taken ? "takes" : "refuses", buf_text(ours));
	else if (taken && strcmp(buf_text(&second.records),
	    buf_text(ours)) != 0)
		buf_addf(how, "the second reader: %sours: %s",
		    buf_text(&second.records), buf_text(ours));
	buf_release(&second.records);
	buf_release(&second.events);
	return how->len == 0;
}

static bool
cuts_agree(const char *text, size_t len, bool every_cut,
    const struct buf *whole, struct buf *how)
{
	size_t i, step = every_cut ? 1 : 1 + len / 4;
	struct buf got = BUF_INIT;

	read_ours(&got, text, len, 1, 1, len);
	if (strcmp(buf_text(&got), buf_text(whole)) != 0)
		buf_addf(how, "byte by byte: %s", buf_text(&got));
	for (i = 1; i < len && how->len == 0; i += step) {
		read_ours(&got, text, len, i, i % 3 ? len : 7, i % 2 ? 0 : i);
		if (strcmp(buf_text(&got), buf_text(whole)) != 0)
			buf_addf(how, "split at %zu: %s", i, buf_text(&got));
	}
	read_ours(&got, text, len, 1, 1, 0);
	if (how->len == 0 && strcmp(buf_text(&got), buf_text(whole)) != 0)
		buf_addf(how, "byte by byte, unheld: %s", buf_text(&got));
	if (how->len > 0)
		buf_addf(how, " (whole: %s)", buf_text(whole));
	buf_release(&got);
	return how->len == 0;
}

static bool
agree(const char *bytes, size_t len, bool every_cut, struct buf *how)
{
	struct buf text = BUF_INIT, ours = BUF_INIT;
	bool good, all;

	buf_add(&text, bytes, len);
	good = read_ours(&ours, text.data, len, len, len, 0);
	if (memchr(text.data, '\0', len)) {
		all = !good;
		if (good)
			buf_adds(how, "a NUL byte is taken");
	} else {
		all = verdicts_agree(text.data, len, how) &&
		    readers_agree(text.data, len, &ours, good, how);
	}
	all = all && cuts_agree(text.data, len, every_cut, &ours, how);
	buf_release(&text);
	buf_release(&ours);
	return all;
}

bool
body_holds(const char *bytes, size_t len, struct buf *how)
{
	return agree(bytes, len, false, how);
}

bool
body_holds_at_each_cut(const char *bytes, size_t len, struct buf *how)
{
	return agree(bytes, len, true, how);
}
