// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty mapped pages: msync(2) and its errors, and that neither memory reclaim nor advice loses a store.
 */
#include "map.h"

static void drop_caches(void)
{
	int fd = OK(open("/proc/sys/vm/drop_caches", O_WRONLY));

	EQUAL(write(fd, "3", 1), 1);
	OK(close(fd));
}

SUBTEST(sync_read, "what was msync'ed is read back after the caches are dropped")
{
	struct mapped m = map_new(8 * PAGE, 'a');

	memset(m.base, 'b', 8 * PAGE);
	OK(msync(m.base, m.length, MS_SYNC));
	OK(munmap(m.base, m.length));
	drop_caches();
	m.base = map_again(&m, PROT_READ);
	ALL_BYTES(m.base, 'b', 8 * PAGE);
}

SUBTEST(drop_dirty, "dropping caches does not lose a dirty mapped page")
{
	struct mapped m = map_new(8 * PAGE, 'a');

	memset(m.base, 'b', 8 * PAGE);
	drop_caches();
	ALL_BYTES(m.base, 'b', 8 * PAGE);
}

SUBTEST(unmapped_dirty, "a dirty page that is no longer mapped is not lost either")
{
	struct mapped m = map_new(8 * PAGE, 'a');

	memset(m.base, 'b', 8 * PAGE);
	OK(munmap(m.base, m.length));
	drop_caches();
	m.base = map_again(&m, PROT_READ);
	ALL_BYTES(m.base, 'b', 8 * PAGE);
}

SUBTEST(dontneed, "MADV_DONTNEED of a shared mapping loses nothing")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	memset(m.base, 'b', 4 * PAGE);
	OK(madvise(m.base, m.length, MADV_DONTNEED));
	ALL_BYTES(m.base, 'b', 4 * PAGE);
}

SUBTEST(fadvise, "POSIX_FADV_DONTNEED after a sync refaults the same bytes")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	memset(m.base + PAGE, 'b', PAGE);
	OK(fsync(m.fd));
	EQUAL(posix_fadvise(m.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	ALL_BYTES(m.base, 'a', PAGE);
	ALL_BYTES(m.base + PAGE, 'b', PAGE);
}

SUBTEST(errors, "msync refuses an unaligned address and memory that is not mapped")
{
	struct mapped m = map_new(PAGE, 'a');

	FAILS(msync(m.base + 1, PAGE, MS_SYNC), EINVAL);
	FAILS(msync(m.base, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	OK(munmap(m.base, PAGE));
	FAILS(msync(m.base, PAGE, MS_SYNC), ENOMEM);
}

SUBTEST(mtime, "a store and msync update mtime")
{
	const struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	struct mapped m = map_new(PAGE, 'a');
	struct stat st;

	OK(fsync(m.fd));
	OK(futimens(m.fd, old));
	m.base[0] = 'b';
	OK(msync(m.base, PAGE, MS_SYNC));
	OK(fstat(m.fd, &st));
	TRUE(st.st_mtim.tv_sec > 1700000000);
}

KTAP_MAIN
