/* SPDX-License-Identifier: ISC */
/*
 * CGI and FastCGI. The only user of fcgiapp.h, members below its "don't
 * use" line included: libfcgi has no time-outs and does not stand signals,
 * so connections are accepted here and handed to it, and it reads; what is
 * answered is written here. It knows HTTP's words and nothing of what a
 * request is about.
 */
#include "gateway.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LISTENER 0		/* the FastCGI specification's number */
#define REQUEST_S 10		/* longest time for all before the body */
#define SILENCE_MS 10000	/* longest wait for the next bytes of a body */
#define BODY_MS 30000		/* longest time a whole body may take */
#define SEND_MS 10000		/* longest time for an answer and its log */
#define HANG_UP_MS 2000		/* longest wait for the server to close */
#define CGI_EOF_MS 1000		/* wait for the end after the last byte */
#define DISCARD_MAX 67108864	/* bytes read away before an answer */
#define DISCARD_MS 5000		/* longest time that takes, or a wait in it */
#define DISCARD_SIZE 65536
#define LOG_FIRST_MAX 2048	/* bytes; nginx has 4096 for log and header */
#define PAUSE_MS 100		/* when the system is out of something */
#define HELD_MAX 4096		/* bytes of log that wait for a request */

/*
 * A request body as it comes. Reading it to its end is owed before the
 * answer: mod_cgid and fcgiwrap lose the answer of a program that did not.
 */
struct body {
	int64_t announced;	/* Content-Length; -1: none */
	int64_t received;
	int64_t deadline_ms;
	int silence_ms;		/* longest wait for the next bytes */
	bool is_encoded;	/* its sender says so, whatever came */
	const char *fault;	/* of the Content-Length */
	bool over;		/* nothing more will come */
	int fd;			/* the connection, or descriptor 0 */
	FCGX_Stream *stream;	/* NULL: CGI */
};

/* CGI's variables, from the environment or from a FastCGI request. */
struct variables {
	char **fastcgi;		/* NULL: the environment */
};

static const char *
variable(const struct variables *v, const char *name)
{
	const char *value;

	value = v->fastcgi ? FCGX_GetParam(name, v->fastcgi) : getenv(name);
	return value && *value ? value : NULL;
}

/* ----------------------------------------------------------- signals */

static volatile sig_atomic_t stopping;

static void
stop(int signal)
{
	(void)signal;
	stopping = 1;
}

/* The connection whose request libfcgi reads: see read_request(). */
static volatile sig_atomic_t unread;

static void
give_up(int signal)
{
	int error = errno;

	(void)signal;
	shutdown(unread, SHUT_RD);
	errno = error;
}

static const int stop_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

#define STOP_SIGNALS (sizeof(stop_signals) / sizeof(stop_signals[0]))

static void
block_signals(void)
{
	sigset_t blocked;
	size_t i;

	sigemptyset(&blocked);
	for (i = 0; i < STOP_SIGNALS; i++)
		sigaddset(&blocked, stop_signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

/*
 * libfcgi installs handlers of its own that take effect in the middle of
 * a read; ours replace them.
 */
static void
handle_signals(void)
{
	struct sigaction action;
	sigset_t alarms;
	size_t i;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	action.sa_handler = stop;
	for (i = 0; i < STOP_SIGNALS; i++)
		sigaction(stop_signals[i], &action, NULL);
	action.sa_handler = give_up;
	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL); /* masks are inherited */
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

/*
 * Asked to stop, now or while the last request was in hand? ppoll lets a
 * signal in only when it has to wait, and under load it never has to.
 */
static bool
must_stop(void)
{
	sigset_t pending;
	size_t i;

	sigpending(&pending);
	for (i = 0; i < STOP_SIGNALS; i++)
		if (sigismember(&pending, stop_signals[i]) == 1)
			stopping = 1;
	return stopping;
}

/* -------------------------------------------------------------- body */

static void
set_timeout(int fd, int option, int ms)
{
	struct timeval time = { ms / 1000, (ms % 1000) * 1000 };

	setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));
}

/*
 * RFC 9110 section 8.6: digits and nothing else. One too large for any
 * limit counts as the largest there is. Caddy and IIS say -1 when the client
 * gave none; no client's own -1 gets past a server.
 */
static void
read_length(struct body *body, const char *text)
{
	body->announced = -1;
	if (!text || strcmp(text, "-1") == 0)
		return;
	if (text[strspn(text, ASCII_DIGITS)] != '\0') {
		body->fault = "Content-Length is not a number";
		return;
	}
	errno = 0;
	body->announced = strtoll(text, NULL, 10);
	if (errno == ERANGE)
		body->announced = INT64_MAX;
}

/* A GET has no body: a server that leaves the input open is not waited for. */
static void
expect_no_body(struct body *body)
{
	if (body->announced < 0)
		body->announced = 0;
}

static enum body_state
bad(struct body *body, struct buf *why, const char *what)
{
	body->over = true;
	buf_addf(why, "the body %s after %" PRId64 " bytes", what,
	    body->received);
	if (body->announced >= 0)
		buf_addf(why, " of %" PRId64, body->announced);
	return BODY_BAD;
}

/*
 * No client can send more than it announced, but a filter in the server can
 * make more of it, or less: mod_cgid and mod_proxy_fcgi may leave the length
 * as it was sent, and the latter takes the Content-Encoding away.
 */
static void
hint_at_filter(struct buf *why)
{
	buf_adds(why, "; if the web server unpacks requests (Apache: "
	    "SetInputFilter DEFLATE), switch that off");
}

/* libfcgi has errors of its own, below 0. */
static enum body_state
broken(struct body *body, struct buf *why, int error)
{
	bad(body, why, "broke off");
	if (error > 0)
		buf_addf(why, ": %s", strerror(error));
	return BODY_BAD;
}

/*
 * What there is on descriptor 0, waiting for the first of it. RFC 3875
 * section 4.2 lets a server leave the input open after the last byte, so
 * the end is waited for only briefly once all that was announced is here.
 */
static enum body_state
read_cgi(struct body *body, char *bytes, size_t size, size_t *len,
    struct buf *why)
{
	struct pollfd input = { body->fd, POLLIN, 0 };
	bool complete = body->fault || (body->announced >= 0 &&
	    body->received >= body->announced);
	ssize_t n;

	n = poll(&input, 1, complete ? CGI_EOF_MS : body->silence_ms);
	if (n == 0)
		return complete ? BODY_END : bad(body, why, "stalled");
	if (n < 0 && errno == EINTR)
		return BODY_MORE;
	n = read(body->fd, bytes, size);
	if (n < 0 && errno == EINTR)
		return BODY_MORE;
	if (n < 0)
		return broken(body, why, errno);
	*len = (size_t)n;
	return n > 0 ? BODY_MORE : BODY_END;
}

/*
 * FCGX_GetStr waits until size bytes are there; FCGX_GetChar for the next
 * record alone, which leaves the deadline a chance. The socket's time-out
 * shows as EAGAIN.
 */
static enum body_state
read_fastcgi(struct body *body, char *bytes, size_t size, size_t *len,
    struct buf *why)
{
	FCGX_Stream *in = body->stream;
	int c = FCGX_GetChar(in);
	size_t ready;
	int error;

	if (c < 0) {
		error = FCGX_GetError(in);
		if (error == EAGAIN || error == EWOULDBLOCK)
			return bad(body, why, "stalled");
		return error ? broken(body, why, error) : BODY_END;
	}
	bytes[0] = (char)c;
	ready = (size_t)(in->stop - in->rdNext);
	if (ready > size - 1)
		ready = size - 1;
	*len = 1 + (size_t)FCGX_GetStr(bytes + 1, (int)ready, in);
	return BODY_MORE;
}

/* The next bytes, whatever was announced. */
static enum body_state
body_fill(struct body *body, char *bytes, size_t size, size_t *len,
    struct buf *why)
{
	enum body_state state;

	*len = 0;
	if (clock_ms() > body->deadline_ms)
		return bad(body, why, "took too long");
	state = body->stream ? read_fastcgi(body, bytes, size, len, why) :
	    read_cgi(body, bytes, size, len, why);
	body->received += (int64_t)*len;
	if (state == BODY_END)
		body->over = true;
	return state;
}

/*
 * For the handler: as body_fill, and nothing passes that is not as long as
 * announced. A server may hand over less than the client sent
 * (mod_fcgid does) and pass our 200 on.
 */
static enum body_state
body_read(void *context, char *bytes, size_t size, size_t *len,
    struct buf *why)
{
	struct body *body = context;
	enum body_state state;

	*len = 0;
	if (body->fault) {
		buf_adds(why, body->fault);
		return BODY_BAD;
	}
	state = body_fill(body, bytes, size, len, why);
	if (body->announced < 0 || state == BODY_BAD)
		return state;
	if (body->received > body->announced) {
		*len = 0;
		buf_addf(why, "the body is longer than its Content-Length, "
		    "%" PRId64, body->announced);
		hint_at_filter(why);
		return BODY_BAD;
	}
	if (state == BODY_END && body->received < body->announced) {
		state = bad(body, why, "ended");
		if (body->is_encoded)
			hint_at_filter(why);
	}
	return state;
}

/* A stranger who sends what nobody wants may do it slowly. */
static void
body_hurry(struct body *body)
{
	int64_t end = clock_ms() + DISCARD_MS;

	if (body->deadline_ms > end)
		body->deadline_ms = end;
	body->silence_ms = DISCARD_MS;
	set_timeout(body->fd, SO_RCVTIMEO, DISCARD_MS);
}

/* Reads away what the handler left, within bounds. */
static void
body_discard(struct body *body)
{
	char *bytes = mem_alloc(DISCARD_SIZE);
	struct buf why = BUF_INIT;
	size_t len;

	if (!body->over)
		body_hurry(body);
	while (!body->over && body->received < DISCARD_MAX)
		body_fill(body, bytes, DISCARD_SIZE, &len, &why);
	buf_release(&why);
	free(bytes);
}

/* ------------------------------------------------------------ answer */

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};
	size_t i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

/*
 * The answer as RFC 3875 section 6 has it, for CGI and FastCGI alike; to a
 * HEAD it has no body (section 4.3.3).
 */
static void
add_answer(struct buf *out, const struct answer *answer, const char *method)
{
	buf_addf(out, "Status: %d %s\r\n", answer->status,
	    reason_phrase(answer->status));
	if (answer->allow)
		buf_addf(out, "Allow: %s\r\n", answer->allow);
	if (answer->retry_after_s > 0)
		buf_addf(out, "Retry-After: %" PRId64 "\r\n",
		    answer->retry_after_s);
	/* RFC 9110 section 11.6.1: a 401 names the scheme. */
	if (answer->status == 401)
		buf_adds(out, "WWW-Authenticate: Bearer\r\n");
	if (answer->status != 204)
		buf_addf(out, "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Length: %zu\r\n", answer->body.len);
	buf_adds(out, "\r\n");
	if (!method || strcmp(method, "HEAD") != 0)
		buf_add(out, buf_text(&answer->body), answer->body.len);
}

/*
 * What a request brings forth. The log lines wait for the answer: nginx
 * takes what comes by the error stream before a header for a part of it,
 * and made a 502 of a batch of six hundred events.
 */
struct result {
	struct buf answer;
	struct buf log;
};

static void
hold_line(void *context, const char *line, size_t len)
{
	struct buf *log = context;

	buf_add(log, line, len);
	buf_addc(log, '\n');
}

/* Writes a part of the answer, or a line of the log with its end. */
typedef void part_writer(void *to, bool is_log, const char *bytes,
    size_t len);

/*
 * Many lines go behind all but the last byte of the answer, after which a
 * server may no longer listen; few go before it.
 */
static void
result_write(const struct result *result, part_writer *write_part, void *to)
{
	const struct buf *answer = &result->answer;
	bool has_body = memcmp(answer->data + answer->len - 2, "\r\n", 2) != 0;
	const char *line = buf_text(&result->log), *next;
	size_t first = 0;

	if (result->log.len > LOG_FIRST_MAX)
		first = has_body ? answer->len - 1 : answer->len;
	write_part(to, false, answer->data, first);
	for (; *line; line = next) { /* whole: servers break longer texts */
		next = strchr(line, '\n') + 1;
		write_part(to, true, line, (size_t)(next - line));
	}
	write_part(to, false, answer->data + first, answer->len - first);
}

static void
result_release(struct result *result)
{
	buf_release(&result->answer);
	buf_release(&result->log);
}

/*
 * To a socket, without waiting; to a file or a pipe, as much as poll(2) says
 * that there is room for. O_NONBLOCK would be the server's, too.
 */
static ssize_t
write_now(int fd, const char *bytes, size_t len)
{
	ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0 || errno != ENOTSOCK)
		return n;
	return write(fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

/*
 * False when the server did not read it all in time: a limit of the kernel's
 * would begin again with each piece that is read.
 */
static bool
write_until(int fd, const char *bytes, size_t len, int64_t deadline_ms)
{
	struct pollfd room = { fd, POLLOUT, 0 };
	int64_t left;
	ssize_t n;

	while (len > 0 && (left = deadline_ms - clock_ms()) > 0) {
		if (poll(&room, 1, (int)left) <= 0)
			continue; /* or interrupted */
		n = write_now(fd, bytes, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return len == 0;
}

/* ----------------------------------------------------------- request */

/* RFC 9110 section 8.4; some gateways give it the name that type has. */
static const char *
coding(const struct variables *v)
{
	const char *value = variable(v, "HTTP_CONTENT_ENCODING");

	if (!value)
		value = variable(v, "CONTENT_ENCODING");
	return value && strcasecmp(value, "identity") != 0 ? value : NULL;
}

/* Runs the handler; *result is then what to write. */
static void
handle(const struct variables *v, struct body *body,
    gateway_handler *handler, void *context, struct result *result)
{
	struct request request = { 0 };
	struct answer answer = { 0 };

	request.content_encoding = coding(v);
	body->is_encoded = request.content_encoding;
	read_length(body, variable(v, "CONTENT_LENGTH"));
	body->deadline_ms = clock_ms() + BODY_MS;
	body->silence_ms = SILENCE_MS; /* as accept_connection() has it */
	request.method = variable(v, "REQUEST_METHOD");
	request.authorization = variable(v, "HTTP_AUTHORIZATION");
	if (!request.method || strcmp(request.method, "POST") != 0)
		expect_no_body(body);
	if (!request.authorization) /* after an internal rewrite of Apache */
		request.authorization =
		    variable(v, "REDIRECT_HTTP_AUTHORIZATION");
	request.content_length = body->announced;
	request.read = body_read;
	request.context = body;
	log_to(hold_line, &result->log);
	handler(context, &request, &answer);
	log_to(NULL, NULL);
	body_discard(body);
	add_answer(&result->answer, &answer, request.method);
	buf_release(&answer.body);
}

/* --------------------------------------------------------------- CGI */

static void
write_file(void *to, bool is_log, const char *bytes, size_t len)
{
	const int64_t *deadline_ms = to;

	if (is_log)
		log_write_held(bytes, len);
	else
		write_until(STDOUT_FILENO, bytes, len, *deadline_ms);
}

static int
serve_cgi(gateway_handler *handler, gateway_look *look, void *context)
{
	struct variables environment = { NULL };
	struct body body = { 0 };
	struct result result = { BUF_INIT, BUF_INIT };
	int64_t deadline_ms;

	if (!variable(&environment, "REQUEST_METHOD")) {
		log_say(LEVEL_ERROR, "a web server starts this program, by "
		    "CGI or FastCGI: see log-stream-to-slack(1)");
		return 2;
	}
	handle(&environment, &body, handler, context, &result);
	deadline_ms = clock_ms() + SEND_MS;
	result_write(&result, write_file, &deadline_ms);
	result_release(&result);
	look(context, true);
	return 0;
}

/* ----------------------------------------------------------- FastCGI */

/* A connection and the request that came by it. */
struct exchange {
	int fd;
	FCGX_Request request;
};

/*
 * The FastCGI specification, section 3.3: a piece of a stream, or with no
 * bytes its end. libfcgi writes each stream by itself, and of each write
 * the server is woken up: ours go together.
 */
static void
add_record(struct buf *out, int id, int type, const char *bytes, size_t len)
{
	FCGI_Header header = { 0 };

	header.version = FCGI_VERSION_1;
	header.type = (unsigned char)type;
	header.requestIdB1 = (unsigned char)(id >> 8);
	header.requestIdB0 = (unsigned char)id;
	header.contentLengthB1 = (unsigned char)(len >> 8);
	header.contentLengthB0 = (unsigned char)len;
	buf_add(out, (const char *)&header, sizeof(header));
	buf_add(out, bytes, len);
}

/* The records of one exchange as they are made. */
struct reply {
	struct buf records;
	int id;
};

static void
add_part(void *to, bool is_log, const char *bytes, size_t len)
{
	struct reply *reply = to;
	size_t piece;

	for (; len > 0; bytes += piece, len -= piece) {
		piece = len < FCGI_MAX_LENGTH ? len : FCGI_MAX_LENGTH;
		add_record(&reply->records, reply->id,
		    is_log ? FCGI_STDERR : FCGI_STDOUT, bytes, piece);
	}
}

static void
add_end(struct reply *reply, bool has_log)
{
	FCGI_EndRequestBody end = { 0 };

	end.protocolStatus = FCGI_REQUEST_COMPLETE;
	if (has_log)
		add_record(&reply->records, reply->id, FCGI_STDERR, "", 0);
	add_record(&reply->records, reply->id, FCGI_STDOUT, "", 0);
	add_record(&reply->records, reply->id, FCGI_END_REQUEST,
	    (const char *)&end, sizeof(end));
}

/* The program that is served, and what it logged between two requests. */
struct service {
	gateway_handler *handler;
	gateway_look *look;
	void *context;
	struct buf held;
	int64_t look_at;	/* by clock_ms() */
};

/* Descriptor 2 leads nowhere where a server starts FastCGI programs. */
static void
hold_for_request(void *context, const char *line, size_t len)
{
	struct buf *held = context;

	if (held->len + len < HELD_MAX)
		hold_line(held, line, len);
}

static void
look_around(struct service *service)
{
	log_to(hold_for_request, &service->held);
	service->look_at = clock_ms() +
	    service->look(service->context, false);
	log_to(NULL, NULL);
}

/*
 * Waits for a connection, with signals let in only here. False when the
 * listening socket is gone: accept would then say "try again" for ever.
 */
static bool
wait_for_connection(struct service *service)
{
	struct pollfd listener = { LISTENER, POLLIN | POLLRDHUP, 0 };
	int64_t left = service->look_at - clock_ms();
	struct timespec until_look;
	sigset_t none;
	int got;

	if (left < 0)
		left = 0;
	until_look.tv_sec = (time_t)(left / 1000);
	until_look.tv_nsec = (long)(left % 1000) * 1000000;
	sigemptyset(&none);
	got = ppoll(&listener, 1, &until_look, &none);
	if (got < 0)
		return errno == EINTR;
	if (got == 0)
		look_around(service);
	errno = listener.revents & POLLNVAL ? EBADF : ESHUTDOWN;
	return (listener.revents & ~POLLIN) == 0;
}

/*
 * Whether accept may be tried again; waits where the system has to breathe,
 * which is said once.
 */
static bool
wait_out(struct service *service, int error, bool *said)
{
	static const struct timespec pause = { 0, PAUSE_MS * 1000000L };

	switch (error) {
	case EAGAIN:		/* there is none */
#if EWOULDBLOCK != EAGAIN
	case EWOULDBLOCK:
#endif
		return wait_for_connection(service);
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
		return true;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		if (!*said)
			log_say(LEVEL_ERROR, "connections have to wait: %s",
			    strerror(error));
		*said = true;
		nanosleep(&pause, NULL);
		return true;
	default:
		return false;
	}
}

/* The next connection; -1 when asked to stop or the socket is gone. */
static int
accept_connection(struct service *service)
{
	bool said = false;
	int fd;

	while (!must_stop()) {
		fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			set_timeout(fd, SO_RCVTIMEO, SILENCE_MS);
			set_timeout(fd, SO_SNDTIMEO, SEND_MS);
			return fd;
		}
		if (!wait_out(service, errno, &said))
			break;
	}
	return -1;
}

/*
 * Lets libfcgi read what comes before the body. It gets a descriptor of
 * its own to close, and is told not to wait when it does (see hang_up).
 * It would read for as long as a byte comes now and then: the alarm ends
 * that. False when no whole request came: parameters that broke off it
 * takes for all there were, and only the stream remembers.
 */
static bool
read_request(struct exchange *x)
{
	FCGX_Request *request = &x->request;
	bool accepted;

	request->ipcFd = fcntl(x->fd, F_DUPFD_CLOEXEC, 0);
	if (request->ipcFd < 0) {
		log_say(LEVEL_ERROR, "a request cannot be read: %s",
		    strerror(errno));
		return false;
	}
	request->keepConnection = 1; /* or it is closed at once */
	request->detached = 1;
	unread = x->fd;
	alarm(REQUEST_S);
	accepted = FCGX_Accept_r(request) >= 0;
	alarm(0);
	if (!accepted)
		return false;
	if (FCGX_GetError(request->in) == 0)
		return true;
	FCGX_Free(request, 1);
	return false;
}

/*
 * Ends a connection whose answer is on its way: closed with bytes unread,
 * it would be reset and the answer lost. libfcgi does the same, but for as
 * long as the client keeps sending.
 */
static void
hang_up(int fd)
{
	struct pollfd peer = { fd, POLLIN, 0 };
	int64_t left, end = clock_ms() + HANG_UP_MS;
	char rest[4096];

	shutdown(fd, SHUT_WR);
	while ((left = end - clock_ms()) > 0 && poll(&peer, 1, (int)left) > 0)
		if (read(fd, rest, sizeof(rest)) <= 0)
			break;
	close(fd);
}

static void
serve_request(struct exchange *x, struct service *service)
{
	struct variables parameters = { x->request.envp };
	struct body body = { 0 };
	struct result result = { BUF_INIT, BUF_INIT };
	struct reply reply = { BUF_INIT, x->request.requestId };

	body.fd = x->fd;
	body.stream = x->request.in;
	buf_add(&result.log, buf_text(&service->held), service->held.len);
	buf_clear(&service->held);
	handle(&parameters, &body, service->handler, service->context,
	    &result);
	result_write(&result, add_part, &reply);
	add_end(&reply, result.log.len > 0);
	/* Short only when the server does not read: it is not waited for
	 * once more. */
	if (!write_until(x->fd, reply.records.data, reply.records.len,
	    clock_ms() + SEND_MS))
		shutdown(x->fd, SHUT_RDWR);
	buf_release(&reply.records);
	result_release(&result);
	FCGX_Free(&x->request, 1);
}

static int
serve_fastcgi(struct service *service)
{
	struct exchange x;

	/* Several processes may share the listener: none may get stuck in
	 * accept when another was quicker. */
	fcntl(LISTENER, F_SETFL, fcntl(LISTENER, F_GETFL) | O_NONBLOCK);
	/* No listener for libfcgi: it must not accept by itself. */
	FCGX_InitRequest(&x.request, -1, 0);
	look_around(service);
	while ((x.fd = accept_connection(service)) >= 0) {
		if (read_request(&x))
			serve_request(&x, service);
		hang_up(x.fd);
		look_around(service);
	}
	buf_release(&service->held);
	if (stopping)
		return 0;
	log_say(LEVEL_ERROR, "the listening socket is gone: %s",
	    strerror(errno));
	return 1;
}

int
gateway_serve(gateway_handler *handler, gateway_look *look, void *context)
{
	struct service service = { handler, look, context, BUF_INIT, 0 };
	bool cgi;

	block_signals();
	/* What it wants is memory; FCGX_IsCGI() would end without a word. */
	if (FCGX_Init() != 0)
		mem_exhausted();
	cgi = FCGX_IsCGI();
	handle_signals();
	return cgi ? serve_cgi(handler, look, context) :
	    serve_fastcgi(&service);
}
