// SPDX-License-Identifier: GPL-2.0-only
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { attempt } from '../host/command.ts';
import { InputError } from '../host/errors.ts';
import { sha256 } from '../host/hash.ts';
import { repositoryRoot } from '../host/paths.ts';
import { isMaildir, readPatchFile, splitMails, type Mailbox } from './mailbox.ts';
import type { Patch } from './patch.ts';
import { readManifest, type SeriesManifest } from './series-manifest.ts';
import type { Tree } from './tree.ts';
import { compareVersions, majorMinor } from './versions.ts';

export interface Series {
  readonly id: string;
  readonly title: string;
  readonly patches: readonly Patch[];
  /** The commit that it was made on, where its mails say so. */
  readonly baseCommit?: string;
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
  const ofMailbox = ({ patches, cover, baseCommit }: Mailbox): Series => ({ ...seriesOf(cover ?? basename(path), patches, reproduce), ...(baseCommit === undefined ? {} : { baseCommit }) });
  if (!status.isDirectory()) return ofMailbox(await readPatchFile(path));
  if (isMaildir(path)) return ofMailbox(await splitMails(path, basename(path)));
  const manifest = await readManifest(path);
  const directory = manifest === undefined ? path : await forVersion(path, name, tree);
  const names = await listPatches(directory);
  const patches = await Promise.all(names.map((entry) => readPatchFile(join(directory, entry))));
  const series = seriesOf(manifest?.title ?? basename(path), patches.flatMap((file) => file.patches), reproduce);
  return manifest === undefined ? series : { ...series, manifest };
}

/** The names in a quilt series file; without one the .patch files of the directory, as git format-patch numbers them. */
async function listPatches(directory: string): Promise<string[]> {
  const listed = await readFile(join(directory, 'series'), 'utf8').catch(() => undefined);
  if (listed !== undefined) return listed.split('\n').map((line) => line.replace(/\s*#.*$/, '').trim().split(/\s/)[0] ?? '').filter((line) => line !== '');
  const found = (await readdir(directory)).filter((name) => name.endsWith('.patch')).sort();
  if (found.length > 0) return found;
  throw new InputError('series.unreadable', `${directory} holds no quilt series file and no .patch file`, { hint: 'write the names of the patches, in order, into a file named series' });
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
  return seriesOf(range, (await splitMails(Buffer.from(output.stdout), range)).patches, ['--range', range]);
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

/** The first so many patches of several series put one on another, as one series. */
export function prefixOf(series: readonly Series[], count: number): Series {
  return seriesOf(`the first ${count} of ${series.map(({ title }) => title).join(', ')}`, series.flatMap(({ patches }) => patches).slice(0, count), []);
}

/** Patches as a series; `reproduce` is empty for one that no option means. @throws InputError where there is none */
export function seriesOf(title: string, patches: readonly Patch[], reproduce: readonly string[] = []): Series {
  if (patches.length === 0) throw new InputError('series.empty', `${title} holds no patch`, { hint: 'give a series with at least one diff' });
  return { id: sha256(patches.map(({ text }) => text).join('\0')).slice(0, 20), title, patches, reproduce };
}
