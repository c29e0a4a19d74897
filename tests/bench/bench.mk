# SPDX-License-Identifier: MIT
# Speed and memory, against the peers and against bare floors: ratios, never seconds.
#
#   make deps-bench        install the peers; one that is missing is skipped aloud
#   make bench             every load in three sizes, from some processes to 2000: half an hour, 2 GiB
#   make bench SIZE=medium without the large ones: some minutes
#   make bench ONLY=TEXT   the jobs that have TEXT in their load or commands:
#                          "typical-medium", "floor scan", "lsof", "list sysv"
#   make bench STRICT=1    a missed target fails (a job that can't do its work always does)
#   make bench ROUNDS=15   rounds a job, 9 if not said
#   make bench SECONDS=60  that a watch is watched while objects come and go, 300 if not said
#
# A machine that does other work meanwhile gives ratios that say nothing.

SIZE ?= large
ROUNDS ?= 9
SECONDS ?= 300
ONLY ?=
STRICT ?= 0

bench_build := $(BUILD)/tests/bench
bench_programs := $(bench_build)/load $(bench_build)/floor $(bench_build)/measure
bench_objects = $(patsubst %.c,$(BUILD)/objects/%.o,$(filter %.c,$(1)))

$(bench_build)/load: $(call bench_objects,$(addprefix tests/bench/,load.c group.c objects.c lockers.c process.c blockers.c places.c))
$(bench_build)/floor: $(call bench_objects,tests/bench/floor.c)
$(bench_build)/measure: $(call bench_objects,tests/bench/measure.c)

$(bench_programs):
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^

-include $(patsubst %.c,$(BUILD)/objects/%.d,$(wildcard tests/bench/*.c))

bench: $(PROGRAM) $(bench_programs) ## time ipcctl against its peers and bare floors (SIZE=medium, ONLY=TEXT, STRICT=1)
	$(Q)$(PYTHON) tests/bench/run --program $(PROGRAM) --tools $(bench_build) --rounds $(ROUNDS) --seconds $(SECONDS) \
		--size '$(SIZE)' --only '$(ONLY)' $(if $(filter 1,$(STRICT)),--strict)

.PHONY: deps-bench
deps-bench: ## install what ipcctl is timed against (as root, or a user with sudo)
	@if command -v apt-get >/dev/null; then \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			python3 util-linux lsof psmisc iproute2; \
	elif command -v dnf >/dev/null; then $(SUDO) dnf install -y python3 util-linux lsof psmisc iproute; \
	elif command -v apk >/dev/null; then $(SUDO) apk add python3 util-linux util-linux-misc lsof psmisc iproute2-ss; \
	elif command -v pacman >/dev/null; then $(SUDO) pacman -S --needed --noconfirm python util-linux lsof psmisc iproute2; \
	else echo "Unknown package manager: install Python, util-linux, lsof, psmisc and iproute2." >&2; exit 1; fi
