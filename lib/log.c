/* SPDX-License-Identifier: ISC */
/* The log. It knows levels, sinks and escaping, and no meaning. */
#include "log.h"

#include "utf8.h"

#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define VALUE_MAX 500

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
} sink = { NULL, NULL, LEVEL_INFO, false };

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
		openlog("log-stream-to-slack", LOG_PID, LOG_DAEMON);
	else
		closelog();
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
static void
write_stderr(const char *line, size_t len)
{
	struct buf out = BUF_INIT;

	buf_add(&out, line, len);
	buf_addc(&out, '\n');
	buf_write(&out, STDERR_FILENO);
	buf_release(&out);
}

static void
emit(enum log_level level, const char *line, size_t len)
{
	if (sink.syslog)
		syslog(levels[level].priority, "%s", line);
	else if (sink.writer)
		sink.writer(sink.context, line, len);
	else
		write_stderr(line, len);
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
		if (!sink.syslog) /* which begins its lines like this */
			buf_addf(&whole, "log-stream-to-slack[%ld]: ",
			    (long)getpid());
		buf_addf(&whole, "%s ", levels[line->level].name);
		buf_add(&whole, buf_text(&line->text), line->text.len);
		emit(line->level, whole.data, whole.len);
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
