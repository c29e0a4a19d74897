# SPDX-License-Identifier: MIT
# ipcctl: `make help` lists the targets. CC, CFLAGS, CPPFLAGS, LDFLAGS, PREFIX and
# DESTDIR are yours; what the code itself needs is added to them, not mixed in.

VERSION := 0.1.0

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d

CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
INSTALL ?= install
# COVERAGE=1, of make or of the environment, makes every target's build one that counts lines: see tests.mk.
COVERAGE ?= 0
BUILD ?= build$(if $(filter 1,$(COVERAGE)),/coverage)
# Where the program goes; variants of the build keep theirs below $(BUILD).
PROGRAM ?= $(if $(filter 1,$(COVERAGE)),$(BUILD)/)ipcctl
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wformat=2 -Werror
need_CPPFLAGS = -Isrc -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DIPCCTL_VERSION='"$(VERSION)"'
# The same bytes from every directory: no path of it gets into what is built.
need_CFLAGS = -std=gnu11 -pthread $(WARNINGS) '-fdebug-prefix-map=$(CURDIR)=.' $(CJSON_CFLAGS)
need_LIBS = -pthread $(CJSON_LIBS)
DEPFLAGS = -MMD -MP

SOURCES := $(sort $(wildcard src/*.c src/*/*.c))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/%.o)
# Everything but main(), for the unit tests, the fuzzers and the bench to link.
LIBRARY := $(BUILD)/libipcctl.a

# Asked when the first file is compiled, so that `make deps all` can install it
# first; once, for $(eval) replaces the question by its answer.
libcjson = $(if $(shell $(PKG_CONFIG) --exists libcjson 2>/dev/null && echo yes),$(shell $(PKG_CONFIG) $(1) libcjson),\
$(error $(PKG_CONFIG) finds no libcjson. Run "make deps" as root, or install a compiler, pkg-config and libcjson by \
hand. Debian, Ubuntu: libcjson-dev; Fedora: cjson-devel; Alpine: cjson-dev; Arch: cjson))
CJSON_CFLAGS = $(eval CJSON_CFLAGS := $(call libcjson,--cflags))$(CJSON_CFLAGS)
CJSON_LIBS = $(eval CJSON_LIBS := $(call libcjson,--libs))$(CJSON_LIBS)

# What is installed must be there before it is used.
ifneq ($(filter deps deps-test deps-bench,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

.DELETE_ON_ERROR:
.PHONY: all check bench sanitize fuzz lint format install uninstall dist deb clean help deps deps-test

all: $(PROGRAM) ## build ./ipcctl (the default)

$(PROGRAM): $(OBJECTS)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(need_LIBS) $(LIBS)

$(LIBRARY): $(filter-out $(BUILD)/main.o,$(OBJECTS))
	@echo "  AR      $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(need_CPPFLAGS) $(CPPFLAGS) $(need_CFLAGS) $(CFLAGS) $(DEPFLAGS) -c -o $@ $<

-include $(OBJECTS:.o=.d)

include tests/tests.mk

install: all ## install the program, manual pages and completions below DESTDIR/PREFIX
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR) $(DESTDIR)$(FISHCOMPDIR)
	$(INSTALL) -m 755 $(PROGRAM) $(DESTDIR)$(BINDIR)/ipcctl
	$(INSTALL) -m 644 completions/ipcctl.bash $(DESTDIR)$(BASHCOMPDIR)/ipcctl
	$(INSTALL) -m 644 completions/_ipcctl $(DESTDIR)$(ZSHCOMPDIR)/_ipcctl
	$(INSTALL) -m 644 completions/ipcctl.fish $(DESTDIR)$(FISHCOMPDIR)/ipcctl.fish
	for page in $(notdir $(MANPAGES)); do section=$${page##*.}; \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$section && \
		$(INSTALL) -m 644 man/$$page $(DESTDIR)$(MANDIR)/man$$section/$$page || exit 1; done

MANPAGES := $(sort $(wildcard man/*.[1-9]))

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/ipcctl $(DESTDIR)$(BASHCOMPDIR)/ipcctl $(DESTDIR)$(ZSHCOMPDIR)/_ipcctl \
		$(DESTDIR)$(FISHCOMPDIR)/ipcctl.fish
	for page in $(notdir $(MANPAGES)); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page; done

TARBALL := dist/ipcctl-$(VERSION).tar.gz
dist: ## make a tarball of the committed tree, the same bytes every time
	@mkdir -p dist
	git archive --format=tar --prefix=ipcctl-$(VERSION)/ HEAD | gzip -9n >$(TARBALL)

deb: ## make a Debian package of the program below dist/ (with dpkg-dev)
	.debian/build $(VERSION) dist

format: ## lay out the C files as .clang-format says
	clang-format -i $(shell find src tests -name '*.[ch]')

clean: ## remove what was built
	rm -rf build ipcctl dist

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## */  \1\t/' | expand -t 20

# What a bare machine needs to build, and to test. Runs as root, or with sudo.
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)

deps: ## install what the build needs (as root, or a user with sudo)
	@if command -v apt-get >/dev/null; then \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			gcc libc6-dev make pkg-config libcjson-dev; \
	elif command -v dnf >/dev/null; then $(SUDO) dnf install -y gcc make pkgconf-pkg-config cjson-devel; \
	elif command -v apk >/dev/null; then $(SUDO) apk add gcc musl-dev linux-headers make pkgconf cjson-dev; \
	elif command -v pacman >/dev/null; then $(SUDO) pacman -S --needed --noconfirm gcc make pkgconf cjson; \
	else echo "Unknown package manager: install a C compiler, make, pkg-config and libcjson." >&2; exit 1; fi
