/* SPDX-License-Identifier: ISC */
/*
 * The configuration in force while its file changes. The tests run in a
 * directory of their own.
 */
#include "current.h"

#include "log.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The texts of the error lines since the last call. */
static const char *
errors(void)
{
	static struct buf text;
	char *line, *error, *rest = NULL;

	buf_clear(&text);
	for (line = strtok_r(caught.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		error = strstr(line, "error=");
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
	current_load(&c);
	ok(current_is_ready(&c), "a good configuration can be used");
	ok(!current_refresh(&c), "one that stays the same is not another");
	write_config(GOOD "DIGEST_AFTER=7\n");
	ok(current_refresh(&c) && current_is_ready(&c) &&
	    c.config.digest_after == 7, "a good new one takes its place");
	write_config(GOOD "DIGEST_AFTER=x\nSHOW=!\n");
	ok(!current_refresh(&c) && current_is_ready(&c) &&
	    c.config.digest_after == 7, "a bad new one does not");
	is_str(errors(), "error=\"conf:3: SHOW: \\x22!\\x22 cannot be shown: "
	    "choose from client user ip connection tenant\"\n"
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
	current_load(&c);
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

static void
test_log(const char *scratch)
{
	struct buf text = BUF_INIT;
	struct current c;

	buf_addf(&text, GOOD "LOG=%s/log\nLOG_LEVEL=debug\n", scratch);
	write_config(buf_text(&text));
	current_load(&c);
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
		"LOG_LEVEL",
	};
	const char *scratch = scratch_enter();
	size_t i;

	for (i = 0; i < ROWS(unset); i++)
		unsetenv(unset[i]);
	setenv("LOG_STREAM_CONFIG", "conf", 1);
	log_catch(&caught);
	test_refresh();
	test_bad_from_the_start();
	test_log(scratch);
	buf_release(&caught);
	return done_testing();
}
