#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a run costs: one query of the device capabilities, and one --dms-get-ids.
# mbimctl stands beside the floor (tests/floor.c, which sends ready frames and
# does nothing else), and beside mbimcli and qmicli where they are installed,
# all against one simulated modem that answers at once.
#
#	tests/bench.sh			the tables
#	tests/bench.sh --check		only hold mbimctl against its limits
#	MBIMCTL=./mbimctl MODEM=tests/build/modem FLOOR=tests/build/floor
#	RUNS=200			runs that are timed
#
# system calls	all of them, execve and exit_group included (strace)
# instructions	in user space (perf; where the machine does not count them for
#		it, callgrind, which takes each turn of a rep for one), with hardly
#		an environment, as libc walks through it
# memory	resident set at exit, from the page tables: the program is
#		stopped as it ends (tests/floor.c built with -DWATCH)
# time		from start to end, the best of RUNS, because that does not
#		depend on what else the machine does (hyperfine, or the
#		same tool)
#
# The floor speaks to a socket, the others to a pty; mbimctl to both.

MBIMCTL=${MBIMCTL:-./mbimctl}
MODEM=${MODEM:-tests/build/modem}
FLOOR=${FLOOR:-tests/build/floor}
RUNS=${RUNS:-200}
HOSTCC=${HOSTCC:-cc}
here=$(dirname "$0")

# The limits of mbimctl, for a session that opens, asks and closes.
# 20 for the session and 3 for what is guarded before and after it, which is
# descriptors 0 to 2, dumps of core, the deadline of the output, signals as before
calls_limit=23			# and for each exchange
calls_per_exchange=4
instructions_limit=48000	# device capabilities
memory_limit=168		# KiB, of which 104 are the file

for i in "$MBIMCTL" "$MODEM" "$FLOOR"; do
	if [ ! -x "$i" ]; then
		echo "bench: no $i" >&2
		exit 1
	fi
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX") || exit 1
modem=
trap '[ -z "$modem" ] || { kill $modem; wait $modem; } 2>/dev/null
	rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT PIPE TERM
unset MBIMCTL_ROOT
export MBIMCTL_RUN_DIR="$dir/run"	# no session is remembered

have()
{
	command -v "$1" >/dev/null
}

missing()
{
	echo "bench: skipped: $*"
}

$HOSTCC -O1 -D_GNU_SOURCE -DWATCH "$here/floor.c" -o "$dir/watch" || exit 1
mkfifo "$dir/ready" &&
"$MODEM" -s "$dir/socket" -p "$dir/pty" -r "$dir/report" >"$dir/ready" &
modem=$!
while [ ! -p "$dir/ready" ]; do :; done
read -r ready <"$dir/ready"
[ "$ready" = ready ] || exit 1

counter=
if have perf && perf stat -x, -e instructions:u true 2>&1 |
		grep -q '^[0-9][0-9]*,.*instructions'; then
	counter=perf
elif have valgrind; then
	counter=callgrind
else
	missing "no instructions: neither perf counts here nor is there valgrind"
fi
if grep -q -e /ld-linux -e /ld-musl "$FLOOR"; then
	echo "bench: $FLOOR is dynamic: this floor is high"
fi
have strace || missing "no system calls: strace is not installed"
if [ "$1" != --check ]; then
	have hyperfine ||
		echo "bench: hyperfine is not installed; a loop takes the time"
fi

# A signal that is ignored, as under nohup, costs a call to leave it so.
default_signals='env --default-signal=HUP,INT,TERM'
$default_signals true 2>/dev/null || default_signals=

# Each prints a number, or nothing. The arguments are a command.

count_calls()
{
	have strace || return
	$default_signals strace -f -o "$dir/strace" "$@" >/dev/null 2>&1 ||
		return
	grep -v -e ' resumed>' -e '+++ ' -e '--- ' "$dir/strace" | grep -c '('
}

count_instructions()
{
	case $counter in
	perf)
		env -i PATH="$PATH" MBIMCTL_RUN_DIR="$dir/run" \
			perf stat -x, -e instructions:u -o "$dir/perf" "$@" \
			>/dev/null 2>&1 || return
		sed -n 's/^\([0-9][0-9]*\),.*instructions.*/\1/p' "$dir/perf" ;;
	callgrind)
		env -i PATH="$PATH" MBIMCTL_RUN_DIR="$dir/run" \
			valgrind --tool=callgrind \
			--callgrind-out-file=/dev/null "$@" \
			2>"$dir/valgrind" >/dev/null || return
		sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p' "$dir/valgrind" ;;
	esac
}

measure_memory()
{
	"$dir/watch" memory "$@" >/dev/null &&	# now its pages are cached
	"$dir/watch" memory "$@"
}

measure_time()	# in microseconds
{
	if ! have hyperfine; then
		"$dir/watch" time "$RUNS" "$@"
		return
	fi
	hyperfine -N --style none --warmup 5 --runs "$RUNS" \
		--export-csv "$dir/csv" "$*" >/dev/null 2>&1 || return
	# command,mean,stddev,median,user,system,min,max
	sed -n '2s/.*,\([^,]*\),[^,]*$/\1/p' "$dir/csv" |
		awk '{ printf "%d\n", $1 * 1000000 + 0.5 }'
}

cell()	# NUMBER FLOOR: the number, and how many times the floor's
{
	if [ -z "$1" ]; then
		printf ' %18s' -
		return
	fi
	ratio='      -'
	if [ -n "$2" ] && [ "$2" -gt 0 ]; then
		ratio=$(($1 * 10 / $2))
		ratio="x $((ratio / 10)).$((ratio % 10))"
	fi
	printf ' %10s %7s' "$1" "$ratio"
}

row()	# NAME COMMAND...
{
	name=$1
	shift
	if ! "$@" >"$dir/out" 2>&1 || [ ! -s "$dir/out" ]; then
		echo "bench: $* does not work:" >&2
		cat "$dir/out" >&2
		exit 1
	fi
	calls=$(count_calls "$@")
	instructions=$(count_instructions "$@")
	memory=$(measure_memory "$@")
	time=$(measure_time "$@")
	if [ "$name" = floor ]; then
		calls1=$calls instructions1=$instructions
		memory1=$memory time1=$time
	fi
	printf '%-15s' "$name"
	cell "$calls" "$calls1"
	cell "$instructions" "$instructions1"
	cell "$memory" "$memory1"
	cell "$time" "$time1"
	echo
}

heading()
{
	printf '\n%-15s %18s %18s %18s %18s\n' "$1" "system calls" \
		instructions "memory, KiB" "time, us"
}

tables()
{
	heading "device caps"
	row floor "$FLOOR" "$dir/socket" caps
	row mbimctl "$MBIMCTL" -d "$dir/socket" --get-device-caps
	row "mbimctl, pty" "$MBIMCTL" -d "$dir/pty" --get-device-caps
	if have mbimcli; then
		row "mbimcli, pty" mbimcli -d "$dir/pty" --query-device-caps
	else
		missing "mbimcli is not installed"
	fi
	heading "DMS get ids"
	row floor "$FLOOR" "$dir/socket" ids
	row mbimctl "$MBIMCTL" -d "$dir/socket" --dms-get-ids
	row "mbimctl, pty" "$MBIMCTL" -d "$dir/pty" --dms-get-ids
	if have qmicli; then
		row "qmicli, pty" qmicli -d "$dir/pty" --device-open-mbim \
			--dms-get-ids
	else
		missing "qmicli is not installed"
	fi
}

passed=0
failed=0
skipped=0

limit()	# WHAT NUMBER LIMIT
{
	if [ -z "$2" ]; then
		skipped=$((skipped + 1))
	elif [ "$2" -le "$3" ]; then
		passed=$((passed + 1))
		echo "bench: $1: $2, of $3"
	else
		failed=$((failed + 1))
		echo "bench: FAILED: $1: $2, of $3"
	fi
}

# calls that give a program memory
count_heap()
{
	[ -s "$dir/strace" ] || return
	grep -c -e ' brk(' -e ' mmap(' "$dir/strace"
}

check()
{
	set -- "$MBIMCTL" -d "$dir/socket" --get-device-caps
	limit "device caps: system calls" "$(count_calls "$@")" \
		$((calls_limit + 3 * calls_per_exchange))
	limit "device caps: brk and mmap" "$(count_heap)" 0
	limit "device caps: instructions ($counter)" \
		"$(count_instructions "$@")" $instructions_limit
	limit "device caps: KiB of memory" "$(measure_memory "$@")" \
		$memory_limit
	set -- "$MBIMCTL" -d "$dir/socket" --dms-get-ids
	limit "DMS get ids: system calls" "$(count_calls "$@")" \
		$((calls_limit + 5 * calls_per_exchange))
	limit "DMS get ids: brk and mmap" "$(count_heap)" 0
	limit "DMS get ids: KiB of memory" "$(measure_memory "$@")" \
		$memory_limit
	echo "bench: $passed passed, $failed failed, $skipped skipped"
}

if [ "$1" = --check ]; then
	check
else
	tables
fi
[ $failed = 0 ]
