// SPDX-License-Identifier: GPL-2.0-only
/*
 * One client: a MAP_SHARED mapping and read(2)/write(2) on the same file are two views of one content,
 * in both directions, at page edges and across processes.
 */
#include "map.h"

SUBTEST(store_pread, "a store is seen by pread")
{
	struct mapped m = map_new(4 * PAGE, 'a');
	unsigned char buffer[PAGE];

	memset(m.base + PAGE, 'b', PAGE);
	EQUAL(pread(m.fd, buffer, PAGE, PAGE), PAGE);
	ALL_BYTES(buffer, 'b', PAGE);
	proof("mapped-bytes", PAGE);
}

SUBTEST(pwrite_load, "a pwrite is seen through the mapping")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	touch_all(&m);
	fill(m.fd, 'b', PAGE, 2 * PAGE);
	ALL_BYTES(m.base, 'a', PAGE);
	ALL_BYTES(m.base + PAGE, 'b', 2 * PAGE);
	ALL_BYTES(m.base + 3 * PAGE, 'a', PAGE);
	proof("mapped-bytes", 4 * PAGE);
}

SUBTEST(page_edge, "a write across a page edge is seen on both sides")
{
	struct mapped m = map_new(2 * PAGE, 'a');

	touch_all(&m);
	fill(m.fd, 'b', PAGE - 3, 6);
	ALL_BYTES(m.base + PAGE - 3, 'b', 6);
	EQUAL(m.base[PAGE - 4], 'a');
	EQUAL(m.base[PAGE + 3], 'a');
}

SUBTEST(store_read_back, "a store survives munmap and close")
{
	struct mapped m = map_new(2 * PAGE, 'a');
	unsigned char buffer[2 * PAGE];
	int fd;

	memset(m.base, 'z', 2 * PAGE);
	OK(munmap(m.base, m.length));
	OK(close(m.fd));
	fd = OK(open("f", O_RDONLY));
	EQUAL(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	ALL_BYTES(buffer, 'z', sizeof(buffer));
}

SUBTEST(after_close, "the mapping outlives the descriptor")
{
	struct mapped m = map_new(PAGE, 'a');

	OK(close(m.fd));
	EQUAL(m.base[0], 'a');
	m.base[0] = 'b';
	EQUAL(m.base[0], 'b');
	HOLDS_BYTE("f", 0, 'b');
}

SUBTEST(after_unlink, "the mapping outlives the name")
{
	struct mapped m = map_new(PAGE, 'a');

	OK(unlink("f"));
	m.base[1] = 'b';
	EQUAL(m.base[0], 'a');
	EQUAL(m.base[1], 'b');
	OK(msync(m.base, PAGE, MS_SYNC));
}

SUBTEST(after_rename, "the mapping follows the inode through a rename")
{
	struct mapped m = map_new(PAGE, 'a');

	OK(rename("f", "g"));
	m.base[0] = 'b';
	OK(msync(m.base, PAGE, MS_SYNC));
	HOLDS_BYTE("g", 0, 'b');
}

SUBTEST(two_maps, "two mappings of one file are one memory")
{
	struct mapped m = map_new(2 * PAGE, 'a');
	unsigned char *second = map_again(&m, PROT_READ | PROT_WRITE);

	m.base[10] = 'b';
	EQUAL(second[10], 'b');
	second[PAGE + 1] = 'c';
	EQUAL(m.base[PAGE + 1], 'c');
}

SUBTEST(read_only_then_write, "a page first read, then written, holds both")
{
	struct mapped m = map_new(2 * PAGE, 'a');

	EQUAL(m.base[PAGE], 'a');
	m.base[PAGE] = 'b';
	EQUAL(m.base[PAGE], 'b');
	EQUAL(m.base[PAGE + 1], 'a');
	HOLDS_BYTE("f", PAGE, 'b');
}

SUBTEST(source_mapped, "write(2) from a mapping of the same file")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	memset(m.base, 'b', PAGE);
	EQUAL(pwrite(m.fd, m.base, PAGE, 2 * PAGE), PAGE);
	ALL_BYTES(m.base + 2 * PAGE, 'b', PAGE);
}

SUBTEST(target_mapped, "read(2) into a mapping of the same file")
{
	struct mapped m = map_new(4 * PAGE, 'a');

	fill(m.fd, 'b', 3 * PAGE, PAGE);
	EQUAL(pread(m.fd, m.base, PAGE, 3 * PAGE), PAGE);
	ALL_BYTES(m.base, 'b', PAGE);
	HOLDS_BYTE("f", PAGE - 1, 'b');
}

SUBTEST(hole, "a hole reads as zeros and takes a store")
{
	struct mapped m = map_hole(4 * PAGE);

	ALL_BYTES(m.base, 0, 4 * PAGE);
	m.base[2 * PAGE] = 'x';
	OK(msync(m.base, m.length, MS_SYNC));
	HOLDS_BYTE("f", 2 * PAGE, 'x');
	HOLDS_BYTE("f", 2 * PAGE + 1, 0);
}

SUBTEST(map_modes, "a writable shared mapping needs a descriptor open for writing")
{
	int fd;

	make_file("f", "x");
	fd = OK(open("f", O_RDONLY));
	FAILS((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	TRUE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
}

KTAP_MAIN
