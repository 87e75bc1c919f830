// SPDX-License-Identifier: GPL-2.0-only
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parsePatch } from 'diff';
import { attempt, run } from '../host/command.ts';
import { InputError } from '../host/errors.ts';
import { sha256 } from '../host/hash.ts';
import { repositoryRoot } from '../host/paths.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { readManifest, type SeriesManifest } from './series-manifest.ts';
import type { Tree } from './tree.ts';
import { compareVersions, majorMinor } from './versions.ts';

export interface Patch {
  /** File name, or the subject where it came by mail. */
  readonly name: string;
  readonly title: string;
  /** A unified diff, its bytes as latin1; what precedes it is ignored by patch(1). */
  readonly text: string;
  /** Paths below the tree that it reads or writes. */
  readonly files: readonly string[];
}

export interface Series {
  readonly id: string;
  readonly title: string;
  readonly patches: readonly Patch[];
  /** What a bundled series says of itself. */
  readonly manifest?: SeriesManifest;
  /** The options that mean this series. */
  readonly reproduce: readonly string[];
}

/** Reads a quilt directory, an mbox or patch files; a bundled series is resolved by the tree's version. */
export async function readSeries(name: string, tree: Tree): Promise<Series> {
  const path = await locate(name);
  const status = await stat(path).catch(() => undefined);
  if (status === undefined)
    throw new InputError('series.unreadable', `no such series: ${name}`, {
      hint: 'give a directory with a series file, an mbox, a .patch file, or a name of `fuselage list`',
    });
  const reproduce = ['--series', name];
  if (!status.isDirectory()) return assemble(basename(path), await readPatchFile(path), reproduce);
  const manifest = await readManifest(path);
  const directory = manifest === undefined ? path : await forVersion(path, name, tree);
  const listed = await readFile(join(directory, 'series'), 'utf8').catch((cause: unknown) => {
    throw new InputError('series.unreadable', `${directory} holds no quilt series file`, {
      hint: 'write the names of the patches, in order, into a file named series',
      cause,
    });
  });
  const names = listed.split('\n').map((line) => line.replace(/\s*#.*$/, '').trim()).filter((line) => line !== '');
  const patches = await Promise.all(names.map((entry) => readPatchFile(join(directory, entry.split(/\s/)[0] ?? entry))));
  const series = assemble(manifest?.title ?? basename(path), patches.flat(), reproduce);
  return manifest === undefined ? series : { ...series, manifest };
}

/** The commits A..B of a git tree. */
export async function readRange(range: string, tree: Tree): Promise<Series> {
  if (tree.git === undefined)
    throw new InputError('tree.no-git', '--range needs a git tree', { hint: 'give --tree a git checkout, or use --series' });
  if (range.startsWith('-') || !range.includes('..'))
    throw new InputError('series.unreadable', `${range} is no range`, { hint: 'write it as A..B' });
  const output = await attempt(['git', 'format-patch', '--stdout', '--no-signature', range, '--'], {
    env: { GIT_DIR: tree.git, GIT_OPTIONAL_LOCKS: '0' },
  });
  if (output.exitCode !== 0)
    throw new InputError('series.unreadable', `git knows no range ${range}`, { hint: 'check it with git log', detail: output.stderr.trim() });
  return assemble(range, await splitMails(Buffer.from(output.stdout), range), ['--range', range]);
}

async function locate(name: string): Promise<string> {
  for (const candidate of [resolve(name), join(repositoryRoot, name), join(repositoryRoot, 'patches', name)])
    if ((await stat(candidate).catch(() => undefined)) !== undefined) return candidate;
  return resolve(name);
}

/** patches/NAME/6.12 for a tree of 6.12.x. */
async function forVersion(path: string, name: string, tree: Tree): Promise<string> {
  const versions = (await readdir(path, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort(compareVersions);
  const wanted = majorMinor(tree.version);
  if (!versions.includes(wanted))
    throw new InputError('series.unreadable', `${name} has no patches for ${wanted}, only for ${versions.join(', ')}`, {
      hint: `use --tree ${versions.at(-1) ?? ''}`,
    });
  return join(path, wanted);
}

async function readPatchFile(path: string): Promise<Patch[]> {
  const content = await readFile(path).catch((cause: unknown) => {
    throw new InputError('series.unreadable', `can not read the patch ${path}`, { hint: 'check the path', cause });
  });
  if (content.subarray(0, 5).toString('latin1') === 'From ')
    return await splitMails(content, basename(path));
  const title = /^Subject: (?:\[[^\]]*\] *)?(.+)$/m.exec(content.toString('utf8'))?.[1] ?? basename(path);
  return [makePatch(basename(path), title, content.toString('latin1'))];
}

/** Lets git take mails apart: it knows transfer encodings, scissors and CR LF. */
async function splitMails(mailbox: Buffer, name: string): Promise<Patch[]> {
  return await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'mail');
    await run(['git', 'mailsplit', `-o${directory}`], { input: mailbox });
    const found: { order: number; patch: Patch }[] = [];
    for (const [index, mail] of (await readdir(directory)).sort().entries()) {
      const [message, body] = [join(directory, `${mail}.msg`), join(directory, `${mail}.diff`)];
      const info = await attempt(['git', 'mailinfo', message, body], { input: await readFile(join(directory, mail)), cwd: directory });
      const text = await readFile(body, 'latin1').catch(() => '');
      if (info.exitCode !== 0 || !/^(?:diff |--- )/m.test(text)) continue; // a cover letter or a reply
      const raw = await readFile(join(directory, mail), 'latin1');
      const number = Number(/^Subject: .*?\b(\d+)\/\d+\]/ms.exec(raw)?.[1] ?? index + 1);
      const title = /^Subject: (.+)$/m.exec(info.stdout)?.[1] ?? name;
      found.push({ order: number, patch: makePatch(title, title, text) });
    }
    return found.sort((a, b) => a.order - b.order).map(({ patch }) => patch);
  });
}

/** @throws InputError where the text holds no diff, or names a file outside the tree. */
export function makePatch(name: string, title: string, text: string): Patch {
  const files = new Set<string>();
  let parsed: ReturnType<typeof parsePatch>;
  try {
    parsed = parsePatch(text);
  } catch (cause) {
    throw new InputError('series.unreadable', `${name} is no unified diff (${cause instanceof Error ? cause.message : ''})`, {
      hint: 'make it with git format-patch or diff -u',
      cause,
    });
  }
  for (const { oldFileName, newFileName } of parsed)
    for (const file of [oldFileName, newFileName]) {
      if (file === undefined || file === '/dev/null') continue;
      const path = file.replace(/\t.*$/, '').split('/').slice(1).join('/');
      if (path === '' || path.split('/').includes('..'))
        throw new InputError('series.unreadable', `${name} changes ${file}, which is outside the tree`, { hint: 'patches apply with -p1' });
      files.add(path);
    }
  if (files.size === 0) throw new InputError('series.empty', `${name} changes nothing`, { hint: 'give a patch that holds a diff' });
  return { name, title, text, files: [...files] };
}

function assemble(title: string, patches: readonly Patch[], reproduce: readonly string[]): Series {
  if (patches.length === 0) throw new InputError('series.empty', `${title} holds no patch`, { hint: 'give a series with at least one diff' });
  return { id: sha256(patches.map(({ text }) => text).join('\0')).slice(0, 20), title, patches, reproduce };
}
