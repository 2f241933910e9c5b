/* SPDX-License-Identifier: ISC */
/*
 * The durable queue. What was put here is on disk, and waits for each of
 * its destinations until Slack has taken it, a person has removed it, or
 * Slack will never take it; then it is set aside, to be looked at, until
 * RETENTION is over.
 *
 * This is the policy; where rows are kept is an engine's business
 * (queue_engine.h). Rows hold the event, the name of its destination and
 * its history, and no secret.
 *
 * Several processes may have the same queue open. A queue belongs to the
 * process that opened it: it must not be used after fork().
 *
 * After anything but QUEUE_OK close the queue and open it again later.
 * Each function adds the reason, which names the queue's place, to *why.
 * Times are milliseconds since 1970, UTC.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "base/buf.h"
#include "event/event.h"
#include "queue/queue_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum queue_result {
	QUEUE_FAILED,	/* damaged, unreadable, in the wrong place */
	QUEUE_BUSY,	/* another process had it locked for too long */
	QUEUE_FULL,	/* the disk, or the file's limit */
	QUEUE_REPLACED,	/* it is not what was opened: open it anew */
	QUEUE_OK
};

struct queue_options {
	const char *address;	/* "sqlite:/path" */
	int64_t max_waiting;	/* QUEUE_MAX: of one destination */
	size_t destinations;	/* that may have so many */
	bool on_network;	/* a network file system is allowed */
	bool settles;		/* may use the room that is kept for settling */
};

struct queue;

/*
 * For programs that a person starts: root becomes the owner of the
 * directory that the queue is in, so that what is made there belongs to
 * whom it has to, and nothing of that user's is done as root. True for
 * everybody else.
 */
bool queue_become_owner(const char *address, struct buf *why);

/* Whether there is one to be opened, as far as can be seen without it. */
bool queue_is_there(const char *address);

/* NULL, with *result and *why, when it cannot be opened or made. */
struct queue *queue_open(const struct queue_options *options,
    enum queue_result *result, struct buf *why);
/* Takes NULL too. */
void queue_close(struct queue *q);

/* ---------------------------------------------------------- the door */

/* An event for one destination; both borrowed. */
struct queue_item {
	const char *destination;
	const struct event *event;
	bool duplicate;		/* out: known already, not queued again */
};

/*
 * Puts all of them in, or none. An event with a log_id that the
 * destination has had within RETENTION, delivered or not, is a duplicate.
 * Above QUEUE_MAX waiting events of its destination, or up to a hundredth
 * more, an event is put without its record: what is left of it is log_id,
 * type, and when it was queued.
 */
enum queue_result queue_put(struct queue *q, struct queue_item *items,
    size_t count, int64_t now_ms, struct buf *why);

/* -------------------------------------------------------- the worker */

/*
 * Gives the first of a destination's waiting events to take, in the order
 * they were put, as long as it returns true and up to max. Those that are
 * postponed come last, and not before their time. The event is take's to
 * free; bytes is what it takes up in the queue. A row that cannot be read is
 * set aside and passed over.
 */
typedef bool queue_take(void *context, struct event *e, size_t bytes);
enum queue_result queue_read(struct queue *q, const char *destination,
    size_t max, queue_take *take, void *context, int64_t now_ms,
    struct buf *why);

enum queue_change {
	QUEUE_CLAIM,		/* one more try */
	QUEUE_SETTLE,		/* Slack has it */
	QUEUE_SET_ASIDE,	/* Slack will never take it: see reason */
	QUEUE_POSTPONE,		/* it goes behind the others, until later_ms;
				 * queued before expired_ms, it is set aside */
	QUEUE_RECALL,		/* nothing to these; but all that were set
				 * aside for the same reason since since_ms
				 * wait again */
	QUEUE_PUT_BACK		/* nothing: they wait on */
};

/*
 * What names a row. The number is the database's, and one that is restored
 * from a backup, or a standby that was promoted before it had everything,
 * gives the same number again to another event. The nonce is a random value
 * that the program chose when it put the row in. Only both together name it.
 */
struct queue_key {
	int64_t number;
	int64_t nonce;
	bool missed;		/* out: no such row, it was left alone */
};

/* Events of one destination, and what is to be kept. */
struct queue_batch {
	const char *destination;
	struct queue_key *keys;
	size_t count;
	const char *reason;	/* with QUEUE_SET_ASIDE, POSTPONE, RECALL */
	int64_t later_ms;	/* with QUEUE_POSTPONE */
	int64_t expired_ms;
	int64_t since_ms;	/* with QUEUE_RECALL */
	bool told;		/* its owner was told of all that is aside */
	const char *pace_of;	/* whose pace it is: destinations with one
				 * webhook share it */
	const struct pace *pace; /* NULL: is left as it is */
};

/*
 * Changes all of them and keeps the pace with them, or nothing. A row that
 * is not the one its key names is left alone, and its key is marked; with
 * QUEUE_CLAIM, where the row must also wait, nothing is then changed at all,
 * and the pace is not kept. Returns QUEUE_OK in both cases.
 */
enum queue_result queue_change(struct queue *q, enum queue_change change,
    const struct queue_batch *batch, int64_t now_ms, struct buf *why);

/* Whether a key of the batch was marked by queue_change(). */
bool queue_missed(const struct queue_batch *batch);

/*
 * Deletes the rows that are older than RETENTION and were delivered, or set
 * aside and told of, and gives their room back to the disk. A queue that has
 * a clock of its own goes by that.
 */
enum queue_result queue_purge(struct queue *q, int64_t retention_ms,
    int64_t now_ms, struct buf *why);

/*
 * To read a destination's events and post them is one worker's turn, of all
 * machines' that share the queue: *mine says whether it is ours, until
 * queue_end_turn(), or until this process or its session ends. Between two
 * turns others may have changed everything. QUEUE_CLAIM and what follows it
 * changes nothing unless the turn is ours in the same transaction.
 */
enum queue_result queue_begin_turn(struct queue *q, const char *destination,
    bool *mine, struct buf *why);
void queue_end_turn(struct queue *q, const char *destination);
/* Whether it has not been lost meanwhile. Needs no time. */
bool queue_has_turn(struct queue *q, const char *destination);

/*
 * The last time, until_ms or before, that an event was delivered, removed
 * or set aside; 0: there is none.
 */
enum queue_result queue_last_done(struct queue *q, int64_t until_ms,
    int64_t *done_ms, struct buf *why);

/* How a destination stands. */
struct queue_tally {
	int64_t waiting;
	int64_t postponed;	/* of the waiting */
	int64_t later_ms;	/* when the first of those may be tried */
	int64_t aside;
	int64_t untold;		/* of those: no message has told of them */
	int64_t untold_ms;	/* since when */
	int64_t oldest_ms;	/* when the first of the waiting was queued */
	int64_t clock_ms;	/* what time it is for all who share the queue;
				 * 0: the queue has no clock of its own */
	struct pace pace;	/* by that clock */
};

/* pace_of: see struct queue_batch. */
enum queue_result queue_count(struct queue *q, const char *destination,
    const char *pace_of, struct queue_tally *tally, struct buf *why);

/*
 * Whether an event waits for any of these destinations. It asks the rows,
 * and writes nothing.
 */
enum queue_result queue_waits(struct queue *q, const char *const *destinations,
    size_t count, bool *waits, struct buf *why);

/* ------------------------------------------------- the worker's lock */

/*
 * The lock that makes a process the worker of a queue, the only one on this
 * machine. The system, or the database's server, lets go of it when the
 * process ends, however it ends.
 *
 * A queue that is a file has a file beside it that is locked, whether the
 * queue is open or not: q may be NULL in all of these functions. One that
 * machines share is locked by the session of the open queue: q must be
 * open, and closing it lets go.
 */
struct queue_lock;

struct queue_lock *queue_lock_new(const char *address);
/* Lets go of the lock. q as above. Takes NULL for the lock. */
void queue_lock_free(struct queue_lock *lock, struct queue *q);

/* Whether q must be open. */
bool queue_lock_needs_queue(const struct queue_lock *lock);

/* Takes the lock unless another process of this machine has it. */
enum queue_result queue_lock_take(struct queue_lock *lock, struct queue *q,
    bool *mine, struct buf *why);

/*
 * Whether it is still ours. Not when the queue's files were moved away, or
 * the session ended; a closed queue has no session, which is no.
 */
bool queue_lock_is_mine(const struct queue_lock *lock, struct queue *q);

void queue_lock_release(struct queue_lock *lock, struct queue *q);

/*
 * A sign of life of the process that has the lock: every few seconds. note
 * says why it cannot deliver; "": it can.
 */
enum queue_result queue_lock_sign(struct queue_lock *lock, struct queue *q,
    const char *note, struct buf *why);

/* From this time on, a worker that gives no sign of life is taken to hang. */
#define QUEUE_SILENT_MS 60000

/* Who has the lock, as others see it. */
struct queue_holder {
	bool held;
	pid_t pid;		/* of the process; 0: it cannot be known */
	int64_t silent_ms;	/* since its last sign of life */
	int64_t looked_ms;	/* since queue_lock_stamp(), or longer */
};

/* Not for the process that has the lock, which would lose it. */
enum queue_result queue_lock_look(struct queue_lock *lock, struct queue *q,
    struct queue_holder *holder, struct buf *why);

/* Whether somebody has it who gives no sign of life. */
bool queue_holder_hangs(const struct queue_holder *holder);

/*
 * Makes looked_ms count from now, so that of many processes one looks. Only
 * a file keeps it.
 */
void queue_lock_stamp(struct queue_lock *lock);

/*
 * Why no worker could be started, for people to see; the next worker has its
 * own note. Where it cannot be kept, it is not. The note that is there is
 * added to *note.
 */
void queue_lock_note(struct queue_lock *lock, struct queue *q,
    const char *note);
void queue_lock_read_note(struct queue_lock *lock, struct queue *q,
    struct buf *note);

/* -------------------------------------------------------- for people */

/* Borrowed, valid during the call. Times are the queue's own. */
struct queue_machine {
	const char *name;
	int64_t pid;
	int64_t since_ms;
	int64_t silent_ms;	/* since it last signed in */
};

/* Gives the machines that have a worker, or had and did not sign out. */
typedef void queue_show_machine(void *context,
    const struct queue_machine *machine);
enum queue_result queue_machines(struct queue *q, queue_show_machine *show,
    void *context, struct buf *why);

enum queue_state { QUEUE_WAITING, QUEUE_ASIDE, QUEUE_GONE };

/* Borrowed, valid during the call. */
struct queue_row {
	int64_t number;
	int64_t nonce;
	int64_t later_ms;	/* it is postponed till then; 0: it is not */
	const char *destination;
	const char *log_id;	/* NULL: none */
	const char *type;
	enum queue_state state;
	int64_t queued_ms;
	int64_t changed_ms;	/* when it came into this state */
	int64_t tries;
	/* Why it is set aside, or what its destination last said when that
	 * is failing; NULL: nothing is wrong. */
	const char *reason;
};

/*
 * Gives some of the rows that wait or are set aside, in the order of
 * number: those after *after, which begins at 0 and is moved to the last
 * one given. Where it was not moved there are no more. In pages, because
 * reading keeps others from writing.
 */
typedef void queue_show(void *context, const struct queue_row *row);
enum queue_result queue_list(struct queue *q, int64_t *after,
    queue_show *show, void *context, struct buf *why);

/* Gives the name of every destination that ever had an event, sorted. */
enum queue_result queue_names(struct queue *q,
    void (*take)(void *context, const char *name), void *context,
    struct buf *why);

enum queue_edit {
	QUEUE_RETRY,	/* set aside: waits again */
	QUEUE_REMOVE	/* waits or set aside: as if it had been delivered */
};

/*
 * Edits the rows that id names: a log_id, or #n for the one of number n.
 * NULL: all that are set aside. *count gets how many they were.
 */
enum queue_result queue_edit(struct queue *q, enum queue_edit edit,
    const char *id, int64_t now_ms, int64_t *count, struct buf *why);

/*
 * Ends the back-off of a destination (NULL: of all), but for what Slack
 * itself asked to wait.
 */
enum queue_result queue_hurry(struct queue *q, const char *destination,
    struct buf *why);

/*
 * Versions before this one could set an event aside with this reason when
 * they gave it to another queue. Slack is not told of these.
 */
#define QUEUE_EXPORTED "exported, for another queue to send"

/* -------------------------------------------------------- for a DBA */

/*
 * The SQL that makes the tables of a queue on PostgreSQL, for who may;
 * NULL: this program was built without.
 */
const char *queue_schema(void);

/* Looks over a queue that is not large; QUEUE_FAILED: it is damaged. */
enum queue_result queue_verify(struct queue *q, struct buf *why);

#endif
