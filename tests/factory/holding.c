/* SPDX-License-Identifier: MIT */
#include "holding.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct board *board_new(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		die("mmap");
	return board;
}

/* proc(5): field 22, counted behind the last parenthesis, which ends field 2. */
static uint64_t own_start_ticks(void)
{
	char text[1024], *at;
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (!n)
		die("/proc/self/stat");
	fclose(f);
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		wrong("/proc/self/stat has fewer fields than proc(5) says");
	return strtoull(at, NULL, 10);
}

unsigned board_add(struct board *board, struct held held)
{
	unsigned at = atomic_fetch_add(&board->count, 1);

	if (at >= BOARD_SIZE)
		wrong("more holdings than %d", BOARD_SIZE);
	held.pid = getpid();
	held.uid = geteuid();
	held.start_ticks = own_start_ticks();
	prctl(PR_GET_NAME, held.command);
	board->items[at] = held;
	return at;
}

void board_inherit(struct board *board, pid_t from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (board->items[i].pid == from && !board->items[i].closed)
			board_add(board, board->items[i]);
}

static void held_truth(const struct held *h, FILE *out)
{
	fprintf(out, "{\"pid\": %d, \"uid\": %u, \"start_ticks\": %" PRIu64 ", \"command_hex\": \"", (int)h->pid,
		(unsigned)h->uid, h->start_ticks);
	for (size_t c = 0; h->command[c]; c++)
		fprintf(out, "%02x", (unsigned char)h->command[c]);
	fprintf(out,
		"\", \"fd\": %d, \"start\": %" PRIu64 ", \"end\": %" PRIu64 ", \"offset\": %" PRIu64
		", \"access\": %u, \"side\": %u}",
		h->fd, h->start, h->end, h->offset, h->access, h->side);
}

void board_truth(struct board *board, struct truth *truth)
{
	unsigned count = atomic_load(&board->count);
	bool started = false;

	truth_list(truth, "holdings");
	for (unsigned i = 0; i < count; i++) {
		if (board->items[i].closed)
			continue;
		fputs(started ? ", " : "", truth->out);
		held_truth(&board->items[i], truth->out);
		started = true;
	}
	truth_list_end(truth);
}
