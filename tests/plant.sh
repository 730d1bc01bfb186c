#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The ledger watches itself: mistakes planted in a copy of commands.def, one at
# a time, must each stop the compiler. And a new command is lines in that file
# and nothing else: three are added, and run.

# Variables with options are split on purpose.
# shellcheck disable=SC2086

. "$(dirname "$0")/lib.sh"

top=$here/..
settings

fresh() # a copy of the sources in $src
{
	src=$work/src
	rm -rf "$src"
	mkdir "$src"
	cp "$top"/*.c "$top/mbim.h" "$top/commands.def" "$src"
}

compiles()
{
	$HOSTCC $STD -c "$src/commands.c" -o "$src/commands.o" \
		>"$work/out" 2>"$work/err"
}

# WHAT SCRIPT: a change to commands.def by sed, which must not compile
planted()
{
	what="planted: $1"
	cp "$top/commands.def" "$src/commands.def"
	sed "$2" "$top/commands.def" >"$src/commands.def"
	if cmp -s "$top/commands.def" "$src/commands.def"; then
		fail "the plant changes nothing: $2"
	elif compiles; then
		diff "$top/commands.def" "$src/commands.def" | sed 5q
		fail "it compiles"
	elif ! grep -q 'error:' "$work/err"; then
		fail "it does not compile, but for no reason"
	else
		pass
	fi
}

radio='/^REPLY(get_radio_state)/,/^END/'

plant()
{
	fresh
	what='the sources as they are'
	if compiles; then pass; else fail "do not compile"; fi

	planted 'a misspelt value table' \
		"$radio"'s/hw_radio_state, on_off/hw_radio_state, on_of/'
	planted 'a misspelt value table of an option' \
		'/^SET(set_radio_state/,/^REPLY/s/on_off,/onoff,/'
	planted 'a misspelt scale' \
		'/^REPLY(get_signal_state)/,/^END/s/rssi_step/rssi_steps/'
	planted 'a misspelt table of UUIDs' \
		'/^SET(connect,/,/^SAME/s/\(UUID *(context_type, *\)context_type/\1context/'

	planted 'a duplicate field in a reply' \
		"$radio"'s/sw_radio_state/hw_radio_state/'
	planted 'a duplicate option in a request' \
		'/^SET(change_pin/,/^REPLY\|^SAME/s/STRING(new_pin/STRING(pin/'
	planted 'a duplicate field in a struct' \
		'/STRUCT(pin_desc_pin1)/,/END/s/pin_length_max/pin_length_min/'
	planted 'a duplicate TLV name' \
		'/^REPLY(dms_get_ids)/,/^END/s/STR(imei)/STR(esn)/'

	planted 'a duplicate command' \
		's/^QUERY(get_pin_list,/QUERY(get_pin,/; s/^REPLY(get_pin_list)/REPLY(get_pin)/'
	planted 'a duplicate command, twice the same' \
		'/^QMI(dms_get_model,/,/^END/{H;/^END/{x;p;p;d;};d;}'
	planted 'a duplicate value table' \
		's/^VALUES(pin_state)/VALUES(pin_mode)/'

	planted 'no END after a reply' "$radio{/^END/d;}"
	planted 'no END after a list' \
		's/LIST(ipv4_dns) *IPV4_ END/LIST(ipv4_dns) IPV4_/'
	planted 'no END after a struct' \
		'/STRUCT(serving_system)/,/^	END/{/^	END/d;}'
	planted 'no END after a value table' \
		's/^VALUES(on_off) .*END$/VALUES(on_off) V(0, off) V(1, on)/'
	planted 'an END too many' "$radio{/^END/s/END/END END/;}"

	planted 'a wrong size of a reply' \
		's/^\(QUERY(get_radio_state, BASIC_CONNECT, 3, 0, \)8/\112/'
	planted 'a wrong size of a request' \
		's/^\(SET(set_radio_state, BASIC_CONNECT, 3, \)4/\18/'
	planted 'a field too few' "$radio{/sw_radio_state/d;}"
	planted 'a field of another width' \
		"$radio"'s/U32   (sw_radio_state/U64   (sw_radio_state/'
	planted 'a string where a number is' \
		'/^REPLY(get_device_caps)/,/^END/s/U32 *(max_sessions, *dec)/STRING(max_sessions)/'
	planted 'a wrong size of an element' \
		'/^REPLY(get_preferred_providers)/,/^END/s/REFS *(providers, 32)/REFS(providers, 36)/'
	planted 'a wrong size of a later layout' \
		's/^REPLY_EX(get_signal_state, 2, 28)/REPLY_EX(get_signal_state, 2, 24)/'
	planted 'a padding too short' \
		'/^QUERY(get_ip_configuration/,/^REPLY/s/ZERO *(56)/ZERO(52)/'

	planted 'a guard on a missing field' \
		's/WHEN(get_ip_configuration, ipv4_available, 1)/WHEN(get_ip_configuration, ipv5_available, 1)/'
	planted 'a choice on a missing field' \
		's/IS(sms_read, format, 0)/IS(sms_read, formats, 0)/'
	planted 'a guard on a missing command' \
		's/IS(sms_read, format, 0)/IS(sms_reads, format, 0)/'

	planted 'the same reply as that of no command' \
		's/SAME(enter_pin, get_pin)/SAME(enter_pin, get_pins)/'
	planted 'a service that is none' \
		's/^QUERY(get_radio_state, BASIC_CONNECT,/QUERY(get_radio_state, BASIC_CONECT,/'
	planted 'a reply of another name' \
		's/^REPLY(get_radio_state)/REPLY(get_radio_stat)/'
	planted 'an item that is none' "$radio"'s/U32   (sw/U33   (sw/'
}

# Of all three kinds, with a value table, an option, a string: these lines.
lines_of_items()
{
	cat <<'LINES'

QUERY(sms_get_message_store_status, SMS, 5, 0, 8, "show whether messages wait")
REPLY(sms_get_message_store_status)
	U32   (flag,          sms_store_flag)
	U32   (message_index, dec)
END

SET(sms_delete, SMS, 4, 8, 0, "delete stored messages")
	U32   (flag,          sms_flag, "which messages")
	                                                 DEFAULT(all) GIVEN(message_index, index)
	U32   (message_index, dec,      "message number")                DEFAULT(0)
REPLY(sms_delete)
END

QMI(dms_get_software_version, DMS, 0x002C, "show the software version")
REPLY(dms_get_software_version)
	TLV(0x01) STR(software_version)
END
LINES
}

lines_of_values()
{
	cat <<'LINES'

VALUES(sms_store_flag) BITS V(1, store_full) V(2, new_message) END
LINES
}

add()
{
	fresh
	lines_of_items >"$work/items"
	lines_of_values >"$work/values"
	at_items=$(($(grep -n '^#ifdef VALUES' "$src/commands.def" |
		cut -d : -f 1) - 1))
	{
		head -n "$at_items" "$top/commands.def"
		cat "$work/items"
		tail -n +$((at_items + 1)) "$top/commands.def" |
			sed "/^VALUES(on_off)/r $work/values"
	} >"$src/commands.def"
	if ! (cd "$src" && $HOSTCC $STD -O1 $SRC -o mbimctl) 2>"$work/err"; then
		what='three new commands'
		fail "they do not compile"
		return
	fi
	MBIMCTL=$src/mbimctl
	plain 0 --help
	like out '--sms-get-message-store-status .*show whether messages wait'
	like out '--dms-get-software-version .*show the software version'
	plain 0 --help sms-delete
	like out '--message-index .*message number'
	modem_start
	run 0 -j --sms-get-message-store-status
	same "a new query" '{"flag":["new-message"],"message_index":1}' \
		"$(cat "$work/out")"
	run 0 -j --dms-get-software-version
	same "a new QMI message" '{"software_version":"1.0"}' \
		"$(cat "$work/out")"
	run 0 -s --dms-get-software-version
	like out "^mbim_software_version='1.0'\$"
	run 0 --sms-delete --message-index 2
	run 2 --sms-delete --message-index x
	run 1 --sms-read --message-index 2
	run 0 -j --sms-read
	unlike out '"message_index":2'
	like out '"message_index":1'
	modem_stop allocs=2 releases=2
	cp "$log" "$work/in"
	plain 0 -j --decode "$work/in"
	like out '"sms_get_message_store_status":{"flag":\["new-message"\]'
	like out '"dms_get_software_version":{"software_version":"1.0"}'
}

together plant add
finish
