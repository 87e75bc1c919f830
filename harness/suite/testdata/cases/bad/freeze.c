// SPDX-License-Identifier: GPL-2.0-only
/* Takes every CPU at the highest real-time priority, without throttling: the guest is as good as frozen. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	const struct sched_param highest = { .sched_priority = 99 };
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);

	puts("KTAP version 1\n1..2\nok 1 before the freeze");
	fflush(stdout);
	if (write(fd, "-1", 2) != 2)
		return 1;
	usleep(300000);
	for (long cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1; cpu >= 0; cpu--) {
		cpu_set_t set;

		if (cpu && fork())
			continue;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
		sched_setscheduler(0, SCHED_FIFO, &highest);
		for (;;)
			;
	}
}
