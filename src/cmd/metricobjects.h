/* SPDX-License-Identifier: MIT */
/* Metrics of limits, and of single objects. */
#pragma once

#include "cmd/listing.h"

#define METRIC_NAME 80

/* The name of the metric that a field is: PREFIX_FIELD, with its unit. */
void metric_name(char name[static METRIC_NAME], const char *prefix, const struct field *field);
/* Appends the families of the limits of the listing's kinds, from its snapshot; of those that could not be
 * read there are warnings instead. 0 or -ENOMEM. */
int metric_limits(struct buf *b, struct listing *l, struct warnings *warnings) _must_check_;
/* Appends those of each object of the named kinds, of at most `most` of each. 0 or -errno. */
int metric_objects(struct buf *b, struct listing *l, const struct opt_words *kinds,
		   uint64_t most) _must_check_;
