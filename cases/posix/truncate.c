// SPDX-License-Identifier: GPL-2.0-only
/*
 * File sizes: what is cut off is gone, what is grown reads as zeros, and O_APPEND writes at the end
 * that is, not at the one that was.
 */
#include "ktap.h"

#define PAGE 4096

static int filled(const char *name, int byte, size_t length)
{
	int fd = OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
	char *buffer = malloc(length);

	memset(buffer, byte, length);
	EQUAL(write(fd, buffer, length), length);
	free(buffer);
	return fd;
}

SUBTEST(write_extends, "a write past the end grows the file")
{
	int fd = filled("f", 'a', 10);
	struct stat st;

	EQUAL(pwrite(fd, "b", 1, 99), 1);
	OK(fstat(fd, &st));
	EQUAL(st.st_size, 100);
	EQUAL(lseek(fd, 0, SEEK_END), 100);
}

SUBTEST(gap_is_zero, "the gap that a write past the end leaves reads as zeros")
{
	unsigned char buffer[3 * PAGE];
	int fd = filled("f", 'a', 10);

	EQUAL(pwrite(fd, "b", 1, 2 * PAGE + 5), 1);
	EQUAL(pread(fd, buffer, sizeof(buffer), 0), 2 * PAGE + 6);
	ALL_BYTES(buffer, 'a', 10);
	ALL_BYTES(buffer + 10, 0, 2 * PAGE - 5);
	EQUAL(buffer[2 * PAGE + 5], 'b');
}

SUBTEST(shrink, "truncate cuts, and reading past the new end gives nothing")
{
	int fd = filled("f", 'a', 3 * PAGE);
	char buffer[PAGE];

	OK(ftruncate(fd, PAGE + 7));
	EQUAL(lseek(fd, 0, SEEK_END), PAGE + 7);
	EQUAL(pread(fd, buffer, sizeof(buffer), PAGE), 7);
	EQUAL(pread(fd, buffer, sizeof(buffer), 2 * PAGE), 0);
}

SUBTEST(down_and_up, "down and up again gives zeros, not the old bytes")
{
	unsigned char buffer[2 * PAGE];
	int fd = filled("f", 'a', 2 * PAGE);

	OK(ftruncate(fd, 100));
	OK(ftruncate(fd, 2 * PAGE));
	EQUAL(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	ALL_BYTES(buffer, 'a', 100);
	ALL_BYTES(buffer + 100, 0, 2 * PAGE - 100);
}

SUBTEST(by_path, "truncate by path is seen through an open descriptor")
{
	int fd = filled("f", 'a', 1000);
	struct stat st;

	OK(truncate("f", 10));
	OK(fstat(fd, &st));
	EQUAL(st.st_size, 10);
}

SUBTEST(o_trunc, "O_TRUNC empties the file for those who have it open")
{
	int fd = filled("f", 'a', 1000);
	char byte;

	OK(close(OK(open("f", O_WRONLY | O_TRUNC))));
	EQUAL(pread(fd, &byte, 1, 0), 0);
}

SUBTEST(read_only, "ftruncate needs a descriptor open for writing")
{
	int fd = filled("f", 'a', 10);
	int reader = OK(open("f", O_RDONLY));

	TRUE(ftruncate(reader, 1) == -1 && (errno == EINVAL || errno == EBADF));
	EQUAL(lseek(fd, 0, SEEK_END), 10);
}

SUBTEST(negative, "a negative length is EINVAL")
{
	int fd = filled("f", 'a', 10);

	FAILS(ftruncate(fd, -1), EINVAL);
}

SUBTEST(append, "O_APPEND writes at the end, wherever the offset is")
{
	int fd = filled("f", 'a', 4);
	int appender = OK(open("f", O_WRONLY | O_APPEND));

	OK(lseek(appender, 0, SEEK_SET));
	EQUAL(write(appender, "b", 1), 1);
	EQUAL(lseek(appender, 0, SEEK_CUR), 5);
	EQUAL(pwrite(fd, "cc", 2, 5), 2);
	EQUAL(write(appender, "d", 1), 1);
	HOLDS("f", "aaaabccd");
}

SUBTEST(append_two, "two O_APPEND writers lose nothing of each other")
{
	struct stat st;

	OK(close(OK(open("f", O_CREAT | O_WRONLY, 0644))));
	for (int child = 0; child < 2; child++)
		if (!OK(fork())) {
			int fd = OK(open("f", O_WRONLY | O_APPEND));

			for (int i = 0; i < 100; i++)
				if (write(fd, "0123456789", 10) != 10)
					_exit(KTAP_FAIL);
			_exit(KTAP_PASS);
		}
	for (int child = 0; child < 2; child++) {
		int status;

		OK(wait(&status));
		EQUAL(status, 0);
	}
	OK(stat("f", &st));
	EQUAL(st.st_size, 2000);
}

KTAP_MAIN
