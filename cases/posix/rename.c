// SPDX-License-Identifier: GPL-2.0-only
/*
 * rename(2) and renameat2(2): what each flag promises, and that open files follow the inode
 * and not the name.
 */
#include "ktap.h"
#include <pthread.h>

static int renamed(const char *from, const char *to, unsigned int flags)
{
	int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);

	if (result && errno == EINVAL && flags)
		SKIP("the file system does not know these flags");
	return result;
}

SUBTEST(replace, "rename replaces the target")
{
	make_file("a", "A");
	make_file("b", "B");
	OK(rename("a", "b"));
	HOLDS("b", "A");
	FAILS(access("a", F_OK), ENOENT);
}

SUBTEST(noreplace_existing, "RENAME_NOREPLACE refuses an existing name")
{
	make_file("a", "A");
	make_file("b", "B");
	FAILS(renamed("a", "b", RENAME_NOREPLACE), EEXIST);
	HOLDS("a", "A");
	HOLDS("b", "B");
}

SUBTEST(noreplace_new, "RENAME_NOREPLACE takes a new name")
{
	make_file("a", "A");
	OK(renamed("a", "b", RENAME_NOREPLACE));
	HOLDS("b", "A");
	FAILS(access("a", F_OK), ENOENT);
}

SUBTEST(exchange, "RENAME_EXCHANGE swaps two files")
{
	make_file("a", "A");
	make_file("b", "B");
	OK(renamed("a", "b", RENAME_EXCHANGE));
	HOLDS("a", "B");
	HOLDS("b", "A");
}

SUBTEST(exchange_missing, "RENAME_EXCHANGE needs both names")
{
	make_file("a", "A");
	FAILS(renamed("a", "b", RENAME_EXCHANGE), ENOENT);
	HOLDS("a", "A");
}

SUBTEST(both_flags, "RENAME_NOREPLACE with RENAME_EXCHANGE is EINVAL")
{
	make_file("a", "A");
	make_file("b", "B");
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
}

SUBTEST(into_itself, "a directory can not move below itself")
{
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	FAILS(rename("d", "d/e/f"), EINVAL);
}

SUBTEST(nonempty, "a directory that is not empty is not replaced")
{
	OK(mkdir("d", 0755));
	OK(mkdir("e", 0755));
	make_file("e/f", "F");
	TRUE(rename("d", "e") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	HOLDS("e/f", "F");
}

SUBTEST(kinds, "files and directories do not replace each other")
{
	OK(mkdir("d", 0755));
	make_file("f", "F");
	FAILS(rename("f", "d"), EISDIR);
	FAILS(rename("d", "f"), ENOTDIR);
}

SUBTEST(open_file, "an open file follows its inode through a rename")
{
	int fd;

	make_file("a", "A");
	fd = OK(open("a", O_RDWR));
	OK(rename("a", "b"));
	EQUAL(pwrite(fd, "Z", 1, 0), 1);
	OK(close(fd));
	HOLDS("b", "Z");
}

SUBTEST(replaced_open, "a replaced file stays readable while it is open")
{
	char byte = 0;
	int fd;

	make_file("a", "A");
	make_file("b", "B");
	fd = OK(open("b", O_RDONLY));
	OK(rename("a", "b"));
	EQUAL(pread(fd, &byte, 1, 0), 1);
	EQUAL(byte, 'B');
}

static volatile int stop_looking;

static void *look(void *misses)
{
	struct stat st;

	while (!stop_looking)
		if (stat("target", &st))
			++*(volatile int *)misses;
	return NULL;
}

SUBTEST(target_always_there, "while it is replaced the target always exists")
{
	int misses = 0;
	pthread_t thread;

	make_file("target", "0");
	EQUAL(pthread_create(&thread, NULL, look, &misses), 0);
	for (int i = 0; i < 50; i++) {
		make_file("next", "1");
		OK(rename("next", "target"));
	}
	stop_looking = 1;
	pthread_join(thread, NULL);
	EQUAL(misses, 0);
}

KTAP_MAIN
