#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Exit codes: each is produced, with its one line on stderr, its object in JSON
# and its variables in sh. They are frozen: scripts depend on them.

. "$(dirname "$0")/lib.sh"

if [ -z "${JSON:-}" ]; then
	helper json "$here/json.c"
	JSON=$tmp/json
fi

# The command of some arguments: the first long option, without its dashes.
command_of()
{
	for word; do
		case $word in --*) echo "${word#--}"; return ;; esac
	done
}

# What the line on stderr says of the modem's number, as JSON has it.
number_of()
{
	sed -n -e 's/.*modem said \([A-Za-z]*\) (\(0x[0-9a-f]*\|[0-9]*\)).*/mbim \2 \1/p' \
		-e 's/.*QMI error \([A-Za-z]*\) (\([0-9]*\)).*/qmi \2 \1/p' \
		-e 's/.*function error \([A-Za-z]*\) (\([0-9]*\)).*/function-error \2 \1/p' \
		"$work/err" | {
		if read -r domain number name; then
			echo "\"domain\":\"$domain\",\"number\":$((number)),\"name\":\"$name\","
		fi
	}
}

# The same failure in the three outputs: CODE PATTERN arguments...
refused()
{
	refused_code=$1
	pattern=$2
	shift 2
	run "$refused_code" "$@"
	lines err 1
	like err "^mbimctl: .*$pattern"
	lines out 0
	run "$refused_code" -j "$@"
	lines err 1
	lines out 1
	check "strict JSON of the failure" "$JSON" <"$work/out"
	like out "^{\"command\":\"$(command_of "$@")\",\(.*,\)\{0,1\}\"error\":{\"exit\":$refused_code,$(
		number_of)\"text\":\"[^\"]*$pattern"
	same "the text of JSON" "$(sed 's/^mbimctl: //' "$work/err")" \
		"$(sed 's/.*"text":"\(.*\)"}}$/\1/' "$work/out")"
	run "$refused_code" -s "$@"
	same "the last line of sh" "mbim_exit='$refused_code'" \
		"$(sed -n '$p' "$work/out")"
	like out "^mbim_error='.*$pattern"
	same "variables that come twice" "" \
		"$(sed 's/=.*//' "$work/out" | sort | uniq -d)"
}

zero()
{
	modem_start roam=1 deny=0
	run 0 --get-register-state
	like out 'register state: *roaming'
	modem_stop
	modem_start deny=11 pin=1234
	run 0 --get-register-state
	run 0 --get-pin
	like out '^pin type: *pin1$'
	like out '^pin state: *locked$'
	run 0 --get-subscriber-ready-status
	like out 'ready state: *device-locked'
	modem_stop pin_attempts=0
	modem_start sim=absent
	run 0 --get-subscriber-ready-status
	like out 'ready state: *sim-not-inserted'
	run 0 --uim-get-card-status
	like out 'card state: *absent'
	modem_stop
	plain 0 --help
	plain 0 --version
}

one()
{
	modem_start status=cid21:2
	refused 1 'set-network-idle-hint: .*Failure (2)' \
		--set-network-idle-hint enabled
	modem_stop
	modem_start statusq=cid11:1
	refused 1 'get-signal-state: .*Busy (1)' --get-signal-state
	modem_stop
	modem_start qmierror=0x25:48
	refused 1 'dms-get-ids: .*InvalidArgument (48)' --dms-get-ids
	modem_stop
	modem_start qmierror=0/0x22:5
	refused 1 'ClientIdsExhausted (5)' --dms-get-ids
	modem_stop allocs=0
	# a vendor's own
	modem_start statusq=cid1:0x87430001
	refused 1 '0x87430001' --get-device-caps
	modem_stop
	modem_start statusq=cid1:27
	refused 1 'StkBusy (27)' --get-device-caps
	modem_stop
	modem_start openfail=9:2
	refused 1 'Failure (2)' --get-device-caps
	modem_stop
	# the function's errors, and numbers that nobody has named
	modem_start notopened=9
	refused 1 'NotOpened (5)' --get-device-caps --no-open
	like err 'function error'
	modem_stop opens='*' opened='*' bad='*'
	modem_start statusq=cid1:4711
	run 1 -j --get-device-caps
	like out '"error":{"exit":1,"domain":"mbim","number":4711,"name":'
	modem_stop
	# 28 is about the lock only when the radio was to be on
	modem_start status=cid21:28 status=cid3:28
	refused 1 '(28)' --set-network-idle-hint enabled
	run 1 --set-radio-state off
	modem_stop
}

two()
{
	modem_start
	for arguments in '' '--no-such-command' '--get-device-caps extra' \
	    '--set-radio-state' '--set-radio-state maybe' '-t' \
	    '--connect --session-id' '-o xml --get-device-caps'; do
		run 2 $arguments
		lines err 1
		same "what usage errors print on stdout" "" "$(cat "$work/out")"
	done
	modem_stop opens=0 closes=0 requests=0
	plain 2 --decode /nonexistent
}

three()
{
	plain 3 -d "$work/nowhere" --get-device-caps
	like err 'nowhere'
	lines err 1
	: >"$work/empty"
	plain 3 -d "$work/empty" -t 1 --get-device-caps
	lines err 1
	dev=$work/nowhere
	refused 3 'nowhere' --get-device-caps
	MBIMCTL_ROOT=$work/root
	export MBIMCTL_ROOT
	mkdir -p "$work/root/sys/class"
	plain 3 --get-device-caps
	lines err 1
	plain 3 -d wwan7 --get-device-caps
	lines err 1
	unset MBIMCTL_ROOT
	modem_start hangup=cmd
	refused 3 'went away' --get-device-caps
	modem_stop
}

four()
{
	modem_start silent=cmd
	refused 4 'within 1 s' -t 1 --get-device-caps
	modem_stop
	modem_start silent=open
	refused 4 'within 1 s' -t 1 --get-device-caps
	modem_stop requests=0
	modem_start silent=qmi
	refused 4 'within 1 s' -t 1 --dms-get-ids
	modem_stop
}

five()
{
	modem_start short=cmd:8
	refused 5 'malformed' --get-device-caps
	modem_stop
	# a count that nothing can hold; an offset beyond
	modem_start hexreply=7:ffffffff hexreply=6:f0ffffff04000000010000000000000000000000010000006300000063000000
	refused 5 'malformed' --get-preferred-providers
	refused 5 'malformed' --get-home-provider
	modem_stop
	printf 'not a frame\n' | plain 5 --decode -
	lines err 1
}

six()
{
	modem_pty silent=cmd
	$MBIMCTL -d "$dev" -t $((3 * SLOWNESS)) --get-device-caps \
		>/dev/null 2>&1 &
	holder=$!
	sleep $((1 * SLOWNESS))
	run 6 -t 1 --get-device-caps
	like err 'in use'
	lines err 1
	run 6 -j -t 0.5 --get-device-caps
	like out '^{"command":"get-device-caps","error":{"exit":6,"text":"'
	wait $holder
	modem_stop opens='*'

	if ! proxy_helper; then
		skip "no network namespace: mbim-proxy cannot be feigned"
		return
	fi
	modem_pty
	real=$MBIMCTL
	MBIMCTL="$tmp/proxy $real"
	refused 6 'mbim-proxy' --get-device-caps
	like out '--direct'
	modem_check opens=0 requests=0
	run 0 --direct --get-device-caps
	modem_stop opens=1
	MBIMCTL=$real
}

seven()
{
	modem_start pin=1234
	refused 7 'PinRequired (5)' --register
	refused 7 'PinRequired (5)' --attach
	modem_stop pin_attempts=0
	modem_start qmierror=0x2d:35
	refused 7 'PinBlocked (35)' --dms-get-operating-mode
	modem_stop
	modem_start qmierror=0x2d:12
	refused 7 'IncorrectPin (12)' --dms-get-operating-mode
	modem_stop
	# one attempt a command, not more
	modem_start pin=1234
	run 1 --enter-pin 9999
	like err 'Failure (2)'
	modem_check pin_attempts=1
	run 0 --enter-pin 1234
	run 0 --register
	modem_stop pin_attempts=2
}

eight()
{
	modem_start sim=absent
	refused 8 'SimNotInserted (3)' --register
	modem_stop
	modem_start sim=bad
	refused 8 'BadSim (4)' --register
	modem_stop
	modem_start sim=notinit
	refused 8 'NotInitialized (14)' --register
	modem_stop
	modem_start qmierror=0x2d:102
	refused 8 'NoSim (102)' --dms-get-operating-mode
	modem_stop
}

nine()
{
	# the cause is what the user needs to know (TS 24.008: 33)
	modem_start nwerror=33
	run 0 --attach
	refused 9 '33.*not.subscribed' --connect --apn internet
	# what the refusal carried is there, too
	like out "^mbim_nw_error='service-option-not-subscribed'\$"
	run 9 -j --connect --apn internet
	like out '^{"command":"connect","session_id":0,"activation_state":"deactivated",.*"nw_error":"service-option-not-subscribed",.*"error":{"exit":9,"domain":"mbim","number":2,"name":"Failure","text":'
	modem_stop sessions=
	modem_start apn=right
	run 0 --attach
	refused 9 '27.*unknown.apn' --connect --apn wrong
	run 0 --connect --apn right --disconnect
	modem_stop sessions=
	modem_start deny=11
	refused 9 '11.*plmn.not.allowed' --register
	modem_stop
	modem_start
	refused 9 '11.*plmn.not.allowed' --register --provider-id 00102
	modem_stop
	modem_start nwerror=33
	refused 9 'CallFailed (14)' --wds-start-network --apn internet
	like out "^mbim_verbose_call_end_reason_reason='33'\$"
	run 9 -j --wds-start-network --apn internet
	like out '"verbose_call_end_reason":{"type":"3gpp","reason":33},"error":{"exit":9,"domain":"qmi","number":14,'
	modem_stop
	same "markers left" "" "$(ls "$work/run" 2>/dev/null)"
}

ten()
{
	modem_start fcc=1
	refused 10 'set-radio-state: .*OperationNotAllowed (28).*--fcc-unlock' \
		--set-radio-state on
	refused 10 '(60)' --dms-set-operating-mode online
	run 0 --set-radio-state off
	run 0 --dms-set-operating-mode low-power
	modem_check radio=0 fcc_locked=1
	run 0 --dms-set-fcc-authentication
	run 0 --set-radio-state on
	like out 'sw radio state: *on'
	modem_stop radio=1 fcc_locked=0
	# success is what the modem said, but the radio is off
	modem_start fcc=2
	refused 10 '--fcc-unlock' --set-radio-state on
	modem_stop radio=0
}

eleven()
{
	modem_start
	refused 11 'NoDeviceSupport (9)' --raw-mbim GOOGLE,1,query
	modem_stop
	modem_start statusq=cid22:9
	refused 11 'get-emergency-mode: .*NoDeviceSupport (9)' \
		--get-emergency-mode
	run 11 -j --get-emergency-mode
	like out '^{"command":"get-emergency-mode","error":{"exit":11,"domain":"mbim","number":9,"name":"NoDeviceSupport","text":"'
	modem_stop
	modem_start qmierror=0x25:71 qmierror=0x22:94
	refused 11 'InvalidQmiCommand (71)' --dms-get-ids
	run 11 -j --dms-get-ids
	like out '"domain":"qmi","number":71,"name":"InvalidQmiCommand"'
	refused 11 'NotSupported (94)' --dms-get-model
	modem_stop
}

twelve()
{
	modem_start hexreply=21:00000000
	refused 12 'set-network-idle-hint' --set-network-idle-hint enabled
	modem_stop
	modem_start hexreply=3:0100000001000000
	refused 12 'set-radio-state' --set-radio-state off
	modem_stop
	modem_start hexreply=22:01000000
	refused 12 'set-emergency-mode' --set-emergency-mode off
	run 0 --set-emergency-mode on
	modem_stop
}

thirteen()
{
	if [ ! -w /dev/full ]; then
		skip "no /dev/full"
		return
	fi
	modem_start
	for options in -otext -j -s; do
		what="$options to /dev/full"
		$MBIMCTL -d "$dev" $options --get-device-caps \
			>/dev/full 2>"$work/err"
		same "exit code with $options >/dev/full" 13 $?
		lines err 1
		$MBIMCTL -d "$dev" $options --dms-get-ids >&- 2>"$work/err"
		same "exit code with $options >&-" 13 $?
		lines err 1
	done
	modem_stop allocs=3 releases=3
	$MBIMCTL --help >/dev/full 2>"$work/err"
	same "exit code of --help >/dev/full" 13 $?
	# what went wrong first counts
	modem_start statusq=cid1:9
	$MBIMCTL -d "$dev" -j --get-device-caps >/dev/full 2>"$work/err"
	same "a refusal, and no output" 11 $?
	modem_stop
}

# 128 + n as a shell sees it; the death itself is looked at in manners.sh
signalled()
{
	for signal in TERM:143 HUP:129; do
		modem_start silent=cmd
		$MBIMCTL -d "$dev" --get-device-caps >"$work/out" 2>"$work/err" &
		victim=$!
		until_heard 2
		kill -${signal%:*} $victim
		{ wait $victim; } 2>/dev/null
		same "exit code after SIG${signal%:*}" ${signal#*:} $?
		modem_stop
	done
}

# The first failure stops; what came before stays.
several()
{
	modem_start statusq=cid22:9
	run 11 -j --get-radio-state --get-emergency-mode --get-device-caps \
		--get-signal-state
	like err '2 .*not run'
	same "what is on stdout" 2 "$(grep -c '^{' "$work/out")"
	like out '^{"command":"get-radio-state","hw_radio_state":"on","sw_radio_state":"on"}$'
	like out '^{"command":"get-emergency-mode","error":{"exit":11,'
	modem_stop requests=2
	modem_start
	run 2 --get-radio-state --set-radio-state perhaps
	lines out 0
	modem_stop opens=0
}

together zero one two three four five six seven eight nine ten eleven twelve \
	thirteen signalled several
finish
