/* SPDX-License-Identifier: MIT */
/*
 * Thresholds of monitoring plugins: a range is what is fine, as the Monitoring Plugins Development Guidelines
 * write it: "10" is 0 to 10, "10:" 10 and more, "~:10" up to 10, "10:20" that, "@10:20" all but that.
 */
#pragma once

#include "lib/buf.h"

/* What values a threshold is of. */
enum threshold_unit { THRESHOLD_COUNT, THRESHOLD_PERCENT, THRESHOLD_BYTES };

struct alert_range {
	bool set;
	bool inverted;		  /* values in it are not fine */
	bool bottomless, endless; /* it has no beginning, or no end */
	double low, high;
};

struct threshold {
	struct alert_range warning, critical;
};

enum check_status { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

/*
 * "W:C", two numbers: above W is a warning, above C is critical; or "RANGE,RANGE". One of the two may be
 * missing. Percentages may bear a %, bytes K M G T. 0, or -EINVAL.
 */
int threshold_parse(struct span text, enum threshold_unit unit, struct threshold *out) _must_check_;
enum check_status threshold_judge(const struct threshold *t, double value);
/* Appends it as performance data have it: "WARNING;CRITICAL". */
void threshold_into(struct buf *b, const struct threshold *t);
