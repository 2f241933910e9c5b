/* SPDX-License-Identifier: ISC */
/*
 * Where a queue is, and how its address is shown to people. Addresses are
 * URIs (RFC 3986; libpq, "Connection URIs").
 */
#ifndef QUEUE_PLACE_H
#define QUEUE_PLACE_H

#include "base/buf.h"

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
 * The directory whose owner is the user of the programs, for a queue that
 * is not a file: $STATE_DIRECTORY (systemd.exec(5)), or else the program's
 * below localstatedir; with a "/" behind it. Nothing is made. The caller
 * frees it.
 */
char *queue_state_path_dup(const char *address);

#endif
