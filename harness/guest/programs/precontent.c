// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hands of a listener for pre-content events (fanotify, Linux 6.14 and later), which a case steers: like
 * ondemand, commands on stdin, a line each, answered by "ok VALUE" or "error ERRNO-NAME", and events between:
 * "event access ID PID OFFSET LENGTH" for FAN_PRE_ACCESS, with the range that is about to be read.
 *
 *   mark PATH | unmark PATH | listen 0|1
 *   pwrite ID OFF LEN PATH PATHOFF   puts a part of a file into the file that the event is about
 *   allow ID | deny ID ERRNO-NUMBER (0: without one) | pid | die | quit
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif
#ifndef FAN_EVENT_INFO_TYPE_RANGE
#define FAN_EVENT_INFO_TYPE_RANGE 6
#endif
#define POLL_MILLISECONDS 50
#define PIECE (1 << 20)

/* struct fanotify_event_info_range of include/uapi/linux/fanotify.h. */
struct range_info {
	struct fanotify_event_info_header header;
	uint32_t pad;
	uint64_t offset;
	uint64_t count;
};

static int group = -1;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static volatile int listening;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	pthread_mutex_lock(&output);
	if (write(1, line, length) != length)
		exit(1);
	pthread_mutex_unlock(&output);
}

static void answer(long long value)
{
	if (value < 0)
		say("error %s\n", strerrorname_np(errno));
	else
		say("ok %lld\n", value);
}

static void show(const struct fanotify_event_metadata *event)
{
	const char *end = (const char *)event + event->event_len;
	long long offset = -1, count = -1;

	for (const char *at = (const char *)event + event->metadata_len; at + sizeof(struct fanotify_event_info_header) <= end;) {
		const struct range_info *info = (const void *)at;

		if (info->header.len == 0)
			break;
		if (info->header.info_type == FAN_EVENT_INFO_TYPE_RANGE) {
			offset = info->offset;
			count = info->count;
		}
		at += info->header.len;
	}
	say("event access %d %d %lld %lld\n", event->fd, event->pid, offset, count);
}

static void *reader(void *unused)
{
	char buffer[4096] __attribute__((aligned(8)));
	struct pollfd wait = { .fd = group, .events = POLLIN };

	while (listening) {
		const struct fanotify_event_metadata *event = (const void *)buffer;
		ssize_t size;

		if (poll(&wait, 1, POLL_MILLISECONDS) <= 0)
			continue;
		size = read(group, buffer, sizeof(buffer));
		for (; size > 0 && FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size))
			show(event);
	}
	return unused;
}

static void listen_with(int on)
{
	if (listening) {
		listening = 0;
		pthread_join(thread, NULL);
	}
	listening = on;
	answer(on && pthread_create(&thread, NULL, reader, NULL) ? -1 : on);
}

static long long copy_in(int fd, long long offset, long long length, const char *path, long long path_offset)
{
	unsigned char *buffer = malloc(PIECE);
	int source = open(path, O_RDONLY);
	long long done = 0;

	while (source >= 0 && buffer && done < length) {
		ssize_t part = pread(source, buffer, length - done < PIECE ? length - done : PIECE, path_offset + done);

		if (part <= 0)
			break;
		part = pwrite(fd, buffer, part, offset + done);
		if (part <= 0) {
			done = -1;
			break;
		}
		done += part;
	}
	if (source < 0 || !buffer)
		done = -1;
	else
		close(source);
	free(buffer);
	return done;
}

static long long respond(int fd, uint32_t response)
{
	struct fanotify_response reply = { .fd = fd, .response = response };
	ssize_t done = write(group, &reply, sizeof(reply));

	close(fd);
	return done;
}

static int act(char *line)
{
	char path[512];
	long long offset, length, other;
	int fd, number;

	if (sscanf(line, "mark %511s", path) == 1) {
		answer(fanotify_mark(group, FAN_MARK_ADD, FAN_PRE_ACCESS, AT_FDCWD, path));
	} else if (sscanf(line, "unmark %511s", path) == 1) {
		answer(fanotify_mark(group, FAN_MARK_REMOVE, FAN_PRE_ACCESS, AT_FDCWD, path));
	} else if (sscanf(line, "listen %d", &number) == 1) {
		listen_with(number);
	} else if (sscanf(line, "pwrite %d %lld %lld %511s %lld", &fd, &offset, &length, path, &other) == 5) {
		answer(copy_in(fd, offset, length, path, other));
	} else if (sscanf(line, "allow %d", &fd) == 1) {
		answer(respond(fd, FAN_ALLOW));
	} else if (sscanf(line, "deny %d %d", &fd, &number) == 2) {
		/* FAN_DENY_ERRNO(): the errno lies in the uppermost byte. */
		answer(respond(fd, FAN_DENY | (uint32_t)number << 24));
	} else if (!strcmp(line, "pid")) {
		answer(getpid());
	} else if (!strcmp(line, "die")) {
		raise(SIGKILL);
	} else if (!strcmp(line, "quit")) {
		return 0;
	} else {
		say("error EPROTO\n");
	}
	return 1;
}

int main(void)
{
	char line[2048];

	group = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDWR | O_LARGEFILE | O_CLOEXEC);
	answer(group < 0 ? -1 : getpid());
	if (group < 0)
		return 1;
	setvbuf(stdin, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!act(line))
			break;
	}
	return 0;
}
