/* SPDX-License-Identifier: MIT */
/* The convention of monitoring plugins: a line, performance data, more lines, and a status from 0 to 3. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "cmd/checkline.h"
#include "cmd/limits.h"
#include "cmd/registry.h"
#include "cmd/survey.h"
#include "cmd/threshold.h"
#include "lib/escape.h"

#define USUAL_TIMEOUT 10 /* seconds */

/* What is checked, and what of it is fine. */
struct wanted {
	struct threshold limits, orphans, orphan_bytes, queue_fill, blocked;
	bool deadlocks;
	enum check_status incomplete;
};

static const struct setting {
	const char *name;
	enum threshold_unit unit;
	size_t option, wanted; /* offsets */
	const char *usual;     /* if no check was asked for; NULL: then it is none */
	const char *expected;
} settings[] = {
	{ "limits", THRESHOLD_PERCENT, offsetof(struct options, check_limits),
	  offsetof(struct wanted, limits), "80:95", "80:95 or 80,95: percent of a limit" },
	{ "orphans", THRESHOLD_COUNT, offsetof(struct options, check_orphans),
	  offsetof(struct wanted, orphans), "100:1000", "10:100 or 10,100: objects" },
	{ "orphan-bytes", THRESHOLD_BYTES, offsetof(struct options, check_orphan_bytes),
	  offsetof(struct wanted, orphan_bytes), "1G:10G", "1G:10G or 1G,10G: bytes" },
	{ "queue-fill", THRESHOLD_PERCENT, offsetof(struct options, check_queue_fill),
	  offsetof(struct wanted, queue_fill), "90:99", "90:99 or 90,99: percent of the room" },
	{ "blocked", THRESHOLD_COUNT, offsetof(struct options, check_blocked),
	  offsetof(struct wanted, blocked), NULL, "100:500 or 100,500: threads" },
};

/* What of an option's text was not understood ends up in the check's own line. -1 or the exit status. */
static int take_settings(struct context *c, struct wanted *w)
{
	static const char *const statuses[] = { "ok", "warning", "critical", "unknown" };
	const struct options *o = &c->options;
	bool asked = o->deadlocks;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		asked |= *(const char *const *)((const char *)o + settings[i].option) != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		const char *text = *(const char *const *)((const char *)o + s->option);
		struct threshold *t = (struct threshold *)((char *)w + s->wanted);

		if (!text && !asked)
			text = s->usual;
		if (text && threshold_parse(span_of(text), s->unit, t) < 0)
			return check_cannot(c, "--%s '%s': expected such as %s", s->name, text, s->expected);
	}
	w->deadlocks = o->deadlocks || !asked;
	w->incomplete = CHECK_UNKNOWN;
	for (size_t i = 0; o->incomplete && i < ARRAY_SIZE(statuses); i++)
		if (strcmp(o->incomplete, statuses[i]) == 0)
			w->incomplete = (enum check_status)i;
	return -1;
}

static bool is_set(const struct threshold *t)
{
	return t->warning.set || t->critical.set;
}

/* Limits that fill up. */
struct limit_check {
	struct check_line *line;
	const struct wanted *wanted;
	bool several; /* namespaces are looked at beside this process's own */
};

/* Where the limit is, if that has to be said: " in 4026532177 (docker:web)". */
static void put_where(struct buf *b, const struct limit_check *c, const struct record *r)
{
	if (!c->several || r->values[LIMIT_NAMESPACE].state != VALUE_SET)
		return;
	buf_printf(b, " in %" PRIu64, r->values[LIMIT_NAMESPACE].u64);
	if (r->values[LIMIT_CONTAINER].state != VALUE_SET)
		return;
	buf_puts(b, " (");
	escape_into(b, r->values[LIMIT_CONTAINER].str);
	buf_putc(b, ')');
}

/* One of them, in one namespace. 0 or -ENOMEM. */
static int check_limit(void *data, const struct kind *k, const struct limit *limit, const struct record *r)
{
	const struct limit_check *c = data;
	const char *name = limit->name, *kind = k->name;
	_cleanup_(buf_free) struct buf where = { 0 };
	double percent = (double)r->values[LIMIT_PERCENT].u64 / 100;

	put_where(&where, c, r);
	if (!buf_cstr(&where))
		return -ENOMEM;
	if (r->values[LIMIT_PERCENT].state == VALUE_SET) {
		enum check_status status = threshold_judge(&c->wanted->limits, percent);
		unsigned long long used = r->values[LIMIT_USED].u64, value = r->values[LIMIT_VALUE].u64;

		if (status != CHECK_OK)
			check_text(c->line, status, "%s%s %.0f%% (%llu of %llu)", name, where.data, percent,
				   used, value);
		check_more(c->line, status, "%s of %s%s: %llu of %llu used; when it is reached, %s", name,
			   kind, where.data, used, value, limit->reached);
		if (where.len == 0)
			check_percent(c->line, &c->wanted->limits, percent, "%s/%s", kind, name);
		check_fullest(c->line, name, percent);
	} else if (r->values[LIMIT_PERCENT].state == VALUE_UNKNOWN) {
		check_unread(c->line, c->wanted->incomplete, "%s of %s%s cannot be read", name, kind,
			     where.data);
	}
	return 0;
}

static int check_limits(struct check_line *line, const struct wanted *w, struct survey *s)
{
	struct limit_check c = { .line = line, .wanted = w, .several = s->l.snapshot.nviews > 0 };

	if (!is_set(&w->limits))
		return 0;
	return limits_each(s->l.kinds, s->l.nkinds, true, &s->l.snapshot, check_limit, &c);
}

static void check_orphans(struct check_line *line, const struct wanted *w, const struct survey *s)
{
	uint64_t objects = 0, bytes = 0;
	enum check_status status = CHECK_OK;
	_cleanup_(buf_free) struct buf size = { 0 };

	for (size_t i = 0; i < s->l.nkinds; i++) {
		objects += s->kinds[i].states[SURVEY_ORPHANED].objects;
		bytes += s->kinds[i].states[SURVEY_ORPHANED].bytes.sum;
	}
	if (is_set(&w->orphans))
		status = threshold_judge(&w->orphans, (double)objects);
	if (is_set(&w->orphan_bytes) && threshold_judge(&w->orphan_bytes, (double)bytes) > status)
		status = threshold_judge(&w->orphan_bytes, (double)bytes);
	if (!is_set(&w->orphans) && !is_set(&w->orphan_bytes))
		return;
	check_size(&size, bytes);
	if (!buf_cstr(&size)) {
		line->more.failed = true;
		return;
	}
	check_text(line, status, "%" PRIu64 " orphaned (%s)", objects, size.data);
	for (size_t i = 0; i < s->l.nkinds; i++)
		if (s->kinds[i].states[SURVEY_ORPHANED].objects > 0)
			check_more(line, status, "%s: %" PRIu64 " orphaned; ipcctl clean shows them",
				   s->l.kinds[i]->name, s->kinds[i].states[SURVEY_ORPHANED].objects);
	if (is_set(&w->orphans))
		check_number(line, &w->orphans, objects, "", "orphans");
	if (is_set(&w->orphan_bytes))
		check_number(line, &w->orphan_bytes, bytes, "B", "orphan_bytes");
}

/* Of all queues the fullest counts: a range that has a beginning would complain of any that is empty. */
static void check_queues(struct check_line *line, const struct wanted *w, const struct survey *s)
{
	const struct kind_survey *fullest = NULL;
	enum check_status status;
	double percent;

	if (!is_set(&w->queue_fill))
		return;
	for (size_t i = 0; i < s->l.nkinds; i++)
		if (s->kinds[i].has_fill && (!fullest || s->kinds[i].fullest > fullest->fullest))
			fullest = &s->kinds[i];
	percent = fullest ? (double)fullest->fullest / 100 : 0;
	status = threshold_judge(&w->queue_fill, percent);
	if (status != CHECK_OK && fullest)
		check_text(line, status, "%.*s %.0f%% full", (int)fullest->fullest_ref.len,
			   fullest->fullest_ref.ptr, percent);
	else if (status != CHECK_OK)
		check_text(line, status, "no queue is in sight");
	for (size_t i = 0; i < s->l.nkinds; i++)
		if (s->kinds[i].has_fill)
			check_more(line, status, "the fullest %s is %.*s: %.0f%%", s->kinds[i].kind->name,
				   (int)s->kinds[i].fullest_ref.len, s->kinds[i].fullest_ref.ptr,
				   (double)s->kinds[i].fullest / 100);
	check_percent(line, &w->queue_fill, percent, "queue_fill");
}

static void check_waits(struct check_line *line, const struct wanted *w, const struct survey *s)
{
	static const struct threshold none = { 0 };
	enum check_status status;

	if (is_set(&w->blocked)) {
		status = threshold_judge(&w->blocked, (double)s->blocked);
		check_text(line, status, "%" PRIu64 " blocked", s->blocked);
		check_number(line, &w->blocked, s->blocked, "", "blocked");
	}
	if (!w->deadlocks)
		return;
	if (s->deadlocks > 0)
		check_text(line, CHECK_CRITICAL, "%" PRIu64 " deadlock%s", s->deadlocks,
			   s->deadlocks == 1 ? "" : "s");
	if (s->dead_owners > 0)
		check_text(line, CHECK_CRITICAL, "%" PRIu64 " wait%s for a lock of the dead", s->dead_owners,
			   s->dead_owners == 1 ? "s" : "");
	if (s->likely_deadlocks > 0)
		check_text(line, CHECK_WARNING, "%" PRIu64 " likely deadlock%s", s->likely_deadlocks,
			   s->likely_deadlocks == 1 ? "" : "s");
	if (s->deadlocks + s->dead_owners + s->likely_deadlocks > 0)
		check_more(line, CHECK_WARNING, "ipcctl waits --deadlocks shows who waits for whom");
	check_number(line, &none, s->deadlocks, "", "deadlocks");
	check_number(line, &none, s->likely_deadlocks, "", "likely_deadlocks");
	check_number(line, &none, s->dead_owners, "", "dead_owner_waits");
}

/* Limits are the kernel's own numbers; all else takes a view of every process. */
static void check_view(struct check_line *line, const struct wanted *w, const struct survey *s,
		       const struct warnings *warnings)
{
	if (s->complete || (!is_set(&w->orphans) && !is_set(&w->orphan_bytes) && !is_set(&w->queue_fill) &&
			    !is_set(&w->blocked) && !w->deadlocks))
		return;
	check_unread(line, w->incomplete, "the view is incomplete");
	for (size_t i = 0; i < warnings->count; i++) {
		_cleanup_(buf_free) struct buf text = { 0 };

		warning_text(&warnings->items[i], &text);
		if (buf_cstr(&text))
			check_more_escaped(line, text.data);
		else
			line->more.failed = true;
	}
}

/* Nothing but write(2) and _exit(2) is allowed here. */
static void time_is_up(int number _unused_)
{
	static const char text[] = "IPC UNKNOWN - it took longer than --timeout\n";
	ssize_t n = write(STDOUT_FILENO, text, sizeof(text) - 1);

	_exit(n < 0 ? EXIT_FAILED : CHECK_UNKNOWN);
}

static int check_all(struct context *c, const struct wanted *w, struct survey *s,
		     const struct warnings *warnings)
{
	struct check_line line = { 0 };
	int status, e = check_limits(&line, w, s);

	check_orphans(&line, w, s);
	check_queues(&line, w, s);
	check_waits(&line, w, s);
	check_view(&line, w, s, warnings);
	/* What is written now counts. */
	signal(SIGALRM, SIG_IGN);
	if (e == 0)
		e = check_error(&line);
	status = e == 0 ? check_print(&line, out_buf(&c->out)) : check_cannot(c, "%s", error_text(e));
	check_free(&line);
	return status;
}

static int run(struct context *c, int argc, char **argv)
{
	struct kind_list list = { 0 };
	struct survey survey = { 0 };
	struct warnings warnings = { 0 };
	struct wanted wanted = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_check, argc, argv, &rest);

	if (status == EXIT_USAGE)
		status = check_cannot(c, "the command line is wrong");
	else if (status == EXIT_FAILED)
		status = check_cannot(c, "it could not be begun");
	if (status < 0 && refuse_words(c, &command_check, &rest) >= 0)
		status = check_cannot(c, "the command line is wrong");
	if (status < 0)
		status = take_settings(c, &wanted);
	if (status < 0) {
		uint64_t seconds = c->options.timeout.set ? c->options.timeout.value : USUAL_TIMEOUT;

		signal(SIGALRM, time_is_up);
		setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_sec = (time_t)seconds }, NULL);
		status = select_kinds(c, NULL, 0, NULL, "all", &list);
		if (status >= 0)
			status = check_cannot(c, "it could not be begun");
	}
	if (status < 0) {
		status = survey_take(&survey, c, &list, &warnings);
		status = status < 0 ? check_all(c, &wanted, &survey, &warnings) :
				      check_cannot(c, "the system could not be looked at");
	}
	survey_free(&survey);
	warnings_free(&warnings);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_check = {
	.name = "check",
	.arguments = "",
	.summary = "Say in a line whether all is well, as a monitoring plugin",
	.text = "The exit status is 0: OK, 1: WARNING, 2: CRITICAL, 3: UNKNOWN. Without an option that\n"
		"says what to check, that is all but --blocked.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_CHECK | OPTIONS_PROVE,
	.capabilities = RIGHTS_PROVE,
	.failed = CHECK_UNKNOWN,
	.run = run,
};
