/* SPDX-License-Identifier: ISC */
/*
 * How a server is found and connected to, within a time. libpq waits for
 * name servers without one, and for each host anew: here names are looked
 * up beside each other, and each address is tried by itself.
 */
#include "queue/pgsql/queue_pgsql.h"

#include "base/clock.h"
#include "base/lookup.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 12000	/* for all names and hosts together */
#define NAMES_MS 7000		/* for the names: their second server too */
#define EARLY_MS 1000		/* in which a name usually is known; what is
				 * late is tried last */

/*
 * What the address may say otherwise, and what it may not. A connection
 * that died without a word is noticed by both sides: by ours in time for
 * the web server, by the server so that another machine gets our lease.
 */
static const char *const keywords[][2] = {
	{ "connect_timeout", "3" },	/* for each address of a host */
	{ "tcp_user_timeout", "10000" },
	{ "keepalives_idle", "5" },
	{ "keepalives_interval", "2" },
	{ "keepalives_count", "3" },
	{ "application_name", "log-stream-to-slack" },
	{ "dbname", NULL },		/* the address */
	{ "client_encoding", "UTF8" },
};

#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))
#define OWN_MAX 3			/* more of them, see start() */

/* One server, as libpq has them: what is not given is empty. */
struct host {
	char *name;		/* or the directory of a socket */
	char *address;		/* "hostaddr" */
	char *port;
	struct lookup *lookup;	/* NULL: the name needs none */
	bool tried;
};

struct hosts {
	struct host *list;
	size_t count;
	int64_t begun_ms;
	int64_t try_ms;		/* "connect_timeout" */
	struct buf words;	/* what is wrong with each */
};

/* Begins to connect, with more keywords than ours; never NULL. */
static PGconn *
start(const struct store *s, const char *const own[OWN_MAX][2])
{
	const char *keys[KEYWORDS + OWN_MAX + 1];
	const char *values[KEYWORDS + OWN_MAX + 1];
	size_t i, count = 0;
	PGconn *conn;

	for (i = 0; i < KEYWORDS; i++, count++) {
		keys[count] = keywords[i][0];
		values[count] = keywords[i][1] ? keywords[i][1] : s->address;
	}
	for (i = 0; i < OWN_MAX; i++)
		if (own[i][1] && *own[i][1]) {
			keys[count] = own[i][0];
			values[count++] = own[i][1];
		}
	keys[count] = values[count] = NULL;
	conn = s->pq->connectStartParams(keys, values, 1);
	if (!conn)
		mem_exhausted();
	return conn;
}

/* -------------------------------------------------------------- hosts */

static void
hosts_release(struct hosts *hosts)
{
	size_t i;

	for (i = 0; i < hosts->count; i++) {
		free(hosts->list[i].name);
		free(hosts->list[i].address);
		free(hosts->list[i].port);
		lookup_free(hosts->list[i].lookup);
	}
	free(hosts->list);
	buf_release(&hosts->words);
}

static const char *
option_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

/* How many there are between commas. */
static size_t
count_elements(const char *list)
{
	size_t count = *list ? 1 : 0;

	for (; *list; list++)
		if (*list == ',')
			count++;
	return count;
}

/* Element i of a list; the only one stands for all. The caller frees it. */
static char *
element_dup(const char *list, size_t i)
{
	struct buf element = BUF_INIT;

	if (count_elements(list) > 1)
		for (; i > 0; i--)
			list += strcspn(list, ",") + 1;
	buf_add(&element, list, strcspn(list, ","));
	return buf_detach(&element);
}

static bool
is_name(const struct host *host)
{
	return *host->name && *host->name != '/' && *host->name != '@' &&
	    !*host->address && !lookup_is_address(host->name);
}

/* The port that libpq takes where a list of them leaves one out. */
static const char *
default_port(const PQconninfoOption *options)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, "port") == 0 &&
		    options->compiled)
			return options->compiled;
	return "5432";
}

/*
 * Takes the lists apart. False where libpq has to: they do not match, or
 * have an empty element, for which nothing of ours can stand.
 */
static bool
split(struct hosts *hosts, const PQconninfoOption *options)
{
	const char *names = option_value(options, "host");
	const char *addresses = option_value(options, "hostaddr");
	const char *ports = option_value(options, "port");
	size_t i, count = count_elements(*addresses ? addresses : names);
	struct host *host;

	if (count == 0 || (*names && count_elements(names) != count) ||
	    (count_elements(ports) > 1 && count_elements(ports) != count))
		return false;
	hosts->list = mem_alloc(count * sizeof(*hosts->list));
	for (i = 0; i < count; i++) {
		host = &hosts->list[hosts->count++];
		memset(host, 0, sizeof(*host));
		host->name = element_dup(names, i);
		host->address = element_dup(addresses, i);
		host->port = element_dup(ports, i);
		if (!*host->port) {
			free(host->port);
			host->port = mem_dup(default_port(options));
		}
		if ((*names && !*host->name) ||
		    (*addresses && !*host->address && !is_name(host)))
			return false;
	}
	return true;
}

/* One that stands for all that libpq finds by itself. */
static void
leave_to_libpq(struct hosts *hosts)
{
	hosts_release(hosts);
	memset(hosts, 0, sizeof(*hosts));
	hosts->list = mem_alloc(sizeof(*hosts->list));
	memset(hosts->list, 0, sizeof(*hosts->list));
	hosts->count = 1;
}

static void
begin_lookups(struct hosts *hosts)
{
	struct host *host;
	size_t i;

	for (i = 0; i < hosts->count; i++) {
		host = &hosts->list[i];
		if (host->name && is_name(host))
			host->lookup = lookup_begin(host->name);
	}
}

/*
 * The hosts that libpq would use, from the address, the environment and the
 * service file. It tells of a connection alone: of one that it does not
 * begin, because of a value that does not exist.
 */
static bool
find_hosts(const struct store *s, struct hosts *hosts, struct buf *why)
{
	static const char *const impossible[OWN_MAX][2] = {
		{ "target_session_attrs", "none" }, { NULL, NULL },
		{ NULL, NULL } };
	PGconn *conn = start(s, impossible);
	PQconninfoOption *options = s->pq->conninfo(conn);
	long seconds;
	bool good;

	if (!options)
		mem_exhausted();
	good = strcmp(option_value(options, "target_session_attrs"),
	    "none") == 0;
	if (!good) /* it did not get so far: there is no such service, say */
		session_complain(s, s->pq->errorMessage(conn), "", why);
	if (!split(hosts, options))
		leave_to_libpq(hosts);
	seconds = strtol(option_value(options, "connect_timeout"), NULL, 10);
	hosts->try_ms = seconds > 0 && seconds < CONNECT_MS / 1000 ?
	    seconds * 1000 : CONNECT_MS;
	s->pq->conninfoFree(options);
	s->pq->finish(conn);
	return good;
}

/* --------------------------------------------------------- connecting */

/* False when the time is over, or it failed. */
static bool
await_connection(const struct store *s, PGconn *conn, int64_t end_ms,
    bool *late)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	struct pollfd server;
	int64_t left;
	int got;

	if (s->pq->status(conn) == CONNECTION_BAD)
		return false;
	while (status == PGRES_POLLING_READING ||
	    status == PGRES_POLLING_WRITING) {
		server.fd = s->pq->socket(conn);
		server.events = status == PGRES_POLLING_READING ? POLLIN :
		    POLLOUT;
		left = end_ms - clock_ms();
		*late = left <= 0;
		if (*late)
			return false;
		got = poll(&server, 1, (int)left);
		if (got > 0)
			status = s->pq->connectPoll(conn);
		else if (got < 0 && errno != EINTR)
			return false;
	}
	return status == PGRES_POLLING_OK;
}

/* Tries one address; NULL, and what is wrong among the words. */
static PGconn *
try_address(const struct store *s, struct hosts *hosts,
    const struct host *host, const char *address)
{
	const char *const own[OWN_MAX][2] = { { "host", host->name },
	    { "hostaddr", address }, { "port", host->port } };
	int64_t end_ms = clock_ms() + hosts->try_ms;
	bool late = false;
	PGconn *conn;

	if (end_ms > hosts->begun_ms + CONNECT_MS)
		end_ms = hosts->begun_ms + CONNECT_MS;
	conn = start(s, own);
	if (await_connection(s, conn, end_ms, &late))
		return conn;
	/* Words that are not ended say what the rest is about. */
	buf_addf(&hosts->words, "%s%s\n", s->pq->errorMessage(conn),
	    late ? "no answer in time" : "");
	s->pq->finish(conn);
	return NULL;
}

static void
complain_of_name(struct hosts *hosts, const struct host *host,
    const char *what)
{
	buf_addf(&hosts->words, "could not translate host name \"%s\" to "
	    "address: %s\n", host->name, what);
}

/* Tries all addresses of a host, unless its name is late and may be so. */
static PGconn *
try_host(const struct store *s, struct hosts *hosts, struct host *host,
    int64_t end_ms, bool may_be_late)
{
	enum lookup_result result;
	PGconn *conn = NULL;
	size_t i;

	result = host->lookup ? lookup_wait(host->lookup, end_ms) :
	    LOOKUP_DONE;
	if (result == LOOKUP_LATE && may_be_late)
		return NULL;
	host->tried = true;
	if (result == LOOKUP_LATE)
		complain_of_name(hosts, host, "no answer in time");
	else if (result == LOOKUP_FAILED)
		complain_of_name(hosts, host, lookup_error(host->lookup));
	else if (!host->lookup)
		conn = try_address(s, hosts, host, host->address);
	else
		for (i = 0; !conn && i < lookup_count(host->lookup); i++)
			conn = try_address(s, hosts, host,
			    lookup_address(host->lookup, i));
	return conn;
}

/* In the order of the address, but those whose names are late come last. */
static PGconn *
try_hosts(const struct store *s, struct hosts *hosts)
{
	PGconn *conn = NULL;
	size_t i;

	for (i = 0; !conn && i < hosts->count; i++)
		conn = try_host(s, hosts, &hosts->list[i],
		    hosts->begun_ms + EARLY_MS, true);
	for (i = 0; !conn && i < hosts->count; i++)
		if (!hosts->list[i].tried)
			conn = try_host(s, hosts, &hosts->list[i],
			    hosts->begun_ms + NAMES_MS, false);
	return conn;
}

PGconn *
pgsql_find_server(struct store *s, struct buf *why)
{
	struct hosts hosts = { NULL, 0, 0, 0, BUF_INIT };
	PGconn *conn = NULL;

	if (find_hosts(s, &hosts, why)) {
		hosts.begun_ms = clock_ms();
		begin_lookups(&hosts);
		conn = try_hosts(s, &hosts);
		if (!conn)
			session_complain(s, buf_text(&hosts.words), "", why);
	}
	hosts_release(&hosts);
	return conn;
}
