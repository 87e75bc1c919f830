/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small test harness in the manner of kselftest_harness.h, printing KTAP.
 *
 *	#include "ktap.h"
 *
 *	SUBTEST(noreplace, "RENAME_NOREPLACE refuses an existing name")
 *	{
 *		make_file("a", "A");
 *		make_file("b", "B");
 *		FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
 *	}
 *
 *	KTAP_MAIN
 *
 * Every subtest runs in a process and a directory of its own, so that one that dies by SIGBUS, or leaves
 * a mess, is one failed line and not the end. A failed check says where, what and what was expected,
 * and ends its subtest.
 */
#ifndef FUSELAGE_KTAP_H
#define FUSELAGE_KTAP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KTAP_PASS = 0, KTAP_FAIL = 1, KTAP_XFAIL = 2, KTAP_SKIP = 4 };

/* A subtest that waits for ever is a result too; the harness has limits of its own above this one. */
#define KTAP_SUBTEST_SECONDS 25
#define KTAP_MAX 128

struct ktap_subtest {
	const char *name;
	void (*body)(void);
};

struct ktap_shared {
	char reason[256];
};

static struct ktap_subtest ktap_subtests[KTAP_MAX];
static int ktap_count;
static struct ktap_shared *ktap_shared;

static void __attribute__((unused)) ktap_register(const char *name, void (*body)(void))
{
	if (ktap_count == KTAP_MAX)
		abort();
	ktap_subtests[ktap_count++] = (struct ktap_subtest){ name, body };
}

/* The name is how results are paired between kernels: unique in its file, and stable. */
#define SUBTEST(function, description)                                         \
	static void function(void);                                            \
	static void __attribute__((constructor)) function##_register(void)     \
	{                                                                      \
		ktap_register(description, function);                          \
	}                                                                      \
	static void function(void)

static void __attribute__((format(printf, 1, 2), unused)) diagnostic(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	dprintf(STDOUT_FILENO, "# %s\n", text);
}

#define FAIL(...)                                                              \
	do {                                                                   \
		diagnostic("line " KTAP_LINE ": " __VA_ARGS__);                \
		_exit(KTAP_FAIL);                                              \
	} while (0)
#define KTAP_LINE KTAP_STRING(__LINE__)
#define KTAP_STRING(x) KTAP_STRING_(x)
#define KTAP_STRING_(x) #x

static void __attribute__((format(printf, 2, 3), noreturn, unused)) ktap_leave(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ktap_shared->reason, sizeof(ktap_shared->reason), format, arguments);
	va_end(arguments);
	_exit(code);
}

/* The subtest can not be run here, and why. */
#define SKIP(...) ktap_leave(KTAP_SKIP, __VA_ARGS__)
#define XFAIL(...) ktap_leave(KTAP_XFAIL, __VA_ARGS__)

/* The call must succeed; its value is the value of the expression. */
#define OK(call)                                                               \
	({                                                                     \
		typeof(call) ktap_value = (call);                              \
		if ((long)ktap_value == -1)                                    \
			FAIL("%s: %s", #call, strerror(errno));                \
		ktap_value;                                                    \
	})

/* The call must fail, and with this errno. */
#define FAILS(call, expected)                                                  \
	do {                                                                   \
		long ktap_value = (long)(call);                                \
		if (ktap_value != -1)                                          \
			FAIL("%s gave %ld, expected %s", #call, ktap_value,    \
			     #expected);                                       \
		if (errno != (expected))                                       \
			FAIL("%s failed with %s, expected %s", #call,          \
			     strerrorname_np(errno), #expected);               \
	} while (0)

#define EQUAL(actual, expected)                                                \
	do {                                                                   \
		long long ktap_a = (actual), ktap_e = (expected);              \
		if (ktap_a != ktap_e)                                          \
			FAIL("%s is %lld, expected %lld", #actual, ktap_a,     \
			     ktap_e);                                          \
	} while (0)

#define TRUE(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			FAIL("%s does not hold", #condition);                  \
	} while (0)

/* All `length` bytes at `bytes` are `value`; says where the first other one is. */
#define ALL_BYTES(bytes, value, length)                                        \
	do {                                                                   \
		const volatile unsigned char *ktap_b = (const void *)(bytes);  \
		for (size_t ktap_i = 0; ktap_i < (size_t)(length); ktap_i++)   \
			if (ktap_b[ktap_i] != (unsigned char)(value))          \
				FAIL("%s[%zu] is %#x, expected %#x", #bytes,   \
				     ktap_i, ktap_b[ktap_i],                   \
				     (unsigned char)(value));                  \
	} while (0)

/* Says that the program did `count` times what it is about; a case can ask for it (rule 1). */
static void __attribute__((unused)) proof(const char *name, unsigned long count)
{
	dprintf(STDOUT_FILENO, "# proof %s %lu\n", name, count);
}

static void __attribute__((unused)) make_file(const char *name, const char *content)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	EQUAL(write(fd, content, strlen(content)), strlen(content));
	OK(close(fd));
}

/* The file's content is exactly this text. */
#define HOLDS(name, text)                                                      \
	do {                                                                   \
		char ktap_text[256] = "";                                      \
		int ktap_fd = OK(open(name, O_RDONLY | O_CLOEXEC));            \
		ssize_t ktap_n = OK(read(ktap_fd, ktap_text, 255));            \
		close(ktap_fd);                                                \
		if (ktap_n != (ssize_t)strlen(text) || strcmp(ktap_text, text))\
			FAIL("%s holds \"%s\", expected \"%s\"", name,         \
			     ktap_text, text);                                 \
	} while (0)

/* The wait status of a child that runs a block. */
#define KTAP_STATUS_OF(...)                                                    \
	({                                                                     \
		pid_t ktap_pid = OK(fork());                                   \
		int ktap_wait;                                                 \
		if (!ktap_pid) {                                               \
			__VA_ARGS__;                                           \
			_exit(KTAP_PASS);                                      \
		}                                                              \
		OK(waitpid(ktap_pid, &ktap_wait, 0));                          \
		ktap_wait;                                                     \
	})

/* Runs a block in a child; the block ends with _exit(KTAP_PASS) or a failed check. */
#define IN_CHILD(...)                                                          \
	do {                                                                   \
		int ktap_status = KTAP_STATUS_OF(__VA_ARGS__);                 \
		if (WIFSIGNALED(ktap_status))                                  \
			FAIL("the child died by SIG%s",                        \
			     sigabbrev_np(WTERMSIG(ktap_status)));             \
		if (WEXITSTATUS(ktap_status))                                  \
			_exit(WEXITSTATUS(ktap_status));                       \
	} while (0)

/* Runs a statement in a child, which must die by this signal. */
#define DIES_BY(expected, ...)                                                 \
	do {                                                                   \
		int ktap_status = KTAP_STATUS_OF(__VA_ARGS__);                 \
		if (!WIFSIGNALED(ktap_status))                                 \
			FAIL("the child lived, expected %s", #expected);       \
		EQUAL(WTERMSIG(ktap_status), expected);                        \
	} while (0)

static int ktap_run_one(int number, const struct ktap_subtest *subtest)
{
	char directory[32];
	int status;
	pid_t pid;

	ktap_shared->reason[0] = 0;
	snprintf(directory, sizeof(directory), "%d", number);
	if (mkdir(directory, 0755)) {
		printf("Bail out! mkdir %s: %s\n", directory, strerror(errno));
		exit(KTAP_FAIL);
	}
	pid = fork();
	if (pid < 0) {
		printf("Bail out! fork: %s\n", strerror(errno));
		exit(KTAP_FAIL);
	}
	if (!pid) {
		alarm(KTAP_SUBTEST_SECONDS);
		if (chdir(directory)) {
			diagnostic("chdir %s: %s", directory, strerror(errno));
			_exit(KTAP_FAIL);
		}
		umask(022);
		subtest->body();
		_exit(KTAP_PASS);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		diagnostic(WTERMSIG(status) == SIGALRM ? "took longer than %d s" : "died by signal %d",
			   WTERMSIG(status) == SIGALRM ? KTAP_SUBTEST_SECONDS : WTERMSIG(status));
		printf("not ok %d %s\n", number, subtest->name);
		return KTAP_FAIL;
	}
	switch (WEXITSTATUS(status)) {
	case KTAP_PASS:
		printf("ok %d %s\n", number, subtest->name);
		return KTAP_PASS;
	case KTAP_SKIP:
		printf("ok %d %s # SKIP %s\n", number, subtest->name, ktap_shared->reason);
		return KTAP_SKIP;
	case KTAP_XFAIL:
		printf("ok %d %s # XFAIL %s\n", number, subtest->name, ktap_shared->reason);
		return KTAP_XFAIL;
	default:
		printf("not ok %d %s\n", number, subtest->name);
		return KTAP_FAIL;
	}
}

static int __attribute__((unused)) ktap_main(void)
{
	int failed = 0, skipped = 0;

	/* A line at a time: whatever happens next, what was said is out. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	ktap_shared = mmap(NULL, sizeof(*ktap_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("KTAP version 1\n1..%d\n", ktap_count);
	if (ktap_shared == MAP_FAILED) {
		printf("Bail out! mmap: %s\n", strerror(errno));
		return KTAP_FAIL;
	}
	for (int i = 0; i < ktap_count; i++) {
		int code = ktap_run_one(i + 1, &ktap_subtests[i]);

		failed += code == KTAP_FAIL;
		skipped += code == KTAP_SKIP;
	}
	return failed ? KTAP_FAIL : skipped == ktap_count ? KTAP_SKIP : KTAP_PASS;
}

#define KTAP_MAIN                                                              \
	int main(void)                                                         \
	{                                                                      \
		return ktap_main();                                            \
	}

#endif
