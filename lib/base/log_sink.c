/* SPDX-License-Identifier: ISC */
/* Standard error, a file and syslog, without waiting for any of them. */
#include "base/log_sink.h"

#include "base/clock.h"
#include "base/ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STDERR_PATH "/proc/self/fd/2"
#define LOOK_AGAIN_MS 1		/* another process may be writing a line */

/* -------------------------------------------------------------- waiting */

static bool
would_wait(int error)
{
#if EWOULDBLOCK != EAGAIN
	if (error == EWOULDBLOCK)
		return true;
#endif
	return error == EAGAIN;
}

/* Whether there is room before end_ms; then the next write says. */
static bool
wait_for_room(int fd, int64_t end_ms)
{
	struct pollfd room = { fd, POLLOUT, 0 };
	int64_t left;
	int n;

	do {
		left = end_ms - clock_ms();
		if (left <= 0)
			return false;
		n = poll(&room, 1, (int)left);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* --------------------------------------------------------- descriptors */

/* As write(2), but fails with EAGAIN in place of waiting. */
typedef ssize_t write_now(int fd, const char *bytes, size_t len);

struct outlet {
	int fd;
	write_now *write;
};

/* To a file, and to what was opened with O_NONBLOCK. */
static ssize_t
write_plain(int fd, const char *bytes, size_t len)
{
	return write(fd, bytes, len);
}

static ssize_t
write_socket(int fd, const char *bytes, size_t len)
{
	return send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Linux 6.5 and later can be asked for a pipe; the answer is ENOTSUP else. */
static ssize_t
write_unless_full(int fd, const char *bytes, size_t len)
{
#ifdef RWF_NOWAIT
	struct iovec piece;

	piece.iov_base = (void *)(uintptr_t)bytes;
	piece.iov_len = len;
	return pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
#else
	(void)fd;
	(void)bytes;
	(void)len;
	errno = EOPNOTSUPP;
	return -1;
#endif
}

/*
 * To a pipe or terminal that may not be opened again, as that of another
 * user. A pipe that poll(2) finds ready takes PIPE_BUF bytes, unless another
 * process is quicker.
 */
static ssize_t
write_polled(int fd, const char *bytes, size_t len)
{
	struct pollfd room = { fd, POLLOUT, 0 };
	ssize_t n = write_unless_full(fd, bytes, len);

	if (n >= 0 || would_wait(errno) || errno == EINTR || errno == EPIPE)
		return n;
	n = poll(&room, 1, 0);
	if (n == 0)
		errno = EAGAIN;
	if (n <= 0)
		return -1;
	return write(fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

/* How much of it went before end_ms. */
static size_t
put(const struct outlet *to, const char *bytes, size_t len, int64_t end_ms)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = to->write(to->fd, bytes + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || (errno != EINTR && !(would_wait(errno) &&
		    wait_for_room(to->fd, end_ms))))
			break;
	}
	return done;
}

/* ------------------------------------------------------- standard error */

/*
 * O_NONBLOCK belongs to the open file, which the web server and others have,
 * too; a pipe or terminal that is opened again is one of our own. False when
 * there is nothing to write to, as a FIFO that nobody has open for reading.
 */
static bool
open_stderr(struct outlet *to)
{
	struct stat st;

	to->fd = STDERR_FILENO;
	to->write = write_plain;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return true;
	if (S_ISSOCK(st.st_mode)) {
		to->write = write_socket;
		return true;
	}
	to->fd = open(STDERR_PATH, O_WRONLY | O_APPEND | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	if (to->fd >= 0)
		return true;
	to->fd = STDERR_FILENO;
	to->write = write_polled;
	return errno != ENXIO;
}

bool
sink_stderr(const char *line, size_t len, int wait_ms)
{
	static bool torn;	/* the last line there is a part of one */
	int64_t end_ms = clock_ms() + wait_ms;
	struct outlet to;
	size_t done = 0;

	if (!open_stderr(&to))
		return false;
	if (torn)
		torn = put(&to, "\n", 1, end_ms) == 0;
	if (!torn) {
		done = put(&to, line, len, end_ms);
		torn = done > 0 && done < len;
	}
	if (to.fd != STDERR_FILENO)
		close(to.fd);
	return done == len;
}

/* --------------------------------------------------------------- a file */

/* What others may write to tells nothing; /dev/null and the like do not. */
static bool
is_open_to_all(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode) &&
	    st.st_mode & S_IWOTH;
}

int
sink_file_open(const char *path, bool create)
{
	int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY;
	int fd = create ? ownfile_open(path, flags, 0640) :
	    open(path, flags | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || !is_open_to_all(fd))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* The last byte of a file; a line end when it is empty. */
static char
last_byte(int fd)
{
	struct stat st;
	char last = '\n';

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    pread(fd, &last, 1, st.st_size - 1) != 1)
		return '\n';
	return last;
}

/*
 * Whether the file ends within a line. A line that is being written looks so
 * for a moment, too. One that may not be read counts as whole.
 */
static bool
ends_torn(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
	    O_NOFOLLOW);
	bool torn;

	if (fd < 0)
		return false;
	torn = last_byte(fd) != '\n';
	if (torn) {
		poll(NULL, 0, LOOK_AGAIN_MS);
		torn = last_byte(fd) != '\n';
	}
	close(fd);
	return torn;
}

static bool
is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool
sink_file(const char *path, bool create, const char *line, size_t len,
    int wait_ms)
{
	int64_t end_ms = clock_ms() + wait_ms;
	struct outlet to = { sink_file_open(path, create), write_plain };
	bool done;

	if (to.fd < 0)
		return false;
	done = (!is_regular(to.fd) || !ends_torn(path) ||
	    put(&to, "\n", 1, end_ms) == 1) &&
	    put(&to, line, len, end_ms) == len;
	return close(to.fd) == 0 && done;
}

/* --------------------------------------------------------------- syslog */

static bool
connect_as(struct sink_syslog *s, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(s->path);
	int error;

	if (len >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(address.sun_path, s->path, len + 1);
	s->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->is_stream = type == SOCK_STREAM;
	if (s->fd < 0)
		return false;
	if (connect(s->fd, (const struct sockaddr *)&address,
	    sizeof(address)) == 0)
		return true;
	error = errno;
	sink_syslog_release(s);
	errno = error;
	return false;
}

/* Daemons take datagrams, most of them, or have a stream. */
static bool
reach(struct sink_syslog *s)
{
	return s->fd >= 0 || connect_as(s, SOCK_DGRAM) ||
	    (errno == EPROTOTYPE && connect_as(s, SOCK_STREAM));
}

/* What stands before the line: the priority and the local time. */
struct preamble {
	char text[sizeof("<191>Jan  2 03:04:05 ") + 8];
	int len;
};

static struct preamble
preamble_of(int priority)
{
	struct preamble before = { "", 0 };
	char when[sizeof("Jan  2 03:04:05 ") + 4] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%b %e %H:%M:%S ", &tm);
	before.len = snprintf(before.text, sizeof(before.text), "<%d>%s",
	    priority & 0xFF, when);
	return before;
}

/* A datagram is a line; in a stream a NUL ends it. How many bytes are left. */
static ssize_t
send_parts(const struct sink_syslog *s, const struct preamble *before,
    const char *line, size_t len)
{
	struct iovec parts[3];
	struct msghdr message;
	size_t end = s->is_stream ? 1 : 0;
	ssize_t n;

	memset(&message, 0, sizeof(message));
	parts[0].iov_base = (void *)(uintptr_t)before->text;
	parts[0].iov_len = (size_t)before->len;
	parts[1].iov_base = (void *)(uintptr_t)line;
	parts[1].iov_len = len;
	parts[2].iov_base = (void *)(uintptr_t)"";
	parts[2].iov_len = end;
	message.msg_iov = parts;
	message.msg_iovlen = 2 + end;
	n = sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? n : (ssize_t)(parts[0].iov_len + len + end) - n;
}

/* What an error of send(2) says of the daemon. */
static enum sink_result
result_of(int error)
{
	switch (error) {
	case EMSGSIZE:
	case ENOBUFS:
	case ENOMEM:
		return SINK_FULL;
	default:
		return would_wait(error) ? SINK_FULL : SINK_ABSENT;
	}
}

/*
 * Sends the line if there is a daemon. A connection that is of no use any
 * more is closed, and one with a part of a line in it, too, which ends it.
 */
static enum sink_result
send_line(struct sink_syslog *s, const struct preamble *before,
    const char *line, size_t len, int64_t end_ms)
{
	enum sink_result result;
	ssize_t left;

	if (!reach(s))
		return result_of(errno);
	do
		left = send_parts(s, before, line, len);
	while (left < 0 && (errno == EINTR ||
	    (would_wait(errno) && wait_for_room(s->fd, end_ms))));
	if (left == 0)
		return SINK_TAKEN;
	result = left > 0 ? SINK_FULL : result_of(errno);
	if (left > 0 || result == SINK_ABSENT)
		sink_syslog_release(s);
	return result;
}

enum sink_result
sink_syslog_send(struct sink_syslog *s, int priority, const char *line,
    size_t len, int wait_ms)
{
	struct preamble before = preamble_of(priority);
	int64_t end_ms = clock_ms() + wait_ms;
	bool was_connected = s->fd >= 0;
	enum sink_result result = send_line(s, &before, line, len, end_ms);

	if (result == SINK_ABSENT && was_connected)
		result = send_line(s, &before, line, len, end_ms);
	return result;
}

void
sink_syslog_release(struct sink_syslog *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
