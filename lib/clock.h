/* SPDX-License-Identifier: ISC */
/* Time that only goes forward, for waits and time-outs. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment; not changed when the date is set. */
int64_t clock_ms(void);

#endif
