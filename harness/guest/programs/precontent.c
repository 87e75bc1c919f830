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
#include <poll.h>
#include <stdint.h>
#include <sys/fanotify.h>

#include "lines.h"

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif
#ifndef FAN_EVENT_INFO_TYPE_RANGE
#define FAN_EVENT_INFO_TYPE_RANGE 6
#endif
#define POLL_MILLISECONDS 50

/* struct fanotify_event_info_range of include/uapi/linux/fanotify.h. */
struct range_info {
	struct fanotify_event_info_header header;
	uint32_t pad;
	uint64_t offset;
	uint64_t count;
};

static int group = -1;
static pthread_t thread;
static volatile int listening;

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
		answer(copy_in(fd, offset, length, path, other, 0));
	} else if (sscanf(line, "allow %d", &fd) == 1) {
		answer(respond(fd, FAN_ALLOW));
	} else if (sscanf(line, "deny %d %d", &fd, &number) == 2) {
		/* FAN_DENY_ERRNO(): the errno lies in the uppermost byte. */
		answer(respond(fd, FAN_DENY | (uint32_t)number << 24));
	} else {
		return act_on_itself(line);
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
	while (next_line(line, sizeof(line)) && act(line))
		;
	return 0;
}
