/* SPDX-License-Identifier: MIT */
#include "scan/views.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/capability.h"
#include "scan/placefind.h"
#include "scan/placetake.h"
#include "scan/sources.h"

static const unsigned sources_of[PLACE_PARTS] = {
	[PLACE_IPC] = SOURCES_IPC,
	[PLACE_SHM] = SOURCES_SHM,
	[PLACE_NET] = SOURCES_NET,
};

static bool is_asked(const struct scan_context *context, const char *word)
{
	for (size_t i = 0; i < context->nplaces; i++)
		if (strcmp(context->places[i], word) == 0)
			return true;
	return false;
}

/* Whether an error means that the namespace has ended, and perhaps another has its number. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH || error == -ESTALE;
}

/* Whether an error means that another look may well succeed; if not, the place stays hidden. */
static bool is_lost(int error)
{
	return !is_gone(error) && error != -EPERM && error != -EACCES && error != -ELOOP && error != -EXDEV &&
	       error != -ETIMEDOUT;
}

/* What could not be looked at, and why. */
static void warn(const struct place_namespace *ns, enum place_part part, bool named,
		 struct warnings *warnings)
{
	static const char *const subjects[PLACE_PARTS] = { "IPC namespace", "/dev/shm of mount namespace",
							   "network namespace" };
	struct warning w = { .subject = subjects[part], .error = -ns->error, .fatal = named };
	char number[24];
	int n = snprintf(number, sizeof(number), "%llu", (unsigned long long)ns->ino);

	w.example = (struct span){ number, (size_t)n };
	/* What ends meanwhile is no news; where there is no /dev/shm nothing is in it. */
	if (ns->error == 0 || (!named && is_gone(ns->error)) || (part == PLACE_SHM && ns->error == -ENOENT))
		return;
	if (part == PLACE_SHM && (ns->error == -ELOOP || ns->error == -EXDEV)) {
		w.error = EACCES;
		w.fatal = false;
		w.text = ns->error == -ELOOP ? "it is a symbolic link, which is not followed" :
					       "it is no file system of memory, and not read";
	} else if (is_gone(ns->error)) {
		w.text = "it has ended";
	} else if (ns->error == -ETIMEDOUT) {
		w.text = "it did not answer in time";
	} else if (ns->error == -EPERM || ns->error == -EACCES) {
		w.text = "it cannot be entered: that takes CAP_SYS_ADMIN, and CAP_SYS_PTRACE over who is in "
			 "it";
		w.unseen = "other namespaces";
		w.rights = CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SYS_PTRACE);
	}
	warnings_add(warnings, &w);
}

/* Whether a /dev/shm is one that is shown anyway: the same may be mounted in many places. */
static bool is_shown(const struct snapshot *s, size_t count, const struct shmtree *tree)
{
	struct stat own, st;

	if (fstat(tree->root, &own) < 0)
		return true;
	if (s->places.here_wanted[PLACE_SHM] && stat("/dev/shm", &st) == 0 && st.st_dev == own.st_dev &&
	    st.st_ino == own.st_ino)
		return true;
	for (size_t i = 0; i < count; i++) {
		const struct shmtree *other = &s->places.items[i].shm;

		if (other->root >= 0 && other->dev == tree->dev && fstat(other->root, &st) == 0 &&
		    st.st_ino == own.st_ino)
			return true;
	}
	return false;
}

/* What this process itself can read, now that it has the descriptors. 0 or -ENOMEM. */
static int read_place(struct snapshot *s, size_t i, const struct scan_request *request,
		      struct warnings *warnings)
{
	struct place *p = &s->places.items[i];
	int r = 0;

	if (p->shm.root >= 0 && is_shown(s, i, &p->shm))
		shmtree_free(&p->shm);
	if (p->shm.root >= 0 && s->sources & SOURCE_SHMTREE)
		r = shmtree_look(&p->shm, &request->shm_names, warnings);
	if (r != -ENOMEM && p->diag >= 0 && s->sources & SOURCE_UNIX)
		r = unix_sockets_read(&p->unix_sockets, p->diag, source_unix_details(s), warnings);
	if (r != -ENOMEM && p->diag >= 0 && s->sources & SOURCE_INET)
		r = inet_sockets_read(&p->inet_sockets, p->diag, warnings);
	return r == -ENOMEM ? r : 0;
}

/* Some descriptors of each place stay open: the usual limit is too low for hundreds of them. */
static void make_room(size_t places)
{
	const rlim_t each = GIVEN_MOST, spare = 128;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || places * each + spare <= limit.rlim_cur)
		return;
	limit.rlim_cur = places * each + spare < limit.rlim_max ? places * each + spare : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int views_gather(struct snapshot *s, const struct scan_request *request, struct warnings *warnings)
{
	struct place_request wanted = { .numbers = request->place_numbers,
					.nnumbers = request->nplace_numbers,
					.words = s->context->places,
					.nwords = s->context->nplaces };
	int r;

	place_of_self(&s->places.here);
	wanted.all = is_asked(s->context, "all");
	for (size_t part = 0; part < PLACE_PARTS; part++) {
		s->places.here_wanted[part] = true;
		wanted.parts[part] = (s->sources & sources_of[part]) != 0;
	}
	if ((wanted.nwords == 0 && wanted.nnumbers == 0) ||
	    !(s->sources & (SOURCES_IPC | SOURCES_SHM | SOURCES_NET)))
		return 0;
	r = places_find(&s->places, s->context, &wanted, warnings);
	make_room(s->places.count);
	if (r == 0)
		r = places_take(&s->places, s->context, request, s->sources, warnings);
	for (size_t i = 0; r == 0 && i < s->places.count; i++) {
		struct place *p = &s->places.items[i];

		for (size_t part = 0; part < PLACE_PARTS; part++) {
			warn(&p->parts[part], (enum place_part)part, p->named, warnings);
			if (p->parts[part].error && !is_gone(p->parts[part].error))
				p->failed |= sources_of[part] & s->sources;
			if (p->parts[part].error && is_lost(p->parts[part].error))
				p->lost |= sources_of[part] & s->sources;
		}
		r = read_place(s, i, request, warnings);
	}
	return r;
}

int views_make(struct snapshot *s)
{
	if (s->places.count == 0)
		return 0;
	s->views = calloc(s->places.count, sizeof(*s->views));
	if (!s->views)
		return -ENOMEM;
	for (size_t i = 0; i < s->places.count; i++) {
		struct place *p = &s->places.items[i];
		struct snapshot *v = &s->views[s->nviews++];

		*v = *s;
		v->views = NULL;
		v->nviews = 0;
		v->paths = (struct path_files){ 0 }; /* those lie here */
		v->place = p;
		v->elsewhere = true;
		v->ipcns = p->parts[PLACE_IPC].ino;
		v->diag = p->diag;
		v->lost = (s->lost & ~(unsigned)(SOURCES_IPC | SOURCES_SHM | SOURCES_NET)) | p->lost;
		v->failed = (s->failed & ~(unsigned)(SOURCES_IPC | SOURCES_SHM | SOURCES_NET)) | p->failed;
		for (size_t k = 0; k < ARRAY_SIZE(v->sysv); k++) {
			v->sysv[k] = p->sysv[k];
			p->sysv[k] = (struct sysv_table){ .kind = v->sysv[k].kind };
		}
		v->shm = p->shm;
		p->shm = (struct shmtree){ .root = -1 };
		v->queues = p->queues;
		p->queues = (struct mqueue){ .root = -1 };
		v->unix_sockets = p->unix_sockets;
		p->unix_sockets = (struct unix_sockets){ 0 };
		v->inet_sockets = p->inet_sockets;
		p->inet_sockets = (struct inet_sockets){ 0 };
	}
	return 0;
}

struct snapshot *view_of_shm(struct snapshot *s, uint64_t dev)
{
	if (s->shm.root >= 0 && s->shm.dev == dev)
		return s;
	for (size_t i = 0; i < s->nviews; i++)
		if (s->views[i].shm.root >= 0 && s->views[i].shm.dev == dev)
			return &s->views[i];
	return NULL;
}

struct snapshot *view_of_queues(struct snapshot *s, uint64_t dev)
{
	if (s->queues.root >= 0 && s->queues.dev == dev)
		return s;
	for (size_t i = 0; i < s->nviews; i++)
		if (s->views[i].queues.root >= 0 && s->views[i].queues.dev == dev)
			return &s->views[i];
	return NULL;
}

void views_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->nviews; i++) {
		struct snapshot *v = &s->views[i];

		for (size_t k = 0; k < ARRAY_SIZE(v->sysv); k++)
			sysv_table_free(&v->sysv[k]);
		shmtree_free(&v->shm);
		mqueue_free(&v->queues);
		unix_sockets_free(&v->unix_sockets);
		inet_sockets_free(&v->inet_sockets);
	}
	free(s->views);
	s->views = NULL;
	s->nviews = 0;
	places_free(&s->places);
}
