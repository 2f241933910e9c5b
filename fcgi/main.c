/* SPDX-License-Identifier: ISC */
/*
 * log-stream-to-slack, the door: what a web server runs for each request,
 * or keeps running, to take Auth0's log stream. It ignores its arguments:
 * a web server may make them out of the query (CVE-2012-1823).
 */
#include "gateway.h"

#include "base/core_dump.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* A closed descriptor 2 would soon be a connection, and get our log. */
static void
open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void
handle(void *context, const struct request *request, struct answer *answer)
{
	relay_handle(context, request, answer);
}

static int64_t
look(void *context, bool once)
{
	return relay_look(context, once);
}

int
main(void)
{
	struct relay *relay;
	int status;

	core_dump_forbid();
	signal(SIGXFSZ, SIG_IGN); /* a full file is an error, and not death */
	open_standard_descriptors();
	relay = relay_new();
	status = gateway_serve(handle, look, relay);
	relay_free(relay);
	return status;
}
