/* SPDX-License-Identifier: ISC */
/* Messages composed and logged. It does not know who posts them, or when. */
#include "delivery/message.h"

#include "slack/slack.h"
#include "slack/slack_digest.h"

static struct slack_style
style_of(const struct config *c)
{
	struct slack_style style = { c->show, c->dashboard_url, 0 };

	return style;
}

static struct slack_digest *
digest_of(struct event *const *events, size_t *count,
    const struct slack_style *style)
{
	struct slack_digest *d = slack_digest_new(style);
	size_t i;

	if (*count > DIGEST_MAX)
		*count = DIGEST_MAX;
	for (i = 0; i < *count; i++)
		slack_digest_add(d, events[i]);
	return d;
}

size_t
message_compose(struct buf *payload, struct event *const *events,
    size_t count, bool digest, int64_t aside, const struct config *c)
{
	struct slack_style style = style_of(c);
	struct slack_digest *d;

	style.aside = aside;
	if (!digest)
		return slack_message(payload, events, count, &style);
	d = digest_of(events, &count, &style);
	slack_digest_message(d, payload);
	slack_digest_free(d);
	return count;
}

size_t
message_preview(struct buf *text, struct event *const *events, size_t count,
    bool digest, const struct config *c)
{
	struct slack_style style = style_of(c);
	struct slack_digest *d;

	if (!digest)
		return slack_preview(text, events, count, &style);
	d = digest_of(events, &count, &style);
	slack_digest_preview(d, text);
	slack_digest_free(d);
	return count;
}

void
message_log_event(enum log_level level, const struct event *e,
    const char *destination, const char *outcome)
{
	log_event(level, e->log_id, e->type, destination, NULL, outcome);
}

void
message_log_events(struct event *const *events, size_t count,
    const char *destination, const char *outcome)
{
	size_t i;

	for (i = 0; i < count; i++)
		message_log_event(LEVEL_INFO, events[i], destination,
		    outcome);
}

void
message_log(const char *destination, size_t events, bool digest,
    const struct post_outcome *outcome, int64_t took_ms)
{
	struct log_line line;

	log_begin(&line, outcome->result == POST_SENT ? LEVEL_INFO :
	    LEVEL_ERROR);
	log_str(&line, "destination", destination);
	log_num(&line, "events", (long long)events);
	if (digest)
		log_str(&line, "form", "digest");
	log_num(&line, "slack_status", outcome->status);
	log_str(&line, "slack", outcome->reason);
	log_num(&line, "ms", took_ms);
	if (outcome->retry_after_s > 0)
		log_num(&line, "retry_after_s", outcome->retry_after_s);
	log_str(&line, "outcome", post_result_name(outcome->result));
	log_end(&line);
}
