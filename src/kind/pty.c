/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals: pty(7), pts(4). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "kind/held.h"
#include "kind/registry.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "lib/parse.h"
#include "scan/statx.h"
#include "scan/terminals.h"

#define PTS "/dev/pts"
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#ifndef TIOCVHANGUP
#define TIOCVHANGUP 0x5437
#endif

enum {
	PTY_KIND,
	PTY_REF,
	PTY_NUMBER,
	PTY_DEVICE,
	PTY_MASTERS,
	PTY_SLAVES,
	PTY_SESSION,
	PTY_SESSION_COMMAND,
	PTY_FOREGROUND,
	PTY_FOREGROUND_COMMAND,
	PTY_INPUT_QUEUED,
	PTY_OUTPUT_QUEUED,
	PTY_OWNER,
	PTY_GROUP,
	PTY_UID,
	PTY_GID,
	PTY_MODE,
	PTY_ATIME,
	PTY_MTIME,
	PTY_CTIME,
	PTY_AGE,
	PTY_WAITERS,
	PTY_WAITING,
	PTY_NHOLDERS,
	PTY_HOLDERS,
	PTY_STATE,
	PTY_REASON,
};

static const struct field fields[] = {
	[PTY_KIND] = COMMON_KIND("pty"),
	[PTY_REF] = COMMON_REF,
	[PTY_NUMBER] = { .name = "number",
			 .type = FIELD_U64,
			 .help = "its number in its instance of devpts" },
	[PTY_DEVICE] = { .name = "device",
			 .type = FIELD_STR,
			 .help = "device number of that instance, MAJOR:MINOR" },
	[PTY_MASTERS] = { .name = "masters",
			  .type = FIELD_U64,
			  .flags = FIELD_DEFAULT,
			  .help = "descriptors of the master's side" },
	[PTY_SLAVES] = { .name = "slaves",
			 .type = FIELD_U64,
			 .flags = FIELD_DEFAULT,
			 .help = "descriptors of the slave's side" },
	[PTY_SESSION] = { .name = "session",
			  .type = FIELD_PID,
			  .help = "session whose terminal it is, as holders of the slave have it" },
	[PTY_SESSION_COMMAND] = { .name = "session_command",
				  .type = FIELD_STR,
				  .flags = FIELD_DEFAULT | FIELD_SHRINK,
				  .help = "command of the session's leader" },
	[PTY_FOREGROUND] = { .name = "foreground",
			     .type = FIELD_PID,
			     .help = "process group in the foreground" },
	[PTY_FOREGROUND_COMMAND] = { .name = "foreground_command",
				     .type = FIELD_STR,
				     .flags = FIELD_DEFAULT | FIELD_SHRINK,
				     .help = "command of that group's leader" },
	[PTY_INPUT_QUEUED] = { .name = "input_queued",
			       .type = FIELD_BYTES,
			       .flags = FIELD_ON_DEMAND | FIELD_GAUGE,
			       .help = "bytes that the slave's side may read; in canonical mode whole "
				       "lines" },
	[PTY_OUTPUT_QUEUED] = { .name = "output_queued",
				.type = FIELD_BYTES,
				.flags = FIELD_ON_DEMAND | FIELD_GAUGE,
				.help = "bytes that the master's side may read" },
	HELD_STAT_FIELDS(PTY, FIELD_DEFAULT | FIELD_MIXED),
	[PTY_WAITERS] = COMMON_WAITERS,
	[PTY_WAITING] = COMMON_WAITING,
	[PTY_NHOLDERS] = COMMON_NHOLDERS,
	[PTY_HOLDERS] = COMMON_HOLDERS,
	[PTY_STATE] = COMMON_STATE,
	[PTY_REASON] = COMMON_REASON,
	WHEREABOUTS,
};

static const struct schema schema = { "pty", fields, ARRAY_SIZE(fields) };

static const struct held_fields held_fields = {
	PTY_KIND, PTY_REF, { PTY_NHOLDERS, PTY_HOLDERS }, PTY_STATE, PTY_REASON
};
static const struct stat_fields stat_fields = HELD_STAT_AT(PTY);

static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_PTY);
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return object_holding(&s->holders, OBJECT_PTY, i);
}

/* The first holding of one side, from `g` on, or NULL. */
static const struct holding *find_side(const struct snapshot *s, const struct holding *g, uint8_t master)
{
	while (g && (g->access & ACCESS_MASTER) != master)
		g = holding_next(&s->holders, g);
	return g;
}

/* The instance that is mounted on our own /dev/pts: its device. 0 or -errno. */
static int own_instance(uint64_t *dev)
{
	struct stat st;
	int r = stat(PTS, &st) < 0 ? -errno : 0;

	*dev = r < 0 ? 0 : st.st_dev;
	return r;
}

static void project_names(struct record *r, const struct object_key *key)
{
	unsigned long long number = key->ino;
	uint64_t own;

	record_u64(r, PTY_NUMBER, key->ino);
	record_device(r, PTY_DEVICE, key->dev);
	if (own_instance(&own) == 0 && key->dev == own)
		record_printf(r, PTY_REF, "pty:" PTS "/%llu", number);
	else
		record_printf(r, PTY_REF, "pty:%u:%u/%llu", major(key->dev), minor(key->dev), number);
}

/*
 * Whether the process holds a slave of that number in another instance of devpts, too: the
 * number that its stat shows does not tell which is its terminal.
 */
static bool is_ambiguous(const struct snapshot *s, const struct object_key *key, uint32_t holder)
{
	for (size_t i = 0; i < count(s); i++) {
		const struct holding *g = find_side(s, held(s, i), 0);

		if (!g || g->ino != key->ino || g->dev == device_pack(key->dev))
			continue;
		for (; g; g = find_side(s, holding_next(&s->holders, g), 0))
			if (g->holder == holder)
				return true;
	}
	return false;
}

/* The session whose terminal it is: those who hold the slave and have it as theirs know. */
static void project_session(struct projector *p, struct record *r, const struct object_key *key,
			    const struct holding *first)
{
	const struct snapshot *s = p->snapshot;
	uint32_t terminal = (uint32_t)makedev(PTY_SLAVE_MAJOR, (unsigned)key->ino);

	for (const struct holding *g = find_side(s, first, 0); g;
	     g = find_side(s, holding_next(&s->holders, g), 0)) {
		const struct holder *h = holding_holder(&s->holders, g);

		if (h->terminal != terminal || is_ambiguous(s, key, g->holder))
			continue;
		record_pid(p, r, PTY_SESSION, h->session, INT64_MAX);
		if (h->foreground > 0)
			record_pid(p, r, PTY_FOREGROUND, (uint32_t)h->foreground, INT64_MAX);
		return;
	}
}

/* Owner and mode are those of the slave's file. */
static void project_file(struct projector *p, struct record *r, const struct object_key *key,
			 const struct holding *slave)
{
	struct statx stx;
	int e = slave ? object_look(p->snapshot, slave, &stx) : -ENOENT, error = 0;
	char path[32];
	uint64_t own;

	if (e < 0)
		error = own_instance(&own);
	if (e < 0 && error == 0 && key->dev == own) {
		snprintf(path, sizeof(path), PTS "/%llu", (unsigned long long)key->ino);
		e = statx_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx);
	}
	if (e == 0) {
		record_stat(p, r, &stat_fields, &stx);
		return;
	}
	for (size_t f = PTY_OWNER; f <= PTY_AGE; f++)
		if (error == 0 || error == -ENOENT)
			record_unknown_why(r, f, WHY_OTHER_MOUNTS);
		else
			record_unknown(r, f, error);
}

static void project_queue(struct projector *p, struct record *r, size_t field, const struct holding *side)
{
	_cleanup_(close_fd) int fd = side ? descriptor_copy(p->snapshot, side) : -ENOENT;
	int queued, error = fd < 0 ? fd : 0;

	/* What is hung up has no queue. */
	if (fd >= 0 && ioctl(fd, FIONREAD, &queued) < 0)
		error = errno == EIO ? -ENOENT : -errno;
	/* Without a descriptor of that side nobody reads there. */
	if (error == -ENOENT)
		return;
	if (error < 0)
		held_unreadable(p, r, field, field, error);
	else
		record_u64(r, field, (uint64_t)queued);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct holding_roles roles = { "slave", "slave", "slave", NULL, "master" };
	static const struct waiting_fields waiting = { PTY_WAITERS, PTY_WAITING };
	const struct snapshot *s = p->snapshot;
	const struct holding *first = held(s, i);
	const struct holding *master = find_side(s, first, ACCESS_MASTER), *slave = find_side(s, first, 0);
	struct object_key key = holding_key(first);
	struct holding_count found;
	uint64_t masters = 0, slaves = 0;

	if (held_project(p, r, &held_fields, first, &roles, &found) < 0 ||
	    record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	project_names(r, &key);
	for (const struct holding *g = first; g; g = holding_next(&s->holders, g))
		*(g->access & ACCESS_MASTER ? &masters : &slaves) += 1;
	record_known_number(r, PTY_MASTERS, masters, &found);
	record_known_number(r, PTY_SLAVES, slaves, &found);
	if (wants(p->want, PTY_REASON) && found.known && masters == 0)
		record_state(p, r, PTY_STATE, "in-use", PTY_REASON, "no master was found: it is hung up");
	else if (wants(p->want, PTY_REASON) && found.known && slaves == 0)
		record_state(p, r, PTY_STATE, "in-use", PTY_REASON,
			     "nobody was found who has the slave open");
	if (wants_any(p->want, PTY_SESSION, PTY_FOREGROUND_COMMAND))
		project_session(p, r, &key, first);
	if (wants_any(p->want, PTY_OWNER, PTY_AGE))
		project_file(p, r, &key, slave);
	if (wants(p->want, PTY_INPUT_QUEUED))
		project_queue(p, r, PTY_INPUT_QUEUED, slave);
	if (wants(p->want, PTY_OUTPUT_QUEUED))
		project_queue(p, r, PTY_OUTPUT_QUEUED, master);
	return 0;
}

/* "MAJ:MIN/N". 0 or -EINVAL. */
static int parse_key(struct span id, struct object_key *key)
{
	const char *colon = memchr(id.ptr, ':', id.len), *slash = memchr(id.ptr, '/', id.len);
	uint64_t a, b;

	if (!colon || !slash || slash < colon ||
	    parse_u64_in((struct span){ id.ptr, (size_t)(colon - id.ptr) }, 0, 0xfff, &a) < 0 ||
	    parse_u64_in((struct span){ colon + 1, (size_t)(slash - colon - 1) }, 0, 0xfffff, &b) < 0 ||
	    parse_u64(span_from(id, (size_t)(slash - id.ptr) + 1), &key->ino) < 0)
		return -EINVAL;
	key->dev = makedev((unsigned)a, (unsigned)b);
	return 0;
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	struct object_key key = { .class = OBJECT_PTY };
	int r;

	if (span_starts(id, PTS "/") && parse_u64(span_from(id, strlen(PTS "/")), &key.ino) == 0) {
		r = own_instance(&key.dev);
		return r < 0 ? matches_unreached(m, r) : held_match(s, &key, m);
	}
	if (parse_key(id, &key) < 0) {
		report_text(report, "expected pty:" PTS "/N or pty:MAJOR:MINOR/N");
		return -EINVAL;
	}
	return held_match(s, &key, m);
}

static int create(const struct create_args *args _unused_, struct report *report)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char path[64];

	if (fd < 0)
		return -errno;
	report_made(report, fd, "IPCCTL_FD");
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, path, sizeof(path)) != 0)
		return -errno;
	report->made.variable = "IPCCTL_PTY";
	report->made.value = arena_span(&report->arena, span_of(path));
	return report->made.value.ptr ? report_ref(report, "pty:%s", path) : -ENOMEM;
}

/* A descriptor of the slave's side: what somebody has open, or the other end of the master. */
static int slave_of(const struct snapshot *s, const struct holding *first)
{
	const struct holding *slave = find_side(s, first, 0);
	const struct holding *master = find_side(s, first, ACCESS_MASTER);
	_cleanup_(close_fd) int fd = -ENOENT;
	int peer;

	if (slave)
		return descriptor_copy(s, slave);
	if (master)
		fd = descriptor_copy(s, master);
	if (fd < 0)
		return fd;
	peer = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	return peer < 0 ? -errno : peer;
}

static int hang_up(struct snapshot *s, size_t i, struct report *report)
{
	struct object_key key = holding_key(held(s, i));
	_cleanup_(close_fd) int fd = slave_of(s, held(s, i));
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || minor(st.st_rdev) != key.ino || st.st_dev != key.dev)
		return -ESTALE;
	if (ioctl(fd, TIOCVHANGUP) == 0) {
		report_text(report, "hung up");
		return 0;
	}
	r = -errno;
	if (r == -EPERM)
		report_text(report, "hanging up takes CAP_SYS_ADMIN");
	return r;
}

static void limit_max(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/pty/max", 0, &out->limit);
	limit_sysctl(s, "sys/kernel/pty/nr", 0, &out->used);
}

static const struct limit limits[] = {
	{ "pty-max", FIELD_U64, "pseudo-terminals in the system", "kernel.pty.max", "posix_openpt: ENOSPC",
	  true, 0, limit_max },
};

/* What is typed goes to the slave, what programs print to the master. */
static const struct channel channel = { .source = "master",
					.sink = "slave",
					.duplex = true,
					.queued = "input_queued",
					.queued_back = "output_queued" };

const struct kind kind_pty = {
	.name = "pty",
	.groups = GROUP_FD,
	.title = "Pseudo-terminal",
	.identifier = "path of the slave",
	.handle = "file descriptors (master, slave)",
	.persistence = "until master and slaves are closed",
	.access = "mode of the slave's file",
	.source = "/proc/PID/fd, /dev/pts",
	.create_means = "posix_openpt(3), handed to COMMAND",
	.remove_means = "hang-up",
	.reference = "pty:/dev/pts/N, pty:MAJOR:MINOR/N",
	.schema = &schema,
	.sources = SOURCE_PTY,
	.count = count,
	.project = project,
	.resolve = resolve,
	.transient = true,
	.create = create,
	.remove = hang_up,
	.channel = &channel,
	.held = held,
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
