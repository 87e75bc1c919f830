// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hands of an on-demand daemon: speaks /dev/cachefiles for a case, which decides what is answered when.
 * Commands come a line at a time on stdin and are answered by "ok VALUE" or "error ERRNO-NAME"; what the
 * kernel asks for comes in between as "event ..." lines (Documentation/filesystems/caching/cachefiles.rst,
 * "On-demand Read"; fs/cachefiles/ondemand.c).
 *
 *   write TEXT...        one command to the device: "dir /cache", "bind ondemand", "copen 3,4096", "restore"
 *   listen N             N threads (at most 8) read messages; 0 stops them
 *   pwrite FD OFF LEN PATH PATHOFF   puts a part of a file into a cache object
 *   fill FD OFF LEN BYTE SHIFT       puts bytes there, from memory SHIFT bytes beside a page's beginning
 *   cread FD ID          CACHEFILES_IOC_READ_COMPLETE
 *   seek FD OFF WHENCE   lseek of the cache object: 3 is SEEK_DATA, 4 SEEK_HOLE
 *   close FD | pid | die | quit
 *
 * With --supervised a parent process opens the device and keeps it: when the daemon dies, the parent says
 * "event died" and starts another on the same device, as a fail-over does.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lines.h"

#define MESSAGE_BYTES 1024
#define MOST_READERS 8
#define POLL_MILLISECONDS 50

enum { OPCODE_OPEN, OPCODE_CLOSE, OPCODE_READ };

/* include/uapi/linux/cachefiles.h, which 7.3 no longer has. */
struct message {
	uint32_t id;
	uint32_t opcode;
	uint32_t length;
	uint32_t object;
	unsigned char data[];
};

struct open_message {
	uint32_t volume_key_size;
	uint32_t cookie_key_size;
	uint32_t fd;
	uint32_t flags;
	unsigned char data[];
};

struct read_message {
	uint64_t offset;
	uint64_t length;
};

#define READ_COMPLETE _IOW(0x98, 1, int)

static int device = -1;
static pthread_t readers[MOST_READERS];
static int reader_count;
static volatile int listening;

static void encode(char *to, const unsigned char *bytes, size_t length)
{
	if (!length) {
		strcpy(to, "-");
		return;
	}
	for (size_t i = 0; i < length; i++)
		to += sprintf(to, bytes[i] > ' ' && bytes[i] < 0x7f && bytes[i] != '%' ? "%c" : "%%%02x", bytes[i]);
}

static void show(const struct message *message, size_t size)
{
	char volume[3 * MESSAGE_BYTES + 1], cookie[3 * MESSAGE_BYTES + 1];
	const struct open_message *open_message = (const void *)message->data;
	const struct read_message *read_message = (const void *)message->data;

	if (size < sizeof(*message) || message->length != size) {
		say("event malformed %zu\n", size);
	} else if (message->opcode == OPCODE_OPEN) {
		encode(volume, open_message->data, open_message->volume_key_size - 1);
		encode(cookie, open_message->data + open_message->volume_key_size, open_message->cookie_key_size);
		say("event open %u %u %u %u %s %s\n", message->id, message->object, open_message->fd, open_message->flags, volume, cookie);
	} else if (message->opcode == OPCODE_READ) {
		say("event read %u %u %llu %llu\n", message->id, message->object, (unsigned long long)read_message->offset,
		    (unsigned long long)read_message->length);
	} else if (message->opcode == OPCODE_CLOSE) {
		say("event close %u %u\n", message->id, message->object);
	} else {
		say("event unknown %u %u\n", message->id, message->opcode);
	}
}

static void *reader(void *unused)
{
	char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct pollfd wait = { .fd = device, .events = POLLIN };

	while (listening) {
		ssize_t size;

		if (poll(&wait, 1, POLL_MILLISECONDS) <= 0)
			continue;
		if (wait.revents & POLLERR) {
			say("event dead\n");
			break;
		}
		size = read(device, buffer, sizeof(buffer));
		if (size > 0)
			show((void *)buffer, size);
		else if (size < 0 && errno != EAGAIN && errno != EINTR)
			say("event failed %s\n", strerrorname_np(errno));
	}
	return unused;
}

static void listen_with(int count)
{
	listening = 0;
	while (reader_count > 0)
		pthread_join(readers[--reader_count], NULL);
	listening = 1;
	while (reader_count < count && !pthread_create(&readers[reader_count], NULL, reader, NULL))
		reader_count++;
	answer(reader_count);
}

static long long fill(int fd, long long offset, long long length, int byte, int shift)
{
	unsigned char *buffer = aligned(length + 4096);
	long long done = -1;

	if (buffer) {
		memset(buffer, byte, length + 4096);
		done = pwrite(fd, buffer + shift, length, offset);
		free(buffer);
	}
	return done;
}

static int act(char *line)
{
	char path[512];
	long long offset, length, other;
	int fd, number, shift;

	if (!strncmp(line, "write ", 6)) {
		answer(write(device, line + 6, strlen(line + 6)));
	} else if (sscanf(line, "listen %d", &number) == 1 && number >= 0 && number <= MOST_READERS) {
		listen_with(number);
	} else if (sscanf(line, "pwrite %d %lld %lld %511s %lld", &fd, &offset, &length, path, &other) == 5) {
		answer(copy_in(fd, offset, length, path, other, 1));
	} else if (sscanf(line, "fill %d %lld %lld %d %d", &fd, &offset, &length, &number, &shift) == 5) {
		answer(fill(fd, offset, length, number, shift));
	} else if (sscanf(line, "cread %d %d", &fd, &number) == 2) {
		answer(ioctl(fd, READ_COMPLETE, (long)number));
	} else if (sscanf(line, "seek %d %lld %d", &fd, &offset, &number) == 3) {
		answer(lseek(fd, offset, number));
	} else if (sscanf(line, "close %d", &fd) == 1) {
		answer(close(fd));
	} else {
		return act_on_itself(line);
	}
	return 1;
}

static void serve(void)
{
	char line[2048];

	while (next_line(line, sizeof(line)) && act(line))
		;
	exit(0);
}

int main(int argc, char **argv)
{
	int supervised = argc > 1 && !strcmp(argv[1], "--supervised");

	device = open("/dev/cachefiles", O_RDWR | O_CLOEXEC);
	answer(device < 0 ? -1 : getpid());
	if (device < 0)
		return 1;
	while (supervised) {
		pid_t child = fork();
		int status;

		if (!child)
			serve();
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return 1;
		if (!WIFSIGNALED(status))
			return WEXITSTATUS(status);
		say("event died\n");
	}
	serve();
	return 0;
}
