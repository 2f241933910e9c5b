/* SPDX-License-Identifier: ISC */
/* The SQL of a queue on PostgreSQL, a statement each. */
#include "queue/pgsql/queue_pgsql.h"

/* What a row is read from, for take_row(). */
#define COLUMNS ROW_NAMES ", reason, record"

/* Conditions as the indexes have them. */
#define WAITING "state = 0"
#define LISTED "state < 2"
#define DONE "state > 0"

/* Milliseconds since 1970 by the server's clock, which all share. */
#define CLOCK "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

/* What a log_id is known by: see log_stream_event in the schema. */
#define KNOWN(log_id) "CASE WHEN length(" log_id ") > 500 THEN 'md5:' ||" \
	" md5(" log_id ") ELSE " log_id " END"

/* The rows that two arrays name: see struct queue_key. */
#define KEYS "unnest($1::bigint[], $2::bigint[]) AS key (number, nonce)"
#define NAMED "e.number = key.number AND e.nonce = key.nonce"

/* Whether the tables are still those that this program knows. */
#define KNOWN_VERSION "(SELECT max(version) FROM log_stream_version)" \
	" = " TEXT_OF(SCHEMA)
#define TEXT_OF(number) TEXT_OF_2(number)
#define TEXT_OF_2(number) #number

/*
 * The first row that waits and is not postponed. An index keeps the entries
 * of rows that were settled as long as any transaction of the database may
 * look back at them: the mark spares each search those that the worker's went
 * past. What a request that is not committed yet puts in may have a number
 * below it, and is not counted: it is for QUEUE_MAX alone.
 */
#define FIRST_WAITING(destination, low) \
	"(SELECT number FROM log_stream_event WHERE " WAITING \
	" AND destination = " destination " AND later_ms = 0" \
	" AND number >= " low " ORDER BY number LIMIT 1)"

/*
 * The key of a lease: two numbers, the first of which tells queues of one
 * database apart, the second those of a queue.
 */
#define QUEUE_KEY "'log_stream_event'::regclass::oid::int"
#define LEASE_KEY "('x' || substr(md5($1::text), 1, 8))::bit(32)::int"

/* The locks of sessions that are leases of this queue and name. */
#define LEASES "FROM pg_locks WHERE locktype = 'advisory' AND granted" \
	" AND database = (SELECT oid FROM pg_database" \
	"  WHERE datname = current_database())" \
	" AND classid = 'log_stream_event'::regclass" \
	" AND objid = (" LEASE_KEY ")::oid AND objsubid = 2"

/* What was set aside waits again; what is there is gone. */
#define RETRY "UPDATE log_stream_event SET state = 0," \
	" changed_ms = $1::bigint, reason = NULL WHERE state = 1"
#define REMOVE "UPDATE log_stream_event SET state = 2," \
	" changed_ms = $1::bigint, record = NULL, reason = NULL"

#define STATEMENT(which, parameters, text) \
	[which] = { #which, text, parameters, which }

const struct statement pgsql_statements[STATEMENTS] = {
	/* Nothing is put in where the tables are not ours any more. */
	STATEMENT(PUT, 6, "WITH input AS ("
		"SELECT * FROM unnest($1::text[], $2::text[], $3::text[],"
		" $4::text[], $6::bigint[]) WITH ORDINALITY"
		" AS t (destination, log_id, type, record, nonce, place)"
		"), version AS ("
		"SELECT " KNOWN_VERSION " AS good"
		"), added AS ("
		"INSERT INTO log_stream_event (destination, log_id, known,"
		" type, record, queued_ms, changed_ms, nonce)"
		" SELECT destination, log_id, " KNOWN("log_id") ", type,"
		" record, $5::bigint, $5::bigint, nonce FROM input"
		" WHERE (SELECT good FROM version) ORDER BY place"
		" ON CONFLICT (known, destination) DO NOTHING"
		" RETURNING number, nonce, destination"
		"), names AS ("
		"INSERT INTO log_stream_destination (name)"
		" SELECT DISTINCT destination FROM added"
		" ON CONFLICT (name) DO NOTHING"
		") SELECT version.good, added.nonce"
		" FROM version LEFT JOIN added ON true"
		" ORDER BY added.number"),
	STATEMENT(VERSION_NOW, 0, "SELECT " KNOWN_VERSION),
	/* As many as can wait at the most but for those that are postponed,
	 * at next to no cost. */
	STATEMENT(SPAN, 1, "SELECT coalesce((SELECT max(number)"
		" FROM log_stream_event) - " FIRST_WAITING("$1",
		"coalesce((SELECT low FROM log_stream_destination"
		" WHERE name = $1), 0)") " + 1, 0)"),
	STATEMENT(COUNT_ONE, 1, "SELECT count(*) FROM log_stream_event"
		" WHERE " WAITING " AND destination = $1"),
	STATEMENT(CONFIRM, 2, "SELECT number FROM log_stream_event"
		" WHERE known = " KNOWN("$2::text") " AND destination = $1"
		" FOR UPDATE"),
	STATEMENT(READ, 5, "SELECT " COLUMNS " FROM log_stream_event"
		" WHERE " WAITING " AND destination = $1"
		" AND (later_ms, number) > ($2::bigint, $3::bigint)"
		" AND later_ms <= $5::bigint"
		" ORDER BY later_ms, number LIMIT $4::bigint"),
	STATEMENT(CLAIM, 2, "UPDATE log_stream_event AS e"
		" SET tries = tries + 1 FROM " KEYS
		" WHERE " NAMED " AND state = 0 RETURNING e.number"),
	STATEMENT(FORGET_NAMELESS, 2, "DELETE FROM log_stream_event AS e"
		" USING " KEYS " WHERE " NAMED " AND log_id IS NULL"
		" RETURNING e.number"),
	STATEMENT(SETTLE, 3, "UPDATE log_stream_event AS e SET state = 2,"
		" changed_ms = $3::bigint, record = NULL, reason = NULL"
		" FROM " KEYS " WHERE " NAMED " RETURNING e.number"),
	STATEMENT(SET_ASIDE, 4, "UPDATE log_stream_event AS e SET state = 1,"
		" changed_ms = $3::bigint, reason = $4, later_ms = 0,"
		" told = 0"
		" FROM " KEYS " WHERE " NAMED " AND state = 0"
		" RETURNING e.number"),
	STATEMENT(POSTPONE, 6, "UPDATE log_stream_event AS e SET"
		" later_ms = CASE WHEN queued_ms >= $6::bigint"
		"  THEN $5::bigint ELSE 0 END,"
		" state = CASE WHEN queued_ms >= $6::bigint"
		"  THEN 0 ELSE 1 END,"
		" changed_ms = CASE WHEN queued_ms >= $6::bigint"
		"  THEN changed_ms ELSE $3::bigint END,"
		" reason = CASE WHEN queued_ms >= $6::bigint"
		"  THEN NULL ELSE $4 END, told = 0"
		" FROM " KEYS " WHERE " NAMED " AND state = 0"
		" RETURNING e.number"),
	STATEMENT(RECALL, 4, "UPDATE log_stream_event SET state = 0,"
		" changed_ms = $2::bigint, reason = NULL WHERE state = 1"
		" AND destination = $1 AND reason = $3"
		" AND changed_ms >= $4::bigint"),
	STATEMENT(TELL, 1, "UPDATE log_stream_event SET told = 1"
		" WHERE state = 1 AND destination = $1 AND told = 0"),
	STATEMENT(LAST_DONE, 1, "SELECT greatest("
		"(SELECT max(changed_ms) FROM log_stream_event"
		"  WHERE " DONE " AND state = 1 AND changed_ms <= $1::bigint),"
		"(SELECT max(changed_ms) FROM log_stream_event"
		"  WHERE " DONE " AND state = 2 AND changed_ms <= $1::bigint),"
		" 0)"),
	STATEMENT(KEEP_PACE, 15, "INSERT INTO log_stream_destination"
		" (name, " PACE_NAMES ") VALUES ($1, $2, $3, $4, $5, $6, $7,"
		" $8, $9, $10, $11, $12, $13, $14, $15)"
		" ON CONFLICT (name) DO UPDATE SET " PACE_UPDATES ","
		" low = coalesce(" FIRST_WAITING("excluded.name",
		"log_stream_destination.low")
		", (SELECT max(number) FROM log_stream_event),"
		" log_stream_destination.low)"),
	/* Where a row may wait again whose number is below. */
	STATEMENT(LOWER, 0, "UPDATE log_stream_destination SET low = 0"
		" WHERE low > 0"),
	STATEMENT(COUNT, 2, "SELECT (SELECT count(*) FROM log_stream_event"
		"  WHERE " WAITING " AND destination = $1),"
		" least((SELECT queued_ms FROM log_stream_event"
		"  WHERE " WAITING " AND destination = $1 AND later_ms = 0"
		"  ORDER BY number LIMIT 1), p.queued_ms),"
		" p.count, p.later_ms, (SELECT count(*) FROM log_stream_event"
		"  WHERE state = 1 AND destination = $1),"
		" u.count, u.changed_ms, " CLOCK ", " PACE_NAMES
		" FROM (SELECT count(*), min(later_ms) AS later_ms,"
		"  min(queued_ms) AS queued_ms FROM log_stream_event"
		"  WHERE " WAITING " AND destination = $1 AND later_ms > 0)"
		"  AS p,"
		" (SELECT count(*), min(changed_ms) AS changed_ms"
		"  FROM log_stream_event WHERE state = 1"
		"  AND destination = $1 AND told = 0) AS u"
		" LEFT JOIN log_stream_destination ON name = $2"),
	/* Two machines that purge at once see none of it twice. */
	STATEMENT(DELETE, 3, "DELETE FROM log_stream_event WHERE number ="
		" ANY (ARRAY(SELECT number FROM log_stream_event"
		"  WHERE " DONE " AND state IN (1, 2)"
		"  AND changed_ms < least($1::bigint, " CLOCK ") - $2::bigint"
		"  AND (state = 2 OR told = 1) LIMIT $3::bigint"
		"  FOR UPDATE SKIP LOCKED)) RETURNING " COLUMNS),
	/* What waits has no reason of its own, but that of its destination. */
	STATEMENT(LIST, 2, "SELECT " ROW_NAMES ","
		" CASE state WHEN 1 THEN reason ELSE"
		"  (SELECT error FROM log_stream_destination"
		"  WHERE name = destination AND failures > 0) END, NULL"
		" FROM log_stream_event"
		" WHERE " LISTED " AND number > $1::bigint"
		" ORDER BY number LIMIT $2::bigint"),
	STATEMENT(NAMES, 0, "SELECT name FROM log_stream_destination"
		" ORDER BY name COLLATE \"C\""),
	STATEMENT(RETRY_ID, 2, RETRY " AND known = " KNOWN("$2::text")),
	STATEMENT(RETRY_NUMBER, 2, RETRY " AND number = $2::bigint"),
	STATEMENT(RETRY_ALL, 1, RETRY " AND " DONE),
	STATEMENT(REMOVE_ID, 2, REMOVE " WHERE known = " KNOWN("$2::text")
		" AND state < 2"),
	STATEMENT(REMOVE_NUMBER, 2, REMOVE " WHERE number = $2::bigint"
		" AND state < 2"),
	STATEMENT(REMOVE_ALL, 1, REMOVE " WHERE " DONE " AND state = 1"),
	STATEMENT(FORGET_REMOVED, 1, "DELETE FROM log_stream_event"
		" WHERE " DONE " AND state = 2 AND changed_ms = $1::bigint"
		" AND log_id IS NULL"),
	STATEMENT(HURRY, 1, "UPDATE log_stream_destination"
		" SET until_ms = obey_ms, failures = 0"
		" WHERE ($1::text IS NULL OR name = $1)"
		" AND until_ms > obey_ms"),
	STATEMENT(WAITS, 1, "SELECT EXISTS (SELECT 1 FROM log_stream_event"
		" WHERE " WAITING " AND destination = ANY ($1::text[]))"),
	STATEMENT(LOCK, 1, "SELECT pg_try_advisory_lock(" QUEUE_KEY ", "
		LEASE_KEY ")"),
	STATEMENT(UNLOCK, 1, "SELECT pg_advisory_unlock(" QUEUE_KEY ", "
		LEASE_KEY ")"),
	/* For the transaction that it is in: the lease is this session's,
	 * and the tables are ours. */
	STATEMENT(PROVE, 1, "SELECT EXISTS (SELECT 1 " LEASES
		" AND pid = pg_backend_pid()), " KNOWN_VERSION),
	STATEMENT(SIGN, 3, "INSERT INTO log_stream_machine (name, pid,"
		" since_ms, seen_ms, note) VALUES ($1, $2::bigint, " CLOCK ","
		" " CLOCK ", $3) ON CONFLICT (name) DO UPDATE SET"
		" since_ms = CASE WHEN log_stream_machine.pid = excluded.pid"
		"  THEN log_stream_machine.since_ms"
		"  ELSE excluded.since_ms END,"
		" pid = excluded.pid, seen_ms = excluded.seen_ms,"
		" note = excluded.note"),
	STATEMENT(SIGN_OUT, 2, "DELETE FROM log_stream_machine"
		" WHERE name = $1 AND pid = $2::bigint"),
	STATEMENT(FIND_WORKER, 2, "SELECT EXISTS (SELECT 1 " LEASES "),"
		" coalesce(pid, 0), coalesce(" CLOCK " - seen_ms, 0)"
		" FROM (SELECT 1) AS one"
		" LEFT JOIN log_stream_machine ON name = $2"),
	STATEMENT(NOTE, 2, "INSERT INTO log_stream_machine (name, pid,"
		" since_ms, seen_ms, note)"
		" VALUES ($1, 0, " CLOCK ", " CLOCK ", $2)"
		" ON CONFLICT (name) DO UPDATE SET note = excluded.note"),
	STATEMENT(READ_NOTE, 1, "SELECT note FROM log_stream_machine"
		" WHERE name = $1"),
	STATEMENT(MACHINES, 0, "SELECT name, pid, since_ms,"
		" " CLOCK " - seen_ms FROM log_stream_machine"
		" WHERE pid <> 0 ORDER BY name COLLATE \"C\""),
};
