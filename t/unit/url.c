/* SPDX-License-Identifier: ISC */
/* URLs, read strictly. */
#include "base/url.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define LOOPBACK 1
#define SLACK 2

static const struct {
	const char *url;
	const char *host;	/* NULL: not taken */
	unsigned is;		/* LOOPBACK, SLACK */
} urls[] = {
	{ "https://hooks.slack.com/services/T0/B0/x", "hooks.slack.com",
	    SLACK },
	{ "https://hooks.slack-gov.com/services/T0/B0/x",
	    "hooks.slack-gov.com", SLACK },
	{ "https://HOOKS.Slack.com/x", "HOOKS.Slack.com", SLACK },
	{ "https://hooks.slack.com", "hooks.slack.com", SLACK },
	{ "https://hooks.slack.com:443/x", "hooks.slack.com", SLACK },
	{ "https://hooks.slack.com.evil.example/x",
	    "hooks.slack.com.evil.example", 0 },
	{ "https://evil.example/hooks.slack.com", "evil.example", 0 },
	{ "https://evilhooks.slack.com/x", "evilhooks.slack.com", 0 },
	{ "https://slack.com/x", "slack.com", 0 },
	{ "https://mattermost.example:8065/hooks/a?b=c&d=%20#e",
	    "mattermost.example", 0 },
	{ "https://192.0.2.1/x", "192.0.2.1", 0 },
	{ "https://[2001:db8::1]:8443/x", "[2001:db8::1]", 0 },

	{ "http://localhost/x", "localhost", LOOPBACK },
	{ "http://LocalHost:3000/x", "LocalHost", LOOPBACK },
	{ "http://127.0.0.1/x", "127.0.0.1", LOOPBACK },
	{ "http://127.0.0.1:8080", "127.0.0.1", LOOPBACK },
	{ "http://127.255.255.254/", "127.255.255.254", LOOPBACK },
	{ "http://[::1]/x", "[::1]", LOOPBACK },
	{ "http://[::1]:8080/x", "[::1]", LOOPBACK },
	{ "https://127.0.0.1/x", "127.0.0.1", LOOPBACK },
	{ "http://localhost.evil.example/", "localhost.evil.example", 0 },
	{ "http://localhost.evil/", "localhost.evil", 0 },
	{ "http://notlocalhost/", "notlocalhost", 0 },
	{ "http://localhost./", "localhost.", 0 },
	{ "http://127.0.0.1.evil.example/", "127.0.0.1.evil.example", 0 },
	{ "http://127.0.0.1.evil/", "127.0.0.1.evil", 0 },
	{ "http://127.1/", "127.1", 0 },
	{ "http://127.0.0.256/", "127.0.0.256", 0 },
	{ "http://127.0.0.1./", "127.0.0.1.", 0 },
	{ "http://0127.0.0.1/", "0127.0.0.1", 0 },
	{ "http://2130706433/", "2130706433", 0 },
	{ "http://0x7f000001/", "0x7f000001", 0 },
	{ "http://128.0.0.1/", "128.0.0.1", 0 },
	{ "http://126.255.255.255/", "126.255.255.255", 0 },
	{ "http://0.0.0.0/", "0.0.0.0", 0 },
	{ "http://[::]/", "[::]", 0 },
	{ "http://[::2]/", "[::2]", 0 },
	{ "http://[::ffff:127.0.0.1]/", "[::ffff:127.0.0.1]", 0 },
	{ "http://evil.example/127.0.0.1", "evil.example", 0 },
	{ "http://evil.example:80/@localhost/", "evil.example", 0 },

	/* Forms that another reader may understand otherwise. */
	{ "http://127.0.0.1@evil.example/", NULL, 0 },
	{ "http://127.0.0.1:80@evil.example/", NULL, 0 },
	{ "http://localhost@evil.example", NULL, 0 },
	{ "https://user:word@hooks.slack.com/x", NULL, 0 },
	{ "https://hooks.slack.com@evil.example/x", NULL, 0 },
	{ "https://a\\b", NULL, 0 },
	{ "https://hooks.slack.com\\@evil.example/", NULL, 0 },
	{ "http://localhost\\evil.example/", NULL, 0 },
	{ "http://localhost#@evil.example/", NULL, 0 },
	{ "http://localhost?@evil.example/", NULL, 0 },
	{ "https://hooks.slack.com?x", NULL, 0 },
	{ "https://hooks.slack.com#x", NULL, 0 },
	{ "https://hooks.slack.com%2F@evil/", NULL, 0 },
	{ "https://%6cocalhost/", NULL, 0 },
	{ "https://hooks.slack.com:x/", NULL, 0 },
	{ "https://hooks.slack.com:80:80/", NULL, 0 },
	{ "https://hooks.slack.com/ x", NULL, 0 },
	{ " https://hooks.slack.com/x", NULL, 0 },
	{ "https://hooks.slack.com/x\n", NULL, 0 },
	{ "https://hooks.slack.com/\tx", NULL, 0 },
	{ "https://hooks.slack.com/<x>", NULL, 0 },
	{ "https://hooks.slack.com/\"x\"", NULL, 0 },
	{ "https://hooks.slack.com/`x`", NULL, 0 },
	{ "https://hooks.slack.com/{x}", NULL, 0 },
	{ "https://hooks.slack.com/a|b", NULL, 0 },
	{ "https://hooks.slack.com/a^b", NULL, 0 },
	{ "https://hooks.slack.com/\xC3\xBC", NULL, 0 },
	{ "https://\xC3\xBC.example/", NULL, 0 },
	{ "https://hooks_slack.com/", NULL, 0 },
	{ "https://[::1/", NULL, 0 },
	{ "https://[::1]x/", NULL, 0 },
	{ "https://[::g]/", NULL, 0 },
	{ "https://[fe80::1%25eth0]/", NULL, 0 },
	{ "https://", NULL, 0 },
	{ "https:///x", NULL, 0 },
	{ "https://:443/x", NULL, 0 },
	{ "https:/hooks.slack.com/x", NULL, 0 },
	{ "https:hooks.slack.com/x", NULL, 0 },
	{ "//hooks.slack.com/x", NULL, 0 },
	{ "hooks.slack.com/x", NULL, 0 },
	{ "HTTPS://hooks.slack.com/x", NULL, 0 },
	{ "ftp://localhost/x", NULL, 0 },
	{ "file:///etc/passwd", NULL, 0 },
	{ "gopher://127.0.0.1/", NULL, 0 },
	{ "xhttps://hooks.slack.com/", NULL, 0 },
	{ "", NULL, 0 },
};

static void
test_urls(void)
{
	struct buf got = BUF_INIT;
	const char *host;
	size_t i, len;

	for (i = 0; i < ROWS(urls); i++) {
		buf_clear(&got);
		host = url_host(urls[i].url, &len);
		if (host)
			buf_add(&got, host, len);
		is_str(host ? buf_text(&got) : NULL, urls[i].host,
		    "<%s> %s", urls[i].url, urls[i].host ? "has a host" :
		    "is not taken");
		ok(url_is_loopback(urls[i].url) == !!(urls[i].is & LOOPBACK) &&
		    url_is_slack(urls[i].url) == !!(urls[i].is & SLACK),
		    "and is %s", urls[i].is & LOOPBACK ? "this machine" :
		    urls[i].is & SLACK ? "Slack" : "neither here nor Slack");
	}
	buf_release(&got);
}

static const struct {
	const char *url;
	const char *normal;
	const char *title;
} normals[] = {
	{ "https://h/services/A", "https://h/services/A", "stays" },
	{ "https://Hooks.SLACK.com/services/A",
	    "https://hooks.slack.com/services/A", "the host in small letters" },
	{ "https://h:443/a", "https://h/a", "without the scheme's port" },
	{ "http://h:80/a", "http://h/a", "whichever scheme" },
	{ "https://h:80/a", "https://h:80/a", "but with that of another" },
	{ "https://h:4430/a", "https://h:4430/a", "and with a longer one" },
	{ "https://h:/a", "https://h/a", "without an empty port" },
	{ "https://h", "https://h/", "with a path" },
	{ "https://h/a/", "https://h/a/", "a slash at the end counts" },
	{ "https://h/a?B=c#d", "https://h/a?B=c", "without the fragment" },
	{ "http://[::1]:80/a", "http://[::1]/a", "IPv6" },
	{ "https://user@h/", NULL, "not taken" },
	{ "h/a", NULL, "no URL" },
};

static void
test_normal(void)
{
	size_t i;
	char *normal;

	for (i = 0; i < ROWS(normals); i++) {
		normal = url_normal_dup(normals[i].url);
		is_str(normal, normals[i].normal, "<%s>: %s", normals[i].url,
		    normals[i].title);
		free(normal);
	}
}

static void
test_length(void)
{
	char url[URL_MAX + 2];
	size_t len;

	memset(url, 'x', sizeof(url));
	memcpy(url, "https://localhost/", 18);
	url[URL_MAX] = '\0';
	ok(url_host(url, &len) != NULL, "a URL of 2000 bytes is taken");
	url[URL_MAX] = 'x';
	url[URL_MAX + 1] = '\0';
	ok(!url_host(url, &len), "one of 2001 bytes is not");
	ok(!url_is_loopback(url), "and is nobody's address");
}

/* A host is borrowed from the text, and no sign but its own is in it. */
static void
test_every_byte(void)
{
	char url[] = "http://localhost?/";
	unsigned byte, bad = 0;

	for (byte = 1; byte < 256; byte++) {
		url[16] = (char)byte;
		bad += url_is_loopback(url) != (byte == '/' || byte == ':');
	}
	is_num(bad, 0, "of all bytes behind localhost only / and : leave it "
	    "localhost");
}

int
main(void)
{
	test_urls();
	test_normal();
	test_length();
	test_every_byte();
	return done_testing();
}
