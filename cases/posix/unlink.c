// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lives on after its name is gone: open-unlinked files can be read, written, truncated and
 * stat'ed, and link counts tell the truth.
 */
#include "ktap.h"

SUBTEST(readable, "an open-unlinked file stays readable and writable")
{
	char text[4] = "";
	int fd;

	make_file("f", "old");
	fd = OK(open("f", O_RDWR));
	OK(unlink("f"));
	FAILS(access("f", F_OK), ENOENT);
	EQUAL(pread(fd, text, 3, 0), 3);
	TRUE(!strcmp(text, "old"));
	EQUAL(pwrite(fd, "new", 3, 0), 3);
	EQUAL(pread(fd, text, 3, 0), 3);
	TRUE(!strcmp(text, "new"));
}

SUBTEST(nlink, "fstat of an open-unlinked file counts no link")
{
	struct stat st;
	int fd;

	make_file("f", "x");
	fd = OK(open("f", O_RDONLY));
	OK(unlink("f"));
	OK(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(st.st_size, 1);
}

SUBTEST(truncate_unlinked, "ftruncate works on an open-unlinked file")
{
	struct stat st;
	int fd;

	make_file("f", "content");
	fd = OK(open("f", O_RDWR));
	OK(unlink("f"));
	OK(ftruncate(fd, 3));
	OK(fstat(fd, &st));
	EQUAL(st.st_size, 3);
}

SUBTEST(same_name, "a new file of the same name is another file")
{
	struct stat before, after;
	char byte = 0;
	int fd;

	make_file("f", "1");
	fd = OK(open("f", O_RDONLY));
	OK(fstat(fd, &before));
	OK(unlink("f"));
	make_file("f", "2");
	OK(stat("f", &after));
	TRUE(before.st_ino != after.st_ino);
	EQUAL(pread(fd, &byte, 1, 0), 1);
	EQUAL(byte, '1');
}

SUBTEST(one_of_two, "unlinking one of two names keeps the file")
{
	struct stat st;

	make_file("a", "A");
	OK(link("a", "b"));
	OK(unlink("a"));
	OK(stat("b", &st));
	EQUAL(st.st_nlink, 1);
	HOLDS("b", "A");
}

SUBTEST(directory, "unlink of a directory and rmdir of a file are refused")
{
	OK(mkdir("d", 0755));
	make_file("f", "x");
	TRUE(unlink("d") == -1 && (errno == EISDIR || errno == EPERM));
	FAILS(rmdir("f"), ENOTDIR);
}

SUBTEST(nonempty, "rmdir of a directory that is not empty is refused")
{
	OK(mkdir("d", 0755));
	make_file("d/f", "x");
	TRUE(rmdir("d") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	OK(unlink("d/f"));
	OK(rmdir("d"));
}

SUBTEST(removed_cwd, "nothing can be made in a removed directory")
{
	int fd;

	OK(mkdir("d", 0755));
	fd = OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(rmdir("d"));
	FAILS(openat(fd, "f", O_CREAT | O_WRONLY, 0644), ENOENT);
}

SUBTEST(tmpfile_linked, "O_TMPFILE has no name until it is linked")
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0644);
	struct stat st;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOSYS))
		SKIP("no O_TMPFILE here");
	OK(fd);
	OK(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(write(fd, "t", 1), 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	OK(fstat(fd, &st));
	EQUAL(st.st_nlink, 1);
	HOLDS("named", "t");
}

KTAP_MAIN
