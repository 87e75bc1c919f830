// SPDX-License-Identifier: GPL-2.0-only
/* Writes 512 KiB to the console: slow for the guest, bounded for the host, and no failure. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	static char line[1024];
	int fd = open("/dev/console", O_WRONLY);

	memset(line, 'f', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	puts("KTAP version 1\n1..1");
	for (int i = 0; i < 512; i++)
		if (write(fd, line, sizeof(line)) != sizeof(line))
			return 1;
	puts("ok 1 flooded");
	return 0;
}
