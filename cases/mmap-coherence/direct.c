// SPDX-License-Identifier: GPL-2.0-only
/*
 * O_DIRECT beside a mapping and beside buffered I/O: a direct write is seen through the page cache, and a
 * direct read sees what the page cache holds dirty. The direct descriptor is opened before the cache is
 * filled: an open may invalidate, or write back, on its own.
 */
#include "map.h"

static void *aligned(int byte, size_t length)
{
	void *buffer = NULL;

	EQUAL(posix_memalign(&buffer, PAGE, length), 0);
	memset(buffer, byte, length);
	return buffer;
}

static int direct(const char *name)
{
	int fd = open(name, O_RDWR | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		SKIP("no O_DIRECT here");
	return OK(fd);
}

SUBTEST(write_buffered, "a direct write is seen by a buffered read")
{
	struct mapped m = map_new(4 * PAGE, 'a');
	unsigned char buffer[PAGE];
	int fd = direct("f");

	EQUAL(pread(m.fd, buffer, PAGE, PAGE), PAGE);
	EQUAL(pwrite(fd, aligned('d', PAGE), PAGE, PAGE), PAGE);
	EQUAL(pread(m.fd, buffer, PAGE, PAGE), PAGE);
	ALL_BYTES(buffer, 'd', PAGE);
	proof("direct-bytes", PAGE);
}

SUBTEST(write_mapped, "a direct write is seen through the mapping")
{
	struct mapped m = map_new(4 * PAGE, 'a');
	int fd = direct("f");

	touch_all(&m);
	EQUAL(pwrite(fd, aligned('d', PAGE), PAGE, 2 * PAGE), PAGE);
	ALL_BYTES(m.base + 2 * PAGE, 'd', PAGE);
	ALL_BYTES(m.base, 'a', 2 * PAGE);
	proof("direct-bytes", PAGE);
}

SUBTEST(read_dirty_buffered, "a direct read sees what was written buffered and not synced")
{
	struct mapped m = map_new(4 * PAGE, 'a');
	unsigned char *buffer = aligned(0, PAGE);
	int fd = direct("f");

	fill(m.fd, 'b', PAGE, PAGE);
	EQUAL(pread(fd, buffer, PAGE, PAGE), PAGE);
	ALL_BYTES(buffer, 'b', PAGE);
	proof("direct-bytes", PAGE);
}

SUBTEST(read_dirty_mapped, "a direct read sees a store that was not synced")
{
	struct mapped m = map_new(4 * PAGE, 'a');
	unsigned char *buffer = aligned(0, PAGE);
	int fd = direct("f");

	memset(m.base, 's', PAGE);
	EQUAL(pread(fd, buffer, PAGE, 0), PAGE);
	ALL_BYTES(buffer, 's', PAGE);
	proof("direct-bytes", PAGE);
}

SUBTEST(extend, "a direct write past the end grows the file")
{
	struct mapped m = map_new(PAGE, 'a');
	struct stat st;

	EQUAL(pwrite(direct("f"), aligned('d', PAGE), PAGE, 3 * PAGE), PAGE);
	OK(fstat(m.fd, &st));
	EQUAL(st.st_size, 4 * PAGE);
	HOLDS_BYTE("f", 2 * PAGE, 0);
	HOLDS_BYTE("f", 3 * PAGE, 'd');
}

SUBTEST(at_end, "a direct read at the end of the file is short, past it empty")
{
	struct mapped m = map_new(PAGE, 'a');
	unsigned char *buffer = aligned(0, 2 * PAGE);
	int fd = direct("f");

	OK(ftruncate(m.fd, PAGE + 100));
	EQUAL(pread(fd, buffer, 2 * PAGE, 0), PAGE + 100);
	EQUAL(pread(fd, buffer, PAGE, 2 * PAGE), 0);
}

SUBTEST(from_mapping, "a direct write takes its bytes from a mapping of another file")
{
	struct mapped m = map_new(PAGE, 'm');
	int fd;

	make_file("g", "");
	fd = direct("g");
	EQUAL(pwrite(fd, m.base, PAGE, 0), PAGE);
	HOLDS_BYTE("g", PAGE - 1, 'm');
}

KTAP_MAIN
