/* SPDX-License-Identifier: ISC */
/*
 * Wanted names are a tree, and the walk goes down in it: a frame for each
 * array and object that it is in. It stops at each name, and at the first
 * byte of each value that is wanted; values that are not wanted are passed
 * over by the scan alone.
 */
#include "json/prune.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH_BYTES 65536
#define ESCAPED 6	/* bytes that a byte of text takes up at most, \u0041 */
/* Bytes of a string as written that decide on the first len of its text. */
#define RAW_BYTES(len) (2 + ESCAPED * (len))
#define RAW_MAX RAW_BYTES(PRUNE_TEXT_MAX + 8)

/* A name that is wanted, and those within its value. */
struct want {
	char *name;
	size_t len;
	bool wanted;		/* itself, and not only what is in it */
	enum prune_items items;
	struct want *wants;
	size_t count;
	uint64_t lens;		/* of their names: see scan_begin() */
};

struct frame {
	const struct want *want;
	size_t depth;		/* the scan's, around it */
	bool array;
	bool any;		/* something of it is in the copy */
};

enum step {
	AT_VALUE,	/* before the first byte of one that is wanted */
	IN_OBJECT,	/* before a name */
	IN_ARRAY,	/* before an item */
	IN_STRING,
	IN_WORD,	/* a number, true, false or null */
	IN_OTHER	/* nothing of it goes to the copy */
};

struct prune {
	struct want root;
	size_t name_max;

	/* The object in hand. */
	enum step step;
	const struct want *want; /* of the value in hand */
	struct frame frames[PRUNE_LEVELS_MAX];
	size_t depth;		/* of the frames in use */
	size_t items;
	bool stop_at_logs;
	bool at_logs;		/* the value in hand is of "logs" */
	bool number;		/* the word in hand is one */
	size_t copied;		/* bytes of the string or word in hand */
	bool cut;		/* it was, and is closed in the copy */
	struct buf name;	/* what came of it before these bytes */
	struct buf copy;	/* what is not with json-c yet */
	struct buf plain;	/* a name without its escapes */
	struct json_reader *reader;
	struct json_reader *unquoter;
};

/* -------------------------------------------------------------- wanting */

static struct want *
find_want(const struct want *in, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < in->count; i++)
		if (in->wants[i].len == len &&
		    memcmp(in->wants[i].name, name, len) == 0)
			return &in->wants[i];
	return NULL;
}

static struct want *
add_want(struct want *in, const char *name, size_t len)
{
	struct want *want;

	in->wants = mem_realloc(in->wants, (in->count + 1) * sizeof(*want));
	in->lens |= scan_len_bit(len);
	want = &in->wants[in->count++];
	memset(want, 0, sizeof(*want));
	want->name = mem_alloc(len + 1);
	memcpy(want->name, name, len);
	want->name[len] = '\0';
	want->len = len;
	return want;
}

void
prune_want(struct prune *p, const char *path, enum prune_items items)
{
	struct want *want = &p->root, *found;
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, ".");
		if (p->name_max < RAW_BYTES(len + 1))
			p->name_max = RAW_BYTES(len + 1);
		found = find_want(want, path, len);
		want = found ? found : add_want(want, path, len);
		if (path[len] == '\0')
			break;
	}
	want->wanted = true;
	if (items == PRUNE_ITEMS)
		want->items = items;
}

static void
free_wants(struct want *in)
{
	size_t i;

	for (i = 0; i < in->count; i++) {
		free(in->wants[i].name);
		free_wants(&in->wants[i]);
	}
	free(in->wants);
}

struct prune *
prune_new(void)
{
	struct prune *p = mem_alloc(sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->reader = json_reader_new();
	p->unquoter = json_reader_new();
	return p;
}

void
prune_free(struct prune *p)
{
	if (!p)
		return;
	free_wants(&p->root);
	buf_release(&p->name);
	buf_release(&p->copy);
	buf_release(&p->plain);
	json_reader_free(p->reader);
	json_reader_free(p->unquoter);
	free(p);
}

/* --------------------------------------------------------------- frames */

static void
resume(const struct prune *p, struct scan *s)
{
	const struct frame *frame = &p->frames[p->depth - 1];
	uint64_t lens = frame->want->lens;

	if (p->depth == 1 && p->stop_at_logs)
		lens |= scan_len_bit(strlen("logs"));
	scan_resume(s, frame->depth, !frame->array, lens);
}

void
prune_begin(struct prune *p, bool stop_at_logs)
{
	p->step = AT_VALUE;
	p->want = &p->root;
	p->depth = p->items = 0;
	p->stop_at_logs = stop_at_logs;
	p->at_logs = false;
	buf_clear(&p->copy);
	json_reader_reset(p->reader);
}

void
prune_resume(struct prune *p, struct scan *s)
{
	p->at_logs = false;
	p->step = IN_OBJECT;
	resume(p, s);
}

void
prune_move(struct prune *p, struct scan *s, size_t depth)
{
	size_t i;

	for (i = 0; i < p->depth; i++)
		p->frames[i].depth += depth;
	if (p->step == IN_OBJECT || p->step == IN_ARRAY ||
	    (p->step == AT_VALUE && p->depth > 0))
		resume(p, s);
	else if (p->depth == 0)
		scan_resume(s, depth, 0, 0);
	else
		scan_resume(s, p->frames[p->depth - 1].depth + 1, 0, 0);
}

/* A value has ended. */
static enum prune_stop
end_value(struct prune *p, struct scan *s)
{
	if (p->depth == 0)
		return PRUNE_WHOLE;
	p->step = p->frames[p->depth - 1].array ? IN_ARRAY : IN_OBJECT;
	resume(p, s);
	return PRUNE_MORE;
}

/* ------------------------------------------------------------ the copy */

static void
flush(struct prune *p)
{
	json_reader_feed(p->reader, p->copy.data, p->copy.len);
	buf_clear(&p->copy);
}

struct json *
prune_end(struct prune *p)
{
	flush(p);
	return json_reader_end(p->reader);
}

static void
add_comma(struct prune *p)
{
	struct frame *frame = &p->frames[p->depth - 1];

	if (frame->any)
		buf_addc(&p->copy, ',');
	frame->any = true;
}

void
prune_unquote(struct prune *p, struct buf *text, const char *quoted,
    size_t len)
{
	struct json *string;
	const char *bytes;
	size_t i, count;

	json_reader_feed(p->unquoter, quoted, len);
	string = json_reader_end(p->unquoter);
	bytes = json_string(string, &count);
	for (i = 0; i < count; i++)
		if (bytes[i])
			buf_addc(text, bytes[i]);
		else
			buf_adds(text, UTF8_REPLACEMENT);
	json_free(string);
}

/* --------------------------------------------------------------- names */

/* The bytes of one call. */
struct span {
	const char *bytes;
	size_t len;
	size_t done;
	unsigned long long before; /* the scan's count of bytes then */
};

/* Where the name that came last begins in these bytes, or went on. */
static size_t
name_at(const struct scan *s, const struct span *span)
{
	return s->name > span->before ? (size_t)(s->name - span->before) : 0;
}

/* What there is of a name that the next bytes go on with. */
static void
hold_name(struct prune *p, const struct scan *s, const struct span *span)
{
	size_t at = name_at(s, span), len = span->done - at;

	if (s->name >= span->before)
		buf_clear(&p->name);
	if (len > p->name_max - p->name.len)
		len = p->name_max - p->name.len;
	buf_add(&p->name, span->bytes + at, len);
}

static const struct want *
find_named(struct prune *p, const char *name, size_t len)
{
	p->at_logs = p->depth == 1 && p->stop_at_logs &&
	    len == strlen("logs") && memcmp(name, "logs", len) == 0;
	return find_want(p->frames[p->depth - 1].want, name, len);
}

/* The name that has just ended; NULL when it is not wanted. */
static const struct want *
read_name(struct prune *p, const struct scan *s, const struct span *span)
{
	const char *quoted = span->bytes + name_at(s, span);
	size_t len = (size_t)(span->bytes + span->done - quoted);

	p->at_logs = false;
	if (s->name < span->before) {
		hold_name(p, s, span);
		quoted = p->name.data;
		len = p->name.len;
	}
	if (len >= p->name_max)
		return NULL;
	if (!s->escaped)
		return find_named(p, quoted + 1, len - 2);
	buf_clear(&p->plain);
	prune_unquote(p, &p->plain, quoted, len);
	return find_named(p, buf_text(&p->plain), p->plain.len);
}

/* -------------------------------------------------------------- values */

/* Passes over what comes next, which has a place in the copy as it is. */
static void
pass_over(struct prune *p, struct scan *s, const char *instead)
{
	p->step = IN_OTHER;
	buf_adds(&p->copy, instead);
	scan_begin(s, 0, 0);
}

static void
enter(struct prune *p, struct scan *s, bool array)
{
	struct frame *frame;

	if (p->depth == PRUNE_LEVELS_MAX) {
		pass_over(p, s, "null");
		return;
	}
	frame = &p->frames[p->depth++];
	frame->want = p->want;
	frame->depth = s->depth;
	frame->array = array;
	frame->any = false;
	p->step = array ? IN_ARRAY : IN_OBJECT;
	buf_addc(&p->copy, array ? '[' : '{');
	resume(p, s);
}

static void
begin_scalar(struct prune *p, struct scan *s, char first)
{
	p->step = first == '"' ? IN_STRING : IN_WORD;
	p->number = first == '-' || (first >= '0' && first <= '9');
	p->copied = 0;
	p->cut = false;
	if (p->number)
		buf_adds(&p->copy, "{\"" PRUNE_NUMBER "\":\"");
	scan_begin(s, 0, 0);
}

/* A value that is wanted begins with this byte, which is not read yet. */
static void
begin_value(struct prune *p, struct scan *s, char first)
{
	const struct want *want = p->want;
	bool inside = want->count > 0;

	if (first == '{' && inside)
		enter(p, s, false);
	else if (first == '[' && p->depth > 0 && (inside ||
	    want->items == PRUNE_ITEMS))
		enter(p, s, true);
	else if (first == '{' || first == '[' || !want->wanted)
		pass_over(p, s, "{}");
	else
		begin_scalar(p, s, first);
}

/* ------------------------------------------------------------- the walk */

/* Reads so many bytes more at most. */
static enum scan_stop
walk(struct scan *s, struct span *span, size_t len, const char **why)
{
	enum scan_stop stop;

	if (len > span->len - span->done)
		len = span->len - span->done;
	span->done += scan_value(s, span->bytes + span->done, len, &stop, why);
	return stop;
}

static enum prune_stop
walk_object(struct prune *p, struct scan *s, struct span *span,
    const char **why)
{
	enum scan_stop stop = walk(s, span, span->len, why);

	switch (stop) {
	case SCAN_MORE:
		if (scan_in_name(s))
			hold_name(p, s, span);
		break;
	case SCAN_BAD:
		return PRUNE_BAD;
	case SCAN_NAME:
		p->want = read_name(p, s, span);
		if (p->want) {
			add_comma(p);
			buf_addf(&p->copy, "\"%s\":", p->want->name);
		}
		if (p->want || p->at_logs)
			p->step = AT_VALUE;
		break;
	case SCAN_WHOLE:
		p->depth--;
		buf_addc(&p->copy, '}');
		return end_value(p, s);
	}
	return PRUNE_MORE;
}

/* To the first byte of a value, which is left. */
static enum prune_stop
walk_to_value(struct prune *p, struct scan *s, struct span *span,
    const char **why)
{
	char byte = span->bytes[span->done];

	if ((s->place == SCAN_VALUE || s->place == SCAN_FIRST_ITEM) &&
	    !scan_is_space(byte)) {
		if (p->at_logs && byte == '[') {
			buf_adds(&p->copy, p->want ? "{}" : "");
			return PRUNE_LOGS;
		}
		if (p->want)
			begin_value(p, s, byte);
		else
			p->step = IN_OBJECT;
		return PRUNE_MORE;
	}
	return walk(s, span, 1, why) == SCAN_BAD ? PRUNE_BAD : PRUNE_MORE;
}

static enum prune_stop
walk_array(struct prune *p, struct scan *s, struct span *span,
    const char **why)
{
	char byte = span->bytes[span->done];
	bool item = (s->place == SCAN_VALUE ||
	    s->place == SCAN_FIRST_ITEM) && byte != ']' &&
	    s->depth > p->frames[p->depth - 1].depth && !scan_is_space(byte);

	if (item && p->items++ < PRUNE_ITEMS_MAX) {
		p->want = p->frames[p->depth - 1].want;
		add_comma(p);
		begin_value(p, s, byte);
		return PRUNE_MORE;
	}
	if (item) {
		pass_over(p, s, "");
		return PRUNE_MORE;
	}
	switch (walk(s, span, 1, why)) {
	case SCAN_BAD:
		return PRUNE_BAD;
	case SCAN_WHOLE:
		p->depth--;
		buf_addc(&p->copy, ']');
		return end_value(p, s);
	case SCAN_MORE:
	case SCAN_NAME:
		break;
	}
	return PRUNE_MORE;
}

/* How the copy ends where it is cut. */
static void
close_scalar(struct prune *p)
{
	if (!p->cut)
		buf_adds(&p->copy, p->step == IN_STRING ? "\"" :
		    p->number ? "\"}" : "");
	p->cut = true;
}

/*
 * A long string is copied to a place between two characters, byte by byte
 * at last.
 */
static enum prune_stop
walk_scalar(struct prune *p, struct scan *s, struct span *span,
    const char **why)
{
	size_t from = span->done, room = span->len;
	bool string = p->step == IN_STRING;
	enum scan_stop stop;

	if (p->copied < RAW_MAX)
		room = RAW_MAX - p->copied;
	else if (!p->cut && string && s->place != SCAN_STRING)
		room = 1;
	else
		close_scalar(p);
	stop = walk(s, span, room, why);
	if (!p->cut)
		buf_add(&p->copy, span->bytes + from, span->done - from);
	p->copied += span->done - from;
	if (stop == SCAN_BAD)
		return PRUNE_BAD;
	if (stop != SCAN_WHOLE)
		return PRUNE_MORE;
	if (!string)
		close_scalar(p);
	return end_value(p, s);
}

static enum prune_stop
walk_other(struct prune *p, struct scan *s, struct span *span,
    const char **why)
{
	switch (walk(s, span, span->len, why)) {
	case SCAN_BAD:
		return PRUNE_BAD;
	case SCAN_WHOLE:
		return end_value(p, s);
	case SCAN_MORE:
	case SCAN_NAME:
		break;
	}
	return PRUNE_MORE;
}

typedef enum prune_stop walker(struct prune *p, struct scan *s,
    struct span *span, const char **why);

static walker *const walkers[] = {
	[AT_VALUE] = walk_to_value,
	[IN_OBJECT] = walk_object,
	[IN_ARRAY] = walk_array,
	[IN_STRING] = walk_scalar,
	[IN_WORD] = walk_scalar,
	[IN_OTHER] = walk_other,
};

enum prune_stop
prune_read(struct prune *p, struct scan *s, const char *bytes, size_t len,
    size_t *done, const char **why)
{
	struct span span = { bytes, len, 0, s->taken };
	enum prune_stop stop = PRUNE_MORE;

	while (span.done < len && stop == PRUNE_MORE) {
		stop = walkers[p->step](p, s, &span, why);
		if (p->copy.len > FLUSH_BYTES)
			flush(p);
	}
	*done = span.done;
	return stop;
}
