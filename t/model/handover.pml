/* SPDX-License-Identifier: ISC */
/*
 * The hand-over of a committed row from a receiver to the worker, on one
 * machine: who starts the worker, and who sees a row that was committed
 * while the worker was leaving. What becomes of a message is in lease.pml.
 *
 * A comment at a step names the function that the step stands for. Names in
 * capitals that are not defined here are switches, which t/model.t sets:
 *
 * SESSION	the lock belongs to a session of PostgreSQL, which the server
 *		may end while the process lives; else it is a lock on a file
 * CALM		nothing fails, and no request follows the last commit
 * LAUNCHES	a worker can be started whenever there is to be one
 * BEFORE	the code as it was: a mark in the lock file said whether
 *		there was something to do
 *
 * NO_LOOK, LOOK_AT_START_ONLY and LOOK_BEFORE_RELEASE leave out one
 * precaution each. They show that the properties depend on it.
 */

#define WORKERS		2	/* processes at a time */
#define ROWS		2
#ifdef CALM
#define RECEIVERS	2
#define FAULTS		0
#else
#define RECEIVERS	1	/* that is started again when it has died */
#ifndef FAULTS
#define FAULTS		2
#endif
#endif

/* Of a row. */
#define ABSENT		0
#define WAITS		1
#define SENT		2

/* Holders of the lock, besides the numbers of workers. */
#define NOBODY		10
#define DEAD		11	/* its session still seems to live */

byte row[ROWS];			/* they survive everything */
byte rows;			/* committed so far */
byte lock = NOBODY;
bool started[WORKERS];		/* the process exists */
bool posting[WORKERS];		/* and the server has not ended its session */
bool worker_dies[WORKERS];
bool receiver_dies[RECEIVERS];
byte faults = FAULTS;		/* that may still happen */
#ifdef BEFORE
bool mark;			/* the lock file is not empty */
#endif

#define SOMETHING_WAITS	(row[0] == WAITS || row[1] == WAITS)

/* Receivers run for ever, and nothing new is committed in the end. */
ltl delivered { <>[] !SOMETHING_WAITS }

ltl one_poster { [] !(posting[0] && posting[1]) }

/* ------------------------------------------------------------ receiver */

/* launch_worker(): waits while there are WORKERS processes. */
inline launch_worker()
{
	if
	:: atomic { !started[0] -> started[0] = true }
	:: atomic { started[0] && !started[1] -> started[1] = true }
#ifndef LAUNCHES
	:: atomic { faults > 0 -> faults-- }	/* fork or exec fails */
#endif
	fi
}

inline see_to_worker()
{
	if					/* queue_lock_look() */
	:: lock == NOBODY -> launch_worker()
	:: lock != NOBODY
	fi
}

/* BEFORE: deliver_rest() */
inline deliver_look()
{
#if defined(BEFORE)
	if					/* queue_lock_look() */
	:: lock == NOBODY && mark -> launch_worker()
	:: lock != NOBODY || !mark
	fi
#else
	if					/* queue_lock_look() */
#ifdef NO_LOOK
	:: lock == NOBODY
#else
	:: lock == NOBODY ->
		if				/* queue_waits() */
		:: SOMETHING_WAITS -> launch_worker()
		:: !SOMETHING_WAITS
		fi
#endif
	:: lock != NOBODY
	fi
#endif
}

proctype receiver(byte me)
{
start:
	{
		deliver_look();			/* relay_look() */
		do
		:: atomic { rows < ROWS ->	/* queue_put() */
			row[rows] = WAITS; rows++ };
			see_to_worker()
#if defined(CALM)
		:: rows == ROWS -> break
#elif defined(LOOK_AT_START_ONLY)
		:: lock == NOBODY
		:: lock != NOBODY
#else
		:: deliver_look()		/* any request, or idle */
#endif
		od
	} unless {
		atomic { receiver_dies[me] -> receiver_dies[me] = false }
	}
#ifndef CALM
	;
	goto start		/* the web server starts another */
#endif
}

/* -------------------------------------------------------------- worker */

/* begin_message(), channel_end_message(), settle() */
inline send(number)
{
	if
	:: atomic { lock == me -> posting[me] = true };	/* QUEUE_CLAIM */
		atomic {			/* QUEUE_SETTLE */
			posting[me] = false;
			if
			:: lock == me -> row[number] = SENT
			:: lock != me		/* it may appear twice */
			fi
		}
	:: lock != me
	fi
}

/* work(): ends where nothing waited, or where the lock was lost. */
inline work()
{
	do					/* channel_look() */
	:: lock == me && row[0] == WAITS -> send(0)
	:: lock == me && row[1] == WAITS -> send(1)
	:: lock == me && !SOMETHING_WAITS	/* lingers */
	:: lock == me && !SOMETHING_WAITS ->	/* is_done() */
#ifdef BEFORE
		mark = false;
#endif
		break
	:: lock != me -> break			/* keep_lock() */
	od
}

inline queue_lock_release()
{
	atomic {
		if
		:: lock == me -> lock = NOBODY
		:: lock != me
		fi
	}
}

proctype worker(byte me)
{
end:
	started[me];
	{
		do
		:: atomic { lock == NOBODY -> lock = me };
						/* queue_lock_take() */
#ifdef BEFORE
			mark = true;
#endif
			work();
#ifdef LOOK_BEFORE_RELEASE
			if
			:: SOMETHING_WAITS -> queue_lock_release()
			:: !SOMETHING_WAITS -> queue_lock_release(); break
			fi
#else
			queue_lock_release();
			if			/* must_return() */
			:: SOMETHING_WAITS
			:: !SOMETHING_WAITS -> break
			fi
#endif
		:: lock != NOBODY -> break	/* another process has it */
		od;
		started[me] = false
	} unless {
		atomic { worker_dies[me] ->
			worker_dies[me] = false; started[me] = false }
	};
	goto end
}

#ifndef CALM
/* -------------------------------------------------------------- faults */

inline end_worker(which)
{
	if
	:: started[which] ->
		worker_dies[which] = true;
		posting[which] = false;
		if
#ifdef SESSION
		:: lock == which -> lock = DEAD
#else
		:: lock == which -> lock = NOBODY
#endif
		:: else
		fi
	:: else
	fi
}

/* At most FAULTS of these happen, each at any time or never. */
proctype fate()
{
end:
	do
	:: atomic { faults > 0 && started[0] -> faults--; end_worker(0) }
	:: atomic { faults > 0 && started[1] -> faults--; end_worker(1) }
	:: atomic { faults > 0 -> faults--; receiver_dies[0] = true }
	:: atomic { faults > 0 -> faults--;	/* the machine's power */
		end_worker(0); end_worker(1); receiver_dies[0] = true }
#ifdef SESSION
	:: atomic { faults > 0 && lock < WORKERS -> faults--;
		posting[lock] = false; lock = NOBODY }
#endif
	:: faults > 0 -> faults = 0		/* or never */
	od
}
#endif

#ifdef SESSION
/* The server of PostgreSQL sees sooner or later that a process is gone. */
proctype server()
{
end:
	do
	:: lock == DEAD -> lock = NOBODY
	od
}
#endif

init
{
	atomic {
		run worker(0); run worker(1);
#ifdef SESSION
		run server();
#endif
#ifdef CALM
		run receiver(0); run receiver(1)
#else
		run receiver(0); run fate()
#endif
	}
}
