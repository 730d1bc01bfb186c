#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The frames of golden/vectors.txt, byte for byte in both directions, with
# transaction ids of MBIM and QMI masked. Then requests as MBIM 1.0 lays them
# out, written down by hand, and what is made of replies that are legal but
# not what our modem sends.

. "$(dirname "$0")/lib.sh"

vectors=$here/golden/vectors.txt
qmi=d1a30bc2f97a6e43bf65c7e24fb0f0d3

# Blank the ids: 4 bytes of MBIM, 1 of QMI CTL, 2 of any other QMI service.
masked()
{
	sed -e 's/^\(. .\{16\}\).\{8\}/\1--------/' \
	    -e 't next' -e ': next' \
	    -e "s/\($qmi.\{24\}01.\{4\}..00....\)../\1--/" -e t \
	    -e "s/\($qmi.\{24\}01.\{4\}........\)..../\1----/"
}

vector() # NAME...: their lines as the modem logs them
{
	for wanted_vector; do
		sed -n "s/^$wanted_vector \([<>]\) /\1 /p" "$vectors" |
			sed 's/^\(.\) \(.*\)/\1\2/; s/ //g; s/^./& /'
	done
}

exchanged() # NAME...: all that went over the wire, in order
{
	vector "$@" | masked >"$work/expected"
	masked <"$log" >"$work/got"
	if cmp -s "$work/expected" "$work/got"; then
		pass
	else
		diff "$work/expected" "$work/got"
		fail "not the frames $*"
	fi
}

same "vectors" 23 "$(vector V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 C4 C5 C6 C7 C8 \
	A1 A2 D1 D2 D3 D4 D6 D7 | grep -c '^[<>] [0-9a-f]*$')"
same "the mask" "> 030000003d000000--------0100000000000000${qmi}01000000010000000d000000010c0000023400----5b550000" \
	"$(vector V5 | masked)"

thread()
{
	modem_start
	run 0 -j --dms-swi-get-usb-composition
	exchanged V1 V2 V3 V4 V5 V6 V7 V8 V9 V10
	same "V6 in words" '{"command":"dms-swi-get-usb-composition","current":19,"supported":[6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22]}' \
		"$(cat "$work/out")"
	modem_stop
	# with the other client, only it is another
	modem_start client=3
	run 0 --dms-swi-get-usb-composition
	vector V1 V2 V3 C4 C5 | masked >"$work/expected"
	masked <"$log" | sed 5q >"$work/got"
	check "V1 to C5" cmp "$work/expected" "$work/got"
	vector C7 C8 V9 V10 | masked >"$work/expected"
	masked <"$log" | sed 1,6d >"$work/got"
	check "C7 to V10" cmp "$work/expected" "$work/got"
	modem_stop

	# the command that they had meant to send
	modem_start fcc=1
	run 0 --dms-set-fcc-authentication
	exchanged V1 V2 V3 V4 D1 D2 V7 V8 V9 V10
	modem_stop fcc_locked=0
	modem_start fcc=1 qmierror=0x555f:94
	run 11 --dms-set-fcc-authentication
	like err 'NotSupported (94)'
	exchanged V1 V2 V3 V4 D1 D3 V7 V8 V9 V10
	modem_stop fcc_locked=1

	# the same bytes on a byte stream
	modem_pty fcc=1
	run 0 --dms-set-fcc-authentication
	exchanged V1 V2 V3 V4 D1 D2 V7 V8 V9 V10
	modem_stop fcc_locked=0
}

# The first attempt: padded, with a client that nobody had allocated.
first_attempt()
{
	modem_start fcc=1
	run 1 --raw-mbim QMI,1,set,010c000002010001005f550000000000
	like err 'Failure (2)'
	exchanged V1 V2 A1 A2 V9 V10
	modem_stop bad=1 fcc_locked=1

	# a Failure of MBIM is no QMI answer, and none is waited for
	modem_start badqmi=1
	for i in 1 2 3; do
		then=$(clock)
		run 1 --dms-set-fcc-authentication
		within 600	# 100 of them, on a busy machine
		like err 'Failure (2)'
		lines err 1
	done
	vector D1 A2 | masked >"$work/expected"
	masked <"$log" | sed -n '5,6p' >"$work/got"
	check "D1, answered by A2" cmp "$work/expected" "$work/got"
	modem_stop allocs=3 releases=3

	modem_start badqmi=1
	run 1 --dms-get-ids --dms-get-model
	modem_stop requests=3
}

raw()
{
	modem_start qmierror=0x5571:71
	run 11 --raw-qmi DMS,0x5571,0x01=00
	vector V1 V2 V3 V4 D4 | masked >"$work/expected"
	masked <"$log" | sed 5q >"$work/got"
	check "D4" cmp "$work/expected" "$work/got"
	modem_stop
	modem_start qmierror=0x5571:71
	run 11 --dms-foxconn-set-fcc-authentication
	masked <"$log" | sed 5q >"$work/got"
	check "D4 by name" cmp "$work/expected" "$work/got"
	modem_stop
	modem_start quectel=1
	run 0 --raw-mbim QUECTEL,1,set,01000000
	vector V1 V2 D6 | masked >"$work/expected"
	masked <"$log" | sed 3q >"$work/got"
	check "D6" cmp "$work/expected" "$work/got"
	modem_stop
	modem_start quectel=1
	run 0 --quectel-set-radio-state on
	masked <"$log" | sed 3q >"$work/got"
	check "D6 by name" cmp "$work/expected" "$work/got"
	modem_stop
	modem_start
	run 11 --raw-mbim INTEL_MUTUAL_AUTHENTICATION,1,query
	vector V1 V2 D7 | masked >"$work/expected"
	masked <"$log" | sed 3q >"$work/got"
	check "D7" cmp "$work/expected" "$work/got"
	run 11 --raw-mbim f85d46ef-ab26-4081-9868-4d183c0a3aec,1,query
	modem_stop
}

# ---- requests, as MBIM 1.0 lays them out ----

basic=a289cc33bcbb8b4fb6b0133ec2aae6df

# The information buffer of a Basic Connect request: CID 0|1 HEX arguments...
sends()
{
	wire=$(printf '%02x000000%02x000000' "$1" "$2")
	bytes=$3
	shift 3
	modem_start sim=ready
	timeout 30 $MBIMCTL -d "$dev" "$@" >"$work/out" 2>"$work/err"
	sanitized "$work/err"
	what="mbimctl $*"
	last_run=$what
	same "what was sent" "$bytes" "$(sed -n \
		"s/^> 03000000.\{8\}.\{8\}0100000000000000$basic$wire.\{8\}//p" \
		"$log" | sed -n '$p')"
	modem_stop
}

# A line of spaced hex without the spaces.
tight() { printf '%s' "$*" | tr -d ' \t\n'; }

layouts()
{
	z=00000000
	internet=7e5e2a7e4e6f7272736b656e7e5e2a7e
	sends 1 0 "" --get-device-caps
	sends 3 1 01000000 --set-radio-state on
	sends 3 1 00000000 --set-radio-state=off
	sends 4 1 "$(tight 02000000 $z 18000000 08000000 $z $z \
		3100320033003400)" --enter-pin 1234
	sends 4 1 "$(tight 02000000 03000000 18000000 08000000 20000000 \
		0a000000 3100320033003400 35003600370038003900 0000)" \
		--change-pin --pin 1234 --new-pin 56789
	sends 4 1 "$(tight 0b000000 $z 18000000 10000000 28000000 08000000 \
		31003200330034003500360037003800 3400330032003100)" \
		--yes --unblock-pin --puk 12345678 --new-pin 4321
	sends 8 0 00000000 --get-visible-providers
	sends 8 0 01000000 --get-visible-providers --action restricted-scan
	sends 9 1 "$(tight $z $z $z $z)" --register
	sends 9 1 "$(tight 10000000 0a000000 01000000 20000000 \
		30003000310030003100 0000)" \
		--register --provider-id 00101 --data-class lte
	sends 10 1 $z --attach
	sends 10 1 01000000 --detach
	sends 11 1 "$(tight 05000000 04000000 01000000)" --set-signal-state \
		--signal-strength-interval 5 --rssi-threshold 8 \
		--error-rate-threshold 1
	sends 12 0 "$(tight 02000000 $z $z $z $internet $z)" \
		--get-connect --session-id 2
	sends 12 1 "$(tight $z 01000000 3c000000 10000000 4c000000 08000000 \
		54000000 06000000 $z 02000000 03000000 $internet \
		69006e007400650072006e0065007400 7500730065007200 \
		700073007700 0000)" \
		--connect --apn internet --user-name user --password psw \
		--auth chap --ip-type ipv4v6
	sends 12 1 "$(tight 03000000 $z $z $z $z $z $z $z $z $z $z $internet)" \
		--disconnect --session-id 3
	sends 15 0 "$(tight 01000000 $z $z $z $z $z $z $z $z $z $z $z $z $z \
		$z)" --get-ip-configuration --session-id 1
	sends 21 1 01000000 --set-network-idle-hint enabled
	sends 23 0 "$(tight 01000000 $z)" --get-ip-packet-filters --session-id 1
	sends 14 1 deadbeef --service-activation deadbeef
	# arrays: offset and size of each, counted from the start of the buffer
	sends 7 1 "$(tight 02000000 14000000 2c000000 40000000 2c000000 \
		20000000 0a000000 04000000 $z $z 01000000 63000000 63000000 \
		30003000310030003100 0000 \
		20000000 0a000000 08000000 $z $z 02000000 63000000 63000000 \
		30003000310030003200 0000)" \
		--set-preferred-providers --provider-id 00101 \
		--provider-id 00102 --provider-state visible \
		--cellular-class cdma
	sends 7 1 $z --set-preferred-providers
	sends 19 1 "$(tight 02000000 14000000 1c000000 30000000 14000000 \
		$basic 02000000 0b000000 09000000 \
		533fbeeb14fe4467 9f9033a223e56c3f $z)" \
		--set-device-service-subscribe-list \
		--device-service-id basic-connect --cids 11,9 \
		--device-service-id sms
	sends 23 1 "$(tight $z 01000000 10000000 14000000 \
		02000000 0c000000 10000000 4500 0000 ff00 0000)" \
		--set-ip-packet-filters --packet-filter 4500 --packet-mask ff00
}

# ---- replies ----

# What the modem puts into a reply, and what JSON has behind the command's name:
# HEX FIELDS command and the modem's options
decodes()
{
	hex=$1 json=$2 command=$3
	shift 3
	options="$*$hex"
	modem_start $options
	run 0 -j $command
	same "$command" "$json" "$(sed 's/^{"command":"[a-z-]*",/{/' \
		"$work/out")"
	modem_stop opened='*'
}

replies()
{
	u=ffffffff
	# offsets in any order, a string that is not aligned, one that ends
	# early, one of size 0 with a wild offset
	decodes "$(tight 2b000000 0a000000 01000000 20000000 0a000000 \
		01000000 10000000 63000000 \
		41004200000043004400 00 30003000310030003100)" \
		'{"provider_id":"00101","provider_state":["home"],"provider_name":"AB","cellular_class":["gsm"],"rssi":-81,"error_rate":null}' \
		--get-home-provider hexreply=6:
	decodes "$(tight $u 00000000 03000000 00000000 00000000 \
		02000000 1f000000 07000000)" \
		'{"provider_id":"","provider_state":["home","forbidden"],"provider_name":"","cellular_class":["cdma"],"rssi":-51,"error_rate":7}' \
		--get-home-provider hexreply=6:
	# words that nobody knows, bits that nobody knows; a longer reply
	decodes "$(tight 07000000 09000000 $u)" \
		'{"hw_radio_state":7,"sw_radio_state":9}' \
		--get-radio-state hexreply=3:
	# 64 bits, all of them
	decodes "$(tight 00000000 02000000 00000000 ffffffffffffffff \
		0000000000000080)" \
		'{"nw_error":"none","packet_service_state":"attached","highest_available_data_class":[],"uplink_speed":18446744073709551615,"downlink_speed":9223372036854775808,"current_data_class":null,"frequency_range":null,"data_subclass":null,"tai":null}' \
		--get-packet-service hexreply=10:
	# three telephone numbers, one of them empty
	decodes "$(tight 01000000 00000000 00000000 00000000 00000000 \
		01000000 03000000 34000000 04000000 00000000 00000000 \
		38000000 06000000 3100 3200 3300 3400 3500 0000)" \
		'{"ready_state":"initialized","subscriber_id":"","sim_icc_id":"","ready_info":["protect-unique-id"],"telephone_numbers":["12","","345"],"flags":null}' \
		--get-subscriber-ready-status hexreply=2:
	# flags say which offsets count, whatever they hold
	decodes "$(tight 01000000 05000000 00000000 02000000 3c000000 09000000 \
		$u $u $u 01000000 4c000000 $u $u $u $u \
		18000000 0a000102 10000000 0a010102 08080404)" \
		'{"session_id":1,"ipv4_available":["address","dns"],"ipv6_available":[],"ipv4_address":["10.0.1.2/24","10.1.1.2/16"],"ipv6_address":[],"ipv4_gateway":null,"ipv6_gateway":null,"ipv4_dns":["8.8.4.4"],"ipv6_dns":[],"ipv4_mtu":null,"ipv6_mtu":null}' \
		'--no-open --get-ip-configuration --session-id 1' \
		session=1 hexreply=15:
}

# IPv6 addresses by RFC 5952.
ipv6()
{
	modem_start session=0 "hexreply=15:$(tight 00000000 00000000 0f000000 00000000 \
		00000000 01000000 3c000000 00000000 50000000 00000000 00000000 \
		02000000 60000000 00000000 dc050000 \
		40000000 20010db8000000000000000000000002 \
		fe800000000000000001000200030004 \
		20010db8000100000000000000000053 \
		20010db8000000010001000100010001)"
	run 0 --no-open -j --get-ip-configuration
	like out '"ipv6_address":\["2001:db8::2/64"\]'
	like out '"ipv6_gateway":"fe80::1:2:3:4"'
	like out '"ipv6_dns":\["2001:db8:1::53","2001:db8:0:1:1:1:1:1"\]'
	like out '"ipv6_mtu":1500'
	like out '"ipv4_address":\[\],'
	like out '"ipv4_gateway":null,'
	like out '"ipv4_mtu":null,'
	modem_stop opened=1
}

together thread first_attempt raw layouts replies ipv6
finish
