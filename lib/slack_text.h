/* SPDX-License-Identifier: ISC */
/*
 * Foreign text made fit for Slack: clean it, cut it, then escape it, in
 * this order, so that no cut falls within an entity. Pure. Each function
 * adds to *out.
 */
#ifndef SLACK_TEXT_H
#define SLACK_TEXT_H

#include "buf.h"

#include <stddef.h>

/*
 * Text without what could make one line look like two or hide what it
 * says: runs of white space and control characters become one space, and
 * none at the ends; marks of text direction and what is not UTF-8 become
 * U+FFFD. Of a long text it gives a little more than max characters,
 * before escaping: enough for slack_text_cut() to cut it at max or less
 * and to mark that.
 */
void slack_text_clean(struct buf *out, const char *text, size_t max);

/* Characters of clean text as Slack counts them: after escaping. */
size_t slack_text_len(const char *text);

/*
 * Clean text of at most max > 0 such characters. What is longer is cut
 * between characters and ends in U+2026, which counts.
 */
void slack_text_cut(struct buf *out, const char *text, size_t max);

/* & < > as &amp; &lt; &gt; and nothing else, as Slack wants it. */
void slack_text_escape(struct buf *out, const char *text);

/* For a segment of a URL's path: %XX but for RFC 3986's unreserved. */
void slack_text_percent(struct buf *out, const char *text, size_t len);

#endif
