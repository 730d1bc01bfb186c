# SPDX-License-Identifier: ISC
#
# make            a static, stripped ./mbimctl: by musl-gcc where there is one;
#                 CC= and CROSS_COMPILE= win
# make demo       the main job, against a simulated modem
# make check      the tests of ./mbimctl, in two minutes
# make check-all  these, and the slow ones: sanitizers, big-endian by qemu, the
#                 examples, other programs beside it; WAYS= takes some of them
# make check-kernel  mbimctl in an initramfs, on Linux's own driver, in qemu
# make fuzz       the fuzzers, FUZZ_TIME seconds each (clang)
# make bench      system calls, instructions, memory and time beside others
# make size       what the file consists of
# make docs       mbimctl.1 and mbimctl.bash, made from the table
# make install    to DESTDIR and PREFIX
#
# Each takes the variables that the program was made with: other ones make it
# anew. WERROR=1 makes warnings errors, as does CI. HOSTCC builds what runs
# here.
#
# CFLAGS, CPPFLAGS and LDFLAGS come after what is here, and win. STATIC= (empty)
# makes a dynamic program in the compiler's own way, STRIP= one with its symbols
# and -g. -pie in LDFLAGS implies STATIC=. So for a distribution:
#
#	make STATIC= STRIP= CC=gcc CFLAGS='-O2 -g ...' LDFLAGS='-Wl,-z,now ...'
#
# The compiler must have __VA_OPT__, __COUNTER__, empty arrays, and anonymous
# members of a tagged struct (-fms-extensions): gcc 8, clang 12, or later.

PREFIX    ?= /usr/local
HOSTCC    ?= cc
FUZZ_TIME ?= 60
STATIC    ?= $(if $(filter -pie,$(LDFLAGS)),,-static)
STRIP     ?= -s

ifeq ($(origin CC),default)
ifneq ($(CROSS_COMPILE),)
CC = $(CROSS_COMPILE)gcc
else
CC := $(if $(STATIC),$(shell command -v musl-gcc || echo cc),cc)
endif
endif

# as small as this compiler can, as it is and compressed: no copies, and code in
# the order of the source, which looks the same more often
SMALL   = -Oz -flto -flto-partition=one -fno-thread-jumps -fno-jump-tables \
	  -fno-tree-loop-im -fno-move-loop-invariants -fno-if-conversion \
	  -fno-inline-functions-called-once -fno-optimize-sibling-calls \
	  -fno-schedule-insns2 -fno-caller-saves -fno-tree-dominator-opts \
	  -fno-tree-sra -fno-tree-fre -fno-tree-ccp -fno-tree-tail-merge \
	  -fno-forward-propagate -fno-shrink-wrap -fno-code-hoisting \
	  -fno-tree-coalesce-vars -fno-reorder-functions
ifeq ($(origin CFLAGS),undefined)
CFLAGS := $(shell echo 'int main(void) { return 0; }' | $(CC) -Werror $(SMALL) \
	    -x c - -o /dev/null 2>/dev/null && echo '$(SMALL)' || echo -Os)
OURS   := $(if $(CPPFLAGS)$(LDFLAGS)$(filter-out file,$(origin STATIC) \
	    $(origin STRIP)),,yes)
endif
STD     = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
	  -fms-extensions
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla \
	  -Wno-microsoft-anon-tag
ifneq ($(WERROR)$(CI),)
WARN   += -Werror
endif
ifneq ($(STATIC),)
# not musl-gcc -static-pie: Debian's gives a dynamic program without a word
SHRINK  = -ffunction-sections -fdata-sections -fno-stack-protector \
	  -fno-asynchronous-unwind-tables -fno-unwind-tables \
	  -fomit-frame-pointer -fno-pie
TIGHT   = -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,--build-id=none \
	  -Wl,-z,norelro -Wl,-z,common-page-size=64 -Wl,--sort-section=alignment
endif
FLAGS   = $(STD) $(WARN) $(SHRINK) $(CFLAGS) $(CPPFLAGS)
LINK    = $(STATIC) $(STRIP) $(TIGHT) $(LDFLAGS)
# from the top to the bottom: a file uses what is in those after it
SRC     = main.c commands.c qmi-over-mbim.c mbim.c
DEPS    = $(SRC) mbim.h commands.def Makefile
BUILD   = tests/build
# a program of tests/ is linked with the sources that it does not include
OTHERS  = $(filter-out $(shell sed -n 's,^.include "\.\./\(.*\.c\)"$$,\1,p' \
	    $<),$(SRC))

all: mbimctl

mbimctl: $(DEPS) $(BUILD)/made-with
	$(CC) $(FLAGS) $(SRC) $(LINK) -o $@

# It is written when what it says has changed, and so is older than the program
# as long as that is made with the same.
MADE    = $(strip $(CC) $(FLAGS) $(LINK) $(HOSTCC))
ifneq ($(MADE),$(strip $(shell cat $(BUILD)/made-with 2>/dev/null)))
.PHONY: $(BUILD)/made-with
endif
$(BUILD)/made-with: | $(BUILD)
	@echo '$(subst ','\'',$(MADE))' >$@

docs: mbimctl.1 mbimctl.bash

$(BUILD)/mbimctl-docs: tests/docs.c $(DEPS) $(BUILD)/made-with
	$(HOSTCC) $(STD) $(WARN) -Wno-unused-function -Wno-shadow -O1 \
		$< $(OTHERS) -o $@
mbimctl.1: $(BUILD)/mbimctl-docs
	$(BUILD)/mbimctl-docs man >$@.new && mv $@.new $@
mbimctl.bash: $(BUILD)/mbimctl-docs
	$(BUILD)/mbimctl-docs bash >$@.new && mv $@.new $@

$(BUILD):
	mkdir -p $@
$(BUILD)/%: tests/%.c Makefile $(BUILD)/made-with
	$(HOSTCC) $(STD) $(WARN) -O1 -g $< -o $@

# what it is compared with must be built as it is
$(BUILD)/floor: tests/floor.c Makefile $(BUILD)/made-with
	$(CC) $(FLAGS) $< $(LINK) -o $@

demo: mbimctl $(BUILD)/modem
	MBIMCTL=./mbimctl MODEM=$(BUILD)/modem sh tests/demo.sh
# what the scripts of tests/ want to know
TELL    = CC='$(CC)' HOSTCC='$(HOSTCC)' STD='$(STD)' WARN='$(WARN)' \
	  SRC='$(SRC)' OURS='$(OURS)'
settings:
	@echo "$(TELL)"
check: mbimctl
	@$(TELL) MAKE='$(MAKE)' WAYS=plain sh tests/check.sh
check-all: mbimctl
	@$(TELL) MAKE='$(MAKE)' WAYS='$(WAYS)' sh tests/check.sh
check-kernel: mbimctl
	@CC='$(CC)' HOSTCC='$(HOSTCC)' KERNEL='$(KERNEL)' sh tests/kernel.sh
bench: mbimctl $(BUILD)/modem $(BUILD)/floor
	MBIMCTL=./mbimctl MODEM=$(BUILD)/modem FLOOR=$(BUILD)/floor \
		sh tests/bench.sh $(BENCH)
fuzz:
	@$(TELL) FUZZ_TIME=$(FUZZ_TIME) sh tests/check.sh fuzz

size: mbimctl | $(BUILD)
	@$(CC) $(FLAGS) -fno-lto -c \
		commands.c -o $(BUILD)/size.o
	@echo "bytes of the file, of 106496:"; wc -c <mbimctl; size mbimctl
	@echo "bytes of it after xz -9e, of 53000:"; xz -9e -c mbimctl | wc -c
	@echo "bytes of the table:"; nm -S -t d $(BUILD)/size.o | \
		awk '/ r (ops|names|commands|values|tables)$$/ { print $$2 + 0, $$4 }'
	@echo "lines, of 650 in mbim.h:"; wc -l $(SRC) mbim.h commands.def

install: mbimctl
	@$(MAKE) docs || echo "no man page and no completion: see above"
	install -D -m 755 mbimctl $(DESTDIR)$(PREFIX)/bin/mbimctl
	test ! -f mbimctl.1 || install -D -m 644 mbimctl.1 \
		$(DESTDIR)$(PREFIX)/share/man/man1/mbimctl.1
	test ! -f mbimctl.bash || install -D -m 644 mbimctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/mbimctl

clean:
	rm -rf mbimctl mbimctl.1 mbimctl.bash mbimctl.*.new $(BUILD)

.PHONY: all demo settings check check-all check-kernel fuzz bench size docs install clean
