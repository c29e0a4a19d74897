/* SPDX-License-Identifier: MIT */
/* Lines of /proc/locks and fdinfo, and what waits for what. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kind/lock.h"
#include "scan/holders.h"
#include "scan/lockwaits.h"
#include "scan/proclocks.h"

static struct lock_line parse(const char *text)
{
	struct span copy = exact(span_of(text));
	struct lock_line line;

	assert_int_equal(lock_parse(copy, &line), 0);
	free((char *)(uintptr_t)copy.ptr);
	return line;
}

static void lines_as_kernels_print_them(void **state _unused_)
{
	struct lock_line l = parse("1: POSIX  ADVISORY  WRITE 25014 fd:0a:1234 0 EOF");

	assert_int_equal(l.type, LOCK_POSIX);
	assert_true(l.write && !l.breaking && l.level == 0);
	assert_int_equal(l.pid, 25014);
	assert_int_equal(l.dev, makedev(0xfd, 0x0a));
	assert_int_equal(l.ino, 1234);
	assert_true(l.start == 0 && l.end == LOCK_EOF);

	l = parse("\t12: OFDLCK ADVISORY  READ -1 00:29:2 10 4294967296");
	assert_true(l.type == LOCK_OFD && !l.write && l.pid == -1);
	assert_true(l.start == 10 && l.end == 4294967296);

	l = parse("2: FLOCK  ADVISORY  WRITE 0 103:02:18446744073709551615 0 EOF");
	assert_true(l.type == LOCK_FLOCK && l.pid == 0 && l.ino == UINT64_MAX);
	assert_int_equal(l.dev, makedev(0x103, 2));

	l = parse("4: LEASE  ACTIVE    READ 16 fe:00:10952762 0 EOF");
	assert_true(l.type == LOCK_LEASE && !l.breaking && !l.write && !l.none);
	l = parse("4: LEASE  BREAKING  UNLCK 16 fe:00:10952762 0 EOF");
	assert_true(l.type == LOCK_LEASE && l.breaking && l.none);
	l = parse("4: DELEG  BREAKING  READ 16 fe:00:10952762 0 EOF");
	assert_true(l.type == LOCK_LEASE && l.breaking && !l.none);

	assert_int_equal(parse("1: -> FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF").level, 1);
	assert_int_equal(parse("1:  -> FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF").level, 2);
	assert_int_equal(parse("1:    -> FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF").level, 4);
	/* Columns that a later kernel adds are no concern of ours. */
	assert_int_equal(parse("1: FLOCK ADVISORY READ 4 00:29:2 0 EOF more").ino, 2);
}

static void other_lines_are_refused(void **state _unused_)
{
	static const char *const lines[] = {
		"",
		":",
		"1:",
		"1: ",
		"1: ->",
		"x: FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF",
		"1 FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4 00:29:2 0",
		"1: FLOCK  ADVISORY  MAYBE 4 00:29:2 0 EOF",
		"1: FLOCK  ADVISORY  WRITE x 00:29:2 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4 00:29 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4 00:zz:2 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4 ffffffff1:00:2 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4 00:29:2x 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4 <none>:0 0 EOF",
		"1: POSIX  ADVISORY  WRITE 4 00:29:2 9 8",
		"1: POSIX  ADVISORY  WRITE 4 00:29:2 -1 8",
		"1: POSIX  ADVISORY  WRITE 4 00:29:2 0 9223372036854775808",
	};
	struct lock_line line;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct span copy = exact(span_of(lines[i]));

		if (lock_parse(copy, &line) != -EINVAL)
			fail_msg("'%s' is no lock", lines[i]);
		free((char *)(uintptr_t)copy.ptr);
	}
	assert_int_equal(lock_parse(SPAN("1: LAYOUT ACTIVE READ 4 00:29:2 0 EOF"), &line), -ENOTSUP);
	assert_int_equal(lock_parse(SPAN("1: ACCESS ADVISORY READ 4 00:29:2 0 EOF"), &line), -ENOTSUP);
}

/* Every prefix, and every byte another one: nothing is read beyond the end. */
static void cut_and_broken_lines_do_no_harm(void **state _unused_)
{
	static const char text[] = "12:  -> POSIX  ADVISORY  WRITE 25014 fd:0a:1234 17 4096";
	char bytes[sizeof(text)];
	struct lock_line line;

	for (size_t n = 0; n < sizeof(text); n++) {
		struct span copy = exact((struct span){ text, n });

		(void)!lock_parse(copy, &line);
		free((char *)(uintptr_t)copy.ptr);
	}
	for (size_t at = 0; at + 1 < sizeof(text); at++)
		for (int byte = 0; byte < 256; byte += 7) {
			struct span copy;

			memcpy(bytes, text, sizeof(text));
			bytes[at] = (char)byte;
			copy = exact((struct span){ bytes, sizeof(text) - 1 });
			(void)!lock_parse(copy, &line);
			free((char *)(uintptr_t)copy.ptr);
		}
}

/* /proc/locks of a directory that looks like /proc. */
static void read_locks(struct proc_locks *l, const char *text)
{
	char root[] = "/tmp/ipcctl-locks-XXXXXX";
	struct scan_context context = { .own_proc = false };
	int fd;

	assert_non_null(mkdtemp(root));
	context.proc = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(context.proc, "locks", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(proc_locks_read(l, &context), 0);
	unlinkat(context.proc, "locks", 0);
	close(context.proc);
	rmdir(root);
}

/* A file that gives each piece to one read(2), as the kernel does. */
static void *tell_in_pieces(void *data)
{
	const char *const *piece = data;
	int fd = open(*piece++, O_WRONLY | O_CLOEXEC), left;

	for (; *piece; piece++) {
		assert_int_equal(write(fd, *piece, strlen(*piece)), (ssize_t)strlen(*piece));
		do
			assert_int_equal(ioctl(fd, FIONREAD, &left), 0);
		while (left > 0);
	}
	close(fd);
	return NULL;
}

/* What moved behind the place where the next page begins is told twice. */
static void told_again(void **state _unused_)
{
	char root[] = "/tmp/ipcctl-locks-XXXXXX", path[64];
	const char *pieces[] = { path,
				 "1: FLOCK  ADVISORY  WRITE 10 fe:00:100 0 EOF\n"
				 "1: -> FLOCK  ADVISORY  WRITE 11 fe:00:100 0 EOF\n"
				 "2: FLOCK  ADVISORY  READ 12 fe:00:101 0 EOF\n"
				 "3: FLOCK  ADVISORY  READ 12 fe:00:101 0 EOF\n",
				 "4: FLOCK  ADVISORY  WRITE 10 fe:00:100 0 EOF\n"
				 "4: -> FLOCK  ADVISORY  WRITE 11 fe:00:100 0 EOF\n"
				 "5: FLOCK  ADVISORY  READ 13 fe:00:101 0 EOF\n",
				 NULL };
	struct scan_context context = { .own_proc = false };
	struct proc_locks l = { 0 };
	pthread_t thread;

	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/locks", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, tell_in_pieces, pieces), 0);
	context.proc = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(proc_locks_read(&l, &context), 0);
	pthread_join(thread, NULL);
	/* Two of one process, told at one moment, are two. */
	assert_int_equal(l.count, 4);
	assert_int_equal(l.nwaiters, 1);
	assert_int_equal(l.items[3].line.pid, 13);
	proc_locks_free(&l);
	close(context.proc);
	unlink(path);
	rmdir(root);
}

static void rows_of_waiters(void **state _unused_)
{
	struct lock_line line = parse("1: FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF");
	struct proc_locks l = { 0 };
	const struct proc_lock *lock;

	read_locks(&l, "1: FLOCK  ADVISORY  READ 3 00:29:9 0 EOF\n"
		       "2: FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF\n"
		       "2: -> FLOCK  ADVISORY  WRITE 5 00:29:2 0 EOF\n"
		       "2:  -> FLOCK  ADVISORY  WRITE 6 00:29:2 0 EOF\n"
		       "2:   -> FLOCK  ADVISORY  READ 7 00:29:2 0 EOF\n"
		       "2:  -> FLOCK  ADVISORY  WRITE 8 00:29:2 0 EOF\n"
		       "2: -> FLOCK  ADVISORY  WRITE 9 00:29:2 0 EOF\n"
		       "3: FLOCK  ADVISORY  READ 3 00:29:9 0 EOF\n");
	assert_int_equal(l.count, 3);
	assert_int_equal(l.nwaiters, 5);
	lock = proc_locks_find(&l, &line);
	assert_non_null(lock);
	assert_int_equal(lock->count, 5);
	assert_null(proc_locks_next(&l, lock));
	assert_int_equal(l.waiters[lock->first + 0].ahead, NO_WAITER);
	assert_int_equal(l.waiters[l.waiters[lock->first + 1].ahead].line.pid, 5);
	assert_int_equal(l.waiters[l.waiters[lock->first + 2].ahead].line.pid, 6);
	assert_int_equal(l.waiters[l.waiters[lock->first + 3].ahead].line.pid, 5);
	assert_int_equal(l.waiters[lock->first + 4].ahead, NO_WAITER);
	/* Two lines of one shared lock. */
	line = parse("1: FLOCK  ADVISORY  READ 3 00:29:9 0 EOF");
	lock = proc_locks_find(&l, &line);
	assert_ptr_equal(lock, &l.items[0]);
	assert_ptr_equal(proc_locks_next(&l, lock), &l.items[2]);
	assert_true(proc_locks_has_inode(&l, 9) && proc_locks_has_inode(&l, 2) &&
		    !proc_locks_has_inode(&l, 3));
	assert_false(l.all || l.cut);
	proc_locks_free(&l);
}

/* The list may change between two pages of it: a waiter may come without what it waits for. */
static void torn_rows(void **state _unused_)
{
	struct proc_locks l = { 0 };

	read_locks(&l, "1: -> FLOCK  ADVISORY  WRITE 5 00:29:2 0 EOF\n"
		       "2: FLOCK  ADVISORY  WRITE 4 00:29:2 0 EOF\n"
		       "2:     -> FLOCK  ADVISORY  WRITE 6 00:29:2 0 EOF\n"
		       "3: LAYOUT ACTIVE  READ 4 00:29:2 0 EOF\n"
		       "3: -> FLOCK  ADVISORY  WRITE 7 00:29:2 0 EOF\n"
		       "nonsense\n");
	assert_int_equal(l.count, 1);
	assert_int_equal(l.nwaiters, 1);
	assert_int_equal(l.waiters[0].line.pid, 6);
	assert_int_equal(l.waiters[0].ahead, NO_WAITER);
	proc_locks_free(&l);
}

static void many_lines_are_cut(void **state _unused_)
{
	struct buf text = { 0 };
	struct proc_locks l = { 0 };

	for (int i = 0; i < PROC_LOCKS_MOST + 10; i++)
		buf_printf(&text, "%d: FLOCK  ADVISORY  WRITE 4 00:29:%d 0 EOF\n", i, i);
	buf_putc(&text, '\0');
	read_locks(&l, text.data);
	assert_int_equal(l.count, PROC_LOCKS_MOST);
	assert_true(l.cut && !l.all);
	proc_locks_free(&l);
	buf_free(&text);
}

static struct lock lock_of(const char *text, uint64_t subvolume)
{
	return (struct lock){ .line = parse(text), .subvolume = subvolume };
}

static void sets(void **state _unused_)
{
	struct lock_set set = { 0 };
	struct lock a = lock_of("1: POSIX ADVISORY WRITE 4 00:29:2 0 9", 0);
	struct lock lease = lock_of("1: LEASE ACTIVE READ 4 00:29:2 0 EOF", 0);
	static const char *const others[] = {
		"1: POSIX ADVISORY READ 4 00:29:2 0 9",	 "1: OFDLCK ADVISORY WRITE 4 00:29:2 0 9",
		"1: POSIX ADVISORY WRITE 4 00:29:2 0 8", "1: POSIX ADVISORY WRITE 4 00:29:2 1 9",
		"1: POSIX ADVISORY WRITE 4 00:29:3 0 9", "1: POSIX ADVISORY WRITE 4 00:2a:2 0 9",
	};

	assert_int_equal(lock_set_add(&set, &a), 0);
	a.line.pid = 5; /* who has it does not make it another */
	assert_int_equal(lock_set_add(&set, &a), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct lock other = lock_of(others[i], 0);

		assert_int_equal(lock_set_find(&set, &other), -ENOENT);
		assert_int_equal(lock_set_add(&set, &other), i + 1);
	}
	/* The same numbers in another subvolume. */
	a.subvolume = 77;
	assert_int_equal(lock_set_find(&set, &a), -ENOENT);
	assert_int_equal(lock_set_add(&set, &a), 7);
	assert_int_equal(lock_set_next(&set, &a.line, NULL)->value, 0);
	assert_int_equal(lock_set_next(&set, &a.line, lock_set_next(&set, &a.line, NULL))->value, 7);
	/* A lease that is being broken is the same. */
	assert_int_equal(lock_set_add(&set, &lease), 8);
	lease = lock_of("1: LEASE BREAKING UNLCK 4 00:29:2 0 EOF", 0);
	assert_int_equal(lock_set_find(&set, &lease), 8);
	/* What was seen of the file stays. */
	a = lock_of("1: POSIX ADVISORY WRITE 4 00:29:2 0 9", 0);
	a.looked = true;
	a.path = SPAN("/x");
	assert_int_equal(lock_set_add(&set, &a), 0);
	a.looked = false;
	assert_int_equal(lock_set_add(&set, &a), 0);
	assert_true(set.items[0].looked);
	assert_span(set.items[0].path, SPAN("/x"));
	lock_set_free(&set);
}

static void conflicts(void **state _unused_)
{
	static const struct {
		const char *held, *wanted;
		bool conflict;
	} pairs[] = {
		{ "1: POSIX A WRITE 4 00:29:2 0 9", "1: POSIX A WRITE 5 00:29:2 9 9", true },
		{ "1: POSIX A WRITE 4 00:29:2 0 9", "1: POSIX A WRITE 5 00:29:2 10 EOF", false },
		{ "1: POSIX A READ 4 00:29:2 0 9", "1: POSIX A READ 5 00:29:2 0 9", false },
		{ "1: POSIX A READ 4 00:29:2 0 9", "1: OFDLCK A WRITE 5 00:29:2 0 9", true },
		{ "1: OFDLCK A WRITE 4 00:29:2 5 EOF", "1: POSIX A READ 5 00:29:2 0 5", true },
		{ "1: FLOCK A WRITE 4 00:29:2 0 EOF", "1: POSIX A WRITE 5 00:29:2 0 EOF", false },
		{ "1: FLOCK A READ 4 00:29:2 0 EOF", "1: FLOCK A READ 5 00:29:2 0 EOF", false },
		{ "1: FLOCK A READ 4 00:29:2 0 EOF", "1: FLOCK A WRITE 5 00:29:2 0 EOF", true },
		{ "1: LEASE ACTIVE WRITE 4 00:29:2 0 EOF", "1: POSIX A WRITE 5 00:29:2 0 EOF", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct lock_line held = parse(pairs[i].held), wanted = parse(pairs[i].wanted);

		assert_int_equal(lock_conflicts(&held, &wanted), pairs[i].conflict);
	}
}

static void ranges(void **state _unused_)
{
	static const char *const bad[] = { "",
					   "-",
					   "1",
					   "1-",
					   "-1",
					   "5-4",
					   "a-b",
					   "1-2-3",
					   "0x1-",
					   " 1-2",
					   "1-eof",
					   "9223372036854775808-EOF",
					   "0-9223372036854775808" };
	struct lock_range range;

	assert_int_equal(lock_range_parse(SPAN("0-0"), &range), 0);
	assert_true(range.start == 0 && range.end == 0);
	assert_int_equal(lock_range_parse(SPAN("7-EOF"), &range), 0);
	assert_true(range.start == 7 && range.end == LOCK_EOF);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (lock_range_parse(span_of(bad[i]), &range) != -EINVAL)
			fail_msg("'%s' is no range", bad[i]);
}

/* What a walk over our own /proc finds of our own locks, by their inodes. */
static size_t find_own(const struct proc_locks *told, const uint64_t *inodes, size_t count)
{
	struct holders_request request = { .classes = 1 << OBJECT_LOCK, .locks = told, .threads = 1 };
	struct warnings warnings = { 0 };
	struct holders h = { 0 };
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t found = 0;

	assert_int_equal(holders_walk(&h, proc, &request, &warnings), 0);
	for (size_t i = 0; i < h.locks.count; i++)
		for (size_t n = 0; n < count; n++)
			found += h.locks.items[i].line.ino == inodes[n];
	holders_free(&h);
	warnings_free(&warnings);
	close(proc);
	return found;
}

/*
 * In the first PID namespace /proc/locks says which files are worth a look; elsewhere whatever has
 * a path is. The tests run in one of their own, so that it is said here which it is.
 */
static void only_locked_files_are_looked_at(void **state _unused_)
{
	struct scan_context context = { .own_proc = true, .own_pids = true };
	struct proc_locks told = { 0 }, nothing = { .looked = true };
	int ends[2], memory = memfd_create("locked", MFD_CLOEXEC);
	FILE *file = tmpfile();
	uint64_t inodes[3];
	struct stat st;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(file && memory >= 0);
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? fileno(file) : i == 1 ? ends[0] : memory;

		assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
		assert_int_equal(fstat(fd, &st), 0);
		inodes[i] = st.st_ino;
	}
	context.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(proc_locks_read(&told, &context), 0);
	for (int all = 0; all < 2; all++) {
		told.all = nothing.all = all;
		assert_int_equal(find_own(&told, inodes, 3), 3);
		/* Nothing is locked, it says: what has a path is looked at where others may hide. */
		assert_int_equal(find_own(&nothing, inodes, 3), all ? 0 : 1);
	}
	proc_locks_free(&told);
	close(context.proc);
	close(memory);
	close(ends[0]);
	close(ends[1]);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_as_kernels_print_them),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(cut_and_broken_lines_do_no_harm),
		cmocka_unit_test(rows_of_waiters),
		cmocka_unit_test(torn_rows),
		cmocka_unit_test(told_again),
		cmocka_unit_test(many_lines_are_cut),
		cmocka_unit_test(sets),
		cmocka_unit_test(conflicts),
		cmocka_unit_test(ranges),
		cmocka_unit_test(only_locked_files_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
