/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cmd/registry.h"
#include "cmd/waitgraph.h"
#include "cmd/waittree.h"

/* Releasers of one wait that are listed, and of those that stand in blocked_by. */
#define MOST_LISTED 64
#define MOST_NAMED 2

/* How long to wait before a deadlock is looked at again. */
#define SECOND_LOOK_NANOSECONDS 100000000

enum { RELEASER_PID, RELEASER_TID, RELEASER_COMMAND, RELEASER_WHY, RELEASER_WAITS };

static const char *const why_values[] = {
	[RELEASE_OWNER] = "owner",
	[RELEASE_HOLDER] = "holder",
	[RELEASE_LAST] = "last",
	[RELEASE_OTHER_END] = "other end",
	[RELEASE_SHARES] = "shares",
	NULL,
};

static const struct field releaser_fields[] = {
	[RELEASER_PID] = { .name = "pid", .type = FIELD_PID, .help = "process that could release it" },
	[RELEASER_TID] = { .name = "tid", .type = FIELD_PID, .help = "thread; absent: any of that" },
	[RELEASER_COMMAND] = { .name = "command",
			       .type = FIELD_STR,
			       .flags = FIELD_SHRINK,
			       .help = "its command" },
	[RELEASER_WHY] = { .name = "why",
			   .type = FIELD_STR,
			   .values = why_values,
			   .help = "what it has to do with the object" },
	[RELEASER_WAITS] = { .name = "waits", .type = FIELD_BOOL, .help = "it is blocked itself" },
};

static const struct schema releaser_schema = { "releasers", releaser_fields, ARRAY_SIZE(releaser_fields) };

enum {
	WAITS_PID,
	WAITS_TID,
	WAITS_START,
	WAITS_COMMAND,
	WAITS_USER,
	WAITS_CALL,
	WAITS_OPERATION,
	WAITS_KIND,
	WAITS_OBJECT,
	WAITS_AMONG,
	WAITS_BLOCKED_BY,
	WAITS_RELEASERS,
	WAITS_VERDICT,
	WAITS_CYCLE,
};

static const char *const verdict_values[] = {
	[WAIT_GOES_ON] = "waiting",
	[WAIT_DEADLOCK] = "deadlock",
	[WAIT_OWNER_DEAD] = "owner-dead",
	NULL,
};

static const struct field fields[] = {
	[WAITS_PID] = { .name = "pid",
			.type = FIELD_PID,
			.flags = FIELD_DEFAULT,
			.help = "process that waits" },
	[WAITS_TID] = { .name = "tid",
			.type = FIELD_PID,
			.flags = FIELD_DEFAULT,
			.help = "its thread that does" },
	[WAITS_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when the process was started" },
	[WAITS_COMMAND] = { .name = "command",
			    .type = FIELD_STR,
			    .flags = FIELD_DEFAULT | FIELD_SHRINK,
			    .help = "its command" },
	[WAITS_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
	[WAITS_CALL] = { .name = "call",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .help = "system call that it is blocked in" },
	[WAITS_OPERATION] = { .name = "operation",
			      .type = FIELD_STR,
			      .flags = FIELD_DEFAULT | FIELD_SHRINK,
			      .help = "what that is to do, where it is known" },
	[WAITS_KIND] = { .name = "kind", .type = FIELD_STR, .help = "kind of the object" },
	[WAITS_OBJECT] = { .name = "object",
			   .type = FIELD_REF,
			   .flags = FIELD_DEFAULT | FIELD_SHRINK,
			   .help = "reference of what it waits for" },
	[WAITS_AMONG] = { .name = "among",
			  .type = FIELD_BOOL,
			  .help = "it is one of several that the call waits for" },
	[WAITS_BLOCKED_BY] = { .name = "blocked_by",
			       .type = FIELD_STR,
			       .flags = FIELD_DEFAULT | FIELD_SHRINK,
			       .help = "who could release it, the first of them" },
	[WAITS_RELEASERS] = { .name = "releasers",
			      .type = FIELD_LIST,
			      .items = &releaser_schema,
			      .help = "each of those, at most 64" },
	[WAITS_VERDICT] = { .name = "verdict",
			    .type = FIELD_STR,
			    .flags = FIELD_DEFAULT,
			    .values = verdict_values,
			    .help = "whether it can ever end" },
	[WAITS_CYCLE] = { .name = "cycle",
			  .type = FIELD_U64,
			  .help = "number of the deadlock that it is part of" },
};

static const struct schema schema = { "wait", fields, ARRAY_SIZE(fields) };

/* The projection under way. */
struct projection {
	const struct wait_graph *g;
	struct projector p;
	struct record *r;
	struct list *list; /* releasers, or NULL: not wanted */
	struct buf named;
	size_t count;
};

static const struct process *process_of(struct projection *p, uint32_t pid)
{
	const struct process *process = process_get(&p->p.processes, p->p.snapshot->context, pid);

	return process && process->error == 0 ? process : NULL;
}

static int add_releaser(void *data, const struct releaser *r)
{
	struct projection *p = data;
	const struct process *process;
	struct record row;

	p->count++;
	if (p->count > MOST_LISTED)
		return 0;
	process = process_of(p, r->pid);
	if (p->count <= MOST_NAMED) {
		buf_printf(&p->named, "%s%u", p->count > 1 ? ", " : "", r->pid);
		if (process) {
			buf_putc(&p->named, ' ');
			buf_put_span(&p->named, process->command);
		}
	}
	if (!p->list)
		return 0;
	if (list_append(p->r, p->list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, RELEASER_PID, r->pid);
	if (r->tid)
		record_u64(&row, RELEASER_TID, r->tid);
	if (process)
		record_str(&row, RELEASER_COMMAND, process->command);
	record_text(&row, RELEASER_WHY, why_values[r->why]);
	record_bool(&row, RELEASER_WAITS, wait_graph_waits(p->g, r->pid, r->tid));
	return 0;
}

static int project_releasers(struct projection *p, const struct wait *w)
{
	struct span text;
	int e;

	p->count = 0;
	buf_reset(&p->named);
	p->list = wants(p->p.want, WAITS_RELEASERS) ? record_list(p->r, WAITS_RELEASERS) : NULL;
	if (wants(p->p.want, WAITS_RELEASERS) && !p->list)
		return -ENOMEM;
	e = wait_each_releaser(p->g, w, add_releaser, p);
	if (e < 0 || p->count == 0)
		return e;
	if (p->count > MOST_NAMED)
		buf_printf(&p->named, " and %zu more", p->count - MOST_NAMED);
	text = arena_span(p->r->arena, buf_span(&p->named));
	if (p->named.failed || !text.ptr)
		return -ENOMEM;
	record_str(p->r, WAITS_BLOCKED_BY, text);
	return 0;
}

static int project(struct projection *p, const struct wait *w)
{
	const struct awaited *o = &p->g->objects[w->object];
	const struct process *process = process_of(p, w->pid);
	struct span user;

	record_u64(p->r, WAITS_PID, w->pid);
	if (w->tid)
		record_u64(p->r, WAITS_TID, w->tid);
	if (process) {
		record_i64(p->r, WAITS_START, process->start);
		record_str(p->r, WAITS_COMMAND, process->command);
		if (wants(p->p.want, WAITS_USER) && users_uid_name(&p->p.users, process->uid, &user) == 0)
			record_str(p->r, WAITS_USER, user);
	}
	record_text(p->r, WAITS_CALL, w->call);
	if (w->operation.len > 0)
		record_str(p->r, WAITS_OPERATION, w->operation);
	record_text(p->r, WAITS_KIND, o->kind->name);
	record_str(p->r, WAITS_OBJECT, o->ref);
	record_bool(p->r, WAITS_AMONG, w->among);
	record_text(p->r, WAITS_VERDICT, verdict_values[w->verdict]);
	if (w->cycle)
		record_u64(p->r, WAITS_CYCLE, w->cycle);
	return wants_any(p->p.want, WAITS_BLOCKED_BY, WAITS_RELEASERS) ? project_releasers(p, w) : 0;
}

/* One look: a snapshot, and the graph of it. */
struct look {
	struct listing l;
	struct wait_graph g;
	uint64_t *runs; /* of each wait: how often its task had run; UINT64_MAX: not known */
};

static void look_free(struct look *look)
{
	wait_graph_free(&look->g);
	listing_free(&look->l);
	free(look->runs);
}

/* -1 or the exit status. */
static int look(struct look *look, struct context *c, const struct kind_list *list, struct warnings *warnings)
{
	struct scan_request request = { .threads = listing_threads(c) };
	int status = listing_init_kinds(&look->l, c, list), e;

	if (status >= 0)
		return status;
	request.sources = wait_graph_sources(&look->l);
	look->l.taken = true;
	e = snapshot_take(&look->l.snapshot, &c->scan, &request, warnings);
	scan_request_free(&request);
	if (e == 0)
		e = wait_graph_build(&look->g, &look->l, warnings);
	if (e == 0)
		e = wait_graph_judge(&look->g, &look->l.snapshot);
	look->runs = calloc(look->g.nwaits + 1, sizeof(*look->runs));
	if (e < 0 || !look->runs)
		return out_of_memory(c);
	for (size_t i = 0; i < look->g.nwaits; i++) {
		const struct wait *w = &look->g.waits[i];

		if (w->verdict == WAIT_GOES_ON || task_runs(&c->scan, w->pid, w->tid, &look->runs[i]) < 0)
			look->runs[i] = UINT64_MAX;
	}
	return -1;
}

/* Whether the first look found the same task without hope, and it has slept ever since. */
static bool is_confirmed(const struct look *first, const struct look *second, size_t i)
{
	const struct wait *now = &second->g.waits[i];
	size_t count, at = wait_graph_of_task(&first->g, now->pid, now->tid, &count);

	for (size_t k = at; k < at + count; k++) {
		const struct wait *then = &first->g.waits[k];

		if (then->verdict == now->verdict && first->runs[k] == second->runs[i] &&
		    span_eq(first->g.objects[then->object].ref, second->g.objects[now->object].ref))
			return true;
	}
	return false;
}

/*
 * A snapshot is not taken at one moment: what it shows as a circle may never have been one. So
 * deadlocks are looked at again, and count if nobody has moved meanwhile. -1 or the exit status.
 */
static int look_again(struct look *current, struct context *c, const struct kind_list *list,
		      struct warnings *warnings)
{
	const struct timespec pause = { .tv_nsec = SECOND_LOOK_NANOSECONDS };
	struct look second = { 0 }, first = *current;
	bool again = false;
	int status;

	for (size_t i = 0; i < first.g.nwaits; i++)
		again |= first.g.waits[i].verdict != WAIT_GOES_ON;
	if (!again)
		return -1;
	nanosleep(&pause, NULL);
	/* What could not be read this time is what counts. */
	warnings_free(warnings);
	*warnings = (struct warnings){ 0 };
	status = look(&second, c, list, warnings);
	for (size_t i = 0; status < 0 && i < second.g.nwaits; i++)
		if (second.g.waits[i].verdict != WAIT_GOES_ON && !is_confirmed(&first, &second, i)) {
			/* A circle is one only as a whole. */
			uint32_t cycle = second.g.waits[i].cycle;

			second.g.waits[i].verdict = WAIT_GOES_ON;
			second.g.waits[i].cycle = 0;
			for (size_t k = 0; cycle && k < second.g.nwaits; k++)
				if (second.g.waits[k].cycle == cycle) {
					second.g.waits[k].verdict = WAIT_GOES_ON;
					second.g.waits[k].cycle = 0;
				}
		}
	look_free(&first);
	*current = second;
	return status;
}

/* The tree has its own way to standard output. */
static const struct render_ops render_nothing = { .serial = true };

/* Whether people are to be shown the tree: nobody has asked for a form of his own. */
static bool shows_tree(const struct options *o)
{
	return !o->json && !o->jsonl && !o->raw && !o->null && !o->output && !o->sort && o->filters.count == 0 &&
	       !o->pid.set;
}

static int show_records(struct look *look, struct sheet *sheet, bool hopeless)
{
	struct context *c = sheet->context;
	struct projection p = { .g = &look->g,
				.p = { .snapshot = &look->l.snapshot, .want = sheet_fields(sheet, 0) } };
	struct arena values = { 0 }, arena = { 0 };
	struct record r;
	int e = record_init(&r, &schema, &values);

	r.arena = &arena;
	p.r = &r;
	for (size_t i = 0; e == 0 && i < look->g.nwaits; i++) {
		if (hopeless && look->g.waits[i].verdict == WAIT_GOES_ON)
			continue;
		record_clear(&r);
		arena_reset(&arena);
		e = project(&p, &look->g.waits[i]);
		if (e == 0)
			e = sheet_add(sheet, &r);
	}
	buf_free(&p.named);
	projector_free(&p.p);
	arena_free(&values);
	arena_free(&arena);
	return e < 0 ? out_of_memory(c) : -1;
}

static int show(struct look *look, struct sheet *sheet)
{
	struct context *c = sheet->context;
	bool found = false;
	int status = -1;

	sheet->document.unreadable_processes = snapshot_unreadable(&look->l.snapshot);
	if (look->g.unplaced > 0)
		warnings_add(&sheet->warnings,
			     &(struct warning){ .subject = schema.name,
						.error = WHY_OTHER_PIDS,
						.count = look->g.unplaced,
						.text = "left out: their processes are out of sight" });
	for (size_t i = 0; i < look->g.nwaits; i++)
		found |= look->g.waits[i].verdict != WAIT_GOES_ON;
	if (shows_tree(&c->options)) {
		sheet->renderer.ops = &render_nothing;
		if (wait_tree_print(&look->g, c) < 0)
			return out_of_memory(c);
		sheet->document.records = look->g.nwaits;
	} else {
		sheet_begin(sheet, look->l.snapshot.taken);
		status = show_records(look, sheet, c->options.deadlocks);
	}
	if (status < 0)
		status = sheet_end(sheet);
	return status == EXIT_DONE && c->options.deadlocks && found ? EXIT_FAILED : status;
}

static int run(struct context *c, int argc, char **argv)
{
	const struct schema *schemas = &schema;
	struct kind_list list = { 0 };
	struct sheet sheet = { 0 };
	struct look current = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_waits, argc, argv, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "all", &list);
	if (status < 0)
		status = sheet_init(&sheet, c,
				    &(struct sheet_plan){ .schemas = &schemas, .nschemas = 1, .array = "waits" });
	if (status < 0)
		status = look(&current, c, &list, &sheet.warnings);
	if (status < 0)
		status = look_again(&current, c, &list, &sheet.warnings);
	if (status < 0)
		status = show(&current, &sheet);
	look_free(&current);
	sheet_free(&sheet);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_waits = {
	.name = "waits",
	.arguments = "[KIND...]",
	.summary = "Show who is blocked on what, who could release it, and deadlocks",
	.text = "Without an option that says otherwise it is a tree: on top who could release\n"
		"something, below that what it is, and below that who waits for it.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT | OPTIONS_LETTERS |
		   OPTIONS_WAITS,
	.words = COMPLETE_KIND,
	.run = run,
};
