#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A netifd protocol handler for OpenWrt: one run of `mbimctl --up' is the whole
# connection. Install it as /lib/netifd/proto/mbimctl.sh, executable, with
# mbimctl in /usr/sbin; then, in /etc/config/network:
#
#	config interface 'wan'
#		option proto		mbimctl
#		option apn		internet
#
#	device		the control device, a network interface or a USB path
#			(1-1.2); not needed with a single modem
#	apn pdptype	access point; ipv4, ipv6, ipv4v6 (the network's choice)
#	auth username password		pap, chap or mschapv2
#	pincode		sent once, if the SIM asks for it and has three tries
#	allow_roaming allow_partner	1: register there, too; as in mbim
#	session		session number; above 0 it is a VLAN (0)
#	timeout		seconds for all of it (120)
#	metric defaultroute peerdns	as everywhere
#
# A failure that no retry mends (PIN, SIM, FCC lock, nonsense in the
# configuration) stops the interface until the next ifup; others are tried again
# after a pause. netifd does not see a session end in the network. For that, by
# cron each minute, where wan is the name of the interface, and with its -d and
# --session-id if it has these options; 12 is that the session has ended, not
# that the modem is busy, and ifup would start anew what is under way:
#
#	ifstatus wan | grep -q '"pending": true' || {
#		mbimctl --verify-connection >/dev/null
#		[ $? != 12 ] || ifup wan
#	}

# The options come from json_get_vars, mbim_... from `mbimctl -o sh'.
# shellcheck disable=SC2154

[ -n "$INCLUDE_ONLY" ] || {
	# shellcheck source=/dev/null
	. /lib/functions.sh
	# shellcheck source=/dev/null
	. ../netifd-proto.sh
	init_proto "$@"
}

# shellcheck disable=SC2034	# netifd looks at them
proto_mbimctl_init_config()
{
	available=1
	no_device=1
	proto_config_add_string device:device
	proto_config_add_string apn
	proto_config_add_string pdptype
	proto_config_add_string auth
	proto_config_add_string username
	proto_config_add_string password
	proto_config_add_string pincode
	proto_config_add_boolean allow_roaming
	proto_config_add_boolean allow_partner
	proto_config_add_int session
	proto_config_add_int timeout
	proto_config_add_defaults
}

# Secrets go by descriptors 3 and 4, so that ps does not show them. A setup that
# netifd ends by a signal takes its mbimctl along, which then cleans up.
mbimctl_run() # FILE ARGUMENTS...
{
	out=$1
	shift
	mbimctl -o sh "$@" >"$out" 3<<-PIN 4<<-PASSWORD &
		$pincode
	PIN
		$password
	PASSWORD
	child=$!
	trap 'kill $child; wait $child; rm -f "$out"; exit 143' INT TERM
	wait $child
	trap - INT TERM
}

mbimctl_route4() # ADDRESS
{
	proto_add_ipv4_address "${1%/*}" "${1#*/}"
	[ "$defaultroute" = 0 ] ||
		proto_add_ipv4_route 0.0.0.0 0 "" "" "$metric"
}

# The network routes the /64 here: netifd may give it to the LAN (RFC 7278).
mbimctl_route6() # ADDRESS
{
	proto_add_ipv6_address "${1%/*}" 128
	[ "${1#*/}" != 64 ] || proto_add_ipv6_prefix "$1"
	[ "$defaultroute" = 0 ] || proto_add_ipv6_route :: 0 "" "$metric"
}

mbimctl_failed() # INTERFACE
{
	retry=1
	case $mbim_exit in
	2)	retry=0 error=INVALID_CONFIG ;;
	3)	error=NO_DEVICE ;;
	4)	error=TIMEOUT ;;
	6)	error=DEVICE_BUSY ;;
	7)	retry=0 error=PIN_FAILED ;;
	8)	retry=0 error=NO_SIM ;;
	9)	error=NETWORK_REFUSED ;;
	10)	retry=0 error=FCC_LOCKED ;;
	11)	retry=0 error=NOT_SUPPORTED ;;
	12)	error=NOT_REACHED ;;
	*)	error=CONNECT_FAILED ;;
	esac
	logger -t "mbimctl[$$]" "$1: ${mbim_error:-no answer from mbimctl}"
	proto_notify_error "$1" "$error"
	if [ $retry = 0 ]; then
		proto_block_restart "$1"
	else
		sleep 15
	fi
}

proto_mbimctl_setup()
{
	interface=$1
	file=/var/run/mbimctl.$interface.$$
	# shellcheck disable=SC2086
	json_get_vars device apn pdptype auth username password pincode \
		allow_roaming allow_partner session timeout \
		$PROTO_DEFAULT_OPTIONS
	[ -z "$ctl_device" ] || device=$ctl_device

	allow=home
	[ "$allow_roaming" != 1 ] || allow=$allow,roaming
	[ "$allow_partner" != 1 ] || allow=$allow,partner
	set -- --up --apn="$apn" --allow "$allow" --session-id "${session:-0}" \
		-t "${timeout:-120}"
	[ -z "$device" ] || set -- "$@" -d "$device"
	case $pdptype in
	[iI][pP]|[iI][pP][vV]4)	set -- "$@" --ip-type ipv4 ;;
	[iI][pP][vV]6)		set -- "$@" --ip-type ipv6 ;;
	[iI][pP][vV]4[vV]6)	set -- "$@" --ip-type ipv4v6 ;;
	esac
	[ -z "$pincode" ] || set -- "$@" --pin-file /proc/self/fd/3
	case $auth in
	''|none)	;;
	*)	set -- "$@" --auth "$auth" --user-name="$username" \
			--password-file /proc/self/fd/4 ;;
	esac

	mbimctl_run "$file" "$@"
	mbim_exit=3 mbim_error='' mbim_interface='' mbim_vlan_id=''
	# shellcheck source=/dev/null
	. "$file"
	rm -f "$file"
	if [ "$mbim_exit" = 0 ] && [ -z "$mbim_interface" ]; then
		mbim_exit=3 mbim_error='the modem has no network interface'
	fi
	if [ "$mbim_exit" != 0 ]; then
		mbimctl_failed "$interface"
		return 1
	fi
	mbimctl_link
	proto_init_update "$mbim_interface" 1
	for address in $mbim_ipv4_address; do
		mbimctl_route4 "$address"
	done
	for address in $mbim_ipv6_address; do
		mbimctl_route6 "$address"
	done
	[ "$peerdns" = 0 ] || for server in $mbim_ipv4_dns $mbim_ipv6_dns; do
		proto_add_dns_server "$server"
	done
	proto_send_update "$interface"
}

# The interface of a session above 0 is a VLAN of the modem's.
mbimctl_link()
{
	if [ -n "$mbim_vlan_id" ]; then
		base=${mbim_interface%.*}
		ip link set dev "$base" up
		ip link show dev "$mbim_interface" >/dev/null 2>&1 ||
			ip link add link "$base" name "$mbim_interface" \
				type vlan id "$mbim_vlan_id"
	fi
	mtu=${mbim_ipv4_mtu:-$mbim_ipv6_mtu}
	[ -z "$mtu" ] || ip link set dev "$mbim_interface" mtu "$mtu"
}

proto_mbimctl_teardown()
{
	interface=$1
	json_get_vars device session
	[ -z "$ctl_device" ] || device=$ctl_device
	set -- --down --session-id "${session:-0}" -t 15
	[ -z "$device" ] || set -- "$@" -d "$device"
	mbimctl "$@" >/dev/null
	proto_init_update '*' 0
	proto_send_update "$interface"
}

[ -n "$INCLUDE_ONLY" ] || add_protocol mbimctl
