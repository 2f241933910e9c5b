/* SPDX-License-Identifier: ISC */
/*
 * Ends the process when a step that is begun does not come to its end:
 * where a library waits for ever, with its locks held, nothing less helps.
 * Its timer and signal are ITIMER_REAL and SIGALRM, which must have no other
 * use meanwhile.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

/*
 * From now on the process has so many seconds: then it logs the text, plain
 * and in one line, as an error, and ends with EX_OSERR. The text is
 * borrowed. A signal that the program handles takes effect in
 * watchdog_stop(); but when it comes the step has only 2 s left,
 * because a process that is told to stop must.
 */
void watchdog_start(unsigned seconds, const char *text);

/* The step came to its end. All is as it was before watchdog_start(). */
void watchdog_stop(void);

#endif
