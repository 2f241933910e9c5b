/* SPDX-License-Identifier: ISC */
/*
 * Why there is no answer to a post, in our words. libcurl's own are not
 * passed on: they differ from version to version, and some quote the
 * address of a proxy, its password included.
 */
#ifndef POST_FAILURE_H
#define POST_FAILURE_H

#include <stddef.h>

/* What libcurl knows of a transfer that failed. */
struct post_failure {
	int code;		/* a CURLcode */
	long error;		/* errno of the connection; 0: none */
	long proxy_status;	/* the proxy's answer to CONNECT; 0: none */
	long verified;		/* OpenSSL's X509_V_...; 0: nothing to say */
};

/*
 * Writes one line of plain text that says what failed and what to do about
 * it. Pure, but for the system's words for an error.
 */
void post_failure_explain(const struct post_failure *failure, char *text,
    size_t size);

#endif
