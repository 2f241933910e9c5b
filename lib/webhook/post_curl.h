/* SPDX-License-Identifier: ISC */
/*
 * libcurl, loaded when the first message is posted: with the thirty
 * libraries that it brings it takes eight times as long to start as all
 * else, and most requests post nothing. For post*.c alone.
 */
#ifndef POST_CURL_H
#define POST_CURL_H

#include "base/buf.h"

#include <curl/curl.h>

/* The functions that are used, without their "curl_". */
#define LIBCURL_FUNCTIONS(function) \
	function(easy_cleanup) \
	function(easy_getinfo) \
	function(easy_init) \
	function(easy_setopt) \
	function(global_init) \
	function(multi_add_handle) \
	function(multi_cleanup) \
	function(multi_info_read) \
	function(multi_init) \
	function(multi_perform) \
	function(multi_poll) \
	function(multi_remove_handle) \
	function(slist_append) \
	function(slist_free_all)

#define LIBCURL_POINTER(name) __typeof__(curl_##name) *name;

struct libcurl {
	LIBCURL_FUNCTIONS(LIBCURL_POINTER)
};

/*
 * libcurl, which stays loaded until the process ends. Returns NULL and adds
 * to *why when it is not there or is too old; what is not there may be by
 * the next call.
 */
const struct libcurl *libcurl_load(struct buf *why);

#endif
