#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tests/examples: the netifd handler, with stubs of what netifd gives it, and
# the drop-in of ModemManager's fcc-unlock.d, beside a feigned mbim-proxy. (For
# umbim see umbim.sh.) Paths in /dev, /sys and /var/run are moved into the
# test's own tree.

. "$(dirname "$0")/lib.sh"

program_in "$tmp/bin"
machines=0

machine() # VID:PID
{
	machines=$((machines + 1))
	work=$tmp/$part/w$machines
	root=$work/root
	mkdir -p "$work"
	MBIMCTL_ROOT=$root TRACE=$work/trace
	export MBIMCTL_ROOT TRACE
	: >"$TRACE"
	run_dir
	plug_in "$root" "$1"
	at=$root/dev/cdc-wdm0
}

# A copy with paths of our own. logger is a function, because busybox ash may
# take its own before one on the PATH.
moved() # EXAMPLE
{
	echo 'logger() { echo "logger $*" >>"$TRACE"; }'
	sed -e "s,/dev/\\\$,$root/dev/\\\$,g" -e "s,/sys/,$root/sys/,g" \
		-e "s,/var/run/,$work/,g" "$here/examples/$1"
}

traced() # LINES: all that the example did to its surroundings
{
	same "calls" "$1" "$(grep -v '^logger' "$TRACE")"
	: >"$TRACE"
}

# ---- netifd ----

stubs()
{
	cat <<'END'
INCLUDE_ONLY=1 PROTO_DEFAULT_OPTIONS='defaultroute peerdns metric'
for name in proto_init_update proto_send_update proto_add_ipv4_address \
	proto_add_ipv4_route proto_add_ipv6_address proto_add_ipv6_route \
	proto_add_ipv6_prefix proto_add_dns_server proto_notify_error \
	proto_block_restart proto_config_add_string proto_config_add_int \
	proto_config_add_boolean proto_config_add_defaults sleep
do
	eval "$name() { echo $name \"\$@\" >>\"\$TRACE\"; }"
done
ip()
{
	[ "$2" != show ] || return 1
	echo ip "$@" >>"$TRACE"
}
json_get_vars()
{
	for variable; do
		eval "$variable=\${option_$variable-}"
	done
}
END
}

# setup or teardown of `wan', with options as option=value
handler() # setup|teardown EXIT-CODE OPTION=VALUE...
{
	what="netifd $*, by $shell"
	last_run=$what
	{
		stubs
		moved mbimctl-proto.sh
		echo "proto_mbimctl_$1 wan"
	} >"$work/handler"
	wanted_code=$2
	shift 2
	for option; do
		set -- "$@" "option_$option"
		shift
	done
	# shellcheck disable=SC2086
	env PATH="$tmp/bin:$PATH" "$@" timeout -k 1 $((60 * SLOWNESS)) \
		$shell "$work/handler" >"$work/out" 2>"$work/err"
	same "exit code" "$wanted_code" $?
	sanitized "$work/err"
	same "files left" "$work/mbimctl.*" "$(echo "$work"/mbimctl.*)"
}

refusal() # ERROR MODEM-KEYS... -- OPTION=VALUE...
{
	keys='' wanted_error=$1
	shift
	while [ "$1" != -- ]; do
		keys="$keys $1"
		shift
	done
	shift
	machine 1199:9079
	# shellcheck disable=SC2086
	modem_start $keys
	handler setup 1 apn=internet "$@"
	case $wanted_error in
	PIN_FAILED|NO_SIM|FCC_LOCKED|INVALID_CONFIG)
		traced "proto_notify_error wan $wanted_error
proto_block_restart wan" ;;
	*)	traced "proto_notify_error wan $wanted_error
sleep 15" ;;
	esac
	modem_stop
}

netifd()
{
	machine 1199:9079
	modem_start pin=1234
	handler setup 0 apn=internet pdptype=IPV4V6 pincode=1234 auth=chap \
		username=me "password=a 'b\$" metric=7
	traced "ip link set dev wwan0 mtu 1500
proto_init_update wwan0 1
proto_add_ipv4_address 10.0.0.2 30
proto_add_ipv4_route 0.0.0.0 0   7
proto_add_ipv6_address 2001:db8::2 128
proto_add_ipv6_prefix 2001:db8::2/64
proto_add_ipv6_route :: 0  7
proto_add_dns_server 192.0.2.53
proto_add_dns_server 192.0.2.54
proto_add_dns_server 2001:db8::35
proto_send_update wan"
	modem_check opened=1 sessions=0 pin_attempts=1
	handler setup 0 apn=internet defaultroute=0 peerdns=0
	traced "ip link set dev wwan0 mtu 1500
proto_init_update wwan0 1
proto_add_ipv4_address 10.0.0.2 30
proto_add_ipv6_address 2001:db8::2 128
proto_add_ipv6_prefix 2001:db8::2/64
proto_send_update wan"
	handler teardown 0
	traced "proto_init_update * 0
proto_send_update wan"
	modem_stop sessions= pin_attempts=1

	machine 1199:9079
	modem_start
	handler setup 0 apn=internet session=3 peerdns=0 device=wwan0
	traced "ip link set dev wwan0 up
ip link add link wwan0 name wwan0.3 type vlan id 3
ip link set dev wwan0.3 mtu 1500
proto_init_update wwan0.3 1
proto_add_ipv4_address 10.0.3.2 30
proto_add_ipv4_route 0.0.0.0 0   
proto_send_update wan"
	handler teardown 0 session=3
	modem_stop

	refusal PIN_FAILED pin=1234 -- pincode=4321
	refusal PIN_FAILED pin=1234 attempts=2 -- pincode=1234
	refusal PIN_FAILED pin=1234 --
	refusal NO_SIM sim=absent --
	refusal FCC_LOCKED fcc=1 --
	refusal INVALID_CONFIG -- auth=nonsense
	refusal NETWORK_REFUSED nwerror=33 --
	refusal NETWORK_REFUSED deny=11 --
	refusal NOT_REACHED roam=1 --
	refusal TIMEOUT regdelay=60000 -- timeout=1

	machine 1199:9079
	modem_start roam=1
	handler setup 0 apn=internet allow_roaming=1
	handler teardown 0
	modem_stop

	machine 1199:9079
	handler setup 1 apn=internet
	traced "proto_notify_error wan NO_DEVICE
sleep 15"

	# netifd ends it half way
	machine 1199:9079
	modem_start regdelay=60000
	{
		stubs
		moved mbimctl-proto.sh
		echo 'proto_mbimctl_setup wan'
	} >"$work/handler"
	what="netifd setup and SIGTERM, by $shell"
	# shellcheck disable=SC2086
	env PATH="$tmp/bin:$PATH" option_apn=internet \
		$shell "$work/handler" >"$work/out" 2>"$work/err" &
	pid=$!
	until_heard 3
	kill $pid
	wait $pid
	same "exit code" 143 $?
	same "files left" "$work/mbimctl.*" "$(echo "$work"/mbimctl.*)"
	modem_stop
}

# ---- ModemManager ----

# A pseudo-terminal is known by its number to the kernel.
known()
{
	mkdir -p "$root/sys/dev/char"
	ln -s ../../class/usbmisc/cdc-wdm0 "$root/sys/dev/char/136:$(basename \
		"$(readlink "$dev")")"
}

drop_in() # EXIT-CODE PORTS...
{
	wanted_code=$1
	shift
	what="fcc-unlock.d $*, by $shell"
	last_run=$what
	moved fcc-unlock.d-mbimctl >"$work/1199:9079"
	# shellcheck disable=SC2086
	PATH=$tmp/bin:$PATH timeout -k 1 $((9 * SLOWNESS)) ${proxy-} \
		$shell "$work/1199:9079" "$@" >"$work/out" 2>"$work/err"
	same "exit code" "$wanted_code" $?
	sanitized "$work/err"
}

modem_manager()
{
	path=/org/freedesktop/ModemManager1/Modem/0
	machine 1199:9079
	modem_start fcc=1
	drop_in 0 $path ttyUSB2 cdc-wdm0 wwan0
	modem_check fcc_locked=0 radio=1
	drop_in 1 $path
	drop_in 2 $path ttyUSB2 wwan0
	modem_stop
	machine 1199:0001
	modem_start fcc=1
	drop_in 11 $path cdc-wdm0
	modem_stop fcc_locked=1 radio=0
	machine 1199:9079
	modem_start fcc=2
	mkdir -p "$root/sys/class/wwan/wwan0p2"
	echo MBIM >"$root/sys/class/wwan/wwan0p2/type"
	drop_in 3 $path wwan0p1 wwan0p2
	same "device" 1 "$(grep -c 'dev/wwan0p2: exit code 3' "$TRACE")"
	modem_stop

	if ! proxy_helper; then
		skip "no network namespace: mbim-proxy cannot be feigned"
		return
	fi
	proxy=$tmp/proxy
	machine 2c7c:030a
	modem_pty fcc=1 quectel=1 opened=1
	known
	drop_in 0 $path cdc-wdm0
	modem_stop opened=1 opens=0 closes=0 fcc_locked=0 radio=1
	machine 1199:9079
	modem_pty fcc=1 opened=1 silent=qmi
	known
	then=$(clock)
	drop_in 0 $path cdc-wdm0
	within 5000
	modem_stop opened=1 opens=0 closes=0 clients='*'
	proxy=
}

in_shells netifd modem_manager
what=shellcheck
if command -v shellcheck >/dev/null; then
	check "shellcheck of tests/examples" \
		shellcheck -s sh -e SC1091 "$here/examples/"*
else
	skip "no shellcheck"
fi
finish
