/* SPDX-License-Identifier: MIT */
#include "scan/cgroup.h"

#include <errno.h>

#define ID_DIGITS 64

/* A path being walked from the top down. */
struct walk {
	struct span path;
	size_t depth;	    /* of the component, from 0 */
	struct span first;  /* of all components */
	struct span before; /* the one before the last */
	struct span last;   /* the one above the component */
	struct span self;   /* the component */
	struct span next;   /* the one below it */
	bool pods;	    /* below the kubelet's part */
	int unit_rank;	    /* of what found->unit is */
	struct cgroup *found;
};

static bool span_ends(struct span a, const char *suffix)
{
	size_t n = strlen(suffix);

	/* A suffix alone names nothing. */
	return a.len > n && memcmp(a.ptr + a.len - n, suffix, n) == 0;
}

static struct span without(struct span a, const char *suffix)
{
	return (struct span){ a.ptr, a.len - strlen(suffix) };
}

static bool is_hex(struct span s, size_t digits)
{
	if (s.len != digits)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
			return false;
	return true;
}

static size_t digits_of(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	return n;
}

static bool take_id(struct cgroup *g, struct span runtime, struct span id)
{
	g->runtime = runtime;
	g->id = id;
	return true;
}

static bool take_name(struct cgroup *g, struct span runtime, struct span name, bool escaped)
{
	g->runtime = runtime;
	g->name = name;
	g->escaped = escaped;
	return name.len > 0;
}

/* PREFIX-ID.scope, and SLICE:PREFIX:ID. What else follows the prefix, such as "conmon-", is no ID. */
static bool match_prefixed(struct walk *w)
{
	static const struct {
		const char *prefix;
		struct span runtime;
		bool bare; /* also without ".scope" */
	} known[] = {
		{ "docker", SPAN("docker"), false },	    { "cri-containerd", SPAN("containerd"), false },
		{ "nerdctl", SPAN("containerd"), false },   { "crio", SPAN("crio"), true },
		{ "libpod-payload", SPAN("podman"), true }, { "libpod", SPAN("podman"), true },
	};
	bool scope = span_ends(w->self, ".scope");
	struct span word = scope ? without(w->self, ".scope") : w->self;
	struct span id, prefix;

	if (word.len <= ID_DIGITS + 1)
		return false;
	id = span_from(word, word.len - ID_DIGITS);
	prefix = (struct span){ word.ptr, word.len - ID_DIGITS - 1 };
	if (!is_hex(id, ID_DIGITS))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (id.ptr[-1] == '-' && (scope || known[i].bare) && span_is(prefix, known[i].prefix))
			return take_id(w->found, known[i].runtime, id);
		if (id.ptr[-1] == ':' && !scope && span_ends(prefix, known[i].prefix) &&
		    span_ends(without(prefix, known[i].prefix), ":"))
			return take_id(w->found, known[i].runtime, id);
	}
	return false;
}

/* An ID alone says nothing; the group above it does. */
static bool match_bare(struct walk *w)
{
	struct cgroup *g = w->found;

	if (!is_hex(w->self, ID_DIGITS))
		return false;
	if (span_is(w->last, "docker") || (w->depth >= 2 && span_is(w->first, "ecs")))
		return take_id(g, SPAN("docker"), w->self);
	if (w->depth == 1 && (span_is(w->last, "default") || span_is(w->last, "k8s.io")))
		return take_id(g, SPAN("containerd"), w->self);
	g->guessed = w->pods && span_starts(w->last, "pod");
	return g->guessed && take_id(g, SPAN("containerd"), w->self);
}

/* The number of a task of Fargate, and that of a container in it. */
static bool match_fargate(struct walk *w)
{
	struct span self = w->self, number;

	if (w->depth < 2 || !span_is(w->first, "ecs") || self.len < 34 || self.ptr[32] != '-' ||
	    !is_hex((struct span){ self.ptr, 32 }, 32))
		return false;
	number = span_from(self, 33);
	return digits_of(number) == number.len && take_id(w->found, SPAN("ecs"), self);
}

static bool match_garden(struct walk *w)
{
	bool judged = span_is(w->last, "good") || span_is(w->last, "bad");
	size_t dashes = 0;

	if (!span_is(judged ? w->before : w->last, "garden") || w->self.len < 20 || w->self.len > 36)
		return false;
	for (size_t i = 0; i < w->self.len; i++) {
		if (w->self.ptr[i] == '-')
			dashes++;
		else if (!is_hex((struct span){ w->self.ptr + i, 1 }, 1))
			return false;
	}
	return dashes == 4 && take_id(w->found, SPAN("garden"), w->self);
}

static bool match_lxc(struct walk *w)
{
	static const char prefix[] = "lxc.payload.";

	if (span_starts(w->self, prefix))
		return take_name(w->found, SPAN("lxc"), span_from(w->self, sizeof(prefix) - 1), false);
	return (span_is(w->last, "lxc") || span_is(w->last, "lxc.payload")) &&
	       take_name(w->found, SPAN("lxc"), w->self, false);
}

/* libvirt's DRIVER-N-NAME, with "-" as it is spelt here. The name, or an empty span. */
static struct span libvirt_name(struct span word, const char *dash)
{
	static const char *const drivers[] = { "qemu", "lxc", "xen" };
	size_t n = strlen(dash);

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		struct span rest;

		if (!span_starts(word, drivers[i]))
			continue;
		rest = span_from(word, strlen(drivers[i]));
		if (!span_starts(rest, dash) || digits_of(span_from(rest, n)) == 0)
			continue;
		rest = span_from(rest, n + digits_of(span_from(rest, n)));
		if (span_starts(rest, dash))
			return span_from(rest, n);
	}
	return (struct span){ 0 };
}

static bool match_machine(struct walk *w)
{
	static const char service[] = "systemd-nspawn@", scope[] = "machine-";
	struct span self = w->self, name;

	/* Next to what it runs, in a group of its own: nspawn itself, which is on this side. */
	if (span_is(w->next, "supervisor"))
		return false;
	if (span_is(w->last, "machine") &&
	    (span_ends(self, ".libvirt-qemu") || span_ends(self, ".libvirt-lxc"))) {
		const char *dot = memrchr(self.ptr, '.', self.len);

		name = libvirt_name((struct span){ self.ptr, (size_t)(dot - self.ptr) }, "-");
		return take_name(w->found, SPAN("libvirt"), name, false);
	}
	if (span_starts(self, service) && span_ends(self, ".service"))
		return take_name(w->found, SPAN("nspawn"),
				 without(span_from(self, sizeof(service) - 1), ".service"), true);
	/* machined names the group of every machine so; but for libvirt's, these are mostly nspawn's. */
	if (!span_starts(self, scope) || !span_ends(self, ".scope") || !span_ends(w->last, ".slice"))
		return false;
	self = without(span_from(self, sizeof(scope) - 1), ".scope");
	name = libvirt_name(self, "\\x2d");
	return name.len ? take_name(w->found, SPAN("libvirt"), name, true) :
			  take_name(w->found, SPAN("nspawn"), self, true);
}

/* What a user may run without root; others' groups are not made below a user's. */
static bool is_rootless(struct span runtime)
{
	return !span_is(runtime, "libvirt") && !span_is(runtime, "garden") && !span_is(runtime, "ecs");
}

static bool match(struct walk *w, enum cgroup_place place)
{
	static bool (*const all[])(struct walk *) = { match_prefixed, match_bare, match_fargate,
						      match_garden,   match_lxc,  match_machine };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i](w) && (place != CGROUP_USER || is_rootless(w->found->runtime)))
			return true;
		*w->found = (struct cgroup){ .unit = w->found->unit };
	}
	return false;
}

/* Services that make groups for containers next to their own, and run as root. */
static bool is_runtime(struct span service)
{
	static const char *const known[] = { "containerd.service",  "docker.service",	  "crio.service",
					     "kubelet.service",	    "k3s.service",	  "k3s-agent.service",
					     "rke2-server.service", "rke2-agent.service", "garden.service" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (span_is(service, known[i]))
			return true;
	return false;
}

/*
 * Who may make groups below this one. The manager of a user's session makes user@UID.service/... as
 * that user says, so a user can have ".../docker-ID.scope" there with the ID of somebody else's
 * container. Slices hold units alone, and only root may add some outside of user.slice. A group of
 * any other name may have been given away.
 */
static enum cgroup_place place_below(const struct walk *w)
{
	static const char *const roots[] = {
		"docker",  "kubepods", "kubelet", "besteffort",	   "burstable",
		"default", "k8s.io",   "ecs",	  "libpod_parent", "lxc",
		"machine", "garden",   "good",	  "bad",	   "lxc.payload"
	};
	struct span self = w->self;

	if (span_is(self, "user.slice") || span_starts(self, "user-") || span_starts(self, "user@") ||
	    span_is(self, "user"))
		return CGROUP_USER;
	if (span_ends(self, ".slice") || (w->pods && span_starts(self, "pod")) ||
	    (w->depth >= 1 && span_is(w->first, "ecs")))
		return CGROUP_SYSTEM;
	if (w->depth == 1 && span_is(w->last, "system.slice") && is_runtime(self))
		return CGROUP_SYSTEM;
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		if (span_is(self, roots[i]))
			return CGROUP_SYSTEM;
	return CGROUP_DELEGATED;
}

static void judge_unit(struct walk *w)
{
	bool service = span_ends(w->self, ".service");
	int rank;

	if (!service && !span_ends(w->self, ".scope"))
		return;
	if (span_is(w->self, "init.scope"))
		rank = 1;
	else if (service && span_starts(w->self, "user@"))
		rank = 2;
	else
		rank = service ? 4 : 3;
	if (rank >= w->unit_rank) {
		w->unit_rank = rank;
		w->found->unit = w->self;
	}
}

/* Cuts the next component off the rest; empty at the end. */
static struct span next_component(struct span *rest)
{
	struct span self;
	const char *slash;

	while (rest->len > 0 && rest->ptr[0] == '/')
		*rest = span_from(*rest, 1);
	slash = memchr(rest->ptr, '/', rest->len);
	self = (struct span){ rest->ptr, slash ? (size_t)(slash - rest->ptr) : rest->len };
	*rest = span_from(*rest, self.len);
	return self;
}

static void look(struct span path, struct cgroup *found)
{
	struct walk w = { .path = path, .found = found };
	enum cgroup_place place = CGROUP_SYSTEM, below;
	struct span rest;

	if (span_ends(path, " (deleted)"))
		w.path = without(path, " (deleted)");
	rest = w.path;
	*found = (struct cgroup){ 0 };
	for (w.self = next_component(&rest); w.self.len > 0; w.self = w.next) {
		w.next = next_component(&rest);
		if (span_is(w.self, ".."))
			continue;
		if (w.depth == 0)
			w.first = w.self;
		judge_unit(&w);
		if (found->runtime.len == 0 && match(&w, place)) {
			found->place = place;
			found->path =
				(struct span){ w.path.ptr, (size_t)(w.self.ptr - w.path.ptr) + w.self.len };
		}
		below = place_below(&w);
		place = below > place ? below : place;
		w.pods = w.pods || memmem(w.self.ptr, w.self.len, "kubepods", 8);
		w.before = w.last;
		w.last = w.self;
		w.depth++;
	}
}

/* The path, and how much its word counts: least first. */
static int parse_line(struct span line, struct span *path, unsigned *rank)
{
	size_t n = digits_of(line);
	struct span controllers;
	const char *colon;

	if (n == 0 || n == line.len || line.ptr[n] != ':')
		return -EINVAL;
	controllers = span_from(line, n + 1);
	colon = memchr(controllers.ptr, ':', controllers.len);
	if (!colon)
		return -EINVAL;
	*path = span_from(controllers, (size_t)(colon - controllers.ptr) + 1);
	controllers.len = (size_t)(colon - controllers.ptr);
	if (path->len == 0 || path->ptr[0] != '/')
		return -EINVAL;
	/* Version 2, then systemd's own, then the rest, which need not be set apart for a container. */
	if (n == 1 && line.ptr[0] == '0' && controllers.len == 0)
		*rank = 0;
	else
		*rank = span_is(controllers, "name=systemd") ? 1 : 2;
	return 0;
}

int cgroup_parse(struct span text, struct cgroup *out)
{
	struct cgroup best[3] = { 0 };

	*out = (struct cgroup){ 0 };
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		struct cgroup found;
		struct span path;
		unsigned rank;

		/* The kernel ends every line: without that, the last name may be half a name. */
		if (!end || parse_line((struct span){ text.ptr, (size_t)(end - text.ptr) }, &path, &rank) < 0)
			return -EINVAL;
		text = span_from(text, (size_t)(end - text.ptr) + 1);
		look(path, &found);
		if (best[rank].runtime.len == 0 && (found.runtime.len > 0 || best[rank].unit.len == 0))
			best[rank] = found;
	}
	for (size_t i = 0; i < ARRAY_SIZE(best) && out->runtime.len == 0; i++)
		if (best[i].runtime.len > 0)
			*out = best[i];
	/* Where both are there, version 2 is the one that not every system uses for its units. */
	if (out->runtime.len == 0)
		out->unit = best[1].unit.len > 0 ? best[1].unit : best[0].unit;
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void cgroup_unescape(struct span name, struct buf *out)
{
	for (size_t i = 0; i < name.len; i++) {
		const char *p = name.ptr + i;
		bool escape = name.len - i >= 4 && p[0] == '\\' && p[1] == 'x' && hex_value(p[2]) >= 0 &&
			      hex_value(p[3]) >= 0;

		buf_putc(out, (char)(escape ? hex_value(p[2]) << 4 | hex_value(p[3]) : *p));
		i += escape ? 3 : 0;
	}
}
