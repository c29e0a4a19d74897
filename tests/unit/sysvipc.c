/* SPDX-License-Identifier: MIT */
/* The tables of /proc/sysvipc from recorded and from spoiled texts, and the
 * correction of the resident size of huge page segments. */
#include "unit.h"

#include "scan/sysvipc.h"

#define SHM_HEAD                                                                                             \
	"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      " \
	"atime      dtime      ctime                   rss                  swap\n"
#define MSG_HEAD                                                                                             \
	"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime " \
	"     rtime      ctime\n"

static int parse(struct sysv_table *t, enum sysv_kind kind, struct span text)
{
	struct span copy = exact(text);
	int r;

	*t = (struct sysv_table){ .kind = kind };
	r = sysv_table_parse(t, copy);
	free((void *)copy.ptr);
	return r;
}

/* As Linux 6.18 printed it; a key of 0xc0ffee01 is negative and overflows its column. */
static void recorded_segments(void **state)
{
	static const char text[] = SHM_HEAD
		"         0          0   600                  4096    12    13      2     0     0     0     0 "
		"1763669449 1763669450 1763669440                  4096                     0\n"
		"-1056969215      32769  1640  18446744073692774399 70123 70124      0 65534 65533  1000  1001 "
		"         0          0 1763669441            1073741824                  8192\n";
	const struct sysv_shm_row *row;
	struct sysv_table t;

	(void)state;
	assert_int_equal(parse(&t, SYSV_SHM, SPAN(text)), 0);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.bad_rows, 0);
	row = sysv_shm_at(&t, 0);
	assert_int_equal(row->perm.key, 0);
	assert_int_equal(row->perm.perms, 0600);
	assert_int_equal(row->cpid, 12);
	assert_int_equal(row->lpid, 13);
	assert_int_equal(row->nattch, 2);
	assert_int_equal(row->atime, 1763669449);
	assert_int_equal(row->dtime, 1763669450);
	assert_int_equal(row->ctime, 1763669440);
	assert_int_equal(row->rss, 4096);
	row = sysv_shm_at(&t, 1);
	assert_int_equal(row->perm.key, 0xc0ffee01);
	assert_int_equal(row->perm.id, 32769);
	assert_int_equal(row->perm.perms, 0640 | SYSV_SHM_DEST);
	assert_true(row->size == 18446744073692774399u);
	assert_int_equal(row->perm.uid, 65534);
	assert_int_equal(row->perm.gid, 65533);
	assert_int_equal(row->perm.cuid, 1000);
	assert_int_equal(row->perm.cgid, 1001);
	assert_int_equal(row->atime, 0);
	assert_int_equal(row->swap, 8192);
	assert_int_equal(sysv_table_find(&t, 32769), 1);
	assert_int_equal(sysv_table_find(&t, 0), 0);
	assert_int_equal(sysv_table_find(&t, 7), -ENOENT);
	assert_true(sysv_has_column(&t, "rss"));
	assert_false(sysv_has_column(&t, "nonsense"));
	sysv_table_free(&t);
}

static void recorded_queues_and_sets(void **state)
{
	static const char msg[] = MSG_HEAD
		"      4660          5   644         300          2   101   102     1     2     3     4 "
		"1763669451 1763669452 1763669453\n";
	static const char sem[] = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
				  "        -1          9   600      32000     1     2     3     4          0 1763669454\n";
	struct sysv_table t;

	(void)state;
	assert_int_equal(parse(&t, SYSV_MSG, SPAN(msg)), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(sysv_msg_at(&t, 0)->perm.key, 0x1234);
	assert_int_equal(sysv_msg_at(&t, 0)->cbytes, 300);
	assert_int_equal(sysv_msg_at(&t, 0)->qnum, 2);
	assert_int_equal(sysv_msg_at(&t, 0)->lspid, 101);
	assert_int_equal(sysv_msg_at(&t, 0)->lrpid, 102);
	assert_int_equal(sysv_msg_at(&t, 0)->rtime, 1763669452);
	sysv_table_free(&t);
	assert_int_equal(parse(&t, SYSV_SEM, SPAN(sem)), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(sysv_sem_at(&t, 0)->perm.key, 0xffffffff);
	assert_int_equal(sysv_sem_at(&t, 0)->nsems, 32000);
	assert_int_equal(sysv_sem_at(&t, 0)->otime, 0);
	assert_int_equal(sysv_sem_at(&t, 0)->ctime, 1763669454);
	sysv_table_free(&t);
}

/* Columns are found by name: in another order, with ones of the future between. */
static void columns_by_name(void **state)
{
	static const char text[] = "ctime owner_cookie key shmid perms size cpid lpid nattch uid gid cuid cgid atime "
				   "dtime future\n"
				   "99 deadbeef 1 2 600 3 4 5 6 7 8 9 10 11 12 x:y\n";
	struct sysv_table t;

	(void)state;
	assert_int_equal(parse(&t, SYSV_SHM, SPAN(text)), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(sysv_shm_at(&t, 0)->ctime, 99);
	assert_int_equal(sysv_shm_at(&t, 0)->perm.id, 2);
	assert_int_equal(sysv_shm_at(&t, 0)->dtime, 12);
	assert_false(sysv_has_column(&t, "rss"));
	assert_false(sysv_has_column(&t, "swap"));
	sysv_table_free(&t);
}

/* Without a column that gives a row its meaning, nothing is better than wrong. */
static void missing_columns(void **state)
{
	static const char *const texts[] = {
		"key shmid size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n",
		"shmid\n1\n",
		"\n",
		"garbage\n",
		"",
		("key key key key key key key key key key key key key key key key key key key key key key key key key "
		 "key key key key key key key key key key key key\n"),
	};
	struct sysv_table t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(parse(&t, SYSV_SHM, span_of(texts[i])), -EINVAL);
		assert_int_equal(t.count, 0);
		sysv_table_free(&t);
	}
}

/* A row that cannot be read whole is left out and counted, and the next is read. */
static void bad_rows(void **state)
{
	static const char *const rows[] = {
		"",						/* empty */
		"1 2 600 3",					/* cut short */
		"1 2 600 3 4 5 6 7 8 9 10 11 12",		/* one column short */
		"x 2 600 3 4 5 6 7 8 9 10 11 12 13",		/* no number */
		"1 2 699 3 4 5 6 7 8 9 10 11 12 13",		/* no octal */
		"1 2 600 99999999999999999999 4 5 6 7 8 9 10 11 12 13",
		"1 4294967296 600 3 4 5 6 7 8 9 10 11 12 13",	/* id beyond 32 bits */
		"-4294967295 2 600 3 4 5 6 7 8 9 10 11 12 13",	/* key beyond 32 bits */
		"1 -2 600 3 4 5 6 7 8 9 10 11 12 13",		/* no id is negative */
		"1 2 600 -3 4 5 6 7 8 9 10 11 12 13",		/* nor a size */
		"1 2 600 3 4 5 -6 7 8 9 10 11 12 13",		/* nor a count */
		"1 2 600 0x3 4 5 6 7 8 9 10 11 12 13",
		"- 2 600 3 4 5 6 7 8 9 10 11 12 13",
		"1 2 600 +3 4 5 6 7 8 9 10 11 12 13",
	};
	static const char head[] = "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n";
	static const char good[] = "1 2 600 3 4 5 6 7 8 9 10 11 12 13\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = { 0 };
		struct sysv_table t;

		buf_printf(&b, "%s%s\n%s", head, rows[i], good);
		assert_int_equal(parse(&t, SYSV_SHM, buf_span(&b)), 0);
		if (t.count != 1 || t.bad_rows != 1)
			fail_msg("\"%s\": %zu rows, %u bad", rows[i], t.count, t.bad_rows);
		assert_int_equal(sysv_shm_at(&t, 0)->ctime, 13);
		sysv_table_free(&t);
		buf_free(&b);
	}
}

static void long_lines_and_no_last_newline(void **state)
{
	struct buf b = { 0 };
	struct sysv_table t;

	(void)state;
	buf_puts(&b, SHM_HEAD);
	buf_puts(&b, "1 2 600");
	buf_fill(&b, ' ', 100000);
	buf_puts(&b, "3 4 5 6 7 8 9 10 11 12 13 14 15");
	buf_fill(&b, '\t', 100000);
	assert_int_equal(parse(&t, SYSV_SHM, buf_span(&b)), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(sysv_shm_at(&t, 0)->swap, 15);
	sysv_table_free(&t);
	buf_reset(&b);
	buf_puts(&b, SHM_HEAD);
	buf_fill(&b, '1', 200000);
	buf_putc(&b, '\n');
	assert_int_equal(parse(&t, SYSV_SHM, buf_span(&b)), 0);
	assert_int_equal(t.count, 0);
	assert_int_equal(t.bad_rows, 1);
	sysv_table_free(&t);
	buf_free(&b);
}

/* Whatever stands there, parsing ends, and rows are whole or absent. */
static void garbage(void **state)
{
	static const char alphabet[] = "0123456789 -\t\nkeyx\0\xff";
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct buf b = { 0 };
		struct sysv_table t;
		size_t n = next_random(&seed) % 300;

		if (i % 2)
			buf_puts(&b, SHM_HEAD);
		for (size_t j = 0; j < n; j++)
			buf_putc(&b, alphabet[next_random(&seed) % (sizeof(alphabet) - 1)]);
		if (parse(&t, SYSV_SHM, buf_span(&b)) == 0)
			assert_true(i % 2);
		for (size_t j = 0; j < t.count; j++)
			assert_true(sysv_table_find(&t, sysv_perm_at(&t, j)->id) >= 0);
		sysv_table_free(&t);
		buf_free(&b);
	}
}

static void resident_sizes(void **state)
{
	static const uint64_t sizes[] = { 2ull << 20, 1ull << 30 };
	static const struct {
		uint64_t size, printed, resident, huge;
	} e[] = {
		/* Ordinary segments, up to whole pages. */
		{ 4096, 0, 0, 0 },
		{ 4096, 4096, 4096, 0 },
		{ 5000, 8192, 8192, 0 },
		{ 2ull << 20, 2ull << 20, 2ull << 20, 0 },
		/* One 2 MiB page, printed as 512 times too much; and three of four. */
		{ 2ull << 20, 1073741824, 2ull << 20, 2ull << 20 },
		{ 8ull << 20, 3 * 1073741824ull, 6ull << 20, 2ull << 20 },
		/* A small segment is rounded up to one huge page; a right count stays. */
		{ 4096, 1073741824, 2ull << 20, 2ull << 20 },
		{ 4096, 2ull << 20, 2ull << 20, 2ull << 20 },
		/* A page of 1 GiB. */
		{ 1ull << 30, 262144ull << 30, 1ull << 30, 1ull << 30 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		const struct sysv_shm_row row = { .size = e[i].size, .rss = e[i].printed };
		uint64_t huge = 1;
		uint64_t got = sysv_shm_rss(&row, 4096, sizes, ARRAY_SIZE(sizes), &huge);

		if (got != e[i].resident || huge != e[i].huge)
			fail_msg("size %llu, rss %llu: got %llu, huge %llu", (unsigned long long)e[i].size,
				 (unsigned long long)e[i].printed, (unsigned long long)got,
				 (unsigned long long)huge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_segments),	cmocka_unit_test(recorded_queues_and_sets),
		cmocka_unit_test(columns_by_name),	cmocka_unit_test(missing_columns),
		cmocka_unit_test(bad_rows),		cmocka_unit_test(long_lines_and_no_last_newline),
		cmocka_unit_test(garbage),		cmocka_unit_test(resident_sizes),
	};

	return cmocka_run_group_tests_name("sysvipc", tests, NULL, NULL);
}
