// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names and what they lead to: hard links share the inode, symbolic links keep their text, fifos,
 * sockets and long names are what they should be.
 */
#include "ktap.h"
#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

SUBTEST(hard, "two hard links are one file")
{
	struct stat a, b;

	make_file("a", "A");
	OK(link("a", "b"));
	OK(stat("a", &a));
	OK(stat("b", &b));
	EQUAL(a.st_ino, b.st_ino);
	EQUAL(a.st_nlink, 2);
	make_file("b", "B");
	HOLDS("a", "B");
}

SUBTEST(hard_existing, "link refuses an existing name")
{
	make_file("a", "A");
	make_file("b", "B");
	FAILS(link("a", "b"), EEXIST);
}

SUBTEST(hard_directory, "a directory can not be hard linked")
{
	OK(mkdir("d", 0755));
	FAILS(link("d", "e"), EPERM);
}

SUBTEST(symbolic, "a symbolic link keeps its text and is followed")
{
	char text[32] = "";
	struct stat st;

	make_file("a", "A");
	OK(symlink("a", "s"));
	EQUAL(readlink("s", text, sizeof(text)), 1);
	TRUE(!strcmp(text, "a"));
	HOLDS("s", "A");
	OK(lstat("s", &st));
	TRUE(S_ISLNK(st.st_mode));
	EQUAL(st.st_size, 1);
}

SUBTEST(long_symlink, "a symbolic link of 4,000 bytes comes back whole")
{
	char text[4001], back[4100];

	for (int i = 0; i < 4000; i++)
		text[i] = i % 200 == 199 ? '/' : 'x';
	text[4000] = 0;
	if (symlink(text, "s") && errno == ENAMETOOLONG)
		SKIP("no symbolic link as long");
	EQUAL(readlink("s", back, sizeof(back)), 4000);
	TRUE(!memcmp(text, back, 4000));
}

SUBTEST(loop, "a loop of symbolic links is ELOOP")
{
	OK(symlink("b", "a"));
	OK(symlink("a", "b"));
	FAILS(open("a", O_RDONLY), ELOOP);
}

SUBTEST(nofollow, "O_NOFOLLOW refuses a symbolic link")
{
	make_file("a", "A");
	OK(symlink("a", "s"));
	FAILS(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
}

SUBTEST(fifo, "a fifo passes bytes")
{
	struct stat st;
	char byte = 0;
	int fd;

	if (mkfifo("p", 0644) && errno == EPERM)
		SKIP("no special files here");
	OK(stat("p", &st));
	TRUE(S_ISFIFO(st.st_mode));
	fd = OK(open("p", O_RDWR));
	EQUAL(write(fd, "b", 1), 1);
	EQUAL(read(fd, &byte, 1), 1);
	EQUAL(byte, 'b');
}

SUBTEST(socket_name, "a bound socket is a socket in its directory")
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	struct stat st;

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) && errno == EPERM)
		SKIP("no special files here");
	OK(stat("s", &st));
	TRUE(S_ISSOCK(st.st_mode));
}

SUBTEST(long_name, "a name of 255 bytes is fine and one of 256 too long")
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = 0;
	FAILS(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
	name[255] = 0;
	make_file(name, "x");
	HOLDS(name, "x");
}

SUBTEST(exclusive, "O_EXCL has one winner")
{
	int wins = 0;

	for (int child = 0; child < 4; child++)
		if (!OK(fork()))
			_exit(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0 ? 10 : errno == EEXIST ? 0 : KTAP_FAIL);
	for (int child = 0; child < 4; child++) {
		int status;

		OK(wait(&status));
		TRUE(WIFEXITED(status) && WEXITSTATUS(status) != KTAP_FAIL);
		wins += WEXITSTATUS(status) == 10;
	}
	EQUAL(wins, 1);
}

KTAP_MAIN
