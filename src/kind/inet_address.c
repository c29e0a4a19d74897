/* SPDX-License-Identifier: MIT */
#include "kind/inet_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "lib/parse.h"

void inet_address_text(char text[static INET_END_TEXT], const struct inet_end *end, bool v6)
{
	if (v6)
		inet_ntop(AF_INET6, end->address, text, INET_END_TEXT);
	else
		inet_ntop(AF_INET, end->address + 12, text, INET_END_TEXT);
}

void inet_end_text(char text[static INET_END_TEXT], const struct inet_end *end, bool v6)
{
	char address[INET_END_TEXT];

	inet_address_text(address, end, v6);
	snprintf(text, INET_END_TEXT, v6 ? "[%.46s]:%u" : "%.46s:%u", address, end->port);
}

bool inet_address_is_any(const struct inet_end *end)
{
	static const uint8_t none[16];

	return memcmp(end->address + 12, none, 4) == 0 &&
	       (inet_end_is_v4(end) || memcmp(end->address, none, sizeof(none)) == 0);
}

/* Cuts "tcp:" off. 0 or -EINVAL. */
static int cut_protocol(struct span *text, enum inet_protocol *protocol)
{
	const char *colon = text->len ? memchr(text->ptr, ':', text->len) : NULL;
	struct span word = { text->ptr, colon ? (size_t)(colon - text->ptr) : 0 };

	for (enum inet_protocol i = 0; colon && i < INET_PROTOCOLS; i++) {
		if (!span_is(word, inet_protocols[i].name))
			continue;
		*protocol = i;
		*text = span_from(*text, word.len + 1);
		return 0;
	}
	return -EINVAL;
}

static int parse_address(struct span text, struct inet_name *out)
{
	char copy[INET6_ADDRSTRLEN];
	bool v6 = text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';

	if (span_is(text, "*")) {
		out->any_address = true;
		return 0;
	}
	if (v6)
		text = (struct span){ text.ptr + 1, text.len - 2 };
	if (text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
		return -EINVAL;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (v6)
		return inet_pton(AF_INET6, copy, out->end.address) == 1 ? 0 : -EINVAL;
	out->end.address[10] = out->end.address[11] = 0xff;
	return inet_pton(AF_INET, copy, out->end.address + 12) == 1 ? 0 : -EINVAL;
}

int inet_name_parse(struct span text, struct inet_name *out)
{
	uint64_t port;
	size_t at;

	*out = (struct inet_name){ 0 };
	if (cut_protocol(&text, &out->protocol) < 0)
		return -EINVAL;
	for (at = text.len; at > 0 && text.ptr[at - 1] != ':'; at--)
		;
	if (at == 0 || parse_u64_in(span_from(text, at), 0, UINT16_MAX, &port) < 0)
		return -EINVAL;
	out->end.port = (uint16_t)port;
	return parse_address((struct span){ text.ptr, at - 1 }, out);
}
