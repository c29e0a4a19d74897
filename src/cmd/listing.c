/* SPDX-License-Identifier: MIT */
#include "cmd/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cmd/crew.h"
#include "scan/pids.h"

int listing_init_kinds(struct listing *l, struct context *c, const struct kind_list *list)
{
	*l = (struct listing){ .context = c, .kinds = list->items, .nkinds = list->count };
	l->schemas = calloc(list->count + 1, sizeof(*l->schemas));
	if (!l->schemas)
		return out_of_memory(c);
	for (size_t i = 0; i < list->count; i++)
		l->schemas[i] = list->items[i]->schema;
	return -1;
}

int listing_init(struct listing *l, struct context *c, const struct kind_list *list, const char *array,
		 bool detail)
{
	int status = listing_init_kinds(l, c, list);

	if (status >= 0)
		return status;
	return sheet_init(&l->sheet, c,
			  &(struct sheet_plan){

				  .schemas = l->schemas,
				  .nschemas = l->nkinds,
				  .parts = list->parts,
				  .array = array,
				  .detail = detail });
}

void listing_free(struct listing *l)
{
	sheet_free(&l->sheet);
	if (l->taken)
		snapshot_free(&l->snapshot);
	free(l->schemas);
}

size_t listing_kind(const struct listing *l, const struct kind *k)
{
	size_t i = 0;

	while (i + 1 < l->nkinds && l->kinds[i] != k)
		i++;
	return i;
}

/* --pid: what is wrong with that process; the exit status. */
static int pid_error(struct context *c, const char *text)
{
	diag_error(&c->diag, "--pid %llu: %s", (unsigned long long)c->options.pid.value, text);
	return EXIT_FAILED;
}

/* Whether it takes the right to look into a process to tell what of it is listed. */
static bool lists_holdings(const struct listing *l)
{
	for (size_t i = 0; i < l->nkinds; i++)
		if (schema_find(l->schemas[i], SPAN("holders")) >= 0)
			return true;
	return false;
}

/* --pid: whether there is such a process, and may it be read? -1 or the exit status. */
static int check_pid(struct listing *l)
{
	struct context *c = l->context;
	uint64_t pid = c->options.pid.value;
	_cleanup_(close_fd) int fd = -1;
	char path[40];
	int r;

	if (!c->options.pid.set)
		return -1;
	if (pid == 0 || pid > INT32_MAX)
		return diag_usage(&c->diag, "--pid %llu: no process has that number",
				  (unsigned long long)pid);
	if (c->options.no_holders)
		return diag_usage(&c->diag, "--pid and --no-holders exclude each other");
	r = pid_start_ticks(&c->scan, (uint32_t)pid, &l->pid_start);
	if (r < 0)
		return pid_error(c, r == -ENOENT || r == -ESRCH ? "no such process" : error_text(r));
	if (!lists_holdings(l))
		return -1;
	snprintf(path, sizeof(path), "%llu/maps", (unsigned long long)pid);
	fd = openat(c->scan.proc, path, O_RDONLY | O_CLOEXEC);
	/* One without memory, such as a thread of the kernel, holds nothing. */
	if (fd >= 0 || errno == ESRCH)
		return -1;
	return pid_error(c, errno == ENOENT ? "it ended while it was looked at" : error_text(errno));
}

/* --pid: whether it was the same process all the time. -1 or the exit status. */
static int check_pid_again(struct listing *l)
{
	struct context *c = l->context;
	uint64_t start;
	int r;

	if (!c->options.pid.set)
		return -1;
	r = pid_start_ticks(&c->scan, (uint32_t)c->options.pid.value, &start);
	if (r == -ENOENT || r == -ESRCH)
		return pid_error(c, "it ended while it was looked at");
	if (r < 0)
		return pid_error(c, error_text(r));
	return start == l->pid_start ? -1 : pid_error(c, "it ended, and another process has that number now");
}

unsigned listing_threads(const struct context *c)
{
	uint64_t n = c->options.threads.value;

	return n < MOST_THREADS ? (unsigned)n : MOST_THREADS;
}

/* --pid: kinds whose users nobody can tell are not listed, which is not to say that there are none. */
static void tell_untold(struct listing *l)
{
	for (size_t i = 0; l->context->options.pid.set && i < l->nkinds; i++)
		if (schema_find(l->schemas[i], SPAN("holders")) < 0 &&
		    schema_find(l->schemas[i], SPAN("pid")) < 0)
			warnings_add(
				&l->sheet.warnings,
				&(struct warning){ .subject = l->kinds[i]->name,
						   .text = "the kernel keeps no list of who uses them" });
}

int listing_take(struct listing *l, struct scan_request *request)
{
	int status = check_pid(l);

	if (status >= 0)
		return status;
	for (size_t i = 0; i < l->nkinds; i++)
		request->sources |=
			l->kinds[i]->sources | schema_sources(l->schemas[i], sheet_fields(&l->sheet, i));
	request->depth = select_depth(&l->context->options);
	request->threads = listing_threads(l->context);
	l->taken = true;
	if (snapshot_take(&l->snapshot, &l->context->scan, request, &l->sheet.warnings) < 0)
		return out_of_memory(l->context);
	l->sheet.document.unreadable_processes = snapshot_unreadable(&l->snapshot);
	tell_untold(l);
	return check_pid_again(l);
}

void listing_drop(struct listing *l)
{
	if (l->taken)
		snapshot_free(&l->snapshot);
	l->taken = false;
	warnings_free(&l->sheet.warnings);
}

void listing_begin(struct listing *l)
{
	sheet_begin(&l->sheet, l->snapshot.taken);
}

int listing_show(struct listing *l, size_t kind, size_t index)
{
	struct projector p = { .snapshot = &l->snapshot, .want = sheet_fields(&l->sheet, kind) };
	struct arena arena = { 0 };
	struct record r;
	int e = record_init(&r, l->schemas[kind], &arena);

	if (e == 0)
		e = kind_project(l->kinds[kind], &p, index, &r);
	if (e == 0)
		e = sheet_add(&l->sheet, &r);
	projector_free(&p);
	arena_free(&arena);
	return e == 0 ? 1 : e == PROJECT_SKIP ? 0 : e;
}

void hand_free(struct hand *h)
{
	projector_free(&h->projector);
	arena_free(&h->values);
	arena_free(&h->arena);
}

int listing_range(const struct listing *l, struct hand *h, size_t kind, size_t from, size_t to,
		  int (*visit)(void *data, size_t index, const struct record *r), void *data)
{
	struct record r;
	int e;

	arena_reset(&h->values);
	e = record_init(&r, l->schemas[kind], &h->values);
	r.arena = &h->arena;
	return e < 0 ? e : kind_each(l->kinds[kind], &h->projector, from, to, &r, visit, data);
}

int listing_each(struct listing *l, size_t kind, struct fieldset want,
		 int (*visit)(void *data, size_t index, const struct record *r), void *data)
{
	struct hand h = { .projector = { .snapshot = &l->snapshot, .want = want } };
	int e = listing_range(l, &h, kind, 0, kind_count(l->kinds[kind], &l->snapshot), visit, data);

	hand_free(&h);
	return e;
}

static int show_serial(void *data, size_t index _unused_, const struct record *r)
{
	return sheet_add(data, r);
}

int listing_show_all(struct listing *l)
{
	int e = 0;

	listing_begin(l);
	if (sheet_is_parallel(&l->sheet))
		e = crew_show_all(l);
	else
		for (size_t i = 0; e == 0 && i < l->nkinds; i++)
			e = listing_each(l, i, sheet_fields(&l->sheet, i), show_serial, &l->sheet);
	return e < 0 ? out_of_memory(l->context) : -1;
}
