// SPDX-License-Identifier: GPL-2.0-only
/* One result, then a kernel panic. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	puts("KTAP version 1\n1..2\nok 1 before the panic");
	fflush(stdout);
	usleep(300000);
	return write(fd, "c", 1) != 1;
}
