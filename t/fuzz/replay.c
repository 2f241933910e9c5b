/* SPDX-License-Identifier: ISC */
/*
 * What fuzzing found, and all bodies of the tests, once more: without
 * clang, each body split at every byte, and all with a few bytes changed.
 */
#include "target.h"

#include "base/log.h"
#include "tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES 25		/* of each file */
#define CUTS_MAX 2000		/* longer ones are split here and there */
#define WORDS_MAX 200

static const struct row {
	const char *name;
	const char *directory;
	const char *ending;	/* of the names of its files */
	fuzz_target *target;
	fuzz_target *strict;	/* for short files that are not changed */
} rows[] = {
	{ "body", "t/fuzz/corpus/body", "", body_holds,
	    body_holds_at_each_cut },
	{ "body", "t/data/bodies", ".json", body_holds,
	    body_holds_at_each_cut },
	{ "config", "t/fuzz/corpus/config", "", config_holds, config_holds },
	{ "filter", "t/fuzz/corpus/filter", "", filter_holds, filter_holds },
	{ "message", "t/fuzz/corpus/message", "", message_holds,
	    message_holds },
	{ "params", "t/fuzz/corpus/params", "", params_holds, params_holds },
};

/* ---------------------------------------------------------- dictionary */

/* The words of a fuzzer's dictionary, of which trouble is made here too. */
struct dictionary {
	struct buf words[WORDS_MAX];
	size_t count;
};

/* What stands in quotes, with \\, \" and \xHH in it. */
static void
read_word(struct buf *word, const char *at)
{
	char digits[3] = { 0 };

	for (; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1] == 'x') {
			strncpy(digits, at + 2, 2);
			buf_addc(word, (char)strtol(digits, NULL, 16));
			at += 1 + strlen(digits);
		} else {
			at += *at == '\\';
			buf_addc(word, *at);
		}
	}
}

static void
read_dictionary(struct dictionary *d, const char *name)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	char *line, *rest = NULL;

	memset(d, 0, sizeof(*d));
	buf_addf(&path, "t/fuzz/%s.dict", name);
	file_read(source_path(buf_text(&path)), &text);
	buf_addc(&text, '\n');
	for (line = strtok_r(text.data, "\n", &rest);
	    line && d->count < WORDS_MAX; line = strtok_r(NULL, "\n", &rest))
		if (*line == '"')
			read_word(&d->words[d->count++], line + 1);
	buf_release(&path);
	buf_release(&text);
}

static void
dictionary_release(struct dictionary *d)
{
	while (d->count > 0)
		buf_release(&d->words[--d->count]);
}

/* --------------------------------------------------------------- files */

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

/* A copy with a word in the place of up to five bytes. */
static void
change(struct buf *out, const struct buf *bytes, const struct dictionary *d,
    unsigned *seed)
{
	size_t at = bytes->len ? next_random(seed) % bytes->len : 0;
	size_t gone = next_random(seed) % 6;
	const struct buf *word = &d->words[next_random(seed) % d->count];

	if (gone > bytes->len - at)
		gone = bytes->len - at;
	buf_clear(out);
	buf_add(out, buf_text(bytes), at);
	buf_add(out, word->data, word->len);
	buf_add(out, buf_text(bytes) + at + gone, bytes->len - at - gone);
}

/* In memory of just its size: a read beyond it is found. */
static bool
holds(fuzz_target *target, const struct buf *bytes, struct buf *how)
{
	char *copy = mem_alloc(bytes->len);
	bool good;

	if (bytes->len > 0)
		memcpy(copy, bytes->data, bytes->len);
	good = target(copy, bytes->len, how);
	free(copy);
	return good;
}

/* A NUL byte would end a text. */
static void
diag_bytes(const struct buf *how, const struct buf *bytes)
{
	struct buf text = BUF_INIT;

	log_escape(&text, buf_text(bytes), bytes->len);
	diag("%s: %s", buf_text(how), buf_text(&text));
	buf_release(&text);
}

static void
test_file(const struct row *row, const char *name, const struct dictionary *d,
    unsigned *seed)
{
	struct buf path = BUF_INIT, bytes = BUF_INIT, changed = BUF_INIT;
	struct buf how = BUF_INIT;
	unsigned i;

	buf_addf(&path, "%s/%s", row->directory, name);
	file_read(source_path(buf_text(&path)), &bytes);
	if (!ok(holds(bytes.len < CUTS_MAX ? row->strict : row->target, &bytes,
	    &how), "all is well with %s: %s", row->name, name))
		diag("%s", buf_text(&how));
	for (i = 0; i < CHANGES && how.len == 0; i++) {
		change(&changed, &bytes, d, seed);
		holds(row->target, &changed, &how);
	}
	if (!ok(how.len == 0, "and when it is changed"))
		diag_bytes(&how, &changed);
	buf_release(&path);
	buf_release(&bytes);
	buf_release(&changed);
	buf_release(&how);
}

static bool
is_wanted(const char *name, const char *ending)
{
	size_t len = strlen(name), tail = strlen(ending);

	return *name != '.' && len >= tail &&
	    strcmp(name + len - tail, ending) == 0;
}

static void
test_directory(const struct row *row)
{
	struct dictionary d;
	struct dirent **entries;
	unsigned seed = 1;
	int i, count, wanted = 0;

	read_dictionary(&d, row->name);
	count = scandir(source_path(row->directory), &entries, NULL,
	    alphasort);
	for (i = 0; i < count; i++) {
		if (is_wanted(entries[i]->d_name, row->ending)) {
			test_file(row, entries[i]->d_name, &d, &seed);
			wanted++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	ok(wanted > 10, "there are files in %s", row->directory);
	dictionary_release(&d);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ROWS(rows); i++)
		test_directory(&rows[i]);
	return done_testing();
}
