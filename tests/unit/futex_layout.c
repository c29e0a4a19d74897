/* SPDX-License-Identifier: MIT */
/*
 * What the bytes around a futex word read as: objects that this program's own libc makes and uses,
 * those of others as they were recorded, and bytes that mean nothing.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scan/futex_layout.h"

#define SIZE 64

/* An object at a given place of some memory, of which `before` bytes in front can be read. */
static struct futex_decoded decode(const void *object, size_t size, size_t word,
				   const struct futex_hint *hint)
{
	struct span bytes = exact((struct span){ object, size });
	const struct futex_window window = {
		.bytes = (const unsigned char *)bytes.ptr, .before = word, .size = size, .offset = 4096 + word
	};
	struct futex_decoded out;

	futex_decode(&window, hint, &out);
	free((void *)bytes.ptr);
	return out;
}

/*
 * Whether the plainest mutexes of this libc say who has them: musl's do not. And a lock of musl's that is
 * read could be a semaphore of glibc's: there it must be known whose objects these are.
 */
#ifdef __GLIBC__
static const bool names_owner = true;
static const struct futex_hint own = { .operation = FUTEX_OP_NONE, .narrow = sizeof(long) == 4 };
#else
static const bool names_owner = false;
static const struct futex_hint own = { .operation = FUTEX_OP_NONE,
				       .libc = LIBC_MUSL,
				       .narrow = sizeof(long) == 4 };
#endif

static void shared_mutex(pthread_mutex_t *m, int type, int robust, int protocol)
{
	pthread_mutexattr_t attr;

	memset(m, 0, sizeof(*m));
	assert_int_equal(pthread_mutexattr_init(&attr), 0);
	assert_int_equal(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(pthread_mutexattr_settype(&attr, type), 0);
	assert_int_equal(pthread_mutexattr_setrobust(&attr, robust), 0);
	assert_int_equal(pthread_mutexattr_setprotocol(&attr, protocol), 0);
	assert_int_equal(pthread_mutex_init(m, &attr), 0);
}

/* Every sort of mutex of this libc, locked and not. */
static void own_mutexes(void **state)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				     PTHREAD_MUTEX_ERRORCHECK };
	static const int robusts[] = { PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST };
	static const int protocols[] = { PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT };
	uint32_t self = (uint32_t)syscall(SYS_gettid);

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		int robust = robusts[i / 3 % 2], protocol = protocols[i / 6];
		bool named = names_owner || i % 3 != 0 || robust == PTHREAD_MUTEX_ROBUST ||
			     protocol == PTHREAD_PRIO_INHERIT;
		pthread_mutex_t m;
		struct futex_decoded d;

		shared_mutex(&m, types[i % 3], robust, protocol);
		d = decode(&m, sizeof(m), 0, &own);
		assert_int_equal(d.type, FUTEX_MUTEX);
		assert_int_equal(d.confidence, CONFIDENCE_GUESS);
		assert_int_equal(d.kind, i % 3);
		assert_int_equal(d.robust, robust == PTHREAD_MUTEX_ROBUST);
		assert_int_equal(d.protocol,
				 protocol == PTHREAD_PRIO_INHERIT ? PROTOCOL_INHERIT : PROTOCOL_NONE);
		assert_int_equal(d.size, sizeof(m));
		assert_false(d.locked);
		assert_int_equal(d.owner, 0);
		for (unsigned times = 1; times <= (i % 3 == 1 ? 3 : 1); times++) {
			assert_int_equal(pthread_mutex_lock(&m), 0);
			d = decode(&m, sizeof(m), 0, &own);
			assert_int_equal(d.type, FUTEX_MUTEX);
			assert_true(d.locked);
			assert_int_equal(d.owner, named ? self : 0);
			assert_int_equal(d.count, i % 3 == 1 ? times : 0);
		}
		for (unsigned times = 0; times < (i % 3 == 1 ? 3 : 1); times++)
			assert_int_equal(pthread_mutex_unlock(&m), 0);
		assert_false(decode(&m, sizeof(m), 0, &own).locked);
	}
}

static void own_rwlock(void **state)
{
	pthread_rwlockattr_t attr;
	pthread_rwlock_t lock;
	struct futex_decoded d;

	(void)state;
	memset(&lock, 0, sizeof(lock));
	assert_int_equal(pthread_rwlockattr_init(&attr), 0);
	assert_int_equal(pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(pthread_rwlock_init(&lock, &attr), 0);
	for (unsigned readers = 1; readers <= 3; readers++) {
		assert_int_equal(pthread_rwlock_rdlock(&lock), 0);
		d = decode(&lock, sizeof(lock), 0, &own);
		assert_int_equal(d.type, FUTEX_RWLOCK);
		assert_true(d.locked && d.readers == readers && d.owner == 0);
	}
	for (unsigned readers = 0; readers < 3; readers++)
		assert_int_equal(pthread_rwlock_unlock(&lock), 0);
	assert_int_equal(pthread_rwlock_wrlock(&lock), 0);
	d = decode(&lock, sizeof(lock), 0, &own);
	assert_int_equal(d.type, FUTEX_RWLOCK);
	assert_true(d.locked && d.readers == 0);
#ifdef __GLIBC__
	assert_int_equal(d.owner, syscall(SYS_gettid));
#endif
	assert_int_equal(d.size, sizeof(lock));
	assert_int_equal(pthread_rwlock_unlock(&lock), 0);
}

static void own_semaphore(void **state)
{
#ifdef __GLIBC__
	sem_t s;

	(void)state;
	memset(&s, 0, sizeof(s));
	for (unsigned value = 0; value < 5; value++) {
		struct futex_decoded d;

		assert_int_equal(sem_init(&s, 1, value), 0);
		d = decode(&s, sizeof(s), 0, &own);
		assert_int_equal(d.type, FUTEX_SEMAPHORE);
		assert_int_equal(d.value, value);
		assert_int_equal(d.size, sizeof(s));
		assert_int_equal(sem_init(&s, 0, value), 0); /* one that is not shared */
		assert_int_equal(decode(&s, sizeof(s), 0, &own).type, FUTEX_UNKNOWN);
	}
#else
	(void)state;
	skip(); /* nothing marks one of musl's */
#endif
}

/* Words of objects as tasks wait for them, of both libcs and word sizes. */
static void recorded(void **state)
{
	static const struct {
		uint32_t words[14];
		size_t size, word; /* bytes */
		enum futex_operation operation;
		uint32_t value;
		enum futex_libc libc;
		bool narrow, recent;
		enum futex_type type;
		uint32_t owner, readers, semaphore;
	} e[] = {
		/* glibc, 64 bit */
		{ { 2, 0, 4711, 1, 0x80 },
		  40,
		  0,
		  FUTEX_OP_WAIT,
		  2,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_MUTEX,
		  4711,
		  0,
		  0 },
		{ { 0x80001267, 0, 4711, 1, 0x90 },
		  40,
		  0,
		  FUTEX_OP_WAIT,
		  0x80001267,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_MUTEX,
		  4711,
		  0,
		  0 },
		{ { 0x80001267, 0, 4711, 1, 0xa0 },
		  40,
		  0,
		  FUTEX_OP_LOCK_PI,
		  0,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_MUTEX,
		  4711,
		  0,
		  0 },
		{ { 0, 3, 0x80 },
		  32,
		  0,
		  FUTEX_OP_WAIT_BITSET,
		  0,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_SEMAPHORE,
		  0,
		  0,
		  0 },
		{ { 7, 0, 0x80 },
		  32,
		  0,
		  FUTEX_OP_WAIT_BITSET,
		  0,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_SEMAPHORE,
		  0,
		  0,
		  7 },
		{ { 0x13, 0, 3, 0, 0, 0, 4711, 1 },
		  56,
		  8,
		  FUTEX_OP_WAIT_BITSET,
		  3,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_RWLOCK,
		  4711,
		  0,
		  0 },
		{ { 0x18, 1, 0, 2, 0, 0, 0, 1 },
		  56,
		  12,
		  FUTEX_OP_WAIT_BITSET,
		  2,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_RWLOCK,
		  0,
		  3,
		  0 },
		{ { 4, 0, 0, 0, 2, 0, 2, 0, 0, 17 },
		  48,
		  40,
		  FUTEX_OP_WAIT_BITSET,
		  0,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_COND,
		  0,
		  0,
		  0 },
		{ { 5, 0, 0, 0, 2, 0, 0, 17, 0, 0 },
		  48,
		  32,
		  FUTEX_OP_WAIT_BITSET,
		  0,
		  LIBC_GLIBC,
		  false,
		  true,
		  FUTEX_COND,
		  0,
		  0,
		  0 },
		/* glibc, 32 bit */
		{ { 2, 0, 4711, 0x80, 1, 0 },
		  24,
		  0,
		  FUTEX_OP_WAIT,
		  2,
		  LIBC_GLIBC,
		  true,
		  false,
		  FUTEX_MUTEX,
		  4711,
		  0,
		  0 },
		{ { 1, 0x80, 0, 1 },
		  16,
		  0,
		  FUTEX_OP_WAIT_BITSET,
		  1,
		  LIBC_GLIBC,
		  true,
		  false,
		  FUTEX_SEMAPHORE,
		  0,
		  0,
		  0 },
		/* musl, 64 bit */
		{ { 0x80, 0x80000010, 2 },
		  40,
		  4,
		  FUTEX_OP_WAIT,
		  0x80000010,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_MUTEX,
		  0,
		  0,
		  0 },
		{ { 0x84, 0x80001267, 2 },
		  40,
		  4,
		  FUTEX_OP_WAIT,
		  0x80001267,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_MUTEX,
		  4711,
		  0,
		  0 },
		{ { 0xffffffff, 2, 0 },
		  32,
		  0,
		  FUTEX_OP_WAIT,
		  0xffffffff,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_SEMAPHORE,
		  0,
		  0,
		  0 },
		{ { 0x80000000, 2, 0 },
		  32,
		  0,
		  FUTEX_OP_WAIT,
		  0x80000000,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_SEMAPHORE,
		  0,
		  0,
		  0 },
		{ { 0x80000003, 1, 128 },
		  56,
		  0,
		  FUTEX_OP_WAIT,
		  0x80000003,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_RWLOCK,
		  0,
		  3,
		  0 },
		{ { 0xffffffff, 0xffffffff, 1, 1, 0 },
		  48,
		  8,
		  FUTEX_OP_WAIT,
		  1,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_COND,
		  0,
		  0,
		  0 },
		/* musl, 32 bit: from the word on, a mutex could be a semaphore. */
		{ { 0x80, 0x80000010, 2 },
		  24,
		  4,
		  FUTEX_OP_WAIT,
		  0x80000010,
		  LIBC_MUSL,
		  true,
		  false,
		  FUTEX_MUTEX,
		  0,
		  0,
		  0 },
		{ { 0x84, 0x80001267, 2 },
		  24,
		  4,
		  FUTEX_OP_WAIT,
		  0x80001267,
		  LIBC_MUSL,
		  true,
		  false,
		  FUTEX_MUTEX,
		  4711,
		  0,
		  0 },
		/* What does not agree with how a task waits for it. */
		{ { 2, 0, 4711, 1, 0x80 },
		  40,
		  0,
		  FUTEX_OP_WAIT,
		  3,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_UNKNOWN,
		  0,
		  0,
		  0 },
		{ { 2, 0, 4711, 1, 0x80 },
		  40,
		  0,
		  FUTEX_OP_LOCK_PI,
		  0,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_UNKNOWN,
		  0,
		  0,
		  0 },
		{ { 2, 0, 4711, 1, 0x80 },
		  40,
		  0,
		  FUTEX_OP_WAIT,
		  2,
		  LIBC_MUSL,
		  false,
		  false,
		  FUTEX_UNKNOWN,
		  0,
		  0,
		  0 },
		{ { 2, 0, 4711, 1, 0x00 },
		  40,
		  0,
		  FUTEX_OP_WAIT,
		  2,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_UNKNOWN,
		  0,
		  0,
		  0 },
		{ { 0, 3, 0x80 },
		  32,
		  0,
		  FUTEX_OP_WAIT_BITSET,
		  5,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_UNKNOWN,
		  0,
		  0,
		  0 },
		{ { 2, 0, 0x3ffffff0, 1, 0x80 },
		  40,
		  0,
		  FUTEX_OP_WAIT,
		  2,
		  LIBC_GLIBC,
		  false,
		  false,
		  FUTEX_UNKNOWN,
		  0,
		  0,
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		const struct futex_hint hint = { e[i].operation, e[i].value, e[i].libc, e[i].narrow,
						 e[i].recent };
		struct futex_decoded d = decode(e[i].words, e[i].size, e[i].word, &hint);

		if (d.type != e[i].type || d.owner != e[i].owner || d.readers != e[i].readers ||
		    d.value != e[i].semaphore)
			fail_msg("row %zu: type %d, owner %u, %u readers, value %u", i, d.type, d.owner,
				 d.readers, d.value);
		if (d.type == FUTEX_UNKNOWN)
			continue;
		assert_int_equal(d.confidence, CONFIDENCE_CERTAIN);
		assert_int_equal(d.before, e[i].word);
		assert_int_equal(d.size, e[i].size);
		/* One byte less, and it is not read as what cannot be seen whole. */
		for (size_t size = 4 + e[i].word; size < e[i].size; size += 4)
			(void)decode(e[i].words, size, e[i].word, &hint);
	}
}

static void dead_owners(void **state)
{
	static const uint32_t robust[10] = { 0x40000000, 0, 4711, 1, 0x90 };
	static const uint32_t waited[10] = { 0xc0000000, 0, 4711, 1, 0x90 };
	/* Its list still points to that of its owner, to wherever that was. */
	static const uint32_t linked[16] = { 0x40000000, 0,	 4711,	 1,	     0x90,
					     0,		 0x2f40, 0x7fb1, 0x80f02f40, 0x7fb1 };
	/* The halves of pointers are no sizes of a recent glibc's condition variable. */
	static const uint32_t as_recent[16] = { 0x40000000, 0,		4711,	1,	    0x90,
						0,	    0x80f02f40, 0x7fb1, 0x80f02f40, 0x7fb1 };
	static const struct futex_hint recent_nobody = { .operation = FUTEX_OP_NONE, .recent = true };
	/* Of a program with words of 32 bits, on the list that has but one link. */
	static const uint32_t narrow[12] = { 0x40000000, 0, 4711, 0x90, 1, 0xf7c02f40 };
	static const struct futex_hint wide_nobody = { .operation = FUTEX_OP_NONE };
	static const struct futex_hint narrow_nobody = { .operation = FUTEX_OP_NONE, .narrow = true };
	struct futex_decoded d;

	(void)state;
	d = decode(robust, sizeof(robust), 0, &(struct futex_hint){ .libc = LIBC_GLIBC });
	assert_int_equal(d.type, FUTEX_MUTEX);
	assert_true(d.owner_died && !d.locked && d.owner == 0);
	d = decode(waited, sizeof(waited), 0, &(struct futex_hint){ .libc = LIBC_GLIBC });
	assert_true(d.type == FUTEX_MUTEX && d.owner_died && d.owner == 0);
	d = decode(linked, sizeof(linked), 0, &wide_nobody);
	assert_true(d.type == FUTEX_MUTEX && d.owner_died && d.owner == 0);
	d = decode(as_recent, sizeof(as_recent), 0, &recent_nobody);
	assert_true(d.type == FUTEX_MUTEX && d.owner_died && d.owner == 0);
	d = decode(narrow, sizeof(narrow), 0, &narrow_nobody);
	assert_true(d.type == FUTEX_MUTEX && d.owner_died && d.owner == 0);
}

/* Objects at odd places are none. */
static void misaligned(void **state)
{
	static const uint32_t words[10] = { 2, 0, 4711, 1, 0x80 };
	const struct futex_hint hint = { FUTEX_OP_WAIT, 2, LIBC_GLIBC, false, false };
	struct futex_window window = { (const unsigned char *)words, 0, sizeof(words), 4100 };
	struct futex_decoded d;

	(void)state;
	futex_decode(&window, &hint, &d);
	assert_int_equal(d.type, FUTEX_UNKNOWN);
	window.offset = 4104;
	futex_decode(&window, &hint, &d);
	assert_int_equal(d.type, FUTEX_MUTEX);
}

/* Whatever the bytes: nothing outside of them is read, and what is said is within bounds. */
static void random_bytes(void **state)
{
	static const uint32_t likely[] = { 0,	 1,    2,   3,		4,	    0x80,
					   0x90, 0xa0, 128, 4711,	0x11,	    0x10,
					   0x84, 0x88, 16,  0x80000000, 0xffffffff, 0x40000000 };
	uint64_t seed = 99;
	size_t found = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint32_t words[SIZE / 4 * 2];
		size_t size = 4 + next_random(&seed) % (sizeof(words) / 4) * 4;
		size_t before = next_random(&seed) % (size / 4) * 4;
		const struct futex_hint hint = { (enum futex_operation)(next_random(&seed) % 8),
						 likely[next_random(&seed) % ARRAY_SIZE(likely)],
						 (enum futex_libc)(next_random(&seed) % 3),
						 next_random(&seed) & 1, next_random(&seed) & 1 };
		struct futex_decoded d;

		for (size_t w = 0; w < ARRAY_SIZE(words); w++)
			words[w] = next_random(&seed) % 4 ? likely[next_random(&seed) % ARRAY_SIZE(likely)] :
							    (uint32_t)next_random(&seed);
		d = decode(words, size, before, &hint);
		found += d.type != FUTEX_UNKNOWN;
		assert_true(d.before <= before && d.before <= FUTEX_BEFORE);
		assert_true(d.size >= 4 && d.size <= FUTEX_BEHIND && d.before < d.size);
		assert_true(d.owner <= 0x400000 && d.kind <= 3 && d.value <= INT32_MAX);
		assert_true((d.type == FUTEX_UNKNOWN) == (d.confidence == CONFIDENCE_NONE));
	}
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_mutexes),	 cmocka_unit_test(own_rwlock),
		cmocka_unit_test(own_semaphore), cmocka_unit_test(recorded),
		cmocka_unit_test(dead_owners),	 cmocka_unit_test(misaligned),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
