/* SPDX-License-Identifier: MIT */
/*
 * The walk over processes, on trees that look like /proc: what is seldom seen on
 * a living system, and what is seen there only with luck.
 */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "scan/holders.h"

#define NOBODY 65534
#define FIRST_PIDS "pid:[4026531836]"

/* Process numbers of the trees: no living process ever has those (pid_max). */
enum { PID = 5000001, OTHER = 5000002 };

struct tree {
	char root[sizeof("/tmp/ipcctl-holders-XXXXXX")];
	int proc;
	char object[PATH_MAX]; /* a file that may be held; it is on the wanted device */
	struct object_key key;
	uint64_t device;
	unsigned classes; /* that a walk looks for */
};

__attribute__((format(printf, 2, 3))) static char *path_in(const struct tree *t, const char *fmt, ...)
{
	char name[PATH_MAX / 2];
	char *path;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	assert_true(asprintf(&path, "%s/%s", t->root, name) > 0);
	return path;
}

/* Writes a file below the tree, with the directories above it. Takes the path. */
static void put(const struct tree *t, char *path, const void *text, size_t len)
{
	FILE *f;

	for (char *slash = path + strlen(t->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	if (path[strlen(path) - 1] != '/') {
		f = fopen(path, "we");
		assert_non_null(f);
		assert_int_equal(fwrite(text, 1, len, f), len);
		assert_int_equal(fclose(f), 0);
	}
	free(path);
}

static void put_text(const struct tree *t, char *path, const char *text)
{
	put(t, path, text, strlen(text));
}

static void put_link(const struct tree *t, char *path, const char *target)
{
	(void)t;
	unlink(path); /* one that an earlier round of the test put there */
	assert_int_equal(symlink(target, path), 0);
	free(path);
}

/* A task of the IPC namespace that this test runs in. */
static void put_namespace(const struct tree *t, unsigned pid, unsigned tid)
{
	char link[64];
	ssize_t n = readlink("/proc/self/ns/ipc", link, sizeof(link) - 1);

	assert_true(n > 0);
	link[n] = '\0';
	put(t, path_in(t, "%u/task/%u/ns/", pid, tid), "", 0);
	put_link(t, path_in(t, "%u/task/%u/ns/ipc", pid, tid), link);
}

/* A process that has descriptors and mappings, none as yet. */
static void put_process(const struct tree *t, unsigned pid, const char *command, char state, unsigned threads)
{
	char stat[512];
	int n = snprintf(stat, sizeof(stat), "%u (%s) %c 1 42 42 0 -1 4194560 106 0 0 0 0 1 0 0 20 0 %u 0 500 2500000 200\n",
			 pid, command, state, threads);

	put(t, path_in(t, "%u/stat", pid), stat, (size_t)n);
	put(t, path_in(t, "%u/statm", pid), "600 300 200 5 0 90 0\n", 21);
	put(t, path_in(t, "%u/fd/", pid), "", 0);
	put(t, path_in(t, "%u/maps", pid), "", 0);
	put(t, path_in(t, "%u/task/%u/fd/", pid, pid), "", 0);
	put_namespace(t, pid, pid);
}

/* One that holds the object by descriptor 7. */
static void put_holder(const struct tree *t, unsigned pid)
{
	put_process(t, pid, "holder", 'S', 1);
	put_link(t, path_in(t, "%u/fd/7", pid), t->object);
}

static void put_loadavg(const struct tree *t, unsigned threads)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "0.00 0.01 0.05 1/%u 4242\n", threads);

	put(t, path_in(t, "loadavg"), text, (size_t)n);
}

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct stat st;

	assert_non_null(t);
	strcpy(t->root, "/tmp/ipcctl-holders-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	assert_int_equal(chmod(t->root, 0755), 0);
	put(t, path_in(t, "self/ns/"), "", 0);
	put_link(t, path_in(t, "self/ns/pid"), FIRST_PIDS);
	put_loadavg(t, 1);
	put(t, path_in(t, "object"), "", 0);
	snprintf(t->object, sizeof(t->object), "%s/object", t->root);
	assert_int_equal(stat(t->object, &st), 0);
	t->device = st.st_dev;
	t->classes = 1 << OBJECT_FILE | 1 << OBJECT_SYSV;
	t->key = (struct object_key){ OBJECT_FILE, st.st_dev, st.st_ino };
	t->proc = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->proc >= 0);
	*state = t;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int end_tree(void **state)
{
	struct tree *t = *state;

	close(t->proc);
	nftw(t->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

static int walk_with(const struct tree *t, struct holders *h, struct warnings *w, unsigned threads)
{
	const struct holders_request request = { .classes = t->classes, .devices = &t->device, .ndevices = 1,
						 .mapped_files = true, .access = true, .threads = threads };

	*h = (struct holders){ 0 };
	*w = (struct warnings){ 0 };
	return holders_walk(h, t->proc, &request, w);
}

/* Walks, and demands that everything was seen. */
static void walk_all(const struct tree *t, struct holders *h)
{
	struct warnings w;

	assert_int_equal(walk_with(t, h, &w, 2), 0);
	assert_true(h->walked);
	assert_false(h->hidden || h->unreadable || w.count || w.incomplete || w.failed);
	warnings_free(&w);
}

static size_t count_holdings(const struct holders *h, const struct object_key *key)
{
	size_t n = 0;

	for (const struct holding *g = holders_find(h, key); g; g = holding_next(h, g))
		n++;
	return n;
}

static void nobody(void **state)
{
	const struct tree *t = *state;
	struct holders h;

	walk_all(t, &h);
	assert_null(holders_find(&h, &t->key));
	assert_int_equal(h.count + h.nholdings + h.nfiles, 0);
	holders_free(&h);
}

static void descriptor_and_mapping(void **state)
{
	const struct tree *t = *state;
	const struct holding *g;
	struct holders h;
	char maps[512];
	int n;

	put_holder(t, PID);
	n = snprintf(maps, sizeof(maps),
		     "1000-2000 r--s 00000000 %02x:%02x %llu %s\n3000-5000 rw-p 00000000 %02x:%02x %llu %s\n",
		     major(t->device), minor(t->device), (unsigned long long)t->key.ino, t->object, major(t->device),
		     minor(t->device), (unsigned long long)t->key.ino, t->object);
	put(t, path_in(t, "%u/maps", PID), maps, (size_t)n);
	walk_all(t, &h);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.items[0].pid, PID);
	assert_int_equal(h.items[0].uid, geteuid());
	assert_span(h.items[0].command, SPAN("holder"));
	assert_int_equal(count_holdings(&h, &t->key), 3);
	/* Descriptors first, or last; then addresses upwards. */
	for (g = holders_find(&h, &t->key); g; g = holding_next(&h, g)) {
		const struct range *range = holding_range(&h, g);

		if (!range) {
			assert_int_equal(g->fd, 7);
		} else if (range->start == 0x1000) {
			assert_int_equal(range->end, 0x2000);
			assert_int_equal(g->access, ACCESS_READ);
		} else {
			assert_int_equal(range->start, 0x3000);
			/* What is written to a private mapping stays private. */
			assert_int_equal(g->access, ACCESS_READ);
		}
	}
	holders_free(&h);
}

static void hostile_commands(void **state)
{
	static const char *const commands[] = { "x) R 1 (", "new\nline", ")", "(", "", "\xff\x1b[m", "a b) S 1 2 3" };
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct holders h;

		put_process(t, PID, commands[i], 'S', 1);
		if (i == 0)
			put_link(t, path_in(t, "%u/fd/7", PID), t->object);
		walk_all(t, &h);
		assert_int_equal(h.count, 1);
		assert_span(h.items[0].command, span_of(commands[i]));
		holders_free(&h);
	}
}

/* Other things that descriptors lead to hold nothing that was asked for. */
static void what_is_none(void **state)
{
	static const char *const targets[] = { "pipe:[1]", "socket:[2]", "anon_inode:[eventpoll]", "/memfd:x (deleted)",
					       "/proc/self/status", "/" };
	static const char maps[] = "1000-2000 r--s 00000000 00:00 1 /dev/zero\n"
				   "2000-3000 rw-s 00000000 00:00 1 /memfd:SYSV00000000 (deleted)\n"
				   "3000-4000 rw-p 00000000 00:00 0 [heap]\n"
				   "4000-5000 rw-p 00000000 00:01 3 /SYSV00000000 (deleted)\n";
	const struct object_key segment = { OBJECT_SYSV, 0, 3 };
	const struct tree *t = *state;
	struct holders h;

	put_process(t, PID, "none", 'S', 1);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		put_link(t, path_in(t, "%u/fd/%zu", PID, i), targets[i]);
	put_link(t, path_in(t, "%u/fd/77", PID), t->root); /* a directory of the wanted device */
	put(t, path_in(t, "%u/maps", PID), maps, sizeof(maps) - 1);
	walk_all(t, &h);
	assert_int_equal(h.nholdings, 0);
	assert_null(holders_find(&h, &segment));
	holders_free(&h);
}

static void first_segment(void **state)
{
	static const char maps[] = "1000-2000 rw-s 00000000 00:01 0                          /SYSV00000000 (deleted)\n"
				   "2000-3000 r--s 00000000 00:01 32769                      /SYSV0000162e (deleted)\n";
	const struct object_key zero = { OBJECT_SYSV, 0, 0 },
				other = { OBJECT_SYSV, device_unpack(0x162e), 32769 };
	const struct tree *t = *state;
	struct holders h;

	put_process(t, PID, "attached", 'S', 1);
	put(t, path_in(t, "%u/maps", PID), maps, sizeof(maps) - 1);
	walk_all(t, &h);
	assert_int_equal(count_holdings(&h, &other), 1);
	assert_int_equal(holders_find(&h, &other)->access, ACCESS_READ);
	/* The first id of a namespace is 0, and with it the inode number. */
	assert_int_equal(count_holdings(&h, &zero), 1);
	holders_free(&h);
}

/* The leader has exited: its own directory says nothing any more. */
static void dead_leader(void **state)
{
	const struct tree *t = *state;
	struct holders h;

	put_process(t, PID, "leader", 'Z', 2);
	put(t, path_in(t, "%u/task/%u/fd/", PID, OTHER), "", 0);
	put_namespace(t, PID, OTHER);
	put(t, path_in(t, "%u/task/%u/maps", PID, OTHER), "1000-2000 rw-s 0 00:01 9 /SYSV00000000 (deleted)\n", 49);
	put_link(t, path_in(t, "%u/task/%u/fd/3", PID, OTHER), t->object);
	put_loadavg(t, 2);
	walk_all(t, &h);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.items[0].pid, PID);
	assert_int_equal(count_holdings(&h, &t->key), 1);
	assert_int_equal(count_holdings(&h, &(struct object_key){ OBJECT_SYSV, 0, 9 }), 1);
	holders_free(&h);
}

/* What a process that has just ended leaves half behind is no news, and nothing is hidden. */
static void vanished(void **state)
{
	const struct tree *t = *state;
	struct holders h;

	put(t, path_in(t, "%u/", PID), "", 0);
	put_holder(t, OTHER);
	walk_all(t, &h);
	assert_int_equal(count_holdings(&h, &t->key), 1);
	holders_free(&h);
}

static void vanished_parts(void **state)
{
	static const char *const parts[] = { "maps", "fd", "task" };
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *path = path_in(t, "%u/%s", PID, parts[i]);
		struct holders h;

		put_process(t, PID, "x", 'S', 1);
		put_loadavg(t, 2);
		if (i == 0)
			put_holder(t, OTHER);
		nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		walk_all(t, &h);
		assert_int_equal(count_holdings(&h, &t->key), 1);
		holders_free(&h);
		free(path);
	}
}

/* Walks as somebody who may not read everything: root may, so it is left for the moment. */
static void walk_as_nobody(const struct tree *t, struct holders *h, struct warnings *w)
{
	bool root = geteuid() == 0;
	int r;

	if (root && seteuid(NOBODY) < 0)
		skip();
	r = walk_with(t, h, w, 2);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, 0);
}

/* Each of these is a process of which something is hidden, and it is counted once. */
static void refused(void **state)
{
	static const char *const parts[] = { "", "/stat", "/fd", "/maps" };
	const struct tree *t = *state;

	put_holder(t, PID);
	put_holder(t, OTHER);
	put_loadavg(t, 2);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *path = path_in(t, "%u%s", PID, parts[i]);
		struct holders h;
		struct warnings w;
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(chmod(path, 0), 0);
		walk_as_nobody(t, &h, &w);
		assert_int_equal(chmod(path, st.st_mode & 07777), 0);
		assert_int_equal(h.unreadable, 1);
		assert_true(w.incomplete);
		assert_int_equal(w.count, 1);
		assert_int_equal(w.items[0].count, 1);
		assert_in_range(count_holdings(&h, &t->key), 1, 2);
		warnings_free(&w);
		holders_free(&h);
		free(path);
	}
}

/* When processes may exist that are not shown. */
static void hidden(void **state)
{
	static const struct {
		const char *namespace, *loadavg;
		bool hidden;
	} e[] = {
		{ FIRST_PIDS, "0.00 0.01 0.05 1/2 4242\n", false },
		{ FIRST_PIDS, "0.00 0.01 0.05 1/1000 4242\n", true }, /* hidepid */
		{ "pid:[4026532999]", "0.00 0.01 0.05 1/2 4242\n", true },
		{ "", "0.00 0.01 0.05 1/2 4242\n", true },
		{ FIRST_PIDS, NULL, true }, /* subset=pid */
		{ FIRST_PIDS, "", true },
		{ FIRST_PIDS, "0.00 0.01 0.05\n", true },
		{ FIRST_PIDS, "0.00 0.01 0.05 12 4242\n", true },
		{ FIRST_PIDS, "0.00 0.01 0.05 1/x 4242\n", true },
		{ FIRST_PIDS, "0.00 0.01 0.05 1/99999999999999999999 4242\n", true },
	};
	const struct tree *t = *state;
	char *link = path_in(t, "self/ns/pid"), *loadavg = path_in(t, "loadavg");

	put_holder(t, PID);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct holders h;
		struct warnings w;

		unlink(link);
		unlink(loadavg);
		if (*e[i].namespace)
			assert_int_equal(symlink(e[i].namespace, link), 0);
		if (e[i].loadavg)
			put(t, path_in(t, "loadavg"), e[i].loadavg, strlen(e[i].loadavg));
		assert_int_equal(walk_with(t, &h, &w, 1), 0);
		if (h.hidden != e[i].hidden || w.incomplete != e[i].hidden)
			fail_msg("\"%s\", \"%s\": hidden %d, incomplete %d", e[i].namespace,
				 e[i].loadavg ? e[i].loadavg : "(none)", h.hidden, w.incomplete);
		assert_int_equal(count_holdings(&h, &t->key), 1);
		warnings_free(&w);
		holders_free(&h);
	}
	free(link);
	free(loadavg);
}

/* What a process can do to its stat and maps must not make the others unknown, nor itself unheld. */
static void broken_files(void **state)
{
	static const char *const stats[] = { "", "garbage", "5000001 (x", "5000001 (x) S", "5000001 (x) S 1 2 3\n" };
	const struct tree *t = *state;

	put_holder(t, PID);
	put_holder(t, OTHER);
	put_loadavg(t, 2);
	for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
		struct holders h;
		struct warnings w;
		int r;

		put(t, path_in(t, "%u/stat", PID), stats[i], strlen(stats[i]));
		r = walk_with(t, &h, &w, 1);
		/* Either it is an error, or it is counted; never a whole view with a holder missing. */
		if (r == 0 && !h.unreadable && !w.incomplete && count_holdings(&h, &t->key) != 2)
			fail_msg("\"%s\": a holder is missing, and nobody says so", stats[i]);
		warnings_free(&w);
		holders_free(&h);
	}
}

static void long_lines(void **state)
{
	const struct tree *t = *state;
	struct buf b = { 0 };
	struct holders h;

	buf_puts(&b, "1000-2000 r--s 00000000 fe:01 77 /");
	buf_fill(&b, 'x', 5110);
	buf_printf(&b, "\n3000-4000 rw-s 00000000 %02x:%02x %llu /", major(t->device), minor(t->device),
		   (unsigned long long)t->key.ino);
	buf_fill(&b, 'y', 5110);
	put_process(t, PID, "long", 'S', 1);
	put(t, path_in(t, "%u/maps", PID), b.data, b.len);
	buf_free(&b);
	walk_all(t, &h);
	assert_int_equal(count_holdings(&h, &t->key), 1);
	assert_int_equal(holding_range(&h, holders_find(&h, &t->key))->start, 0x3000);
	holders_free(&h);
}

/* A file that nothing names any more, through the descriptor of this very process. */
static void nameless(void **state)
{
	const struct tree *t = *state;
	char *path = path_in(t, "gone"), link[64];
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;
	struct holders h;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)getpid(), fd);
	/* Two holders report it; it is one object. */
	for (unsigned pid = PID; pid <= OTHER; pid++) {
		put_process(t, pid, "x", 'S', 1);
		put_link(t, path_in(t, "%u/fd/3", pid), link);
	}
	put_loadavg(t, 2);
	walk_all(t, &h);
	assert_int_equal(h.nfiles, 1);
	assert_true(h.files[0].key.ino == st.st_ino && h.files[0].key.dev == st.st_dev);
	assert_int_equal(h.files[0].size, 3);
	assert_int_equal(h.files[0].links, 0);
	assert_true(h.files[0].deleted);
	assert_true(h.files[0].allocated == (uint64_t)st.st_blocks * 512);
	assert_int_equal(h.files[0].uid, st.st_uid);
	assert_int_equal(count_holdings(&h, &h.files[0].key), 2);
	close(fd);
	free(path);
	holders_free(&h);
}

/* The text of a link is all that it takes. */
static void by_link_text(void **state)
{
	static const struct {
		const char *target;
		enum object_class class;
		uint64_t ino;
	} links[] = {
		{ "pipe:[4711]", OBJECT_PIPE, 4711 },
		{ "socket:[4294967295]", OBJECT_SOCKET, 4294967295 },
	};
	static const char *const others[] = { "pipe:[]", "pipe:[x]", "pipe:[12", "pipe:[-1]", "pipe:[12]x", "socket:[ 1]",
					      "/pipe:[12]", "net:[4026531840]", "anon_inode:[eventpoll]" };
	struct tree *t = *state;
	struct object_key key;
	struct holders h;

	t->classes = 1 << OBJECT_PIPE | 1 << OBJECT_SOCKET;
	for (unsigned pid = PID; pid <= OTHER; pid++) {
		put_process(t, pid, "x", 'S', 1);
		for (size_t i = 0; i < ARRAY_SIZE(links); i++)
			put_link(t, path_in(t, "%u/fd/%zu", pid, i), links[i].target);
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			put_link(t, path_in(t, "%u/fd/%zu", pid, 10 + i), others[i]);
	}
	put_loadavg(t, 2);
	walk_all(t, &h);
	assert_int_equal(h.nholdings, 2 * ARRAY_SIZE(links));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		key = (struct object_key){ links[i].class, 0, links[i].ino };
		assert_int_equal(count_holdings(&h, &key), 2);
		assert_int_equal(h.classes[links[i].class].count, 1);
		assert_ptr_equal(object_holding(&h, links[i].class, 0), holders_find(&h, &key));
	}
	holders_free(&h);
}

/* fdinfo tells which eventfd it is; without its id it is counted, and said. */
static void eventfds(void **state)
{
	const struct object_key key = { OBJECT_EVENTFD, 0, 77 };
	struct tree *t = *state;
	struct holders h;
	struct warnings w;

	t->classes = 1 << OBJECT_EVENTFD;
	put_process(t, PID, "x", 'S', 1);
	put_link(t, path_in(t, "%u/fd/3", PID), "anon_inode:[eventfd]");
	put_text(t, path_in(t, "%u/fdinfo/3", PID), "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t1\neventfd-count: ff\neventfd-id: 77\n");
	walk_all(t, &h);
	assert_int_equal(count_holdings(&h, &key), 1);
	holders_free(&h);
	put_text(t, path_in(t, "%u/fdinfo/3", PID), "pos:\t0\nflags:\t02\nmnt_id:\t9\neventfd-count: ff\n");
	assert_int_equal(walk_with(t, &h, &w, 1), 0);
	assert_int_equal(h.nholdings, 0);
	assert_int_equal(h.unidentified, 1);
	assert_true(w.incomplete);
	warnings_free(&w);
	holders_free(&h);
}

/* Shared mappings of files and of anonymous memory, and what is neither. */
static void shared_mappings(void **state)
{
	static const char maps[] = "1000-2000 rw-s 00001000 fe:01 5 /data/file\n"
				   "2000-3000 rw-p 00000000 fe:01 5 /data/file\n"
				   "3000-5000 r--s 00003000 fe:01 5 /data/file\n"
				   "5000-6000 rw-s 00000000 00:01 9 /dev/zero (deleted)\n"
				   "6000-7000 rw-s 00000000 00:06 4 /dev/zero\n"
				   "7000-8000 rw-s 00000000 00:0e 8 anon_inode:[io_uring]\n"
				   "8000-9000 rw-s 00000000 00:01 11 /memfd:a b (deleted)\n"
				   "9000-a000 rw-p 00000000 00:01 11 /memfd:a b (deleted)\n";
	struct object_key key = { OBJECT_FILE_MAPPING, makedev(0xfe, 1), 5 };
	struct tree *t = *state;
	const struct holding *g;
	struct holders h;

	t->classes = 1 << OBJECT_FILE_MAPPING | 1 << OBJECT_ANON_MAPPING | 1 << OBJECT_MEMFD;
	put_process(t, PID, "x", 'S', 1);
	put(t, path_in(t, "%u/maps", PID), maps, sizeof(maps) - 1);
	walk_all(t, &h);
	assert_int_equal(count_holdings(&h, &key), 2);
	g = holders_find(&h, &key);
	assert_int_equal(holding_range(&h, g)->offset, 0x1000);
	assert_int_equal(g->access, ACCESS_READ | ACCESS_WRITE);
	g = holding_next(&h, g);
	assert_int_equal(holding_range(&h, g)->offset, 0x3000);
	assert_int_equal(g->access, ACCESS_READ);
	assert_span(holders_file(&h, &key)->path, SPAN("/data/file"));
	/* The real /dev/zero is a file like others. */
	assert_int_equal(h.classes[OBJECT_FILE_MAPPING].count, 2);
	key = (struct object_key){ OBJECT_ANON_MAPPING, makedev(0, 1), 9 };
	assert_int_equal(count_holdings(&h, &key), 1);
	key = (struct object_key){ OBJECT_MEMFD, makedev(0, 1), 11 };
	assert_int_equal(count_holdings(&h, &key), 2);
	assert_int_equal(h.nholdings, 2 + 1 + 1 + 2);
	holders_free(&h);
}

/* Many processes: the same answer in the same order with any number of threads. */
static void any_number_of_threads(void **state)
{
	enum { PROCESSES = 300 };
	static const unsigned threads[] = { 1, 2, 3, 8, 64, 100000 };
	const struct tree *t = *state;

	for (unsigned i = 0; i < PROCESSES; i++)
		put_holder(t, PID + i);
	put_loadavg(t, PROCESSES);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		struct holders h;
		struct warnings w;
		unsigned pid = PID;

		assert_int_equal(walk_with(t, &h, &w, threads[i]), 0);
		assert_false(h.hidden || h.unreadable);
		assert_int_equal(h.count, PROCESSES);
		for (const struct holding *g = holders_find(&h, &t->key); g; g = holding_next(&h, g)) {
			assert_int_equal(h.items[g->holder].pid, pid++);
			assert_int_equal(g->fd, 7);
		}
		assert_int_equal(pid, PID + PROCESSES);
		warnings_free(&w);
		holders_free(&h);
	}
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_tree, end_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(nobody),	   TREE_TEST(descriptor_and_mapping), TREE_TEST(hostile_commands),
		TREE_TEST(what_is_none),   TREE_TEST(first_segment),	      TREE_TEST(dead_leader),
		TREE_TEST(vanished),	   TREE_TEST(vanished_parts),	      TREE_TEST(refused),
		TREE_TEST(hidden),	   TREE_TEST(broken_files),	      TREE_TEST(long_lines),
		TREE_TEST(nameless),	   TREE_TEST(any_number_of_threads),  TREE_TEST(by_link_text),
		TREE_TEST(eventfds),	   TREE_TEST(shared_mappings),
	};

	return cmocka_run_group_tests_name("holders", tests, NULL, NULL);
}
