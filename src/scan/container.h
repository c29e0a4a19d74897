/* SPDX-License-Identifier: MIT */
/*
 * Which container a process belongs to, by the name that its user gave it. The group of the process
 * (scan/cgroup.h) tells the runtime and the id, and the runtime's own file of state the name:
 *
 *	docker		var/lib/docker/containers/ID/config.v2.json: Name; Config.Labels of cri-dockerd (moby)
 *	containerd	run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json: annotations
 *			io.kubernetes.cri.*, nerdctl/name (containerd, nerdctl); also below run/k3s
 *	crio		run/containers/storage/overlay-containers/ID/userdata/config.json, or below var/lib:
 *			annotations io.kubernetes.* (CRI-O)
 *	podman		var/lib/containers/storage/overlay-containers/containers.json, and that of containers
 *			which go when they end, volatile-containers.json: names (containers/storage)
 *
 * machines and LXC's containers have their name in the group's. What is missing, unreadable, not
 * root's, or not as expected only means: no name.
 *
 * Below a user's part of the hierarchy no file of root's is asked: the id there may be that of somebody
 * else's container. Below a service or session one is asked that says itself which group it is about, and is
 * believed if that is the group.
 */
#pragma once

#include "scan/cgroup.h"

/* Any byte may occur in a name. What is not known is empty. */
struct container {
	struct span runtime; /* as of struct cgroup; empty: in no container, or in none that is known */
	struct span id;
	struct span name; /* in a pod: the container's in that; empty for the one that holds the pod */
	struct span pod, pod_namespace; /* of Kubernetes */
	struct span unit;		/* see struct cgroup */
	/* Who may have made all this up; a user, a name of LXC's or nspawn's as well. */
	enum cgroup_place place;
};

/*
 * Reads the groups of a process below proc (a directory descriptor of a /proc), and the name
 * below root (that of a system's root directory; -1: don't). Strings are in the arena. 0;
 * -ENOENT, -ESRCH: no such process; -EINVAL: the text is not understood; or -errno. Then *out is empty.
 */
int container_of(int proc, uint32_t pid, int root, struct arena *arena, struct container *out) _must_check_;
/*
 * Appends what to call it: RUNTIME:NAME, such as docker:web; in a pod RUNTIME:NAMESPACE/POD/NAME;
 * without a name the id, of 64 digits the first 12, as the runtimes' own tools show it. Nothing
 * if it is in no container. Not escaped.
 */
void container_text(const struct container *c, struct buf *out);
