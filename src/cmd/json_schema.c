/* SPDX-License-Identifier: MIT */
#include "cmd/json_schema.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

#include "kind/registry.h"

/* Remembers whether memory ran out anywhere: half a schema would look like one. */
struct builder {
	bool failed;
};

/* Takes the item into the object; returns it, or NULL. */
static cJSON *put(struct builder *b, cJSON *object, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(object, key, item))
		return item;
	b->failed = true;
	cJSON_Delete(item);
	return NULL;
}

static void append(struct builder *b, cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return;
	b->failed = true;
	cJSON_Delete(item);
}

/* A property of which nothing but the type is said. */
static void add_typed(struct builder *b, cJSON *properties, const char *key, const char *type)
{
	put(b, put(b, properties, key, cJSON_CreateObject()), "type", cJSON_CreateString(type));
}

static cJSON *item_schema(struct builder *b, const struct schema *s);

/* A value may be null: it could not be read. Not so the kind and the reference. */
static cJSON *type_of(struct builder *b, const char *type, bool nullable)
{
	cJSON *both;

	if (!nullable)
		return cJSON_CreateString(type);
	both = cJSON_CreateArray();
	append(b, both, cJSON_CreateString(type));
	append(b, both, cJSON_CreateString("null"));
	return both;
}

static void add_values(struct builder *b, cJSON *property, const struct field *f, bool nullable)
{
	cJSON *values = put(b, property, "enum", cJSON_CreateArray());

	for (const char *const *v = f->values; *v; v++)
		append(b, values, cJSON_CreateString(*v));
	if (nullable)
		append(b, values, cJSON_CreateNull());
}

static void describe_number(struct builder *b, cJSON *property, const struct field *f, bool nullable)
{
	put(b, property, "type", type_of(b, f->type == FIELD_PERCENT ? "number" : "integer", nullable));
	if (f->type != FIELD_I64 && f->type != FIELD_TIME)
		put(b, property, "minimum", cJSON_CreateNumber(0));
}

static cJSON *field_schema(struct builder *b, const struct field *f, bool nullable)
{
	cJSON *property = cJSON_CreateObject();

	put(b, property, "description", cJSON_CreateString(f->help));
	switch (f->type) {
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		put(b, property, "type", type_of(b, "string", nullable));
		if (f->values)
			add_values(b, property, f, nullable);
		break;
	case FIELD_MODE:
		put(b, property, "type", type_of(b, "string", nullable));
		put(b, property, "pattern", cJSON_CreateString("^0[0-7]{3,4}$"));
		break;
	case FIELD_KEY:
		put(b, property, "type", type_of(b, "string", nullable));
		put(b, property, "pattern", cJSON_CreateString("^0x[0-9a-f]{8}$"));
		break;
	case FIELD_BOOL:
		put(b, property, "type", type_of(b, "boolean", nullable));
		break;
	case FIELD_LIST:
		put(b, property, "type", type_of(b, "array", nullable));
		put(b, property, "items", item_schema(b, f->items));
		break;
	default:
		describe_number(b, property, f, nullable);
	}
	return property;
}

static void add_twin(struct builder *b, cJSON *properties, const struct field *f)
{
	char name[80];
	cJSON *twin;

	snprintf(name, sizeof(name), "%s_rfc3339", f->name);
	twin = put(b, properties, name, cJSON_CreateObject());
	put(b, twin, "description", cJSON_CreateString(f->help));
	put(b, twin, "type", cJSON_CreateString("string"));
	put(b, twin, "format", cJSON_CreateString("date-time"));
}

static cJSON *item_schema(struct builder *b, const struct schema *s)
{
	cJSON *object = cJSON_CreateObject(), *properties;

	put(b, object, "type", cJSON_CreateString("object"));
	properties = put(b, object, "properties", cJSON_CreateObject());
	for (size_t i = 0; i < s->nfields; i++) {
		const struct field *f = &s->fields[i];
		bool nullable = strcmp(f->name, "kind") != 0 && f->type != FIELD_REF;

		put(b, properties, f->name, field_schema(b, f, nullable));
		if (f->type == FIELD_TIME)
			add_twin(b, properties, f);
	}
	put(b, object, "additionalProperties", cJSON_CreateFalse());
	return object;
}

static void add_kind(struct builder *b, cJSON *root, cJSON *any, const struct kind *k)
{
	cJSON *definitions = cJSON_GetObjectItem(root, "$defs");
	cJSON *object = item_schema(b, k->schema), *reference = cJSON_CreateObject();
	cJSON *kind = cJSON_GetObjectItem(cJSON_GetObjectItem(object, "properties"), "kind");
	char pointer[80];

	put(b, object, "title", cJSON_CreateString(k->title));
	put(b, kind, "const", cJSON_CreateString(k->name));
	put(b, definitions, k->name, object);
	snprintf(pointer, sizeof(pointer), "#/$defs/%s", k->name);
	put(b, reference, "$ref", cJSON_CreateString(pointer));
	append(b, any, reference);
}

static cJSON *build(struct builder *b)
{
	cJSON *root = cJSON_CreateObject(), *properties, *objects, *items, *any, *required, *warnings;
	static const char *const needed[] = { "schema",	 "time",     "host",
					      "objects", "complete", "unreadable_processes",
					      "warnings" };

	put(b, root, "$schema", cJSON_CreateString("https://json-schema.org/draft/2020-12/schema"));
	put(b, root, "title", cJSON_CreateString("ipcctl list, describe and create --json"));
	put(b, root, "type", cJSON_CreateString("object"));
	properties = put(b, root, "properties", cJSON_CreateObject());
	put(b, put(b, properties, "schema", cJSON_CreateObject()), "const", cJSON_CreateNumber(1));
	add_typed(b, properties, "time", "integer");
	add_typed(b, properties, "host", "string");
	objects = put(b, properties, "objects", cJSON_CreateObject());
	put(b, objects, "type", cJSON_CreateString("array"));
	items = put(b, objects, "items", cJSON_CreateObject());
	any = put(b, items, "anyOf", cJSON_CreateArray());
	add_typed(b, properties, "complete", "boolean");
	add_typed(b, properties, "unreadable_processes", "integer");
	warnings = put(b, properties, "warnings", cJSON_CreateObject());
	put(b, warnings, "type", cJSON_CreateString("array"));
	add_typed(b, warnings, "items", "string");
	required = put(b, root, "required", cJSON_CreateArray());
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		append(b, required, cJSON_CreateString(needed[i]));
	put(b, root, "additionalProperties", cJSON_CreateFalse());
	put(b, root, "$defs", cJSON_CreateObject());
	for (const struct kind *const *k = kinds; *k; k++)
		if (kind_is_built(*k))
			add_kind(b, root, any, *k);
	return root;
}

int json_schema_print(struct buf *out)
{
	struct builder b = { false };
	cJSON *root = build(&b);
	char *text = b.failed ? NULL : cJSON_Print(root);

	if (text) {
		buf_puts(out, text);
		buf_putc(out, '\n');
	}
	cJSON_free(text);
	cJSON_Delete(root);
	return text ? 0 : -ENOMEM;
}
