// SPDX-License-Identifier: GPL-2.0-only
/*
 * fallocate(2): what each mode does to size and content. A mode that the file system does not have
 * is a skip, never a silent nothing.
 */
#include "ktap.h"
#include <linux/falloc.h>

#define PAGE 4096

static int filled(size_t length)
{
	int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
	char *buffer = malloc(length);

	memset(buffer, 'a', length);
	EQUAL(pwrite(fd, buffer, length, 0), length);
	free(buffer);
	return fd;
}

static void allocate(int fd, int mode, off_t offset, off_t length)
{
	if (fallocate(fd, mode, offset, length)) {
		if (errno == EOPNOTSUPP || errno == ENOSYS)
			SKIP("no such mode here");
		FAIL("fallocate mode %#x: %s", mode, strerror(errno));
	}
}

static off_t size_of(int fd)
{
	struct stat st;

	OK(fstat(fd, &st));
	return st.st_size;
}

SUBTEST(extends, "mode 0 grows the file, with zeros")
{
	int fd = filled(10);
	unsigned char buffer[PAGE];

	allocate(fd, 0, 0, PAGE);
	EQUAL(size_of(fd), PAGE);
	EQUAL(pread(fd, buffer, PAGE, 0), PAGE);
	ALL_BYTES(buffer, 'a', 10);
	ALL_BYTES(buffer + 10, 0, PAGE - 10);
}

SUBTEST(inside, "mode 0 inside the file changes nothing to see")
{
	int fd = filled(2 * PAGE);
	unsigned char buffer[2 * PAGE];

	allocate(fd, 0, 0, PAGE);
	EQUAL(size_of(fd), 2 * PAGE);
	EQUAL(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	ALL_BYTES(buffer, 'a', sizeof(buffer));
}

SUBTEST(keep_size, "KEEP_SIZE does not grow the file")
{
	int fd = filled(10);

	allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE);
	EQUAL(size_of(fd), 10);
}

SUBTEST(punch, "PUNCH_HOLE gives zeros and keeps the size")
{
	unsigned char buffer[4 * PAGE];
	int fd = filled(4 * PAGE);

	allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE);
	EQUAL(size_of(fd), 4 * PAGE);
	EQUAL(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	ALL_BYTES(buffer, 'a', PAGE);
	ALL_BYTES(buffer + PAGE, 0, 2 * PAGE);
	ALL_BYTES(buffer + 3 * PAGE, 'a', PAGE);
}

SUBTEST(punch_partial, "PUNCH_HOLE within a page zeroes just that part")
{
	unsigned char buffer[PAGE];
	int fd = filled(PAGE);

	allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 200);
	EQUAL(pread(fd, buffer, PAGE, 0), PAGE);
	ALL_BYTES(buffer, 'a', 100);
	ALL_BYTES(buffer + 100, 0, 200);
	ALL_BYTES(buffer + 300, 'a', PAGE - 300);
}

SUBTEST(zero_range, "ZERO_RANGE zeroes and can grow the file")
{
	unsigned char buffer[3 * PAGE];
	int fd = filled(2 * PAGE);

	allocate(fd, FALLOC_FL_ZERO_RANGE, PAGE, 2 * PAGE);
	EQUAL(size_of(fd), 3 * PAGE);
	EQUAL(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	ALL_BYTES(buffer, 'a', PAGE);
	ALL_BYTES(buffer + PAGE, 0, 2 * PAGE);
}

SUBTEST(punch_needs_keep, "PUNCH_HOLE without KEEP_SIZE is refused")
{
	int fd = filled(PAGE);

	TRUE(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE) == -1 && (errno == EOPNOTSUPP || errno == EINVAL));
	EQUAL(size_of(fd), PAGE);
}

SUBTEST(bad_range, "a length of zero is EINVAL, a descriptor without write access EBADF")
{
	int fd = filled(PAGE);
	int reader = OK(open("f", O_RDONLY));

	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fallocate(reader, 0, 0, PAGE), EBADF);
}

KTAP_MAIN
