/* SPDX-License-Identifier: MIT */
/* Records as bytes and back. */
#include "model/packed.h"
#include "fuzz.h"
#include "records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct arena arena = { 0 };
	const struct schema *schema = take_schema(&in, &arena, true);
	struct fieldset set = { take_number(&in) & schema_set(schema, 0).bits };
	struct buf packed = { 0 }, again = { 0 };
	struct record r, back;
	struct span rest, text;
	char *copy;

	take_record(&in, &r, schema, &arena);
	pack_values(&packed, &r, set);
	EXPECT(!packed.failed && record_init(&back, schema, &arena) == 0);
	copy = copy_bytes(buf_span(&packed), false);
	text = rest = (struct span){ copy, packed.len };
	for (size_t i = 0; i < schema->nfields; i++) {
		struct span bytes;

		if (!wants(set, i))
			continue;
		bytes = packed_next(&rest, &schema->fields[i]);
		EXPECT(is_within(bytes, text) && packed_state(bytes) == r.values[i].state);
		EXPECT(span_eq(packed_field(text, schema, set, i), bytes));
		back.values[i] = packed_value(bytes, &schema->fields[i], &arena);
		EXPECT(value_compare(&schema->fields[i], &r.values[i], &back.values[i]) == 0);
	}
	EXPECT(rest.len == 0);
	pack_values(&again, &back, set);
	EXPECT(span_eq(buf_span(&again), text));
	free(copy);
	buf_free(&packed);
	buf_free(&again);
	arena_free(&arena);
	return 0;
}
