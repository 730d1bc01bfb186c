#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Manners under stress: signals at every step leave nothing behind, and no run
# outlives its deadline by more than three seconds, whatever stalls: the modem, a
# full pipe, a secret's file or terminal. Closed descriptors never become the
# modem's, and a PIN shows neither on the terminal nor in a dump of core.

. "$(dirname "$0")/lib.sh"

# What both programs begin with.
watching_source()
{
	cat <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static long ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

END
}

# Run a program, send it signals, and tell how it ended:
#	watch [-i SIGNAL] [-n FD] [-l LOG] [SIGNAL:FRAMES:MS]... -- program...
# Each signal goes out MS after so many frames from the host stand in LOG (and
# after the signal before it). -i: that one is ignored at start; -n: writes to
# that descriptor do not wait. On descriptor 3: "exit|signal N", wall and
# processor time in ms.
watch_source()
{
	watching_source
	cat <<'END'
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
			else if (!strcmp(argv[i], "-n"))
				fcntl(atoi(argv[i + 1]), F_SETFL, O_NONBLOCK);
		close(3);
		execvp(argv[first], argv + first);
		_exit(99);
	}
	for (i = 1; i < first - 1; i++) {
		int sig, after, wait;
		long then;

		if (!strcmp(argv[i], "-i") || !strcmp(argv[i], "-n")) {
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

# Run a program with a terminal for its standard input:
#	terminal TYPED|SIGNAL -- program...
# When the terminal shows no longer what is typed (or after 5 s), TYPED and Enter
# come from the keyboard, or a signal with that number; 0 is neither. On
# descriptor 3: "exit|signal N", time in ms, 0, whether it showed then and at the
# end what is typed (off on), and what it has shown.
terminal_source()
{
	watching_source
	cat <<'END'
static const char *echo(int fd)
{
	struct termios t;

	return tcgetattr(fd, &t) ? "gone" : t.c_lflag & ECHO ? "on" : "off";
}

int main(int argc, char **argv)
{
	int keyboard = posix_openpt(O_RDWR | O_NOCTTY), screen, i, n;
	int status = 0, is_signal, ended = 0;
	const char *typed = argv[1], *during;
	char shown[256];
	long start = ms();
	pid_t pid;

	if (argc < 4 || keyboard < 0 || grantpt(keyboard) || unlockpt(keyboard))
		return 97;
	screen = open(ptsname(keyboard), O_RDWR | O_NOCTTY);
	if (screen < 0)
		return 97;
	pid = fork();
	if (!pid) {
		for (i = 1; i < 32; i++)
			signal(i, SIG_DFL);
		setsid();
		ioctl(screen, TIOCSCTTY, 0);
		dup2(screen, 0);
		close(screen);
		close(keyboard);
		close(3);
		execvp(argv[3], argv + 3);
		_exit(99);
	}
	while (!strcmp(echo(screen), "on") && ms() - start < 5000 && !ended) {
		poll(NULL, 0, 2);
		ended = waitpid(pid, &status, WNOHANG) == pid;
	}
	during = echo(screen);
	is_signal = strlen(typed) < 3;
	if (!strcmp(typed, "2"))		/* as Ctrl-C */
		n = (int)write(keyboard, "\003", 1);
	else if (is_signal && atoi(typed))
		kill(pid, atoi(typed));
	else if (!is_signal)
		n = (int)(write(keyboard, typed, strlen(typed)) +
			write(keyboard, "\n", 1));
	if (!ended)
		waitpid(pid, &status, 0);
	n = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	dprintf(3, "%s %d\n%ld\n0\n%s %s\n", WIFSIGNALED(status) ?
		"signal" : "exit", n, ms() - start, during, echo(screen));
	fcntl(keyboard, F_SETFL, O_NONBLOCK);
	n = (int)read(keyboard, shown, sizeof(shown));
	return n > 0 && write(3, shown, (size_t)n) != n;
}
END
}

terminal_source >"$tmp/terminal.c"
helper terminal "$tmp/terminal.c"

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
		n=$(($(heard) + ${step%:*}))
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
	n=$(($(heard) + 1))
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
	check "clients were allocated at all" test "$(reported allocs)" -gt 0
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
	until_heard 3
	kill -HUP $victim
	wait $victim
	same "under nohup" 0 $?
	modem_stop

	# while it waits for the lock, and for a busy modem
	modem_pty silent=cmd
	timeout 30 $MBIMCTL -d "$dev" -t $((2 * SLOWNESS)) --get-device-caps \
		>/dev/null 2>&1 &
	holder=$!
	until_heard 2
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

# ---- descriptors that are closed ----

# CODE DESCRIPTORS arguments...: with those closed. Whatever is closed, the modem
# hears MBIM alone (see modem_stop: bad=0).
closed()
{
	wanted_code=$1
	which=$2
	shift 2
	what="without descriptors $which: mbimctl $*"
	last_run=$what
	(
		exec >"$work/out" 2>"$work/err" <"$work/in"
		for fd in $which; do
			case $fd in
			0)	exec <&- ;;
			1)	exec >&- ;;
			2)	exec 2>&- ;;
			esac
		done
		exec timeout -k 1 $((30 * SLOWNESS)) $MBIMCTL "$@"
	)
	code=$?
	sanitized "$work/err"
	same "exit code" "$wanted_code" $code
}

closed_at()
{
	which=$1
	shown=0
	case $which in
	*1*)	shown=13 ;;
	esac
	for door in modem_start modem_pty; do
		$door
		closed $shown "$which" -d "$dev" --get-device-caps --dms-get-ids
		closed $shown "$which" -d "$dev" -vv -j --dms-get-ids
		[ $shown = 13 ] || like out '"imei":"013937001234564"'
		closed 11 "$which" -d "$dev" --raw-mbim basic-connect,99,query
		closed $shown "$which" -d "$dev" -s --attach
		closed $shown "$which" -d "$dev" --connect --apn internet
		modem_check opened=1 sessions=0
		closed $shown "$which" -d "$dev" --get-signal-state
		closed $shown "$which" -d "$dev" --down
		# nothing is to be printed
		closed 0 "$which" -d "$dev" --close
		modem_stop opens=5 closes=6 sessions=
	done
	modem_start pin=1234
	closed $shown "$which" -d "$dev" --enter-pin-file "$work/pin"
	modem_stop pin_attempts=1
	closed 3 "$which" -d "$work/none" --get-device-caps
	closed 2 "$which" --no-such-option
	closed $shown "$which" --help
	closed $shown "$which" --list
	closed $shown "$which" --decode "$work/frame"
}

closed_descriptors()
{
	echo 1234 >"$work/pin"
	echo 01000000100000000100000000020000 >"$work/frame"
	: >"$work/in"
	for which in 0 1 2 '0 1' '0 2' '1 2' '0 1 2'; do
		closed_at "$which"
	done
	# standard input is closed, and a secret wanted from it
	modem_start pin=1234
	closed 2 0 -d "$dev" --enter-pin-file -
	modem_stop opens=0 pin_attempts=0
}

# ---- what stalls before and beside the modem ----

log=

# $setting says what waits: the FIFO is standard input that is silent, full as
# standard output or error, or a file without a writer.
fifo()
{
	rm -f "$work/fifo"
	mkfifo "$work/fifo"
	exec 8<>"$work/fifo"
	case $setting in
	full*)	dd if=/dev/zero of="$work/fifo" oflag=nonblock bs=4096 \
			2>/dev/null ;;
	file)	exec 8<&- ;;
	esac
}

# HOW watch's arguments -- mbimctl's arguments
stalled()
{
	how_wanted=$1
	shift
	stalled_watch=
	while [ "$1" != -- ]; do
		stalled_watch="$stalled_watch $1"
		shift
	done
	shift
	what="$setting, $stalled_watch: mbimctl $*"
	last_run=$what
	fifo
	set -- timeout -k 1 $((60 * SLOWNESS)) "$tmp/watch" -l "$log" \
		$stalled_watch -- $MBIMCTL "$@"
	: >"$work/out"
	: >"$work/err"
	case $setting in
	silent)		"$@" <&8 >"$work/out" 2>"$work/err" ;;
	full_out)	"$@" >&8 2>"$work/err" ;;
	full_err)	"$@" 2>&8 >"$work/out" ;;
	file)		"$@" >"$work/out" 2>"$work/err" ;;
	esac 3>"$work/how"
	exec 8<&-
	{ read -r how; read -r took; read -r cpu; } <"$work/how"
	sanitized "$work/err"
	if [ "$how_wanted" != any ]; then
		same "end" "$how_wanted" "$how"
	fi
	check "processor time $cpu ms" test "$cpu" -lt $((400 * SLOWNESS))
}

# EXIT-CODE arguments...: ends by each signal within a second, and by -t
stalls()
{
	stalls_code=$1
	shift
	for signal in 2 15 1; do
		stalled "signal $signal" $signal:0:300 -- "$@"
		took_at_most 300
	done
	stalled "exit $stalls_code" -- -t 1 "$@"
	took_at_most 3000
}

stalled_input()
{
	modem_start pin=1234
	setting=silent
	stalls 4 --decode -
	stalls 4 -d "$dev" --enter-pin-file -
	lines err 1
	stalls 4 -d "$dev" --up --apn internet --pin-file - --password-file -
	setting='file'
	stalls 4 --decode "$work/fifo"
	stalls 4 -d "$dev" --up --apn internet --pin-file "$work/fifo"
	lines err 1
	stalls 4 -d "$dev" -j --enter-pin-file "$work/fifo"
	same "objects" 1 "$(grep -c '^{.*"exit":4,.*}$' "$work/out")"
	# the device was not even opened
	modem_stop opens=0 closes=0 pin_attempts=0
}

stalled_output()
{
	setting=full_out
	stalls 13 --help
	stalls 13 --decode "$here/golden/thread.txt"
	# first when all is done, then while the modem is open
	modem_start longfw=20
	stalls 13 -d "$dev" --get-device-caps --dms-get-ids
	modem_check overlapped='*'
	modem_stop overlapped='*'
	modem_start longfw=20000
	stalls 13 -d "$dev" --get-device-caps --dms-get-ids
	modem_check overlapped='*'
	stalls 13 -d "$dev" --dms-get-ids --get-device-caps --get-device-caps
	modem_check overlapped='*'
	modem_stop overlapped='*'
	# a descriptor that does not wait
	modem_start longfw=20000
	stalled "signal 15" -n 1 15:0:300 -- -d "$dev" --get-device-caps
	took_at_most 300
	stalled "exit 13" -n 1 -- -t 1 -d "$dev" --get-device-caps
	took_at_most 3000
	modem_stop overlapped='*'
}

stalled_errors()
{
	setting=full_err
	modem_start
	for signal in 2 15 1; do
		stalled "signal $signal" $signal:0:300 -- -d "$dev" -vv \
			--dms-get-ids
		took_at_most 300
	done
	# the trace is lost, and the time as well
	for flag in '' '-n 2'; do
		stalled any $flag -- -t 1 -d "$dev" -vv --dms-get-ids
		case $how in
		'exit 4'|'exit 0')	pass ;;
		*)			fail "$how" ;;
		esac
		took_at_most 3000
	done
	modem_check overlapped='*'
	# a failure that cannot be printed is one all the same
	stalls 11 -d "$dev" --get-radio-state --raw-mbim basic-connect,99,query
	modem_check overlapped='*'
	modem_stop overlapped='*'
	stalls 2 --no-such-option
	stalls 3 -d "$work/none" --get-radio-state
}

# ---- secrets ----

# HOW ECHO TYPED|SIGNAL mbimctl's arguments
typed()
{
	how_wanted=$1 echo_wanted=$2 typed=$3
	shift 3
	what="typed $typed: mbimctl $*"
	last_run=$what
	timeout -k 1 $((60 * SLOWNESS)) "$tmp/terminal" "$typed" -- $MBIMCTL \
		"$@" >"$work/out" 2>"$work/err" 3>"$work/how"
	{ read -r how; read -r took; read -r cpu; read -r echo; } <"$work/how"
	sanitized "$work/err"
	same "end" "$how_wanted" "$how"
	same "the terminal shows what is typed, during and after" \
		"$echo_wanted" "$echo"
	check "no PIN on the terminal" sh -c "! grep -q '1234' '$work/how'"
}

terminals()
{
	if ! "$tmp/terminal" 0 -- true 3>/dev/null; then
		skip "no pseudo-terminal"
		return
	fi
	modem_start pin=1234
	typed "exit 0" 'off on' 1234 -d "$dev" --enter-pin-file -
	like err 'pin.* not shown$'
	same "Enter shows" 1 "$(sed 1,4d "$work/how" | grep -c '^.$')"
	modem_stop pin_attempts=1
	modem_start pin=1234
	typed "exit 4" 'off on' 0 -t 1 -d "$dev" --enter-pin-file -
	took_at_most 3000
	like err '^mbimctl: enter-pin: the deadline passed'
	for signal in 2 15 1; do
		typed "signal $signal" 'off on' $signal -d "$dev" \
			--enter-pin-file -
		typed "signal $signal" 'off on' $signal -d "$dev" --up \
			--apn internet --password-file - --pin-file -
	done
	modem_stop opens=0 pin_attempts=0
	# what is no PIN shows as little
	modem_start pin=1234
	typed "exit 2" 'off on' 12345678901234 -d "$dev" --enter-pin-file -
	typed "exit 0" 'on on' 0 -d "$dev" --get-pin
	modem_stop pin_attempts=0
}

# What the kernel says of a run that waits, and who may look into it. Root may
# look into all of them, and so becomes nobody.
privacy_source()
{
	cat <<'END'
#define _GNU_SOURCE
#include <grp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rlimit core;

	if (argc < 2 || getrlimit(RLIMIT_CORE, &core))
		return 97;
	core.rlim_cur = core.rlim_max;
	if (setrlimit(RLIMIT_CORE, &core))
		return 97;
	if (!getuid() && (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
		return 97;
	execvp(argv[1], argv + 1);
	return 99;
}
END
}

# A run in the background, with the limits of $tmp/private: $victim
hidden()
{
	what="no dump of core: mbimctl $*"
	last_run=$what
	"$tmp/private" $MBIMCTL "$@" >"$work/out" 2>"$work/err" &
	victim=$!
	polls=0
	until grep -q '(mbimctl) S' "/proc/$victim/stat" || [ $polls -ge 100 ]
	do
		sleep 0.02
		polls=$((polls + 1))
	done
	sleep 0.$((1 + SLOWNESS / 2))
	same "limits of its core" "0 0" "$(sed -n \
		's/^Max core file size *\([^ ]*\) *\([^ ]*\).*/\1 \2/p' \
		"/proc/$victim/limits")"
}

privacy()
{
	privacy_source >"$tmp/private.c"
	helper private "$tmp/private.c"
	if [ "${MBIMCTL% *}" != "$MBIMCTL" ] || [ ! -r /proc/self/limits ]; then
		skip "no /proc, or a runner: what is dumped is not known"
		return
	fi
	# whom mktemp's directory and the checkout may be closed to
	chmod 711 "$tmp" "$work"
	cp "$MBIMCTL" "$work/mbimctl"
	chmod 755 "$tmp/private" "$work/mbimctl"
	MBIMCTL=$work/mbimctl
	modem_start silent=cmd pin=1234
	chmod 711 "$here_now"
	chmod 777 "$dev"
	if ! "$tmp/private" test -w "$dev"; then
		skip "nobody else can reach $work"
		modem_stop
		return
	fi
	mkfifo "$work/fifo"
	chmod 644 "$work/fifo"
	hidden -d "$dev" --enter-pin-file "$work/fifo"
	kill $victim
	wait $victim 2>/dev/null
	"$tmp/private" sleep 5 &
	sleeper=$!
	sleep 0.1
	check "a process of one's own can be looked into" \
		"$tmp/private" cat "/proc/$sleeper/environ"
	kill $sleeper
	hidden -d "$dev" -t $((9 * SLOWNESS)) --enter-pin 1234
	check "but not one that knows a PIN" \
		sh -c "! '$tmp/private' cat '/proc/$victim/environ'"
	kill -ABRT $victim
	wait $victim 2>/dev/null
	same "end" $((128 + 6)) $?
	same "dumps of core" '' "$(find "$work" -name '*core*')"
	modem_stop opened='*' pin_attempts='*' overlapped='*'
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
	ends "exit 4" modem_start flood=1 -- \
		--wait-for registered
	modem_stop opened='*' overlapped='*'
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
together term int hup joined storm_socket storm_pty storm_joined_socket \
	storm_joined_pty signals output silent_early silent_late silent_end \
	never slowly flooded stopped unplugged closed_descriptors \
	stalled_input stalled_output stalled_errors terminals privacy
# alone what is measured closely.
together at_once
finish
