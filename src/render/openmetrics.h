/* SPDX-License-Identifier: MIT */
/* The OpenMetrics text format 1.0 (and Prometheus, which reads it): families of samples. */
#pragma once

#include "lib/buf.h"

struct metric_label {
	const char *name;
	struct span value; /* any bytes: they are escaped */
};

/* Begins a family: name is whole, with its unit (or "") as its last part. Each family once. */
void openmetrics_family(struct buf *b, const char *name, const char *unit, const char *help);
/* A sample of the family of that name, with its labels. */
void openmetrics_count(struct buf *b, const char *name, const struct metric_label *labels, size_t nlabels,
		       uint64_t value);
/* value: in units of 1/scale, which is a power of ten. */
void openmetrics_fraction(struct buf *b, const char *name, const struct metric_label *labels, size_t nlabels,
			  uint64_t value, uint64_t scale);
/* The end of the exposition. */
void openmetrics_end(struct buf *b);
