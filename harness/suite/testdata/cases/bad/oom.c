// SPDX-License-Identifier: GPL-2.0-only
/* Takes memory until the kernel kills. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	puts("KTAP version 1\n1..1");
	fflush(stdout);
	for (;;) {
		char *block = malloc(1 << 20);

		if (block)
			memset(block, 1, 1 << 20);
	}
}
