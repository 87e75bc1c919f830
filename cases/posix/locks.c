// SPDX-License-Identifier: GPL-2.0-only
/*
 * File locks: exclusion between processes, what F_GETLK reports, when each kind of lock goes away,
 * and that a wait for a lock can be interrupted. No sleeps: processes hand over through pipes.
 */
#include "ktap.h"
#include <sys/file.h>

static struct flock range(int type, off_t start, off_t length)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
}

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock fl = range(type, start, length);

	return fcntl(fd, command, &fl);
}

static int lockable(void)
{
	make_file("f", "0123456789");
	return OK(open("f", O_RDWR));
}

SUBTEST(posix_excludes, "POSIX: a write lock excludes another process")
{
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	IN_CHILD(TRUE(lock(fd, F_SETLK, F_WRLCK, 0, 0) == -1 && (errno == EAGAIN || errno == EACCES)));
}

SUBTEST(posix_shared, "POSIX: read locks share, and exclude a writer")
{
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_RDLCK, 0, 0));
	IN_CHILD(OK(lock(fd, F_SETLK, F_RDLCK, 0, 0)); TRUE(lock(fd, F_SETLK, F_WRLCK, 0, 0) == -1));
}

SUBTEST(posix_ranges, "POSIX: disjoint ranges do not collide")
{
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_WRLCK, 0, 5));
	IN_CHILD(OK(lock(fd, F_SETLK, F_WRLCK, 5, 5)); TRUE(lock(fd, F_SETLK, F_WRLCK, 4, 1) == -1));
}

SUBTEST(posix_getlk, "POSIX: F_GETLK names the holder and its range")
{
	pid_t holder = getpid();
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_WRLCK, 2, 3));
	IN_CHILD({
		struct flock fl = range(F_RDLCK, 0, 0);

		OK(fcntl(fd, F_GETLK, &fl));
		EQUAL(fl.l_type, F_WRLCK);
		EQUAL(fl.l_pid, holder);
		EQUAL(fl.l_start, 2);
		EQUAL(fl.l_len, 3);
	});
}

SUBTEST(posix_getlk_free, "POSIX: F_GETLK of a free range says F_UNLCK")
{
	int fd = lockable();
	struct flock fl = range(F_WRLCK, 0, 0);

	OK(fcntl(fd, F_GETLK, &fl));
	EQUAL(fl.l_type, F_UNLCK);
}

SUBTEST(posix_close, "POSIX: closing any descriptor of the file drops the lock")
{
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	OK(close(OK(open("f", O_RDONLY))));
	IN_CHILD(OK(lock(fd, F_SETLK, F_WRLCK, 0, 0)));
}

SUBTEST(posix_fork, "POSIX: a child does not inherit the lock")
{
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	IN_CHILD(TRUE(lock(fd, F_SETLK, F_RDLCK, 0, 0) == -1));
}

SUBTEST(ofd_excludes, "OFD: two descriptions of one process exclude each other")
{
	int a = lockable(), b = OK(open("f", O_RDWR));

	OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	FAILS(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
}

SUBTEST(ofd_dup, "OFD: the lock lives until the last descriptor of its description is closed")
{
	int a = lockable(), b = OK(open("f", O_RDWR)), copy = OK(dup(a));

	OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	OK(close(a));
	FAILS(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	OK(close(copy));
	OK(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0));
}

SUBTEST(flock_excludes, "flock: two descriptions exclude each other")
{
	int a = lockable(), b = OK(open("f", O_RDWR));

	OK(flock(a, LOCK_EX));
	FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(a, LOCK_UN));
	OK(flock(b, LOCK_EX | LOCK_NB));
}

SUBTEST(flock_upgrade, "flock: a shared lock upgrades when it is alone")
{
	int a = lockable(), b = OK(open("f", O_RDWR));

	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH));
	FAILS(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(close(b));
	OK(flock(a, LOCK_EX | LOCK_NB));
}

static void interrupted(int signal)
{
	(void)signal;
}

SUBTEST(wait_interrupted, "a wait for a lock ends with EINTR when a signal comes")
{
	struct sigaction action = { .sa_handler = interrupted };
	int fd = lockable();

	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	IN_CHILD({
		OK(sigaction(SIGALRM, &action, NULL));
		ualarm(200000, 200000); /* again and again: the first may come before the wait begins */
		FAILS(lock(fd, F_SETLKW, F_WRLCK, 0, 0), EINTR);
		ualarm(0, 0);
	});
}

SUBTEST(wait_granted, "a waiting lock is granted when the holder lets go")
{
	int fd = lockable(), ready[2];
	char byte;
	pid_t pid;
	int status;

	OK(pipe(ready));
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	pid = OK(fork());
	if (!pid) {
		EQUAL(write(ready[1], "r", 1), 1);
		OK(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
		_exit(KTAP_PASS);
	}
	EQUAL(read(ready[0], &byte, 1), 1);
	OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
}

KTAP_MAIN
