// SPDX-License-Identifier: GPL-2.0-only
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attempt } from '../host/command.ts';
import { InputError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { makePatch, type Patch } from './patch.ts';
import type { Series } from './series.ts';
import type { Tree } from './tree.ts';

export interface ChangedFile {
  /** undefined: the series deletes the file. */
  readonly content: Buffer | undefined;
  readonly executable: boolean;
}

export interface AppliedSeries {
  readonly files: ReadonlyMap<string, ChangedFile>;
  /** Hunks that only applied with fuzz, in patch(1)'s words. */
  readonly fuzz: readonly string[];
}

/**
 * Applies series in order to copies of the files they touch, in a scratch directory: a series that does
 * not apply leaves nothing behind, and a build directory only ever sees the final content.
 */
export async function applySeries(tree: Tree, series: readonly Series[]): Promise<AppliedSeries> {
  const local = tree.localChanges === undefined ? [] : [makePatch('local changes', 'local changes of the work tree', tree.localChanges)];
  const patches = [...local, ...series.flatMap((one) => one.patches)];
  return await Scope.run(async (scope) => {
    const scratch = await temporaryDirectory(scope, 'series');
    const touched = new Set<string>();
    const fuzz: string[] = [];
    for (const [index, patch] of patches.entries()) {
      for (const file of patch.files) if (!touched.has(file)) await copyOut(tree, file, scratch);
      for (const file of patch.files) touched.add(file);
      fuzz.push(...(await applyOne(scratch, patch, `patch ${index + 1} of ${patches.length}`, tree)));
    }
    const files = new Map<string, ChangedFile>();
    for (const file of touched) {
      const path = join(scratch, file);
      const status = await stat(path).catch(() => undefined);
      files.set(file, {
        content: status === undefined ? undefined : await readFile(path),
        executable: status !== undefined && (status.mode & 0o100) !== 0,
      });
    }
    return { files, fuzz };
  });
}

async function copyOut(tree: Tree, file: string, scratch: string): Promise<void> {
  const original = await tree.read(file);
  if (original === undefined) return; // a file that the patch creates
  const path = join(scratch, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, original.content);
  if (original.executable) await chmod(path, 0o755);
}

async function applyOne(scratch: string, patch: Patch, position: string, tree: Tree): Promise<string[]> {
  const rejects = join(scratch, '.rejects');
  const output = await attempt(
    ['patch', '--strip=1', '--batch', '--forward', '--no-backup-if-mismatch', '--remove-empty-files', `--reject-file=${rejects}`, `--directory=${scratch}`],
    { input: Buffer.from(patch.text, 'latin1'), env: { LC_ALL: 'C' } },
  );
  const said = output.stdout.split('\n');
  if (output.exitCode === 0)
    return said.filter((line) => line.includes('with fuzz')).map((line) => `${patch.name}: ${line}`);
  throw new InputError('series.does-not-apply', `${position} (${patch.name}) does not apply to ${tree.title}: ${failedHunks(said).join(', ') || said.filter(Boolean).join(' ')}`, {
    hint: 'rebase the series, give the tree that it was made for, or put its patches in their order',
    detail: await readFile(rejects, 'utf8').catch(() => output.stdout),
  });
}

/** "fs/fuse/dir.c hunk 2 (line 812)" for each hunk that patch(1) says has failed. */
export function failedHunks(said: readonly string[]): string[] {
  let file = '';
  const failed: string[] = [];
  for (const line of said) {
    file = /^(?:patching|checking) file (.+?)(?: \(.*\))?$/.exec(line)?.[1] ?? file;
    const hunk = /^Hunk #(\d+) (?:FAILED|ignored) at (\d+)/.exec(line);
    if (hunk !== null) failed.push(`${file} hunk ${hunk[1] ?? ''} (line ${hunk[2] ?? ''})`);
    else if (/^can't find file to patch|previously applied/.test(line)) failed.push(line.trim());
  }
  return failed;
}
