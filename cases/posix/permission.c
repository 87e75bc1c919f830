// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what, and what a write by somebody else does to set-user-ID and set-group-ID bits.
 */
#include "ktap.h"
#include <grp.h>

#define OTHER 12345

static mode_t mode_of(const char *name)
{
	struct stat st;

	OK(stat(name, &st));
	return st.st_mode & 07777;
}

/* Becomes an ordinary user; only ever called in a child or as a subtest's last act. */
static void become_other(void)
{
	OK(setgroups(0, NULL));
	OK(setresgid(OTHER, OTHER, OTHER));
	OK(setresuid(OTHER, OTHER, OTHER));
}

SUBTEST(umask_applies, "umask takes bits off a new file")
{
	umask(027);
	OK(close(OK(open("f", O_CREAT | O_WRONLY, 0666))));
	EQUAL(mode_of("f"), 0640);
}

SUBTEST(chmod_all, "chmod sets all twelve bits")
{
	make_file("f", "x");
	for (mode_t mode = 0; mode <= 07777; mode += 0111) {
		OK(chmod("f", mode));
		EQUAL(mode_of("f"), mode);
	}
}

SUBTEST(others_denied, "a file of mode 0600 is closed to others")
{
	make_file("f", "x");
	OK(chmod("f", 0600));
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); FAILS(open("f", O_RDONLY), EACCES));
}

SUBTEST(others_allowed, "a file of mode 0604 can be read by others, not written")
{
	make_file("f", "x");
	OK(chmod("f", 0604));
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); OK(open("f", O_RDONLY)); FAILS(open("f", O_WRONLY), EACCES));
}

SUBTEST(directory_search, "a directory without search permission hides what is below")
{
	OK(mkdir("d", 0700));
	make_file("d/f", "x");
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); FAILS(open("d/f", O_RDONLY), EACCES));
}

SUBTEST(chmod_owner, "only the owner changes modes")
{
	make_file("f", "x");
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); FAILS(chmod("f", 0777), EPERM));
	EQUAL(mode_of("f"), 0644);
}

SUBTEST(chown_sets, "chown sets owner and group")
{
	struct stat st;

	make_file("f", "x");
	OK(chown("f", OTHER, OTHER + 1));
	OK(stat("f", &st));
	EQUAL(st.st_uid, OTHER);
	EQUAL(st.st_gid, OTHER + 1);
}

SUBTEST(sticky, "in a sticky directory others' files can not be removed")
{
	OK(mkdir("d", 0777));
	OK(chmod("d", 01777));
	make_file("d/f", "x");
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); FAILS(unlink("d/f"), EPERM));
	HOLDS("d/f", "x");
}

SUBTEST(setgid_directory, "a file made in a set-group-ID directory takes its group")
{
	struct stat st;

	OK(mkdir("d", 0755));
	OK(chown("d", 0, OTHER));
	OK(chmod("d", 02755));
	make_file("d/f", "x");
	OK(stat("d/f", &st));
	EQUAL(st.st_gid, OTHER);
}

SUBTEST(suid_write, "a write by another user clears set-user-ID and set-group-ID")
{
	make_file("f", "xxxx");
	OK(chmod("f", 06777));
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); int fd = OK(open("f", O_WRONLY)); EQUAL(write(fd, "y", 1), 1); OK(close(fd)));
	EQUAL(mode_of("f"), 0777);
}

SUBTEST(suid_truncate, "a truncate by another user clears set-user-ID and set-group-ID")
{
	make_file("f", "xxxx");
	OK(chmod("f", 06777));
	OK(chmod(".", 0755));
	IN_CHILD(become_other(); OK(truncate("f", 1)));
	EQUAL(mode_of("f"), 0777);
}

SUBTEST(suid_chown, "chown clears set-user-ID and set-group-ID")
{
	make_file("f", "x");
	OK(chmod("f", 06777));
	OK(chown("f", OTHER, OTHER));
	EQUAL(mode_of("f"), 0777);
}

SUBTEST(root_keeps_suid, "a write by root keeps the bits")
{
	int fd;

	make_file("f", "xxxx");
	OK(chmod("f", 06755));
	fd = OK(open("f", O_WRONLY));
	EQUAL(write(fd, "y", 1), 1);
	OK(close(fd));
	EQUAL(mode_of("f"), 06755);
}

KTAP_MAIN
