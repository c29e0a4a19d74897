# SPDX-License-Identifier: MIT
# Fuzzing: a program for each parser and renderer, fed by libFuzzer (clang) and watched by the address and
# undefined sanitizers. tests/fuzz/NAME.c is a target; tests/fuzz/fuzz.h says how to add one. Uses of the
# Makefile: BUILD LIBRARY CC CFLAGS LDFLAGS LIBS need_LIBS PYTHON Q SANITIZERS.
#
#   make fuzz                          every target for a minute, on all processors
#   make fuzz FUZZ_SECONDS=2           each for two seconds
#   make fuzz FUZZ_TARGETS="maps raw"  these alone
#   build/fuzz/objects/bin/maps FILE   what one input does
#
# What was found on the way is kept in build/fuzz/corpus, and goes on from there next time.

FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ_JOBS ?= $(shell nproc 2>/dev/null || echo 1)
fuzz_sources := $(sort $(wildcard tests/fuzz/*.c))
FUZZ_TARGETS ?= $(fuzz_sources:tests/fuzz/%.c=%)
fuzz_dir := $(BUILD)/fuzz

# The pieces are built by a make of its own, with BUILD below fuzz_dir.
fuzz_programs := $(FUZZ_TARGETS:%=$(BUILD)/bin/%)

$(fuzz_programs): $(BUILD)/bin/%: $(BUILD)/objects/tests/fuzz/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIBRARY) $(need_LIBS) $(LIBS)

.SECONDARY: $(fuzz_sources:%.c=$(BUILD)/objects/%.o)
-include $(fuzz_sources:%.c=$(BUILD)/objects/%.d)

.PHONY: fuzz fuzz-programs
fuzz-programs: $(fuzz_programs)

fuzz: ## fuzz every parser and renderer (FUZZ_SECONDS=60 each, FUZZ_TARGETS="maps raw")
	$(Q)mkdir -p $(fuzz_dir)
	$(Q)if echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' | \
			$(FUZZ_CC) -fsanitize=fuzzer $(SANITIZERS) -x c -o $(fuzz_dir)/probe - 2>/dev/null; then \
		$(MAKE) CC="$(FUZZ_CC)" BUILD=$(fuzz_dir)/objects \
			CFLAGS="-O1 -g -fsanitize=fuzzer-no-link $(SANITIZERS)" LDFLAGS="$(SANITIZERS)" \
			FUZZ_TARGETS="$(FUZZ_TARGETS)" fuzz-programs && \
		$(PYTHON) tests/fuzz/run --seconds $(FUZZ_SECONDS) --jobs $(FUZZ_JOBS) --programs $(fuzz_dir)/objects/bin \
			--work $(fuzz_dir) $(FUZZ_TARGETS); \
	else \
		$(PYTHON) tests/fuzz/run --cannot "$(FUZZ_CC) has no libFuzzer here" $(FUZZ_TARGETS); \
	fi
