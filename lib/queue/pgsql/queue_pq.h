/* SPDX-License-Identifier: ISC */
/*
 * libpq, loaded when a queue on PostgreSQL is opened. For queue_pgsql*.c
 * alone, the only users of libpq-fe.h.
 */
#ifndef QUEUE_PQ_H
#define QUEUE_PQ_H

#include "base/buf.h"

#include <libpq-fe.h>

/* The functions that are used, without their "PQ". */
#define LIBPQ_FUNCTIONS(function) \
	function(clear) \
	function(cmdTuples) \
	function(connectPoll) \
	function(connectStartParams) \
	function(conninfo) \
	function(conninfoFree) \
	function(conninfoParse) \
	function(consumeInput) \
	function(errorMessage) \
	function(finish) \
	function(flush) \
	function(freemem) \
	function(getResult) \
	function(getisnull) \
	function(getlength) \
	function(getvalue) \
	function(isBusy) \
	function(ntuples) \
	function(parameterStatus) \
	function(resultErrorField) \
	function(resultErrorMessage) \
	function(resultStatus) \
	function(sendPrepare) \
	function(sendQuery) \
	function(sendQueryPrepared) \
	function(setNoticeReceiver) \
	function(setnonblocking) \
	function(socket) \
	function(status)

#define LIBPQ_POINTER(name) __typeof__(PQ##name) *name;

struct libpq {
	LIBPQ_FUNCTIONS(LIBPQ_POINTER)
};

/* As libcurl_load() in post_curl.h. */
const struct libpq *libpq_load(struct buf *why);

#endif
