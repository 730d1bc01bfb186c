#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The main job of mbimctl, from an FCC-locked modem to a data session and back,
# on a machine that has no modem: the commands as a user would type them, and
# what they print. The modem is the simulated one. MBIMCTL_ROOT gives mbimctl a
# /sys and a /dev of the demo's own, in which it finds the modem as usual.
# A step that does not do what it should ends the demo with exit code 1.
#
#	MBIMCTL=./mbimctl MODEM=tests/build/modem

MBIMCTL=${MBIMCTL:-./mbimctl}
MODEM=${MODEM:-tests/build/modem}

modem=
dir=$(mktemp -d "${TMPDIR:-/tmp}/demo.XXXXXX") || exit 1
trap '[ -z "$modem" ] || { kill $modem; wait $modem; } 2>/dev/null
	rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT PIPE TERM

stop()
{
	echo "demo: FAILED: $*" >&2
	exit 1
}

say()
{
	echo
	printf '# %s\n' "$@"
}

# What the kernel shows of a modem on USB: an interface with the driver
# cdc_mbim, its character device and its network interface.
plug_in()
{
	port=$dir/sys/devices/usb1/1-1
	mkdir -p "$port/1-1:1.12/net/wwan0" "$port/1-1:1.12/usbmisc" \
		"$dir/sys/bus/usb/drivers/cdc_mbim" "$dir/sys/class/usbmisc" \
		"$dir/sys/class/net" "$dir/dev" &&
	mkdir "$port/1-1:1.12/usbmisc/cdc-wdm0" &&
	echo 1199 >"$port/idVendor" &&
	echo 9079 >"$port/idProduct" &&
	echo 7 >"$port/devnum" &&
	echo 0x1002 >"$port/1-1:1.12/net/wwan0/flags" &&
	ln -s ../../../../bus/usb/drivers/cdc_mbim "$port/1-1:1.12/driver" &&
	ln -s ../../../1-1:1.12 "$port/1-1:1.12/usbmisc/cdc-wdm0/device" &&
	ln -s ../../devices/usb1/1-1/1-1:1.12/usbmisc/cdc-wdm0 \
		"$dir/sys/class/usbmisc/cdc-wdm0" &&
	ln -s ../../devices/usb1/1-1/1-1:1.12/net/wwan0 \
		"$dir/sys/class/net/wwan0" &&
	mkfifo "$dir/ready" || stop "no room for a demo in $dir"
	"$MODEM" -s "$dir/dev/cdc-wdm0" -r "$dir/report" fcc=1 \
		>"$dir/ready" &
	modem=$!
	ready=
	read -r ready <"$dir/ready"
	[ "$ready" = ready ] || stop "the simulated modem does not start"
}

# step EXIT-CODE TEXT OPTIONS...: run it, show it (without the temporary
# directory, nor the width that it gives a table), and see that it ends so and
# prints that.
step()
{
	expected=$1
	text=$2
	shift 2
	echo "\$ mbimctl $*"
	MBIMCTL_ROOT=$dir MBIMCTL_RUN_DIR=$dir/run \
		$MBIMCTL "$@" >"$dir/raw" 2>&1
	code=$?
	sed -e "s,$dir,,g" -e "s/^  device$margin/  device/" "$dir/raw" \
		>"$dir/out"
	cat "$dir/out"
	[ $code = 0 ] || echo "(exit code $code)"
	[ $code = "$expected" ] || stop "exit code $code, not $expected"
	[ -z "$text" ] || grep -q -e "$text" "$dir/out" ||
		stop "it does not say \"$text\""
}

report()
{
	sed -n "s/^$1=//p" "$dir/report"
}

margin=$(printf "%${#dir}s")
plug_in

say "Which modems are there? With one of them, -d is not needed."
step 0 '^  /dev/cdc-wdm0  *wwan0  *1-1  *1199:9079  *cdc_mbim' --list
say "What is it?"
step 0 '^hardware info: *EM7355' --get-device-caps
say "Its radio is off, and the FCC lock does not let it on."
step 10 'radio-state: .*OperationNotAllowed' --set-radio-state on
say "A QMI message, through MBIM, lifts that lock; the VID:PID says which one."
step 0 '^sw radio state: *on' --fcc-unlock
say "Find the network, attach to its packet service, start a data session," \
	"ask for its addresses. This leaves the modem open, to keep the session."
step 0 '^ipv4 address: *[0-9.]*/' --up --apn internet --ip-type ipv4v6
say "The same for programs, for shell scripts, and as commands of ip(8): once" \
	"more, because what is up stays as it is."
step 0 '"ipv4_gateway":"[0-9.]*"' --get-ip-configuration -o json
step 0 "^mbim_ipv4_dns='[0-9. ]*'" --get-ip-configuration -o sh
step 0 "^ip link set dev 'wwan0' up" --up --apn internet --ip-type ipv4v6 -o ip
say "The signal, while connected; the session is still there afterwards."
step 0 '^rssi: *-71 dBm' --get-signal-state
step 0 '^activation state: *activated' --get-connect
say "That was all: the session ends, and the modem is closed."
step 0 '^sessions: *0' --down

kill $modem
wait $modem 2>/dev/null
modem=
[ "$(report opened) $(report sessions) $(report clients)" = '0  ' ] ||
	stop "the modem was left open"
[ "$(report bad)" = 0 ] || stop "the modem says: $(report bad_reason)"
say "The modem heard nothing wrong: closed, no session, no QMI client left."
