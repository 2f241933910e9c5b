/* SPDX-License-Identifier: ISC */
/* The FILTER language. It knows type codes and classes, and no JSON. */
#include "event/filter.h"

#include "base/log.h"
#include "base/utf8.h"
#include "event/filter_word.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS " \t,"
#define WORD ASCII_ALNUM "_"
#define FIELD WORD "-"		/* of each part of a path */
#define PARTS_MAX 16		/* of a path */
#define CODE_GLOB WORD "*?[]-!^"
#define GLOB_SIGNS "*?["

enum test_kind { TEST_CLASS, TEST_CODE, TEST_FIELD };

/* What a term asks of an event: one of these, or several with & between. */
struct test {
	enum test_kind kind;
	enum event_class class;	/* of TEST_CLASS */
	char *field;		/* of TEST_FIELD: a path */
	char *glob;		/* of TEST_CODE and TEST_FIELD */
};

struct term {
	char *text;		/* as it was written */
	bool exclude;
	struct test *tests;
	size_t count;
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
read_field(struct test *test, const char *word)
{
	const char *equals = strchr(word, '=');

	if (!equals)
		return false;
	test->kind = TEST_FIELD;
	test->field = slice_dup(word, (size_t)(equals - word));
	test->glob = mem_dup(equals + 1);
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

static bool
is_all_stars(const char *glob)
{
	return glob[strspn(glob, "*")] == '\0';
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

/* Names with dots between them, none of them empty. */
static bool
plausible_path(const char *path)
{
	size_t parts, len;

	for (parts = 1;; parts++, path += len + 1) {
		len = strspn(path, FIELD);
		if (len == 0 || parts > PARTS_MAX)
			return false;
		if (path[len] != '.')
			return path[len] == '\0';
	}
}

static bool
plausible_field(const struct test *test)
{
	return plausible_path(test->field) && *test->glob &&
	    sets_are_closed(test->glob);
}

static bool
read_code(struct test *test, const char *word, struct buf *hint)
{
	test->kind = TEST_CODE;
	test->glob = mem_dup(word);
	return is_glob(word) ? plausible_code_glob(word) :
	    filter_word_is_code(word, hint);
}

/* False for an unknown word; *hint then has what to write instead. */
static bool
read_word(struct test *test, const char *word, struct buf *hint)
{
	if (read_field(test, word)) {
		if (plausible_field(test))
			return true;
		buf_adds(hint, "it takes the name of a field, =, and a glob");
		return false;
	}
	if (catalog_class_find(word, &test->class)) {
		test->kind = TEST_CLASS;
		return true;
	}
	if (read_code(test, word, hint))
		return true;
	if (hint->len == 0)
		buf_adds(hint, "it is neither a class (failure limit anomaly "
		    "warning notice success) nor a type code or glob such as "
		    "f*");
	return false;
}

static bool
read_test(struct term *term, const char *word, size_t len, struct buf *hint)
{
	char *copy = slice_dup(word, len);
	struct test *test;
	bool good;

	term->tests = mem_realloc(term->tests, (term->count + 1) *
	    sizeof(*term->tests));
	test = &term->tests[term->count++];
	memset(test, 0, sizeof(*test));
	good = read_word(test, copy, hint);
	free(copy);
	return good;
}

/* To the next & that is not in a set. */
static size_t
test_len(const char *word)
{
	const char *at = word, *end;

	while (*(at += strcspn(at, "&[")) == '[') {
		end = end_of_set(at + 1);
		at = end ? end + 1 : at + 1;
	}
	return (size_t)(at - word);
}

static bool
read_tests(struct term *term, const char *word, struct buf *hint)
{
	size_t len;

	for (;; word += len + 1) {
		len = test_len(word);
		if (!read_test(term, word, len, hint))
			return false;
		if (word[len] == '\0')
			return true;
	}
}

static bool
read_term(struct term *term, const char *word, struct buf *why)
{
	struct buf hint = BUF_INIT;
	bool good;

	term->text = mem_dup(word);
	term->exclude = *word == '-';
	good = read_tests(term, word + term->exclude, &hint);
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

/* ------------------------------------------------------------- matching */

static bool
fits_glob(void *glob, enum pick_kind kind, const char *text)
{
	return kind != PICK_OBJECT && *text && fnmatch(glob, text, 0) == 0;
}

/* Of TEST_CLASS and TEST_CODE. */
static bool
fits_type(const struct test *test, const char *code, enum event_class class)
{
	return test->kind == TEST_CLASS ? test->class == class :
	    fnmatch(test->glob, code, 0) == 0;
}

/* What the type alone tells; with more set to whether fields decide, too. */
static bool
type_matches(const struct term *term, const char *code,
    enum event_class class, bool *more)
{
	size_t i;

	*more = false;
	for (i = 0; i < term->count; i++)
		if (term->tests[i].kind == TEST_FIELD)
			*more = true;
		else if (!fits_type(&term->tests[i], code, class))
			return false;
	return true;
}

static bool
fields_match(const struct term *term, struct pick *record)
{
	const struct test *test;

	for (test = term->tests; test < term->tests + term->count; test++)
		if (test->kind == TEST_FIELD && (!record || !pick_visit(record,
		    test->field, fits_glob, test->glob)))
			return false;
	return true;
}

/* -------------------------------------------------- what can be kept */

/* Whether whatever passes one test passes the other, of an event's code. */
static bool
covers(const struct test *wide, const struct test *narrow)
{
	return wide->kind == TEST_FIELD && narrow->kind == TEST_FIELD &&
	    strcmp(wide->field, narrow->field) == 0 &&
	    (strcmp(wide->glob, narrow->glob) == 0 ||
	    is_all_stars(wide->glob));
}

static bool
any_covered_by(const struct term *term, const struct test *wide)
{
	size_t i;

	for (i = 0; i < term->count; i++)
		if (covers(wide, &term->tests[i]))
			return true;
	return false;
}

/* Whether it excludes whatever the term includes, of an event of that code. */
static bool
takes_back(const struct term *later, const struct term *term,
    const char *code, enum event_class class)
{
	const struct test *test;

	if (!later->exclude)
		return false;
	for (test = later->tests; test < later->tests + later->count; test++)
		if (test->kind == TEST_FIELD ? !any_covered_by(term, test) :
		    !fits_type(test, code, class))
			return false;
	return true;
}

static bool
is_taken_back(const struct filter *f, size_t i, const char *code,
    enum event_class class)
{
	const struct term *term = &f->terms[i], *later;

	for (later = term + 1; later < f->terms + f->count; later++)
		if (takes_back(later, term, code, class))
			return true;
	return false;
}

/* Whether an event of that code can be kept, whatever its fields may be. */
static bool
can_keep(const struct filter *f, const char *code)
{
	enum event_class class = catalog_class(code);
	const struct term *term;
	bool more;
	size_t i;

	for (i = f->count; i-- > 0;) {
		term = &f->terms[i];
		if (!type_matches(term, code, class, &more))
			continue;
		if (!more)
			return !term->exclude;
		if (!term->exclude && !is_taken_back(f, i, code, class))
			return true;
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

/* Whether a term behind this one excludes every code. */
static bool
all_excluded_after(const struct filter *f, const struct term *term)
{
	while (++term < f->terms + f->count)
		if (term->exclude && term->count == 1 &&
		    term->tests[0].kind == TEST_CODE &&
		    is_all_stars(term->tests[0].glob))
			return true;
	return false;
}

/*
 * Of a term with several globs no example is looked for that fits them all:
 * there may be one.
 */
static bool
can_keep_codes(const struct filter *f, const struct term *term)
{
	size_t i, globs = 0, codes = 0;
	bool can = false;

	for (i = 0; i < term->count; i++) {
		if (term->tests[i].kind != TEST_CODE)
			continue;
		codes++;
		globs += is_glob(term->tests[i].glob);
		can = can || can_keep_glob(f, term->tests[i].glob);
	}
	return can || (globs > 1 && globs == codes &&
	    !all_excluded_after(f, term));
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
		if (!f->terms[i].exclude && can_keep_codes(f, &f->terms[i]))
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

static void
free_term(struct term *term)
{
	size_t i;

	for (i = 0; i < term->count; i++) {
		free(term->tests[i].field);
		free(term->tests[i].glob);
	}
	free(term->tests);
	free(term->text);
}

void
filter_free(struct filter *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->count; i++)
		free_term(&f->terms[i]);
	free(f->terms);
	free(f);
}

/* The last term that matches; NULL: none. */
static const struct term *
find_deciding(const struct filter *f, const char *code, struct pick *record)
{
	enum event_class class = catalog_class(code);
	const struct term *term;
	bool more;

	for (term = f->terms + f->count; term-- > f->terms;)
		if (type_matches(term, code, class, &more) &&
		    (!more || fields_match(term, record)))
			return term;
	return NULL;
}

/*
 * Whether all terms that may match, up to the first that does for certain,
 * say the same; *keeps is then what.
 */
static bool
type_decides(const struct filter *f, const char *code, bool *keeps)
{
	enum event_class class = catalog_class(code);
	bool may_keep = false, may_drop = false, more = true;
	const struct term *term = f->terms + f->count;

	while (more && term > f->terms) {
		term--;
		if (!type_matches(term, code, class, &more)) {
			more = true;
			continue;
		}
		may_keep |= !term->exclude;
		may_drop |= term->exclude;
	}
	if (more) {
		may_keep |= f->terms[0].exclude;
		may_drop |= !f->terms[0].exclude;
	}
	*keeps = may_keep;
	return !(may_keep && may_drop);
}

bool
filter_keeps(const struct filter *f, const char *code, struct pick *record)
{
	const struct term *term;
	bool keeps;

	if (type_decides(f, code, &keeps))
		return keeps;
	term = find_deciding(f, code, record);
	return term ? !term->exclude : f->terms[0].exclude;
}

const char *
filter_deciding_term(const struct filter *f, const char *code,
    struct pick *record)
{
	const struct term *term = find_deciding(f, code, record);

	return term ? term->text : NULL;
}

void
filter_each_field(const struct filter *f,
    void (*take)(void *context, const char *path), void *context)
{
	const struct term *term;
	size_t i;

	for (term = f->terms; term < f->terms + f->count; term++)
		for (i = 0; i < term->count; i++)
			if (term->tests[i].kind == TEST_FIELD)
				take(context, term->tests[i].field);
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

static void
doubt_glob(const char *glob, struct buf *out)
{
	if (matches_any_code(glob))
		return;
	if (is_glob(glob))
		buf_addf(out, "\"%s\" matches no event type of the "
		    "catalogue: it is right only if Auth0 has one new\n",
		    glob);
	else
		doubt_code(glob, out);
}

void
filter_doubts(const struct filter *f, struct buf *out)
{
	const struct term *term;
	size_t i;

	for (term = f->terms; term < f->terms + f->count; term++)
		for (i = 0; i < term->count; i++)
			if (term->tests[i].kind == TEST_CODE)
				doubt_glob(term->tests[i].glob, out);
}
