#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Text, JSON and sh: what they look like, and that nothing which a modem says
# can get out of them.

. "$(dirname "$0")/lib.sh"

if [ -z "${JSON:-}" ]; then
	helper json "$here/json.c"
	JSON=$tmp/json
fi

shells=
for shell in dash bash 'busybox ash' 'ksh' 'mksh' 'zsh'; do
	if $shell -c : 2>/dev/null; then
		shells="$shells:$shell"
	fi
done

# ---- all three agree ----

# The single values of a JSON object, a line each; and all variables of sh.
json_pairs()
{
	sed 's/^{//; s/[{,]"/\n"/g' "$work/json" | sed -n \
		's/^"\([a-z0-9_]*\)":"\{0,1\}\([^]["{}]*\)[]"}]*$/\1=\2/p' |
		grep -v -e '=null$' -e '=$' | sort -u
}

sh_pairs() { sed "s/='\(.*\)'\$/=\1/" "$work/sh"; }

agree() # a command of the modem that runs, whose JSON and sh shall agree
{
	run 0 -j "$@"
	check "strict JSON of $*" "$JSON" <"$work/out"
	lines out 1
	cp "$work/out" "$work/json"
	run 0 -s "$@"
	cp "$work/out" "$work/sh"
	same "the last line of sh" "mbim_exit='0'" "$(sed -n '$p' "$work/sh")"
	same "lines of sh that are no assignment" "" \
		"$(grep -v "^mbim_[a-z0-9_]*='[^']*'\$" "$work/sh")"
	same "variables that come twice" "" \
		"$(sed 's/=.*//' "$work/sh" | sort | uniq -d)"
	json_pairs >"$work/pairs"
	check "values in JSON of $*" test -s "$work/pairs" -o \
		"$(cat "$work/json")" = '{}' -o \
		"$(cat "$work/json")" = '{"providers":[]}'
	variables="
$(sh_pairs)
"
	while read -r pair; do
		case $variables in
		*"_$pair
"*) ;;
		*) fail "sh and JSON differ in $pair" ;;
		esac
	done <"$work/pairs"
	run 0 "$@"
	same "control bytes in text" "" \
		"$(tr -d '\n -~\200-\377' <"$work/out")"
}

all()
{
	modem_start pin2=1 session=0
	run 0 --no-open --sms-read	# what was new is old then
	for command in --get-device-caps --get-subscriber-ready-status \
	    --get-radio-state --get-pin --get-pin-list --get-home-provider \
	    --get-preferred-providers --get-visible-providers \
	    --get-register-state --get-packet-service --get-signal-state \
	    --get-connect --get-provisioned-contexts --get-ip-configuration \
	    --get-device-services --get-packet-statistics \
	    --get-network-idle-hint --get-emergency-mode \
	    --get-ip-packet-filters --get-multicarrier-providers --sms-read \
	    --dms-get-ids --dms-get-manufacturer --dms-get-model \
	    --dms-get-revision --dms-get-capabilities \
	    --dms-get-operating-mode --dms-swi-get-usb-composition \
	    --nas-get-serving-system --nas-get-signal-info \
	    --nas-get-home-network --uim-get-card-status \
	    --wds-get-packet-service-status --ctl-get-version-info \
	    --dms-set-fcc-authentication; do
		agree --no-open $command
	done
	modem_stop opened=1 sessions=0
}

# ---- each alone ----

forms()
{
	modem_start
	run 0 -j --get-device-caps
	same "JSON" '{"device_type":"embedded","cellular_class":["gsm"],"voice_class":"no-voice","sim_class":["removable"],"data_class":["gprs","edge","umts","hsdpa","hsupa","lte"],"sms_caps":["pdu-receive","pdu-send"],"control_caps":["reg-manual","hw-radio-switch"],"max_sessions":8,"custom_data_class":"","device_id":"013937001234564","firmware_info":"SWI9X15C_05.05.58.00","hardware_info":"EM7355"}' \
		"$(cat "$work/out")"
	run 0 -o sh --get-device-caps
	same "sh" "mbim_device_type='embedded'
mbim_cellular_class='gsm'
mbim_voice_class='no-voice'
mbim_sim_class='removable'
mbim_data_class='gprs edge umts hsdpa hsupa lte'
mbim_sms_caps='pdu-receive pdu-send'
mbim_control_caps='reg-manual hw-radio-switch'
mbim_max_sessions='8'
mbim_custom_data_class=''
mbim_device_id='013937001234564'
mbim_firmware_info='SWI9X15C_05.05.58.00'
mbim_hardware_info='EM7355'
mbim_exit='0'" "$(cat "$work/out")"
	run 0 -o text --get-radio-state
	same "text" "hw radio state:             on
sw radio state:             on" "$(cat "$work/out")"
	# no fields
	run 0 -j --dms-set-fcc-authentication
	same "no fields" '{}' "$(cat "$work/out")"
	run 0 -s --dms-set-fcc-authentication
	same "no fields" "mbim_exit='0'" "$(cat "$work/out")"
	# 64 bits
	run 0 -j --get-packet-statistics
	like out '"in_octets":5000000000,"in_packets":4000000,'
	run 0 -s --get-packet-statistics
	like out "^mbim_in_octets='5000000000'\$"
	# elements that are one scalar are bare
	run 0 -j --get-device-services
	like out '"cids":\[1,2,3,4,5\]'
	# nested names are joined
	run 0 -s --nas-get-serving-system
	like out "^mbim_serving_system_registration_state='registered'\$"
	like out "^mbim_current_plmn_mnc='01'\$"
	# what the modem did not send is empty, and absent in JSON
	like out "^mbim_dtm_support=''\$"
	run 0 -j --nas-get-serving-system
	unlike out 'dtm_support'
	# arrays of more than words by index
	run 0 -s --get-visible-providers
	like out "^mbim_providers_0_provider_id='00101'\$"
	like out "^mbim_providers_2_provider_name='Third'\$"
	like out "^mbim_providers_count='3'\$"
	modem_stop

	# enums: words, or numbers where there are none; flags the same
	modem_start hexreply=3:0100000002000000 \
		hexreply=9:0000000007000000ff000000200000800300000000000000000000000000000000000000000000000000000000000000
	run 0 -j --get-radio-state
	same "an unknown number" '{"hw_radio_state":"on","sw_radio_state":2}' \
		"$(cat "$work/out")"
	run 0 -s --get-radio-state
	like out "^mbim_sw_radio_state='2'\$"
	run 0 -j --get-register-state
	like out '"register_state":7,"register_mode":255,'
	like out '"available_data_classes":\["lte","custom"\]'
	modem_stop
	modem_start hexreply=11:63000000ffffffff000000000000000000000000 \
		hexreply=10:000000000200000000000018ffffffffffffffffffffffffffffff7f
	run 0 -j --get-signal-state
	like out '"rssi":null,'
	like out '"error_rate":4294967295,'
	run 0 -s --get-signal-state
	like out "^mbim_rssi=''\$"
	run 0 --get-signal-state
	like out '^rssi: *unknown$'
	run 0 -j --get-packet-service
	check "strict JSON" "$JSON" <"$work/out"
	like out '"uplink_speed":18446744073709551615,"downlink_speed":9223372036854775807'
	# bits 27 and 28, of which nothing is known
	like out '"highest_available_data_class":\[.*[0-9].*\]'
	modem_stop
}

sessions()
{
	modem_start
	run 0 --attach --connect --apn internet --ip-type ipv4v6
	run 0 -s --get-ip-configuration
	like out "^mbim_ipv4_address='10.0.0.2/30'\$"
	like out "^mbim_ipv6_address='2001:db8::2/64'\$"
	like out "^mbim_ipv4_gateway='10.0.0.1'\$"
	like out "^mbim_ipv4_dns='192.0.2.53 192.0.2.54'\$"
	like out "^mbim_ipv6_dns='2001:db8::35'\$"
	like out "^mbim_ipv4_mtu='1500'\$"
	same "what for makes of it" "192.0.2.53;192.0.2.54;" "$(
		eval "$(cat "$work/out")"
		for dns in $mbim_ipv4_dns; do printf '%s;' "$dns"; done)"
	run 0 -j --get-ip-configuration
	like out '"ipv4_dns":\["192.0.2.53","192.0.2.54"\]'
	like out '"ipv6_gateway":"2001:db8::1"'
	run 0 -j --disconnect
	check "strict JSON" "$JSON" <"$work/out"
	modem_stop
	modem_start
	run 0 --attach --connect --apn internet --ip-type ipv4
	run 0 -s --get-ip-configuration
	like out "^mbim_ipv6_address=''\$"
	like out "^mbim_ipv6_gateway=''\$"
	like out "^mbim_ipv6_mtu=''\$"
	run 0 --disconnect
	modem_stop
}

several()
{
	modem_start
	run 0 -j --get-radio-state --dms-get-ids --get-radio-state
	check "strict JSON" "$JSON" <"$work/out"
	same "lines" "hw_radio_state esn hw_radio_state " \
		"$(sed 's/^{"\([a-z_]*\)".*/\1/' "$work/out" | tr '\n' ' ')"
	run 0 --get-radio-state --dms-get-ids
	same "blocks" "get-radio-state: dms-get-ids: " \
		"$(grep '^[^ ]' "$work/out" | tr '\n' ' ')"
	run 0 -s --get-radio-state --dms-get-ids
	same "sh says how it went once, at the end" "mbim_exit='0'" \
		"$(grep '^mbim_exit=' "$work/out")"
	same "at the end" "mbim_exit='0'" "$(sed -n '$p' "$work/out")"

	run 0 -s --prefix wwan_0 --get-radio-state
	same "--prefix" "wwan_0_hw_radio_state='on'
wwan_0_sw_radio_state='on'
wwan_0_exit='0'" "$(cat "$work/out")"
	for prefix in '' '0a' 'a b' 'a;b' 'a-b' "a'b" '$x'; do
		run 2 -s --prefix "$prefix" --get-radio-state
		lines err 1
	done
	# failure too
	run 11 -s --prefix w --raw-mbim GOOGLE,1,query
	like out "^w_exit='11'\$"
	like out "^w_error='.*NoDeviceSupport (9)"
	modem_stop
	plain 3 -s -d "$work/it's; not there" --get-radio-state
	same "a hostile device" "3 none" "$(
		eval "$(cat "$work/out")"; echo "$mbim_exit" "${not:-none}")"
	plain 3 -j -d "$work/\"\\$(printf '\001')" --get-radio-state
	check "strict JSON" "$JSON" <"$work/out"
	plain 2 -s --no-such-command
	like out "^mbim_exit='2'\$"
	plain 2 -j --no-such-command
	check "strict JSON" "$JSON" <"$work/out"
	like out '^{"error":{"exit":2,'
}

# ---- a hostile operator ----

units() # HEX...: UTF-16 code units, little-endian into $work/name16
{
	for unit; do
		printf "\\$(printf %03o $((0x$unit & 255)))\\$(printf %03o \
			$((0x$unit >> 8)))"
	done >"$work/name16"
}

text_units() # TEXT: its code units in hex
{
	printf '%s' "$1" | od -An -v -tu1 | tr -s ' \n' '\n\n' | grep . |
		while read -r byte; do printf '%04x ' "$byte"; done
}

hostile()
{
	owned=$work/owned
	quote="'; touch $owned; #"
	for kind in quote newline dollar backtick backslash surrogate high \
	    escape c1 nul del bom emoji max rtl; do
		case $kind in
		quote) units $(text_units "$quote") ;;
		newline) units $(text_units "a") 000a \
			$(text_units "touch $owned") 000a \
			$(text_units "mbim_exit='99'") 000d 000a 0041 ;;
		dollar) units $(text_units "\$(touch $owned)") ;;
		backtick) units $(text_units "\`touch $owned\`") ;;
		backslash) units 005c 0027 003b $(text_units "touch $owned") \
			005c 005c ;;
		surrogate) units 0041 dc00 0042 ;;
		high) units 0041 d800 0042 d83d ;;
		escape) units 001b 005b 0033 0031 006d 001b 005d 0030 003b \
			0068 0069 0007 ;;
		c1) units 0041 0085 009b 0033 0031 006d 009d 0042 ;;
		nul) units 0041 0042 0000 0027 003b ;;
		del) units 0041 007f 0042 ;;
		bom) units feff 0041 fffe ffff ;;
		emoji) units 0041 d83d de00 00e9 20ac ;;
		max) units $(i=0; while [ $i -lt 120 ]; do echo 0027
			i=$((i + 1)); done) ;;
		rtl) units 202e 0041 2028 0042 ;;
		esac
		modem_start "operator=@$work/name16"

		run 0 -j --get-register-state
		check "strict JSON of a name: $kind" "$JSON" <"$work/out"
		lines out 1
		case $kind in
		surrogate) like out "\"A$(printf '\357\277\275')B\"" ;;
		high) like out \
			"\"A$(printf '\357\277\275')B$(printf '\357\277\275')\"" ;;
		nul) like out '"provider_name":"AB"' ;;
		emoji) like out \
			"\"A$(printf '\360\237\230\200\303\251\342\202\254')\"" ;;
		escape) like out '"\\u001b\[31m\\u001b\]0;hi\\u0007"' ;;
		quote) like out "\"provider_name\":\"'; touch $owned; #\"" ;;
		backslash) like out '"\\\\'\'';touch.*\\\\\\\\"' ;;
		esac

		run 0 -s --get-register-state
		same "control bytes in sh: $kind" "" \
			"$(tr -d '\n -~\200-\377' <"$work/out")"
		same "lines that are no assignment: $kind" "" "$(grep -v \
			"^mbim_[a-z0-9_]*='\([^']*\|'\\\\''\)*'\$" \
			"$work/out")"
		cat >"$work/eval" <<-'END'
		eval "$(cat "$1")"
		printf '%s|%s' "$mbim_exit" "$mbim_provider_name"
		END
		rest=$shells
		while [ -n "$rest" ]; do
			rest=${rest#:}
			shell=${rest%%:*}
			case $rest in
			*:*) rest=:${rest#*:} ;;
			*) rest= ;;
			esac
			got=$($shell "$work/eval" "$work/out" 2>&1)
			case $kind in
			quote) same "$shell: $kind" "0|$quote" "$got" ;;
			dollar) same "$shell: $kind" \
				"0|\$(touch $owned)" "$got" ;;
			backtick) same "$shell: $kind" \
				"0|\`touch $owned\`" "$got" ;;
			*) same "$shell: $kind" "0|" \
				"$(printf %s "$got" | cut -c 1-2 | sed 1q)" ;;
			esac
			check "$shell did not touch: $kind" test ! -e "$owned"
		done

		run 0 --get-register-state
		lines out 9
		same "control bytes in text: $kind" "" \
			"$(tr -d '\n -~\200-\377' <"$work/out")"
		same "C1 controls in text: $kind" 0 "$(grep -c \
			"$(printf '\302[\200-\237]')" "$work/out")"

		# the trace is for people, too
		run 0 -vv --get-register-state
		same "control bytes in the trace: $kind" "" \
			"$(tr -d '\n -~\200-\377' <"$work/err")"
		# and so are lists and QMI strings
		run 0 -j --get-visible-providers --get-home-provider
		check "strict JSON of lists: $kind" "$JSON" <"$work/out"
		modem_stop
	done

	# bytes of QMI strings may be anything
	printf '%s' "$quote" >"$work/name"
	modem_start "opertext=$(printf '\233x\377y\302')$quote"
	run 0 -j --nas-get-home-network --nas-get-serving-system
	check "strict JSON of bytes that are no UTF-8" "$JSON" <"$work/out"
	run 0 --nas-get-home-network
	same "control bytes" "" "$(tr -d '\n -~\200-\377' <"$work/out")"
	run 0 -s --nas-get-home-network
	eval "$(sed 's/^mbim_/got_/' "$work/out")"
	same "eval" 0 "$got_exit"
	check "nothing was touched" test ! -e "$owned"
	modem_stop
}

# ---- what the table does not know ----

unknown()
{
	# CONNECT's cause beyond the list; a service beyond the list
	modem_start hexreply=10:e80300000200000000000000000000000000000000000000000000
	run 5 --get-packet-service
	modem_stop
	modem_start hexreply=10:e803000002000000000000000000000000000000000000000000000000000000
	run 0 -j --get-packet-service
	like out '"nw_error":1000,'
	modem_stop

	# TLVs that the entry does not have stay hex: 0x2a with two bytes
	# (DMS 0x25: result, ESN "0", 0x2a)
	tlvs=0204000000000010010030 tlvs=${tlvs}2a0200beef
	n=$((${#tlvs} / 2))
	printf '01%02x0080023402060025%s%02x00%s\n' $((12 + n)) 00 $n "$tlvs" \
		>"$work/in"
	plain 0 -j --decode "$work/in"
	check "strict JSON" "$JSON" <"$work/out"
	like out '"esn":"0"'
	like out '"unknown":{"0x2a":"beef"}'
	plain 0 --decode "$work/in"
	like out '0x2a: *beef'

	# a message that nobody knows: WDS 0x2d, whose TLVs are known
	modem_start
	run 0 --wds-start-network --apn internet
	run 0 -j --raw-qmi WDS,0x2d
	check "strict JSON" "$JSON" <"$work/out"
	same "an unknown message" '{"unknown":{"0x15":"350200c0","0x16":"360200c0","0x1e":"0200000a","0x20":"0100000a","0x21":"fcffffff","0x29":"dc050000","0x2b":"04"}}' \
		"$(cat "$work/out")"
	run 0 -s --raw-qmi WDS,0x2d
	like out "^mbim_unknown_0x2b='04'\$"
	run 0 --wds-stop-network
	modem_stop
	# a command that the table does not know: MBIMEx's version
	modem_start ex=2
	run 0 -j --raw-mbim MS_BASIC_CONNECT_EXTENSIONS,15,query,00010002
	check "strict JSON" "$JSON" <"$work/out"
	like out '"data":"0001000.'
	modem_stop
}

# The table's other kinds, with what the modem says.
kinds()
{
	modem_start
	run 0 -j --nas-get-signal-info
	same "signed numbers and tenths" '{"lte_signal_strength":{"rssi":-71,"rsrq":-9,"rsrp":-101,"snr":13.2}}' \
		"$(cat "$work/out")"
	run 0 -j --sms-read --message-index 2
	like out '"pdu_messages":\[{"message_index":2,"message_status":"old","pdu_data":"05915155000004089151551099000062111290104300086f3619e42edfe7"}\]'
	run 0 -j --uim-get-card-status
	like out '"cards":\[{"card_state":"present",.*"applications":\[{"type":"usim","state":"ready",'
	like out '"application_identifier_value":"a0010101871002"'
	run 0 -s --uim-get-card-status
	like out "^mbim_card_status_cards_0_applications_0_pin1_state='disabled'\$"
	run 0 -j --set-signal-state --rssi-threshold 4 \
		--signal-strength-interval 10 --error-rate-threshold 2
	same "scales both ways" '{"rssi":-71,"error_rate":null,"signal_strength_interval":10,"rssi_threshold":4,"error_rate_threshold":2}' \
		"$(cat "$work/out")"
	run 0 -j --service-activation 00ff10fe
	like out '"data_buffer":"00ff10fe"'
	run 0 -j --set-provisioned-contexts --context-id 3 --apn a.b \
		--context-type mms --auth pap
	like out '{"context_id":3,"context_type":"mms","access_string":"a.b","user_name":"","password":"","compression":"none","auth_protocol":"pap"}'
	run 0 -j --set-preferred-providers --provider-id 26201 --provider-name \
		"$(printf 'Tele\303\251')" --provider-state home,preferred
	like out "\"provider_state\":\\[\"home\",\"preferred\"\\],\"provider_name\":\"Tele$(printf '\303\251')\""
	modem_stop
	# MBIMEx 2 and 3 are not negotiated, so their layouts do not count; a
	# reply longer than its layout is legal
	modem_start ex=2
	run 0 -j --get-signal-state
	like out '"rssi":-71,'
	modem_stop
}

together all forms sessions several hostile unknown kinds
finish
