// SPDX-License-Identifier: GPL-2.0-only
/*
 * Works on a mounted tree and says how long that took: "BYTES NANOSECONDS" on stdout.
 *   workload sequential FILE...       each from its beginning to its end, 128 KiB at a time
 *   workload random COUNT FILE        4 KiB at COUNT places, the same in every run
 *   workload run PROGRAM ARGUMENT...  a program to its end, its output thrown away; BYTES is 0
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE (128 * 1024)
#define PAGE 4096

static char buffer[PIECE];

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long sequential(char **files)
{
	long long total = 0;

	for (; *files; files++) {
		int fd = open(*files, O_RDONLY);
		ssize_t done;

		if (fd < 0)
			err(1, "%s", *files);
		while ((done = read(fd, buffer, PIECE)) > 0)
			total += done;
		if (done < 0)
			err(1, "%s", *files);
		close(fd);
	}
	return total;
}

static long long scattered(long count, const char *file)
{
	int fd = open(file, O_RDONLY);
	long long total = 0;
	uint32_t state = 1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || st.st_size < PAGE)
		err(1, "%s", file);
	/* Readahead would turn few places into much of the file. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (long i = 0; i < count; i++) {
		ssize_t done;

		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		done = pread(fd, buffer, PAGE, (off_t)(state % (st.st_size / PAGE)) * PAGE);
		if (done < 0)
			err(1, "%s", file);
		total += done;
	}
	close(fd);
	return total;
}

static void program(char **command)
{
	pid_t child = fork();
	int status;

	if (!child) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execvp(command[0], command);
		err(127, "%s", command[0]);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		errx(1, "%s: status %x", command[0], status);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	long long started = now(), bytes = 0;

	if (!strcmp(what, "sequential"))
		bytes = sequential(argv + 2);
	else if (!strcmp(what, "random") && argc == 4)
		bytes = scattered(atol(argv[2]), argv[3]);
	else if (!strcmp(what, "run"))
		program(argv + 2);
	else
		errx(2, "usage: workload sequential FILE... | random COUNT FILE | run PROGRAM ARGUMENT...");
	printf("%lld %lld\n", bytes, now() - started);
	return 0;
}
