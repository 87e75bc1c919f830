// SPDX-License-Identifier: GPL-2.0-only
/* Writes 100 MiB to stdout after a first result: the harness must end it and keep what it said. */
#include <stdio.h>
#include <string.h>

int main(void)
{
	static char line[1024];

	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	puts("KTAP version 1\n1..2\nok 1 before the flood");
	for (int i = 0; i < 100 * 1024; i++)
		fputs(line, stdout);
	puts("ok 2 after the flood");
	return 0;
}
