/* SPDX-License-Identifier: ISC */
/* A detached process. It does not know what the worker does. */
#include "delivery/launch.h"

#include "base/process.h"
#include "config/config_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COPY_FD 3		/* of the configuration, in the worker */
#define DESCRIPTORS_MAX 65536	/* closed one by one, where there is no
				 * close_range(2) */

/* ------------------------------------------------------------- program */

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* A door may have been copied under any name, with its helper beside it. */
static char *
path_dup(void)
{
	char self[PATH_MAX], *slash;
	struct buf path = BUF_INIT;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		buf_addf(&path, "%s/%s", self, WORKER_PROGRAM);
		if (is_program(path.data))
			return buf_detach(&path);
		buf_clear(&path);
	}
	buf_adds(&path, BINDIR "/" WORKER_PROGRAM);
	return buf_detach(&path);
}

/* --------------------------------------------------------- environment */

/* What a web server makes of a request (RFC 3875, and Apache's own). */
static const char *const request_variables[] = {
	"AUTH_TYPE=", "CONTENT_LENGTH=", "CONTENT_TYPE=", "CONTEXT_",
	"DOCUMENT_ROOT=", "GATEWAY_INTERFACE=", "H2PUSH", "H2_", "HTTP2=",
	"HTTPS=", "HTTP_", "PATH_INFO=", "PATH_TRANSLATED=", "QUERY_STRING=",
	"REDIRECT_", "REMOTE_", "REQUEST_", "SCRIPT_", "SERVER_",
	"SSL_CIPHER", "SSL_CLIENT_", "SSL_COMPRESS_", "SSL_PROTOCOL=",
	"SSL_SECURE_RENEG=", "SSL_SERVER_", "SSL_SESSION_", "SSL_SRP_",
	"SSL_TLS_SNI=", "SSL_VERSION_", "UNIQUE_ID=",
};

static bool
is_of_request(const char *variable)
{
	size_t i, count = sizeof(request_variables) /
	    sizeof(request_variables[0]);

	for (i = 0; i < count; i++)
		if (strncmp(variable, request_variables[i],
		    strlen(request_variables[i])) == 0)
			return true;
	return false;
}

/* The environment without the request, in which the token is; borrowed. */
static char **
own_environment(void)
{
	size_t i, kept = 0, count = 0;
	char **own;

	while (environ[count])
		count++;
	own = mem_alloc((count + 1) * sizeof(*own));
	for (i = 0; i < count; i++)
		if (!is_of_request(environ[i]))
			own[kept++] = environ[i];
	own[kept] = NULL;
	return own;
}

/* ------------------------------------------------------------- process */

/* All from first on but this one, which goes with the exec. */
static void
close_descriptors(int first, int kept)
{
	int fd;

#ifdef HAVE_CLOSE_RANGE
	if ((kept == first || close_range((unsigned)first,
	    (unsigned)kept - 1, 0) == 0) &&
	    close_range((unsigned)kept + 1, ~0U, 0) == 0)
		return;
#endif
	for (fd = first; fd < DESCRIPTORS_MAX; fd++)
		if (fd != kept)
			close(fd);
}

static bool
use_null_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR);

	return fd >= 0 && dup2(fd, STDIN_FILENO) >= 0 &&
	    dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
}

/* A program inherits which signals are blocked and ignored. */
static void
reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What the new process becomes. */
struct program {
	const char *path;
	char *const *arguments;
	char *const *environment;
	int copy;		/* descriptor of the configuration; -1: none */
};

/* Makes it that very descriptor, which an exec does not close. */
static bool
dup_to(int fd, int number)
{
	return fd == number ? fcntl(fd, F_SETFD, 0) == 0 :
	    dup2(fd, number) >= 0;
}

/*
 * In the new process: never returns. The program itself is the child of one
 * that leaves at once, so that init takes care of it. Where that fails, errno
 * is written to failed.
 */
NORETURN static void
become_worker(const struct program *p, int failed)
{
	int moved = fcntl(failed, F_DUPFD_CLOEXEC, COPY_FD + 1);
	pid_t child = -1;

	if (moved >= 0)
		failed = moved; /* out of the way of the copy */
	if (moved >= 0 && setsid() >= 0 &&
	    (p->copy < 0 || dup_to(p->copy, COPY_FD)) &&
	    use_null_descriptors()) {
		close_descriptors(p->copy < 0 ? COPY_FD : COPY_FD + 1, failed);
		reset_signals();
		umask(077);
		child = fork();
	}
	if (child == 0)
		execve(p->path, p->arguments, p->environment);
	if (child <= 0)
		write_all(failed, (const char *)&errno, sizeof(errno));
	_exit(0);
}

/* The errno of what became a worker, or did not; 0: it did. */
static int
wait_for_worker(pid_t child, int failed)
{
	int error = 0;

	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	while (read(failed, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	return error;
}

static bool
run_detached(const char *path, int copy, struct buf *why)
{
	char name[] = WORKER_PROGRAM, verb[] = "work";
	char option[] = "--until-idle";
	char announced[] = "--configuration-fd", number[] = "3";
	char *const arguments[] = { name, verb, option,
	    copy < 0 ? NULL : announced, number, NULL };
	char **own = own_environment();
	const struct program program = { path, arguments, own, copy };
	int error = 0, failed[2];	/* a pipe, which an exec closes */
	pid_t child = -1;

	/* Ignored, as a web server may hand it down, it leaves no child. */
	signal(SIGCHLD, SIG_DFL);
	if (pipe2(failed, O_CLOEXEC) == 0) {
		child = fork();
		error = errno;
		if (child == 0)
			become_worker(&program, failed[1]);
		close(failed[1]);
		if (child > 0)
			error = wait_for_worker(child, failed[0]);
		close(failed[0]);
	} else {
		error = errno;
	}
	free(own);
	if (child > 0 && error == 0)
		return true;
	buf_addf(why, "%s cannot be started: %s", path, strerror(error));
	return false;
}

bool
launch_worker(const struct config *c, struct buf *why)
{
	char *path = path_dup();
	bool good = is_program(path);
	int copy = good ? config_copy_open(c) : -1;

	if (good)
		good = run_detached(path, copy, why);
	else
		buf_addf(why, "there is no worker to start: put " WORKER_PROGRAM
		    " beside this program, or at %s", path);
	if (copy >= 0)
		close(copy);
	free(path);
	return good;
}
