/* SPDX-License-Identifier: ISC */
/*
 * What the files of the PostgreSQL engine share: a session and its
 * statements. For queue_pgsql*.c alone.
 *
 * All of a function's calls to the server together have CALL_MS; then the
 * session is given up, and what it was about is undone by the server.
 */
#ifndef QUEUE_PGSQL_H
#define QUEUE_PGSQL_H

#include "queue/queue_engine.h"

#include "queue/pgsql/queue_pq.h"
#include "queue/queue_place.h"
#include "queue/queue_room.h"

/*
 * Web servers wait for 40 s and more: to connect takes 12 s at the most (see
 * queue_pgsql_connect.c), to open 3 more, and what is done then 10.
 */
#define CALL_MS 10000
#define OPEN_MS 3000
#define SCHEMA_MS 60000		/* for making tables, or changing old ones */
#define SCHEMA_DOOR_MS 10000	/* the same, by a receiver */
#define SCHEMA 2		/* the version of the tables that this
				 * program uses: log_stream_version */

struct statement {
	const char *name;	/* of the server's prepared one */
	const char *text;
	int parameters;
	unsigned number;	/* its bit in session.prepared */
};

enum which {
	COMMON_STATEMENTS,
	CONFIRM,
	LOWER,
	LOCK,
	UNLOCK,
	PROVE,
	SIGN,
	SIGN_OUT,
	FIND_WORKER,
	NOTE,
	READ_NOTE,
	MACHINES,
	STATEMENTS
};

struct session {
	PGconn *conn;		/* NULL: none */
	uint64_t prepared;	/* statements that this session has */
	struct buf warning;	/* of the server, since the call began */
};

struct store {
	const struct libpq *pq;
	char *address;
	char *place;		/* the address without its secrets */
	struct rooms rooms;
	bool settles;		/* it is a worker's, or a person's */
	int64_t end_ms;		/* by clock_ms(): of the call in hand */
	char state[6];		/* the SQLSTATE of the last failure */
	struct session main;
	unsigned sessions;	/* begun so far */
	unsigned worker;	/* the one that took the worker's lock */
};

/* ------------------------------------------------------- queue_pgsql.c */

room_count pgsql_count_waiting;

/* ---------------------------------------------- queue_pgsql_connect.c */

/*
 * A connection to the first server of the address that will do; NULL, and
 * why, when there is none within 12 s. The caller finishes it.
 */
PGconn *pgsql_find_server(struct store *s, struct buf *why);

/* ------------------------------------------------- queue_pgsql_open.c */

/* As queue_engine.h has them. */
struct store *pgsql_open(const struct queue_options *options,
    enum queue_result *result, struct buf *why);
void pgsql_close(struct store *s);

/*
 * Connects, which has a time of its own; OPEN_MS of the call are then left.
 * Of the main session all leases are gone.
 */
enum queue_result pgsql_connect(struct store *s, struct session *session,
    struct buf *why);

/*
 * Sees that sessions are ours from begin to end, which a pooler in another
 * mode than that does not grant. No lease may be held.
 */
enum queue_result pgsql_check_sessions(struct store *s, struct buf *why);

/* What the role may not do with the tables, but has to, is the failure. */
enum queue_result pgsql_check_rights(struct store *s, struct buf *why);

/* ------------------------------------------- queue_pgsql_statements.c */

extern const struct statement pgsql_statements[STATEMENTS];

/* ---------------------------------------------- queue_pgsql_session.c */

/* A call begins: it has CALL_MS from now. */
void session_begin_call(struct store *s);
/* The same with a time of its own. */
void session_begin_call_of(struct store *s, int64_t max_ms);

/*
 * Runs a prepared statement with text parameters (NULL: SQL's). Returns
 * NULL, with *result and *why, when it failed. The caller clears what comes
 * back.
 */
PGresult *session_run(struct store *s, struct session *session,
    const struct statement *statement, const char *const *parameters,
    enum queue_result *result, struct buf *why);

/* The same for any SQL without parameters, of several statements too. */
PGresult *session_execute(struct store *s, struct session *session,
    const char *text, enum queue_result *result, struct buf *why);

/* As session_execute(), for SQL that gives no rows. */
enum queue_result session_do(struct store *s, struct session *session,
    const char *text, struct buf *why);

/* COMMIT, or ROLLBACK when result is not QUEUE_OK; returns how it ended. */
enum queue_result session_finish(struct store *s, struct session *session,
    enum queue_result result, struct buf *why);

void session_end(struct store *s, struct session *session);

/* Whether the server has not closed it: looked at without a call. */
bool session_lives(struct store *s, struct session *session);

/* Says what libpq or the server said, as one line, and what to do. */
void session_complain(const struct store *s, const char *words,
    const char *state, struct buf *why);

/* What commits and has a warning is not as safe as it has to be. */
enum queue_result session_check_warning(struct store *s,
    const struct session *session, struct buf *why);

/* The failure of a session that its server changes under way. */
enum queue_result session_refuse_pooler(const struct store *s,
    struct buf *why);

/* Whether the last failure had this SQLSTATE. */
bool session_failed_with(const struct store *s, const char *state);

#endif
