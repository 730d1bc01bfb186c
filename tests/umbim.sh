#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tests/examples/umbim: the calls that OpenWrt's mbim.sh makes, in its order and
# with its options, and what it reads from them. The lines and exit codes wanted
# here are those of umbim itself, run against the same simulated modem.

. "$(dirname "$0")/lib.sh"

example=$here/examples/umbim

program_in "$tmp/bin"	# for ours may have a runner

umbim() # EXIT-CODE ARGUMENTS...
{
	wanted_code=$1
	shift
	what="umbim $*, by $shell"
	last_run=$what
	# $shell may be "busybox ash"
	# shellcheck disable=SC2086
	MBIMCTL=$tmp/bin/mbimctl timeout -k 1 $((60 * SLOWNESS)) \
		$shell "$example" "$@" >"$work/out" 2>"$work/err"
	code=$?
	sanitized "$work/err"
	same "exit code" "$wanted_code" $code
}

prints() # TEXT: all of stdout
{
	same stdout "$1" "$(cat "$work/out")"
}

field() # NAME FIELD-NUMBER VALUES: what mbim.sh takes with awk
{
	same "$1" "$3" "$(awk -v name="$1:" -v n="$2" \
		'$1 == name { print $n }' "$work/out" | xargs)"
}

cause='  nwerror: 0000 - unknown'
registered()
{
	echo "$cause
  registerstate: 000$1
  registermode: 0001 - automatic
  availabledataclasses: 0020 - lte
  currentcellularclass: 0001 - gsm
  provider_id: 00101
  provider_name: Simulated
  roamingtext: $2"
}
session()
{
	echo "  sessionid: 0
  activationstate: $1
  voicecallstate: 0000 - none
  nwerror: $2
  iptype: $3"
}

# setup and teardown, as proto_mbim_setup does it
sequence()
{
	modem_start pin=1234 needready=1 apn=internet
	umbim 0 -n -d "$dev" caps
	prints '  devicetype: 0001 - embedded
  cellularclass: 0001
  voiceclass: 0001 - no-voice
  simclass: 0002
  dataclass: 003F
  smscaps: 0003
  controlcaps: 0003
  maxsessions: 0008
  deviceid: 013937001234564
  firmwareinfo: SWI9X15C_05.05.58.00
  hardwareinfo: EM7355'
	umbim 0 -n -t 3 -d "$dev" unlock 1234
	same stderr 'Pin Unlocked' "$(cat "$work/err")"
	umbim 0 -n -t 4 -d "$dev" pinstate
	prints ''
	same stderr 'Pin Unlocked' "$(cat "$work/err")"
	umbim 0 -n -t 5 -d "$dev" subscriber
	prints '  readystate: 0001 - initialized
  simiccid: 89001000000000000010
  subscriberid: 001010123456789
  number: +15550100'
	umbim 0 -n -t 6 -d "$dev" registration
	prints "$(registered '3 - home' '(null)')"
	umbim 0 -n -t 7 -d "$dev" attach
	prints "$cause
  packetservicestate: 0002 - attached
  uplinkspeed: 50000000
  downlinkspeed: 5000000000"
	umbim 3 -n -t 8 -d "$dev" connect ipv4v6:nowhere '' '' ''
	prints "$(session '0003 - deactivated' \
		'001B - missing-or-unknown-apn' '0000 - default')"
	umbim 0 -n -t 9 -d "$dev" connect ipv4v6:internet '' '' ''
	prints "$(session '0001 - activated' '0000 - unknown' '0003 - ipv4v6')"
	umbim 0 -n -t 10 -d "$dev" config
	prints '  ipv4address: 10.0.0.2/30
  ipv4gateway: 10.0.0.1
  ipv4mtu: 1500
  ipv4dnsserver: 192.0.2.53
  ipv4dnsserver: 192.0.2.54
  ipv6address: 2001:db8:0:0:0:0:0:2/64
  ipv6gateway: 2001:db8:0:0:0:0:0:1
  ipv6mtu: 1480
  ipv6dnsserver: 2001:db8:0:0:0:0:0:35'
	field ipv4address 2 10.0.0.2/30
	field ipv4dnsserver 2 '192.0.2.53 192.0.2.54'
	# what looks at the modem meanwhile joins the session
	umbim 0 -n -t 1 -d "$dev" registration
	umbim 0 -n -t 1 -d "$dev" config
	umbim 3 -t11 -d "$dev" disconnect
	prints "$(session '0003 - deactivated' '0000 - unknown' \
		'0000 - default')"
	modem_stop attached=1 pin_attempts=1
}

# the codes that it looks at
codes()
{
	modem_start pin=1234 attempts=2 roam=1
	umbim 2 -n -d "$dev" pinstate
	same stderr 'required pin: 2 - pin1
remaining attempts: 2' "$(cat "$work/err")"
	umbim 6 -n -d "$dev" subscriber
	like out '^  readystate: 0006 - device-locked$'
	umbim 251 -n -d "$dev" attach
	umbim 255 -n -d "$dev" unlock none
	umbim 2 -n -d "$dev" unlock 9999
	like err '^required pin: 2 - pin1$'
	like err '^remaining attempts: 1$'
	umbim 0 -n -d "$dev" unlock 1234
	umbim 0 -n -d "$dev" unlock 4321	# which nobody asked for
	umbim 4 -n -d "$dev" registration auto
	prints "$(registered '4 - roaming' Roaming)"
	umbim 0 -n -d "$dev" home
	prints '  provider_id: 00101
  provider_name: Simulated
  cellularclass: 0001 - gsm
  rssi: 0015
  errorrate: 0063'
	umbim 0 -n -d "$dev" radio off
	prints '  hwradiostate: on
  swradiostate: off'
	umbim 0 -n -d "$dev" radio on
	umbim 4 -n -d "$dev" registration auto
	umbim 0 -n -d "$dev" attach
	umbim 240 -n -d "$dev" config
	umbim 240 -t 5 -d "$dev" disconnect
	umbim 0 -n -d "$dev" connect internet chap me "p'a\$s"
	umbim 3 -t 6 -d "$dev" disconnect
	umbim 4 -n -d "$dev" detach
	prints "$cause
  packetservicestate: 0004 - detached
  uplinkspeed: 0
  downlinkspeed: 0"
	modem_stop pin_attempts=2

	modem_start pin=1234 pin2=1
	umbim 0 -n -d "$dev" unlock 1234
	umbim 3 -n -d "$dev" pinstate
	like err '^required pin: 3 - pin2$'
	umbim 0 -n -d "$dev" unlock 1234
	modem_stop pin_attempts=1
	modem_start pin=1234 attempts=0
	umbim 11 -n -d "$dev" unlock 1234
	like err '^required pin: 11 - puk1$'
	modem_stop pin_attempts=0
	modem_start sim=absent
	umbim 2 -n -d "$dev" subscriber
	modem_stop
	modem_start deny=11
	umbim 6 -n -d "$dev" registration auto
	like out '^  nwerror: 000B - plmn-not-allowed$'
	modem_stop
	modem_start fcc=1
	umbim 228 -n -d "$dev" radio on
	modem_stop

	# without -n it closes, and so ends the session; without -t it opens
	modem_start
	umbim 0 -n -d "$dev" registration auto
	umbim 0 -n -d "$dev" attach
	umbim 0 -n -t 3 -d "$dev" connect internet
	modem_check opened=1 sessions=0
	umbim 0 -t 4 -d "$dev" caps
	modem_check sessions=
	umbim 0 -n -t 3 -d "$dev" connect internet
	umbim 0 -n -d "$dev" caps
	modem_check sessions=
	umbim 0 -t 3 -d "$dev" connect internet
	prints "$(session '0001 - activated' '0000 - unknown' '0001 - ipv4')"
	modem_stop sessions=

	# what looks like an option is a value all the same
	modem_start apn=-j
	umbim 0 -n -t 3 -d "$dev" connect -j chap --open @x
	umbim 3 -t 4 -d "$dev" disconnect
	modem_stop

	umbim 255 -n -d "$work/none" caps
	umbim 1 -n caps
	like err '^Usage: umbim'
	umbim 1 -n -d "$dev"
	umbim 1 -n -d "$dev" signal
	umbim 1 -n -d "$dev" unlock
	umbim 1 -n -p -d "$dev" caps
	umbim 1 -x -d "$dev" caps
}

# The example's lists are the table's.
lists()
{
	what="the lists of $example"
	for pair in pin_types:pin_type ready_states:ready_state \
		register_states:register_state \
		packet_service_states:packet_service_state \
		activation_states:activation_state device_types:device_type \
		voice_classes:voice_class; do
		same "${pair%:*}" "$(values "${pair#*:}" |
			awk '{ print $2 }' | xargs)" \
			"$(list "${pair%:*}" | xargs)"
	done
	list nw_errors | awk '$1 != "-" { print NR - 1, $1 }' >"$work/ours"
	values nw_error | awk '$1 <= 40' >"$work/theirs"
	same nw_errors "$(cat "$work/theirs")" "$(cat "$work/ours")"
	for pair in data_classes:data_class control_caps:control_caps \
		cellular_classes:cellular_class; do
		list "${pair%:*}" | awk '$1 != "-" {
			printf "%.0f %s\n", 2 ^ (NR - 1), $1 }' \
			>"$work/ours"
		same "${pair%:*}" "$(values "${pair#*:}")" \
			"$(cat "$work/ours")"
	done
}

list() # NAME: its words, one a line
{
	awk -v start="^$1=" '
		$0 ~ start	{ on = 1; sub(start, "") }
		on		{ last = /'"'"'$/; gsub(/'"'"'/, "")
				  for (i = 1; i <= NF; i++) print $i
				  if (last) exit }' "$example"
}

values() # NAME: the lines "number word" of a table in commands.def
{
	awk -v start="VALUES($1," '/^[^ \t]/ { on = index($0, start) == 1 }
		on' "$here/../commands.def" |
		grep -o '[VE]([a-z0-9_, ]*)' | tr -d 'A-Z(),' |
		awk '{ print $(NF - 1), $NF }' | tr _ -
}

in_shells sequence codes
lists
if command -v shellcheck >/dev/null; then
	what=shellcheck
	check "shellcheck of $example" shellcheck -s sh "$example"
else
	skip "no shellcheck"
fi
finish
