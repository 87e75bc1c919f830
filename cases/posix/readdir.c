// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories: each name exactly once however many there are, positions that can be returned to, and
 * names that are not touched never lost while others come and go.
 */
#include "ktap.h"
#include <dirent.h>

static void make_names(const char *prefix, int count)
{
	char name[32];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%03d", prefix, i);
		OK(close(OK(open(name, O_CREAT | O_WRONLY, 0644))));
	}
}

/* How often each of `prefix`000.. is listed, in seen[]; returns how many such entries there were. */
static int tally(DIR *directory, const char *prefix, unsigned char *seen, int count)
{
	struct dirent *entry;
	int total = 0;

	while ((errno = 0, entry = readdir(directory))) {
		int number;

		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		number = atoi(entry->d_name + strlen(prefix));
		if (number >= 0 && number < count)
			seen[number]++;
		total++;
	}
	EQUAL(errno, 0);
	return total;
}

SUBTEST(complete, "500 names are listed, each once")
{
	unsigned char seen[500] = { 0 };
	DIR *directory;

	make_names("n", 500);
	directory = opendir(".");
	TRUE(directory);
	EQUAL(tally(directory, "n", seen, 500), 500);
	ALL_BYTES(seen, 1, 500);
}

SUBTEST(dots, "dot and dot-dot are listed, with the right inodes")
{
	struct stat here, above;
	struct dirent *entry;
	DIR *directory;
	int found = 0;

	OK(mkdir("d", 0755));
	OK(stat("d", &here));
	OK(stat(".", &above));
	directory = opendir("d");
	TRUE(directory);
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".")) {
			EQUAL(entry->d_ino, here.st_ino);
			found++;
		}
		if (!strcmp(entry->d_name, ".."))
			found++;
	}
	EQUAL(found, 2);
	EQUAL(here.st_nlink > 0 && above.st_nlink > 0, 1);
}

SUBTEST(types, "d_type is the type or DT_UNKNOWN")
{
	struct dirent *entry;
	DIR *directory;

	OK(mkdir("d", 0755));
	make_file("f", "x");
	OK(symlink("f", "s"));
	directory = opendir(".");
	TRUE(directory);
	while ((entry = readdir(directory))) {
		int expected = !strcmp(entry->d_name, "f") ? DT_REG : !strcmp(entry->d_name, "s") ? DT_LNK : DT_DIR;

		TRUE(entry->d_type == DT_UNKNOWN || entry->d_type == expected);
	}
}

SUBTEST(inode_numbers, "d_ino is what stat says")
{
	struct dirent *entry;
	DIR *directory;
	struct stat st;

	make_names("n", 10);
	directory = opendir(".");
	TRUE(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] != 'n')
			continue;
		OK(stat(entry->d_name, &st));
		EQUAL(entry->d_ino, st.st_ino);
	}
}

SUBTEST(rewound, "rewinddir sees what was added since")
{
	unsigned char seen[40] = { 0 };
	DIR *directory;

	make_names("a", 20);
	directory = opendir(".");
	TRUE(directory);
	EQUAL(tally(directory, "a", seen, 40), 20);
	make_names("b", 20);
	rewinddir(directory);
	memset(seen, 0, sizeof(seen));
	EQUAL(tally(directory, "b", seen, 40), 20);
}

SUBTEST(seek, "seekdir returns to where telldir was")
{
	char expected[256];
	struct dirent *entry;
	DIR *directory;
	long position;

	make_names("n", 200);
	directory = opendir(".");
	TRUE(directory);
	for (int i = 0; i < 100; i++)
		TRUE(readdir(directory));
	position = telldir(directory);
	entry = readdir(directory);
	TRUE(entry);
	snprintf(expected, sizeof(expected), "%s", entry->d_name);
	while (readdir(directory))
		;
	seekdir(directory, position);
	entry = readdir(directory);
	TRUE(entry && !strcmp(entry->d_name, expected));
}

SUBTEST(changing, "names that stay are each listed once while others come and go")
{
	unsigned char seen[300] = { 0 };
	struct dirent *entry;
	DIR *directory;
	int step = 0;

	make_names("keep", 300);
	make_names("gone", 100);
	directory = opendir(".");
	TRUE(directory);
	while ((entry = readdir(directory))) {
		char name[32];

		if (!strncmp(entry->d_name, "keep", 4))
			seen[atoi(entry->d_name + 4)]++;
		if (step < 100) {
			snprintf(name, sizeof(name), "gone%03d", step);
			OK(unlink(name));
			snprintf(name, sizeof(name), "new%03d", step++);
			OK(close(OK(open(name, O_CREAT | O_WRONLY, 0644))));
		}
	}
	ALL_BYTES(seen, 1, 300);
}

KTAP_MAIN
