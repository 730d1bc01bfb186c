#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What `make check' and `make check-all' run: every test, in one way or several,
# and what is wanted of the sources and of the file. It needs a C compiler, make
# and sh; what else is missing is skipped, with the reason.
#
#	tests/check.sh [NAME...]	only these tests: session table file ...
#	tests/check.sh fuzz [TARGET...]	the fuzzers, FUZZ_TIME seconds each, two
#					at a time; what they find, new inputs
#					and crashes, stays in tests/build/fuzz
#
# WAYS has some of these ways, or else it is all:
#
#	plain		./mbimctl itself (make check)
#	once		what one way is enough for, by ./mbimctl, too
#	sanitized	by -fsanitize=address,undefined
#	mips		big-endian, with 32 bits, under qemu-user
#	packaged	by the flags of a distribution
#
# A test is tests/NAME.sh, found by its name, with MBIMCTL, MODEM and FLOOR in
# its environment (SLOWNESS, too, where times are to be taken that many times
# longer), or a program: table and the replayers of tests/corpus, or a function
# check_NAME below. It ends with the line
# `NAME: N passed, N failed, N skipped'. Its output is tests/build/log/WAY-NAME.

# Variables with options are split on purpose; functions are called by name.
# shellcheck disable=SC2086,SC2317

cd "$(dirname "$0")/.." || exit 1
MAKE=${MAKE:-make} JOBS=${JOBS:-2}
[ -n "${SRC:-}" ] || eval "$($MAKE -s --no-print-directory settings)"
export CC HOSTCC STD WARN SRC

# Commands in variables are split at blanks, so no path may have any.
links=
case $PWD in
*[!A-Za-z0-9/._-]*)
	links=$(mktemp -d) && trap 'rm -rf "$links"' EXIT &&
		ln -s "$PWD" "$links/mbimctl" && cd "$links/mbimctl" || exit 1
esac
build=$PWD/tests/build log=$PWD/tests/build/log
targets='reply frame arguments hex'
# one way is enough for these; that of the packager has only those
once=' demo docs examples peers plant readme umbim '
packaged=' arguments outputs exits '
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
		tail -n 1 | sed "s/^$2: //" | tr -cd '0-9 \n')
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
		echo "    exit $3; the failures and the end of" \
			"tests/build/log/$1-$2:"
		{ grep 'FAIL' "$file" | head -n 20
		  tail -n 12 "$file"; } | cut -c 1-300 | sed 's/^/    /'
	fi
	grep 'skip[a-z]*:' "$file" | sort -u | head -n 5 | sed 's/^ */    /'
}

# ---- builds ----

compiler_of() # WAY: with options
{
	case $1 in
	sanitized)	echo "$HOSTCC $sanitize" ;;
	mips)		echo "$cross -static -O1 -g" ;;
	*)		echo "$HOSTCC -O1 -g" ;;
	esac
}

# The sources that a test does not include: it is linked with them.
others() # FILE
{
	for source in $SRC; do
		grep -q "^#include \"../$source\"" "$1" || echo "$source"
	done
}

build_program() # WAY
{
	mkdir -p "$build/$1"
	case $1 in
	plain|once)	return ;;
	packaged)	build_packaged ;;
	*)		$(compiler_of $1) $STD $SRC -o "$build/$1/program" ;;
	esac >"$log/$1-build" 2>&1 || echo "$1" >>"$log/unbuilt"
}

build_test() # WAY NAME: one that is a program
{
	mkdir -p "$build/$1"
	case $2 in
	fuzz-*)	$(compiler_of $1) $STD -DFUZZ="${2#fuzz-}" tests/fuzz.c \
			$(others tests/fuzz.c) -o "$build/$1/$2" ;;
	*)	$(compiler_of $1) $STD "tests/$2.c" $(others "tests/$2.c") \
			-o "$build/$1/$2" ;;
	esac
}

# The helpers of the tests, each of one file.
build_helpers()
{
	for file in tests/*.c; do
		name=$(basename "$file" .c)
		case $name in
		table|fuzz|docs)	continue ;;
		esac
		$HOSTCC $STD -O1 -g "$file" -o "$build/$name" || return 1
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
hardened='-O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE'
hardened_link='-pie -Wl,-z,relro,-z,now'

plan()	# which ways there are, and the reasons against the others
{
	ways=
	qemu=$(command -v qemu-mips || command -v qemu-mips-static)
	cross=$(command -v mips-linux-gnu-gcc)
	for way in ${WAYS:-plain once sanitized mips packaged}; do
		why=
		case $way in
		plain|once)	;;
		sanitized)
			works "" $HOSTCC $sanitize ||
				why="$HOSTCC has no -fsanitize=address,undefined" ;;
		mips)	if [ -z "$qemu" ] || [ -z "$cross" ]; then
				why="no mips-linux-gnu-gcc and qemu-mips"
			elif ! works "$qemu" "$cross" -static; then
				why="mips-linux-gnu-gcc or qemu-mips does not work"
			fi ;;
		packaged)
			if ! works "" $HOSTCC $hardened; then
				why="$HOSTCC does not take $hardened"
			elif ! command -v readelf >/dev/null; then
				why="no readelf"
			fi ;;
		*)	why="there is no such way" ;;
		esac
		if [ -z "$why" ]; then
			ways="$ways $way"
		else
			result $way all 0 0 1
			echo "    skipped: $why"
		fi
	done
}

build_all()
{
	for way in $ways; do
		build_program $way &
	done
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
	plain|once)
		MBIMCTL=$PWD/mbimctl ;;
	packaged)
		MBIMCTL=$build/packaged/mbimctl ;;
	sanitized)
		MBIMCTL=$build/sanitized/program SLOWNESS=3
		ASAN_OPTIONS=exitcode=99:detect_leaks=0:log_path=$log/$1-$2.san
		UBSAN_OPTIONS=$ASAN_OPTIONS:print_stacktrace=1
		export ASAN_OPTIONS UBSAN_OPTIONS ;;
	mips)	MBIMCTL=$build/mips/mbimctl SLOWNESS=10 prefix=$qemu ;;
	esac
	export MBIMCTL MODEM FLOOR JSON SLOWNESS
	start=$(date +%s)
	case $2 in
	table)	build_test $1 $2 && $limit $prefix "$build/$1/$2" ;;
	fuzz-*)	build_test $1 $2 &&
			$limit $prefix "$build/$1/$2" \
				tests/corpus/"${2#fuzz-}"/* ;;
	*)	if [ -f "tests/$2.sh" ]; then
			$limit sh "$PWD/tests/$2.sh"
		else
			passed=0 failed=0 skipped=0
			name=$2
			"check_$2"
			echo "$2: $passed passed, $failed failed," \
				"$skipped skipped"
			[ "$failed" = 0 ]
		fi ;;
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

# About how long a test takes, in seconds, where ./mbimctl is what it tests.
seconds() # NAME
{
	case $1 in
	session)	echo 32 ;;
	jobs)		echo 20 ;;
	manners)	echo 14 ;;
	exits|peers|readme|examples)
			echo 9 ;;
	plant|file|table|fuzz-*)
			echo 7 ;;
	*)		echo 3 ;;
	esac
}

list_tests() # WAY
{
	case $1 in
	plain)		echo file sources ;;
	mips)		echo year_2040 ;;
	packaged)	echo elf ;;
	esac
	for file in tests/*.sh; do
		test=$(basename "$file" .sh)
		case $no_tests in
		*" $test "*)	continue ;;
		esac
		case $1,$once in
		once,*" $test "*)	;;
		once,*|*" $test "*)	continue ;;
		esac
		case $1,$packaged in
		packaged,*" $test "*)	;;
		packaged,*)		continue ;;
		esac
		echo $test
	done
	case $1 in
	once|packaged)	return ;;
	esac
	[ ! -f tests/table.c ] || echo table
	[ ! -f tests/fuzz.c ] || printf 'fuzz-%s\n' $targets
}

list_jobs()	# the longest first, so that the workers end together
{
	jobs=$(for way in $ways; do
		grep -qx "$way" "$log/unbuilt" && continue
		factor=1
		[ $way != sanitized ] || factor=2
		[ $way != mips ] || factor=3
		for test in $(list_tests $way); do
			wanted $test &&
				echo $(($(seconds $test) * factor)) $way:$test
		done
	done | sort -rn | cut -d ' ' -f 2)
}

# ---- the file ----

check()	# WHAT COMMAND...
{
	what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$name: FAILED: $what"
	fi
}

skip()	# WHY
{
	skipped=$((skipped + 1))
	echo "$name: skipped: $*"
}

is_static()
{
	! readelf -l mbimctl | grep INTERP
}

copy_to() # DIRECTORY: what a build needs
{
	rm -rf "$1"
	mkdir -p "$1" && cp $SRC mbim.h commands.def Makefile "$1"
}

is_reproducible()
{
	copy_to "$build/one" && copy_to "$build/another" &&
		copy_to "$build/another/and" || return 1
	for dir in "$build/one" "$build/another/and"; do
		$MAKE -s -C "$dir" CC="$CC" mbimctl || return 1
	done
	cmp "$build/one/mbimctl" "$build/another/and/mbimctl"
}

is_small()
{
	size=$(wc -c <"$build/one/mbimctl")
	echo "$size bytes of 106496"
	[ "$size" -le 106496 ]
}

is_small_packed()
{
	size=$(xz -9e -c "$build/one/mbimctl" | wc -c)
	echo "$size bytes of 53000 after xz -9e"
	[ "$size" -le 53000 ]
}

# What is made with other flags is made anew, and nothing else is.
makes_anew()
{
	rm -rf "$build/anew"
	mkdir -p "$build/anew" && cp Makefile "$build/anew" || return 1
	for file in $SRC mbim.h commands.def; do
		: >"$build/anew/$file"
	done
	echo 'int main(void) { return 0; }' >"$build/anew/main.c"
	for change in '' CFLAGS=-O0 LDFLAGS=-Wl,-O1 CPPFLAGS=-DANEW \
	    "CC=$HOSTCC -pipe" STRIP= STATIC= ''; do
		for wanted in 1 0; do
			told=$(MAKEFLAGS='' $MAKE -C "$build/anew" \
				CC="$HOSTCC" CFLAGS=-O1 \
				${change:+"$change"} mbimctl 2>&1) &&
			[ "$(echo "$told" | grep -c -e ' -o mbimctl')" = \
				$wanted ] || {
				echo "make $change: $told"
				return 1
			}
		done
	done
}

check_file()
{
	if [ -n "$OURS" ]; then
		check 'it is static: no PT_INTERP' is_static
	else
		skip 'whether it is static: it has the flags of somebody else'
	fi
	check 'two directories give the same file' is_reproducible
	check 'other flags make it anew' makes_anew
	case $(uname -m),$CC,$OURS in
	x86_64,*musl-gcc,yes)
		check 'it has 106496 bytes at most' is_small
		if command -v xz >/dev/null; then
			check 'xz makes 53000 bytes of it at most' \
				is_small_packed
		else
			skip 'no xz'
		fi ;;
	*)	skip "the size is that of musl on x86-64, not of $CC" ;;
	esac
}

# ---- the sources ----

# Beside these only what is built here (see .gitignore).
has_layout()
{
	code=0
	for file in * tests/*; do
		case $file in
		Makefile|main.c|mbim.c|mbim.h|qmi-over-mbim.c) ;;
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

# No heap, no printf, no goto. The table belongs to commands.c, but for the
# numbers of its words and ops, which are in mbim.h.
has_habits()
{
	! grep -nE 'goto [a-z]+;|\b(malloc|calloc|realloc|strdup|alloca)\(' \
		$SRC mbim.h && ! grep -nE '\bv?[dfs]?n?printf\(' $SRC &&
	! grep -n 'include "commands.def"' \
		$(echo " $SRC " | sed 's/ commands.c / /')
}

# A file may use what is defined in those after it, and nothing of those before.
has_layers() # DIRECTORY FILE...: from the top to the bottom
{
	layers=$1 code=0
	shift
	rm -rf "$build/layers"
	mkdir -p "$build/layers"
	: >"$build/layers/above"
	for file; do
		object=$build/layers/$file.o
		$HOSTCC $STD -w -fno-lto -O1 -c "$layers/$file" -o "$object" ||
			return 1
		nm -u "$object" | awk -v file="$file" '
			FILENAME != "-"	{ above[$1] = $2; next }
			$NF in above	{ print file ": it uses " $NF ", of " \
					  above[$NF]; bad = 1 }
			END		{ exit bad }
		' "$build/layers/above" - || code=1
		nm -g --defined-only "$object" |
			awk -v file="$file" '{ print $NF, file }' \
			>>"$build/layers/above"
	done
	return $code
}

# The code of C files, as FILE:LINE:CODE, without comments, strings and
# characters. What follows a # is one line.
code_of() # FILE...
{
	awk '
	FNR == 1 { comment = 0; directive = "" }
	{
		line = $0
		code = ""
		while (line != "") {
			if (comment) {
				at = index(line, "*/")
				if (!at)
					break
				line = substr(line, at + 2)
				comment = 0
			}
			if (!match(line, /"|\047|\/\*|\/\//)) {
				code = code line
				break
			}
			code = code substr(line, 1, RSTART - 1)
			what = substr(line, RSTART, RLENGTH)
			line = substr(line, RSTART + RLENGTH)
			if (what == "//")
				break
			if (what == "/*") {
				comment = 1
				continue
			}
			code = code "0"
			while (line != "" && substr(line, 1, 1) != what)
				line = substr(line, 2 + \
					(substr(line, 1, 1) == "\\"))
			line = substr(line, 2)
		}
		if (directive != "" || code ~ /^[ \t]*#/) {
			directive = directive code
			if (directive ~ /\\$/) {
				sub(/\\$/, "", directive)
				next
			}
			code = directive
			directive = ""
		}
		print FILENAME ":" FNR ":" code
	}' "$@"
}

# Functions, in kernel style, of more than 60 lines; a switch may be longer.
long_functions() # FILE...
{
	code_of "$@" | awk '
	{
		split($0, at, ":")
		code = $0
		sub(/^[^:]*:[0-9]*:/, "", code)
	}
	code ~ /^\{/	{ begin = at[2]; exempt = 0 }
	code ~ /(^|[^a-z_])switch[ (]/ { exempt = 1 }
	code ~ /^\}/ && begin {
		n = at[2] - begin + 1
		if (n > 60 && !exempt)
			print at[1] ":" begin ": a function of " n " lines"
		begin = 0
	}'
}

# More than one conditional operator in a statement, or in an element of a list
# outside parentheses. What is between those of if, for, ... is one by itself.
double_conditionals() # FILE...
{
	code_of "$@" | awk '
	{
		split($0, at, ":")
		code = $0
		sub(/^[^:]*:[0-9]*:/, "", code)
		if (at[1] != file) {
			file = at[1]
			marks = depth = braces = 0
		}
		directive = code ~ /^[ \t]*#/
		if (directive) {
			kept_marks = marks
			kept_depth = depth
			kept_braces = braces
			marks = depth = 0
		}
		n = length(code)
		for (i = 1; i <= n; i++) {
			c = substr(code, i, 1)
			if (c == "(" || c == "[") {
				if (!depth++)
					head = substr(code, 1, i - 1) ~ \
					/(^|[^a-z_])(if|for|while|switch) *$/
			} else if (c == ")" || c == "]") {
				if (!--depth && head)
					marks = 0
			} else if (c == "{") {
				outer[braces++] = depth
				marks = depth = 0
			} else if (c == "}") {
				depth = braces ? outer[--braces] : 0
				marks = 0
			} else if (c == ";" || c == "," && !depth) {
				marks = 0
			} else if (c == "?" && ++marks == 2) {
				print at[1] ":" at[2] \
					": a second ? in one expression"
			}
		}
		if (directive) {
			marks = kept_marks
			depth = kept_depth
			braces = kept_braces
		}
	}'
}

short_functions() { ! long_functions $SRC | grep .; }
single_conditionals() { ! double_conditionals $SRC mbim.h | grep .; }

has_contents()
{
	code=0
	for file in $SRC mbim.h commands.def; do
		lines=$(wc -l <"$file")
		[ "$lines" -le 1000 ] || sed 80q "$file" | grep -q Contents || {
			echo "$file:1: $lines lines without Contents"
			code=1
		}
	done
	return $code
}

short_header()
{
	lines=$(wc -l <mbim.h)
	[ "$lines" -le 650 ] || {
		echo "mbim.h:651: $lines lines, not 650 at most"
		false
	}
}

# How the sources are to be written.
check_style()
{
	check 'no other files' has_layout
	check 'a file uses nothing of those above it' has_layers . $SRC
	check 'mbim.h has 650 lines at most' short_header
	check 'long files begin with their contents' has_contents
	check 'no function has more than 60 lines' short_functions
	check 'no expression has two conditional operators' single_conditionals
}

# The above, on files that are as they should not be.
tell_made_up()
{
	cat <<'END'
int below(int a);
/* a ? b ? */
int above(int a)
{
	const char *s = "a ? b : c ? d : '" "?";
	int b = a ? 1 : 2, c = a ? 3 : 4;
	int list[] = { a ? 1 : 2,
		(a ? 3 : 4), b };

	for (b = a ? 1 : 2; b; b = a ? 0 : 1)
		c += a == '?' ? '\'' : '"'; // ? ?
	return a ? b :
		list[c ? 1 : 0] + *s;		/* second, line 13 */
}
#define TWICE(a) (a ? 1 : \
	a ? 2 : 3)				/* second, line 16 */
int below(int a)
{
	return (a ? 1 : 2) + above(a);
}
END
}

tell_long() # N NAME WORD
{
	printf 'int %s(int a)\n{\n' "$2"
	i=2
	while [ $((i += 1)) -lt "$1" ]; do
		echo "	a += $3;"
	done
	printf '	return a;\n}\n\n'
}

sees_conditionals()
{
	[ "$(double_conditionals "$build/made-up.c" | cut -d : -f 2 |
		tr '\n' ' ')" = '13 16 ' ]
}

sees_long_functions()
{
	{
		tell_long 60 short "1"
		tell_long 61 long "1"
		tell_long 99 string "\"switch (\"[0]"
		tell_long 99 chosen "0; switch (a) { default: ; }"
	} >"$build/made-up.c"
	[ "$(long_functions "$build/made-up.c" | cut -d : -f 2 |
		tr '\n' ' ')" = '64 127 ' ]
}

# From the top: a, which uses b; b, which uses nothing, or a.
sees_layers()
{
	rm -rf "$build/made-up"
	mkdir -p "$build/made-up"
	echo 'int b(void); int a(void) { return b(); }' >"$build/made-up/a.c"
	echo 'int b(void) { return 1; }' >"$build/made-up/b.c"
	has_layers "$build/made-up" a.c b.c || return 1
	echo 'int a(void); int b(void) { return a(); }' >"$build/made-up/b.c"
	[ "$(has_layers "$build/made-up" a.c b.c)" = 'b.c: it uses a, of a.c' ]
}

check_sources()
{
	check 'habits' has_habits
	tell_made_up >"$build/made-up.c"
	check 'two conditional operators are seen' sees_conditionals
	check 'long functions are seen' sees_long_functions
	check 'a use of a file above is seen' sees_layers
	check_style
}

# ---- the file of a distribution ----

# What is in the environment counts, too, and -pie says that it is dynamic.
build_packaged()
{
	copy_to "$build/packaged" && copy_to "$build/packaged/env" &&
	$MAKE -s -C "$build/packaged" CC="$HOSTCC" CFLAGS="$hardened" \
		LDFLAGS="$hardened_link" STATIC= STRIP= WERROR=1 mbimctl &&
	CFLAGS=$hardened LDFLAGS=$hardened_link \
		$MAKE -s -C "$build/packaged/env" CC="$HOSTCC" STRIP= \
		WERROR=1 mbimctl
}

shows() # WHAT READELF-OPTION PATTERN
{
	check "$1" eval "readelf -W $2 $elf | grep -q -e '$3'"
}

check_elf()
{
	for elf in packaged packaged/env; do
		elf=$build/$elf/mbimctl
		shows 'it is position-independent' -h 'Type: *DYN'
		shows 'it is an executable' -d 'FLAGS_1.*PIE'
		shows 'it is dynamic' -l INTERP
		shows 'it has RELRO' -l GNU_RELRO
		shows 'it binds at once' -d 'FLAGS_1.*NOW'
		shows 'it has stack protectors' --dyn-syms __stack_chk_fail
		shows 'it has its symbols' -S '[.]symtab'
		shows 'it can be debugged' -S '[.]debug_info'
	done
}

# ---- time and sizes on machines with 32 bits ----

compiles_64() # FLAGS...
{
	echo '#include <sys/stat.h>
		_Static_assert(sizeof((struct stat){ 0 }.st_mtime) == 8 &&
			sizeof(off_t) == 8, "");' |
		$cross "$@" -x c -c - -o "$build/mips/sizes.o" 2>/dev/null
}

# A modem whose node is of 2040, and a program: its exit status
ask_2040() # PROGRAM -s|-p
{
	mkfifo "$tmp/ready"
	"$build/modem" "$2" "$tmp/modem" >"$tmp/ready" &
	modem=$!
	read -r _ <"$tmp/ready"
	touch -d 2040-01-01 "$(readlink -f "$tmp/modem")"
	year=$(date -r "$tmp/modem" +%Y)
	MBIMCTL_RUN_DIR=$tmp/run $limit $qemu "$1" $direct -d "$tmp/modem" \
		--get-radio-state
	status=$?
	kill $modem
	wait $modem 2>/dev/null
	rm -rf "$tmp/ready" "$tmp/modem" "$tmp/run"
	return $status
}

fails_with_3() { "$@"; [ $? = 3 ]; }

check_year_2040()
{
	if ! compiles_64 $STD; then
		skip 'the C library of mips-linux-gnu-gcc has 32-bit times'
		return
	fi
	# as it is without them: else this would prove nothing
	check 'the flags are needed' eval '! compiles_64'
	old=$build/mips/program-32
	check 'a program of 2038' $cross -static -O1 $STD -U_TIME_BITS \
		-U_FILE_OFFSET_BITS $SRC -o "$old"
	tmp=$(mktemp -d)
	direct=--direct		# whatever mbim-proxy does
	for how in -s -p; do
		check "a node of 2040, $how" ask_2040 "$build/mips/program" $how
		if [ "$year" = 2040 ]; then
			check "which is too much for the other, $how" \
				fails_with_3 ask_2040 "$old" $how
		else
			skip "the file system knows no 2040, but $year"
		fi
	done
	rm -rf "$tmp"
}

# ---- fuzzing ----

run_fuzzer()	# TARGET
{
	dir=$build/fuzz/$1
	mkdir -p "$dir"
	clang $STD -g -O1 -fsanitize=fuzzer,address,undefined \
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
	[ "$failed" = 0 ] && [ $((passed + skipped)) -gt 0 ]
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
