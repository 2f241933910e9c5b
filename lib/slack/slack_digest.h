/* SPDX-License-Identifier: ISC */
/*
 * A digest: one Slack message that counts events by type in place of
 * listing them, for when there are too many to read. Pure. What slack.h
 * says of foreign text and of limits holds here as well.
 *
 * It has an attachment a type, the most frequent first: how many, between
 * when and when, and of each thing that SHOW allows the three values that
 * came most often. Types beyond what a message has room for are counted
 * together in the last attachment, so that every event is counted once.
 */
#ifndef SLACK_DIGEST_H
#define SLACK_DIGEST_H

#include "slack/slack.h"

/*
 * Events a digest takes at most, which is the caller's duty: the memory it
 * needs grows with the different values in them.
 */
#define DIGEST_MAX 10000

/*
 * Whether so many waiting events are to be counted, not listed: they are
 * more than DIGEST_AFTER, which 0 sets to never.
 */
bool slack_digest_is_due(int64_t digest_after, int64_t waiting);

struct slack_digest;

/*
 * An empty digest. The style is borrowed until it is freed, which the
 * caller does with slack_digest_free().
 */
struct slack_digest *slack_digest_new(const struct slack_style *style);

/* Counts an event, of which it keeps a copy of what it needs. */
void slack_digest_add(struct slack_digest *d, const struct event *e);

/* Events added so far. */
size_t slack_digest_count(const struct slack_digest *d);

/*
 * Adds to *payload the JSON of one message about all events added, of
 * which there is one at least. It is within the limits of slack.h whatever
 * the events hold: where their values would make it too long, the less
 * frequent types go without some. No member of the JSON is empty or
 * null. The digest stays as it is.
 */
void slack_digest_message(const struct slack_digest *d,
    struct buf *payload);

/* The same message laid out for a person in a terminal, in plain text. */
void slack_digest_preview(const struct slack_digest *d, struct buf *text);

/* Takes NULL. */
void slack_digest_free(struct slack_digest *d);

#endif
