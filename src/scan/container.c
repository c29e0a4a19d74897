/* SPDX-License-Identifier: MIT */
#include "scan/container.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

#include "lib/file.h"
#include "scan/beneath.h"

#define STATE_MAX ((size_t)1 << 20)
/* Names of Kubernetes have at most 253 bytes. A longer one is no name, rather than half of one. */
#define NAME_BYTES 256
/* Of containerd, and how many of them are looked into: there are a few (k8s.io, moby, default). */
#define NAMESPACES_MAX 64
#define STORAGE "containers/storage/overlay-containers/"

/* What is being looked for, and where. */
struct quest {
	int root;
	const struct cgroup *group;
	struct arena *arena;
	struct container *out;
};

static void delete_json(cJSON **json)
{
	cJSON_Delete(*json);
}

/* The document in a file of root's below the root, or NULL. The path is printf's, with
 * the id in it. */
static _printf_(2, 3) cJSON *read_json(int root, const char *fmt, ...)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	char path[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || beneath_read(root, path, STATE_MAX, &text) < 0)
		return NULL;
	/* cJSON would stop at a zero byte, and say that this was all. */
	if (!buf_cstr(&text) || strlen(text.data) != text.len)
		return NULL;
	return cJSON_ParseWithOpts(text.data, NULL, true);
}

/* A member that is a string, and a name as to its length; or an empty span. */
static struct span take(struct arena *arena, const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	const char *text = cJSON_GetStringValue(item);
	struct span copy = { 0 };

	if (text && strnlen(text, NAME_BYTES + 1) <= NAME_BYTES)
		copy = arena_span(arena, span_of(text));
	return copy.ptr ? copy : (struct span){ 0 };
}

/* The keys under which a pod's names are told. */
struct pod_keys {
	const char *pod, *pod_namespace, *name;
};

static const struct pod_keys kubelet_keys = { "io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
					      "io.kubernetes.container.name" };
static const struct pod_keys containerd_keys = { "io.kubernetes.cri.sandbox-name",
						 "io.kubernetes.cri.sandbox-namespace",
						 "io.kubernetes.cri.container-name" };

static bool take_pod(const struct quest *q, const cJSON *labels, const struct pod_keys *keys)
{
	struct container *c = q->out;

	c->pod = take(q->arena, labels, keys->pod);
	if (c->pod.len == 0)
		return false;
	c->pod_namespace = take(q->arena, labels, keys->pod_namespace);
	c->name = take(q->arena, labels, keys->name);
	/* The one that only holds the pod's namespaces. */
	if (span_is(c->name, "POD"))
		c->name = (struct span){ 0 };
	return true;
}

static bool name_docker(const struct quest *q)
{
	static const char *const places[] = { "var/lib/docker", "var/snap/docker/common/var-lib-docker" };

	/* Its file does not say which group it is about. */
	if (q->group->place != CGROUP_SYSTEM)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_(delete_json) cJSON *json =
			read_json(q->root, "%s/containers/%s/config.v2.json", places[i], q->out->id.ptr);
		const cJSON *config = cJSON_GetObjectItemCaseSensitive(json, "Config");

		if (!json)
			continue;
		if (take_pod(q, cJSON_GetObjectItemCaseSensitive(config, "Labels"), &kubelet_keys))
			return true;
		q->out->name = take(q->arena, json, "Name");
		if (span_starts(q->out->name, "/"))
			q->out->name = span_from(q->out->name, 1);
		return q->out->name.len > 0;
	}
	return false;
}

/* Whether a specification of the Open Container Initiative (its config.json) may be about this group. */
static bool is_about(const struct quest *q, const cJSON *spec)
{
	const cJSON *os = cJSON_GetObjectItemCaseSensitive(spec, "linux");
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(os, "cgroupsPath"));

	return spec && (q->group->place == CGROUP_SYSTEM || (path && span_is(q->group->path, path)));
}

static bool name_task(const struct quest *q, const char *tasks, const char *group)
{
	_cleanup_(delete_json) cJSON *spec =
		read_json(q->root, "%s/%s/%s/config.json", tasks, group, q->out->id.ptr);
	const cJSON *annotations = cJSON_GetObjectItemCaseSensitive(spec, "annotations");

	if (!is_about(q, spec))
		return false;
	if (take_pod(q, annotations, &containerd_keys))
		return true;
	q->out->name = take(q->arena, annotations, "nerdctl/name");
	return q->out->name.len > 0;
}

static bool name_containerd(const struct quest *q)
{
	static const char *const places[] = { "run/containerd", "run/k3s/containerd",
					      "var/snap/microk8s/common/run/containerd" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char tasks[128];
		_cleanup_(close_fd) int fd = -1;
		_cleanup_(dir_reader_free) struct dir_reader reader = { 0 };
		const char *group;

		snprintf(tasks, sizeof(tasks), "%s/io.containerd.runtime.v2.task", places[i]);
		fd = beneath_open_directory(q->root, tasks);
		if (fd < 0)
			continue;
		reader.fd = fd;
		for (int left = NAMESPACES_MAX; left > 0 && dir_reader_next(&reader, &group) > 0; left--)
			if (name_task(q, tasks, group))
				return true;
	}
	return false;
}

static cJSON *read_userdata(const struct quest *q, const char *place)
{
	return read_json(q->root, "%s/" STORAGE "%s/userdata/config.json", place, q->out->id.ptr);
}

static bool name_crio(const struct quest *q)
{
	static const char *const places[] = { "run", "var/lib" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_(delete_json) cJSON *spec = read_userdata(q, places[i]);

		if (is_about(q, spec) &&
		    take_pod(q, cJSON_GetObjectItemCaseSensitive(spec, "annotations"), &kubelet_keys))
			return true;
	}
	return false;
}

static bool name_podman(const struct quest *q)
{
	static const char *const lists[] = { "containers.json", "volatile-containers.json" };

	if (q->group->place != CGROUP_SYSTEM) {
		_cleanup_(delete_json) cJSON *spec = read_userdata(q, "var/lib");

		if (!is_about(q, spec))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_(delete_json) cJSON *list = read_json(q->root, "var/lib/" STORAGE "%s", lists[i]);
		const cJSON *item;

		cJSON_ArrayForEach(item, list)
		{
			const cJSON *names = cJSON_GetObjectItemCaseSensitive(item, "names");
			const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "id"));

			if (!id || !span_is(q->out->id, id))
				continue;
			/* take() wants an object, and a name in a list has no key. */
			id = cJSON_GetStringValue(cJSON_GetArrayItem(names, 0));
			if (id && strnlen(id, NAME_BYTES + 1) <= NAME_BYTES)
				q->out->name = arena_span(q->arena, span_of(id));
			return q->out->name.len > 0;
		}
	}
	return false;
}

static void find_name(const struct quest *q)
{
	struct span runtime = q->out->runtime;

	if (q->root < 0 || q->out->id.len == 0 || q->group->place == CGROUP_USER)
		return;
	if (span_is(runtime, "docker"))
		name_docker(q);
	else if (span_is(runtime, "crio"))
		name_crio(q);
	else if (span_is(runtime, "podman"))
		name_podman(q);
	else if (span_is(runtime, "containerd") && !name_containerd(q) && q->group->guessed && name_docker(q))
		q->out->runtime = SPAN("docker");
}

/* Copies what a group's path tells. 0 or -ENOMEM. */
static int take_group(const struct cgroup *g, struct arena *arena, struct container *out)
{
	_cleanup_(buf_free) struct buf plain = { 0 };

	if (g->escaped)
		cgroup_unescape(g->name, &plain);
	if (plain.failed)
		return -ENOMEM;
	out->runtime = g->runtime;
	out->place = g->place;
	out->id = arena_span(arena, g->id);
	out->name = arena_span(arena, g->escaped ? buf_span(&plain) : g->name);
	out->unit = arena_span(arena, g->unit);
	return out->id.ptr && out->name.ptr && out->unit.ptr ? 0 : -ENOMEM;
}

int container_of(int proc, uint32_t pid, int root, struct arena *arena, struct container *out)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct cgroup group;
	char path[32];
	int r;

	*out = (struct container){ 0 };
	snprintf(path, sizeof(path), "%u/cgroup", (unsigned)pid);
	r = read_file_at(proc, path, &text);
	if (r == 0)
		r = cgroup_parse(buf_span(&text), &group);
	if (r == 0)
		r = take_group(&group, arena, out);
	if (r != 0) {
		*out = (struct container){ 0 };
		return r;
	}
	find_name(&(struct quest){ root, &group, arena, out });
	return 0;
}

void container_text(const struct container *c, struct buf *out)
{
	if (c->runtime.len == 0)
		return;
	buf_put_span(out, c->runtime);
	buf_putc(out, ':');
	if (c->pod.len > 0) {
		if (c->pod_namespace.len > 0) {
			buf_put_span(out, c->pod_namespace);
			buf_putc(out, '/');
		}
		buf_put_span(out, c->pod);
		if (c->name.len > 0) {
			buf_putc(out, '/');
			buf_put_span(out, c->name);
		}
	} else if (c->name.len > 0) {
		buf_put_span(out, c->name);
	} else {
		/* Other ids are not random from their first digit on. */
		buf_put(out, c->id.ptr, c->id.len == 64 ? 12 : c->id.len);
	}
}
