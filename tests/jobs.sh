#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The jobs: --up stopped at each of its stages, --down, --wait-for, what
# --ensure-connected leaves alone and what it repairs, --verify-connection and
# -o ip with interfaces of a network namespace, --fcc-unlock by each method, and
# runs that meet or are killed. CI=1: 1000 runs in a row where 100 will do.
#
# All of it runs in a network namespace of its own where the machine permits
# one; the parts that need interfaces are skipped where it does not.

# Variables with options are split on purpose.
# shellcheck disable=SC2086,SC2046

NETNS_ROOT=1
. "$(dirname "$0")/lib.sh"

if [ -z "${JSON:-}" ]; then
	helper json "$here/json.c"
	JSON=$tmp/json
fi

second=$((1 + SLOWNESS / 4))		# a deadline that is to pass
apn='--apn internet'
nothing=$(printf %0120d 0)		# an IP configuration without anything

# ---- what the modem heard ----

# Sets of Basic Connect, by CID, in order; then: how many of one CID?
sets()
{
	sed -n 's/^> 03000000.\{32\}a289cc33bcbb8b4fb6b0133ec2aae6df\(..\)00000001.*/\1/p' \
		"$log" | tr '\n' ' ' | sed 's/ $//'
}

sets_of() { sets | tr ' ' '\n' | grep -c "^$1\$"; }

# The modem crashes and starts anew; it has done so when it reports.
reboot()
{
	kill -USR2 "$modem_pid"
	modem_report
}

no_markers() { same "markers left" "" "$(ls "$work/run" 2>/dev/null)"; }

# ---- the tree of a machine: /sys and /dev below MBIMCTL_ROOT ----

new_root()
{
	root=$work/root
	rm -rf "$root"
	mkdir -p "$root/dev" "$root/sys/class/usbmisc" "$root/sys/class/wwan" \
		"$root/sys/class/net" "$root/sys/dev/char"
	MBIMCTL_ROOT=$root
	export MBIMCTL_ROOT
}

# VENDOR PRODUCT [NET]: cdc-wdm0, found by the name of its socket
usb_modem()
{
	new_root
	device=$root/sys/devices/usb1/1-1.2
	mkdir -p "$device/1-1.2:1.0/usbmisc/cdc-wdm0" \
		"$device/1-1.2:1.0/net/${3:-wwan0}"
	echo "$1" >"$device/idVendor"
	echo "$2" >"$device/idProduct"
	echo 7 >"$device/devnum"
	ln -s "../../../1-1.2:1.0" "$device/1-1.2:1.0/usbmisc/cdc-wdm0/device"
	ln -s "../../devices/usb1/1-1.2/1-1.2:1.0/usbmisc/cdc-wdm0" \
		"$root/sys/class/usbmisc/cdc-wdm0"
	ln -s "../../devices/usb1/1-1.2/1-1.2:1.0/net/${3:-wwan0}" \
		"$root/sys/class/net/${3:-wwan0}"
	echo 0x1002 >"$root/sys/class/net/${3:-wwan0}/flags"
}

modem_at() # options of the modem: it is cdc-wdm0
{
	at=$root/dev/cdc-wdm0
	modem_start "$@"
	at=
}

# VENDOR DEVICE options of the modem: wwan0mbim0, a terminal, as nodes are
# found in /sys by their number
pcie_modem_at()
{
	new_root
	pci=$root/sys/devices/pci0000:00/0000:01:00.0
	mkdir -p "$pci/wwan/wwan0/wwan0mbim0" "$pci/net/wwan0"
	echo "$1" >"$pci/vendor"
	echo "$2" >"$pci/device"
	echo MBIM >"$pci/wwan/wwan0/wwan0mbim0/type"
	ln -s ../../wwan0 "$pci/wwan/wwan0/wwan0mbim0/device"
	ln -s ../../../0000:01:00.0 "$pci/wwan/wwan0/device"
	ln -s ../../devices/pci0000:00/0000:01:00.0/wwan/wwan0/wwan0mbim0 \
		"$root/sys/class/wwan/wwan0mbim0"
	shift 2
	at=$root/dev/wwan0mbim0
	modem_pty "$@"
	at=
	numbers=$(stat -L -c '%t %T' "$dev")
	ln -sf ../../class/wwan/wwan0mbim0 "$root/sys/dev/char/$(printf \
		'%d:%d' "0x${numbers% *}" "0x${numbers#* }")"
}

# ---- --up: what it does ----

comes_up()
{
	modem_start
	run 0 --up $apn
	lines err 0
	like out '^ipv4 address: *10.0.0.2/30$'
	like out '^ipv4 gateway: *10.0.0.1$'
	like out '^ipv4 dns: *192.0.2.53, 192.0.2.54$'
	modem_check opened=1 sessions=0 attached=1 opens=1 closes=0
	same "sets of the first --up" "0a 0c" "$(sets)"
	check "frames of --up" test "$(heard)" -le 15

	# already up is success, and nothing is set
	run 0 --up $apn
	lines err 0
	like out '^ipv4 address: *10.0.0.2/30$'
	same "sets of the second --up" "0a 0c" "$(sets)"
	modem_check opened=1 sessions=0 opens=1 closes=0
	run 0 --down
	modem_stop sessions= opens=1 closes=1
	no_markers

	# a radio that was off, a session with a number, a password
	modem_start radio=0 iptype=4
	run 0 -j --up $apn --session-id 3 --user-name me --password secret \
		--auth pap
	check "strict JSON" "$JSON" <"$work/out"
	like out '"vlan_id":3,"session_id":3,'
	like out '"ipv4_address":\["10.0.3.2/30"\]'
	like out '"ipv6_address":\["2001:db8:0:3::2/64"\]'
	modem_check opened=1 sessions=3
	same "sets" "03 0a 0c" "$(sets)"
	run 0 -s --up $apn --session-id 3
	like out "^mbim_vlan_id='3'\$"
	like out "^mbim_interface=''\$"
	like out "^mbim_ipv4_dns='192.0.2.53 192.0.2.54'\$"
	like out "^mbim_exit='0'\$"
	# beside it another one, and that alone is ended
	run 0 --up $apn
	modem_check opened=1 sessions=0,3
	run 0 --down --session-id 3
	modem_check opened=1 sessions=0 closes=0
	run 0 --down
	modem_stop sessions= closes=1

	# usage is seen before the device is touched
	modem_start
	run 2 --up $apn --allow mars
	lines err 1
	run 2 --up $apn --pin 12345678901234567
	lines err 1
	run 2 --up $apn --session-id 256
	lines err 1
	modem_stop opens=0 requests=0

	# in one run with others
	modem_start
	run 0 --get-device-caps --up $apn --get-signal-state --down
	like out '^up:$'
	modem_stop sessions= opens=1 closes=1
	no_markers
}

# ---- --up: each stage fails ----

# CODE STAGE-AND-REASON MODEM EXPECTED arguments...: one line, nothing left.
stops()
{
	stops_code=$1 stops_why=$2 stops_report=$4
	rm -rf "$work/run"
	modem_start $3
	shift 4
	run "$stops_code" --up $apn "$@"
	lines err 1
	like err "^mbimctl: up: $stops_why"
	lines out 0
	modem_stop sessions= $stops_report
	no_markers
}

stops_at_radio()
{
	stops 10 'radio: .*(28): try --fcc-unlock$' fcc=1 'fcc_locked=1'
	stops 10 'radio: .*: try --fcc-unlock$' fcc=2 'fcc_locked=1'
	same "unlocked unasked" 0 "$(grep -c '^> .*555f\|^> .*112233445566' \
		"$log")"
	stops 10 'radio: .*: try --fcc-unlock$' 'fcc=1 quectel=1' 'fcc_locked=1'
	same "unlocked unasked" 0 "$(grep -c '^> .*11223344556677' "$log")"
	stops 12 "radio: .*hardware switch" hwradio=0 'registered=0'
	same "sets" "" "$(sets)"
	stops 1 'radio: .*Failure (2)' 'radio=0 status=cid3:2' 'radio=0'
}

stops_at_sim()
{
	stops 8 'SIM: .*sim-not-inserted$' sim=absent ''
	stops 8 'SIM: .*bad-sim$' sim=bad ''
	stops 4 'SIM: ' sim=notinit '' -t $second
	stops 4 'SIM: ' simdelay=60000 '' -t $second

	# the PIN: wanted, wrong, not to be risked, no longer enough
	stops 7 'SIM: .*PIN1.*3.*--pin$' pin=1234 pin_attempts=0
	stops 7 'SIM: wrong PIN.*PIN1.*2' pin=1234 pin_attempts=1 --pin 9999
	stops 7 'SIM: .*left: 2;.*--force$' 'pin=1234 attempts=2' \
		pin_attempts=0 --pin 1234
	stops 7 'SIM: .*left: 1;.*--force$' 'pin=1234 attempts=1' \
		pin_attempts=0 --pin 1234
	stops 7 'SIM: wrong PIN.*PIN1.*1' 'pin=1234 attempts=2' \
		pin_attempts=1 --pin 4321 --force
	stops 7 'SIM: wrong PIN.*PUK1.*10' 'pin=1234 attempts=1' \
		pin_attempts=1 --pin 4321 --force
	stops 7 'SIM: wrong PIN.*unknown' 'pin=1234 noattempts=1' \
		pin_attempts=1 --pin 4321
	stops 7 'SIM: .*puk1.*10.*--unblock-pin$' 'pin=1234 attempts=0' \
		pin_attempts=0 --pin 1234
	stops 7 'SIM: .*puk1.*10' 'pin=1234 attempts=0' pin_attempts=0
	stops 7 'SIM: .*puk1.*unknown' 'pin=1234 attempts=0 noattempts=1' \
		pin_attempts=0 --pin 1234 --force
	# a modem that says yes and goes on asking gets it once all the same
	hex=020000000100000003000000
	stops 4 'SIM: ' "pin=1234 hexreply=cid4:$hex
		hexreply=cid2:06000000$(printf %048d 0)" pin_attempts=1 \
		--pin 1234 -t $((5 + second))
	same "PINs sent" 1 "$(sets_of 04)"
}

# The PIN that is right, with what may stand beside it.
pins()
{
	for options in pin=1234 'pin=1234 noattempts=1' 'pin=1234 pin2=1' \
	    'pin=1234 simdelay=300' 'pin=1234 regdelay=300 regwait=0'; do
		modem_start $options
		run 0 --up $apn --pin 1234
		lines err 0
		modem_check opened=1 sessions=0 pin_attempts=1
		run 0 --down
		modem_stop
	done
	modem_start pin=1234 attempts=2
	run 0 --up $apn --pin 1234 --force
	modem_stop opened=1 sessions=0 pin_attempts=1

	# PIN2 blocks nobody, and a PIN that nobody asked for is not sent
	modem_start pin2=1
	run 0 --up $apn --pin 1234
	modem_stop opened=1 sessions=0 pin_attempts=0
	modem_start
	run 0 --up $apn --pin 1234
	modem_stop opened=1 sessions=0 pin_attempts=0
	modem_start simdelay=300
	run 0 --up $apn --pin 1234
	modem_stop opened=1 sessions=0 pin_attempts=0

	# from a file, and nowhere else afterwards
	echo 1234 >"$work/pin"
	modem_start pin=1234
	run 0 --up $apn --pin-file "$work/pin"
	check "nothing of the PIN is stored" sh -c \
		"! grep -r 1234 '$work/run'"
	modem_stop opened=1 sessions=0 pin_attempts=1
	no_pin=31003200330034000000
	modem_start pin=1234
	run 0 -v --up $apn --pin 1234
	check "the PIN is masked in the trace" sh -c \
		"! tr -d ' \n' <'$work/err' | grep -q $no_pin"
	unlike err 1234
	modem_stop opened=1 sessions=0 pin_attempts=1

	# --enter-pin is one frame, as typed, whatever is left
	modem_start pin=1234 attempts=1
	run 0 --enter-pin 1234
	modem_stop requests=1 pin_attempts=1
	modem_start pin=1234
	run 1 --enter-pin 4321
	lines err 1
	modem_stop requests=1 pin_attempts=1
}

stops_at_network()
{
	stops 9 'registration: .*11 plmn-not-allowed$' deny=11 'registered=0'
	stops 9 'registration: .*plmn-not-allowed$' 'deny=11 regwait=0' \
		'registered=0'
	same "tries to register" 1 "$(sets_of 09)"
	stops 12 'registration: .*roaming.*--allow' roam=1 'attached=0' \
		--allow home
	stops 12 'registration: .*home.*--allow' '' 'attached=0' \
		--allow roaming,partner
	stops 12 'registration: .*partner.*--allow' roam=2 'attached=0'
	stops 4 'registration: still searching after' regdelay=60000 '' \
		-t $second
	stops 1 'registration: .*ProviderNotVisible (10)' \
		'deny=11 status=cid9:10' ''
	stops 9 'attach: .*cause 33 ' attacherror=33 'attached=0'
	stops 1 'attach: .*Failure (2)$' status=cid10:2 'attached=0'
	stops 4 'attach: ' attachdelay=60000 '' -t $second

	# what is allowed
	modem_start roam=1
	run 0 --up $apn
	modem_stop opened=1 sessions=0
	modem_start roam=2
	run 0 --up $apn --allow home,partner
	modem_stop opened=1 sessions=0
}

stops_at_session()
{
	stops 9 'connect: .*cause 33 service-option-not-subscribed$' \
		nwerror=33 ''
	same "tries to connect" 1 "$(sets_of 0c)"
	stops 9 'connect: .*cause 27 ' apn=corporate ''
	# without a cause: it may be the modem that holds back
	stops 1 'connect: .*no cause.*hold back' status=cid12:2 ''
	same "tries to connect" 1 "$(sets_of 0c)"
	stops 1 'connect: .*MaxActivatedContexts' status=cid12:13 ''
	stops 4 'connect: ' connectdelay=60000 'overlapped=*' -t $second
	stops 12 'connect: connected, and ended again$' 'drop=1 late=cid12:300' ''
}

stops_without_ip()
{
	stops 12 'IP configuration: .*without IP' "hexreply=cid15:$nothing" ''
	same "ended again" 2 "$(sets_of 0c)"
}

# Already up, but now without an address: that session is not ours to end.
leaves_what_it_found()
{
	modem_start session=0 hexreply=cid15:$nothing
	run 12 --no-open --up $apn
	lines err 1
	like err '^mbimctl: up: IP configuration: '
	same "sets" "" "$(sets)"
	modem_stop opened=1 sessions=0 opens=0 closes=0
}

# --ensure-connected repairs: it ends that session, and connects anew.
makes_anew()
{
	modem_start session=0 hexreply=cid15:$nothing
	run 12 --no-open --ensure-connected $apn
	lines err 2
	like err '^mbimctl: session 0 has no address: connecting anew$'
	like err '^mbimctl: ensure-connected: IP configuration: '
	same "ended, made, ended again" 3 "$(sets_of 0c)"
	modem_stop opened=1 sessions= opens=0 closes=0
}

# CID or number, stage: a modem that says nothing there. One run each.
silent_at() # WHERE STAGE [modem]...
{
	where=$1 at_stage=$2
	shift 2
	stops 4 "$at_stage: no answer" "silent=$where $*" '' -t $second
}

silent_1()
{
	silent_at cid3 radio
	silent_at 3 radio radio=0
	silent_at cid2 SIM
	silent_at cid4 SIM pin=1234
}

silent_2()
{
	# the PIN may have been taken: it is not sent again
	stops 4 'SIM: no answer' 'silent=5 pin=1234' pin_attempts=1 \
		-t $second --pin 1234
	same "PINs sent" 1 "$(sets_of 04)"
	silent_at cid9 registration
	silent_at 5 registration roam=0 regwait=0 deny=11
}

silent_3()
{
	silent_at cid10 attach
	silent_at 6 attach
	silent_at cid12 connect
	silent_at 9 connect
}

silent_4()
{
	silent_at cid15 'IP configuration'
	rm -rf "$work/run"
	modem_start silent=open
	run 4 -t $second --up $apn
	lines err 1
	modem_stop requests=0
	no_markers
}

# Indications that are lost, answers that come late or in pieces.
rough()
{
	for options in quiet=1 ind=3 'stale=1' 'frag=80' 'dup=cmd' 'delay=20' \
	    'reorder=1' mbimex=2 mbimex=3 needready=1 autoattach=1 \
	    'connectdelay=200 attachdelay=200'; do
		modem_start $options
		run 0 -t $((20 * SLOWNESS)) --up $apn
		like out '10.0.0.2/30'
		modem_check opened=1 sessions=0 overlapped='*'
		run 0 -t $((20 * SLOWNESS)) --ensure-connected $apn
		lines err 0
		run 0 -t $((20 * SLOWNESS)) --down
		modem_stop overlapped='*'
		no_markers
	done
	modem_pty
	run 0 --up $apn
	run 0 --ensure-connected $apn
	run 0 --down
	modem_stop opens=1 closes=1
}

# ---- slow ones, beside the rest ----

slow_modem()
{
	then=$(clock)
	modem_start simdelay=8000 regdelay=7000 regwait=0
	run 0 -t 60 --up $apn
	within $((16000 / SLOWNESS + 250))
	lines err 0
	check "not before the network" test $(($(clock) - then)) -ge 14500
	check "fewer than 40 frames" test "$(heard)" -lt 40
	modem_stop opened=1 sessions=0 opens=1
}

slow_quiet_modem()
{
	modem_start simdelay=3000 regdelay=4000 regwait=0 quiet=1
	run 0 -t 60 --up $apn
	check "fewer than 40 frames" test "$(heard)" -lt 40
	modem_stop opened=1 sessions=0
}

# ---- --ensure-connected ----

# What is to stay as it is: the modem's report but for counters, the markers.
state()
{
	modem_report
	grep -v '^requests=' "$report"
	ls -ln --full-time "$work/run" 2>/dev/null || ls -ln "$work/run"
	cat "$work/run"/*
}

healthy()
{
	modem_start
	run 0 --up $apn
	frames=$(heard)
	run 0 --ensure-connected $apn
	lines err 0
	like out '^ipv4 address: *10.0.0.2/30$'
	check "3 request frames at most" test $(($(heard) - frames)) -le 3
	modem_check opened=1 sessions=0 opens=1 closes=0
	same "sets" "0a 0c" "$(sets)"

	before=$(state)
	frames=$(heard)
	runs=100
	[ "${CI:-}" != 1 ] || runs=1000
	i=0
	failed_runs=0
	then=$(clock)
	while [ $i -lt $runs ]; do
		$MBIMCTL -d "$dev" --ensure-connected $apn >"$work/out" \
			2>"$work/err" || failed_runs=$((failed_runs + 1))
		[ ! -s "$work/err" ] || failed_runs=$((failed_runs + 1))
		i=$((i + 1))
	done
	last_run="$runs runs of --ensure-connected"
	what=$last_run
	within $((runs * 100))
	same "$last_run that failed or complained" 0 $failed_runs
	check "3 request frames each" test \
		$(($(heard) - frames)) -le $((3 * runs))
	same "what $last_run left" "$before" "$(state)"

	# a kept QMI client and another session are none of its business
	run 0 --wds-start-network --apn other
	run 0 --up $apn --session-id 3
	before=$(state)
	run 0 --ensure-connected $apn
	run 0 --ensure-connected $apn --session-id 3
	like out '10.0.3.2/30'
	same "what it left" "$before" "$(state)"
	run 0 --down
	modem_stop sessions= opens=1 closes=1
	no_markers
}

# It says on stderr what it does.
repairs() # PATTERN REPORT arguments...
{
	pattern=$1 repair_report=$2
	shift 2
	run 0 --ensure-connected $apn "$@"
	like err "^mbimctl: $pattern"
	like out '^ipv4 address: *10.0.0.2/30$'
	modem_check opened=1 sessions=0 overlapped='*' $repair_report
	# and then it is well
	frames=$(heard)
	run 0 --ensure-connected $apn
	lines err 0
	check "3 request frames at most" test $(($(heard) - frames)) -le 3
}

not_up='session 0 is not up: connecting$'

repaired()
{
	# from nothing
	modem_start
	repairs "$not_up" 'opens=1 closes=0'
	modem_stop opened=1 sessions=0

	# the network ended it
	rm -rf "$work/run"
	modem_start drop=$((600 * SLOWNESS))
	run 0 --up $apn
	polls=0
	while modem_report && [ -n "$(reported sessions)" ] &&
	    [ $polls -lt 100 ]; do
		sleep 0.1
		polls=$((polls + 1))
	done
	check_report opened=1 sessions=
	run 0 --ensure-connected $apn
	lines err 1
	like err "^mbimctl: $not_up"
	modem_check opened=1 opens=1 closes=0 sessions='*'
	same "sets" "0a 0c 0c" "$(sets)"
	run 0 --down
	modem_stop sessions= closes=1
	no_markers

	# the modem crashed: the function is closed, and nobody attached
	modem_start
	run 0 --up $apn
	reboot
	repairs "$not_up" 'opens=2 closes=0 notopened=1'
	run 0 --down
	modem_stop
	no_markers

	# and one that takes its time to find the network again
	modem_start regdelay=700 regwait=0
	run 0 --up $apn
	reboot
	repairs "$not_up" 'opens=2 closes=0'
	modem_stop opened=1

	# detached, radio off: as much as is needed, and no more
	rm -rf "$work/run"
	modem_start
	run 0 --up $apn
	run 0 --detach
	repairs "$not_up" 'opens=1 closes=0'
	same "sets" "0a 0c 0a 0a 0c" "$(sets)"
	run 0 --set-radio-state off
	repairs "$not_up" 'opens=1 closes=0 radio=1'
	run 0 --down
	modem_stop
	no_markers

	# what cannot be repaired is named, as by --up
	modem_start
	run 0 --up $apn
	run 0 --set-radio-state off
	modem_stop opened=1
	rm -rf "$work/run"
	modem_start nwerror=33
	run 9 --ensure-connected $apn
	like err "^mbimctl: ensure-connected: connect: .*cause 33 "
	modem_stop
	modem_start status=cid12:2
	run 1 --ensure-connected $apn
	like err '^mbimctl: ensure-connected: connect: .*no cause.*hold back'
	same "tries to connect" 1 "$(sets_of 0c)"
	modem_stop
	modem_start sim=absent
	run 8 --ensure-connected $apn
	like err '^mbimctl: ensure-connected: SIM: '
	modem_stop
	modem_start fcc=1
	run 10 --ensure-connected $apn
	like err 'try --fcc-unlock$'
	modem_stop fcc_locked=1
	no_markers
}

# Another modem under the same name: the marker does not count.
replugged()
{
	at=$work/node
	modem_start
	run 0 --up $apn
	modem_stop opened=1 sessions=0
	modem_start
	repairs "$not_up" 'opens=1 closes=0 notopened=0'
	modem_stop opened=1 sessions=0
	at=

	rm -rf "$work/run"
	usb_modem 1199 9079
	modem_at
	run 0 --up $apn
	echo 8 >"$device/devnum"
	repairs "$not_up" 'opens=2'
	# pulled out while we ask
	modem_check opened=1 sessions=0
	modem_stop opened=1
	modem_at hangup=cid12
	run 3 --ensure-connected $apn
	modem_stop
	unset MBIMCTL_ROOT
}

# A function that has fallen silent is opened anew; a third of the time is left
# for the question.
fell_silent()
{
	modem_start
	run 0 --up $apn
	n=$(heard)
	run 0 --down
	modem_stop

	modem_start silent=$((n + 1)):1
	run 0 --up $apn
	then=$(clock)
	run 0 -t $((10 + 6 * SLOWNESS)) --ensure-connected $apn
	within 14000	# ten seconds are silence
	lines err 2
	like err '^mbimctl: no answer.*anew$'
	like err "^mbimctl: $not_up"
	modem_check opened=1 sessions=0 opens=2 closes=0
	run 0 --ensure-connected $apn
	lines err 0
	modem_stop opened=1 sessions=0 opens=2

	# not where opening is forbidden, and not by a job that does not repair
	rm -rf "$work/run"
	modem_start silent=cid12 silent=cid3 session=0
	run 4 -t $second --no-open --ensure-connected $apn
	lines err 1
	run 4 -t $second --no-open --wait-for connected
	lines err 1
	run 4 -t $second --no-open --up $apn
	lines err 1
	modem_stop opened=1 sessions=0 opens=0 closes=0
	no_markers
	modem_start silent=$((n + 1))
	run 0 --up $apn
	run 4 -t $second --up $apn
	like err '--open'
	modem_stop opened=1 sessions=0 opens=1 closes=0

	# silent for good
	rm -rf "$work/run"
	modem_start silent=cmd
	then=$(clock)
	run 4 -t $((3 * SLOWNESS)) --ensure-connected $apn
	within 6500
	like err '^mbimctl: ensure-connected: .*no answer'
	modem_stop
	no_markers
}

# ---- --down ----

downs()
{
	# nothing to do
	modem_start
	run 0 --down
	lines err 0
	run 0 --down --session-id 3
	lines err 0
	modem_stop opens=2 closes=2 sessions=
	no_markers

	# all, and a kept QMI client with its call
	modem_start
	run 0 --up $apn
	run 0 --up $apn --session-id 3
	run 0 --wds-start-network --apn other
	modem_check opened=1 sessions=0,3 clients=01:34 pdh=0xe1a2b3c4
	run 0 --down
	lines err 0
	modem_stop sessions= pdh= opens=1 closes=1 allocs=1 releases=1
	no_markers

	# the client alone
	modem_start
	run 0 --wds-start-network --apn other
	run 0 --down
	modem_stop pdh= opens=1 closes=1
	no_markers

	# one of two; then one that is not up
	modem_start
	run 0 --up $apn
	run 0 --up $apn --session-id 1
	run 0 --down --session-id 0
	modem_check opened=1 sessions=1 closes=0
	run 0 --down --session-id 0
	lines err 0
	modem_check opened=1 sessions=1 closes=0
	run 0 --down --session-id 1
	modem_stop sessions= opens=1 closes=1
	no_markers
}

# A session that is gone already, a modem that is, and one that says nothing.
downs_late()
{
	for how in --down '--down --session-id 0'; do
		modem_start
		run 0 --up $apn
		run 0 --detach
		modem_check opened=1 sessions=
		frames=$(heard)
		run 0 $how
		lines err 0
		check "no more than 4 frames" test $(($(heard) - frames)) -le 4
		modem_stop sessions= closes=1
		no_markers

		modem_start
		run 0 --up $apn
		reboot
		run 0 $how
		modem_stop sessions=
		no_markers

		rm -rf "$work/run"
	done
	modem_start
	run 0 --wds-start-network --apn other
	run 0 --up $apn
	reboot
	run 0 --down
	modem_stop sessions= pdh=
	no_markers

	modem_start
	run 0 --up $apn
	n=$(heard)
	modem_stop opened=1 sessions=0
	modem_start silent=$((n + 1))
	run 0 --up $apn
	run 4 -t $second --down
	lines err 1
	like err '^mbimctl: down: '
	modem_stop opened='*'
}

# ---- --wait-for ----

waits()
{
	# reached already: one question
	for goal in sim-ready registered home radio-on; do
		modem_start
		run 0 --wait-for $goal
		lines out 1
		lines err 0
		modem_stop requests=1 opens=1 closes=1
	done
	modem_start session=0
	run 0 --no-open --wait-for attached
	like out '^state: *attached$'
	run 0 --no-open --wait-for connected
	like out '^state: *activated$'
	modem_stop opened=1 sessions=0 requests=2
	modem_start roam=1
	run 0 -s --wait-for registered
	like out "^mbim_state='roaming'\$"
	run 12 -t $second --wait-for home
	like err '^mbimctl: wait-for: still roaming after'
	modem_stop
	modem_start
	run 2 --wait-for happiness
	run 2 --wait-for
	modem_stop opens=0

	# the deadline
	for goal in 'sim-ready simdelay=60000' 'sim-ready pin=1234' \
	    'sim-ready sim=absent' 'registered regdelay=60000' \
	    'registered deny=11' 'radio-on radio=0' 'radio-on hwradio=0'; do
		waits_in_vain $goal
	done
	# those that do not come by themselves
	waits_in_vain attached
	waits_in_vain connected
	modem_start session=0
	run 12 --no-open -t $second --wait-for connected --session-id 3
	modem_stop opened=1 sessions=0
}

waits_in_vain() # GOAL modem...
{
	goal=$1
	shift
	modem_start "$@"
	then=$(clock)
	run 12 -t $second --wait-for $goal
	within $((second * 1000 / SLOWNESS + 1000))
	lines err 1
	lines out 0
	like err '^mbimctl: wait-for: still .* after [0-9]* s'
	modem_stop opens=1 closes=1
}

# GOAL MS modem...: reached after so long, by an indication
waits_until()
{
	goal=$1 until=$2
	shift 2
	then=$(clock)
	modem_start "$@"
	run 0 -t $((10 * SLOWNESS)) --wait-for "$goal"
	within $((until / SLOWNESS + 1000))
	check "not before it is so" test $(($(clock) - then)) -ge \
		$((until - 300))
	modem_stop requests='*' opens=1
	check "it does not ask and ask" test "$(heard)" -le 8
}

waits_later()
{
	waits_until sim-ready 1200 simdelay=1200
	waits_until registered 1200 regdelay=1200
	waits_until home 1400 simdelay=800 regdelay=600
	waits_until attached 1200 regdelay=1200 autoattach=1
}

# No indication comes: it is asked again, slowly.
waits_without()
{
	modem_start quiet=1 regdelay=1500
	then=$(clock)
	run 0 -t $((20 * SLOWNESS)) --wait-for registered
	within $((6000 / SLOWNESS + 1000))
	check "not in a hurry" test "$(heard)" -le 6
	modem_stop
}

# Somebody else connects: told by an indication in a run that goes on.
waits_for_others()
{
	modem_start rssi=20 wobble=50 regdelay=1000
	run 0 -t $((10 * SLOWNESS)) --wait-for registered
	check "other indications are no reason to ask" test "$(heard)" -le 6
	modem_stop
}

# ---- interfaces: --verify-connection, -o ip ----

# wwanN and its other end, both down; whether they can be had
interface() # NAME
{
	[ "$NETNS" = root ] && command -v ip >/dev/null &&
		ip link add "$1" type veth peer name "far$1" 2>/dev/null &&
		ip link set "far$1" up
}

no_interfaces="no network namespace, no ip, or no veth interfaces"

# The link that is broken: STAGE AND REASON
broken()
{
	run 12 --verify-connection $session_option
	lines err 1
	like err "^mbimctl: verify-connection: $1"
	lines out 0
}

whole()
{
	run 0 --verify-connection $session_option
	lines err 0
	like out "^interface: *$1\$"
	like out '^rx packets: *[0-9]*$'
	like out '^tx packets: *[0-9]*$'
}

verifies()
{
	session_option=
	usb_modem 1199 9079 wwan0
	modem_at
	broken 'modem: the session is deactivated$'
	modem_check opens=1 closes=1
	run 0 --up $apn
	broken 'wwan0: .*no such interface$'
	if ! interface wwan0; then
		skip "$no_interfaces"
		modem_stop opened=1 sessions=0
		return
	fi
	frames=$(heard)
	broken 'wwan0: .*down$'
	check "3 request frames at most" test $(($(heard) - frames)) -le 3
	ip link set wwan0 up
	broken "wwan0: .*address"
	ip addr add 10.0.0.1/30 dev wwan0
	broken "wwan0: .*address"
	ip addr add 10.0.0.2/30 dev farwwan0
	broken "wwan0: .*address"
	ip addr flush dev farwwan0
	ip addr flush dev wwan0
	ip addr add 10.0.0.2/30 dev wwan0
	broken 'wwan0: no default route'
	ip route add default dev farwwan0
	broken 'wwan0: no default route'
	ip route add 10.1.0.0/16 dev wwan0
	broken 'wwan0: no default route'
	ip route add default dev wwan0 metric 700
	whole wwan0
	run 0 -j --verify-connection
	check "strict JSON" "$JSON" <"$work/out"
	like out '"interface":"wwan0","vlan_id":null,"rx_packets":[0-9]*,"tx_packets":[0-9]*'
	run 0 -s --verify-connection
	like out "^mbim_interface='wwan0'\$"
	same "sets" "0a 0c" "$(sets)"
	modem_check opened=1 sessions=0 opens=2 closes=1
	ip link set wwan0 down
	broken 'wwan0: .*down$'
	ip link set wwan0 up
	broken 'wwan0: no default route'
	ip route replace default dev wwan0 metric 700
	whole wwan0

	# the session is gone, the kernel does not know
	run 0 --detach
	broken 'modem: the session is deactivated$'
	run 0 --ensure-connected $apn
	whole wwan0
	ip link del wwan0
	broken 'wwan0: .*no such interface$'
	run 0 --down
	modem_stop
	no_markers

	# activated, but without address
	modem_at session=0 "hexreply=cid15:$nothing"
	run 12 --no-open --verify-connection
	lines err 1
	like err '^mbimctl: verify-connection: .*no address$'
	modem_stop opened=1 sessions=0
	# no interface in sysfs
	rm -rf "$device/1-1.2:1.0/net"
	modem_at session=0
	run 12 --no-open --verify-connection
	lines err 1
	like err '^mbimctl: verify-connection: .*no .*network interface$'
	modem_stop opened=1 sessions=0
	unset MBIMCTL_ROOT

	verifies_6
	verifies_counters
}

# The other family alone, and a session with a number.
verifies_6()
{
	session_option='--session-id 3'
	usb_modem 1199 9079 wwan0
	modem_at
	run 0 --up $apn --session-id 3 --ip-type ipv6
	interface wwan0
	ip link set wwan0 up
	broken 'wwan0.3: .*no such interface$'
	interface wwan0.3
	broken 'wwan0.3: .*down$'
	ip link set wwan0.3 up
	broken 'wwan0.3: .*address$'
	ip addr add 2001:db8:0:3::3/64 dev wwan0.3 nodad
	broken 'wwan0.3: .*address$'
	ip addr add 2001:db8:0:3::2/64 dev wwan0.3 nodad
	broken 'wwan0.3: no default route'
	ip -6 route add default dev wwan0
	broken 'wwan0.3: no default route'
	ip -6 route add default dev wwan0.3 metric 700
	whole wwan0.3
	like out '^vlan id: *3$'
	session_option='--session-id 0'
	broken 'modem: the session is deactivated$'
	ip link del wwan0
	ip link del wwan0.3
	run 0 --down
	modem_stop
	unset MBIMCTL_ROOT
}

# Packets that leave, and none that comes back.
verifies_counters()
{
	session_option=
	cat >"$work/send.c" <<-'END'
	#include <arpa/inet.h>
	#include <stdlib.h>
	#include <sys/socket.h>
	int main(int argc, char **argv)
	{
		struct sockaddr_in to = { .sin_family = AF_INET,
			.sin_port = htons(9) };
		int fd = socket(AF_INET, SOCK_DGRAM, 0), n = atoi(argv[2]);

		inet_aton(argv[argc - 2], &to.sin_addr);
		while (n--)
			if (sendto(fd, "?", 1, 0, (void *)&to, sizeof(to)) < 1)
				return 1;
		return 0;
	}
	END
	helper send "$work/send.c"
	usb_modem 1199 9079 wwan0
	modem_at
	run 0 --up $apn
	ip link add wwan0 type veth peer name farwwan0
	# the other end says nothing by itself
	if ! { echo 1 >/proc/sys/net/ipv6/conf/farwwan0/disable_ipv6; } \
	    2>/dev/null; then
		skip "IPv6 of an interface cannot be switched off"
	fi
	ip link set wwan0 arp off
	ip link set wwan0 up
	ip link set farwwan0 up
	ip addr add 10.0.0.2/30 dev wwan0
	ip route add default dev wwan0
	check "sending" "$tmp/send" 10.0.0.1 30
	broken 'wwan0: packets leave, and none comes back$'
	ip link set farwwan0 arp off
	ip addr add 10.0.0.1/30 dev farwwan0
	ip route replace 10.9.9.9 dev farwwan0
	check "sending back" "$tmp/send" 10.9.9.9 1
	whole wwan0
	ip link del wwan0
	modem_stop opened=1 sessions=0
	unset MBIMCTL_ROOT
}

# What there is of addresses and routes, without the link-local ones.
net_state() # INTERFACE
{
	ip -o addr show dev "$1" scope global | sed 's/ tentative//;s/^[0-9]*: //'
	ip -4 route show dev "$1"
	ip -6 route show dev "$1" | grep -v '^fe80\|^multicast\|^ff00'
	ip link show dev "$1" | sed -n 's/.*\(mtu [0-9]*\).*/\1/p'
}

has_state() # INTERFACE PATTERN
{
	if net_state "$1" | grep -q -e "$2"; then
		pass
	else
		fail "no '$2' in the state of $1: $(net_state "$1")"
	fi
}

# MBIM_IP_CONFIGURATION_INFO of session 0: 10.LAST's /30, MTU 1400
configuration()
{
	printf '%s' 00000000 0f000000 00000000 01000000 3c000000 \
		00000000 00000000 44000000 00000000 00000000 00000000 \
		00000000 00000000 78050000 00000000 1e000000 "0a0000$1" 0a000005
}

# -o ip into a shell: its exit code
piped() # CODE SHELL arguments...
{
	wanted_code=$1 shell=$2
	shift 2
	what="mbimctl -o ip $* | $shell"
	last_run=$what
	timeout -k 1 $((90 * SLOWNESS)) $MBIMCTL -d "$dev" -o ip "$@" \
		2>"$work/err" | PATH=$shell_path timeout 20 $shell \
		>"$work/out" 2>&1
	same "exit code of the pipe" "$wanted_code" $?
	sanitized "$work/err"
}

prints_ip()
{
	usb_modem 1199 9079 wwan1
	modem_at iptype=4
	run 0 -o ip --metric 700 --up $apn
	lines err 0
	same "each line is there once" "" "$(grep '^ip .* route\|^# ' \
		"$work/out" | sort | uniq -d)"
	like out "^ip link set dev 'wwan1' mtu 1480"	# IPv6's, the smaller
	like out "^ip link set dev 'wwan1' up\$"
	like out "^ip .*route replace default dev 'wwan1' metric 700\$"
	same "name servers" '# nameserver 192.0.2.53
# nameserver 192.0.2.54
# nameserver 2001:db8::35' "$(grep '^#' "$work/out")"
	unlike out vlan
	unlike out '^exit'
	cp "$work/out" "$work/first"
	run 0 -o ip --metric 700 --ensure-connected $apn
	same "what --ensure-connected prints" "$(cat "$work/first")" \
		"$(cat "$work/out")"
	run 0 -o ip --metric 700 --get-ip-configuration
	same "what --get-ip-configuration prints" "$(cat "$work/first")" \
		"$(cat "$work/out")"
	run 0 -o ip --up $apn
	like out "^ip .*route replace default dev 'wwan1' metric 700\$"
	cp "$work/out" "$work/script0"
	run 0 -o ip --up $apn --session-id 3
	like out "^ip link set dev 'wwan1' up\$"
	like out "ip link add link 'wwan1' name 'wwan1.3' type vlan id 3\$"
	like out "^ip .*10.0.3.2/30 dev 'wwan1.3'"
	like out "^ip .*2001:db8:0:3::2/64 dev 'wwan1.3'"
	same "the VLAN comes before its addresses" vlan "$(grep -o -m 1 \
		'vlan\|addr' "$work/out")"
	cp "$work/out" "$work/script3"
	run 2 -o ip --get-device-caps
	same "what has no address" 'exit 2' "$(cat "$work/out")"
	run 0 -o ip --down
	same "what undoes it" "set -e
ip addr flush dev 'wwan1'
ip link set dev 'wwan1' down
ip link del dev 'wwan1.3' || :" "$(cat "$work/out")"
	run 0 -o ip --down
	lines out 0
	modem_stop
	for family in ipv4 ipv6; do
		modem_at
		run 0 -o ip --up $apn --ip-type $family
		same "other family" 0 "$(case $family in
			ipv4) grep -c -e '-6\|2001:' "$work/out" ;;
			ipv6) grep -v '^ip -4 addr flush' "$work/out" |
				grep -c -e '-4\|10\.0' ;;
			esac)"
		modem_stop opened=1 sessions=0
	done
	if command -v shellcheck >/dev/null; then
		for script in script0 script3 first; do
			cp "$work/$script" "$work/out"
			check "shellcheck of $script" \
				shellcheck -s sh "$work/$script"
		done
	else
		skip "no shellcheck"
	fi

	# failure: the pipe fails, too
	modem_at sim=absent
	run 8 -o ip --up $apn
	lines err 1
	same "what is printed" 'exit 8' "$(cat "$work/out")"
	shell_path=$PATH
	piped 8 sh --up $apn
	piped 8 sh --ensure-connected $apn
	piped 2 sh --up --allow mars
	modem_stop
	modem_at nwerror=33
	piped 9 sh --up $apn
	modem_stop
	rm -rf "$device/1-1.2:1.0/net"
	modem_at
	run 3 -o ip --up $apn
	lines err 1
	same "without an interface" 'exit 3' "$(cat "$work/out")"
	run 0 --down
	modem_stop
	run 2 -o ip --metric much --up $apn
	run 2 -o ip --metric 4294967296 --up $apn
	unset MBIMCTL_ROOT
}

# An interface may have any name but for / and blanks; none is run by the shell.
# A name that would need more than quotes is not printed at all.
quotes_names()
{
	usb_modem 1199 9079 "w'\$(id)"
	modem_at
	run 3 -o ip --up $apn --session-id 3
	same "the script" 'exit 3' "$(cat "$work/out")"
	like err 'usable'
	same "disconnects: nothing is undone" 0 $(($(sets_of 0c) / 2))
	modem_stop opened='*' sessions='*'
	usb_modem 1199 9079 'w $(id)'
	modem_at
	run 0 -o ip --up $apn
	like out "^ip link set dev 'w \$(id)' up\$"
	modem_stop opened=1 sessions=0
	unset MBIMCTL_ROOT
}

runs_ip()
{
	if [ "$NETNS" != root ] || ! interface wwan2; then
		skip "$no_interfaces"
		return
	fi
	mkdir -p "$work/applets"
	shells='sh'
	if command -v busybox >/dev/null &&
	    busybox --list | grep -qx ip && busybox --list | grep -qx ash; then
		ln -s "$(command -v busybox)" "$work/applets/ip"
		shells='sh busybox@ash'
	else
		skip "no busybox with ash and ip"
	fi
	for shell in $shells; do
		shell_path=$PATH
		[ "$shell" = sh ] || shell_path=$work/applets:$PATH
		shell=$(echo "$shell" | tr @ ' ')
		rm -rf "$work/run"
		usb_modem 1199 9079 wwan2
		modem_at iptype=4
		piped 0 "$shell" --metric 700 --up $apn
		lines out 0
		lines err 0
		has_state wwan2 'wwan2 *inet 10.0.0.2/30 '
		has_state wwan2 'wwan2 *inet6 2001:db8::2/64 '
		same "default routes" 2 "$(net_state wwan2 |
			grep -c '^default .*metric 700')"
		has_state wwan2 '^mtu 1480$'
		run 0 --verify-connection
		lines err 0
		first=$(net_state wwan2)
		ip monitor addr route link >"$work/monitor" 2>&1 &
		monitor=$!
		piped 0 "$shell" --metric 700 --ensure-connected $apn
		same "after a second run" "$first" "$(net_state wwan2)"
		sleep 0.1
		kill $monitor
		same "addresses that went" 0 "$(grep -c \
			'Deleted.*wwan2.*inet' "$work/monitor")"
		modem_stop opened=1 sessions=0

		# another address, another MTU; then the one from before
		rm -rf "$work/run"
		modem_at "hexreply=cid15:$(configuration 06)"
		piped 0 "$shell" --metric 700 --up $apn
		has_state wwan2 'inet 10.0.0.6/30 '
		has_state wwan2 '^mtu 1400$'
		same "old addresses" 0 "$(net_state wwan2 | grep -c '10.0.0.2')"
		same "default routes of IPv4" 1 "$(ip -4 route show dev wwan2 |
			grep -c '^default')"
		run 0 --verify-connection
		modem_stop opened=1 sessions=0
		ip addr flush dev wwan2
		ip link set wwan2 down

		# VLAN: the interface below comes up, too
		rm -rf "$work/run"
		modem_at iptype=4
		if ip link add link wwan2 name wwan2.9 type vlan id 9 \
		    2>/dev/null; then
			ip link del wwan2.9
		else
			skip "no VLANs in this kernel: wwan2.3 is there before"
			interface wwan2.3
		fi
		piped 0 "$shell" --up $apn --session-id 3
		lines out 0
		has_state wwan2.3 'inet 10.0.3.2/30 '
		has_state wwan2.3 'inet6 2001:db8:0:3::2/64 '
		has_state wwan2.3 '^default '
		run 0 --verify-connection --session-id 3
		first=$(net_state wwan2.3)
		piped 0 "$shell" --up $apn --session-id 3
		same "after a second run" "$first" "$(net_state wwan2.3)"
		modem_stop opened=1 sessions=3
		ip link del wwan2.3
		ip link set wwan2 down
	done
	unset MBIMCTL_ROOT
	ip link del wwan2
}

# One after the other: they have one routing table.
kernel()
{
	verifies
	runs_ip
}

# ---- --fcc-unlock ----

# How often the modem heard a QMI message of DMS; the others by their UUID
dms() { grep -c "^> 03000000.*00${1}[0-9a-f]*\$" "$log"; }

quectel=11223344556677

# METHOD: the modem of its kind
kind()
{
	case $1 in
	sierra) echo ;;
	*) echo "$1=1" ;;
	esac
}

# What was sent is what the method is: METHOD
sent_by()
{
	same "messages of each method, for $1" "$(case $1 in
		sierra) echo 1 0 0 ;;
		foxconn) echo 0 1 0 ;;
		quectel) echo 0 0 1 ;;
		esac)" "$(dms 5f55) $(dms 7155) $(grep -c "^> .*$quectel" "$log")"
}

unlocked()
{
	like out '^sw radio state: *on$'
	lines err 0
	modem_stop fcc_locked=0 radio=1 opens=1 closes=1 "allocs=$1" \
		"releases=$1"
}

unlocks()
{
	# by name
	for method in sierra foxconn quectel; do
		modem_start fcc=1 $(kind $method)
		run 0 --fcc-unlock --method $method
		clients=1
		[ $method != quectel ] || clients=0
		unlocked $clients
		sent_by $method
		# which is lifted, and then radio and all the rest work
		modem_start fcc=1 $(kind $method)
		run 10 --up $apn
		run 0 --fcc-unlock --method $method
		run 0 --up $apn
		modem_stop opened=1 sessions=0 fcc_locked=0 radio=1

		# success is the effect, not the status
		for fcc in 3 4; do
			modem_start fcc=$fcc $(kind $method)
			run 10 --fcc-unlock --method $method
			lines err 1
			lines out 0
			like err '^mbimctl: fcc-unlock: radio: .*locked$'
			modem_stop fcc_locked=1 radio=0
		done
		# the modem has not got it
		other=foxconn=1
		[ $method != foxconn ] || other=quectel=1
		modem_start fcc=1 $other
		run 11 --fcc-unlock --method $method
		lines err 1
		like err '^mbimctl: fcc-unlock: unlock: '
		modem_stop fcc_locked=1
		# nor has it anything to say
		modem_start fcc=1 silent=qmi silent=2 $(kind $method)
		run 4 -t $second --fcc-unlock --method $method
		lines err 1
		modem_stop
	done
	# firmware that wants a zero, which M2 finds out
	for old in 2 3; do
		modem_start fcc=1 foxconn=$old
		run 0 --fcc-unlock --method foxconn
		unlocked 1
	done
	modem_start fcc=3 foxconn=2
	run 10 --fcc-unlock --method foxconn
	modem_stop fcc_locked=1
	modem_start fcc=1 foxconn=1 qmierror=0x25:3
	run 1 --fcc-unlock --method foxconn
	lines err 1
	modem_stop fcc_locked=1

	# not locked: that does no harm
	modem_start
	run 0 --fcc-unlock --method sierra
	modem_stop radio=1
	modem_start
	run 2 --fcc-unlock --method magic
	run 2 --fcc-unlock sierra
	modem_stop opens=0
}

unlocks_by_id()
{
	for entry in 1199:9079=sierra 03f0:4e1d=sierra 413c:81a3=sierra \
	    413c:81a8=sierra 105b:e0ab=foxconn 105b:e0c3=foxconn \
	    05c6:90d5=foxconn 2c7c:030a=quectel 2c7c:0313=quectel \
	    2c7c:0314=quectel 2c7c:0801=quectel; do
		ids=${entry%=*}
		usb_modem "${ids%:*}" "${ids#*:}"
		modem_at fcc=1 $(kind "${entry#*=}")
		run 0 --fcc-unlock
		modem_stop fcc_locked=0 radio=1
		sent_by "${entry#*=}"
	done
	for entry in 1eac:1001=quectel 1eac:1004=quectel 1eac:1007=quectel \
	    105b:e0ab=foxconn; do
		ids=${entry%=*}
		pcie_modem_at "0x${ids%:*}" "0x${ids#*:}" fcc=1 \
			$(kind "${entry#*=}")
		run 0 --fcc-unlock
		modem_stop fcc_locked=0 radio=1
		sent_by "${entry#*=}"
	done
	# a name goes before the ids
	usb_modem 1199 9079
	modem_at fcc=1 quectel=1
	run 0 --fcc-unlock --method quectel
	modem_stop fcc_locked=0
	sent_by quectel

	# those that nobody knows a method for
	usb_modem 1199 9071
	modem_at fcc=1 quectel=1
	run 11 --fcc-unlock
	lines err 1
	like err '^mbimctl: fcc-unlock: method: .*1199:9071.*--method'
	modem_stop fcc_locked=1 requests=0
	pcie_modem_at 0x8086 0x7560 fcc=1
	run 11 --fcc-unlock
	like err '8086:7560'
	like err 'XMM RPC'
	modem_stop fcc_locked=1 requests=0
	unset MBIMCTL_ROOT
	modem_start fcc=1
	run 11 --fcc-unlock
	lines err 1
	like err '^mbimctl: fcc-unlock: method: .*this modem.*--method'
	modem_stop fcc_locked=1 requests=0
}

# A no that says nothing of the session: what is up stays up.
refusals()
{
	modem_start opened=1 session=0 statusq=cid15:1
	run 1 --no-open --ensure-connected $apn
	like err 'Busy'
	same "sets" "" "$(sets)"
	modem_stop opened=1 sessions=0
	modem_start opened=1 session=0 statusq=cid12:1
	run 1 --no-open --ensure-connected $apn
	run 1 --no-open --verify-connection
	same "sets" "" "$(sets)"
	modem_stop opened=1 sessions=0

	# slow is not silent, when there is little time
	modem_start opened=1 session=0 delay=$((1200 * SLOWNESS))
	run 4 --no-open -t $((2 * SLOWNESS)) --ensure-connected $apn
	modem_stop opened=1 sessions=0 opens=0

	# what the modem does not have, it need not tell
	for key in status=cid10:9 statusq=cid10:9 statusq=cid12:9 \
	    statusq=cid3:9 statusq=cid2:9 statusq=cid9:9; do
		modem_start $key autoattach=1
		run 0 --up $apn
		modem_stop opened=1 sessions=0
	done
	# that the SIM is missing, some tell by a status
	modem_start statusq=cid2:3
	run 8 --up $apn
	lines err 1
	like err 'SIM: .*SimNotInserted'
	modem_stop

	# a session that will not end ends with the function
	modem_start
	run 0 --up $apn
	run 0 --up $apn --session-id 3
	modem_check opened=1 sessions=0,3
	run 0 -s --down
	like out "^mbim_sessions='[03] [03]'\$"
	modem_stop sessions=
	modem_start status=cid12:2 session=0
	run 0 --no-open --get-connect
	run 1 --no-open --down
	modem_stop opened=1 sessions=0
	modem_start status=22:2		# the first disconnect
	run 0 --up $apn
	run 0 --up $apn --session-id 3
	run 0 -j --down
	lines err 1
	like err 'closing'
	like out '"sessions":\[0,3\]'
	modem_stop sessions= closes=1
}

# What is no PIN costs no attempt.
no_pins()
{
	modem_start pin=1234
	for pin in '' 123 abcd 123456789 12a4 ' 1234'; do
		run 2 --up $apn --pin "$pin"
		like err '^mbimctl: up: --pin: not 4 to 8 digits'
	done
	printf '1234\r\n' >"$work/pin"
	run 2 --up $apn --pin-file "$work/pin"
	run 2 --up $apn --pin -s
	like out "^mbim_exit='2'\$"
	modem_check opens=0 pin_attempts=0
	printf '1234\n' >"$work/pin"
	run 0 --up $apn --pin-file "$work/pin"
	modem_stop opened=1 sessions=0 pin_attempts=1
	# cron repeats: it must know how many attempts are left
	modem_start pin=1234 noattempts=1
	run 7 --ensure-connected $apn --pin 1234
	like err '--force'
	modem_check pin_attempts=0
	run 0 --ensure-connected $apn --pin 1234 --force
	modem_stop opened=1 sessions=0 pin_attempts=1
}

# What may cut the user off is not done by mistake.
wants_yes()
{
	modem_start pin=1234 attempts=0
	run 2 --unblock-pin --puk 12345678 --new-pin 1234
	lines err 1
	like err '^mbimctl: unblock-pin: .*--yes'
	run 2 --get-radio-state --dms-swi-set-usb-composition 8
	lines err 1
	like err '^mbimctl: dms-swi-set-usb-composition: .*--yes'
	for mode in factory-test offline reset shutting-down 4; do
		run 2 --dms-set-operating-mode $mode
		like err '^mbimctl: dms-set-operating-mode: .*--yes'
	done
	lines out 0
	modem_check opens=0 requests=0 pin_attempts=0
	run 0 --yes --unblock-pin --puk 12345678 --new-pin 1234
	run 0 --dms-set-operating-mode low-power
	run 0 --dms-set-operating-mode online
	run 0 --dms-swi-set-usb-composition 8 --yes
	modem_stop pin_attempts=1
}

# What a job prints has the same variables, whatever came of it, and the same
# keys, if all went well.
variables() { sed -n "s/='.*//p" "$work/out" | grep -v '_error$' | xargs; }
keys() { grep -o '"[a-z0-9_]*":' "$work/out" | xargs; }

job_outputs() # JOB...: one that goes well
{
	run 0 -s "$@"
	good=$(variables)
	run 0 -j "$@"
	check "strict JSON" "$JSON" <"$work/out"
	good_keys=$(keys)
}

same_outputs() # CODE JOB...
{
	wanted_exit=$1
	shift
	run "$wanted_exit" -s "$@"
	same "variables" "$good" "$(variables)"
	like out "^mbim_exit='$wanted_exit'\$"
	run "$wanted_exit" -j "$@"
	check "strict JSON" "$JSON" <"$work/out"
	like out "^{\"command\":\"[a-z-]*\",\"error\":{\"exit\":$wanted_exit,"
}

outputs()
{
	modem_start iptype=4
	job_outputs --up $apn
	like out '^{"command":"up","interface":null,"vlan_id":null,"session_id'
	modem_stop opened=1 sessions=0
	for options in fcc=1 sim=absent deny=11 nwerror=33; do
		modem_start $options
		case $options in
		fcc*)	same_outputs 10 --up $apn ;;
		sim*)	same_outputs 8 --up $apn ;;
		*)	same_outputs 9 --up $apn ;;
		esac
		modem_stop
	done
	modem_start silent=cid12
	same_outputs 4 -t $second --up $apn
	modem_stop opened='*' sessions='*' overlapped='*'
	modem_start
	job_outputs --ensure-connected $apn
	same "those of up" "$(run 0 -j --up $apn; keys | cut -d ' ' -f 2-)" \
		"$(echo "$good_keys" | cut -d ' ' -f 2-)"
	modem_stop opened=1 sessions=0
	modem_start sim=absent
	same_outputs 8 --ensure-connected $apn
	modem_stop
	modem_start
	run 12 -s --verify-connection
	for variable in interface vlan_id rx_packets tx_packets session_id \
	    ipv4_address ipv6_mtu; do
		like out "^mbim_$variable=''\$"
	done
	run 0 -s --prefix a --up $apn --prefix b --down
	like out "^a_ipv4_address='10.0.0.2/30'\$"
	like out "^b_sessions='0'\$"
	like out "^b_exit='0'\$"
	run 2 -s --up $apn --ensure-connected $apn
	lines err 1
	like err '--prefix'
	modem_stop
}

# ---- runs that meet, runs that are killed ----

# So many at once, on a terminal, which has a lock; all are to be well.
at_once() # N arguments...
{
	crowd=$1
	shift
	runs=
	i=0
	while [ $i -lt "$crowd" ]; do
		i=$((i + 1))
		$MBIMCTL -d "$dev" -t $((30 * SLOWNESS)) "$@" \
			>"$work/out.$i" 2>"$work/err.$i" &
		runs="$runs $!"
	done
	what="$crowd at once: $*"
	last_run=$what
	all_end_well "$what" $runs
	cat "$work"/err.* >"$work/err"
}

meet()
{
	for n in 2 5; do
		modem_pty delay=20
		at_once $n --ensure-connected $apn
		same "those who say that they connect" 1 "$(cat "$work"/err.* |
			grep -c 'connecting$')"
		modem_check opened=1 sessions=0 opens=1 closes=0
		same "sets" "0a 0c" "$(sets)"
		at_once $n --ensure-connected $apn
		same "what they say of a healthy session" "" \
			"$(cat "$work"/err.*)"
		modem_check opened=1 sessions=0 opens=1 closes=0
		run 0 --detach
		at_once $n --ensure-connected $apn
		modem_check opened=1 sessions=0 opens=1 closes=0
		reboot
		at_once $n --ensure-connected $apn
		modem_check opened=1 sessions=0 opens=2 closes=0 notopened=1
		run 0 --down
		modem_stop clients=
		no_markers
	done
	# with others, which have QMI clients
	modem_pty
	at_once 3 --ensure-connected $apn --dms-get-ids
	at_once 3 --dms-get-ids --ensure-connected $apn
	modem_check opened=1 sessions=0 opens=1 closes=0 allocs=6 releases=6
	at_once 3 --down
	modem_stop sessions=
	no_markers
}

# SIGNAL NUMBER HOW: a run that is ended while the modem is slow with its n-th
# answer
interrupted()
{
	rm -rf "$work/run"
	$3 late=$2:$((1500 * SLOWNESS))
	$MBIMCTL -d "$dev" --ensure-connected $apn >"$work/out" 2>"$work/err" &
	victim=$!
	until_heard "$2"
	sleep 0.05
	kill -"$1" $victim
	# the shell would tell of it
	wait $victim 2>/dev/null
	ended=$?
	last_run="--ensure-connected, SIG$1 at message $2"
	what=$last_run
}

# The next run finds what a killed one left, and repairs.
killed()
{
	for n in $2; do
		interrupted KILL $n "$1"
		same "end of $last_run" 137 $ended
		run 0 -t $((20 * SLOWNESS)) --ensure-connected $apn
		like out '10.0.0.2/30'
		modem_check opened=1 sessions=0 overlapped='*' bad=0
		run 0 -t $((20 * SLOWNESS)) --ensure-connected $apn
		lines err 0
		run 0 -t $((20 * SLOWNESS)) --down
		modem_stop overlapped='*' sessions= bad=0 clients=
		no_markers
	done
}

killed_1() { killed modem_start '1 2 3 4 5 6'; }
killed_2() { killed modem_start '7 8 9 10 11 12'; }
killed_3() { killed modem_pty '1 2 3 4 5 6'; }
killed_4() { killed modem_pty '7 8 9 10 11 12'; }

# A signal that can be caught: it cleans up behind itself, or, where it has
# connected already, leaves a session that is known, for --down.
terminated()
{
	for n in $1; do
		interrupted TERM "$n" modem_start
		same "end of $last_run" 143 $ended
		modem_report
		if [ -n "$(ls "$work/run" 2>/dev/null)" ]; then
			check "a session of ours" test "$n" -gt 10
			check_report opened=1 sessions=0 overlapped='*'
			run 0 -t $((20 * SLOWNESS)) --down
		fi
		modem_stop sessions= overlapped='*'
		no_markers
	done
}

terminated_1() { terminated '1 2 3 4 5 6 7'; }
terminated_2() { terminated '8 9 10 11 12 13'; }

# A QMI client of a killed run is gone when the next one opens the function.
killed_unlock()
{
	for n in 2 3 4 5; do
		modem_start fcc=1 late=$n:$((1500 * SLOWNESS))
		$MBIMCTL -d "$dev" --fcc-unlock --method sierra \
			>"$work/out" 2>"$work/err" &
		victim=$!
		until_heard $n
		kill -KILL $victim
		wait $victim 2>/dev/null
		run 0 -t $((20 * SLOWNESS)) --fcc-unlock --method sierra
		modem_stop fcc_locked=0 radio=1 overlapped='*'
	done
}

together comes_up stops_at_radio stops_at_sim pins stops_at_network \
	stops_at_session stops_without_ip leaves_what_it_found makes_anew refusals no_pins silent_1 \
	silent_2 silent_3 silent_4 rough slow_modem slow_quiet_modem healthy \
	repaired replugged fell_silent downs downs_late waits waits_later \
	waits_without waits_for_others kernel prints_ip quotes_names \
	unlocks unlocks_by_id wants_yes outputs meet killed_1 killed_2 killed_3 \
	killed_4 terminated_1 terminated_2 killed_unlock
finish
