/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hands of a case have in common: commands come a line at a time on stdin, each is answered by
 * "ok VALUE" or "error ERRNO-NAME", and "event ..." lines come in between, from any thread.
 */
#ifndef FUSELAGE_LINES_H
#define FUSELAGE_LINES_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES (8 * 1024)
#define PIECE (1 << 20)
#define BLOCK_BYTES 4096

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* One write a line: what another process prints does not come in between. */
	pthread_mutex_lock(&output);
	if (length >= LINE_BYTES || write(1, line, length) != length)
		exit(1);
	pthread_mutex_unlock(&output);
}

static void answer(long long value)
{
	if (value < 0)
		say("error %s\n", strerrorname_np(errno));
	else
		say("ok %lld\n", value);
}

/* Unbuffered: a command that this process has not read is for the one after it. */
static int next_line(char *line, size_t size)
{
	size_t length = 0;

	while (length < size - 1) {
		ssize_t got = read(0, line + length, 1);

		if (got <= 0)
			return 0;
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = 0;
	return 1;
}

/* "pid | die | quit", which all of them know. Returns 0 where it was the last. */
static int act_on_itself(const char *line)
{
	if (!strcmp(line, "quit"))
		return 0;
	if (!strcmp(line, "pid"))
		answer(getpid());
	else if (!strcmp(line, "die"))
		raise(SIGKILL);
	else
		say("error EPROTO\n");
	return 1;
}

/* Memory that O_DIRECT takes. */
static void *aligned(size_t length)
{
	void *memory = NULL;

	return posix_memalign(&memory, BLOCK_BYTES, length) ? NULL : memory;
}

/* Puts a part of a file into another; `padded` with zeros behind the source's end, else no further than that. */
static long long copy_in(int fd, long long offset, long long length, const char *path, long long path_offset, int padded)
{
	unsigned char *buffer = aligned(PIECE);
	int source = open(path, O_RDONLY);
	long long done = source < 0 || !buffer ? -1 : 0;
	int kept;

	while (done >= 0 && done < length) {
		size_t wanted = length - done < PIECE ? length - done : PIECE;
		ssize_t part = pread(source, buffer, wanted, path_offset + done);

		if (part >= 0 && padded) {
			memset(buffer + part, 0, wanted - part);
			part = wanted;
		}
		if (part == 0)
			break;
		if (part > 0)
			part = pwrite(fd, buffer, part, offset + done);
		done = part <= 0 ? -1 : done + part;
	}
	kept = errno;
	if (source >= 0)
		close(source);
	free(buffer);
	errno = kept;
	return done;
}

#endif
