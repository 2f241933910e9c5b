/* SPDX-License-Identifier: ISC */
/*
 * What fuzzing found, and all bodies of the tests, once more: without
 * clang, each split at every byte, and with a few bytes changed.
 */
#include "agree.h"

#include "tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES 40		/* of each file */
#define CUTS_MAX 2000		/* longer ones are split here and there */

static const char *const directories[] = { "t/fuzz/corpus", "t/data/bodies" };

/* Pieces of which trouble is made. */
static const char *const pieces[] = {
	"\"", "\\", "\\u0000", "\\ud83d", "\\uDE00", "\\u0074", "{", "}", "[",
	"]", ",", ":", "0", "-", ".", "e", "\"type\":", "\"data\":",
	"\"log_id\":", "\"logs\":[", "null", "\xC3\xBC", "\xE2\x82", "\xFF",
	"\n", "\x1F", "\"x\"", "\"x\":\"y\",",
};

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

/* A copy with something put in the place of up to five bytes. */
static void
change(struct buf *out, const struct buf *body, unsigned *seed)
{
	size_t at = body->len ? next_random(seed) % body->len : 0;
	size_t gone = next_random(seed) % 6;
	const char *piece = pieces[next_random(seed) % ROWS(pieces)];

	if (gone > body->len - at)
		gone = body->len - at;
	buf_clear(out);
	buf_add(out, body->data, at);
	buf_adds(out, piece);
	buf_add(out, buf_text(body) + at + gone, body->len - at - gone);
}

static void
test_file(const char *directory, const char *name, unsigned *seed)
{
	struct buf path = BUF_INIT, body = BUF_INIT, changed = BUF_INIT;
	struct buf how = BUF_INIT;
	unsigned i;

	buf_addf(&path, "%s/%s", directory, name);
	file_read(source_path(buf_text(&path)), &body);
	if (!ok(agree(buf_text(&body), body.len, body.len < CUTS_MAX, &how),
	    "all agree on %s", name))
		diag("%s", buf_text(&how));
	for (i = 0; i < CHANGES && how.len == 0; i++) {
		change(&changed, &body, seed);
		agree(changed.data, changed.len, false, &how);
	}
	if (!ok(how.len == 0, "and when it is changed"))
		diag("%s: %s", buf_text(&how), buf_text(&changed));
	buf_release(&path);
	buf_release(&body);
	buf_release(&changed);
	buf_release(&how);
}

static int
is_body(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".json") == 0;
}

int
main(void)
{
	struct dirent **entries;
	unsigned seed = 1;
	size_t row;
	int i, count;

	for (row = 0; row < ROWS(directories); row++) {
		count = scandir(source_path(directories[row]), &entries,
		    is_body, alphasort);
		ok(count > 20, "there are files in %s", directories[row]);
		for (i = 0; i < count; i++) {
			test_file(directories[row], entries[i]->d_name, &seed);
			free(entries[i]);
		}
		if (count >= 0)
			free(entries);
	}
	return done_testing();
}
