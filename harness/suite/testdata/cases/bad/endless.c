// SPDX-License-Identifier: GPL-2.0-only
/* Prints one result and then waits for ever. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	puts("KTAP version 1\n1..2\nok 1 the first");
	fflush(stdout);
	for (;;)
		pause();
}
