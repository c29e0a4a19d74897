/* SPDX-License-Identifier: MIT */
#include "cmd/sheet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cmd/unseen.h"
#include "scan/users.h"

/* Says what was wrong with a word about fields; returns EXIT_USAGE. */
static int word_usage(struct context *c, const char *option, const struct field_error *e)
{
	_cleanup_(buf_free) struct buf words = { 0 };

	for (const char *const *w = e->words; *w; w++)
		buf_printf(&words, "%s%s", words.len ? ", " : "", *w);
	return diag_usage(&c->diag, "%s: '%.*s' is none of %s", option, (int)e->word.len, e->word.ptr,
			  buf_cstr(&words) ? words.data : "its words");
}

static int field_usage(struct context *c, const char *option, const struct field_error *e)
{
	int n = (int)e->word.len;

	if (e->words && !e->suggestion)
		return word_usage(c, option, e);
	if (e->expected && e->suggestion)
		return diag_usage(&c->diag, "%s: '%.*s' is not %s; did you mean '%s'?", option, n,
				  e->word.ptr, e->expected, e->suggestion);
	if (e->expected)
		return diag_usage(&c->diag, "%s: '%.*s' is not %s", option, n, e->word.ptr, e->expected);
	if (e->suggestion)
		return diag_usage(&c->diag, "%s: no field is called '%.*s'; did you mean '%s'?", option, n,
				  e->word.ptr, e->suggestion);
	return diag_usage(&c->diag, "%s: no field is called '%.*s'; '-o all' shows them", option, n,
			  e->word.ptr);
}

static int failed(struct context *c, int r, const char *option, const struct field_error *e)
{
	return r == -ENOMEM ? out_of_memory(c) : field_usage(c, option, e);
}

static const struct render_ops *choose_renderer(const struct options *o, bool detail)
{
	if (o->json)
		return &render_json;
	if (o->jsonl)
		return &render_jsonl;
	if (o->null)
		return &render_null;
	if (o->raw)
		return &render_raw;
	return detail ? &render_detail : &render_table;
}

static int check_formats(struct context *c)
{
	const struct options *o = &c->options;

	if (o->json + o->jsonl + o->raw + o->null > 1)
		return diag_usage(&c->diag, "--json, --jsonl, --raw and --null exclude each other");
	return -1;
}

static int init_view(struct sheet *s, const struct sheet_plan *plan)
{
	const struct options *o = &s->context->options;
	bool all = plan->detail || o->json || o->jsonl;
	enum view_default detail = o->content.set || o->queue ? VIEW_CONTENTS : VIEW_EVERYTHING;
	enum view_default start = plan->detail ? detail : all ? VIEW_LISTING : VIEW_TABLE;
	const char *spec = o->output ? o->output : o->null ? "ref" : NULL;
	struct field_error error = { 0 };
	int r = view_init(&s->view, plan->schemas, plan->nschemas, spec, start, &error);

	return r < 0 ? failed(s->context, r, "--output", &error) : -1;
}

static int init_filters(struct sheet *s, const struct sheet_plan *plan)
{
	struct context *c = s->context;
	struct field_error error = { 0 };
	char text[32];
	uint32_t uid;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->options.filters.count; i++)
		r = filters_add(&s->filters, c->options.filters.items[i].arg, plan->schemas, plan->nschemas,
				&error);
	if (r < 0)
		return failed(c, r, "--filter", &error);
	for (size_t i = 0; r == 0 && plan->parts && i < plan->nschemas; i++)
		if (plan->parts[i])
			r = filters_add_for(&s->filters, plan->parts[i], &plan->schemas[i], &error);
	if (r < 0)
		return failed(c, r, "KIND", &error);
	if (c->options.user) {
		if (user_id(c->options.user, &uid) < 0)
			return diag_usage(&c->diag, "--user: no user is called '%s'", c->options.user);
		snprintf(text, sizeof(text), "uid=%" PRIu32, uid);
		r = filters_add(&s->filters, text, plan->schemas, plan->nschemas, &error);
		if (r == -EINVAL)
			return diag_usage(&c->diag, "--user: what is listed has no owner");
		if (r < 0)
			return failed(c, r, "--user", &error);
	}
	if (c->options.sort) {
		r = sort_parse(&s->sort, c->options.sort, plan->schemas, plan->nschemas, &error);
		if (r < 0)
			return failed(c, r, "--sort", &error);
	}
	return -1;
}

/* Fields of the i-th schema that filters and order look at. */
static struct fieldset judged_fields(const struct sheet *s, size_t i)
{
	const struct schema *schema = s->view.schemas[i];

	return (struct fieldset){ filters_fields(&s->filters, schema).bits |
				  sort_fields(&s->sort, schema).bits };
}

int sheet_init(struct sheet *s, struct context *c, const struct sheet_plan *plan)
{
	const struct options *o = &c->options;
	int r;

	*s = (struct sheet){ .context = c };
	if (gethostname(s->host, sizeof(s->host) - 1) < 0)
		s->host[0] = '\0';
	r = check_formats(c);
	if (r < 0)
		r = init_view(s, plan);
	if (r < 0)
		r = init_filters(s, plan);
	for (size_t i = 0; r < 0 && i < plan->nschemas; i++)
		view_read(&s->view, i, judged_fields(s, i));
	s->document = (struct document){ .array = plan->array, .host = s->host, .warnings = &s->warnings };
	s->renderer = (struct renderer){
		.ops = choose_renderer(o, plan->detail),
		.view = &s->view,
		.options = { .headings = !o->noheadings,
			     .exact_bytes = o->bytes,
			     .truncate = c->terminal && !o->no_truncate,
			     .color = c->color,
			     .twins = plan->detail,
			     .width = c->width },
	};
	return r;
}

void sheet_free(struct sheet *s)
{
	renderer_free(&s->renderer);
	rowset_free(&s->rows);
	sort_free(&s->sort);
	filters_free(&s->filters);
	view_free(&s->view);
	warnings_free(&s->warnings);
	arena_free(&s->scratch);
}

/* The field that tells whose an object is: its holders, or the process that it is part of; -1:
 * nothing does. */
static int process_field(const struct schema *schema)
{
	int holders = schema_find(schema, SPAN("holders"));

	return holders >= 0 ? holders : schema_find(schema, SPAN("pid"));
}

struct fieldset sheet_fields(const struct sheet *s, size_t i)
{
	const struct schema *schema = s->view.schemas[i];
	struct fieldset set = s->read ? s->read[i] : s->view.shown[i].set;

	if (s->context->options.pid.set && process_field(schema) >= 0)
		set.bits |= (uint64_t)1 << process_field(schema);
	set.bits |= judged_fields(s, i).bits;
	return set;
}

bool sheet_is_parallel(const struct sheet *s)
{
	return !s->renderer.ops->serial && s->sort.count == 0;
}

void sheet_begin(struct sheet *s, int64_t time)
{
	s->document.time = time;
	if (s->renderer.ops->begin)
		s->renderer.ops->begin(&s->renderer, &s->document, out_buf(&s->context->out));
}

static bool is_held_by(const struct record *r, uint64_t pid)
{
	int field = process_field(r->schema);
	const struct value *v = field < 0 ? NULL : &r->values[field];
	struct record row;

	if (!v || v->state != VALUE_SET)
		return false;
	if (r->schema->fields[field].type == FIELD_PID)
		return v->u64 == pid;
	for (size_t i = 0; i < v->list->count; i++) {
		int at = schema_find(v->list->schema, SPAN("pid"));

		list_row(v->list, i, &row);
		if (at >= 0 && row.values[at].state == VALUE_SET && row.values[at].u64 == pid)
			return true;
	}
	return false;
}

/* The fields of which it is said why they are unknown. */
static struct fieldset told_fields(const struct sheet *s, size_t i)
{
	return s->read ? s->read[i] : s->view.shown[i].set;
}

/* A record that is left out because the value that decides is unknown. */
static void tell_undecided(struct warnings *warnings, const struct record *r)
{
	warnings_tally(warnings, r, schema_set(r->schema, 0));
	warnings_add(warnings, &(struct warning){ .subject = r->schema->name,
						  .count = 1,
						  .text = "left out: what a filter asks for is unknown" });
}

bool sheet_passes(const struct sheet *s, const struct record *r, struct warnings *warnings)
{
	enum match m = s->filters.count ? filters_match(&s->filters, r) : MATCH_YES;

	if (s->context->options.pid.set && !is_held_by(r, s->context->options.pid.value))
		return false;

	if (m == MATCH_UNKNOWN)
		/* Left out because it cannot be judged: that is to be said, with whatever
		 * else of it is unknown and may be the cause. */
		tell_undecided(warnings, r);
	else if (m == MATCH_YES && r->unknowns)
		warnings_tally(warnings, r, told_fields(s, view_schema(&s->view, r->schema)));
	return m == MATCH_YES;
}

static void put_separator(const struct sheet *s, struct buf *out)
{
	const struct render_ops *ops = s->renderer.ops;

	if (ops->separator)
		buf_puts(out, ops->separator + (s->began ? 0 : strlen(ops->separator) - ops->first));
}

static int emit(struct sheet *s, const struct record *r)
{
	struct buf *out = out_buf(&s->context->out);
	int e;

	put_separator(s, out);
	s->began = true;
	arena_reset(&s->scratch);
	e = s->renderer.ops->record(&s->renderer, &s->scratch, r, out);
	out_flush_if_full(&s->context->out); /* remembers that the buffer failed */
	return e;
}

int sheet_add(struct sheet *s, const struct record *r)
{
	if (!sheet_passes(s, r, &s->warnings)) {
		s->left_out++;
		return 0;
	}
	s->shown++;
	if (s->sort.count > 0)
		return rowset_add(&s->rows, r, sheet_fields(s, view_schema(&s->view, r->schema)));
	return emit(s, r);
}

int sheet_render(const struct sheet *s, struct sheet_worker *w, const struct record *r)
{
	int e;

	if (!sheet_passes(s, r, &w->warnings)) {
		w->left_out++;
		return 0;
	}
	w->shown++;
	w->records++;
	if (s->renderer.ops->separator)
		buf_puts(&w->text, s->renderer.ops->separator);
	arena_reset(&w->scratch);
	/* A parallel renderer does not change itself. */
	e = s->renderer.ops->record((struct renderer *)(uintptr_t)&s->renderer, &w->scratch, r, &w->text);
	return e < 0 ? e : w->text.failed ? -ENOMEM : 0;
}

void sheet_take(struct sheet *s, struct sheet_worker *w)
{
	struct out *out = &s->context->out;
	const struct render_ops *ops = s->renderer.ops;
	struct span text = buf_span(&w->text);

	if (w->records > 0) {
		if (!s->began && ops->separator)
			text = span_from(text, strlen(ops->separator) - ops->first);
		s->began = true;
		out_write(out, text);
	}
	s->shown += w->shown;
	s->left_out += w->left_out;
	w->shown = 0;
	w->left_out = 0;
	w->records = 0;
	buf_reset(&w->text);
}

void sheet_worker_free(struct sheet_worker *w)
{
	buf_free(&w->text);
	arena_free(&w->scratch);
	warnings_free(&w->warnings);
}

static int emit_sorted(struct sheet *s)
{
	struct arena arena = { 0 };
	struct record r;
	int e = 0;

	rowset_sort(&s->rows, &s->sort);
	for (size_t i = 0; e == 0 && i < s->rows.count; i++) {
		arena_reset(&arena);
		e = rowset_get(&s->rows, i, &arena, &r);
		if (e == 0)
			e = emit(s, &r);
	}
	arena_free(&arena);
	return e;
}

static void tell(struct context *c, struct buf *text, bool fails, bool mute)
{
	if (!buf_cstr(text))
		out_of_memory(c);
	else if (text->len > 0 && fails)
		diag_error_escaped(&c->diag, text->data);
	else if (text->len > 0 && !mute)
		diag_note_escaped(&c->diag, text->data);
}

int warnings_tell(struct context *c, const struct warnings *warnings, bool mute)
{
	_cleanup_(buf_free) struct buf unseen = { 0 };

	for (size_t i = 0; i < warnings->count; i++) {
		const struct warning *w = &warnings->items[i];
		_cleanup_(buf_free) struct buf text = { 0 };

		if (unseen_has(w) && !c->options.verbose)
			continue;
		warning_text(w, &text);
		tell(c, &text, warning_fails(w) || (c->options.strict && warning_hides(w)), mute);
	}
	if (warnings->starved)
		out_of_memory(c);
	unseen_put(warnings, &unseen);
	tell(c, &unseen, c->options.strict, mute);
	return warnings->failed || (c->options.strict && warnings->incomplete) ? EXIT_FAILED : EXIT_DONE;
}

int sheet_end(struct sheet *s)
{
	struct context *c = s->context;
	int status = EXIT_DONE;

	if (s->sort.count > 0 && emit_sorted(s) < 0)
		status = out_of_memory(c);
	s->document.records = s->shown;
	s->document.complete = !s->warnings.incomplete;
	if (s->renderer.ops->end)
		s->renderer.ops->end(&s->renderer, &s->document, out_buf(&c->out));
	/* Machines read them in the document. */
	if (warnings_tell(c, &s->warnings, s->renderer.ops == &render_json || s->mute) != EXIT_DONE)
		status = EXIT_FAILED;
	if (c->options.verbose)
		diag_note(&c->diag, "%" PRIu64 " shown, %" PRIu64 " left out by filters, %.1f ms", s->shown,
			  s->left_out, (double)(nanoseconds(CLOCK_MONOTONIC) - c->started) / 1e6);
	return status;
}
