// SPDX-License-Identifier: GPL-2.0-only
/*
 * tree-compare ROOT MANIFEST
 * Compares a mounted tree with what it was made from (manifestOf() in harness/erofs/tree.ts): every name,
 * type, mode, owner, time, link count, size, device number, target, xattr and byte, and that there is nothing
 * else. A line for each difference (fifty at most), then "entries N bytes N xattrs N differences N".
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK 4096
#define MOST_SHOWN 50
#define CHUNK (64 * BLOCK)

static long long entries, bytes, xattrs, differences, seen;
static char current[8192];

static void differs(const char *format, ...)
{
	va_list args;

	if (differences++ >= MOST_SHOWN)
		return;
	printf("differs %s: ", current[0] ? current : ".");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void *reserve(size_t size)
{
	void *memory = malloc(size);

	if (!memory) {
		puts("out of memory");
		exit(2);
	}
	return memory;
}

/* In place: "%2f" becomes "/", and "-" alone nothing. */
static char *decode(char *text)
{
	char *to = text;

	if (!strcmp(text, "-"))
		*text = 0;
	for (char *from = text; *from; to++) {
		unsigned int byte;

		if (*from == '%' && sscanf(from + 1, "%2x", &byte) == 1) {
			*to = byte;
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
	return text;
}

/* seededBytes() in harness/erofs/content.ts makes the same. */
static void seeded(unsigned char *block, uint32_t seed, uint64_t index)
{
	uint32_t state = seed * 0x9e3779b1u ^ (uint32_t)(index + 1) * 0x85ebca6bu;

	for (int at = 0; at < BLOCK; at += 4) {
		state = state * 1664525u + 1013904223u;
		memcpy(block + at, &state, 4);
	}
}

/* Puts what a segment has of [start, start + length) where it belongs in `expected`. */
static void overlay(unsigned char *expected, uint64_t start, size_t length, uint64_t offset, uint64_t size, uint32_t seed, int guest_file)
{
	uint64_t from = offset > start ? offset : start;
	uint64_t to = offset + size < start + length ? offset + size : start + length;

	if (from >= to)
		return;
	if (guest_file >= 0) {
		if (pread(guest_file, expected + (from - start), to - from, from - offset) != (ssize_t)(to - from))
			differs("the guest's own copy is shorter");
		return;
	}
	while (from < to) {
		unsigned char block[BLOCK];
		size_t skip = from % BLOCK, part = BLOCK - skip < to - from ? BLOCK - skip : to - from;

		seeded(block, seed, from / BLOCK);
		memcpy(expected + (from - start), block + skip, part);
		from += part;
	}
}

struct segment {
	unsigned long long offset, length;
	uint32_t seed;
	int file;
};

static void compare_content(const char *path, unsigned long long size, const struct segment *segments, int count)
{
	unsigned char *expected = reserve(CHUNK), *got = reserve(CHUNK);
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		differs("open: %s", strerror(errno));
	} else {
		for (unsigned long long at = 0; at < size + 1; at += CHUNK) {
			size_t wanted = size - at < CHUNK ? size - at : CHUNK, have = 0;
			ssize_t done;

			/* A read that meets an error on its way says first how far it came. */
			while ((done = pread(fd, got + have, CHUNK - have, at + have)) > 0 && have + done < CHUNK)
				have += done;
			have += done > 0 ? done : 0;
			if (have > wanted)
				have = wanted;
			memset(expected, 0, wanted);
			for (int i = 0; i < count; i++)
				overlay(expected, at, wanted, segments[i].offset, segments[i].length, segments[i].seed, segments[i].file);
			bytes += have;
			for (size_t i = memcmp(expected, got, have) ? 0 : have; i < have; i++) {
				if (expected[i] == got[i])
					continue;
				differs("byte %llu is %u instead of %u", at + i, got[i], expected[i]);
				at = size;
				break;
			}
			if (done < 0) {
				differs("read at %llu: %s", at + have, strerror(errno));
				break;
			}
			if (have != wanted && at < size) {
				differs("%llu bytes instead of %llu", at + have, size);
				break;
			}
		}
		close(fd);
	}
	free(expected);
	free(got);
}

static int hex(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0' : digit - 'a' + 10;
}

static void compare_xattr(const char *path, const char *name, const char *value)
{
	char got[65536];
	ssize_t size = lgetxattr(path, name, got, sizeof(got));
	size_t length = strcmp(value, "-") ? strlen(value) / 2 : 0;

	xattrs++;
	if (size < 0) {
		differs("xattr %s: %s", name, strerror(errno));
		return;
	}
	if ((size_t)size != length) {
		differs("xattr %s has %zd bytes instead of %zu", name, size, length);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)got[i] == hex(value[2 * i]) * 16 + hex(value[2 * i + 1]))
			continue;
		differs("xattr %s, byte %zu", name, i);
		break;
	}
}

static int count_xattrs(const char *path)
{
	char list[65536];
	ssize_t size = llistxattr(path, list, sizeof(list));
	int count = 0;

	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	for (char *name = list; name < list + size; name += strlen(name) + 1)
		count++;
	return count;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)path;
	(void)st;
	(void)where;
	if (type == FTW_DNR || type == FTW_NS)
		differs("%s can not be read: %s", path, strerror(errno));
	seen++;
	return 0;
}

static mode_t type_of(char letter)
{
	return letter == 'd' ? S_IFDIR : letter == 'f' ? S_IFREG : letter == 'l' ? S_IFLNK :
	       letter == 'c' ? S_IFCHR : letter == 'b' ? S_IFBLK : S_IFIFO;
}

static void compare_entry(const char *root, FILE *manifest, char *line)
{
	static char name[8192], target[8192], path[16384], link[8192];
	unsigned int mode, uid, gid, nsec, nlink, major_number, minor_number;
	long long mtime, size;
	int xattr_count, segment_count;
	char letter;
	struct stat st;
	struct segment *segments;
	char *rest = NULL;
	size_t capacity = 0;

	if (sscanf(line, "e %8191s %c %u %u %u %lld %u %u %lld %u %u %8191s %d %d", name, &letter, &mode, &uid, &gid, &mtime, &nsec,
		   &nlink, &size, &major_number, &minor_number, target, &xattr_count, &segment_count) != 14) {
		printf("the manifest has a line that is none: %s", line);
		exit(2);
	}
	snprintf(current, sizeof(current), "%s", decode(name));
	decode(target);
	snprintf(path, sizeof(path), "%s/%s", root, name);
	entries++;
	if (lstat(path, &st)) {
		differs("%s", strerror(errno));
		memset(&st, 0, sizeof(st));
	} else {
		if ((st.st_mode & S_IFMT) != type_of(letter))
			differs("type %o", st.st_mode & S_IFMT);
		if ((st.st_mode & 07777) != mode)
			differs("mode %o instead of %o", st.st_mode & 07777, mode);
		if (st.st_uid != uid || st.st_gid != gid)
			differs("owner %u:%u instead of %u:%u", st.st_uid, st.st_gid, uid, gid);
		if (st.st_mtim.tv_sec != mtime || st.st_mtim.tv_nsec != nsec)
			differs("mtime %lld.%09ld instead of %lld.%09u", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, mtime, nsec);
		if (nlink && st.st_nlink != nlink)
			differs("%u links instead of %u", (unsigned int)st.st_nlink, nlink);
		if ((letter == 'f' || letter == 'l') && st.st_size != size)
			differs("size %lld instead of %lld", (long long)st.st_size, size);
		if ((letter == 'c' || letter == 'b') && st.st_rdev != makedev(major_number, minor_number))
			differs("device %u:%u", major(st.st_rdev), minor(st.st_rdev));
		if (letter == 'l') {
			ssize_t length = readlink(path, link, sizeof(link) - 1);

			link[length < 0 ? 0 : length] = 0;
			if (strcmp(link, target))
				differs("target %s", length < 0 ? strerror(errno) : link);
		}
		if (count_xattrs(path) != xattr_count)
			differs("%d xattrs instead of %d", count_xattrs(path), xattr_count);
	}
	segments = reserve((segment_count + 1) * sizeof(*segments));
	for (int i = 0; i < xattr_count + segment_count; i++) {
		static char word[8192], value[140000];
		struct segment one = { .file = -1 };

		if (getline(&rest, &capacity, manifest) < 0)
			break;
		if (sscanf(rest, "x %8191s %139999s", word, value) == 2) {
			compare_xattr(path, decode(word), value);
		} else if (sscanf(rest, "s %llu %llu %u", &one.offset, &one.length, &one.seed) == 3) {
			segments[i - xattr_count] = one;
		} else if (sscanf(rest, "g %llu %llu %8191s", &one.offset, &one.length, word) == 3) {
			one.file = open(decode(word), O_RDONLY);
			segments[i - xattr_count] = one;
		}
	}
	if (letter == 'f' && S_ISREG(st.st_mode))
		compare_content(path, size, segments, segment_count);
	for (int i = 0; i < segment_count; i++)
		if (segments[i].file >= 0)
			close(segments[i].file);
	free(segments);
	free(rest);
}

int main(int argc, char **argv)
{
	FILE *manifest = argc == 3 ? fopen(argv[2], "r") : NULL;
	char *line = NULL;
	size_t capacity = 0;

	if (!manifest) {
		fprintf(stderr, "usage: tree-compare ROOT MANIFEST\n");
		return 2;
	}
	while (getline(&line, &capacity, manifest) > 0)
		compare_entry(argv[1], manifest, line);
	current[0] = 0;
	if (nftw(argv[1], visit, 32, FTW_PHYS))
		differs("walk: %s", strerror(errno));
	if (seen != entries)
		differs("%lld entries instead of %lld", seen, entries);
	printf("entries %lld bytes %lld xattrs %lld differences %lld\n", entries, bytes, xattrs, differences);
	return differences != 0;
}
