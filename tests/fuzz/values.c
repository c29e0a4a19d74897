/* SPDX-License-Identifier: MIT */
/* Values of every type as the user spells them: what was understood is shown so that it is understood again.
 */
#include "fuzz.h"
#include "model/format.h"
#include "model/value_parse.h"
#include "shown.h"

/* In each style; rfc3339 has a form of its own. */
static void check_formats(const struct field *field, const struct value *v)
{
	struct buf text = { 0 };

	for (enum format_style style = FORMAT_MACHINE; style <= FORMAT_HUMAN_BYTES; style++) {
		buf_reset(&text);
		format_value(&text, field, v, style);
		EXPECT(!text.failed && text.len > 0 && is_shown(buf_span(&text), ""));
	}
	buf_reset(&text);
	if (field->type == FIELD_TIME && v->state == VALUE_SET && format_rfc3339(&text, v->i64)) {
		static const char form[] = "dddd-dd-ddTdd:dd:ddZ";

		EXPECT(text.len == strlen(form));
		for (size_t i = 0; i < text.len; i++)
			EXPECT(form[i] == 'd' ? text.data[i] >= '0' && text.data[i] <= '9' :
						text.data[i] == form[i]);
	}
	buf_free(&text);
}

static void check_type(struct span s, enum field_type type, struct arena *arena)
{
	const struct field field = { .name = "f", .type = type };
	struct buf text = { 0 };
	struct value v, again;
	int r = value_parse(s, type, arena, &v);

	EXPECT(r == 0 || r == -EINVAL || r == -ERANGE);
	EXPECT(value_expected(type)[0] != '\0');
	if (r < 0)
		return;
	check_formats(&field, &v);
	/* A key has 32 bits; one of more is that of no object. */
	if (type == FIELD_KEY && v.state == VALUE_SET && v.u64 > UINT32_MAX)
		return;
	format_value(&text, &field, &v, FORMAT_MACHINE);
	EXPECT(value_parse(buf_span(&text), type, arena, &again) == 0);
	EXPECT(v.state == again.state && value_compare(&field, &v, &again) == 0);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = { (const char *)data, size };
	struct arena arena = { 0 };

	for (enum field_type type = FIELD_U64; type <= FIELD_LIST; type++)
		check_type(s, type, &arena);
	arena_free(&arena);
	return 0;
}
