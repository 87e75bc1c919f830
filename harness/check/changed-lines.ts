// SPDX-License-Identifier: GPL-2.0-only
import { diffArrays } from 'diff';
import { applySeries } from '../kernel/apply.ts';
import { prefixOf, type Series } from '../kernel/series.ts';
import type { Tree } from '../kernel/tree.ts';

/** A line of a file at the end of a series. */
export interface SourceLine {
  readonly text: string;
  /** Index of the patch that brought it, or undefined for one that was there. */
  readonly patch: number | undefined;
}

/** The files that a series changes, as they are at its end, by path: whom each line is of. A deleted file is not among them. */
export async function attributeLines(tree: Tree, series: readonly Series[]): Promise<ReadonlyMap<string, readonly SourceLine[]>> {
  const count = series.reduce((sum, { patches }) => sum + patches.length, 0);
  const files = new Map<string, readonly SourceLine[]>();
  // What a work tree has changed is nobody's of the series.
  const { files: local } = await applySeries(tree, []);
  const original = async (file: string) => (local.has(file) ? local.get(file)?.content : (await tree.read(file))?.content);
  for (let patch = 0; patch < count; patch++) {
    const { files: changed } = await applySeries(tree, [prefixOf(series, patch + 1)]);
    for (const [file, { content }] of changed) {
      if (!series.some(({ patches }) => patches.some((one) => one.files.includes(file)))) continue;
      if (content === undefined) {
        files.delete(file);
        continue;
      }
      const before = files.get(file) ?? linesOf(await original(file)).map((text) => ({ text, patch: undefined }));
      files.set(file, carry(before, linesOf(content), patch));
    }
  }
  return files;
}

/** Lines that stay keep whom they are of; the others are of this patch. */
export function carry(before: readonly SourceLine[], after: readonly string[], patch: number): SourceLine[] {
  let old = 0;
  return diffArrays(before.map(({ text }) => text), [...after]).flatMap(({ added, removed, value }): SourceLine[] => {
    if (added) return value.map((text) => ({ text, patch }));
    old += value.length;
    return removed ? [] : [...before.slice(old - value.length, old)];
  });
}

const linesOf = (content: Buffer | undefined): string[] => {
  const lines = (content?.toString('utf8') ?? '').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

/** A definition in the kernel's style begins in the first column; a label does too, and ends in a colon. */
const DEFINITION = /^[A-Za-z_][^;:]*?\b([A-Za-z_]\w*)\s*\((?![^)]*\)\s*;)/;

/** The names of the C functions that the series changes, by file. */
export function changedFunctions(files: ReadonlyMap<string, readonly SourceLine[]>): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const [file, lines] of files) {
    const names = new Set<string>();
    let current: string | undefined;
    for (const { text, patch } of lines) {
      current = DEFINITION.exec(text)?.[1] ?? (text === '}' ? current : current);
      if (patch !== undefined && current !== undefined) names.add(current);
      if (text === '}') current = undefined;
    }
    found.set(file, names);
  }
  return found;
}
