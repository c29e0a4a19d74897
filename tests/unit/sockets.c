/* SPDX-License-Identifier: MIT */
/* What sock_diag(7) answers, taken apart: recorded answers, and lies about lengths. */
#include "unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include "kind/inet_address.h"
#include "scan/inetdiag.h"
#include "scan/sockdiag.h"
#include "scan/unixdiag.h"

/* Appends an attribute that claims `claimed` bytes and has those of value. */
static void put_attribute(struct buf *b, uint16_t type, struct span value, size_t claimed)
{
	struct nlattr head = { .nla_len = (uint16_t)(NLA_HDRLEN + claimed), .nla_type = type };

	buf_put(b, &head, sizeof(head));
	buf_put_span(b, value);
	while (b->len % NLA_ALIGNTO)
		buf_putc(b, '\0');
}

static void put_u32(struct buf *b, uint16_t type, uint32_t value)
{
	put_attribute(b, type, (struct span){ (const char *)&value, sizeof(value) }, sizeof(value));
}

static void put_unix(struct buf *b, uint8_t type, uint8_t state, uint32_t inode)
{
	struct unix_diag_msg head = { .udiag_family = AF_UNIX,
				      .udiag_type = type,
				      .udiag_state = state,
				      .udiag_ino = inode,
				      .udiag_cookie = { 0x55667788, 0x11223344 } };

	buf_put(b, &head, sizeof(head));
}

static int parse_unix(struct buf *b, struct unix_answer *out, struct span *copy)
{
	*copy = exact(buf_span(b));
	return unix_answer_parse(*copy, out);
}

static void messages(void **state)
{
	(void)state;
	struct nlmsghdr heads[2] = { { .nlmsg_len = NLMSG_HDRLEN + 5, .nlmsg_type = 20 },
				     { .nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_DONE } };
	struct buf b = { 0 };
	struct netlink_message m;
	struct span copy, rest;

	buf_put(&b, &heads[0], sizeof(heads[0]));
	buf_put(&b, "hello\0\0\0", 8);
	buf_put(&b, &heads[1], sizeof(heads[1]));
	copy = rest = exact(buf_span(&b));
	assert_int_equal(netlink_next(&rest, &m), 1);
	assert_int_equal(m.type, 20);
	assert_span(m.payload, SPAN("hello"));
	assert_int_equal(netlink_next(&rest, &m), 1);
	assert_int_equal(m.type, NLMSG_DONE);
	assert_int_equal(m.payload.len, 0);
	assert_int_equal(netlink_next(&rest, &m), 0);
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

static void message_lies(void **state)
{
	(void)state;
	static const uint32_t lengths[] = { 0, 1, NLMSG_HDRLEN - 1, NLMSG_HDRLEN + 9, INT32_MAX, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct nlmsghdr head = { .nlmsg_len = lengths[i], .nlmsg_type = 20 };
		struct buf b = { 0 };
		struct netlink_message m;
		struct span copy, rest;

		buf_put(&b, &head, sizeof(head));
		buf_put(&b, "12345678", 8);
		copy = rest = exact(buf_span(&b));
		assert_int_equal(netlink_next(&rest, &m), -EBADMSG);
		free((void *)(uintptr_t)copy.ptr);
		buf_free(&b);
	}
	struct span rest = { "short", 5 };
	struct netlink_message m;

	assert_int_equal(netlink_next(&rest, &m), -EBADMSG);
}

/* The last message need not be padded. */
static void unpadded_end(void **state)
{
	(void)state;
	struct nlmsghdr head = { .nlmsg_len = NLMSG_HDRLEN + 1, .nlmsg_type = 20 };
	struct buf b = { 0 };
	struct netlink_message m;
	struct span copy, rest;

	buf_put(&b, &head, sizeof(head));
	buf_putc(&b, 'x');
	copy = rest = exact(buf_span(&b));
	assert_int_equal(netlink_next(&rest, &m), 1);
	assert_span(m.payload, SPAN("x"));
	assert_int_equal(netlink_next(&rest, &m), 0);
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

static void unix_whole(void **state)
{
	(void)state;
	struct unix_diag_vfs vfs = { .udiag_vfs_ino = 77, .udiag_vfs_dev = 0xfe00003 };
	struct unix_diag_rqlen queues = { 5, 768 };
	struct unix_answer a;
	struct buf b = { 0 };
	struct span copy;

	put_unix(&b, SOCK_STREAM, UNIX_ESTABLISHED, 4711);
	put_attribute(&b, UNIX_DIAG_NAME, SPAN("/run/x\0"), 7);
	put_attribute(&b, UNIX_DIAG_VFS, (struct span){ (const char *)&vfs, sizeof(vfs) }, sizeof(vfs));
	put_u32(&b, UNIX_DIAG_PEER, 4712);
	put_attribute(&b, UNIX_DIAG_RQLEN, (struct span){ (const char *)&queues, sizeof(queues) },
		      sizeof(queues));
	put_attribute(&b, UNIX_DIAG_SHUTDOWN, SPAN("\x02"), 1);
	put_u32(&b, 7, 1000);
	put_u32(&b, 200, 1); /* of a kernel to come */
	assert_int_equal(parse_unix(&b, &a, &copy), 0);
	assert_int_equal(a.socket.inode, 4711);
	assert_int_equal(a.socket.type, SOCK_STREAM);
	assert_int_equal(a.socket.state, UNIX_ESTABLISHED);
	assert_true(a.socket.cookie == 0x1122334455667788u);
	assert_span(a.name, SPAN("/run/x"));
	assert_int_equal(a.socket.device, 0xfe00003);
	assert_int_equal(a.socket.file, 77);
	assert_int_equal(a.socket.peer, 4712);
	assert_int_equal(a.socket.receive_queue, 5);
	assert_int_equal(a.socket.send_queue, 768);
	assert_int_equal(a.socket.shutdown, 2);
	assert_int_equal(a.socket.uid, 1000);
	assert_int_equal(a.socket.flags, UNIX_HAS_FILE | UNIX_HAS_UID | UNIX_HAS_QUEUES);
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

/* An abstract name keeps all of its bytes; its first is a zero byte. */
static void unix_abstract(void **state)
{
	(void)state;
	struct unix_answer a;
	struct buf b = { 0 };
	struct span copy;

	put_unix(&b, SOCK_DGRAM, UNIX_UNCONNECTED, 9);
	put_attribute(&b, UNIX_DIAG_NAME, SPAN("\0a\0b\0"), 5);
	assert_int_equal(parse_unix(&b, &a, &copy), 0);
	assert_span(a.name, SPAN("\0a\0b\0"));
	assert_int_equal(a.socket.flags, UNIX_ABSTRACT);
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

/* What an earlier name was says nothing of the one that is kept, which may be empty. */
static void unix_names(void **state)
{
	(void)state;
	struct unix_sockets s = { 0 };
	struct buf b = { 0 };
	struct span copy;

	put_unix(&b, SOCK_DGRAM, UNIX_UNCONNECTED, 9);
	put_attribute(&b, UNIX_DIAG_NAME, SPAN("\0abc"), 4);
	put_attribute(&b, UNIX_DIAG_NAME, SPAN(""), 0);
	copy = exact(buf_span(&b));
	assert_int_equal(unix_sockets_take(&s, copy), 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.items[0].flags, 0);
	assert_span(unix_socket_name(&s, &s.items[0]), SPAN(""));
	unix_sockets_free(&s);
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

static void unix_clients(void **state)
{
	(void)state;
	uint32_t inodes[] = { 11, 12, 13 };
	struct unix_answer a;
	struct buf b = { 0 };
	struct span copy;

	put_unix(&b, SOCK_STREAM, UNIX_LISTENING, 9);
	/* What is left of a number is none. */
	put_attribute(&b, UNIX_DIAG_ICONS, (struct span){ (const char *)inodes, 11 }, 11);
	assert_int_equal(parse_unix(&b, &a, &copy), 0);
	assert_int_equal(a.clients.len, 8);
	assert_memory_equal(a.clients.ptr, inodes, 8);
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

/* An attribute that is shorter than what it should hold, or longer than the answer. */
static void unix_lies(void **state)
{
	(void)state;
	static const struct {
		uint16_t type;
		uint16_t bytes, claimed;
	} lies[] = {
		{ UNIX_DIAG_VFS, 7, 7 },   { UNIX_DIAG_VFS, 0, 0 },	 { UNIX_DIAG_PEER, 3, 3 },
		{ UNIX_DIAG_RQLEN, 4, 4 }, { UNIX_DIAG_SHUTDOWN, 0, 0 }, { 7, 2, 2 },
		{ UNIX_DIAG_NAME, 8, 9 },  { UNIX_DIAG_NAME, 8, 60000 }, { UNIX_DIAG_ICONS, 4, 400 },
		{ UNIX_DIAG_NAME, 110, 110 },
	};
	char bytes[128] = "/xxxxxxxxxxxxxxxxxx";

	memset(bytes + 1, 'x', sizeof(bytes) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct unix_answer a;
		struct buf b = { 0 };
		struct span copy;

		put_unix(&b, SOCK_STREAM, UNIX_ESTABLISHED, 9);
		put_attribute(&b, lies[i].type, (struct span){ bytes, lies[i].bytes }, lies[i].claimed);
		assert_int_equal(parse_unix(&b, &a, &copy), -EBADMSG);
		free((void *)(uintptr_t)copy.ptr);
		buf_free(&b);
	}
}

/* A header of less than its own length would be read for ever. */
static void attribute_without_length(void **state)
{
	(void)state;
	for (uint16_t length = 0; length < NLA_HDRLEN; length++) {
		struct nlattr head = { .nla_len = length, .nla_type = UNIX_DIAG_PEER };
		struct unix_answer a;
		struct buf b = { 0 };
		struct span copy;

		put_unix(&b, SOCK_STREAM, UNIX_ESTABLISHED, 9);
		buf_put(&b, &head, sizeof(head));
		assert_int_equal(parse_unix(&b, &a, &copy), -EBADMSG);
		free((void *)(uintptr_t)copy.ptr);
		buf_free(&b);
	}
}

static void put_inet(struct buf *b, uint8_t family, const char *local, const char *remote)
{
	struct inet_diag_msg head = { .idiag_family = family,
				      .idiag_state = INET_ESTABLISHED,
				      .id = { .idiag_sport = htons(80),
					      .idiag_dport = htons(4000),
					      .idiag_if = 3,
					      .idiag_cookie = { 1, 2 } },
				      .idiag_rqueue = 10,
				      .idiag_wqueue = 20,
				      .idiag_uid = 1000,
				      .idiag_inode = 4711 };

	assert_int_equal(inet_pton(family, local, head.id.idiag_src), 1);
	assert_int_equal(inet_pton(family, remote, head.id.idiag_dst), 1);
	buf_put(b, &head, sizeof(head));
}

static void inet(void **state)
{
	(void)state;
	uint64_t cgroup = 0x100000002u;
	char text[INET_END_TEXT];
	struct inet_socket x;
	struct buf b = { 0 };
	struct span copy;

	put_inet(&b, AF_INET, "127.0.0.1", "10.1.2.3");
	put_attribute(&b, 21, (struct span){ (const char *)&cgroup, sizeof(cgroup) }, sizeof(cgroup));
	copy = exact(buf_span(&b));
	assert_int_equal(inet_answer_parse(copy, INET_TCP, &x), 0);
	assert_int_equal(x.inode, 4711);
	assert_int_equal(x.uid, 1000);
	assert_true(x.cookie == 0x200000001u);
	assert_true(x.cgroup == cgroup);
	assert_int_equal(x.interface, 3);
	assert_false(x.v6);
	assert_true(inet_end_is_v4(&x.local));
	inet_end_text(text, &x.local, x.v6);
	assert_string_equal(text, "127.0.0.1:80");
	inet_end_text(text, &x.remote, x.v6);
	assert_string_equal(text, "10.1.2.3:4000");
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

static void inet_v6(void **state)
{
	(void)state;
	char text[INET_END_TEXT];
	struct inet_socket x;
	struct buf b = { 0 };
	struct span copy;

	put_inet(&b, AF_INET6, "2001:db8::1", "::ffff:10.1.2.3");
	copy = exact(buf_span(&b));
	assert_int_equal(inet_answer_parse(copy, INET_UDP, &x), 0);
	assert_true(x.v6);
	assert_false(inet_end_is_v4(&x.local));
	/* To be compared with the IPv4 socket at the other end. */
	assert_true(inet_end_is_v4(&x.remote));
	inet_end_text(text, &x.local, x.v6);
	assert_string_equal(text, "[2001:db8::1]:80");
	inet_end_text(text, &x.remote, x.v6);
	assert_string_equal(text, "[::ffff:10.1.2.3]:4000");
	free((void *)(uintptr_t)copy.ptr);
	buf_free(&b);
}

static void inet_lies(void **state)
{
	(void)state;
	struct inet_socket x;
	struct buf b = { 0 };

	put_inet(&b, AF_INET, "127.0.0.1", "127.0.0.1");
	put_attribute(&b, 21, SPAN("1234"), 4);
	/* Cut anywhere, it is an answer without the attribute, or none. */
	for (size_t n = 0; n <= b.len; n++) {
		struct span copy = exact((struct span){ b.data, n });
		int expected = n == sizeof(struct inet_diag_msg) ? 0 : -EBADMSG;

		assert_int_equal(inet_answer_parse(copy, INET_TCP, &x), expected);
		free((void *)(uintptr_t)copy.ptr);
	}
	b.data[0] = AF_UNIX;
	assert_int_equal(inet_answer_parse((struct span){ b.data, sizeof(struct inet_diag_msg) }, INET_TCP, &x),
			 -EBADMSG);
	buf_free(&b);
}

/* Whether a server that speaks IPv6 takes IPv4, too. */
static void v6_only(void **state)
{
	(void)state;
	struct inet_socket x;
	struct buf b = { 0 };

	for (char only = 0; only < 2; only++) {
		put_inet(&b, AF_INET6, "::", "::");
		put_attribute(&b, INET_DIAG_SKV6ONLY, (struct span){ &only, 1 }, 1);
		assert_int_equal(inet_answer_parse(buf_span(&b), INET_UDP, &x), 0);
		assert_int_equal(x.v6_only, only);
		buf_reset(&b);
	}
	put_inet(&b, AF_INET6, "::", "::");
	put_attribute(&b, INET_DIAG_SKV6ONLY, SPAN(""), 0);
	assert_int_equal(inet_answer_parse(buf_span(&b), INET_UDP, &x), -EBADMSG);
	buf_free(&b);
}

/* Bytes at random: neither a read too far nor an endless loop. */
static void noise(void **state)
{
	(void)state;
	uint64_t seed = 42;

	for (int i = 0; i < 20000; i++) {
		size_t n = next_random(&seed) % 160;
		char *bytes = malloc(n ? n : 1);
		struct span noise = { bytes, n }, rest = noise;
		struct netlink_message m;
		struct inet_socket x;
		struct unix_answer a;

		for (size_t k = 0; k < n; k++)
			bytes[k] = (char)(next_random(&seed) % 3 ? next_random(&seed) % 24 : next_random(&seed));
		if (n > 0)
			bytes[0] = i % 2 ? AF_UNIX : AF_INET6;
		while (netlink_next(&rest, &m) > 0)
			assert_true(m.payload.len <= n);
		if (unix_answer_parse(noise, &a) == 0)
			assert_true(a.name.len <= 109 && a.clients.len % 4 == 0);
		if (inet_answer_parse(noise, INET_TCP, &x) == 0)
			assert_true(n >= sizeof(struct inet_diag_msg));
		free(bytes);
	}
}

static void lines(void **state)
{
	(void)state;
	static const char line[] = "   63: 0100007F:0001 0200007F:0000 01 00000003:00000680 00:00000000 00000000"
				   "  1000        0 8702399 2 000000002dc7689d 0";
	static const char *const bad[] = {
		"",
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		"63: 0100007F 0200007F:0000 01 00000003:00000680 00:00000000 00000000 1000 0 8702399",
		"63: 0100007F:0001 0200007F:0000 01 00000003:00000680 00:00000000 00000000 1000 0",
		"63: 0100007F:10001 0200007F:0000 01 00000003:00000680 00:00000000 00000000 1000 0 8702399",
		"63: 0100007G:0001 0200007F:0000 01 00000003:00000680 00:00000000 00000000 1000 0 8702399",
		"63: 0100007F:0001 0200007F:0000 01 3:680 00:00000000 00000000 1000 0 8702399",
		"63: 0100007F:0001 0200007F:0000 01 00000003:00000680 00:00000000 00000000 -1 0 8702399",
		"63: 0100007F:0001 0200007F:0000 01 00000003:00000680 00:00000000 00000000 1 0 99999999999",
	};
	char text[INET_END_TEXT];
	struct inet_socket x;
	struct span copy = exact(span_of(line));

	assert_int_equal(inet_line_parse(copy, INET_RAW, false, &x), 0);
	inet_end_text(text, &x.local, x.v6);
	assert_string_equal(text, "127.0.0.1:1");
	inet_end_text(text, &x.remote, x.v6);
	assert_string_equal(text, "127.0.0.2:0");
	assert_int_equal(x.state, INET_ESTABLISHED);
	assert_int_equal(x.send_queue, 3);
	assert_int_equal(x.receive_queue, 0x680);
	assert_int_equal(x.uid, 1000);
	assert_int_equal(x.inode, 8702399);
	/* The same columns are too short for IPv6. */
	assert_int_equal(inet_line_parse(copy, INET_RAW, true, &x), -EBADMSG);
	free((void *)(uintptr_t)copy.ptr);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		copy = exact(span_of(bad[i]));
		assert_int_equal(inet_line_parse(copy, INET_RAW, false, &x), -EBADMSG);
		free((void *)(uintptr_t)copy.ptr);
	}
}

static void names(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",	      ":",	    "*:80",	 "127.0.0.1:80", "tcp:",	"tcp:1.2.3.4",
		"tcp:1.2.3.4:", "tcp::80",    "tcp:1.2.3:80", "tcp:[::1:80",	 "tcp:::1:80",	"tcp:[::1]80",
		"tcp:*:65536",	"tcp:*:-1",   "tcp:[]:1",     "tcp:[:]:1",	 "sctpx:*:1",	"tcp:1.2.3.4:0x",
	};
	char text[INET_END_TEXT];
	struct inet_name name;

	assert_int_equal(inet_name_parse(SPAN("tcp:127.0.0.1:8080"), &name), 0);
	assert_int_equal(name.protocol, INET_TCP);
	assert_int_equal(name.end.port, 8080);
	inet_end_text(text, &name.end, false);
	assert_string_equal(text, "127.0.0.1:8080");
	assert_int_equal(inet_name_parse(SPAN("udp:[fe80::1]:53"), &name), 0);
	assert_int_equal(name.protocol, INET_UDP);
	assert_false(inet_end_is_v4(&name.end));
	assert_int_equal(inet_name_parse(SPAN("sctp:*:80"), &name), 0);
	assert_true(name.any_address);
	assert_int_equal(inet_name_parse(SPAN("udp:0.0.0.0:0"), &name), 0);
	assert_true(inet_address_is_any(&name.end));
	assert_int_equal(inet_name_parse(SPAN("udp:[::]:0"), &name), 0);
	assert_true(inet_address_is_any(&name.end));
	assert_int_equal(inet_name_parse(SPAN("udp:[::1]:0"), &name), 0);
	assert_false(inet_address_is_any(&name.end));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span copy = exact(span_of(bad[i]));

		assert_int_equal(inet_name_parse(copy, &name), -EINVAL);
		free((void *)(uintptr_t)copy.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(message_lies),
		cmocka_unit_test(unpadded_end),
		cmocka_unit_test(unix_whole),
		cmocka_unit_test(unix_abstract),
		cmocka_unit_test(unix_names),
		cmocka_unit_test(unix_clients),
		cmocka_unit_test(unix_lies),
		cmocka_unit_test(attribute_without_length),
		cmocka_unit_test(inet),
		cmocka_unit_test(inet_v6),
		cmocka_unit_test(inet_lies),
		cmocka_unit_test(v6_only),
		cmocka_unit_test(noise),
		cmocka_unit_test(lines),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
