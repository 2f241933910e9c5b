/* SPDX-License-Identifier: ISC */
/* Reading URLs, strictly. It knows nothing of who connects to them. */
#include "url.h"

#include "utf8.h"

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
