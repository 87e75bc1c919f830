// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended attributes: what setxattr's flags promise, sizes up to the limit, complete lists, and that an
 * ACL of the mode's meaning shows in the mode.
 */
#include "ktap.h"
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

static void attributed(void)
{
	make_file("f", "x");
	if (setxattr("f", "user.probe", "1", 1, 0) && errno == EOPNOTSUPP)
		SKIP("no user attributes here");
	OK(removexattr("f", "user.probe"));
}

SUBTEST(round_trip, "a value comes back as it was set")
{
	char value[16] = "";

	attributed();
	OK(setxattr("f", "user.a", "hello\0world", 11, 0));
	EQUAL(getxattr("f", "user.a", value, sizeof(value)), 11);
	TRUE(!memcmp(value, "hello\0world", 11));
}

SUBTEST(create, "XATTR_CREATE refuses an existing attribute")
{
	char value[4];

	attributed();
	OK(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
	FAILS(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
	EQUAL(getxattr("f", "user.a", value, sizeof(value)), 1);
	EQUAL(value[0], '1');
}

SUBTEST(replace, "XATTR_REPLACE needs an existing attribute")
{
	attributed();
	FAILS(setxattr("f", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
	OK(setxattr("f", "user.a", "1", 1, 0));
	OK(setxattr("f", "user.a", "2", 1, XATTR_REPLACE));
}

SUBTEST(sizes, "sizes can be asked for, and a small buffer is ERANGE")
{
	char small[2];

	attributed();
	OK(setxattr("f", "user.a", "12345", 5, 0));
	EQUAL(getxattr("f", "user.a", NULL, 0), 5);
	FAILS(getxattr("f", "user.a", small, sizeof(small)), ERANGE);
}

SUBTEST(empty, "an empty value is a value")
{
	attributed();
	OK(setxattr("f", "user.a", "", 0, 0));
	EQUAL(getxattr("f", "user.a", NULL, 0), 0);
}

SUBTEST(missing, "an attribute that is not there is ENODATA")
{
	attributed();
	FAILS(getxattr("f", "user.none", NULL, 0), ENODATA);
	FAILS(removexattr("f", "user.none"), ENODATA);
}

SUBTEST(list, "the list is complete")
{
	char list[1024], name[32];
	int found = 0;
	ssize_t length;

	attributed();
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user.n%02d", i);
		OK(setxattr("f", name, "v", 1, 0));
	}
	length = OK(listxattr("f", list, sizeof(list)));
	for (char *at = list; at < list + length; at += strlen(at) + 1)
		found += !strncmp(at, "user.n", 6);
	EQUAL(found, 20);
}

SUBTEST(too_large, "a value over 64 KiB is refused")
{
	static char value[65537];

	attributed();
	TRUE(setxattr("f", "user.a", value, sizeof(value), 0) == -1 && (errno == E2BIG || errno == ENOSPC));
}

SUBTEST(ctime, "setting an attribute updates ctime")
{
	struct stat before, after;

	attributed();
	OK(stat("f", &before));
	usleep(20000);
	OK(setxattr("f", "user.a", "1", 1, 0));
	OK(stat("f", &after));
	TRUE(after.st_ctim.tv_sec > before.st_ctim.tv_sec || after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
}

SUBTEST(acl_mode, "an access ACL shows in the group bits of the mode")
{
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[5];
	} acl = {
		.header = { .a_version = POSIX_ACL_XATTR_VERSION },
		.entries = {
			{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
			{ ACL_USER, 7, 12345 },
			{ ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
			{ ACL_MASK, 5, ACL_UNDEFINED_ID },
			{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
		},
	};
	struct stat st;

	make_file("f", "x");
	if (setxattr("f", "system.posix_acl_access", &acl, sizeof(acl), 0) && errno == EOPNOTSUPP)
		SKIP("no ACLs here");
	OK(getxattr("f", "system.posix_acl_access", NULL, 0));
	OK(stat("f", &st));
	EQUAL(st.st_mode & 0777, 0650);
}

KTAP_MAIN
