/* SPDX-License-Identifier: ISC */
/* What each key means. It does not know where its text comes from. */
#include "key.h"

#include "slack.h"
#include "token.h"
#include "url.h"
#include "utf8.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 },
	{ "d", 86400000 }, { NULL, 0 }
};

static const struct unit sizes[] = {
	{ "B", 1 }, { "kB", 1000 }, { "MB", 1000000 }, { "KiB", 1024 },
	{ "MiB", 1048576 }, { "GiB", 1073741824 }, { NULL, 0 }
};

/* A number as people write it: in the largest unit that divides it. */
static void
add_amount(struct buf *out, int64_t number, const struct unit *units)
{
	const struct unit *unit, *best = units;

	for (unit = units; unit->name; unit++)
		if (number % unit->factor == 0 && unit->factor > best->factor)
			best = unit;
	buf_addf(out, "%lld%s", (long long)(number / best->factor),
	    best->name);
}

/* The one reader of numbers: digits and a unit, from min to max. */
static bool
read_number(struct config *c, const struct key *key, const char *text,
    const struct unit *units, const char *form, struct buf *why)
{
	size_t digits = strspn(text, ASCII_DIGITS);
	const struct unit *unit;
	long long number;

	for (unit = units; unit->name; unit++)
		if (strcmp(text + digits, unit->name) == 0)
			break;
	if (digits == 0 || !unit->name) {
		log_quote(why, text, strlen(text));
		buf_addf(why, " is not %s", form);
		return false;
	}
	errno = 0;
	number = strtoll(text, NULL, 10);
	if (errno != 0 || number > key->max / unit->factor ||
	    number * unit->factor < key->min) {
		buf_addf(why, "%s is out of range: from ", text);
		add_amount(why, key->min, units);
		buf_adds(why, " to ");
		add_amount(why, key->max, units);
		return false;
	}
	*(int64_t *)(void *)((char *)c + key->member) = number * unit->factor;
	return true;
}

static bool
read_duration(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	return read_number(c, key, text, durations, "a duration: write a "
	    "number and ms, s, min, h or d, such as 10s", why);
}

static bool
read_size(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	return read_number(c, key, text, sizes, "a size: write a number and "
	    "B, kB, MB, KiB, MiB or GiB, such as 16MiB", why);
}

/* The address is a secret: no reason may quote it. */
static bool
read_webhook(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	size_t len;

	(void)key;
	if (!url_host(text, &len)) {
		buf_adds(why, "it is not a URL such as "
		    "https://hooks.slack.com/services/...");
		return false;
	}
	if (strncmp(text, "http:", 5) == 0 && !url_is_loopback(text)) {
		buf_adds(why, "it must begin with https:// (http:// is for "
		    "addresses of this machine alone)");
		return false;
	}
	if (url_is_slack(text) &&
	    (strstr(text, "/triggers/") || strstr(text, "/workflows/"))) {
		buf_adds(why, "it is a workflow's trigger, which takes no "
		    "such messages: make an incoming webhook");
		return false;
	}
	c->webhook_url = mem_dup(text);
	return true;
}

static bool
read_tokens(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	unsigned shortest;

	(void)key;
	if (token_count(text, &shortest) == 0) {
		buf_adds(why, "it holds no token");
		return false;
	}
	c->tokens = mem_dup(text);
	return true;
}

static bool
read_filter(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	(void)key;
	c->filter = filter_new(text, why);
	return c->filter != NULL;
}

static bool
read_show(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	(void)key;
	return slack_show_read(text, &c->show, why);
}

static bool
read_dashboard(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	size_t len;

	(void)key;
	if (!url_host(text, &len)) {
		log_quote(why, text, strlen(text));
		buf_adds(why, " is not a URL such as "
		    "https://manage.auth0.com");
		return false;
	}
	c->dashboard_url = mem_dup(text);
	for (len = strlen(text); len > 0 && text[len - 1] == '/'; len--)
		c->dashboard_url[len - 1] = '\0';
	return true;
}

static bool
read_log(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	(void)key;
	c->syslog = strcmp(text, "syslog") == 0;
	if (c->syslog || strcmp(text, "stderr") == 0)
		return true;
	log_quote(why, text, strlen(text));
	buf_adds(why, " is neither stderr nor syslog");
	return false;
}

static bool
read_log_level(struct config *c, const struct key *key, const char *text,
    struct buf *why)
{
	static const char *const names[] = {
		[LEVEL_ERROR] = "error",
		[LEVEL_WARN] = "warn",
		[LEVEL_INFO] = "info",
		[LEVEL_DEBUG] = "debug",
	};
	size_t i;

	(void)key;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			c->log_level = (enum log_level)i;
			return true;
		}
	log_quote(why, text, strlen(text));
	buf_adds(why, " is not a level: choose from error warn info debug");
	return false;
}

const struct key config_keys[CONFIG_KEYS] = {
	{
		.name = "SLACK_WEBHOOK_URL",
		.help = "the Slack incoming webhook that messages go to",
		.read = read_webhook,
		.secret = true,
	}, {
		.name = "AUTH0_LOG_STREAM_TOKEN",
		.help = "the secret that Auth0 sends",
		.read = read_tokens,
		.secret = true,
		.many = true,
	}, {
		.name = "FILTER",
		.help = "which events are sent",
		.read = read_filter,
		.fallback = FILTER_DEFAULT,
	}, {
		.name = "SHOW",
		.help = "what a message tells: client user ip connection "
		    "tenant",
		.read = read_show,
		.fallback = "client",
	}, {
		.name = "SLACK_TIMEOUT",
		.help = "longest a post to Slack may take",
		.read = read_duration,
		.fallback = "10s",
		.min = 100,
		.max = 25000, /* all posts of a request together */
		.member = offsetof(struct config, slack_timeout_ms),
	}, {
		.name = "MAX_BODY",
		.help = "largest request body",
		.read = read_size,
		.fallback = "16MiB",
		.min = 1000,
		.max = 1073741824,
		.member = offsetof(struct config, max_body),
	}, {
		.name = "DASHBOARD_URL",
		.help = "base of the links to log entries",
		.read = read_dashboard,
		.fallback = "https://manage.auth0.com",
	}, {
		.name = "LOG",
		.help = "where log lines go: stderr syslog",
		.read = read_log,
		.fallback = "stderr",
	}, {
		.name = "LOG_LEVEL",
		.help = "how much is logged: error warn info debug",
		.read = read_log_level,
		.fallback = "info",
	},
};
