// SPDX-License-Identifier: GPL-2.0-only
// Makes a git repository of twenty commits on fs/fuse, of which one is bad, to try a bisection on: prints where, and its ends.
import { join, resolve } from 'node:path';
import { knownHistory } from '../harness/bisect/testing.ts';
import { inSession } from '../harness/cli/session.ts';
import { fetchSource } from '../harness/kernel/sources.ts';

await inSession(async ({ context }) => {
  const { path, packageVersion } = await fetchSource(context, '6.12');
  const directory = process.argv[2] === undefined ? join(context.cache.root, 'histories', `${packageVersion}.git`) : resolve(process.argv[2]);
  process.stdout.write(`${JSON.stringify(await knownHistory(path, directory), undefined, 2)}\n`);
  return 0;
});
