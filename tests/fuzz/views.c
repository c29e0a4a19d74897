/* SPDX-License-Identifier: MIT */
/* Lists of fields: -o and --sort, over two tables that have some fields in common. */
#include "fuzz.h"
#include "model/rowset.h"
#include "records.h"

static void check_view(const struct schema *const *schemas, const char *spec, enum view_default start)
{
	struct field_error error = { 0 };
	struct view view;
	int r = view_init(&view, schemas, 2, spec, start, &error);

	EXPECT(r == 0 || (r == -EINVAL && spec && is_within(error.word, span_of(spec))));
	for (size_t s = 0; r == 0 && s < 2; s++) {
		EXPECT(view_schema(&view, schemas[s]) == s || schemas[0] == schemas[1]);
		EXPECT(view.shown[s].count <= schemas[s]->nfields && view.shown[s].count <= view.ncolumns);
		view_read(&view, s, schema_set(schemas[s], 0));
		for (size_t c = 0; c < view.ncolumns; c++) {
			int i = view.index[s * view.ncolumns + c];

			EXPECT(i < (int)schemas[s]->nfields);
			EXPECT(i < 0 || strcmp(schemas[s]->fields[i].name, view.columns[c].name) == 0);
		}
	}
	if (r == 0)
		view_free(&view);
}

static void check_sort(const struct schema *const *schemas, const char *spec, struct input *in,
		       struct arena *arena)
{
	struct field_error error = { 0 };
	struct rowset rows = { 0 };
	struct record before, r;
	struct sort sort = { 0 };
	size_t n = take_below(in, 6);

	if (sort_parse(&sort, spec, schemas, 2, &error) == 0) {
		for (size_t i = 0; i < n; i++) {
			take_record(in, &r, schemas[i & 1], arena);
			EXPECT(rowset_add(&rows, &r, schema_set(schemas[i & 1], 0)) == 0);
		}
		rowset_sort(&rows, &sort);
	} else {
		EXPECT(is_within(error.word, span_of(spec)));
	}
	for (size_t i = 0; i < rows.count; i++) {
		const char *first = sort.keys[0].field->name;
		int a, b;

		EXPECT(rowset_number(&rows, i) < n && rowset_get(&rows, i, arena, &r) == 0);
		a = i > 0 ? schema_find(before.schema, span_of(first)) : -1;
		b = schema_find(r.schema, span_of(first));
		if (a >= 0 && b >= 0 && before.values[a].state == VALUE_SET &&
		    r.values[b].state == VALUE_SET) {
			int order = value_compare(sort.keys[0].field, &before.values[a], &r.values[b]);

			EXPECT(sort.keys[0].descending ? order >= 0 : order <= 0);
		}
		before = r;
	}
	rowset_free(&rows);
	sort_free(&sort);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct arena arena = { 0 };
	const struct schema *schemas[] = { take_schema(&in, &arena, true), take_schema(&in, &arena, true) };
	enum view_default start = (enum view_default)take_below(&in, 4);
	char *spec = copy_string(take_text(&in));

	check_view(schemas, spec, start);
	check_view(schemas, NULL, start);
	check_sort(schemas, spec, &in, &arena);
	free(spec);
	arena_free(&arena);
	return 0;
}
