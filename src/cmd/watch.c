/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>

#include "cmd/registry.h"
#include "cmd/watchclock.h"
#include "cmd/watchevent.h"
#include "cmd/watchplan.h"
#include "cmd/watchscreen.h"

#define USUAL_INTERVAL 1000 /* milliseconds */
#define SHORTEST_INTERVAL 10
/* Names of users are asked for again after so many seconds. */
#define NAMES_LAST 60
/* What ends a look before its time, beside -errno. */
#define ENOUGH 1
/* Instead of an exit status: one more look. */
#define LAST (-2)

struct watch {
	struct context *context;
	struct listing l;
	struct scan_request request;
	struct watch_plan plan;
	struct watch_state state;
	struct watch_clock clock;
	struct watch_output output;
	struct watch_screen screen;
	struct warnings said; /* each is said once */
	struct hand hand;
	time_t named; /* when the hand's users were forgotten */
	uint64_t told;
	bool table;
};

/* Takes an event to standard output. 0, ENOUGH or -ENOMEM. */
static int tell(void *data, const struct watch_event *event)
{
	struct watch *w = data;
	const struct opt_u64 *count = &w->context->options.count;
	struct out *out = &w->context->out;
	int e = w->table ? watch_screen_tell(&w->screen, event) : watch_output_event(&w->output, event);

	if (e < 0)
		return e;
	/* Much may happen at once; it need not be kept. */
	if (!w->table && out->buf.len > (size_t)64 << 10 && watch_clock_flush(out) < 0)
		return ENOUGH;
	return count->set && ++w->told >= count->value ? ENOUGH : 0;
}

/* Objects of one kind on their way from the scan to the comparison. */
struct passage {
	struct watch *watch;
	size_t kind;
};

static int take_object(void *data, size_t index _unused_, const struct record *r)
{
	struct passage *p = data;
	struct watch *w = p->watch;
	bool shown = sheet_passes(&w->l.sheet, r, &w->l.sheet.warnings);
	int e = watch_look_add(&w->state, p->kind, r, shown);

	if (e == 0 && w->table && shown)
		e = watch_screen_add(&w->screen, r, w->state.now.count - 1);
	return e;
}

static int look_at_kind(struct watch *w, size_t i)
{
	const struct snapshot *s = &w->l.snapshot;
	const struct kind *k = w->l.kinds[i];
	struct passage p = { .watch = w, .kind = i };
	struct watch_trust trust = {
		.lost = k->sources & snapshot_lost(s),
		.hides = k->sources & snapshot_failed(s) & ~snapshot_lost(s),
		.holders_lost = s->lost & SOURCE_HOLDERS,
	};
	int e = 0;

	w->hand.projector.snapshot = s;
	w->hand.projector.want = sheet_fields(&w->l.sheet, i);
	if (!trust.lost)
		e = listing_range(&w->l, &w->hand, i, 0, kind_count(k, s), take_object, &p);
	return e == 0 ? watch_look_end_kind(&w->state, i, &trust) : e;
}

/* What was found out about processes and their like holds for one look; names of users last longer. */
static void forget(struct watch *w)
{
	struct users users = w->hand.projector.users;
	time_t now = w->output.now.tv_sec;

	w->hand.projector.users = (struct users){ 0 };
	hand_free(&w->hand);
	w->hand = (struct hand){ 0 };
	if (now >= w->named && now < w->named + NAMES_LAST) {
		w->hand.projector.users = users;
	} else {
		users_free(&users);
		w->named = now;
	}
}

/* Says what could not be read, unless that was said before. On a screen it waits for the end. */
static void say_warnings(struct watch *w)
{
	const struct warnings *found = &w->l.sheet.warnings;
	struct warnings new = { 0 };

	for (size_t i = 0; i < found->count; i++) {
		if (warnings_have(&w->said, &found->items[i]))
			continue;
		warnings_add(&w->said, &found->items[i]);
		warnings_add(&new, &found->items[i]);
	}
	if (!w->table)
		warnings_tell(w->context, &new, false);
	warnings_free(&new);
	w->said.failed |= found->failed;
	w->said.incomplete |= found->incomplete;
}

static int draw(struct watch *w)
{
	return watch_screen_draw(&w->screen, &w->output.now, w->clock.interval / 1000000);
}

/* One look and what has become different since the last. -1 to go on, or the exit status. */
static int look(struct watch *w)
{
	uint64_t begun = watch_clock_begin_look();
	int status, e;

	status = listing_take(&w->l, &w->request);
	if (status >= 0)
		return status;
	if (w->table)
		watch_screen_begin(&w->screen);
	e = watch_look_begin(&w->state);
	for (size_t i = 0; e == 0 && i < w->l.nkinds; i++)
		e = look_at_kind(w, i);
	/* Fields may be read only when the records are made: nothing is told before it can have happened. */
	clock_gettime(CLOCK_REALTIME, &w->output.now);
	if (e == 0)
		e = watch_look_tell(&w->state);
	watch_look_end(&w->state);
	if (e >= 0 && w->table && draw(w) < 0)
		e = -ENOMEM;
	say_warnings(w);
	listing_drop(&w->l);
	forget(w);
	if (e < 0)
		return out_of_memory(w->context);
	/* What could not be written main() tells. */
	if (watch_clock_flush(&w->context->out) < 0)
		return EXIT_FAILED;
	watch_clock_end_look(&w->clock, begun);
	return e == ENOUGH ? EXIT_DONE : -1;
}

/* SIGTSTP: the terminal is left as it was while somebody else has it. */
static int stop(struct watch *w)
{
	watch_screen_leave(&w->screen);
	if (watch_clock_flush(&w->context->out) < 0)
		return EXIT_FAILED;
	raise(SIGSTOP);
	watch_screen_enter(&w->screen, &w->l);
	return draw(w) < 0 ? out_of_memory(w->context) : -1;
}

static int gone(struct watch *w)
{
	w->context->out.error = -EPIPE;
	return EXIT_FAILED;
}

/* Waits for what comes next. -1: another look; LAST; or the exit status. */
static int await(struct watch *w)
{
	int status = -1;

	while (status == -1) {
		switch (watch_clock_wait(&w->clock, w->context->out.fd)) {
		case WAKE_LOOK:
			return -1;
		case WAKE_LAST:
			return LAST;
		case WAKE_END:
			return EXIT_DONE;
		case WAKE_GONE:
			return gone(w);
		case WAKE_SIZE:
			status = draw(w) < 0 ? out_of_memory(w->context) : -1;
			if (status < 0 && watch_clock_flush(&w->context->out) < 0)
				status = EXIT_FAILED;
			break;
		case WAKE_STOP:
			status = stop(w);
			break;
		case WAKE_FAILED:
			diag_error(&w->context->diag, "watch: %s", error_text(errno));
			return EXIT_FAILED;
		}
	}
	return status;
}

static int watch(struct watch *w)
{
	const struct options *o = &w->context->options;
	uint64_t interval = o->interval.set ? o->interval.value : USUAL_INTERVAL;
	int status, e = watch_clock_init(&w->clock, interval, o->duration.value, w->table);

	if (e < 0) {
		diag_error(&w->context->diag, "watch: %s", error_text(e));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < w->l.nkinds; i++)
		if (w->l.kinds[i]->sources & SOURCE_SHMTREE && w->clock.notice < 0 && !o->procfs && !w->table)
			watch_clock_notice(&w->clock, "/dev/shm");
	if (w->table)
		watch_screen_enter(&w->screen, &w->l);
	while ((status = look(w)) == -1 && (status = await(w)) == -1)
		;
	if (status == LAST)
		status = look(w);
	if (status == -1)
		status = EXIT_DONE;
	watch_screen_leave(&w->screen);
	watch_clock_flush(&w->context->out);
	if (w->table)
		warnings_tell(w->context, &w->said, false);
	if (w->said.failed || (o->strict && w->said.incomplete))
		status = EXIT_FAILED;
	return status;
}

/* What the options of a watch may not be. -1 or the exit status. */
static int check_options(struct context *c)
{
	const struct options *o = &c->options;
	const char *term = getenv("TERM");

	if (o->json)
		return diag_usage(&c->diag,
				  "watch: --json is one document, which a watch does not end; use --jsonl");
	if (o->interval.set && o->interval.value < SHORTEST_INTERVAL)
		return diag_usage(&c->diag, "--interval: at least %dms", SHORTEST_INTERVAL);
	if (o->duration.set && o->duration.value == 0)
		return diag_usage(&c->diag, "--for: at least 1ms");
	if (o->count.set && o->count.value == 0)
		return diag_usage(&c->diag, "--count: at least 1");
	if (!o->table)
		return o->sort ? diag_usage(&c->diag, "--sort is for --table: events come in their order") :
				 -1;
	if (o->jsonl || o->raw || o->null || o->initial || o->count.set)
		return diag_usage(&c->diag, "--table takes no --jsonl, --raw, --null, --initial or --count");
	if (!c->terminal || !term || strcmp(term, "dumb") == 0)
		return diag_usage(
			&c->diag,
			"--table redraws a terminal, and standard output is none that can be redrawn; "
			"without it changes are told line by line");
	return -1;
}

static int run(struct context *c, int argc, char **argv)
{
	struct watch w = { .context = c, .clock = { .signals = -1, .notice = -1 } };
	struct kind_list list = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_watch, argc, argv, &rest);

	w.table = c->options.table;
	w.state = (struct watch_state){ .tell = tell, .data = &w, .initial = c->options.initial };
	/* Tables alone are read in less time than it takes to start a thread, look by look. */
	if (c->options.no_holders && !c->options.threads.set)
		c->options.threads.value = 1;
	if (status < 0)
		status = check_options(c);
	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds,
				      c->options.pid.set ? "all" : "persistent", &list);
	if (status < 0)
		status = listing_init(&w.l, c, &list, "objects", false);
	if (status < 0)
		status = watch_plan_init(&w.plan, &w.l, w.table);
	if (status < 0 && !w.table)
		status = watch_output_init(&w.output, c);
	if (status < 0) {
		w.state.kinds = w.plan.kinds;
		w.state.nkinds = w.l.nkinds;
		status = watch(&w);
	}
	watch_clock_free(&w.clock);
	watch_output_free(&w.output);
	watch_screen_free(&w.screen);
	watch_state_free(&w.state);
	hand_free(&w.hand);
	warnings_free(&w.said);
	listing_free(&w.l);
	watch_plan_free(&w.plan);
	scan_request_free(&w.request);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_watch = {
	.name = "watch",
	.arguments = "[KIND...]",
	.summary = "Tell what is created, removed and changed, as it happens",
	.text = "KIND is a kind or a group of kinds, as in list. Without any, the persistent ones\n"
		"are watched. It goes on until a signal, --for or --count ends it.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT |
		   OPTIONS_OWNER | OPTIONS_PROCESSES | OPTIONS_LETTERS | OPTIONS_WATCH,
	.capabilities = RIGHTS_LOOK,
	.words = COMPLETE_KIND,
	.run = run,
};
