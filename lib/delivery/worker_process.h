/* SPDX-License-Identifier: ISC */
/*
 * The worker as a process: real clocks, real posts, and signals that ask
 * it to stop (SIGTERM, SIGINT, SIGHUP, SIGUSR1).
 */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include "delivery/worker.h"

/*
 * As worker_run(). Where descriptor 2 is /dev/null, its log lines go to
 * syslog. The configuration is a copy (config_copy.h), or NULL: the files
 * are read.
 */
enum worker_end worker_process(enum worker_mode mode,
    const struct buf *configuration, struct worker_report *report);

#endif
