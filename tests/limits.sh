#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What the table cannot hold, and names that are none, stop the compiler, with
# the flags of plain `make'; warnings do not count. A line of the table is one
# bad edit, made to a copy of the sources:
#
#	what it is | file | sed script
#
# A script of @N is that function below, which prints the script.

# Variables with options are split on purpose.
# shellcheck disable=SC2086

. "$(dirname "$0")/lib.sh"
settings
plain_flags="$STD $(echo " $WARN " | sed 's/ -Werror / /') -O0 -fsyntax-only"

edits()
{
	cat <<'END'
a command of a job that is none | main.c |
a field of a job that is none | main.c |
a status of a job that is none | main.c |
a CONST of more than a byte | commands.def | /^	/s/CONST *(\([a-z_]*\), [0-9]*)/CONST(\1, 256)/
a MAX of more than a byte | commands.def | /^	/s/MAX(16)/MAX(300)/
a SLOW of more than a byte | commands.def | /^[A-Z]/s/SLOW([0-9]*)/SLOW(300)/
a value table more than 256 | commands.def | @many_tables
END
}

# As many value tables as it takes, before the first one.
many_tables()
{
	n=$(grep -c '^VALUES(' "$here/../commands.def")
	at=$(grep -n '^VALUES(' "$here/../commands.def" | head -n 1 |
		cut -d : -f 1)
	while [ $n -lt 257 ]; do
		n=$((n + 1))
		echo "${at}i\\"
		echo "VALUES(made_up_$n) V(0, off) V(1, on) END"
	done
}

# By $compiler; what it says is in err.
compiles()
{
	(cd "$copy" && $compiler $plain_flags $SRC) \
		>"$work/out" 2>"$work/err"
}

limits()
{
	copy=$work/copy
	mkdir "$copy"
	what="the sources as they are, by $compiler"
	cp "$here"/../*.c "$here/../mbim.h" "$here/../commands.def" "$copy"
	if compiles; then
		pass
	else
		fail "they do not compile"
		return
	fi
	edits >"$work/edits"
	while IFS='|' read -r edit file script; do
		what="${edit% }, by $compiler"
		file=$(echo $file)
		case $script in
		' @'*)	${script#*@} ;;
		*)	printf '%s\n' "$script" ;;
		esac >"$work/script"
		sed -f "$work/script" "$here/../$file" >"$copy/$file"
		if cmp -s "$here/../$file" "$copy/$file"; then
			: >"$work/err"
			fail "the edit changes nothing: $script"
		elif compiles; then
			fail "it compiles"
		elif ! grep -q 'error:' "$work/err"; then
			fail "it does not compile, but for no reason"
		else
			pass
		fi
		cp "$here/../$file" "$copy/$file"
	done <"$work/edits"
}

by_gcc() { compiler=gcc; limits; }
by_clang() { compiler=clang; limits; }

for compiler in gcc clang; do
	if command -v $compiler >/dev/null; then
		together by_$compiler
	else
		skip "no $compiler"
	fi
done
finish
