# SPDX-License-Identifier: MIT
# Speed and memory, against the peers and against bare floors: ratios, never seconds.
# BENCH_ONLY=TEXT picks the jobs that have TEXT in their load or commands.

BENCH_ROUNDS ?= 9
BENCH_ONLY ?=
BENCH_STRICT ?= 0

bench_build := $(BUILD)/tests/bench
bench_programs := $(patsubst tests/bench/%.c,$(bench_build)/%,$(wildcard tests/bench/*.c))

$(bench_build)/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) $(need_CPPFLAGS) $(CPPFLAGS) $(need_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

bench: $(PROGRAM) $(bench_programs) ## time ipcctl against ipcs, lsipc and bare floors (BENCH_STRICT=1: a missed target fails)
	$(Q)$(PYTHON) tests/bench/run --program $(PROGRAM) --tools $(bench_build) --rounds $(BENCH_ROUNDS) \
		--only '$(BENCH_ONLY)' $(if $(filter 1,$(BENCH_STRICT)),--strict)
