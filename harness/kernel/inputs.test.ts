// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cache } from '../host/cache.ts';
import type { Context } from '../host/context.ts';
import { openInputs } from './inputs.ts';

let root: string;
let context: Context;
let said: string[];
let first: string;

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return join(root, path);
};
const git = (...args: string[]) => execFileSync('git', ['-C', join(root, 'linux'), '-c', 'user.name=T', '-c', 'user.email=t@example', ...args], { encoding: 'utf8' }).trim();
const patchOn = (commit: string) => put(`${commit.slice(0, 6)}.patch`, `Subject: [PATCH] one\n\n---\n--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-old\n+new\n\nbase-commit: ${commit}\n-- \n2.53.0\n`);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  said = [];
  context = { cache: new Cache(join(root, 'cache')), emit: (event) => said.push('text' in event ? event.text : event.type), signal: new AbortController().signal };
  put('linux/Makefile', 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\n');
  put('linux/scripts/kconfig/Makefile', '');
  put('linux/fs/a.c', 'old\n');
  git('init', '-q');
  git('add', '-A');
  git('commit', '-qm', 'first');
  first = git('rev-parse', 'HEAD');
  put('linux/fs/a.c', 'other\n');
  git('commit', '-qam', 'second');
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

it('a series is put on the commit that it was made on, and that is said', async () => {
  const { tree, series } = await openInputs(context, { tree: join(root, 'linux'), series: [patchOn(first)] });
  expect((await tree.read('fs/a.c'))?.content.toString()).toBe('old\n');
  expect(series.map(({ baseCommit }) => baseCommit)).toEqual([first]);
  expect(said.join()).toMatch(/^on Linux 6\.12\.7 [0-9a-f]+ \("first"\), the series' base commit/);
});

it('--base is stronger, and a commit that the tree does not have is warned of', async () => {
  const head = await openInputs(context, { tree: join(root, 'linux'), series: [patchOn(first)], base: 'HEAD' });
  expect((await head.tree.read('fs/a.c'))?.content.toString()).toBe('other\n');
  const unknown = await openInputs(context, { tree: join(root, 'linux'), series: [patchOn('0123456789abcdef0123456789abcdef01234567')] });
  expect((await unknown.tree.read('fs/a.c'))?.content.toString()).toBe('other\n');
  expect(said).toEqual([expect.stringMatching(/has no commit 0123456789ab, which the series was made on; it is put on Linux 6\.12\.7/)]);
});
