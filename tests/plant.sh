#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The command table is checked by the compiler: mistakes planted in a copy of it,
# or of the jobs in main.c, one at a time, must each stop the compiler, gcc and
# clang. And a new command is lines in that file and nothing else: three are
# added, and run.

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

compiles() # FILE
{
	$compiler $STD -fsyntax-only "$src/$1" >"$work/out" 2>"$work/err"
}

# WHAT SCRIPT [CHANGED [COMPILED]]: a change to commands.def by sed, which must
# not compile
planted()
{
	what="planted: $1, by $compiler"
	changed=${3:-commands.def}
	sed "$2" "$top/$changed" >"$src/$changed"
	if cmp -s "$top/$changed" "$src/$changed"; then
		fail "the plant changes nothing: $2"
	elif compiles "${4:-commands.c}"; then
		diff "$top/$changed" "$src/$changed" | sed 5q
		fail "it compiles"
	elif ! grep -q 'error:' "$work/err"; then
		fail "it does not compile, but for no reason"
	else
		pass
	fi
	cp "$top/$changed" "$src/$changed"
}

# The same in the code of the jobs.
planted_in_job() { planted "$1" "$2" main.c main.c; }

radio='/^REPLY(get_radio_state)/,/^END/'

plant_by() # COMPILER
{
	compiler=$1
	fresh
	what="the sources as they are, by $compiler"
	for file in main.c commands.c qmi-over-mbim.c mbim.c; do
		if compiles $file; then pass; else fail "$file"; fi
	done

	planted 'a misspelt value table' \
		"$radio"'s/hw_radio_state, on_off/hw_radio_state, on_of/'
	planted 'a misspelt value table of an option' \
		'/^SET(set_radio_state/,/^REPLY/s/on_off,/onoff,/'
	planted 'a misspelt scale' \
		'/^BODY(signal_state)/,/^BACK/s/rssi_step/rssi_steps/'
	planted 'a misspelt table of UUIDs' \
		'/^SET(connect,/,/^SAME/s/\(UUID *(context_type, *\)context_type/\1context/'

	planted 'a duplicate field in a reply' \
		"$radio"'s/sw_radio_state/hw_radio_state/'
	planted 'a duplicate option in a request' \
		'/^SET(change_pin/,/^REPLY\|^SAME/s/STRING(new_pin/STRING(pin/'
	planted 'a duplicate field in a struct' \
		'/^BODY(pin_desc)/,/^BACK/s/pin_length_max/pin_length_min/'
	planted 'a duplicate TLV name' \
		'/^REPLY(dms_get_ids)/,/^END/s/STR(imei)/STR(esn)/'

	planted 'a duplicate command' \
		's/^QUERY(get_pin_list,/QUERY(get_pin,/; s/^REPLY(get_pin_list)/REPLY(get_pin)/'
	planted 'a duplicate command, twice the same' \
		'/^QMI(dms_get_model,/,/^END/{H;/^END/{x;p;p;d;};d;}'
	planted 'a duplicate value table' \
		's/^VALUES(pin_state,/VALUES(pin_mode,/'

	planted 'no END after a reply' "$radio{/^END/d;}"
	planted 'no END after a list' \
		's/LIST(ipv4_dns) *IPV4_ END/LIST(ipv4_dns) IPV4_/'
	planted 'no END after a struct' \
		'/STRUCT(serving_system)/,/^	END/{/^	END/d;}'
	planted 'no end of a value table' \
		's/^\(VALUES(on_off, .*\))$/\1/'
	planted 'no BACK after a body' '/^BODY(pin_desc)/,/^BACK/{/^BACK/d;}'
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
	planted 'a body that is none' \
		'/^REPLY(get_home_provider)/,/^END/s/USE(provider)/USE(providers)/'
	planted 'two bodies of one name' 's/^BODY(pin_desc)/BODY(pin)/'

	planted 'a constant above 255' \
		's/CONST (pin_operation, 3)/CONST (pin_operation, 256)/'
	planted 'zeros above 255' 's/ZERO *(56)/ZERO(256)/'
	planted 'a maximum above 255' 's/SECRET MAX(16)/SECRET MAX(300)/'
	planted 'a deadline above 255 s' 's/SLOW(240)/SLOW(300)/'
	planted 'digits above 255' 's/DIGITS(5, 6)/DIGITS(5, 256)/'
	planted 'a lock above 255' 's/LOCK(28, 1)/LOCK(284, 1)/'
	planted 'a guard on a bit above 255' \
		's/WHEN(get_ip_configuration, ipv4_available, 1)/WHEN(get_ip_configuration, ipv4_available, 256)/'
	planted 'a message above 65535' \
		's/^QMI(dms_get_ids, DMS, 0x0025/QMI(dms_get_ids, DMS, 0x10025/'
	planted 'a status with an exit code above 65535' \
		's/STATUS(5, PinRequired/STATUS(65541, PinRequired/'
	planted 'a 257th value table' "/^VALUES(on_off,/{p;$(i=0
		while [ $i -lt 256 ]; do
			echo "i\\"
			echo "VALUES(planted_$i, V(0, none))"
			i=$((i + 1))
		done)
	}; /^	U32   (radio_state, on_off/s/on_off/planted_255/"

	planted 'a stage of a goal that is none' \
		's/^STAGE(up, "radio", *radio_on,/STAGE(up, "radio", radio_no,/'
	planted 'a stage of a command that is none' \
		's/^\(STAGE(.*\) attach, /\1 atach, /'
	planted 'a goal of a command that is none' \
		's/\(GOAL(.*\), get_radio_state,/\1, get_radio_stat,/'
	planted 'a goal of a field that is none' \
		's/\(GOAL(.*\), sw_radio_state,/\1, sw_radio_stat,/'
	planted 'a goal of a state that is none' \
		's/BIT(register_state_home)/BIT(register_state_hom)/'
	planted 'a goal with an exit code that is none' \
		's/\(GOAL(0, .*\)NOT_REACHED)/\1NOT_REACHD)/'
	planted 'a method of a command that is none' \
		's/\(METHOD(.*\)dms_set_fcc_authentication,/\1dms_set_fcc,/'
	planted 'a status with an exit code that is none' \
		's/\(QMI_ERROR(102, NoSim, \)NO_SIM/\1NO_SIMS/'
	planted_in_job 'a command that is none' \
		's/cmd_enter_pin\>/cmd_enter_pins/'
	planted_in_job 'a field that is none' \
		's/STATE(get_pin, pin_type)/STATE(get_pin, pin_types)/'
	planted_in_job 'the field of another command' \
		's/STATE(get_pin, pin_type)/STATE(get_pin, rssi)/'
	planted_in_job 'a status that is none' 's/status_Busy/status_Bussy/'
	planted_in_job 'a word that is none' 's/pin_type_puk1/pin_type_puk0/'
}

plant() { plant_by "$HOSTCC"; }
plant_by_clang()
{
	if command -v clang >/dev/null; then
		plant_by clang
	else
		skip "no clang"
	fi
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
VALUES(sms_store_flag, BITS V(1, store_full) V(2, new_message))
LINES
}

add()
{
	fresh
	lines_of_items >"$work/items"
	lines_of_values >"$work/values"
	awk -v items="$work/items" -v values="$work/values" '
		function insert(file) {
			while ((getline line <file) > 0)
				print line
		}
		/^QUERY\(sms_read,/	{ insert(items) }
				{ print }
		/^VALUES\(on_off,/	{ insert(values) }
		' "$top/commands.def" >"$src/commands.def"
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
	same "a new query" '{"command":"sms-get-message-store-status","flag":["new-message"],"message_index":1}' \
		"$(cat "$work/out")"
	run 0 -j --dms-get-software-version
	same "a new QMI message" '{"command":"dms-get-software-version","software_version":"1.0"}' \
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

together plant plant_by_clang add
finish
