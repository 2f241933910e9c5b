/* SPDX-License-Identifier: ISC */
/*
 * What each key means and what of it is unwise. It does not know where its
 * text comes from.
 */
#include "config/key.h"

#include "base/url.h"
#include "base/utf8.h"
#include "config/token.h"
#include "queue/queue_place.h"
#include "slack/slack.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_SHORT 16		/* characters; fewer can be guessed */

/* ----------------------------------------------------------- numbers */

struct unit {
	const char *name;
	int64_t factor;
};

struct quantity {
	const char *fault;	/* of a text that is none: "not a ..." */
	struct unit units[7];	/* behind the last: no name */
};

static const struct quantity duration = {
	"not a duration: write a number and ms, s, min, h or d, such as 10s",
	{ { "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 },
	{ "d", 86400000 } }
};

static const struct quantity size = {
	"not a size: write a number and B, kB, MB, KiB, MiB or GiB, such as "
	    "16MiB",
	{ { "B", 1 }, { "kB", 1000 }, { "MB", 1000000 }, { "KiB", 1024 },
	{ "MiB", 1048576 }, { "GiB", 1073741824 } }
};

static const struct quantity count = {
	"not a number: write digits alone, such as 60", { { "", 1 } }
};

/* Adds that a text is not what it should be. */
static bool
refuse(struct buf *why, const char *text, const char *what)
{
	log_quote(why, text, strlen(text));
	buf_addf(why, " is %s", what);
	return false;
}

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
read_number(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	const struct key *key = entry->key;
	const struct unit *units = key->quantity->units;
	size_t digits = strspn(text, ASCII_DIGITS);
	const struct unit *unit;
	long long number;

	for (unit = units; unit->name; unit++)
		if (strcmp(text + digits, unit->name) == 0)
			break;
	if (digits == 0 || !unit->name)
		return refuse(why, text, key->quantity->fault);
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

/* ------------------------------------------------------------ values */

/* The address is a secret: no reason may quote it. */
static bool
read_webhook(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	size_t len;

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
	c->destinations[entry->destination].webhook_url = text;
	return true;
}

static bool
read_tokens(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	unsigned shortest;

	(void)entry;
	if (token_count(text, &shortest) == 0) {
		buf_adds(why, "it holds no token");
		return false;
	}
	c->tokens = text;
	return true;
}

static bool
read_filter(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	struct destination *d = &c->destinations[entry->destination];

	d->filter = filter_new(text, why);
	return d->filter != NULL;
}

static bool
read_show(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	(void)entry;
	return slack_show_read(text, &c->show, why);
}

#if defined(HAVE_LIBPQ) && !DOOR_IS_STATIC
#define POSTGRESQL_FAULT NULL
#else
#define POSTGRESQL_FAULT "this program was built without PostgreSQL: use " \
	"sqlite:/path"
#endif

/* It may hold a password: no reason quotes it. */
static const char *
queue_fault(const char *text)
{
	static const char sqlite[] = "sqlite:", postgres[] = "postgres",
	    postgresql[] = "postgresql://";

	if (strncmp(text, postgresql, strlen(postgresql)) == 0)
		return queue_is_encoded(text) ? POSTGRESQL_FAULT :
		    "in a user, password or name write / as %2F and @ as %40";
	if (strncmp(text, postgres, strlen(postgres)) == 0)
		return "write postgresql://user@host/database";
	if (strncmp(text, sqlite, strlen(sqlite)) != 0)
		return "it is not a queue: write sqlite: and the path of a "
		    "file, such as " QUEUE_EXAMPLE;
	if (text[strlen(sqlite)] != '/')
		return "the path is relative: begin it with /, such as "
		    QUEUE_EXAMPLE;
	return NULL;
}

static bool
read_queue(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	const char *fault = queue_fault(text);

	(void)entry;
	if (fault)
		buf_adds(why, fault);
	else {
		c->queue = text;
		c->queue_shown = queue_shown_dup(text);
	}
	return !fault;
}

static bool
read_queue_on_network(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	(void)entry;
	c->queue_on_network = strcmp(text, "yes") == 0;
	return c->queue_on_network || strcmp(text, "no") == 0 ||
	    refuse(why, text, "neither yes nor no");
}

static bool
read_dashboard(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	size_t len;

	(void)entry;
	if (!url_host(text, &len))
		return refuse(why, text, "not a URL such as "
		    "https://manage.auth0.com");
	c->dashboard_url = mem_dup(text);
	for (len = strlen(text); len > 0 && text[len - 1] == '/'; len--)
		c->dashboard_url[len - 1] = '\0';
	return true;
}

static bool
read_log(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	(void)entry;
	c->syslog = strcmp(text, "syslog") == 0;
	if (c->syslog || strcmp(text, "stderr") == 0)
		return true;
	if (*text == '/') {
		c->log_file = text;
		return true;
	}
	return refuse(why, text, "neither stderr nor syslog nor the path of "
	    "a file (/...)");
}

static bool
read_log_level(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why)
{
	static const char *const names[] = {
		[LEVEL_ERROR] = "error",
		[LEVEL_WARN] = "warn",
		[LEVEL_INFO] = "info",
		[LEVEL_DEBUG] = "debug",
	};
	size_t i;

	(void)entry;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			c->log_level = (enum log_level)i;
			return true;
		}
	return refuse(why, text, "not a level: choose from error warn info "
	    "debug");
}

/* ------------------------------------------------------------ doubts */

static void
doubt_webhook(const struct config *c, const struct config_entry *entry,
    struct buf *out)
{
	const struct destination *d = &c->destinations[entry->destination];
	const char *host, *url = d->webhook_url;
	size_t len;

	host = url ? url_host(url, &len) : NULL;
	if (host && !url_is_slack(url))
		buf_addf(out, "%s: %.*s is not Slack\n", entry->label,
		    (int)len, host);
	if (d->shares != entry->destination)
		buf_addf(out, "destinations %s and %s have the same webhook: "
		    "they share one rate limit\n",
		    c->destinations[d->shares].name, d->name);
}

static void
doubt_tokens(const struct config *c, const struct config_entry *entry,
    struct buf *out)
{
	unsigned shortest;

	if (!c->tokens)
		buf_adds(out, CONFIG_OPEN "\n");
	else if (token_count(c->tokens, &shortest), shortest < TOKEN_SHORT)
		buf_addf(out, "%s: a token of fewer than %d characters can "
		    "be guessed\n", entry->label, TOKEN_SHORT);
}

static void
doubt_filter(const struct config *c, const struct config_entry *entry,
    struct buf *out)
{
	const struct destination *d = &c->destinations[entry->destination];
	const char *given = entry->value.text;
	struct buf doubts = BUF_INIT;
	char *doubt, *rest = NULL;

	/* With no destination at all it serves try and types. */
	if (!d->webhook_url && given && *given && c->destination_count > 1)
		buf_addf(out, "%s is for SLACK_WEBHOOK_URL, which is not "
		    "set: no other destination has it\n", entry->label);
	filter_doubts(d->filter, &doubts);
	if (doubts.len > 0)
		for (doubt = strtok_r(doubts.data, "\n", &rest); doubt;
		     doubt = strtok_r(NULL, "\n", &rest))
			buf_addf(out, "%s: %s\n", entry->label, doubt);
	buf_release(&doubts);
}

/* ------------------------------------------------------------- table */

const struct key config_keys[CONFIG_KEYS] = {
	{
		.name = "SLACK_WEBHOOK_URL",
		.help = "the Slack incoming webhook that messages go to",
		.read = read_webhook,
		.doubt = doubt_webhook,
		.secret = true,
		.per_destination = true,
		.makes_destination = true,
	}, {
		.name = "AUTH0_LOG_STREAM_TOKEN",
		.help = "the secret that Auth0 sends",
		.read = read_tokens,
		.doubt = doubt_tokens,
		.secret = true,
		.many = true,
	}, {
		.name = "FILTER",
		.help = "which events are sent",
		.read = read_filter,
		.doubt = doubt_filter,
		.fallback = FILTER_DEFAULT,
		.per_destination = true,
	}, {
		.name = "SHOW",
		.help = "what a message tells: " SLACK_SHOW_WORDS,
		.read = read_show,
		.fallback = "description client",
	}, {
		.name = "QUEUE",
		.help = "where events wait for delivery: sqlite:/path or "
		    "postgresql://...",
		.read = read_queue,
		.secret = true,
		.shown_dup = queue_shown_dup,
	}, {
		.name = "QUEUE_ON_NETWORK",
		.help = "whether the queue may be on a network file system: "
		    "no yes",
		.read = read_queue_on_network,
		.fallback = "no",
	}, {
		.name = "SLACK_INTERVAL",
		.help = "least time between messages to one webhook",
		.read = read_number,
		.quantity = &duration,
		.fallback = "1s",
		.min = 1,
		.max = 3600000,
		.member = offsetof(struct config, slack_interval_ms),
	}, {
		.name = "SLACK_TIMEOUT",
		.help = "longest a post to Slack may take",
		.read = read_number,
		.quantity = &duration,
		.fallback = "10s",
		.min = 100,
		.max = 25000, /* all posts of a request together */
		.member = offsetof(struct config, slack_timeout_ms),
	}, {
		.name = "SLACK_RETRY_MAX",
		.help = "longest wait between tries",
		.read = read_number,
		.quantity = &duration,
		.fallback = "5min",
		.min = 10,
		.max = 86400000,
		.member = offsetof(struct config, slack_retry_max_ms),
	}, {
		.name = "DIGEST_AFTER",
		.help = "events above which a message counts them; 0: never",
		.read = read_number,
		.quantity = &count,
		.fallback = "60",
		.min = 0,
		.max = 1000000,
		.member = offsetof(struct config, digest_after),
	}, {
		.name = "RETENTION",
		.help = "how long the queue remembers what it is done with",
		.read = read_number,
		.quantity = &duration,
		.fallback = "7d",
		.min = 1000,
		.max = 31536000000,
		.member = offsetof(struct config, retention_ms),
	}, {
		.name = "QUEUE_MAX",
		.help = "waiting events above which no more are taken",
		.read = read_number,
		.quantity = &count,
		.fallback = "1000000",
		.min = 1,
		.max = 100000000,
		.member = offsetof(struct config, queue_max),
	}, {
		.name = "MAX_BODY",
		.help = "largest request body",
		.read = read_number,
		.quantity = &size,
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
		.help = "where log lines go: stderr syslog /path",
		.read = read_log,
		.fallback = "stderr",
	}, {
		.name = "LOG_LEVEL",
		.help = "how much is logged: error warn info debug",
		.read = read_log_level,
		.fallback = "info",
	},
};
