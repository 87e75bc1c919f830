// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests per second of one mount, an operation at a time: throughput DIRECTORY OPERATION COUNT.
 * Prints "OPERATION COUNT NANOSECONDS". The mount must keep no names, attributes or pages, so that each
 * call is one request (CREATE+UNLINK: a handful).
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define RANGE (2 * MIB)
#define RANGES 64

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? atol(argv[3]) : 0;
	const char *operation = argv[2];
	long long started;
	struct stat st;
	char *buffer;
	int fd;

	if (count <= 0 || chdir(argv[1]))
		err(1, "usage: throughput DIRECTORY OPERATION COUNT");
	if (posix_memalign((void **)&buffer, 4096, MIB))
		err(1, "memory");
	memset(buffer, 'x', MIB);
	fd = open("file", O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		err(1, "open");
	if (!strcmp(operation, "MAP")) {
		volatile char *map;

		if (ftruncate(fd, (off_t)RANGES * RANGE))
			err(1, "ftruncate");
		map = mmap(NULL, (size_t)RANGES * RANGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			err(1, "mmap");
		started = now();
		for (long i = 0; i < count; i++)
			map[(size_t)(i % RANGES) * RANGE] = 1;
		printf("%s %ld %lld\n", operation, count, now() - started);
		return 0;
	}
	for (int i = 0; i < 4; i++)
		if (pwrite(fd, buffer, MIB, (off_t)i * MIB) != MIB)
			err(1, "write");
	started = now();
	for (long i = 0; i < count; i++) {
		long done = 0;

		if (!strcmp(operation, "GETATTR"))
			done = fstat(fd, &st);
		else if (!strcmp(operation, "LOOKUP"))
			done = stat("file", &st);
		else if (!strcmp(operation, "READ-4K"))
			done = pread(fd, buffer, 4096, i % 1024 * 4096) - 4096;
		else if (!strcmp(operation, "READ-1M"))
			done = pread(fd, buffer, MIB, i % 4 * MIB) - MIB;
		else if (!strcmp(operation, "WRITE-4K"))
			done = pwrite(fd, buffer, 4096, i % 1024 * 4096) - 4096;
		else if (!strcmp(operation, "CREATE+UNLINK")) {
			int new = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);

			done = new < 0 ? -1 : close(new) | unlink("new");
		} else
			errx(1, "no operation %s", operation);
		if (done)
			err(1, "%s", operation);
	}
	printf("%s %ld %lld\n", operation, count, now() - started);
	return 0;
}
