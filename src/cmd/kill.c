/* SPDX-License-Identifier: MIT */
#include "cmd/kill.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "lib/escape.h"
#include "lib/signals.h"
#include "scan/pids.h"

#define MOST_NAMED 8 /* holders in a message, descriptors of a holder */

/* A process that is to be signalled. */
struct victim {
	const struct holder *holder;
	struct buf holds; /* "pipe:123 (fd 3, fd 4), memfd:7 (mapped)", raw */
};

/* By the index of the holder; those without `holder` hold nothing of interest. */
struct victims {
	struct victim *items;
	size_t count;
	size_t named; /* how many are to be signalled */
};

int kill_signal(struct context *c, int *number)
{
	const struct opt_words *words = &c->options.kill;
	const char *word = words->count ? words->items[words->count - 1].arg : NULL;

	*number = SIGTERM;
	if (word && parse_signal(span_of(word), number) < 0)
		return diag_usage(&c->diag,
				  "option '--kill': '%s' is no signal; expected such as TERM, KILL or 9",
				  word);
	return -1;
}

int kill_check(struct context *c, const struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		const struct kind *k = targets->items[i].kind;
		const char *text = targets->items[i].text;

		if (!k->held && k->irremovable)
			return diag_usage(&c->diag, "--kill %s: nobody holds it; %s", text, k->irremovable);
		if (!k->held)
			return diag_usage(&c->diag, "--kill %s: who holds a %s cannot be told", text,
					  k->name);
	}
	return -1;
}

void kill_name_holders(const struct plan *p, const struct removal *r, struct buf *b)
{
	const struct holders *h = &p->snapshot.holders;
	uint32_t last = NO_HOLDING;
	size_t n = 0;

	/* The holdings of one process stand together. */
	for (const struct holding *g = removal_held(p, r); g; g = holding_next(h, g)) {
		const struct holder *holder = holding_holder(h, g);

		if (g->holder != last && n++ < MOST_NAMED) {
			buf_printf(b, "%s%u (", n == 1 ? " (held by " : ", ", holder->pid);
			buf_put_span(b, holder->command);
			buf_putc(b, ')');
		}
		last = g->holder;
	}
	if (n > MOST_NAMED)
		buf_printf(b, " and %zu more", n - MOST_NAMED);
	buf_puts(b, n > 0 ? ")" : " (no process was found that holds it)");
}

/* What one process holds of one object, from its first holding on; returns the first of
 * the next process. */
static const struct holding *describe(struct buf *b, const struct holders *h, const struct removal *r,
				      const struct holding *g)
{
	const uint32_t holder = g->holder;
	size_t mappings = 0, descriptors = 0;

	buf_puts(b, b->len > 0 ? ", " : "");
	buf_put_span(b, r->ref);
	buf_puts(b, " (");
	for (; g && g->holder == holder; g = holding_next(h, g)) {
		if (g->fd < 0)
			mappings++;
		else if (descriptors++ < MOST_NAMED)
			buf_printf(b, "%sfd %d", descriptors > 1 ? ", " : "", g->fd);
	}
	if (descriptors > MOST_NAMED)
		buf_printf(b, " and %zu more", descriptors - MOST_NAMED);
	if (mappings > 0)
		buf_puts(b, descriptors > 0 ? ", mapped)" : "mapped)");
	else
		buf_putc(b, ')');
	return g;
}

/* Notes the holders of one object. 0 or -ENOMEM. */
static int add_victims(struct plan *p, struct victims *v, struct removal *r)
{
	const struct holders *h = &p->snapshot.holders;
	const struct holding *g = removal_held(p, r);
	struct diag *d = &p->context->diag;
	const char *ref = r->ref.ptr;
	int n = (int)r->ref.len;
	size_t others = 0;

	if (!g)
		diag_note(d, "%.*s: no process was found that holds it", n, ref);
	/* What lives by its holders alone ends with them; there is nothing else to remove. */
	r->ended = g && r->kind->transient;
	while (g) {
		struct victim *victim = &v->items[g->holder];
		const struct holder *holder = holding_holder(h, g);

		if (holder->pid == (uint32_t)getpid()) {
			const uint32_t self = g->holder;

			while (g && g->holder == self)
				g = holding_next(h, g);
			diag_note(d, "%.*s: ipcctl itself holds it too, and is spared", n, ref);
			continue;
		}
		others++;
		v->named += !victim->holder;
		victim->holder = holder;
		g = describe(&victim->holds, h, r, g);
		if (victim->holds.failed)
			return -ENOMEM;
	}
	if (r->ended && others == 0)
		diag_error(d, "remove %.*s: nobody holds it but ipcctl itself", n, ref);
	return 0;
}

/* A word of a line whose words are separated by blanks: its own are escaped. */
static void put_word(struct buf *out, struct span word)
{
	_cleanup_(buf_free) struct buf text = { 0 };

	escape_into(&text, word);
	out->failed |= text.failed;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == ' ')
			buf_puts(out, "\\x20");
		else
			buf_putc(out, text.data[i]);
	}
}

/* A line for each: "12 cat ann: pipe:123 (fd 3)". 0 or -ENOMEM. */
static int show_victims(struct plan *p, const struct victims *v)
{
	struct buf *out = out_buf(&p->context->out);
	struct users users = { 0 };

	for (size_t i = 0; i < v->count; i++) {
		const struct holder *h = v->items[i].holder;
		struct span user;

		if (!h)
			continue;
		buf_printf(out, "%u ", h->pid);
		put_word(out, h->command);
		buf_putc(out, ' ');
		if (users_uid_name(&users, h->uid, &user) == 0)
			put_word(out, user);
		else
			buf_printf(out, "%u", h->uid);
		buf_puts(out, ": ");
		escape_into(out, buf_span(&v->items[i].holds));
		buf_putc(out, '\n');
		out_flush_if_full(&p->context->out);
	}
	users_free(&users);
	return out->failed ? -ENOMEM : 0;
}

/* Whether the number still means the process that was shown. The descriptor was opened
 * before: if it does now, it did then. 0, -ESRCH (it has ended) or -errno. */
static int same_process(const struct scan_context *context, const struct holder *h)
{
	uint64_t ticks;
	int r = pid_start_ticks(context, h->pid, &ticks);

	if (r == -ENOENT)
		return -ESRCH;
	return r < 0 ? r : ticks == h->start_ticks ? 0 : -ESTALE;
}

/* 0 or -errno, as same_process(). */
static int signal_holder(const struct scan_context *context, const struct holder *h, int number)
{
	_cleanup_(close_fd) int fd = (int)syscall(SYS_pidfd_open, (pid_t)h->pid, 0);
	int r;

	/* A number that is now a thread's is refused as invalid, or as not there. */
	if (fd < 0)
		return errno == EINVAL || errno == ENOENT ? -ESTALE : -errno;
	r = same_process(context, h);
	if (r < 0)
		return r;
	return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0 ? -errno : 0;
}

/* "sent SIGTERM to 3 processes" */
static void say_sent(struct plan *p, const char *what, size_t count, int number)
{
	struct buf *out = out_buf(&p->context->out);

	if (p->context->options.quiet)
		return;
	buf_puts(out, what);
	signal_name_into(out, number);
	buf_printf(out, " to %zu process%s\n", count, count == 1 ? "" : "es");
}

static void signal_victims(struct plan *p, const struct victims *v, int number)
{
	struct diag *d = &p->context->diag;
	size_t sent = 0;

	for (size_t i = 0; i < v->count; i++) {
		const struct holder *h = v->items[i].holder;
		int n = h ? (int)h->command.len : 0;
		int r = h ? signal_holder(&p->context->scan, h, number) : 0;

		if (r == -ESRCH)
			diag_note(d, "%u (%.*s) has ended meanwhile", h->pid, n, h->command.ptr);
		else if (r == -ESTALE)
			diag_note(d,
				  "%u (%.*s) has ended meanwhile; another process has its number, and is "
				  "spared",
				  h->pid, n, h->command.ptr);
		else if (r < 0)
			diag_error(d, "signal %u (%.*s): %s", h->pid, n, h->command.ptr, error_text(r));
		sent += h && r == 0;
	}
	say_sent(p, "sent ", sent, number);
}

/* "Send SIGTERM to 3 processes?" */
static bool confirmed(struct plan *p, const struct victims *v, int number)
{
	_cleanup_(buf_free) struct buf question = { 0 };

	buf_puts(&question, "Send ");
	signal_name_into(&question, number);
	buf_printf(&question, " to %zu process%s?", v->named, v->named == 1 ? "" : "es");
	return buf_cstr(&question) && user_agrees(p->context, question.data);
}

static int kill_victims(struct plan *p, struct victims *v, int number)
{
	struct context *c = p->context;
	const struct options *o = &c->options;
	int e = 0;

	for (size_t i = 0; e == 0 && i < p->count; i++)
		e = add_victims(p, v, &p->items[i]);
	if (e == 0)
		e = show_victims(p, v);
	if (e < 0)
		return out_of_memory(c);
	if (o->dry_run && v->named > 0)
		say_sent(p, "would send ", v->named, number);
	if (o->dry_run || v->named == 0)
		return -1;
	if (!o->yes && isatty(STDIN_FILENO) && !confirmed(p, v, number)) {
		diag_error(&c->diag, "nobody was signalled");
		return EXIT_FAILED;
	}
	/* Whom nobody was shown is not touched. */
	if (out_flush(&c->out) < 0)
		return EXIT_FAILED;
	signal_victims(p, v, number);
	return -1;
}

int kill_holders(struct plan *p, int number)
{
	struct victims v = { .count = p->snapshot.holders.count };
	int status;

	/* Its numbers would mean other processes to the kernel. */
	if (!p->context->scan.own_proc || !p->context->scan.own_pids) {
		diag_error(&p->context->diag, "--kill: /proc is that of another PID namespace");
		return EXIT_FAILED;
	}
	v.items = calloc(v.count + 1, sizeof(*v.items));
	status = v.items ? kill_victims(p, &v, number) : out_of_memory(p->context);
	for (size_t i = 0; v.items && i < v.count; i++)
		buf_free(&v.items[i].holds);
	free(v.items);
	return status;
}
