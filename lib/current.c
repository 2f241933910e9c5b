/* SPDX-License-Identifier: ISC */
/* The configuration in force. It knows no key but those of the log. */
#include "current.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

static void
load(struct current *c)
{
	memset(c, 0, sizeof(*c));
	config_load_to_serve(&c->config, &c->problems);
}

static void
set_log(const struct config *c)
{
	log_set_level(c->log_level);
	log_to_syslog(c->syslog);
	log_to_file(c->log_file);
}

void
current_load(struct current *c)
{
	load(c);
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
	char *lines = mem_dup(buf_text(&c->problems)), *line, *rest = NULL;

	for (line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		log_say(LEVEL_ERROR, "%s", line);
	free(lines);
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
	load(&fresh);
	if (!current_is_ready(&fresh) && current_is_ready(c)) {
		refuse(c, &fresh);
		return false;
	}
	current_release(c);
	*c = fresh;
	set_log(&c->config);
	return true;
}

void
current_release(struct current *c)
{
	config_release(&c->config);
	buf_release(&c->problems);
}
