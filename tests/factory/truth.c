/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void name_value(struct truth *t, const char *name)
{
	fprintf(t->out, "%s\"%s\": ", t->started ? ", " : "", name);
	t->started = true;
}

void truth_begin(struct truth *t, const char *thing)
{
	t->out = stdout;
	t->started = false;
	fputc('{', t->out);
	truth_text(t, "thing", thing);
}

void truth_u64(struct truth *t, const char *name, uint64_t v)
{
	name_value(t, name);
	fprintf(t->out, "%" PRIu64, v);
}

void truth_i64(struct truth *t, const char *name, int64_t v)
{
	name_value(t, name);
	fprintf(t->out, "%" PRId64, v);
}

void truth_text(struct truth *t, const char *name, const char *plain)
{
	name_value(t, name);
	fprintf(t->out, "\"%s\"", plain);
}

void truth_hex(struct truth *t, const char *name, struct bytes b)
{
	name_value(t, name);
	fputc('"', t->out);
	for (size_t i = 0; i < b.len; i++)
		fprintf(t->out, "%02x", (unsigned char)b.data[i]);
	fputc('"', t->out);
}

void truth_list(struct truth *t, const char *name)
{
	name_value(t, name);
	fputc('[', t->out);
	t->in_list = false;
}

void truth_item(struct truth *t, uint64_t v)
{
	fprintf(t->out, "%s%" PRIu64, t->in_list ? ", " : "", v);
	t->in_list = true;
}

void truth_list_end(struct truth *t)
{
	fputc(']', t->out);
}

void truth_end(struct truth *t)
{
	fputs("}\n", t->out);
	if (fflush(t->out) != 0)
		die("standard output");
}

int64_t own_fdinfo(int fd, const char *field, int base)
{
	char path[64], *line = NULL;
	size_t size = 0, len = strlen(field);
	int64_t found = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		die("%s", path);
	while (getline(&line, &size, f) > 0)
		if (strncmp(line, field, len) == 0 && line[len] == ':')
			found = strtoll(line + len + 1, NULL, base);
	free(line);
	fclose(f);
	return found;
}
