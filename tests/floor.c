/* SPDX-License-Identifier: ISC
 *
 * The floor under `make bench': what the same exchanges cost a program that
 * knows the frames beforehand, checks nothing and explains nothing.
 *
 *	floor SOCKET caps|ids
 *
 * It sends OPEN, DEVICE_CAPS, CLOSE, or OPEN, CTL allocate, DMS get ids, CTL
 * release, CLOSE, waits for an answer to each, and writes that of the command
 * to stdout as it came. The QMI client is the first that the simulated modem
 * gives out, 0x34.
 *
 * Built with -DWATCH this is the bench's other tool:
 *
 *	watch memory PROGRAM ARGUMENTS...	its resident set when it ends
 *	watch time N PROGRAM ARGUMENTS...	the best time of N runs, in us
 */
#ifndef WATCH

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define U16(n)	(n) & 255, (n) >> 8
#define U32(n)	U16((n) & 65535), U16((n) >> 16)

#define BASIC_CONNECT \
	0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f, \
	0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf
#define QMI \
	0xd1, 0xa3, 0x0b, 0xc2, 0xf9, 0x7a, 0x6e, 0x43, \
	0xbf, 0x65, 0xc7, 0xe2, 0x4f, 0xb0, 0xf0, 0xd3

/* type, length, transaction; fragments; service, CID, set or query, length */
#define COMMAND(id, service, set, len) \
	U32(3), U32(48 + (len)), U32(id), U32(1), U32(0), \
	service, U32(1), U32(set), U32(len)

struct frame {
	unsigned char len, is_told, bytes[66];
};

static const struct frame open_frame = {
	16, 0, { U32(1), U32(16), U32(1), U32(4096) }
}, caps = {
	48, 1, { COMMAND(2, BASIC_CONNECT, 0, 0) }
}, allocate = {
	48 + 16, 0, { COMMAND(2, QMI, 1, 16),
		1, U16(15), 0, 0, 0, 0, 1, U16(0x22), U16(4),
		1, U16(1), 2 }
}, ids = {
	48 + 13, 1, { COMMAND(3, QMI, 1, 13),
		1, U16(12), 0, 2, 0x34, 0, U16(1), U16(0x25), U16(0) }
}, release = {
	48 + 17, 0, { COMMAND(4, QMI, 1, 17),
		1, U16(16), 0, 0, 0, 0, 2, U16(0x23), U16(5),
		1, U16(2), 2, 0x34 }
}, close_frame = {
	12, 0, { U32(2), U32(12), U32(5) }
};

static const struct frame *const device_caps[] = {
	&open_frame, &caps, &close_frame, NULL
}, *const get_ids[] = {
	&open_frame, &allocate, &ids, &release, &close_frame, NULL
};

int main(int argc, char **argv)
{
	static unsigned char answer[4096];
	const struct frame *const *f;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (argc != 3 || strlen(argv[1]) >= sizeof(a.sun_path))
		return 2;
	strcpy(a.sun_path, argv[1]);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 1;
	for (f = argv[2][0] == 'c' ? device_caps : get_ids; *f; f++) {
		if (write(fd, (*f)->bytes, (*f)->len) != (*f)->len)
			return 1;
		n = read(fd, answer, sizeof(answer));
		if (n <= 0)
			return 1;
		if ((*f)->is_told && write(1, answer, (size_t)n) != n)
			return 1;
	}
	return 0;
}

#else /* WATCH */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void __attribute__((noreturn)) start(char **argv, int trace)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (trace)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execvp(argv[0], argv);
	_exit(127);
}

/*
 * What is mapped in, in KiB. From smaps, because that looks at the page
 * tables; the counters in status lag behind by up to hundreds of KiB.
 */
static long resident(pid_t pid)
{
	char name[64], line[256];
	long sum = 0, n;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/smaps", (int)pid);
	f = fopen(name, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %ld kB", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

/* The program is stopped as it ends, while its memory is still there. */
static int memory(char **argv)
{
	pid_t pid = fork();
	long sum = -1;
	int status, sig;

	if (pid == 0)
		start(argv, 1);
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 1;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACEEXIT))
		return 1;
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		sig = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			sum = resident(pid);
			sig = 0;
		}
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
	}
	if (sum < 0 || status)
		return 1;
	printf("%ld\n", sum);
	return 0;
}

/* Microseconds from start to end. */
static int timed(unsigned long runs, char **argv)
{
	struct timespec a, b;
	long took, best = -1;
	int status;
	pid_t pid;

	while (runs--) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		pid = fork();
		if (pid == 0)
			start(argv, 0);
		if (waitpid(pid, &status, 0) != pid || status)
			return 1;
		clock_gettime(CLOCK_MONOTONIC, &b);
		took = (b.tv_sec - a.tv_sec) * 1000000L +
			(b.tv_nsec - a.tv_nsec) / 1000;
		if (best < 0 || took < best)
			best = took;
	}
	printf("%ld\n", best);
	return best < 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "memory"))
		return memory(argv + 2);
	if (argc > 3 && !strcmp(argv[1], "time"))
		return timed(strtoul(argv[2], NULL, 10), argv + 3);
	return 2;
}

#endif
