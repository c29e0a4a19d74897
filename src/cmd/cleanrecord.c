/* SPDX-License-Identifier: MIT */
#include "cmd/cleanrecord.h"

enum {
	CLEAN_REF,
	CLEAN_KIND,
	CLEAN_OWNER,
	CLEAN_UID,
	CLEAN_BYTES,
	CLEAN_AGE,
	CLEAN_STATE,
	CLEAN_REASON,
	CLEAN_ACTION,
	CLEAN_WHY,
	CLEAN_OUTCOME,
};

static const char *const action_values[] = { [CLEAN_REMOVE] = "remove", [CLEAN_SPARE] = "spare", NULL };
static const char *const outcome_values[] = {
	[OUTCOME_NONE] = "none", [OUTCOME_REMOVED] = "removed", [OUTCOME_SPARED] = "spared",
	[OUTCOME_GONE] = "gone", [OUTCOME_FAILED] = "failed",	NULL,
};

static const struct field fields[] = {
	[CLEAN_REF] = { .name = "ref",
			.type = FIELD_REF,
			.flags = FIELD_DEFAULT | FIELD_SHRINK,
			.help = "reference of the object" },
	[CLEAN_KIND] = { .name = "kind", .type = FIELD_STR, .help = "its kind" },
	[CLEAN_OWNER] = { .name = "owner",
			  .type = FIELD_STR,
			  .flags = FIELD_DEFAULT | FIELD_SHRINK,
			  .help = "name of the owning user" },
	[CLEAN_UID] = { .name = "uid", .type = FIELD_UID, .help = "number of that" },
	[CLEAN_BYTES] = { .name = "bytes",
			  .type = FIELD_BYTES,
			  .flags = FIELD_DEFAULT,
			  .help = "memory that it takes; absent: next to none" },
	[CLEAN_AGE] = { .name = "age",
			.type = FIELD_DURATION,
			.flags = FIELD_DEFAULT,
			.help = "time since the newest of its time stamps" },
	[CLEAN_STATE] = { .name = "state",
			  .type = FIELD_STR,
			  .flags = FIELD_DEFAULT,
			  .help = "verdict on its use" },
	[CLEAN_REASON] = { .name = "reason",
			   .type = FIELD_STR,
			   .flags = FIELD_DEFAULT | FIELD_SHRINK,
			   .help = "why that state" },
	[CLEAN_ACTION] = { .name = "action",
			   .type = FIELD_STR,
			   .values = action_values,
			   .help = "what is to become of it" },
	[CLEAN_WHY] = { .name = "why",
			.type = FIELD_STR,
			.flags = FIELD_SHRINK,
			.help = "why it is spared, or could not be removed" },
	[CLEAN_OUTCOME] = { .name = "outcome",
			    .type = FIELD_STR,
			    .values = outcome_values,
			    .help = "what became of it (--remove)" },
};

const struct schema clean_schema = { "clean", fields, ARRAY_SIZE(fields) };

static void set_value(struct record *r, size_t field, const struct value *v)
{
	r->values[field] = *v;
	if (v->state == VALUE_UNKNOWN)
		record_unknown_why(r, field, WHY_TOLD);
}

void candidate_project(const struct candidate *c, struct record *r)
{
	record_str(r, CLEAN_REF, c->ref);
	record_text(r, CLEAN_KIND, c->kind->name);
	if (c->owner.len > 0)
		record_str(r, CLEAN_OWNER, c->owner);
	set_value(r, CLEAN_UID, &c->uid);
	set_value(r, CLEAN_BYTES, &c->bytes);
	set_value(r, CLEAN_AGE, &c->age);
	record_str(r, CLEAN_STATE, c->state);
	record_str(r, CLEAN_REASON, c->reason);
	record_text(r, CLEAN_ACTION, action_values[c->action]);
	if (c->why.len > 0)
		record_str(r, CLEAN_WHY, c->why);
	if (c->outcome != OUTCOME_NONE)
		record_text(r, CLEAN_OUTCOME, outcome_values[c->outcome]);
}
