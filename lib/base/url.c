/* SPDX-License-Identifier: ISC */
/* Reading URLs, strictly. It knows nothing of who connects to them. */
#include "base/url.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool
is_clean(const char *url)
{
	static const char signs[] = ASCII_ALNUM "-._~:/?#[]@!$&'()*+,;=%";

	return strlen(url) <= URL_MAX && url[strspn(url, signs)] == '\0';
}

static const char *
after_scheme(const char *url)
{
	if (strncmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

/* Where a host ends: a name, an IPv4 address, or IPv6 in brackets. */
static const char *
end_of_host(const char *host)
{
	if (*host != '[')
		return host + strspn(host, ASCII_ALNUM ".-");
	host++;
	host += strspn(host, ASCII_DIGITS "abcdefABCDEF:.");
	return *host == ']' ? host + 1 : NULL;
}

const char *
url_host(const char *url, size_t *len)
{
	const char *host = is_clean(url) ? after_scheme(url) : NULL;
	const char *end = host ? end_of_host(host) : NULL;

	if (!end || end == host)
		return NULL;
	*len = (size_t)(end - host);
	if (*end == ':')
		end += 1 + strspn(end + 1, ASCII_DIGITS);
	return *end == '\0' || *end == '/' ? host : NULL;
}

/* The port behind a host, with its colon; nothing for the scheme's own. */
static void
add_port(struct buf *out, const char *url, const char *port, size_t len)
{
	const char *own = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";

	if (len > 1 && !(len == strlen(own) && memcmp(port, own, len) == 0))
		buf_add(out, port, len);
}

char *
url_normal_dup(const char *url)
{
	struct buf normal = BUF_INIT;
	size_t i, len, port_len;
	const char *host = url_host(url, &len), *path;

	if (!host)
		return NULL;
	buf_add(&normal, url, (size_t)(host - url));
	for (i = 0; i < len; i++)
		buf_addc(&normal, host[i] >= 'A' && host[i] <= 'Z' ?
		    (char)(host[i] - 'A' + 'a') : host[i]);
	path = host + len;
	port_len = *path == ':' ? 1 + strspn(path + 1, ASCII_DIGITS) : 0;
	add_port(&normal, url, path, port_len);
	path += port_len;
	buf_add(&normal, *path ? path : "/", strcspn(*path ? path : "/", "#"));
	return buf_detach(&normal);
}

static bool
host_is(const char *url, const char *name)
{
	size_t len;
	const char *host = url_host(url, &len);

	return host && len == strlen(name) &&
	    strncasecmp(host, name, len) == 0;
}

bool
url_is_loopback(const char *url)
{
	char name[INET_ADDRSTRLEN];
	unsigned char address[4];
	size_t len;
	const char *host = url_host(url, &len);

	if (host_is(url, "localhost") || host_is(url, "[::1]"))
		return true;
	if (!host || len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return inet_pton(AF_INET, name, address) == 1 && address[0] == 127;
}

bool
url_is_slack(const char *url)
{
	return host_is(url, "hooks.slack.com") ||
	    host_is(url, "hooks.slack-gov.com");
}
