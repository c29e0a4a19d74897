/* SPDX-License-Identifier: MIT */
#include "scan/inetdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/sockdiag.h"

#define ATTRIBUTE_CGROUP 21 /* INET_DIAG_CGROUP_ID, Linux 5.9 */
#define REQUEST_PROTOCOL 3  /* INET_DIAG_REQ_PROTOCOL, Linux 5.9 */
#define DIAG_MPTCP 262	    /* IPPROTO_MPTCP */

#define MOST_TRIES 4 /* of a dump that was interrupted */

const struct inet_protocol_info inet_protocols[INET_PROTOCOLS] = {
	[INET_TCP] = { "tcp", SOCK_STREAM, IPPROTO_TCP, true },
	[INET_UDP] = { "udp", SOCK_DGRAM, IPPROTO_UDP, true },
	[INET_RAW] = { "raw", SOCK_RAW, IPPROTO_RAW, false },
	[INET_UDPLITE] = { "udplite", SOCK_DGRAM, IPPROTO_UDPLITE, false },
	[INET_SCTP] = { "sctp", SOCK_STREAM, IPPROTO_SCTP, false },
	[INET_MPTCP] = { "mptcp", SOCK_STREAM, DIAG_MPTCP, false },
	[INET_ICMP] = { "icmp", SOCK_DGRAM, IPPROTO_ICMP, false },
};

/* A request, with the attribute for protocols whose number is more than a byte. */
struct request {
	struct inet_diag_req_v2 head;
	struct nlattr attribute;
	uint32_t protocol;
};

static struct span request_init(struct request *q, enum inet_protocol protocol, bool v6)
{
	uint16_t number = inet_protocols[protocol].number;

	*q = (struct request){
		.head = { .sdiag_family = v6 ? AF_INET6 : AF_INET, .idiag_states = UINT32_MAX },
		.attribute = { .nla_len = NLA_HDRLEN + sizeof(q->protocol), .nla_type = REQUEST_PROTOCOL },
		.protocol = number,
	};
	/* A kernel that does not know the attribute finds no protocol 0: better than
	 * to hear of another's sockets. */
	if (number > UINT8_MAX)
		return (struct span){ (const char *)q, sizeof(*q) };
	q->head.sdiag_protocol = (uint8_t)number;
	/* Of raw sockets this means: of whichever IP protocol. */
	q->head.pad = number == IPPROTO_RAW ? IPPROTO_RAW : 0;
	return (struct span){ (const char *)q, sizeof(q->head) };
}

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool inet_end_is_v4(const struct inet_end *end)
{
	return memcmp(end->address, mapped, sizeof(mapped)) == 0;
}

static void read_end(struct inet_end *end, const uint32_t address[4], uint16_t port, bool v6)
{
	if (v6) {
		memcpy(end->address, address, 16);
	} else {
		memcpy(end->address, mapped, sizeof(mapped));
		memcpy(end->address + sizeof(mapped), address, 4);
	}
	end->port = ntohs(port);
}

static void write_end(const struct inet_end *end, uint32_t address[4], uint16_t *port, bool v6)
{
	memset(address, 0, 16);
	if (v6)
		memcpy(address, end->address, 16);
	else
		memcpy(address, end->address + sizeof(mapped), 4);
	*port = htons(end->port);
}

static int parse_attribute(unsigned type, struct span value, struct inet_socket *out)
{
	uint8_t only = 0;
	int r = 0;

	if (type == ATTRIBUTE_CGROUP)
		r = attribute_u64(value, &out->cgroup);
	else if (type == INET_DIAG_SKV6ONLY)
		r = attribute_u8(value, &only);
	out->v6_only |= only != 0;
	return r;
}

int inet_answer_parse(struct span payload, enum inet_protocol protocol, struct inet_socket *out)
{
	struct inet_diag_msg head;
	struct span value;
	unsigned type;
	int r;

	if (payload.len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, payload.ptr, sizeof(head));
	if (head.idiag_family != AF_INET && head.idiag_family != AF_INET6)
		return -EBADMSG;
	*out = (struct inet_socket){ .cookie = cookie_join(head.id.idiag_cookie),
				     .inode = head.idiag_inode,
				     .uid = head.idiag_uid,
				     .receive_queue = head.idiag_rqueue,
				     .send_queue = head.idiag_wqueue,
				     .interface = head.id.idiag_if,
				     .protocol = (uint8_t)protocol,
				     .state = head.idiag_state,
				     .v6 = head.idiag_family == AF_INET6 };
	read_end(&out->local, head.id.idiag_src, head.id.idiag_sport, out->v6);
	read_end(&out->remote, head.id.idiag_dst, head.id.idiag_dport, out->v6);
	payload = span_from(payload, sizeof(head));
	while ((r = attribute_next(&payload, &type, &value)) > 0) {
		r = parse_attribute(type, value, out);
		if (r < 0)
			return r;
	}
	return r;
}

/* One dump: of a protocol and family. */
struct inet_dump {
	struct inet_sockets *sockets;
	enum inet_protocol protocol;
};

static int take_socket(void *data, struct span payload)
{
	struct inet_dump *d = data;
	struct inet_sockets *s = d->sockets;

	if (s->count >= UINT32_MAX || vec_reserve(&s->items, s->count, sizeof(*s->items)) < 0)
		return -ENOMEM;
	if (inet_answer_parse(payload, d->protocol, &s->items[s->count]) < 0)
		s->bad++;
	else
		s->count++;
	return 0;
}

/* "0100007F:1F90": an address in words as this processor keeps them, and a port. */
static int parse_end(struct span word, bool v6, struct inet_end *end)
{
	size_t digits = v6 ? 32 : 8;
	uint32_t address[4] = { 0 };
	uint64_t value;

	if (word.len < digits + 2 || word.ptr[digits] != ':')
		return -EBADMSG;
	for (size_t i = 0; i < digits / 8; i++) {
		if (parse_hex((struct span){ word.ptr + i * 8, 8 }, &value) < 0)
			return -EBADMSG;
		address[i] = (uint32_t)value;
	}
	if (parse_hex(span_from(word, digits + 1), &value) < 0 || value > UINT16_MAX)
		return -EBADMSG;
	read_end(end, address, htons((uint16_t)value), v6);
	return 0;
}

int inet_line_parse(struct span line, enum inet_protocol protocol, bool v6, struct inet_socket *out)
{
	/* sl local remote state sent:received timer:when retransmits uid timeout inode ... */
	struct span words[10];
	uint64_t state, sent, received, uid, inode;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!next_word(&line, &words[i]))
			return -EBADMSG;
	*out = (struct inet_socket){ .protocol = (uint8_t)protocol, .v6 = v6 };
	if (parse_end(words[1], v6, &out->local) < 0 || parse_end(words[2], v6, &out->remote) < 0 ||
	    parse_hex(words[3], &state) < 0 || state > UINT8_MAX || words[4].len != 17 ||
	    parse_hex((struct span){ words[4].ptr, 8 }, &sent) < 0 ||
	    parse_hex(span_from(words[4], 9), &received) < 0 ||
	    parse_u64_in(words[7], 0, UINT32_MAX, &uid) < 0 ||
	    parse_u64_in(words[9], 0, UINT32_MAX, &inode) < 0)
		return -EBADMSG;
	out->state = (uint8_t)state;
	out->send_queue = (uint32_t)sent;
	out->receive_queue = (uint32_t)received;
	out->uid = (uint32_t)uid;
	out->inode = (uint32_t)inode;
	return 0;
}

/* What the kernel tells in text only: ping sockets, and raw ones if it has no raw_diag. 0 or -errno. */
static int read_text(struct inet_sockets *s, enum inet_protocol protocol, bool v6)
{
	const char *path = protocol == INET_RAW ? v6 ? "/proc/self/net/raw6" : "/proc/self/net/raw" :
			   v6			? "/proc/self/net/icmp6" :
						  "/proc/self/net/icmp";
	_cleanup_(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct line_reader reader = { .fd = fd };
	bool head = true;
	struct span line;
	int r = fd < 0 ? -errno : 0;

	while (r >= 0 && (r = line_reader_next(&reader, &line)) > 0) {
		if (!head && vec_reserve(&s->items, s->count, sizeof(*s->items)) < 0)
			r = -ENOMEM;
		else if (!head && inet_line_parse(line, protocol, v6, &s->items[s->count]) < 0)
			s->bad++;
		else if (!head)
			s->count++;
		head = false;
	}
	line_reader_free(&reader);
	return r;
}

/* 0, 1 if some may be missing, or -errno. */
static int dump(struct inet_sockets *s, int diag, enum inet_protocol protocol, bool v6)
{
	struct inet_dump d = { s, protocol };
	size_t before = s->count;
	struct request q;
	struct span text = request_init(&q, protocol, v6);
	int r = protocol == INET_ICMP ? -ENOENT : 1;

	for (int i = 0; i < MOST_TRIES && r > 0; i++) {
		s->count = before;
		r = sock_diag_dump(diag, text, take_socket, &d);
	}
	/* The text is that of this process's own namespace. */
	if (r == -ENOENT && diag < 0 && (protocol == INET_ICMP || protocol == INET_RAW))
		r = read_text(s, protocol, v6);
	return r;
}

static void warn(struct warnings *warnings, enum inet_protocol protocol, int r)
{
	static const char *const missing[INET_PROTOCOLS] = {
		[INET_TCP] = "the kernel has no tcp_diag: TCP sockets cannot be listed",
		[INET_UDP] = "the kernel has no udp_diag: UDP sockets cannot be listed",
	};
	struct warning w = { .subject = "inet-socket", .error = r < 0 ? -r : EAGAIN };

	if (r == 0 || (r == -ENOENT && !inet_protocols[protocol].common))
		return;
	if (r > 0)
		w.text = "sockets came and went too quickly to see all";
	else if (r == -ENOENT)
		w.text = missing[protocol];
	warnings_add(warnings, &w);
}

int inet_sockets_read(struct inet_sockets *s, int diag, struct warnings *warnings)
{
	*s = (struct inet_sockets){ 0 };
	for (enum inet_protocol protocol = 0; protocol < INET_PROTOCOLS; protocol++) {
		int r = dump(s, diag, protocol, false), more = 0;

		/* Without IPv6 there is nothing of it to tell. */
		if (r >= 0)
			more = dump(s, diag, protocol, true);
		if (r == -ENOMEM || more == -ENOMEM)
			return -ENOMEM;
		warn(warnings, protocol, r < 0 ? r : more < 0 && more != -ENOENT ? more : r | (more > 0));
	}
	if (s->bad > 0)
		warnings_add(warnings, &(struct warning){ .subject = "inet-socket",
							  .error = EBADMSG,
							  .text = "answers of the kernel that could not be "
								  "understood are left out" });
	return inet_sockets_index(s);
}

void inet_sockets_free(struct inet_sockets *s)
{
	free(s->items);
	hash_free(&s->by_inode);
	hash_free(&s->by_cookie);
	hash_free(&s->by_ends);
	*s = (struct inet_sockets){ 0 };
}

int64_t inet_sockets_find(const struct inet_sockets *s, uint32_t inode)
{
	const struct hash_slot *slot = inode ? hash_find(&s->by_inode, inode, NULL) : NULL;

	return slot ? (int64_t)slot->value : -ENOENT;
}

int64_t inet_sockets_find_cookie(const struct inet_sockets *s, uint64_t cookie)
{
	const struct hash_slot *slot = cookie ? hash_find(&s->by_cookie, cookie, NULL) : NULL;

	return slot ? (int64_t)slot->value : -ENOENT;
}

int inet_socket_destroy(const struct inet_socket *x, int diag)
{
	struct request q;
	struct span text = request_init(&q, x->protocol, x->v6);
	struct inet_diag_sockid *id = &q.head.id;

	write_end(&x->local, id->idiag_src, &id->idiag_sport, x->v6);
	write_end(&x->remote, id->idiag_dst, &id->idiag_dport, x->v6);
	id->idiag_if = x->interface;
	cookie_split(x->cookie, id->idiag_cookie);
	/* Without it the kernel could take another for it. */
	if (x->cookie == 0)
		return -EOPNOTSUPP;
	if (x->protocol == INET_RAW)
		q.head.pad = (uint8_t)x->local.port;
	return sock_diag_destroy(diag, text);
}
