/* SPDX-License-Identifier: MIT */
#include "scan/placefind.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/capability.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/placeseek.h"

struct search {
	struct places *places;
	const struct place_request *request;
	struct seeking seeking;
	struct hash wanted; /* numbers */
	struct warnings *warnings;
};

static int want(struct search *search, uint64_t ino)
{
	return hash_find(&search->wanted, ino, NULL) ? 0 : hash_add(&search->wanted, ino, 0);
}

static bool is_wanted(const struct search *search, uint64_t ino)
{
	return search->request->all || hash_find(&search->wanted, ino, NULL) != NULL;
}

/* What is wrong with a word; the others are looked at all the same. */
static int wrong(struct search *search, const char *word, int error, const char *why)
{
	bool implied = search->seeking.context->implied;

	warnings_add(search->warnings,
		     &(struct warning){ .subject = implied ? "--procfs: process" : "--ipcns",
					.example = span_of(word),
					.error = error,
					.text = implied ? "its namespaces cannot be seen: System V objects, "
							  "queues, /dev/shm and sockets are missing" :
							  why,
					.fatal = !implied });
	return 0;
}

/* Whatever somebody in it is in, too. 0, -ENOMEM, or -ENOENT: nobody is. */
static int want_with_members(struct search *search, uint64_t ino)
{
	int found = -ENOENT, r = want(search, ino);

	for (size_t i = 0; r == 0 && i < search->seeking.all.nmembers; i++) {
		const struct membership *m = &search->seeking.all.members[i];

		/* An IPC namespace stands for all that belongs to it. */
		for (size_t part = 0; m->ino[PLACE_IPC] == ino && r == 0 && part < PLACE_PARTS; part++)
			r = want(search, m->ino[part]);
		for (size_t part = 0; part < PLACE_PARTS; part++)
			found = m->ino[part] == ino ? 0 : found;
	}
	return r < 0 ? r : found;
}

/* A number of a namespace. keepers: whether to look beyond tasks. */
static int want_number(struct search *search, uint64_t ino, const char *word)
{
	int r = want_with_members(search, ino);

	if (r == -ENOENT && !search->seeking.kept)
		r = seek_keepers(&search->seeking) < 0 ? -ENOMEM : -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < search->seeking.all.nkeepers; i++)
		if (search->seeking.all.keepers[i].ino == ino)
			r = 0;
	if (r == -ENOENT && word)
		return wrong(search, word, ENOENT,
			     search->seeking.all.unreadable ? "no such namespace in sight" :
							      "no such namespace");
	return r == -ENOENT ? 0 : r;
}

static int want_process(struct search *search, uint64_t pid, const char *word)
{
	struct membership m = { .pid = (uint32_t)pid, .tid = (uint32_t)pid };
	char path[16];
	int r;

	snprintf(path, sizeof(path), "%u", (unsigned)pid);
	r = read_membership(search->seeking.context->proc, path, &m);
	if (r == -ENOENT || r == -ESRCH)
		return wrong(search, word, ESRCH, "no such process");
	if (r < 0)
		return wrong(search, word, EPERM, "its namespaces cannot be seen: that takes CAP_SYS_PTRACE");
	for (size_t part = 0; r == 0 && part < PLACE_PARTS; part++)
		r = want(search, m.ino[part]);
	return r;
}

/* The file of a namespace. */
static int want_path(struct search *search, const char *word)
{
	struct place_namespace ns = { .door = { .path = span_of(word), .fd = -1 } };
	struct keeper k = { .part = PLACE_IPC, .door = ns.door };
	struct stat st;
	int fd, r;

	if (stat(word, &st) < 0)
		return wrong(search, word, errno, NULL);
	ns.ino = k.ino = st.st_ino;
	fd = place_open(search->seeking.context, &ns, PLACE_IPC);
	if (fd < 0)
		return wrong(search, word, -fd, fd == -EINVAL ? "it is no IPC namespace" : NULL);
	close_fd(&fd);
	r = add_keeper(&search->seeking.all, &k);
	return r < 0 ? r : want_with_members(search, k.ino) == -ENOMEM ? -ENOMEM : 0;
}

static int want_word(struct search *search, const char *word)
{
	uint64_t number;

	if (strchr(word, '/'))
		return want_path(search, word);
	if (strcmp(word, "all") == 0)
		return 0;
	if (parse_u64_in(span_of(word), 1, UINT32_MAX, &number) < 0)
		return wrong(search, word, EINVAL,
			     "expected a PID, the number of a namespace, a path, or all");
	/* Numbers of processes end long before those of namespaces begin. */
	return number <= INT32_MAX ? want_process(search, number, word) : want_number(search, number, word);
}

/* The place that the namespaces of one task make, as far as they are not looked at elsewhere. 0 or -ENOMEM.
 */
static int add_place(struct search *search, struct hash *taken, const struct membership *m,
		     const struct keeper *keeper)
{
	struct places *places = search->places;
	struct place place = { .pid = m->pid, .ipc = -1, .diag = -1, .queues.root = -1, .shm.root = -1 };
	bool any = false;

	for (size_t part = 0; part < PLACE_PARTS; part++) {
		uint64_t ino = m->ino[part];

		if (ino == 0 || !search->request->parts[part] || !is_wanted(search, ino) ||
		    hash_find(taken, ino, NULL))
			continue;
		if (hash_add(taken, ino, 0) < 0)
			return -ENOMEM;
		place.parts[part] = (struct place_namespace){
			.ino = ino,
			.door = keeper ? keeper->door : (struct place_door){ m->pid, m->tid, -1, { 0 } },
			.empty = keeper != NULL,
		};
		any = true;
		place.named |= hash_find(&search->wanted, ino, NULL) != NULL;
	}
	if (!any)
		return 0;
	if (vec_reserve(&places->items, places->count, sizeof(*places->items)) < 0)
		return -ENOMEM;
	places->items[places->count++] = place;
	return 0;
}

static int add_places(struct search *search)
{
	struct places *places = search->places;
	struct hash taken = { 0 };
	int r = 0;

	for (size_t part = 0; r == 0 && part < PLACE_PARTS; part++) {
		places->here_wanted[part] =
			search->request->nwords == 0 || is_wanted(search, places->here.parts[part].ino);
		r = hash_add(&taken, places->here.parts[part].ino, 0);
	}
	for (size_t i = 0; r == 0 && i < search->seeking.all.nmembers; i++)
		r = add_place(search, &taken, &search->seeking.all.members[i], NULL);
	for (size_t i = 0; r == 0 && i < search->seeking.all.nkeepers; i++) {
		const struct keeper *k = &search->seeking.all.keepers[i];
		struct membership m = { .pid = 0 };

		m.ino[k->part] = k->ino;
		r = add_place(search, &taken, &m, k);
	}
	hash_free(&taken);
	return r;
}

/* Which numbers are wanted. 0 or -errno. */
static int take_request(struct search *search)
{
	const struct place_request *request = search->request;
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->nwords; i++)
		r = want_word(search, request->words[i]);
	for (size_t i = 0; r == 0 && i < request->nnumbers; i++)
		r = want_number(search, request->numbers[i], NULL);
	if (r == 0 && request->all && !search->seeking.kept)
		r = seek_keepers(&search->seeking);
	return r;
}

int places_find(struct places *places, const struct scan_context *context,
		const struct place_request *request, struct warnings *warnings)
{
	struct search search = { .places = places, .request = request, .warnings = warnings };
	int r = seek_members(&search.seeking, context);

	if (r == 0)
		r = take_request(&search);
	if (r == 0)
		r = add_places(&search);
	if (r == 0 && search.seeking.all.unreadable && (request->all || request->nnumbers))
		warnings_add(warnings, &(struct warning){ .subject = "/proc",
							  .error = EACCES,
							  .text = search.seeking.all.unreadable == 1 ?
									  "process does not show which "
									  "namespaces it is in; those may "
									  "hold more" :
									  "processes do not show which "
									  "namespaces they are in; those "
									  "may hold more",
							  .count = search.seeking.all.unreadable,
							  .unseen = search.seeking.all.unreadable == 1 ?
									    "process's namespaces" :
									    "processes' namespaces",
							  .rights = CAPABILITY(CAP_SYS_PTRACE) });
	places->everywhere = request->nwords > 0;
	places->arena = search.seeking.all.arena; /* keeps the doors' paths */
	search.seeking.all.arena = (struct arena){ 0 };
	seeking_free(&search.seeking);
	hash_free(&search.wanted);
	return r;
}
