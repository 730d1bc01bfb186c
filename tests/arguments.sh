#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The command line: what is refused, before the device is touched; spellings,
# numbers, words, arrays; secrets, which stay out of traces.

. "$(dirname "$0")/lib.sh"

# Refused with one line that contains PATTERN: PATTERN arguments...
usage()
{
	pattern=$1
	shift
	run 2 "$@"
	lines err 1
	like err "^mbimctl: .*$pattern"
	same "what is on stdout" "" "$(cat "$work/out")"
}

untouched() { modem_stop opens=0 closes=0 requests=0; }

options()
{
	modem_start
	usage 'no-such' --no-such
	usage 'no-such' --get-radio-state --no-such 1
	usage '' get-radio-state
	usage 'stray' --get-radio-state stray
	usage '' --get-radio-state ''
	usage '' --get-radio-state --
	usage '' --get-radio-state -
	usage '' -x --get-radio-state
	usage '' -vvv --get-radio-state
	usage '' -jv --get-radio-state
	usage '' --=on --get-radio-state
	usage '' --get-radio-state -=1
	# no abbreviation
	usage 'get-radio' --get-radio
	usage 'get-device-cap' --get-device-cap
	usage '' --get-device-capss
	usage '' --connect --access-strin internet
	usage '' --verb --get-radio-state
	usage '' --get-radio-state --time 3
	# values
	usage 'set-radio-state' --set-radio-state
	usage '' --set-radio-state --get-radio-state
	usage '' --set-radio-state=
	usage 'get-radio-state' --get-radio-state=on
	usage '' --connect=internet
	usage 'apn' --connect --apn
	usage 'apn' --connect --apn --ip-type ipv4
	usage 'open' --open=1 --get-radio-state
	usage '' -d
	usage '' -t
	# a parameter belongs to the command before it, to no other
	usage 'apn' --apn internet --connect
	usage 'apn' --connect --disconnect --apn internet
	usage 'radio-state' --get-radio-state --radio-state on
	# once each
	usage 'apn' --connect --apn a --apn b
	usage '' --connect --apn a --access-string b
	usage '' --connect --session-id 1 --session-id=1
	usage 'open' --open --get-radio-state --open
	usage 'timeout\|-t' -t 5 --get-radio-state -t 6
	run 2 -j -j --get-radio-state
	lines err 1
	run 2 -o json -s --get-radio-state
	lines err 1
	usage 'device\|-d' -d "$dev" --get-radio-state
	usage 'prefix' --prefix a --prefix b --get-radio-state
	usage 'no-open' --open --no-open --get-radio-state
	usage '' -o yaml --get-radio-state
	usage '' -o '' --get-radio-state
	usage '' -v
	usage 'no-such' --help no-such
	usage '' --help --get-radio-states
	# nothing to do, and too much of it
	usage ''
	run 2 -j
	lines err 1
	# required
	usage 'pin' --enter-pin
	usage 'new-pin\|new pin' --change-pin --pin 1234
	# an error is told in the output that comes after it, too
	run 2 --nonsense -o ip
	same "-o ip after an error" 'exit 2' "$(cat "$work/out")"
	run 2 --nonsense 1 -s
	like out "^mbim_exit='2'\$"
	usage 'puk' --yes --unblock-pin --new-pin 1234
	usage '' --set-home-provider
	usage '' --yes --dms-swi-set-usb-composition
	# the second command is looked at before the first is sent
	usage 'set-radio-state' --get-radio-state --set-radio-state maybe
	usage 'new-pin\|new pin' --get-radio-state --change-pin --pin 1
	untouched
}

# ---- run options: anywhere on the line ----

anywhere()
{
	modem_start
	plain 0 --get-radio-state -d "$dev"
	plain 0 --get-radio-state --device "$dev" -j
	like out '^{"hw'
	plain 0 --device="$dev" --get-radio-state
	plain 0 -t 5 --get-radio-state -d "$dev" --get-device-caps
	modem_stop opens=4
	modem_start
	run 0 --attach -t 5 --connect --apn internet -j --session-id 1 -v \
		--ip-type ipv4
	like out '"session_id":1,.*"ip_type":"ipv4"'
	run 0 --disconnect --session-id 1
	modem_stop
	modem_start
	for t in '-t 5' '-t5' '-t 0.5' '-t 5.25' '--timeout 5' '--timeout=5' \
	    '-t 100000'; do
		run 0 $t --get-radio-state
	done
	modem_check opens=7
	for t in '-t 0' '-t -1' '-t x' '-t 5s' '-t 5,5' '-t 0x' '-t .' '-t 1e3' \
	    '-t 99999999999999999999' '-t 0.0' "-t ''" '--timeout=' '-t +5'; do
		usage '' $t --get-radio-state
	done
	modem_stop opens=7
	then=$(clock)
	modem_start silent=cmd
	run 4 -t 0.3 --get-radio-state
	within 1500
	modem_stop
	# -v and --verbose
	modem_start
	run 0 -v --get-radio-state
	cp "$work/err" "$work/v"
	run 0 --verbose --get-radio-state
	same "-v is --verbose" "$(grep -c '' "$work/v")" \
		"$(grep -c '' "$work/err")"
	modem_stop
}

# ---- spellings ----

session()
{
	modem_start
	run 0 --attach --connect "$@" --disconnect
	sent=$(sed -n \
		's/^> 03000000.*a289cc33bcbb8b4fb6b0133ec2aae6df0c00000001000000.\{8\}//p' \
		"$log" | sed 1q)
	modem_stop
}

spellings()
{
	session --apn internet --ip-type ipv4v6 --auth chap
	first=$sent
	same "fixed part, numbers" 020000000300000 \
		"$(echo "$first" | cut -c 73-87)"
	for spelling in '--access-string internet --ip-type ipv4v6 --auth chap' \
	    '--access_string internet --ip_type ipv4v6 --auth_protocol chap' \
	    '--apn=internet --ip-type=ipv4v6 --auth-protocol=chap' \
	    '--apn internet --ip-type 3 --auth 2' \
	    '--apn internet --ip-type 0x3 --auth 0x2' \
	    '--apn internet --ip-type=0x03 --auth 02' \
	    '--auth chap --ip-type ipv4v6 --apn internet' \
	    '--apn internet --ip-type ipv4v6 --auth chap --session-id 0 --context-type internet --compression none' \
	    '--apn internet --ip-type ipv4v6 --auth chap --context-type 7e5e2a7e-4e6f-7272-736b-656e7e5e2a7e'; do
		session $spelling
		same "spelling $spelling" "$first" "$sent"
	done
	session --apn internet --ip-type ipv4_and_ipv6
	same "words with _" 04 "$(echo "$sent" | cut -c 81-82)"
	session --apn internet --ip-type ipv4-and-ipv6
	same "words with -" 04 "$(echo "$sent" | cut -c 81-82)"
	modem_start
	run 0 --get_radio_state
	run 0 --set-radio-state=on --set-radio-state 1 --set_radio_state 0x1
	run 0 --set-network-idle-hint 0 --dms-set-operating-mode online
	run 2 --set-radio-state 'on '
	run 2 --set-radio-state true
	# a negative value is a value, though not of this
	run 2 --set-signal-state --rssi-threshold -90
	lines err 1
	modem_stop opens=3
}

# ---- numbers, text, bytes ----

values()
{
	modem_start
	for n in 4294967296 -1 1x '' ' 1' 1.5 0x 0x100000000 ++1 1, 99999999999999999999; do
		usage 'session-id\|session id' --get-connect --session-id "$n"
	done
	usage '' --yes --dms-swi-set-usb-composition 256
	usage '' --yes --dms-swi-set-usb-composition -1
	usage '' --yes --dms-swi-set-usb-composition 0x100
	# twice the threshold is on the wire: it must be even, and fit
	usage '' --set-signal-state --rssi-threshold x
	usage '' --set-signal-state --rssi-threshold 5000000000000
	usage '' --set-radio-state maybe
	usage '' --set-home-provider --provider-id 00101 --provider-state home,no
	usage '' --set-home-provider --provider-id 00101 --provider-state home,
	usage '' --set-home-provider --provider-id 00101 --provider-state ,home
	usage '' --get-connect --context-type 7e5e2a7e-4e6f-7272-736b-656e7e5e2a7
	usage '' --get-connect --context-type 7e5e2a7e-4e6f-7272-736b-656e7e5e2a7g
	usage '' --get-connect --context-type somewhere
	# text: UTF-8, of a length in UTF-16 units
	usage '' --connect --apn "$(printf 'a\377b')"
	usage '' --connect --apn "$(printf 'a\300\200')"
	usage '' --connect --apn "$(printf '\355\240\200')"
	usage '' --connect --apn "$(printf '\303')"
	usage '' --connect --apn "$(printf '\370\210\200\200\200')"
	usage '' --connect --apn "$(printf '\364\220\200\200')"
	usage '' --connect --apn "$(printf '%0101d' 0)"
	usage '' --connect --user-name "$(printf '%0256d' 0)"
	usage '' --enter-pin 12345678901234567
	usage '' --set-home-provider --provider-id 1234567
	usage '' --set-preferred-providers --provider-id 00101 --provider-name \
		"$(printf '%021d' 0)"
	# bytes
	for hex in 0 abc xx '0x00' 'zz'; do
		usage '' --service-activation "$hex"
		usage '' --set-ip-packet-filters --packet-filter "$hex" \
			--packet-mask 00
	done
	untouched
	# what just fits
	modem_start
	run 0 --get-connect --session-id 7
	run 1 --get-connect --session-id 4294967295
	run 1 --yes --dms-swi-set-usb-composition 255
	run 0 --set-provisioned-contexts --context-id 1 \
		--apn "$(printf '%0100d' 0)"
	run 0 --set-signal-state --signal-strength-interval 4294967295
	run 0 -j --set-preferred-providers --provider-id 123456 \
		--provider-name "$(printf '\303\251%019d' 0)"
	like out "$(printf '\303\251%019d' 0)"
	run 0 -j --set-preferred-providers --provider-id 123456 \
		--provider-name "$(printf 'a\360\237\230\200b')"
	like out "$(printf '"a\360\237\230\200b"')"
	modem_stop
}

# ---- arrays ----

arrays()
{
	modem_start
	run 0 -j --set-preferred-providers --provider-id 00101 \
		--provider-name One --provider-id 00102 --provider-state \
		visible,forbidden --provider-id 00103
	same "three elements" '{"providers":[{"provider_id":"00101","provider_state":["preferred"],"provider_name":"One","cellular_class":["gsm"],"rssi":null,"error_rate":null},{"provider_id":"00102","provider_state":["forbidden","visible"],"provider_name":"","cellular_class":["gsm"],"rssi":null,"error_rate":null},{"provider_id":"00103","provider_state":["preferred"],"provider_name":"","cellular_class":["gsm"],"rssi":null,"error_rate":null}]}' \
		"$(cat "$work/out")"
	run 0 -j --set-preferred-providers
	same "no element" '{"providers":[]}' "$(cat "$work/out")"
	run 0 -j --set-device-service-subscribe-list \
		--device-service-id basic-connect --cids 1,2,0x3 \
		--device-service-id 533fbeeb-14fe-4467-9f90-33a223e56c3f \
		--device-service-id sms --cids 5
	like out '"cids":\[1,2,3\]'
	like out '"cids":\[\]'
	like out '"cids":\[5\]'
	modem_check opens=3
	# a later member without an element, or twice in one
	usage '' --set-preferred-providers --provider-name One
	usage '' --set-preferred-providers --provider-id 00101 \
		--provider-name a --provider-name b
	usage '' --set-device-service-subscribe-list --cids 1
	usage '' --set-device-service-subscribe-list \
		--device-service-id sms --cids 1,,2
	usage '' --set-device-service-subscribe-list \
		--device-service-id sms --cids 1,
	usage '' --set-device-service-subscribe-list \
		--device-service-id sms --cids 1,x
	usage '' --set-device-service-subscribe-list \
		--device-service-id sms --cids 4294967296
	# filter and mask have one length
	usage '' --set-ip-packet-filters --packet-filter 0011 --packet-mask ff
	usage '' --set-ip-packet-filters --packet-filter 0011
	usage '' --set-ip-packet-filters --packet-mask ff
	modem_stop opens=3
	# too much for any request: nothing is cut off
	modem_start
	set --
	i=0
	while [ $i -lt 300 ]; do
		set -- "$@" --provider-id 00101
		i=$((i + 1))
	done
	usage '' --set-preferred-providers "$@"
	set --
	i=0
	while [ $i -lt 100 ]; do
		set -- "$@" --get-radio-state
		i=$((i + 1))
	done
	usage '' "$@"
	untouched
}

raw()
{
	modem_start
	for value in '' BASIC_CONNECT BASIC_CONNECT,1 BASIC_CONNECT,1,ask \
	    NOBODY,1,query BASIC_CONNECT,x,query BASIC_CONNECT,1,query,0 \
	    BASIC_CONNECT,1,query,0g BASIC_CONNECT,4294967296,query \
	    BASIC_CONNECT,1,query,00,00 a289cc33,1,query; do
		usage '' --raw-mbim "$value"
	done
	for value in '' DMS DMS, DMS,x DMS,0x10000 NOBODY,1 DMS,0x25,1 DMS,0x25,1= \
	    DMS,0x25,256=00 DMS,0x25,1=0 DMS,0x25,1=xx 256,1; do
		[ "$value" = DMS,0x25,1= ] && continue	# an empty TLV
		usage '' --raw-qmi "$value"
	done
	usage '' --raw-qmi DMS,0x25 --mode online
	untouched
	modem_start
	run 0 -j --raw-mbim BASIC_CONNECT,3,set,01000000
	like out '"sw_radio_state":"on"'
	run 0 -j --raw-mbim basic-connect,3,query
	run 0 -j --raw-mbim a289cc33-bcbb-8b4f-b6b0-133ec2aae6df,0x3,query
	like out '"sw_radio_state":"on"'
	run 0 -j --raw-qmi dms,0x2e,0x01=01
	run 0 -j --raw-qmi 2,45
	like out '"mode":"low-power"'
	run 0 -j --raw-qmi DMS,0x2e,1=00
	modem_stop radio=1
}

# ---- secrets ----

hidden() # TEXT: neither as text nor as hex in the trace
{
	unlike err "$1"
	hex=$(printf '%s' "$1" | od -An -v -tx1 | tr -d '\n')
	same "$1 as hex in the trace" 0 \
		"$(tr -d ' \n' <"$work/err" | grep -c -e \
		"$(echo "$hex" | tr -d ' ')" -e \
		"$(echo "$hex" | sed 's/ /00/g; s/^00//')")"
}

shown() { like err "$1"; }

secrets()
{
	modem_start pin=70931
	run 0 -v --enter-pin 70931
	like err 'enter pin'
	hidden 70931
	modem_stop
	modem_start pin=70931
	run 0 -vv --enter-pin 70931
	shown 70931
	modem_stop
	modem_start
	run 0 -v --attach --connect --apn internet --user-name Wilhelmina \
		--password Zugspitze --disconnect
	hidden Zugspitze
	hidden Wilhelmina
	shown internet
	run 0 -vv --attach --connect --apn internet --user-name Wilhelmina \
		--password Zugspitze --disconnect
	shown Zugspitze
	shown Wilhelmina
	# what identifies a person is masked in replies; stdout has it
	run 0 -v --get-subscriber-ready-status --dms-get-ids --get-device-caps
	like out 001010123456789
	like out 013937001234564
	hidden 001010123456789
	hidden 89001000000000000010
	hidden 15550100
	hidden 013937001234564
	shown SWI9X15C
	run 0 -vv --get-subscriber-ready-status --dms-get-ids
	shown 001010123456789
	shown 013937001234564
	# in lists
	run 0 --set-provisioned-contexts --context-id 2 --apn x \
		--user-name Wilhelmina --password Zugspitze
	run 0 -v --get-provisioned-contexts
	like out Zugspitze
	hidden Zugspitze
	hidden Wilhelmina
	run 0 -v --sms-read
	hidden "$(printf '\350\062\233\375')"
	unlike err 059151550000040891515510
	run 0 -v --wds-start-network --apn internet --username Wilhelmina \
		--password Zugspitze --wds-stop-network
	hidden Zugspitze
	hidden Wilhelmina
	modem_stop
	# in pieces: every fragment of it
	modem_start frag=64 maxtransfer=512
	run 0 -v --set-provisioned-contexts --context-id 2 \
		--apn "$(printf '%0100d' 1)" --user-name \
		"$(printf '%060d' 2)" --password Zugspitze
	hidden Zugspitze
	run 0 -v --get-provisioned-contexts
	hidden Zugspitze
	run 0 -v --get-device-caps
	hidden 013937001234564
	modem_stop
	# of a reply that is malformed nothing is certain
	modem_start short=cid2:4
	run 5 -v --get-subscriber-ready-status
	hidden 001010123456789
	modem_stop
	# raw requests of a known command
	modem_start pin=7093
	run 0 -v --raw-mbim BASIC_CONNECT,4,set,020000000000000018000000080000000000000000000000$(printf '3700300039003300')
	hidden 7093
	modem_stop
}

files()
{
	printf '7093\n' >"$work/pin"
	printf '7093' >"$work/bare"
	printf '7093\n\n' >"$work/two"
	: >"$work/empty"
	modem_start pin=7093
	run 0 --enter-pin "@$work/pin"
	modem_stop pin_attempts=1
	modem_start pin=7093
	run 0 --enter-pin="@$work/bare"
	modem_stop pin_attempts=1
	modem_start pin=7093
	timeout 30 $MBIMCTL -d "$dev" --enter-pin @- <"$work/pin" \
		>"$work/out" 2>"$work/err"
	same "a PIN from stdin" 0 $?
	modem_stop pin_attempts=1
	modem_start pin=@709
	run 0 --enter-pin @@709
	modem_stop pin_attempts=1
	# not even one attempt
	modem_start pin=7093
	usage '' --enter-pin "@$work/nowhere"
	usage '' --enter-pin "@$work"
	usage '' --enter-pin "@$work/empty"
	usage '' --enter-pin ''
	usage '' --enter-pin @
	head -c 1000 /dev/zero | tr '\0' 1 >"$work/long"
	usage '' --enter-pin "@$work/long"
	printf '\377\376' >"$work/bad"
	usage '' --enter-pin "@$work/bad"
	unlike err '70'
	untouched
	# twice: both from one stdin cannot be
	modem_start
	usage '' --change-pin --pin @- --new-pin @- </dev/null
	untouched
	# what is no secret is taken as it is
	modem_start
	run 0 -j --set-provisioned-contexts --context-id 2 --apn "@$work/pin"
	like out "\"access_string\":\"@$work/pin\""
	run 0 -j --set-provisioned-contexts --context-id 2 --apn x \
		--password "@$work/pin"
	like out '"password":"7093"'
	modem_stop
}

help()
{
	plain 0 --help
	like out '^  --get-device-caps '
	like out '--timeout'
	lines err 0
	for command in $(sed -n 's/^  --\([a-z0-9-]*\) .*/\1/p' "$work/out"); do
		echo "$command"
	done >"$work/commands"
	check "commands in the help" test "$(grep -c '' "$work/commands")" -gt 60
	plain 0 --help connect
	like out '--access-string'
	like out '--apn'
	like out 'ipv4v6'
	plain 0 --help=connect
	like out '--apn'
	plain 0 --version
	like out '^mbimctl [0-9]'
	lines out 1
}

together options anywhere spellings values arrays raw secrets files help
finish
