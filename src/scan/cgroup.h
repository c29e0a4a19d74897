/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/cgroup (cgroups(7)): which container, and which unit of systemd, a process belongs to,
 * as far as the paths of its control groups tell.
 *
 * A line is N:CONTROLLERS:/PATH, one for each hierarchy of version 1, and 0::/PATH for version 2;
 * both kinds where a system mixes them. No name holds a newline: the kernel refuses to make such a
 * group (cgroup_mkdir(), kernel/cgroup/cgroup.c), and adds " (deleted)" to the path of one that
 * is gone. Every other byte may occur.
 *
 * The forms, ID being 64 hexadecimal digits, and where they come from:
 *
 *   docker: docker/ID, docker-ID.scope (moby, runc)
 *   docker: ecs/TASK/ID (amazon-ecs-agent)
 *   containerd: kubepods/.../podUID/ID (kubelet's cgroupfs driver)
 *   containerd: cri-containerd-ID.scope (its CRI plugin)
 *   containerd: NAME.slice:cri-containerd:ID (the same, where the runtime was
 *     not told of systemd: cri.cpp of falcosecurity/libs)
 *   containerd: default/ID, k8s.io/ID, at the top (/NAMESPACE/ID)
 *   containerd: nerdctl-ID.scope (nerdctl)
 *   crio: crio-ID.scope, crio-ID (CRI-O); crio-conmon-ID is its monitor
 *   podman: libpod-ID.scope, libpod-ID; libpod-conmon-ID is its monitor
 *   podman: NAME.service/libpod-payload-ID (--cgroups=split, Quadlet)
 *   nspawn: systemd-nspawn@NAME.service, machine-NAME.scope (systemd); NAME is
 *     escaped; below these, "supervisor" is nspawn itself
 *   libvirt: machine-qemu\x2dN\x2dNAME.scope, machine/qemu-N-NAME.libvirt-qemu:
 *     a machine, and a process in it is the emulator; also with lxc
 *   lxc: lxc/NAME, lxc.payload/NAME, lxc.payload.NAME (LXC, LXD, Incus);
 *     lxc.monitor is not the container
 *   ecs: ecs/TASK/TASK-NUMBER (Fargate, which runs something of its own)
 *   garden: garden/HANDLE, garden/good/HANDLE (Cloud Foundry)
 *
 * Of containers within each other the outermost is told: that is the one that the runtime of this
 * system knows. What is below it was named by those within it, who may name it as they like. So
 * may users below their part of the hierarchy, and services to which one was given; see enum
 * cgroup_place. A path that climbs ("/../../NAME") is that of a process outside the reader's
 * cgroup namespace, from a group above both of them; it is judged as if that were the top.
 */
#pragma once

#include "lib/arena.h"
#include "lib/buf.h"

/* Who could have made a group of that name. */
enum cgroup_place {
	CGROUP_SYSTEM,	  /* only root, or a runtime that root started */
	CGROUP_DELEGATED, /* also a service or session, which may run as anybody */
	/* A user: rootless containers, or a group that was just named like one. Of runtimes that need root
	 * none is told there. */
	CGROUP_USER,
};

struct cgroup {
	struct span runtime; /* "docker" and so on, as above; empty: in no container that is known */
	struct span id;	     /* what the runtime calls it: safe in a path; or empty */
	struct span name;    /* where the path tells one, as it stands there; or empty */
	bool escaped;	     /* the name is escaped: cgroup_unescape() */
	bool guessed;	     /* containerd is the likely runtime; docker's paths look the same */
	/* The container's own group, from the top. */
	struct span path;
	enum cgroup_place place; /* of that */
	/*
	 * The innermost NAME.service, otherwise NAME.scope, as systemd spells it; empty where there
	 * is neither. A user's manager (user@UID.service) and init.scope count only where nothing
	 * else does. Within a container, or below a user's manager, it is a unit of that.
	 */
	struct span unit;
};

/*
 * 0; or -EINVAL: not the text of such a file, or not the whole of it, and *out is all empty. Spans
 * point into the text, that of the runtime to a constant. Text without lines (no hierarchy is
 * mounted) is 0 with nothing known.
 */
int cgroup_parse(struct span text, struct cgroup *out) _must_check_;
/* Appends a name of a unit with its \xNN undone (systemd.unit(5)). Not the "-" that stands for "/":
 * names of machines hold none. */
void cgroup_unescape(struct span name, struct buf *out);
