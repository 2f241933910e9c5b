/* SPDX-License-Identifier: ISC */
/*
 * While a record is in one piece all that is noted of it is where its type
 * stands; when somebody asks for more it is walked once more, for prune.c to
 * copy what is wanted. A short record of several pieces is made one. Once it
 * is long it is walked once more at once, and so are the pieces that follow.
 */
#include "event/pick.h"

#include "json/prune.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 2	/* of names: the record's own, and its data's */
#define ELLIPSIS "\xE2\x80\xA6"

/* Whose type it is. */
enum owner { DATA, OWN, OWNERS };

/* What is wanted, for when it is asked for. */
struct wanted {
	const char *path;
	enum prune_items items;
};

struct pick {
	struct wanted *wanted;
	size_t count, room;
	struct prune *prune;	/* NULL: not needed yet */
	size_t hold_bytes;

	/* The record in hand. */
	size_t depth;		/* the scan's, around it */
	bool stop_at_logs;

	/* In one piece, which begins at this count of the scan's. */
	unsigned long long begin;
	const char *piece;	/* NULL: not begun */
	size_t len;
	struct buf held;	/* made of several */
	size_t types[OWNERS];	/* behind the name, in the piece; 0: none */
	bool in_data;		/* its last own member was data */
	bool behind_logs;	/* where its value will show what it is */

	bool in_pieces;

	/* Once it has been asked about. */
	struct buf type;
	struct json *copy;	/* NULL: not made */
	struct json *data;	/* in it */
};

struct pick *
pick_new(size_t hold_bytes)
{
	struct pick *p = mem_alloc(sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->hold_bytes = hold_bytes;
	pick_want(p, "type", PRUNE_NO_ITEMS);
	pick_want(p, "log_id", PRUNE_NO_ITEMS);
	return p;
}

void
pick_free(struct pick *p)
{
	if (!p)
		return;
	free(p->wanted);
	prune_free(p->prune);
	json_free(p->copy);
	buf_release(&p->held);
	buf_release(&p->type);
	free(p);
}

void
pick_want(struct pick *p, const char *path, enum prune_items items)
{
	if (p->count == p->room) {
		p->room = p->room ? 2 * p->room : 32;
		p->wanted = mem_realloc(p->wanted, p->room *
		    sizeof(*p->wanted));
	}
	p->wanted[p->count].path = path;
	p->wanted[p->count++].items = items;
}

/* Most requests hold no record that anything is asked of. */
static struct prune *
prune_of(struct pick *p)
{
	struct buf within = BUF_INIT;
	size_t i;

	if (p->prune)
		return p->prune;
	p->prune = prune_new();
	for (i = 0; i < p->count; i++) {
		buf_clear(&within);
		buf_adds(&within, "data.");
		buf_adds(&within, p->wanted[i].path);
		prune_want(p->prune, within.data, p->wanted[i].items);
		prune_want(p->prune, p->wanted[i].path, p->wanted[i].items);
	}
	buf_release(&within);
	return p->prune;
}

/* The names that tell a type are all of one length. */
static uint64_t
type_lens(void)
{
	return scan_len_bit(strlen("type")) | scan_len_bit(strlen("data")) |
	    scan_len_bit(strlen("logs"));
}

void
pick_begin(struct pick *p, struct scan *s, bool stop_at_logs)
{
	p->depth = s->depth;
	p->in_pieces = false;
	p->stop_at_logs = stop_at_logs;
	p->begin = s->taken;
	p->piece = NULL;
	buf_clear(&p->held);
	p->types[DATA] = p->types[OWN] = 0;
	p->in_data = p->behind_logs = false;
	buf_clear(&p->type);
	json_free(p->copy);
	p->copy = p->data = NULL;
	scan_begin(s, LEVELS, type_lens());
}

/* ------------------------------------------------------------ one piece */

static bool
is(const char *text, const char *name, size_t len)
{
	return strlen(text) == len && memcmp(text, name, len) == 0;
}

/* A second "data" makes all go that the first one had. */
static void
note_name(struct pick *p, bool own, const char *name, size_t len, size_t end)
{
	if (own) {
		p->in_data = is("data", name, len);
		p->behind_logs = p->stop_at_logs && is("logs", name, len);
		if (p->in_data)
			p->types[DATA] = 0;
	}
	if (is("type", name, len) && (own || p->in_data))
		p->types[own ? OWN : DATA] = end;
}

static void
take_name(struct pick *p, const struct scan *s, size_t end)
{
	const char *quoted = p->piece + (s->name - p->begin);
	size_t len = (size_t)(p->piece + end - quoted);
	bool own = scan_level(s) == 1;
	struct buf plain = BUF_INIT;

	if (s->escaped) {
		prune_unquote(prune_of(p), &plain, quoted, len);
		note_name(p, own, buf_text(&plain), plain.len, end);
		buf_release(&plain);
	} else {
		note_name(p, own, quoted + 1, len - 2, end);
	}
}

/* From here on what is wanted of the record is copied as it comes. */
static void
leave_piece(struct pick *p, struct scan *s)
{
	struct scan again = { 0 };
	size_t done;
	const char *why;

	p->in_pieces = true;
	prune_begin(prune_of(p), p->stop_at_logs);
	prune_read(p->prune, &again, p->piece, p->len, &done, &why);
	prune_move(p->prune, s, p->depth);
	scan_release(&again);
}

/* To the end of the bytes or the record, or to what may be an array of logs. */
static enum scan_stop
walk_piece(struct pick *p, struct scan *s, size_t *done, const char **why)
{
	enum scan_stop stop;

	do {
		*done += scan_value(s, p->piece + *done, p->len - *done, &stop,
		    why);
		if (stop == SCAN_NAME)
			take_name(p, s, *done);
	} while (stop == SCAN_NAME && !p->behind_logs);
	return stop;
}

/*
 * Reads on in the one piece, as long as there can be one: a line that has
 * logs is left behind that name.
 */
static size_t
read_piece(struct pick *p, struct scan *s, const char *bytes, size_t len,
    enum prune_stop *stop, const char **why)
{
	size_t held = p->held.len, room = p->hold_bytes - held, done = held;
	bool begins = !p->piece;
	enum scan_stop reached;

	if (!begins)
		buf_add(&p->held, bytes, len < room ? len : room);
	p->piece = begins ? bytes : p->held.data;
	p->len = begins ? len : p->held.len;
	reached = walk_piece(p, s, &done, why);
	p->len = done;
	*stop = reached == SCAN_BAD ? PRUNE_BAD :
	    reached == SCAN_WHOLE ? PRUNE_WHOLE : PRUNE_MORE;
	if (*stop != PRUNE_MORE)
		return done - held;
	if (reached == SCAN_MORE && begins && len <= p->hold_bytes) {
		buf_add(&p->held, bytes, len);
		p->piece = p->held.data;
	} else if (reached == SCAN_NAME || begins || done - held < len) {
		leave_piece(p, s);
	}
	return done - held;
}

size_t
pick_read(struct pick *p, struct scan *s, const char *bytes, size_t len,
    enum prune_stop *stop, const char **why)
{
	size_t done = 0, more = 0;

	*stop = PRUNE_MORE;
	if (!p->in_pieces)
		done = read_piece(p, s, bytes, len, stop, why);
	if (p->in_pieces && *stop == PRUNE_MORE)
		*stop = prune_read(p->prune, s, bytes + done, len - done,
		    &more, why);
	return done + more;
}

void
pick_resume(struct pick *p, struct scan *s)
{
	prune_resume(p->prune, s);
}

/* -------------------------------------------------------------- asking */

/* U+FFFD for each NUL, and no longer than a text may be. */
static void
make_text(struct buf *text, const char *bytes, size_t len)
{
	size_t i, plain, end = PICK_TEXT_MAX - strlen(ELLIPSIS);

	for (i = 0; i < len && text->len <= PICK_TEXT_MAX; i += plain + 1) {
		plain = strnlen(bytes + i, len - i);
		buf_add(text, bytes + i, plain);
		if (i + plain < len)
			buf_adds(text, UTF8_REPLACEMENT);
	}
	if (text->len <= PICK_TEXT_MAX)
		return;
	while (((unsigned char)text->data[end] & 0xC0) == 0x80)
		end--;
	text->len = end;
	buf_adds(text, ELLIPSIS);
}

/* The text of a string of the copy, which is changed where it is none. */
static const char *
text_of(struct json *string)
{
	struct buf fit = BUF_INIT;
	size_t len;
	const char *text = json_string(string, &len);

	if (len <= PICK_TEXT_MAX && !memchr(text, '\0', len))
		return text;
	make_text(&fit, text, len);
	json_set_string(string, buf_text(&fit), fit.len);
	buf_release(&fit);
	return json_string(string, &len);
}

/* Which value it was, and its text; false for null, or none. */
static bool
value_of(struct json *value, enum pick_kind *kind, const char **text)
{
	struct json *digits;

	switch (json_kind_of(value)) {
	case JSON_STRING:
		*kind = PICK_STRING;
		*text = text_of(value);
		return true;
	case JSON_BOOLEAN:
		*kind = PICK_BOOLEAN;
		*text = json_boolean(value) ? "true" : "false";
		return true;
	case JSON_OBJECT:
		digits = json_member(value, PRUNE_NUMBER);
		*kind = digits ? PICK_NUMBER : PICK_OBJECT;
		*text = digits ? text_of(digits) : "";
		return true;
	case JSON_NULL:
	case JSON_NUMBER: /* the copy has none */
	case JSON_ARRAY:
		break;
	}
	return false;
}

static bool
has_type(const struct json *object)
{
	struct json *type = json_member(object, "type");
	size_t len = 0;

	if (json_kind_of(type) == JSON_STRING)
		json_string(type, &len);
	return len > 0;
}

static void
make_copy(struct pick *p)
{
	struct scan again = { 0 };
	size_t done;
	const char *why;

	if (p->copy)
		return;
	if (!p->in_pieces) {
		prune_begin(prune_of(p), false);
		prune_read(p->prune, &again, p->piece, p->len, &done, &why);
		scan_release(&again);
	}
	p->copy = prune_end(p->prune);
	p->data = json_member(p->copy, "data");
	if (!has_type(p->data))
		p->data = p->copy;
}

static const char *
member_text(const struct json *object, const char *name)
{
	enum pick_kind kind;
	const char *text = "";

	return value_of(json_member(object, name), &kind, &text) && *text ?
	    text : NULL;
}

/*
 * The type as it stands in the piece; false when it has an escape, or there
 * is none.
 */
static bool
find_type(struct pick *p)
{
	const char *at, *end, *limit = p->piece + p->len;
	int owner;

	for (owner = DATA; owner < OWNERS; owner++) {
		if (p->types[owner] == 0)
			continue;
		at = p->piece + p->types[owner];
		while (*at == ':' || scan_is_space(*at))
			at++;
		if (at[0] != '"' || at[1] == '"')
			continue;
		at++;
		end = memchr(at, '"', (size_t)(limit - at));
		if (memchr(at, '\\', (size_t)(end - at)))
			return false;
		make_text(&p->type, at, (size_t)(end - at));
		return true;
	}
	return false;
}

/* Whether a look at the piece can tell that there is no type. */
static bool
may_have_type(const struct pick *p)
{
	return p->in_pieces || p->types[DATA] || p->types[OWN];
}

const char *
pick_type(struct pick *p)
{
	if (p->type.len > 0)
		return p->type.data;
	if (!may_have_type(p))
		return NULL;
	if (!p->in_pieces && find_type(p))
		return p->type.data;
	make_copy(p);
	return has_type(p->data) ? member_text(p->data, "type") : NULL;
}

const char *
pick_log_id(struct pick *p)
{
	const char *own;

	make_copy(p);
	own = member_text(p->copy, "log_id");
	return own ? own : member_text(json_member(p->copy, "data"),
	    "log_id");
}

const char *
pick_text(struct pick *p, const char *name)
{
	make_copy(p);
	return member_text(p->data, name);
}

struct visit {
	pick_visitor *visit;
	void *context;
};

static bool
visit_value(const struct visit *v, struct json *value, const char *path)
{
	char name[256];
	enum pick_kind kind;
	const char *text;
	size_t i, len;

	if (json_kind_of(value) == JSON_ARRAY) {
		for (i = 0; i < json_item_count(value); i++)
			if (visit_value(v, json_item(value, i), path))
				return true;
		return false;
	}
	if (!path)
		return value_of(value, &kind, &text) &&
		    v->visit(v->context, kind, text);
	len = strcspn(path, ".");
	if (len >= sizeof(name))
		return false;
	memcpy(name, path, len);
	name[len] = '\0';
	return visit_value(v, json_member(value, name),
	    path[len] ? path + len + 1 : NULL);
}

bool
pick_visit(struct pick *p, const char *path, pick_visitor *visit,
    void *context)
{
	const struct visit v = { visit, context };

	make_copy(p);
	return visit_value(&v, p->data, path);
}
