#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Runs mbimcli (libmbim) and qmicli (libqmi) against the simulated modem, on a
# pty, and mbimctl beside them.
#
# 1. It proves the modem: a peer must succeed (or be refused as expected) and
#    print the value that the table names, and must do nothing that the modem
#    takes for a fault.
# 2. It proves mbimctl: the command frames that the peer sends and those that
#    mbimctl sends for the same thing are the same bytes. MBIM transaction ids,
#    QMI transaction and client ids are masked; OPEN, CLOSE, libqmi's
#    subscription to QMI indications and the query that follows mbimcli's
#    connect are left out.
#
#	tests/peers.sh [-v] [WORD]	-v: show what peers print and send;
#					WORD: only table lines that contain it
#	MBIMCTL=./mbimctl MODEM=tests/build/modem	(MBIMCTL may begin with
#	a runner: "qemu-mips ./mbimctl")

# Columns of the table are split into words on purpose.
# shellcheck disable=SC2086,SC2116

MBIMCTL=${MBIMCTL:-./mbimctl}
MODEM=${MODEM:-tests/build/modem}

# A network of its own, as in lib.sh: there is no other mbim-proxy in it.
if [ -z "${NETNS:-}" ]; then
	export NETNS=none
	for how in -n -cn -rn; do
		if unshare $how true 2>/dev/null; then
			export NETNS=own
			exec unshare $how sh "$0" "$@"
		fi
	done
fi
direct=
[ $NETNS != none ] || ! grep -q '@mbim-proxy$' /proc/net/unix || direct=--direct

# A line is one case:
#
#	peer and its options | mbimctl's options | what the peer prints | modem
#
# A third column that begins with ! is what the peer prints when it fails, as it
# must then. A second column of - is a case for the modem alone. The fourth has
# options of the modem.
table()
{
	cat <<'EOF'
# Basic Connect, queries
mbimcli --query-device-caps             | --get-device-caps             | Hardware info: 'EM7355'      |
mbimcli --query-subscriber-ready-status | --get-subscriber-ready-status | Ready state: 'initialized'   |
mbimcli --query-subscriber-ready-status | --get-subscriber-ready-status | Ready state: 'sim-not-inserted' | sim=absent
mbimcli --query-radio-state             | --get-radio-state             | Software radio state: 'off'  | fcc=1
mbimcli --query-pin-state               | --get-pin                     | PIN type: 'pin1'             | pin=1234
mbimcli --query-pin-list                | --get-pin-list                | PIN1:                        |
mbimcli --query-home-provider           | --get-home-provider           | Provider ID: '00101'         |
mbimcli --query-preferred-providers     | --get-preferred-providers     | referred providers           |
mbimcli --query-visible-providers       | --get-visible-providers       | Provider ID: '00101'         |
mbimcli --query-registration-state      | --get-register-state          | Register state: 'home'       |
mbimcli --query-packet-service-state    | --get-packet-service          | Packet service state: 'attached' | autoattach=1
mbimcli --query-signal-state            | --get-signal-state            | RSSI [0-31,99]: '17'         | rssi=17
mbimcli --query-connection-state        | --get-connect                 | Activation state: 'deactivated' |
mbimcli --query-connection-state=3      | --get-connect --session-id 3  | Session ID: '3'              |
mbimcli --no-open=9 --no-close --query-connection-state=1 | --no-open --get-connect --session-id 1 | Activation state: 'activated' | session=1
mbimcli --query-provisioned-contexts    | --get-provisioned-contexts    | Access string: 'internet'    |
mbimcli --no-open=9 --no-close --query-ip-configuration | --no-open --get-ip-configuration | Gateway: '10.0.0.1' | session=0
mbimcli --no-open=9 --no-close --query-ip-configuration=2 | --no-open --get-ip-configuration --session-id 2 | DNS [0]: '192.0.2.53' | session=2
mbimcli --query-device-services         | --get-device-services         | Service: 'basic-connect'     |
mbimcli --query-packet-statistics       | --get-packet-statistics       | Octets (out):                |
mbimcli --query-network-idle-hint       | --get-network-idle-hint       | Network idle hint state: 'disabled' |
mbimcli --query-emergency-mode          | --get-emergency-mode          | Emergency mode: 'off'        |
mbimcli --query-ip-packet-filters       | --get-ip-packet-filters       | ilters                       |
mbimcli --query-ip-packet-filters=1     | --get-ip-packet-filters --session-id 1 | ilters              |

# radio, registration, packet service
mbimcli --set-radio-state=on            | --set-radio-state on          | Software radio state: 'on'   | radio=0
mbimcli --set-radio-state=off           | --set-radio-state off         | Software radio state: 'off'  |
mbimcli --set-radio-state=on            | --set-radio-state on          | ! OperationNotAllowed        | fcc=1
mbimcli --register-automatic            | --register                    | Register state: 'home'       |
mbimcli --register-automatic            | --register                    | Register state: 'roaming'    | roam=1
mbimcli --attach-packet-service         | --attach                      | Packet service state: 'attached' |
mbimcli --detach-packet-service         | --detach                      | Packet service state: 'detached' | autoattach=1
mbimcli --set-signal-state=signal-strength-interval=5,rssi-threshold=2,error-rate-threshold=1 | --set-signal-state --signal-strength-interval 5 --rssi-threshold 4 --error-rate-threshold 1 | Signal strength interval: '5' |
mbimcli --set-signal-state=signal-strength-interval=60 | --set-signal-state --signal-strength-interval 60 | Signal strength interval: '60' |

# PINs
mbimcli --enter-pin=1234                | --enter-pin 1234              | PIN state: 'unlocked'        | pin=1234
mbimcli --enter-pin=4711                | --enter-pin 4711              | ! rror                       | pin=1234
mbimcli --enter-pin=network-pin,1234567 | --enter-pin 1234567 --pin-type network-pin | ! NoDeviceSupport | pin=1234
mbimcli --enter-pin=corporate-pin,12345 | --enter-pin 12345 --pin-type corporate-pin | ! NoDeviceSupport | pin=1234
mbimcli --change-pin=1234,5678          | --change-pin --pin 1234 --new-pin 5678 | PIN state:          | pin=1234
mbimcli --change-pin=1234,56789         | --change-pin --pin 1234 --new-pin 56789 | PIN state:         | pin=1234
mbimcli --enable-pin=1234               | --enable-pin 1234             | PIN state:                   |
mbimcli --disable-pin=1234              | --disable-pin 1234            | PIN state:                   | pin=1234
mbimcli --disable-pin=network-pin,12345 | --disable-pin 12345 --pin-type network-pin | ! NoDeviceSupport |
mbimcli --enter-puk=12345678,4321       | --yes --unblock-pin --puk 12345678 --new-pin 4321 | PIN operation successful | pin=1234 attempts=0
mbimcli --enter-puk=network-puk,12345678,4321 | --yes --unblock-pin --pin-type network-puk --puk 12345678 --new-pin 4321 | ! NoDeviceSupport | pin=1234

# data sessions
mbimcli --connect=access-string=internet | --connect --apn internet     | Activation state: 'activated' | autoattach=1
mbimcli --connect=access-string=        | --connect                     | Activation state: 'activated' | autoattach=1
mbimcli --connect=access-string=,session-id=7 | --connect --session-id 7 | Session ID: '7'             | autoattach=1
mbimcli --connect=access-string=internet,ip-type=ipv4 | --connect --apn internet --ip-type ipv4 | IP type: 'ipv4' | autoattach=1
mbimcli --connect=access-string=internet,ip-type=ipv6 | --connect --apn internet --ip-type ipv6 | IP type: 'ipv6' | autoattach=1
mbimcli --connect=access-string=internet,ip-type=ipv4v6 | --connect --apn internet --ip-type ipv4v6 | IP type: | autoattach=1
mbimcli --connect=access-string=internet,ip-type=ipv4-and-ipv6 | --connect --apn internet --ip-type ipv4-and-ipv6 | IP type: | autoattach=1
mbimcli --connect=access-string=internet,username=bob,password=secret,auth=chap | --connect --apn internet --user-name bob --password secret --auth chap | 'activated' | autoattach=1
mbimcli --connect=access-string=internet,username=bob,auth=pap | --connect --apn internet --user-name bob --auth pap | 'activated' | autoattach=1
mbimcli --connect=access-string=internet,password=x,auth=mschapv2 | --connect --apn internet --password x --auth mschapv2 | 'activated' | autoattach=1
mbimcli --connect=access-string=a,username=ab,password=abc,compression=enable | --connect --apn a --user-name ab --password abc --compression enable | 'activated' | autoattach=1
mbimcli --connect=access-string=ims,context-type=ims,session-id=1 | --connect --apn ims --context-type ims --session-id 1 | Context type: 'ims' | autoattach=1
mbimcli --connect=access-string=mms,context-type=mms | --connect --apn mms --context-type mms | Context type: 'mms' | autoattach=1
mbimcli --connect=session-id=2,access-string=corp.example,ip-type=ipv4v6,auth=pap,username=user@corp.example,password=p4ss,compression=none,context-type=vpn | --connect --session-id 2 --apn corp.example --ip-type ipv4v6 --auth pap --user-name user@corp.example --password p4ss --compression none --context-type vpn | Context type: 'vpn' | autoattach=1
mbimcli --connect=access-string=bücher€ | --connect --apn bücher€       | 'activated'                  | autoattach=1
mbimcli --connect=access-string=internet | --connect --apn internet     | ! PacketServiceDetached      |
mbimcli --connect=access-string=wrong   | --connect --apn wrong         | ! rror                       | autoattach=1 apn=right
mbimcli --no-open=9 --no-close --disconnect | --no-open --disconnect    | Activation state: 'deactivated' | session=0
mbimcli --no-open=9 --no-close --disconnect=2 | --no-open --disconnect --session-id 2 | Activation state: 'deactivated' | session=2
mbimcli --disconnect=1                  | --disconnect --session-id 1   | ! ContextNotActivated        |
mbimcli --set-provisioned-contexts=context-id=3,access-string=internet | --set-provisioned-contexts --context-id 3 --apn internet | Access string: 'internet' |
mbimcli --set-provisioned-contexts=context-id=3,context-type=internet,access-string=internet,username=u,password=pw1,provider-id=26201 | --set-provisioned-contexts --context-id 3 --context-type internet --apn internet --user-name u --password pw1 --provider-id 26201 | Context ID 3: |
mbimcli --set-provisioned-contexts=context-id=2,context-type=mms,access-string=mms,auth=chap,compression=enable,provider-id=00101 | --set-provisioned-contexts --context-id 2 --context-type mms --apn mms --auth chap --compression enable --provider-id 00101 | Context ID 2: |

# the other sets
mbimcli --set-service-activation=0102030405 | --service-activation 0102030405 | | 
mbimcli --set-service-activation=01020304 | --service-activation 01020304 | |
mbimcli --set-network-idle-hint=enabled | --set-network-idle-hint enabled | Network idle hint state: 'enabled' |
mbimcli --set-network-idle-hint=disabled | --set-network-idle-hint disabled | Network idle hint state: 'disabled' |
mbimcli --set-emergency-mode=on         | --set-emergency-mode on       | Emergency mode: 'on'   |
mbimcli --set-emergency-mode=off        | --set-emergency-mode off      | Emergency mode: 'off'  |
mbimcli --set-ip-packet-filters=session-id=1,packet-filter=0102,packet-mask=ffff,packet-filter=010203,packet-mask=ff00ff | --set-ip-packet-filters --session-id 1 --packet-filter 0102 --packet-mask ffff --packet-filter 010203 --packet-mask ff00ff | ilters |
mbimcli --set-ip-packet-filters=session-id=0,packet-filter=01020304,packet-mask=ffffffff | --set-ip-packet-filters --packet-filter 01020304 --packet-mask ffffffff | ilters |

# MBIMEx, for the modem alone: it must be negotiated
mbimcli --device-open-ms-mbimex-v2 --query-signal-state | -              | RSRP/SNR info: 'lte'         | mbimex=2
mbimcli --device-open-ms-mbimex-v3 --query-subscriber-ready-status | -   | Ready state: 'initialized'   | mbimex=3
mbimcli --device-open-ms-mbimex-v3 --query-packet-service-state | -      | Packet service state:        | mbimex=3
mbimcli --device-open-ms-mbimex-v3 --query-registration-state | -        | Register state: 'home'       | mbimex=3
mbimcli --device-open-ms-mbimex-v3 --connect=access-string=internet | -  | Activation state: 'activated' | mbimex=3 autoattach=1

# QMI: control
qmicli --get-service-version-info       | --ctl-get-version-info        | dms (1.14)                   |
qmicli --device-open-sync --dms-get-ids | --ctl-sync --dms-get-ids      | IMEI: '013937001234564'      |
qmicli --device-open-version-info --dms-get-model | --ctl-get-version-info --dms-get-model | Model: 'EM7355' |
qmicli --dms-noop                       | --set-device-service-subscribe-list --device-service-id qmi --cids 1 | |

# QMI: device management
qmicli --dms-get-ids                    | --dms-get-ids                 | IMEI: '013937001234564'      |
qmicli --dms-get-manufacturer           | --dms-get-manufacturer        | Manufacturer: 'Sierra Wireless, Incorporated' |
qmicli --dms-get-model                  | --dms-get-model               | Model: 'EM7355'              |
qmicli --dms-get-revision               | --dms-get-revision            | Revision: 'SWI9X15C_05.05.58.00 r27044' |
qmicli --dms-get-capabilities           | --dms-get-capabilities        | Networks: 'gsm, umts, lte'   |
qmicli --dms-get-operating-mode         | --dms-get-operating-mode      | Mode: 'online'               |
qmicli --dms-set-operating-mode=online  | --dms-set-operating-mode online |                            |
qmicli --dms-set-operating-mode=online  | --dms-set-operating-mode online | ! QMI protocol error (60)  | fcc=1
qmicli --dms-set-operating-mode=low-power | --dms-set-operating-mode low-power |                       |
qmicli --dms-set-operating-mode=persistent-low-power | --dms-set-operating-mode persistent-low-power | |
qmicli --dms-set-operating-mode=offline | --yes --dms-set-operating-mode offline |                           |
qmicli --dms-set-operating-mode=reset   | --yes --dms-set-operating-mode reset |                             |
mbimcli --quectel-query-radio-state      | --quectel-get-radio-state | | quectel=1
mbimcli --quectel-set-radio-state=on     | --quectel-set-radio-state on | | quectel=1
qmicli --dms-foxconn-get-firmware-version=firmware-mcfg | --dms-foxconn-get-firmware-version firmware-mcfg | | foxconn=1
qmicli --dms-foxconn-get-firmware-version=apps | --dms-foxconn-get-firmware-version apps | | foxconn=1
qmicli --dms-foxconn-set-fcc-authentication=0 | --dms-foxconn-set-fcc-authentication | | foxconn=2
qmicli --dms-foxconn-set-fcc-authentication-v2=salte8f36c23b670cc93a7f5d56ef87271dc,48 | --dms-foxconn-set-fcc-authentication-v2 --magic-string salte8f36c23b670cc93a7f5d56ef87271dc | | foxconn=1
qmicli --dms-set-fcc-authentication     | --dms-set-fcc-authentication  | Successfully set FCC authentication | fcc=1
qmicli --dms-swi-get-usb-composition    | --dms-swi-get-usb-composition | [*] USB composition 19       |
qmicli --dms-swi-set-usb-composition=8  | --yes --dms-swi-set-usb-composition 8 | Successfully                |

# QMI: network, card
qmicli --nas-get-serving-system         | --nas-get-serving-system      | Registration state: 'registered' |
qmicli --nas-get-signal-info            | --nas-get-signal-info         | RSRP: '-101 dBm'             |
qmicli --nas-get-home-network           | --nas-get-home-network        | Description: 'Simulated'     |
qmicli --uim-get-card-status            | --uim-get-card-status         | Card state: 'present'        |
qmicli --uim-get-card-status            | --uim-get-card-status         | PIN1 state: 'enabled-not-verified' | pin=1234

# QMI: data sessions. A started one keeps its client, so the peer's is kept too.
qmicli --wds-get-packet-service-status  | --wds-get-packet-service-status | Connection status: 'disconnected' |
qmicli --client-no-release-cid --wds-start-network= | --wds-start-network | Network started            |
qmicli --client-no-release-cid --wds-start-network=apn=internet | --wds-start-network --apn internet | Network started |
qmicli --client-no-release-cid --wds-start-network=apn=internet,ip-type=4 | --wds-start-network --apn internet --ip-type ipv4 | Network started |
qmicli --client-no-release-cid --wds-start-network=apn=internet,ip-type=6 | --wds-start-network --apn internet --ip-type ipv6 | Network started |
qmicli --client-no-release-cid --wds-start-network=ip-type=6 | --wds-start-network --ip-type ipv6 | Network started |
qmicli --client-no-release-cid --wds-start-network=3gpp-profile=2 | --wds-start-network --profile 2 | Network started |
qmicli --client-no-release-cid --wds-start-network=3gpp2-profile=2 | --wds-start-network --profile-index-3gpp2 2 | Network started |
qmicli --client-no-release-cid --wds-start-network=apn=i,auth=PAP,username=bob,password=secret | --wds-start-network --apn i --auth pap --username bob --password secret | Network started |
qmicli --client-no-release-cid --wds-start-network=apn=i,auth=CHAP,username=bob | --wds-start-network --apn i --auth chap --username bob | Network started |
qmicli --client-no-release-cid --wds-start-network=apn=internet,ip-type=6,auth=BOTH,username=bob,password=secret,3gpp-profile=1,autoconnect=yes | --wds-start-network --apn internet --ip-type ipv6 --auth pap,chap --username bob --password secret --profile 1 --autoconnect on | Network started |
qmicli --client-no-release-cid --wds-start-network=auth=PAP,username=bob | --wds-start-network --auth pap --username bob | Network started |
qmicli --wds-start-network=apn=internet | --wds-start-network --apn internet | ! unknown-apn                | nwerror=27
qmicli --wds-stop-network=305419896     | --wds-stop-network --packet-data-handle 305419896 | ! QMI protocol error  |
qmicli --wds-stop-network=disable-autoconnect | --wds-stop-network --packet-data-handle 4294967295 --disable-autoconnect on | ! QMI protocol error |
EOF
}

verbose=
if [ "$1" = -v ]; then
	verbose=1
	shift
fi
word=$1

for i in "${MBIMCTL##* }" "$MODEM"; do
	if [ ! -x "$i" ]; then
		echo "peers: no $i" >&2
		exit 1
	fi
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/peers.XXXXXX") || exit 1
modem=
trap '[ -z "$modem" ] || { kill $modem; wait $modem; } 2>/dev/null
	rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT PIPE TERM
mkfifo "$dir/ready" || exit 1
unset DBUS_SESSION_BUS_ADDRESS
export MBIMCTL_RUN_DIR="$dir/run" LC_ALL=C.UTF-8
set -f

limit=
command -v timeout >/dev/null && limit="timeout 20"

# A fresh modem with a log; then a client; then the modem's report.
#	run NAME MODEM-OPTIONS PROGRAM OPTIONS...
run()
{
	name=$1
	shift
	modem_options=$1
	shift
	rm -rf "$dir/run"
	"$MODEM" -p "$dir/modem" -l "$dir/$name.log" -r "$dir/$name.report" \
		$modem_options >"$dir/ready" 2>"$dir/modem.err" &
	modem=$!
	ready=
	read -r ready <"$dir/ready"
	if [ "$ready" != ready ]; then
		echo "peers: the modem does not start:" $modem_options >&2
		cat "$dir/modem.err" >&2
		exit 1
	fi
	$limit "$@" >"$dir/$name.out" 2>&1 </dev/null
	status=$?
	kill $modem
	wait $modem 2>/dev/null
	modem=
}

# The command frames of a log, masked. An MBIM command is, in hex digits: type
# (8), length (8), id (8), fragments (16), service (32), CID (8), operation (8),
# length (8), data. QMI data are 01, length (4), flags (2), service (2), client
# (2), flags (2), transaction (2 of CTL, else 4), message (4), length (4), TLVs.
# CTL message 0x23, release, ends with the client.
frames()
{
	basic='^.\{40\}a289cc33bcbb8b4fb6b0133ec2aae6df'
	qmi='^\(.\{40\}d1a30bc2f97a6e43bf65c7e24fb0f0d3.\{24\}01....00\)'
	subscription=d
	case $ours in		# nothing but that
	*-subscribe-list*)
		subscription='!d' ;;
	esac
	sed -n 's/^> \(03000000\)/\1/p' "$1" | sed \
		-e "/${basic}1300000001/$subscription" \
		-e 's/^\(.\{16\}\)......../\1iiiiiiii/' \
		-e "/${qmi}000000/!b service" \
		-e "/${qmi}000000..2300/s/..\$/cc/" \
		-e "s/${qmi}000000../\1000000ii/" \
		-e b \
		-e ': service' \
		-e "s/${qmi}\(..\)..00..../\1\2cc00iiii/" |
	case $peer in		# what follows when it succeeded
	*' --connect='*)
		sed "/${basic}0f00000000/d" ;;
	*)
		cat ;;
	esac
}

failed=0
passed=0
skipped=0
missing=

complain()
{
	[ "$wrong" ] || printf 'FAIL %s\n' "$peer"
	wrong=1
	printf '     %s\n' "$1"
}

# The peer: its exit status, what it prints, what the modem thinks of it.
check_peer()
{
	expected=${prints#! }
	if [ "$expected" = "$prints" ]; then
		[ $status = 0 ] || complain "exit status $status"
	else
		[ $status != 0 ] || complain "it should fail"
	fi
	[ -z "$expected" ] || grep -qF -e "$expected" "$dir/peer.out" ||
		complain "does not print: $expected"
	grep -q '^bad=0$' "$dir/peer.report" ||
		complain "the modem says $(grep bad_reason "$dir/peer.report")"
	[ "$verbose" ] || [ -z "$wrong" ] || sed 's/^/     | /' "$dir/peer.out"
}

check_frames()
{
	[ $((status != 0)) = $((peer_status != 0)) ] ||
		complain "mbimctl $ours: exit status $status: $(
			head -n 3 "$dir/ours.out")"
	frames "$dir/peer.log" >"$dir/peer.frames"
	frames "$dir/ours.log" >"$dir/ours.frames"
	[ -s "$dir/peer.frames" ] || complain "sends no command"
	cmp -s "$dir/peer.frames" "$dir/ours.frames" && return
	complain "its frames, and those of mbimctl $ours:"
	sed 's/^/     peer: /' "$dir/peer.frames"
	sed 's/^/     ours: /' "$dir/ours.frames"
}

one_case()
{
	wrong=
	program=${peer%% *}
	options=${peer#* }
	case $program in
	qmicli)
		options="--device-open-mbim $options" ;;
	esac
	run peer "$modem_column" $program -d "$dir/modem" $options
	peer_status=$status
	if [ "$verbose" ]; then
		printf '== %s\n' "$peer"
		grep -v Warning "$dir/peer.out"
	fi
	check_peer
	if [ "$ours" != - ]; then
		run ours "$modem_column" $MBIMCTL $direct -d "$dir/modem" $ours
		check_frames
		[ -z "$verbose" ] || cat "$dir/peer.frames"
	fi
	if [ "$wrong" ]; then
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}

for i in mbimcli qmicli; do
	if ! command -v $i >/dev/null; then
		echo "peers: skipped: $i is not installed"
		missing="$missing $i"
	fi
done

table >"$dir/table"
while IFS='|' read -r peer ours prints modem_column; do
	# without the blanks around them
	peer=$(echo $peer)
	ours=$(echo $ours)
	prints=$(echo $prints)
	case $peer in
	''|'#'*)
		continue ;;
	*"$word"*)
		;;
	*)
		continue ;;
	esac
	case $missing in
	*"${peer%% *}"*)
		skipped=$((skipped + 1))
		continue ;;
	esac
	one_case
done <"$dir/table"

echo "peers: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
