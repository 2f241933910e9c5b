/* SPDX-License-Identifier: ISC */
/* Other processes of this machine. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* The worker's program, as ps(1) shows it. */
#define WORKER_PROGRAM "log-stream-ctl"

/*
 * Whether this process is there, has not ended, and runs the worker's
 * program; where there is no /proc, whether it is there.
 */
bool process_is_worker(pid_t pid);

#endif
