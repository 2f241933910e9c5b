/* SPDX-License-Identifier: ISC */
/*
 * Names come by as scan.c reads them. While the record is in one piece all
 * that is noted of a name is where it ends: what stands behind it is looked
 * at when somebody asks. A short record of several pieces is made one. Once
 * it is long it is walked once more, now to copy, and so are the pieces that
 * follow. Values as well as names that go from one piece into the next are
 * copied no further than can matter.
 */
#include "pick.h"

#include "buf.h"
#include "unquote.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 2	/* of names: the record's own, and its data's */
#define ESCAPED 6	/* bytes that a byte of text takes up at most, \u0041 */
/* Bytes of a string as written that decide on the first len of its text. */
#define RAW_BYTES(len) (1 + ESCAPED * (len) + UNQUOTE_SLACK)
#define RAW_MAX RAW_BYTES(PICK_TEXT_MAX + 1)
#define ELLIPSIS "\xE2\x80\xA6"

/* Where a value begins: behind the name, with a colon and space first. */
struct value {
	size_t at;		/* in the one piece; 0: not there */
	struct buf raw;		/* of pieces: it, and what may follow it */
	struct buf text;
};

/* Whose member it is. */
enum owner { DATA, OWN, OWNERS };

/* Where in members pick_new() puts them. */
enum { TYPE, LOG_ID };

struct member {
	const char *name;
	size_t len;
	struct value values[OWNERS];
};

struct pick {
	struct member *members;	/* those that are wanted early come first */
	size_t count, early;
	size_t name_max;	/* bytes of a written name that can matter */
	uint64_t early_lens, lens; /* of their names: see scan_begin() */
	size_t hold_bytes;

	/* The record in hand. */
	size_t depth;		/* the scan's, around it */
	bool late;		/* all members are looked for */
	bool in_data;		/* its last own member was data */
	bool stop_at_logs;
	bool behind_logs;	/* where its value will show what it is */
	bool at_logs;
	enum owner owner;	/* of its fields, once it is whole */

	/* In one piece. */
	unsigned long long begin; /* the scan's count of bytes before it */
	const char *piece;	/* NULL: not begun */
	size_t len;
	struct buf held;	/* made of several */

	/* In several. */
	bool in_pieces;
	struct value *copying;	/* NULL: none */
	struct buf name;	/* what came of it before this piece */

	struct buf plain;	/* a name without its escapes */
};

struct pick *
pick_new(size_t hold_bytes)
{
	struct pick *p = mem_alloc(sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->hold_bytes = hold_bytes;
	pick_want(p, "type", PICK_EARLY);
	pick_want(p, "log_id", PICK_EARLY);
	return p;
}

void
pick_free(struct pick *p)
{
	size_t i, owner;

	if (!p)
		return;
	for (i = 0; i < p->count; i++)
		for (owner = 0; owner < OWNERS; owner++) {
			buf_release(&p->members[i].values[owner].raw);
			buf_release(&p->members[i].values[owner].text);
		}
	free(p->members);
	buf_release(&p->held);
	buf_release(&p->name);
	buf_release(&p->plain);
	free(p);
}

/* Among the first count members. */
static struct member *
find_member(const struct pick *p, size_t count, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (p->members[i].len == len &&
		    memcmp(p->members[i].name, name, len) == 0)
			return &p->members[i];
	return NULL;
}

static struct member *
add_member(struct pick *p, const char *name)
{
	struct member *member;
	size_t bytes;

	p->members = mem_realloc(p->members, (p->count + 1) *
	    sizeof(*p->members));
	member = &p->members[p->count++];
	memset(member, 0, sizeof(*member));
	member->name = name;
	member->len = strlen(name);
	bytes = RAW_BYTES(member->len + 1);
	if (p->name_max < bytes)
		p->name_max = bytes;
	return member;
}

void
pick_want(struct pick *p, const char *name, enum pick_when when)
{
	struct member *member = find_member(p, p->count, name, strlen(name));
	struct member other;

	if (!member)
		member = add_member(p, name);
	p->lens |= scan_len_bit(member->len);
	if (when == PICK_EARLY)
		p->early_lens |= scan_len_bit(member->len);
	if (when == PICK_LATE || member < p->members + p->early)
		return;
	other = p->members[p->early];
	p->members[p->early++] = *member;
	*member = other;
}

/* How many members are looked for. */
static size_t
sought(const struct pick *p)
{
	return p->late ? p->count : p->early;
}

static void
forget(struct pick *p, enum owner owner)
{
	struct value *value;
	size_t i;

	for (i = 0; i < sought(p); i++) {
		value = &p->members[i].values[owner];
		value->at = 0;
		buf_clear(&value->raw);
	}
}

static void
forget_all(struct pick *p)
{
	forget(p, DATA);
	forget(p, OWN);
	p->in_data = false;
}

void
pick_begin(struct pick *p, struct scan *s, bool stop_at_logs)
{
	forget_all(p);
	p->late = p->in_pieces = false;
	p->begin = s->taken;
	p->piece = NULL;
	buf_clear(&p->held);
	p->copying = NULL;
	p->stop_at_logs = stop_at_logs;
	p->behind_logs = p->at_logs = false;
	p->depth = s->depth;
	scan_begin(s, LEVELS, p->early_lens);
}

/* --------------------------------------------------------------- names */

static bool
is(const char *text, const char *name, size_t len)
{
	return strlen(text) == len && memcmp(text, name, len) == 0;
}

/* A second "data" makes all go that the first one had. */
static void
note_own_name(struct pick *p, const char *name, size_t len)
{
	p->in_data = is("data", name, len);
	if (p->in_data)
		forget(p, DATA);
	if (p->stop_at_logs)
		p->behind_logs = is("logs", name, len);
}

/* What a name that has ended is the name of; NULL: nothing to find. */
static struct value *
find_named(struct pick *p, bool own, const char *name, size_t len)
{
	struct member *member;

	if (own)
		note_own_name(p, name, len);
	else if (!p->in_data)
		return NULL;
	member = find_member(p, sought(p), name, len);
	return member ? &member->values[own ? OWN : DATA] : NULL;
}

/* The same of one with escapes in it. */
static struct value *
find_escaped(struct pick *p, bool own, const char *quoted, const char *end)
{
	buf_clear(&p->plain);
	unquote(&p->plain, quoted, end, "", 1);
	return find_named(p, own, buf_text(&p->plain),
	    strlen(buf_text(&p->plain)));
}

/* -------------------------------------------------------------- values */

/* Returns where the value stands, or NULL; *end is behind it somewhere. */
static const char *
find_value(const struct pick *p, const struct value *value, const char **end)
{
	const char *at;

	if (p->in_pieces ? value->raw.len == 0 : value->at == 0)
		return NULL;
	if (p->in_pieces) {
		*end = value->raw.data + value->raw.len;
		return value->raw.data;
	}
	*end = p->piece + p->len;
	at = p->piece + value->at;
	while (*at == ':' || scan_is_space(*at))
		at++;
	return at;
}

/* Numbers and booleans, of which the rest has been read as good. */
static void
add_word(struct buf *out, const char *at, const char *end)
{
	const char *stop = at;

	while (stop < end && *stop != '\0' &&
	    strchr("+-.0123456789eEtrufals", *stop))
		stop++;
	buf_add(out, at, (size_t)(stop - at));
}

static void
cut(struct buf *text)
{
	size_t len = PICK_TEXT_MAX - strlen(ELLIPSIS);

	if (text->len <= PICK_TEXT_MAX)
		return;
	while (((unsigned char)text->data[len] & 0xC0) == 0x80)
		len--;
	text->len = len;
	buf_adds(text, ELLIPSIS);
}

static const char *
text_of(const struct pick *p, struct value *value)
{
	const char *end, *at = find_value(p, value, &end);
	struct buf *text = &value->text;

	buf_clear(text);
	if (at && *at == '"')
		unquote(text, at, end, UTF8_REPLACEMENT,
		    strlen(UTF8_REPLACEMENT));
	else if (at && *at != 'n')
		add_word(text, at, end);
	cut(text);
	return text->len > 0 ? text->data : NULL;
}

static bool
has_type(const struct pick *p, enum owner owner)
{
	const char *end, *at;

	at = find_value(p, &p->members[TYPE].values[owner], &end);
	return at && at[0] == '"' && at[1] != '"';
}

/* ------------------------------------------------------------- reading */

/* The bytes of one call. */
struct span {
	const char *bytes;
	size_t len;
	size_t done;
	unsigned long long before; /* the scan's count of bytes then */
};

static void
add_within(struct buf *to, const char *bytes, size_t len, size_t max)
{
	if (len > max - to->len)
		len = max - to->len;
	buf_add(to, bytes, len);
}

/* Where the name that came last begins in this piece, or went on in it. */
static size_t
name_at(const struct scan *s, const struct span *span)
{
	return s->name > span->before ? (size_t)(s->name - span->before) : 0;
}

static void
hold_name(struct pick *p, const struct scan *s, const struct span *span)
{
	size_t at = name_at(s, span);

	if (s->name >= span->before)
		buf_clear(&p->name);
	add_within(&p->name, span->bytes + at, span->done - at, p->name_max);
}

/* So much of the record was passed. */
static void
copy_value(struct pick *p, const char *bytes, size_t len)
{
	struct buf *raw = &p->copying->raw;

	for (; raw->len == 0 && len > 0; bytes++, len--)
		if (*bytes != ':' && !scan_is_space(*bytes))
			break;
	add_within(raw, bytes, len, RAW_MAX);
}

static void
take_name(struct pick *p, const struct scan *s, const struct span *span)
{
	const char *quoted = span->bytes + name_at(s, span);
	const char *end = span->bytes + span->done;
	bool own = scan_level(s) == 1;
	struct value *value;

	if (s->name < span->before) {
		hold_name(p, s, span);
		quoted = p->name.data;
		end = quoted + p->name.len;
	}
	value = s->escaped ? find_escaped(p, own, quoted, end) :
	    find_named(p, own, quoted + 1, (size_t)(end - quoted) - 2);
	if (p->in_pieces)
		p->copying = value;
	if (!value)
		return;
	value->at = span->done;
	buf_clear(&value->raw);
}

/* To where a name has ended, or as far as it goes. */
static enum scan_stop
walk(struct pick *p, struct scan *s, struct span *span, const char **why)
{
	enum scan_stop stop;
	size_t more;

	more = scan_value(s, span->bytes + span->done, span->len - span->done,
	    &stop, why);
	if (p->copying)
		copy_value(p, span->bytes + span->done, more);
	span->done += more;
	if (stop == SCAN_NAME)
		take_name(p, s, span);
	else if (stop == SCAN_MORE && p->in_pieces && scan_in_name(s))
		hold_name(p, s, span);
	return stop;
}

/* Behind "logs": to the first byte of its value, which is left. */
static enum scan_stop
walk_to_logs(struct pick *p, struct scan *s, struct span *span,
    const char **why)
{
	enum scan_stop stop = SCAN_MORE;
	const char *at;

	for (; span->done < span->len && stop == SCAN_MORE; span->done++) {
		at = span->bytes + span->done;
		if (s->place == SCAN_VALUE && !scan_is_space(*at)) {
			p->behind_logs = false;
			p->at_logs = *at == '[';
			return SCAN_NAME;
		}
		if (scan_value(s, at, 1, &stop, why) == 0)
			break;
	}
	return stop;
}

/*
 * Walks the beginning of the record once more, with a scan of its own, for
 * what was not looked for the first time.
 */
static void
walk_again(struct pick *p, const char *bytes, size_t len)
{
	struct span span = { bytes, len, 0, 0 };
	bool stop_at_logs = p->stop_at_logs;
	struct scan again = { 0 };
	const char *why;

	p->stop_at_logs = false;
	p->late = true;
	forget_all(p);
	scan_begin(&again, LEVELS, p->lens);
	while (walk(p, &again, &span, &why) == SCAN_NAME)
		;
	scan_release(&again);
	p->stop_at_logs = stop_at_logs;
}

/* As far as it goes, but for the array of "logs". */
static enum scan_stop
walk_on(struct pick *p, struct scan *s, struct span *span, const char **why)
{
	enum scan_stop stop;

	do {
		stop = (p->behind_logs ? walk_to_logs : walk)(p, s, span, why);
	} while (stop == SCAN_NAME && !p->at_logs);
	return stop;
}

/* From here on it is in pieces, and what may be asked for is copied. */
static void
leave_piece(struct pick *p, struct scan *s)
{
	p->in_pieces = true;
	walk_again(p, p->piece, p->len);
	scan_resume(s, p->depth, LEVELS, p->lens);
}

/* Reads on in the one piece, as long as there can be one. */
static size_t
read_piece(struct pick *p, struct scan *s, const char *bytes, size_t len,
    enum scan_stop *stop, const char **why)
{
	size_t held = p->held.len;
	struct span span = { bytes, len, 0, p->begin };

	if (p->piece) {
		add_within(&p->held, bytes, len, p->hold_bytes);
		span.bytes = p->held.data;
		span.len = p->held.len;
		span.done = held;
	}
	*stop = walk_on(p, s, &span, why);
	p->piece = span.bytes;
	p->len = span.done;
	if (*stop == SCAN_MORE && held == 0 && len <= p->hold_bytes) {
		buf_add(&p->held, bytes, len);
		p->piece = p->held.data;
	} else if (*stop == SCAN_NAME || (*stop == SCAN_MORE &&
	    (held == 0 || span.done - held < len))) {
		leave_piece(p, s);
	}
	return span.done - held;
}

static size_t
copy_piece(struct pick *p, struct scan *s, const char *bytes, size_t len,
    enum scan_stop *stop, const char **why)
{
	struct span span = { bytes, len, 0, s->taken };

	*stop = walk_on(p, s, &span, why);
	return span.done;
}

static const enum pick_stop stops[] = {
	[SCAN_MORE] = PICK_MORE,
	[SCAN_BAD] = PICK_BAD,
	[SCAN_NAME] = PICK_LOGS,
	[SCAN_WHOLE] = PICK_WHOLE,
};

size_t
pick_read(struct pick *p, struct scan *s, const char *bytes, size_t len,
    enum pick_stop *stop, const char **why)
{
	enum scan_stop reached = SCAN_MORE;
	size_t done = 0;

	if (!p->in_pieces)
		done = read_piece(p, s, bytes, len, &reached, why);
	if (p->in_pieces && reached == SCAN_MORE)
		done += copy_piece(p, s, bytes + done, len - done, &reached,
		    why);
	if (reached == SCAN_WHOLE)
		p->owner = has_type(p, DATA) ? DATA : OWN;
	*stop = stops[reached];
	return done;
}

void
pick_resume(struct pick *p, struct scan *s)
{
	p->at_logs = false;
	p->copying = NULL;
	scan_resume(s, p->depth, LEVELS, p->lens);
}

void
pick_late(struct pick *p)
{
	if (!p->late)
		walk_again(p, p->piece, p->len);
}

/* -------------------------------------------------------------- asking */

const char *
pick_type(struct pick *p)
{
	return has_type(p, p->owner) ?
	    text_of(p, &p->members[TYPE].values[p->owner]) : NULL;
}

const char *
pick_log_id(struct pick *p)
{
	struct value *values = p->members[LOG_ID].values;
	const char *own = text_of(p, &values[OWN]);

	return own ? own : text_of(p, &values[DATA]);
}

const char *
pick_field(struct pick *p, const char *name)
{
	struct member *member = find_member(p, sought(p), name, strlen(name));

	return member ? text_of(p, &member->values[p->owner]) : NULL;
}
