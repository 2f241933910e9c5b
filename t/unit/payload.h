/* SPDX-License-Identifier: ISC */
/*
 * The rules that hold for the payload of every message: of a form that
 * Slack takes, within the limits of slack.h, and nothing in it that an
 * attacker could bend.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "base/buf.h"

/* "" or what is wrong with a payload; valid until the next call. */
const char *payload_faults(const struct buf *payload);

/* The attachments of a payload, borrowed; NULL when it has none. */
struct json_object;
struct json_object *payload_attachments(struct json_object *message);

/* Characters of valid UTF-8; -1 for other bytes. */
long payload_characters(const char *text);

/* One of the signs that break such rules when they are not minded. */
const char *payload_random_sign(unsigned *seed);

#endif
