/* SPDX-License-Identifier: ISC */
/*
 * From events to Slack messages: a card an event, as many as fit. This
 * file knows nothing of HTTP or of where events come from.
 */
#include "slack/slack.h"

#include "base/log.h"
#include "slack/slack_card.h"

#include <string.h>

/* -------------------------------------------------------------- SHOW */

static const struct {
	const char *word;
	enum slack_show bit;
} words[] = {
	{ "description", SHOW_DESCRIPTION },
	{ "client", SHOW_CLIENT },
	{ "user", SHOW_USER },
	{ "ip", SHOW_IP },
	{ "connection", SHOW_CONNECTION },
	{ "tenant", SHOW_TENANT },
	{ "organization", SHOW_ORGANIZATION },
};

static bool
read_word(const char *word, size_t len, unsigned *show)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len &&
		    memcmp(words[i].word, word, len) == 0) {
			*show |= words[i].bit;
			return true;
		}
	return false;
}

bool
slack_show_read(const char *text, unsigned *show, struct buf *why)
{
	size_t len;

	*show = 0;
	for (text += strspn(text, " \t,"); *text;
	     text += len, text += strspn(text, " \t,")) {
		len = strcspn(text, " \t,");
		if (!read_word(text, len, show)) {
			log_quote(why, text, len);
			buf_adds(why, " cannot be shown: choose from "
			    SLACK_SHOW_WORDS);
			return false;
		}
	}
	return true;
}

/* ----------------------------------------------------------- message */

/*
 * Adds the attachments of the first events to the array. An attachment is
 * always far smaller than a message may be: see the limits in slack.h.
 */
static size_t
add_attachments(struct json *array, struct event *const *events, size_t count,
    const struct slack_style *style)
{
	size_t n, len, total = SLACK_ENVELOPE_MAX;
	struct json *attachment;
	struct slack_card card;

	for (n = 0; n < count && n < SLACK_ATTACHMENTS_MAX; n++) {
		slack_card_init(&card, events[n], style);
		attachment = slack_card_json(&card);
		slack_card_release(&card);
		json_text(attachment, &len);
		total += len + 1;
		if (n > 0 && total > SLACK_BYTES_MAX) {
			json_free(attachment);
			break;
		}
		json_add(array, attachment);
	}
	return n;
}

static struct slack_headline
headline_of(struct event *const *events, size_t count)
{
	struct slack_headline headline = { 0 };
	size_t i;

	for (i = 0; i < count; i++)
		slack_headline_add(&headline, events[i]);
	return headline;
}

size_t
slack_message(struct buf *payload, struct event *const *events, size_t count,
    const struct slack_style *style)
{
	struct json *attachments = json_new_array();
	struct slack_headline headline;
	size_t taken;

	taken = add_attachments(attachments, events, count, style);
	headline = headline_of(events, taken);
	headline.aside = style->aside;
	slack_headline_message(&headline, attachments, payload);
	return taken;
}

/* ----------------------------------------------------------- preview */

static void
preview_event(struct buf *text, const struct event *e,
    const struct slack_style *style)
{
	struct buf when = BUF_INIT;
	struct slack_card card;

	slack_card_init(&card, e, style);
	slack_card_lines(&card, text);
	slack_card_span(&when, card.time_ms, card.time_ms);
	if (when.len > 0)
		buf_addf(text, "| %s\n", when.data);
	slack_card_release(&card);
	buf_release(&when);
}

size_t
slack_preview(struct buf *text, struct event *const *events, size_t count,
    const struct slack_style *style)
{
	struct json *attachments = json_new_array();
	struct slack_headline headline;
	size_t i, taken;

	taken = add_attachments(attachments, events, count, style);
	json_free(attachments);
	headline = headline_of(events, taken);
	slack_headline_line(&headline, text);
	for (i = 0; i < taken; i++)
		preview_event(text, events[i], style);
	return taken;
}
