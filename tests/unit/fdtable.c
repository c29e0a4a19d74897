/* SPDX-License-Identifier: MIT */
/* Which descriptors a process has, by trying numbers, against what readdir(3) says. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/fdtable.h"

#define MOST 4000

/* A set of numbers. */
struct set {
	bool has[MOST];
	size_t count;
};

static void put(struct set *s, int fd)
{
	if (fd < 0 || fd >= MOST || s->has[fd])
		return;
	s->has[fd] = true;
	s->count++;
}

static int open_table(pid_t pid)
{
	char path[40];
	int dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

/* What the kernel lists. */
static void list(pid_t pid, struct set *s)
{
	DIR *dir = fdopendir(open_table(pid));
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			put(s, atoi(entry->d_name));
	closedir(dir);
}

/* What the reader tells; it must go up. Returns how many of the numbers were not in use, of those
 * that are ours: valgrind has some of its own at the end. */
static size_t read_table(pid_t pid, bool counting, struct set *s)
{
	int dir = open_table(pid), before = -1, n;
	struct fd_reader reader = { .names.fd = dir, .counting = counting, .last = -1 };
	size_t missed = 0;
	const char *name;
	char link[64];

	while ((n = fd_reader_next(&reader, &name)) > 0) {
		assert_int_equal(atoi(name), reader.last);
		assert_true(reader.last > before);
		before = reader.last;
		if (readlinkat(dir, name, link, sizeof(link)) < 0) {
			missed += reader.last < MOST;
			fd_reader_missed(&reader);
		} else {
			put(s, reader.last);
		}
	}
	assert_int_equal(n, 0);
	dir_reader_free(&reader.names);
	close(dir);
	return missed;
}

/* In the child: has the numbers, all leading to /dev/null, and no other below MOST. */
static void take(const struct set *wanted)
{
	int null = open("/dev/null", O_RDONLY);
	int high = fcntl(null, F_DUPFD, MOST);

	for (int fd = 0; fd < MOST; fd++)
		if (wanted->has[fd])
			dup2(high, fd);
		else
			close(fd);
	close(high);
}

/* A child with such a table, stopped; churn: it goes on instead, opening and closing others. */
static pid_t start(const struct set *wanted, bool churn)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		unsigned int random = 1;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		take(wanted);
		raise(SIGSTOP);
		while (churn) {
			int fd = (int)((random = random * 1103515245 + 12345) >> 8) % 200;
			int known = 0;

			while (!wanted->has[known])
				known++;
			if (!wanted->has[fd] && dup2(known, fd) >= 0 && random >> 31)
				close(fd);
			close((fd * 7) % 200 + 200);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	if (churn)
		kill(pid, SIGCONT);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void check(const struct set *wanted, size_t most_missed)
{
	struct set listed = { 0 }, counted = { 0 }, plain = { 0 };
	pid_t pid = start(wanted, false);
	size_t missed;

	list(pid, &listed);
	missed = read_table(pid, true, &counted);
	assert_int_equal(read_table(pid, false, &plain), 0);
	end(pid);
	assert_int_equal(listed.count, wanted->count);
	assert_memory_equal(listed.has, wanted->has, sizeof(listed.has));
	assert_memory_equal(counted.has, wanted->has, sizeof(counted.has));
	assert_memory_equal(plain.has, wanted->has, sizeof(plain.has));
	assert_in_range(missed, 0, most_missed);
}

/* Whether a number is in use, by the shape of the table. */
static void fill(struct set *s, int from, int to, int step)
{
	for (int fd = from; fd < to; fd += step)
		put(s, fd);
}

static void test_none(void **state _unused_)
{
	check(&(struct set){ 0 }, 1);
}

static void test_without_a_gap(void **state _unused_)
{
	struct set s = { 0 };

	fill(&s, 0, 500, 1);
	/* The end, and no more: that is what makes it quick. */
	check(&s, 1);
}

static void test_not_from_zero(void **state _unused_)
{
	struct set s = { 0 };

	fill(&s, 3, 300, 1);
	check(&s, 2);
}

static void test_with_gaps(void **state _unused_)
{
	for (int step = 2; step < 40; step += 5) {
		struct set s = { 0 };

		fill(&s, 0, 900, step);
		fill(&s, 900, 1000, 1);
		fill(&s, 1500, 1503, 1);
		put(&s, 2047);
		put(&s, MOST - 1);
		/* Where it is thin, it is listed as a whole, soon. */
		check(&s, 8);
	}
}

/* Ten descriptors, ten holes, and so on: batches end within and at the edges of each. */
static void test_stripes(void **state _unused_)
{
	for (int width = 1; width < 24; width++) {
		struct set s = { 0 };

		for (int fd = 0; fd < 700; fd++)
			if (fd / width % 2 == 0)
				put(&s, fd);
		check(&s, s.count);
	}
}

static void test_one_far_away(void **state _unused_)
{
	struct set s = { 0 };

	put(&s, MOST - 1);
	check(&s, 2);
}

/* A process that ends belongs to root from then on, and every number is refused: that comes to an
 * end all the same, and tells those that there are. */
static void test_all_refused(void **state _unused_)
{
	struct set s = { 0 }, told = { 0 };
	size_t tries = 0;
	const char *name;
	struct fd_reader reader = { .counting = true, .last = -1 };
	pid_t pid;
	int n;

	fill(&s, 0, 300, 1);
	fill(&s, 310, 900, 3);
	pid = start(&s, false);
	reader.names.fd = open_table(pid);
	while ((n = fd_reader_next(&reader, &name)) > 0 && tries++ < 2 * MOST) {
		put(&told, reader.last);
		fd_reader_missed(&reader);
	}
	assert_int_equal(n, 0);
	for (int fd = 0; fd < MOST; fd++)
		assert_true(told.has[fd] || !s.has[fd]);
	close(reader.names.fd);
	dir_reader_free(&reader.names);
	end(pid);
}

/* What is open all the time is told, whatever comes and goes around it. */
static void test_while_others_change(void **state _unused_)
{
	struct set s = { 0 };
	pid_t pid;

	for (int fd = 0; fd < 200; fd++)
		if (fd % 3 == 1 || fd / 16 % 4 == 2)
			put(&s, fd);
	pid = start(&s, true);
	for (int round = 0; round < 300; round++) {
		struct set counted = { 0 };

		read_table(pid, true, &counted);
		for (int fd = 0; fd < 200; fd++)
			assert_true(counted.has[fd] || !s.has[fd]);
	}
	end(pid);
}

static void test_positions(void **state _unused_)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int other = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd_positions_known(proc));
	assert_false(fd_positions_known(other));
	close(proc);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positions),	    cmocka_unit_test(test_none),
		cmocka_unit_test(test_without_a_gap),	    cmocka_unit_test(test_not_from_zero),
		cmocka_unit_test(test_with_gaps),	    cmocka_unit_test(test_stripes),
		cmocka_unit_test(test_all_refused),	    cmocka_unit_test(test_one_far_away),
		cmocka_unit_test(test_while_others_change),
	};
	/* Room for all of the numbers. */
	struct rlimit limit = { MOST + 100, MOST + 100 };

	setrlimit(RLIMIT_NOFILE, &limit);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
