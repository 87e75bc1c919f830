// SPDX-License-Identifier: GPL-2.0-only
/*
 * lseek(2), SEEK_DATA and SEEK_HOLE above all: a file system may know no holes (then everything is data
 * up to the end), but what it says must be consistent, and dirty data must never be called a hole.
 */
#include "ktap.h"

#define STEP (256 * 1024)

static char block[STEP];

/* Data at [0, STEP) and [3 STEP, 4 STEP), a hole between. */
static int holey(void)
{
	int fd = OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));

	memset(block, 'd', sizeof(block));
	EQUAL(pwrite(fd, block, STEP, 0), STEP);
	EQUAL(pwrite(fd, block, STEP, 3 * STEP), STEP);
	return fd;
}

static off_t seek(int fd, off_t offset, int whence)
{
	off_t result = lseek(fd, offset, whence);

	if (result < 0 && errno == EINVAL)
		SKIP("no SEEK_DATA or SEEK_HOLE here");
	return result;
}

SUBTEST(positions, "SEEK_SET, SEEK_CUR and SEEK_END agree")
{
	int fd = holey();

	EQUAL(lseek(fd, 10, SEEK_SET), 10);
	EQUAL(lseek(fd, 5, SEEK_CUR), 15);
	EQUAL(lseek(fd, -1, SEEK_END), 4 * STEP - 1);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	EQUAL(lseek(fd, 0, SEEK_CUR), 4 * STEP - 1);
}

SUBTEST(data_at_start, "SEEK_DATA in data stays where it is")
{
	int fd = holey();

	EQUAL(seek(fd, 100, SEEK_DATA), 100);
	EQUAL(seek(fd, 3 * STEP + 1, SEEK_DATA), 3 * STEP + 1);
}

SUBTEST(dirty_data, "data just written, and not synced, is no hole")
{
	int fd = holey();

	TRUE(seek(fd, 0, SEEK_HOLE) >= STEP);
	TRUE(seek(fd, 2 * STEP, SEEK_DATA) <= 3 * STEP);
}

SUBTEST(hole_between, "SEEK_HOLE finds the hole or the end, never data")
{
	int fd = holey();
	off_t hole;

	OK(fsync(fd));
	hole = seek(fd, 0, SEEK_HOLE);
	TRUE(hole == STEP || hole == 4 * STEP);
}

SUBTEST(data_after_hole, "SEEK_DATA in a hole finds the data behind it, or takes the hole for data")
{
	int fd = holey();
	off_t data;

	OK(fsync(fd));
	data = seek(fd, 2 * STEP, SEEK_DATA);
	TRUE(data == 3 * STEP || data == 2 * STEP);
}

SUBTEST(hole_at_end, "the end of the file is a hole")
{
	int fd = holey();

	EQUAL(seek(fd, 3 * STEP + 5, SEEK_HOLE), 4 * STEP);
}

SUBTEST(past_end, "beyond the end is ENXIO")
{
	int fd = holey();

	seek(fd, 0, SEEK_DATA);
	FAILS(lseek(fd, 4 * STEP, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 5 * STEP, SEEK_HOLE), ENXIO);
}

KTAP_MAIN
