/* SPDX-License-Identifier: ISC */
/*
 * The configuration in force while its file changes. The tests run in a
 * directory of their own.
 */
#include "config/current.h"

#include "base/log.h"
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD "SLACK_WEBHOOK_URL=https://hooks.slack.com/services/x\n"

static struct buf caught;

static void
write_config(const char *text)
{
	file_write("new", text, strlen(text), 0600);
	if (rename("new", "conf") < 0)
		abort();
}

/* The texts of the lines since the last call. */
static const char *
errors(void)
{
	static struct buf text;
	char *line, *error, *rest = NULL;

	buf_clear(&text);
	for (line = strtok_r(caught.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		error = strstr(line, "error=");
		if (!error)
			error = strstr(line, "message=");
		buf_addf(&text, "%s\n", error ? error : line);
	}
	buf_clear(&caught);
	return buf_text(&text);
}

static void
test_refresh(void)
{
	struct current c;

	write_config(GOOD "SHOW=ip\n");
	current_load(&c, NULL);
	ok(current_is_ready(&c), "a good configuration can be used");
	ok(!current_refresh(&c), "one that stays the same is not another");
	write_config(GOOD "DIGEST_AFTER=7\n");
	ok(current_refresh(&c) && current_is_ready(&c) &&
	    c.config.digest_after == 7, "a good new one takes its place");
	write_config(GOOD "DIGEST_AFTER=x\nSHOW=!\n");
	ok(!current_refresh(&c) && current_is_ready(&c) &&
	    c.config.digest_after == 7, "a bad new one does not");
	is_str(errors(), "error=\"conf:3: SHOW: \\x22!\\x22 cannot be shown: "
	    "choose from description client user ip connection tenant "
	    "organization\"\n"
	    "error=\"conf:2: DIGEST_AFTER: \\x22x\\x22 is not a number: "
	    "write digits alone, such as 60\"\n"
	    "error=\"the new configuration is bad: the old one stays in "
	    "force\"\n", "and why is logged");
	ok(!current_refresh(&c), "it stays bad");
	is_str(errors(), "", "and is logged once");
	write_config(GOOD "DIGEST_AFTER=8\n");
	ok(current_refresh(&c) && c.config.digest_after == 8, "one that is "
	    "mended takes its place");
	current_release(&c);
	current_release(&c);
}

static void
test_bad_from_the_start(void)
{
	struct current c;

	write_config("CHANEL=x\n");
	current_load(&c, NULL);
	ok(!current_is_ready(&c), "a bad configuration cannot be used");
	is_str(errors(), "", "which is not logged by itself");
	current_log_problems(&c);
	is_str(errors(), "error=\"conf:1: unknown key \\x22" "CHANEL\\x22\"\n",
	    "but on demand");
	write_config("");
	ok(current_refresh(&c) && !current_is_ready(&c), "another bad one "
	    "takes its place");
	is_str(errors(), "", "without a word");
	current_log_problems(&c);
	is_str(errors(), "error=\"SLACK_WEBHOOK_URL is not set: give it the "
	    "address of a Slack incoming webhook\"\n", "and with its own "
	    "reason");
	write_config(GOOD);
	ok(current_refresh(&c) && current_is_ready(&c), "so does a good one");
	current_release(&c);
}

/* ---------------------------------------------------- half-written files */

#define TOKEN "AUTH0_LOG_STREAM_TOKEN=0123456789abcdef\n"
#define KEPT "error=\"the new configuration is bad: the old one stays in " \
	"force\"\n"
#define HALF "it may be half written, and counts when it is 2 s old\"\n"
#define NO_TOKEN "error=\"conf: it is less than 2 s old, and nothing gives " \
	"AUTH0_LOG_STREAM_TOKEN: " HALF
#define CUT "error=\"conf: it is less than 2 s old, and its last line has " \
	"no end: " HALF
#define LOST "error=\"AUTH0_LOG_STREAM_TOKEN is not set any more: this " \
	"process keeps the token that it has; start it anew if everybody " \
	"may post\"\n"

static void
write_old_config(const char *text)
{
	static const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	file_write("new", text, strlen(text), 0600);
	if (utimensat(AT_FDCWD, "new", times, 0) < 0 ||
	    rename("new", "conf") < 0)
		abort();
}

static void
test_two_steps(void)
{
	struct current c;

	write_config(GOOD TOKEN);
	current_load_to_receive(&c);
	write_config(GOOD);
	ok(!current_refresh(&c) && c.config.tokens, "a receiver with a token "
	    "keeps it while the file is young and has none");
	is_str(errors(), NO_TOKEN KEPT, "and says so");
	ok(!current_refresh(&c) && c.config.look_at > 0, "it looks again "
	    "later, though the file stays the same");
	write_config(GOOD TOKEN "DIGEST_AFTER=7\n");
	ok(current_refresh(&c) && c.config.tokens &&
	    c.config.digest_after == 7, "the second step counts at once");
	is_str(errors(), "", "without a word");
	ok(c.config.look_at == 0, "and nothing is waited for");
	current_release(&c);
}

static void
test_loss(void)
{
	struct current c;

	write_config(GOOD TOKEN);
	current_load_to_receive(&c);
	write_old_config(GOOD "DIGEST_AFTER=8\n");
	ok(!current_refresh(&c) && c.config.tokens, "a file without a token "
	    "that is old is not taken either");
	is_str(errors(), LOST KEPT, "which is told");
	ok(!current_refresh(&c), "and once");
	is_str(errors(), "", "as long as the file stays as it is");
	write_old_config(GOOD TOKEN "DIGEST_AFTER=9\n");
	ok(current_refresh(&c) && c.config.digest_after == 9,
	    "with a token it is taken");
	current_release(&c);
}

static void
test_young_from_the_start(void)
{
	struct current c;

	write_config(GOOD);
	current_load_to_receive(&c);
	ok(!current_is_ready(&c), "a receiver does not begin with a young "
	    "file without a token");
	current_log_problems(&c);
	is_str(errors(), NO_TOKEN, "and says why");
	ok(!current_refresh(&c), "not before it is old enough");
	write_old_config(GOOD);
	ok(current_refresh(&c) && current_is_ready(&c), "then it does");
	current_release(&c);
	write_config(TOKEN "SLACK_WEBHOOK_URL=https://hooks.sl");
	current_load_to_receive(&c);
	ok(!current_is_ready(&c), "nor with one whose last line has no end");
	current_log_problems(&c);
	is_str(errors(), CUT, "and says why");
	current_release(&c);
}

/* This one does wait. */
static void
test_worker_waits(void)
{
	struct current c;

	write_config("SLACK_WEBHOOK_URL=https://hooks.slack.com/services/x");
	current_load(&c, NULL);
	ok(current_is_ready(&c), "a worker begins when its file is old "
	    "enough");
	is_str(errors(), "", "without a word");
	write_config("SLACK_WEBHOOK_URL=https://hooks.slack.com/serv");
	ok(!current_refresh(&c), "it does not take half an address");
	is_str(errors(), CUT KEPT, "and says why");
	write_config(GOOD);
	ok(current_refresh(&c), "but the whole one, without a token");
	current_release(&c);
}

static void
test_log(const char *scratch)
{
	struct buf text = BUF_INIT;
	struct current c;

	buf_addf(&text, GOOD "LOG=%s/log\nLOG_LEVEL=debug\n", scratch);
	write_config(buf_text(&text));
	current_load(&c, NULL);
	ok(log_wants(LEVEL_DEBUG), "the level of the log is set");
	log_say(LEVEL_DEBUG, "hello");
	is_str(errors(), "", "and its place");
	buf_clear(&text);
	file_read("log", &text);
	ok(strstr(buf_text(&text), "debug message=hello\n") != NULL, "which "
	    "may be a file");
	write_config(GOOD);
	current_refresh(&c);
	log_say(LEVEL_ERROR, "back");
	is_str(errors(), "error=back\n", "a new configuration sets them "
	    "anew");
	ok(!log_wants(LEVEL_DEBUG), "both of them");
	current_release(&c);
	buf_release(&text);
}

int
main(void)
{
	static const char *const unset[] = {
		"SLACK_WEBHOOK_URL", "SHOW", "DIGEST_AFTER", "LOG",
		"LOG_LEVEL", "AUTH0_LOG_STREAM_TOKEN",
	};
	const char *scratch = scratch_enter();
	size_t i;

	for (i = 0; i < ROWS(unset); i++)
		unsetenv(unset[i]);
	setenv("LOG_STREAM_CONFIG", "conf", 1);
	log_catch(&caught);
	test_refresh();
	test_bad_from_the_start();
	test_two_steps();
	test_loss();
	test_young_from_the_start();
	test_worker_waits();
	test_log(scratch);
	buf_release(&caught);
	return done_testing();
}
