/* SPDX-License-Identifier: MIT */
/* What reading a message queue of the mqueue file system gives. */
#include "scan/mqueue.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mqueue_status status;
	int r = mqueue_status_parse((struct span){ (const char *)data, size }, &status);

	EXPECT(r == 0 || r == -EINVAL);
	if (r == 0)
		EXPECT(status.notify_pid <= INT32_MAX && status.notify_signal <= INT32_MAX &&
		       status.notify_method >= 0);
	return 0;
}
