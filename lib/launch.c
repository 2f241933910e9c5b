/* SPDX-License-Identifier: ISC */
/* A detached process. It does not know what the worker does. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "log-stream-ctl"
#define DESCRIPTORS_MAX 65536	/* closed one by one, where there is no
				 * close_range(2) */
#define FAILED 127		/* the exit status for want of a process */

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
		buf_addf(&path, "%s/%s", self, PROGRAM);
		if (is_program(path.data))
			return buf_detach(&path);
		buf_clear(&path);
	}
	buf_adds(&path, BINDIR "/" PROGRAM);
	return buf_detach(&path);
}

/* --------------------------------------------------------- environment */

/* What a web server makes of a request (RFC 3875, and Apache's own). */
static const char *const request_variables[] = {
	"AUTH_TYPE=", "CONTENT_LENGTH=", "CONTENT_TYPE=", "CONTEXT_",
	"DOCUMENT_ROOT=", "GATEWAY_INTERFACE=", "HTTP_", "HTTPS=",
	"PATH_INFO=", "PATH_TRANSLATED=", "QUERY_STRING=", "REDIRECT_",
	"REMOTE_", "REQUEST_", "SCRIPT_", "SERVER_", "SSL_CLIENT_",
	"SSL_SERVER_", "UNIQUE_ID=",
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

static void
close_descriptors(void)
{
	int fd;

#ifdef HAVE_CLOSE_RANGE
	if (close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
		return;
#endif
	for (fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++)
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

/* In the new process: never returns. */
NORETURN static void
become_worker(const char *path, char *const *arguments, char *const *own)
{
	if (setsid() < 0 || !use_null_descriptors())
		_exit(FAILED);
	close_descriptors();
	reset_signals();
	umask(077);
	switch (fork()) { /* the parent leaves: init takes care of the child */
	case -1:
		_exit(FAILED);
	case 0:
		execve(path, arguments, own);
		_exit(FAILED);
	default:
		_exit(0);
	}
}

static bool
run_detached(const char *path, struct buf *why)
{
	char name[] = PROGRAM, verb[] = "work", option[] = "--until-idle";
	char *const arguments[] = { name, verb, option, NULL };
	char **own = own_environment();
	int status = -1;
	pid_t child;

	/* Ignored, as a web server may hand it down, it leaves no status. */
	signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (child == 0)
		become_worker(path, arguments, own);
	free(own);
	if (child > 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	if (status == 0)
		return true;
	buf_addf(why, "%s cannot be started: %s", path,
	    child < 0 ? strerror(errno) : "no process to be had");
	return false;
}

bool
launch_worker(struct buf *why)
{
	char *path = path_dup();
	bool good = is_program(path);

	if (good)
		good = run_detached(path, why);
	else
		buf_addf(why, "there is no worker to start: put " PROGRAM
		    " beside this program, or at %s", path);
	free(path);
	return good;
}
