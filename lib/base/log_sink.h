/* SPDX-License-Identifier: ISC */
/*
 * Where the log's lines go: standard error, a file, syslog. Each takes one
 * finished line, waits no longer than it is told, and allocates nothing, so
 * that neither a reader who does not read nor a full disk stops the work.
 * It does not know what is in a line, nor what becomes of one that is not
 * taken.
 */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes a line, with its line end, to descriptor 2. The flags of that
 * descriptor, which other processes share, are never changed. Returns false
 * when the line could not be written within wait_ms, or at all. If a part of
 * it was, the next line begins a new one. The caller ignores SIGPIPE.
 */
bool sink_stderr(const char *line, size_t len, int wait_ms);

/*
 * Opens the file at path to append to it, and makes it if there is none and
 * create is true. No link is followed and nothing is waited for; a file that
 * every user may write to is refused, with EPERM. Returns the descriptor, or
 * -1 with errno set. With create it may allocate memory.
 */
int sink_file_open(const char *path, bool create);

/*
 * The same for a line that is appended to the file. If the last line of the
 * file is without its end, because a disk was full or a process was killed,
 * that end is written first.
 */
bool sink_file(const char *path, bool create, const char *line, size_t len,
    int wait_ms);

/* A connection to a syslog daemon, made when there is a line to send. */
struct sink_syslog {
	const char *path;	/* of its socket; borrowed */
	int fd;			/* -1: not connected */
	bool is_stream;		/* and not for datagrams */
};

#define SINK_SYSLOG_INIT(path) { path, -1, false }

enum sink_result {
	SINK_ABSENT,		/* there is no daemon */
	SINK_FULL,		/* the line was not taken within wait_ms */
	SINK_TAKEN
};

/*
 * Sends a line, "name[pid]: text" without a line end, in the form of RFC 3164
 * and with the local time, as syslog(3) does; but that waits for a daemon
 * which does not read for as long as that takes. The priority is that of
 * syslog(3), facility included. When the daemon was restarted the connection
 * is made again.
 */
enum sink_result sink_syslog_send(struct sink_syslog *s, int priority,
    const char *line, size_t len, int wait_ms);

void sink_syslog_release(struct sink_syslog *s);

#endif
