# SPDX-License-Identifier: ISC
#
# make            a static, stripped ./mbimctl: by musl-gcc where there is one;
#                 CC= and CROSS_COMPILE= win
# make demo       the main job, against a simulated modem
# make check      the tests
# make check-kernel  mbimctl in an initramfs, on Linux's own driver, in qemu
# make fuzz       the fuzzers, FUZZ_TIME seconds each (clang)
# make bench      system calls, instructions, memory and time beside others
# make size       what the file consists of
# make docs       mbimctl.1 and mbimctl.bash, made from the table
# make install    to DESTDIR and PREFIX
#
# WERROR=1 makes warnings errors, as does CI. HOSTCC builds what runs here.

PREFIX    ?= /usr/local
HOSTCC    ?= cc
FUZZ_TIME ?= 60

ifeq ($(origin CC),default)
ifneq ($(CROSS_COMPILE),)
CC = $(CROSS_COMPILE)gcc
else
CC := $(shell command -v musl-gcc || echo cc)
endif
endif

# as small as this compiler can; jump threading makes copies
SMALL   = -Oz -flto -flto-partition=one -fno-thread-jumps -fno-jump-tables \
	  -fno-tree-loop-im
CFLAGS ?= $(shell echo 'int main(void) { return 0; }' | $(CC) -Werror $(SMALL) \
	    -x c - -o /dev/null 2>/dev/null && echo '$(SMALL)' || echo -Os)
STD     = -std=gnu11 -D_GNU_SOURCE
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla
ifneq ($(WERROR)$(CI),)
WARN   += -Werror
endif
# not musl-gcc -static-pie: Debian's gives a dynamic program without a word
SHRINK  = -ffunction-sections -fdata-sections -fno-stack-protector \
	  -fno-asynchronous-unwind-tables -fno-unwind-tables \
	  -fomit-frame-pointer -fno-pie
LINK    = -static -s -Wl,--gc-sections -Wl,-z,noseparate-code \
	  -Wl,--build-id=none -Wl,-z,norelro -Wl,-z,common-page-size=64
SRC     = main.c jobs.c request.c commands.c qmi-over-mbim.c mbim.c values.c
DEPS    = $(SRC) mbim.h commands.def Makefile
BUILD   = tests/build

all: mbimctl

mbimctl: $(DEPS)
	$(CC) $(STD) $(WARN) $(SHRINK) $(CFLAGS) $(CPPFLAGS) $(SRC) \
		$(LINK) $(LDFLAGS) -o $@

docs: mbimctl.1 mbimctl.bash

$(BUILD)/mbimctl-docs: tests/docs.c $(DEPS) | $(BUILD)
	$(HOSTCC) $(STD) $(WARN) -Wno-unused-function -O1 tests/docs.c \
		$(filter-out main.c,$(SRC)) -o $@
mbimctl.1: $(BUILD)/mbimctl-docs
	$(BUILD)/mbimctl-docs man >$@.new && mv $@.new $@
mbimctl.bash: $(BUILD)/mbimctl-docs
	$(BUILD)/mbimctl-docs bash >$@.new && mv $@.new $@

$(BUILD):
	mkdir -p $@
$(BUILD)/%: tests/%.c Makefile | $(BUILD)
	$(HOSTCC) $(STD) $(WARN) -O1 -g $< -o $@

# what it is compared with must be built as it is
$(BUILD)/floor: tests/floor.c Makefile | $(BUILD)
	$(CC) $(STD) $(WARN) $(SHRINK) $(CFLAGS) $< $(LINK) -o $@

demo: mbimctl $(BUILD)/modem
	MBIMCTL=./mbimctl MODEM=$(BUILD)/modem sh tests/demo.sh
check: mbimctl
	@CC='$(CC)' HOSTCC='$(HOSTCC)' MAKE='$(MAKE)' sh tests/check.sh
check-kernel: mbimctl
	@CC='$(CC)' HOSTCC='$(HOSTCC)' KERNEL='$(KERNEL)' sh tests/kernel.sh
bench: mbimctl $(BUILD)/modem $(BUILD)/floor
	MBIMCTL=./mbimctl MODEM=$(BUILD)/modem FLOOR=$(BUILD)/floor \
		sh tests/bench.sh $(BENCH)
fuzz:
	FUZZ_TIME=$(FUZZ_TIME) sh tests/check.sh fuzz

size: mbimctl | $(BUILD)
	@$(CC) $(STD) $(SHRINK) $(CFLAGS) -fno-lto -c \
		commands.c -o $(BUILD)/size.o
	@echo "bytes of the file, of 98304:"; wc -c <mbimctl; size mbimctl
	@echo "bytes of the table:"; nm -S -t d $(BUILD)/size.o | \
		awk '/ r (ops|names|commands|values|tables)$$/ { print $$2 + 0, $$4 }'
	@echo "lines, of 900 a file:"; wc -l $(SRC) mbim.h commands.def

install: mbimctl
	@$(MAKE) docs || echo "no man page and no completion: see above"
	install -D -m 755 mbimctl $(DESTDIR)$(PREFIX)/bin/mbimctl
	test ! -f mbimctl.1 || install -D -m 644 mbimctl.1 \
		$(DESTDIR)$(PREFIX)/share/man/man1/mbimctl.1
	test ! -f mbimctl.bash || install -D -m 644 mbimctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/mbimctl

clean:
	rm -rf mbimctl mbimctl.1 mbimctl.bash mbimctl.*.new $(BUILD)

.PHONY: all demo check check-kernel fuzz bench size docs install clean
