// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does one file operation a line, as told on stdin, and answers a line each: "ok VALUE" or
 * "error ERRNO-NAME". It keeps descriptors and mappings between lines, so that a case can act from
 * several processes, guests and the host in an order that the case alone decides.
 *
 *   open H PATH FLAGS   flags: r w c (create) t (truncate) a (append) d (direct) x (exclusive)
 *   close H | pread H OFF LEN | pwrite H OFF BYTE LEN | ftruncate H LEN | fsync H | size H
 *   mmap M H OFF LEN PROT   prot: r, rw, p (private, rw)
 *   store M OFF BYTE LEN | load M OFF LEN | msync M | munmap M
 *   fill M STRIDE BYTE OFF LEN: stores a byte every STRIDE from OFF on
 *   scan M STRIDE OFF LEN: loads there, "ok SUM"
 *   lock H TYPE OFF LEN (r, w or u; fcntl, no waiting) | lockwait H TYPE OFF LEN | flock H TYPE (no waiting)
 *   preadmap H OFF M MOFF LEN: reads into a mapping | punch H OFF LEN | pid
 *   sum H OFF LEN: preads, "ok SUM" of the bytes that came | seekdata H OFF: lseek with SEEK_DATA | copyrange H OFF H2 OFF2 LEN: copy_file_range
 *   pin M OFF LEN: hands the mapping's pages to a pipe (vmsplice), which then holds references to them
 *   unpin LEN: reads so much from that pipe | register M OFF LEN: io_uring fixed buffer, then let go again
 *   become UID: another user and group for good
 *   mount SOURCE TARGET TYPE OPTIONS (read-only; "-" for no options) | umount TARGET | detach TARGET (a lazy umount)
 *   stat PATH | unlink PATH | rename OLD NEW | quit
 * "pread" and "load" answer with the run lengths of the bytes read: "ok 65x4096 0x4096".
 * A store or load that faults answers "error SIGBUS" (or SIGSEGV).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOTS 64

static int fds[SLOTS];
static struct {
	unsigned char *base;
	size_t length;
} maps[SLOTS];
static sigjmp_buf fault_return;
static int pinned[2] = { -1, -1 };

static void on_fault(int signal)
{
	siglongjmp(fault_return, signal);
}

static void answer(long long value)
{
	if (value < 0)
		printf("error %s\n", strerrorname_np(errno));
	else
		printf("ok %lld\n", value);
}

static void answer_bytes(const unsigned char *bytes, size_t length)
{
	fputs("ok", stdout);
	for (size_t start = 0; start < length;) {
		size_t end = start;

		while (end < length && bytes[end] == bytes[start])
			end++;
		printf(" %ux%zu", bytes[start], end - start);
		start = end;
	}
	putchar('\n');
}

static int open_flags(const char *letters)
{
	int flags = strchr(letters, 'w') ? O_RDWR : O_RDONLY;

	for (; *letters; letters++)
		flags |= *letters == 'c' ? O_CREAT : *letters == 't' ? O_TRUNC : *letters == 'a' ? O_APPEND :
			 *letters == 'd' ? O_DIRECT : *letters == 'x' ? O_EXCL : 0;
	return flags;
}

static void *buffer_of(size_t length)
{
	void *buffer = NULL;

	/* Page aligned, so that O_DIRECT takes it. */
	return posix_memalign(&buffer, 4096, length ? length : 1) ? NULL : buffer;
}

static void transfer(char verb, int fd, long long offset, int byte, size_t length)
{
	unsigned char *buffer = buffer_of(length);
	ssize_t done;

	if (!buffer) {
		answer(-1);
		return;
	}
	memset(buffer, byte, length);
	done = verb == 'r' ? pread(fd, buffer, length, offset) : pwrite(fd, buffer, length, offset);
	if (verb == 'r' && done >= 0)
		answer_bytes(buffer, done);
	else
		answer(done);
	free(buffer);
}

/* For what is too varied to be told in runs. */
static void sum(int fd, long long offset, size_t length)
{
	unsigned char *buffer = buffer_of(length);
	ssize_t done = buffer ? pread(fd, buffer, length, offset) : -1;
	long long total = 0;

	for (ssize_t i = 0; i < done; i++)
		total += buffer[i];
	answer(done < 0 ? -1 : total);
	free(buffer);
}

static void touch(char verb, unsigned char *at, int byte, size_t length)
{
	int signal = sigsetjmp(fault_return, 1);

	if (signal) {
		printf("error %s\n", signal == SIGBUS ? "SIGBUS" : "SIGSEGV");
		return;
	}
	if (verb == 's') {
		memset(at, byte, length);
		answer(length);
	} else {
		unsigned char *copy = buffer_of(length);

		memcpy(copy, at, length);
		answer_bytes(copy, length);
		free(copy);
	}
}

static void stride(char verb, volatile unsigned char *base, size_t length, size_t step, int byte)
{
	int signal = sigsetjmp(fault_return, 1);
	long long sum = 0;

	if (signal) {
		printf("error %s\n", signal == SIGBUS ? "SIGBUS" : "SIGSEGV");
		return;
	}
	for (size_t at = 0; at < length; at += step) {
		if (verb == 's')
			base[at] = byte;
		else
			sum += base[at];
	}
	answer(sum);
}

/* A pipe keeps the pages it was given, not copies: as good a pin as O_DIRECT's, and for as long as one likes. */
static void pin(unsigned char *at, size_t length)
{
	struct iovec pages = { .iov_base = at, .iov_len = length };

	if (pinned[0] < 0 && pipe2(pinned, O_CLOEXEC | O_NONBLOCK))
		answer(-1);
	else
		answer(vmsplice(pinned[1], &pages, 1, 0));
}

static void unpin(size_t length)
{
	unsigned char *buffer = buffer_of(length);
	ssize_t done = buffer ? read(pinned[0], buffer, length) : -1;

	if (done < 0)
		answer(-1);
	else
		answer_bytes(buffer, done);
	free(buffer);
}

static void register_buffer(unsigned char *at, size_t length)
{
	struct iovec buffer = { .iov_base = at, .iov_len = length };
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &params);

	answer(ring < 0 ? -1 : syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1));
	if (ring >= 0)
		close(ring);
}

static int act(char *line)
{
	char a[512] = "", b[512] = "", type[64] = "", options[1024] = "", verb[16] = "";
	long long offset = 0, length = 0, other = 0;
	unsigned int handle = 0, slot = 0, byte = 0;
	struct stat st;

	if (sscanf(line, "%15s", verb) != 1)
		return 1;
	if (!strcmp(verb, "quit"))
		return 0;
	if (sscanf(line, "open %u %511s %511s", &handle, a, b) == 3 && handle < SLOTS) {
		answer(fds[handle] = open(a, open_flags(b) | O_CLOEXEC, 0644));
	} else if (sscanf(line, "close %u", &handle) == 1 && handle < SLOTS) {
		answer(close(fds[handle]));
	} else if (sscanf(line, "pread %u %lld %lld", &handle, &offset, &length) == 3 && handle < SLOTS) {
		transfer('r', fds[handle], offset, 0, length);
	} else if (sscanf(line, "pwrite %u %lld %u %lld", &handle, &offset, &byte, &length) == 4 && handle < SLOTS) {
		transfer('w', fds[handle], offset, byte, length);
	} else if (sscanf(line, "ftruncate %u %lld", &handle, &length) == 2 && handle < SLOTS) {
		answer(ftruncate(fds[handle], length));
	} else if (sscanf(line, "fsync %u", &handle) == 1 && handle < SLOTS) {
		answer(fsync(fds[handle]));
	} else if (sscanf(line, "size %u", &handle) == 1 && handle < SLOTS) {
		answer(fstat(fds[handle], &st) ? -1 : st.st_size);
	} else if (sscanf(line, "mmap %u %u %lld %lld %3s", &slot, &handle, &offset, &length, a) == 5 &&
		   handle < SLOTS && slot < SLOTS) {
		void *base = mmap(NULL, length, a[0] == 'r' && !a[1] ? PROT_READ : PROT_READ | PROT_WRITE,
				  a[0] == 'p' ? MAP_PRIVATE : MAP_SHARED, fds[handle], offset);

		maps[slot].base = base == MAP_FAILED ? NULL : base;
		maps[slot].length = length;
		answer(base == MAP_FAILED ? -1 : 0);
	} else if (sscanf(line, "store %u %lld %u %lld", &slot, &offset, &byte, &length) == 4 && slot < SLOTS) {
		touch('s', maps[slot].base + offset, byte, length);
	} else if (sscanf(line, "load %u %lld %lld", &slot, &offset, &length) == 3 && slot < SLOTS) {
		touch('l', maps[slot].base + offset, 0, length);
	} else if (sscanf(line, "fill %u %lld %u %lld %lld", &slot, &other, &byte, &offset, &length) == 5 &&
		   slot < SLOTS && other > 0) {
		stride('s', maps[slot].base + offset, length, other, byte);
	} else if (sscanf(line, "scan %u %lld %lld %lld", &slot, &other, &offset, &length) == 4 && slot < SLOTS && other > 0) {
		stride('l', maps[slot].base + offset, length, other, 0);
	} else if (sscanf(line, "preadmap %u %lld %u %lld %lld", &handle, &offset, &slot, &other, &length) == 5 &&
		   handle < SLOTS && slot < SLOTS) {
		answer(pread(fds[handle], maps[slot].base + other, length, offset));
	} else if (sscanf(line, "punch %u %lld %lld", &handle, &offset, &length) == 3 && handle < SLOTS) {
		answer(fallocate(fds[handle], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
	} else if ((sscanf(line, "lock %u %3s %lld %lld", &handle, a, &offset, &length) == 4 ||
		    sscanf(line, "lockwait %u %3s %lld %lld", &handle, a, &offset, &length) == 4) && handle < SLOTS) {
		struct flock lock = {
			.l_type = a[0] == 'r' ? F_RDLCK : a[0] == 'w' ? F_WRLCK : F_UNLCK,
			.l_whence = SEEK_SET, .l_start = offset, .l_len = length,
		};

		answer(fcntl(fds[handle], verb[4] ? F_SETLKW : F_SETLK, &lock));
	} else if (sscanf(line, "flock %u %3s", &handle, a) == 2 && handle < SLOTS) {
		answer(flock(fds[handle], (a[0] == 'r' ? LOCK_SH : a[0] == 'w' ? LOCK_EX : LOCK_UN) | LOCK_NB));
	} else if (sscanf(line, "copyrange %u %lld %u %lld %lld", &handle, &offset, &slot, &other, &length) == 5 &&
		   handle < SLOTS && slot < SLOTS) {
		off64_t from = offset, to = other;

		answer(copy_file_range(fds[handle], &from, fds[slot], &to, length, 0));
	} else if (sscanf(line, "sum %u %lld %lld", &handle, &offset, &length) == 3 && handle < SLOTS) {
		sum(fds[handle], offset, length);
	} else if (sscanf(line, "seekdata %u %lld", &handle, &offset) == 2 && handle < SLOTS) {
		answer(lseek(fds[handle], offset, SEEK_DATA));
	} else if (sscanf(line, "pin %u %lld %lld", &slot, &offset, &length) == 3 && slot < SLOTS) {
		pin(maps[slot].base + offset, length);
	} else if (sscanf(line, "unpin %lld", &length) == 1) {
		unpin(length);
	} else if (sscanf(line, "register %u %lld %lld", &slot, &offset, &length) == 3 && slot < SLOTS) {
		register_buffer(maps[slot].base + offset, length);
	} else if (!strcmp(verb, "pid")) {
		answer(getpid());
	} else if (sscanf(line, "msync %u", &slot) == 1 && slot < SLOTS) {
		answer(msync(maps[slot].base, maps[slot].length, MS_SYNC));
	} else if (sscanf(line, "munmap %u", &slot) == 1 && slot < SLOTS) {
		answer(munmap(maps[slot].base, maps[slot].length));
	} else if (sscanf(line, "become %u", &handle) == 1) {
		answer(setresgid(handle, handle, handle) || setresuid(handle, handle, handle) ? -1 : 0);
	} else if (sscanf(line, "mount %511s %511s %63s %1023s", a, b, type, options) == 4) {
		answer(mount(a, b, type, MS_RDONLY, strcmp(options, "-") ? options : NULL));
	} else if (sscanf(line, "umount %511s", a) == 1) {
		answer(umount(a));
	} else if (sscanf(line, "detach %511s", a) == 1) {
		answer(umount2(a, MNT_DETACH));
	} else if (sscanf(line, "stat %511s", a) == 1) {
		answer(stat(a, &st) ? -1 : st.st_size);
	} else if (sscanf(line, "unlink %511s", a) == 1) {
		answer(unlink(a));
	} else if (sscanf(line, "rename %511s %511s", a, b) == 2) {
		answer(rename(a, b));
	} else {
		puts("error EPROTO");
	}
	return 1;
}

int main(void)
{
	char line[2048];
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) && act(line))
		;
	return 0;
}
