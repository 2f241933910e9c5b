/* SPDX-License-Identifier: ISC */
/*
 * The lease of one destination, and what becomes of its rows: claim, post,
 * settle, by two workers (on PostgreSQL of two machines), while the database
 * may be replaced by an older state of itself, which then gives the same row
 * numbers again. Who starts workers is in handover.pml: here they come back.
 *
 * A comment at a step names the function that the step stands for. Names in
 * capitals that are not defined here are switches, which t/model.t sets:
 *
 * SESSION	the lease belongs to a session of PostgreSQL, which the server
 *		may end while the process lives; the older state is a standby
 *		that is promoted. Else the lease is the worker's lock on a
 *		file, and the older state is a backup that is restored
 * BEFORE	the code as it was: rows were claimed and settled by number
 *		alone, and the claim did not prove the lease
 *
 * SETTLE_BY_NUMBER and UNPROVEN_CLAIM leave out one precaution each. They
 * show that the properties depend on it.
 *
 * A message that was in flight when its worker died changes no row: its rows
 * wait all the while, and take_over() sees to the rate limit alone. So there is
 * no step for it.
 *
 * Two primaries at the same time are not modelled: to fence the old one off
 * is the database's business.
 */

#define WORKERS		2
#define ROWS		2
#define EVENTS		2	/* committed in all */
#ifndef FAULTS
#define FAULTS		1	/* beside the replacement */
#endif

/* Of a row; 0: there is none of this number. */
#define WAITS		1
#define DELIVERED	2

#define NOBODY		10

/* A row is an event under a number; the event stands for the nonce, too. */
typedef database {
	byte event[ROWS];	/* from 1 on, unique for ever */
	byte state[ROWS];
	byte rows
};

database db;
database older;			/* the standby, or the last backup */
byte events;			/* committed so far, in all databases */
bool posted[EVENTS + 1];	/* Slack has the event */
byte lease = NOBODY;		/* it ends with the session or process */
bool posting[WORKERS];		/* and the server has not ended its session */
bool dies[WORKERS];
byte faults = FAULTS;		/* that may still happen */

#define IS_POSTED(n)	(db.state[n] == 0 || posted[db.event[n]])

/* Events that the database has are posted; nothing new in the end. */
ltl delivered { <>[] (IS_POSTED(0) && IS_POSTED(1)) }

ltl one_poster { [] !(posting[0] && posting[1]) }

ltl settled_is_posted {
	[] ((db.state[0] == DELIVERED -> posted[db.event[0]]) &&
	    (db.state[1] == DELIVERED -> posted[db.event[1]]))
}

/* ------------------------------------------------------------ receiver */

proctype receiver()
{
	do
	:: atomic { events < EVENTS && db.rows < ROWS -> /* queue_put() */
		events++;
		db.event[db.rows] = events;
		db.state[db.rows] = WAITS;
		db.rows++ }
	:: events == EVENTS -> break
	od
}

/* -------------------------------------------------------------- worker */

/*
 * Any statement opens a new session where the old one was lost, which does
 * not have its lease. So only what looks at the lease finds out.
 */

#define IS_THERE	(db.state[number] != 0)
/* It is still the row that was read. */
#define IS_THE_SAME	(IS_THERE && db.event[number] == event)

#if defined(BEFORE)
#define MAY_CLAIM	(db.state[number] == WAITS)
#elif defined(UNPROVEN_CLAIM)
#define MAY_CLAIM	(db.state[number] == WAITS && IS_THE_SAME)
#else
#define MAY_CLAIM	(db.state[number] == WAITS && IS_THE_SAME && \
			    lease == me)
#endif

#if defined(BEFORE) || defined(SETTLE_BY_NUMBER)
#define MAY_SETTLE	IS_THERE
#else
#define MAY_SETTLE	IS_THE_SAME
#endif

/* queue_read(): the first row that waits; event is 0 when there is none. */
inline read_row()
{
	atomic {
		if
		:: db.state[0] == WAITS -> number = 0; event = db.event[0]
		:: db.state[0] != WAITS && db.state[1] == WAITS ->
			number = 1; event = db.event[1]
		:: else
		fi
	}
}

/* QUEUE_CLAIM with prove_lease(), and the message is begun; else event is 0. */
inline claim()
{
#ifdef BEFORE
	atomic {
		if
		:: MAY_CLAIM
		:: else -> event = 0
		fi
	};
	/* queue_has_turn() looks at the socket: what the server has ended
	 * may still seem to live. */
	if
	:: atomic { event != 0 -> posting[me] = true }
	:: atomic { lease != me -> event = 0 }
	:: event == 0
	fi
#else
	atomic {
		if
		:: MAY_CLAIM -> posting[me] = true
		:: else -> event = 0
		fi
	}
#endif
}

/* Slack takes it, or does not: then event becomes 0. */
inline post()
{
	if					/* channel_end_message() */
	:: atomic { posted[event] = true; posting[me] = false }
	:: atomic { faults > 0 -> faults--; event = 0; posting[me] = false }
	fi
}

/* Takes the lease once more where it was lost; waits for the others. */
inline keep_turn()
{
	if
	:: lease == me
	:: atomic { lease == NOBODY -> lease = me }	/* begin_turn() */
	fi
}

/* QUEUE_SETTLE or QUEUE_PUT_BACK: it does not prove the lease again. */
inline settle()
{
	keep_turn();
	atomic {
		if
		:: event != 0 && MAY_SETTLE -> db.state[number] = DELIVERED
		:: else
		fi
	}
}

/* One turn: use_turn() */
inline turn()
{
	read_row();
	if
	:: event == 0
	:: event != 0 ->
		claim();
		if
		:: event == 0
		:: event != 0 -> post(); settle()
		fi
	fi
}

inline end_turn()
{
	atomic {
		number = 0; event = 0;
		if
		:: lease == me -> lease = NOBODY
		:: else
		fi
	}
}

proctype worker(byte me)
{
	byte number, event;

start:
	{
		do
		:: atomic { lease == NOBODY -> lease = me }; /* begin_turn() */
			turn();
			end_turn()
		od
	} unless {
		atomic { dies[me] -> dies[me] = false; number = 0; event = 0 }
	};
	goto start
}

/* -------------------------------------------------------------- faults */

/* Another session than one that this is true for is not missed. */
#define HAS_SESSION(which)	(lease == which || posting[which])

inline end_session(which)
{
	posting[which] = false;
	if
	:: lease == which -> lease = NOBODY
	:: else
	fi
}

inline end_worker(which)
{
	dies[which] = true;
	end_session(which)
}

inline copy(to, from)
{
	atomic {
		to.event[0] = from.event[0]; to.event[1] = from.event[1];
		to.state[0] = from.state[0]; to.state[1] = from.state[1];
		to.rows = from.rows
	}
}

inline forget(what)
{
	atomic {
		what.event[0] = 0; what.event[1] = 0;
		what.state[0] = 0; what.state[1] = 0;
		what.rows = 0
	}
}

/* FAULTS of these at most, each at any time or never. */
proctype fate()
{
end:
	do
	:: atomic { faults > 0 -> faults--; end_worker(0) }
	:: atomic { faults > 0 -> faults--; end_worker(1) }
#ifdef SESSION
	:: atomic { faults > 0 && HAS_SESSION(0) -> faults--; end_session(0) }
	:: atomic { faults > 0 && HAS_SESSION(1) -> faults--; end_session(1) }
#endif
	:: faults > 0 -> faults = 0		/* or never */
	od
}

/* What the standby had last, or the backup has, is what the database is. */
proctype replacement()
{
	if
	:: copy(older, db);
		if
		:: atomic {
			copy(db, older);
			forget(older);
#ifdef SESSION
			end_session(0); end_session(1)
#endif
			}
		:: forget(older)
		fi
	:: skip
	fi
}

init
{
	atomic {
		run receiver();
		run worker(0); run worker(1);
		run fate(); run replacement()
	}
}
