/* SPDX-License-Identifier: ISC */
/* Core dumps hold the memory of a process, and here that is secrets. */
#ifndef CORE_DUMP_H
#define CORE_DUMP_H

/*
 * This process, and what it starts, leaves none, however it dies: no file,
 * and with Linux nothing for systemd-coredump(8) or apport either, which
 * would keep the environment, too.
 */
void core_dump_forbid(void);

#endif
