/* SPDX-License-Identifier: MIT */
#include "cmd/watchevent.h"

#include <errno.h>

#include "model/format.h"

static const char *const event_values[] = {
	[WATCH_PRESENT] = "present", [WATCH_CREATED] = "created", [WATCH_REMOVED] = "removed",
	[WATCH_CHANGED] = "changed", [WATCH_STATE] = "state",	  NULL,
};

static const struct field event_fields[EVENT_NFIELDS] = {
	[EVENT_TIME] = { .name = "time", .type = FIELD_TIME, .help = "when it was seen" },
	[EVENT_TIME_MS] = { .name = "time_ms",
			    .type = FIELD_U64,
			    .help = "the same in milliseconds since the epoch" },
	[EVENT_WHAT] = { .name = "event",
			 .type = FIELD_STR,
			 .values = event_values,
			 .help = "what has become of the object" },
	[EVENT_KIND] = { .name = "kind", .type = FIELD_STR, .help = "kind of object" },
	[EVENT_REF] = { .name = "ref", .type = FIELD_REF, .help = "reference that every command takes back" },
	[EVENT_FIELD] = { .name = "field", .type = FIELD_STR, .help = "field that has changed" },
	[EVENT_OLD] = { .name = "old", .type = FIELD_STR, .help = "its value before" },
	[EVENT_NEW] = { .name = "new", .type = FIELD_STR, .help = "its value now" },
	[EVENT_OWNER] = { .name = "owner", .type = FIELD_STR, .help = "name of the owning user" },
};

static const struct render_ops *choose_renderer(const struct options *o)
{
	return o->jsonl ? &render_jsonl : o->null ? &render_null : o->raw ? &render_raw : NULL;
}

int watch_output_init(struct watch_output *o, struct context *c)
{
	struct field_error error;

	*o = (struct watch_output){ .context = c };
	memcpy(o->fields, event_fields, sizeof(o->fields));
	o->schema = (struct schema){ "event", o->fields, EVENT_NFIELDS };
	o->schemas[0] = &o->schema;
	o->renderer = (struct renderer){
		.ops = choose_renderer(&c->options),
		.view = &o->view,
		.options = { .headings = !c->options.noheadings, .twins = true },
	};
	o->text = !o->renderer.ops;
	if (view_init(&o->view, o->schemas, 1, c->options.null ? "ref" : NULL, VIEW_LISTING, &error) < 0)
		return out_of_memory(c);
	if (!o->text && o->renderer.ops->begin)
		o->renderer.ops->begin(&o->renderer, NULL, out_buf(&c->out));
	return -1;
}

void watch_output_free(struct watch_output *o)
{
	if (o->renderer.ops)
		renderer_free(&o->renderer);
	view_free(&o->view);
	arena_free(&o->scratch);
}

/* The owner of the object, or an absent value. */
static struct value owner_of(const struct watch_event *event, struct arena *arena)
{
	const struct watch_kind *k = event->kind;

	if (k->owner < 0)
		return (struct value){ 0 };
	return packed_value(packed_field(event->packed, k->schema, k->packed, (size_t)k->owner),
			    &k->schema->fields[k->owner], arena);
}

static int put_record(struct watch_output *o, const struct watch_event *event)
{
	const struct field *changed = event->field < 0 ? NULL : &event->kind->schema->fields[event->field];
	struct record r;

	if (record_init(&r, &o->schema, &o->scratch) < 0)
		return -ENOMEM;
	record_i64(&r, EVENT_TIME, o->now.tv_sec);
	record_u64(&r, EVENT_TIME_MS, (uint64_t)o->now.tv_sec * 1000 + (uint64_t)o->now.tv_nsec / 1000000);
	record_text(&r, EVENT_WHAT, event_values[event->what]);
	record_text(&r, EVENT_KIND, event->kind->schema->name);
	record_str(&r, EVENT_REF, event->ref);
	r.values[EVENT_OWNER] = owner_of(event, &o->scratch);
	if (changed) {
		record_text(&r, EVENT_FIELD, changed->name);
		for (size_t i = EVENT_OLD; i <= EVENT_NEW; i++) {
			o->fields[i].type = changed->type;
			o->fields[i].items = changed->items;
			r.values[i] =
				packed_value(i == EVENT_OLD ? event->old : event->new, changed, &o->scratch);
		}
	}
	if (o->scratch.failed)
		return -ENOMEM;
	return o->renderer.ops->record(&o->renderer, &o->scratch, &r, out_buf(&o->context->out));
}

static void put_colored(struct buf *out, bool color, const char *sgr, struct span text)
{
	buf_puts(out, color ? sgr : "");
	buf_put_span(out, text);
	buf_puts(out, color && sgr[0] ? "\033[0m" : "");
}

static void put_state(struct buf *out, bool color, const struct field *field, struct span text)
{
	put_colored(out, color, strcmp(field->name, "state") == 0 ? state_color(text) : "", text);
}

/* "size: 1.5M -> 2M"; exact where the rounded values look the same. */
static int put_change(struct watch_output *o, const struct watch_event *event, struct buf *out)
{
	const struct field *field = &event->kind->schema->fields[event->field];
	struct value old = packed_value(event->old, field, &o->scratch);
	struct value new = packed_value(event->new, field, &o->scratch);
	_cleanup_(buf_free) struct buf before = { 0 }, after = { 0 };
	enum format_style style = o->context->options.bytes ? FORMAT_HUMAN_BYTES : FORMAT_HUMAN;

	format_value(&before, field, &old, style);
	format_value(&after, field, &new, style);
	if (span_eq(buf_span(&before), buf_span(&after))) {
		buf_reset(&before);
		buf_reset(&after);
		format_value(&before, field, &old, FORMAT_MACHINE);
		format_value(&after, field, &new, FORMAT_MACHINE);
	}
	buf_printf(out, "  %s: ", field->name);
	put_state(out, o->context->color, field, buf_span(&before));
	buf_puts(out, " -> ");
	put_state(out, o->context->color, field, buf_span(&after));
	return before.failed || after.failed || o->scratch.failed ? -ENOMEM : 0;
}

static int put_line(struct watch_output *o, const struct watch_event *event)
{
	static const char *const colors[] = {
		[WATCH_PRESENT] = "",	      [WATCH_CREATED] = "\033[32m", [WATCH_REMOVED] = "\033[31m",
		[WATCH_CHANGED] = "\033[33m", [WATCH_STATE] = "\033[36m",
	};
	struct buf *out = out_buf(&o->context->out);
	time_t seconds = o->now.tv_sec;
	char clock[16] = "";
	struct tm tm;
	int r = 0;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	buf_printf(out, "%s.%03d  ", clock, (int)(o->now.tv_nsec / 1000000));
	put_colored(out, o->context->color, colors[event->what], span_of(event_values[event->what]));
	buf_fill(out, ' ', 9 - strlen(event_values[event->what]));
	format_str(out, event->ref);
	if (event->field >= 0)
		r = put_change(o, event, out);
	buf_putc(out, '\n');
	return r;
}

int watch_output_event(struct watch_output *o, const struct watch_event *event)
{
	int r = o->text ? put_line(o, event) : put_record(o, event);

	arena_reset(&o->scratch);
	return r;
}
