/* SPDX-License-Identifier: MIT */
/* Lines of /proc/PID: stat with hostile names, maps, mountinfo, a queue's status. */
#include "unit.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "scan/maps.h"
#include "scan/mountinfo.h"
#include "scan/mqueue.h"
#include "scan/process.h"

#define TAIL " 1 42 42 0 -1 4194560 106 0 0 0 0 1 0 0 20 0 1 0 987654321 2500000 200 18446744073709551615\n"

static int parse_stat(struct span text, struct process_stat *out, struct span *keep)
{
	*keep = exact(text);
	return process_stat_parse(*keep, out);
}

static void hostile_names(void **state)
{
	static const struct {
		const char *text, *command;
	} e[] = {
		{ "42 (cat) S" TAIL, "cat" },
		{ "42 (a b) S" TAIL, "a b" },
		{ "42 (x) R 1 () S" TAIL, "x) R 1 (" },
		{ "42 (new\nline) S" TAIL, "new\nline" },
		{ "42 ()) S" TAIL, ")" },
		{ "42 (() S" TAIL, "(" },
		{ "42 () S" TAIL, "" },
		{ "42 (\xff\x1b[m) S" TAIL, "\xff\x1b[m" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct process_stat stat;
		struct span keep;

		assert_int_equal(parse_stat(span_of(e[i].text), &stat, &keep), 0);
		assert_span(stat.command, span_of(e[i].command));
		assert_int_equal(stat.state, 'S');
		assert_true(stat.start_ticks == 987654321);
		free((void *)keep.ptr);
	}
}

static void broken_stat(void **state)
{
	static const char *const bad[] = {
		"", "42", "42 (cat", ("42 cat) S" TAIL), ")(", "42 (cat) S 1 2 3", "42 (cat)", "42 (cat) ",
		"42 (cat) S 1 42 42 0 -1 4194560 106 0 0 0 0 1 0 0 20 0 1 0 x987654321 2500000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct process_stat stat;
		struct span keep;

		if (parse_stat(span_of(bad[i]), &stat, &keep) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		free((void *)keep.ptr);
	}
}

/* This very process, against what the system calls say. */
static void this_process(void **state)
{
	static const char name[] = "a) S 1 (\n";
	struct scan_context context;
	struct processes all = { 0 };
	const struct process *p;
	char before[17] = "";

	(void)state;
	assert_int_equal(scan_context_open(&context, NULL), 0);
	assert_int_equal(prctl(PR_GET_NAME, before), 0);
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	p = process_get(&all, &context, (uint32_t)getpid());
	assert_non_null(p);
	assert_int_equal(p->error, 0);
	assert_span(p->command, SPAN(name));
	assert_in_range(p->start, 1, (uint64_t)time(NULL) + 1);
	/* No process ever has number 2^22 or more (proc_sys_kernel(5), pid_max). */
	p = process_get(&all, &context, 1u << 23);
	assert_non_null(p);
	assert_int_equal(p->error, -ENOENT);
	assert_int_equal(all.count, 2);
	p = process_get(&all, &context, (uint32_t)getpid());
	assert_span(p->command, SPAN(name));
	assert_int_equal(all.count, 2);
	processes_free(&all);
	prctl(PR_SET_NAME, before);
	scan_context_close(&context);
}

static void map_lines(void **state)
{
	struct map_line m;

	(void)state;
	assert_int_equal(maps_parse(SPAN("7f0000001000-7f0000003000 rw-s 00002000 00:01 32769                      "
					 "/SYSV0000162e (deleted)"),
				    &m),
			 0);
	assert_true(m.start == 0x7f0000001000 && m.end == 0x7f0000003000);
	assert_true(m.read && m.write && m.shared);
	assert_int_equal(m.offset, 0x2000);
	assert_int_equal(m.major, 0);
	assert_int_equal(m.minor, 1);
	assert_int_equal(m.inode, 32769);
	assert_span(m.path, SPAN("/SYSV0000162e (deleted)"));
	assert_int_equal(maps_parse(SPAN("ffffffffff600000-ffffffffff601000 r-xp 00000000 fe:1a 18446744073709551615 "
					 "/a b\\012 c  d"),
				    &m),
			 0);
	assert_false(m.write || m.shared);
	assert_int_equal(m.major, 0xfe);
	assert_int_equal(m.minor, 0x1a);
	assert_true(m.inode == UINT64_MAX);
	assert_span(m.path, SPAN("/a b\\012 c  d"));
	assert_int_equal(maps_parse(SPAN("1000-2000 ---p 00000000 00:00 0"), &m), 0);
	assert_span(m.path, SPAN(""));
}

static void broken_map_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"1000",
		"1000-2000",
		"1000-2000 rw-p",
		"1000-2000 rw-p 0 00:00",
		"1000-2000 rw-p 0 0000 1",
		"x000-2000 rw-p 0 00:00 0",
		"1000-2000 rw 0 00:00 0",
		"1000-2000 rw-p 0 00:00 x",
		"10000000000000000-20000000000000000 rw-p 0 00:00 0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span keep = exact(span_of(bad[i]));
		struct map_line m;

		if (maps_parse(keep, &m) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		free((void *)keep.ptr);
	}
}

static void mount_lines(void **state)
{
	struct buf b = { 0 };
	struct mount_line m;

	(void)state;
	assert_int_equal(mountinfo_parse(SPAN("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - tmpfs dev "
					      "rw,size=64k"),
					 &m),
			 0);
	assert_int_equal(m.id, 36);
	assert_int_equal(m.major, 98);
	assert_int_equal(m.minor, 0);
	assert_span(m.fstype, SPAN("tmpfs"));
	assert_span(m.super, SPAN("rw,size=64k"));
	mountinfo_unescape(m.target, &b);
	assert_buf(&b, "/mnt 2");
	buf_reset(&b);
	mountinfo_unescape(SPAN("\\011\\012\\134\\04"), &b);
	assert_buf(&b, "\t\n\\\\04");
	buf_free(&b);
	/* No optional fields. */
	assert_int_equal(mountinfo_parse(SPAN("1 0 0:5 / / rw - devtmpfs none rw"), &m), 0);
	assert_span(m.fstype, SPAN("devtmpfs"));
}

static void broken_mount_lines(void **state)
{
	static const char *const bad[] = { "",
					   "36",
					   "36 35 98:0 /a /b rw",
					   "36 35 98:0 /a /b rw shared:1",
					   "36 35 98 /a /b rw - tmpfs x rw",
					   "x 35 98:0 /a /b rw - tmpfs x rw" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span keep = exact(span_of(bad[i]));
		struct mount_line m;

		if (mountinfo_parse(keep, &m) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		free((void *)keep.ptr);
	}
}

static void queue_status(void **state)
{
	static const char *const bad[] = { "", "QSIZE:", "QSIZE:x NOTIFY:0 SIGNO:0 NOTIFY_PID:0\n",
					   "QSIZE:1 NOTIFY:0 SIGNO:0", "SIZE:1 NOTIFY:0 SIGNO:0 NOTIFY_PID:0" };
	struct mqueue_status s;

	(void)state;
	assert_int_equal(mqueue_status_parse(SPAN("QSIZE:129        NOTIFY:2     SIGNO:0     NOTIFY_PID:8260  \n"), &s), 0);
	assert_int_equal(s.bytes, 129);
	assert_int_equal(s.notify_method, 2);
	assert_int_equal(s.notify_pid, 8260);
	assert_int_equal(mqueue_status_parse(SPAN("QSIZE:18446744073709551615 NOTIFY:0     SIGNO:10    NOTIFY_PID:1\n"),
					     &s),
			 0);
	assert_true(s.bytes == UINT64_MAX);
	assert_int_equal(s.notify_signal, 10);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span keep = exact(span_of(bad[i]));

		if (mqueue_status_parse(keep, &s) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		free((void *)keep.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_names), cmocka_unit_test(broken_stat),
		cmocka_unit_test(this_process),	 cmocka_unit_test(map_lines),
		cmocka_unit_test(broken_map_lines), cmocka_unit_test(mount_lines),
		cmocka_unit_test(broken_mount_lines), cmocka_unit_test(queue_status),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
