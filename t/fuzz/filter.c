/* SPDX-License-Identifier: ISC */
/*
 * A FILTER, as it is read and as its manual has it: the words looked at one
 * by one, with globs matched by a few lines of our own.
 */
#include "target.h"

#include "base/utf8.h"
#include "event/filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define KEEPS_NOTHING "no event can pass it: its terms exclude all that " \
	"they include"

#define WORDS_MAX 64

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

/* The paths of a filter. */
struct paths {
	const char *list[WORDS_MAX * 8];
	size_t count;
};

static void
note_path(void *context, const char *path)
{
	struct paths *paths = context;

	if (paths->count < sizeof(paths->list) / sizeof(paths->list[0]))
		paths->list[paths->count++] = path;
}

static bool
begin_alike(const char *a, const char *b)
{
	size_t len = strcspn(a, ".");

	return strcspn(b, ".") == len && memcmp(a, b, len) == 0;
}

/* The text, or an object with it in, as the rest of a path says. */
static void
add_value(struct buf *out, const char *path, const char *text)
{
	const char *dot = strchr(path, '.');
	size_t len;

	if (!dot) {
		quote(out, text);
		return;
	}
	len = strcspn(dot + 1, ".");
	buf_addf(out, "{\"%.*s\":", (int)len, dot + 1);
	add_value(out, dot + 1, text);
	buf_addc(out, '}');
}

/* An array of a value for each path that begins with the same name. */
static void
add_member(struct buf *out, const struct paths *paths, size_t i,
    const char *text)
{
	const char *path = paths->list[i];
	size_t j;

	buf_addf(out, ",\"%.*s\":[", (int)strcspn(path, "."), path);
	for (j = i; j < paths->count; j++) {
		if (!begin_alike(path, paths->list[j]))
			continue;
		if (j > i)
			buf_addc(out, ',');
		add_value(out, paths->list[j], text);
	}
	buf_addc(out, ']');
}

/* A bare event with the text at each path. */
static void
write_record(struct buf *out, const struct paths *paths, const char *text)
{
	size_t i, before;

	buf_adds(out, "{\"z z\":1");
	for (i = 0; text && i < paths->count; i++) {
		for (before = 0; before < i && !begin_alike(paths->list[i],
		    paths->list[before]); before++)
			;
		if (before == i)
			add_member(out, paths, i, text);
	}
	buf_addc(out, '}');
}

static bool
keeps(const struct filter *f, const struct record *record)
{
	struct pick *p = pick_new(0);
	struct paths paths = { { NULL }, 0 };
	struct buf json = BUF_INIT;
	struct scan s = { 0 };
	enum prune_stop stop;
	const char *why;
	size_t i;
	bool kept;

	filter_each_field(f, note_path, &paths);
	for (i = 0; i < paths.count; i++)
		pick_want(p, paths.list[i], PRUNE_ITEMS);
	write_record(&json, &paths, record->text);
	pick_begin(p, &s, false);
	pick_read(p, &s, json.data, json.len, &stop, &why);
	kept = filter_keeps(f, record->code, p);
	scan_release(&s);
	buf_release(&json);
	pick_free(p);
	return kept;
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
part_fits(const char *word, const struct record *record)
{
	const char *equals = strchr(word, '=');
	enum event_class class;

	if (equals)
		return record->text && *record->text &&
		    glob_fits(equals + 1, record->text);
	if (catalog_class_find(word, &class))
		return catalog_class(record->code) == class;
	return glob_fits(word, record->code);
}

/* Each part of a word, up to the next & outside of a set. */
static bool
word_fits(const char *word, const struct record *record)
{
	char *copy = mem_dup(word), *part = copy, *at;
	bool fit = true, last = false;

	for (at = copy; !last; at++) {
		if (*at == '[') {
			at++;
			at += *at == '!' || *at == '^';
			at += *at != '\0';
			at += strcspn(at, "]");
		}
		last = *at == '\0';
		if (!last && *at != '&')
			continue;
		*at = '\0';
		fit = fit && part_fits(part, record);
		part = at + 1;
	}
	free(copy);
	return fit;
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
	bool kept = keeps(j->filter, record);

	if (kept != words_keep(j->words, record))
		buf_addf(j->how, "%s is %s, and should not be; ",
		    record->code, kept ? "kept" : "left out");
}

static const char *
next_part(const char *word)
{
	const char *sign = strchr(word, '&');

	return sign ? sign + 1 : NULL;
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
		for (; word; word = next_part(word))
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
		if (!keeps(filter, &records[i]))
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
	struct buf all = BUF_INIT, why = BUF_INIT, mended = BUF_INIT;
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
	if (own.text) {
		utf8_mend(&mended, own.text, strlen(own.text));
		if (mended.len > PICK_TEXT_MAX)
			buf_clear(&mended);
		own.text = buf_text(&mended);
	}
	split(&words, text);
	judge.filter = filter = filter_new(text, &why);
	if (words.count < WORDS_MAX && filter)
		judge_accepted(&judge, text, &own);
	else if (words.count < WORDS_MAX)
		judge_refused(&words, &why, how);
	filter_free(filter);
	free(words.copy);
	buf_release(&all);
	buf_release(&mended);
	buf_release(&why);
	return how->len == 0;
}
