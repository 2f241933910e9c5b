/* SPDX-License-Identifier: ISC */
/* Starts the worker as a process of its own. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "base/buf.h"
#include "config/config.h"

#include <stdbool.h>

/*
 * Starts "log-stream-ctl work --until-idle", found beside the running
 * program or else in $bindir: in a session of its own, without any of this
 * process's descriptors (the web server's socket above all), signals or
 * request variables, but in its working directory, so that it finds the
 * same files. It gets a copy of the configuration c (config_copy.h), where
 * the system has the memory for that, and so never refuses a file that the
 * caller has refused. The caller does not wait for it. Returns false and adds
 * the reason to *why when there is no such program or no process to be had.
 */
bool launch_worker(const struct config *c, struct buf *why);

#endif
