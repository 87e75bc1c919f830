// SPDX-License-Identifier: GPL-2.0-only
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { run } from '../host/command.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { ChangedFile } from './apply.ts';
import type { Tree } from './tree.ts';

/** How often what was executed of one source file. */
export interface FileCounts {
  /** By line number, from 1; a line that is no code has none. */
  readonly lines: ReadonlyMap<number, number>;
  /** Names of the functions that were entered. */
  readonly functions: ReadonlySet<string>;
}

/** By path below the tree. */
export type Counts = ReadonlyMap<string, FileCounts>;

/** The intermediate format of gcov(1), `--json-format`, as far as it is read here. */
const outputSchema = z.object({
  files: z.array(
    z.object({
      file: z.string(),
      functions: z.array(z.object({ name: z.string(), execution_count: z.number() })),
      lines: z.array(z.object({ line_number: z.number().int(), count: z.number() })),
    }),
  ),
});

/** Objects lie below a directory of this name, wherever they were built. */
const BELOW_OBJECTS = /^(?:.*\/)?objects\/((?:[\w.-]+\/)*[\w.-]+)\.gcda$/;

/** The directories of a tree, of those that hold the files, whose C files can be profiled: Kbuild compiles there. */
export async function profilableDirectories(tree: Tree, files: readonly string[]): Promise<string[]> {
  const directories = new Set(files.filter((file) => /\.[ch]$/.test(file)).map(dirname));
  const found: string[] = [];
  for (const directory of [...directories].sort()) {
    const makefile = await tree.read(join(directory, 'Makefile'));
    if (makefile !== undefined && /\bobj-/.test(makefile.content.toString('utf8'))) found.push(directory);
  }
  return found;
}

/** Has Kbuild profile whole directories: GCOV_PROFILE in their Makefiles (Documentation/dev-tools/gcov.rst). */
export async function withProfiles(tree: Tree, files: ReadonlyMap<string, ChangedFile>, directories: readonly string[]): Promise<ReadonlyMap<string, ChangedFile>> {
  const changed = new Map(files);
  for (const directory of directories) {
    const makefile = join(directory, 'Makefile');
    const content = files.has(makefile) ? files.get(makefile)?.content : (await tree.read(makefile))?.content;
    if (content !== undefined) changed.set(makefile, { content: Buffer.concat([content, Buffer.from('\nGCOV_PROFILE := y\n')]), executable: false });
  }
  return changed;
}

/** Keeps the notes of profiled objects (.gcno), without which no count means anything. */
export async function keepNotes(objects: string, directories: readonly string[], into: string): Promise<void> {
  for (const directory of directories)
    for (const name of await readdir(join(objects, directory))) {
      if (!name.endsWith('.gcno')) continue;
      await mkdir(join(into, directory), { recursive: true });
      await copyFile(join(objects, directory, name), join(into, directory, name));
    }
}

/**
 * What gcov(1) makes of the counts that a guest gave, and the notes of its build. Names in the archive are the guest's:
 * only those that a note has are looked at.
 */
export async function readCounts(archive: string, notesDirectory: string): Promise<Counts> {
  return await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'gcov');
    const notes = new Set((await readdir(notesDirectory, { recursive: true })).filter((name) => name.endsWith('.gcno')).map((name) => name.slice(0, -'.gcno'.length)));
    const objects: string[] = [];
    const entries = createReadStream(archive).pipe(extract());
    for await (const entry of entries) {
      const object = BELOW_OBJECTS.exec(entry.header.name)?.[1];
      const content = await buffer(entry);
      if (object === undefined || !notes.has(object)) continue;
      await mkdir(join(directory, dirname(object)), { recursive: true });
      await writeFile(join(directory, `${object}.gcda`), content);
      await copyFile(join(notesDirectory, `${object}.gcno`), join(directory, `${object}.gcno`));
      objects.push(`${object}.gcda`);
    }
    if (objects.length === 0) return new Map();
    return parseCounts(await run(['gcov', '--json-format', '--stdout', ...objects], { cwd: directory }));
  });
}

/** @param text a JSON document a line, one an object file; headers appear in several. */
export function parseCounts(text: string): Counts {
  const counts = new Map<string, { lines: Map<number, number>; functions: Set<string> }>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue;
    for (const { file, functions, lines } of outputSchema.parse(JSON.parse(line)).files) {
      const path = file.replace(/^.*\/source\//, '');
      const known = counts.get(path) ?? { lines: new Map<number, number>(), functions: new Set<string>() };
      counts.set(path, known);
      for (const { name, execution_count: executions } of functions) if (executions > 0) known.functions.add(name);
      for (const { line_number: number, count } of lines) known.lines.set(number, (known.lines.get(number) ?? 0) + count);
    }
  }
  return counts;
}
