/* SPDX-License-Identifier: ISC */
/* The log. It knows levels, sinks and escaping, and no meaning. */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_sink.h"
#include "base/utf8.h"

#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define VALUE_MAX 500
#define IDENT "log-stream-to-slack"
#define WAIT_MS 1000		/* longest wait of lines for room */
#define WAIT_SHARE 10		/* they wait a tenth of the time at most */

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
	struct sink_syslog daemon;
	unsigned long dropped;	/* lines that this could not be said of yet */
	int64_t rested_ms;	/* when all waits are made up for */
} sink = { NULL, NULL, LEVEL_INFO, false, false, NULL,
	SINK_SYSLOG_INIT(_PATH_LOG), 0, 0 };

void
log_to(log_writer *writer, void *context)
{
	sink.writer = writer;
	sink.context = context;
}

void
log_to_syslog(bool on)
{
	sink.syslog = on;
	if (!on)
		sink_syslog_release(&sink.daemon);
}

void
log_without_stderr(void)
{
	sink.no_stderr = true;
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

bool
log_can_append(const char *path)
{
	int fd = sink_file_open(path, true);

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

/*
 * How long a line may wait for room. A reader who is only late, as a busy
 * server may be, misses nothing then. One who does not read costs the work
 * WAIT_MS once, and nothing more until a line is taken again.
 */
static int
patience_ms(int64_t now_ms)
{
	if (sink.dropped > 0)
		return 0;
	if (sink.rested_ms < now_ms)
		sink.rested_ms = now_ms;
	return WAIT_MS - (int)((sink.rested_ms - now_ms) / WAIT_SHARE);
}

/* A whole line: its time, which is for a file; its ident; its text; its end. */
struct finished {
	enum log_level level;
	const char *bytes;
	size_t stamp_len;
	size_t len;
	bool is_last;		/* there is no memory, and the program ends */
	bool was_held;		/* by a writer: for standard error */
};

static enum sink_result
to_syslog(const struct finished *line, int wait_ms)
{
	return sink_syslog_send(&sink.daemon, LOG_DAEMON |
	    levels[line->level].priority, line->bytes + line->stamp_len,
	    line->len - line->stamp_len - 1, wait_ms);
}

/* Whether what log_to() named has it, or standard error. */
static bool
to_default(const struct finished *line, int wait_ms)
{
	const char *text = line->bytes + line->stamp_len;
	size_t len = line->len - line->stamp_len;

	if (sink.writer && !line->is_last && !line->was_held) {
		sink.writer(sink.context, text, len - 1);
		return true;
	}
	if (sink.no_stderr)
		return to_syslog(line, wait_ms) == SINK_TAKEN;
	return sink_stderr(text, len, wait_ms);
}

static bool
to_sink(const struct finished *line, int wait_ms)
{
	enum sink_result result = SINK_ABSENT;

	if (line->was_held)
		return to_default(line, wait_ms);
	if (sink.syslog)
		result = to_syslog(line, wait_ms);
	else if (sink.file && sink_file(sink.file, !line->is_last,
	    line->bytes, line->len, wait_ms))
		result = SINK_TAKEN;
	return result == SINK_TAKEN ||
	    (result == SINK_ABSENT && to_default(line, wait_ms));
}

static bool
write_line(const struct finished *line)
{
	int64_t start_ms = clock_ms();
	bool taken = to_sink(line, patience_ms(start_ms));

	sink.rested_ms += (clock_ms() - start_ms) * WAIT_SHARE;
	return taken;
}

/* Puts time, ident and end to a text. */
static bool
write_text(enum log_level level, const char *text, size_t len)
{
	struct finished line = { .level = level };
	struct buf whole = BUF_INIT;
	bool taken;

	if (sink.file)
		buf_adds(&whole, stamp_now().text);
	line.stamp_len = whole.len;
	buf_addf(&whole, IDENT "[%ld]: ", (long)getpid());
	buf_add(&whole, text, len);
	buf_addc(&whole, '\n');
	line.bytes = whole.data;
	line.len = whole.len;
	taken = write_line(&line);
	buf_release(&whole);
	return taken;
}

/* Says how many lines are missing, if any are; true when that is told. */
static bool
write_dropped(void)
{
	struct buf text = BUF_INIT;

	if (sink.dropped == 0)
		return true;
	buf_addf(&text, "warn dropped=%lu message=\"log lines were dropped "
	    "because the log did not accept them\"", sink.dropped);
	if (write_text(LEVEL_WARN, text.data, text.len))
		sink.dropped = 0;
	buf_release(&text);
	return sink.dropped == 0;
}

void
log_write_held(const char *line, size_t len)
{
	struct finished held = { LEVEL_INFO, line, 0, len, false, true };

	if (!write_dropped() || !write_line(&held))
		sink.dropped++;
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
		if (!write_dropped() ||
		    !write_text(line->level, whole.data, whole.len))
			sink.dropped++;
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

void
log_event(enum log_level level, const char *log_id, const char *type,
    const char *destination, const char *reason, const char *outcome)
{
	struct log_line line;

	log_begin(&line, level);
	log_str(&line, "log_id", log_id ? log_id : "");
	log_str(&line, "type", type);
	log_str(&line, "destination", destination);
	log_str(&line, "reason", reason);
	log_str(&line, "outcome", outcome);
	log_end(&line);
}

/*
 * What is called here allocates nothing, but for the time zone, which does
 * without. What takes lines for the program has no use for this one, because
 * the program ends.
 */
void
log_and_end(const char *text)
{
	struct stamp stamp = { "" };
	struct finished line = { .level = LEVEL_ERROR, .is_last = true };
	char whole[300];
	int len;

	if (sink.file)
		stamp = stamp_now();
	len = snprintf(whole, sizeof(whole), "%s" IDENT "[%ld]: "
	    "error error=\"%s\"\n", stamp.text, (long)getpid(), text);
	line.bytes = whole;
	line.stamp_len = strlen(stamp.text);
	line.len = (size_t)len;
	write_line(&line);
	_exit(EX_OSERR);
}

void
mem_exhausted(void)
{
	log_and_end("out of memory");
}
