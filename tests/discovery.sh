#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Finding modems, in /sys and /dev as Linux lays them out, below MBIMCTL_ROOT;
# and what is concluded from the state of their network interface.

. "$(dirname "$0")/lib.sh"

if [ -z "${JSON:-}" ]; then
	helper json "$here/json.c"
	JSON=$tmp/json
fi

new_root()
{
	root=$work/root
	rm -rf "$root"
	mkdir -p "$root/dev" "$root/sys/bus/usb/drivers/cdc_mbim" \
		"$root/sys/bus/usb/drivers/qmi_wwan" "$root/sys/class/usbmisc" \
		"$root/sys/class/wwan" "$root/sys/class/net" \
		"$root/sys/dev/char"
	MBIMCTL_ROOT=$root
	export MBIMCTL_ROOT
}

# A USB modem: NODE DRIVER USB-PATH NET FLAGS
usb_modem()
{
	device=$root/sys/devices/pci0000:00/0000:00:14.0/usb1/$3
	interface=$device/$3:1.0
	mkdir -p "$interface/usbmisc/$1"
	echo 1199 >"$device/idVendor"
	echo 9079 >"$device/idProduct"
	echo 7 >"$device/devnum"
	ln -s "../../../../../../bus/usb/drivers/$2" "$interface/driver"
	printf 'DRIVER=%s\nPRODUCT=1199/9079/6\nINTERFACE=2/14/0\n' "$2" \
		>"$interface/uevent"
	ln -s "../../../$3:1.0" "$interface/usbmisc/$1/device"
	echo 180:0 >"$interface/usbmisc/$1/dev"
	ln -s "../../devices/pci0000:00/0000:00:14.0/usb1/$3/$3:1.0/usbmisc/$1" \
		"$root/sys/class/usbmisc/$1"
	if [ -n "$4" ]; then
		mkdir -p "$interface/net/$4"
		echo "$5" >"$interface/net/$4/flags"
		ln -s "../../devices/pci0000:00/0000:00:14.0/usb1/$3/$3:1.0/net/$4" \
			"$root/sys/class/net/$4"
	fi
}

# A PCIe modem under the WWAN subsystem: WWAN KIND FLAGS
pcie_modem()
{
	pci=$root/sys/devices/pci0000:00/0000:01:00.0
	mkdir -p "$pci/wwan/$1/$1$2"
	echo 0x17cb >"$pci/vendor"
	echo 0x0308 >"$pci/device"
	mkdir -p "$root/sys/bus/pci/drivers/mhi-pci-generic"
	ln -sf ../../../bus/pci/drivers/mhi-pci-generic "$pci/driver"
	echo "$(echo "${2%[0-9]}" | tr a-z A-Z)" >"$pci/wwan/$1/$1$2/type"
	ln -s "../../$1" "$pci/wwan/$1/$1$2/device"
	ln -sf ../../../0000:01:00.0 "$pci/wwan/$1/device"
	ln -s "../../devices/pci0000:00/0000:01:00.0/wwan/$1/$1$2" \
		"$root/sys/class/wwan/$1$2"
	mkdir -p "$pci/net/$1"
	echo "$3" >"$pci/net/$1/flags"
	ln -sf "../../devices/pci0000:00/0000:01:00.0/net/$1" \
		"$root/sys/class/net/$1"
}

modem_at() # NODE options of the modem
{
	at=$root/dev/$1
	shift
	modem_start "$@"
	at=
}

# The same on a terminal, which is found in /sys by its number, as nodes are.
terminal_at() # NODE CLASS options of the modem
{
	at=$root/dev/$1
	link=../../class/$2/$1
	shift 2
	modem_pty "$@"
	at=
	numbers=$(stat -L -c '%t %T' "$dev")
	ln -sf "$link" "$root/sys/dev/char/$(printf '%d:%d' \
		"0x${numbers% *}" "0x${numbers#* }")"
}

none()
{
	new_root
	plain 3 --get-device-caps
	lines err 1
	like err 'no MBIM port'
	plain 3 -d wwan0 --get-device-caps
	lines err 1
	like err 'wwan0'
	plain 0 -j --list
	same "an empty list" '{"command":"list","ports":[]}' "$(cat "$work/out")"
	plain 0 -s --list
	like out "^mbim_ports_count='0'\$"
	plain 0 --list
	lines err 0
	# a modem of another kind is none
	usb_modem cdc-wdm0 qmi_wwan 1-3 wwan0 0x1002
	pcie_modem wwan1 at0 0x1002
	plain 3 --get-device-caps
	plain 0 -j --list
	same "no MBIM" '{"command":"list","ports":[]}' "$(cat "$work/out")"
	rm -rf "$root/sys"
	plain 3 --get-device-caps
	plain 0 -j --list
	same "no sysfs" '{"command":"list","ports":[]}' "$(cat "$work/out")"
}

# In text, with names that are as short as usual.
table()
{
	what='mbimctl --list, in the root'
	(cd "$root" && MBIMCTL_ROOT=. $MBIMCTL --list) >"$work/out"
	same "exit code" 0 $?
	like out '^ports:$'
}

one()
{
	new_root
	usb_modem cdc-wdm1 qmi_wwan 1-3 wwan1 0x1002
	usb_modem cdc-wdm0 cdc_mbim 1-1.2 wwan0 0x1002
	plain 0 -j --list
	check "strict JSON" "$JSON" <"$work/out"
	same "a list of one" "{\"command\":\"list\",\"ports\":[{\"device\":\"$root/dev/cdc-wdm0\",\"interface\":\"wwan0\",\"bus\":\"1-1.2\",\"id\":\"1199:9079\",\"driver\":\"cdc_mbim\",\"locked_by\":null}]}" \
		"$(cat "$work/out")"
	plain 0 -s --list
	like out "^mbim_ports_0_device='$root/dev/cdc-wdm0'\$"
	like out "^mbim_ports_0_interface='wwan0'\$"
	like out "^mbim_ports_0_bus='1-1.2'\$"
	like out "^mbim_ports_0_id='1199:9079'\$"
	like out "^mbim_ports_0_driver='cdc_mbim'\$"
	like out "^mbim_ports_0_locked_by=''\$"
	like out "^mbim_ports_count='1'\$"
	plain 0 --list
	like out "$root/dev/cdc-wdm0"
	like out 'wwan0'
	like out '1-1.2'
	unlike out 'cdc-wdm1'
	table
	like out '^  device  *interface  *bus  *id  *driver$'
	like out '^  [./]*dev/cdc-wdm0  *wwan0  *1-1.2  *1199:9079  *cdc_mbim$'
	lines out 3

	modem_at cdc-wdm0
	plain 0 --get-device-caps
	like out 'EM7355'
	for wanted in wwan0 1-1.2 cdc-wdm0 "$root/dev/cdc-wdm0"; do
		plain 0 -d "$wanted" --get-radio-state
	done
	modem_check opens=5 closes=5
	for wanted in wwan 1-1 1-1.2:1.0.1 wwan1 1-3 cdc-wdm1 wwan00; do
		plain 3 -d "$wanted" --get-radio-state
		lines err 1
		like err "$wanted"
	done
	modem_stop opens=5

	# one that is there in sysfs, but not in /dev
	plain 3 --get-device-caps
	lines err 1
	like err 'cdc-wdm0'
}

pcie()
{
	new_root
	pcie_modem wwan0 mbim0 0x1002
	pcie_modem wwan0 at0 0x1002
	plain 0 -j --list
	check "strict JSON" "$JSON" <"$work/out"
	like out "{\"device\":\"$root/dev/wwan0mbim0\",\"interface\":\"wwan0\",\"bus\":\"0000:01:00.0\",\"id\":\"17cb:0308\",\"driver\":\"mhi-pci-generic\",\"locked_by\":null}"
	same "ports" 1 "$(grep -o '"device"' "$work/out" | grep -c '')"
	modem_at wwan0mbim0
	plain 0 --get-radio-state
	plain 0 -d wwan0 --get-radio-state
	plain 0 -d wwan0mbim0 --get-radio-state
	modem_stop opens=3
}

several()
{
	new_root
	usb_modem cdc-wdm0 cdc_mbim 1-1 wwan0 0x1002
	usb_modem cdc-wdm2 cdc_mbim 1-1.4.1 wwan2 0x1002
	pcie_modem wwan1 mbim0 0x1002
	plain 3 --get-device-caps
	lines err 1
	like err "several.*$root/dev/"
	like err 'cdc-wdm0'
	like err 'cdc-wdm2'
	like err 'wwan1mbim0'
	plain 3 -j --get-device-caps
	check "strict JSON" "$JSON" <"$work/out"
	like out '"exit":3'
	plain 0 -j --list
	check "strict JSON" "$JSON" <"$work/out"
	same "ports" 3 "$(grep -o '"device"' "$work/out" | grep -c '')"
	plain 0 -s --list
	like out "^mbim_ports_count='3'\$"
	# the interface's number need not be that of the port
	modem_at cdc-wdm2
	for wanted in wwan2 1-1.4.1 cdc-wdm2; do
		plain 0 -d "$wanted" --get-radio-state
	done
	modem_stop opens=3
	# usage comes first
	plain 2 --set-radio-state perhaps
}

# Who holds the lock of a port: another mbimctl, by its number, and nobody else.
locked()
{
	new_root
	usb_modem cdc-wdm0 cdc_mbim 1-1.2 wwan0 0x1002
	terminal_at cdc-wdm0 usbmisc silent=cmd
	plain 0 -j --list
	like out '"locked_by":null}'
	$MBIMCTL -t $((20 * SLOWNESS)) --get-device-caps >/dev/null 2>&1 &
	holder=$!
	until_heard 2
	if [ ! -r /proc/locks ]; then
		skip "no /proc/locks: the holder of a lock is not known"
	else
		plain 0 -j --list
		check "strict JSON" "$JSON" <"$work/out"
		like out "\"locked_by\":$holder}"
		plain 0 -s --list
		like out "^mbim_ports_0_locked_by='$holder'\$"
		table
		like out '  locked by$'
		like out "cdc_mbim  *$holder\$"
		then=$(clock)
		plain 6 -t 0.5 --get-radio-state
		within 2000
		like err "$holder"
	fi
	kill $holder
	wait $holder 2>/dev/null
	same "the holder ended by SIGTERM" 143 $?
	plain 0 -j --list
	like out '"locked_by":null}'
	# looking at it has sent nothing, and taken no lock
	modem_stop opens=1 closes=1 requests=1

	# many at once look, while one after the other has it
	terminal_at cdc-wdm0 usbmisc
	i=0 runs=
	while [ $i -lt 5 ]; do
		i=$((i + 1))
		$MBIMCTL --list >/dev/null 2>&1 &
		runs="$runs $!"
		$MBIMCTL -t $((20 * SLOWNESS)) --get-radio-state \
			>/dev/null 2>&1 &
		runs="$runs $!"
	done
	all_end_well "those at once" $runs
	modem_stop opens=5 closes=5
}

# A name with a newline, or what a terminal obeys, is one line of text.
strange_names()
{
	new_root
	usb_modem cdc-wdm0 cdc_mbim 1-1.2 wwan0 0x1002
	newline='no
such
'
	escape=$(printf 'a\033[31mb')
	for wanted in "$newline" "$escape" /dev/"$newline"; do
		plain 3 -d "$wanted" --get-radio-state
		lines err 1
		same "control characters on stderr" '' \
			"$(tr -d ' -~\n' <"$work/err")"
		plain 3 -j -d "$wanted" --get-radio-state
		lines err 1
		lines out 1
		check "strict JSON" "$JSON" <"$work/out"
	done
	plain 2 -d '' --get-radio-state
	lines err 1
	plain 2 "--$newline"
	lines err 1
	plain 2 "$newline"
	lines err 1
	plain 2 --set-radio-state "$newline"
	lines err 1
}

# An interface that is up has a session, which OPEN would end.
joining()
{
	for kind in usb pcie; do
		new_root
		if [ $kind = usb ]; then
			usb_modem cdc-wdm0 cdc_mbim 1-1.2 wwan0 0x1003
			start='modem_at cdc-wdm0'
		else
			pcie_modem wwan0 mbim0 0x1003
			start='terminal_at wwan0mbim0 wwan'
		fi
		flags=$(find "$root/sys/devices" -name flags)
		$start session=0
		plain 0 -d wwan0 --get-signal-state
		plain 0 -d "$dev" --dms-get-ids
		plain 0 --get-ip-configuration
		like out '10.0.0.2/30'
		modem_check opened=1 sessions=0 opens=0 closes=0 allocs=1 \
			releases=1
		# the interface was left up, but the function is not open
		plain 0 -d wwan0 --close
		modem_check opens=0 closes=1
		plain 0 -d wwan0 --get-signal-state
		modem_check notopened=1 opens=1 closes=2
		# by hand
		plain 0 -d wwan0 --open --get-signal-state
		modem_stop opens=2 closes=3

		# down, or with other flags: nobody's
		echo 0x1002 >"$flags"
		$start
		plain 0 -d wwan0 --get-signal-state
		modem_stop opens=1 closes=1
		: >"$flags"
		$start
		plain 0 -d wwan0 --get-signal-state
		modem_stop opens=1 closes=1

		# silence where a function was taken for open names --open
		echo 0x1003 >"$flags"
		$start silent=cmd session=0
		plain 4 -d wwan0 -t 1 --get-signal-state
		like err '--open'
		modem_stop opened=1 sessions=0 opens=0
	done
}

# Another USB device number is another modem, although the name is the same.
replugged()
{
	new_root
	usb_modem cdc-wdm0 cdc_mbim 1-1.2 wwan0 0x1002
	modem_at cdc-wdm0
	plain 0 --attach --connect --apn internet
	plain 0 --get-signal-state
	modem_check opens=1 opened=1 sessions=0
	echo 8 >"$device/devnum"
	plain 0 --get-signal-state
	modem_stop opens=2 closes=1 sessions=
}

# The largest control message: of the descriptor, where the driver tells none.
size()
{
	for wanted in 512:0002 4096:0010 64:4000 40:4000; do
		number=${wanted%:*}
		new_root
		usb_modem cdc-wdm0 cdc_mbim 1-1.2 wwan0 0x1002
		{
			printf '\022\001\000\002\357\002\001\100\231\021\171\220'
			printf '\006\000\001\002\003\001'
			printf '\005\044\000\020\001\005\044\006\000\001'
			printf "\\014\\044\\033\\000\\001\\$(printf %03o \
				$((number & 255)))\\$(printf %03o \
				$((number >> 8)))\\020\\200\\334\\005\\040"
		} >"$device/descriptors"
		terminal_at cdc-wdm0 usbmisc
		plain 0 --get-radio-state
		same "MaxControlTransfer of $number" "${wanted#*:}0000" "$(sed -n \
			's/^> 0100000010000000........//p' "$log")"
		modem_stop
	done
}

# A kernel with CONFIG_WWAN=y gives a USB modem both nodes: they are one modem.
# The WWAN port has its USB device, and so its descriptors, a level higher up.
both_nodes()
{
	new_root
	usb_modem cdc-wdm0 cdc_mbim 1-3 wwan0 0x1002
	mkdir -p "$interface/wwan/wwan0/wwan0mbim0"
	echo MBIM >"$interface/wwan/wwan0/wwan0mbim0/type"
	ln -s ../../wwan0 "$interface/wwan/wwan0/wwan0mbim0/device"
	ln -s ../../../1-3:1.0 "$interface/wwan/wwan0/device"
	ln -s "../../devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/wwan\
/wwan0/wwan0mbim0" "$root/sys/class/wwan/wwan0mbim0"
	printf '\014\044\033\000\001\000\002\020\200\334\005\040' \
		>"$device/descriptors"
	plain 0 -j --list
	like out '"device":"[^"]*wwan0mbim0"'
	like out '"device":"[^"]*cdc-wdm0"'
	terminal_at cdc-wdm0 usbmisc
	plain 0 --get-radio-state
	plain 0 -d wwan0 --get-radio-state
	plain 0 -d 1-3 --get-radio-state
	modem_stop
	terminal_at wwan0mbim0 wwan
	plain 0 -d wwan0mbim0 --get-radio-state
	same "MaxControlTransfer" 00020000 "$(sed -n \
		's/^> 0100000010000000........//p' "$log")"
	modem_stop
}

together none one pcie several locked strange_names joining replugged size \
	both_nodes
finish
