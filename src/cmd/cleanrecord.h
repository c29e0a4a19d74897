/* SPDX-License-Identifier: MIT */
/* An object that `clean` has judged, as a record. */
#pragma once

#include "cmd/cleaning.h"

extern const struct schema clean_schema;

/* Fills a clear record. */
void candidate_project(const struct candidate *c, struct record *r);
