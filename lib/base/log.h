/* SPDX-License-Identifier: ISC */
/*
 * The log: one line an event, key=value, to standard error, to syslog, to
 * a file, or to whatever the program names. The only global of the library.
 *
 * No log stops the work. Lines wait for a slow reader for a second, and for
 * a tenth of the time at most. A line that is not taken by then is dropped
 * and counted, and those behind it are not waited for; the next line that is
 * taken has one before it that says how many are missing: dropped=N.
 *
 * Values are data: one that holds anything but letters, digits and a few
 * plain signs is put in double quotes, and in it control characters, marks
 * of text direction, quotes, backslashes and what is not UTF-8 appear as
 * \xHH. A line can therefore be neither split nor forged, and no terminal
 * is driven by it.
 */
#ifndef LOG_H
#define LOG_H

#include "base/buf.h"

#include <stdbool.h>

enum log_level {
	LEVEL_ERROR,
	LEVEL_WARN,
	LEVEL_INFO,
	LEVEL_DEBUG
};

/* Takes a finished line: len bytes, no line end, no NUL, no control byte. */
typedef void log_writer(void *context, const char *line, size_t len);

/*
 * Where lines go from now on. log_to(NULL, NULL) is standard error. The
 * context must live until log_to is called again. While log_to_syslog()
 * or log_to_file() is in force, log_to only remembers.
 */
void log_to(log_writer *writer, void *context);

/*
 * Sends lines to syslog (facility daemon) instead, or no longer. Where there
 * is no syslog daemon, lines go where log_to says.
 */
void log_to_syslog(bool on);

/* Standard error leads nowhere: syslog gets what would be written there. */
void log_without_stderr(void);

/*
 * Appends lines, each with its time (UTC) before it, to the file at path
 * instead, or no longer (NULL). The path is copied. The file is opened for
 * each line, so that it can be moved away at any time; it is made when
 * there is none. A line that it does not take goes where log_to says.
 */
void log_to_file(const char *path);

/* Whether such a file can be had, which makes it; errno says why not. */
bool log_can_append(const char *path);

/*
 * Writes to standard error a line that a log_writer was given and kept; len
 * bytes, of which the last is its line end.
 */
void log_write_held(const char *line, size_t len);

/* Lines above this level are dropped; LEVEL_INFO when never called. */
void log_set_level(enum log_level level);

bool log_wants(enum log_level level);

/*
 * One line, built piece by piece:
 *
 *	struct log_line line;
 *
 *	log_begin(&line, LEVEL_INFO);
 *	log_str(&line, "log_id", event->log_id);
 *	log_num(&line, "status", 200);
 *	log_end(&line);
 *
 * log_end writes the line and releases it. A value that is NULL leaves its
 * key out. Values are cut at 500 bytes.
 */
struct log_line {
	enum log_level level;
	struct buf text;
};

void log_begin(struct log_line *line, enum log_level level);
void log_str(struct log_line *line, const char *key, const char *value);
void log_num(struct log_line *line, const char *key, long long value);
void log_end(struct log_line *line);

/* A line of one member: message="...", or error="..." at LEVEL_ERROR. */
void log_say(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The line of an event. A reason of NULL is left out, and a log_id empty. */
void log_event(enum log_level level, const char *log_id, const char *type,
    const char *destination, const char *reason, const char *outcome);

/* What lasts is said again after so long, and not each time it is met. */
enum { LOG_AGAIN_MS = 300000 };

/*
 * Writes a plain text of up to 200 bytes as an error and ends the process
 * with EX_OSERR: for when there is no memory, and for signal handlers.
 */
NORETURN void log_and_end(const char *text);

/*
 * Adds value to out as the log would write it within quotes: control
 * bytes, quotes, backslashes and bytes that are not UTF-8 as \xHH. For
 * whatever else shows foreign text to a person.
 */
void log_escape(struct buf *out, const char *value, size_t len);

/* The same between double quotes. */
void log_quote(struct buf *out, const char *value, size_t len);

#endif
