/* SPDX-License-Identifier: MIT */
#include "lib/signals.h"

#include <errno.h>
#include <strings.h>

#include "lib/parse.h"

/* sigabbrev_np(3) is not in musl. Of several names of one number the first is shown. */
static const struct {
	const char *name;
	int number;
} names[] = {
	{ "HUP", SIGHUP },	 { "INT", SIGINT },   { "QUIT", SIGQUIT },   { "ILL", SIGILL },
	{ "TRAP", SIGTRAP },	 { "ABRT", SIGABRT }, { "BUS", SIGBUS },     { "FPE", SIGFPE },
	{ "KILL", SIGKILL },	 { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },   { "USR2", SIGUSR2 },
	{ "PIPE", SIGPIPE },	 { "ALRM", SIGALRM }, { "TERM", SIGTERM },   { "CHLD", SIGCHLD },
	{ "CONT", SIGCONT },	 { "STOP", SIGSTOP }, { "TSTP", SIGTSTP },   { "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU },	 { "URG", SIGURG },   { "XCPU", SIGXCPU },   { "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH }, { "IO", SIGIO },
	{ "PWR", SIGPWR },	 { "SYS", SIGSYS },
#ifdef SIGSTKFLT
	{ "STKFLT", SIGSTKFLT },
#endif
	{ "IOT", SIGABRT },	 { "CLD", SIGCHLD },  { "POLL", SIGIO },
};

static bool starts_caseless(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && strncasecmp(s.ptr, prefix, n) == 0;
}

/* "RTMIN", "RTMIN+N", "RTMAX-N": base is the number of the first part. */
static int parse_realtime(struct span s, char sign, int base, int *number)
{
	const size_t prefix = sizeof("RTMIN") - 1;
	uint64_t n = 0;
	int r = 0;

	if (s.len > prefix) {
		if (s.ptr[prefix] != sign || s.len == prefix + 1 || s.ptr[prefix + 1] == '0')
			return -EINVAL;
		r = parse_u64(span_from(s, prefix + 1), &n);
	}
	if (r < 0)
		return r;
	if (n > (uint64_t)(SIGRTMAX - SIGRTMIN))
		return -ERANGE;
	*number = sign == '+' ? base + (int)n : base - (int)n;
	return 0;
}

int parse_signal(struct span s, int *number)
{
	uint64_t n;
	int r;

	if (starts_caseless(s, "SIG"))
		s = span_from(s, 3);
	if (s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9') {
		r = parse_u64_in(s, 1, (uint64_t)SIGRTMAX, &n);
		if (r == 0)
			*number = (int)n;
		return r;
	}
	if (starts_caseless(s, "RTMIN"))
		return parse_realtime(s, '+', SIGRTMIN, number);
	if (starts_caseless(s, "RTMAX"))
		return parse_realtime(s, '-', SIGRTMAX, number);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == s.len && starts_caseless(s, names[i].name)) {
			*number = names[i].number;
			return 0;
		}
	return -EINVAL;
}

void signal_name_into(struct buf *b, int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == number) {
			buf_printf(b, "SIG%s", names[i].name);
			return;
		}
	if (number == SIGRTMIN)
		buf_puts(b, "SIGRTMIN");
	else if (number > SIGRTMIN && number <= SIGRTMAX)
		buf_printf(b, "SIGRTMIN+%d", number - SIGRTMIN);
	else
		buf_printf(b, "SIG%d", number);
}

void signal_names_into(struct buf *b, uint64_t mask)
{
	size_t start = b->len;

	for (int number = 1; mask != 0; number++, mask >>= 1) {
		if (!(mask & 1))
			continue;
		if (b->len > start)
			buf_putc(b, ' ');
		signal_name_into(b, number);
	}
}

const char *signal_name_at(size_t i)
{
	return i < ARRAY_SIZE(names) ? names[i].name : NULL;
}

void signal_add_unless_ignored(sigset_t *set, int number)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}
