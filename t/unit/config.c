/* SPDX-License-Identifier: ISC */
/*
 * Configuration, read from real files and the real environment. The tests
 * run in a directory of their own, where .env is the file to be found
 * first. The user database is ours: see getpwuid().
 */
#include "config/config.h"

#include "slack/slack.h"
#include "tap.h"

#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOOK "https://hooks.slack.com/services/T0/B0/hunter2hunter2"
#define TOKEN "hunter2hunter2hunter2"
#define SECRET "hunter2"
#define SYSTEM_FILE SYSCONFDIR "/log-stream-to-slack.conf"

static const char *scratch;
static char home[4096];
static bool homeless;

/* In place of the C library's: the owner's home is a directory of ours. */
struct passwd *
getpwuid(uid_t uid)
{
	static struct passwd owner;

	owner.pw_uid = uid;
	owner.pw_dir = home;
	return homeless ? NULL : &owner;
}

static const char *const variables[] = {
	"SLACK_WEBHOOK_URL", "SLACK_WEBHOOK_URL_FILE",
	"AUTH0_LOG_STREAM_TOKEN", "AUTH0_LOG_STREAM_TOKEN_FILE", "FILTER",
	"SHOW", "QUEUE", "QUEUE_ON_NETWORK", "SLACK_INTERVAL",
	"SLACK_TIMEOUT", "SLACK_RETRY_MAX", "DIGEST_AFTER", "RETENTION",
	"QUEUE_MAX", "MAX_BODY", "DASHBOARD_URL", "LOG",
	"LOG_LEVEL", "LOG_STREAM_CONFIG", "FILTER_FILE",
	"SLACK_WEBHOOK_URL_ops", "SLACK_WEBHOOK_URL_ops_FILE",
	"SLACK_WEBHOOK_URL_dev", "SLACK_WEBHOOK_URL_default",
	"SLACK_WEBHOOK_URL_a-b", "SLACK_WEBHOOK_URL_\n", "FILTER_ops",
	"FILTER_dev", "FILTER_ops_FILE",
};

/* No variable is set, and .env holds text (NULL: there is no .env). */
static void
start_over(const char *text)
{
	size_t i;

	for (i = 0; i < ROWS(variables); i++)
		unsetenv(variables[i]);
	unlink(".env");
	if (text)
		file_write(".env", text, strlen(text), 0600);
}

static void
write_text(const char *path, const char *text)
{
	file_write(path, text, strlen(text), 0600);
}

/* Sets variables from "NAME=value" texts up to NULL. */
static void
set_variables(const char *const *settings)
{
	char name[100];
	const char *equals;

	for (; *settings; settings++) {
		equals = strchr(*settings, '=');
		snprintf(name, sizeof(name), "%.*s",
		    (int)(equals - *settings), *settings);
		setenv(name, equals + 1, 1);
	}
}

/* What is wrong with the configuration there is; valid until next time. */
static const char *
problems(void)
{
	static struct buf text;
	struct config c;

	buf_clear(&text);
	if (config_load(&c, &text) != (text.len == 0))
		buf_adds(&text, "(config_load says otherwise)");
	config_release(&c);
	return buf_text(&text);
}

/* What is most likely not meant in it; valid until next time. */
static const char *
warnings(void)
{
	static struct buf text;
	struct buf ignored = BUF_INIT;
	struct config c;

	buf_clear(&text);
	config_load(&c, &ignored);
	buf_adds(&text, buf_text(&c.warnings));
	config_release(&c);
	buf_release(&ignored);
	return buf_text(&text);
}

/* ----------------------------------------------------------- defaults */

static bool
keeps(const struct config *c, size_t destination, const char *type)
{
	return filter_keeps(c->destinations[destination].filter, type,
	    NULL);
}

static void
test_defaults(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("");
	ok(config_load(&c, &text), "an empty configuration is good");
	is_str(buf_text(&text), "", "and has no problem");
	is_num((long long)c.destination_count, 1, "one destination");
	is_str(c.destinations[0].name, "default", "which is default");
	ok(!c.destinations[0].webhook_url, "no webhook");
	ok(!config_destination(&c, "default"), "so nothing can be sent there");
	ok(!c.tokens, "no token");
	ok(keeps(&c, 0, "f") && keeps(&c, 0, "api_limit") &&
	    keeps(&c, 0, "pwd_leak") && !keeps(&c, 0, "s") &&
	    !keeps(&c, 0, "w"), "FILTER is failure limit anomaly");
	is_num(c.show, SHOW_DESCRIPTION | SHOW_CLIENT,
	    "SHOW is description client");
	ok(!c.queue, "no queue");
	ok(!c.queue_on_network, "QUEUE_ON_NETWORK is no");
	is_num(c.slack_interval_ms, 1000, "SLACK_INTERVAL is 1s");
	is_num(c.slack_timeout_ms, 10000, "SLACK_TIMEOUT is 10s");
	is_num(c.slack_retry_max_ms, 300000, "SLACK_RETRY_MAX is 5min");
	is_num(c.digest_after, 60, "DIGEST_AFTER is 60");
	is_num(c.retention_ms, 604800000, "RETENTION is 7d");
	is_num(c.queue_max, 1000000, "QUEUE_MAX is 1000000");
	is_num(c.max_body, 16 * 1024 * 1024, "MAX_BODY is 16MiB");
	is_str(c.dashboard_url, "https://manage.auth0.com",
	    "DASHBOARD_URL is Auth0's");
	ok(!c.syslog && !c.log_file, "LOG is stderr");
	is_num(c.log_level, LEVEL_INFO, "LOG_LEVEL is info");
	config_describe(&c, &text);
	is_str(buf_text(&text),
	    "# the Slack incoming webhook that messages go to\n"
	    "SLACK_WEBHOOK_URL=    (not set)\n"
	    "# the secret that Auth0 sends\n"
	    "AUTH0_LOG_STREAM_TOKEN=    (not set)\n"
	    "# which events are sent\n"
	    "FILTER=failure limit anomaly    (default)\n"
	    "# what a message tells: description client user ip connection "
	    "tenant organization\n"
	    "SHOW=description client    (default)\n"
	    "# where events wait for delivery: sqlite:/path or "
	    "postgresql://...\n"
	    "QUEUE=    (not set)\n"
	    "# whether the queue may be on a network file system: no yes\n"
	    "QUEUE_ON_NETWORK=no    (default)\n"
	    "# least time between messages to one webhook\n"
	    "SLACK_INTERVAL=1s    (default)\n"
	    "# longest a post to Slack may take\n"
	    "SLACK_TIMEOUT=10s    (default)\n"
	    "# longest wait between tries\n"
	    "SLACK_RETRY_MAX=5min    (default)\n"
	    "# events above which a message counts them; 0: never\n"
	    "DIGEST_AFTER=60    (default)\n"
	    "# how long the queue remembers what it is done with\n"
	    "RETENTION=7d    (default)\n"
	    "# waiting events above which no more are taken\n"
	    "QUEUE_MAX=1000000    (default)\n"
	    "# largest request body\n"
	    "MAX_BODY=16MiB    (default)\n"
	    "# base of the links to log entries\n"
	    "DASHBOARD_URL=https://manage.auth0.com    (default)\n"
	    "# where log lines go: stderr syslog /path\n"
	    "LOG=stderr    (default)\n"
	    "# how much is logged: error warn info debug\n"
	    "LOG_LEVEL=info    (default)\n", "the listing says so");
	buf_clear(&text);
	config_doubts(&c, &text);
	is_str(buf_text(&text), "AUTH0_LOG_STREAM_TOKEN is not set: whoever "
	    "finds the address may post\n", "the missing token is doubted");
	config_release(&c);
	config_release(&c);
	buf_release(&text);
}

/* ----------------------------------------------------------- every key */

static void
test_file(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("# a comment\r\n"
	    "SLACK_WEBHOOK_URL=\"" HOOK "\"\r\n"
	    "AUTH0_LOG_STREAM_TOKEN='Bearer " TOKEN "'\r\n"
	    "FILTER=f* -fsa client_id=load*\r\n"
	    "SHOW= user,ip \r\n"
	    "SLACK_TIMEOUT=2500ms\r\n"
	    "MAX_BODY=2MB\r\n"
	    "DASHBOARD_URL=https://manage.acme.example//\r\n"
	    "LOG=syslog\r\n"
	    "LOG_LEVEL=debug\r\n"
	    "QUEUE=sqlite:/q.db\n"
	    "QUEUE_ON_NETWORK=yes\n"
	    "SLACK_INTERVAL=1500ms\n"
	    "SLACK_RETRY_MAX=1h\n"
	    "DIGEST_AFTER=0\n"
	    "RETENTION=2d\n"
	    "QUEUE_MAX=5");
	ok(config_load(&c, &text), "a file with every key is good");
	is_str(buf_text(&text), "", "and has no problem");
	is_str(c.path, ".env", "it is the file that was read");
	is_str(c.destinations[0].webhook_url, HOOK, "SLACK_WEBHOOK_URL");
	is_str(c.tokens, "Bearer " TOKEN, "AUTH0_LOG_STREAM_TOKEN");
	ok(keeps(&c, 0, "fu") && !keeps(&c, 0, "fsa"), "FILTER");
	is_num(c.show, SHOW_USER | SHOW_IP, "SHOW");
	is_str(c.queue, "sqlite:/q.db", "QUEUE");
	ok(c.queue_on_network, "QUEUE_ON_NETWORK");
	is_num(c.slack_interval_ms, 1500, "SLACK_INTERVAL");
	is_num(c.slack_timeout_ms, 2500, "SLACK_TIMEOUT");
	is_num(c.slack_retry_max_ms, 3600000, "SLACK_RETRY_MAX");
	is_num(c.digest_after, 0, "DIGEST_AFTER");
	is_num(c.retention_ms, 172800000, "RETENTION");
	is_num(c.queue_max, 5, "QUEUE_MAX");
	is_num(c.max_body, 2000000, "MAX_BODY");
	is_str(c.dashboard_url, "https://manage.acme.example",
	    "DASHBOARD_URL, without the slashes at its end");
	ok(c.syslog, "LOG");
	is_num(c.log_level, LEVEL_DEBUG, "LOG_LEVEL");
	config_describe(&c, &text);
	is_str(buf_text(&text),
	    "# the Slack incoming webhook that messages go to\n"
	    "SLACK_WEBHOOK_URL=https://hooks.slack.com/********"
	    "    (.env:2)\n"
	    "# the secret that Auth0 sends\n"
	    "AUTH0_LOG_STREAM_TOKEN=******** (1 token)    (.env:3)\n"
	    "# which events are sent\n"
	    "FILTER=f* -fsa client_id=load*    (.env:4)\n"
	    "# what a message tells: description client user ip connection "
	    "tenant organization\n"
	    "SHOW=user,ip    (.env:5)\n"
	    "# where events wait for delivery: sqlite:/path or "
	    "postgresql://...\n"
	    "QUEUE=sqlite:/q.db    (.env:11)\n"
	    "# whether the queue may be on a network file system: no yes\n"
	    "QUEUE_ON_NETWORK=yes    (.env:12)\n"
	    "# least time between messages to one webhook\n"
	    "SLACK_INTERVAL=1500ms    (.env:13)\n"
	    "# longest a post to Slack may take\n"
	    "SLACK_TIMEOUT=2500ms    (.env:6)\n"
	    "# longest wait between tries\n"
	    "SLACK_RETRY_MAX=1h    (.env:14)\n"
	    "# events above which a message counts them; 0: never\n"
	    "DIGEST_AFTER=0    (.env:15)\n"
	    "# how long the queue remembers what it is done with\n"
	    "RETENTION=2d    (.env:16)\n"
	    "# waiting events above which no more are taken\n"
	    "QUEUE_MAX=5    (.env:17)\n"
	    "# largest request body\n"
	    "MAX_BODY=2MB    (.env:7)\n"
	    "# base of the links to log entries\n"
	    "DASHBOARD_URL=https://manage.acme.example//    (.env:8)\n"
	    "# where log lines go: stderr syslog /path\n"
	    "LOG=syslog    (.env:9)\n"
	    "# how much is logged: error warn info debug\n"
	    "LOG_LEVEL=debug    (.env:10)\n",
	    "the listing has each value and its line, and no secret");
	buf_clear(&text);
	config_doubts(&c, &text);
	is_str(buf_text(&text), "", "nothing is doubted");
	config_release(&c);
	buf_release(&text);
}

static void
test_environment(void)
{
	static const char *const settings[] = {
		"SLACK_WEBHOOK_URL=http://127.0.0.1:8080/" SECRET,
		"AUTH0_LOG_STREAM_TOKEN=" SECRET "\n" TOKEN "\n",
		"FILTER=success", "SHOW=tenant", "SLACK_TIMEOUT=1s",
		"MAX_BODY=1KiB", "DASHBOARD_URL=http://localhost", "LOG=stderr",
		"LOG_LEVEL=error", "QUEUE=sqlite:/e.db",
		"QUEUE_ON_NETWORK=no", "SLACK_INTERVAL=1ms",
		"SLACK_RETRY_MAX=10ms", "DIGEST_AFTER=7", "RETENTION=1s",
		"QUEUE_MAX=1", NULL
	};
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SLACK_WEBHOOK_URL=https://file.example/\n"
	    "AUTH0_LOG_STREAM_TOKEN=file\nFILTER=notice\nSHOW=user\n"
	    "SLACK_TIMEOUT=2s\nMAX_BODY=2KiB\nLOG=syslog\nLOG_LEVEL=debug\n"
	    "DASHBOARD_URL=https://file.example\nQUEUE=sqlite:/f.db\n"
	    "QUEUE_ON_NETWORK=yes\nSLACK_INTERVAL=2s\nSLACK_RETRY_MAX=2s\n"
	    "DIGEST_AFTER=2\nRETENTION=2s\nQUEUE_MAX=2\n");
	set_variables(settings);
	ok(config_load(&c, &text), "every key may come from the environment");
	is_str(c.destinations[0].webhook_url, "http://127.0.0.1:8080/" SECRET,
	    "it wins over the file: SLACK_WEBHOOK_URL");
	is_str(c.tokens, SECRET "\n" TOKEN "\n", "AUTH0_LOG_STREAM_TOKEN");
	ok(keeps(&c, 0, "s") && !keeps(&c, 0, "du"), "FILTER");
	is_num(c.show, SHOW_TENANT, "SHOW");
	is_str(c.queue, "sqlite:/e.db", "QUEUE");
	ok(!c.queue_on_network, "QUEUE_ON_NETWORK");
	is_num(c.slack_interval_ms, 1, "SLACK_INTERVAL");
	is_num(c.slack_timeout_ms, 1000, "SLACK_TIMEOUT");
	is_num(c.slack_retry_max_ms, 10, "SLACK_RETRY_MAX");
	is_num(c.digest_after, 7, "DIGEST_AFTER");
	is_num(c.retention_ms, 1000, "RETENTION");
	is_num(c.queue_max, 1, "QUEUE_MAX");
	is_num(c.max_body, 1024, "MAX_BODY");
	is_str(c.dashboard_url, "http://localhost", "DASHBOARD_URL");
	ok(!c.syslog, "LOG");
	is_num(c.log_level, LEVEL_ERROR, "LOG_LEVEL");
	config_describe(&c, &text);
	ok(strstr(buf_text(&text), "\nSLACK_WEBHOOK_URL="
	    "http://127.0.0.1:8080/") == NULL &&
	    strstr(buf_text(&text), "\nSLACK_WEBHOOK_URL="
	    "http://127.0.0.1/********    (environment)\n") != NULL,
	    "the listing names a webhook's host alone");
	ok(strstr(buf_text(&text), "\nAUTH0_LOG_STREAM_TOKEN="
	    "******** (2 tokens)    (environment)\n") != NULL,
	    "and counts the tokens");
	buf_clear(&text);
	config_doubts(&c, &text);
	is_str(buf_text(&text), "SLACK_WEBHOOK_URL: 127.0.0.1 is not Slack\n"
	    "AUTH0_LOG_STREAM_TOKEN: a token of fewer than 16 characters can "
	    "be guessed\n", "another host and a short token are doubted");
	config_release(&c);
	buf_release(&text);
}

static void
test_mixture(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SHOW=ip\nFILTER=failure\n");
	setenv("FILTER", "fux brand_new", 1);
	ok(config_load(&c, &text), "file and environment mix");
	is_num(c.show, SHOW_IP, "what only the file has is the file's");
	config_doubts(&c, &text);
	is_str(buf_text(&text), "AUTH0_LOG_STREAM_TOKEN is not set: whoever "
	    "finds the address may post\n"
	    "FILTER: \"fux\" is no event type of the catalogue: did you "
	    "mean fu?\n"
	    "FILTER: \"brand_new\" is no event type of the catalogue: it "
	    "is right only if Auth0 has it new\n",
	    "unknown type codes are doubted, each on a line");
	config_release(&c);
	start_over("SHOW=ip\n");
	setenv("SHOW", "", 1);
	setenv("LOG", "", 1);
	buf_clear(&text);
	ok(config_load(&c, &text) && !c.syslog &&
	    c.show == (SHOW_DESCRIPTION | SHOW_CLIENT),
	    "an empty value is the default");
	config_release(&c);
	setenv("LOG", "/var/log/x", 1);
	ok(config_load(&c, &text) && !c.syslog, "LOG may be a path");
	is_str(c.log_file, "/var/log/x", "which is that of the log's file");
	config_release(&c);
	buf_release(&text);
}

static void
test_short_tokens(void)
{
	static const struct {
		const char *token;
		bool doubted;
	} rows[] = {
		{ "0123456789abcde", true },
		{ "0123456789abcdef", false },
		{ "Bearer 0123456789abcde", true },
		{ "0123456789abcdef\nshort", true },
	};
	struct buf text = BUF_INIT;
	struct config c;
	size_t i;

	start_over("");
	for (i = 0; i < ROWS(rows); i++) {
		setenv("AUTH0_LOG_STREAM_TOKEN", rows[i].token, 1);
		buf_clear(&text);
		config_load(&c, &text);
		config_doubts(&c, &text);
		is_str(buf_text(&text), rows[i].doubted ?
		    "AUTH0_LOG_STREAM_TOKEN: a token of fewer than 16 "
		    "characters can be guessed\n" : "", "token %zu is %s",
		    i + 1, rows[i].doubted ? "doubted" : "long enough");
		config_release(&c);
	}
	buf_release(&text);
}

/* ------------------------------------------------------- values of keys */

struct number {
	const char *text;
	int64_t value;		/* -1: out of range; -2: not of the form */
};

static const struct number durations[] = {
	{ "100ms", 100 }, { "101ms", 101 }, { "1s", 1000 }, { "25s", 25000 },
	{ "25000ms", 25000 }, { "0010s", 10000 },
	{ "99ms", -1 }, { "0s", -1 }, { "0min", -1 }, { "60001ms", -1 },
	{ "61s", -1 }, { "2min", -1 }, { "1h", -1 }, { "1d", -1 },
	{ "9223372036854775807ms", -1 }, { "9223372036854775808ms", -1 },
	{ "9223372036854775807d", -1 },
	{ "99999999999999999999999999s", -1 },
	{ "10", -2 }, { "s", -2 }, { "10 s", -2 }, { "10S", -2 },
	{ "10sec", -2 }, { "10m", -2 }, { "-10s", -2 }, { "+10s", -2 },
	{ "1.5s", -2 }, { "1e3ms", -2 }, { "10s10ms", -2 }, { "0x10s", -2 },
	{ "ten", -2 }, { "10s;", -2 }, { "10ms s", -2 },
};

static const struct number sizes[] = {
	{ "1000B", 1000 }, { "1kB", 1000 }, { "1KiB", 1024 },
	{ "1MB", 1000000 }, { "1MiB", 1048576 }, { "1GiB", 1073741824 },
	{ "1073741824B", 1073741824 }, { "1024MiB", 1073741824 },
	{ "999B", -1 }, { "0B", -1 }, { "0GiB", -1 }, { "1073741825B", -1 },
	{ "1025MiB", -1 }, { "2GiB", -1 }, { "9223372036854775807GiB", -1 },
	{ "18446744073709552640KiB", -1 },
	{ "1000", -2 }, { "1K", -2 }, { "1k", -2 }, { "1KB", -2 },
	{ "1mb", -2 }, { "1 MiB", -2 }, { "1GB", -2 }, { "1TiB", -2 },
	{ "-1B", -2 }, { "MiB", -2 }, { "1.5MiB", -2 },
};

static const struct number counts[] = {
	{ "1", 1 }, { "0060", 60 }, { "1000000", 1000000 },
	{ "100000001", -1 }, { "99999999999999999999", -1 },
	{ "60s", -2 }, { "-1", -2 }, { "+1", -2 }, { "1,000", -2 },
	{ "1e6", -2 }, { " 1", -2 }, { "all", -2 },
};

#define DURATION "a duration: write a number and ms, s, min, h or d, such " \
	"as 10s"
#define SIZE "a size: write a number and B, kB, MB, KiB, MiB or GiB, such " \
	"as 16MiB"
#define COUNT "a number: write digits alone, such as 60"

static int64_t
member_of(const struct config *c, size_t member)
{
	int64_t value;

	memcpy(&value, (const char *)c + member, sizeof(value));
	return value;
}

static void
test_numbers(const char *key, size_t member, int64_t fallback,
    const struct number *rows, size_t count, const char *range,
    const char *form)
{
	struct buf want = BUF_INIT, got = BUF_INIT;
	struct config c;
	size_t i;

	start_over("");
	for (i = 0; i < count; i++) {
		setenv(key, rows[i].text, 1);
		buf_clear(&want);
		buf_clear(&got);
		if (rows[i].value == -1)
			buf_addf(&want, "environment: %s: %s is out of range: "
			    "%s\n", key, rows[i].text, range);
		if (rows[i].value == -2)
			buf_addf(&want, "environment: %s: \"%s\" is not %s\n",
			    key, rows[i].text, form);
		config_load(&c, &got);
		is_str(buf_text(&got), buf_text(&want), "%s=%s is %s", key,
		    rows[i].text, rows[i].value < 0 ? "refused" : "taken");
		is_num(member_of(&c, member), rows[i].value >= 0 ?
		    rows[i].value : fallback, "and the value is %s",
		    rows[i].value < 0 ? "the default" : "that");
		config_release(&c);
	}
	buf_release(&want);
	buf_release(&got);
}

/* The least and the most of each key, and what is one beyond. */
static const struct {
	const char *key;
	size_t member;
	const char *least, *most, *below, *above;
	int64_t min, max;
	const char *range;
} limits[] = {
	{ "SLACK_INTERVAL", offsetof(struct config, slack_interval_ms),
	    "1ms", "1h", "0s", "3600001ms", 1, 3600000, "1ms to 1h" },
	{ "SLACK_TIMEOUT", offsetof(struct config, slack_timeout_ms),
	    "100ms", "25s", "99ms", "25001ms", 100, 25000, "100ms to 25s" },
	{ "SLACK_RETRY_MAX", offsetof(struct config, slack_retry_max_ms),
	    "10ms", "1d", "9ms", "25h", 10, 86400000, "10ms to 1d" },
	{ "DIGEST_AFTER", offsetof(struct config, digest_after),
	    "0", "1000000", NULL, "1000001", 0, 1000000, "0 to 1000000" },
	{ "RETENTION", offsetof(struct config, retention_ms),
	    "1s", "365d", "999ms", "366d", 1000, 31536000000, "1s to 365d" },
	{ "QUEUE_MAX", offsetof(struct config, queue_max),
	    "1", "100000000", "0", "100000001", 1, 100000000,
	    "1 to 100000000" },
};

static void
test_limit(size_t row, const char *text, int64_t want)
{
	struct buf problem = BUF_INIT, got = BUF_INIT;
	struct config c;

	setenv(limits[row].key, text, 1);
	if (want < 0)
		buf_addf(&problem, "environment: %s: %s is out of range: "
		    "from %s\n", limits[row].key, text, limits[row].range);
	config_load(&c, &got);
	is_str(buf_text(&got), buf_text(&problem), "%s=%s is %s",
	    limits[row].key, text, want < 0 ? "refused" : "taken");
	if (want >= 0)
		is_num(member_of(&c, limits[row].member), want, "and the "
		    "value is that");
	config_release(&c);
	buf_release(&problem);
	buf_release(&got);
}

static void
test_limits(void)
{
	size_t i;

	for (i = 0; i < ROWS(limits); i++) {
		start_over("");
		test_limit(i, limits[i].least, limits[i].min);
		test_limit(i, limits[i].most, limits[i].max);
		test_limit(i, limits[i].above, -1);
		if (limits[i].below)
			test_limit(i, limits[i].below, -1);
	}
}

#define WEBHOOK "environment: SLACK_WEBHOOK_URL: "
#define NO_URL WEBHOOK \
	"it is not a URL such as https://hooks.slack.com/services/...\n"
#define NO_HTTPS WEBHOOK "it must begin with https:// (http:// is for " \
	"addresses of this machine alone)\n"
#define TRIGGER WEBHOOK "it is a workflow's trigger, which takes no such " \
	"messages: make an incoming webhook\n"

#define QUEUE_RELATIVE "environment: QUEUE: the path is relative: begin it " \
	"with /, such as sqlite:/var/lib/log-stream-to-slack/queue.db\n"
#ifdef HAVE_LIBPQ
#define QUEUE_POSTGRESQL ""
#else
#define QUEUE_POSTGRESQL "environment: QUEUE: this program was built " \
	"without PostgreSQL: use sqlite:/path\n"
#endif
#define QUEUE_ENCODED "environment: QUEUE: in a user, password or name " \
	"write / as %2F and @ as %40\n"
#define QUEUE_POSTGRES "environment: QUEUE: write " \
	"postgresql://user@host/database\n"
#define QUEUE_OTHER "environment: QUEUE: it is not a queue: write sqlite: " \
	"and the path of a file, such as " \
	"sqlite:/var/lib/log-stream-to-slack/queue.db\n"

static const struct {
	const char *setting;
	const char *problem;
} values[] = {
	{ "SLACK_WEBHOOK_URL=" HOOK, "" },
	{ "SLACK_WEBHOOK_URL=https://hooks.slack-gov.com/services/x", "" },
	{ "SLACK_WEBHOOK_URL=https://mattermost.example:8065/hooks/x", "" },
	{ "SLACK_WEBHOOK_URL=http://localhost:3001/x", "" },
	{ "SLACK_WEBHOOK_URL=http://127.0.0.1/x", "" },
	{ "SLACK_WEBHOOK_URL=http://[::1]:3001/x", "" },
	{ "SLACK_WEBHOOK_URL=https://example.com/triggers/x", "" },
	{ "SLACK_WEBHOOK_URL=http://hooks.slack.com/services/x", NO_HTTPS },
	{ "SLACK_WEBHOOK_URL=http://192.168.0.1/x", NO_HTTPS },
	{ "SLACK_WEBHOOK_URL=http://localhost.evil/x", NO_HTTPS },
	{ "SLACK_WEBHOOK_URL=http://127.0.0.1.evil/x", NO_HTTPS },
	{ "SLACK_WEBHOOK_URL=http://0.0.0.0/x", NO_HTTPS },
	{ "SLACK_WEBHOOK_URL=http://127.0.0.1@evil/", NO_URL },
	{ "SLACK_WEBHOOK_URL=https://user:" SECRET "@hooks.slack.com/",
	    NO_URL },
	{ "SLACK_WEBHOOK_URL=https://a\\b", NO_URL },
	{ "SLACK_WEBHOOK_URL=" SECRET, NO_URL },
	{ "SLACK_WEBHOOK_URL=hooks.slack.com/services/x", NO_URL },
	{ "SLACK_WEBHOOK_URL=ftp://hooks.slack.com/" SECRET, NO_URL },
	{ "SLACK_WEBHOOK_URL= " HOOK, NO_URL },
	{ "SLACK_WEBHOOK_URL=" HOOK "\n", NO_URL },
	{ "SLACK_WEBHOOK_URL=https://hooks.slack.com/triggers/T/1/x",
	    TRIGGER },
	{ "SLACK_WEBHOOK_URL=https://hooks.slack.com/workflows/T/A/1/x",
	    TRIGGER },
	{ "SLACK_WEBHOOK_URL=", WEBHOOK
	    "it is empty: give it a value or remove it\n" },

	{ "AUTH0_LOG_STREAM_TOKEN=" TOKEN, "" },
	{ "AUTH0_LOG_STREAM_TOKEN=", "environment: AUTH0_LOG_STREAM_TOKEN: "
	    "it is empty: give it a value or remove it\n" },
	{ "AUTH0_LOG_STREAM_TOKEN= \n ", "environment: "
	    "AUTH0_LOG_STREAM_TOKEN: it holds no token\n" },
	{ "AUTH0_LOG_STREAM_TOKEN=Bearer ", "environment: "
	    "AUTH0_LOG_STREAM_TOKEN: it holds no token\n" },

	{ "FILTER=!", "environment: FILTER: \"!\" is not a "
	    "filter term: it is neither a class (failure limit anomaly "
	    "warning notice success) nor a type code or glob such as f*\n" },
	{ "FILTER=failures", "environment: FILTER: \"failures\" is not a "
	    "filter term: did you mean failure?\n" },
	{ "FILTER=-*", "environment: FILTER: no event can pass it: its terms "
	    "exclude all that they include\n" },
	{ "FILTER=client_id=", "environment: FILTER: \"client_id=\" is not a "
	    "filter term: it takes the name of a field, =, and a glob\n" },
	{ "FILTER= ,", "environment: FILTER: the filter has no term\n" },

	{ "SHOW=ip", "" },
	{ "SHOW=email", "environment: SHOW: \"email\" cannot be shown: "
	    "choose from description client user ip connection tenant "
	    "organization\n" },

	{ "QUEUE=sqlite:/var/lib/x/queue.db", "" },
	{ "QUEUE=sqlite:queue.db", QUEUE_RELATIVE },
	{ "QUEUE=sqlite:./queue.db", QUEUE_RELATIVE },
	{ "QUEUE=sqlite:", QUEUE_RELATIVE },
	{ "QUEUE=postgresql://user@host/db", QUEUE_POSTGRESQL },
	{ "QUEUE=postgresql://user:" SECRET "@host/db", QUEUE_POSTGRESQL },
	{ "QUEUE=postgresql://user:" SECRET "?" SECRET "@host/db?user=x",
	    QUEUE_POSTGRESQL },
	{ "QUEUE=postgresql://user:" SECRET "@" SECRET "@host/db",
	    QUEUE_ENCODED },
	{ "QUEUE=postgresql://user:" SECRET "/" SECRET "@host/db",
	    QUEUE_ENCODED },
	{ "QUEUE=postgresql://host/db?user=" SECRET "@host", QUEUE_ENCODED },
	{ "QUEUE=postgres://user:" SECRET "@host/db", QUEUE_POSTGRES },
	{ "QUEUE=postgres", QUEUE_POSTGRES },
	{ "QUEUE=/var/lib/x/queue.db", QUEUE_OTHER },
	{ "QUEUE=SQLITE:/queue.db", QUEUE_OTHER },
	{ "QUEUE=mysql://user:" SECRET "@host/db", QUEUE_OTHER },
	{ "QUEUE=", "" },

	{ "QUEUE_ON_NETWORK=yes", "" },
	{ "QUEUE_ON_NETWORK=no", "" },
	{ "QUEUE_ON_NETWORK=Yes", "environment: QUEUE_ON_NETWORK: \"Yes\" "
	    "is neither yes nor no\n" },
	{ "QUEUE_ON_NETWORK=1", "environment: QUEUE_ON_NETWORK: \"1\" is "
	    "neither yes nor no\n" },

	{ "DASHBOARD_URL=https://manage.acme.example/", "" },
	{ "DASHBOARD_URL=https://manage.acme.example:8443/x", "" },
	{ "DASHBOARD_URL=manage.acme.example", "environment: DASHBOARD_URL: "
	    "\"manage.acme.example\" is not a URL such as "
	    "https://manage.auth0.com\n" },
	{ "DASHBOARD_URL=javascript:alert(1)", "environment: DASHBOARD_URL: "
	    "\"javascript:alert(1)\" is not a URL such as "
	    "https://manage.auth0.com\n" },
	{ "DASHBOARD_URL=https://", "environment: DASHBOARD_URL: "
	    "\"https://\" is not a URL such as https://manage.auth0.com\n" },

	{ "LOG=stderr", "" },
	{ "LOG=syslog", "" },
	{ "LOG=/var/log/x", "" },
	{ "LOG=var/log/x", "environment: LOG: \"var/log/x\" is neither "
	    "stderr nor syslog nor the path of a file (/...)\n" },
	{ "LOG=Syslog", "environment: LOG: \"Syslog\" is neither stderr nor "
	    "syslog nor the path of a file (/...)\n" },

	{ "LOG_LEVEL=error", "" },
	{ "LOG_LEVEL=warn", "" },
	{ "LOG_LEVEL=info", "" },
	{ "LOG_LEVEL=debug", "" },
	{ "LOG_LEVEL=warning", "environment: LOG_LEVEL: \"warning\" is not a "
	    "level: choose from error warn info debug\n" },
	{ "LOG_LEVEL=INFO", "environment: LOG_LEVEL: \"INFO\" is not a "
	    "level: choose from error warn info debug\n" },
};

static void
test_values(void)
{
	const char *settings[2] = { NULL, NULL };
	size_t i;

	for (i = 0; i < ROWS(values); i++) {
		start_over("");
		settings[0] = values[i].setting;
		set_variables(settings);
		is_str(problems(), values[i].problem, "%s is %s",
		    values[i].setting, *values[i].problem ? "refused" :
		    "taken");
	}
}

/* A bad value is told, and the default stands in for it. */
static void
test_bad_is_whole(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SLACK_WEBHOOK_URL=nonsense\nAUTH0_LOG_STREAM_TOKEN= \n"
	    "FILTER=!\nSHOW=!\nSLACK_TIMEOUT=!\nMAX_BODY=!\n"
	    "DASHBOARD_URL=!\nLOG=!\nLOG_LEVEL=!\n"
	    "QUEUE=!\nQUEUE_ON_NETWORK=!\nSLACK_INTERVAL=!\n"
	    "SLACK_RETRY_MAX=!\nDIGEST_AFTER=!\nRETENTION=!\nQUEUE_MAX=!\n"
	    "SLACK_WEBHOOK_URL_ops=!\nFILTER_ops=!\n");
	ok(!config_load(&c, &text), "a file with nothing but bad values is "
	    "bad");
	is_str(buf_text(&text),
	    ".env:1: SLACK_WEBHOOK_URL: it is not a URL such as "
	    "https://hooks.slack.com/services/...\n"
	    ".env:17: SLACK_WEBHOOK_URL_ops: it is not a URL such as "
	    "https://hooks.slack.com/services/...\n"
	    ".env:2: AUTH0_LOG_STREAM_TOKEN: it is empty: give it a value or "
	    "remove it\n"
	    ".env:3: FILTER: \"!\" is not a filter term: it is neither a "
	    "class (failure limit anomaly warning notice success) nor a type "
	    "code or glob such as f*\n"
	    ".env:18: FILTER_ops: \"!\" is not a filter term: it is neither "
	    "a class (failure limit anomaly warning notice success) nor a "
	    "type code or glob such as f*\n"
	    ".env:4: SHOW: \"!\" cannot be shown: choose from description "
	    "client user ip connection tenant organization\n"
	    ".env:10: QUEUE: it is not a queue: write sqlite: and the path "
	    "of a file, such as sqlite:/var/lib/log-stream-to-slack/queue.db\n"
	    ".env:11: QUEUE_ON_NETWORK: \"!\" is neither yes nor no\n"
	    ".env:12: SLACK_INTERVAL: \"!\" is not " DURATION "\n"
	    ".env:5: SLACK_TIMEOUT: \"!\" is not " DURATION "\n"
	    ".env:13: SLACK_RETRY_MAX: \"!\" is not " DURATION "\n"
	    ".env:14: DIGEST_AFTER: \"!\" is not " COUNT "\n"
	    ".env:15: RETENTION: \"!\" is not " DURATION "\n"
	    ".env:16: QUEUE_MAX: \"!\" is not " COUNT "\n"
	    ".env:6: MAX_BODY: \"!\" is not " SIZE "\n"
	    ".env:7: DASHBOARD_URL: \"!\" is not a URL such as "
	    "https://manage.auth0.com\n"
	    ".env:8: LOG: \"!\" is neither stderr nor syslog nor the path "
	    "of a file (/...)\n"
	    ".env:9: LOG_LEVEL: \"!\" is not a level: choose from error warn "
	    "info debug\n", "all of them are told, each with its line");
	ok(!c.destinations[0].webhook_url && !c.tokens &&
	    c.destinations[0].filter &&
	    c.show == (SHOW_DESCRIPTION | SHOW_CLIENT) &&
	    c.slack_timeout_ms == 10000 &&
	    c.max_body == 16777216 && !c.syslog && !c.log_file &&
	    c.log_level == LEVEL_INFO && !c.queue && !c.queue_on_network &&
	    c.slack_interval_ms == 1000 && c.slack_retry_max_ms == 300000 &&
	    c.digest_after == 60 && c.retention_ms == 604800000 &&
	    c.queue_max == 1000000 && c.destination_count == 2 &&
	    !c.destinations[1].webhook_url && c.destinations[1].filter,
	    "and the defaults stand in for them");
	is_str(c.dashboard_url, "https://manage.auth0.com", "all of them");
	config_release(&c);
	buf_release(&text);
}

/* -------------------------------------------------------------- lines */

static const struct {
	const char *title;
	const char *text;
	const char *problem;
} files[] = {
	{ "a token on a line of its own, which looks like a key",
	    "c2VjcmV0==\n",
	    ".env:1: an unknown key without a value\n" },
	{ "an unknown key", "\nSLACK_CHANEL=x\n",
	    ".env:2: unknown key \"SLACK_CHANEL\"\n" },
	{ "a key in small letters", "filter=f\n",
	    ".env:1: unknown key \"filter\": did you mean FILTER?\n" },
	{ "a key that begins like another", "LOG_LEVELS=x\nFILTE=f\n",
	    ".env:1: unknown key \"LOG_LEVELS\": did you mean LOG_LEVEL?\n"
	    ".env:2: unknown key \"FILTE\": did you mean FILTER?\n" },
	{ "a misspelt key of a file", "SLACK_WEBHOOK_URI_FILE=x\n",
	    ".env:1: unknown key \"SLACK_WEBHOOK_URI_FILE\": did you mean "
	    "SLACK_WEBHOOK_URL_FILE?\n" },
	{ "_FILE for what is no secret", "FILTER_FILE=x\n",
	    ".env:1: unknown key \"FILTER_FILE\"\n" },
	{ "the name of the file itself", "LOG_STREAM_CONFIG=x\n",
	    ".env:1: unknown key \"LOG_STREAM_CONFIG\"\n" },
	{ "a key given twice", "SHOW=ip\nLOG=stderr\nSHOW=ip\n",
	    ".env:3: SHOW was already set at .env:1\n" },
	{ "a secret given twice", "AUTH0_LOG_STREAM_TOKEN=" TOKEN "\n"
	    "AUTH0_LOG_STREAM_TOKEN=" SECRET "\n",
	    ".env:2: AUTH0_LOG_STREAM_TOKEN was already set at .env:1\n" },
	{ "a line that is none", "SHOW\n",
	    ".env:1: the line is not KEY=value\n" },
	{ "a quote that is not closed", "SHOW=\"ip\n",
	    ".env:1: SHOW: the closing quote is missing\n" },
	{ "text behind quotes", "SHOW='ip' # only\n",
	    ".env:1: SHOW: there is text after the closing quote\n" },
	{ "a control character", "AUTH0_LOG_STREAM_TOKEN=" SECRET "\x02\n",
	    ".env:1: AUTH0_LOG_STREAM_TOKEN: it holds a control character\n"
	    },
	{ "a tab in a value", "SHOW=ip\tuser\n",
	    ".env:1: SHOW: it holds a control character\n" },
	{ "a value that goes on", "FILTER=f \\\n",
	    ".env:1: FILTER: it holds a backslash: put it in single quotes\n" },
	{ "an empty secret", "AUTH0_LOG_STREAM_TOKEN=\n",
	    ".env:1: AUTH0_LOG_STREAM_TOKEN: it is empty: give it a value or "
	    "remove it\n" },
	{ "an empty secret in quotes", "SLACK_WEBHOOK_URL=''\n",
	    ".env:1: SLACK_WEBHOOK_URL: it is empty: give it a value or "
	    "remove it\n" },
};

static void
test_files(void)
{
	size_t i;

	for (i = 0; i < ROWS(files); i++) {
		start_over(files[i].text);
		is_str(problems(), files[i].problem, "%s is an error",
		    files[i].title);
	}
	start_over(NULL);
	file_write(".env", "SHOW=ip\0\n", 9, 0600);
	is_str(problems(), ".env: cannot be read: it holds a NUL byte\n",
	    "a file with a NUL byte is an error");
	unlink(".env");
	if (mkdir(".env", 0700) < 0)
		abort();
	is_str(problems(), ".env: cannot be read: it is not a file\n",
	    "a directory in its place is an error");
	rmdir(".env");
}

static void
test_one_line_each(void)
{
	static const char *const names[] = {
		"FILTER", "SHOW", "QUEUE", "QUEUE_ON_NETWORK",
		"SLACK_INTERVAL", "SLACK_TIMEOUT", "SLACK_RETRY_MAX",
		"DIGEST_AFTER", "RETENTION", "QUEUE_MAX", "MAX_BODY",
		"SLACK_WEBHOOK_URL_ops", "SLACK_WEBHOOK_URL_ops_FILE",
		"SLACK_WEBHOOK_URL_default", "SLACK_WEBHOOK_URL_\n",
		"FILTER_ops", "DASHBOARD_URL", "LOG", "LOG_LEVEL",
		"SLACK_WEBHOOK_URL", "SLACK_WEBHOOK_URL_FILE",
		"LOG_STREAM_CONFIG",
	};
	const char *text;
	size_t i, lines;

	for (i = 0; i < ROWS(names); i++) {
		start_over("");
		setenv(names[i], "1!\n\x1B[31m2", 1);
		for (lines = 0, text = problems(); *text; text++)
			lines += *text == '\n' ||
			    (unsigned char)*text < ' ';
		for (text = warnings(); *text; text++)
			lines += *text == '\n' ||
			    (unsigned char)*text < ' ';
		is_num((long long)lines, 1, "a problem with %s is one line, "
		    "even when the value is two", names[i]);
	}
}

/* ------------------------------------------------- unknown variables */

#define NO_KEY(name) "environment: \"" name "\" is no key, and has no effect"

static const struct {
	const char *name;
	const char *problem;
	const char *warning;
} strangers[] = {
	{ "AUTH0_LOGSTREAM_TOKEN", "environment: unknown variable "
	    "\"AUTH0_LOGSTREAM_TOKEN\": did you mean "
	    "AUTH0_LOG_STREAM_TOKEN?\n", "" },
	{ "AUTH0_LOG_STREAM_TOKENS", "environment: unknown variable "
	    "\"AUTH0_LOG_STREAM_TOKENS\": did you mean "
	    "AUTH0_LOG_STREAM_TOKEN?\n", "" },
	{ "AUTH0_LOG_STREAM_TOKEN_FIEL", "environment: unknown variable "
	    "\"AUTH0_LOG_STREAM_TOKEN_FIEL\": did you mean "
	    "AUTH0_LOG_STREAM_TOKEN_FILE?\n", "" },
	{ "auth0_log_stream_token", "environment: unknown variable "
	    "\"auth0_log_stream_token\": did you mean "
	    "AUTH0_LOG_STREAM_TOKEN?\n", "" },
	{ "AUTH0_LOG_SECRET", "environment: unknown variable "
	    "\"AUTH0_LOG_SECRET\": the secret of the stream is "
	    "AUTH0_LOG_STREAM_TOKEN\n", "" },
	{ "AUTH0_LOG\n\"x", "environment: unknown variable "
	    "\"AUTH0_LOG\\x0a\\x22x\": the secret of the stream is "
	    "AUTH0_LOG_STREAM_TOKEN\n", "" },
	{ "AUTH0_DOMAIN", "", "" },
	{ "SLACK_WEBHOOK", "", NO_KEY("SLACK_WEBHOOK") "\n" },
	{ "SLACK_WEBHOOK_URI", "", NO_KEY("SLACK_WEBHOOK_URI")
	    ": did you mean SLACK_WEBHOOK_URL?\n" },
	{ "FILTER_ops", "",
	    "environment: FILTER_ops: there is no SLACK_WEBHOOK_URL_ops\n" },
	{ "FILTER_BRANCH_SQUELCH_WARNING", "",
	    "environment: FILTER_BRANCH_SQUELCH_WARNING: there is no "
	    "SLACK_WEBHOOK_URL_BRANCH_SQUELCH_WARNING\n" },
	{ "FILTER_a-b", "", "environment: FILTER_a-b: the name of a "
	    "destination is 1 to 32 letters, digits or _\n" },
	{ "FILTER_FILE", "", NO_KEY("FILTER_FILE") "\n" },
	{ "LOG_STREAM_CONFIGS", "", NO_KEY("LOG_STREAM_CONFIGS")
	    ": did you mean LOG_STREAM_CONFIG?\n" },
	{ "LOG_STREAM_CONFIG", "", "" },
	{ "LOGS", "", "" },
	{ "SHOW_ALL", "", "" },
};

static void
test_strangers(void)
{
	size_t i;

	for (i = 0; i < ROWS(strangers); i++) {
		start_over("");
		setenv(strangers[i].name, ".env", 1);
		is_str(problems(), strangers[i].problem, "a variable %s is "
		    "%s", strangers[i].name, *strangers[i].problem ?
		    "refused" : "no error");
		is_str(warnings(), strangers[i].warning, "and is%s warned of",
		    *strangers[i].warning ? "" : " not");
		unsetenv(strangers[i].name);
	}
}

/* ----------------------------------------------------------- comments */

#define IN_FILE(line, key) ".env:" line ": " key ": the # and what follows " \
	"it are part of the value: write the comment on a line of its own, " \
	"or the value in quotes if it has a #\n"
#define IN_TOKENS(line) "tokens:" line ": AUTH0_LOG_STREAM_TOKEN: the # and " \
	"what follows it are part of the value: this file has no comments\n"

static void
test_comments(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("AUTH0_LOG_STREAM_TOKEN=" TOKEN " # prod\n"
	    "LOG=/x # y\n");
	ok(config_load(&c, &text), "a comment behind a value is no error");
	is_str(c.tokens, TOKEN " # prod", "but part of the value, as for "
	    "systemd");
	config_doubts(&c, &text);
	is_str(buf_text(&text), IN_FILE("1", "AUTH0_LOG_STREAM_TOKEN")
	    IN_FILE("2", "LOG"), "which is warned of, without the value");
	config_release(&c);
	start_over("AUTH0_LOG_STREAM_TOKEN='" TOKEN " # prod'\n");
	is_str(warnings(), "", "not in quotes");
	start_over("AUTH0_LOG_STREAM_TOKEN_FILE=tokens\n");
	write_text("tokens", "# old\n" TOKEN "\n" TOKEN "2 # new\n");
	is_str(warnings(), IN_TOKENS("1") IN_TOKENS("3"), "in a file of "
	    "tokens neither form is a comment");
	setenv("AUTH0_LOG_STREAM_TOKEN", TOKEN " # x", 1);
	is_str(warnings(), "", "a variable has no comments");
	buf_release(&text);
}

/* --------------------------------------------------------- secret files */

static void
test_secret_files(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SLACK_WEBHOOK_URL_FILE=hook\n"
	    "AUTH0_LOG_STREAM_TOKEN_FILE=tokens\n");
	write_text("hook", HOOK "\r\nmore lines\nare not read\n");
	write_text("tokens", "Bearer new-" TOKEN "\n\nold-" TOKEN "\r\n");
	ok(config_load(&c, &text), "secrets may come from files");
	is_str(buf_text(&text), "", "and there is no problem");
	is_str(c.destinations[0].webhook_url, HOOK, "a webhook is the file's "
	    "first line");
	is_str(c.tokens, "Bearer new-" TOKEN "\n\nold-" TOKEN "\r\n",
	    "a token file may hold several");
	config_describe(&c, &text);
	ok(strstr(buf_text(&text), "\nSLACK_WEBHOOK_URL=https://"
	    "hooks.slack.com/********    (.env:1, in hook)\n") != NULL &&
	    strstr(buf_text(&text), "\nAUTH0_LOG_STREAM_TOKEN="
	    "******** (2 tokens)    (.env:2, in tokens)\n") != NULL,
	    "the listing says where they came from");
	config_release(&c);
	start_over("SLACK_WEBHOOK_URL_FILE=nonsense\n"
	    "AUTH0_LOG_STREAM_TOKEN=from-the-file\n");
	setenv("SLACK_WEBHOOK_URL", HOOK, 1);
	setenv("AUTH0_LOG_STREAM_TOKEN_FILE", "tokens", 1);
	ok(config_load(&c, &text) &&
	    strcmp(c.destinations[0].webhook_url, HOOK) == 0 &&
	    strncmp(c.tokens, "Bearer new-", 11) == 0, "the environment wins "
	    "in either form over the file in the other");
	config_release(&c);
	buf_release(&text);
}

static const struct {
	const char *title;
	const char *env;		/* .env */
	const char *settings[3];	/* of the environment */
	const char *problem;
} secret_problems[] = {
	{ "a webhook given in both ways", "SLACK_WEBHOOK_URL=" HOOK "\n"
	    "SLACK_WEBHOOK_URL_FILE=hook\n", { NULL },
	    ".env:2: SLACK_WEBHOOK_URL and SLACK_WEBHOOK_URL_FILE are both "
	    "set: keep one\n" },
	{ "a token given in both ways", "",
	    { "AUTH0_LOG_STREAM_TOKEN=" TOKEN,
	    "AUTH0_LOG_STREAM_TOKEN_FILE=tokens", NULL },
	    "environment: AUTH0_LOG_STREAM_TOKEN and "
	    "AUTH0_LOG_STREAM_TOKEN_FILE are both set: keep one\n" },
	{ "a file that is not there", "",
	    { "SLACK_WEBHOOK_URL_FILE=absent", NULL },
	    "environment: SLACK_WEBHOOK_URL_FILE: absent: cannot be read: No "
	    "such file or directory\n" },
	{ "the same from a line", "\nAUTH0_LOG_STREAM_TOKEN_FILE=absent\n",
	    { NULL }, ".env:2: AUTH0_LOG_STREAM_TOKEN_FILE: absent: cannot "
	    "be read: No such file or directory\n" },
	{ "a file without text", "AUTH0_LOG_STREAM_TOKEN_FILE=empty\n",
	    { NULL }, ".env:1, in empty: AUTH0_LOG_STREAM_TOKEN: it is "
	    "empty: give it a value or remove it\n" },
	{ "a file of blank lines", "AUTH0_LOG_STREAM_TOKEN_FILE=blank\n",
	    { NULL }, ".env:1, in blank: AUTH0_LOG_STREAM_TOKEN: it holds "
	    "no token\n" },
	{ "a webhook file that begins with a blank line",
	    "SLACK_WEBHOOK_URL_FILE=blank\n", { NULL },
	    ".env:1, in blank: SLACK_WEBHOOK_URL: it is empty: give it a "
	    "value or remove it\n" },
	{ "a webhook file with something else",
	    "SLACK_WEBHOOK_URL_FILE=tokens\n", { NULL },
	    ".env:1, in tokens: SLACK_WEBHOOK_URL: it is not a URL such as "
	    "https://hooks.slack.com/services/...\n" },
	{ "a directory", "AUTH0_LOG_STREAM_TOKEN_FILE=.\n", { NULL },
	    ".env:1: AUTH0_LOG_STREAM_TOKEN_FILE: .: cannot be read: it is "
	    "not a file\n" },
	{ "no name of a file", "AUTH0_LOG_STREAM_TOKEN_FILE=\n", { NULL },
	    ".env:1: AUTH0_LOG_STREAM_TOKEN_FILE: it is empty: give it a "
	    "value or remove it\n" },
};

static void
test_secret_problems(void)
{
	struct buf text = BUF_INIT;
	struct config c;
	size_t i;

	write_text("empty", "");
	write_text("blank", "\n \n");
	for (i = 0; i < ROWS(secret_problems); i++) {
		start_over(secret_problems[i].env);
		set_variables(secret_problems[i].settings);
		buf_clear(&text);
		ok(!config_load(&c, &text) &&
		    (!c.tokens || !c.destinations[0].webhook_url),
		    "%s: refused", secret_problems[i].title);
		is_str(buf_text(&text), secret_problems[i].problem, "and "
		    "the reason is told");
		config_release(&c);
	}
	buf_release(&text);
}

/* ------------------------------------------------- several destinations */

#define OPS "https://hooks.slack.com/services/T0/OPS/" SECRET
#define DEV "https://hooks.slack.com/services/T0/DEV/" SECRET

/* The names of the destinations, in order; "-" before one without webhook. */
static const char *
names(const struct config *c)
{
	static struct buf text;
	size_t i;

	buf_clear(&text);
	for (i = 0; i < c->destination_count; i++)
		buf_addf(&text, "%s%s%s", i ? " " : "",
		    c->destinations[i].webhook_url ? "" : "-",
		    c->destinations[i].name);
	return buf_text(&text);
}

static void
test_destinations(void)
{
	struct buf text = BUF_INIT;
	const struct destination *ops;
	struct config c;

	start_over("FILTER_ops=success\nSLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "SLACK_WEBHOOK_URL_dev_FILE=hook\nFILTER=notice\n"
	    "SLACK_WEBHOOK_URL_Ops=" OPS "\nSLACK_WEBHOOK_URL=" HOOK "\n"
	    "SLACK_WEBHOOK_URL_1=" OPS "\n");
	write_text("hook", DEV "\nmore\n");
	ok(config_load_to_post(&c, &text), "there may be several "
	    "destinations");
	is_str(names(&c), "default 1 Ops dev ops", "default is the first, and "
	    "the others are in order of name");
	ops = config_destination(&c, "ops");
	ok(ops && strcmp(ops->webhook_url, OPS) == 0 &&
	    ops == &c.destinations[4], "each has its webhook");
	is_str(config_destination(&c, "dev")->webhook_url, DEV,
	    "which may come from a file");
	is_str(config_destination(&c, "default")->webhook_url, HOOK,
	    "SLACK_WEBHOOK_URL is that of default");
	ok(!config_destination(&c, "op") && !config_destination(&c, "OPS") &&
	    !config_destination(&c, ""), "there is none of another name");
	ok(keeps(&c, 4, "s") && !keeps(&c, 4, "f"), "each has its filter");
	ok(keeps(&c, 3, "f") && !keeps(&c, 3, "du"), "and without one failure "
	    "limit anomaly, whatever FILTER says");
	config_release(&c);
	buf_release(&text);
}

static void
test_destinations_listed(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SLACK_WEBHOOK_URL_ops=https://chat.example/" SECRET "\n"
	    "SLACK_WEBHOOK_URL_dev_FILE=hook\nFILTER_ops=fux\n"
	    "FILTER=fuy\nAUTH0_LOG_STREAM_TOKEN=" TOKEN "\n");
	write_text("hook", DEV "\n");
	config_load(&c, &text);
	config_describe(&c, &text);
	*strstr(text.data, "# what a message tells") = '\0';
	is_str(text.data,
	    "# the Slack incoming webhook that messages go to\n"
	    "SLACK_WEBHOOK_URL=    (not set)\n"
	    "SLACK_WEBHOOK_URL_dev=https://hooks.slack.com/********"
	    "    (.env:2, in hook)\n"
	    "SLACK_WEBHOOK_URL_ops=https://chat.example/********"
	    "    (.env:1)\n"
	    "# the secret that Auth0 sends\n"
	    "AUTH0_LOG_STREAM_TOKEN=******** (1 token)    (.env:5)\n"
	    "# which events are sent\n"
	    "FILTER=fuy    (.env:4)\n"
	    "FILTER_dev=failure limit anomaly    (default)\n"
	    "FILTER_ops=fux    (.env:3)\n", "the listing has the keys of "
	    "each destination, and no secret");
	buf_clear(&text);
	config_doubts(&c, &text);
	is_str(buf_text(&text),
	    "SLACK_WEBHOOK_URL_ops: chat.example is not Slack\n"
	    "FILTER is for SLACK_WEBHOOK_URL, which is not set: no other "
	    "destination has it\n"
	    "FILTER: \"fuy\" is no event type of the "
	    "catalogue: did you mean fu?\n"
	    "FILTER_ops: \"fux\" is no event type of the "
	    "catalogue: did you mean fu?\n", "what is "
	    "doubted is said of each of them");
	config_release(&c);
	buf_release(&text);
}

/* Whose rate limit each destination has: "name:name ...". */
static const char *
shares(const struct config *c)
{
	static struct buf text;
	size_t i;

	buf_clear(&text);
	for (i = 0; i < c->destination_count; i++)
		buf_addf(&text, "%s%s:%s", i ? " " : "",
		    c->destinations[i].name,
		    c->destinations[c->destinations[i].shares].name);
	return buf_text(&text);
}

static void
test_same_webhook(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SLACK_WEBHOOK_URL=" HOOK "\nSLACK_WEBHOOK_URL_dev=" HOOK
	    "x\nSLACK_WEBHOOK_URL_ops=" HOOK "\nAUTH0_LOG_STREAM_TOKEN="
	    TOKEN "\n");
	config_load(&c, &text);
	is_str(shares(&c), "default:default dev:dev ops:default",
	    "destinations of one webhook share the rate limit of one");
	config_doubts(&c, &text);
	is_str(buf_text(&text), "destinations default and ops have the same "
	    "webhook: they share one rate limit\n", "which is told");
	config_release(&c);
	start_over("SLACK_WEBHOOK_URL_z=" HOOK "\nSLACK_WEBHOOK_URL=" HOOK
	    "\nSLACK_WEBHOOK_URL_a=" HOOK "\nSLACK_WEBHOOK_URL_B="
	    "https://HOOKS.slack.com:443/services/T0/B0/hunter2hunter2\n"
	    "SLACK_WEBHOOK_URL_c=" HOOK "/\n");
	config_load(&c, &text);
	is_str(shares(&c), "default:B B:B a:B c:c z:B", "it is the first by "
	    "name, however the address is written");
	config_release(&c);
	start_over("SLACK_WEBHOOK_URL_b=" HOOK "\nSLACK_WEBHOOK_URL_c=" HOOK
	    "\n");
	config_load(&c, &text);
	is_str(shares(&c), "default:default b:b c:b", "and never default "
	    "where that has no webhook");
	config_release(&c);
	buf_release(&text);
}

static void
test_destinations_mix(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("SLACK_WEBHOOK_URL_ops_FILE=absent\nFILTER_ops=success\n"
	    "FILTER_dev=notice\n");
	setenv("SLACK_WEBHOOK_URL_ops", OPS, 1);
	setenv("SLACK_WEBHOOK_URL_dev", DEV, 1);
	setenv("FILTER_dev", "limit", 1);
	ok(config_load_to_post(&c, &text), "file and environment mix, key by "
	    "key");
	is_str(buf_text(&text), "", "without a problem");
	is_str(names(&c), "-default dev ops", "one destination of any name "
	    "is enough to post");
	ok(!config_destination(&c, "default"), "default is then none");
	is_str(c.destinations[2].webhook_url, OPS, "a variable wins over the "
	    "file in either form");
	ok(keeps(&c, 2, "s"), "what only the file has is the file's");
	ok(keeps(&c, 1, "api_limit") && !keeps(&c, 1, "du"), "a filter's "
	    "variable wins too");
	config_release(&c);
	start_over("FILTER=failure\n");
	ok(!config_load_to_post(&c, &text), "without any nothing is posted");
	is_str(buf_text(&text), "SLACK_WEBHOOK_URL is not set: give it the "
	    "address of a Slack incoming webhook\n", "and the reason is "
	    "told");
	config_release(&c);
	buf_release(&text);
}

#define NAME_32 "abcdefghijklmnopqrstuvwxyz_01234"
#define BAD_NAME ": the name of a destination is 1 to 32 letters, digits or " \
	"_\n"
#define NO_FILE ": no destination can be called FILE, or end in _FILE: that " \
	"means a file\n"

static const struct {
	const char *title;
	const char *env;		/* .env */
	const char *settings[3];	/* of the environment */
	const char *problem;
} destination_problems[] = {
	{ "a name of 32 characters",
	    "SLACK_WEBHOOK_URL_" NAME_32 "=" OPS "\n", { NULL }, "" },
	{ "one of 33", "SLACK_WEBHOOK_URL_" NAME_32 "5=" OPS "\n", { NULL },
	    ".env:1: SLACK_WEBHOOK_URL_" NAME_32 "5" BAD_NAME },
	{ "one of 33 for a filter", "FILTER_" NAME_32 "5=f\n", { NULL },
	    ".env:1: FILTER_" NAME_32 "5" BAD_NAME },
	{ "no name", "SLACK_WEBHOOK_URL_=" OPS "\nFILTER_=f\n", { NULL },
	    ".env:1: SLACK_WEBHOOK_URL_" BAD_NAME
	    ".env:2: FILTER_" BAD_NAME },
	{ "no name before _FILE", "SLACK_WEBHOOK_URL__FILE=hook\n",
	    { NULL }, ".env:1: SLACK_WEBHOOK_URL__FILE" BAD_NAME },
	{ "a name with another sign", "",
	    { "SLACK_WEBHOOK_URL_a-b=" OPS, NULL },
	    "environment: SLACK_WEBHOOK_URL_a-b" BAD_NAME },
	{ "a name that is a line end", "",
	    { "SLACK_WEBHOOK_URL_\n=" OPS, NULL },
	    "environment: SLACK_WEBHOOK_URL_\\x0a" BAD_NAME },
	{ "the name _", "SLACK_WEBHOOK_URL__=" OPS "\n", { NULL }, "" },
	{ "a name that begins with default",
	    "SLACK_WEBHOOK_URL_default2=" OPS "\n", { NULL }, "" },
	{ "default by name", "SLACK_WEBHOOK_URL_default=" OPS "\n", { NULL },
	    ".env:1: SLACK_WEBHOOK_URL_default is destination default: use "
	    "SLACK_WEBHOOK_URL\n" },
	{ "default by name in the environment", "",
	    { "SLACK_WEBHOOK_URL_default=" OPS, NULL },
	    "environment: SLACK_WEBHOOK_URL_default is destination default: "
	    "use SLACK_WEBHOOK_URL\n" },
	{ "default by name in a file",
	    "SLACK_WEBHOOK_URL_default_FILE=hook\n", { NULL },
	    ".env:1: SLACK_WEBHOOK_URL_default_FILE is destination default: "
	    "use SLACK_WEBHOOK_URL_FILE\n" },
	{ "default's filter by name", "FILTER_default=f\n", { NULL },
	    ".env:1: FILTER_default is destination default: use FILTER\n" },
	{ "the name FILE", "SLACK_WEBHOOK_URL_FILE_FILE=hook\n", { NULL },
	    ".env:1: SLACK_WEBHOOK_URL_FILE_FILE" NO_FILE },
	{ "a name that ends in _FILE",
	    "SLACK_WEBHOOK_URL_ops_FILE_FILE=hook\n", { NULL },
	    ".env:1: SLACK_WEBHOOK_URL_ops_FILE_FILE" NO_FILE },
	{ "a filter's file", "SLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "FILTER_ops_FILE=f\n", { NULL },
	    ".env:2: unknown key \"FILTER_ops_FILE\"\n" },
	{ "a name behind another key", "SHOW_ops=ip\nQUEUE_ops=x\n"
	    "AUTH0_LOG_STREAM_TOKEN_ops=x\n", { NULL },
	    ".env:1: unknown key \"SHOW_ops\"\n"
	    ".env:2: unknown key \"QUEUE_ops\"\n"
	    ".env:3: unknown key \"AUTH0_LOG_STREAM_TOKEN_ops\"\n" },
	{ "a filter without its webhook", "\nFILTER_ops=f\n", { NULL },
	    ".env:2: FILTER_ops: there is no SLACK_WEBHOOK_URL_ops\n" },
	{ "one in the environment", "SLACK_WEBHOOK_URL_dev=" DEV "\n",
	    { "FILTER_ops=f", NULL }, "" },
	{ "a webhook given twice", "SLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "SLACK_WEBHOOK_URL_ops=" DEV "\n", { NULL },
	    ".env:2: SLACK_WEBHOOK_URL_ops was already set at .env:1\n" },
	{ "a filter given twice", "SLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "FILTER_ops=f\nFILTER_ops=f\n", { NULL },
	    ".env:3: FILTER_ops was already set at .env:2\n" },
	{ "a webhook given in both ways", "SLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "SLACK_WEBHOOK_URL_ops_FILE=hook\n", { NULL },
	    ".env:2: SLACK_WEBHOOK_URL_ops and SLACK_WEBHOOK_URL_ops_FILE "
	    "are both set: keep one\n" },
	{ "an empty webhook", "FILTER_ops=f\nSLACK_WEBHOOK_URL_ops=\n",
	    { NULL }, ".env:2: SLACK_WEBHOOK_URL_ops: it is empty: give it a "
	    "value or remove it\n" },
	{ "an empty webhook in the environment", "",
	    { "SLACK_WEBHOOK_URL_ops=", NULL },
	    "environment: SLACK_WEBHOOK_URL_ops: it is empty: give it a "
	    "value or remove it\n" },
	{ "a webhook's file that is not there", "",
	    { "SLACK_WEBHOOK_URL_ops_FILE=absent", NULL },
	    "environment: SLACK_WEBHOOK_URL_ops_FILE: absent: cannot be "
	    "read: No such file or directory\n" },
	{ "a webhook that is none", "SLACK_WEBHOOK_URL_ops=" SECRET "\n",
	    { NULL }, ".env:1: SLACK_WEBHOOK_URL_ops: it is not a URL such "
	    "as https://hooks.slack.com/services/...\n" },
	{ "a filter that is none", "SLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "FILTER_ops=,\n", { NULL },
	    ".env:2: FILTER_ops: the filter has no term\n" },
	{ "an empty filter", "SLACK_WEBHOOK_URL_ops=" OPS "\n"
	    "FILTER_ops=\n", { NULL }, "" },
};

static void
test_destination_problems(void)
{
	size_t i;

	write_text("hook", OPS "\n");
	for (i = 0; i < ROWS(destination_problems); i++) {
		start_over(destination_problems[i].env);
		set_variables(destination_problems[i].settings);
		is_str(problems(), destination_problems[i].problem, "%s: %s",
		    destination_problems[i].title,
		    *destination_problems[i].problem ? "refused" : "taken");
	}
	start_over("SLACK_WEBHOOK_URL_ops=" OPS "\n");
	chmod(".env", 0644);
	is_str(problems(), ".env: every user of this machine may read it, and "
	    "it holds SLACK_WEBHOOK_URL_ops: run chmod o-r on it\n", "a file "
	    "that everybody may read must not hold a destination's webhook");
	start_over("SLACK_WEBHOOK_URL_ops_FILE=hook\n");
	chmod("hook", 0644);
	is_str(problems(), "hook: every user of this machine may read it, and "
	    "it holds SLACK_WEBHOOK_URL_ops: run chmod o-r on it\n", "neither "
	    "must a file of its own");
}

/* A file with so many destinations besides default, and their filters. */
static void
write_destinations(unsigned count)
{
	struct buf text = BUF_INIT;
	unsigned i;

	for (i = 1; i <= count; i++)
		buf_addf(&text, "SLACK_WEBHOOK_URL_%u=" OPS "\n"
		    "FILTER_%u=f\n", i, i);
	start_over(buf_text(&text));
	buf_release(&text);
}

static void
test_many_destinations(void)
{
	static const char problem[] = ".env:63: SLACK_WEBHOOK_URL_32: there "
	    "are more than 32 destinations, default among them\n";
	struct buf text = BUF_INIT;
	struct config c;

	write_destinations(31);
	ok(config_load(&c, &text) && c.destination_count == DESTINATIONS_MAX,
	    "default and 31 more are not too many");
	config_release(&c);
	write_destinations(40);
	ok(!config_load(&c, &text) && c.destination_count == DESTINATIONS_MAX,
	    "default and 40 more are");
	is_str(buf_text(&text), problem, "and the first that is too many is "
	    "told");
	config_release(&c);
	buf_release(&text);
}

/* ---------------------------------------------------------------- modes */

/* What is said of a file of that mode that holds a secret. */
static const char *
mode_problems(const char *file, mode_t mode, const char *key)
{
	static char text[400];

	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s",
	    mode & 02 ? file : "", mode & 02 ? ": every user of this machine "
	    "may write to it: run chmod o-w on it\n" : "",
	    mode & 04 ? file : "", mode & 04 ? ": every user of this machine "
	    "may read it, and it holds " : "", mode & 04 ? key : "",
	    mode & 04 ? ": run chmod o-r on it" : "", mode & 04 ? "\n" : "");
	return text;
}

static void
test_modes(void)
{
	static const mode_t modes[] = {
		0600, 0400, 0640, 0660, 0644, 0604, 0602, 0666,
	};
	size_t i;

	for (i = 0; i < ROWS(modes); i++) {
		start_over("SLACK_WEBHOOK_URL=" HOOK "\n");
		chmod(".env", modes[i]);
		is_str(problems(), mode_problems(".env", modes[i],
		    "SLACK_WEBHOOK_URL"), "a file with a webhook of mode "
		    "%03o", (unsigned)modes[i]);
		start_over("AUTH0_LOG_STREAM_TOKEN_FILE=secret\n");
		unlink("secret"); /* which may be read-only */
		write_text("secret", TOKEN);
		chmod("secret", modes[i]);
		is_str(problems(), mode_problems("secret", modes[i],
		    "AUTH0_LOG_STREAM_TOKEN"), "a file with a token");
	}
	start_over("FILTER=f\nSLACK_WEBHOOK_URL_FILE=secret\n");
	write_text("secret", HOOK);
	chmod(".env", 0644);
	is_str(problems(), "", "a file without a secret may be read by all");
	chmod(".env", 0646);
	is_str(problems(), ".env: every user of this machine may write to it: "
	    "run chmod o-w on it\n", "but not written to");
	start_over("AUTH0_LOG_STREAM_TOKEN=" TOKEN "\n");
	chmod(".env", 0644);
	setenv("AUTH0_LOG_STREAM_TOKEN", TOKEN, 1);
	is_str(problems(), mode_problems(".env", 0644,
	    "AUTH0_LOG_STREAM_TOKEN"), "one with a secret may not, even when "
	    "it is not the one used");
}

/* ---------------------------------------------------------------- places */

static const char *
files_looked_for(void)
{
	static struct buf text;
	struct buf ignored = BUF_INIT;
	struct config c;

	buf_clear(&text);
	config_load(&c, &ignored);
	buf_addf(&text, "%s:\n", c.path ? c.path : "none");
	config_files(&c, &text);
	config_release(&c);
	buf_release(&ignored);
	return buf_text(&text);
}

#define NOBODY 65534		/* a user who is not root, nor we */

#define TRAP ".env: it belongs to another user: if it is the right one, " \
	"run this as that user, or name it: LOG_STREAM_CONFIG=.env\n"

/* As a user who is neither root nor the owner of .env. */
static bool
is_trap_for_others(void)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(setuid(NOBODY - 1) < 0 ? 2 :
		    strcmp(problems(), TRAP) == 0);
	waitpid(child, &status, 0);
	if (WEXITSTATUS(status) > 1)
		diag("the child failed");
	return WEXITSTATUS(status) == 1;
}

/* A .env says which files are written: whose it is matters. */
static void
test_traps(void)
{
	start_over("SHOW=user\n");
	chmod(".", 01777);
	is_str(problems(), "", "in a directory that is open to all, our own "
	    ".env counts");
	chmod(".env", 0644);
	if (geteuid() != 0 || chown(".env", NOBODY, NOBODY) < 0) {
		skip("that of another user does not", "not root");
		chmod(".", 0700);
		return;
	}
	ok(is_trap_for_others(), "that of another user does not");
	chmod(".", 0755);
	ok(!is_trap_for_others(), "where only its owner can make one it does");
	is_str(problems(), TRAP, "but not for root");
	setenv("SUDO_UID", "65534", 1);
	is_str(problems(), "", "unless it is who became root");
	setenv("SUDO_UID", "65533", 1);
	is_str(problems(), TRAP, "and nobody else");
	unsetenv("SUDO_UID");
	write_text(".env", "!");
	ok(chown(".env", NOBODY, NOBODY) == 0 &&
	    strcmp(problems(), TRAP) == 0, "it is not read");
	write_text(".env", "SHOW=user\n");
	setenv("LOG_STREAM_CONFIG", ".env", 1);
	is_str(problems(), "", "unless it is named");
	unsetenv("LOG_STREAM_CONFIG");
	chmod(".", 0700);
}

static void
test_places(void)
{
	struct buf want = BUF_INIT;
	char path[5000];

	snprintf(path, sizeof(path), "%s/.config/log-stream-to-slack.conf",
	    home);
	start_over(NULL);
	if (access(SYSTEM_FILE, F_OK) == 0) {
		skip("without any file three places were looked at",
		    SYSTEM_FILE " is there");
	} else {
		buf_addf(&want, "none:\n.env (not there)\n%s (not there)\n"
		    SYSTEM_FILE " (not there)\n", path);
		is_str(files_looked_for(), buf_text(&want), "without any "
		    "file three places were looked at");
	}
	write_text(path, "SHOW=ip\n");
	buf_clear(&want);
	buf_addf(&want, "%s:\n.env (not there)\n%s\n", path, path);
	is_str(files_looked_for(), buf_text(&want), "the file in the owner's "
	    "home comes second");
	write_text(".env", "SHOW=user\n");
	is_str(files_looked_for(), ".env:\n.env\n", "the one in the working "
	    "directory comes first");
	setenv("LOG_STREAM_CONFIG", "other.conf", 1);
	write_text("other.conf", "SLACK_WEBHOOK_URL_FILE=secret\n");
	is_str(files_looked_for(), "other.conf:\nother.conf\nsecret\n",
	    "LOG_STREAM_CONFIG comes before all, and a secret's file counts");
	setenv("LOG_STREAM_CONFIG", "", 1);
	is_str(files_looked_for(), ".env:\n.env\n", "an empty one does not "
	    "count");
	setenv("LOG_STREAM_CONFIG", "absent.conf", 1);
	is_str(problems(), "absent.conf: cannot be read: No such file or "
	    "directory\n", "one that is not there is an error, though .env "
	    "is there");
	is_str(files_looked_for(), "absent.conf:\nabsent.conf (not there)\n",
	    "and no other is looked for");
	start_over("SHOW=user\n");
	write_text(path, "SHOW=nonsense\n");
	is_str(problems(), "", "only one file is read");
	unlink(path);
	start_over(NULL);
	homeless = true;
	ok(!strstr(files_looked_for(), ".config"), "an owner whom the user "
	    "database does not know has no home");
	homeless = false;
	snprintf(path, sizeof(path), "%s", home);
	strcpy(home, "/dev/null");
	is_str(problems(), "", "a home that is no directory has no file");
	ok(strstr(files_looked_for(), "/dev/null/.config/"
	    "log-stream-to-slack.conf (not there)\n") != NULL, "and it is said "
	    "to have none");
	strcpy(home, path);
	buf_release(&want);
}

/* A file that is there and cannot be had must not be passed over. */
static void
test_dangling(void)
{
	start_over(NULL);
	if (symlink(".env", ".env") < 0)
		abort();
	is_str(problems(), ".env: cannot be read: Too many levels of "
	    "symbolic links\n", "a file that cannot be opened is an error, "
	    "not a miss");
	unlink(".env");
}

/* ---------------------------------------------------------------- change */

static void
touch(const char *path, time_t mtime)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, 0 } };

	times[1].tv_sec = mtime;
	if (utimensat(AT_FDCWD, path, times, 0) < 0)
		abort();
}

static bool
changes(const char *title, void (*act)(void))
{
	struct buf text = BUF_INIT;
	struct config c;
	bool before, after;

	config_load(&c, &text);
	before = config_changed(&c);
	act();
	after = config_changed(&c);
	config_release(&c);
	buf_release(&text);
	return ok(!before && after, "%s is noticed", title);
}

static void
change_time(void)
{
	touch(".env", 1000000000);
}

static void
change_text(void)
{
	write_text(".env", "SHOW=user\nLOG=stderr\n");
}

static void
change_mode(void)
{
	chmod(".env", 0640);
}

static void
replace(void)
{
	write_text("new", "SHOW=ip\nLOG=stderr\n");
	rename("new", ".env");
}

static void
remove_it(void)
{
	unlink(".env");
}

static void
put_it_back(void)
{
	write_text(".env", "SHOW=ip\n");
}

static void
change_secret(void)
{
	write_text("secret", TOKEN "-rotated");
}

static void
remove_secret(void)
{
	unlink("secret");
}

static void
make_secret(void)
{
	write_text("secret", TOKEN);
}

static void
test_changes(void)
{
	struct buf text = BUF_INIT;
	struct config c, other;

	start_over("SHOW=ip\n");
	changes("a new time of a file", change_time);
	changes("a new text", change_text);
	changes("a new mode", change_mode);
	changes("another file in its place", replace);
	changes("a file that is gone", remove_it);
	changes("a file that has come, before the places looked at",
	    put_it_back);
	setenv("AUTH0_LOG_STREAM_TOKEN_FILE", "secret", 1);
	write_text("secret", TOKEN);
	changes("a new token in its file", change_secret);
	changes("a token's file that is gone", remove_secret);
	changes("a token's file that has come", make_secret);

	config_load(&c, &text);
	write_text(".env", "SHOW=nonsense\n");
	config_load(&other, &text);
	ok(config_changed(&c), "a file made bad is noticed");
	config_adopt_stamps(&c, &other);
	config_release(&other);
	ok(!config_changed(&c), "and, once its stamps are taken over, no more");
	is_num(c.show, SHOW_IP, "while the old values stay in force");
	write_text(".env", "SHOW=user,ip\n");
	ok(config_changed(&c), "the next change is noticed again");
	config_release(&c);
	memset(&c, 0, sizeof(c));
	ok(!config_changed(&c), "nothing read has not changed");
	buf_release(&text);
}

/* ---------------------------------------------------- half-written files */

#define YOUNG ": it is less than 2 s old, and "
#define HALF ": it may be half written, and counts when it is 2 s old\n"
#define CUT YOUNG "its last line has no end" HALF
#define NO_TOKEN YOUNG "nothing gives AUTH0_LOG_STREAM_TOKEN" HALF

static const struct {
	const char *title;
	const char *env;		/* .env */
	time_t age;
	const char *settings[3];	/* of the environment */
	bool worker;			/* who needs no token */
	const char *problem;
} halves[] = {
	{ "a young file with a token", "AUTH0_LOG_STREAM_TOKEN=x\n", 0,
	    { NULL }, false, "" },
	{ "one without", "SHOW=ip\n", 0, { NULL }, false, ".env" NO_TOKEN },
	{ "an empty one", "", 0, { NULL }, false, ".env" NO_TOKEN },
	{ "one of a worker", "SHOW=ip\n", 0, { NULL }, true, "" },
	{ "one beside a token in the environment", "SHOW=ip\n", 0,
	    { "AUTH0_LOG_STREAM_TOKEN=x", NULL }, false, "" },
	{ "one of 1 s", "SHOW=ip\n", 1, { NULL }, false, ".env" NO_TOKEN },
	{ "one of 3 s", "SHOW=ip\n", 3, { NULL }, false, "" },
	{ "one whose last line has no end",
	    "AUTH0_LOG_STREAM_TOKEN=x\nSLACK_WEBHOOK_URL=" HOOK, 0, { NULL },
	    false, ".env" CUT },
	{ "one of a worker whose last line has no end",
	    "SLACK_WEBHOOK_URL=" HOOK, 0, { NULL }, true, ".env" CUT },
	{ "one of 3 s whose last line has no end",
	    "SLACK_WEBHOOK_URL=" HOOK, 3, { NULL }, true, "" },
	{ "one of a time to come, by a clock that is wrong", "SHOW=ip\n",
	    -1000, { NULL }, false, "" },
	{ "one of the next seconds", "SHOW=ip\n", -10, { NULL }, false,
	    ".env" NO_TOKEN },
	{ "a token's file without an end",
	    "AUTH0_LOG_STREAM_TOKEN_FILE=token\n", 0, { NULL }, false,
	    "token" CUT },
};

static void
test_halves(void)
{
	struct buf text = BUF_INIT;
	struct config c;
	size_t i;

	write_text("token", TOKEN);
	for (i = 0; i < ROWS(halves); i++) {
		start_over(halves[i].env);
		set_variables(halves[i].settings);
		touch(".env", time(NULL) - halves[i].age);
		buf_clear(&text);
		ok(config_load(&c, &text) && config_is_settled(&c,
		    !halves[i].worker, &text) == !*halves[i].problem,
		    "%s: %s", halves[i].title, *halves[i].problem ?
		    "may be half written" : "is whole");
		is_str(buf_text(&text), halves[i].problem, "as is told");
		ok((c.look_at > 0) == (*halves[i].problem != '\0') &&
		    !config_changed(&c), "when to look again is known");
		config_release(&c);
	}
	start_over("");
	config_load(&c, &text);
	config_look_in(&c, 0);
	ok(config_changed(&c) && !config_files_changed(&c), "when it is time "
	    "to look again, that counts as a change");
	config_release(&c);
	buf_release(&text);
}

static void
test_rotation(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("AUTH0_LOG_STREAM_TOKEN_FILE=secret\n");
	write_text("secret", "old\n");
	config_load(&c, &text);
	is_str(c.tokens, "old\n", "the old token");
	config_release(&c);
	write_text("secret", "new\nold\n");
	config_load(&c, &text);
	is_str(c.tokens, "new\nold\n", "then both");
	config_release(&c);
	buf_release(&text);
}

/* ---------------------------------------------------------------- secrecy */

/* Every way to get a secret wrong, or right: it is never shown. */
static void
test_secrecy(void)
{
	static const char *const texts[] = {
		"SLACK_WEBHOOK_URL=" HOOK "\nAUTH0_LOG_STREAM_TOKEN=" TOKEN,
		"SLACK_WEBHOOK_URL=" SECRET,
		"SLACK_WEBHOOK_URL=https://" SECRET "@x/",
		"SLACK_WEBHOOK_URL=http://example.com/" SECRET,
		"SLACK_WEBHOOK_URL=https://hooks.slack.com/triggers/" SECRET,
		"SLACK_WEBHOOK_URL=https://example.com:80/" SECRET,
		"SLACK_WEBHOOK_URL=\"" SECRET,
		"SLACK_WEBHOOK_URL='" SECRET "' " SECRET,
		"SLACK_WEBHOOK_URL=" SECRET "\\",
		"SLACK_WEBHOOK_URL=" SECRET "\x01",
		"SLACK_WEBHOOK_URL " SECRET,
		"SLACK_WEBHOOK_URL: " SECRET,
		SECRET,
		"AUTH0_LOG_STREAM_TOKEN=" SECRET,
		"AUTH0_LOG_STREAM_TOKEN=" SECRET "\nAUTH0_LOG_STREAM_TOKEN="
		    SECRET "2",
		"AUTH0_LOG_STREAM_TOKEN=" SECRET "\n"
		    "AUTH0_LOG_STREAM_TOKEN_FILE=secret",
		"AUTH0_LOG_STREAM_TOKEN_FILE=secret",
		"SLACK_WEBHOOK_URL_FILE=secret",
		"SLACK_WEBHOOK_URL_FILE=hook",
		"AUTH0_LOG_STREAM_TOKENS=" SECRET,
		"SLACK_WEBHOOK_URL_ops=" OPS,
		"SLACK_WEBHOOK_URL_ops=" SECRET,
		"SLACK_WEBHOOK_URL_ops=https://" SECRET "@x/",
		"SLACK_WEBHOOK_URL_ops_FILE=secret",
		"SLACK_WEBHOOK_URL_ops_FILE=hook",
		"SLACK_WEBHOOK_URL_default=" SECRET,
	};
	struct buf text = BUF_INIT;
	struct config c;
	size_t i;

	write_text("secret", SECRET "\n");
	write_text("hook", HOOK "\n");
	for (i = 0; i < ROWS(texts); i++) {
		start_over(texts[i]);
		chmod(".env", 0644);
		buf_clear(&text);
		config_load(&c, &text);
		config_describe(&c, &text);
		config_doubts(&c, &text);
		config_files(&c, &text);
		if (!ok(!strstr(buf_text(&text), SECRET), "no secret of "
		    "configuration %zu is shown", i + 1))
			diag("%s", buf_text(&text));
		config_release(&c);
	}
	buf_release(&text);
}

/* What a person reads of a value drives no terminal. */
static void
test_describe_escapes(void)
{
	struct buf text = BUF_INIT;
	struct config c;

	start_over("FILTER='client_name=\xC2\x9B\xFF" "31m'\n");
	ok(config_load(&c, &text), "a filter may hold any byte but control "
	    "bytes");
	config_describe(&c, &text);
	ok(strstr(buf_text(&text), "\nFILTER=client_name=\\xc2\\x9b\\xff31m"
	    "    (.env:1)\n") != NULL, "the listing escapes what would drive "
	    "a terminal");
	config_release(&c);
	buf_release(&text);
}

int
main(void)
{
	scratch = scratch_enter();
	snprintf(home, sizeof(home), "%s/home", scratch);
	if (mkdir("home", 0700) < 0 || mkdir("home/.config", 0700) < 0)
		abort();
	umask(0);
	test_defaults();
	test_file();
	test_environment();
	test_mixture();
	test_short_tokens();
	test_numbers("SLACK_TIMEOUT", offsetof(struct config,
	    slack_timeout_ms), 10000, durations, ROWS(durations),
	    "from 100ms to 25s", DURATION);
	test_numbers("MAX_BODY", offsetof(struct config, max_body), 16777216,
	    sizes, ROWS(sizes), "from 1kB to 1GiB", SIZE);
	test_numbers("QUEUE_MAX", offsetof(struct config, queue_max), 1000000,
	    counts, ROWS(counts), "from 1 to 100000000", COUNT);
	test_limits();
	test_values();
	test_bad_is_whole();
	test_files();
	test_one_line_each();
	test_strangers();
	test_comments();
	test_secret_files();
	test_secret_problems();
	test_destinations();
	test_destinations_listed();
	test_same_webhook();
	test_destinations_mix();
	test_destination_problems();
	test_many_destinations();
	test_modes();
	test_places();
	test_traps();
	test_dangling();
	test_changes();
	test_halves();
	test_rotation();
	test_secrecy();
	test_describe_escapes();
	return done_testing();
}
