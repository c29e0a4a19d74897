/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void args_parse(struct args *args, int argc, char **argv)
{
	args->items = calloc(argc > 0 ? argc : 1, sizeof(*args->items));
	if (!args->items)
		die("arguments");
	for (int i = 0; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			wrong("%s: expected NAME=VALUE", argv[i]);
		*equals = '\0';
		args->items[args->count++] = (struct arg){ .name = argv[i], .value = equals + 1 };
	}
}

void args_all_used(const struct args *args)
{
	for (size_t i = 0; i < args->count; i++)
		if (!args->items[i].used)
			wrong("%s: this thing has no such argument", args->items[i].name);
}

const char *arg_text(struct args *args, const char *name, const char *otherwise)
{
	for (size_t i = 0; i < args->count; i++)
		if (strcmp(args->items[i].name, name) == 0) {
			args->items[i].used = true;
			return args->items[i].value;
		}
	return otherwise;
}

int64_t number(const char *text)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 0);
	if (errno || end == text || *end)
		wrong("%s: expected a number", text);
	return v;
}

uint64_t arg_u64(struct args *args, const char *name, uint64_t otherwise)
{
	const char *text = arg_text(args, name, NULL);
	unsigned long long v;
	char *end;

	if (!text)
		return otherwise;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		wrong("%s=%s: expected a number", name, text);
	return v;
}

mode_t arg_mode(struct args *args, const char *name, mode_t otherwise)
{
	const char *text = arg_text(args, name, NULL);
	unsigned long v;
	char *end;

	if (!text)
		return otherwise;
	v = strtoul(text, &end, 8);
	if (end == text || *end || v > 07777)
		wrong("%s=%s: expected a mode", name, text);
	return v;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

struct bytes decode_hex(const char *digits)
{
	struct bytes b = { .len = strlen(digits) / 2 };

	b.data = calloc(1, b.len + 1);
	if (!b.data)
		die("memory");
	for (size_t i = 0; i < b.len; i++) {
		int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);

		if (high < 0 || low < 0)
			wrong("%s: expected pairs of hexadecimal digits", digits);
		b.data[i] = high << 4 | low;
	}
	if (strlen(digits) % 2)
		wrong("%s: expected pairs of hexadecimal digits", digits);
	return b;
}

struct bytes arg_bytes(struct args *args, const char *name, const char *otherwise)
{
	const char *text = arg_text(args, name, NULL);
	char hex_name[64];
	const char *hex;
	struct bytes b;

	snprintf(hex_name, sizeof(hex_name), "%shex", name);
	hex = arg_text(args, hex_name, NULL);
	if (hex)
		return decode_hex(hex);
	if (!text)
		text = otherwise;
	if (!text)
		wrong("%s= or %s= is missing", name, hex_name);
	b = (struct bytes){ strdup(text), strlen(text) };
	if (!b.data)
		die("memory");
	return b;
}

char *next_item(char **rest)
{
	char *item = strsep(rest, ",");

	return item && *item ? item : NULL;
}
