/* SPDX-License-Identifier: ISC */
/*
 * A configuration for another process. The tests run in a directory of
 * their own, where .env is the file.
 */
#include "config/config_copy.h"

#include "base/clock.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOOK "https://hooks.slack.com/services/T0/B0/hunter2"

static void
write_text(const char *path, const char *text)
{
	file_write(path, text, strlen(text), 0600);
}

static void
write_good(void)
{
	write_text(".env", "SLACK_WEBHOOK_URL_FILE=hook\n"
	    "AUTH0_LOG_STREAM_TOKEN_FILE=tokens\nDIGEST_AFTER=7\n");
	write_text("hook", HOOK "\n");
	write_text("tokens", "one\n\ntwo\n");
}

static void
make_copy(struct buf *copy)
{
	struct buf problems = BUF_INIT;
	struct config c;

	if (!config_load_to_serve(&c, &problems))
		diag("%s", buf_text(&problems));
	buf_clear(copy);
	config_copy_write(&c, copy);
	config_release(&c);
	buf_release(&problems);
}

static void
test_copy(void)
{
	struct buf copy = BUF_INIT, problems = BUF_INIT, again = BUF_INIT;
	struct config c, other;

	write_good();
	make_copy(&copy);
	write_text(".env", "CHANEL=x\n");
	write_text("tokens", "");
	unlink("hook");
	ok(config_load_copy(&c, &copy, &problems), "a copy is good when the "
	    "files are bad by now");
	is_str(buf_text(&problems), "", "and has no problem");
	is_str(c.destinations[0].webhook_url, HOOK, "the webhook is that of "
	    "its file");
	is_str(c.tokens, "one\n\ntwo\n", "so are the tokens");
	is_num(c.digest_after, 7, "and the numbers");
	is_str(c.path, ".env", "the file is known");
	is_str(c.entries[0].value.origin, ".env:1, in hook", "with the lines");
	config_copy_write(&c, &again);
	is_str(buf_text(&again), buf_text(&copy), "a copy of it is the same");
	ok(config_changed(&c), "that the files have changed is seen");
	config_load(&other, &problems);
	config_adopt_stamps(&c, &other);
	config_release(&other);
	buf_clear(&again);
	config_copy_write(&c, &again);
	config_release(&c);
	config_load_copy(&c, &again, &problems);
	ok(!config_changed(&c) && c.tokens, "but not where they are known to "
	    "be bad");
	write_good();
	ok(config_changed(&c), "until they change again");
	config_release(&c);
	buf_release(&copy);
	buf_release(&again);
	buf_release(&problems);
}

static void
test_look(void)
{
	struct buf copy = BUF_INIT, problems = BUF_INIT;
	struct config c;

	write_good();
	config_load(&c, &problems);
	config_look_in(&c, 1500);
	config_copy_write(&c, &copy);
	config_release(&c);
	config_load_copy(&c, &copy, &problems);
	ok(c.look_at > clock_ms() && c.look_at <= clock_ms() + 1500,
	    "when to look again is in the copy");
	config_release(&c);
	buf_release(&copy);
	buf_release(&problems);
}

/* The files are read instead: they say 8. */
static bool
is_refused(const struct buf *copy)
{
	struct buf problems = BUF_INIT;
	struct config c;
	bool refused;

	refused = config_load_copy(&c, copy, &problems) &&
	    c.digest_after == 8 && !c.copied;
	config_release(&c);
	buf_release(&problems);
	return refused;
}

static void
test_bad_copies(void)
{
	struct buf copy = BUF_INIT, bad = BUF_INIT;
	size_t len, wrong = 0;

	write_good();
	make_copy(&copy);
	write_text(".env", "SLACK_WEBHOOK_URL=" HOOK "\nDIGEST_AFTER=8\n");
	for (len = 0; len < copy.len; len++) {
		buf_clear(&bad);
		buf_add(&bad, buf_text(&copy), len);
		wrong += !is_refused(&bad);
	}
	is_num((long long)wrong, 0, "a copy that is cut anywhere is none, "
	    "and the files are read");
	buf_clear(&bad);
	buf_addf(&bad, "%sx", buf_text(&copy));
	ok(is_refused(&bad), "so is one with more behind it");
	buf_clear(&bad);
	buf_adds(&bad, buf_text(&copy));
	*strchr(bad.data, '\n') = '9';
	ok(is_refused(&bad), "and one of another version");
	*strchr(bad.data, '9') = '\n';
	*strstr(bad.data, "hunter2") = '\0';
	ok(is_refused(&bad), "and one with a NUL byte");
	ok(!is_refused(&copy), "the whole one is one");
	buf_release(&copy);
	buf_release(&bad);
}

/* ---------------------------------------------------------- descriptors */

static bool
slurps(int fd, struct buf *copy, struct buf *why)
{
	buf_clear(copy);
	buf_clear(why);
	return config_copy_slurp(fd, copy, why);
}

static void
test_descriptors(void)
{
	static const char other[] = "it is not a private file of this user";
	struct buf copy = BUF_INIT, want = BUF_INIT, why = BUF_INIT;
	struct stat st;
	struct config c;
	int fd, ends[2];

	write_good();
	config_load(&c, &why);
	config_copy_write(&c, &want);
	fd = config_copy_open(&c);
	ok(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600 &&
	    st.st_nlink == 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC, "the copy is "
	    "in memory, private and has no name");
	ok(slurps(fd, &copy, &why), "it is read back");
	is_str(buf_text(&copy), buf_text(&want), "as it is");
	fchmod(fd, 0640);
	ok(!slurps(fd, &copy, &why), "one that others may open is not");
	is_str(buf_text(&why), other, "as is told");
	close(fd);
	ok(!slurps(fd, &copy, &why), "a closed descriptor is none");
	is_str(buf_text(&why), "Bad file descriptor", "as is told");
	if (pipe(ends) < 0)
		abort();
	ok(!slurps(ends[0], &copy, &why), "nor is a pipe");
	is_str(buf_text(&why), other, "as is told");
	close(ends[0]);
	close(ends[1]);
	config_release(&c);
	buf_release(&copy);
	buf_release(&want);
	buf_release(&why);
}

int
main(void)
{
	static const char *const unset[] = {
		"SLACK_WEBHOOK_URL", "SLACK_WEBHOOK_URL_FILE",
		"AUTH0_LOG_STREAM_TOKEN", "AUTH0_LOG_STREAM_TOKEN_FILE",
		"DIGEST_AFTER", "QUEUE", "LOG_STREAM_CONFIG",
	};
	size_t i;

	scratch_enter();
	for (i = 0; i < ROWS(unset); i++)
		unsetenv(unset[i]);
	umask(0);
	test_copy();
	test_look();
	test_bad_copies();
	test_descriptors();
	return done_testing();
}
