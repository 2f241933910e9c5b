/* SPDX-License-Identifier: ISC */
/* The FILTER language. It knows type codes and classes, and no JSON. */
#include "filter.h"

#include "filter_word.h"
#include "log.h"
#include "utf8.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS " \t,"
#define WORD ASCII_ALNUM "_"
#define CODE_GLOB WORD "*?[]-!^"
#define GLOB_SIGNS "*?["

enum term_kind { TERM_CLASS, TERM_CODE, TERM_FIELD };

struct term {
	enum term_kind kind;
	bool exclude;
	enum event_class class;	/* of TERM_CLASS */
	char *field;		/* of TERM_FIELD */
	char *glob;		/* of TERM_CODE and TERM_FIELD */
};

struct filter {
	struct term *terms;
	size_t count;
};

static char *
slice_dup(const char *text, size_t len)
{
	char *copy = mem_alloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

/* field=glob; false where word is not that. */
static bool
read_field(struct term *term, const char *word)
{
	const char *equals = strchr(word, '=');

	if (!equals)
		return false;
	term->kind = TERM_FIELD;
	term->field = slice_dup(word, (size_t)(equals - word));
	term->glob = mem_dup(equals + 1);
	return true;
}

/*
 * The bracket that ends a set, which begins behind one. NULL when it is
 * open or empty: fnmatch would take its bracket for a letter, and the term
 * would never match anything.
 */
static const char *
end_of_set(const char *set)
{
	if (*set == '!' || *set == '^')
		set++;
	return *set ? strchr(set + 1, ']') : NULL;
}

static bool
sets_are_closed(const char *glob)
{
	while ((glob = strchr(glob, '[')) != NULL) {
		glob = end_of_set(glob + 1);
		if (!glob)
			return false;
	}
	return true;
}

static bool
is_glob(const char *word)
{
	return word[strcspn(word, GLOB_SIGNS)] != '\0';
}

/* Outside of sets nothing stands that no code has. */
static bool
plausible_code_glob(const char *word)
{
	const char *at = word;

	if (word[strspn(word, CODE_GLOB)] != '\0' || !sets_are_closed(word))
		return false;
	while (*(at += strspn(at, FILTER_CODE "*?")) == '[')
		at = end_of_set(at + 1) + 1;
	return *at == '\0';
}

static bool
plausible_field(const struct term *term)
{
	return *term->field && term->field[strspn(term->field, WORD)] == '\0' &&
	    *term->glob && sets_are_closed(term->glob);
}

static bool
read_code(struct term *term, const char *word, struct buf *hint)
{
	term->kind = TERM_CODE;
	term->glob = mem_dup(word);
	return is_glob(word) ? plausible_code_glob(word) :
	    filter_word_is_code(word, hint);
}

/* False for an unknown word; *hint then has what to write instead. */
static bool
read_word(struct term *term, const char *word, struct buf *hint)
{
	if (read_field(term, word)) {
		if (plausible_field(term))
			return true;
		buf_adds(hint, "it takes the name of a field, =, and a glob");
		return false;
	}
	if (catalog_class_find(word, &term->class)) {
		term->kind = TERM_CLASS;
		return true;
	}
	if (read_code(term, word, hint))
		return true;
	if (hint->len == 0)
		buf_adds(hint, "it is neither a class (failure limit anomaly "
		    "warning notice success) nor a type code or glob such as "
		    "f*");
	return false;
}

static bool
read_term(struct term *term, const char *word, struct buf *why)
{
	struct buf hint = BUF_INIT;
	bool good;

	term->exclude = *word == '-';
	good = read_word(term, word + term->exclude, &hint);
	if (!good) {
		log_quote(why, word, strlen(word));
		buf_addf(why, " is not a filter term: %s", buf_text(&hint));
	}
	buf_release(&hint);
	return good;
}

static struct term *
add_term(struct filter *f)
{
	struct term *term;

	f->terms = mem_realloc(f->terms, (f->count + 1) * sizeof(*f->terms));
	term = &f->terms[f->count++];
	memset(term, 0, sizeof(*term));
	return term;
}

/* -------------------------------------------------- what can be kept */

static bool
matches(const struct term *term, const char *code, enum event_class class,
    event_lookup *lookup, const void *record)
{
	const char *value;

	switch (term->kind) {
	case TERM_CLASS:
		return term->class == class;
	case TERM_CODE:
		return fnmatch(term->glob, code, 0) == 0;
	case TERM_FIELD:
		value = lookup(record, term->field);
		return value && fnmatch(term->glob, value, 0) == 0;
	}
	return false;
}

/* Later terms that exclude whatever term i includes, field by field. */
static bool
is_taken_back(const struct filter *f, size_t i)
{
	const struct term *term = &f->terms[i], *later;

	for (later = term + 1; later < f->terms + f->count; later++)
		if (later->kind == TERM_FIELD && later->exclude &&
		    strcmp(later->field, term->field) == 0 &&
		    (strcmp(later->glob, term->glob) == 0 ||
		    later->glob[strspn(later->glob, "*")] == '\0'))
			return true;
	return false;
}

/* Whether an event of that code can be kept, whatever its fields may be. */
static bool
can_keep(const struct filter *f, const char *code)
{
	enum event_class class = catalog_class(code);
	const struct term *term;
	size_t i;

	for (i = f->count; i-- > 0;) {
		term = &f->terms[i];
		if (term->kind == TERM_FIELD ?
		    !term->exclude && !is_taken_back(f, i) :
		    matches(term, code, class, NULL, NULL))
			return !term->exclude;
	}
	return f->terms[0].exclude;
}

/* Adds a sign that the set, up to its end, has; false when no sign is. */
static bool
add_member(struct buf *out, const char *set, size_t len)
{
	static const char signs[] = FILTER_CODE ASCII_ALNUM "-";
	char *glob = slice_dup(set, len), sign[2] = "";
	const char *next;

	for (next = signs; *next; next++) {
		sign[0] = *next;
		if (fnmatch(glob, sign, 0) == 0)
			break;
	}
	free(glob);
	if (*next)
		buf_addc(out, *next);
	return *next != '\0';
}

/* Adds a text that glob matches, with rest for each star. */
static bool
add_example(struct buf *out, const char *glob, const char *rest)
{
	const char *end;

	for (; *glob; glob = end) {
		end = glob + 1;
		if (*glob == '[') {
			end = end_of_set(glob + 1) + 1;
			if (!add_member(out, glob, (size_t)(end - glob)))
				return false;
		} else if (*glob == '*') {
			buf_adds(out, rest);
		} else {
			buf_addc(out, *glob == '?' ? 'x' : *glob);
		}
	}
	return true;
}

/* Endings that give a code that is not in the catalogue each class. */
static const char *const endings[] = {
	"", "_failed", "_limit_", "_pwd_leak", "_succeeded", "x"
};

#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

/* Whether a code that the glob matches, known or not, can be kept. */
static bool
can_keep_glob(const struct filter *f, const char *glob)
{
	struct buf code = BUF_INIT;
	bool can = false;
	size_t i;

	for (i = 0; i < ENDINGS && !can; i++) {
		buf_clear(&code);
		can = add_example(&code, glob, endings[i]) &&
		    code.len > 0 && can_keep(f, buf_text(&code));
	}
	buf_release(&code);
	return can;
}

/*
 * Looked at is every code of the catalogue, some that are not in it, and
 * some for each term that includes.
 */
static bool
can_keep_anything(const struct filter *f)
{
	const struct event_type *types;
	size_t i, count;

	types = catalog_types(&count);
	for (i = 0; i < count; i++)
		if (can_keep(f, types[i].code))
			return true;
	for (i = 0; i < f->count; i++)
		if (f->terms[i].kind == TERM_CODE && !f->terms[i].exclude &&
		    can_keep_glob(f, f->terms[i].glob))
			return true;
	return can_keep_glob(f, "new*");
}

struct filter *
filter_new(const char *text, struct buf *why)
{
	struct filter *f = mem_alloc(sizeof(*f));
	char *copy = mem_dup(text), *rest = NULL, *word;
	bool good = true;

	f->terms = NULL;
	f->count = 0;
	for (word = strtok_r(copy, SEPARATORS, &rest); word && good;
	     word = strtok_r(NULL, SEPARATORS, &rest))
		good = read_term(add_term(f), word, why);
	free(copy);
	if (good && f->count == 0) {
		buf_adds(why, "the filter has no term");
		good = false;
	}
	if (good && !can_keep_anything(f)) {
		buf_adds(why, "no event can pass it: its terms exclude all "
		    "that they include");
		good = false;
	}
	if (good)
		return f;
	filter_free(f);
	return NULL;
}

void
filter_free(struct filter *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->count; i++) {
		free(f->terms[i].field);
		free(f->terms[i].glob);
	}
	free(f->terms);
	free(f);
}

bool
filter_keeps(const struct filter *f, const char *code, event_lookup *lookup,
    const void *record)
{
	enum event_class class = catalog_class(code);
	size_t i;

	for (i = f->count; i-- > 0;)
		if (matches(&f->terms[i], code, class, lookup, record))
			return !f->terms[i].exclude;
	return f->terms[0].exclude;
}

void
filter_each_field(const struct filter *f,
    void (*take)(void *context, const char *name), void *context)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->terms[i].kind == TERM_FIELD)
			take(context, f->terms[i].field);
}

static bool
matches_any_code(const char *glob)
{
	const struct event_type *types;
	size_t i, count;

	types = catalog_types(&count);
	for (i = 0; i < count; i++)
		if (fnmatch(glob, types[i].code, 0) == 0)
			return true;
	return false;
}

/* What is left of a code that the catalogue does not have. */
static void
doubt_code(const char *code, struct buf *out)
{
	const char *meant = filter_word_nearest(code);

	buf_addf(out, "\"%s\" is no event type of the catalogue: ", code);
	if (meant)
		buf_addf(out, "did you mean %s?\n", meant);
	else
		buf_adds(out, "it is right only if Auth0 has it new\n");
}

void
filter_doubts(const struct filter *f, struct buf *out)
{
	const char *glob;
	size_t i;

	for (i = 0; i < f->count; i++) {
		glob = f->terms[i].glob;
		if (f->terms[i].kind != TERM_CODE || matches_any_code(glob))
			continue;
		if (is_glob(glob))
			buf_addf(out, "\"%s\" matches no event type of the "
			    "catalogue: it is right only if Auth0 has one "
			    "new\n", glob);
		else
			doubt_code(glob, out);
	}
}
