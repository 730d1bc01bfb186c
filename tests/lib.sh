# SPDX-License-Identifier: ISC
#
# What the black-box tests have in common. A script sources this file, starts
# a simulated modem, runs mbimctl, looks at what came, and stops the modem,
# whose report is then held against what a well-mannered host leaves behind:
#
#	modem_start key=value...	a modem on a socket; $dev, $log
#	modem_pty key=value...		a modem on a pseudo-terminal
#	run CODE arguments...		mbimctl -d $dev ...; its exit code
#	plain CODE arguments...		the same without -d
#	like out|err PATTERN		a line of what it printed; unlike: none
#	same WHAT EXPECTED GOT		two texts
#	heard, until_heard N		frames that came from mbimctl so far
#	within MS			did it take so long, since $then=$(clock)?
#	modem_stop key=value...		end it and check its report: closed, no
#					client left, nothing wrong heard, no
#					command before the last one's answer.
#					key=value is expected instead; key=* is
#					whatever it likes
#	together FUNCTION...		run functions at once
#	program_in DIRECTORY		the program as `mbimctl', for PATH
#	plug_in ROOT VID:PID		a /sys and /dev with a modem on USB
#	proxy_helper			$tmp/proxy; fails where it cannot be
#	skip REASON			something cannot be tested here
#	finish				the closing line, and the exit status
#
# From the environment: MBIMCTL (may begin with a runner: "qemu-mips ./mbimctl"),
# MODEM, HOSTCC for helpers, SLOWNESS: how many times slower than usual things
# are. A busy machine adds to it. Nothing here needs more than sh, coreutils,
# grep, sed and a C compiler.

set -u
LC_ALL=C
export LC_ALL
umask 022

name=${0##*/}
name=${name%.sh}

# A network of its own for each script, if the machine permits one: abstract
# sockets, as that of an mbim-proxy, belong to it. NETNS is root where interfaces
# can be made there, too, else own or none.
if [ -z "${NETNS:-}" ]; then
	for how in root:-n ${NETNS_ROOT:+root:-rn} own:-cn own:-rn; do
		if unshare ${how#*:} true 2>/dev/null; then
			NETNS=${how%:*}
			export NETNS
			exec unshare ${how#*:} sh "$0" "$@"
		fi
	done
	NETNS=none
	export NETNS
fi

here=$(cd "$(dirname "$0")" && pwd)
MBIMCTL=${MBIMCTL:-$here/../mbimctl}
MODEM=${MODEM:-$here/build/modem}
HOSTCC=${HOSTCC:-cc}
SLOWNESS=${SLOWNESS:-1}

# What Makefile says of the sources and of how they are compiled: SRC, STD, ...
settings()
{
	[ -n "${SRC:-}" ] ||
		eval "$(make -s --no-print-directory -C "$here/.." settings)"
}

# ---- time ----

# Milliseconds
clock()
{
	read -r up rest </proc/uptime
	echo "${up%.*}${up#*.}0"
}

# How many times longer than on a machine at rest things take right now: 1, 2,
# ... There a new process takes a third of a millisecond. Only what has taken
# too long makes this look again: see fast_enough.
busy()
{
	forks=0 begun=$(clock)
	while [ $forks -lt 200 ]; do
		(:)
		forks=$((forks + 1))
	done
	factor=$((($(clock) - begun + 35) / 100))
	echo $((factor ? factor : 1))
}

SLOWNESS=$((SLOWNESS + 2 * ($(busy) - 1)))

# Were MS too long for what may take so many? Those of a machine that other
# programs use at the same time count less.
fast_enough() # MS MOST
{
	[ "$1" -le "$2" ] || [ "$1" -le $(($2 * $(busy))) ]
}

within() # MS of plain time, since $then
{
	took=$(($(clock) - then))
	if fast_enough $took $(($1 * SLOWNESS)); then
		pass
	else
		fail "took $took ms, not $1 ms at most (times $SLOWNESS)"
	fi
}

# ---- what there is ----

for program in ${MBIMCTL##* } ${MODEM##* }; do
	if [ ! -x "$program" ]; then
		echo "$name: there is no $program: run make check" >&2
		exit 1
	fi
done

tmp=$(mktemp -d "${TMPDIR:-/tmp}/mbimctl.XXXXXX") || exit 1
work=$tmp
modem_pid=
started=0
run_dir() { MBIMCTL_RUN_DIR=$work/run; export MBIMCTL_RUN_DIR; }
run_dir
unset MBIMCTL_ROOT

cleanup()
{
	# those that were ended are not there: their number may be another's
	for pid in "$tmp"/pids/*; do
		kill -9 "${pid##*/}" 2>/dev/null
	done
	chmod -R u+rwx "$tmp" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# ---- counting ----

pass() { echo p >>"$tmp/tally"; }

fail()
{
	echo f >>"$tmp/tally"
	echo "$name: FAILED: ${what:-}: $*"
	sed 's/^/    out: /;5q' "$work/out" 2>/dev/null | cut -c 1-200
	sed 's/^/    err: /;5q' "$work/err" 2>/dev/null | cut -c 1-200
}

skip()
{
	echo s >>"$tmp/tally"
	echo "$name: skipped: $*"
}

check() # WHAT command...: the command succeeds
{
	check_what=$1
	shift
	if "$@" >/dev/null 2>&1; then pass; else fail "$check_what"; fi
}

same()
{
	if [ "$2" = "$3" ]; then
		pass
	else
		fail "$1: expected '$2', got '$3'"
	fi
}

finish()
{
	touch "$tmp/tally"
	echo "$name: $(grep -c p "$tmp/tally") passed," \
		"$(grep -c f "$tmp/tally") failed," \
		"$(grep -c s "$tmp/tally") skipped"
	! grep -q f "$tmp/tally"
	exit $?
}

# Each function in a subshell with a directory of its own.
together()
{
	for part; do
		mkdir -p "$tmp/$part"
		(
			trap - EXIT
			work=$tmp/$part
			run_dir
			"$part"
		) >"$tmp/$part.said" 2>&1 &
	done
	wait
	for part; do
		cat "$tmp/$part.said"
	done
}

# The same in both shells that scripts of tests/examples are for: $shell.
in_shells() # parts
{
	for shell in dash 'busybox ash'; do
		# shellcheck disable=SC2086
		if $shell -c : 2>/dev/null; then
			together "$@"
			for part; do
				rm -rf "${tmp:?}/$part"
			done
		else
			skip "$* by $shell: it is not there"
		fi
	done
}

# ---- the modem ----

launch() # path option, then the modem's arguments
{
	started=$((started + 1))
	here_now=$work/m$started
	mkdir "$here_now"
	dev=${at:-$here_now/modem}
	log=$here_now/log
	report=$here_now/report
	mkfifo "$here_now/ready"
	launch_how=$1
	shift
	$MODEM "$launch_how" "$dev" -l "$log" -r "$report" "$@" \
		>"$here_now/ready" 2>"$here_now/stderr" &
	modem_pid=$!
	mkdir -p "$tmp/pids"
	: >"$tmp/pids/$modem_pid"
	ready=
	read -r ready <"$here_now/ready" || :
	if [ "$ready" != ready ]; then
		what="modem $*"
		fail "the modem did not start: $(cat "$here_now/stderr")"
	fi
	modem_args="$*"
	last_run=
}

modem_start() { launch -s "$@"; }
modem_pty() { launch -p "$@"; }

# $at is where the next modem's device shall be, when that matters
at=

expected() # KEY: what modem_stop was told of it, or the usual
{
	wanted_key=$1
	case $1 in
	clients) wanted= ;;
	*) wanted=0 ;;
	esac
	shift
	for pair; do
		case $pair in
		"$wanted_key"=*) wanted=${pair#*=} ;;
		esac
	done
}

reported() { sed -n "s/^$1=//p" "$report"; }

# The report of a modem that goes on: $report is fresh afterwards.
modem_report()
{
	rm -f "$report"
	kill -USR1 "$modem_pid"
	tries=0
	while [ ! -f "$report" ] && [ $tries -lt 500 ]; do
		sleep 0.01
		tries=$((tries + 1))
	done
}

check_report() # key=value...
{
	what="modem $modem_args; $last_run"
	bad_lines=
	for key in opened clients bad overlapped; do
		expected "$key" "$@"
		got=$(reported "$key")
		if [ "$wanted" != '*' ] && [ "$wanted" != "$got" ]; then
			bad_lines="$bad_lines $key=$got (not '$wanted')"
		fi
	done
	for pair; do
		key=${pair%%=*}
		case $key in opened|clients|bad|overlapped) continue ;; esac
		got=$(reported "$key")
		wanted=${pair#*=}
		if [ "$wanted" != '*' ] && [ "$wanted" != "$got" ]; then
			bad_lines="$bad_lines $key=$got (not '$wanted')"
		fi
	done
	if [ -z "$bad_lines" ]; then
		pass
	else
		fail "the modem reports$bad_lines $(reported bad_reason)"
	fi
}

modem_check() { modem_report; check_report "$@"; }

modem_stop()
{
	rm -f "$report"
	kill "$modem_pid"
	wait "$modem_pid" 2>/dev/null
	rm -f "$tmp/pids/$modem_pid"
	modem_pid=
	check_report "$@"
}

# ---- mbimctl ----

heard() { grep -c '^>' "$log"; }	# frames from the host, so far

until_heard() # N: until the modem has heard so many, or for long enough
{
	polls=0
	while [ "$(heard)" -lt "$1" ] && [ $polls -lt $((500 * SLOWNESS)) ]; do
		sleep 0.02
		polls=$((polls + 1))
	done
}

all_end_well() # WHAT PID...: runs at once, waited for
{
	all_runs=$1 bad_runs=0
	shift
	for pid; do
		wait "$pid" || bad_runs=$((bad_runs + 1))
	done
	same "failed of $all_runs" 0 $bad_runs
}

# A sanitizer that has something to say fails the case, whatever the exit code.
sanitized()
{
	if grep -q -e 'Sanitizer' -e 'runtime error:' "$1"; then
		fail "a sanitizer: $(grep -m 1 -e 'Sanitizer' \
			-e 'runtime error:' "$1")"
	fi
}

plain()
{
	wanted_code=$1
	shift
	what="mbimctl $*"
	last_run=$what
	timeout -k 1 $((90 * SLOWNESS)) $MBIMCTL "$@" >"$work/out" 2>"$work/err"
	code=$?
	sanitized "$work/err"
	if [ "$code" = "$wanted_code" ]; then
		pass
	else
		fail "exit code $code, not $wanted_code"
	fi
}

run()
{
	run_code=$1
	shift
	plain "$run_code" -d "$dev" "$@"
}

like()
{
	if grep -q -e "$2" "$work/$1"; then
		pass
	else
		fail "no '$2' in std$1"
	fi
}

unlike()
{
	if grep -q -e "$2" "$work/$1"; then
		fail "'$2' in std$1"
	else
		pass
	fi
}

lines() # out|err N
{
	same "lines of std$1" "$2" "$(grep -c '' "$work/$1")"
}

# The program as `mbimctl' in a directory for PATH, without its runner.
program_in() # DIRECTORY
{
	runner=${MBIMCTL% *}
	[ "$runner" != "$MBIMCTL" ] || runner=
	program=${MBIMCTL##* }
	program=$(cd "$(dirname "$program")" && pwd)/${program##*/}
	mkdir -p "$1"
	cat >"$1/mbimctl" <<END
#!/bin/sh
exec $runner $program "\$@"
END
	chmod +x "$1/mbimctl"
}

# What the kernel shows of a modem on USB: a tree for MBIMCTL_ROOT, in which the
# modem's device is to be dev/cdc-wdm0. The flags of its interface: $root/flags.
plug_in() # ROOT VID:PID
{
	usb=$1/sys/devices/usb1/1-1.2
	mkdir -p "$usb/1-1.2:1.12/net/wwan0" "$usb/power" \
		"$usb/1-1.2:1.12/usbmisc/cdc-wdm0" "$1/dev" \
		"$1/sys/bus/usb/drivers/cdc_mbim" "$1/sys/class/net" \
		"$1/sys/class/usbmisc"
	echo "${2%:*}" >"$usb/idVendor"
	echo "${2#*:}" >"$usb/idProduct"
	echo 7 >"$usb/devnum"
	echo auto >"$usb/power/control"
	echo 0x1002 >"$1/flags"
	ln -s "$1/flags" "$usb/1-1.2:1.12/net/wwan0/flags"
	ln -s ../../../../bus/usb/drivers/cdc_mbim "$usb/1-1.2:1.12/driver"
	ln -s ../../../1-1.2:1.12 "$usb/1-1.2:1.12/usbmisc/cdc-wdm0/device"
	ln -s ../../devices/usb1/1-1.2/1-1.2:1.12/usbmisc/cdc-wdm0 \
		"$1/sys/class/usbmisc/cdc-wdm0"
	ln -s ../../devices/usb1/1-1.2/1-1.2:1.12/net/wwan0 \
		"$1/sys/class/net/wwan0"
}

# Helpers in C, built once a script.
helper() # NAME SOURCE
{
	if ! $HOSTCC -O1 -o "$tmp/$1" "$2" 2>"$tmp/cc"; then
		what="building $2"
		fail "$(cat "$tmp/cc")"
	fi
}

# $tmp/proxy COMMAND...: beside a feigned mbim-proxy, in a network of its own.
proxy_source()
{
	cat <<'END'
#define _GNU_SOURCE
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un a = { AF_UNIX, "\0mbim-proxy" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc < 2 || (unshare(CLONE_NEWNET) &&
			 unshare(CLONE_NEWUSER | CLONE_NEWNET)))
		return 99;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&a,
		 offsetof(struct sockaddr_un, sun_path) + 11) || listen(fd, 8))
		return 99;
	putenv("BESIDE_PROXY=1");
	execvp(argv[1], argv + 1);
	return 99;
}
END
}

proxy_helper()
{
	proxy_source >"$tmp/proxy.c"
	helper proxy "$tmp/proxy.c"
	"$tmp/proxy" true 2>/dev/null
}

# Beside an mbim-proxy in the same network each run that uses a device wants
# --direct; but for those that are about it, beside a feigned one.
if [ $NETNS = none ] && grep -q '@mbim-proxy$' /proc/net/unix 2>/dev/null; then
	program_in "$tmp/real"
	cat >"$tmp/direct" <<-END
	#!/bin/sh
	case " \$* \$BESIDE_PROXY" in
	*' 1'|*' --direct '*|*' --help '*|*' --version '*|*' --decode '*)	;;
	*)	set -- --direct "\$@" ;;
	esac
	exec $tmp/real/mbimctl "\$@"
	END
	chmod +x "$tmp/direct"
	MBIMCTL=$tmp/direct
fi
