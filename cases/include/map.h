/* SPDX-License-Identifier: GPL-2.0-only */
/* What the mapping cases share: files of a known byte, mapped shared and writable. */
#ifndef FUSELAGE_MAP_H
#define FUSELAGE_MAP_H

#include "ktap.h"

#define PAGE 4096L

struct mapped {
	int fd;
	unsigned char *base;
	size_t length;
};

static void __attribute__((unused)) fill(int fd, int byte, off_t offset, size_t length)
{
	char *buffer = malloc(length);

	memset(buffer, byte, length);
	EQUAL(pwrite(fd, buffer, length, offset), length);
	free(buffer);
}

static unsigned char __attribute__((unused)) *map_again(const struct mapped *m, int protection)
{
	void *base = mmap(NULL, m->length, protection, MAP_SHARED, m->fd, 0);

	if (base == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	return base;
}

/* "f" of `length` bytes, all zero and none written. */
static struct mapped __attribute__((unused)) map_hole(size_t length)
{
	struct mapped m = { .length = length };

	m.fd = OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
	OK(ftruncate(m.fd, length));
	m.base = map_again(&m, PROT_READ | PROT_WRITE);
	return m;
}

/* "f" of `length` bytes, all `byte`. */
static struct mapped __attribute__((unused)) map_new(size_t length, int byte)
{
	struct mapped m = map_hole(length);

	fill(m.fd, byte, 0, length);
	return m;
}

/* Brings every page in, so that what comes after meets a page that is there. */
static void __attribute__((unused)) touch_all(const struct mapped *m)
{
	volatile unsigned char sum = 0;

	for (size_t at = 0; at < m->length; at += PAGE)
		sum += m->base[at];
}

/* The byte at `offset` of the file, read through a descriptor of its own. */
#define HOLDS_BYTE(name, offset, expected)                                     \
	do {                                                                   \
		unsigned char ktap_byte = 0;                                   \
		int ktap_fd = OK(open(name, O_RDONLY | O_CLOEXEC));            \
		EQUAL(pread(ktap_fd, &ktap_byte, 1, offset), 1);               \
		EQUAL(ktap_byte, expected);                                    \
		close(ktap_fd);                                                \
	} while (0)

#endif
