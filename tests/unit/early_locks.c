/* SPDX-License-Identifier: MIT */
/* What a walk finds of locks that begins before /proc/locks is read. */
#include "unit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan/holders.h"

/* A walk, and what is to happen in the course of it: beside it, /proc/locks is read. */
struct course {
	struct latch locks_read;
	struct proc_locks told;
	bool silent; /* /proc/locks says nothing */
	int late;    /* to be locked before it is read, but when the walk is over, or -1 */
	struct holders found;
};

static void read_late(void *context, unsigned thread _unused_, size_t item _unused_)
{
	const struct scan_context scan = { .proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	const unsigned longer_than_a_walk = 300000; /* microseconds; if not, less is tested */
	struct course *c = context;

	usleep(longer_than_a_walk);
	if (c->late >= 0)
		flock(c->late, LOCK_EX | LOCK_NB);
	if (!c->silent && proc_locks_read(&c->told, &scan) < 0)
		c->told.count = 0;
	close(scan.proc);
	latch_open(&c->locks_read);
}

static void walk(struct course *c)
{
	struct parallel_work beside = { read_late, c, 1 };
	struct holders_request request = {
		.classes = 1 << OBJECT_LOCK,
		.own_proc = true, /* else the length of tables tells them apart, which changes here */
		.locks = &c->told,
		.locks_read = &c->locks_read,
		.threads = 2,
		.beside = &beside,
	};
	struct warnings warnings = { 0 };
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(holders_walk(&c->found, proc, &request, &warnings), 0);
	warnings_free(&warnings);
	close(proc);
}

/* How many of our descriptors were found to hold the lock of a file. */
static size_t holdings_of(const struct course *c, int fd)
{
	const struct holders *h = &c->found;
	size_t count = 0;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (size_t i = 0; i < h->classes[OBJECT_LOCK].count; i++)
		for (const struct holding *g = object_holding(h, OBJECT_LOCK, i); g; g = holding_next(h, g))
			count += h->locks.items[g->ino].line.ino == st.st_ino &&
				 holding_holder(h, g)->pid == (uint32_t)getpid();
	return count;
}

static void end(struct course *c)
{
	holders_free(&c->found);
	proc_locks_free(&c->told);
}

/* Else it would be listed as a lock that nobody holds. */
static void who_locks_meanwhile_is_found(void **state _unused_)
{
	FILE *before = tmpfile(), *meanwhile = tmpfile();
	struct course c = { .locks_read = LATCH_CLOSED };

	assert_true(before && meanwhile);
	c.late = fileno(meanwhile);
	assert_int_equal(flock(fileno(before), LOCK_EX | LOCK_NB), 0);
	walk(&c);
	assert_int_equal(holdings_of(&c, fileno(before)), 1);
	assert_int_equal(holdings_of(&c, fileno(meanwhile)), 1);
	end(&c);
	fclose(before);
	fclose(meanwhile);
}

/* As if it had been read before: a file is looked at whatever it says, memory and pipes if it has them. */
static void what_has_no_path_waits_for_it(void **state _unused_)
{
	int ends[2], memory = memfd_create("locked", MFD_CLOEXEC);
	FILE *file = tmpfile();

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(file && memory >= 0);
	assert_int_equal(flock(fileno(file), LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(memory, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(ends[0], LOCK_EX | LOCK_NB), 0);
	for (int silent = 0; silent < 2; silent++) {
		struct course c = { .locks_read = LATCH_CLOSED, .silent = silent, .late = -1 };

		walk(&c);
		assert_int_equal(holdings_of(&c, fileno(file)), 1);
		assert_int_equal(holdings_of(&c, memory), silent ? 0 : 1);
		assert_int_equal(holdings_of(&c, ends[0]), silent ? 0 : 1);
		end(&c);
	}
	close(memory);
	close(ends[0]);
	close(ends[1]);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_locks_meanwhile_is_found),
		cmocka_unit_test(what_has_no_path_waits_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
