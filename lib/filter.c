/* SPDX-License-Identifier: ISC */
/* The FILTER language. It knows type codes and classes, and no JSON. */
#include "filter.h"

#include "log.h"
#include "utf8.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS " \t,"
#define WORD ASCII_ALNUM "_"
#define CODE_GLOB WORD "*?[]-!^"

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

/* Signs to which only a set gives a meaning stand in sets alone. */
static bool
plausible_code_glob(const char *word)
{
	const char *at = word;

	if (!*word || word[strspn(word, CODE_GLOB)] != '\0' ||
	    !sets_are_closed(word))
		return false;
	while (*(at += strcspn(at, "[]-!^")) == '[')
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
read_term(struct term *term, const char *word, struct buf *why)
{
	const char *whole = word;

	if (*word == '-') {
		term->exclude = true;
		word++;
	}
	if (read_field(term, word)) {
		if (plausible_field(term))
			return true;
		log_quote(why, whole, strlen(whole));
		buf_adds(why, " is not a filter term: it takes the name of a "
		    "field, =, and a glob");
		return false;
	}
	if (catalog_class_find(word, &term->class)) {
		term->kind = TERM_CLASS;
		return true;
	}
	term->kind = TERM_CODE;
	term->glob = mem_dup(word);
	if (plausible_code_glob(word))
		return true;
	log_quote(why, whole, strlen(whole));
	buf_adds(why, " is not a filter term: it is neither a class (failure "
	    "limit anomaly warning notice success) nor a type code or glob "
	    "such as f*");
	return false;
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

void
filter_doubts(const struct filter *f, struct buf *out)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->terms[i].kind == TERM_CODE &&
		    !matches_any_code(f->terms[i].glob))
			buf_addf(out, "%s\n", f->terms[i].glob);
}
