/* SPDX-License-Identifier: MIT */
/* The paths of control groups into containers and units, as recorded and as made up to mislead. */
#include "unit.h"

#include "scan/cgroup.h"

#define ID "4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796"
#define ID2 "b5b6f2da8008be266864f896f93789762b2ce50792114a5c5f2cc3315af0bc70"
#define UID "74ba62da-1a3d-11e7-bb11-080027cb0e22"
#define USLICE "/user.slice/user-1000.slice/user@1000.service"
#define BURSTABLE "kubepods-burstable-pod74ba62da_1a3d_11e7_bb11_080027cb0e22.slice"
#define KUBESYSTEMD "/kubepods.slice/kubepods-burstable.slice/" BURSTABLE
#define KIND "kubelet-kubepods-burstable-pod74ba62da_1a3d_11e7_bb11_080027cb0e22.slice"

/* Text of /proc/PID/cgroup, and what it tells. id: "" none. */
struct example {
	const char *text, *runtime, *id, *name, *unit;
	enum cgroup_place place;
};

static const struct example examples[] = {
	/* No container. */
	{ "", "", "", "", "", 0 },
	{ "0::/\n", "", "", "", "", 0 },
	{ "0::/init.scope\n", "", "", "", "init.scope", 0 },
	{ "0::/system.slice/nginx.service\n", "", "", "", "nginx.service", 0 },
	{ "0::/system.slice/system-getty.slice/getty@tty1.service\n", "", "", "", "getty@tty1.service", 0 },
	{ "0::/system.slice/dev-disk-by\\x2duuid.swap\n", "", "", "", "", 0 },
	{ "0::/user.slice/user-1000.slice/session-2.scope\n", "", "", "", "session-2.scope", 0 },
	{ "0::" USLICE "/app.slice/foo.service\n", "", "", "", "foo.service", 0 },
	{ "0::" USLICE "/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope\n", "", "", "",
	  "vte-spawn-1.scope", 0 },
	{ "0::" USLICE "/init.scope\n", "", "", "", "user@1000.service", 0 },
	{ "0::/system.slice/a.service/b.scope\n", "", "", "", "a.service", 0 },
	{ "0::/system.slice/a.service/b.service/c\n", "", "", "", "b.service", 0 },
	{ "0::/system.slice/my\\x2dapp.service (deleted)\n", "", "", "", "my\\x2dapp.service", 0 },
	{ "13:name=systemd:/user/1000.user/c2.session\n12:pids:/\n1:cpuset:/\n", "", "", "", "", 0 },
	{ "12:pids:/system.slice/a.service\n1:name=systemd:/system.slice/a.service\n"
	  "0::/system.slice/a.service\n",
	  "", "", "", "a.service", 0 },
	{ "4:devices:/user.slice\n1:name=systemd:" USLICE "/app.slice/b.service\n0::" USLICE
	  "/app.slice/b.service\n",
	  "", "", "", "b.service", 0 },
	/* Docker. */
	{ "12:name=systemd:/docker/" ID "\n11:hugetlb:/docker/" ID "\n1:cpuset:/docker/" ID "\n", "docker",
	  ID, "", "", 0 },
	{ "2:cpu,cpuacct:/docker/" ID "\n1:name=systemd:/docker/" ID
	  "\n0::/system.slice/containerd.service\n",
	  "docker", ID, "", "", 0 },
	{ "2:cpuacct,cpu:/system.slice/docker-" ID ".scope\n1:name=systemd:/system.slice/docker-" ID
	  ".scope\n",
	  "docker", ID, "", "docker-" ID ".scope", 0 },
	{ "0::/system.slice/docker-" ID ".scope\n", "docker", ID, "", "docker-" ID ".scope", 0 },
	{ "0::/docker/" ID "/system.slice/nginx.service\n", "docker", ID, "", "nginx.service", 0 },
	{ "0::/system.slice/docker-" ID ".scope (deleted)\n", "docker", ID, "", "docker-" ID ".scope", 0 },
	{ "0::" USLICE "/user.slice/docker-" ID ".scope\n", "docker", ID, "", "docker-" ID ".scope",
	  CGROUP_USER },
	{ "0::" USLICE "/docker-" ID ".scope\n", "docker", ID, "", "docker-" ID ".scope", CGROUP_USER },
	{ "9:name=systemd:/docker/" ID "/docker/" ID2 "\n", "docker", ID, "", "", 0 },
	{ "0::/system.slice/alice.service/docker-" ID ".scope\n", "docker", ID, "", "alice.service",
	  CGROUP_DELEGATED },
	{ "0::/handed-out/docker/" ID "\n", "docker", ID, "", "", CGROUP_DELEGATED },
	{ "9:cpu:/ecs/3d5f4e8a-1111-2222-3333-444455556666/" ID "\n", "docker", ID, "", "", 0 },
	{ "0::/ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice/docker-" ID ".scope\n",
	  "docker", ID, "", "docker-" ID ".scope", 0 },
	{ "9:cpu:/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-2574055321\n", "ecs",
	  "0123456789abcdef0123456789abcdef-2574055321", "", "", 0 },
	/* Kubernetes. */
	{ "11:devices:/kubepods/besteffort/pod" UID "/" ID
	  "\n3:rdma:/\n1:name=systemd:/kubepods/besteffort/pod" UID "/" ID "\n",
	  "containerd", ID, "", "", 0 },
	{ "0::/kubepods/pod" UID "/" ID "/kube-proxy\n", "containerd", ID, "", "", 0 },
	{ "0::" KUBESYSTEMD "/cri-containerd-" ID ".scope\n", "containerd", ID, "",
	  "cri-containerd-" ID ".scope", 0 },
	{ "11:cpuset:" KUBESYSTEMD "/docker-" ID ".scope\n", "docker", ID, "", "docker-" ID ".scope", 0 },
	{ "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/" KIND
	  "/cri-containerd-" ID ".scope\n",
	  "containerd", ID, "", "cri-containerd-" ID ".scope", 0 },
	{ "0::/system.slice/containerd.service/" BURSTABLE ":cri-containerd:" ID "\n", "containerd", ID, "",
	  "containerd.service", 0 },
	{ "0::" KUBESYSTEMD "/crio-" ID ".scope/container\n", "crio", ID, "", "crio-" ID ".scope", 0 },
	{ "5:cpu:/kubepods/burstable/pod" UID "/crio-" ID "\n", "crio", ID, "", "", 0 },
	{ "0::" KUBESYSTEMD "/crio-conmon-" ID ".scope\n", "", "", "", "crio-conmon-" ID ".scope", 0 },
	{ "0::" USLICE "/user.slice/kubepods/besteffort/pod" UID "/" ID "\n", "containerd", ID, "",
	  "user@1000.service", CGROUP_USER },
	/* containerd. */
	{ "0::/default/" ID "\n", "containerd", ID, "", "", 0 },
	{ "0::/system.slice/nerdctl-" ID ".scope\n", "containerd", ID, "", "nerdctl-" ID ".scope", 0 },
	/* Podman. */
	{ "0::/machine.slice/libpod-" ID ".scope/container\n", "podman", ID, "", "libpod-" ID ".scope", 0 },
	{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", "", "", "", "libpod-conmon-" ID ".scope", 0 },
	{ "0::/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope\n", "podman", ID, "",
	  "libpod-" ID ".scope", 0 },
	{ "7:pids:/libpod_parent/libpod-" ID "\n", "podman", ID, "", "", 0 },
	{ "0::" USLICE "/user.slice/libpod-" ID ".scope/container\n", "podman", ID, "", "libpod-" ID ".scope",
	  CGROUP_USER },
	{ "0::/system.slice/web.service/libpod-payload-" ID "\n", "podman", ID, "", "web.service",
	  CGROUP_DELEGATED },
	{ "0::/system.slice/web.service/runtime\n", "", "", "", "web.service", 0 },
	{ "0::" USLICE "/app.slice/redis.service/libpod-payload-" ID "\n", "podman", ID, "", "redis.service",
	  CGROUP_USER },
	/* Machines. */
	{ "0::/machine.slice/systemd-nspawn@my\\x2dbuster.service/payload/system.slice/cron.service\n",
	  "nspawn", "", "my\\x2dbuster", "cron.service", 0 },
	{ "0::/machine.slice/systemd-nspawn@buster.service/supervisor\n", "", "", "",
	  "systemd-nspawn@buster.service", 0 },
	{ "0::/machine.slice/machine-buster.scope/payload/init.scope\n", "nspawn", "", "buster",
	  "machine-buster.scope", 0 },
	{ "0::/machine.slice/machine-qemu\\x2d1\\x2dopnsense.scope/libvirt/emulator\n", "libvirt", "",
	  "opnsense", "machine-qemu\\x2d1\\x2dopnsense.scope", 0 },
	{ "0::/machine.slice/machine-lxc\\x2d969\\x2dhub.scope\n", "libvirt", "", "hub",
	  "machine-lxc\\x2d969\\x2dhub.scope", 0 },
	{ "4:cpu:/machine/qemu-2-vm-one.libvirt-qemu/emulator\n", "libvirt", "", "vm-one", "", 0 },
	/* LXC. */
	{ "4:cpu:/lxc/web1\n", "lxc", "", "web1", "", 0 },
	{ "4:cpu:/lxc/101/ns/system.slice/cron.service\n", "lxc", "", "101", "cron.service", 0 },
	{ "0::/lxc.payload.web1/system.slice/cron.service\n", "lxc", "", "web1", "cron.service", 0 },
	{ "0::/lxc.payload.web1/docker/" ID "\n", "lxc", "", "web1", "", 0 },
	{ "4:cpu:/lxc.payload/web1\n", "lxc", "", "web1", "", 0 },
	{ "0::/lxc.monitor.web1\n", "", "", "", "", 0 },
	{ "4:cpu:/lxc.monitor/web1\n", "", "", "", "", 0 },
	{ "0::/lxc.payload.\x1b[31m\xff\n", "lxc", "", "\x1b[31m\xff", "", 0 },
	/* Garden. */
	{ "0::/system.slice/garden.service/garden/good/b4fb4a47-a3b4-4ee6-5b8c-6b2b\n", "garden",
	  "b4fb4a47-a3b4-4ee6-5b8c-6b2b", "", "garden.service", 0 },
	/* From within a cgroup namespace. */
	{ "0::/../docker-" ID ".scope\n", "docker", ID, "", "docker-" ID ".scope", 0 },
	{ "0::/../../kubepods-besteffort.slice/cri-containerd-" ID ".scope\n", "containerd", ID, "",
	  "cri-containerd-" ID ".scope", 0 },
	{ "0::/../../.." USLICE "/docker-" ID ".scope\n", "docker", ID, "", "docker-" ID ".scope",
	  CGROUP_USER },
	{ "0::/..\n", "", "", "", "", 0 },
	/* Of what needs root, nothing that a user has. */
	{ "0::" USLICE "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/x.service\n", "", "", "", "x.service",
	  0 },
	{ "0::" USLICE "/machine.slice/machine-buster.scope/payload\n", "nspawn", "", "buster",
	  "machine-buster.scope", CGROUP_USER },
	{ "0::/user.slice/user-1000.slice/session-1.scope/lxc.payload.x\n", "lxc", "", "x", "session-1.scope",
	  CGROUP_USER },
	/* Near misses. */
	{ "0::/docker/../../etc\n", "", "", "", "", 0 },
	{ "0::/docker/4f5e6d7c\n", "", "", "", "", 0 },
	{ "0::/docker/" ID "0\n", "", "", "", "", 0 },
	{ "0::/system.slice/docker-4F5E6D7C8B9A0F1E2D3C4B5A69788796A5B4C3D2E1F00F1E2D3C4B5A69788796.scope\n",
	  "", "", "", "docker-4F5E6D7C8B9A0F1E2D3C4B5A69788796A5B4C3D2E1F00F1E2D3C4B5A69788796.scope", 0 },
	{ "0::/system.slice/xdocker-" ID ".scope\n", "", "", "", "xdocker-" ID ".scope", 0 },
	{ "0::/a:xdocker:" ID "\n", "", "", "", "", 0 },
	{ "0::/" ID "\n", "", "", "", "", 0 },
	{ "0::/x/default/" ID "\n", "", "", "", "", 0 },
	{ "0::/.service\n", "", "", "", "", 0 },
	{ "0::/lxc.payload.\n", "", "", "", "", 0 },
	{ "0::/lxc\n", "", "", "", "", 0 },
	{ "0::/machine.slice/machine-.scope\n", "", "", "", "machine-.scope", 0 },
	{ "0::/docker/buildkit/x\n", "", "", "", "", 0 },
};

/* Says which example it is. */
static void assert_told(const struct example *e, const char *what, struct span got, const char *expected)
{
	if (!span_is(got, expected))
		fail_msg("%s in \"%s\": got \"%.*s\", expected \"%s\"", what, e->text, (int)got.len, got.ptr,
			 expected);
}

static void forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		struct span text = exact(span_of(e->text));
		struct cgroup g;

		assert_int_equal(cgroup_parse(text, &g), 0);
		assert_told(e, "runtime", g.runtime, e->runtime);
		assert_told(e, "id", g.id, e->id);
		assert_told(e, "name", g.name, e->name);
		assert_told(e, "unit", g.unit, e->unit);
		if (g.place != e->place)
			fail_msg("place %d in \"%s\"", g.place, e->text);
		free((void *)text.ptr);
	}
}

static void broken_text(void **state)
{
	static const char *const bad[] = {
		"\n",	   "0",	     "0:",    "0::",	      "0::\n",	  "0::x\n",
		"::/\n",   "x::/\n", "0:/\n", "0::/lxc/web1", "0::/\n\n", "0::/docker/" ID "\ngarbage\n",
		"-1::/\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span text = exact(span_of(bad[i]));
		struct cgroup g;

		if (cgroup_parse(text, &g) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(g.runtime.len + g.unit.len + g.id.len, 0);
		free((void *)text.ptr);
	}
}

/* Every beginning of every example, and every example with any byte changed. */
static void mangled_text(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		size_t len = strlen(examples[i].text);
		struct cgroup g;

		for (size_t n = 0; n < len; n++) {
			struct span text = exact((struct span){ examples[i].text, n });
			struct span changed = exact(span_of(examples[i].text));
			bool whole = n == 0 || text.ptr[n - 1] == '\n';

			assert_int_equal(cgroup_parse(text, &g), whole ? 0 : -EINVAL);
			((char *)changed.ptr)[n] = (char)next_random(&seed);
			(void)!cgroup_parse(changed, &g);
			free((void *)text.ptr);
			free((void *)changed.ptr);
		}
	}
}

static void long_lines(void **state)
{
	struct buf b = { 0 };
	struct cgroup g;

	(void)state;
	buf_puts(&b, "0::");
	while (b.len < 1 << 20)
		buf_puts(&b, "/a.slice");
	buf_puts(&b, "/docker-" ID ".scope\n");
	assert_int_equal(cgroup_parse(buf_span(&b), &g), 0);
	assert_span(g.id, SPAN(ID));
	buf_reset(&b);
	buf_puts(&b, "0::/");
	buf_fill(&b, '/', 1 << 20);
	buf_puts(&b, "\n1:name=systemd:/");
	buf_fill(&b, 'a', 1 << 20);
	buf_puts(&b, ".service\n");
	assert_int_equal(cgroup_parse(buf_span(&b), &g), 0);
	assert_int_equal(g.runtime.len, 0);
	assert_int_equal(g.unit.len, (1 << 20) + 8);
	buf_free(&b);
}

static void escapes(void **state)
{
	static const char *const e[][2] = {
		{ "", "" },
		{ "my\\x2dbuster", "my-buster" },
		{ "a\\x2", "a\\x2" },
		{ "\\xzz", "\\xzz" },
		{ "\\x5cx2d", "\\x2d" },
		{ "\\x2f..\\x1b", "/..\x1b" },
		{ "a-b", "a-b" },
		{ "\\", "\\" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct span name = exact(span_of(e[i][0]));
		struct buf b = { 0 };

		cgroup_unescape(name, &b);
		assert_buf(&b, e[i][1]);
		buf_free(&b);
		free((void *)name.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),      cmocka_unit_test(broken_text), cmocka_unit_test(mangled_text),
		cmocka_unit_test(long_lines), cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
