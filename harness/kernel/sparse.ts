// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { contentId } from '../host/hash.ts';
import { inWorkshop, type Build, type BuildRequest } from './build.ts';
import { absorbWarnings, type Warnings } from './warnings.ts';

/**
 * What sparse(1) says of C files, by way of the tree's own Makefiles (Documentation/dev-tools/sparse.rst); undefined where
 * none of them is a part of this kernel. Kept, for a build and files.
 */
export async function sparseWarnings(context: Context, request: BuildRequest, build: Pick<Build, 'id' | 'title'>, files: readonly string[]): Promise<Warnings | undefined> {
  if (files.length === 0) return undefined;
  const { path } = await context.cache.obtain({ kind: 'sparse', key: contentId({ build: build.id, files: files.join(' ') }), title: `sparse on ${build.title}`, ...context }, async (directory) => {
    await writeFile(join(directory, FILE), JSON.stringify((await run(context, request, files)) ?? null));
  });
  return (JSON.parse(await readFile(join(path, FILE), 'utf8')) as Warnings | null) ?? undefined;
}

const FILE = 'sparse.json';

async function run(context: Context, request: BuildRequest, files: readonly string[]): Promise<Warnings | undefined> {
  const lines: string[] = [];
  const checked = await inWorkshop(context, request, async (directory, make) => {
    const objects = files.map((file) => file.replace(/\.c$/, '.o')).filter((object) => existsSync(join(directory, object)));
    // C=2 checks a file whether it is compiled again or not.
    if (objects.length === 0) return false;
    try {
      await make(['C=2', 'CHECK=sparse', ...objects], (line) => lines.push(line.replace(': error: ', ': warning: ')));
    } catch (error) {
      // The compiler had no objection: what sparse calls an error is told as what it is, something to look at.
      if (!(error instanceof CommandError)) throw error;
    }
    return true;
  });
  // The compiler speaks in between, and says with which option.
  return checked ? absorbWarnings({}, lines.filter((line) => !/\[-W[\w=+-]+\]$/.test(line))) : undefined;
}
