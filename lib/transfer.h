/* SPDX-License-Identifier: ISC */
/*
 * A queue as lines of JSON, for another queue to take. First a line for
 * each destination, with its pace; then one for each row, in their order;
 * then how many rows there were. It reads and writes no file.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "buf.h"
#include "queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ------------------------------------------------------------ export */

/* What was exported so far. All zero: nothing. */
struct transfer_sums {
	unsigned long rows;
	unsigned long waiting;	/* of them */
};

/*
 * Adds the lines of the destinations. Unless QUEUE_OK comes back, *out is
 * not to be used; nor with the next one.
 */
enum queue_result transfer_destinations(struct queue *q, struct buf *out,
    struct buf *why);

/*
 * Adds a page of rows behind *after, which begins at 0; none: there are no
 * more. What waits is set aside in the queue: see queue_export(). While it
 * reads it has the turn of every destination; the caller is the worker.
 */
enum queue_result transfer_rows(struct queue *q, int64_t *after,
    int64_t now_ms, struct transfer_sums *sums, struct buf *out,
    struct buf *why);

/* Adds the last line. */
void transfer_finish(const struct transfer_sums *sums, struct buf *out);

/* ------------------------------------------------------------ import */

struct transfer;

struct transfer *transfer_new(struct queue *q);
void transfer_free(struct transfer *t);

/*
 * Takes the next line; they go to the queue in batches, of which all is
 * taken or nothing. The pace of a destination is taken where it makes wait
 * for longer than the queue's own. False, with "line 7: ..." in *why, when
 * the line is bad or the queue cannot take the batch: then no more lines
 * are to be given. What was taken is known when it comes again.
 */
bool transfer_take(struct transfer *t, const char *line, size_t len,
    struct buf *why);

/*
 * Puts in what is left. False when that cannot be, or when the last line
 * of an export is missing.
 */
bool transfer_end(struct transfer *t, struct buf *why);

/* Rows that are in the queue now, and those of them that were not before. */
void transfer_taken(const struct transfer *t, unsigned long *rows,
    unsigned long *added);

#endif
