/* SPDX-License-Identifier: MIT */
/*
 * References of every kind, as the user types them, into a snapshot: an empty one, and one with System V
 * objects and sockets. Nothing is done with what they mean.
 */
#include <fcntl.h>

#include "cmd/select.h"
#include "fuzz.h"
#include "lib/escape.h"
#include "said.h"

static const char shm_table[] =
	"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
	"atime"
	"      dtime      ctime                   rss                  swap\n"
	"      5678      32768  1600               4096  4711     0      2  1000  1000  1000  1000 1763669449"
	" 1763669450 1763669440                  4096                     0\n";

/* The tables that can be made without a system to ask. */
static void fill(struct snapshot *s)
{
	static const struct inet_socket inet = { .cookie = 77,
						 .inode = 4711,
						 .protocol = INET_TCP,
						 .state = INET_LISTEN,
						 .local = { { [10] = 255, 255, 127, 0, 0, 1 }, 80 } };

	EXPECT(sysv_table_parse(&s->sysv[SYSV_SHM], SPAN(shm_table)) == 0);
	s->inet_sockets.items = malloc(sizeof(inet));
	EXPECT(s->inet_sockets.items);
	s->inet_sockets.items[0] = inet;
	s->inet_sockets.count = 1;
	EXPECT(inet_sockets_index(&s->inet_sockets) == 0);
}

/* Another place, with nothing in it; its numbers are such as references may have in front. */
static void add_view(struct snapshot *s)
{
	static const struct place place = { .parts = { [PLACE_IPC] = { .ino = 4026532177 },
						       [PLACE_SHM] = { .ino = 4026532178 },
						       [PLACE_NET] = { .ino = 4026532179 } } };

	s->views = calloc(1, sizeof(*s->views));
	EXPECT(s->views);
	s->nviews = 1;
	s->views[0] = (struct snapshot){
		.context = s->context,
		.sysv = { { .kind = SYSV_SHM }, { .kind = SYSV_SEM }, { .kind = SYSV_MSG } },
		.shm = { .root = -1 },
		.queues = { .root = -1 },
		.place = &place,
		.elsewhere = true
	};
	s->places.everywhere = true;
}

static void resolve(const struct target *t, const struct scan_context *context, bool filled)
{
	struct snapshot s = { .context = context,
			      .sysv = { { .kind = SYSV_SHM }, { .kind = SYSV_SEM }, { .kind = SYSV_MSG } },
			      .shm = { .root = -1 },
			      .queues = { .root = -1 } };
	struct report report = { 0 };
	struct matches m = { 0 };
	int r;

	s.place = &s.places.here;
	if (filled)
		fill(&s);
	add_view(&s);
	r = kind_resolve(t->kind, &s, t->id, &m, &report);
	EXPECT(r == 0 || r == -EINVAL);
	/* Whoever is refused is told why. */
	EXPECT(r == 0 || report.text.len > 0);
	for (size_t i = 0; r == 0 && i < m.count; i++)
		EXPECT(m.items[i] < kind_count(t->kind, &s) && filled);
	matches_free(&m);
	report_free(&report);
	snapshot_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool filled = take_bool(&in);
	struct context c = { .diag = said_begin(), .scan = { .proc = -1 } };
	char *word = copy_string(take_rest(&in));
	struct scan_request request = { 0 };
	struct targets targets;
	int r = select_targets(&c, &word, 1, NULL, &targets);

	EXPECT(r == -1 || r == EXIT_USAGE);
	said_check(&c.diag, r == EXIT_USAGE, r == EXIT_USAGE);
	if (r == -1) {
		EXPECT(targets.count == 1 && targets_request(&targets, &request) == 0);
		resolve(&targets.items[0], &c.scan, filled);
	}
	scan_request_free(&request);
	targets_free(&targets);
	free(word);
	return 0;
}
