/* SPDX-License-Identifier: MIT */
/* Files of /proc/PID that are read for single objects: fdinfo, smaps, mountinfo for terminals. */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "scan/fdinfo.h"
#include "scan/found.h"
#include "scan/smaps.h"
#include "scan/terminals.h"

/* A directory that looks like /proc/1, in one that looks like /proc. */
struct tree {
	char root[sizeof("/tmp/ipcctl-procfiles-XXXXXX")];
	int proc, dir;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	strcpy(t->root, "/tmp/ipcctl-procfiles-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	t->proc = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->proc, "1", 0755), 0);
	assert_int_equal(mkdirat(t->proc, "1/fdinfo", 0755), 0);
	t->dir = openat(t->proc, "1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->dir >= 0);
	*state = t;
	return 0;
}

static int end_tree(void **state)
{
	static const char *const files[] = { "fdinfo/3", "fdinfo", "smaps", "mountinfo" };
	struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unlinkat(t->dir, files[i], 0) < 0)
			unlinkat(t->dir, files[i], AT_REMOVEDIR);
	close(t->dir);
	unlinkat(t->proc, "1", AT_REMOVEDIR);
	close(t->proc);
	assert_int_equal(rmdir(t->root), 0);
	free(t);
	return 0;
}

static void put(const struct tree *t, const char *name, const char *text)
{
	int fd = openat(t->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void fdinfo(void **state)
{
	const struct tree *t = *state;
	struct fdinfo info;
	uint64_t v = 0;
	unsigned flags = 0;

	assert_int_equal(fdinfo_read(&info, t->dir, ".", "3"), -ENOENT);
	put(t, "fdinfo/3", "pos:\t0\nflags:\t02004002\nmnt_id:\t15\nino:\t18446744073709551615\neventfd-count:               1f\n"
			   "eventfd-id: 7\nscm_fds: x\n");
	assert_int_equal(fdinfo_read(&info, t->dir, ".", "3"), 0);
	assert_int_equal(fdinfo_number(&info, "ino:", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(fdinfo_hex(&info, "eventfd-count:", &v), 0);
	assert_int_equal(v, 0x1f);
	assert_int_equal(fdinfo_number(&info, "eventfd-id:", &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(fdinfo_flags(&info, &flags), 0);
	assert_int_equal(flags, 02004002);
	/* What is not there, or no number, is not zero. */
	assert_int_equal(fdinfo_number(&info, "tty-index:", &v), -ENODATA);
	assert_int_equal(fdinfo_number(&info, "scm_fds:", &v), -ENODATA);
	put(t, "fdinfo/3", "");
	assert_int_equal(fdinfo_read(&info, t->dir, ".", "3"), 0);
	assert_int_equal(fdinfo_flags(&info, &flags), -ENODATA);
	put(t, "fdinfo/3", "flags:\t09\n");
	assert_int_equal(fdinfo_read(&info, t->dir, ".", "3"), 0);
	assert_int_equal(fdinfo_flags(&info, &flags), -ENODATA);
}

/* Anybody can put locks on a descriptor: their lines stand before what is looked for. */
static void fdinfo_behind_locks(void **state)
{
	const struct tree *t = *state;
	struct buf b = { 0 };
	struct fdinfo info;
	uint64_t v = 0;

	buf_puts(&b, "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t9\n");
	for (int i = 0; i < 3000; i++)
		buf_printf(&b, "lock:\t%d: OFDLCK ADVISORY  WRITE -1 00:0e:9 %d %d\n", i, 2 * i, 2 * i);
	buf_puts(&b, "eventfd-count: 5\neventfd-id: 77\n");
	put(t, "fdinfo/3", buf_cstr(&b));
	assert_int_equal(fdinfo_read(&info, t->dir, ".", "3"), 0);
	assert_int_equal(fdinfo_number(&info, "eventfd-id:", &v), 0);
	assert_int_equal(v, 77);
	assert_int_equal(fdinfo_number(&info, "ino:", &v), 0);
	assert_int_equal(v, 9);
	buf_free(&b);
}

static void smaps(void **state)
{
	const struct tree *t = *state;
	struct smaps_reader *reader = NULL;
	struct smaps_entry e;

	assert_int_equal(smaps_open(&reader, t->proc, 1, 0), -ENOENT);
	put(t, "smaps",
	    "1000-3000 rw-s 00000000 00:01 5                          /dev/zero (deleted)\n"
	    "Size:                  8 kB\nRss:                   8 kB\nPss:                   4 kB\n"
	    "Pss_Dirty:             4 kB\nShared_Dirty:          4 kB\nPrivate_Dirty:         2 kB\nSwap:                  1 kB\n"
	    "SwapPss:               9 kB\nVmFlags: rd wr sh\n"
	    "4000-5000 r--p 00000000 00:00 0\n"
	    "5000-6000 rw-s 00000000 00:11 6                          /anon_hugepage (deleted)\n"
	    "Rss:                   0 kB\nShared_Hugetlb:     2048 kB\n");
	assert_int_equal(smaps_open(&reader, t->proc, 1, 0), 0);
	assert_int_equal(smaps_next(reader, &e), 1);
	assert_true(e.start == 0x1000 && e.end == 0x3000);
	assert_true(e.rss == 8192 && e.pss == 4096 && e.dirty == 6144 && e.swap == 1024);
	assert_int_equal(smaps_next(reader, &e), 1);
	assert_true(e.start == 0x4000 && e.rss == 0 && e.pss == 0 && e.dirty == 0 && e.swap == 0);
	assert_int_equal(smaps_next(reader, &e), 1);
	assert_true(e.start == 0x5000 && e.rss == 2048 << 10);
	assert_int_equal(smaps_next(reader, &e), 0);
	smaps_close(reader);
}

/* Which devpts a master is of: its own if it was opened there, else the one beside it. */
static void terminals(void **state)
{
	static const char mounts[] = "20 1 254:0 / / rw - ext4 /dev/vda rw\n"
				     "21 20 0:6 / /dev rw - devtmpfs devtmpfs rw\n"
				     "22 21 0:21 / /dev/pts rw - devpts devpts rw,ptmxmode=000\n"
				     "23 20 0:99 / /with\\040blank/dev/pts rw - devpts devpts rw\n";
	static const struct {
		unsigned dev; /* minor number of what was opened */
		unsigned ino;
		struct span path;
		unsigned instance; /* likewise; 0: not known */
	} masters[] = {
		{ 6, 87, SPAN("/dev/ptmx"), 21 },		   { 21, 2, SPAN("/dev/pts/ptmx"), 21 },
		{ 21, 2, SPAN("/dev/ptmx"), 21 },		   { 99, 2, SPAN("/with blank/dev/pts/ptmx"), 99 },
		{ 6, 87, SPAN("/with blank/dev/ptmx"), 99 },   { 6, 87, SPAN("/elsewhere/ptmx"), 0 },
		{ 6, 87, { "", 0 }, 0 },
		/* Passed on from another mount namespace: only the inode of its ptmx speaks for it. */
		{ 77, 2, SPAN("/ptmx"), 77 },		   { 77, 3, SPAN("/dev/ptmx"), 0 },
	};
	const struct tree *t = *state;

	put(t, "mountinfo", mounts);
	put(t, "fdinfo/3", "pos:\t0\nflags:\t02\nmnt_id:\t21\ntty-index:\t5\n");
	for (size_t i = 0; i < ARRAY_SIZE(masters); i++) {
		struct statx stx = { .stx_dev_minor = masters[i].dev, .stx_ino = masters[i].ino };
		struct object_key key = { .class = OBJECT_PTY };
		struct terminals *terminals = NULL;

		int r = terminals_master(&terminals, t->dir, ".", "3", &stx, masters[i].path, &key);

		assert_int_equal(r, masters[i].instance ? 0 : -EXDEV);
		assert_int_equal(key.ino, 5);
		assert_true(key.dev == (masters[i].instance ? makedev(0, masters[i].instance) : 0));
		terminals_free(terminals);
	}
}

static void devices(void **state)
{
	static const struct {
		unsigned major, minor;
	} numbers[] = { { 0, 0 }, { 0, 1 }, { 254, 0 }, { 8, 0xfffff }, { 0xfff, 0xfffff } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t dev = makedev(numbers[i].major, numbers[i].minor);

		assert_true(device_unpack(device_pack(dev)) == dev);
	}
	/* diag and fdinfo of the kernel print them so. */
	assert_int_equal(device_pack(makedev(254, 0)), 0xfe00000);
}

/* The better known of two descriptions stays, and each object is there once. */
static void found_files(void **state)
{
	struct found_file *files = NULL;
	struct found_file file = { .key = { OBJECT_MEMFD, makedev(0, 1), 7 }, .path = SPAN("/memfd:a") };
	struct object_key other = { OBJECT_ANON_MAPPING, makedev(0, 1), 7 };
	struct hash index = { 0 };
	size_t count = 0;

	(void)state;
	assert_int_equal(found_file_add(&files, &count, &index, &file), 0);
	file.described = true;
	file.size = 99;
	assert_int_equal(found_file_add(&files, &count, &index, &file), 0);
	file.described = false;
	file.size = 1;
	assert_int_equal(found_file_add(&files, &count, &index, &file), 0);
	assert_int_equal(count, 1);
	assert_int_equal(found_file_find(files, &index, &file.key)->size, 99);
	/* The same numbers are another object in another class. */
	assert_null(found_file_find(files, &index, &other));
	hash_free(&index);
	free(files);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_tree, end_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(fdinfo),	  TREE_TEST(fdinfo_behind_locks),
		TREE_TEST(smaps),
		TREE_TEST(terminals),	  cmocka_unit_test(devices),
		cmocka_unit_test(found_files),
	};

	return cmocka_run_group_tests_name("procfiles", tests, NULL, NULL);
}
