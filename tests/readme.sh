#!/bin/sh
# SPDX-License-Identifier: ISC
#
# README, run as a user would: each block fenced by ```sh, in a directory of its
# own, with mbimctl on the PATH and stubs of `ip', `ping' and `sleep'.
# MBIMCTL_ROOT gives mbimctl a /sys and a /dev with the simulated modem; the files
# below /sys, /dev and /etc that a block names are moved there, too. A block is
# known by its heading: `Lift the FCC lock', its second block, is
# lift-the-fcc-lock-2. One that is not run here, and one that is gone from README,
# is a failure. Then the rest of README: options, targets, exit codes, the worked
# example.

. "$(dirname "$0")/lib.sh"

settings
readme=$here/../README
slow=$((60 * SLOWNESS))

# ---- README in parts ----

mkdir "$tmp/blocks" "$tmp/done"
awk -v dir="$tmp/blocks" '
	/^#+ /		{ if (!file) { slug = tolower($0); sub(/^#+ /, "", slug)
			  gsub(/[^a-z0-9]+/, "-", slug); n = 0 } }
	/^```$/		{ file = ""; next }
	/^```/		{ file = dir "/" slug "-" ++n "." substr($0, 4); next }
	file		{ print >file }
' "$readme"

# ---- the machine of the user ----

program_in "$tmp/bin"
# A kernel with a wwan0 that goes with what the modem says.
cat >"$tmp/kernel" <<'END'
ip link add wwan0 type veth peer name far && ip link set far up &&
	ip addr add 10.0.0.2/30 dev wwan0 && ip link set wwan0 up &&
	ip route add default dev wwan0 && exec "$@"
END
kernel=

# Functions, because busybox ash may take its own before those on the PATH.
cat >"$tmp/ip" <<'END'
sh() { cat >commands; (. ./commands); }
sleep() { echo "$1" >>sleep.log; exit 99; }
ping() { echo "$*" >>ping.log; return 1; }
ip()
{
	echo "$*" >>ip.log
	[ "$*" != "link set dev wwan0 up" ] ||
		echo 0x1003 >"$MBIMCTL_ROOT/flags"
}
END

# A directory of its own, in it the tree of a machine with a modem on USB.
machine()
{
	work=$tmp/w$((started + 1))
	root=$work/root
	MBIMCTL_ROOT=$root
	export MBIMCTL_ROOT
	run_dir
	plug_in "$root" 1199:9079
	mkdir -p "$work/home/etc"
	at=$root/dev/cdc-wdm0
}

modem() # key=value...
{
	machine
	modem_start "$@"
}

connected() # a modem with a data session of ours
{
	modem
	plain 0 --register --attach --connect --apn internet --ip-type ipv4v6
}

# What the block prints is in out and err, what it writes below $work/home.
block() # NAME EXIT-CODE
{
	what="README, $1, by $shell"
	last_run=$what
	touch "$tmp/done/$1.sh"
	if [ ! -f "$tmp/blocks/$1.sh" ]; then
		fail "it is not in README"
		return
	fi
	cp "$tmp/ip" "$work/block"
	sed -e "s,/etc/,$work/home/etc/,g" -e "s,/sys/,$root/sys/,g" \
		-e "s,/dev/cdc,$root/dev/cdc,g" "$tmp/blocks/$1.sh" \
		>>"$work/block"
	# $shell may be "busybox ash", $kernel a command before it
	# shellcheck disable=SC2086
	(cd "$work/home" && PATH=$tmp/bin:$PATH &&
		exec timeout -k 1 $slow ${kernel-} $shell -e "$work/block") \
		>"$work/out" 2>"$work/err"
	code=$?
	sanitized "$work/err"
	same "exit code" "$2" $code
}

# What the modem tells of itself while it goes on.
reports() # KEY VALUE
{
	modem_report
	same "the modem's $1" "$2" "$(reported "$1")"
}

# ---- the recipes ----

links='link set dev wwan0 mtu 1500
link set dev wwan0 up'

recipes()
{
	modem
	block find-the-modem-1 0
	like out "$root/dev/cdc-wdm0"
	like out '\(^\| \)wwan0\( \|$\)'
	like out '\(^\| \)1-1\.2\( \|$\)'
	block find-the-modem-2 0
	same "lines of hardware info" 3 "$(grep -c '^hardware info: *EM7355' \
		"$work/out")"
	modem_stop

	modem apn=internet
	block connect-1 0
	same ip "$links
-4 addr show dev wwan0
-4 addr flush dev wwan0
-4 addr add 10.0.0.2/30 dev wwan0
-4 route replace default dev wwan0 metric 700" "$(cat "$work/home/ip.log")"
	reports opened 1
	plain 0 --close
	modem_stop
	modem apn=other
	block connect-1 9
	like err 'connect: .*27'
	modem_stop

	modem pin=1234 iptype=3
	echo 1234 >"$work/home/etc/pin"
	block connect-2 0
	same ip "$(echo "$links" | sed s/1500/1480/)
-4 addr show dev wwan0
-4 addr flush dev wwan0
-4 addr add 10.0.0.2/30 dev wwan0
-4 route replace default dev wwan0 metric 700
-6 addr show dev wwan0
-6 addr flush dev wwan0 scope global
-6 addr add 2001:db8::2/64 dev wwan0
-6 route replace default dev wwan0 metric 700" "$(cat "$work/home/ip.log")"
	same resolv.conf "nameserver 192.0.2.53
nameserver 192.0.2.54
nameserver 2001:db8::35" "$(cat "$work/home/etc/resolv.conf")"
	plain 0 --down
	modem_stop pin_attempts=1
	modem pin=1234 attempts=2
	echo 1234 >"$work/home/etc/pin"
	block connect-2 7
	modem_stop pin_attempts=0

	modem
	block stay-connected-1 0
	reports opened 1
	like err 'not up: connecting'
	block stay-connected-1 0
	unlike err .
	block stay-connected-2 99
	same sleep 60 "$(cat "$work/home/sleep.log")"
	block stay-connected-3 0	# there is no wwan0 in the kernel
	like err 'verify-connection: .*wwan0'
	modem_check sessions=
	kernel="unshare -n sh $tmp/kernel"
	$kernel true 2>/dev/null || kernel="unshare -rn sh $tmp/kernel"
	if $kernel true 2>/dev/null; then
		plain 0 --up --apn internet
		block stay-connected-3 0
		unlike err .
		same ping '-c 3 -W 5 -I wwan0 192.0.2.1' \
			"$(cat "$work/home/ping.log")"
	else
		skip "no network namespace with a wwan0 for the ping check"
	fi
	kernel=
	modem_stop sessions=
	modem sim=absent
	block stay-connected-2 1
	modem_stop
	modem nwerror=33
	block stay-connected-2 99
	same sleep 15 "$(cat "$work/home/sleep.log")"
	modem_stop
	machine
	modem_pty delay=100
	block stay-connected-4 0
	same signal.log 1 "$(grep -c \
		'^{"command":"get-signal-state","rssi":-71,' \
		"$work/home/signal.log")"
	same register.log 1 "$(grep -c '"register_state":"home"' \
		"$work/home/register.log")"
	modem_stop

	connected
	block disconnect-1 0
	same ip 'addr flush dev wwan0
link set dev wwan0 down' "$(cat "$work/home/ip.log")"
	modem_stop sessions=

	modem fcc=1
	block lift-the-fcc-lock-1 10
	like err 'up: radio: .*try --fcc-unlock'
	block lift-the-fcc-lock-2 0
	like out 'sw radio state: *on$'
	modem_stop radio=1 fcc_locked=0
	modem fcc=1 quectel=1
	echo 2c7c >"$usb/idVendor"
	echo 030a >"$usb/idProduct"
	block lift-the-fcc-lock-2 0
	modem_stop radio=1 fcc_locked=0

	modem needready=1
	block one-step-at-a-time-1 0
	like out 'activation state: *activated$'
	block one-step-at-a-time-2 0
	same out '10.0.0.2/30, MTU 1500' "$(cat "$work/out")"
	plain 0 --down
	modem_stop

	connected
	reports opens 1
	block look-at-the-signal-while-connected-1 0
	like out 'rssi: *-71 dBm'
	like out 'in octets: *[0-9]'
	like out 'rsrp: *-101'
	plain 0 --get-connect
	like out 'activation state: *activated$'
	plain 0 --disconnect
	modem_stop opens=1 closes=1

	modem
	if command -v jq >/dev/null; then
		block json-1 0
		same out "-71
Simulated" "$(cat "$work/out")"
	else
		skip "json-1: no jq"
		touch "$tmp/done/json-1.sh"
	fi
	modem_stop

	modem
	block decode-a-log-1 0
	like out 'dms swi get usb composition'
	unlike out malformed
	same "frames decoded" 1 "$(grep -c '^# ' "$work/out")"
	block send-what-the-table-does-not-know-1 0
	like out 'rssi: *-71 dBm'
	like out 'imei: *[0-9]'
	block keep-the-line-on-suspending-modems-1 0
	same power/control on "$(cat "$usb/power/control")"
	modem_stop

	same "README's blocks" "$(ls "$tmp/done")" \
		"$(cd "$tmp/blocks" && ls -- *.sh)"
}

# ---- the rest of README ----

# Every option that README names is in some help text, or is another program's.
options()
{
	what=options
	$MBIMCTL --help >"$tmp/help"
	sed -n '/^Commands/,$s/^ *--\([a-z0-9-]*\).*/\1/p' "$tmp/help" |
	while read -r command; do
		$MBIMCTL --help "$command"
	done >"$tmp/helps"
	grep -o -e '--[a-z][a-z0-9-]*' "$readme" | sort -u |
	while read -r option; do
		grep -q -e "[ ,]$option\\([ ,;=]\\|\$\\)" "$tmp/help" \
			"$tmp/helps" ||
			echo "$option"
	done | grep -v -x -e --command -e --parameter -e --name >"$tmp/unknown"
	same "options that are in no help" '' "$(cat "$tmp/unknown")"
}

targets()
{
	what="make's targets"
	sed -n -e 's/^    \(make [a-z][a-z-]*\).*/\1/p' \
		-e 's/.*`\(make [a-z][a-z-]*\).*/\1/p' "$readme" | sort -u |
	while read -r make target; do
		grep -q "^$target:" "$here/../Makefile" || echo "$make $target"
	done >"$tmp/unknown"
	same "targets that are not in Makefile" '' "$(cat "$tmp/unknown")"
}

# 0 to 13 and signals, in README and in mbim.h.
exit_codes()
{
	what="exit codes"
	same "exit codes in README" "$(sed -n '/^enum exit_code/,/^}/s/.*= \([0-9]*\),*.*/\1/p' \
		"$here/../mbim.h" | grep -v 128)" \
		"$(sed -n '/^## Exit codes/,/^## Out/s/^    \([0-9][0-9]*\) .*/\1/p' \
		"$readme")"
}

# The lines are to be inserted before the one that follows them; a program made
# of that knows the new command, and tells its frames. If the table has it by
# now, it was added as README says.
example()
{
	what="README, the worked example"
	if [ ! -f "$tmp/blocks/add-a-command-1.diff" ]; then
		fail "it is not in README"
		return
	fi
	grep '^+' "$tmp/blocks/add-a-command-1.diff" | sed 's/^.//' >"$tmp/plus"
	before=$(grep '^ ' "$tmp/blocks/add-a-command-1.diff" | sed 's/^.//')
	made=$tmp/example
	mkdir "$made"
	cp "$here"/../*.c "$here"/../mbim.h "$made"
	if grep -q '^QMI(dms_get_hardware_revision,' "$here/../commands.def"
	then
		cp "$here/../commands.def" "$made"
	else
		awk -v plus="$tmp/plus" -v before="$before" '
			$0 == before { while ((getline line <plus) > 0)
				print line }
			{ print }' "$here/../commands.def" \
			>"$made/commands.def"
	fi
	# shellcheck disable=SC2086
	if ! (cd "$made" && $HOSTCC $STD -O1 -o mbimctl $SRC) 2>"$tmp/cc"
	then
		fail "it does not compile: $(head -n 3 "$tmp/cc")"
		return
	fi
	"$made/mbimctl" --help dms-get-hardware-revision >"$work/out"
	like out 'show the hardware revision'
	echo 01:1b:00:80:02:34:02:06:00:2c:00:0f:00:02:04:00:00:00:00:00:01 \
		05:00:31:30:30:30:31 | tr ' ' : |
		"$made/mbimctl" --decode - >"$work/out" 2>"$work/err"
	like out 'revision: *10001$'
}

form()
{
	what=README
	same "lines beyond column 80" '' "$(expand "$readme" |
		grep -n '.\{81\}')"
	# 300 without the jobs, 20 for what the outputs promise
	check "365 lines at most" [ "$(grep -c '' "$readme")" -le 365 ]
}

# mbim_... come from eval, which shellcheck does not see.
linted()
{
	if ! command -v shellcheck >/dev/null; then
		skip "no shellcheck"
		return
	fi
	what='README, shellcheck'
	for file in "$tmp/blocks"/*.sh; do
		same "${file##*/}" '' "$(shellcheck -s sh -e SC2154 "$file")"
	done
}

for shell in sh 'busybox ash'; do
	if $shell -c : 2>/dev/null; then
		recipes
	else
		skip "recipes by $shell: it is not there"
	fi
done
linted
form
options
targets
exit_codes
example
finish
