/* SPDX-License-Identifier: ISC */
/*
 * Foreign text made fit for Slack: clean it, cut it, then escape it, in
 * this order, so that no cut falls within an entity. Pure. Each function
 * adds to *out.
 */
#ifndef SLACK_TEXT_H
#define SLACK_TEXT_H

#include "base/buf.h"

#include <stddef.h>

/*
 * Text without what could make one line look like two, hide what it says,
 * or make two that look the same differ:
 *
 * - runs of white space (Unicode's White_Space, and the blank of Braille)
 *   and control characters become one space, and none at the ends;
 * - what is invisible is dropped: see utf8_is_invisible(). Marks of text
 *   direction are among it: a name in Hebrew or Arabic reads the same
 *   without, since its letters have their direction in themselves;
 * - but ZERO WIDTH JOINER and NON-JOINER stay between two letters of a
 *   script that is written with them (Unicode Standard, 23.2; UAX #31,
 *   2.3.1), and the joiner between two emoji (UTS #51). U+FE0E and U+FE0F,
 *   which choose the form of an emoji, stay behind one;
 * - what is not UTF-8 becomes U+FFFD.
 *
 * Of a long text it gives a little more than max characters, before
 * escaping: enough for slack_text_cut() to cut it at max or less and to
 * mark that.
 */
void slack_text_clean(struct buf *out, const char *text, size_t max);

/* Characters of clean text as Slack counts them: after escaping. */
size_t slack_text_len(const char *text);

/*
 * Clean text of at most max > 0 such characters. What is longer is cut
 * between characters and ends in U+2026, which counts.
 */
void slack_text_cut(struct buf *out, const char *text, size_t max);

/*
 * Clean text as Slack shows it unchanged: & < > as &amp; &lt; &gt;, and a
 * WORD JOINER (U+2060) behind each colon that begins a ":name:", which
 * Slack would show as a picture. Two digits are no name, but minutes.
 */
void slack_text_escape(struct buf *out, const char *text);

/* The same for what is no text but an address: & < > alone. */
void slack_text_escape_link(struct buf *out, const char *link);

/* For a segment of a URL's path: %XX but for RFC 3986's unreserved. */
void slack_text_percent(struct buf *out, const char *text, size_t len);

#endif
