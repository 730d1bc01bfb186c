#!/bin/sh
# SPDX-License-Identifier: ISC
#
# mbimctl where its users run it: the static binary in an initramfs of busybox,
# on Linux's own cdc_mbim and cdc-wdm, with a modem on USB. That is Debian's
# kernel package, unpacked and not installed, in qemu's software emulation;
# the modem is tests/usb.c, the simulated one behind the kernel's USB/IP. The
# cases are in tests/guest.sh. No root, no KVM and no modem are needed.
#
#	KERNEL=linux-image-...	this kernel package, not Debian's current one
#	KERNEL_CACHE=DIR	packages stay here, not in tests/build/kernel
#	CPUS=2			of the guest
#	CASES=list,caps		only these
#	CI=1			as root: install what is missing
#
# What cannot be had makes it skip, with the reason. The boots' output is left
# in tests/build/kernel: cases-*, console-*.
#
# It boots twice: once for /dev/cdc-wdm0, with nothing but Debian's own modules,
# and once for /dev/wwan0mbim0, the same device as a port of the WWAN subsystem.
# Debian's cdc-wdm has none, as its CONFIG_WWAN is m and not y; so that one
# module is built anew, from the linux-source and linux-headers packages.

set -u
LC_ALL=C
export LC_ALL
umask 022
PATH=$PATH:/usr/sbin:/sbin

cd "$(dirname "$0")/.." || exit 1
top=$(pwd -P)
mbimctl=${MBIMCTL:-$top/mbimctl}
here=$top/tests
build=$here/build/kernel
cache=${KERNEL_CACHE:-$build}
passed=0 failed=0 skipped=0

finish()
{
	echo "kernel: $passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
	exit $?
}

skip()
{
	echo "kernel: skipped: $*"
	skipped=$((skipped + 1))
}

cannot()
{
	skip "$@"
	finish
}

pass() { passed=$((passed + 1)); }

fail()
{
	echo "kernel: FAILED: $*"
	failed=$((failed + 1))
}

check() # WHAT command...
{
	check_what=$1
	shift
	if "$@"; then pass; else fail "$check_what"; fi
}

# ---- packages ----

may_install() { [ -n "${CI:-}" ] && [ "$(id -u)" = 0 ]; }

need() # PROGRAM PACKAGE
{
	command -v "$1" >/dev/null && return
	may_install && apt-get -qq -y --no-install-recommends install "$2" \
		>"$build/apt" 2>&1
	command -v "$1" >/dev/null || cannot "no $1 (package $2)"
}

# The package's file, from the cache or the archive: $deb
fetch() # PACKAGE [VERSION]
{
	cached "$@" && return
	echo "kernel: fetching $1"
	(cd "$cache" && timeout 300 apt-get -q download "$1${2:+=$2}") \
		>"$build/apt" 2>&1
	cached "$@" || {
		no_deb="no package $1: $(grep '^E:' "$build/apt" | head -n 1)"
		return 1
	}
}

cached() # PACKAGE [VERSION]
{
	deb=$(ls -t "$cache/${1}_${2:-}"*.deb 2>/dev/null | head -n 1)
	[ -n "$deb" ]
}

# Only the members that are wanted: a kernel package has 400 MB of them.
unpack() # DEB DIRECTORY MEMBER...
{
	unpack_deb=$1 unpack_dir=$2
	shift 2
	rm -rf "$unpack_dir"
	mkdir -p "$unpack_dir"
	dpkg-deb --fsys-tarfile "$unpack_deb" |
		tar -x -C "$unpack_dir" --wildcards "$@" 2>"$build/tar"
}

current_kernel()
{
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p' | head -n 1
}

is_static()
{
	[ -x "$1" ] && readelf -lW "$1" >"$build/elf" 2>&1 &&
		! grep -q INTERP "$build/elf"
}

get_kernel()
{
	package=${KERNEL:-$(current_kernel)}
	if [ -z "$package" ] && may_install; then
		apt-get -qq update >"$build/apt" 2>&1
		package=$(current_kernel)
	fi
	# without package lists, what an earlier run fetched will do
	[ -n "$package" ] || package=$(ls -t "$cache" |
		sed -n 's/^\(linux-image-[^_]*-amd64\)_.*\.deb$/\1/p;T;q')
	[ -n "$package" ] || cannot "apt knows no linux-image-amd64"
	fetch "$package" || cannot "$no_deb"
	kernel_version=$(dpkg-deb -f "$deb" Version)
	root=$build/root
	if [ "$(cat "$root/from" 2>/dev/null)" != "$deb" ]; then
		unpack "$deb" "$root" '*/boot/vmlinuz-*' \
			'*/modules.builtin*' '*/modules.order' \
			'*/kernel/drivers/usb/*' '*/kernel/drivers/net/usb/*' \
			'*/kernel/drivers/net/wwan/*' '*/kernel/drivers/net/mii*' \
			'*/kernel/net/8021q/*' '*/kernel/net/802/*' \
			'*/kernel/net/llc/*'
		[ ! -d "$root/usr/lib" ] || mv "$root/usr/lib" "$root/lib"
		find "$root/lib" -name '*.ko.xz' -exec xz -d {} +
		depmod -b "$root" "$(ls "$root/lib/modules")" &&
			echo "$deb" >"$root/from"
	fi
	release=$(ls "$root/lib/modules")
	modules=$root/lib/modules/$release
	vmlinuz=$root/boot/vmlinuz-$release
	[ -f "$vmlinuz" ] || cannot "$package has no kernel in it"
}

get_busybox()
{
	busybox=/bin/busybox
	is_static $busybox && return
	busybox=$build/busybox/bin/busybox
	if ! is_static "$busybox"; then
		fetch busybox-static || cannot "$no_deb"
		unpack "$deb" "$build/busybox" '*bin/busybox'
		[ -f "$busybox" ] || busybox=$build/busybox/usr/bin/busybox
		is_static "$busybox" || cannot "no static busybox"
	fi
}

# What the hook sources. Where initramfs-tools is installed, it is the same.
get_hook_functions()
{
	tools=/usr/share/initramfs-tools
	[ -f $tools/hook-functions ] && return
	fetch initramfs-tools-core || cannot "$no_deb"
	unpack "$deb" "$build/tools" '*/share/initramfs-tools/*'
	tools=$build/tools/usr/share/initramfs-tools
	[ -f "$tools/hook-functions" ] || cannot "no hook-functions"
}

# ---- the module with a WWAN port ----

# The packages of the same version, and of the 140 MB of source one file.
wwan_source()
{
	headers=linux-headers-$release
	series=$(echo "$release" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
	tree=$build/headers
	if [ "$(cat "$tree/from" 2>/dev/null)" = "$kernel_version" ]; then
		return 0
	fi
	rm -rf "$tree"
	for part in "$headers" $(apt-cache depends "$headers" 2>/dev/null |
	    sed -n 's/^ *Depends: \(linux-[hk][^ ]*\)$/\1/p'); do
		fetch "$part" "$kernel_version" || return
		dpkg-deb -x "$deb" "$tree"
	done
	fetch "linux-source-$series" "$kernel_version" || return
	mkdir -p "$tree/module"
	# tar stops there; those before it may say that their pipe broke
	{ dpkg-deb --fsys-tarfile "$deb" |
		tar -xO "./usr/src/linux-source-$series.tar.xz" |
		xz -d | tar -xO --occurrence=1 --wildcards \
		'*/drivers/usb/class/cdc-wdm.c' >"$tree/module/cdc-wdm.c"
	} 2>"$build/tar"
	no_deb="no cdc-wdm.c in linux-source-$series"
	[ -s "$tree/module/cdc-wdm.c" ] &&
		echo "$kernel_version" >"$tree/from"
}

# $root and $modules are then a tree that has this module in Debian's place.
wwan_module()
{
	wwan_source || return
	headers=$tree/usr/src/$headers
	sed -i "s,include /usr/src/,include $tree/usr/src/," "$headers/Makefile"
	{
		echo 'obj-m := cdc-wdm.o'
		echo 'ccflags-y := -DCONFIG_WWAN=1'
	} >"$tree/module/Kbuild"
	no_deb="cdc-wdm does not build: see tests/build/kernel/module"
	make -C "$headers" M="$tree/module" CC="${HOSTCC:-gcc}" \
		MAKEFLAGS= modules >"$build/module" 2>&1 || return
	rm -rf "$build/root-wwan"
	cp -al "$root" "$build/root-wwan"
	root=$build/root-wwan
	modules=$root/lib/modules/$release
	wdm=$modules/kernel/drivers/usb/class/cdc-wdm.ko
	rm -f "$wdm" "$modules"/modules.dep*
	strip --strip-debug -o "$wdm" "$tree/module/cdc-wdm.ko" &&
		depmod -b "$root" "$release"
}

# ---- programs ----

build_usb()
{
	for compiler in musl-gcc "${CC:-cc}"; do
		command -v "$compiler" >/dev/null || continue
		"$compiler" -std=gnu11 -D_GNU_SOURCE -O1 -static tests/usb.c \
			-o "$build/usb" 2>"$build/cc" && return
	done
	cat "$build/cc"
	fail "building tests/usb.c"
	finish
}

# ---- the initramfs ----

# It is two archives, one behind the other. The first is what a user would make:
# busybox, mbimctl, the modules and scripts, put together by the very hook and
# scripts of tests/examples. The second, the test bed, stands for the hardware:
# the modem, the kernel's USB/IP that it plugs into, and the cases.

archive() # DIRECTORY FILE
{
	(cd "$1" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$2"
}

# As mkinitramfs does it: the directories, the kernel's lists of modules, the
# hooks, depmod. The modules come from below $root and not from /, so modprobe
# is told to look there, and what the hook copied from there is moved.
user_archive() # FILE
{
	rm -rf "$build/user"
	mkdir -p "$build/user/usr/bin" "$build/user/usr/lib" \
		"$build/user/usr/sbin" "$build/user/etc" "$build/user/scripts"
	for dir in bin lib sbin; do
		ln -s usr/$dir "$build/user/$dir"
	done
	mkdir -p "$build/user/lib/modules/$release" "$build/conf"
	echo 'APN=${APN:-internet}' >"$build/conf/wwan.conf"
	echo 'IP_TYPE=ipv4v6' >>"$build/conf/wwan.conf"
	cp "$modules"/modules.builtin* "$modules/modules.order" \
		"$build/user/lib/modules/$release"
	sed "s,/usr/share/initramfs-tools/,$tools/," \
		tests/examples/initramfs-hook >"$build/hook"
	DESTDIR=$build/user version=$release MODULESDIR=$modules verbose=n \
		CONFDIR=$build/conf MODPROBE_OPTIONS="-d $root" \
		MBIMCTL=$mbimctl INIT_WWAN=$here/examples/init-wwan \
		sh -e "$build/hook" >"$build/hook.out" 2>&1 || {
		cat "$build/hook.out"
		fail "tests/examples/initramfs-hook ended with $?"
		finish
	}
	cp -r "$build/user$root/lib/modules/$release/kernel" \
		"$build/user/lib/modules/$release"
	rm -rf "${build:?}/user/${root#/}"
	(cd "$build/user" && rmdir -p "$(dirname "${root#/}")" 2>/dev/null)
	depmod -b "$build/user" "$release"
	mkdir "$build/user/scripts/init-premount"
	cp tests/examples/initramfs-script \
		"$build/user/scripts/init-premount/mbimctl"
	cp "$tools/scripts/functions" "$build/user/scripts"
	cp "$busybox" "$build/user/bin/busybox"
	# a hand-made /init; what comes next is the root file system's elsewhere
	cat >"$build/user/init" <<-'END'
	#!/bin/busybox sh
	/bin/busybox mkdir -p /proc /sys /dev /run /tmp
	/bin/busybox --install -s
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs dev /dev
	/bin/init-wwan || echo "no mobile network: $?" >&2
	exec "${NEXT:-sh}"
	END
	chmod +x "$build/user/init"
	archive "$build/user" "$1"
}

bed_archive() # FILE
{
	rm -rf "$build/bed"
	mkdir -p "$build/bed/bed"
	cp "$build/usb" tests/guest.sh "$build/bed/bed"
	chmod +x "$build/bed/bed/guest.sh"
	cp "$modules"/kernel/drivers/usb/usbip/usbip-core.ko \
		"$modules"/kernel/drivers/usb/usbip/vhci-hcd.ko \
		"$build/bed/bed" || cannot "$package has no vhci-hcd"
	archive "$build/bed" "$1"
}

# Nothing else is in the user's archive, and nothing that needs a library.
check_archive() # FILE
{
	cpio --quiet -t <"$1" >"$build/list"
	others=$(grep -v -x -e '\.' -e 'bin' -e 'lib' -e 'sbin' -e 'usr' \
		-e 'usr/bin' -e 'usr/lib' -e 'usr/sbin' -e etc \
		-e 'usr/bin/busybox' -e 'usr/bin/mbimctl' -e init \
		-e 'usr/bin/init-wwan' -e 'etc/wwan.conf' -e scripts \
		-e scripts/functions -e scripts/init-premount \
		-e scripts/init-premount/mbimctl \
		-e "usr/lib/modules\\(/$release\\(/kernel.*\\)*\\)*" \
		-e "usr/lib/modules/$release/modules\\.[a-z.]*" \
		"$build/list")
	strange=$(grep "/kernel/.*\\." "$build/list" | grep -v '\.ko$')
	check "the initramfs has more in it:" $others $strange \
		test -z "$others$strange"
	for module in cdc_mbim cdc-wdm 8021q; do
		check "$module.ko is in the initramfs" \
			grep -q "/$module\\.ko\$" "$build/list"
	done
	dynamic=$(find "$build/user" -type f | while read -r file; do
		readelf -lW "$file" 2>/dev/null | grep -q INTERP && echo "$file"
	done)
	check "no shared library is needed, but by: $dynamic" test -z "$dynamic"
	check "no shared library is there" \
		sh -c "! grep -q '\\.so\\(\\.\\|\$\\)' '$build/list'"
}

# ---- a boot ----

# What the injected faults bring about, and the races at an unplug; the last is
# a notification that comes while a GET that was made to fail is just ending.
noise='nonzero urb status received: -EPIPE
Unexpected error -71
Tx URB error: -19
vhci_hcd: sendmsg failed!, ret=-32
usb_submit_urb failed with result -16'

archives()
{
	user_archive "$build/user.cpio"
	check_archive "$build/user.cpio"
	bed_archive "$build/bed.cpio"
}

# In the background: it mostly waits, so two take no longer than one.
boot() # NAME
{
	archives
	cat "$build/user.cpio" "$build/bed.cpio" >"$build/initrd-$1"
	: >"$build/cases-$1"
	timeout -k 5 "${LIMIT:-170}" qemu-system-x86_64 \
		-machine q35 -accel tcg -cpu qemu64 -smp "${CPUS:-2}" -m 128 \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$vmlinuz" -initrd "$build/initrd-$1" \
		-serial "file:$build/console-$1" \
		-serial "file:$build/cases-$1" \
		-append "console=ttyS0 panic=-1 mitigations=off nokaslr quiet \
rdinit=/bed/guest.sh WAY=$1${CASES:+ CASES=$CASES}" \
		</dev/null >"$build/qemu-$1" 2>&1 &
	pid=$!
}

judge() # NAME PID: what came of a boot
{
	wait "$2"
	status=$?
	cat "$build/qemu-$1"
	said=$build/said
	tr -d '\r' <"$build/cases-$1" >"$said"
	grep -v -e '^dmesg ' -e '^end ' -e '^skip ' "$said" |
		sed "s/^/kernel: $1: /"
	sed -n "s/^skip /kernel: skipped: $1: /p" "$said"
	passed=$((passed + $(grep -c '^ok ' "$said")))
	failed=$((failed + $(grep -c '^FAILED ' "$said")))
	skipped=$((skipped + $(grep -c '^skip ' "$said")))
	check "$1: qemu ended with $status" test $status = 0
	check "$1: the script in the guest came to its end" \
		grep -q '^end ' "$said"
	errors=$(grep '^dmesg ' "$said" | grep -v -F "$noise")
	check "$1: errors in dmesg: $errors" test -z "$errors"
	sed -n "s/^end/kernel: $1: end/p" "$said"
}

# ---- all of it ----

wdm_pid='' wwan_pid=''
trap 'kill $wdm_pid $wwan_pid 2>/dev/null' EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$build" "$cache"
[ "$(uname -m)" = x86_64 ] || cannot "this is no x86_64, but $(uname -m)"
[ -x "$mbimctl" ] || cannot "no $mbimctl: run make"
for program in apt-get dpkg-deb; do
	command -v $program >/dev/null || cannot "no $program: not a Debian"
done
need readelf binutils
need xz xz-utils
need cpio cpio
need modprobe kmod
need qemu-system-x86_64 qemu-system-x86
get_kernel
get_busybox
get_hook_functions
build_usb
check "./mbimctl is static" is_static "$mbimctl"
# Debian's modules have no version of their own: that of the package is theirs.
say_versions() # WHAT
{
	echo "kernel: cdc_mbim, cdc_ncm, 8021q of $package $kernel_version;" \
		"cdc_wdm: $1"
	echo "kernel: the user's initramfs has $(wc -c <"$build/user.cpio")" \
		"bytes in $(find "$build/user" -type f | wc -l) files, mbimctl" \
		"$(wc -c <"$mbimctl") bytes"
}

boot wdm
say_versions "the same"
wdm_pid=$pid
if wwan_module; then
	boot wwan
	say_versions "of linux-source-$series $kernel_version, CONFIG_WWAN=1"
	wwan_pid=$pid
	judge wdm $wdm_pid
	judge wwan $wwan_pid
else
	judge wdm $wdm_pid
	skip "/dev/wwan0mbim0: $no_deb"
fi
finish
