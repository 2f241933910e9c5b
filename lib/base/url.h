/* SPDX-License-Identifier: ISC */
/*
 * What may be known of a URL without fetching it. Pure.
 *
 * Only plain forms are taken: no user names, backslashes or signs that
 * RFC 3986 does not have, so that no other reader of the same text can
 * see another host in it.
 */
#ifndef URL_H
#define URL_H

#include <stdbool.h>
#include <stddef.h>

#define URL_MAX 2000	/* bytes */

/*
 * The host of an http:// or https:// URL, its length in *len, borrowed
 * from url. NULL when it is not a URL of a form taken here.
 */
const char *url_host(const char *url, size_t *len);

/*
 * The same address in one form, for comparing: the host in small letters,
 * no port that is the scheme's own, no fragment, and / for no path. The
 * caller frees it. NULL when it is not a URL of a form taken here.
 */
char *url_normal_dup(const char *url);

/* Whether the host is this machine: localhost, 127.x.x.x or [::1]. */
bool url_is_loopback(const char *url);

/* Whether the host is one that Slack's incoming webhooks have. */
bool url_is_slack(const char *url);

#endif
