// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timestamps: set ones come back to the nanosecond, NOW and OMIT mean what they say, and operations
 * update the times that POSIX says they update.
 */
#include "ktap.h"
#include <time.h>

static struct stat st_of(const char *name)
{
	struct stat st;

	OK(stat(name, &st));
	return st;
}

static int later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void changed_since(const char *name, const struct stat *before)
{
	TRUE(later(st_of(name).st_mtim, before->st_mtim));
	TRUE(later(st_of(name).st_ctim, before->st_ctim));
}

/* Sets both times far in the past, so that any update is seen without waiting for the clock. */
static void age(const char *name)
{
	const struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };

	OK(utimensat(AT_FDCWD, name, old, 0));
}

/* "f", aged; by the time this returns the clock has moved on. */
static struct stat aged_file(const char *content)
{
	struct stat st;

	make_file("f", content);
	age("f");
	st = st_of("f");
	usleep(20000);
	return st;
}

SUBTEST(nanoseconds, "utimensat keeps nanoseconds")
{
	const struct timespec set[2] = { { 1500000000, 123456789 }, { 1600000000, 987654321 } };
	struct stat st;

	make_file("f", "x");
	OK(utimensat(AT_FDCWD, "f", set, 0));
	st = st_of("f");
	EQUAL(st.st_atim.tv_sec, 1500000000);
	EQUAL(st.st_atim.tv_nsec, 123456789);
	EQUAL(st.st_mtim.tv_sec, 1600000000);
	EQUAL(st.st_mtim.tv_nsec, 987654321);
}

SUBTEST(omit, "UTIME_OMIT leaves a time alone")
{
	const struct timespec set[2] = { { .tv_nsec = UTIME_OMIT }, { 1600000000, 5 } };
	struct stat st;

	make_file("f", "x");
	age("f");
	OK(utimensat(AT_FDCWD, "f", set, 0));
	st = st_of("f");
	EQUAL(st.st_atim.tv_sec, 1000000);
	EQUAL(st.st_mtim.tv_sec, 1600000000);
}

SUBTEST(now, "UTIME_NOW sets the present")
{
	const struct timespec set[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
	struct stat st;

	make_file("f", "x");
	age("f");
	OK(utimensat(AT_FDCWD, "f", set, 0));
	st = st_of("f");
	EQUAL(st.st_atim.tv_sec, 1000000);
	TRUE(st.st_mtim.tv_sec > 1700000000);
}

SUBTEST(before_1970, "a time before 1970 comes back")
{
	const struct timespec set[2] = { { -1000, 0 }, { -1000, 500 } };

	make_file("f", "x");
	OK(utimensat(AT_FDCWD, "f", set, 0));
	EQUAL(st_of("f").st_mtim.tv_sec, -1000);
}

SUBTEST(after_2038, "a time after 2038 comes back")
{
	const struct timespec set[2] = { { 4000000000, 0 }, { 4000000000, 1 } };

	make_file("f", "x");
	OK(utimensat(AT_FDCWD, "f", set, 0));
	EQUAL(st_of("f").st_mtim.tv_sec, 4000000000);
}

SUBTEST(write_mtime, "a write updates mtime and ctime")
{
	struct stat before = aged_file("x");
	int fd = OK(open("f", O_WRONLY));

	EQUAL(write(fd, "y", 1), 1);
	OK(close(fd));
	changed_since("f", &before);
}

SUBTEST(truncate_mtime, "truncate updates mtime and ctime")
{
	struct stat before = aged_file("xyz");

	OK(truncate("f", 1));
	changed_since("f", &before);
}

SUBTEST(chmod_ctime, "chmod updates ctime and not mtime")
{
	struct stat before = aged_file("x");

	OK(chmod("f", 0600));
	TRUE(later(st_of("f").st_ctim, before.st_ctim));
	EQUAL(st_of("f").st_mtim.tv_sec, 1000000);
}

SUBTEST(directory_mtime, "making and removing a name updates the directory's mtime")
{
	OK(mkdir("d", 0755));
	age("d");
	make_file("d/f", "x");
	TRUE(st_of("d").st_mtim.tv_sec > 1700000000);
	age("d");
	OK(unlink("d/f"));
	TRUE(st_of("d").st_mtim.tv_sec > 1700000000);
}

SUBTEST(link_ctime, "a new link updates the file's ctime")
{
	struct stat before;

	make_file("f", "x");
	before = st_of("f");
	usleep(20000);
	OK(link("f", "g"));
	TRUE(later(st_of("f").st_ctim, before.st_ctim));
}

KTAP_MAIN
