/* SPDX-License-Identifier: MIT */
/* Answers of sock_diag(7) about unix sockets, framed as netlink messages, up to the finished table. */
#include "scan/unixdiag.h"
#include "fuzz.h"
#include "scan/sockdiag.h"

static void check_table(const struct unix_sockets *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct unix_socket *u = &s->items[i];
		struct span name = unix_socket_name(s, u);
		int64_t found = unix_sockets_find(s, u->inode);
		const struct unix_pending *pending;
		size_t waiting;

		EXPECT(found >= 0 && (size_t)found <= i && s->items[found].inode == u->inode);
		EXPECT(is_within(name, buf_span(&s->names)));
		EXPECT(!(u->flags & UNIX_ABSTRACT) || (name.len > 0 && name.ptr[0] == '@'));
		pending = unix_sockets_pending(s, i, &waiting);
		for (size_t p = 0; p < waiting; p++)
			EXPECT(pending[p].listener == i && pending[p].client < s->count);
	}
}

/* Hands the payload of each message to take. */
static void each(struct span rest, int (*take)(void *data, struct span payload), void *data)
{
	struct netlink_message m;

	while (netlink_next(&rest, &m) > 0)
		EXPECT(take(data, m.payload) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct unix_sockets s = { 0 };
	struct unix_answer a;

	if (unix_answer_parse(text, &a) == 0) {
		EXPECT(is_within(a.name, text) && a.name.len <= UINT8_MAX);
		EXPECT(is_within(a.clients, text) && a.clients.len % 4 == 0);
	}
	each(text, unix_sockets_take, &s);
	EXPECT(unix_sockets_index(&s) == 0);
	each(text, unix_sockets_take_clients, &s);
	check_table(&s);
	unix_sockets_free(&s);
	return 0;
}
