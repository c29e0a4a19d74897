/* SPDX-License-Identifier: MIT */
#include "cmd/json_schema.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

#include "kind/registry.h"

static cJSON *item_schema(const struct schema *s);

/* A value may be null: it could not be read. Not so the kind and the reference. */
static cJSON *type_of(const char *type, bool nullable)
{
	cJSON *both;

	if (!nullable)
		return cJSON_CreateString(type);
	both = cJSON_CreateArray();
	cJSON_AddItemToArray(both, cJSON_CreateString(type));
	cJSON_AddItemToArray(both, cJSON_CreateString("null"));
	return both;
}

static void add_values(cJSON *property, const struct field *f, bool nullable)
{
	cJSON *values = cJSON_AddArrayToObject(property, "enum");

	for (const char *const *v = f->values; *v; v++)
		cJSON_AddItemToArray(values, cJSON_CreateString(*v));
	if (nullable)
		cJSON_AddItemToArray(values, cJSON_CreateNull());
}

static void describe_number(cJSON *property, const struct field *f, bool nullable)
{
	cJSON_AddItemToObject(property, "type",
			      type_of(f->type == FIELD_PERCENT ? "number" : "integer", nullable));
	if (f->type != FIELD_I64 && f->type != FIELD_TIME)
		cJSON_AddNumberToObject(property, "minimum", 0);
}

static cJSON *field_schema(const struct field *f, bool nullable)
{
	cJSON *property = cJSON_CreateObject();

	cJSON_AddStringToObject(property, "description", f->help);
	switch (f->type) {
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		cJSON_AddItemToObject(property, "type", type_of("string", nullable));
		if (f->values)
			add_values(property, f, nullable);
		break;
	case FIELD_MODE:
		cJSON_AddItemToObject(property, "type", type_of("string", nullable));
		cJSON_AddStringToObject(property, "pattern", "^0[0-7]{3,4}$");
		break;
	case FIELD_KEY:
		cJSON_AddItemToObject(property, "type", type_of("string", nullable));
		cJSON_AddStringToObject(property, "pattern", "^0x[0-9a-f]{8}$");
		break;
	case FIELD_BOOL:
		cJSON_AddItemToObject(property, "type", type_of("boolean", nullable));
		break;
	case FIELD_LIST:
		cJSON_AddItemToObject(property, "type", type_of("array", nullable));
		cJSON_AddItemToObject(property, "items", item_schema(f->items));
		break;
	default:
		describe_number(property, f, nullable);
	}
	return property;
}

static void add_twin(cJSON *properties, const struct field *f)
{
	char name[80];
	cJSON *twin;

	snprintf(name, sizeof(name), "%s_rfc3339", f->name);
	twin = cJSON_AddObjectToObject(properties, name);
	cJSON_AddStringToObject(twin, "description", f->help);
	cJSON_AddStringToObject(twin, "type", "string");
	cJSON_AddStringToObject(twin, "format", "date-time");
}

static cJSON *item_schema(const struct schema *s)
{
	cJSON *object = cJSON_CreateObject(), *properties;

	cJSON_AddStringToObject(object, "type", "object");
	properties = cJSON_AddObjectToObject(object, "properties");
	for (size_t i = 0; i < s->nfields; i++) {
		const struct field *f = &s->fields[i];
		bool nullable = strcmp(f->name, "kind") != 0 && f->type != FIELD_REF;

		cJSON_AddItemToObject(properties, f->name, field_schema(f, nullable));
		if (f->type == FIELD_TIME)
			add_twin(properties, f);
	}
	cJSON_AddFalseToObject(object, "additionalProperties");
	return object;
}

static void add_kind(cJSON *root, cJSON *any, const struct kind *k)
{
	cJSON *definitions = cJSON_GetObjectItem(root, "$defs");
	cJSON *object = item_schema(k->schema), *reference = cJSON_CreateObject();
	cJSON *kind = cJSON_GetObjectItem(cJSON_GetObjectItem(object, "properties"), "kind");
	char pointer[80];

	cJSON_AddStringToObject(object, "title", k->title);
	cJSON_AddStringToObject(kind, "const", k->name);
	cJSON_AddItemToObject(definitions, k->name, object);
	snprintf(pointer, sizeof(pointer), "#/$defs/%s", k->name);
	cJSON_AddStringToObject(reference, "$ref", pointer);
	cJSON_AddItemToArray(any, reference);
}

static cJSON *build(void)
{
	cJSON *root = cJSON_CreateObject(), *properties, *objects, *items, *any, *required, *warnings;
	static const char *const needed[] = { "schema",	 "time",     "host",
					      "objects", "complete", "unreadable_processes",
					      "warnings" };

	cJSON_AddStringToObject(root, "$schema", "https://json-schema.org/draft/2020-12/schema");
	cJSON_AddStringToObject(root, "title", "ipcctl list, describe and create --json");
	cJSON_AddStringToObject(root, "type", "object");
	properties = cJSON_AddObjectToObject(root, "properties");
	cJSON_AddNumberToObject(cJSON_AddObjectToObject(properties, "schema"), "const", 1);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "time"), "type", "integer");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "host"), "type", "string");
	objects = cJSON_AddObjectToObject(properties, "objects");
	cJSON_AddStringToObject(objects, "type", "array");
	items = cJSON_AddObjectToObject(objects, "items");
	any = cJSON_AddArrayToObject(items, "anyOf");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "complete"), "type", "boolean");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "unreadable_processes"), "type",
				"integer");
	warnings = cJSON_AddObjectToObject(properties, "warnings");
	cJSON_AddStringToObject(warnings, "type", "array");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(warnings, "items"), "type", "string");
	required = cJSON_AddArrayToObject(root, "required");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		cJSON_AddItemToArray(required, cJSON_CreateString(needed[i]));
	cJSON_AddFalseToObject(root, "additionalProperties");
	cJSON_AddObjectToObject(root, "$defs");
	for (const struct kind *const *k = kinds; *k; k++)
		if (kind_is_built(*k))
			add_kind(root, any, *k);
	return root;
}

int json_schema_print(struct buf *out)
{
	cJSON *root = build();
	char *text = cJSON_Print(root);

	if (text) {
		buf_puts(out, text);
		buf_putc(out, '\n');
	}
	cJSON_free(text);
	cJSON_Delete(root);
	return text ? 0 : -ENOMEM;
}
