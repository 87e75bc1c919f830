// SPDX-License-Identifier: GPL-2.0-only
/*
 * Truncation and mappings: pages past the end are gone (SIGBUS), the tail of the last page is zero, and
 * nothing that was cut off ever comes back.
 */
#include "map.h"

SUBTEST(past_end, "a load past the last page is SIGBUS")
{
	struct mapped m = map_new(PAGE, 'a');
	unsigned char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);

	TRUE(two != MAP_FAILED);
	EQUAL(two[PAGE - 1], 'a');
	DIES_BY(SIGBUS, *(volatile char *)(two + PAGE));
	DIES_BY(SIGBUS, two[PAGE] = 'x');
	proof("sigbus", 2);
}

SUBTEST(tail_zero, "the tail of the last page is zero")
{
	struct mapped m = map_new(PAGE, 'a');

	OK(ftruncate(m.fd, 100));
	ALL_BYTES(m.base, 'a', 100);
	ALL_BYTES(m.base + 100, 0, PAGE - 100);
}

SUBTEST(shrink_unmaps, "pages that a truncate cuts off are gone from the mapping")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	touch_all(&m);
	OK(ftruncate(m.fd, PAGE));
	EQUAL(m.base[PAGE - 1], 'a');
	DIES_BY(SIGBUS, *(volatile char *)(m.base + PAGE));
	DIES_BY(SIGBUS, *(volatile char *)(m.base + 3 * PAGE));
}

SUBTEST(down_and_up, "after down and up the mapping shows zeros")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	touch_all(&m);
	OK(ftruncate(m.fd, 10));
	OK(ftruncate(m.fd, 4 * PAGE));
	ALL_BYTES(m.base, 'a', 10);
	ALL_BYTES(m.base + 10, 0, 4 * PAGE - 10);
}

SUBTEST(stale_tail, "a store past the end never surfaces when the file grows")
{
	struct mapped m = map_new(PAGE, 'a');
	unsigned char buffer[PAGE];

	OK(ftruncate(m.fd, 100));
	m.base[200] = 'x';
	OK(ftruncate(m.fd, PAGE));
	EQUAL(pread(m.fd, buffer, PAGE, 0), PAGE);
	ALL_BYTES(buffer + 100, 0, PAGE - 100);
}

SUBTEST(stale_tail_write, "a store past the end never surfaces when a write grows the file")
{
	struct mapped m = map_new(PAGE, 'a');
	unsigned char buffer[PAGE];

	OK(ftruncate(m.fd, 100));
	m.base[200] = 'x';
	EQUAL(pwrite(m.fd, "y", 1, 1000), 1);
	EQUAL(pread(m.fd, buffer, 1001, 0), 1001);
	ALL_BYTES(buffer + 100, 0, 900);
}

SUBTEST(grow_visible, "a file that grows can be touched where it could not before")
{
	struct mapped m = map_new(PAGE, 'a');
	unsigned char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);

	TRUE(two != MAP_FAILED);
	OK(ftruncate(m.fd, 2 * PAGE));
	EQUAL(two[PAGE], 0);
	two[PAGE] = 'b';
	HOLDS_BYTE("f", PAGE, 'b');
}

SUBTEST(punch, "a punched hole shows as zeros in the mapping")
{
	struct mapped m = map_new(3 * PAGE, 'a');

	touch_all(&m);
	if (fallocate(m.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE)) {
		if (errno == EOPNOTSUPP)
			SKIP("no hole punching here");
		FAIL("fallocate: %s", strerror(errno));
	}
	ALL_BYTES(m.base, 'a', PAGE);
	ALL_BYTES(m.base + PAGE, 0, PAGE);
	ALL_BYTES(m.base + 2 * PAGE, 'a', PAGE);
}

SUBTEST(dirty_cut, "a dirty page that is cut off does not come back")
{
	struct mapped m = map_new(2 * PAGE, 'a');

	memset(m.base + PAGE, 'd', PAGE);
	OK(ftruncate(m.fd, PAGE));
	OK(fsync(m.fd));
	OK(ftruncate(m.fd, 2 * PAGE));
	ALL_BYTES(m.base + PAGE, 0, PAGE);
}

KTAP_MAIN
