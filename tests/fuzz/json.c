/* SPDX-License-Identifier: MIT */
/* JSON of any records: another reads it, and finds in it what the records say. */
#include <cjson/cJSON.h>

#include "fuzz.h"
#include "lib/escape.h"
#include "rendering.h"
#include "shown.h"

static void check_text(const cJSON *item, struct span expected)
{
	struct buf raw = { 0 };

	EXPECT(cJSON_IsString(item));
	EXPECT(unescape_into(&raw, span_of(item->valuestring)) == 0 && span_eq(buf_span(&raw), expected));
	buf_free(&raw);
}

static void check_object(const cJSON *object, const struct record *r, const size_t *fields, size_t count);

static void check_rows(const cJSON *array, const struct list *list)
{
	size_t all[MOST_FIELDS];
	struct record row;

	for (size_t f = 0; f < list->schema->nfields; f++)
		all[f] = f;
	EXPECT(cJSON_IsArray(array) && (size_t)cJSON_GetArraySize(array) == list->count);
	for (size_t i = 0; i < list->count; i++) {
		list_row(list, i, &row);
		check_object(cJSON_GetArrayItem(array, (int)i), &row, all, list->schema->nfields);
	}
}

static void check_value(const cJSON *item, const struct field *field, const struct value *v)
{
	switch (field->type) {
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		check_text(item, v->str);
		break;
	case FIELD_KEY:
	case FIELD_MODE:
		EXPECT(cJSON_IsString(item));
		EXPECT(strtoull(item->valuestring, NULL, field->type == FIELD_KEY ? 16 : 8) == v->u64);
		break;
	case FIELD_BOOL:
		EXPECT(cJSON_IsBool(item) && cJSON_IsTrue(item) == v->flag);
		break;
	case FIELD_I64:
	case FIELD_TIME:
		EXPECT(cJSON_IsNumber(item) && item->valuedouble == (double)v->i64);
		break;
	case FIELD_PERCENT:
		EXPECT(cJSON_IsNumber(item));
		break;
	case FIELD_LIST:
		check_rows(item, v->list);
		break;
	default:
		EXPECT(cJSON_IsNumber(item) && item->valuedouble == (double)v->u64);
	}
}

static void check_object(const cJSON *object, const struct record *r, const size_t *fields, size_t count)
{
	size_t keys = 0, twins = 0;

	EXPECT(cJSON_IsObject(object));
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &r->schema->fields[fields[i]];
		const struct value *v = &r->values[fields[i]];
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field->name);

		keys += v->state != VALUE_ABSENT;
		EXPECT((item == NULL) == (v->state == VALUE_ABSENT));
		if (v->state == VALUE_UNKNOWN)
			EXPECT(cJSON_IsNull(item));
		else if (v->state == VALUE_SET)
			check_value(item, field, v);
		twins += cJSON_HasObjectItem(object, "atime_rfc3339") && strcmp(field->name, "atime") == 0;
	}
	EXPECT((size_t)cJSON_GetArraySize(object) == keys + twins);
}

static cJSON *parse(struct span text)
{
	char *copy = copy_bytes(text, true);
	const char *end = NULL;
	cJSON *json = cJSON_ParseWithOpts(copy, &end, true);

	EXPECT(json && end == copy + text.len);
	free(copy);
	return json;
}

static void check_record(const struct rendering *x, size_t i, const cJSON *object)
{
	const struct record *r = &x->records[i];
	const struct shown *shown = &x->view.shown[view_schema(&x->view, r->schema)];

	check_object(object, r, shown->fields, shown->count);
}

static void check_document(const struct rendering *x, struct span text)
{
	cJSON *json, *array;

	EXPECT(text.len > 0 && text.ptr[text.len - 1] == '\n');
	json = parse((struct span){ text.ptr, text.len - 1 });
	array = cJSON_GetObjectItemCaseSensitive(json, "objects");
	EXPECT(cJSON_IsArray(array) && (size_t)cJSON_GetArraySize(array) == x->count);
	check_text(cJSON_GetObjectItemCaseSensitive(json, "host"), span_of(x->host));
	for (size_t i = 0; i < x->count; i++)
		check_record(x, i, cJSON_GetArrayItem(array, (int)i));
	array = cJSON_GetObjectItemCaseSensitive(json, "warnings");
	EXPECT(cJSON_IsArray(array) && (size_t)cJSON_GetArraySize(array) == x->warnings.count);
	cJSON_Delete(json);
}

static void check_lines(const struct rendering *x, struct span text)
{
	for (size_t i = 0; i < x->count; i++) {
		const char *end = memchr(text.ptr, '\n', text.len);
		cJSON *json;

		EXPECT(end);
		json = parse((struct span){ text.ptr, (size_t)(end - text.ptr) });
		check_record(x, i, json);
		cJSON_Delete(json);
		text = span_from(text, (size_t)(end - text.ptr) + 1);
	}
	EXPECT(text.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool lines = take_bool(&in);
	struct rendering x;
	struct span text;

	take_rendering(&in, &x, lines ? &render_jsonl : &render_json);
	text = render(&x);
	EXPECT(is_shown(text, "\n"));
	if (lines)
		check_lines(&x, text);
	else
		check_document(&x, text);
	rendering_free(&x);
	return 0;
}
