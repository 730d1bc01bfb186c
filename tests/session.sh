#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The session: opening, answers that are late, foreign, cut or in pieces, and
# what outlives a run: data sessions and kept QMI clients.

. "$(dirname "$0")/lib.sh"

caps='^ *hardware info: *EM7355$'

# ---- one run, one session ----

simple()
{
	modem_start
	run 0 --get-device-caps
	like out "$caps"
	lines err 0
	modem_stop opens=1 closes=1 requests=1 notopened=0

	modem_start
	run 0 --get-device-caps --get-signal-state --get-device-caps
	modem_stop opens=1 closes=1 requests=3

	modem_start
	run 0 --dms-get-ids --dms-get-model --nas-get-signal-info --dms-get-ids
	modem_stop opens=1 closes=1 allocs=2 releases=2

	modem_pty
	run 0 --get-device-caps --dms-get-ids
	like out "$caps"
	modem_stop opens=1 closes=1 allocs=1 releases=1

	modem_start
	run 0 --close
	modem_stop opens=0 closes=1 requests=0
	modem_start session=0
	run 0 --close
	modem_stop opens=0 closes=1 sessions=
}

# ---- OPEN ----

opening()
{
	# one OPEN is lost: another, with no CLOSE in between
	modem_start silent=1
	run 0 -t $((6 * SLOWNESS)) --get-device-caps
	modem_stop opens=2 closes=1
	check "OPEN has a new id each time" test \
		"$(grep '^> 01000000' "$log" | sort -u | grep -c '')" = 2

	# the answer to the first comes after the second was sent
	modem_start late=1:2500
	run 0 -t $((6 * SLOWNESS)) --get-device-caps
	modem_stop closes=1 requests=1 overlapped='*'

	modem_start busy=2
	then=$(clock)
	run 0 --get-device-caps
	check "a busy modem is given time" test $(($(clock) - then)) -ge 900
	modem_stop opens=3 closes=1

	modem_start openfail=1:2
	run 0 --get-device-caps
	modem_stop opens=2 closes=2
	same "CLOSE comes between the OPENs" "01 02 01 03 02" \
		"$(sed -n 's/^> \(..\)000000.*/\1/p' "$log" | tr '\n' ' ' |
		sed 's/ $//')"

	# a CLOSE that is not answered is nothing, if OPEN is then
	modem_start openfail=1:2 silent=2
	run 0 -j -t $((10 * SLOWNESS)) --get-device-caps
	lines err 0
	lines out 1
	unlike out '"error"'
	modem_stop opens=2 closes=2 overlapped='*'

	# busy to the end is no silence
	modem_start busy=1000
	run 1 -t 1 --get-device-caps
	like err 'Busy (1)'
	modem_stop requests=0

	modem_start openfail=9:2
	run 1 --get-device-caps
	like err 'Failure (2)'
	lines err 1
	modem_stop opens=2 requests=0

	# D-Link DWM-156: too much was asked for
	modem_start maxtransfer=512
	run 0 --get-device-caps
	like out "$caps"
	modem_stop opens=2
	same "MaxControlTransfer of the last OPEN" 00020000 \
		"$(sed -n 's/^> 0100000010000000........//p' "$log" |
		sed -n '$p')"
	modem_start maxtransfer=512 longfw=600
	run 0 --get-device-caps
	like out '01234567890123456789'
	modem_stop opens=2

	modem_start maxtransfer=100
	run 1 --get-device-caps
	like err 'MaxTransfer'
	modem_stop requests=0

	modem_start zero=open garbage=open
	run 0 --get-device-caps
	modem_stop opens=1
}

# ---- answers ----

keys() { grep -o '"[a-z_]*":' "$work/out" | xargs; }

answers()
{
	for options in 'ind=3' 'dup=open dup=cmd' 'reorder=1' 'zero=cmd' \
	    'garbage=cmd' 'garbage=cmd:12 seed=7' 'garbage=cmd:200 seed=3' \
	    'stale=1' 'stale=3' 'ind=5 stale=2 dup=cmd' 'drip=5' \
	    'frag=80' 'frag=64 ind=2' 'frag=100 drip=1' 'delay=200' \
	    'flush=1 stale=1'; do
		# what is left in the device shall not hurt the next run
		modem_start $options
		run 0 -t $((10 * SLOWNESS)) --get-device-caps
		like out "$caps"
		run 0 -t $((10 * SLOWNESS)) --get-signal-state
		like out '^rssi: *-71 dBm'
		modem_stop overlapped='*'
	done
	for options in 'ind=3' 'dup=qmi dup=alloc' 'reorder=1' 'stale=1' \
	    'frag=70' 'garbage=qmi'; do
		modem_start $options
		run 0 -t $((10 * SLOWNESS)) --dms-get-ids --dms-get-model
		like out '^ *model: *EM7355$'
		modem_stop allocs=1 releases=1 overlapped='*'
	done
	for options in 'ind=3' 'reorder=1' 'frag=80' 'drip=1' 'dup=cmd' \
	    'stale=1'; do
		modem_pty $options
		run 0 -t $((10 * SLOWNESS)) --get-device-caps
		like out "$caps"
		modem_stop overlapped='*'
	done

	# a lost or exchanged fragment is no answer
	for options in fragswap=1 fragmiss=1; do
		modem_start frag=80 $options
		run 4 -t 1 --get-device-caps
		lines err 1
		lines out 0
		modem_stop
	done
	modem_start truncate=cmd:20
	run 4 -t 1 --get-device-caps
	lines out 0
	modem_stop
	modem_start short=cmd:20
	run 5 --get-device-caps
	like err 'malformed'
	lines err 1
	lines out 0
	modem_stop
	modem_start short=cmd:170
	run 5 --get-device-caps
	lines out 0
	modem_stop
	modem_start short=qmi:4
	run 5 --dms-get-ids
	lines out 0
	modem_stop

	# success, with nothing in it: the keys are there all the same
	modem_start
	run 0 -j --get-device-caps
	all=$(keys)
	modem_stop
	modem_start nobuffer=cmd
	run 0 -j --get-device-caps
	same "keys of a reply without fields" "$all" "$(keys)"
	like out '"device_type":null,"cellular_class":null,'
	unlike out ':[^n"]'
	modem_stop
}

# The request was cut into so many fragments, none above what was agreed on.
split() # N
{
	check "no fragment above what was agreed on" test \
		"$(sed -n 's/^> //p' "$log" | grep -c '^.\{1025\}')" = 0
	same "fragments of the request" "$1" "$(grep -c \
		"^> 03000000................$(printf '%02x' "$1")000000" \
		"$log")"
}

# Long requests and replies, in the fragments that were agreed on.
fragments()
{
	modem_start maxtransfer=512 longfw=900
	run 0 --get-device-caps
	like out '[0-9]\{900\}$'
	modem_stop

	apn=$(printf '%0100d' 0)
	user=$(printf '%060d' 1)
	modem_start maxtransfer=512
	run 0 --set-provisioned-contexts --context-id 2 --apn "$apn" \
		--user-name "$user" --password "$user" \
		--get-provisioned-contexts
	like out "access string: *$apn\$"
	like out "user name: *$user\$"
	modem_stop
	split 2
	filter=$(printf '%0384d' 8)
	modem_start maxtransfer=512
	run 0 -j --set-ip-packet-filters --packet-filter "$filter" \
		--packet-mask "$filter" --packet-filter "$filter" \
		--packet-mask "$filter" --packet-filter 45 --packet-mask ff
	same "filters as the modem has them" "\
{\"command\":\"set-ip-packet-filters\",\"session_id\":0,\"packet_filters\":[\
{\"packet_filter\":\"$filter\",\"packet_mask\":\"$filter\"},\
{\"packet_filter\":\"$filter\",\"packet_mask\":\"$filter\"},\
{\"packet_filter\":\"45\",\"packet_mask\":\"ff\"}]}" "$(cat "$work/out")"
	modem_stop
	split 2

	modem_start longfw=20000
	run 0 --get-device-caps
	like out '[0-9]\{20000\}$'
	modem_stop

	modem_pty frag=64 longfw=3000
	run 0 -t $((20 * SLOWNESS)) --get-device-caps
	like out '[0-9]\{3000\}$'
	modem_stop

	# one fragment of the reply is never more than 64 KiB in all
	modem_start longfw=21000 frag=4000 ind=2
	run 0 --get-device-caps
	like out '[0-9]\{21000\}$'
	modem_stop
}

# A channel that is answers behind, as cdc-wdm leaves it after a kill.
behind()
{
	for n in 1 2 3; do
		modem_start behind=$n
		for i in 1 2 3 4 5 6 7 8 9 10; do
			then=$(clock)
			run 0 -t $((10 * SLOWNESS)) --get-signal-state
			within 1000	# the answer to CLOSE comes out too
			like out '^rssi: *-71 dBm'
			same "stderr, $n behind" '' "$(cat "$work/err")"
		done
		modem_stop overlapped='*'
	done
	modem_start behind=1
	run 0 -t $((10 * SLOWNESS)) --dms-get-ids
	modem_stop overlapped='*' allocs=1 releases=1

	# a set is not repeated for it
	modem_start behind=2
	run 0 -t $((10 * SLOWNESS)) --set-network-idle-hint enabled
	modem_stop overlapped='*'
	same "sets sent" 1 "$(grep -c \
		'^> 03000000.*a289cc33bcbb8b4fb6b0133ec2aae6df1500000001' "$log")"

	# what a killed run did not read
	modem_start delay=400
	$MBIMCTL -d "$dev" --get-device-caps >/dev/null 2>&1 &
	killed=$!
	until_heard 2
	kill -9 $killed
	wait $killed 2>/dev/null
	run 0 -t $((10 * SLOWNESS)) --get-signal-state
	like out '^rssi: *-71 dBm'
	modem_stop overlapped='*'
}

# ---- the data session survives ----

connect='--attach --connect --apn internet'

connected()
{
	for how in modem_start modem_pty; do
		$how
		run 0 $connect
		like out 'activation state: *activated'
		modem_check opened=1 sessions=0 opens=1 closes=0
		for i in 1 2 3 4 5 6 7 8 9 10; do
			run 0 --get-signal-state
			like out '^rssi: *-71 dBm'
		done
		run 0 --dms-get-ids
		run 0 --get-ip-configuration
		modem_check opened=1 sessions=0 opens=1 closes=0
		run 0 --disconnect
		modem_stop sessions= opens=1 closes=1
		same "markers left" "" "$(ls "$work/run" 2>/dev/null)"
	done

	modem_start delay=150
	run 0 $connect
	for i in 1 2 3 4 5 6 7 8 9 10; do
		run 0 --get-signal-state
	done
	modem_check opened=1 sessions=0 opens=1
	run 0 --disconnect
	modem_stop sessions= closes=1

	# silence does not mean that the function is closed
	modem_start silent=cid11
	run 0 $connect
	run 4 -t 1 --get-signal-state
	like err '--open'
	modem_check opened=1 sessions=0 opens=1 closes=0
	run 0 --disconnect
	modem_stop

	# two sessions: the function closes with the last one
	modem_start
	run 0 $connect
	run 0 --connect --session-id 1 --apn internet
	modem_check opened=1 sessions=0,1 opens=1
	run 0 --disconnect --session-id 0
	modem_check opened=1 sessions=1 closes=0
	run 0 --disconnect --session-id 1
	modem_stop sessions= closes=1 opens=1

	# both in one run
	modem_start
	run 0 $connect --disconnect
	modem_stop sessions= opens=1 closes=1
	same "markers left" "" "$(ls "$work/run" 2>/dev/null)"

	# a failed CONNECT leaves nothing
	modem_start nwerror=33
	run 9 $connect
	modem_stop sessions= closes=1
	same "markers left" "" "$(ls "$work/run" 2>/dev/null)"

	# interrupted while it connects: the session may be there, or closed
	modem_start connectdelay=3000
	timeout -s TERM 1 $MBIMCTL -d "$dev" $connect >/dev/null 2>&1
	modem_check opened='*' overlapped='*'
	run 0 --close
	modem_stop sessions= overlapped='*'
}

# A run directory whose marker has outlived the function.
outlived()
{
	rm -rf "$work/run"
	modem_start
	run 0 $connect
	cp -pr "$work/run" "$work/saved"
	run 0 --close
	rm -rf "$work/run"
	mv "$work/saved" "$work/run"
}

# The modem lost the function meanwhile (suspend, reset).
notopened()
{
	for command in --get-signal-state '--set-network-idle-hint enabled' \
	    --dms-get-ids; do
		outlived
		run 0 $command
		modem_stop notopened=1 opens=2 closes=2
		same "markers left" "" "$(ls "$work/run")"
	done

	# the session of a CONNECT that had to open the function first is kept
	outlived
	run 0 --connect --apn internet
	modem_check notopened=1 opens=2 closes=1 opened=1 sessions=0
	run 0 --disconnect
	modem_stop notopened=1 opens=2 closes=2

	# --close alone is the run's one job
	modem_start silent=close opened=1
	run 4 -t 1 --close
	modem_stop opened='*'

	# not joined: the modem says so although we opened it
	modem_start notopened=1
	run 1 --get-device-caps
	like err 'NotOpened'
	modem_stop opens=1
}

by_hand()
{
	# --open starts anew, and ends what there was
	modem_start
	run 0 $connect
	run 0 --open --get-signal-state
	modem_stop opens=2 closes=1 sessions=
	same "markers left" "" "$(ls "$work/run" 2>/dev/null)"

	# --no-open takes it for open and does not close it
	modem_start session=0
	run 0 --no-open --get-signal-state
	run 0 --no-open --dms-get-ids
	modem_stop opened=1 sessions=0 opens=0 closes=0 allocs=1 releases=1
	modem_start session=0
	run 0 --no-open --close --get-signal-state
	modem_stop opens=0 closes=1
	modem_start
	run 1 --no-open --get-signal-state
	like err 'NotOpened'
	modem_stop opens=0 closes=0 notopened=1

	# --close ends the session and the function
	modem_start
	run 0 $connect
	run 0 --close
	modem_stop sessions= closes=1
	same "markers left" "" "$(ls "$work/run" 2>/dev/null)"
	# what is to stay is not closed at once: that was not meant
	modem_start
	for keeps in '--connect --apn internet' '--up --apn internet' \
	    '--ensure-connected --apn internet' '--wds-start-network'; do
		run 2 --close $keeps
		run 2 $keeps --close
		lines err 1
		like err '--close'
	done
	modem_stop opens=0 closes=0
	modem_start
	run 0 $connect
	run 0 --get-signal-state --close
	modem_stop sessions= opens=1 closes=1
	run_dir
	same "markers left" "" "$(ls "$work/run" 2>/dev/null)"
}

# ---- the marker ----

marker()
{
	# another node under the same name is another device
	at=$work/node
	modem_start
	run 0 $connect
	modem_stop opened=1
	modem_start session=0
	run 0 --get-signal-state
	modem_stop opens=1 closes=1 sessions=
	at=
	# the same node, made anew: all that tells is its time
	modem_start
	run 0 $connect
	chmod 600 "$dev"
	run 0 --get-signal-state
	modem_stop opens=2 closes=1 sessions=

	# two modems, two markers
	rm -rf "$work/run"
	modem_start
	run 0 $connect
	first_dev=$dev first_pid=$modem_pid first_report=$report
	modem_start
	run 0 --get-signal-state
	modem_check opens=1 closes=1
	run 0 $connect
	same "markers" 2 "$(ls "$work/run" | grep -c '')"
	plain 0 -d "$first_dev" --get-signal-state
	plain 0 -d "$first_dev" --disconnect
	modem_check opened=1 sessions=0
	run 0 --disconnect
	modem_stop opens=2 closes=2
	modem_pid=$first_pid report=$first_report
	modem_stop opens=1 closes=1
	same "markers left" "" "$(ls "$work/run")"

	# it is made before CONNECT is sent
	rm -rf "$work/run"
	modem_start silent=cid12
	$MBIMCTL -d "$dev" $connect >/dev/null 2>&1 &
	killed=$!
	until_heard 3
	same "markers during CONNECT" 1 "$(ls "$work/run" | grep -c '')"
	same "mode of the run directory" drwx------ \
		"$(ls -ld "$work/run" | cut -c 1-10)"
	kill -9 $killed
	wait $killed 2>/dev/null
	run 0 --close
	modem_stop
	same "markers left" "" "$(ls "$work/run")"
}

# Does this run directory count? joined: yes; opened: no.
believed() # joined|opened
{
	run 0 --get-signal-state
	if [ "$1" = joined ]; then
		modem_check opened=1 sessions=0 opens=1
	else
		modem_check opens=2 sessions=
	fi
}

untrusted()
{
	for why in nothing mode group owner link file_link garbage; do
		rm -rf "$work/run" "$work/real"
		modem_start
		run 0 $connect
		marker=$work/run/$(ls "$work/run")
		is=opened
		case $why in
		nothing) is=joined ;;
		mode)	chmod 755 "$work/run"
			is=joined ;;
		group) chmod 770 "$work/run" ;;
		owner)
			if ! chown 12345 "$work/run" 2>/dev/null; then
				skip "cannot give a directory to another user"
				is=joined
			fi ;;
		link)
			mv "$work/run" "$work/real"
			ln -s real "$work/run" ;;
		file_link)
			mv "$marker" "$work/elsewhere"
			ln -s "$work/elsewhere" "$marker" ;;
		garbage) head -c 300 /dev/urandom >"$marker" ;;
		esac
		believed $is
		chown "$(id -u)" "$work/run" 2>/dev/null
		chmod 700 "$work/run" 2>/dev/null
		run 0 --close
		modem_stop
	done

	# nowhere to remember it: one warning, and the connection stands
	modem_start
	rm -rf "$work/run"
	: >"$work/run"
	run 0 $connect
	lines err 1
	like err 'remember'
	modem_stop opened=1 sessions=0
	rm -f "$work/run"
	modem_start
	MBIMCTL_RUN_DIR=/proc/nowhere
	run 0 $connect
	lines err 1
	modem_stop opened=1 sessions=0
	run_dir
	for at_once in 1; do
		mkdir -m 700 "$work/run"
		# nobody else's file is overwritten through a link
		echo precious >"$work/precious"
		modem_start
		run 0 $connect
		marker=$work/run/$(ls "$work/run")
		run 0 --disconnect
		ln -s "$work/precious" "$marker"
		run 0 --connect --apn internet
		same "what the link leads to" precious "$(cat "$work/precious")"
		run 0 --close
		modem_stop
	done
}

# ---- QMI clients that are kept ----

kept()
{
	modem_start
	run 0 --wds-start-network --apn internet
	like out '^packet data handle: *3785536452$'
	modem_check opened=1 clients=01:34 pdh=0xe1a2b3c4 allocs=1 releases=0
	# another command of that service has its own client
	run 0 --wds-get-packet-service-status
	like out '^connection status: *connected$'
	modem_check opened=1 clients=01:34 pdh=0xe1a2b3c4 allocs=2 releases=1
	run 0 --get-signal-state
	modem_check opened=1 clients=01:34 pdh=0xe1a2b3c4 closes=0
	run 0 --wds-stop-network
	modem_stop pdh= allocs=2 releases=2 opens=1 closes=1
	same "markers left" "" "$(ls "$work/run")"

	# it did not start: no client is kept
	modem_start nwerror=33
	run 9 --wds-start-network --apn internet
	modem_stop allocs=1 releases=1 closes=1
	same "markers left" "" "$(ls "$work/run")"

	# started and stopped in one run
	modem_start
	run 0 --wds-start-network --apn internet --wds-stop-network
	modem_stop pdh= allocs=1 releases=1 closes=1

	# a handle of one's own
	modem_start
	run 0 --wds-start-network --apn internet
	run 0 --wds-stop-network --packet-data-handle 3785536452
	modem_stop pdh= allocs=1 releases=1
}

# ---- many at once ----

crowd()
{
	modem_pty
	i=0
	runs=
	while [ $i -lt 40 ]; do
		i=$((i + 1))
		case $((i % 3)) in
		0) c='--dms-get-ids' ;;
		1) c='--get-device-caps' ;;
		2) c='--get-signal-state --get-radio-state' ;;
		esac
		$MBIMCTL -d "$dev" -t $((30 * SLOWNESS)) $c \
			>"$work/crowd.$i" 2>&1 &
		runs="$runs $!"
	done
	last_run='40 runs at once'
	all_end_well "$last_run" $runs
	same "complete replies" "13 14 13" "$(cat "$work"/crowd.* |
		grep -c '^imei: *013937001234564$') $(cat "$work"/crowd.* |
		grep -c "$caps") $(cat "$work"/crowd.* |
		grep -c '^ *rssi: *-71 dBm')"
	modem_stop opens=40 closes=40 allocs=13 releases=13 requests=79 \
		notopened=0

	# who has it
	modem_pty silent=cmd
	$MBIMCTL -d "$dev" -t $((4 * SLOWNESS)) --get-device-caps \
		>/dev/null 2>&1 &
	holder=$!
	sleep $((1 * SLOWNESS))
	then=$(clock)
	run 6 -t 1 --get-device-caps
	within 1500
	lines err 1
	if [ -r /proc/locks ]; then
		like err "$holder"
	else
		skip "no /proc/locks: the holder cannot be named"
	fi
	wait $holder
	# and when it has gone, the next one comes
	$MBIMCTL -d "$dev" -t $((2 * SLOWNESS)) --get-device-caps \
		>/dev/null 2>&1 &
	holder=$!
	run 0 -t $((20 * SLOWNESS)) --dms-get-ids
	wait $holder
	modem_stop
}

together simple opening answers fragments behind connected notopened by_hand \
	marker untrusted kept crowd
finish
