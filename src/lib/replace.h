/* SPDX-License-Identifier: MIT */
#pragma once

#include "lib/buf.h"

/*
 * Makes the text the contents of the file at path, with that mode, in one: whoever opens it finds the old
 * text whole or the new one, and after a crash, too. It is written beside, in the same directory, which needs
 * room for both. A symbolic link at path is replaced, not followed. 0, or -errno: then the old file is as it
 * was, and nothing is left beside it; -EEXIST: what is there is no regular file.
 */
int replace_file(const char *path, struct span text, unsigned mode) _must_check_;
