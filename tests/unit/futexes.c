/* SPDX-License-Identifier: MIT */
/*
 * Whose a lock is, where every process is in sight: that is seldom so in the namespaces that other
 * tests run in, and never in an unprivileged container. What was counted as out of sight is
 * therefore said to be none, and the rest is the living system.
 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/scan.h"

struct scene {
	struct scan_context context;
	struct snapshot snapshot;
	pthread_mutex_t *mutex; /* in shared memory, not robust */
};

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	pthread_mutexattr_t attr;

	assert_non_null(s);
	/* Freed before each look: there is nothing to be closed yet. */
	s->snapshot.shm.root = s->snapshot.queues.root = -1;
	assert_int_equal(scan_context_open(&s->context, NULL), 0);
	s->mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s->mutex != MAP_FAILED);
	assert_int_equal(pthread_mutexattr_init(&attr), 0);
	assert_int_equal(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(pthread_mutex_init(s->mutex, &attr), 0);
	*state = s;
	return 0;
}

static int end_scene(void **state)
{
	struct scene *s = *state;

	snapshot_free(&s->snapshot);
	munmap(s->mutex, 4096);
	scan_context_close(&s->context);
	free(s);
	return 0;
}

/* What lies at the mutex, if the view is whole or not. */
static const struct futex *look(struct scene *s, bool whole)
{
	const struct scan_request request = { .sources = SOURCE_FUTEX };
	struct warnings warnings = { 0 };
	int64_t i;

	snapshot_free(&s->snapshot);
	assert_int_equal(snapshot_take(&s->snapshot, &s->context, &request, &warnings), 0);
	warnings_free(&warnings);
	s->snapshot.holders.hidden = !whole;
	s->snapshot.holders.unreadable = 0;
	i = futexes_at(&s->snapshot, (uint32_t)getpid(), (uintptr_t)s->mutex);
	assert_true(i >= 0);
	return &s->snapshot.futexes.items[i];
}

static void needs_glibc(void)
{
#ifndef __GLIBC__
	skip(); /* a normal mutex of musl does not name its owner */
#endif
}

static void not_locked(void **state)
{
	struct scene *s = *state;
	const struct futex *f = look(s, true);

	assert_int_equal(f->decoded.type, FUTEX_MUTEX);
	assert_int_equal(f->owner.state, OWNER_NONE);
	assert_false(f->decoded.locked);
	assert_int_equal(f->object.key.class, OBJECT_ANON_MAPPING);
	assert_int_equal(f->offset, 0);
}

static void locked_by_this_process(void **state)
{
	struct scene *s = *state;
	const struct futex *f;

	needs_glibc();
	assert_int_equal(pthread_mutex_lock(s->mutex), 0);
	for (int whole = 0; whole <= 1; whole++) {
		f = look(s, whole);
		assert_int_equal(f->owner.state, OWNER_ALIVE);
		assert_int_equal(f->owner.pid, getpid());
		assert_int_equal(f->owner.tid, syscall(SYS_gettid));
	}
	assert_int_equal(pthread_mutex_unlock(s->mutex), 0);
}

struct locker {
	pthread_mutex_t *mutex;
	pthread_barrier_t barrier;
	long tid;
};

static void *lock_and_wait(void *argument)
{
	struct locker *l = argument;

	l->tid = syscall(SYS_gettid);
	assert_int_equal(pthread_mutex_lock(l->mutex), 0);
	pthread_barrier_wait(&l->barrier);
	pthread_barrier_wait(&l->barrier);
	assert_int_equal(pthread_mutex_unlock(l->mutex), 0);
	return NULL;
}

static void locked_by_a_thread(void **state)
{
	struct scene *s = *state;
	struct locker l = { .mutex = s->mutex };
	const struct futex *f;
	pthread_t thread;

	needs_glibc();
	assert_int_equal(pthread_barrier_init(&l.barrier, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, lock_and_wait, &l), 0);
	pthread_barrier_wait(&l.barrier);
	f = look(s, true);
	assert_int_equal(f->owner.state, OWNER_ALIVE);
	assert_int_equal(f->owner.pid, getpid());
	assert_int_equal(f->owner.tid, l.tid);
	pthread_barrier_wait(&l.barrier);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Nobody has that number any more: dead, if all were seen, and else who knows. */
static void locked_by_the_dead(void **state)
{
	struct scene *s = *state;
	pid_t pid = fork();

	needs_glibc();
	if (pid == 0)
		_exit(pthread_mutex_lock(s->mutex));
	assert_true(pid > 0);
	/* A zombie is dead, too, though its number is still there. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(look(s, true)->owner.state, OWNER_DEAD);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(look(s, true)->owner.state, OWNER_DEAD);
	assert_int_equal(look(s, false)->owner.state, OWNER_UNKNOWN);
	assert_int_equal(look(s, true)->decoded.owner, pid);
}

/* A process of that number lives, but has never seen this memory. */
static void a_number_given_again(void **state)
{
	struct scene *s = *state;
	pid_t pid;
	int ends[2];
	char c = 0;

	needs_glibc();
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_mutex_lock(s->mutex) != 0 || munmap(s->mutex, 4096) != 0 ||
		    write(ends[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_int_equal(look(s, true)->owner.state, OWNER_DEAD);
	assert_int_equal(look(s, false)->owner.state, OWNER_UNKNOWN);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ends[0]);
	close(ends[1]);
}

static void other_addresses(void **state)
{
	struct scene *s = *state;
	uintptr_t base = (uintptr_t)s->mutex;
	uint32_t self = (uint32_t)getpid();

	(void)look(s, true);
	assert_int_equal(futexes_at(&s->snapshot, self, base + 2), -EINVAL);
	assert_int_equal(futexes_at(&s->snapshot, self, base + 4096 - 4096 * 4096ull), -EFAULT);
	assert_int_equal(futexes_at(&s->snapshot, self, (uintptr_t)&base & ~(uintptr_t)3), -EFAULT);
	assert_true(futexes_at(&s->snapshot, 5000001, base) < 0);
	/* Any byte of the mutex means it. */
	assert_true(futexes_at(&s->snapshot, self, base + 4) == futexes_at(&s->snapshot, self, base));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(not_locked, make_scene, end_scene),
		cmocka_unit_test_setup_teardown(locked_by_this_process, make_scene, end_scene),
		cmocka_unit_test_setup_teardown(locked_by_a_thread, make_scene, end_scene),
		cmocka_unit_test_setup_teardown(locked_by_the_dead, make_scene, end_scene),
		cmocka_unit_test_setup_teardown(a_number_given_again, make_scene, end_scene),
		cmocka_unit_test_setup_teardown(other_addresses, make_scene, end_scene),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
