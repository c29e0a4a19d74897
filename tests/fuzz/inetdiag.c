/* SPDX-License-Identifier: MIT */
/* Answers of sock_diag(7) about internet sockets, lines of /proc/net/raw, and how addresses are written. */
#include "scan/inetdiag.h"
#include "fuzz.h"
#include "kind/inet_address.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/sockdiag.h"

/* A written end leads back to it. */
static void check_end(const struct inet_socket *x)
{
	char end[INET_END_TEXT], text[INET_END_TEXT + 16];
	struct inet_name name;

	inet_end_text(end, &x->local, x->v6);
	snprintf(text, sizeof(text), "%s:%s", inet_protocols[x->protocol].name, end);
	EXPECT(inet_name_parse(span_of(text), &name) == 0);
	EXPECT(name.protocol == x->protocol && name.end.port == x->local.port && !name.any_address);
	EXPECT(memcmp(name.end.address, x->local.address, 16) == 0);
}

static void check_table(struct inet_sockets *s)
{
	EXPECT(inet_sockets_index(s) == 0);
	for (size_t i = 0; i < s->count; i++) {
		const struct inet_socket *x = &s->items[i];
		int64_t found = inet_sockets_find(s, x->inode);

		EXPECT(x->inode == 0 || (found >= 0 && s->items[found].inode == x->inode));
		found = inet_sockets_find_cookie(s, x->cookie);
		EXPECT(x->cookie == 0 || (found >= 0 && s->items[found].cookie == x->cookie));
		found = inet_sockets_peer(s, x);
		EXPECT(found == -ENOENT || (found >= 0 && (size_t)found < s->count));
	}
}

static void add(struct inet_sockets *s, const struct inet_socket *x)
{
	check_end(x);
	EXPECT(vec_reserve(&s->items, s->count, sizeof(*s->items)) == 0);
	s->items[s->count++] = *x;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	enum inet_protocol protocol = (enum inet_protocol)take_below(&in, INET_PROTOCOLS);
	bool v6 = take_bool(&in);
	struct span text = take_rest(&in), rest = text, line;
	struct inet_sockets s = { 0 };
	struct netlink_message m;
	struct inet_socket x;

	if (inet_answer_parse(text, protocol, &x) == 0)
		add(&s, &x);
	while (netlink_next(&rest, &m) > 0)
		if (inet_answer_parse(m.payload, protocol, &x) == 0)
			add(&s, &x);
	while (next_line(&text, &line))
		if (inet_line_parse(line, protocol, v6, &x) == 0)
			add(&s, &x);
	check_table(&s);
	inet_sockets_free(&s);
	return 0;
}
