// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cache } from '../host/cache.ts';
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import { applySeries, failedHunks } from './apply.ts';
import { dependenciesOf, fragmentFor, lostSymbols, parseFragment, symbolsIfDefined } from './configuration.ts';
import { makePatch, withoutSignature } from './patch.ts';
import { readRange, readSeries } from './series.ts';
import { openTree } from './tree.ts';
import { compareVersions, majorMinor } from './versions.ts';

let root: string;
let context: Context;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  context = { cache: new Cache(join(root, 'cache')), emit: () => undefined, signal: new AbortController().signal };
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const git = (...args: string[]) =>
  execFileSync('git', ['-C', join(root, 'linux'), '-c', 'user.name=T', '-c', 'user.email=t@example', ...args], { encoding: 'utf8' });

/** The least that counts as a kernel tree. */
const makeTree = () => {
  put('linux/Makefile', 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\n');
  put('linux/scripts/kconfig/Makefile', '');
  put('linux/fs/fuse/dir.c', Array.from({ length: 30 }, (_, line) => `line ${line + 1}\n`).join(''));
};
const patchOf = (line: number, to: string, file = 'fs/fuse/dir.c') =>
  `Subject: [PATCH] change line ${line}\n\n--- a/${file}\n+++ b/${file}\n@@ -${line - 1},3 +${line - 1},3 @@\n line ${line - 1}\n-line ${line}\n+${to}\n line ${line + 1}\n`;

describe('trees', () => {
  it('refuses what is no kernel, saying what to do', async () => {
    mkdirSync(join(root, 'empty'));
    await expect(openTree(context, join(root, 'empty'))).rejects.toMatchObject({ code: 'tree.not-a-kernel', exitCode: 2 });
    await expect(openTree(context, join(root, 'absent'))).rejects.toMatchObject({ code: 'tree.unknown-version', exitCode: 2 });
  });

  it('a plain directory has an identity that follows its content', async () => {
    makeTree();
    const before = await openTree(context, join(root, 'linux'));
    expect(before.version).toBe('6.12.7');
    put('linux/fs/fuse/dir.c', 'other\n');
    expect((await openTree(context, join(root, 'linux'))).id).not.toBe(before.id);
  });

  it("a git tree is read without touching its work tree, index or refs; local changes count", async () => {
    makeTree();
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'one');
    const clean = await openTree(context, join(root, 'linux'));
    expect(clean.localChanges).toBeUndefined();
    put('linux/fs/fuse/dir.c', `changed\n${readFileSync(join(root, 'linux/fs/fuse/dir.c'), 'utf8')}`);
    const index = readFileSync(join(root, 'linux/.git/index'));
    const dirty = await openTree(context, join(root, 'linux'));
    expect(dirty.id).not.toBe(clean.id);
    expect((await applySeries(dirty, [])).files.get('fs/fuse/dir.c')?.content?.toString()).toMatch(/^changed\nline 1\n/);
    mkdirSync(join(root, 'copy'));
    await dirty.materialise(join(root, 'copy'), context.signal);
    expect(readFileSync(join(root, 'copy/fs/fuse/dir.c'), 'utf8')).toMatch(/^line 1\n/);
    expect(readFileSync(join(root, 'linux/.git/index'))).toEqual(index);
    expect(git('status', '--porcelain')).toBe(' M fs/fuse/dir.c\n');
  });
});

describe('series', () => {
  beforeEach(makeTree);

  it('a quilt directory, in the order of its series file', async () => {
    put('q/series', '# first\nb.patch\na.patch # with a note\n');
    put('q/a.patch', patchOf(20, 'twenty'));
    put('q/b.patch', patchOf(5, 'five'));
    const tree = await openTree(context, join(root, 'linux'));
    const series = await readSeries(join(root, 'q'), tree);
    expect(series.patches.map((patch) => patch.title)).toEqual(['change line 5', 'change line 20']);
    const applied = await applySeries(tree, [series]);
    expect(applied.files.get('fs/fuse/dir.c')?.content?.toString()).toContain('five\nline 6');
  });

  it('an mbox: ordered by number, encodings undone, cover letter and replies left out', async () => {
    const mail = (subject: string, body: string, more = '') => `From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@example>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: ${subject}\n${more}\n${body}\n\n`;
    const diff = (line: number, to: string) => `message\n\n---\n${patchOf(line, to).split('\n').slice(2).join('\n')}`;
    put(
      'v2.mbox',
      mail('[PATCH v2 0/2] cover', 'words') +
        mail('[PATCH v2 2/2] second', diff(20, 'twenty')) +
        mail('[PATCH v2 1/2] first', diff(5, 'f=3Dive').replace('line 4\n', 'line 4\n'), 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n') +
        mail('Re: [PATCH v2 1/2] first', 'looks good'),
    );
    const tree = await openTree(context, join(root, 'linux'));
    const series = await readSeries(join(root, 'v2.mbox'), tree);
    expect(series.patches.map((patch) => patch.title)).toEqual(['first', 'second']);
    expect(series.title).toBe('cover');
    expect(series.patches[0]?.mail).toMatch(/^Subject: \[PATCH v2 1\/2\] first$/m);
    expect((await applySeries(tree, [series])).files.get('fs/fuse/dir.c')?.content?.toString()).toContain('f=ive\n');
  });

  it('a maildir, its base commit, and a reply that proposes a diff of its own', async () => {
    const mail = (subject: string, body: string) => `From: A <a@example>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: ${subject}\n\n${body}\n`;
    const diff = (line: number, to: string) => `message\n\n---\n${patchOf(line, to).split('\n').slice(2).join('\n')}`;
    const commit = '0123456789abcdef0123456789abcdef01234567';
    put('b4.maildir/cur/.keep', '');
    put('b4.maildir/new/1', mail('[PATCH 0/2] cover', `words\n\nbase-commit: ${commit}\n-- \n2.53.0`));
    put('b4.maildir/new/3', mail('[PATCH 2/2] second', diff(20, 'twenty')));
    put('b4.maildir/new/2', mail('[PATCH 1/2] first', diff(5, 'five')));
    put('b4.maildir/new/4', mail('Re: [PATCH 1/2] first', diff(5, 'six')));
    const series = await readSeries(join(root, 'b4.maildir'), await openTree(context, join(root, 'linux')));
    expect([series.title, series.baseCommit, ...series.patches.map(({ title }) => title)]).toEqual(['cover', commit, 'first', 'second']);
  });

  it('loose patches of a directory, by name; one with CR LF', async () => {
    put('loose/0002-b.patch', patchOf(20, 'twenty'));
    put('loose/0001-a.patch', patchOf(5, 'five').replaceAll('\n', '\r\n'));
    const tree = await openTree(context, join(root, 'linux'));
    const series = await readSeries(join(root, 'loose'), tree);
    expect(series.patches.map(({ name }) => name)).toEqual(['0001-a.patch', '0002-b.patch']);
    expect((await applySeries(tree, [series])).files.get('fs/fuse/dir.c')?.content?.toString()).toMatch(/\nfive\n(?:.*\n)*twenty\n/);
  });

  it('a range of a git tree', async () => {
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'one');
    put('linux/fs/fuse/new.c', 'new\n');
    git('add', '-A');
    git('commit', '-qm', 'fuse: add new');
    const base = await openTree(context, join(root, 'linux'), { commit: 'HEAD~1' });
    const series = await readRange('HEAD~1..HEAD', base);
    expect(series.patches.map((patch) => patch.title)).toEqual(['fuse: add new']);
    expect((await applySeries(base, [series])).files.get('fs/fuse/new.c')?.content?.toString()).toBe('new\n');
    await expect(readRange('--output=x', base)).rejects.toBeInstanceOf(InputError);
  });

  it('one that does not apply: which patch, file and hunk, with the rejected lines; nothing left behind', async () => {
    put('good.patch', patchOf(5, 'five'));
    put('bad.patch', patchOf(10, 'ten').replace('-line 10', '-line ten'));
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('fuselage-series'));
    const tree = await openTree(context, join(root, 'linux'));
    const series = [await readSeries(join(root, 'good.patch'), tree), await readSeries(join(root, 'bad.patch'), tree)];
    const failure = await applySeries(tree, series).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'series.does-not-apply', exitCode: 2 });
    expect((failure as InputError).message).toMatch(/^patch 2 of 2 \(bad\.patch\) does not apply to .*: fs\/fuse\/dir\.c hunk 1 \(line 9\)$/);
    expect((failure as InputError).detail).toContain('-line ten');
    expect(readFileSync(join(root, 'linux/fs/fuse/dir.c'), 'utf8')).toContain('line 5\n');
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('fuselage-series'))).toEqual(before);
  });

  it('fuzz is reported', async () => {
    put('fuzzy.patch', patchOf(10, 'ten').replace('@@ -9,3 +9,3 @@', '@@ -8,5 +8,5 @@').replace(' line 9\n', ' line eight\n line 9\n').replace(' line 11\n', ' line 11\n line 12\n'));
    const tree = await openTree(context, join(root, 'linux'));
    const applied = await applySeries(tree, [await readSeries(join(root, 'fuzzy.patch'), tree)]);
    expect(applied.fuzz.join()).toMatch(/fuzzy\.patch: Hunk #1 succeeded at .* with fuzz/);
  });

  it.each([
    ['nothing', '', 'series.empty'],
    ['only prose', 'hello\n', 'series.empty'],
    ['a path outside', patchOf(5, 'x', '../../etc/passwd'), 'series.unreadable'],
  ])('refuses a patch with %s', async (_, text, code) => {
    put('x.patch', text);
    const tree = await openTree(context, join(root, 'linux'));
    await expect(readSeries(join(root, 'x.patch'), tree)).rejects.toMatchObject({ code, exitCode: 2 });
  });

  it('a link in the tree can not lead a patch outside', async () => {
    put('outside.c', 'line 4\nline 5\nline 6\n');
    symlinkSync(join(root, 'outside.c'), join(root, 'linux/fs/fuse/link.c'));
    put('l.patch', patchOf(5, 'five', 'fs/fuse/link.c').replace('@@ -4,3 +4,3 @@', '@@ -1,3 +1,3 @@'));
    const tree = await openTree(context, join(root, 'linux'));
    await applySeries(tree, [await readSeries(join(root, 'l.patch'), tree)]);
    expect(readFileSync(join(root, 'outside.c'), 'utf8')).toBe('line 4\nline 5\nline 6\n');
  });

  it('a deletion and a new executable file', () => {
    const patch = makePatch('p', 'p', '--- a/fs/a.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n--- /dev/null\n+++ b/scripts/b.sh\n@@ -0,0 +1 @@\n+y\n');
    expect(patch.files).toEqual(['fs/a.c', 'scripts/b.sh']);
  });

  it("a mail's signature is no part of its diff, and a removed line that looks like one is", () => {
    const diff = '--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1,2 +1,2 @@\n-- \n+y\n z\n';
    expect(withoutSignature(diff)).toBe(diff);
    const second = '--- a/fs/b.c\n+++ b/fs/b.c\n@@ -1 +1 @@\n-x\n+y\n';
    expect(withoutSignature(`${diff}-- \n2.39.5\n\n${second}-- \nlinux-fsdevel mailing list\n- a footer\n`)).toBe(`${diff}${second}`);
    expect(makePatch('p', 'p', `${diff}-- \n2.39.5\n`).files).toEqual(['fs/a.c']);
  });

  it('hunks as patch(1) reports them', () => {
    expect(failedHunks(['checking file fs/a.c', 'Hunk #2 FAILED at 81 (offset 3 lines).', 'patching file fs/b.c', 'Hunk #1 FAILED at 7.', '1 out of 1 hunk FAILED'])).toEqual([
      'fs/a.c hunk 2 (line 81)',
      'fs/b.c hunk 1 (line 7)',
    ]);
  });
});

describe('configuration', () => {
  it('reads fragments, "is not set" included', () => {
    expect([...parseFragment('CONFIG_A=y\n# CONFIG_B is not set\n# a remark\n\nCONFIG_C="text"\n')]).toEqual([
      ['CONFIG_A', 'y'],
      ['CONFIG_B', 'n'],
      ['CONFIG_C', '"text"'],
    ]);
    expect(() => parseFragment('FUSE_FS=y\n')).toThrow(InputError);
  });

  it('knows which symbols are asked for only where they exist', () => {
    const text = 'CONFIG_A=y # if defined\nCONFIG_B="x"\n';
    expect([...symbolsIfDefined(text)]).toEqual(['CONFIG_A']);
    expect(parseFragment(text).get('CONFIG_A')).toBe('y');
  });

  it('asks a kernel only for what its version is meant to have', () => {
    const text = 'CONFIG_A=y # from 6.12\nCONFIG_B=y\n';
    expect(fragmentFor('6.1.176', text)).toBe('CONFIG_B=y\n');
    expect(fragmentFor('6.12.0', text)).toBe('CONFIG_A=y\nCONFIG_B=y\n');
  });

  it('finds what did not survive; absent is as good as n', () => {
    const wanted = parseFragment('CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=y\nCONFIG_D=20\n');
    expect(lostSymbols(wanted, parseFragment('CONFIG_A=y\nCONFIG_D=30\n'))).toEqual(['CONFIG_C', 'CONFIG_D']);
  });

  it('knows the dependencies around a symbol', () => {
    const kconfig = 'if NET\nconfig OTHER\n\tbool\n\tdepends on X\n\nconfig FUSE_DAX\n\tbool "DAX"\n\tdepends on VIRTIO_FS && \\\n\t\tFS_DAX\n\tdepends on !Y\nendif # NET\nconfig LATER\n\tdepends on Z\n';
    expect(dependenciesOf('FUSE_DAX', kconfig)).toEqual(['NET', 'VIRTIO_FS &&  \t\tFS_DAX', '!Y']);
  });
});

describe('versions', () => {
  it('are compared by number', () => {
    expect(['6.12.107', '6.1.9', '7.3', '6.12'].sort(compareVersions)).toEqual(['6.1.9', '6.12', '6.12.107', '7.3']);
    expect(majorMinor('6.12.107+deb13-cloud-amd64')).toBe('6.12');
  });
});

it('leaves no cache entry behind for a tree that is none', async () => {
  await openTree(context, join(root, 'nothing')).catch(() => undefined);
  expect(existsSync(join(root, 'cache/workshops'))).toBe(false);
});
