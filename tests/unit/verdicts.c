/* SPDX-License-Identifier: MIT */
/* What becomes of an object that nobody holds: who could come back to it, told by recorded processes. */
#include "unit.h"

#include "kind/verdict.h"

enum { STATE, REASON };

static const struct field fields[] = {
	[STATE] = { .name = "state", .type = FIELD_STR },
	[REASON] = { .name = "reason", .type = FIELD_STR },
};
static const struct schema schema = { "toy", fields, ARRAY_SIZE(fields) };
static const struct verdict_fields at = { STATE, REASON, NO_EVIDENCE };

/* Processes of the system, as they were read: user 1000 has one since second 500. */
struct scene {
	struct snapshot snapshot;
	struct scan_context context;
	struct projector p;
	struct arena arena;
	struct record r;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->context.proc = -1;
	s->snapshot.context = &s->context;
	s->p.snapshot = &s->snapshot;
	s->p.want.bits = UINT64_MAX;
	s->p.owners.items = calloc(1, sizeof(*s->p.owners.items));
	assert_non_null(s->p.owners.items);
	s->p.owners.items[0] = (struct user_process){ 1000, 77, 500, SPAN("worker") };
	s->p.owners.count = 1;
	assert_int_equal(hash_add(&s->p.owners.index, 1000, 0), 0);
	s->p.owners.read = s->p.owners.complete = true;
	s->p.processes.clock = (struct clock_history){ .boot = 100000000000, .read = true };
	assert_int_equal(record_init(&s->r, &schema, &s->arena), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	projector_free(&s->p);
	arena_free(&s->arena);
	free(s);
	return 0;
}

static void expect(struct scene *s, uint32_t uid, int64_t created, const char *state, const char *reason)
{
	record_clear(&s->r);
	assert_int_equal(judge_unheld(&s->p, &s->r, &at, uid, created, "nobody has it open"), 0);
	assert_true(span_is(s->r.values[STATE].str, state));
	assert_non_null(
		memmem(s->r.values[REASON].str.ptr, s->r.values[REASON].str.len, reason, strlen(reason)));
}

static void test_older_process(void **state)
{
	expect(*state, 1000, 501, "idle", "process 77 (worker) of its owner is older");
	/* Started in the same second, which of them was first is not known. */
	expect(*state, 1000, 500, "idle", "process 77");
}

static void test_nobody_comes_back(void **state)
{
	expect(*state, 1000, 499, "orphaned", "no process of its owner is older");
	expect(*state, 1001, 9999, "orphaned", "no process of its owner is older");
}

static void test_a_clock_that_was_set(void **state)
{
	struct scene *s = *state;

	expect(s, 1000, 99, "unknown",
	       "process 77 (worker) of its owner may be older: the clock may have been set since");
	expect(s, 1001, 99, "orphaned", "no process of its owner is older");
	s->snapshot.taken = 10000;
	s->p.processes.clock.forward = 200;
	expect(s, 1000, 300, "unknown", "may be older");
	expect(s, 1000, 290, "unknown", "may be older");
	expect(s, 1000, 289, "orphaned", "no process of its owner is older");
}

static void test_somebody_may_be_hidden(void **state)
{
	struct scene *s = *state;

	s->p.owners.complete = false;
	expect(s, 1001, 9999, "idle", "out of sight");
	expect(s, 1000, 499, "idle", "out of sight");
	expect(s, 1000, 501, "idle", "process 77");
}

/* Any probe that fails makes it unknown. */
static void test_failures(void **state)
{
	struct scene *s = *state;

	s->p.owners.error = -EIO;
	s->p.owners.complete = false;
	expect(s, 1001, 9999, "unknown", "could not be looked at");
	s->snapshot.depth.no_processes = true;
	expect(s, 1000, 501, "unknown", "not looked at");
}

static void test_status_files(void **state)
{
	struct user_status u;

	(void)state;
	assert_int_equal(
		user_status_parse(SPAN("Name:\tx\nUid:\t1\t2\t3\t4\nVmSize:\t12 kB\nThreads:\t3\n"), &u), 0);
	assert_int_equal(u.uids[0], 1);
	assert_int_equal(u.uids[3], 4);
	assert_int_equal(u.threads, 3);
	assert_true(u.memory);
	assert_int_equal(user_status_parse(SPAN("Uid:\t0\t0\t0\t0\nThreads:\t1\n"), &u), 0);
	assert_false(u.memory);
	/* What is not whole is nothing. */
	assert_int_equal(user_status_parse(SPAN("Uid:\t0\t0\t0\nThreads:\t1\n"), &u), -EINVAL);
	assert_int_equal(user_status_parse(SPAN("Uid:\t0\t0\t0\t0\n"), &u), -EINVAL);
	assert_int_equal(user_status_parse(SPAN("Uid:\t0\t0\t0\t4294967296\nThreads:\t1\n"), &u), -EINVAL);
	assert_int_equal(user_status_parse(SPAN("Threads:\t1\n"), &u), -EINVAL);
	assert_int_equal(user_status_parse(SPAN(""), &u), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_older_process, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_clock_that_was_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_somebody_may_be_hidden, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test(test_status_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
