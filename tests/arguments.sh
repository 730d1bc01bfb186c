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
	case " $* " in
	*' -j '*|*' --json '*|*' -s '*|*' --sh '*) ;;
	*)	same "what is on stdout" "" "$(cat "$work/out")" ;;
	esac
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
	usage '--access-string' --connect --access-strin internet
	usage '--apn' --connect --apm internet
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
	usage '--apn belongs to --connect, ' --apn internet --connect
	usage '--apn belongs to --connect, ' --connect --disconnect \
		--apn internet
	usage '--radio-state belongs to --set-radio-state' --get-radio-state \
		--radio-state on
	usage '--pin-file belongs to ' --connect --pin-file "$work/nowhere"
	usage '--packet-data-handle belongs to --wds-stop-network' \
		--wds-start-network --packet-data-handle 1
	# --close with what is to stay
	for keeping in '--connect --apn a' '--wds-start-network --apn a' \
	    '--up --apn a' '--ensure-connected --apn a' \
	    '--get-radio-state --connect'; do
		usage '--close' $keeping --close
		usage '--close' --close $keeping
	done
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
	usage 'new-pin\|new pin' --get-radio-state --change-pin --pin 1234
	# an argument may have more than one line; a message has not
	newline='
'
	for argument in "--a${newline}b" "a${newline}b" "--ip-type=a${newline}b" \
	    "-t${newline}" "--prefix=a${newline}" "-oa${newline}b" \
	    "--help=a${newline}b" "--session-id=${newline}"; do
		usage '' --connect "$argument"
	done
	run 2 -s --connect "--ip-type=a${newline}mbim_exit='0'"
	same "lines of sh that are no assignment" "" "$(grep -v \
		"^mbim_[a-z0-9_]*='\([^']*\|'\\\\''\)*'\$" "$work/out")"
	untouched
	plain 3 -d "$work/a${newline}b" --get-radio-state
	lines err 1
	plain 2 --decode "$work/a${newline}b"
	lines err 1
}

# ---- run options: anywhere on the line ----

anywhere()
{
	modem_start
	plain 0 --get-radio-state -d "$dev"
	plain 0 --get-radio-state --device "$dev" -j
	like out '^{"command":"get-radio-state","hw'
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
	for digits in 1234 1234567 0010a '00 01' +00101; do
		usage '--provider-id.*5 \(to\|or\) 6' --set-home-provider \
			--provider-id "$digits"
		usage '--provider-id' --register --provider-id "$digits"
	done
	usage '' --set-preferred-providers --provider-id 00101 --provider-name \
		"$(printf '%021d' 0)"
	# what is quoted of a long value leaves room for what is wrong with it
	usage '--user-name 0*.*: .*255' --connect \
		--user-name "$(printf '%0256d' 0)"
	usage '--apn 0*.*: .*100' --connect --apn "$(printf '%04000d' 0)"
	usage ': not ' --connect --ip-type "$(printf '%04000d' 0 | tr 0 x)"
	# 8 bits hold what they hold, in jobs, too
	for job in --up --ensure-connected; do
		usage 'session-id' $job --session-id 256
		usage 'session-id' $job --session-id 300
		usage 'user-name' $job --user-name "$(printf '%0256d' 0)"
		usage 'user-name' $job --user-name "$(printf '%0300d' 0)"
		usage 'password' $job --password "$(printf '%0256d' 0)"
		usage 'password' $job --password "$(printf '%0300d' 0)"
		usage 'apn' $job --apn "$(printf '%0300d' 0)"
	done
	usage 'session-id' --down --session-id 256
	usage 'session-id' --wait-for connected --session-id 256
	usage 'session-id' --verify-connection --session-id 256
	usage '' --dms-foxconn-set-fcc-authentication --value 256
	usage '' --wds-start-network --profile 256
	usage '' --raw-qmi "DMS,0x25,1=$(printf '%0131060d' 0)"
	usage '' --wds-start-network --apn "$(printf '%070000d' 0)"
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

# ---- what is wrong, and with what ----

faults()
{
	modem_start
	# the value, and the words that there are
	usage "--ip-type ipv5: .*default, ipv4, ipv6, ipv4v6, ipv4-and-ipv6" \
		--connect --ip-type ipv5
	usage "--ip-type '': .*ipv4v6" --connect --ip-type ''
	usage "set-radio-state: maybe: .*off, on" --set-radio-state maybe
	usage "set-radio-state: '': .*off, on" --set-radio-state=
	usage '--provider-state home,no: .*home, forbidden, preferred' \
		--set-home-provider --provider-id 00101 --provider-state home,no
	usage '--state\|wait-for: there: .*registered.*connected' \
		--wait-for there
	usage '--session-id 1x: ' --get-connect --session-id 1x
	usage '--allow nowhere: .*home, roaming, partner' --up --apn a \
		--allow nowhere
	usage '--provider-id 123: ' --set-home-provider --provider-id 123
	usage 'raw-mbim: .*ask: .*query, set' --raw-mbim BASIC_CONNECT,1,ask
	usage "-t.*5s" -t 5s --get-radio-state
	usage '-o.*yaml' -o yaml --get-radio-state
	# PINs: 4 to 8 digits; PUKs: 8; those of other kinds may be others
	for bad in 1 123 123456789 12a4 '1234 ' -1234 '' 12345678901234567; do
		for command in --enter-pin --enable-pin --disable-pin; do
			usage '4 to 8 digits\|empty\|wants a value' "$command=$bad"
			unlike err "${bad:-;;}"
			usage '' "$command=$bad" --pin-type pin2
		done
		usage '4 to 8 digits\|empty' --change-pin --pin="$bad" \
			--new-pin 1234
		usage '4 to 8 digits\|empty' --change-pin --pin 1234 \
			--new-pin="$bad"
		usage '4 to 8 digits\|empty' --up --apn a --pin="$bad"
		usage '4 to 8 digits\|empty' --yes --unblock-pin \
			--puk 12345678 --new-pin="$bad"
	done
	for bad in 1234567 123456789 1234567a '' -2345678; do
		usage '8 digits\|empty' --yes --unblock-pin --puk="$bad" \
			--new-pin 1234
		unlike err "${bad:-;;}"
		usage '8 digits\|empty' --yes --unblock-pin --puk="$bad" \
			--new-pin 1234 --pin-type puk2
	done
	usage '' --enter-pin 12345678901234567 --pin-type network-pin
	untouched
	modem_start
	for good in 1 abcd 123456789 1234567890123456 '-1 2'; do
		run 11 --enter-pin="$good" --pin-type network-pin
		run 11 --yes --unblock-pin --puk="$good" --new-pin="$good" \
			--pin-type network-puk
	done
	modem_stop requests=10
	modem_start pin=12345678
	run 0 --enter-pin 12345678
	modem_stop
}

# The names that people try first get there, or there is the right one in the
# message: NAME COMMAND-IN-THE-MESSAGE, or - where the name is another spelling.
guesses()
{
	modem_start
	while read -r guess command; do
		case $command in
		-)	run 0 "--$guess"
			continue ;;
		esac
		usage "no such option or command: --$guess; .*--$command" \
			"--$guess"
		usage "no such option or command: --$guess=*[a-z]*; .*--$command" \
			"--$guess=x"
	done <<-'END'
		get-signal get-signal-state
		get-signal-info nas-get-signal-info
		query-signal-state -
		get-serving-system nas-get-serving-system
		get-imei dms-get-ids
		get-imei get-device-caps
		get-imsi get-subscriber-ready-status
		get-iccid get-subscriber-ready-status
		get-pin-status get-pin
		query-pin-state get-pin
		scan get-visible-providers
		network-scan get-visible-providers
		list-messages sms-read
		send-message sms-read
		status verify-connection
		reset dms-set-operating-mode
		at raw-mbim
		ussd raw-mbim
		get-sim-state get-subscriber-ready-status
		start-network wds-start-network
		start-network up
		get-current-settings get-ip-configuration
	END
	# the right one comes first
	for pair in get-pin-status:get-pin get-signal:get-signal-state \
	    scan:get-visible-providers get-imsi:get-subscriber-ready-status \
	    get-signal-stat:get-signal-state conect:connect; do
		usage "--${pair%:*}; there is --${pair#*:}\(,\|;\)" \
			"--${pair%:*}"
	done
	# names of what is to come are no aliases, not even with a value
	for later in status scan reset ussd at list-messages send-message; do
		usage "--$later" "--$later"
		usage "--$later" "--$later" x
		usage "--$later" --get-radio-state "--$later"
	done
	# --query-X is --get-X
	run 0 --query-radio-state --query_device_caps --QUERY-PIN -j
	same "commands" "get-radio-state get-device-caps get-pin " "$(sed \
		's/^{"command":"\([a-z-]*\)".*/\1/' "$work/out" | tr '\n' ' ')"
	run 0 --query-visible-providers --action restricted-scan
	usage '' --query-nonsense
	usage '' --query-
	modem_stop opens='*' requests='*'
}

# ---- every parameter of every command ----

# A command up to a parameter of its own in $lead, and what else it wants, so
# that nothing but the parameter may be wrong: $rest.
around() # COMMAND PARAMETER, or = for its own value
{
	lead=--$1 rest='' fresh=''
	case $1,$2 in
	enter-pin,=|enable-pin,=|disable-pin,=)
		rest='--pin-type network-pin' ;;
	enter-pin,*|enable-pin,*|disable-pin,*) lead="--$1 12345" ;;
	wait-for,session-id) lead='--wait-for registered' ;;
	change-pin,pin-type) rest='--pin 12345 --new-pin 12345' ;;
	change-pin,pin) rest='--pin-type network-pin --new-pin 12345' ;;
	change-pin,new-pin) rest='--pin-type network-pin --pin 12345' ;;
	unblock-pin,pin-type) rest='--yes --puk 12345678 --new-pin 12345' ;;
	unblock-pin,puk) rest='--yes --pin-type network-puk --new-pin 12345' ;;
	unblock-pin,new-pin)
		rest='--yes --pin-type network-puk --puk 12345678' ;;
	set-*-provider*,provider-id) ;;
	set-*-provider*,*) lead="--$1 --provider-id 00101" ;;
	set-ip-packet-filters,packet-mask) lead="--$1 --packet-filter 00" ;;
	set-device-service-subscribe-list,cids)
		lead="--$1 --device-service-id sms" ;;
	dms-foxconn-set-fcc-authentication-v2,magic-number)
		rest='--magic-string x' ;;
	dms-swi-set-usb-composition,*|dms-set-operating-mode,*) rest=--yes ;;
	connect,*|up,*|ensure-connected,*|wds-start-network,*) fresh=1 ;;
	esac
	[ "$2" != = ] || lead=
}

# One argument, or two: does the modem hear the value as it is?
hears() # VALUE arguments...
{
	value=$1
	shift
	if [ -n "$fresh" ]; then
		base_dev=$dev base_log=$log base_report=$report
		base_pid=$modem_pid
		modem_start autoattach=1
	fi
	# shellcheck disable=SC2086
	timeout 30 $MBIMCTL -t 3 -d "$dev" $lead "$@" $rest \
		>"$work/out" 2>"$work/err"
	code=$?
	what="$lead $* $rest"
	sanitized "$work/err"
	hex=$(printf '%s' "$value" | od -An -v -tx1 | tr -d '\n')
	check "exit code $code" test "$code" != 2
	check "the modem did not hear '$value'" grep -q \
		-e "$(echo "$hex" | tr -d ' ')" \
		-e "$(echo "$hex" | sed 's/ //; s/ /00/g')" "$log"
	if [ -n "$fresh" ]; then
		kill "$modem_pid"
		wait "$modem_pid" 2>/dev/null
		dev=$base_dev log=$base_log report=$base_report
		modem_pid=$base_pid
	fi
}

refuses() # PATTERN VALUE arguments...: quotes it, but for secrets
{
	pattern=$1 value=$2
	shift 2
	# shellcheck disable=SC2086
	usage "$pattern" $lead "$@" $rest
	case $secret in
	'')	check "'$value' is not quoted" grep -q -F -e "$value" \
			"$work/err" ;;
	*)	if [ -n "$value" ]; then
			check "a secret is quoted" test -z \
				"$(grep -F -e "$value" "$work/err")"
		fi ;;
	esac
}

# Is this a parameter that takes any text?
is_text()
{
	# shellcheck disable=SC2086
	timeout 30 $MBIMCTL -d "$work/none" $lead "$option=Zq.z" $rest \
		>"$work/out" 2>"$work/err"
	[ $? != 2 ]
}

one_parameter() # COMMAND PARAMETER
{
	option=--$2
	[ "$2" != = ] || option=--$1
	around "$1" "$2"
	secret=
	case $2,$1 in
	pin,*|new-pin,*|puk,*|password,*|=,enter-pin|=,enable-pin|=,disable-pin)
		secret=1 ;;
	esac
	# the name of an option is no value, unless it is written so
	for text in -j --up --pin-file; do
		# shellcheck disable=SC2086
		usage "write $option=$text" $lead "$option" "$text" $rest
	done
	n=$((n + 1))
	if is_text; then
		echo "$1 $2" >>"$tmp/texts"
		for text in "-q$n" "--q$n" "@q$n"; do
			hears "$text" "$option=$text"
			hears "$text" "$option" "$text"
		done
		hears --up "$option=--up"
		return
	fi
	for text in "-q$n" "--q$n" "@q$n"; do
		refuses "$1: " "$text" "$option=$text"
		refuses "$1: " "$text" "$option" "$text"
	done
}

parameters() # N: those of every third command, from the Nth on
{
	modem_start autoattach=1
	n=${1}00
	$MBIMCTL --help | sed -n '/^Commands/,$s/^  --\([a-z0-9-]*\) .*/\1/p' |
		grep -v '^raw-' | sed -n "$1~3p" >"$work/commands"
	while read -r command; do
		$MBIMCTL --help "$command" | sed -n \
			-e 's/^  (its value) --.*/=/p' \
			-e 's/^  \(--[a-z0-9, -]*[a-z0-9]\)\(;.*\|  .*\)\{0,1\}$/\1/p' |
			sed 's/  .*//' | tr -d ',' | tr ' ' '\n' |
			sed 's/^--//' | grep -v -e '-file$' -e '^$' \
			>"$work/parameters"
		while read -r parameter; do
			one_parameter "$command" "$parameter" </dev/null
		done <"$work/parameters"
	done <"$work/commands"
	modem_stop clients='*' opened='*' overlapped='*' bad='*'
}

parameters1() { parameters 1; }
parameters2() { parameters 2; }
parameters3() { parameters 3; }

# What would be an option is none of --up's values.
next_options()
{
	modem_start
	usage 'write --apn=-j' --up --apn -j
	usage 'write --apn=--ip-type' --up --apn --ip-type ipv4
	usage 'write --apn=--json' --up --apn --json
	usage 'write --apn=--ip_type' --up --apn --ip_type ipv4
	usage 'write --password=--password-file' --up --password --password-file
	usage 'write --enter-pin=--get-pin' --enter-pin --get-pin
	usage 'write --enter-pin=--pin-type' --enter-pin --pin-type pin2
	usage '--prefix' -s --prefix --get-radio-state
	usage '-d' -d --get-radio-state
	usage '-t' -t -j --get-radio-state
	usage '' --raw-mbim=-q
	usage '' --raw-mbim --q
	usage '' --raw-qmi @q
	usage '' --raw-qmi=--raw-qmi
	# raw commands have no parameters but their value
	usage '--cid' --raw-mbim BASIC_CONNECT,3,query --cid 3
	usage '--message' --raw-qmi DMS,0x25 --message 3
	# each kind of name, and what only begins like one
	for text in -j -d -vv -h --json --device --help --up --query-pin \
	    --GET-PIN --access_string --apn --auth --pin-file --puk-file \
	    --enter-pin-file --password-file --magic-string; do
		usage "write --apn=$text" --connect --apn "$text"
	done
	modem_stop opens=0
	modem_start autoattach=1
	for text in -j5 -jv -vvv --jso --js=on --up=x --apn=-j - -- @ @@ \
	    --enter-pin-filer --no-such; do
		run 0 --connect --apn "$text" --disconnect
		run 0 --connect --apn="$text" --disconnect
	done
	modem_stop
	# an empty value is one, by = and as an argument
	modem_start autoattach=1
	run 0 --connect --apn '' --user-name= --disconnect
	modem_stop
}

# ---- arrays ----

arrays()
{
	modem_start
	run 0 -j --set-preferred-providers --provider-id 00101 \
		--provider-name One --provider-id 00102 --provider-state \
		visible,forbidden --provider-id 00103
	same "three elements" '{"command":"set-preferred-providers","providers":[{"provider_id":"00101","provider_state":["preferred"],"provider_name":"One","cellular_class":["gsm"],"rssi":null,"error_rate":null},{"provider_id":"00102","provider_state":["forbidden","visible"],"provider_name":"","cellular_class":["gsm"],"rssi":null,"error_rate":null},{"provider_id":"00103","provider_state":["preferred"],"provider_name":"","cellular_class":["gsm"],"rssi":null,"error_rate":null}]}' \
		"$(cat "$work/out")"
	run 0 -j --set-preferred-providers
	same "no element" '{"command":"set-preferred-providers","providers":[]}' "$(cat "$work/out")"
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
	# what may be one is not in an error
	modem_start
	for arguments in '--pin=70931 --up' '--up --pni=70931' \
	    '--up --passwrod=70931' '--get-pin=70931' '--up --pin=709a' \
	    '--enter-pin=709'; do
		run 2 $arguments
		unlike err 709
		run 2 -j $arguments
		unlike out 709
	done
	modem_stop requests=0
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
	printf '7093\n5678\n' >"$work/both"
	printf '709333\n' >"$work/name-with=sign"
	: >"$work/empty"
	for how in "--enter-pin-file $work/pin" "--enter-pin-file=$work/bare" \
	    "--enter_pin_file $work/pin" "--disable-pin-file $work/pin" \
	    "--enable-pin-file $work/pin"; do
		modem_start pin=7093
		run 0 $how
		modem_stop
	done
	modem_start pin=709333
	run 0 --enter-pin-file="$work/name-with=sign"
	modem_stop pin_attempts=1
	# standard input: a line each, in the order of the line
	modem_start pin=7093
	run 0 --enter-pin-file - <"$work/pin"
	modem_stop pin_attempts=1
	modem_start pin=7093
	run 0 --change-pin --pin-file - --new-pin-file=- <"$work/both"
	run 0 --change-pin --pin 5678 --new-pin 7093
	modem_stop opened='*'
	modem_start pin=5678
	run 0 --change-pin --new-pin-file - --pin-file - <"$work/both"
	run 0 --change-pin --pin 7093 --new-pin 1111
	modem_stop opened='*'
	modem_start pin=7093 attempts=0 puk=12345678
	printf '12345678\n5678\n' >"$work/puk"
	run 0 --yes --unblock-pin --puk-file - --new-pin-file - <"$work/puk"
	modem_stop
	modem_start pin=7093
	run 0 --enter-pin-file - --change-pin --pin-file "$work/pin" \
		--new-pin-file - <"$work/both"
	modem_stop
	# more lines than are wanted stay where they are
	modem_start pin=7093
	run 0 --enter-pin-file - <"$work/both"
	modem_stop pin_attempts=1
	# in jobs
	modem_start pin=7093
	run 0 --up --apn internet --pin-file "$work/pin"
	run 0 --down
	modem_stop pin_attempts=1
	# not even one attempt
	modem_start pin=7093
	usage 'enter-pin' --enter-pin-file "$work/nowhere"
	usage 'enter-pin' --enter-pin-file "$work"
	usage '' --enter-pin-file "$work/empty"
	usage '' --enter-pin-file ''
	usage '' --enter-pin-file=
	usage '' --enter-pin-file
	usage '' --enter-pin ''
	usage '' --enter-pin=@"$work/pin"
	usage '' --enter-pin "@$work/pin"
	usage 'more than one line' --enter-pin-file "$work/two"
	usage 'more than one line' --enter-pin-file "$work/both"
	usage '' --enter-pin-file - </dev/null
	usage '' --change-pin --pin-file - --new-pin-file - <"$work/pin"
	head -c 1000 /dev/zero | tr '\0' 1 >"$work/long"
	usage '' --enter-pin-file "$work/long"
	head -c 10000 /dev/zero | tr '\0' 1 >"$work/long"
	usage '' --enter-pin-file "$work/long"
	printf '\377\376' >"$work/bad"
	usage '' --enter-pin-file "$work/bad"
	printf '7093\000' >"$work/bad"
	usage 'NUL' --enter-pin-file "$work/bad"
	printf '7093\r\n' >"$work/bad"
	usage '' --enter-pin-file "$work/bad"
	# one value, from one place
	usage 'twice' --enter-pin 7093 --pin-file "$work/pin"
	usage 'twice' --change-pin --pin 7093 --pin-file "$work/pin" \
		--new-pin 1234
	usage 'twice' --change-pin --pin-file "$work/pin" \
		--pin-file "$work/pin" --new-pin 1234
	# what is no secret has none
	usage 'apn-file' --connect --apn-file "$work/pin"
	usage 'user-name-file' --connect --user-name-file "$work/pin"
	usage '' --get-radio-state-file "$work/pin"
	usage '' --set-radio-state-file "$work/pin"
	unlike err '70'
	untouched
	modem_start
	run 0 -j --set-provisioned-contexts --context-id 2 --apn "@$work/pin"
	like out "\"access_string\":\"@$work/pin\""
	run 0 -j --set-provisioned-contexts --context-id 2 --apn x \
		--password "@$work/pin"
	like out "\"password\":\"@$work/pin\""
	run 0 -j --set-provisioned-contexts --context-id 2 --apn x \
		--password-file "$work/pin"
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
	like out '--password-file'
	plain 0 --help --connect
	like out '--apn'
	plain 0 --connect --help
	like out '--apn'
	plain 0 --help enter-pin
	like out '--enter-pin-file'
	# words in names and help: IMSI, ICCID, IMEI, RSRP, operator, APN
	for pair in IMSI:get-subscriber-ready-status \
	    iccid:get-subscriber-ready-status IMEI:get-device-caps \
	    imei:dms-get-ids rsrp:get-signal-state RSRP:nas-get-signal-info \
	    operator:get-register-state apn:connect \
	    signal:set-signal-state pin:enter-pin dns:get-ip-configuration; do
		plain 0 --help "${pair%:*}"
		lines err 0
		like out "^  --${pair#*:} "
		same "lines without the word" "" \
			"$(grep -v -i -e "${pair%:*}" "$work/out")"
	done
	plain 2 --help nosuchword
	lines err 1
	like err 'nosuchword'
	plain 0 --version
	like out '^mbimctl [0-9]'
	lines out 1
}

# The ports of this machine, in all outputs.
ports()
{
	MBIMCTL_ROOT=$work/root
	export MBIMCTL_ROOT
	plug_in "$work/root" 1199:9079
	plain 0 --list -j
	like out '^{"command":"list","ports":\[{"device":"[^"]*/dev/cdc-wdm0","interface":"wwan0",.*"driver":"cdc_mbim","locked_by":null}\]}$'
	plain 0 --list -s
	like out "^mbim_ports_0_driver='cdc_mbim'\$"
	like out "^mbim_ports_0_locked_by=''\$"
	like out "^mbim_ports_count='1'\$"
	plain 0 --list
	like out 'cdc_mbim'
	at=$work/root/dev/cdc-wdm0
	modem_pty silent=cmd
	$MBIMCTL -d "$dev" -t $((4 * SLOWNESS)) --get-radio-state \
		>/dev/null 2>&1 &
	holder=$!
	sleep $((1 * SLOWNESS))
	plain 0 --list -j
	like out "\"driver\":\"cdc_mbim\",\"locked_by\":$holder}"
	wait $holder
	modem_stop opens='*' opened='*'
	unset MBIMCTL_ROOT
}

# PARTS: only these
# shellcheck disable=SC2086
together ${PARTS:-options anywhere spellings values faults guesses next_options \
	parameters1 parameters2 parameters3 arrays raw secrets files help ports}
what='the parameters that take any text'
check "there are $(sort -u "$tmp/texts" | grep -c '')" \
	test "$(sort -u "$tmp/texts" | grep -c '')" -ge 25
finish
