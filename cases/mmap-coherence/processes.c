// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processes on one file, through mappings and descriptors: stores to different bytes of one page
 * all survive, and what one has written the next one sees. Hand-overs go through pipes.
 */
#include "map.h"

SUBTEST(fork_shared, "a child's store is seen by its parent")
{
	struct mapped m = map_new(PAGE, 'a');

	IN_CHILD(m.base[7] = 'c');
	EQUAL(m.base[7], 'c');
}

SUBTEST(own_mapping, "a store is seen by a process that mapped the file itself")
{
	struct mapped m = map_new(2 * PAGE, 'a');

	m.base[PAGE] = 'b';
	IN_CHILD({
		struct mapped own = { .fd = OK(open("f", O_RDWR)), .length = 2 * PAGE };

		own.base = map_again(&own, PROT_READ | PROT_WRITE);
		EQUAL(own.base[PAGE], 'b');
		own.base[0] = 'c';
	});
	EQUAL(m.base[0], 'c');
}

SUBTEST(one_page, "four processes storing into one page lose nothing")
{
	struct mapped m = map_new(PAGE, 0);

	for (int child = 0; child < 4; child++)
		if (!OK(fork())) {
			struct mapped own = { .fd = OK(open("f", O_RDWR)), .length = PAGE };

			own.base = map_again(&own, PROT_READ | PROT_WRITE);
			for (int i = child; i < PAGE; i += 4)
				own.base[i] = child + 1;
			_exit(KTAP_PASS);
		}
	for (int child = 0; child < 4; child++) {
		int status;

		OK(wait(&status));
		EQUAL(status, 0);
	}
	for (int i = 0; i < PAGE; i++)
		EQUAL(m.base[i], i % 4 + 1);
}

SUBTEST(store_and_pwrite, "stores and pwrites to different bytes of a page all survive")
{
	struct mapped m = map_new(PAGE, 0);

	for (int round = 0; round < 20; round++)
		IN_CHILD({
			for (int i = round; i < PAGE; i += 40)
				m.base[i] = 's';
		});
	for (int i = 20; i < PAGE; i += 40)
		EQUAL(pwrite(m.fd, "p", 1, i), 1);
	for (int i = 0; i < PAGE; i++)
		EQUAL(m.base[i], i % 40 < 20 ? 's' : i % 40 == 20 ? 'p' : 0);
}

SUBTEST(other_fd, "a pwrite through another process's descriptor is seen in the mapping")
{
	struct mapped m = map_new(2 * PAGE, 'a');

	touch_all(&m);
	IN_CHILD({
		int fd = OK(open("f", O_WRONLY));

		fill(fd, 'w', PAGE, PAGE);
		OK(close(fd));
	});
	ALL_BYTES(m.base + PAGE, 'w', PAGE);
}

SUBTEST(racing_faults, "two processes fault in one hole and both stores stay")
{
	int start[2];
	char byte = 0;
	struct mapped m = map_hole(64 * PAGE);

	OK(pipe(start));
	for (int child = 0; child < 2; child++)
		if (!OK(fork())) {
			EQUAL(read(start[0], &byte, 1), 1);
			for (int page = 0; page < 64; page++)
				m.base[page * PAGE + child] = 'A' + child;
			_exit(KTAP_PASS);
		}
	EQUAL(write(start[1], "gg", 2), 2);
	for (int child = 0; child < 2; child++) {
		int status;

		OK(wait(&status));
		EQUAL(status, 0);
	}
	for (int page = 0; page < 64; page++) {
		EQUAL(m.base[page * PAGE], 'A');
		EQUAL(m.base[page * PAGE + 1], 'B');
	}
}

KTAP_MAIN
