/* SPDX-License-Identifier: ISC */
/*
 * Whether a request body is compressed. Nothing is unpacked here, or anywhere
 * in this project: this is for the answer that says so.
 */
#ifndef COMPRESSION_H
#define COMPRESSION_H

#include <stddef.h>

#define COMPRESSION_LEAST 4	/* bytes of a body that it takes to tell */
#define COMPRESSION_HEAD 64	/* more than these are of no use */

/*
 * The name of the compression of a body that could not be read as JSON: by
 * its first len bytes, or else by coding, the request's Content-Encoding
 * (NULL: none), if those bytes are no text. A server that unpacks a body may
 * leave the header, so that the header alone proves nothing. Returns NULL
 * when the body is not compressed; the name is borrowed, and when it is
 * coding, it is foreign text.
 */
const char *compression_name(const char *coding, const char *head,
    size_t len);

#endif
