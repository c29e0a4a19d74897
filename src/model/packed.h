/* SPDX-License-Identifier: MIT */
/*
 * Values of a record as bytes, one behind the other: small, without pointers, and equal bytes are equal
 * values. Why a value is unknown is not kept, so that one unknown equals another.
 */
#pragma once

#include "lib/buf.h"
#include "model/record.h"

/* Appends the values of r in set, in the order of the fields. Lack of memory is remembered in b. */
void pack_values(struct buf *b, const struct record *r, struct fieldset set);
/* Cuts the bytes of the next value off *rest, which pack_values() made. */
struct span packed_next(struct span *rest, const struct field *field);
/* The state of a value from its bytes. */
enum value_state packed_state(struct span bytes);
/* The value from its bytes, into which its text points; what lists need comes from the arena. On lack of
 * memory it is unknown with ENOMEM. */
struct value packed_value(struct span bytes, const struct field *field, struct arena *arena);
/* The bytes of one field among those of set, which it is in. */
struct span packed_field(struct span packed, const struct schema *schema, struct fieldset set, size_t field);
