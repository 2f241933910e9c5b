/* SPDX-License-Identifier: ISC */
/*
 * log-stream-to-slack, the door: what a web server runs for each request,
 * or keeps running, to take Auth0's log stream. It ignores its arguments:
 * a web server may make them out of the query (CVE-2012-1823).
 */
#include "gateway.h"

static void
handle(void *context, const struct request *request, struct answer *answer)
{
	relay_handle(context, request, answer);
}

int
main(void)
{
	struct relay *relay = relay_new();
	int status = gateway_serve(handle, relay);

	relay_free(relay);
	return status;
}
