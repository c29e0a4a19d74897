/* SPDX-License-Identifier: MIT */
#include "cmd/graphpeople.h"

#include <errno.h>
#include <stdio.h>

#include "lib/vec.h"
#include "scan/pids.h"
#include "scan/proclink.h"

static uint64_t namespace_of(const struct graph *g, const struct graph_process *p, const char *which)
{
	char path[32];

	snprintf(path, sizeof(path), "%u/ns/%s", p->pid, which);
	return namespace_number(g->l->context->scan.proc, path);
}

/* Processes that no holder's row told of: those who wait, or are noted somewhere. */
static int tell(struct graph *g, struct projector *projector, struct graph_process *p)
{
	const struct process *process = process_get(&projector->processes, &g->l->context->scan, p->pid);
	struct span user;

	if (!process)
		return -ENOMEM;
	if (process->error < 0)
		return 0;
	p->start = process->start;
	p->command = arena_span(&g->arena, process->command);
	if (users_uid_name(&projector->users, process->uid, &user) == 0)
		p->user = arena_span(&g->arena, user);
	p->told = p->command.ptr != NULL;
	return p->told ? 0 : -ENOMEM;
}

/* The cluster of a pair of namespaces, from 1; 0: no memory. */
static uint32_t cluster_of(struct graph *g, struct hash *index, const struct graph_process *p)
{
	uint64_t key = p->pid_namespace * 0x9e3779b97f4a7c15u ^ p->ipc_namespace;

	for (const struct hash_slot *s = hash_find(index, key, NULL); s; s = hash_find(index, key, s))
		if (g->clusters[s->value].pid_namespace == p->pid_namespace &&
		    g->clusters[s->value].ipc_namespace == p->ipc_namespace)
			return s->value + 1;
	if (vec_reserve(&g->clusters, g->nclusters, sizeof(*g->clusters)) < 0 ||
	    hash_add(index, key, (uint32_t)g->nclusters) < 0)
		return 0;
	g->clusters[g->nclusters++] = (struct graph_cluster){ p->pid_namespace, p->ipc_namespace };
	return (uint32_t)g->nclusters;
}

/* An object is where all are who have it, if they are in one place. */
static void place_items(struct graph *g)
{
	const uint32_t several = UINT32_MAX;

	for (size_t i = 0; i < g->nlinks; i++) {
		const struct graph_link *link = &g->links[i];
		bool leads = graph_is_process(g, link->from);
		uint32_t process = leads ? link->from : link->to, item = leads ? link->to : link->from;
		uint32_t cluster = graph_process_at(g, process)->cluster;

		if (graph_is_process(g, item))
			continue;
		if (cluster == 0 || (g->items[item].cluster && g->items[item].cluster != cluster))
			cluster = several;
		g->items[item].cluster = cluster;
	}
	for (size_t i = 0; i < g->nitems; i++)
		if (g->items[i].cluster == several)
			g->items[i].cluster = 0;
}

int graph_frame(struct graph *g)
{
	size_t *end = calloc(g->nclusters + 2, sizeof(*end));

	g->grouped = calloc(g->nodes + 1, sizeof(*g->grouped));
	if (end && g->grouped) {
		for (size_t i = 0; i < g->nodes; i++)
			end[graph_cluster(g, g->order[i]) + 1]++;
		for (size_t i = 1; i <= g->nclusters; i++)
			end[i] += end[i - 1];
		for (size_t i = 0; i < g->nodes; i++)
			g->grouped[end[graph_cluster(g, g->order[i])]++] = g->order[i];
	}
	if (!end)
		return -ENOMEM;
	free(end);
	return g->grouped ? 0 : -ENOMEM;
}

/* Whether something of a process is hidden, unless it has ended meanwhile. */
static bool is_hidden(struct graph *g, struct projector *projector, struct graph_process *p)
{
	const struct process *process;

	if (p->told && p->pid_namespace && p->ipc_namespace)
		return false;
	process = process_get(&projector->processes, &g->l->context->scan, p->pid);
	p->gone = process && process->error == -ENOENT;
	return !p->gone;
}

int graph_tell_processes(struct graph *g)
{
	struct projector projector = { .snapshot = &g->l->snapshot };
	struct hash index = { 0 };
	uint64_t hidden = 0;
	int e = 0;

	for (size_t i = 0; e == 0 && i < g->nodes && graph_is_process(g, g->order[i]); i++) {
		struct graph_process *p = graph_process_at(g, g->order[i]);

		if (!p->told)
			e = tell(g, &projector, p);
		p->pid_namespace = namespace_of(g, p, "pid");
		p->ipc_namespace = namespace_of(g, p, "ipc");
		hidden += is_hidden(g, &projector, p);
		/* Of whom nothing is known it is not known where he is, either. */
		if (e < 0 || (p->pid_namespace == 0 && p->ipc_namespace == 0))
			continue;
		p->cluster = cluster_of(g, &index, p);
		e = p->cluster ? 0 : -ENOMEM;
	}
	if (hidden > 0)
		warnings_add(&g->l->sheet.warnings,
			     &(struct warning){ .subject = "processes",
						.error = EACCES,
						.count = hidden,
						.unseen = hidden == 1 ? "process" : "processes",
						.rights = RIGHTS_OF_DESCRIPTORS,
						.text = "whose command or namespaces could not be read" });
	if (g->nclusters < 2)
		g->nclusters = 0;
	else
		place_items(g);
	hash_free(&index);
	if (e == 0 && projector_failed(&projector))
		e = -ENOMEM;
	projector_free(&projector);
	return e;
}
