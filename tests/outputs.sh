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
	sed 's/^{"command":"[a-z-]*",\{0,1\}/{/; s/^{//; s/[{,]"/\n"/g' \
		"$work/json" | sed -n \
		's/^"\([a-z0-9_]*\)":"\{0,1\}\([^]["{}]*\)[]"}]*$/\1=\2/p' |
		grep -v -e '=null$' -e '=$' | sort -u
}

sh_pairs() { sed "s/='\(.*\)'\$/=\1/" "$work/sh"; }

agree() # a command of the modem that runs, whose JSON and sh shall agree
{
	command=${2#--}
	run 0 -j "$@"
	check "strict JSON of $*" "$JSON" <"$work/out"
	lines out 1
	like out "^{\"command\":\"$command\"[,}]"
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
		"$(cat "$work/json")" = "{\"command\":\"$command\"}" -o \
		"$(cat "$work/json")" = \
		"{\"command\":\"$command\",\"providers\":[]}"
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
	# but a single value is not broken
	same "lines of more than 80 columns" "" "$(grep '^.\{81\}' \
		"$work/out" | grep -v '^ *[a-z0-9 ]*: *[^ ]*$')"
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
	same "JSON" '{"command":"get-device-caps","device_type":"embedded","cellular_class":["gsm"],"voice_class":"no-voice","sim_class":["removable"],"data_class":["gprs","edge","umts","hsdpa","hsupa","lte"],"sms_caps":["pdu-receive","pdu-send"],"control_caps":["reg-manual","hw-radio-switch"],"max_sessions":8,"custom_data_class":"","device_id":"013937001234564","firmware_info":"SWI9X15C_05.05.58.00","hardware_info":"EM7355"}' \
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
mbim_error=''
mbim_exit='0'" "$(cat "$work/out")"
	run 0 -o text --get-radio-state
	same "text" "hw radio state:             on
sw radio state:             on" "$(cat "$work/out")"
	# no fields
	run 0 -j --dms-set-fcc-authentication
	same "no fields" '{"command":"dms-set-fcc-authentication"}' \
		"$(cat "$work/out")"
	run 0 -s --dms-set-fcc-authentication
	same "no fields" "mbim_unknown=''
mbim_error=''
mbim_exit='0'" "$(cat "$work/out")"
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
	same "an unknown number" '{"command":"get-radio-state","hw_radio_state":"on","sw_radio_state":2}' \
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

# Text is for people: units, columns, tables, 80 columns.
text()
{
	# RSSI 31 is -51 dBm, the whole bar
	modem_start rssi=31 autoattach=1
	run 0 --get-signal-state
	like out '^rssi:                       -51 dBm  \[##########\]$'
	like out '^rssi threshold:             0 dB$'
	run 0 --set-signal-state --signal-strength-interval 10 \
		--rssi-threshold 4
	like out '^signal strength interval:   10 s$'
	like out '^rssi threshold:             4 dB$'
	like out '^error rate:                 unknown$'
	run 0 --get-packet-service
	like out '^uplink speed:               50 Mbit/s$'
	like out '^downlink speed:             5000 Mbit/s$'
	# a label as wide as its column
	like out '^highest available data class: lte$'
	# a list of structures that fits is a table
	run 0 --ctl-get-version-info
	same "a table" "service list:
  service  major version  minor version
  ctl      1              5
  wds      1              36
  dms      1              14
  nas      1              25
  wms      1              10
  uim      1              11
  wda      1              5" "$(cat "$work/out")"
	run 0 --set-device-service-subscribe-list \
		--device-service-id basic-connect --cids 1,2,3 \
		--device-service-id sms --cids 2
	same "a table with a list in it" "events:
  device service id  cids
  basic-connect      1,2,3
  sms                2" "$(cat "$work/out")"
	# its columns that are the same for all, or empty, may be left out
	run 0 --get-visible-providers
	same "the networks" "providers:
  id     state                    name       cellular class  rssi
  00101  home,visible,registered  Simulated  gsm             -51 dBm
  00102  forbidden,visible        Other      gsm             -53 dBm
  99999  visible                  Third      gsm             -55 dBm" \
		"$(cat "$work/out")"
	# one that does not is blocks, whose values stand in one column
	run 0 --get-device-services
	like out '^  - device service id:  *sms$'
	same "where values begin" 28 "$(sed -n \
		's/^\([ a-z-]*:  *\)[^ ].*/\1x/p' "$work/out" |
		sed 's/./-/g; s/-$//' | sort -u |
		while read -r dashes; do echo "${#dashes}"; done |
		tr '\n' ' ' | sed 's/ $//')"
	# titles when there are several
	run 0 --get-radio-state --get-visible-providers
	like out '^get-radio-state:$'
	like out '^  hw radio state:           on$'
	like out '^    00101  home,visible,registered  Simulated  gsm '
	# what QMI says of the signal has units, too
	run 0 --nas-get-signal-info
	like out '^  rssi:  *-[0-9]* dBm'
	like out '^  rsrq:  *-[0-9]* dB$'
	like out '^  rsrp:  *-[0-9]* dBm'
	like out '^  snr:  *[0-9.]* dB$'
	modem_stop
	modem_start rssi=0
	run 0 --get-signal-state
	like out '^rssi:                       -113 dBm  \[----------\]$'
	modem_stop
	modem_start rssi=99
	run 0 --get-signal-state
	like out '^rssi:                       unknown$'
	modem_stop
	# all the words of the flags, in lines that fit
	modem_start hexreply=1:01000000030000000100000003000000ffffffff0f000000ff000000080000000000000000000000000000000000000000000000000000000000000000000000
	run 0 --get-device-caps
	same "lines of more than 80 columns" "" \
		"$(grep '^.\{81\}' "$work/out")"
	like out '^data class:                 gprs, edge, umts,'
	like out '^                            1xrtt, 1xevdo, '
	run 0 -j --get-device-caps
	like out '"control_caps":\["reg-manual",.*"sim-hot-swap-capable"\]'
	modem_stop
}

several()
{
	modem_start
	run 0 -j --get-radio-state --dms-get-ids --get-radio-state
	check "strict JSON" "$JSON" <"$work/out"
	same "lines" "get-radio-state dms-get-ids get-radio-state " \
		"$(sed 's/^{"command":"\([a-z-]*\)".*/\1/' "$work/out" |
		tr '\n' ' ')"
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
wwan_0_error=''
wwan_0_exit='0'" "$(cat "$work/out")"
	for prefix in '' '0a' 'a b' 'a;b' 'a-b' "a'b" '$x'; do
		run 2 -s --prefix "$prefix" --get-radio-state
		lines err 1
	done
	# it counts for what comes after it
	run 0 -s --get-radio-state --prefix a --get-radio-state \
		--get-signal-state --prefix b --get-radio-state --dms-get-model
	same "prefixes" "mbim_hw_radio_state mbim_sw_radio_state a_hw_radio_state a_sw_radio_state a_rssi a_error_rate a_signal_strength_interval a_rssi_threshold a_error_rate_threshold a_rsrp_snr_count b_hw_radio_state b_sw_radio_state b_model b_unknown b_error b_exit" \
		"$(sed 's/=.*//' "$work/out" | tr '\n' ' ' | sed 's/ $//')"
	# two commands that would set one variable
	modem_check opens='*' requests='*'
	for pair in '--get-radio-state --get-radio-state' \
	    '--get-signal-state --get-home-provider' \
	    '--dms-get-ids --nas-get-signal-info' \
	    '--get-connect --get-ip-packet-filters' \
	    '--get-radio-state --raw-mbim BASIC_CONNECT,3,query' \
	    '--get-preferred-providers --get-visible-providers' \
	    '--prefix x --get-radio-state --get-radio-state' \
	    '--prefix x --get-radio-state --prefix y --get-pin --prefix x --set-radio-state on'; do
		run 2 -s $pair
		lines err 1
		like err '--prefix'
		like out "_exit='2'\$"
		run 0 -j $pair
		run 0 $pair
	done
	run 2 -s --up --apn a --get-ip-configuration
	like err '--prefix'
	run 0 -s --get-signal-state --prefix home --get-home-provider
	like out "^mbim_rssi='-71'\$"
	like out "^home_rssi='-71'\$"
	run 0 -s --get-radio-state --get-pin --get-device-caps
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
	# what a command that is not reached would set is empty, not of old
	modem_start statusq=cid3:2
	run 1 -s --get-radio-state --prefix later --get-signal-state
	like out "^mbim_hw_radio_state=''\$"
	like out "^later_rssi=''\$"
	like out "^later_exit='1'\$"
	modem_stop
	plain 3 -s -d "$work/none" --get-radio-state --get-signal-state
	same "variables without a device" "mbim_hw_radio_state mbim_sw_radio_state mbim_rssi mbim_error_rate mbim_signal_strength_interval mbim_rssi_threshold mbim_error_rate_threshold mbim_rsrp_snr_count mbim_error mbim_exit" \
		"$(sed 's/=.*//' "$work/out" | tr '\n' ' ' | sed 's/ $//')"
	plain 2 -s --no-such-command
	like out "^mbim_exit='2'\$"
	plain 2 -j --no-such-command
	check "strict JSON" "$JSON" <"$work/out"
	like out '^{"command":null,"error":{"exit":2,'
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
		c1) like out '"A\\u0085\\u009b31m\\u009dB"' ;;
		rtl) like out '"\\u202eA\\u2028B"' ;;
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

	# a failure without a number is one all the same
	printf '0113008002340206002500070002040005000000\n' >"$work/in"
	plain 0 -j --decode "$work/in"
	like out '"result":"UnknownError"'

	# a message that nobody knows: WDS 0x2d, whose TLVs are known
	modem_start
	run 0 --wds-start-network --apn internet
	run 0 -j --raw-qmi WDS,0x2d
	check "strict JSON" "$JSON" <"$work/out"
	same "an unknown message" '{"command":"raw-qmi","unknown":{"0x15":"350200c0","0x16":"360200c0","0x1e":"0200000a","0x20":"0100000a","0x21":"fcffffff","0x29":"dc050000","0x2b":"04"}}' \
		"$(cat "$work/out")"
	run 0 -s --raw-qmi WDS,0x2d
	same "unknown TLVs in sh" "mbim_unknown='0x15=350200c0 0x16=360200c0 0x1e=0200000a 0x20=0100000a 0x21=fcffffff 0x29=dc050000 0x2b=04'
mbim_error=''
mbim_exit='0'" "$(cat "$work/out")"
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
	same "signed numbers and tenths" '{"command":"nas-get-signal-info","lte_signal_strength":{"rssi":-71,"rsrq":-9,"rsrp":-101,"snr":13.2}}' \
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
	same "scales both ways" '{"command":"set-signal-state","rssi":-71,"error_rate":null,"signal_strength_interval":10,"rssi_threshold":4,"error_rate_threshold":2,"rsrp_snr":[]}' \
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

# ---- the whole table ----

# The names of a JSON object's keys; the variables of sh, but for the elements of
# lists and the error, which only some runs have.
keys() { "$JSON" -k <"$work/out"; }

variables()
{
	sed -n 's/^\(mbim_[a-z0-9_]*\)=.*/\1/p' "$work/out" |
		grep -v -e '_[0-9][0-9]*$' -e '_[0-9][0-9]*_' -e '^mbim_error$'
}

# How a command is called so that it succeeds: $call, and the modem's options in
# $modem; what it wants before it in $before; its exit code in $good.
way_of() # COMMAND
{
	call=--$1 modem='autoattach=1 quectel=1 foxconn=1' before='' good=0
	case $1 in
	raw-mbim) call='--raw-mbim BASIC_CONNECT,3,query' ;;
	raw-qmi) call='--raw-qmi DMS,0x25' ;;
	set-radio-state|set-emergency-mode|quectel-set-radio-state)
		call="--$1 on" ;;
	enter-pin|disable-pin) call="--$1 1234" modem="$modem pin=1234" ;;
	enable-pin) call='--enable-pin 1234' ;;
	change-pin) call='--change-pin --pin 1234 --new-pin 1234'
		modem="$modem pin=1234" ;;
	unblock-pin) call='--unblock-pin --yes --puk 12345678 --new-pin 1234'
		modem="$modem pin=1234 attempts=0" ;;
	set-home-provider) call="--$1 --provider-id 00101" ;;
	set-preferred-providers|set-multicarrier-providers)
		call="--$1 --provider-id 00101 --provider-id 00102" ;;
	connect|up|ensure-connected) call="--$1 --apn internet" ;;
	get-ip-configuration|disconnect|get-connect|down)
		before='--connect --apn internet' ;;
	set-provisioned-contexts) call="--$1 --context-id 2 --apn internet" ;;
	service-activation) call="--$1 00" ;;
	set-device-service-subscribe-list)
		call="--$1 --device-service-id sms --cids 2" ;;
	set-network-idle-hint) call="--$1 enabled" ;;
	set-ip-packet-filters)
		call="--$1 --packet-filter 4500 --packet-mask ff00" ;;
	wait-for) call='--wait-for registered' ;;
	verify-connection) good=12 ;;	# jobs.sh has an interface for it
	fcc-unlock) call='--fcc-unlock --method sierra' modem=fcc=1 ;;
	dms-set-fcc-authentication) modem=fcc=1 ;;
	dms-set-operating-mode) call="--$1 online" ;;
	dms-swi-set-usb-composition) call="--$1 8 --yes" ;;
	dms-foxconn-get-firmware-version) call="--$1 apps" ;;
	dms-foxconn-set-fcc-authentication) modem="$modem foxconn=2" ;;
	dms-foxconn-set-fcc-authentication-v2)
		call="--$1 --magic-string salte8f36c23b670cc93a7f5d56ef87271dc" ;;
	wds-start-network) call="--$1 --apn internet" ;;
	wds-stop-network) before='--wds-start-network --apn internet' ;;
	esac
}

# From the table: $kind, $prefix and $number, as the modem names it, $size of
# the reply's fixed part.
entry_of() # COMMAND
{
	entry=$(sed -n "/^[A-Z]*($(echo "$1" | tr - _), /{
		s/[(),]/ /g
		p
	}" "$here/../commands.def")
	kind=${entry%% *} prefix=cmd number='' size=''
	# shellcheck disable=SC2086
	set -- $entry
	case $kind in
	QUERY|SET)
		number=$4 size=$6
		case $3 in
		BASIC_CONNECT) prefix=cid$number ;;
		SMS) prefix=sms$number ;;
		*) size= ;;
		esac ;;
	QMI)	number=$4 prefix=qmi
		case $3 in CTL) number=0/$4 ;; esac ;;
	esac
}

# A command, behind $before, in sh or in both, each at a fresh modem:
# CONDITION CODE modem's options...; CODE * is any.
both() { in_outputs '-j -s' "$@"; }
in_sh() { in_outputs -s "$@"; }

in_outputs()
{
	outputs=$1 condition=$2 code_wanted=$3
	shift 3
	for output in $outputs; do
		# shellcheck disable=SC2086
		modem_start $modem "$@"
		if [ -n "$before" ]; then
			# shellcheck disable=SC2086
			$MBIMCTL -d "$dev" $before >"$work/before" 2>&1
		fi
		what="$call: $condition"
		# shellcheck disable=SC2086
		timeout 30 $MBIMCTL -d "$dev" $output $call $limit \
			>"$work/out" 2>"$work/err"
		code=$?
		last_run=$what
		sanitized "$work/err"
		[ "$code_wanted" = '*' ] ||
			same "exit code ($output, $condition)" \
				"$code_wanted" "$code"
		case $output in -j) judge_json ;; *) judge_sh ;; esac
		kill "$modem_pid"
		wait "$modem_pid" 2>/dev/null
	done
}

# As JSON on success, with the same keys; on failure, with some of them.
judge_json()
{
	check "strict JSON: $condition" "$JSON" <"$work/out"
	lines out 1
	like out "^{\"command\":\"$command\"[,}]"
	if [ "$condition" = success ]; then
		keys >"$work/keys"
	elif [ "$code" = 0 ] && [ "$kind" != QMI ]; then
		same "keys: $condition" "$(cat "$work/keys")" "$(keys)"
	elif [ "$code" != 0 ]; then
		like out "\"error\":{\"exit\":$code,.*\"text\":\"[^\"]*\"}}\$"
		same "keys of the failure that success has not: $condition" "" \
			"$(keys | grep -v '^error' |
			grep -v -x -F -f "$work/keys")"
	fi
}

judge_sh()
{
	same "lines of sh that are no assignment: $condition" "" \
		"$(grep -v "^mbim_[a-z0-9_]*='\([^']*\|'\\\\''\)*'\$" "$work/out")"
	same "the last line of sh: $condition" "mbim_exit='$code'" \
		"$(sed -n '$p' "$work/out")"
	same "variables that come twice: $condition" "" \
		"$(sed 's/=.*//' "$work/out" | sort | uniq -d)"
	variables | sort >"$work/set"
	if [ "$condition" = success ]; then
		cp "$work/set" "$work/variables"
	else
		same "variables: $condition" "$(cat "$work/variables")" \
			"$(cat "$work/set")"
	fi
}

one_command()
{
	command=$1 limit=
	way_of "$1"
	entry_of "$1"
	both success "$good"
	case $kind in
	QUERY|SET)
		# everything left out that may be; nothing at all; too little
		[ -z "$size" ] || both "what may be missing is" '*' \
			"hexreply=$prefix:$(printf "%0$((2 * size))d" 0)"
		[ "$kind" = QUERY ] || both "no buffer" '*' "nobuffer=$prefix"
		both "refused" '*' "status=$prefix:2" "statusq=$prefix:2"
		[ "${size:-0}" -eq 0 ] || [ "$1" = service-activation ] ||
			in_sh "cut" 5 "short=$prefix:3" ;;
	QMI)
		both "refused" '*' "qmierror=$number:48"
		in_sh "cut" '*' short=qmi:8 ;;
	RAW)	both "refused" 11 statusq=cid3:9 qmierror=0x25:94 ;;
	JOB)	limit='-t 0.5'
		both "refused" '*' status=cmd:2 statusq=cmd:2 ;;
	esac
	[ "$kind" = QMI ] || [ -n "$before" ] ||
		in_sh "unplugged" '*' hangup=cmd
	# before anything was sent: no device, a command line that is refused
	for output in -j -s; do
		condition="no device" before=
		what="$call: $condition"
		timeout 30 $MBIMCTL -d "$work/none" $output $call \
			>"$work/out" 2>"$work/err"
		code=$?
		same "exit code ($output, $condition)" 3 "$code"
		case $output in -j) judge_json ;; *) judge_sh ;; esac
	done
}

every() # N: every third command of the table, from the Nth on
{
	$MBIMCTL --help | sed -n '/^Commands/,$s/^  --\([a-z0-9-]*\) .*/\1/p' |
		sed -n "$1~3p" >"$work/commands"
	check "commands in the help" test "$(grep -c '' "$work/commands")" -gt 20
	while read -r next; do
		one_command "$next" </dev/null
	done <"$work/commands"
}

table1() { every 1; }
table2() { every 2; }
table3() { every 3; }

# PARTS: only these
# shellcheck disable=SC2086
together ${PARTS:-all forms sessions text several hostile unknown kinds table1 \
	table2 table3}
finish
