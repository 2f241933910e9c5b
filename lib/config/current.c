/* SPDX-License-Identifier: ISC */
/* The configuration in force. It knows no key but those of the log. */
#include "config/current.h"

#include "base/clock.h"
#include "base/log.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define WAITS_MAX 3		/* for files that keep being written */

/* The lines of text, each as a line of the log. */
static void
log_lines(enum log_level level, const struct buf *text)
{
	char *lines = mem_dup(buf_text(text)), *line, *rest = NULL;

	for (line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		log_say(level, "%s", line);
	free(lines);
}

static void
load(struct current *c, bool receives)
{
	memset(c, 0, sizeof(*c));
	c->receives = receives;
	if (config_load_to_serve(&c->config, &c->problems))
		config_is_settled(&c->config, receives, &c->problems);
}

static void
set_log(const struct config *c)
{
	log_set_level(c->log_level);
	log_to_syslog(c->syslog);
	log_to_file(c->log_file);
}

static void
wait_to_settle(struct current *c)
{
	int64_t left;
	unsigned i;

	for (i = 0; i < WAITS_MAX && c->config.look_at > 0; i++) {
		left = c->config.look_at - clock_ms();
		if (left > 0)
			poll(NULL, 0, (int)left);
		current_release(c);
		load(c, false);
	}
}

void
current_load(struct current *c, const struct buf *copy)
{
	memset(c, 0, sizeof(*c));
	if (copy) {
		config_load_copy(&c->config, copy, &c->problems);
		c->told = true;
	} else {
		load(c, false);
		wait_to_settle(c);
	}
	set_log(&c->config);
	current_log_warnings(c);
}

void
current_load_to_receive(struct current *c)
{
	load(c, true);
	set_log(&c->config);
}

bool
current_is_ready(const struct current *c)
{
	return c->problems.len == 0;
}

void
current_log_problems(const struct current *c)
{
	log_lines(LEVEL_ERROR, &c->problems);
}

void
current_log_warnings(struct current *c)
{
	if (c->told || !current_is_ready(c))
		return;
	c->told = true;
	log_lines(LEVEL_WARN, &c->config.warnings);
	if (c->receives && !c->config.tokens)
		log_say(LEVEL_WARN, "%s", CONFIG_OPEN);
}

/*
 * A file that is written in two steps has no token in between, or is gone
 * for a moment. A restart of the program takes it away.
 */
static void
check_loss(const struct current *c, struct current *fresh)
{
	if (!c->receives || !c->config.tokens || fresh->config.tokens)
		return;
	buf_adds(&fresh->problems, "AUTH0_LOG_STREAM_TOKEN is not set any "
	    "more: this process keeps the token that it has; start it anew "
	    "if everybody may post\n");
}

/* The stamps of the bad one are kept: it is complained about once. */
static void
refuse(struct current *c, struct current *fresh)
{
	current_log_problems(fresh);
	log_say(LEVEL_ERROR, "the new configuration is bad: the old one "
	    "stays in force");
	config_adopt_stamps(&c->config, &fresh->config);
	current_release(fresh);
}

bool
current_refresh(struct current *c)
{
	struct current fresh;

	if (!config_changed(&c->config))
		return false;
	load(&fresh, c->receives);
	if (current_is_ready(c) && current_is_ready(&fresh))
		check_loss(c, &fresh);
	if (!current_is_ready(&fresh) && current_is_ready(c)) {
		refuse(c, &fresh);
		return false;
	}
	current_release(c);
	*c = fresh;
	set_log(&c->config);
	if (!c->receives)
		current_log_warnings(c);
	return true;
}

void
current_release(struct current *c)
{
	config_release(&c->config);
	buf_release(&c->problems);
}
