#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What tests/docs.c makes of the table: the man page names every option and
# field, and is sound by mandoc; the bash completion completes commands, their
# parameters, values, devices and files, as bash itself asks it to.

. "$(dirname "$0")/lib.sh"

what=docs
docs=${DOCS:-$tmp/docs}
if [ -z "${DOCS:-}" ]; then
	settings
	# shellcheck disable=SC2086
	(cd "$here/.." && $HOSTCC $STD -O1 -w tests/docs.c qmi-over-mbim.c \
		mbim.c -o "$docs") || {
		echo "docs: FAILED: tests/docs.c is not built"
		exit 1
	}
fi
check 'the man page' sh -c '"$1" man >"$2/man"' sh "$docs" "$tmp"
check 'the completion' sh -c '"$1" bash >"$2/bash"' sh "$docs" "$tmp"
check 'the names' sh -c '"$1" names | sort -u >"$2/names"' sh "$docs" "$tmp"
sed 's/\\-/-/g; s/\\f.//g' "$tmp/man" | tr -cs 'a-z0-9_-' '\n' | sort -u \
	>"$tmp/man-words"
tr -cs 'a-z0-9_-' '\n' <"$tmp/bash" | sort -u >"$tmp/bash-words"

# ---- every option and field ----

$MBIMCTL --help | grep -o -e ' --[a-z][a-z0-9-]*' | tr -d ' ' |
	grep -v -x -e --command -e --parameter | sort -u >"$tmp/help-words"
same 'names of help that are not in the man page' '' \
	"$(comm -23 "$tmp/help-words" "$tmp/man-words" | xargs)"
same 'names that are not in the man page' '' \
	"$(comm -23 "$tmp/names" "$tmp/man-words" | xargs)"
grep '^--' "$tmp/names" >"$tmp/options"
same 'options that are not in the completion' '' \
	"$(comm -23 "$tmp/options" "$tmp/bash-words" | xargs)"
for section in NAME SYNOPSIS DESCRIPTION 'RUN OPTIONS' COMMANDS WORDS OUTPUTS \
	'FROM UMBIM, UQMI, MBIMCLI, QMICLI' FILES ENVIRONMENT 'EXIT STATUS'; do
	check "the section $section" grep -qx "\\.SH $section" "$tmp/man"
done
for code in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 128+N; do
	check "exit status $code" grep -q "^$code  *[a-zA-Z]" "$tmp/man"
done
if command -v mandoc >/dev/null; then
	same 'mandoc' '' "$(mandoc -T lint -W warning <"$tmp/man" 2>&1 |
		head -n 3)"
	same 'lines that are too long' 0 "$(mandoc <"$tmp/man" | col -bx |
		awk 'length > 80' | wc -l)"
else
	skip 'no mandoc: the man page is not checked'
fi

# ---- completion ----

if ! command -v bash >/dev/null; then
	skip 'no bash: the completion is not tried'
	finish
fi
check 'bash -n' bash -n "$tmp/bash"

cat >"$tmp/driver" <<'END'
. "$1"
shift
COMP_WORDS=(mbimctl "$@")
COMP_CWORD=$#
COMPREPLY=()
_mbimctl
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
END

completed()	# WORDS...: what completes the last of them
{
	what="mbimctl $*"
	{ bash "$tmp/driver" "$tmp/bash" "$@" >"$work/out"; } 2>&1
}

is()		# EXPECTED WORDS...: all that completes
{
	expected=$1
	shift
	err=$(completed "$@")
	same "stderr" '' "$err"
	same "all of them" "$expected" "$(xargs <"$work/out")"
}

has()		# EXPECTED WORDS...: these are among them
{
	expected=$1
	shift
	err=$(completed "$@")
	same "stderr" '' "$err"
	for word in $expected; do
		check "has $word" grep -qxF -e "$word" "$work/out"
	done
}

lacks()		# WORDS WORDS...
{
	expected=$1
	shift
	completed "$@"
	for word in $expected; do
		check "lacks $word" sh -c '! grep -qxF -e "$1" "$2"' sh "$word" \
			"$work/out"
	done
}

# commands and run options
has '--get-device-caps --up --enter-pin-file -d --device -j --help' ''
has '-d -t -o -j -s -v -h --device --yes --up' -
lacks '--apn --pin -' -
is '--get-device-caps --get-device-services' --get-device
is '--get-signal-state' -d /dev/cdc-wdm0 --get-sig
has '--version --verbose --verify-connection' --ver
is '' --no-such

# the parameters of the command before, and no other's
has '--apn --access-string --password --password-file --auth --get-pin' \
	--connect --
has '--apn' -j --get-device-caps --connect --apn internet --user-name me -
lacks '--apn --auth' --connect --apn internet --get-pin --
is '--pin-type --pin --pin-file' --change-pin --pi
lacks '--pin-file --new-pin' --enter-pin 1234 --
has '--session-id' --query-connect --s

# values
is 'off on' --set-radio-state ''
is 'on' --set-radio-state = on
is 'off on' --set-radio-state =
is '--set-radio-state=off --set-radio-state=on' --set-radio-state=
is '--set-radio-state=off' --set-radio-state=of
is 'pap' --connect --auth p
is 'none pap chap mschapv2' --connect --auth-protocol ''
is 'chap' --connect --apn = internet --auth = ch
is '--auth=pap' --connect --auth=p
is 'none pap chap mschapv2' --up --apn internet --auth ''
is 'home roaming partner' --up --allow ''
is 'home,roaming' --up --allow home,r
is 'home,roaming,home home,roaming,roaming home,roaming,partner' \
	--up --allow home,roaming,
is '--allow=home,partner' --up --allow=home,p
has 'sim-ready registered connected' --wait-for ''
has 'basic-connect quectel' --raw-mbim ''
is 'off on' --wds-start-network --autoconnect ''
is 'online offline' --dms-set-operating-mode o
is 'online offline' --dms-set-operating-mode --mode o
is '' --enter-pin ''
is '' --connect --apn ''
is '' --up --session-id ''
is 'text json sh ip' -o ''
is 'json' --output j
is '' -t ''
is '' --prefix ''

# what help is of
has 'connect get-device-caps signal sms pin' --help ''
is 'verify-connection verify version' -h ver

# devices: nodes, and the interfaces of MBIM ports alone
root=$tmp/root
mkdir -p "$root/dev" "$root/sys/class/usbmisc/cdc-wdm0/device/net/wwan0" \
	"$root/sys/class/wwan/wwan1mbim0/device/device/net/wwan1" \
	"$root/sys/class/net/eth0"
touch "$root/dev/cdc-wdm0" "$root/dev/wwan1mbim0" "$root/dev/wwan1at0"
MBIMCTL_ROOT=$root
export MBIMCTL_ROOT
is "$root/dev/cdc-wdm0 $root/dev/wwan1mbim0 wwan0 wwan1" -d ''
is "wwan0 wwan1" --device ww
is "$root/dev/wwan1mbim0" --device = "$root/dev/ww"
MBIMCTL_ROOT=$tmp/nothing
is '' -d ''
unset MBIMCTL_ROOT

# files
mkdir -p "$tmp/files"
touch "$tmp/files/one" "$tmp/files/two words"
is "$tmp/files/one" --decode "$tmp/files/o"
is "$tmp/files/one" --enter-pin-file "$tmp/files/o"
is "$tmp/files/one" --up --pin-file "$tmp/files/o"
is "--pin-file=$tmp/files/one" --up --pin-file="$tmp/files/o"
err=$(completed --decode "$tmp/files/")
same 'a name with a blank is one' 2 "$(grep -c . "$work/out")"

finish
