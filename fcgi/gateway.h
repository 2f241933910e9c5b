/* SPDX-License-Identifier: ISC */
/*
 * Between the web server and struct request: CGI (RFC 3875) when the
 * server runs the program once a request, FastCGI when descriptor 0 is a
 * listening socket.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "receive/relay.h"

typedef void gateway_handler(void *context, const struct request *request,
    struct answer *answer);

/*
 * Called when no request is in hand: before FastCGI's first connection is
 * waited for, after each answer, and in between when the time that it
 * returned, in milliseconds, is over. once: the process ends after this call,
 * as a CGI program does.
 */
typedef int64_t gateway_look(void *context, bool once);

/*
 * Serves what the web server has for this process, and returns its exit
 * status: 0 after a CGI request, or when SIGTERM, SIGINT, SIGHUP or
 * SIGUSR1 asked it to stop (a request in hand is answered first); 1 when
 * the listening socket is gone; 2 when no web server started it.
 *
 * From the first call on these signals are blocked but while it waits for
 * a connection, SIGPIPE is ignored, and log lines go to the web server's
 * error log while a request is in hand.
 */
int gateway_serve(gateway_handler *handler, gateway_look *look,
    void *context);

#endif
