/* SPDX-License-Identifier: ISC */
/*
 * What messages are made of: cards, which become attachments in JSON or
 * lines for a terminal, and the headline above them. For slack.c and
 * slack_digest.c; all others see slack.h and slack_digest.h. Pure.
 */
#ifndef SLACK_CARD_H
#define SLACK_CARD_H

#include "json/json.h"
#include "slack/slack.h"

#define SLACK_TYPE_MAX 100	/* characters of a type code in a title */
#define SLACK_LABEL_MAX 63	/* bytes of a DNS label, RFC 1035 */
#define SLACK_ENVELOPE_MAX 600	/* bytes of a message without attachments */
#define SLACK_SHOWS 6		/* fields, as enum slack_show has */

/* ------------------------------------------------------ what is shown */

/*
 * A thing to show in a field: the field's title, and what an event says of
 * it. value() adds clean text of at most max characters, after escaping;
 * nothing when the event does not have it.
 */
struct slack_shown {
	const char *title;
	enum slack_show bit;
	void (*value)(struct buf *out, const struct event *e, size_t max);
};

extern const struct slack_shown slack_shown[SLACK_SHOWS];

/* --------------------------------------------------------------- cards */

struct slack_field {
	const char *title;
	struct buf value;
};

/* Text in a card is clean and cut, but not escaped. All zero: empty. */
struct slack_card {
	enum event_class class;	/* gives the colour */
	struct buf title;
	struct buf link;	/* empty: none */
	int64_t time_ms;	/* or EVENT_NO_TIME */
	struct slack_field fields[SLACK_SHOWS + 1];
	size_t field_count;
	const char *footer;	/* the event's name; NULL: none. Borrowed */
	bool wide;		/* each field has a row to itself */
};

/* The card of one event. The caller releases it. */
void slack_card_init(struct slack_card *card, const struct event *e,
    const struct slack_style *style);

/* What a type is called in a title, known or not. */
const char *slack_card_words(const char *type);

/* Adds "words [type: code]" to the title, of clean words and any type. */
void slack_card_title(struct slack_card *card, const char *words,
    const char *type);

/* A field of clean text; an empty value makes none. title is borrowed. */
void slack_card_field(struct slack_card *card, const char *title,
    const char *value);

/* Takes the last field away; there is one. */
void slack_card_drop_field(struct slack_card *card);

/*
 * The attachment; no member of it is empty. The caller frees it with
 * json_free(), or gives it away.
 */
struct json *slack_card_json(const struct slack_card *card);

/* Adds the card's lines, all but the time, each with "| " before it. */
void slack_card_lines(const struct slack_card *card, struct buf *out);

void slack_card_release(struct slack_card *card);

/*
 * Adds "2026-08-01 10:00:01 to 10:05:59 UTC", with the second date where
 * it is another day, or the one moment when both are the same second.
 * Nothing for EVENT_NO_TIME and what no calendar has.
 */
void slack_card_span(struct buf *out, int64_t first_ms, int64_t last_ms);

/* ------------------------------------------------------------ headline */

/* What stands above the cards. All zero: of no event yet. */
struct slack_headline {
	size_t count;		/* of events */
	char tenant[SLACK_LABEL_MAX + 1]; /* "" when they agree on none */
	int64_t aside;		/* others, set aside; 0: none */
};

/* Counts one more event. */
void slack_headline_add(struct slack_headline *h, const struct event *e);

/*
 * Adds the JSON of a whole message: the headline over an array of attachments,
 * which is given away, and may be empty.
 */
void slack_headline_message(const struct slack_headline *h,
    struct json *attachments, struct buf *payload);

/* Adds the headline as a line for a terminal. */
void slack_headline_line(const struct slack_headline *h, struct buf *text);

#endif
