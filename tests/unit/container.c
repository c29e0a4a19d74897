/* SPDX-License-Identifier: MIT */
/* Names of containers from the runtimes' files of state, many of them hostile. */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan/beneath.h"
#include "scan/container.h"

#define ID "4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796"
#define ID2 "b5b6f2da8008be266864f896f93789762b2ce50792114a5c5f2cc3315af0bc70"
#define UID "74ba62da-1a3d-11e7-bb11-080027cb0e22"
#define USLICE "/user.slice/user-1000.slice/user@1000.service"
#define BURSTABLE "kubepods-burstable-pod74ba62da_1a3d_11e7_bb11_080027cb0e22.slice"
#define KUBESYSTEMD "/kubepods.slice/kubepods-burstable.slice/" BURSTABLE

/* A tree with proc/ and root/ in it. */
struct tree {
	char path[64];
	int top, proc, root;
	struct arena arena;
};

static void put_file(struct tree *t, const char *path, const void *data, size_t n)
{
	char name[512];
	int fd;

	assert_true(strlen(path) < sizeof(name));
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(name, sizeof(name), "%.*s", (int)(p - path), path);
		assert_true(mkdirat(t->top, name, 0700) == 0 || errno == EEXIST);
	}
	unlinkat(t->top, path, 0);
	fd = openat(t->top, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

static void put_text(struct tree *t, const char *path, const char *text)
{
	put_file(t, path, text, strlen(text));
}

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	strcpy(t->path, "/tmp/ipcctl-container-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->top = open(t->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	put_text(t, "proc/1/cgroup", "0::/init.scope\n");
	put_text(t, "root/run/x", "");
	put_text(t, "root/var/lib/x", "");
	t->proc = openat(t->top, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->root = openat(t->top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->proc >= 0 && t->root >= 0);
	*state = t;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_tree(void **state)
{
	struct tree *t = *state;

	close(t->top);
	close(t->proc);
	close(t->root);
	nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(&t->arena);
	free(t);
	return 0;
}

/* What a process in this group is said to be in. */
static void assert_text(struct tree *t, const char *group, const char *expected)
{
	struct container c;
	struct buf b = { 0 };

	put_text(t, "proc/42/cgroup", group);
	assert_int_equal(container_of(t->proc, 42, t->root, &t->arena, &c), 0);
	container_text(&c, &b);
	assert_buf(&b, expected);
	buf_free(&b);
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("files of root's can be made by root alone\n");
		skip();
	}
}

#define IN_DOCKER "0::/docker/" ID "\n"
#define IN_POD "0::/kubepods/besteffort/pod" UID "/" ID "\n"
#define DOCKER_STATE "root/var/lib/docker/containers/" ID "/config.v2.json"
#define DOCKER_WEB "{\"ID\":\"" ID "\",\"Name\":\"/web\",\"Config\":{\"Labels\":{}}}"
#define TASK_STATE "root/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json"
#define LIST "root/var/lib/containers/storage/overlay-containers/"

static void without_state(void **state)
{
	struct tree *t = *state;
	struct container c;

	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	assert_text(t, "0::/lxc.payload.web1/init.scope\n", "lxc:web1");
	assert_text(t, "0::/machine.slice/machine-my\\x2dbuster.scope\n", "nspawn:my-buster");
	assert_text(t, "0::/lxc.payload.\x1b[31m\xff\n", "lxc:\x1b[31m\xff");
	assert_text(t, "0::/system.slice/nginx.service\n", "");
	assert_text(t, "9:cpu:/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-25740\n",
		    "ecs:0123456789abcdef0123456789abcdef-25740");
	assert_int_equal(container_of(t->proc, 42, -1, &t->arena, &c), 0);
	assert_int_equal(container_of(t->proc, 43, t->root, &t->arena, &c), -ENOENT);
	assert_int_equal(c.runtime.len + c.unit.len, 0);
	put_text(t, "proc/42/cgroup", "0::/docker/" ID "\n0::");
	assert_int_equal(container_of(t->proc, 42, t->root, &t->arena, &c), -EINVAL);
	assert_int_equal(c.runtime.len + c.id.len, 0);
}

static void docker_names(void **state)
{
	struct tree *t = *state;

	need_root();
	put_text(t, DOCKER_STATE, DOCKER_WEB);
	assert_text(t, IN_DOCKER, "docker:web");
	assert_text(t, "0::/system.slice/docker-" ID ".scope\n", "docker:web");
	assert_text(t, "0::/../docker-" ID ".scope\n", "docker:web");
	/* A user, a service, or another container may make groups of that name. */
	assert_text(t, "0::" USLICE "/docker-" ID ".scope\n", "docker:4f5e6d7c8b9a");
	assert_text(t, "0::/system.slice/alice.service/docker-" ID ".scope\n", "docker:4f5e6d7c8b9a");
	assert_text(t, "0::/lxc.payload.x/docker/" ID "\n", "lxc:x");
	assert_text(t, "0::/docker/" ID2 "/docker/" ID "\n", "docker:b5b6f2da8008");
	/* The path does not tell that it is Docker's; its file does. */
	assert_text(t, IN_POD, "docker:web");
	put_text(t, DOCKER_STATE,
		 "{\"Name\":\"/"
		 "k8s_app_cart-7d9_shop_1\",\"Config\":{\"Labels\":{\"io.kubernetes.pod.name\":\"cart-7d9\","
		 "\"io.kubernetes.pod.namespace\":\"shop\",\"io.kubernetes.container.name\":\"POD\"}}}");
	assert_text(t, IN_POD, "docker:shop/cart-7d9");
}

static void containerd_names(void **state)
{
	struct tree *t = *state;

	need_root();
	put_text(t, "root/run/containerd/io.containerd.runtime.v2.task/moby/x", "");
	put_text(t, TASK_STATE,
		 "{\"annotations\":{\"io.kubernetes.cri.sandbox-name\":\"cart-7d9\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"shop\",\"io.kubernetes.cri.container-name\":"
		 "\"app\"},"
		 "\"linux\":{\"cgroupsPath\":\"/system.slice/x.service/" BURSTABLE ":cri-containerd:" ID
		 "\"}}");
	assert_text(t, IN_POD, "containerd:shop/cart-7d9/app");
	assert_text(t, "0::" KUBESYSTEMD "/cri-containerd-" ID ".scope\n", "containerd:shop/cart-7d9/app");
	assert_text(t, "0::/system.slice/containerd.service/" BURSTABLE ":cri-containerd:" ID "\n",
		    "containerd:shop/cart-7d9/app");
	assert_text(t, "0::/system.slice/x.service/" BURSTABLE ":cri-containerd:" ID "\n",
		    "containerd:shop/cart-7d9/app");
	assert_text(t, "0::/system.slice/y.service/" BURSTABLE ":cri-containerd:" ID "\n",
		    "containerd:4f5e6d7c8b9a");
	put_text(t, TASK_STATE, "{\"annotations\":{\"nerdctl/name\":\"db\"}}");
	assert_text(t, "0::/system.slice/nerdctl-" ID ".scope\n", "containerd:db");
	assert_text(t, "0::/default/" ID "\n", "containerd:db");
}

static void containers_storage_names(void **state)
{
	struct tree *t = *state;

	need_root();
	put_text(t, "root/run/containers/storage/overlay-containers/" ID "/userdata/config.json",
		 "{\"annotations\":{\"io.kubernetes.pod.name\":\"cart-7d9\",\"io.kubernetes.pod.namespace\":"
		 "\"shop\","
		 "\"io.kubernetes.container.name\":\"app\"}}");
	assert_text(t, "0::" KUBESYSTEMD "/crio-" ID ".scope\n", "crio:shop/cart-7d9/app");
	put_text(t, LIST "containers.json",
		 "[{\"id\":\"" ID2 "\",\"names\":[\"other\"]}, 1, null, {\"id\":1}]");
	assert_text(t, "0::/machine.slice/libpod-" ID ".scope\n", "podman:4f5e6d7c8b9a");
	put_text(t, LIST "volatile-containers.json", "[{\"id\":\"" ID "\",\"names\":[\"db\",\"also\"]}]");
	assert_text(t, "0::/machine.slice/libpod-" ID ".scope\n", "podman:db");
	assert_text(t, "0::/machine.slice/libpod-" ID2 ".scope\n", "podman:other");
	/* In a service, only if podman itself says that it is in that one. */
	assert_text(t, "0::/system.slice/web.service/libpod-payload-" ID "\n", "podman:4f5e6d7c8b9a");
	put_text(t, LIST ID "/userdata/config.json",
		 "{\"linux\":{\"cgroupsPath\":\"/system.slice/web.service/libpod-payload-" ID "\"}}");
	assert_text(t, "0::/system.slice/web.service/libpod-payload-" ID "\n", "podman:db");
	assert_text(t, "0::/system.slice/mallory.service/libpod-payload-" ID "\n", "podman:4f5e6d7c8b9a");
	/* A user's are root's never, whatever is said. */
	put_text(t, LIST ID "/userdata/config.json",
		 "{\"linux\":{\"cgroupsPath\":\"" USLICE "/user.slice/libpod-" ID ".scope\"}}");
	assert_text(t, "0::" USLICE "/user.slice/libpod-" ID ".scope/container\n", "podman:4f5e6d7c8b9a");
}

static void hostile_state(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"web",
		"[]",
		"null",
		"{\"Name\":1}",
		"{\"Name\":\"/web\"} x",
		"{\"Name\":\"/\"}",
		"{\"name\":\"web\"}",
		"{\"Config\":[{\"Labels\":1}]}",
		"{\"Name\":\"/web",
	};
	struct tree *t = *state;
	struct buf b = { 0 };

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put_text(t, DOCKER_STATE, bad[i]);
		assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	}
	/* A zero byte, where other tools would stop. */
	put_file(t, DOCKER_STATE, "{\"Name\":\"/web\"}\0", 16);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	/* Any byte may be in a name; but not any number of them. */
	put_text(t, DOCKER_STATE, "{\"Name\":\"/a\\u001b[31m\xff\\u202eb\"}");
	assert_text(t, IN_DOCKER,
		    "docker:a\x1b[31m\xff\xe2\x80\xae"
		    "b");
	buf_puts(&b, "{\"Name\":\"/");
	buf_fill(&b, 'a', 1000);
	buf_puts(&b, "\"}");
	put_file(t, DOCKER_STATE, b.data, b.len);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	/* Deep, and large. */
	buf_reset(&b);
	buf_fill(&b, '[', 1000000);
	put_file(t, DOCKER_STATE, b.data, b.len);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	buf_reset(&b);
	buf_puts(&b, DOCKER_WEB);
	buf_fill(&b, ' ', (1 << 20) - b.len);
	put_file(t, DOCKER_STATE, b.data, b.len);
	assert_text(t, IN_DOCKER, "docker:web");
	buf_putc(&b, ' ');
	put_file(t, DOCKER_STATE, b.data, b.len);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	buf_free(&b);
}

static void hostile_files(void **state)
{
	struct tree *t = *state;

	need_root();
	put_text(t, DOCKER_STATE, DOCKER_WEB);
	assert_int_equal(fchownat(t->top, DOCKER_STATE, 1000, 1000, 0), 0);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	put_text(t, "root/elsewhere/config.v2.json", DOCKER_WEB);
	assert_int_equal(unlinkat(t->top, DOCKER_STATE, 0), 0);
	assert_int_equal(symlinkat("../../../../../elsewhere/config.v2.json", t->top, DOCKER_STATE), 0);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	assert_int_equal(unlinkat(t->top, DOCKER_STATE, 0), 0);
	assert_int_equal(mkfifoat(t->top, DOCKER_STATE, 0600), 0);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	assert_int_equal(unlinkat(t->top, DOCKER_STATE, 0), 0);
	assert_int_equal(mkdirat(t->top, DOCKER_STATE, 0700), 0);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	/* A link on the way. */
	assert_int_equal(unlinkat(t->top, DOCKER_STATE, AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(t->top, "root/var/lib/docker/containers/" ID, AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/elsewhere", t->top, "root/var/lib/docker/containers/" ID), 0);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
	assert_int_equal(unlinkat(t->top, "root/var/lib/docker/containers/" ID, 0), 0);
	assert_int_equal(symlinkat("../../../../elsewhere", t->top, "root/var/lib/docker/containers/" ID), 0);
	assert_text(t, IN_DOCKER, "docker:4f5e6d7c8b9a");
}

static void beneath(void **state)
{
	static const char *const bad[] = { "",	      "/run/x", "run//x", "../root/run/x", "run/../run/x",
					   "./run/x", "run/" };
	struct tree *t = *state;
	struct buf b = { 0 };
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(beneath_read(t->root, bad[i], 100, &b), -EINVAL);
		assert_int_equal(beneath_open_directory(t->root, bad[i]), -EINVAL);
	}
	assert_int_equal(beneath_read(t->root, "run/y", 100, &b), -ENOENT);
	assert_int_equal(beneath_read(t->root, "run/x/y", 100, &b), -ENOTDIR);
	assert_int_equal(beneath_open_directory(t->root, "run/x"), -ENOTDIR);
	fd = beneath_open_directory(t->root, "var/lib");
	assert_true(fd >= 0);
	close(fd);
	/* Found out without opening them. */
	assert_int_equal(mkfifoat(t->root, "run/fifo", 0600), 0);
	assert_int_equal(beneath_read(t->root, "run/fifo", 100, &b), -EINVAL);
	assert_int_equal(symlinkat("x", t->root, "run/link"), 0);
	assert_int_equal(beneath_read(t->root, "run/link", 100, &b), -EINVAL);
	put_text(t, "root/run/x", "0123456789");
	if (geteuid() != 0) {
		assert_int_equal(beneath_read(t->root, "run/x", 100, &b), -EPERM);
		need_root();
	}
	assert_int_equal(beneath_read(t->root, "run/x", 9, &b), -EFBIG);
	assert_int_equal(beneath_read(t->root, "run/x", 10, &b), 0);
	assert_buf(&b, "0123456789");
	buf_free(&b);
}

/* This very process: whatever it is in, it is told without failing. */
static void this_process(void **state)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct arena arena = { 0 };
	struct container c;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(container_of(proc, (uint32_t)getpid(), root, &arena, &c), 0);
	container_text(&c, &b);
	assert_false(b.failed);
	/* No process ever has such a number (proc_sys_kernel(5), pid_max). */
	assert_int_equal(container_of(proc, 1u << 23, root, &arena, &c), -ENOENT);
	buf_free(&b);
	arena_free(&arena);
	close(proc);
	close(root);
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(without_state),    WITH_TREE(docker_names),
		WITH_TREE(containerd_names), WITH_TREE(containers_storage_names),
		WITH_TREE(hostile_state),    WITH_TREE(hostile_files),
		WITH_TREE(beneath),	     cmocka_unit_test(this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
