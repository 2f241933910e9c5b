/* SPDX-License-Identifier: ISC */
/*
 * A FILTER, as it is read and as its manual has it: the words looked at one
 * by one, with globs matched by a few lines of our own.
 */
#include "target.h"

#include "filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define KEEPS_NOTHING "no event can pass it: its terms exclude all that " \
	"they include"

/* A record: every field of it that a filter names is the same text. */
struct record {
	const char *code;
	const char *text;	/* NULL: it has none of them */
};

static const struct record records[] = {
	{ "f", NULL },
	{ "fsa", "load-balancer" },
	{ "limit_wc", "203.0.113.7" },
	{ "s", "" },
	{ "a-new_type", "[x]" },
	{ "", "\xC3\xBC*\\" },
};

#define RECORDS (sizeof(records) / sizeof(records[0]))

static const char *
look_up(const void *record, const char *name)
{
	(void)name;
	return ((const struct record *)record)->text;
}

/* ---------------------------------------------------------------- globs */

/* Whether c is in the set behind a bracket; *end gets what follows it. */
static bool
is_in_set(const char *at, unsigned char c, const char **end)
{
	bool negated = *at == '!' || *at == '^', found = false, first = true;
	unsigned char low, high;

	for (at += negated; first || *at != ']'; first = false) {
		low = high = (unsigned char)*at++;
		if (at[0] == '-' && at[1] != ']') {
			high = (unsigned char)at[1];
			at += 2;
		}
		found = found || (low <= c && c <= high);
	}
	*end = at + 1;
	return found != negated;
}

/* Whether c may stand where the glob does; *rest gets its next part. */
static bool
fits_one(const char *glob, unsigned char c, const char **rest)
{
	*rest = glob + 1;
	switch (*glob) {
	case '?':
		return true;
	case '[':
		return is_in_set(glob + 1, c, rest);
	case '\\':
		*rest = glob + 2;
		return (unsigned char)glob[1] == c;
	default:
		return (unsigned char)*glob == c;
	}
}

/* With only the last star tried again, which is enough. */
static bool
fits(const char *glob, const char *text)
{
	const char *star = NULL, *again = NULL, *rest;

	while (*text || *glob == '*') {
		if (*glob == '*') {
			star = ++glob;
			again = text;
		} else if (*glob && fits_one(glob, (unsigned char)*text,
		    &rest)) {
			glob = rest;
			text++;
		} else if (star && *again) {
			glob = star;
			text = ++again;
		} else {
			return false;
		}
	}
	return !*glob;
}

/* Classes of characters and what a \ does in a set are left to libc. */
static bool
glob_fits(const char *glob, const char *text)
{
	if (strstr(glob, "[:") || strstr(glob, "[.") || strstr(glob, "[=") ||
	    (strchr(glob, '[') && strchr(glob, '\\')))
		return fnmatch(glob, text, 0) == 0;
	return fits(glob, text);
}

/* ---------------------------------------------------------------- words */

#define WORDS_MAX 64

struct words {
	char *copy;
	char *list[WORDS_MAX];
	size_t count;
};

static void
split(struct words *words, const char *text)
{
	char *at = words->copy = mem_dup(text);

	words->count = 0;
	for (;;) {
		while (*at && strchr(" \t,", *at))
			*at++ = '\0';
		if (!*at || words->count == WORDS_MAX)
			return;
		words->list[words->count++] = at;
		while (*at && !strchr(" \t,", *at))
			at++;
	}
}

static bool
word_fits(const char *word, const struct record *record)
{
	const char *equals = strchr(word, '=');
	enum event_class class;

	if (equals)
		return record->text && glob_fits(equals + 1, record->text);
	if (catalog_class_find(word, &class))
		return catalog_class(record->code) == class;
	return glob_fits(word, record->code);
}

/* From the first word to the last, each that matches overruling. */
static bool
words_keep(const struct words *words, const struct record *record)
{
	bool kept = words->count > 0 && words->list[0][0] == '-';
	bool excludes;
	size_t i;

	for (i = 0; i < words->count; i++) {
		excludes = words->list[i][0] == '-';
		if (word_fits(words->list[i] + excludes, record))
			kept = !excludes;
	}
	return kept;
}

/* ---------------------------------------------------------------- rules */

struct judge {
	const struct filter *filter;
	const struct words *words;
	struct buf *how;
};

static void
judge_record(const struct judge *j, const struct record *record)
{
	bool kept = filter_keeps(j->filter, record->code, look_up, record);

	if (kept != words_keep(j->words, record))
		buf_addf(j->how, "%s is %s, and should not be; ",
		    record->code, kept ? "kept" : "left out");
}

static void
judge_field(void *context, const char *name)
{
	const struct judge *j = context;
	size_t i, len = strlen(name);
	const char *word;

	for (i = 0; i < j->words->count; i++) {
		word = j->words->list[i];
		word += *word == '-';
		if (strncmp(word, name, len) == 0 && word[len] == '=')
			return;
	}
	buf_addf(j->how, "there is no field %s; ", name);
}

/* A last word that takes in all codes leaves the others no say. */
static void
judge_last_star(const char *text, struct buf *how)
{
	struct buf longer = BUF_INIT, why = BUF_INIT;
	struct filter *filter;
	size_t i;

	buf_addf(&longer, "%s,*", text);
	filter = filter_new(buf_text(&longer), &why);
	for (i = 0; filter && i < RECORDS; i++)
		if (!filter_keeps(filter, records[i].code, look_up,
		    &records[i]))
			buf_adds(how, "* is not the last word; ");
	if (!filter)
		buf_addf(how, "not taken with *: %s; ", buf_text(&why));
	filter_free(filter);
	buf_release(&longer);
	buf_release(&why);
}

/* One that takes out all codes leaves nothing. */
static void
judge_last_minus(const char *text, struct buf *how)
{
	struct buf longer = BUF_INIT, why = BUF_INIT;
	struct filter *filter;

	buf_addf(&longer, "%s,-*", text);
	filter = filter_new(buf_text(&longer), &why);
	if (filter || strcmp(buf_text(&why), KEEPS_NOTHING) != 0)
		buf_addf(how, "with -*: %s; ", buf_text(&why));
	filter_free(filter);
	buf_release(&longer);
	buf_release(&why);
}

static void
judge_accepted(struct judge *j, const char *text,
    const struct record *own)
{
	struct buf doubts = BUF_INIT;
	size_t i;

	for (i = 0; i < RECORDS; i++)
		judge_record(j, &records[i]);
	judge_record(j, own);
	filter_each_field(j->filter, judge_field, j);
	filter_doubts(j->filter, &doubts);
	if (!are_plain_lines(buf_text(&doubts)))
		buf_adds(j->how, "a doubt is not a plain line; ");
	judge_last_star(text, j->how);
	judge_last_minus(text, j->how);
	buf_release(&doubts);
}

/* What can keep nothing keeps none of the records that Auth0 could send. */
static void
judge_nothing(const struct words *words, struct buf *how)
{
	static const struct record sent[] = {
		{ "f", NULL }, { "fsa", "x" }, { "limit_wc", NULL },
		{ "s", "x" }, { "brand_new", NULL }, { "new_failed", "x" },
	};
	size_t i;

	for (i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		if (words_keep(words, &sent[i]))
			buf_addf(how, "%s can be kept; ", sent[i].code);
}

/* One word of it must be bad by itself, or there is none. */
static void
judge_refused(const struct words *words, const struct buf *why,
    struct buf *how)
{
	struct buf reason = BUF_INIT;
	struct filter *filter;
	bool good = true;
	size_t i;

	if (why->len == 0 || !is_plain_line(why->data, why->len))
		buf_adds(how, "the reason is not a plain line; ");
	if (strcmp(buf_text(why), KEEPS_NOTHING) == 0) {
		judge_nothing(words, how);
		return;
	}
	for (i = 0; i < words->count; i++) {
		buf_clear(&reason);
		filter = filter_new(words->list[i], &reason);
		good = good && (filter ||
		    strcmp(buf_text(&reason), KEEPS_NOTHING) == 0);
		filter_free(filter);
	}
	if (good && words->count > 0)
		buf_addf(how, "each word is good, but: %s; ", buf_text(why));
	buf_release(&reason);
}

/* The text up to the next NUL byte, which *rest is moved behind. */
static const char *
next_text(const char **rest, const char *end)
{
	const char *text = *rest;

	if (text > end)
		return NULL;
	*rest += strlen(text) + 1;
	return text;
}

bool
filter_holds(const char *bytes, size_t len, struct buf *how)
{
	struct buf all = BUF_INIT, why = BUF_INIT;
	const char *rest, *text;
	struct record own;
	struct words words;
	struct judge judge = { NULL, &words, how };
	struct filter *filter;

	buf_add(&all, bytes, len);
	rest = buf_text(&all);
	text = next_text(&rest, buf_text(&all) + len);
	own.code = next_text(&rest, buf_text(&all) + len);
	own.text = next_text(&rest, buf_text(&all) + len);
	if (!own.code)
		own.code = "fs";
	split(&words, text);
	judge.filter = filter = filter_new(text, &why);
	if (words.count < WORDS_MAX && filter)
		judge_accepted(&judge, text, &own);
	else if (words.count < WORDS_MAX)
		judge_refused(&words, &why, how);
	filter_free(filter);
	free(words.copy);
	buf_release(&all);
	buf_release(&why);
	return how->len == 0;
}
