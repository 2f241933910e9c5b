/* SPDX-License-Identifier: ISC */
/* libcurl, loaded. It knows its functions' names, and calls none of them. */
#include "webhook/post_curl.h"

#include "base/library.h"

#define PLACE(name) { "curl_" #name, offsetof(struct libcurl, name) },

static const struct library_function functions[] = {
	LIBCURL_FUNCTIONS(PLACE)
};

static const struct library library = {
	.soname = LIBCURL_SONAME,
	.advice = "libcurl 7.66.0 or newer (Debian's libcurl4)",
	.functions = functions,
	.count = sizeof(functions) / sizeof(functions[0]),
};

const struct libcurl *
libcurl_load(struct buf *why)
{
	static struct libcurl libcurl;
	static bool loaded;

	if (!loaded)
		loaded = library_load(&library, &libcurl, why);
	return loaded ? &libcurl : NULL;
}
