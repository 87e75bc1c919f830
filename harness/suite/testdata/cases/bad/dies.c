// SPDX-License-Identifier: GPL-2.0-only
/* One result of two, then a signal. */
#include <signal.h>
#include <stdio.h>

int main(void)
{
	puts("KTAP version 1\n1..2\nok 1 the first");
	fflush(stdout);
	return raise(SIGSEGV);
}
