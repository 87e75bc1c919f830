// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's process 1 after init: a byte to a serial line four times a second, at real-time priority
 * and with no page that could be missing, so that silence means that the kernel no longer schedules.
 * Reaps orphans, as process 1 must.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const struct timespec period = { .tv_nsec = 250 * 1000 * 1000 };
	const struct sched_param priority = { .sched_priority = 50 };
	int fd = open(argc > 1 ? argv[1] : "/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	mlockall(MCL_CURRENT | MCL_FUTURE);
	sched_setscheduler(0, SCHED_FIFO, &priority);
	for (;;) {
		if (fd >= 0 && write(fd, ".", 1) != 1)
			fd = -1;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&period, NULL);
	}
}
