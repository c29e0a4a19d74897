/* SPDX-License-Identifier: MIT */
/* Circles in a graph. */
#include "unit.h"

#include "lib/components.h"

#define NODES 9

static void find(struct edge *edges, size_t nedges, size_t numbers[NODES])
{
	size_t first[NODES + 1];

	edges_index(edges, nedges, first, NODES);
	assert_int_equal(first[NODES], nedges);
	assert_int_equal(components_find(edges, first, NODES, numbers), 0);
}

static void test_no_edges(void **state)
{
	size_t numbers[NODES];

	(void)state;
	find(NULL, 0, numbers);
	for (size_t i = 0; i < NODES; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(numbers[i], numbers[k]);
}

/* Two circles, one leading to the other, a tail that leads in and one that leads out. */
static void test_two_circles(void **state)
{
	struct edge edges[] = { { 4, 5 }, { 0, 1 }, { 1, 2 }, { 2, 0 }, { 2, 3 }, { 3, 4 },
				{ 5, 3 }, { 6, 0 }, { 5, 7 }, { 3, 5 }, { 8, 8 } };
	size_t n[NODES];

	(void)state;
	find(edges, ARRAY_SIZE(edges), n);
	assert_int_equal(n[0], n[1]);
	assert_int_equal(n[1], n[2]);
	assert_int_equal(n[3], n[4]);
	assert_int_equal(n[4], n[5]);
	assert_int_not_equal(n[0], n[3]);
	assert_int_not_equal(n[6], n[0]);
	assert_int_not_equal(n[7], n[3]);
	for (size_t i = 0; i < 8; i++)
		assert_int_not_equal(n[8], n[i]);
}

/* As long a chain as somebody may make of tasks: no recursion, and no square. */
static void test_long_chain(void **state)
{
	const size_t length = 300000;
	struct edge *edges = calloc(length, sizeof(*edges));
	size_t *first = calloc(length + 1, sizeof(*first));
	size_t *numbers = calloc(length, sizeof(*numbers));

	(void)state;
	assert_true(edges && first && numbers);
	for (size_t i = 0; i < length; i++)
		edges[i] = (struct edge){ i, (i + 1) % length };
	edges_index(edges, length, first, length);
	assert_int_equal(components_find(edges, first, length, numbers), 0);
	for (size_t i = 1; i < length; i++)
		assert_int_equal(numbers[i], numbers[0]);
	/* Open the circle: now each stands alone. */
	edges[length - 1].to = length - 1;
	edges_index(edges, length, first, length);
	assert_int_equal(components_find(edges, first, length, numbers), 0);
	for (size_t i = 1; i < length; i++)
		assert_int_not_equal(numbers[i], numbers[i - 1]);
	free(edges);
	free(first);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_edges),
		cmocka_unit_test(test_two_circles),
		cmocka_unit_test(test_long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
