/* SPDX-License-Identifier: MIT */
/* Looking into other places: a child process enters each, and hands out what it finds there. */
#pragma once

#include "scan/scan.h"

/*
 * Gathers sources, as the request asks for them, of all places that were found, into them. Several are looked
 * at at a time, each for PLACE_SECONDS at most; what cannot be entered, or does not answer, is added to the
 * warnings. 0 or -ENOMEM.
 */
int places_take(struct places *places, const struct scan_context *context, const struct scan_request *request,
		unsigned sources, struct warnings *warnings) _must_check_;
