#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What `make check` runs: every test three ways, and what is wanted of the
# sources and of the file. It needs a C compiler, make and sh; what else is
# missing is skipped, with the reason.
#
#	tests/check.sh [NAME...]	only these tests: session table file ...
#	tests/check.sh fuzz [TARGET...]	the fuzzers, FUZZ_TIME seconds each, two
#					at a time; what they find, new inputs
#					and crashes, stays in tests/build/fuzz
#
# The ways: `plain', ./mbimctl itself; `sanitized', by -fsanitize=address,
# undefined; `mips', big-endian under qemu-user. A test is tests/NAME.sh, found
# by its name, with MBIMCTL, MODEM and FLOOR in its environment (SLOWNESS, too,
# where times are to be taken that many times longer), or a program: table and
# the replayers of tests/corpus. It ends with the line
# `NAME: N passed, N failed, N skipped'. Its output is tests/build/log/WAY-NAME.

# Variables with options are split on purpose.
# shellcheck disable=SC2086

cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc} HOSTCC=${HOSTCC:-cc} MAKE=${MAKE:-make} JOBS=${JOBS:-2}
build=$PWD/tests/build log=$PWD/tests/build/log
sources='main.c jobs.c request.c commands.c qmi-over-mbim.c mbim.c values.c'
std='-std=gnu11 -D_GNU_SOURCE'
targets='reply frame arguments hex'
once=' demo examples peers plant recipes '	# one way is enough for these
no_tests=' bench check fuzz guest kernel lib '	# these are none of ours

# ---- results ----

# WAY NAME PASSED FAILED SKIPPED [SECONDS]
result()
{
	echo "$3 $4 $5" >>"$log/results"
	printf '%-9s %-12s %s passed, %s failed, %s skipped%s\n' "$1" "$2" \
		"$3" "$4" "$5" "${6:+  ($6 s)}"
}

# The log of a test is judged by its last summary.
judge()	# WAY NAME STATUS SECONDS
{
	file=$log/$1-$2
	# shellcheck disable=SC2046
	set -- "$@" $(grep "^$2: .* passed, .* failed, .* skipped\$" "$file" |
		tail -n 1 | tr -cd '0-9 \n')
	case $#,$3 in
	7,*)	failed=$6
		[ "$3" = 0 ] || [ "$failed" -gt 0 ] || failed=1
		result "$1" "$2" "$5" "$failed" "$7" "$4" ;;
	4,0)	[ "$2" = demo ]
		failed=$?
		result "$1" "$2" $((1 - failed)) "$failed" 0 "$4" ;;
	*)	failed=1
		result "$1" "$2" 0 1 0 "$4" ;;
	esac
	if [ "$failed" -gt 0 ]; then
		echo "    exit $3; the log's failures and end ($file):"
		{ grep 'FAIL' "$file" | head -n 20
		  tail -n 12 "$file"; } | cut -c 1-300 | sed 's/^/    /'
	fi
	grep 'skip[a-z]*:' "$file" | sort -u | head -n 5 | sed 's/^ */    /'
}

# ---- builds ----

# The programs of a way: a compiler with options, and a prefix to run them.
build_way()	# WAY DIRECTORY COMPILER...
{
	way=$1 dir=$2
	shift 2
	mkdir -p "$dir"
	{
		if [ "$way" != plain ]; then
			"$@" $std $sources -o "$dir/program"
		fi &&
		if [ -f tests/table.c ]; then
			"$@" $std tests/table.c qmi-over-mbim.c mbim.c values.c \
				-o "$dir/table"
		fi &&
		if [ -f tests/fuzz.c ]; then
			for target in $targets; do
				"$@" $std -DFUZZ="$target" tests/fuzz.c \
					-o "$dir/fuzz-$target" || exit 1
			done
		fi
	} >"$log/$way-build" 2>&1 || echo "$way" >>"$log/unbuilt"
}

# The helpers of the tests, each of one file.
build_helpers()
{
	for file in tests/*.c; do
		name=$(basename "$file" .c)
		case $name in
		table|fuzz|docs)	continue ;;
		esac
		$HOSTCC $std -O1 -g "$file" -o "$build/$name" || return 1
	done
}

# Does a compiler make programs that run?
works()	# PREFIX COMPILER...
{
	prefix=$1
	shift
	echo 'int main(void) { return 0; }' >"$build/works.c"
	"$@" "$build/works.c" -o "$build/works" >"$log/works" 2>&1 &&
		$prefix "$build/works" >>"$log/works" 2>&1
}

sanitize='-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined
	-fno-sanitize-recover=all'

plan()	# which ways there are, and the reasons against the others
{
	ways=plain
	qemu=$(command -v qemu-mips || command -v qemu-mips-static)
	cross=$(command -v mips-linux-gnu-gcc)
	if works "" $HOSTCC $sanitize; then
		ways="$ways sanitized"
	else
		result sanitized all 0 0 1
		echo "    skipped: $HOSTCC has no -fsanitize=address,undefined"
	fi
	if [ -z "$qemu" ] || [ -z "$cross" ]; then
		result mips all 0 0 1
		echo "    skipped: no mips-linux-gnu-gcc and qemu-mips"
	elif works "$qemu" "$cross" -static; then
		ways="$ways mips"
	else
		result mips all 0 0 1
		echo "    skipped: mips-linux-gnu-gcc or qemu-mips does not work"
	fi
}

build_all()
{
	build_way plain "$build/plain" $HOSTCC -O1 -g &
	case $ways in
	*sanitized*)
			build_way sanitized "$build/sanitized" $HOSTCC $sanitize &
	esac
	case $ways in
	*mips*)	build_way mips "$build/mips" "$cross" -static -O1 -g &
	esac
	build_helpers >"$log/helpers-build" 2>&1 ||
		echo helpers >>"$log/unbuilt"
	wait
	while read -r way; do
		result "$way" build 0 1 0
		tail -n 20 "$log/$way-build" | sed 's/^/    /'
	done <"$log/unbuilt"
	[ ! -f "$build/mips/program" ] || {
		echo '#!/bin/sh'
		echo "exec $qemu $build/mips/program \"\$@\""
	} >"$build/mips/mbimctl"
	chmod +x "$build/mips/mbimctl" 2>/dev/null
}

# ---- the tests ----

run_test()	# WAY NAME
{
	MODEM=$build/modem FLOOR=$build/floor JSON=$build/json
	SLOWNESS=1 prefix=
	case $1 in
	plain)	MBIMCTL=$PWD/mbimctl ;;
	sanitized)
		MBIMCTL=$build/sanitized/program SLOWNESS=3
		ASAN_OPTIONS=exitcode=99:detect_leaks=0:log_path=$log/$1-$2.san
		UBSAN_OPTIONS=$ASAN_OPTIONS:print_stacktrace=1
		export ASAN_OPTIONS UBSAN_OPTIONS ;;
	mips)	MBIMCTL=$build/mips/mbimctl SLOWNESS=10 prefix=$qemu ;;
	esac
	export MBIMCTL MODEM FLOOR JSON SLOWNESS HOSTCC
	start=$(date +%s)
	case $2 in
	file)	check_file ;;
	table)	$limit $prefix "$build/$1/table" ;;
	fuzz-*)	$limit $prefix "$build/$1/$2" tests/corpus/"${2#fuzz-}"/* ;;
	*)	$limit sh "tests/$2.sh" ;;
	esac >"$log/$1-$2" 2>&1 </dev/null
	status=$?
	if ls "$log/$1-$2".san.* >/dev/null 2>&1; then
		cat "$log/$1-$2".san.* | head -n 60 >>"$log/$1-$2"
		status=99
	fi
	judge "$1" "$2" "$status" $(($(date +%s) - start))
}

# Each worker takes what no other has taken; mkdir decides.
work()
{
	for job in $jobs; do
		mkdir "$log/taken-$job" 2>/dev/null || continue
		run_test "${job%%:*}" "${job#*:}" >"$log/told-$job" 2>&1
		cat "$log/told-$job"
	done
}

wanted()	# NAME
{
	[ -z "$only" ] || case " $only " in
	*" $1 "*)	;;
	*)		return 1 ;;
	esac
}

list_jobs()	# the slowest way first, so that the workers end together
{
	jobs=
	for way in mips sanitized plain; do
		case " $ways " in
		*" $way "*)	;;
		*)		continue ;;
		esac
		grep -qx "$way" "$log/unbuilt" && continue
		for file in tests/*.sh; do
			name=$(basename "$file" .sh)
			case $no_tests in
			*" $name "*)	continue ;;
			esac
			case $way,$once in
			plain,*)	;;
			*" $name "*)	continue ;;
			esac
			wanted "$name" && jobs="$jobs $way:$name"
		done
		for name in table fuzz-reply fuzz-frame fuzz-arguments fuzz-hex
		do
			[ -x "$build/$way/$name" ] && wanted "$name" &&
				jobs="$jobs $way:$name"
		done
	done
	wanted file && jobs="$jobs plain:file"
}

# ---- the file and the sources ----

passed=0 failed=0 skipped=0

check()	# WHAT COMMAND...
{
	what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "file: FAILED: $what"
	fi
}

is_static()
{
	! readelf -l mbimctl | grep INTERP
}

is_reproducible()
{
	rm -rf "$build/one" "$build/another"
	mkdir -p "$build/one" "$build/another"
	cp $sources mbim.h commands.def Makefile "$build/one" &&
		cp -r "$build/one" "$build/another/and" || return 1
	for dir in "$build/one" "$build/another/and"; do
		$MAKE -s -C "$dir" CC="$CC" mbimctl || return 1
	done
	cmp "$build/one/mbimctl" "$build/another/and/mbimctl"
}

is_small()
{
	size=$(wc -c <"$build/one/mbimctl")
	echo "$size bytes of 98304"
	[ "$size" -le 98304 ]
}

# Beside these only what is built here (see .gitignore).
has_layout()
{
	code=0
	for file in * tests/*; do
		case $file in
		Makefile|main.c|mbim.c|mbim.h|qmi-over-mbim.c|request.c|jobs.c) ;;
		values.c) ;;
		commands.c|commands.def|README|LICENSE|tests) ;;
		mbimctl|mbimctl.1|mbimctl.bash) ;;
		tests/*.c|tests/*.sh) ;;
		tests/build|tests/corpus|tests/golden|tests/examples) ;;
		*)	echo "$file does not belong here"
			code=1 ;;
		esac
	done
	return $code
}

# No heap, no printf, no goto, no long file; the table belongs to commands.c,
# but for the numbers of its words and ops, which are in mbim.h.
has_habits()
{
	! grep -nE 'goto [a-z]+;|\b(malloc|calloc|realloc|strdup|alloca)\(' \
		$sources mbim.h && ! grep -nE '\bv?[dfs]?n?printf\(' $sources &&
	! grep -n 'include "commands.def"' main.c jobs.c request.c mbim.c \
		qmi-over-mbim.c values.c &&
	wc -l *.c | awk '$2 != "total" && $1 > 900 { print; long = 1 }
		END { exit long }'
}

# Man page and completion, made as `make docs' does, name what the help names.
has_docs()
{
	$HOSTCC $std -Wall -Werror -Wno-unused-function tests/docs.c \
		${sources#main.c} -o "$build/docs" || return 1
	code=0
	"$build/docs" man | sed 's/\\-/-/g' >"$build/docs.man" &&
		"$build/docs" bash >"$build/docs.bash" || return 1
	for option in $(./mbimctl --help | grep -o -e ' --[a-z][a-z0-9-]*'); do
		case $option in
		--command|--parameter)	continue ;;
		esac
		for page in "$build/docs.man" "$build/docs.bash"; do
			grep -q -e "$option\\([^a-z-]\|\$\)" "$page" || {
				echo "$option is not in $page"
				code=1
			}
		done
	done
	return $code
}

check_file()
{
	check 'it is static: no PT_INTERP' is_static
	check 'two directories give the same file' is_reproducible
	case $(uname -m),$CC in
	x86_64,*musl-gcc)
		check 'it has 98304 bytes at most' is_small ;;
	*)	skipped=$((skipped + 1))
		echo "file: skipped: the size is that of musl on x86-64, not of $CC" ;;
	esac
	check 'no other files' has_layout
	check 'man page and completion name every option' has_docs
	check 'habits' has_habits
	echo "file: $passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

# ---- fuzzing ----

run_fuzzer()	# TARGET
{
	dir=$build/fuzz/$1
	mkdir -p "$dir"
	clang $std -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -DLIBFUZZER -DFUZZ="$1" tests/fuzz.c \
		-o "$build/fuzz/fuzz-$1" >"$log/fuzz-$1" 2>&1 &&
	ASAN_OPTIONS=detect_leaks=0 "$build/fuzz/fuzz-$1" \
		-max_total_time="${FUZZ_TIME:-60}" -timeout=10 -max_len=8192 \
		-print_final_stats=1 -artifact_prefix="$build/fuzz/$1-" \
		"$dir" "tests/corpus/$1" >>"$log/fuzz-$1" 2>&1 </dev/null
	status=$?
	if [ $status = 0 ]; then
		result fuzz "$1" 1 0 0 "${FUZZ_TIME:-60}"
	else
		result fuzz "$1" 0 1 0
		grep -A 12 -m 1 'ERROR\|error\|BUG' "$log/fuzz-$1" |
			sed 's/^/    /'
		tail -n 4 "$log/fuzz-$1" | sed 's/^/    /'
	fi
	grep 'number_of_executed_units\|DONE' "$log/fuzz-$1" | sed 's/^/    /'
}

run_fuzzers()	# TARGET...
{
	if ! command -v clang >/dev/null; then
		result fuzz all 0 0 1
		echo "    skipped: no clang"
		return
	fi
	for target in "$@"; do
		run_fuzzer "$target" &
		running=$((${running:-0} + 1))
		[ $((running % JOBS)) -ne 0 ] || wait
	done
	wait
}

# ---- all of it ----

total()
{
	passed=0 failed=0 skipped=0
	while read -r p f s; do
		passed=$((passed + p)) failed=$((failed + f))
		skipped=$((skipped + s))
	done <"$log/results"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

rm -rf "$log"
mkdir -p "$log"
: >"$log/results"
: >"$log/unbuilt"
limit=
command -v timeout >/dev/null && limit='timeout -k 10 900'
only=$*
if [ "$1" = fuzz ]; then
	shift
	[ $# -gt 0 ] || set -- $targets
	run_fuzzers "$@"
else
	plan
	build_all
	list_jobs
	while [ "$JOBS" -gt 0 ]; do
		work &
		JOBS=$((JOBS - 1))
	done
	wait
fi
total
