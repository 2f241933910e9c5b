/* SPDX-License-Identifier: ISC */
/*
 * A FastCGI connection through the real gateway and libfcgi, to a handler
 * that keeps what it is given, and back: the handler sees the parameters
 * and the body that were sent, what is cut is never taken for whole, and
 * the answer is made of whole records.
 *
 * A first byte of 0 says that the rest is the connection, byte for byte.
 * Any other is the size of the records that are made of the rest: a byte
 * that says how many bytes are cut off the end, then NAME=value lines, an
 * empty line, and the body.
 */
#include "target.h"

#include "base/log.h"
#include "base/utf8.h"
#include "gateway.h"

#include <errno.h>
#include <fastcgi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTENER 0		/* as the gateway has it */
#define LEN_MAX 8000		/* more would not fit into a socket's buffer */
#define MANAGED_MAX 100		/* libfcgi answers each, and nobody reads yet */
#define PAIR_MAX (1 << 24)	/* of bytes */
#define LINES_LONG 30		/* of a log that is written behind the answer */

/* ------------------------------------------------------------- streams */

static void
add_record(struct buf *out, int type, unsigned id, const char *bytes,
    size_t len, unsigned padding)
{
	FCGI_Header header;

	memset(&header, 0, sizeof(header));
	header.version = FCGI_VERSION_1;
	header.type = (unsigned char)type;
	header.requestIdB1 = (unsigned char)(id >> 8);
	header.requestIdB0 = (unsigned char)id;
	header.contentLengthB1 = (unsigned char)(len >> 8);
	header.contentLengthB0 = (unsigned char)len;
	header.paddingLength = (unsigned char)padding;
	buf_add(out, &header, sizeof(header));
	buf_add(out, bytes, len);
	buf_add(out, "\x01\x05\x01\x01\0\0\0", padding);
}

/* In pieces, and its end. */
static void
add_stream(struct buf *out, int type, unsigned id, const struct buf *bytes,
    size_t size)
{
	size_t done, piece;

	for (done = 0; done < bytes->len; done += piece) {
		piece = bytes->len - done < size ? bytes->len - done : size;
		add_record(out, type, id, bytes->data + done, piece, piece % 8);
	}
	add_record(out, type, id, "", 0, 0);
}

/* A length of one byte; of four where one is too few, or now and then. */
static void
add_length(struct buf *out, size_t len)
{
	unsigned long word = 0x80000000UL | (unsigned long)len;

	if (len < 0x80 && len % 7 != 6) {
		buf_addc(out, (char)len);
		return;
	}
	buf_addc(out, (char)(word >> 24));
	buf_addc(out, (char)(word >> 16));
	buf_addc(out, (char)(word >> 8));
	buf_addc(out, (char)word);
}

/* Makes pairs of the NAME=value lines; returns where the body begins. */
static const char *
add_pairs(struct buf *out, const char *at, const char *end)
{
	const char *stop, *equals;

	for (; at < end && *at != '\n'; at = stop + (stop < end)) {
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		equals = memchr(at, '=', (size_t)(stop - at));
		equals = equals ? equals : stop;
		add_length(out, (size_t)(equals - at));
		add_length(out, (size_t)(stop - equals) - (equals < stop));
		buf_add(out, at, (size_t)(equals - at));
		if (equals < stop)
			buf_add(out, equals + 1, (size_t)(stop - equals) - 1);
	}
	return at + (at < end);
}

static void
make_connection(struct buf *out, unsigned char size, unsigned char cut,
    const char *at, const char *end)
{
	struct buf params = BUF_INIT, body = BUF_INIT;
	unsigned id = size * 257U;

	at = add_pairs(&params, at, end);
	buf_add(&body, at, (size_t)(end - at));
	add_record(out, FCGI_BEGIN_REQUEST, id, "\0\1\0\0\0\0\0", 8, 0);
	add_stream(out, FCGI_PARAMS, id, &params, size);
	add_stream(out, FCGI_STDIN, id, &body, size);
	out->len -= cut < out->len ? cut : out->len;
	buf_release(&params);
	buf_release(&body);
}

/* ------------------------------------------------- what was sent, read */

enum stage { AT_BEGIN, AT_PARAMS, AT_BODY, AT_END };

/* A connection as the specification has it. */
struct sent {
	enum stage stage;	/* that it came to */
	bool clean;		/* one whole request, and nothing besides */
	bool deadly;		/* libfcgi does not survive it */
	bool skips;		/* libfcgi leaves the next record out */
	int id;
	size_t managed;		/* records of management */
	struct buf params;
	struct buf body;
	struct buf entries;	/* NAME=value, a NUL byte behind each */
};

/* False when the bytes end before the length does. */
static bool
take_length(const unsigned char **at, const unsigned char *end, size_t *len)
{
	const unsigned char *b = *at;

	if (b == end || ((b[0] & 0x80) && end - b < 4))
		return false;
	*len = b[0];
	*at += 1;
	if (b[0] & 0x80) {
		*len = (size_t)(b[0] & 0x7F) << 24 | (size_t)b[1] << 16 |
		    (size_t)b[2] << 8 | b[3];
		*at += 3;
	}
	return true;
}

/* As much of a pair as a variable can hold: up to a NUL byte. */
static void
add_entry(struct buf *entries, const unsigned char *at, size_t name,
    size_t value)
{
	struct buf entry = BUF_INIT;

	buf_add(&entry, at, name);
	buf_addc(&entry, '=');
	buf_add(&entry, at + name, value);
	buf_add(entries, entry.data, strlen(entry.data) + 1);
	buf_release(&entry);
}

/*
 * Adds pairs as variables. Returns their number, -1 when they are not
 * whole, and -2 for one so long that libfcgi gives up for want of memory.
 */
static int
read_pairs(struct buf *entries, const struct buf *bytes)
{
	const unsigned char *at = (const unsigned char *)buf_text(bytes);
	const unsigned char *end = at + bytes->len;
	size_t name, value;
	int count;

	for (count = 0; at < end; count++) {
		if (!take_length(&at, end, &name) ||
		    !take_length(&at, end, &value))
			return -1;
		if (name + value > PAIR_MAX)
			return -2;
		if ((size_t)(end - at) < name + value)
			return -1;
		add_entry(entries, at, name, value);
		at += name + value;
	}
	return count;
}

/*
 * FCGI_GET_VALUES: libfcgi has room for three of its own names in its
 * answer (64 bytes), and does not look how many are asked for.
 */
static bool
is_deadly_question(const struct buf *content)
{
	struct buf entries = BUF_INIT;
	int count = read_pairs(&entries, content);

	buf_release(&entries);
	return count < 0 || count > 3;
}

static void
take_content(struct sent *sent, int type, const struct buf *content)
{
	struct buf *part = sent->stage == AT_PARAMS ? &sent->params :
	    &sent->body;

	if (content->len > 0)
		buf_add(part, content->data, content->len);
	else if (type == FCGI_PARAMS)
		sent->stage = AT_BODY;
	else
		sent->stage = AT_END;
}

/* A record that no web server sends on a connection for one request. */
static void
take_odd(struct sent *sent, const FCGI_Header *header, int id,
    const struct buf *content)
{
	sent->clean = false;
	if (id != 0) {
		sent->skips = content->len == 0;
		return;
	}
	sent->managed++;
	if (header->type == FCGI_GET_VALUES)
		sent->deadly |= is_deadly_question(content);
	else if (content->len > 0) /* libfcgi hands it on as the stream's */
		take_content(sent, 0, content);
}

static void
take_record(struct sent *sent, const FCGI_Header *header,
    const struct buf *content)
{
	int id = header->requestIdB1 << 8 | header->requestIdB0;
	const char *begin = buf_text(content);

	if (sent->stage == AT_BEGIN && header->type == FCGI_BEGIN_REQUEST &&
	    id != 0 && content->len == sizeof(FCGI_BeginRequestBody)) {
		sent->clean &= begin[0] == 0 && begin[1] == FCGI_RESPONDER;
		sent->id = id;
		sent->stage = AT_PARAMS;
	} else if (id == 0 || id != sent->id) {
		take_odd(sent, header, id, content);
	} else if (sent->skips && content->len > 0) {
		sent->skips = false;
	} else if (header->type == (sent->stage == AT_PARAMS ? FCGI_PARAMS :
	    FCGI_STDIN)) {
		take_content(sent, header->type, content);
	} else {
		sent->clean = false;
	}
}

/* A record that is cut counts for as much of it as there is. */
static void
read_sent(struct sent *sent, const struct buf *bytes)
{
	struct buf content = BUF_INIT;
	size_t at = 0, len, left;
	FCGI_Header header;
	int pairs;

	memset(sent, 0, sizeof(*sent));
	sent->clean = true;
	while (bytes->len - at >= sizeof(header) && sent->stage != AT_END) {
		memcpy(&header, bytes->data + at, sizeof(header));
		if (header.version != FCGI_VERSION_1)
			break;
		at += sizeof(header);
		left = bytes->len - at;
		len = (size_t)header.contentLengthB1 << 8 |
		    header.contentLengthB0;
		/* Behind these libfcgi takes padding for the next record. */
		sent->deadly |= header.paddingLength > 0 && (len == 0 ||
		    header.type == FCGI_BEGIN_REQUEST);
		if (len > 0 && left == 0) /* that is no end of a stream */
			break;
		buf_clear(&content);
		buf_add(&content, bytes->data + at, len < left ? len : left);
		take_record(sent, &header, &content);
		if (len + header.paddingLength > left)
			break;
		at += len + header.paddingLength;
	}
	sent->clean &= sent->stage == AT_END;
	pairs = read_pairs(&sent->entries, &sent->params);
	sent->clean &= pairs >= 0;
	sent->deadly |= pairs == -2;
	buf_release(&content);
}

static void
sent_release(struct sent *sent)
{
	buf_release(&sent->params);
	buf_release(&sent->body);
	buf_release(&sent->entries);
}

/* A variable as getenv(3) would have it, but NULL when it is empty. */
static const char *
variable(const struct sent *sent, const char *name)
{
	const char *at = buf_text(&sent->entries), *end = at +
	    sent->entries.len;
	size_t len = strlen(name);

	while (at < end) {
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return at[len + 1] ? at + len + 1 : NULL;
		at = (const char *)memchr(at, '\0', (size_t)(end - at)) + 1;
	}
	return NULL;
}

/* ------------------------------------------------------------- handler */

/* What the handler was given, and what it said. */
struct seen {
	unsigned requests;
	char *method;		/* NULL: none */
	char *authorization;
	int64_t content_length;
	struct buf body;
	int status;
	const char *fault;	/* of the gateway; NULL: none */
};

static char *
dup_or_null(const char *text)
{
	return text ? mem_dup(text) : NULL;
}

/* By pieces of 1 byte, 2, 4 and so on. */
static enum body_state
read_body(struct seen *seen, const struct request *request, struct buf *why)
{
	size_t size = 1, len;
	char bytes[1024];
	enum body_state state;

	do {
		len = sizeof(bytes) + 1;
		state = request->read(request->context, bytes, size, &len,
		    why);
		if (len > size || (len > 0) != (state == BODY_MORE))
			seen->fault = "a piece is longer than its room";
		else
			buf_add(&seen->body, bytes, len);
		size = size < sizeof(bytes) ? 2 * size : 1;
	} while (state == BODY_MORE && !seen->fault);
	return state;
}

static void
answer_post(struct seen *seen, const struct request *request,
    struct answer *answer)
{
	struct buf why = BUF_INIT;

	if (read_body(seen, request, &why) != BODY_END)
		answer_say(answer, 400, buf_text(&why));
	else if (seen->body.len == 0)
		answer->status = 204;
	else
		answer_ok(answer);
	if (answer->status == 400 && why.len == 0)
		seen->fault = "there is no reason for a bad body";
	buf_release(&why);
}

/* Logged lines are the web server's between here and the answer alone. */
static void
handle(void *context, const struct request *request, struct answer *answer)
{
	struct seen *seen = context;
	unsigned lines;

	log_to_file(NULL);
	seen->requests++;
	seen->method = dup_or_null(request->method);
	seen->authorization = dup_or_null(request->authorization);
	seen->content_length = request->content_length;
	if (seen->method && strcmp(seen->method, "POST") == 0) {
		answer_post(seen, request, answer);
	} else {
		answer_say(answer, 405, "POST alone is taken");
		answer->allow = "POST";
	}
	seen->status = answer->status;
	lines = seen->body.len % 2 == 0 ? 1 : LINES_LONG;
	while (seen->authorization && lines-- > 0)
		log_say(LEVEL_ERROR, "it is %s", seen->authorization);
	log_to_file("/dev/null");
}

static int64_t
look(void *context, bool once)
{
	(void)context;
	(void)once;
	return 1000;
}

static void
seen_release(struct seen *seen)
{
	free(seen->method);
	free(seen->authorization);
	buf_release(&seen->body);
}

/* ------------------------------------------------------------- gateway */

/* libfcgi forgets some bytes for each record of management it is sent. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libfcgi\nleak:FCGX_Accept_r\n";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

NORETURN static void
give_up(const char *what)
{
	perror(what);
	abort();
}

/* Descriptor 0 listens; returns another that is connected to it. */
static int
connect_pair(void)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	address.sun_family = AF_UNIX; /* and no name: Linux finds one */
	if (bind(listener, (struct sockaddr *)&address,
	    sizeof(address.sun_family)) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
	    connect(client, (struct sockaddr *)&address, len) < 0 ||
	    dup2(listener, LISTENER) < 0)
		give_up("a socket");
	if (listener != LISTENER) /* it is, where that was closed */
		close(listener);
	return client;
}

/* The gateway takes the signals of a fuzzer too, and is not to keep them. */
static void
serve(struct seen *seen)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	struct sigaction actions[4];
	sigset_t mask;
	size_t i;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (i = 0; i < 4; i++)
		sigaction(numbers[i], NULL, &actions[i]);
	log_to_file("/dev/null");
	if (gateway_serve(handle, look, seen) != 1)
		seen->fault = "the gateway was asked to stop";
	log_to_file(NULL);
	for (i = 0; i < 4; i++)
		sigaction(numbers[i], &actions[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/*
 * What the gateway answers to a client that has sent all it will ever. The
 * socket that listens is shut with the one connection waiting on it, so
 * that the gateway returns when it has served that.
 */
static void
exchange(struct seen *seen, const struct buf *sent, struct buf *got)
{
	int client = connect_pair();
	char part[4096];
	ssize_t n;

	if (send(client, buf_text(sent), sent->len, MSG_DONTWAIT) !=
	    (ssize_t)sent->len || shutdown(client, SHUT_WR) < 0 ||
	    shutdown(LISTENER, SHUT_RD) < 0)
		give_up("a connection");
	serve(seen);
	while ((n = read(client, part, sizeof(part))) > 0)
		buf_add(got, part, (size_t)n);
	close(client);
}

/* -------------------------------------------------------------- answer */

struct reply {
	struct buf out;
	struct buf err;
	unsigned ends;		/* of a request that was served */
	int id;			/* of the request; 0: none yet */
	const char *fault;
};

static void
take_reply(struct reply *reply, const FCGI_Header *header,
    const char *content, size_t len)
{
	int id = header->requestIdB1 << 8 | header->requestIdB0;

	if (header->type == FCGI_END_REQUEST && len == 8 &&
	    content[4] != FCGI_REQUEST_COMPLETE) /* libfcgi refuses a second */
		return;
	if (id != 0 && reply->ends > 0)
		reply->fault = "there is more behind the end";
	if (id != 0 && reply->id != 0 && id != reply->id)
		reply->fault = "the answer is to more than one request";
	if (id != 0)
		reply->id = id;
	if (header->type == FCGI_END_REQUEST && len == 8) {
		reply->ends++;
	} else if (header->type == FCGI_STDOUT) {
		buf_add(&reply->out, content, len);
	} else if (header->type == FCGI_STDERR) {
		buf_add(&reply->err, content, len);
		if (len > 0 && content[len - 1] != '\n')
			reply->fault = "a record has half a log line";
	} else if (id != 0 || (header->type != FCGI_GET_VALUES_RESULT &&
	    header->type != FCGI_UNKNOWN_TYPE)) {
		reply->fault = "a record is of a strange type";
	}
}

static void
read_reply(struct reply *reply, const struct buf *got)
{
	FCGI_Header header;
	size_t at, len;

	memset(reply, 0, sizeof(*reply));
	for (at = 0; at < got->len && !reply->fault;
	    at += len + header.paddingLength) {
		if (got->len - at < sizeof(header)) {
			reply->fault = "a header is cut";
			return;
		}
		memcpy(&header, got->data + at, sizeof(header));
		at += sizeof(header);
		len = (size_t)header.contentLengthB1 << 8 |
		    header.contentLengthB0;
		if (header.version != FCGI_VERSION_1 ||
		    len + header.paddingLength > got->len - at)
			reply->fault = "a record is cut";
		else
			take_reply(reply, &header, got->data + at, len);
	}
}

static void
reply_release(struct reply *reply)
{
	buf_release(&reply->out);
	buf_release(&reply->err);
}

/* --------------------------------------------------------------- rules */

static void
judge_reply(const struct seen *seen, const struct reply *reply,
    struct buf *how)
{
	const char *text = buf_text(&reply->out), *body, *length;
	bool head = seen->method && strcmp(seen->method, "HEAD") == 0;

	if (seen->fault || reply->fault)
		buf_addf(how, "%s; ", seen->fault ? seen->fault :
		    reply->fault);
	if (seen->requests > 1 || reply->ends != seen->requests)
		buf_addf(how, "%u requests, %u answers; ", seen->requests,
		    reply->ends);
	if (!are_plain_lines(buf_text(&reply->err)))
		buf_adds(how, "the log is not plain lines; ");
	body = strstr(text, "\r\n\r\n");
	length = strstr(text, "\r\nContent-Length: ");
	if (seen->requests == 0) {
		if (reply->out.len + reply->err.len > 0)
			buf_adds(how, "there is an answer to nothing; ");
		return;
	}
	if (strncmp(text, "Status: ", 8) != 0 || strtol(text + 8, NULL, 10) !=
	    seen->status || !body || (seen->status == 204) != !length ||
	    strlen(text) != reply->out.len)
		buf_addf(how, "the answer is: %s; ", text);
	else if (strlen(body + 4) != (head || !length ? 0 :
	    strtoul(length + 18, NULL, 10)))
		buf_adds(how, "the answer is not as long as it says; ");
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *
shown(const char *text)
{
	return text ? text : "none";
}

/* The status for a clean connection on which all came. */
static int
status_for(const struct sent *sent)
{
	const char *length = variable(sent, "CONTENT_LENGTH");
	const char *method = variable(sent, "REQUEST_METHOD");

	if (!method || strcmp(method, "POST") != 0)
		return 405;
	if (length && strcmp(length, "-1") != 0 &&
	    (length[strspn(length, ASCII_DIGITS)] != '\0' ||
	    strtoull(length, NULL, 10) != sent->body.len))
		return 400;
	return sent->body.len == 0 ? 204 : 200;
}

static void
judge_request(const struct sent *sent, const struct seen *seen,
    struct buf *how)
{
	const char *authorization = variable(sent, "HTTP_AUTHORIZATION");

	if (!authorization)
		authorization = variable(sent, "REDIRECT_HTTP_AUTHORIZATION");
	if (seen->requests != 1)
		buf_adds(how, "a good request is not served; ");
	else if (!same_text(seen->method, variable(sent, "REQUEST_METHOD")) ||
	    !same_text(seen->authorization, authorization))
		buf_addf(how, "the method is %s, not %s, or authorization "
		    "%s, not %s; ", shown(seen->method),
		    shown(variable(sent, "REQUEST_METHOD")),
		    shown(seen->authorization), shown(authorization));
	else if (seen->status != status_for(sent))
		buf_addf(how, "the status is %d, not %d; ", seen->status,
		    status_for(sent));
	else if (seen->status == 200 && (seen->body.len != sent->body.len ||
	    memcmp(seen->body.data, sent->body.data, seen->body.len) != 0))
		buf_adds(how, "the body is another; ");
}

/* Whether a record that ends a stream of this type is anywhere. */
static bool
has_end(const struct buf *bytes, int type, int id)
{
	char end[6] = { FCGI_VERSION_1, 0, 0, 0, 0, 0 };

	end[1] = (char)type;
	end[2] = (char)(id >> 8);
	end[3] = (char)id;
	return memmem(buf_text(bytes), bytes->len, end, sizeof(end)) != NULL;
}

/* Of a connection that is not as it should be, what may not be served. */
static void
judge_odd(const struct buf *bytes, const struct seen *seen, int id,
    struct buf *how)
{
	bool taken = seen->status == 200 || seen->status == 204;

	if (seen->requests > 0 && !has_end(bytes, FCGI_PARAMS, id))
		buf_adds(how, "the parameters are cut; ");
	if (taken && !has_end(bytes, FCGI_STDIN, id))
		buf_addf(how, "%d for a body that is cut; ", seen->status);
}

static void
judge(const struct buf *bytes, const struct sent *sent, struct buf *how)
{
	struct seen seen = { 0, NULL, NULL, 0, BUF_INIT, 0, NULL };
	struct buf got = BUF_INIT;
	struct reply reply;

	exchange(&seen, bytes, &got);
	read_reply(&reply, &got);
	judge_reply(&seen, &reply, how);
	if (sent->clean)
		judge_request(sent, &seen, how);
	else
		judge_odd(bytes, &seen, reply.id, how);
	if (sent->clean && reply.id != sent->id)
		buf_addf(how, "the answer is to request %d; ", reply.id);
	seen_release(&seen);
	reply_release(&reply);
	buf_release(&got);
}

bool
params_holds(const char *bytes, size_t len, struct buf *how)
{
	struct buf connection = BUF_INIT;
	struct sent sent;

	if (len < 2 || len > LEN_MAX)
		return true;
	if (bytes[0])
		make_connection(&connection, (unsigned char)bytes[0],
		    (unsigned char)bytes[1], bytes + 2, bytes + len);
	else
		buf_add(&connection, bytes + 1, len - 1);
	read_sent(&sent, &connection);
	if (!sent.deadly && sent.managed < MANAGED_MAX)
		judge(&connection, &sent, how);
	sent_release(&sent);
	buf_release(&connection);
	return how->len == 0;
}
