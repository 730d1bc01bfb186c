#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The offline decoder: hex in the forms in which people paste it. The first
# input is a thread of 2015, quoted lines and all, whose authors looked for
# weeks at a "Swi Get USB Composition" that they took for the FCC command.

. "$(dirname "$0")/lib.sh"

if [ -z "${JSON:-}" ]; then
	helper json "$here/json.c"
	JSON=$tmp/json
fi

vector() # NAME: its hex, without spaces
{
	sed -n "s/^$1 [<>] //p" "$here/golden/vectors.txt" | tr -d ' '
}

colons() { sed 's/../&:/g; s/:$//'; }

decode() # CODE [options]: of $work/in
{
	decode_code=$1
	shift
	plain "$decode_code" --decode "$work/in" "$@"
}

frames() # N: of so many frames was told
{
	same "frames" "$1" "$(grep -c '^{"' "$work/out")"
}

thread()
{
	cp "$here/golden/thread.txt" "$work/in"
	decode 0
	lines err 0
	# Two answers in the text; ten frames of one transcript; the first
	# attempt in prose, its QMI alone, and both again in a log; ten more
	same "frames" 26 "$(grep -c '^# ' "$work/out")"
	same "the USB composition" 6 \
		"$(grep -c 'swi get usb composition:' "$work/out")"
	# named in the first attempt, which was another, and nowhere else
	same "the FCC authentication" 3 \
		"$(grep -c 'fcc authentication:' "$work/out")"
	like out '0x555b'
	decode 0 -j
	frames 26
	check "strict JSON" "$JSON" <"$work/out"
	same "types of messages" \
		"2 close 2 close-done 8 command 9 command-done 2 open 2 open-done" \
		"$(sed -n 's/^{"command":"decode","message":"\([^"]*\)".*/\1/p' "$work/out" |
		sort | uniq -c | tr -s ' \n' ' ' | sed 's/^ //; s/ $//')"
	same "the statuses that are no success" 1 \
		"$(grep -c '"status":"Failure"' "$work/out")"
	same "client 0x34 was asked" 1 "$(grep -c \
		'"client":52,.*"direction":"request"' "$work/out")"
	same "client 3 was asked" 1 "$(grep -c \
		'"client":3,.*"direction":"request"' "$work/out")"
	same "client 1 was asked: it was never allocated" 3 \
		"$(grep -c '"client":1,.*"direction":"request"' "$work/out")"
	like out '"current":19,"supported":\[6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22\]'
	like out '"current":14,"supported":\[1,6,7,8,9,10,11,12,14,19\]'
	# the padding, at which the modem took offence
	same "what is malformed" 2 "$(grep -c '"malformed":true' "$work/out")"
	timeout 60 $MBIMCTL --decode - <"$work/in" >"$work/stdin" 2>&1
	decode 0
	check "stdin and a file are the same" cmp "$work/stdin" "$work/out"
}

forms()
{
	d1=$(vector D1) v6=$(vector V6) v1=$(vector V1)
	qmux=010c00000234000600 qmux=${qmux}5f550000
	fcc='dms_set_fcc_authentication":{}'
	for form in plain upper spaced wrapped quoted colon_log qmi_log mm_log \
	    own trailing crlf tabs; do
		case $form in
		plain) echo "$d1" ;;
		upper) echo "$d1" | tr a-f A-F ;;
		spaced) echo "$d1" | sed 's/../& /g' ;;
		wrapped) echo "$d1" | sed 's/../& /g' | fold -w 48 ;;
		quoted) echo "$d1" | sed 's/../& /g' | fold -w 60 |
			sed 's/^/> > > /' ;;
		colon_log)
			echo '[29 Jul 2015, 16:06:01] [Debug] [/dev/cdc-wdm0] Sent message...'
			echo '<<<<<< RAW:'
			echo '<<<<<<   length = 61'
			echo "<<<<<<   data   = $(echo "$d1" | colons)" ;;
		qmi_log)
			echo '[/dev/cdc-wdm0] Sent message...'
			echo '<<<<<< RAW:'
			echo '<<<<<<   length = 13'
			echo "<<<<<<   data   = $(echo "$qmux" | colons)"
			echo '<<<<<< QMUX:'
			echo '<<<<<<   length  = 12'
			echo '<<<<<<   flags   = 0x00' ;;
		mm_log)
			echo 'ModemManager[812]: <debug> [1438178761.120000] [/dev/cdc-wdm0] sent message...'
			echo 'ModemManager[812]: <debug> <<<<<< RAW:'
			echo 'ModemManager[812]: <debug> <<<<<<   length = 61'
			echo "ModemManager[812]: <debug> <<<<<<   data   = $(echo "$d1" | colons)" ;;
		own) echo "> $d1" ;;
		trailing) echo "   $d1   " ;;
		crlf) echo "$d1" | sed 's/../& /g' | fold -w 48 |
			sed "s/\$/$(printf '\r')/" ;;
		tabs) echo "$d1" | sed 's/../& /g' | fold -w 48 |
			sed "s/^/$(printf '\t')/" ;;
		esac >"$work/in"
		echo "form $form" >"$work/form"
		decode 0 -j
		what="the form $form"
		frames 1
		like out "$fcc"
		like out '"client":52,'
	done

	# what is between frames does not matter
	{
		echo "First we open:"
		echo "$v1"
		echo
		echo "then"
		echo "$d1" | colons
		echo "and that is the answer (to another): $qmux"
		echo "$v6" | sed 's/../& /g' | fold -w 72
		echo "-- "
		echo "A. B."
	} >"$work/in"
	decode 0 -j
	frames 3
	# two frames on a line, as one read may bring them
	echo "$v1$d1" >"$work/in"
	decode 0 -j
	frames 2
	# no newline at the end
	printf '%s' "$d1" >"$work/in"
	decode 0 -j
	frames 1

	# a trace of our own
	modem_start
	run 0 -vv --dms-get-ids
	modem_stop
	cp "$work/err" "$work/in"
	decode 0 -j
	frames 10
	like out '"imei":"013937001234564"'
	cp "$log" "$work/in"
	decode 0 -j
	frames 10
}

# All that is in a session, in all directions.
kinds()
{
	modem_start ind=1 pin=1234
	run 0 --get-signal-state --enter-pin 1234 --get-ip-packet-filters
	modem_stop
	{
		cat "$log"
		# of MBIM 1.0 §9: HOST_ERROR, FUNCTION_ERROR NotOpened
		echo '04000000 10000000 07000000 03000000'
		echo '04000080 10000000 08000000 05000000'
	} >"$work/in"
	decode 0 -j
	check "strict JSON" "$JSON" <"$work/out"
	like out '"message":"indicate-status".*"rssi":-71'
	like out '"message":"command-done".*"rssi":-71'
	like out '"message":"function-error".*NotOpened'
	like out '"message":"host-error"'
	like out '"operation":"set".*"pin_type":"pin1"'
	like out '"operation":"query".*"session_id":0'

	# a message in fragments
	modem_start frag=64
	run 0 --get-device-caps
	modem_stop
	cp "$log" "$work/in"
	decode 0 -j
	check "strict JSON" "$JSON" <"$work/out"
	like out '"fragments":4,"fragment":0'
	like out '"fragments":4,"fragment":3'

	# in sh and text nothing of the modem's gets out
	printf "'; touch %s; #\033[31m" "$work/owned" >"$work/name"
	sed 's/./&\x00/g' "$work/name" >"$work/name16"
	modem_start "operator=@$work/name16"
	run 0 --get-register-state
	modem_stop
	cp "$log" "$work/in"
	decode 0
	same "control bytes" 0 \
		"$(tr -d '\n' <"$work/out" | tr -d ' -~\200-\377' | wc -c)"
	decode 0 -j
	check "strict JSON" "$JSON" <"$work/out"
}

# What is no frame: exit 5 and one line.
garbage()
{
	for kind in empty text newline random zeros odd short header long \
	    wrong_type huge binary digits; do
		case $kind in
		empty) : ;;
		text) echo "Dear list, it does not work. Best, A." ;;
		newline) printf '\n\n\n' ;;
		random) head -c 5000 /dev/urandom | od -An -tu1 ;;
		zeros) head -c 64 /dev/zero | od -An -tx1 -v ;;
		odd) echo 0100000010000000010000000010000 ;;
		short) vector V5 | cut -c 1-100 ;;
		header) echo 0300000040000000 ;;
		long) head -c 300000 /dev/zero | tr '\0' a ;;
		wrong_type) echo 09000000100000000100000000100000 ;;
		huge) echo 03000000ffffffff0400000001000000 ;;
		binary) head -c 5000 /dev/urandom | tr -d '\n0-9a-fA-F' ;;
		digits) echo "call 555 0100, or 12:30:00" ;;
		esac >"$work/in"
		decode 5
		what="garbage: $kind"
		lines err 1
		same "what is on stdout" "" "$(cat "$work/out")"
	done
	plain 2 --decode
	plain 2 --decode "$work/in" --decode "$work/in"
	mkdir -p "$work/directory"
	timeout 10 $MBIMCTL --decode "$work/directory" >"$work/out" 2>"$work/err"
	code=$?
	last_run='--decode a directory'
	check "a directory is no input" test $code = 2 -o $code = 5
	# every beginning of a reply is refused or harmless
	v6=$(vector V6)
	cut_at=2
	while [ $cut_at -lt ${#v6} ]; do
		echo "$v6" | cut -c 1-$cut_at
		cut_at=$((cut_at + 2))
	done >"$work/in"
	timeout $((20 * SLOWNESS)) $MBIMCTL --decode "$work/in" \
		>"$work/out" 2>"$work/err"
	code=$?
	last_run='--decode all beginnings of V6'
	check "it ends by itself" test $code -lt 6
	sanitized "$work/err"
}

together thread forms kinds garbage
finish
