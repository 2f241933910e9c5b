/* SPDX-License-Identifier: ISC */
/* libcurl's codes in our words. It calls nothing of libcurl. */
#include "webhook/post_failure.h"

#include "webhook/post_curl.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Codes that the oldest header we build with does not have. */
enum { TOO_LARGE = 100, PROXY_HANDSHAKE = 97 };

static const struct {
	int code;
	bool has_error;		/* the system's word says more */
	const char *text;
} failures[] = {
	{ CURLE_URL_MALFORMAT, false,
	    "the webhook's address, or the proxy's, is bad: correct it" },
	{ CURLE_COULDNT_RESOLVE_PROXY, false,
	    "the proxy's address is bad or its name cannot be resolved: "
	    "correct https_proxy or all_proxy" },
	{ CURLE_COULDNT_RESOLVE_HOST, false,
	    "Slack's name cannot be resolved: see the webhook's address, and "
	    "this machine's name servers" },
	{ CURLE_COULDNT_CONNECT, true,
	    "no connection" },
	{ CURLE_OPERATION_TIMEDOUT, true,
	    "timed out: no connection" },
	{ CURLE_SSL_CONNECT_ERROR, true,
	    "TLS: the other side breaks it off, or speaks none that this "
	    "machine does" },
	{ CURLE_PEER_FAILED_VERIFICATION, false,
	    "TLS: the certificate is not trusted" },
	{ CURLE_SSL_CACERT_BADFILE, false,
	    "TLS: the certificate authorities cannot be read: correct "
	    "CURL_CA_BUNDLE, SSL_CERT_FILE or SSL_CERT_DIR" },
	{ CURLE_GOT_NOTHING, false,
	    "the connection was closed without an answer" },
	/* A kept connection was closed: libcurl would post again. */
	{ CURLE_SEND_FAIL_REWIND, false,
	    "the connection was closed without an answer" },
	{ CURLE_ABORTED_BY_CALLBACK, false,
	    "the connection was closed without an answer" },
	{ CURLE_SEND_ERROR, true,
	    "the connection broke off" },
	{ CURLE_RECV_ERROR, true,
	    "the connection broke off, or the answer is not HTTP" },
	{ CURLE_HTTP2, false,
	    "the connection broke off, or the answer is not HTTP/2" },
	{ CURLE_HTTP2_STREAM, false,
	    "the connection broke off, or the answer is not HTTP/2" },
	{ CURLE_PARTIAL_FILE, false,
	    "the connection was closed before the end of the answer" },
	{ CURLE_WEIRD_SERVER_REPLY, false,
	    "the answer is not HTTP" },
	{ CURLE_BAD_CONTENT_ENCODING, false,
	    "the answer is not HTTP" },
	{ CURLE_WRITE_ERROR, false,
	    "the answer is not HTTP" },
	{ CURLE_UNSUPPORTED_PROTOCOL, false,
	    "the answer is not HTTP, or this libcurl has no TLS" },
	{ TOO_LARGE, false,
	    "too long a header in the answer" },
	/* Which is what older ones call a line of 100 kB. */
	{ CURLE_OUT_OF_MEMORY, false,
	    "out of memory, or too long a header in the answer" },
	{ PROXY_HANDSHAKE, false,
	    "the proxy does not connect" },
};

/* What X509_verify_cert says; the numbers are OpenSSL's for good. */
static const struct {
	long verified;
	const char *text;
} verdicts[] = {
	{ 9, "it is not valid yet: see this machine's clock" },
	{ 10, "it has expired: see this machine's clock, too" },
	{ 18, "nobody but its owner has signed it: name it by SSL_CERT_FILE "
	    "if it is to be trusted" },
	{ 19, "its authority is unknown: name that by SSL_CERT_FILE" },
	{ 20, "its authority is unknown: install ca-certificates, or name "
	    "the authority by SSL_CERT_FILE" },
};

static const char *
verdict_text(long verified)
{
	size_t i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (verdicts[i].verified == verified)
			return verdicts[i].text;
	return "it is another host's, or its chain is broken";
}

static void
explain_code(const struct post_failure *f, char *text, size_t size)
{
	size_t i, count = sizeof(failures) / sizeof(failures[0]);
	const char *more = NULL;

	for (i = 0; i < count && failures[i].code != f->code; i++)
		;
	if (i == count) {
		snprintf(text, size, "libcurl failed with its error %d",
		    f->code);
		return;
	}
	if (failures[i].has_error && f->error > 0)
		more = strerror((int)f->error);
	else if (f->code == CURLE_PEER_FAILED_VERIFICATION)
		more = verdict_text(f->verified);
	snprintf(text, size, "%s%s%s", failures[i].text, more ? ": " : "",
	    more ? more : "");
}

void
post_failure_explain(const struct post_failure *failure, char *text,
    size_t size)
{
	const char *remedy = failure->proxy_status == 407 ?
	    ": it wants another user name or password" : "";

	if (failure->proxy_status >= 300)
		snprintf(text, size, "the proxy does not connect: status "
		    "%ld%s", failure->proxy_status, remedy);
	else
		explain_code(failure, text, size);
}
