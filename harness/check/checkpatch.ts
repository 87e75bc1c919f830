// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Tree } from '../kernel/tree.ts';

const SCRIPT = 'scripts/checkpatch.pl';
/** What it reads from beside itself. */
const NEEDS = ['scripts/spelling.txt', 'scripts/const_structs.checkpatch', 'scripts/spdxcheck.py'];

/** Puts a tree's checkpatch.pl, and what it reads, below a directory. @returns its path there, whether the tree has one or not. */
export async function materialiseChecker(tree: Tree, directory: string): Promise<string> {
  for (const name of [SCRIPT, ...NEEDS]) {
    const file = await tree.read(name);
    if (file === undefined) continue;
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), file.content);
  }
  return join(directory, SCRIPT);
}
