/* SPDX-License-Identifier: MIT */
#include "scan/futex_layout.h"

#include <errno.h>

#define MOST_TASKS 0x400000u /* PID_MAX_LIMIT */
#define VALUE_MAX 0x7fffffffu

/* An object that is thought to begin `before` bytes before the word. */
struct place {
	const struct futex_window *window;
	size_t before;
	bool narrow;
};

/* 32 bits of the object; *ok turns false where they could not be read. */
static uint32_t word_at(const struct place *p, size_t at, bool *ok)
{
	size_t from = p->window->before - p->before + at;
	uint32_t v = 0;

	if (p->before > p->window->before || from + sizeof(v) > p->window->size)
		*ok = false;
	else
		memcpy(&v, p->window->bytes + from, sizeof(v));
	return v;
}

static bool is_zero(const struct place *p, size_t from, size_t to)
{
	bool ok = true;

	for (size_t at = from; at < to; at += sizeof(uint32_t))
		if (word_at(p, at, &ok) != 0)
			return false;
	return ok;
}

/* How tasks wait with glibc: most of its objects take a bit set along, for absolute times. */
static bool waits(const struct futex_hint *hint)
{
	return hint->operation == FUTEX_OP_WAIT || hint->operation == FUTEX_OP_WAIT_BITSET ||
	       hint->operation == FUTEX_OP_WAITV || hint->operation == FUTEX_OP_WAIT2;
}

/* Whether the task may have found that value in the word; without a task, whatever it is. */
static bool expected(const struct futex_hint *hint, uint32_t least, uint32_t most)
{
	return !waits(hint) || (hint->value >= least && hint->value <= most);
}

static bool is_tid(uint32_t tid)
{
	return tid <= MOST_TASKS;
}

/* What the lock word says of a mutex whose owner is in it. */
static bool read_owner_word(uint32_t lock, struct futex_decoded *out)
{
	uint32_t tid = lock & FUTEX_WORD_TID;

	out->owner_died = lock & FUTEX_WORD_OWNER_DIED;
	out->locked = tid != 0;
	/* The word of one whose owner died and which nobody has taken since names nobody. */
	if (tid)
		out->owner = tid;
	return is_tid(tid);
}

/* Whether a wait is one that a lock word which names its owner can see. */
static bool fits_owner_word(const struct futex_hint *hint, bool inherits)
{
	if (inherits)
		return hint->operation == FUTEX_OP_LOCK_PI || hint->operation == FUTEX_OP_HELD ||
		       hint->operation == FUTEX_OP_NONE;
	return !waits(hint) || hint->value & FUTEX_WORD_WAITERS;
}

static bool glibc_mutex(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	enum { ROBUST = 0x10, INHERIT = 0x20, PROTECT = 0x40, SHARED = 0x80, ELISION = 0x300 };
	bool ok = true;
	uint32_t lock = word_at(p, 0, &ok), count = word_at(p, 4, &ok), owner = word_at(p, 8, &ok);
	uint32_t nusers = word_at(p, p->narrow ? 16 : 12, &ok), kind = word_at(p, p->narrow ? 12 : 16, &ok);
	bool named = kind & (ROBUST | INHERIT);

	/* The last but one of its tasks may be gone without a word: nusers is not to be relied on. */
	if (!ok || !(kind & SHARED) ||
	    kind & ~(uint32_t)(3 | ROBUST | INHERIT | PROTECT | SHARED | ELISION) || nusers > MOST_TASKS ||
	    p->before != 0)
		return false;
	out->kind = kind & 3;
	out->robust = kind & ROBUST;
	out->protocol = kind & INHERIT ? PROTOCOL_INHERIT : kind & PROTECT ? PROTOCOL_PROTECT : PROTOCOL_NONE;
	out->count = out->kind == 1 ? count : 0;
	out->size = p->narrow ? 24 : 40;
	if (named)
		return read_owner_word(lock, out) && fits_owner_word(hint, kind & INHERIT);
	/* The word of a protecting one holds its ceiling, too (PTHREAD_MUTEX_PRIO_CEILING_MASK). */
	if (kind & PROTECT)
		lock &= 0x7ffff;
	out->locked = lock != 0;
	out->owner = out->locked ? owner : 0;
	return lock <= 2 && is_tid(owner) && hint->operation != FUTEX_OP_LOCK_PI &&
	       hint->operation != FUTEX_OP_HELD && (kind & PROTECT || expected(hint, 2, 2));
}

static bool glibc_semaphore(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	const uint32_t shared = 0x80;
	bool ok = true;
	uint32_t value = word_at(p, 0, &ok), second = word_at(p, 4, &ok), third = word_at(p, 8, &ok);
	uint32_t fourth = word_at(p, 12, &ok);

	if (!ok || p->before != 0)
		return false;
	out->size = p->narrow ? 16 : 32;
	out->value = p->narrow ? value >> 1 : value;
	if (p->narrow) /* bit 0 of the word says that somebody waits */
		return second == shared && third == 0 && fourth <= MOST_TASKS && expected(hint, 0, 1);
	/* sem_init(3) leaves the other half as it was; where no task speaks for it, it must be clean. */
	return value <= VALUE_MAX && second <= MOST_TASKS && third == shared && fourth == 0 &&
	       expected(hint, 0, 0) &&
	       (waits(hint) || (hint->operation == FUTEX_OP_NONE && is_zero(p, 16, 32)));
}

static bool glibc_rwlock(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	enum { WRITE_PHASE = 1, WRITE_LOCKED = 2, SHIFT = 3 };
	bool ok = true;
	uint32_t readers = word_at(p, 0, &ok), writers = word_at(p, 4, &ok), phase = word_at(p, 8, &ok);
	uint32_t queue = word_at(p, 12, &ok), shared, writer, flags;

	if (p->narrow) { /* flags, shared, elision and a pad are bytes here */
		uint32_t bytes = word_at(p, 24, &ok);
		unsigned char b[4];

		memcpy(b, &bytes, sizeof(b));
		flags = b[0];
		shared = b[1];
		writer = word_at(p, 28, &ok);
		ok = ok && b[2] == 0 && b[3] == 0;
	} else {
		writer = word_at(p, 24, &ok);
		shared = word_at(p, 28, &ok);
		flags = word_at(p, 48, &ok);
		ok = ok && is_zero(p, 32, 48);
	}
	if (!ok || shared != 1 || flags > 3 || !is_zero(p, 16, 24) || phase > 3 || queue > 3 ||
	    writers > MOST_TASKS * 2 || readers >> SHIFT > MOST_TASKS || !is_tid(writer))
		return false;
	out->size = p->narrow ? 32 : 56;
	if (!(readers & WRITE_PHASE))
		out->readers = readers >> SHIFT;
	out->locked = out->readers > 0 || (readers & WRITE_PHASE && readers & WRITE_LOCKED);
	out->owner = out->locked && out->readers == 0 ? writer : 0;
	/* Readers and writers in wait for the phase at +8, writers for their turn at +12. */
	return waits(hint) ? (p->before == 8 || p->before == 12) && expected(hint, 1, 3) :
			     hint->operation == FUTEX_OP_NONE && p->before == 0;
}

/* `signals`: where the counters of signals of the two groups are. */
static bool glibc_cond_at(const struct place *p, const struct futex_hint *hint, size_t signals,
			  struct futex_decoded *out)
{
	enum { SHARED = 1, SHIFT = 3 };
	bool ok = true;
	uint32_t refs = word_at(p, signals - 4, &ok), size = word_at(p, signals - 16, &ok);
	uint32_t other_size = word_at(p, signals - 12, &ok), first_size = word_at(p, signals - 8, &ok);
	uint32_t now = word_at(p, 0, &ok), start = word_at(p, 8, &ok), passed = (now >> 1) - (start >> 1);

	/* The size that the first group had is above the two bits of a lock. */
	if (!ok || !(refs & SHARED) || refs >> SHIFT > MOST_TASKS || size > MOST_TASKS ||
	    other_size > MOST_TASKS || first_size >> 2 > MOST_TASKS || passed > VALUE_MAX)
		return false;
	out->size = 48;
	/* Whoever a group counts holds a reference: a pointer's halves in a mutex's list seldom fit so. */
	if (!waits(hint))
		return hint->operation == FUTEX_OP_NONE && p->before == 0 && size <= refs >> SHIFT &&
		       other_size <= refs >> SHIFT;
	/* Whoever waits has counted itself, and has a place in the sequence. */
	return (p->before == signals || p->before == signals + 4) && refs >> SHIFT > 0 && now > 1;
}

/* Up to glibc 2.40 the counters are the last words. */
static bool glibc_cond(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	return expected(hint, 0, 0) && glibc_cond_at(p, hint, 40, out);
}

/* Since 2.41 there is no __g_refs before them, and two words of zeroes stand behind. */
static bool glibc_recent_cond(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	return is_zero(p, 40, 48) && glibc_cond_at(p, hint, 32, out);
}

static bool musl_mutex(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	enum { ROBUST = 4, INHERIT = 8, SHARED = 128 };
	bool ok = true, named;
	uint32_t kind = word_at(p, 0, &ok), lock = word_at(p, 4, &ok), waiters = word_at(p, 8, &ok);
	uint32_t count = word_at(p, 20, &ok);

	if (!ok || !(kind & SHARED) || kind & ~(uint32_t)(3 | ROBUST | INHERIT | SHARED) || (kind & 3) == 3 ||
	    waiters > MOST_TASKS || p->before != (hint->operation == FUTEX_OP_NONE ? 0 : 4))
		return false;
	named = (kind & 15) != 0;
	out->kind = kind & 3;
	out->robust = kind & ROBUST;
	out->protocol = kind & INHERIT ? PROTOCOL_INHERIT : PROTOCOL_NONE;
	out->size = p->narrow ? 24 : 40;
	if (named) {
		/* It counts how often it was locked again. */
		if (!read_owner_word(lock, out) || !fits_owner_word(hint, kind & INHERIT))
			return false;
		out->count = out->kind == 1 && out->locked ? count + 1 : 0;
		return true;
	}
	/* A normal one says only that it is locked: EBUSY, and that somebody waits. */
	out->locked = lock != 0;
	return ((lock & ~FUTEX_WORD_WAITERS) == EBUSY || lock == 0) && hint->operation != FUTEX_OP_HELD &&
	       expected(hint, FUTEX_WORD_WAITERS | EBUSY, FUTEX_WORD_WAITERS | EBUSY);
}

static bool musl_semaphore(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	bool ok = true;
	uint32_t value = word_at(p, 0, &ok), waiters = word_at(p, 4, &ok);

	/* Shared ones bear no mark: without a task that waits as its libc does, any word would do. Up
	 * to 1.2.3 it waits for -1, since then for the top bit alone; whoever waits for a mutex expects more
	 * than that. */
	if (!ok || p->before != 0 || waiters > MOST_TASKS || !is_zero(p, 8, 12) ||
	    hint->operation != FUTEX_OP_WAIT ||
	    (hint->value != UINT32_MAX && hint->value != FUTEX_WORD_WAITERS))
		return false;
	out->size = p->narrow ? 16 : 32;
	out->value = value == UINT32_MAX ? 0 : value & VALUE_MAX;
	return waiters > 0;
}

static bool musl_rwlock(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	const uint32_t shared = 128, written = 0x7fffffff;
	bool ok = true;
	uint32_t lock = word_at(p, 0, &ok), waiters = word_at(p, 4, &ok), mark = word_at(p, 8, &ok);

	if (!ok || p->before != 0 || mark != shared || waiters > MOST_TASKS ||
	    !is_zero(p, 12, p->narrow ? 32 : 56) || !expected(hint, FUTEX_WORD_WAITERS, UINT32_MAX) ||
	    !(waits(hint) || hint->operation == FUTEX_OP_NONE))
		return false;
	lock &= VALUE_MAX;
	out->locked = lock != 0;
	out->readers = lock == written ? 0 : lock;
	out->size = p->narrow ? 32 : 56;
	return lock == written || lock <= MOST_TASKS;
}

static bool musl_cond(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out)
{
	bool ok = true;
	uint32_t mark = word_at(p, 0, &ok), second = word_at(p, 4, &ok), waiters = word_at(p, 12, &ok);
	uint32_t clock = word_at(p, 16, &ok);

	/* A pointer of ones only says that it is shared. */
	if (!ok || mark != UINT32_MAX || second != (p->narrow ? 0 : UINT32_MAX) ||
	    (waiters & VALUE_MAX) > MOST_TASKS || clock > 16)
		return false;
	out->size = 48;
	return waits(hint) ? p->before == 8 : hint->operation == FUTEX_OP_NONE && p->before == 0;
}

static const struct layout {
	enum futex_type type;
	enum futex_libc libc;
	bool (*fits)(const struct place *p, const struct futex_hint *hint, struct futex_decoded *out);
	unsigned char words[2]; /* where in it tasks may wait: so many bytes from its beginning */
	unsigned char nwords;
} layouts[] = {
	{ FUTEX_MUTEX, LIBC_GLIBC, glibc_mutex, { 0 }, 1 },
	{ FUTEX_SEMAPHORE, LIBC_GLIBC, glibc_semaphore, { 0 }, 1 },
	{ FUTEX_RWLOCK, LIBC_GLIBC, glibc_rwlock, { 8, 12 }, 2 },
	{ FUTEX_COND, LIBC_GLIBC, glibc_cond, { 40, 44 }, 2 },
	{ FUTEX_COND, LIBC_GLIBC, glibc_recent_cond, { 32, 36 }, 2 },
	{ FUTEX_MUTEX, LIBC_MUSL, musl_mutex, { 4 }, 1 },
	{ FUTEX_SEMAPHORE, LIBC_MUSL, musl_semaphore, { 0 }, 1 },
	{ FUTEX_RWLOCK, LIBC_MUSL, musl_rwlock, { 0 }, 1 },
	{ FUTEX_COND, LIBC_MUSL, musl_cond, { 8 }, 1 },
};

/* Alignment of all of them: of a pointer, or of the 64-bit number in a condition variable. */
static bool is_aligned(const struct futex_window *window, size_t before, const struct layout *l, bool narrow)
{
	size_t unit = narrow && l->type != FUTEX_COND ? 4 : 8;

	return window->offset >= before && (window->offset - before) % unit == 0;
}

/* What has been found: the readings of which one at most is right. */
struct readings {
	struct futex_decoded first;
	unsigned count;
};

/*
 * Notes one. Two answers are none, but for a condition variable that can be read as one of an
 * older and of a recent glibc: then ours is the likelier one.
 */
static void note(struct readings *r, const struct futex_decoded *d, const struct futex_hint *hint,
		 bool recent)
{
	bool both = r->count == 1 && r->first.type == FUTEX_COND && d->type == FUTEX_COND &&
		    r->first.libc == LIBC_GLIBC && d->libc == LIBC_GLIBC;

	if (!both) {
		r->count++;
		r->first = *d;
		return;
	}
	if (recent == hint->recent)
		r->first = *d;
	if (r->first.confidence == CONFIDENCE_CERTAIN)
		r->first.confidence = CONFIDENCE_LIKELY;
}

static void try_layout(const struct layout *l, const struct place *p, const struct futex_hint *hint,
		       struct readings *readings)
{
	struct futex_decoded d = {
		.type = l->type, .libc = l->libc, .narrow = p->narrow, .before = (uint32_t)p->before
	};

	if (!is_aligned(p->window, p->before, l, p->narrow) || !l->fits(p, hint, &d))
		return;
	if (hint->operation == FUTEX_OP_NONE)
		d.confidence = CONFIDENCE_GUESS;
	else
		d.confidence = hint->libc == l->libc ? CONFIDENCE_CERTAIN : CONFIDENCE_LIKELY;
	note(readings, &d, hint, l->fits == glibc_recent_cond);
}

/* Condition variables of the glibc that is not the likely one. */
static bool is_unlikely(const struct layout *l, const struct futex_hint *hint)
{
	return l->fits == (hint->recent ? glibc_cond : glibc_recent_cond);
}

/* Tries all layouts; without a task that waits, the likely or the unlikely ones. */
static void try_layouts(const struct futex_window *window, const struct futex_hint *hint, bool unlikely,
			struct readings *readings)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		const struct layout *l = &layouts[i];
		struct place p = { .window = window, .narrow = hint->narrow };

		if (hint->libc != LIBC_UNKNOWN && hint->libc != l->libc)
			continue;
		if (hint->operation == FUTEX_OP_NONE && is_unlikely(l, hint) == unlikely)
			try_layout(l, &p, hint, readings);
		for (size_t w = 0; hint->operation != FUTEX_OP_NONE && w < l->nwords; w++) {
			p.before = l->words[w];
			try_layout(l, &p, hint, readings);
		}
	}
}

void futex_decode(const struct futex_window *window, const struct futex_hint *hint, struct futex_decoded *out)
{
	struct readings readings = { 0 };

	try_layouts(window, hint, false, &readings);
	/* One that nobody has used yet may look like a lock of another glibc. */
	if (readings.count == 0 && hint->operation == FUTEX_OP_NONE)
		try_layouts(window, hint, true, &readings);
	if (readings.count == 1)
		*out = readings.first;
	else
		*out = (struct futex_decoded){ .size = sizeof(uint32_t), .narrow = hint->narrow };
}
