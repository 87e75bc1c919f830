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
  /** As it came, with its message; absent for a bare diff. */
  readonly mail?: string;
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
  if (!status.isDirectory()) {
    const { patches, cover } = await readPatchFile(path);
    return assemble(cover ?? basename(path), patches, reproduce);
  }
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
  const series = assemble(manifest?.title ?? basename(path), patches.flatMap((file) => file.patches), reproduce);
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
  return assemble(range, (await splitMails(Buffer.from(output.stdout), range)).patches, ['--range', range]);
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

/** Patches in their order, and what the cover letter says they are, where there is one. */
interface Mailbox {
  readonly patches: readonly Patch[];
  readonly cover?: string;
}

async function readPatchFile(path: string): Promise<Mailbox> {
  const content = await readFile(path).catch((cause: unknown) => {
    throw new InputError('series.unreadable', `can not read the patch ${path}`, { hint: 'check the path', cause });
  });
  if (content.subarray(0, 5).toString('latin1') === 'From ')
    return await splitMails(content, basename(path));
  const title = /^Subject: (?:\[[^\]]*\] *)?(.+)$/m.exec(content.toString('utf8'))?.[1] ?? basename(path);
  return { patches: [{ ...makePatch(basename(path), title, content.toString('latin1')), mail: content.toString('latin1') }] };
}

/** Lets git take mails apart: it knows transfer encodings, scissors and CR LF. */
async function splitMails(mailbox: Buffer, name: string): Promise<Mailbox> {
  return await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'mail');
    await run(['git', 'mailsplit', `-o${directory}`], { input: mailbox });
    const found: { order: number; patch: Patch }[] = [];
    let cover: string | undefined;
    for (const [index, mail] of (await readdir(directory)).sort().entries()) {
      const [message, body] = [join(directory, `${mail}.msg`), join(directory, `${mail}.diff`)];
      const info = await attempt(['git', 'mailinfo', message, body], { input: await readFile(join(directory, mail)), cwd: directory });
      const text = await readFile(body, 'latin1').catch(() => '');
      const raw = await readFile(join(directory, mail), 'latin1');
      const subject = /^Subject: ((?:.+)(?:\n[ \t].+)*)$/m.exec(raw)?.[1] ?? '';
      const number = Number(/\b(\d+)\/\d+\]/.exec(subject)?.[1] ?? index + 1);
      const title = /^Subject: (.+)$/m.exec(info.stdout)?.[1] ?? name;
      if (info.exitCode !== 0 || !/^(?:diff |--- )/m.test(text)) {
        // A cover letter is number nought; a reply to it says Re.
        if (number === 0 && !/^re:/i.test(subject)) cover ??= title;
        continue;
      }
      found.push({ order: number, patch: { ...makePatch(title, title, text), mail: raw } });
    }
    return { patches: found.sort((a, b) => a.order - b.order).map(({ patch }) => patch), ...(cover === undefined ? {} : { cover }) };
  });
}

/**
 * A mail's signature ("-- ", then git's version or a list's footer) looks like removed lines once a hunk is over:
 * what stands between the end of one hunk and the next header is dropped from there on.
 */
export function withoutSignature(text: string): string {
  const kept: string[] = [];
  let [old, fresh] = [0, 0];
  let signature = false;
  for (const line of text.split('\n')) {
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (old <= 0 && fresh <= 0) {
      if (hunk !== null || /^(?:diff |--- \S|Index: )/.test(line)) signature = false;
      else if (line === '-- ') signature = true;
    }
    if (signature) continue;
    kept.push(line);
    if (hunk !== null) [old, fresh] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
    else if (old > 0 || fresh > 0) {
      if (!line.startsWith('+') && !line.startsWith('\\')) old--;
      if (!line.startsWith('-') && !line.startsWith('\\')) fresh--;
    }
  }
  const joined = kept.join('\n');
  return joined.endsWith('\n') ? joined : `${joined}\n`;
}

/** @throws InputError where the text holds no diff, or names a file outside the tree. */
export function makePatch(name: string, title: string, whole: string): Patch {
  const text = withoutSignature(whole);
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

/** The first so many patches of several series put one on another, as one series. */
export function prefixOf(series: readonly Series[], count: number): Series {
  return assemble(`the first ${count} of ${series.map(({ title }) => title).join(', ')}`, series.flatMap(({ patches }) => patches).slice(0, count), []);
}

function assemble(title: string, patches: readonly Patch[], reproduce: readonly string[]): Series {
  if (patches.length === 0) throw new InputError('series.empty', `${title} holds no patch`, { hint: 'give a series with at least one diff' });
  return { id: sha256(patches.map(({ text }) => text).join('\0')).slice(0, 20), title, patches, reproduce };
}
