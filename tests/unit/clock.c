/* SPDX-License-Identifier: MIT */
/* Whether a process was there when an object recorded something, though the clock may have been set in
 * between. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "scan/clock.h"

#define SECOND 1000000000

/* Boot at second 1000, and now it is second 9000, as the clock is set now; it was set by `forward` since. */
static enum clock_order order(int64_t earliest, int64_t recorded, int64_t forward)
{
	struct clock_history clock = { .boot = (int64_t)1000 * SECOND, .forward = forward, .read = true };

	return clock_order(&clock, &(struct clock_question){ -1, 77, earliest, recorded, 9000 });
}

static void test_a_clock_that_was_not_set(void **state)
{
	(void)state;
	assert_int_equal(order(2000, 2001, 0), CLOCK_BEFORE);
	assert_int_equal(order(2000, 2000, 0), CLOCK_BEFORE);
	assert_int_equal(order(2000, 1999, 0), CLOCK_AFTER);
	assert_int_equal(order(8999, 1000, 0), CLOCK_AFTER);
	assert_int_equal(order(INT64_MIN, INT64_MAX, 0), CLOCK_BEFORE);
	assert_int_equal(order(INT64_MIN, INT64_MIN, 0), CLOCK_BEFORE);
}

/* What a process makes right behind a full second may be stamped with the second before. */
static void test_stamps_lag(void **state)
{
	const int64_t boot = (int64_t)1000 * SECOND + SECOND / 2, hz = sysconf(_SC_CLK_TCK);
	const uint64_t second = (uint64_t)hz / 2; /* then it begins */

	(void)state;
	assert_int_equal(process_start(second, boot), 1001);
	assert_int_equal(process_earliest(second, boot), 1000);
	assert_int_equal(process_earliest(second + (uint64_t)hz / 10 - 1, boot), 1000);
	assert_int_equal(process_earliest(second + (uint64_t)hz / 10, boot), 1001);
	assert_int_equal(process_earliest(second + (uint64_t)hz - 1, boot), 1001);
	assert_int_equal(process_earliest(0, boot), 1000);
	assert_int_equal(process_earliest(1, boot), 1000);
}

static void test_recorded_before_boot(void **state)
{
	(void)state;
	assert_int_equal(order(1001, 999, 0), CLOCK_CANNOT_TELL);
	assert_int_equal(order(8999, 0, 0), CLOCK_CANNOT_TELL);
	assert_int_equal(order(8999, INT64_MIN / 2, 0), CLOCK_CANNOT_TELL);
}

/* The clock went from 5000 to 8000, say. What was recorded at 2500 was that before the step, when a process
 * that began at 5400 by the clock of now began at 2400; one of 5600 did so later. */
static void test_set_forward(void **state)
{
	(void)state;
	assert_int_equal(order(5400, 2500, 3000), CLOCK_CANNOT_TELL);
	assert_int_equal(order(5500, 2500, 3000), CLOCK_CANNOT_TELL);
	/* How far it was set is known but for some seconds. */
	assert_int_equal(order(5510, 2500, 3000), CLOCK_CANNOT_TELL);
	assert_int_equal(order(5511, 2500, 3000), CLOCK_AFTER);
	/* So late the clock of before was never. */
	assert_int_equal(order(8500, 6001, 3000), CLOCK_AFTER);
	assert_int_equal(order(8500, 6000, 3000), CLOCK_CANNOT_TELL);
	/* By more than it has run: what it showed before is all from before boot. */
	assert_int_equal(order(5501, 2500, 1000000), CLOCK_AFTER);
}

/* Of a process that /proc showed before it can have begun. */
static void test_seen_too_early(void **state)
{
	struct clock_history clock = { .boot = SECOND, .read = true };
	char directory[] = "/tmp/clock-XXXXXX";
	struct stat st;
	int proc;

	(void)state;
	assert_non_null(mkdtemp(directory));
	proc = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(proc >= 0 && mkdirat(proc, "77", 0700) == 0 && fstatat(proc, "77", &st, 0) == 0);
	for (int64_t later = -1000; later <= 1000; later += 100)
		assert_int_equal(clock_order(&clock, &(struct clock_question){ proc, 77, st.st_mtime + later,
									       5000, st.st_mtime + 2000 }),
				 later > 0 ? CLOCK_CANNOT_TELL : CLOCK_AFTER);
	assert_int_equal(unlinkat(proc, "77", AT_REMOVEDIR) | rmdir(directory) | close(proc), 0);
}

/* Of this system nothing is known but that it was booted before it is asked. */
static void test_of_this_system(void **state)
{
	struct clock_history clock = { 0 };
	int64_t now = time(NULL);

	(void)state;
	assert_int_equal(clock_order(&clock, &(struct clock_question){ -1, 77, now, now - 1, now }),
			 CLOCK_AFTER);
	assert_true(clock.read && clock.forward >= 0 && clock.boot / SECOND <= now);
	assert_int_equal(clock_order(&clock, &(struct clock_question){ -1, 77, now, 1, now }),
			 CLOCK_CANNOT_TELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_clock_that_was_not_set), cmocka_unit_test(test_stamps_lag),
		cmocka_unit_test(test_recorded_before_boot),	 cmocka_unit_test(test_set_forward),
		cmocka_unit_test(test_seen_too_early),		 cmocka_unit_test(test_of_this_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
