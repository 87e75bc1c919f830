// SPDX-License-Identifier: GPL-2.0-only
/* The least that passes. */
#include "ktap.h"

SUBTEST(fine, "all is well")
{
	make_file("f", "x");
	HOLDS("f", "x");
}

KTAP_MAIN
