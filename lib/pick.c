/* SPDX-License-Identifier: ISC */
/*
 * Names come by as scan.c reads them. All that is noted of one is where it
 * ends: what stands behind it is looked at when the value is whole, so that
 * a string that comes in pieces is no other case.
 */
#include "pick.h"

#include "buf.h"
#include "unquote.h"

#include <stdlib.h>
#include <string.h>

/* A member and where its name ends; 0 when it has not come by. */
struct member {
	const char *name;
	size_t len;
	size_t end;
	struct buf text;
};

struct pick {
	struct member data, log_id;
	struct member *wanted;	/* of data */
	size_t wanted_count;
	size_t max_bytes;
	enum pick_kind kind;
	bool in_data;		/* the last member of the record was data */
	unsigned long long begin; /* the scan's count of bytes then */
	size_t len;		/* of what was read, kept or not */
	const char *view;	/* the bytes; NULL: they are in held */
	struct buf held;
	struct buf name;	/* one that had to be unquoted */
	struct buf text;	/* of the value itself */
};

struct pick *
pick_new(size_t max_bytes)
{
	struct pick *p = mem_alloc(sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->max_bytes = max_bytes;
	p->data.name = "data";
	p->log_id.name = "log_id";
	p->data.len = strlen(p->data.name);
	p->log_id.len = strlen(p->log_id.name);
	return p;
}

void
pick_free(struct pick *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->wanted_count; i++)
		buf_release(&p->wanted[i].text);
	free(p->wanted);
	buf_release(&p->log_id.text);
	buf_release(&p->held);
	buf_release(&p->name);
	buf_release(&p->text);
	free(p);
}

static struct member *
find_wanted(const struct pick *p, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < p->wanted_count; i++)
		if (p->wanted[i].len == len &&
		    memcmp(p->wanted[i].name, name, len) == 0)
			return &p->wanted[i];
	return NULL;
}

void
pick_want(struct pick *p, const char *name)
{
	struct member *member;

	if (find_wanted(p, name, strlen(name)))
		return;
	p->wanted = mem_realloc(p->wanted, (p->wanted_count + 1) *
	    sizeof(*p->wanted));
	member = &p->wanted[p->wanted_count++];
	memset(member, 0, sizeof(*member));
	member->name = name;
	member->len = strlen(name);
}

static void
forget_data(struct pick *p)
{
	size_t i;

	for (i = 0; i < p->wanted_count; i++)
		p->wanted[i].end = 0;
}

void
pick_clear(struct pick *p)
{
	p->kind = PICK_NOTHING;
	p->in_data = false;
	p->data.end = p->log_id.end = 0;
	p->len = 0;
	p->view = NULL;
	buf_clear(&p->held);
	forget_data(p);
}

void
pick_begin(struct pick *p, enum pick_kind kind, struct scan *s)
{
	static const unsigned levels[] = {
		[PICK_DATA] = 1, [PICK_RECORD] = 2
	};

	pick_clear(p);
	p->kind = kind;
	p->begin = s->taken;
	scan_begin(s, levels[kind]);
}

/* ------------------------------------------------------------- reading */

static const char *
bytes_of(const struct pick *p)
{
	return p->view ? p->view : buf_text(&p->held);
}

bool
pick_is_too_long(const struct pick *p)
{
	return p->len > p->max_bytes;
}

/* The member of the record, or of data, that this name means. */
static struct member *
find_member(struct pick *p, bool of_data, const char *name, size_t len)
{
	if (of_data)
		return find_wanted(p, name, len);
	if (len == p->data.len && memcmp(name, p->data.name, len) == 0)
		return &p->data;
	if (len == p->log_id.len && memcmp(name, p->log_id.name, len) == 0)
		return &p->log_id;
	return NULL;
}

/*
 * A name ended with the last byte read. A second "data" makes all go that
 * the first one had; and so does a second of another name.
 */
static void
note_name(struct pick *p, const struct scan *s)
{
	const char *quoted = bytes_of(p) + (size_t)(s->name - p->begin);
	size_t len = (size_t)(bytes_of(p) + p->len - quoted) - 2;
	bool own = p->kind == PICK_RECORD && scan_level(s) == 1;
	const char *name = quoted + 1;
	struct member *member;

	if (!own && p->kind == PICK_RECORD && !p->in_data)
		return;
	if (memchr(name, '\\', len)) {
		buf_clear(&p->name);
		unquote(&p->name, quoted, name + len + 1, "", 1);
		name = buf_text(&p->name);
		len = strlen(name);
	}
	member = find_member(p, !own, name, len);
	if (own)
		p->in_data = member == &p->data;
	if (own && p->in_data)
		forget_data(p);
	if (member)
		member->end = p->len;
}

static bool
is_kept(const struct pick *p)
{
	return p->kind != PICK_NOTHING && !pick_is_too_long(p);
}

void
pick_hold(struct pick *p)
{
	if (p->view && is_kept(p))
		buf_add(&p->held, p->view, p->len);
	p->view = NULL;
}

size_t
pick_read(struct pick *p, struct scan *s, const char *bytes, size_t len,
    enum scan_stop *stop, const char **why)
{
	size_t done = 0, more;

	if (p->len == 0)
		p->view = bytes;
	do {
		more = scan_value(s, bytes + done, len - done, stop, why);
		p->len += more;
		if (!p->view && is_kept(p))
			buf_add(&p->held, bytes + done, more);
		done += more;
		if (*stop == SCAN_NAME && is_kept(p))
			note_name(p, s);
	} while (*stop == SCAN_NAME);
	if (*stop == SCAN_MORE)
		pick_hold(p);
	return done;
}

/* -------------------------------------------------------------- asking */

/* The value behind a name that came by; NULL where there is none. */
static const char *
value_of(const struct pick *p, const struct member *member)
{
	const char *at;

	if (member->end == 0 || !is_kept(p))
		return NULL;
	at = bytes_of(p) + member->end;
	while (scan_is_space(*at) || *at == ':')
		at++;
	return at;
}

/* The text of a value, made in *out. */
static const char *
text_of(const struct pick *p, const char *value, struct buf *out)
{
	buf_clear(out);
	if (value && *value == '"')
		unquote(out, value, bytes_of(p) + p->len, UTF8_REPLACEMENT,
		    strlen(UTF8_REPLACEMENT));
	return out->len > 0 ? out->data : NULL;
}

const char *
pick_field(struct pick *p, const char *name)
{
	struct member *member = find_wanted(p, name, strlen(name));

	if (!member)
		return NULL;
	return text_of(p, value_of(p, member), &member->text);
}

const char *
pick_log_id(struct pick *p)
{
	return text_of(p, value_of(p, &p->log_id), &p->log_id.text);
}

/* What a PICK_TEXT or PICK_DATA is. */
static const char *
value_itself(const struct pick *p)
{
	return is_kept(p) && p->len > 0 ? bytes_of(p) : NULL;
}

const char *
pick_text(struct pick *p)
{
	return text_of(p, value_itself(p), &p->text);
}

const char *
pick_name(struct pick *p)
{
	buf_clear(&p->text);
	if (value_itself(p))
		unquote(&p->text, bytes_of(p), bytes_of(p) + p->len, "", 1);
	return buf_text(&p->text);
}

const char *
pick_data(const struct pick *p, size_t *len)
{
	const char *data = p->kind == PICK_RECORD ? value_of(p, &p->data) :
	    value_itself(p);

	if (!data || *data != '{')
		return NULL;
	*len = (size_t)(bytes_of(p) + p->len - data);
	return data;
}
