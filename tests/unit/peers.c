/* SPDX-License-Identifier: MIT */
/* Made-up tables of sockets and mounts: who is at the other end, and what lies in a layer. */
#include "unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scan/inetdiag.h"
#include "scan/mountinfo.h"

#define LOCALHOST { .address = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } }
#define ANY4 { .address = { [10] = 0xff, [11] = 0xff } }

/* 127.0.0.1:80, connected to 127.0.0.X:4000. */
static struct inet_socket connected(enum inet_protocol protocol, uint8_t last)
{
	struct inet_socket x = { .protocol = protocol,
				 .state = INET_ESTABLISHED,
				 .local = LOCALHOST,
				 .remote = LOCALHOST };

	x.local.port = 80;
	x.remote.port = 4000;
	x.remote.address[15] = last;
	return x;
}

static void forget(struct inet_sockets *s)
{
	hash_free(&s->by_cookie);
	hash_free(&s->by_ends);
	hash_free(&s->by_inode);
}

/* Both ends of a connection find each other, whatever family they speak. */
static void peer(void **state)
{
	(void)state;
	struct inet_socket items[] = { connected(INET_TCP, 1), connected(INET_TCP, 1) };
	struct inet_sockets s = { .items = items, .count = ARRAY_SIZE(items) };

	items[0].cookie = 4;
	items[1] = (struct inet_socket){ .cookie = 5,
					 .protocol = INET_TCP,
					 .v6 = true,
					 .local = items[0].remote,
					 .remote = items[0].local };
	assert_int_equal(inet_sockets_index(&s), 0);
	assert_int_equal(inet_sockets_peer(&s, &items[0]), 1);
	assert_int_equal(inet_sockets_peer(&s, &items[1]), 0);
	assert_int_equal(inet_sockets_find_cookie(&s, 5), 1);
	assert_int_equal(inet_sockets_find_cookie(&s, 6), -ENOENT);
	items[1].remote.port = 81;
	assert_int_equal(inet_sockets_peer(&s, &items[1]), -ENOENT);
	forget(&s);
}

/* A client of datagrams finds the server that is bound to its address, or here to all. */
static void datagram_peer(void **state)
{
	(void)state;
	struct inet_socket items[] = { connected(INET_UDP, 53), { .protocol = INET_UDP, .v6 = true },
				       connected(INET_UDP, 53) };
	struct inet_sockets s = { .items = items, .count = ARRAY_SIZE(items) };

	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		items[i].cookie = i + 1;
	/* A server on [::], and a client of an address that is elsewhere. */
	items[1].local.port = 4000;
	items[2].remote.address[12] = 10;
	assert_int_equal(inet_sockets_index(&s), 0);
	assert_int_equal(inet_sockets_peer(&s, &items[0]), 1);
	assert_int_equal(inet_sockets_peer(&s, &items[1]), -ENOENT);
	assert_int_equal(inet_sockets_peer(&s, &items[2]), -ENOENT);
	forget(&s);
}

/* A table of a client of 127.0.0.1:4000, and servers there; its answer for the client. */
static int64_t server_of(const struct inet_socket *servers, size_t n, uint32_t interface)
{
	struct inet_socket items[4] = { connected(INET_UDP, 1) };
	struct inet_sockets s = { .items = items, .count = n + 1 };
	int64_t found;

	items[0].cookie = UINT64_MAX;
	items[0].interface = interface;
	for (size_t i = 1; i <= n; i++) {
		items[i] = servers[i - 1];
		items[i].cookie = i;
		items[i].protocol = INET_UDP;
		items[i].local.port = 4000;
	}
	assert_int_equal(inet_sockets_index(&s), 0);
	found = inet_sockets_peer(&s, &items[0]);
	forget(&s);
	return found;
}

/* Of several servers that datagrams may go to none is named. */
static void several_servers(void **state)
{
	(void)state;
	static const struct inet_socket one[] = { { .local = LOCALHOST }, { .local = ANY4 } };
	static const struct inet_socket two[] = { { .local = LOCALHOST }, { .local = LOCALHOST } };
	static const struct inet_socket any[] = { { .local = ANY4 }, { .local = ANY4 }, { .v6 = true } };

	/* The one that is bound to the address comes before the one that is bound to all. */
	assert_int_equal(server_of(one, 2, 0), 1);
	assert_int_equal(server_of(two, 1, 0), 1);
	assert_int_equal(server_of(two, 2, 0), -ENOENT);
	assert_int_equal(server_of(any, 1, 0), 1);
	assert_int_equal(server_of(any, 3, 0), -ENOENT);
	assert_int_equal(server_of(any + 2, 1, 0), 1);
}

static void servers_of_interfaces(void **state)
{
	(void)state;
	static const struct inet_socket servers[] = { { .local = LOCALHOST, .interface = 7 },
						      { .local = LOCALHOST },
						      { .local = LOCALHOST, .interface = 1 } };

	assert_int_equal(server_of(servers, 1, 0), -ENOENT);
	assert_int_equal(server_of(servers, 1, 7), 1);
	assert_int_equal(server_of(servers, 1, 8), -ENOENT);
	assert_int_equal(server_of(servers, 2, 0), 2);
	assert_int_equal(server_of(servers, 2, 7), -ENOENT);
	assert_int_equal(server_of(servers + 2, 1, 0), 1);
	assert_int_equal(server_of(servers, 3, 0), -ENOENT);
}

static void v6_only_server(void **state)
{
	(void)state;
	static const struct inet_socket server = { .v6 = true, .v6_only = true };

	assert_int_equal(server_of(&server, 1, 0), -ENOENT);
}

/* A path below a directory of an overlay; not one beside it whose name goes on. */
static void layers(void **state)
{
	(void)state;
	struct span directories[] = { SPAN("/a/upper"), SPAN("l/ABC") };
	struct mounts m = { .layers = directories, .nlayers = ARRAY_SIZE(directories) };
	static const struct {
		struct span path;
		bool inside;
	} paths[] = {
		{ SPAN("/a/upper/s"), true },	 { SPAN("/a/upper/d/s"), true }, { SPAN("/a/upper"), false },
		{ SPAN("/a/upper2/s"), false },	 { SPAN("/b/a/upper/s"), false }, { SPAN("/a/s"), false },
		{ SPAN("/x/l/ABC/s"), true },	 { SPAN("/l/ABC/d/s"), true },	 { SPAN("/x/ll/ABC/s"), false },
		{ SPAN("/x/l/ABCD/s"), false },	 { SPAN("/"), false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_int_equal(mounts_in_layer(&m, paths[i].path), paths[i].inside);
}

/* Every mount of this process is found by its id, and knows its device. */
static void all_mounts(void **state)
{
	(void)state;
	struct mounts m = { 0 };

	assert_int_equal(mounts_read(&m), 0);
	assert_true(m.count > 0);
	for (size_t i = 0; i < m.count; i++) {
		assert_true(i == 0 || m.items[i - 1].id < m.items[i].id);
		assert_ptr_equal(mounts_find(&m, m.items[i].id), &m.items[i]);
	}
	assert_null(mounts_find(&m, UINT64_MAX));
	mounts_free(&m);
	assert_null(mounts_find(&m, 1));
}

/* The directories of an overlay, among options that may be empty. */
static void recorded_mounts(void **state)
{
	(void)state;
	static const char text[] = "41 1 0:51 / /n rw - overlay none ,,lowerdir=/l1:/l2\\054x,,upperdir=,\n"
				   "40 1 0:50 / /m rw - overlay none\n";
	struct mounts m = { 0 };
	int fd = memfd_create("mountinfo", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, sizeof(text) - 1, 0), sizeof(text) - 1);
	assert_int_equal(mounts_read_from(&m, fd), 0);
	assert_int_equal(m.count, 2);
	assert_int_equal(m.items[0].id, 40);
	assert_int_equal(m.nlayers, 2);
	assert_span(m.layers[0], SPAN("/l1"));
	assert_span(m.layers[1], SPAN("/l2,x"));
	mounts_free(&m);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer),		  cmocka_unit_test(datagram_peer),
		cmocka_unit_test(several_servers), cmocka_unit_test(servers_of_interfaces),
		cmocka_unit_test(v6_only_server), cmocka_unit_test(layers),
		cmocka_unit_test(all_mounts),	  cmocka_unit_test(recorded_mounts),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
