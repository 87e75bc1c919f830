// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP_PRIVATE: a store stays with the process that made it, and pages not yet copied show the file.
 */
#include "map.h"

static unsigned char *map_private(int fd, size_t length)
{
	void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	if (base == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	return base;
}

static int filled(size_t length)
{
	int fd = OK(open("f", O_RDWR | O_CREAT, 0644));

	fill(fd, 'a', 0, length);
	return fd;
}

SUBTEST(not_written_back, "a private store does not reach the file")
{
	int fd = filled(2 * PAGE);
	unsigned char *base = map_private(fd, 2 * PAGE);

	base[0] = 'p';
	OK(msync(base, 2 * PAGE, MS_SYNC));
	OK(fsync(fd));
	HOLDS_BYTE("f", 0, 'a');
	EQUAL(base[0], 'p');
}

SUBTEST(copied_page, "a copied page no longer follows the file")
{
	int fd = filled(2 * PAGE);
	unsigned char *base = map_private(fd, 2 * PAGE);

	base[0] = 'p';
	fill(fd, 'w', 0, 2 * PAGE);
	EQUAL(base[0], 'p');
	EQUAL(base[1], 'a');
}

SUBTEST(fork_private, "after a fork, parent and child do not see each other's private stores")
{
	int fd = filled(PAGE);
	unsigned char *base = map_private(fd, PAGE);

	base[0] = 'p';
	IN_CHILD(EQUAL(base[0], 'p'); base[0] = 'c'; EQUAL(base[0], 'c'));
	EQUAL(base[0], 'p');
}

SUBTEST(past_end, "a load past the end of a private mapping is SIGBUS too")
{
	int fd = filled(PAGE);
	unsigned char *base = map_private(fd, 2 * PAGE);

	DIES_BY(SIGBUS, *(volatile char *)(base + PAGE));
}

SUBTEST(executable, "a program on the share can be run")
{
	static char program[1 << 20];
	int in = OK(open("/bin/busybox", O_RDONLY)), out = OK(open("run", O_CREAT | O_WRONLY, 0755));
	ssize_t length;

	while ((length = OK(read(in, program, sizeof(program)))) > 0)
		EQUAL(write(out, program, length), length);
	OK(close(out));
	IN_CHILD({
		int null = OK(open("/dev/null", O_WRONLY));

		dup2(null, STDOUT_FILENO);
		execl("./run", "true", NULL);
		_exit(KTAP_FAIL);
	});
}

KTAP_MAIN
