/* SPDX-License-Identifier: ISC */
/*
 * JSON pruned while it arrives: scan.h walks the bytes of an object, and the
 * members that are wanted go to json-c, which makes a tree of them. So json-c
 * never gets what nobody asks for, and neither the length nor the depth of
 * that takes up memory. Pure.
 *
 * In the copy a number is an object, {"#":"12"}, whose text has every digit
 * (json-c saturates beyond 64 bits); an object that is wanted itself, and not
 * for something in it, is {}; so is an array whose items are not wanted, and
 * anything that stands where only something in it is wanted. A string has at
 * least PRUNE_TEXT_MAX bytes of its text, and what is far longer is cut
 * between two characters. A value in more than PRUNE_LEVELS_MAX arrays and
 * objects is null. U+0000 in a name is U+FFFD. Of members of one name the last
 * counts.
 */
#ifndef PRUNE_H
#define PRUNE_H

#include "json/json.h"
#include "json/scan.h"

#define PRUNE_TEXT_MAX 8192	/* bytes */
#define PRUNE_ITEMS_MAX 65536	/* of all arrays; those beyond are left out */
#define PRUNE_LEVELS_MAX 100
#define PRUNE_NUMBER "#"

/* Why prune_read() came back. */
enum prune_stop {
	PRUNE_MORE,	/* the bytes are over, the object is not */
	PRUNE_BAD,
	PRUNE_LOGS,	/* before the array of "logs": see prune_begin() */
	PRUNE_WHOLE
};

enum prune_items {
	PRUNE_NO_ITEMS,	/* of an array that the path ends at */
	PRUNE_ITEMS
};

struct prune;

struct prune *prune_new(void);
void prune_free(struct prune *p);

/*
 * Before the first object: what is at this path is wanted, "type", or, in
 * objects within it, "data.details.error". Where the path meets an array it
 * goes on in each of its items. The path is copied; its names must not need
 * an escape in JSON.
 */
void prune_want(struct prune *p, const char *path, enum prune_items items);

/*
 * The next byte begins an object; what begins with another is as good as an
 * empty one. An array that is a member "logs" of its own is left to the
 * caller, if stop_at_logs says so.
 */
void prune_begin(struct prune *p, bool stop_at_logs);

/*
 * Reads on, and sets *done to how many of the bytes are good; they may be gone
 * after the call. *why is set with PRUNE_BAD alone.
 */
enum prune_stop prune_read(struct prune *p, struct scan *s, const char *bytes,
    size_t len, size_t *done, const char **why);

/* The next byte is the first behind the array of "logs". */
void prune_resume(struct prune *p, struct scan *s);

/*
 * Goes on with s in place of the scan that has read the object so far, around
 * which s has so many levels open.
 */
void prune_move(struct prune *p, struct scan *s, size_t depth);

/* Of a whole object: the copy, which the caller frees with json_free(). */
struct json *prune_end(struct prune *p);

/* The text of a name in quotes, with or without escapes. Adds to *text. */
void prune_unquote(struct prune *p, struct buf *text, const char *quoted,
    size_t len);

#endif
