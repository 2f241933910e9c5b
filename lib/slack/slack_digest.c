/* SPDX-License-Identifier: ISC */
/*
 * Counting events by type, and the values in them by how often they come.
 * It does not know how a card is written.
 */
#include "slack/slack_digest.h"

#include "slack/slack_card.h"
#include "slack/slack_text.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 256		/* types counted apart; Auth0 has about 200 */
#define VALUE_MAX 100		/* characters of a value, after escaping */
#define TOP 3			/* values told of each thing shown */
#define BARE_MAX 1500		/* bytes of an attachment without values */
#define BUCKETS 256		/* at first; a power of 2 */
#define TIMES " \xC3\x97 "	/* U+00D7 */

/* A value, and how many events of its type have it. */
struct value {
	struct value *next;	/* of the same tally */
	struct value *chained;	/* in the same bucket */
	const struct tally *tally;
	uint64_t hash;
	size_t count;
	char text[];
};

/* The values that events of one type have of one thing to show. */
struct tally {
	struct value *values;
	size_t distinct;
};

/* The events of one type. */
struct group {
	struct buf code;	/* clean and cut, as it is shown */
	enum event_class class;
	size_t count;
	int64_t first_ms;	/* EVENT_NO_TIME: none has a time */
	int64_t last_ms;
	struct tally tallies[SLACK_SHOWS];
};

struct slack_digest {
	const struct slack_style *style;
	struct slack_headline headline;
	struct group groups[GROUPS_MAX];
	size_t group_count;
	struct group rest;	/* of types that came when all were taken */
	struct value **buckets;
	size_t bucket_count;
	size_t value_count;
	struct buf text;	/* of what is being added */
	struct buf clean;
};

/* ------------------------------------------------------------ values */

/*
 * FNV-1a, begun with where the tally lies. That tells the tallies apart,
 * and, as nobody outside knows the address, nobody can send values that
 * all come to lie in one bucket.
 */
static uint64_t
hash_of(const struct tally *tally, const char *text)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ (uintptr_t)tally;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) *
		    UINT64_C(0x100000001B3);
	return hash ^ hash >> 32;
}

static struct value **
bucket_of(const struct slack_digest *d, uint64_t hash)
{
	return &d->buckets[hash & (d->bucket_count - 1)];
}

static void
chain(struct slack_digest *d, struct value *v)
{
	struct value **bucket = bucket_of(d, v->hash);

	v->chained = *bucket;
	*bucket = v;
}

static void
grow(struct slack_digest *d)
{
	size_t i, old_count = d->bucket_count;
	struct value **old = d->buckets, *v, *next;

	d->bucket_count = old_count ? 2 * old_count : BUCKETS;
	d->buckets = mem_alloc(d->bucket_count * sizeof(struct value *));
	for (i = 0; i < d->bucket_count; i++)
		d->buckets[i] = NULL;
	for (i = 0; i < old_count; i++)
		for (v = old[i]; v; v = next) {
			next = v->chained;
			chain(d, v);
		}
	free(old);
}

static struct value *
find_value(const struct slack_digest *d, const struct tally *tally,
    const char *text, uint64_t hash)
{
	struct value *v = d->bucket_count ? *bucket_of(d, hash) : NULL;

	while (v && (v->hash != hash || v->tally != tally ||
	    strcmp(v->text, text) != 0))
		v = v->chained;
	return v;
}

static struct value *
new_value(struct slack_digest *d, struct tally *tally, const char *text,
    uint64_t hash)
{
	size_t size = strlen(text) + 1;
	struct value *v = mem_alloc(sizeof(*v) + size);

	if (d->value_count++ == d->bucket_count)
		grow(d);
	v->tally = tally;
	v->hash = hash;
	v->count = 0;
	memcpy(v->text, text, size);
	v->next = tally->values;
	tally->values = v;
	tally->distinct++;
	chain(d, v);
	return v;
}

static void
count_value(struct slack_digest *d, struct tally *tally, const char *text)
{
	uint64_t hash = hash_of(tally, text);
	struct value *v = find_value(d, tally, text, hash);

	if (!v)
		v = new_value(d, tally, text, hash);
	v->count++;
}

/* ------------------------------------------------------------ groups */

static void
group_init(struct group *group)
{
	memset(group, 0, sizeof(*group));
	group->first_ms = group->last_ms = EVENT_NO_TIME;
}

/* Counts so many more events, of that span. */
static void
group_add(struct group *group, size_t count, int64_t first_ms,
    int64_t last_ms)
{
	group->count += count;
	if (first_ms == EVENT_NO_TIME)
		return;
	if (group->first_ms == EVENT_NO_TIME || first_ms < group->first_ms)
		group->first_ms = first_ms;
	if (last_ms > group->last_ms)
		group->last_ms = last_ms;
}

/*
 * The group of an event's type, a new one for a new type; the rest when
 * all are taken. Types that look the same are the same. They are few, so
 * a walk is quick enough.
 */
static struct group *
group_of(struct slack_digest *d, const struct event *e)
{
	struct group *group;
	size_t i;

	buf_clear(&d->clean);
	buf_clear(&d->text);
	slack_text_clean(&d->clean, e->type, SLACK_TYPE_MAX);
	slack_text_cut(&d->text, buf_text(&d->clean), SLACK_TYPE_MAX);
	for (i = 0; i < d->group_count; i++)
		if (strcmp(buf_text(&d->groups[i].code),
		    buf_text(&d->text)) == 0)
			return &d->groups[i];
	if (d->group_count == GROUPS_MAX)
		return &d->rest;
	group = &d->groups[d->group_count++];
	group_init(group);
	buf_adds(&group->code, buf_text(&d->text));
	group->class = e->class;
	return group;
}

static void
count_values(struct slack_digest *d, struct group *group,
    const struct event *e)
{
	size_t i;

	for (i = 0; i < SLACK_SHOWS; i++) {
		if (!(d->style->show & slack_shown[i].bit))
			continue;
		buf_clear(&d->text);
		slack_shown[i].value(&d->text, e, VALUE_MAX);
		if (d->text.len > 0)
			count_value(d, &group->tallies[i], d->text.data);
	}
}

bool
slack_digest_is_due(int64_t digest_after, int64_t waiting)
{
	return digest_after > 0 && waiting > digest_after;
}

struct slack_digest *
slack_digest_new(const struct slack_style *style)
{
	struct slack_digest *d = mem_alloc(sizeof(*d));

	memset(d, 0, sizeof(*d));
	d->style = style;
	group_init(&d->rest);
	return d;
}

void
slack_digest_add(struct slack_digest *d, const struct event *e)
{
	struct group *group = group_of(d, e);

	slack_headline_add(&d->headline, e);
	group_add(group, 1, e->time_ms, e->time_ms);
	if (group != &d->rest)
		count_values(d, group, e);
}

size_t
slack_digest_count(const struct slack_digest *d)
{
	return d->headline.count;
}

static void
free_values(struct value *v)
{
	struct value *next;

	for (; v; v = next) {
		next = v->chained;
		free(v);
	}
}

void
slack_digest_free(struct slack_digest *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->bucket_count; i++)
		free_values(d->buckets[i]);
	for (i = 0; i < d->group_count; i++)
		buf_release(&d->groups[i].code);
	free(d->buckets);
	buf_release(&d->text);
	buf_release(&d->clean);
	free(d);
}

/* ------------------------------------------------------------- order */

/* Below 0 when a comes before b: the most frequent first, ties by text. */
static int
compare(size_t count_a, const char *a, size_t count_b, const char *b)
{
	if (count_a != count_b)
		return count_a > count_b ? -1 : 1;
	return strcmp(a, b);
}

static int
compare_groups(const void *left, const void *right)
{
	const struct group *a = *(const struct group *const *)left;
	const struct group *b = *(const struct group *const *)right;

	return compare(a->count, buf_text(&a->code), b->count,
	    buf_text(&b->code));
}

static void
sort_groups(const struct slack_digest *d, const struct group **sorted)
{
	size_t i;

	for (i = 0; i < d->group_count; i++)
		sorted[i] = &d->groups[i];
	/* cppcheck-suppress uninitvar ; it fears a digest of nothing */
	qsort(sorted, d->group_count, sizeof(*sorted), compare_groups);
}

/* Puts a value in its place among the most frequent, if it has one. */
static void
rank(const struct value **top, const struct value *v)
{
	const struct value *less;
	size_t i;

	for (i = 0; i < TOP && v; i++)
		if (!top[i] || compare(v->count, v->text, top[i]->count,
		    top[i]->text) < 0) {
			less = top[i];
			top[i] = v;
			v = less;
		}
}

/* ------------------------------------------------------------- cards */

/* "My Shop (TestClientId) × 12, Other × 3, 27 others", or nothing. */
static void
add_tally(struct buf *out, const struct tally *tally)
{
	const struct value *top[TOP] = { NULL }, *v;
	size_t i;

	for (v = tally->values; v; v = v->next)
		rank(top, v);
	for (i = 0; i < TOP && top[i]; i++) {
		buf_addf(out, "%s%s" TIMES, i > 0 ? ", " : "", top[i]->text);
		buf_add_count(out, top[i]->count);
	}
	if (tally->distinct > TOP) {
		buf_adds(out, ", ");
		buf_add_count(out, tally->distinct - TOP);
		buf_adds(out, tally->distinct == TOP + 1 ? " other" :
		    " others");
	}
}

static void
add_fields(struct slack_card *card, const struct group *group)
{
	struct buf value = BUF_INIT;
	size_t i;

	slack_card_span(&value, group->first_ms, group->last_ms);
	slack_card_field(card, "Time", buf_text(&value));
	for (i = 0; i < SLACK_SHOWS; i++) {
		buf_clear(&value);
		add_tally(&value, &group->tallies[i]);
		slack_card_field(card, slack_shown[i].title,
		    buf_text(&value));
	}
	buf_release(&value);
}

/* All of a group's card but the title. */
static void
card_init(struct slack_card *card, const struct group *group)
{
	memset(card, 0, sizeof(*card));
	card->class = group->class;
	card->time_ms = group->last_ms;
	card->wide = true;
	add_fields(card, group);
}

static void
init_group_card(struct slack_card *card, const struct group *group)
{
	const char *code = buf_text(&group->code);
	struct buf words = BUF_INIT;

	card_init(card, group);
	buf_add_count(&words, group->count);
	buf_addf(&words, TIMES "%s", slack_card_words(code));
	slack_card_title(card, words.data, code);
	buf_release(&words);
}

/*
 * The card of the groups that have none of their own, with the rest. Of
 * the rest it is known only that it is one type or more.
 */
static void
init_rest_card(struct slack_card *card, const struct slack_digest *d,
    const struct group *const *groups, size_t count)
{
	struct group all = d->rest;
	size_t i;

	for (i = 0; i < count; i++)
		group_add(&all, groups[i]->count, groups[i]->first_ms,
		    groups[i]->last_ms);
	card_init(card, &all);
	buf_add_count(&card->title, all.count);
	buf_adds(&card->title, TIMES "other events [types: ");
	buf_add_count(&card->title, count + (d->rest.count > 0));
	buf_adds(&card->title, d->rest.count > 0 ? " or more]" : "]");
}

/* ----------------------------------------------------------- message */

/* A message in the making. */
struct layout {
	struct json *attachments;
	size_t len;		/* bytes of them, commas too */
	struct buf lines;	/* the same cards for a terminal */
};

/*
 * Adds a card, less its last fields when they would not leave room for as
 * many bare ones as are to come. The card is released.
 */
static void
add_card(struct layout *l, struct slack_card *card, size_t to_come)
{
	size_t taken = l->len + 1 + to_come * BARE_MAX + SLACK_ENVELOPE_MAX;
	struct json *json = slack_card_json(card);
	size_t len;

	json_text(json, &len);
	while (taken + len > SLACK_BYTES_MAX && card->field_count > 0) {
		slack_card_drop_field(card);
		json_free(json);
		json = slack_card_json(card);
		json_text(json, &len);
	}
	l->len += len + 1;
	json_add(l->attachments, json);
	slack_card_lines(card, &l->lines);
	slack_card_release(card);
}

static void
layout_init(struct layout *l, const struct slack_digest *d)
{
	const struct group *sorted[GROUPS_MAX];
	size_t i, count = d->group_count, own = count;
	struct slack_card card;

	memset(l, 0, sizeof(*l));
	l->attachments = json_new_array();
	sort_groups(d, sorted);
	if (count > SLACK_ATTACHMENTS_MAX)
		own = SLACK_ATTACHMENTS_MAX - 1;
	for (i = 0; i < own; i++) {
		init_group_card(&card, sorted[i]);
		add_card(l, &card, own - i - 1 + (own < count));
	}
	if (own < count) {
		init_rest_card(&card, d, sorted + own, count - own);
		add_card(l, &card, 0);
	}
}

void
slack_digest_message(const struct slack_digest *d, struct buf *payload)
{
	struct slack_headline headline = d->headline;
	struct layout l;

	layout_init(&l, d);
	headline.aside = d->style->aside;
	slack_headline_message(&headline, l.attachments, payload);
	buf_release(&l.lines);
}

void
slack_digest_preview(const struct slack_digest *d, struct buf *text)
{
	struct layout l;

	layout_init(&l, d);
	slack_headline_line(&d->headline, text);
	buf_add(text, l.lines.data, l.lines.len);
	json_free(l.attachments);
	buf_release(&l.lines);
}
