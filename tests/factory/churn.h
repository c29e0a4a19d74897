/* SPDX-License-Identifier: MIT */
/* What the processes of a churn make, hold and let go: see churn.c. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* An object that a process has, or is about to get. */
struct churned {
	unsigned kind, slot;
	char name[PATH_MAX]; /* where a file lies, or what a queue or semaphore is called */
	unsigned char dice;  /* decides what may be done in several ways */
	/* What get() found, and the other functions go by. */
	int fd, id;
	void *address;
	uint64_t dev, ino;
};

enum got {
	GOT_NOTHING, /* it was not there, or was there already */
	GOT_GONE,    /* it lost its name before it was held: that is nobody's fault */
	GOT_IT,	     /* it is held: from here on it must stay */
};

struct churn_kind {
	const char *name, *directory; /* that of its names; NULL: the one for files; "": it has keys */
	bool alone;		      /* one process at a time */
	enum got (*get)(struct churned *o, bool make);
	bool (*is_there)(const struct churned *o);
	void (*let_go)(const struct churned *o);
	void (*remove)(const struct churned *o);
	const char *(*ref)(const struct churned *o); /* as ipcctl calls it; NULL: by its name */
};

extern const struct churn_kind churn_kinds[];
extern const unsigned churn_nkinds;
