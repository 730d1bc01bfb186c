#!/bin/busybox sh
# SPDX-License-Identifier: ISC
#
# What tests/kernel.sh runs in the guest, in busybox ash. The kernel starts it
# in the place of /init; it plugs the modem in and goes on as /init, which
# connects, as it would on a machine of a user's, and then calls it again, for
# the cases. Each prints one line: ok NAME, FAILED NAME: why, skip NAME: why.
# $WAY is wdm, for /dev/cdc-wdm0, or wwan, for /dev/wwan0mbim0.

bed=/bed
PATH=/usr/bin:/usr/sbin:/bin:/sbin
export PATH

start_modem() # key=value...
{
	rm -f $bed/fifo $bed/log $bed/report $bed/ready
	mkfifo $bed/fifo
	: >$bed/ready
	$bed/usb -l $bed/log -r $bed/report -c $bed/fifo "$@" \
		>$bed/ready 2>$bed/said &
	echo $! >$bed/pid
	tries=0
	until grep -q ready $bed/ready; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return
		usleep 10000
	done
}

# ---- the hardware, before there is an /init ----

if [ -z "$NEXT" ]; then
	/bin/busybox mkdir -p /proc /sys /dev /tmp
	/bin/busybox --install -s
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs dev /dev
	stty -F /dev/ttyS1 -onlcr
	exec >/dev/ttyS1 2>&1
	drivers=/lib/modules/$(uname -r)/kernel/drivers/usb
	insmod "$drivers/common/usb-common.ko"
	insmod "$drivers/core/usbcore.ko"
	insmod $bed/usbip-core.ko
	insmod $bed/vhci-hcd.ko || exec reboot -f
	start_modem
	umount -l /dev
	umount /sys
	umount /proc
	NEXT=$0 exec /init
fi

# ---- what the cases have in common ----

# A kernel that has WWAN ports has the other node as well: -d says which.
node=/dev/cdc-wdm0 on=''
wwan() { [ "$WAY" = wwan ]; }
if wwan; then
	node=/dev/wwan0mbim0
	on="-d $node"
fi

out=/tmp/out
err=/tmp/err

complain() { why="$why; $*"; }

check() # WHAT command...
{
	check_what=$1
	shift
	"$@" >/dev/null 2>&1 || complain "$check_what"
}

same() # WHAT EXPECTED GOT
{
	[ "$2" = "$3" ] || complain "$1: '$3', not '$2'"
}

# Milliseconds since boot, in tens; took: since $then
clock()
{
	read -r up rest </proc/uptime
	echo "${up%.*}${up#*.}0"
}

took() { echo $(($(clock) - then)); }

within() # MS
{
	passed_ms=$(took)
	[ "$passed_ms" -le "$1" ] ||
		complain "took $passed_ms ms, not $1 at most"
}

# $on is split on purpose: it is an option, or nothing.
# shellcheck disable=SC2086
run() # CODE arguments...
{
	wanted=$1
	shift
	plain "$wanted" $on "$@"
}

plain() # the same without -d
{
	wanted=$1
	shift
	last="mbimctl $*"
	began_run=$(clock)
	timeout 60 mbimctl "$@" >$out 2>$err
	code=$?
	ms=$(($(clock) - began_run))
	[ $ms -le "$slowest" ] || slowest=$ms
	[ $code = "$wanted" ] || complain "$(echo "$last" | cut -c 1-60) ended \
with $code, not $wanted: $(head -n 1 $err)"
}

like() # out|err PATTERN
{
	grep -q -e "$2" "/tmp/$1" ||
		complain "no '$2' in std$1 of $(echo "$last" | cut -c 1-60)"
}

signal() { run 0 --get-signal-state; like out '^rssi: *-71 dBm'; }

wait_until() # TENTHS command...
{
	tenths=$1
	shift
	until "$@" >/dev/null 2>&1; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || return
		usleep 100000
	done
}

there() { [ -c $node ] && [ -d /sys/class/net/wwan0 ]; }
gone() { [ ! -c $node ] && [ ! -d /sys/class/net/wwan0 ]; }

# A line to the modem; the mark after it, in the log, says that it was done.
marks=0
hook()
{
	marks=$((marks + 1))
	timeout 10 sh -c 'echo "$1" >'$bed/fifo sh "$*"
	timeout 10 sh -c 'echo "mark hook$1." >'$bed/fifo sh $marks
	wait_until 50 grep -q "^# hook$marks\\." $bed/log ||
		complain "the modem did not do '$*'"
}

kill_modem()
{
	kill "$(cat $bed/pid)" 2>/dev/null
	wait_until 50 gone
}

modem() # key=value...: a fresh one
{
	kill_modem
	start_modem "$@" || complain "the modem did not start: $(cat $bed/said)"
	wait_until 100 there || complain "no $node"
}

reported() { sed -n "s/^$1=//p" $bed/report; }

# What a well-mannered host leaves behind: the function closed, no QMI client,
# nothing wrong heard. key=value is expected instead, key=* is not looked at.
manners() # key=value...
{
	rm -f $bed/report
	kill -USR1 "$(cat $bed/pid)"
	wait_until 50 grep -q '^bad=' $bed/report
	for key in opened=0 clients= bad=0; do
		for pair; do
			case $pair in
			"${key%%=*}"=*)	key= ;;
			esac
		done
		[ -z "$key" ] || set -- "$@" "$key"
	done
	for pair; do
		[ "${pair#*=}" = '*' ] || [ "$(reported "${pair%%=*}")" = \
			"${pair#*=}" ] || complain "the modem reports \
${pair%%=*}=$(reported "${pair%%=*}"), not '${pair#*=}' $(reported bad_reason)"
	done
}

the_case() # NAME: runs the function case_NAME
{
	why='' note=''
	began=$(clock) slowest=0
	"case_$1"
	if [ -z "$why" ]; then
		echo "ok $1${note:+ ($note)} $(($(clock) - began)) ms, a run: $slowest"
	else
		echo "FAILED $1: ${why#; }"
	fi
}

skip() { echo "skip $1: $2"; }

pings() # INTERFACE ADDRESS: three, all answered
{
	timeout 20 ping -A -c 3 -W 3 -I "$1" "$2" >/tmp/ping 2>&1
	grep -q ' 3 packets received' /tmp/ping || complain \
		"ping through $1: $(grep -e transmitted -e ping: /tmp/ping)"
	note="$note${note:+, }$(grep -c '^64 bytes' /tmp/ping) pings answered \
through $1"
}

# ---- the initramfs: what /init has done, and the boot script ----

connected()
{
	check "wwan0 has its address" sh -c \
		'ip addr show dev wwan0 | grep -q "inet 10.0.0.2/30"'
	check "wwan0 has its IPv6 address" sh -c \
		'ip addr show dev wwan0 | grep -q "inet6 2001:db8::2/64"'
	check "there is a default route" sh -c \
		'ip route | grep -q "^default dev wwan0"'
	same "name servers" "192.0.2.53 192.0.2.54 2001:db8::35" \
		"$(sed -n 's/^nameserver //p' /etc/resolv.conf | tr '\n' ' ' |
		sed 's/ $//')"
	pings wwan0 192.0.2.1
}

case_init()
{
	connected
	manners opened=1 sessions=0
	check "init-wwan down" init-wwan down
	manners sessions=
	check "wwan0 is down" sh -c '! ip link show wwan0 | grep -q ,UP'
}

case_boot_script()
{
	script=/scripts/init-premount/mbimctl
	modem
	rm -f /etc/resolv.conf
	same "prerequisites" "" "$(sh $script prereqs)"
	quiet=n sh $script >$out 2>$err
	same "exit code" 0 $?
	connected
	manners opened=1 sessions=0
	init-wwan down
	manners sessions=
}

# The PIN comes from a file, which nothing else has to name.
case_pin_file()
{
	modem pin=1234
	echo 1234 >/tmp/pin
	PIN_FILE=/tmp/pin init-wwan >$out 2>$err
	same "exit code with a PIN" 0 $?
	connected
	manners opened=1 sessions=0 pin_attempts=1
	init-wwan down
	manners sessions= pin_attempts=1
}

case_no_modem()
{
	kill_modem
	plain 3 --get-device-caps
	like err 'no MBIM port'
	then=$(clock)
	WAIT=1 timeout 20 init-wwan >$out 2>$err
	same "init-wwan without a modem" 3 $?
	within 4000
}

# ---- the jobs ----

# One line, and one more for session 3, from the FCC lock to pings; once more,
# which changes nothing.
# shellcheck disable=SC2086
case_up()
{
	modem fcc=1
	run 10 --up --apn internet
	run 0 --fcc-unlock --method sierra
	then=$(clock)
	mbimctl $on --up --apn internet -o ip | sh && pings wwan0 192.0.2.1
	same "exit code of the line" 0 $?
	within 5000
	mbimctl $on --up --apn internet --session-id 3 -o ip | sh &&
		pings wwan0.3 192.0.2.1
	same "exit code for session 3" 0 $?
	ip addr show >$out.before
	ip route show >>$out.before
	mbimctl $on --ensure-connected --apn internet -o ip | sh
	mbimctl $on --ensure-connected --apn internet --session-id 3 -o ip | sh
	{ ip addr show; ip route show; } >$out.after
	check "a second time changes nothing" cmp $out.before $out.after
	manners opened=1 sessions=0,3 opens=3
}

case_verify()
{
	run 0 --verify-connection --session-id 3
	run 0 --verify-connection
	ip addr flush dev wwan0
	run 12 --verify-connection
	like err "wwan0: the interface lacks the modem's address"
	ip link set wwan0 down
	run 12 --verify-connection
	like err 'wwan0: the interface is down'
	run 0 --down
	manners sessions=
	run 12 --verify-connection
	ip link del wwan0.3
}

# ---- the main job ----

case_list()
{
	modem fcc=1
	plain 0 --list
	like out "^  $node  *wwan0  "
	plain 0 --list -o sh
	eval "$(cat $out)"
	if wwan; then
		same "ports" "2 /dev/cdc-wdm0 wwan0 $node wwan0" \
			"$mbim_ports_count $mbim_ports_0_device \
$mbim_ports_0_interface $mbim_ports_1_device $mbim_ports_1_interface"
	else
		same "ports" "1 $node wwan0" "$mbim_ports_count \
$mbim_ports_0_device $mbim_ports_0_interface"
	fi
}

# Two nodes, but one modem.
case_without_d()
{
	modem
	plain 0 --get-device-caps
	like out '^hardware info: *EM7355$'
	manners
}

case_caps()
{
	modem fcc=1
	run 0 --get-device-caps
	like out '^hardware info: *EM7355$'
	manners opens=1 closes=1
}

case_fcc_lock()
{
	run 10 --set-radio-state on
	run 0 --dms-set-fcc-authentication
	run 0 --set-radio-state on
	like out '^sw radio state: *on'
	manners allocs=1 releases=1
}

case_connect()
{
	run 0 --register
	run 0 --attach
	run 0 --connect --apn internet --ip-type ipv4
	like out '^activation state: *activated'
	manners opened=1 sessions=0
}

case_configure()
{
	run 0 --get-ip-configuration -o sh
	eval "$(cat $out)"
	same mbim_exit 0 "$mbim_exit"
	check "link up" ip link set wwan0 up
	check "mtu" ip link set wwan0 mtu "$mbim_ipv4_mtu"
	check "address" ip addr add "$mbim_ipv4_address" dev wwan0
	check "route" ip route add default dev wwan0
}

case_ping() { pings wwan0 192.0.2.1; }

case_session_3()
{
	run 0 --connect --session-id 3 --apn internet --ip-type ipv4
	run 0 --get-ip-configuration --session-id 3 -o sh
	eval "$(cat $out)"
	check "VLAN 3" ip link add link wwan0 name wwan0.3 type vlan id 3
	check "VLAN 3 up" ip link set wwan0.3 up
	# the simulated network gives each session the same addresses
	check "address" ip addr add 10.0.3.2/30 dev wwan0.3
	pings wwan0.3 10.0.3.1
	manners opened=1 sessions=0,3
}

case_ten_queries()
{
	manners opened=1 sessions=0,3
	opens=$(reported opens)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		signal
	done
	manners opened=1 sessions=0,3 "closes=$(reported closes)" \
		"opens=$opens"
	pings wwan0 192.0.2.1
	pings wwan0.3 10.0.3.1
	check "the modem saw pings of session 0" test "$(reported pings0)" -ge 3
	check "the modem saw pings of session 3" test "$(reported pings3)" -ge 3
}

case_disconnect()
{
	run 0 --disconnect --session-id 3
	manners opened=1 sessions=0
	pings wwan0 192.0.2.1
	run 0 --disconnect
	manners sessions=
	same "markers" "" "$(ls /run/mbimctl 2>/dev/null)"
	check "no ping without a session" sh -c \
		'! timeout 10 ping -c 1 -W 1 -I wwan0 192.0.2.1'
	run 0 --close
	manners sessions=
}

# DSS (MBIM 1.0 §10.5.39): service, session 5, activate; VLAN 256 + 5.
received() { cat /sys/class/net/wwan0.261/statistics/rx_packets; }

case_dss()
{
	dss=c08a26dd-7718-4382-8482-6e0d583c4d0e
	modem
	run 0 --attach --connect --apn internet
	run 0 --raw-mbim "$dss,1,set,c08a26dd771843828482\
6e0d583c4d0e0500000001000000"
	check "link up" ip link set wwan0 up
	check "VLAN 261" ip link add link wwan0 name wwan0.261 type vlan id 261
	check "VLAN 261 up" ip link set wwan0.261 up
	before=$(received)
	hook dss 5 hello
	hook dss 5 again
	wait_until 20 test "$(received)" -ge $((before + 2))
	same "frames on VLAN 261" 2 $(($(received) - before))
	# a frame of ours, which the modem sends back: ARP, for it is not IP
	ip link set wwan0.261 arp on
	ip addr add 10.0.5.2/30 dev wwan0.261
	timeout 2 ping -c 1 10.0.5.1 >/dev/null 2>&1
	usleep 200000
	got=$(received)
	manners opened=1 sessions=0 dss5=$((got - before - 2))
	check "a frame came back" test "$(reported dss5)" -ge 1
	note="$((got - before)) frames on VLAN 261"
	run 0 --disconnect
	manners sessions=
}

# ---- the edges of the driver ----

# The n-th field of the log's frames are their bytes: the longest one's length.
longest() # '>' or '<'
{
	sed -n "s/^$1 //p" $bed/log | awk '{ n = length($0) / 2
		if (n > most) most = n } END { print most + 0 }'
}

# Requests and replies that are longer than the control size. The modem keeps
# filters and gives them back, but 2,048 bytes at most; it has no service 0.
control_size()
{
	size=$1
	modem "maxcontrol=$size" longfw=3000
	run 0 --get-device-caps
	like out '[0-9]\{3000\}$'
	filter=$(printf '%0384d' 8)
	set -- --set-ip-packet-filters
	for i in 1 2 3 4 5; do
		set -- "$@" --packet-filter "$filter" --packet-mask "$filter"
	done
	run 0 -j "$@"
	same "filters that came back" 10 "$(grep -o "\"$filter\"" $out |
		grep -c '')"
	run 11 --raw-mbim "00000000-0000-0000-0000-000000000000,1,set,$(
		printf '%010000d' 0)"
	same "longest request" "$size" "$(longest '>')"
	same "longest reply" "$size" "$(longest '<')"
	manners opens=3 closes=3
	note="$(grep -c '^> 03000000' $bed/log) fragments out, $(grep -c \
		'^< 03000080' $bed/log) in"
}

case_control_4096() { control_size 4096; }
case_control_512() { control_size 512; }
case_control_128() { control_size 128; }

# A reply that fills the control size, and one that is less by the least.
case_exact_reply()
{
	for size in 4096 512; do
		modem "maxcontrol=$size" longfw=40
		run 0 --get-device-caps
		long=$((40 + (size - $(longest '<')) / 2))
		for fw in $long $((long - 2)); do
			modem "maxcontrol=$size" "longfw=$fw"
			run 0 --get-device-caps
			like out "[0-9]\\{$fw\\}\$"
			same "longest reply" $((size - 2 * (long - fw))) \
				"$(longest '<')"
			same "fragments" 1 "$(grep -c '^< 03000080' $bed/log)"
			signal
			manners opens=2
		done
	done
}

three() { for i in 1 2 3; do "$@"; done; }
ten() { for i in 1 2 3 4 5 6 7 8 9 10; do "$@"; done; }

# No run of the case took longer than it has to.
at_most() # MS
{
	[ "$slowest" -le "$1" ] || complain "a run took $slowest ms, not $1"
}

# Nobody reads, and the modem has something to say.
case_queued()
{
	modem
	hook ind 3
	hook raw 20
	hook raw 36
	signal
	manners
	modem ind=4 stale=2
	signal
	manners
}

# COMMAND_DONE 7 of Basic Connect 11, SIGNAL_STATE, as a run of long ago asked
stale=03000080300000000700000001000000000000\
00a289cc33bcbb8b4fb6b0133ec2aae6df0b0000000000000000000000

case_stale_reply()
{
	modem
	hook hex $stale
	usleep 200000
	three signal
	at_most 1000
	manners
}

# A program that read only the first bytes of a message.
case_half_reply()
{
	modem
	hook raw 100
	timeout 5 dd if=$node of=/tmp/half bs=30 count=1 2>/dev/null
	same "half a message" 30 "$(wc -c </tmp/half)"
	three signal
	at_most 1000
	manners
}

# SIGKILL before the modem has answered: it does so when nobody is there.
case_killed()
{
	modem late=cmd:500
	mbimctl $on --get-device-caps >/dev/null 2>&1 &
	usleep 300000
	kill -9 $!
	wait $! 2>/dev/null
	hook clear
	usleep 400000
	ten signal
	at_most 1000
	manners
}

# An answer whose notification was lost: from then on each answer is the one
# before, until the host asks for more.
case_behind()
{
	modem
	hook nonotify 1
	hook hex $stale
	hook nonotify 0
	ten signal
	at_most 1000
	manners
}

# The shortest of ten runs, in ms: a busy machine cannot make it shorter.
least() # arguments...
{
	shortest=100000
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		then=$(clock)
		run 0 "$@"
		ms=$(took)
		[ "$ms" -ge $shortest ] || shortest=$ms
	done
}

# OPEN, a query and CLOSE take what a start and three exchanges do: ten more
# queries in the same run tell how long one is on this machine, now.
case_waits_for_nothing()
{
	modem
	set -- --get-signal-state
	least --version
	start=$shortest
	least "$@"
	one=$shortest
	least "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@"
	waits=$((one - start - 3 * (shortest - one) / 10))
	check "a run took $one ms, $waits of them for nothing" test $waits -lt 60
	note="$one ms"
	manners
}

# The driver reports it at the next write, poll or close. That of a WWAN port
# does not: OPEN is sent again, but anything else is silence.
case_write_fails()
{
	modem
	hook stallout 1
	run 0 -t 6 --get-signal-state
	wwan || at_most 1000
	manners
	run 0 --attach --connect --apn internet
	hook stallout 1
	if wwan; then
		run 4 -t 1 --get-signal-state
	fi
	signal
	manners opened=1 sessions=0
	wwan || hook stallout 1
	run 0 --disconnect
	manners sessions=
	wwan && return
	# between two fragments: the next write is told, and was not sent
	modem maxcontrol=512
	run 0 --attach --connect --apn internet
	hook stallout 1
	run 11 -t 10 --raw-mbim "00000000-0000-0000-0000-000000000000,1,set,$(
		printf '%04000d' 0)"
	manners opened=1 sessions=0
	run 0 --disconnect
	manners
}

# A WWAN port that is closed while an answer is being fetched is deaf from then
# on: wdm_wwan_port_stop() leaves resp_count as it is, so a notification seems
# to be one that is waited for already (6.1). The other node's close resets it.
undeafen() { ! wwan || : <>/dev/cdc-wdm0; }

# What is behind a message that could not be read is glued to it, and one
# answer stays in the device: as if it had lost a notification.
case_read_fails()
{
	modem
	hook errin 1
	hook hex $stale
	hook ind 2
	hook hex $stale
	usleep 100000
	for _ in 1 2 3; do
		signal
		undeafen
	done
	wwan || at_most 1000
	manners
	modem ind=3
	hook errin 1
	for _ in 1 2 3; do
		signal
		undeafen
	done
	manners
}

# While somebody else has the node open, the error of a read that nobody has
# collected stays for good: poll() comes back at once, each time.
case_error_stays()
{
	modem late=cid11:2000
	exec 9<>$node
	hook errin 1
	hook ind 2
	hook notify 1			# for the one that the error cost
	usleep 100000
	last='--get-signal-state'
	time -p timeout 60 mbimctl $on --get-signal-state >$out 2>$err
	like out '^rssi: *-71 dBm'
	sed -n 's/^[us][a-z]* //p' $err | awk '{ t += $1 } END { exit t > 0.5 }' ||
		complain "it spins: $(tr '\n' ' ' <$err)"
	exec 9>&-
	hook clear
	three signal
	manners
}

# Killed while the answer was on the wire: the next read is one of 0 bytes.
case_read_of_0()
{
	modem
	hook holdget 1
	mbimctl $on --get-device-caps >/dev/null 2>&1 &
	usleep 300000
	kill -9 $!
	wait $! 2>/dev/null
	if wwan; then
		run 4 -t 1 --get-signal-state
		undeafen
		slowest=0
	fi
	three signal
	at_most 1000
	manners
}

case_two_at_once()
{
	modem
	hook delay 20
	jobs=
	for i in 1 2 3; do
		rm -f /tmp/at$i
		for _ in 1 2 3 4 5; do
			timeout 60 mbimctl $on --get-signal-state
		done >/tmp/at$i 2>&1 &
		jobs="$jobs $!"
	done
	wait $jobs
	for i in 1 2 3; do
		same "answers to process $i" 5 "$(grep -c '^rssi: *-71 dBm' \
			/tmp/at$i)"
	done
	manners overlapped=0
	# and who does not want to wait is told
	hook delay 300
	mbimctl $on --get-device-caps >/dev/null 2>&1 &
	usleep 200000
	run 6 -t 0.5 --get-signal-state
	like err "in use by process $!"
	wait $!
	manners
}

case_unplug()
{
	modem silent=cmd
	timeout 60 mbimctl $on --get-device-caps >$out 2>$err &
	pid=$!
	usleep 400000
	then=$(clock)
	hook unplug
	wait $pid
	same "exit code" 3 $?
	within 1000
	note="ended after $(took) ms"
	last='--get-device-caps'
	like err 'the device went away'
	wait_until 50 gone || complain "$node is still there"
	run 3 --get-device-caps
	hook clear
	hook plug
	wait_until 100 there || complain "no $node after the replug"
	signal
	manners
}

case_old_marker()
{
	modem
	run 0 --attach --connect --apn internet
	check "a marker" test -n "$(ls /run/mbimctl)"
	hook unplug
	wait_until 50 gone
	hook plug
	wait_until 100 there
	manners '' opened='*'
	opens=$(reported opens)
	signal
	manners opens=$((opens + 1))
}

case_hung_write()
{
	modem
	hook hang 1
	then=$(clock)
	run 4 -t 1 --get-device-caps
	within 4300			# emulated programs start slowly
	note="ended after $(took) ms"
	hook hang 0
	signal
	manners
}

# ---- all of them ----

echo "$(uname -sr) $(uname -v), $(busybox | head -n 1 | cut -d ' ' -f 1-2), \
$(mbimctl --version)"
cases="init boot_script pin_file no_modem up verify list without_d caps fcc_lock connect
	configure ping session_3 ten_queries disconnect dss control_4096
	control_512 control_128 exact_reply queued stale_reply half_reply
	killed behind waits_for_nothing write_fails read_fails error_stays
	read_of_0 two_at_once unplug old_marker hung_write"
for name in $(echo "${CASES:-$cases}" | tr , ' '); do
	the_case $name
done
kill_modem
dmesg -r | grep '^<[0-3]>' | sed 's/^/dmesg /'
echo "end of the cases, $(clock) ms after the boot"
reboot -f
