// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cache } from '../host/cache.ts';
import type { Context } from '../host/context.ts';
import type { ChangedFile } from './apply.ts';
import { openTree } from './tree.ts';
import { Workshop } from './workshop.ts';

let root: string;
let linux: string;
let context: Context;
const git = (...args: string[]) => execFileSync('git', ['-C', linux, '-c', 'user.name=T', '-c', 'user.email=t@example', ...args], { encoding: 'utf8' });
const changed = (entries: Record<string, string | undefined>): Map<string, ChangedFile> =>
  new Map(Object.entries(entries).map(([file, text]) => [file, { content: text === undefined ? undefined : Buffer.from(text), executable: false }]));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  linux = join(root, 'linux');
  context = { cache: new Cache(join(root, 'cache')), emit: () => undefined, signal: new AbortController().signal };
  mkdirSync(join(linux, 'scripts/kconfig'), { recursive: true });
  writeFileSync(join(linux, 'scripts/kconfig/keep'), '');
  writeFileSync(join(linux, 'Makefile'), 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\n');
  writeFileSync(join(linux, 'a.c'), 'a\n');
  writeFileSync(join(linux, 'b.c'), 'b\n');
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

describe.each(['git', 'plain'])('a workshop of a %s tree', (kind) => {
  beforeEach(() => {
    if (kind === 'plain') return;
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'one');
  });

  it('rewrites only what differs, and goes back', async () => {
    const tree = await openTree(context, linux);
    const read = (workshop: Workshop, file: string) => (existsSync(join(workshop.source, file)) ? readFileSync(join(workshop.source, file), 'utf8') : undefined);
    // A workshop that never got configured is deleted when its work fails, and kept when it does not.
    await Workshop.use(context, 'w', async (workshop) => {
      await workshop.sync(tree, changed({}));
      const untouched = statSync(join(workshop.source, 'b.c')).mtimeMs;
      await workshop.sync(tree, changed({ 'a.c': 'patched\n', 'new/n.c': 'new\n', 'b.c': 'b\n' }));
      expect([read(workshop, 'a.c'), read(workshop, 'new/n.c')]).toEqual(['patched\n', 'new\n']);
      expect(statSync(join(workshop.source, 'b.c')).mtimeMs).toBe(untouched);
      await workshop.sync(tree, changed({ 'b.c': undefined }));
      expect([read(workshop, 'a.c'), read(workshop, 'new/n.c'), read(workshop, 'b.c')]).toEqual(['a\n', undefined, undefined]);
      await workshop.sync(tree, changed({}));
      expect(read(workshop, 'b.c')).toBe('b\n');
    });
    expect(readFileSync(join(linux, 'a.c'), 'utf8')).toBe('a\n');
  });

  it('follows the tree to another content, taking along nothing of a series', async () => {
    const before = await openTree(context, linux);
    await Workshop.use(context, 'w', async (workshop) => {
      await workshop.sync(before, changed({ 'a.c': 'patched\n', 'new.c': 'new\n' }));
    });
    writeFileSync(join(linux, 'b.c'), 'other b\n');
    if (kind === 'git') git('commit', '-qam', 'two');
    const after = await openTree(context, linux);
    await Workshop.use(context, 'w', async (workshop) => {
      await workshop.sync(after, changed({}));
      expect(readFileSync(join(workshop.source, 'a.c'), 'utf8')).toBe('a\n');
      expect(readFileSync(join(workshop.source, 'b.c'), 'utf8')).toBe('other b\n');
      expect(existsSync(join(workshop.source, 'new.c'))).toBe(false);
    });
  });

  it('a broken state file starts over', async () => {
    const tree = await openTree(context, linux);
    await Workshop.use(context, 'w', (workshop) => workshop.sync(tree, changed({ 'a.c': 'patched\n' })));
    writeFileSync(join(root, 'cache/workshops/w/state.json'), '{');
    await Workshop.use(context, 'w', async (workshop) => {
      await workshop.sync(tree, changed({}));
      expect(readFileSync(join(workshop.source, 'a.c'), 'utf8')).toBe('a\n');
    });
  });
});
