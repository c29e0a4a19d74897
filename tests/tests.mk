# SPDX-License-Identifier: MIT
# The tests. Uses of the Makefile: CC CFLAGS LDFLAGS need_* DEPFLAGS BUILD PROGRAM
# LIBRARY PYTHON Q SUDO. tests/run says how tests are found and counted.

FACTORY := $(BUILD)/tests/factory
FACTORY_OBJECTS := $(patsubst %.c,$(BUILD)/objects/%.o,$(sort $(wildcard tests/factory/*.c)))

# The same, with musl, where there is a compiler for it: its locks are laid out in another way. Its
# headers are its own, those of the kernel the system's.
MUSL_CC ?= musl-gcc
MUSL_MACHINE = $(shell $(MUSL_CC) -print-multiarch)
MUSL_FLAGS = -std=gnu11 -D_GNU_SOURCE -O1 -g -idirafter /usr/include/$(MUSL_MACHINE) -idirafter /usr/include
FACTORY_MUSL_OBJECTS := $(FACTORY_OBJECTS:%.o=%.musl.o)

# A program with words of the other size, where the compiler and the kernel know such (x86).
FOREIGN := $(BUILD)/tests/foreign
FOREIGN_WIDTH = $(if $(findstring __LP64__,$(shell $(CC) $(CFLAGS) -dM -E - </dev/null)),-m32,-m64)
FOREIGN_FLAGS = $(FOREIGN_WIDTH) -O1 -fno-pic -fno-stack-protector -nostdlib -static

# What is preloaded: into the examples of README.md and the manual pages, and where the clock is set.
PRELOADED := $(BUILD)/tests/story.so $(BUILD)/tests/clock.so

# What lets memory run out, and system calls fail, for the tests of that. The library has the sanitizers' own
# allocator to replace, which it cannot.
FAULTS := $(BUILD)/tests/faults/memory.so $(BUILD)/tests/faults/calls

# Each tests/unit/NAME.c is a program of its own, linked to everything but main().
UNIT_SOURCES := $(sort $(wildcard tests/unit/*.c))
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(BUILD)/objects/%.o)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/unit/%)

$(BUILD)/objects/tests/%.o: tests/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(need_CPPFLAGS) $(CPPFLAGS) $(need_CFLAGS) $(CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(FACTORY): $(FACTORY_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -pthread -lrt

$(BUILD)/objects/tests/%.musl.o: tests/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $< ($(MUSL_CC))"
	$(Q)$(MUSL_CC) $(MUSL_FLAGS) $(DEPFLAGS) -c -o $@ $<

$(FACTORY)-musl: $(FACTORY_MUSL_OBJECTS)
	@echo "  LD      $@"
	$(Q)$(MUSL_CC) -o $@ $^ -pthread

$(FOREIGN): tests/factory/foreign/foreign.c tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $< ($(FOREIGN_WIDTH))"
	$(Q)$(CC) $(FOREIGN_FLAGS) -o $@ $< 2>/dev/null || echo "          cannot: its tests will be skipped"

$(PRELOADED): $(BUILD)/tests/%.so: tests/factory/preload/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) $(need_CPPFLAGS) -std=gnu11 $(WARNINGS) -O2 -shared -fPIC -o $@ $<

$(BUILD)/tests/faults/memory.so: tests/faults/memory.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(need_CPPFLAGS) $(CPPFLAGS) $(need_CFLAGS) -O2 -g -fno-builtin -fPIC -shared -o $@ $< -ldl

# By what names the system's headers know its calls.
$(BUILD)/tests/faults/names.h: tests/tests.mk
	@mkdir -p $(@D)
	$(Q)echo '#include <sys/syscall.h>' | $(CC) $(CPPFLAGS) -E -dM - | \
		sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/{ "\1", SYS_\1 },/p' | sort >$@

$(BUILD)/tests/faults/calls: tests/faults/calls.c $(BUILD)/tests/faults/names.h Makefile
	@echo "  LD      $@"
	$(Q)$(CC) $(need_CPPFLAGS) $(CPPFLAGS) -I$(BUILD) $(need_CFLAGS) -O2 -g -o $@ $<

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/objects/tests/unit/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIBRARY) -lcmocka $(need_LIBS) $(LIBS)

.SECONDARY: $(UNIT_OBJECTS) $(FACTORY_OBJECTS) $(FACTORY_MUSL_OBJECTS)
-include $(FACTORY_OBJECTS:.o=.d) $(FACTORY_MUSL_OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d)

.PHONY: check check-user check-valgrind check-compilers check-musl check-musl-run check-m32 check-32 \
	check-packaging check-bare sanitize sanitize-thread coverage test-programs deps-test

# Whether there is such a compiler is asked when all else is built: `make deps-test check` installs it first.
test-programs: $(PROGRAM) $(FACTORY) $(FOREIGN) $(PRELOADED) $(FAULTS) $(UNIT_TESTS)
	$(Q)if command -v $(MUSL_CC) >/dev/null; then $(MAKE) --no-print-directory $(FACTORY)-musl; fi

# TESTS="tests/cli/test_list.py build/tests/unit/parse" narrows any of these.
RUN_TESTS = IPCCTL=$(PROGRAM) FACTORY=$(FACTORY) $(PYTHON) tests/run
CLI_TESTS ?= tests/cli
TEST_LIST = $(or $(TESTS),$(UNIT_TESTS) $(CLI_TESTS))

ifneq ($(COVERAGE),1)
check: test-programs ## build and run all tests
	$(Q)$(RUN_TESTS) $(TEST_LIST)

coverage: ## run all tests on a build that counts lines; fail if fewer than COVERAGE_MIN percent ran
	$(Q)$(MAKE) COVERAGE=1 CFLAGS="-O0 -g" check
else
# Only what is tested counts, not what tests it: the factory is as ever. Threads and signal handlers count too.
COVERAGE_MIN ?= 90
COVERAGE_EXIT := $(BUILD)/objects/tests/coverage.o
$(OBJECTS): need_CFLAGS += --coverage -fprofile-update=atomic
$(PROGRAM) $(UNIT_TESTS): need_LIBS += --coverage -Wl,--wrap=main -Wl,--wrap=_exit $(COVERAGE_EXIT)
$(PROGRAM) $(UNIT_TESTS): $(COVERAGE_EXIT)

check: test-programs
	$(Q)$(PYTHON) tests/coverage --prepare $(BUILD)
	$(Q)$(RUN_TESTS) $(TEST_LIST); status=$$?; \
		$(PYTHON) tests/coverage --min $(COVERAGE_MIN) $(BUILD) && exit $$status

coverage: check
endif

check-user: test-programs ## run all tests as an ordinary user (when started as root)
	$(Q)$(RUN_TESTS) --as-user $(TEST_LIST)

SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
sanitize: ## run all tests on a build with the address and undefined sanitizers
	$(Q)$(MAKE) BUILD=$(BUILD)/asan PROGRAM=$(BUILD)/asan/ipcctl CFLAGS="-O1 -g $(SANITIZERS)" \
		LDFLAGS="$(SANITIZERS)" check

# The factory makes processes in ways that this sanitizer does not bear; it is not the
# one that is tested.
THREAD_BUILD := $(BUILD)/tsan
sanitize-thread: test-programs ## run the tests on a build with the thread sanitizer, of many cases some
	$(Q)$(MAKE) CC=clang BUILD=$(THREAD_BUILD) PROGRAM=$(THREAD_BUILD)/ipcctl CFLAGS="-O1 -g -fsanitize=thread" \
		LDFLAGS="-fsanitize=thread" all
	$(Q)IPCCTL_SAMPLE=1 IPCCTL=$(THREAD_BUILD)/ipcctl FACTORY=$(FACTORY) $(PYTHON) tests/run $(or $(TESTS),tests/cli)

VALGRIND ?= valgrind
# Reports go to files, for the tests judge what the program itself writes. What is
# still reachable at the end is libc's own (name service modules). Its debugger's server
# would map a file shared, which is one object more for the program to find.
VALGRIND_OPTIONS := --quiet --vgdb=no --error-exitcode=99 --leak-check=full --log-file=%q{IPCCTL_LOG}.%p
check-valgrind: test-programs ## run all tests under valgrind
	$(Q)IPCCTL_WRAPPER="$(VALGRIND) $(VALGRIND_OPTIONS)" $(RUN_TESTS) $(TEST_LIST)

COMPILERS ?= gcc clang
check-compilers: ## build everything with each of COMPILERS, warnings being errors
	$(Q)for cc in $(COMPILERS); do \
		$(MAKE) CC=$$cc BUILD=$(BUILD)/$$cc PROGRAM=$(BUILD)/$$cc/ipcctl test-programs || exit 1; done

# All that is compiled of the program, with another C library. cJSON's headers, which do not depend on it, are
# found among the system's.
MUSL_OBJECTS := $(SOURCES:src/%.c=$(BUILD)/musl/%.o)
$(BUILD)/musl/%.o: src/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $< ($(MUSL_CC))"
	$(Q)$(MUSL_CC) $(need_CPPFLAGS) -std=gnu11 -pthread $(WARNINGS) $(MUSL_FLAGS) $(DEPFLAGS) -c -o $@ $<

-include $(MUSL_OBJECTS:.o=.d)

check-musl: $(if $(shell command -v $(MUSL_CC)),$(MUSL_OBJECTS)) ## compile the program with musl, warnings being errors
	@command -v $(MUSL_CC) >/dev/null || echo "skipped: no $(MUSL_CC)"

# The whole of it, linked with musl, and the tests: with the factories of both libraries, as ever. Debian's cJSON and
# cmocka are for its own library alone: they are built of their sources, with a mirror, and this is therefore not
# part of anything else.
MUSL_LIBRARIES := $(BUILD)/musl/libraries
MUSL_BUILD := $(BUILD)/musl/run
MUSL_MAKE = $(MAKE) CC=$(MUSL_CC) BUILD=$(MUSL_BUILD) PROGRAM=$(MUSL_BUILD)/ipcctl \
	CPPFLAGS="-isystem $(MUSL_LIBRARIES)/include $(filter-out -std=% -O% -g -D%,$(MUSL_FLAGS))" \
	CJSON_CFLAGS= CJSON_LIBS=-lcjson LDFLAGS=-L$(MUSL_LIBRARIES)/lib
MUSL_UNIT_TESTS := $(UNIT_TESTS:$(BUILD)/%=$(MUSL_BUILD)/%)
check-musl-run: test-programs ## run all tests on a build with musl (with musl-gcc, and the sources of what it links to)
	$(Q)if ! { command -v $(MUSL_CC) && command -v apt-get && command -v dpkg-source; } >/dev/null; then \
		echo "skipped: no $(MUSL_CC), or no sources by apt-get(8)"; \
	else MUSL_CC=$(MUSL_CC) tests/musl $(MUSL_LIBRARIES) && $(MUSL_MAKE) $(MUSL_BUILD)/ipcctl $(MUSL_UNIT_TESTS) && \
		IPCCTL=$(MUSL_BUILD)/ipcctl FACTORY=$(FACTORY) $(PYTHON) tests/run \
			$(or $(TESTS),$(MUSL_UNIT_TESTS) $(CLI_TESTS)); fi

# The same as check-musl with words of 32 bits, where the compiler and the headers know such; and all of it, in a root
# of that architecture, whose programs this kernel runs.
HAS_M32 = $(shell echo '\#include <stdio.h>' | $(CC) -m32 -E - >/dev/null 2>&1 && echo yes)
M32_OBJECTS := $(SOURCES:src/%.c=$(BUILD)/m32/%.o)
$(BUILD)/m32/%.o: src/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (-m32)"
	$(Q)$(CC) -m32 $(need_CPPFLAGS) $(CPPFLAGS) $(need_CFLAGS) -O1 $(DEPFLAGS) -c -o $@ $<

-include $(M32_OBJECTS:.o=.d)

# The compiler is asked only if it matters.
m32_wanted := $(if $(filter check-m32,$(MAKECMDGOALS)),$(if $(HAS_M32),$(M32_OBJECTS)))
check-m32: $(m32_wanted) ## compile the program with words of 32 bits, warnings being errors
	@$(if $(HAS_M32),:,echo "skipped: $(CC) has no -m32 here, or no headers for it")

BARE_ARCH_32 ?= i386
check-32: ## build and run all tests in a bare Debian of 32 bits (with debootstrap)
	$(Q)BARE_ARCH=$(BARE_ARCH_32) tests/bare TEST

# JOBS: how many processes its own builds may use.
check-packaging: ## check the tarball, the build from it, and the Debian package
	$(Q)JOBS=$(or $(JOBS),1) tests/packaging

# Takes a mirror and minutes, and is therefore not part of anything else; `BARE=BUILD` is the first command alone.
check-bare: ## run README's two commands in a bare Debian, as root and as a user (with debootstrap)
	$(Q)tests/bare $(BARE)

lint: export CC := $(CC)
lint: export IPCCTL_FLAGS = $(need_CPPFLAGS) $(CPPFLAGS) $(need_CFLAGS)
lint: ## check scripts, manual pages and C with the linters that are there
	$(Q)$(PYTHON) tests/lint

# Debian's package would make a cluster, and start its server, which no test needs.
NO_CLUSTER := /etc/postgresql-common/createcluster.d/ipcctl-tests.conf
# What clang's sanitizers and libFuzzer link to is a package of its own in newer releases only; words of other sizes
# exist on some architectures only.
deps-test: ## install what the tests need (as root, or a user with sudo)
	@if command -v apt-get >/dev/null; then \
		if [ ! -d /usr/lib/postgresql ]; then $(SUDO) mkdir -p $(dir $(NO_CLUSTER)) && \
			echo "create_main_cluster = false" | $(SUDO) tee $(NO_CLUSTER) >/dev/null; fi; \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			python3 python3-pytest python3-jsonschema libcmocka-dev valgrind clang clang-tidy cppcheck mandoc \
			shellcheck btrfs-progs util-linux bash bash-completion libc6-dbg musl-tools strace postgresql prometheus \
			prometheus-node-exporter graphviz jq procps debootstrap dpkg-dev lintian git \
			$$(for package in libclang-rt-dev gcc-multilib; do \
				apt-cache show $$package >/dev/null 2>&1 && echo $$package; done); \
		status=$$?; $(SUDO) rm -f $(NO_CLUSTER); exit $$status; \
	elif command -v dnf >/dev/null; then $(SUDO) dnf install -y python3 python3-pytest python3-jsonschema \
		libcmocka-devel valgrind clang clang-tools-extra cppcheck compiler-rt libasan libubsan mandoc ShellCheck \
		btrfs-progs util-linux bash-completion strace postgresql-server graphviz jq procps-ng && \
		{ $(SUDO) dnf install -y /usr/bin/promtool /usr/bin/node_exporter || :; }; \
	elif command -v apk >/dev/null; then $(SUDO) apk add python3 py3-pytest py3-jsonschema cmocka-dev \
		valgrind clang clang-extra-tools cppcheck compiler-rt mandoc shellcheck btrfs-progs util-linux \
		util-linux-misc setpriv bash bash-completion strace postgresql prometheus prometheus-node-exporter \
		graphviz jq; \
	elif command -v pacman >/dev/null; then $(SUDO) pacman -S --needed --noconfirm python python-pytest \
		python-jsonschema cmocka valgrind clang cppcheck compiler-rt mandoc shellcheck btrfs-progs util-linux \
		bash-completion strace postgresql prometheus prometheus-node-exporter graphviz jq procps-ng; \
	else echo "Unknown package manager: install Python with pytest and jsonschema, cmocka, valgrind, clang with" \
		"its run-time libraries and clang-tidy, cppcheck, mandoc, shellcheck, btrfs-progs, util-linux," \
		"bash-completion, strace, PostgreSQL, Prometheus with its node exporter, Graphviz, jq and" \
		"procps." >&2; exit 1; fi

-include tests/bench/bench.mk
-include tests/fuzz/fuzz.mk
