/* SPDX-License-Identifier: ISC */
/* The log. It knows levels, sinks and escaping, and no meaning. */
#include "log.h"

#include "ownfile.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define VALUE_MAX 500
#define IDENT "log-stream-to-slack"

struct level {
	const char *name;
	const char *say_key;
	int priority;
};

static const struct level levels[] = {
	[LEVEL_ERROR] = { "error", "error", LOG_ERR },
	[LEVEL_WARN] = { "warn", "message", LOG_WARNING },
	[LEVEL_INFO] = { "info", "message", LOG_INFO },
	[LEVEL_DEBUG] = { "debug", "message", LOG_DEBUG },
};

static struct {
	log_writer *writer;
	void *context;
	enum log_level level;
	bool syslog;
	bool no_stderr;	/* it leads nowhere: syslog takes its place */
	char *file;	/* NULL: none */
} sink = { NULL, NULL, LEVEL_INFO, false, false, NULL };

void
log_to(log_writer *writer, void *context)
{
	sink.writer = writer;
	sink.context = context;
}

void
log_to_syslog(bool on)
{
	if (on == sink.syslog)
		return;
	sink.syslog = on;
	if (on)
		openlog(IDENT, LOG_PID, LOG_DAEMON);
	else
		closelog();
}

void
log_without_stderr(void)
{
	sink.no_stderr = true;
	openlog(IDENT, LOG_PID, LOG_DAEMON);
}

void
log_to_file(const char *path)
{
	free(sink.file);
	sink.file = path ? mem_dup(path) : NULL;
}

void
log_set_level(enum log_level level)
{
	sink.level = level;
}

bool
log_wants(enum log_level level)
{
	return level <= sink.level;
}

/* One write, so that lines of several processes do not mix. */
static bool
write_line(int fd, const char *before, const char *line, size_t len)
{
	struct buf out = BUF_INIT;
	bool done;

	buf_adds(&out, before);
	buf_add(&out, line, len);
	buf_addc(&out, '\n');
	done = write_all(fd, buf_text(&out), out.len);
	buf_release(&out);
	return done;
}

/* What others may write to tells nothing; /dev/null and the like do not. */
static bool
is_open_to_all(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode) &&
	    st.st_mode & S_IWOTH;
}

/*
 * A file that is opened for each line needs no signal when it is rotated.
 * No link is followed, nothing that is not a file is waited for, and none
 * is used that every user may write to.
 */
static int
open_to_append(const char *path)
{
	int fd = ownfile_open(path, O_WRONLY | O_APPEND | O_NONBLOCK |
	    O_NOCTTY, 0640);

	if (fd < 0 || !is_open_to_all(fd))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

bool
log_can_append(const char *path)
{
	int fd = open_to_append(path);

	return fd >= 0 && close(fd) == 0;
}

/* The time before a line of a file. */
struct stamp {
	char text[sizeof("2026-01-02T03:04:05Z ") + 8];
};

static struct stamp
stamp_now(void)
{
	struct stamp stamp = { "" };
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(stamp.text, sizeof(stamp.text),
		    "%Y-%m-%dT%H:%M:%SZ ", &tm);
	return stamp;
}

static bool
append_line(const char *path, const char *line, size_t len)
{
	struct stamp stamp = stamp_now();
	bool done;
	int fd = open_to_append(path);

	if (fd < 0)
		return false;
	done = write_line(fd, stamp.text, line, len);
	return close(fd) == 0 && done;
}

/* What syslog puts before a line by itself. */
static void
add_ident(struct buf *out)
{
	buf_addf(out, IDENT "[%ld]: ", (long)getpid());
}

/* Takes a line behind its ident. */
static void
emit(enum log_level level, const struct buf *line)
{
	struct buf whole = BUF_INIT;

	add_ident(&whole);
	buf_add(&whole, line->data, line->len);
	if (sink.syslog)
		syslog(levels[level].priority, "%s", line->data);
	else if (sink.file && append_line(sink.file, whole.data, whole.len))
		;
	else if (sink.writer)
		sink.writer(sink.context, whole.data, whole.len);
	else if (sink.no_stderr)
		syslog(levels[level].priority, "%s", line->data);
	else
		write_line(STDERR_FILENO, "", whole.data, whole.len);
	buf_release(&whole);
}

/* Whether a character, n bytes long, may stand as it is. */
static bool
is_plain(uint32_t code, size_t n)
{
	return !utf8_is_control(code) && !utf8_turns_direction(code) &&
	    code != '"' && code != '\\' && !(n == 1 && code == 0xFFFD);
}

void
log_escape(struct buf *out, const char *value, size_t len)
{
	size_t i, j, n;
	uint32_t code;

	for (i = 0; i < len; i += n) {
		n = utf8_next(value + i, len - i, &code);
		if (is_plain(code, n)) {
			buf_add(out, value + i, n);
			continue;
		}
		for (j = 0; j < n; j++)
			buf_addf(out, "\\x%02x", (unsigned char)value[i + j]);
	}
}

void
log_quote(struct buf *out, const char *value, size_t len)
{
	buf_addc(out, '"');
	log_escape(out, value, len);
	buf_addc(out, '"');
}

static bool
needs_quotes(const char *value, size_t len)
{
	static const char plain[] = ASCII_ALNUM "._-:/@+|";

	return len == 0 || strspn(value, plain) < len;
}

void
log_begin(struct log_line *line, enum log_level level)
{
	memset(line, 0, sizeof(*line));
	line->level = level;
}

static void
add_key(struct log_line *line, const char *key)
{
	if (line->text.len > 0)
		buf_addc(&line->text, ' ');
	buf_adds(&line->text, key);
	buf_addc(&line->text, '=');
}

void
log_str(struct log_line *line, const char *key, const char *value)
{
	size_t len;

	if (!value)
		return;
	add_key(line, key);
	len = strlen(value);
	if (len > VALUE_MAX)
		len = VALUE_MAX;
	if (needs_quotes(value, len))
		log_quote(&line->text, value, len);
	else
		buf_add(&line->text, value, len);
}

void
log_num(struct log_line *line, const char *key, long long value)
{
	add_key(line, key);
	buf_addf(&line->text, "%lld", value);
}

void
log_end(struct log_line *line)
{
	struct buf whole = BUF_INIT;

	if (log_wants(line->level)) {
		buf_addf(&whole, "%s ", levels[line->level].name);
		buf_add(&whole, buf_text(&line->text), line->text.len);
		emit(line->level, &whole);
	}
	buf_release(&whole);
	buf_release(&line->text);
}

void
log_say(enum log_level level, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	struct log_line line;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	log_begin(&line, level);
	log_str(&line, levels[level].say_key, buf_text(&text));
	log_end(&line);
	buf_release(&text);
}

/*
 * What is called here stands it when there is no memory. What takes lines for
 * the program has no use for this one, because the program ends.
 */
void
log_and_end(const char *text)
{
	bool to_file = !sink.syslog && sink.file;
	struct stamp stamp = stamp_now();
	char line[300];
	int len, fd = -1;

	if (to_file)
		fd = open(sink.file, O_WRONLY | O_APPEND | O_NONBLOCK |
		    O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && is_open_to_all(fd))
		fd = -1;
	if (fd < 0 && (sink.syslog || sink.no_stderr))
		syslog(LOG_ERR, "error error=\"%s\"", text);
	len = snprintf(line, sizeof(line), "%s" IDENT "[%ld]: error "
	    "error=\"%s\"\n", fd >= 0 ? stamp.text : "", (long)getpid(),
	    text);
	write_all(fd >= 0 ? fd : STDERR_FILENO, line, (size_t)len);
	_exit(EX_OSERR);
}

void
mem_exhausted(void)
{
	log_and_end("out of memory");
}
