/* SPDX-License-Identifier: MIT */
/*
 * Devices of the kernel's own mounts, on which System V segments, memfds and
 * shared anonymous memory live. Nobody can mount them, so a mapping of such a
 * device cannot be forged with files of one's own.
 */
#pragma once

#include "lib/base.h"

#define MOST_INTERNAL_DEVICES 9

struct internal_devices {
	uint64_t items[MOST_INTERNAL_DEVICES]; /* of makedev(3) */
	size_t count;
};

/* Asks by means of memfds of our own; none if the kernel has no memfd_create(2). 0 or -errno. */
int internal_devices_read(struct internal_devices *devices) _must_check_;
bool internal_devices_has(const struct internal_devices *devices, uint64_t dev);
