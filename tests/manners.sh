#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Manners under stress: signals at every step leave nothing behind, and no run
# outlives its deadline by more than three seconds, whatever the modem does.

. "$(dirname "$0")/lib.sh"

# Run a program, send it signals, and tell how it ended:
#	watch [-i SIGNAL] [-l LOG] [SIGNAL:FRAMES:MS]... -- program...
# Each signal goes out MS after so many frames from the host stand in LOG (and
# after the signal before it). -i: that one is ignored at start. On descriptor
# 3: "exit|signal N", wall and processor time in ms.
watch_source()
{
	cat <<'END'
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int frames(const char *log)
{
	FILE *f = fopen(log, "r");
	int c, last = '\n', n = 0;

	if (!f)
		return 0;
	while ((c = getc(f)) != EOF) {
		n += last == '\n' && c == '>';
		last = c;
	}
	fclose(f);
	return n;
}

static int status, ended;
static struct rusage usage;

static int over(pid_t pid)
{
	if (!ended && wait4(pid, &status, WNOHANG, &usage) == pid)
		ended = 1;
	return ended;
}

int main(int argc, char **argv)
{
	const char *log = NULL;
	long start = ms(), cpu;
	pid_t pid;
	int i, first, n;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		;
	first = i + 1;
	pid = fork();
	if (pid < 0)
		return 97;
	if (!pid) {
		for (i = 1; i < 32; i++)
			signal(i, SIG_DFL);
		for (i = 1; i < first - 2; i++)
			if (!strcmp(argv[i], "-i"))
				signal(atoi(argv[i + 1]), SIG_IGN);
		close(3);
		execvp(argv[first], argv + first);
		_exit(99);
	}
	for (i = 1; i < first - 1; i++) {
		int sig, after, wait;
		long then;

		if (!strcmp(argv[i], "-i")) {
			i++;
			continue;
		}
		if (!strcmp(argv[i], "-l")) {
			log = argv[++i];
			continue;
		}
		if (sscanf(argv[i], "%d:%d:%d", &sig, &after, &wait) != 3)
			return 98;
		while (after && frames(log) < after && !over(pid))
			poll(NULL, 0, 2);
		for (then = ms(); ms() - then < wait && !over(pid); )
			poll(NULL, 0, 2);
		if (!over(pid))
			kill(pid, sig);
	}
	if (!ended)
		wait4(pid, &status, 0, &usage);
	n = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	dprintf(3, "%s %d\n%ld\n%ld\n", WIFSIGNALED(status) ? "signal" :
		"exit", n, ms() - start, cpu);
	return 0;
}
END
}

watch_source >"$tmp/watch.c"
helper watch "$tmp/watch.c"

# HOW watch's arguments -- mbimctl's arguments: $how, $took, $cpu
watched()
{
	how_wanted=$1
	shift
	watch_arguments=
	while [ "$1" != -- ]; do
		watch_arguments="$watch_arguments $1"
		shift
	done
	shift
	what="$watch_arguments: mbimctl $*"
	last_run=$what
	timeout -k 1 $((90 * SLOWNESS)) "$tmp/watch" -l "$log" \
		$watch_arguments -- $MBIMCTL -d "$dev" "$@" \
		>"$work/out" 2>"$work/err" 3>"$work/how"
	{ read -r how; read -r took; read -r cpu; } <"$work/how"
	sanitized "$work/err"
	if [ "$how_wanted" != any ]; then
		same "end" "$how_wanted" "$how"
	fi
}

# MS of real time, and a second of scheduling
took_at_most()
{
	if fast_enough "$took" $(($1 + 1000 * SLOWNESS)); then
		pass
	else
		fail "took $took ms, not $1 at most"
	fi
}

# ---- signals at each step: 1 open, 2 alloc, 3 command, 4 release, 5 close ----

steps='1:open 2:alloc 3:qmi 4:release 5:close'

at_steps() # SIGNAL
{
	for step in $steps; do
		for fault in late silent; do
			if [ $fault = late ]; then
				modem_start late=${step#*:}:700
				most=1000
			else
				modem_start silent=${step#*:}
				most=3500
			fi
			watched "signal $1" $1:${step%:*}:100 -- --dms-get-ids
			took_at_most $most
			if [ $fault = late ]; then
				# the client that came late is released too
				modem_report
				same "released" "$(reported allocs)" \
					"$(reported releases)"
				modem_stop overlapped='*' opens=1 closes=1
			else
				modem_stop overlapped='*' opens=1 closes=1
			fi
		done
	done
}

term() { at_steps 15; }
int() { at_steps 2; }
hup() { at_steps 1; }

# A session that was there before goes on: nothing is closed, and what was
# allocated must be given back by hand.
joined()
{
	for step in 1:alloc 2:qmi 3:release; do
		modem_start late=${step#*:}:700
		run 0 --attach --connect --apn internet
		n=$(($(grep -c '^>' "$log") + ${step%:*}))
		watched "signal 15" 15:$n:100 -- --dms-get-ids
		took_at_most 1000
		modem_check opened=1 sessions=0 opens=1 closes=0 \
			overlapped='*' allocs=1 releases=1
		run 0 --disconnect
		modem_stop overlapped='*'
	done
	# on a byte stream
	modem_pty late=alloc:700
	run 0 --attach --connect --apn internet
	n=$(($(grep -c '^>' "$log") + 1))
	watched "signal 15" 15:$n:100 -- --dms-get-ids
	modem_check opened=1 sessions=0 overlapped='*' allocs=1 releases=1
	run 0 --disconnect
	modem_stop overlapped='*'
}

# 50 runs, with SIGTERM ever later, and nothing left after any of them.
storm() # expected of the report, a word
{
	i=0
	leaks=
	while [ $i -lt 50 ]; do
		watched any 15:0:$((i * 37 % 140 * (1 + SLOWNESS / 5))) -- \
			--dms-get-ids --nas-get-serving-system
		modem_report
		state=$(sed -n '/^opened=/p; /^clients=/p; /^sessions=/p' \
			"$report" | tr '\n' ' ')
		if [ "$how" != 'signal 15' ] && [ "$how" != 'exit 0' ] ||
		    [ "$state" != "$1" ]; then
			leaks="$leaks; $how: $state"
		fi
		i=$((i + 1))
	done
	last_run='50 runs and SIGTERM'
	same "leaks" "" "$leaks"
	same "clients released" "$(reported allocs)" "$(reported releases)"
	check "clients were allocated at all" test "$(reported allocs)" -gt 10
}

storm_alone()
{
	$1 delay=15
	storm 'opened=0 clients= sessions= '
	modem_stop overlapped='*'
}

storm_joined()
{
	$1 delay=15
	run 0 --attach --connect --apn internet
	storm 'opened=1 clients= sessions=0 '
	check_report opened=1 sessions=0 opens=1 closes=0 overlapped='*'
	run 0 --disconnect
	modem_stop overlapped='*'
}

storm_socket() { storm_alone modem_start; }
storm_pty() { storm_alone modem_pty; }
storm_joined_socket() { storm_joined modem_start; }
storm_joined_pty() { storm_joined modem_pty; }

# ---- more about signals ----

signals()
{
	# a second one ends the clean-up at once
	modem_start silent=qmi silent=release silent=close
	watched "signal 15" 15:3:100 15:4:200 -- --dms-get-ids
	took_at_most 800
	modem_stop opened='*' clients='*' overlapped='*'
	modem_start silent=open silent=close
	watched "signal 2" 2:1:100 2:0:200 -- --dms-get-ids
	took_at_most 800
	modem_stop opened='*'
	# the last one counts
	modem_start silent=qmi silent=release silent=close
	watched any 1:3:100 15:4:200 -- --dms-get-ids
	check "it died of a signal" test "${how% *}" = signal
	took_at_most 800
	modem_stop opened='*' clients='*' overlapped='*'

	# one that was ignored at start stays so
	for signal in 1 2 15; do
		modem_start late=qmi:500
		watched "exit 0" -i $signal $signal:3:100 -- --dms-get-ids
		like out '^imei: *013937001234564$'
		modem_stop
	done
	modem_start late=qmi:500
	nohup $MBIMCTL -d "$dev" --dms-get-ids \
		>"$work/out" 2>"$work/err" &
	victim=$!
	i=0
	while [ "$(grep -c '^>' "$log")" -lt 3 ] && [ $i -lt 500 ]; do
		sleep 0.02
		i=$((i + 1))
	done
	kill -HUP $victim
	wait $victim
	same "under nohup" 0 $?
	modem_stop

	# while it waits for the lock, and for a busy modem
	modem_pty silent=cmd
	timeout 30 $MBIMCTL -d "$dev" -t $((2 * SLOWNESS)) --get-device-caps \
		>/dev/null 2>&1 &
	holder=$!
	i=0
	while [ "$(grep -c '^>' "$log")" -lt 2 ] && [ $i -lt 500 ]; do
		sleep 0.02
		i=$((i + 1))
	done
	watched "signal 15" 15:0:$((300 * (1 + SLOWNESS / 3))) -- --dms-get-ids
	took_at_most $((600 * (1 + SLOWNESS / 3)))
	wait $holder
	modem_stop allocs=0
	modem_start busy=1000
	watched "signal 15" 15:3:100 -- --dms-get-ids
	took_at_most 3000
	modem_stop opened=0

	# after a signal nothing is printed half
	modem_start silent=cid11
	watched "signal 15" 15:3:100 -- -j --get-radio-state --get-signal-state
	check "no half object" test "$(grep -c '^{.*}$' "$work/out")" = \
		"$(grep -c '' "$work/out")"
	modem_stop
}

# ---- output that cannot be written ----

output()
{
	modem_start
	{
		sleep 0.2
		timeout 30 $MBIMCTL -d "$dev" --get-device-caps --dms-get-ids \
			2>"$work/err"
		echo $? >"$work/code"
	} | :
	same "into a pipe that nobody reads" 13 "$(cat "$work/code")"
	lines err 1
	if [ -w /dev/full ]; then
		timeout 30 $MBIMCTL -d "$dev" --dms-get-ids \
			>/dev/full 2>"$work/err"
		same "to a full disk" 13 $?
		lines err 1
		# stderr may be lost
		timeout 30 $MBIMCTL -d "$dev" -vv --dms-get-ids 2>/dev/full \
			>"$work/out"
		same "with a full disk for stderr" 0 $?
		like out '^imei'
	fi
	timeout 30 $MBIMCTL -d "$dev" --dms-get-ids >&- 2>"$work/err"
	same "closed stdout" 13 $?
	timeout 30 $MBIMCTL -d "$dev" --dms-get-ids >&- 2>&- <&-
	same "everything closed" 13 $?
	modem_report
	same "released all the same" "$(reported allocs)" "$(reported releases)"
	# what was done is done: a session stands, and is remembered
	if [ -w /dev/full ]; then
		timeout 30 $MBIMCTL -d "$dev" --attach --connect --apn internet \
			>/dev/full 2>/dev/null
		same "connect to a full disk" 13 $?
		modem_check opened=1 sessions=0
		run 0 --disconnect
	fi
	modem_stop
}

# ---- the deadline ----

# HOW option... -- arguments: with a deadline of one second
ends()
{
	ends_how=$1
	start_how=$2
	shift 2
	ends_options=
	while [ "$1" != -- ]; do
		ends_options="$ends_options $1"
		shift
	done
	shift
	$start_how $ends_options
	watched "$ends_how" -- -t 1 "$@"
	took_at_most 4000
	# waiting is not working
	check "processor time $cpu ms" test "$cpu" -lt $((400 * SLOWNESS))
}

silent_early()
{
	for door in modem_start modem_pty; do
		ends "exit 4" $door silent=open -- --get-device-caps
		lines err 1
		modem_stop requests=0
		ends "exit 4" $door silent=cmd -- --get-device-caps
		lines err 1
		modem_stop opens=1 closes=1
	done
	ends "exit 4" modem_start silent=open silent=close -- --dms-get-ids
	modem_stop opened='*'
}

silent_late()
{
	for door in modem_start modem_pty; do
		ends "exit 4" $door silent=alloc -- --dms-get-ids
		modem_stop closes=1 overlapped='*'
		ends "exit 4" $door silent=qmi -- --dms-get-ids
		modem_stop closes=1 releases=1 overlapped='*'
	done
}

# What fails after success is a warning.
silent_end()
{
	for door in modem_start modem_pty; do
		ends "exit 0" $door silent=release -- --dms-get-ids
		like out '^imei'
		like err 'could not be released'
		modem_stop closes=1 overlapped='*'
		ends "exit 0" $door silent=close -- --dms-get-ids
		like out '^imei'
		lines err 1
		modem_stop releases=1
	done
}

never()
{
	ends "exit 0" modem_start neverclose=1 -- --dms-get-ids
	lines err 1
	modem_stop closes=1
	ends "exit 4" modem_start neverclose=1 silent=qmi silent=release -- \
		--dms-get-ids
	modem_stop overlapped='*'
	ends "exit 4" modem_start silent=alloc silent=release silent=close -- \
		--dms-get-ids
	modem_stop opened='*' clients='*' overlapped='*'
}

slowly()
{
	ends "exit 4" modem_pty drip=20 -- --get-device-caps
	modem_stop opened='*' overlapped='*'
	ends "exit 4" modem_start drip=200 -- --get-device-caps
	modem_stop opened='*' overlapped='*'
	ends "exit 4" modem_pty drip=3 longfw=3000 -- --get-device-caps
	modem_stop opened='*' overlapped='*'
}

flooded()
{
	ends "exit 4" modem_start flood=1 -- --get-device-caps
	modem_stop opened='*' overlapped='*'
	ends "exit 4" modem_pty flood=1 -- --get-device-caps
	modem_stop opened='*' overlapped='*'
	ends "exit 4" modem_start flood=1 -- --dms-get-ids
	modem_stop opened='*' clients='*' overlapped='*'
	modem_start flood=1
	watched "signal 15" 15:2:200 -- -t 60 --get-device-caps
	took_at_most 3500
	modem_stop opened='*' overlapped='*'
	# answers to others without end
	ends "exit 4" modem_start stale=50 silent=cmd -- --get-device-caps
	modem_stop overlapped='*'
}

# A modem that takes nothing any more, and comes back.
stopped()
{
	for door in modem_start modem_pty; do
		$door
		kill -STOP "$modem_pid"
		watched "exit 4" -- -t 1 --get-device-caps
		took_at_most 4000
		kill -CONT "$modem_pid"
		sleep 0.2
		run 0 -t $((10 * SLOWNESS)) --get-device-caps
		modem_stop overlapped='*'
	done
}

unplugged()
{
	for door in modem_start modem_pty; do
		for step in open alloc qmi; do
			$door hangup=$step
			watched "exit 3" -- --dms-get-ids
			took_at_most 500
			lines err 1
			modem_stop
		done
		for step in open cmd; do
			$door hangup=$step
			watched "exit 3" -- --get-device-caps
			took_at_most 500
			modem_stop
		done
		# when all was said already
		for step in release close; do
			$door hangup=$step
			watched "exit 0" -- --dms-get-ids
			took_at_most 500
			like out '^imei'
			modem_stop
		done
	done
	# a session that went away with the modem is no longer believed in
	modem_start hangup=cid11
	run 0 --attach --connect --apn internet
	watched "exit 3" -- --get-signal-state
	modem_stop
}

# An MBIM failure where QMI should be: nothing is waited for.
at_once()
{
	modem_start
	watched "exit 0" -- --dms-get-ids
	usual=$took
	modem_stop
	for i in 1 2 3; do
		modem_start badqmi=1
		watched "exit 1" -- --dms-set-fcc-authentication
		if fast_enough "$took" $((usual + 100 * SLOWNESS)); then
			pass
		else
			fail "took $took ms, a good one $usual ms"
		fi
		like err 'Failure (2)'
		modem_stop allocs=1 releases=1
	done
}

# What waits, side by side;
together term int hup joined storm_socket storm_pty \
	storm_joined_socket storm_joined_pty signals output silent_early silent_late silent_end never \
	slowly flooded stopped unplugged
# alone what is measured closely.
together at_once
finish
