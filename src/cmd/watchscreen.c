/* SPDX-License-Identifier: MIT */
#include "cmd/watchscreen.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "lib/escape.h"
#include "lib/parse.h"
#include "lib/vec.h"

/* xterm's and everybody's: another screen, no cursor, lines that do not wrap; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define NEW_ROW "\033[1m"
#define NEW_ROW_COLORED "\033[1;32m"
#define GONE_ROW "\033[2;9m"
#define GONE_ROW_COLORED "\033[2;9;31m"

void watch_screen_enter(struct watch_screen *s, struct listing *l)
{
	s->listing = l;
	s->open = true;
	buf_puts(out_buf(&l->context->out), ENTER);
}

void watch_screen_leave(struct watch_screen *s)
{
	if (s->open)
		buf_puts(out_buf(&s->listing->context->out), LEAVE);
	s->open = false;
}

void watch_screen_begin(struct watch_screen *s)
{
	rowset_free(&s->rows);
	free(s->marks);
	s->marks = NULL;
	s->nmarks = 0;
	s->cursor = 0;
	s->created = s->changed = s->removed = 0;
}

void watch_screen_free(struct watch_screen *s)
{
	watch_screen_begin(s);
	arena_free(&s->scratch);
}

static int add_row(struct watch_screen *s, const struct record *r, size_t entry, const char *row)
{
	const struct sheet *sheet = &s->listing->sheet;

	if (vec_reserve(&s->marks, s->nmarks, sizeof(*s->marks)) < 0)
		return -ENOMEM;
	s->marks[s->nmarks++] = (struct watch_row){ .entry = entry, .mark.row = row };
	return rowset_add(&s->rows, r, sheet_fields(sheet, view_schema(&sheet->view, r->schema)));
}

int watch_screen_add(struct watch_screen *s, const struct record *r, size_t entry)
{
	return add_row(s, r, entry, NULL);
}

/* What has gone is shown once more, as it was. */
static int add_gone(struct watch_screen *s, const struct watch_event *event)
{
	const struct watch_kind *k = event->kind;
	const char *row = s->listing->context->color ? GONE_ROW_COLORED : GONE_ROW;
	struct span rest = event->packed;
	struct record r;
	int e = record_init(&r, k->schema, &s->scratch);

	for (size_t i = 0; e == 0 && i < k->schema->nfields; i++)
		if (wants(k->packed, i))
			r.values[i] = packed_value(packed_next(&rest, &k->schema->fields[i]),
						   &k->schema->fields[i], &s->scratch);
	if (e == 0 && s->scratch.failed)
		e = -ENOMEM;
	if (e == 0) {
		record_str(&r, (size_t)k->ref, event->ref);
		e = add_row(s, &r, SIZE_MAX, row);
	}
	arena_reset(&s->scratch);
	return e;
}

/* The mark of an entry's row, or NULL: it is not shown. Events come in the order of the rows. */
static struct render_mark *find_mark(struct watch_screen *s, size_t entry)
{
	while (s->cursor < s->nmarks && s->marks[s->cursor].entry < entry)
		s->cursor++;
	return s->cursor < s->nmarks && s->marks[s->cursor].entry == entry ? &s->marks[s->cursor].mark : NULL;
}

int watch_screen_tell(struct watch_screen *s, const struct watch_event *event)
{
	struct render_mark *mark;

	if (event->what == WATCH_REMOVED) {
		s->removed++;
		return add_gone(s, event);
	}
	mark = find_mark(s, event->entry);
	if (!mark)
		return 0;
	if (event->what == WATCH_CREATED) {
		s->created++;
		mark->row = s->listing->context->color ? NEW_ROW_COLORED : NEW_ROW;
	} else if (event->field >= 0) {
		s->changed += mark->changed.bits == 0;
		mark->changed.bits |= (uint64_t)1 << event->field;
	}
	return 0;
}

/* Appends a line, cut to so many columns. In it are printable text and SGR sequences. */
static void put_cut(struct buf *out, struct span line, size_t columns)
{
	while (line.len > 0) {
		const char *escape = memchr(line.ptr, '\033', line.len);
		size_t n = escape ? (size_t)(escape - line.ptr) : line.len, width;
		size_t fits = display_prefix((struct span){ line.ptr, n }, columns, &width);

		buf_put(out, line.ptr, fits);
		columns = fits < n ? 0 : columns - width;
		line = span_from(line, n);
		for (n = 0; n < line.len && (n == 0 || line.ptr[n - 1] != 'm'); n++)
			;
		buf_put(out, line.ptr, n);
		line = span_from(line, n);
	}
	buf_puts(out, "\033[0m\033[K");
}

static void put_title(const struct watch_screen *s, const struct timespec *now, uint64_t interval,
		      struct buf *out)
{
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&now->tv_sec, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	buf_printf(out, "ipcctl watch  %s  every %g s: %" PRIu64 " object%s", clock, (double)interval / 1000,
		   (uint64_t)s->rows.count - s->removed, s->rows.count - s->removed == 1 ? "" : "s");
	if (s->created + s->changed + s->removed > 0)
		buf_printf(out, ", %" PRIu64 " created, %" PRIu64 " changed, %" PRIu64 " removed", s->created,
			   s->changed, s->removed);
}

/* The table of the first rows, with no more of them than fit into so many lines. */
static int render(struct watch_screen *s, size_t lines, struct buf *text)
{
	struct renderer *renderer = &s->listing->sheet.renderer;
	struct arena arena = { 0 };
	struct record r;
	int e = 0;

	rowset_sort(&s->rows, &s->listing->sheet.sort);
	for (size_t i = 0; e == 0 && i < s->rows.count && i < lines; i++) {
		arena_reset(&arena);
		e = rowset_get(&s->rows, i, &arena, &r);
		renderer->mark = &s->marks[rowset_number(&s->rows, i)].mark;
		if (e == 0)
			e = renderer->ops->record(renderer, &arena, &r, text);
	}
	renderer->ops->end(renderer, NULL, text);
	renderer_free(renderer);
	renderer->mark = NULL;
	arena_free(&arena);
	return e == 0 && text->failed ? -ENOMEM : e;
}

int watch_screen_draw(struct watch_screen *s, const struct timespec *now, uint64_t interval)
{
	struct renderer *renderer = &s->listing->sheet.renderer;
	struct buf *out = out_buf(&s->listing->context->out);
	_cleanup_(buf_free) struct buf text = { 0 }, last = { 0 };
	struct winsize size = { 0 };
	size_t lines, columns, left;
	struct span rest, line;
	int e;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	lines = size.ws_row;
	columns = size.ws_col;
	renderer->options.width = columns;
	put_title(s, now, interval, &text);
	buf_puts(out, "\033[H");
	put_cut(out, buf_span(&text), columns);
	buf_reset(&text);
	e = render(s, lines, &text);
	rest = buf_span(&text);
	left = lines - 1;
	/* The last line says how much there is no room for. */
	while (left > 0 && next_line(&rest, &line)) {
		bool more = left == 1 && s->rows.count + renderer->options.headings > lines - 1;

		buf_puts(out, "\r\n");
		if (more) {
			buf_reset(&last);
			buf_printf(&last, "... and %zu more",
				   s->rows.count + renderer->options.headings + 2 - lines);
			put_cut(out, buf_span(&last), columns);
			break;
		}
		put_cut(out, line, columns);
		left--;
	}
	buf_puts(out, "\033[J");
	return e == 0 && out->failed ? -ENOMEM : e;
}
