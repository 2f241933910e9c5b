/* SPDX-License-Identifier: ISC */
/* Where lines go: what is taken, what is not, and nothing is waited for. */
#include "base/log_sink.h"

#include "base/clock.h"
#include "tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define WAIT_MS 50
#define LINE(text) text, sizeof(text) - 1

/* What there is to read on fd, which is not waited for. */
static const char *
read_now(int fd)
{
	static struct buf text;
	char part[4096];
	ssize_t n;

	buf_clear(&text);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_add(&text, part, (size_t)n);
	return buf_text(&text);
}

/* --------------------------------------------------------------- syslog */

static int
listen_at(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	unlink(path);
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address,
	    sizeof(address)) < 0 || (type != SOCK_DGRAM && listen(fd, 1) < 0))
		abort();
	return fd;
}

/* "<30>Jan  2 03:04:05 rest", as rest; its priority is checked. */
static const char *
rest_of(const char *text, const char *priority)
{
	static const char form[] = "Aaa 99 99:99:99 ";
	size_t i, at = strlen(priority);

	if (strncmp(text, priority, at) != 0)
		return "another priority";
	for (i = 0; form[i]; i++, at++)
		if (form[i] == 'A' ? text[at] < 'A' || text[at] > 'Z' :
		    form[i] == 'a' ? text[at] < 'a' || text[at] > 'z' :
		    form[i] == '9' ? !strchr(" 0123456789", text[at]) ||
		    !text[at] : text[at] != form[i])
			return "no time";
	return text + at;
}

static enum sink_result
send_to(struct sink_syslog *s, const char *line)
{
	return sink_syslog_send(s, 30, line, strlen(line), WAIT_MS);
}

static void
test_absent(void)
{
	char longer[200];
	struct sink_syslog s = SINK_SYSLOG_INIT("nothing");

	is_num(send_to(&s, "x"), SINK_ABSENT, "nothing at the path is no "
	    "daemon");
	file_write("file", "", 0, 0600);
	s.path = "file";
	is_num(send_to(&s, "x"), SINK_ABSENT, "nor is a file");
	close(listen_at("dead", SOCK_DGRAM));
	s.path = "dead";
	is_num(send_to(&s, "x"), SINK_ABSENT, "nor a socket that nobody has "
	    "open");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	s.path = longer;
	is_num(send_to(&s, "x"), SINK_ABSENT, "nor a path too long for one");
	is_num(s.fd, -1, "nothing stays open");
}

static void
test_datagrams(void)
{
	struct sink_syslog s = SINK_SYSLOG_INIT("datagrams");
	int64_t start;
	int i, daemon = listen_at("datagrams", SOCK_DGRAM);

	is_num(send_to(&s, "a[1]: one"), SINK_TAKEN, "a daemon takes a line");
	is_str(rest_of(read_now(daemon), "<30>"), "a[1]: one", "with "
	    "priority and time before it");
	for (i = 0; i < 10000 && sink_syslog_send(&s, 30, "filled", 6, 0) ==
	    SINK_TAKEN; i++)
		;
	ok(i < 10000, "one that does not read is full at some time");
	start = clock_ms();
	is_num(send_to(&s, "two"), SINK_FULL, "then a line is not taken");
	ok(clock_ms() - start >= WAIT_MS, "though it waits for a while");
	read_now(daemon);
	is_num(send_to(&s, "three"), SINK_TAKEN, "one that read is not");
	is_str(rest_of(read_now(daemon), "<30>"), "three", "and has the line");
	close(daemon);
	is_num(send_to(&s, "four"), SINK_ABSENT, "one that ended is not "
	    "there");
	daemon = listen_at("datagrams", SOCK_DGRAM);
	is_num(send_to(&s, "five"), SINK_TAKEN, "one that was started is");
	read_now(daemon);
	close(daemon);
	daemon = listen_at("datagrams", SOCK_DGRAM);
	is_num(send_to(&s, "six"), SINK_TAKEN, "no line is lost when it was "
	    "restarted");
	is_str(rest_of(read_now(daemon), "<30>"), "six", "and it has that");
	sink_syslog_release(&s);
	close(daemon);
}

static void
test_stream(void)
{
	struct sink_syslog s = SINK_SYSLOG_INIT("stream");
	char longer[3000];
	const char *text;
	int i, peer, other, daemon = listen_at("stream", SOCK_STREAM);

	is_num(send_to(&s, "one"), SINK_TAKEN, "a daemon with a stream takes "
	    "a line");
	is_num(send_to(&s, "two"), SINK_TAKEN, "and one more");
	peer = accept(daemon, NULL, NULL);
	text = read_now(peer);
	is_str(rest_of(text, "<30>"), "one", "a NUL ends the first");
	is_str(rest_of(text + strlen(text) + 1, "<30>"), "two", "and "
	    "behind it is the second");
	memset(longer, 'x', sizeof(longer));
	for (i = 0; i < 10000 && sink_syslog_send(&s, 30, longer,
	    sizeof(longer), 0) == SINK_TAKEN; i++)
		;
	ok(i < 10000, "one that does not read is full at some time");
	read_now(peer);
	is_num(send_to(&s, "three"), SINK_TAKEN, "one that read is not");
	other = s.fd >= 0 && read_now(peer)[0] == '<' ? peer :
	    accept(daemon, NULL, NULL);
	is_num(send_to(&s, "four"), SINK_TAKEN, "the next line is taken");
	is_str(rest_of(read_now(other), "<30>"), "four", "and arrives with "
	    "no piece of another before it");
	if (other != peer)
		close(other);
	close(peer);
	is_num(send_to(&s, "five"), SINK_TAKEN, "a connection that was "
	    "closed is made again");
	close(daemon);
	sink_syslog_release(&s);
}

/* ------------------------------------------------------- standard error */

static int saved_stderr;

static void
take_stderr(int fd)
{
	fflush(stderr);
	if (dup2(fd, STDERR_FILENO) < 0)
		abort();
}

static void
give_back_stderr(void)
{
	dup2(saved_stderr, STDERR_FILENO);
}

/* The first line, within the text of the next call. */
static const char *
behind_first_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : "no line";
}

/* A line that is longer than there is room for, and the next. */
static void
test_torn(const char *what, int reader, int writer, size_t len)
{
	struct buf longer = BUF_INIT;
	char *text;
	bool first, second, third;
	int flags = fcntl(writer, F_GETFL);

	while (longer.len < len)
		buf_addc(&longer, 'x');
	buf_addc(&longer, '\n');
	take_stderr(writer);
	first = sink_stderr(longer.data, longer.len, 0);
	second = sink_stderr(LINE("lost\n"), 0);
	text = mem_dup(read_now(reader));
	third = sink_stderr(LINE("whole\n"), 0);
	give_back_stderr();
	ok(!first, "a %s does not take a line that it has no room for", what);
	ok(!second, "nor the next");
	ok(third, "but one when it was read");
	is_num((long long)strspn(text, "x"), (long long)strlen(text),
	    "what it had was a piece of the first line");
	is_str(behind_first_line(read_now(reader)), "whole\n", "and the "
	    "line that is whole begins a new one");
	is_num(fcntl(writer, F_GETFL), flags, "its flags stay");
	buf_release(&longer);
	free(text);
}

static void
test_pipe(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		abort();
	test_torn("pipe", ends[0], ends[1], 1 << 20);
	close(ends[0]);
	take_stderr(ends[1]);
	ok(!sink_stderr(LINE("x\n"), 0), "a pipe that nobody has open takes "
	    "nothing");
	give_back_stderr();
	close(ends[1]);
}

static void
test_socket(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		abort();
	test_torn("socket", ends[0], ends[1], 8 << 20);
	close(ends[0]);
	take_stderr(ends[1]);
	ok(!sink_stderr(LINE("x\n"), 0), "a socket whose other end is closed "
	    "takes nothing");
	give_back_stderr();
	close(ends[1]);
}

static void
test_closed(void)
{
	bool taken;

	close(STDERR_FILENO);
	taken = sink_stderr(LINE("x\n"), 0);
	give_back_stderr();
	ok(!taken, "a closed descriptor 2 takes nothing");
}

/* One that is stopped by Ctrl-S. */
static void
test_terminal(void)
{
	int slave = -1, master = posix_openpt(O_RDWR | O_NOCTTY);
	bool before, stopped, after;

	if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
		slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0) {
		skip("a terminal", "there is none to be had");
		return;
	}
	take_stderr(slave);
	before = sink_stderr(LINE("one\n"), 0);
	tcflow(slave, TCOOFF);
	stopped = sink_stderr(LINE("two\n"), WAIT_MS);
	tcflow(slave, TCOON);
	after = sink_stderr(LINE("three\n"), 0);
	give_back_stderr();
	ok(before && !stopped && after, "a terminal that is stopped is not "
	    "waited for");
	is_str(read_now(master), "one\r\nthree\r\n", "and shows the others");
	close(slave);
	close(master);
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static const char *
contents(const char *path)
{
	static struct buf text;

	buf_clear(&text);
	file_read(path, &text);
	return buf_text(&text);
}

static void
test_stderr_file(void)
{
	int fd = open("err", O_WRONLY | O_CREAT | O_APPEND, 0600);
	bool first, second;

	take_stderr(fd);
	limit_files(5);
	first = sink_stderr(LINE("one two\n"), 0);
	limit_files(RLIM_INFINITY);
	second = sink_stderr(LINE("three\n"), 0);
	give_back_stderr();
	close(fd);
	ok(!first && second, "a file at its limit does not take a line");
	is_str(contents("err"), "one t\nthree\n", "and the next begins a new "
	    "one");
}

/* --------------------------------------------------------------- a file */

static void
test_file(void)
{
	ok(!sink_file("log", false, LINE("x\n"), 0), "a file that is not there "
	    "is not made unless it is asked for");
	ok(sink_file("log", true, LINE("one\n"), 0) &&
	    sink_file("log", false, LINE("two\n"), 0), "a file takes lines");
	is_str(contents("log"), "one\ntwo\n", "and has them");
	limit_files(10);
	ok(!sink_file("log", true, LINE("three\n"), 0), "one at its limit does "
	    "not");
	is_str(contents("log"), "one\ntwo\nth", "but for a piece");
	ok(!sink_file("log", true, LINE("four\n"), 0), "nor the next");
	limit_files(RLIM_INFINITY);
	ok(sink_file("log", true, LINE("five\n"), 0) &&
	    sink_file("log", true, LINE("six\n"), 0), "then it does again");
	is_str(contents("log"), "one\ntwo\nth\nfive\nsix\n", "the piece is "
	    "a line of its own, whoever wrote it");
	chmod("log", 0602);
	ok(!sink_file("log", true, LINE("x\n"), 0), "one that everybody may "
	    "write to takes none");
	mkfifo("fifo", 0600);
	ok(!sink_file("fifo", true, LINE("x\n"), 0), "nor does a pipe that "
	    "nobody reads");
}

int
main(void)
{
	scratch_enter();
	umask(0);
	signal(SIGPIPE, SIG_IGN); /* as the programs do */
	signal(SIGXFSZ, SIG_IGN);
	saved_stderr = dup(STDERR_FILENO);
	test_absent();
	test_datagrams();
	test_stream();
	test_pipe();
	test_socket();
	test_closed();
	test_terminal();
	test_stderr_file();
	test_file();
	return done_testing();
}
