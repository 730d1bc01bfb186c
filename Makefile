# SPDX-License-Identifier: ISC
#
# make            a static, stripped ./mbimctl (musl-gcc when there is one)
# make demo       the main job against a simulated modem
# make check      the tests; make fuzz: the fuzzers, FUZZ_TIME seconds each
# make docs       mbimctl.1 and mbimctl.bash, made from the table
# make size, make bench, make install (DESTDIR, PREFIX)

PREFIX  ?= /usr/local
DESTDIR ?=
FUZZ_TIME ?= 60

ifeq ($(origin CC),default)
ifneq ($(CROSS_COMPILE),)
CC = $(CROSS_COMPILE)gcc
else
CC := $(shell command -v musl-gcc || echo cc)
endif
endif
HOSTCC  ?= cc

WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla
STD     = -std=gnu11 -D_GNU_SOURCE
CFLAGS  ?= -Os
SHRINK  = -ffunction-sections -fdata-sections -fno-stack-protector \
	  -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer \
	  -fno-pie -no-pie
LINK    = -static -s -Wl,--gc-sections -Wl,-z,noseparate-code \
	  -Wl,--build-id=none -Wl,-z,norelro
SRC     = main.c commands.c qmi-over-mbim.c mbim.c
DEPS    = $(SRC) mbim.h commands.def Makefile

all: mbimctl

mbimctl: $(DEPS)
	$(CC) $(STD) $(WARN) $(SHRINK) $(CFLAGS) $(CPPFLAGS) $(SRC) \
		$(LINK) $(LDFLAGS) -o $@

tests/modem: tests/modem.c
	$(HOSTCC) $(STD) $(WARN) -O1 -g tests/modem.c -o $@

clean:
	rm -f mbimctl tests/modem

.PHONY: all clean
