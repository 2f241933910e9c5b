/* SPDX-License-Identifier: ISC */
/*
 * Where a queue is: how an address is shown to people, and where a machine
 * keeps the worker's lock of a queue that is on another. Addresses are URIs
 * (RFC 3986; libpq, "Connection URIs").
 */
#ifndef QUEUE_PLACE_H
#define QUEUE_PLACE_H

#include "buf.h"

#include <stdbool.h>

/*
 * Whether it can be told where its user and password end: "@" stands only
 * behind them, and no "/" before that.
 */
bool queue_is_encoded(const char *address);

/* Whether a password is in it. */
bool queue_has_password(const char *address);

/* The address with ******** for each password; the caller frees it. */
char *queue_shown_dup(const char *address);

/* The same without what begins with "?". */
char *queue_place_dup(const char *address);

/*
 * The file that is locked by this machine's worker of a queue that is not
 * a file: in $STATE_DIRECTORY (systemd.exec(5)), or else the program's
 * directory below localstatedir, or else one of the user's in /tmp, which
 * is made. The caller frees it.
 */
char *queue_lock_path_dup(const char *address);

#endif
