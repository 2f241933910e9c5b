/* SPDX-License-Identifier: ISC */
/*
 * A session with a PostgreSQL server: sending, waiting within a time, and
 * what errors mean. It knows no table.
 */
#include "queue/pgsql/queue_pgsql.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------- errors */

#define OWNER "log-stream-ctl schema prints what the owner of the database " \
	"has to run, and log-stream-ctl check which rights are missing"

#define POOLER "the pooler does not keep sessions: set pool_mode=session"

/*
 * By the first characters of the SQLSTATE (PostgreSQL, "Error Codes"), the
 * longer before the shorter; what is not here is QUEUE_FAILED.
 */
static const struct {
	const char *state;
	enum queue_result result;
	const char *advice;	/* NULL: the server's words will do */
} meanings[] = {
	{ "26000", QUEUE_FAILED, POOLER },	/* no such statement */
	{ "42P05", QUEUE_FAILED, POOLER },	/* there is one already */
	{ "25006", QUEUE_FAILED, "the server takes no changes: add "
	    "target_session_attrs=read-write to QUEUE" },
	{ "40", QUEUE_BUSY, NULL },	/* serialization, deadlock */
	{ "3F000", QUEUE_FAILED, OWNER },	/* no schema to be used */
	{ "42501", QUEUE_FAILED, OWNER },	/* no right */
	{ "53100", QUEUE_FULL, NULL },	/* disk full */
	{ "53200", QUEUE_BUSY, NULL },	/* out of memory */
	{ "53300", QUEUE_BUSY, NULL },	/* too many connections */
	{ "55P03", QUEUE_BUSY, NULL },	/* lock not available */
	{ "57014", QUEUE_BUSY, NULL },	/* statement time-out */
};

static enum queue_result
judge(const char *state, const char **advice)
{
	size_t i;

	*advice = NULL;
	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strncmp(state, meanings[i].state,
		    strlen(meanings[i].state)) == 0) {
			*advice = meanings[i].advice;
			return meanings[i].result;
		}
	return QUEUE_FAILED;
}

/* The words are several lines, and end one. */
static void
add_words(struct buf *out, const char *words)
{
	size_t len;

	for (;; words += len) {
		words += strspn(words, " \t\r\n");
		len = strcspn(words, "\r\n");
		if (len == 0)
			return;
		buf_adds(out, ": ");
		buf_add(out, words, len);
	}
}

void
session_complain(const struct store *s, const char *words, const char *state,
    struct buf *why)
{
	const char *advice;

	judge(state, &advice);
	buf_adds(why, s->place);
	add_words(why, words);
	if (advice)
		buf_addf(why, ": %s", advice);
}

/*
 * A commit that waits for a synchronous standby, and is cancelled, is done
 * all the same and says so by a warning alone (PostgreSQL, "Synchronous
 * Replication").
 */
enum queue_result
session_check_warning(struct store *s, const struct session *session,
    struct buf *why)
{
	if (session->warning.len == 0)
		return QUEUE_OK;
	buf_addf(why, "%s: the server committed with a warning", s->place);
	add_words(why, session->warning.data);
	return QUEUE_BUSY;
}

enum queue_result
session_refuse_pooler(const struct store *s, struct buf *why)
{
	buf_addf(why, "%s: " POOLER, s->place);
	return QUEUE_FAILED;
}

bool
session_failed_with(const struct store *s, const char *state)
{
	return strcmp(s->state, state) == 0;
}

static void
keep_state(struct store *s, const char *state)
{
	snprintf(s->state, sizeof(s->state), "%s", state ? state : "");
}

/* ------------------------------------------------------------- waiting */

void
session_begin_call_of(struct store *s, int64_t max_ms)
{
	s->end_ms = clock_ms() + max_ms;
	buf_clear(&s->main.warning);
}

void
session_begin_call(struct store *s)
{
	session_begin_call_of(s, CALL_MS);
}

/* False when the time is over, or the connection. */
static bool
wait_for(struct store *s, struct session *session, short events)
{
	struct pollfd server = { s->pq->socket(session->conn), events, 0 };
	int64_t left = s->end_ms - clock_ms();
	int got;

	if (left <= 0)
		return false;
	got = poll(&server, 1, (int)left);
	if (got < 0)
		return errno == EINTR;
	return got > 0 && (!(server.revents & ~POLLOUT) ||
	    s->pq->consumeInput(session->conn));
}

/*
 * A server may answer before it has read all: it is listened to while it
 * is sent to (libpq, "Asynchronous Command Processing").
 */
static bool
flush(struct store *s, struct session *session)
{
	int left;

	while ((left = s->pq->flush(session->conn)) > 0)
		if (!wait_for(s, session, POLLIN | POLLOUT))
			return false;
	return left == 0;
}

/* The next result; NULL: there is none, or (*late) it did not come. */
static PGresult *
next_result(struct store *s, struct session *session, bool *late)
{
	while (s->pq->isBusy(session->conn))
		if (!wait_for(s, session, POLLIN)) {
			*late = true;
			return NULL;
		}
	return s->pq->getResult(session->conn);
}

static bool
is_good(const struct store *s, const PGresult *r)
{
	ExecStatusType status = s->pq->resultStatus(r);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* What comes of several statements is the first failure or the last. */
static PGresult *
gather_results(struct store *s, struct session *session, bool *late)
{
	PGresult *result = NULL, *next;

	*late = false;
	while ((next = next_result(s, session, late)) != NULL) {
		if (result && !is_good(s, result)) {
			s->pq->clear(next);
			continue;
		}
		s->pq->clear(result);
		result = next;
	}
	return result;
}

/* Says why there is no good result. */
static enum queue_result
explain(struct store *s, struct session *session, PGresult *r, bool late,
    struct buf *why)
{
	const char *advice, *words;

	keep_state(s, r ? s->pq->resultErrorField(r, PG_DIAG_SQLSTATE) : "");
	words = r ? s->pq->resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) :
	    NULL;
	if (!words) /* libpq's own */
		words = r ? s->pq->resultErrorMessage(r) :
		    s->pq->errorMessage(session->conn);
	if (!*words && late)
		words = "no answer in time";
	session_complain(s, words, s->state, why);
	if (late && !*s->state)
		return QUEUE_BUSY;
	return judge(s->state, &advice);
}

/* What was sent; sent says whether it could be. */
static PGresult *
receive(struct store *s, struct session *session, int sent,
    enum queue_result *result, struct buf *why)
{
	PGresult *r = NULL;
	bool late = false;

	keep_state(s, "");
	*result = QUEUE_OK;
	if (sent && flush(s, session))
		r = gather_results(s, session, &late);
	else
		late = clock_ms() >= s->end_ms;
	if (r && !late && is_good(s, r))
		return r;
	*result = explain(s, session, r, late, why);
	s->pq->clear(r);
	return NULL;
}

/* --------------------------------------------------------- statements */

static bool
prepare(struct store *s, struct session *session,
    const struct statement *statement, enum queue_result *result,
    struct buf *why)
{
	uint64_t bit = (uint64_t)1 << statement->number;
	PGresult *r;

	if (session->prepared & bit)
		return true;
	r = receive(s, session, s->pq->sendPrepare(session->conn,
	    statement->name, statement->text, 0, NULL), result, why);
	if (!r)
		return false;
	s->pq->clear(r);
	session->prepared |= bit;
	return true;
}

PGresult *
session_run(struct store *s, struct session *session,
    const struct statement *statement, const char *const *parameters,
    enum queue_result *result, struct buf *why)
{
	if (!prepare(s, session, statement, result, why))
		return NULL;
	return receive(s, session, s->pq->sendQueryPrepared(session->conn,
	    statement->name, statement->parameters, parameters, NULL, NULL,
	    0), result, why);
}

PGresult *
session_execute(struct store *s, struct session *session, const char *text,
    enum queue_result *result, struct buf *why)
{
	return receive(s, session, s->pq->sendQuery(session->conn, text),
	    result, why);
}

enum queue_result
session_do(struct store *s, struct session *session, const char *text,
    struct buf *why)
{
	enum queue_result result;
	PGresult *r = session_execute(s, session, text, &result, why);

	s->pq->clear(r);
	return result;
}

/* A commit of a transaction that failed is a rollback, and says so alone
 * by its tag; ours never commits one. */
enum queue_result
session_finish(struct store *s, struct session *session,
    enum queue_result result, struct buf *why)
{
	struct buf ignored = BUF_INIT;
	char state[sizeof(s->state)];

	if (result == QUEUE_OK)
		return session_do(s, session, "COMMIT", why);
	memcpy(state, s->state, sizeof(state));
	session_do(s, session, "ROLLBACK", &ignored);
	memcpy(s->state, state, sizeof(state));
	buf_release(&ignored);
	return result;
}

/* ------------------------------------------------------------ sessions */

void
session_end(struct store *s, struct session *session)
{
	if (session->conn)
		s->pq->finish(session->conn);
	session->conn = NULL;
	session->prepared = 0;
	buf_release(&session->warning);
}

/*
 * What a server says unasked is that it ends: better seen before a statement
 * is sent, when nothing is in doubt. It may be something else, which costs
 * a new session.
 */
bool
session_lives(struct store *s, struct session *session)
{
	struct pollfd server = { -1, POLLIN, 0 };

	if (!session->conn || s->pq->status(session->conn) != CONNECTION_OK)
		return false;
	server.fd = s->pq->socket(session->conn);
	return poll(&server, 1, 0) <= 0;
}
