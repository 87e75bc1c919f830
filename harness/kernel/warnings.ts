// SPDX-License-Identifier: GPL-2.0-only

/**
 * Compiler warnings by the source file that was being compiled (below the tree), headers' under the file that includes
 * them; without line and column, which move with every change above them.
 */
export type Warnings = Readonly<Record<string, readonly string[]>>;

const COMPILED = /^\s+(?:CC|AS|LD)\s+(?:\[M\]\s+)?(\S+)\.o$/;
const WARNING = /^(?:\S*\/source\/)?(\S+?\.[chS]):\d+(?::\d+)?: warning: (.+)$/;
/** gcc says by way of which files it came to a header, the compiled one last; and says it once for warnings in a row. */
const INCLUDED = /^(?:In file included|\s+)\s*from (?:\S*\/source\/)?(\S+?\.[chS]):\d+(?::\d+)?[,:]$/;

/**
 * What is known after a make: files that it compiled have the warnings that it printed, and all others those
 * they had. An incremental make prints those of few files, and this way no warning gets lost, stays or looks new.
 */
export function absorbWarnings(known: Warnings, lines: readonly string[]): Warnings {
  const found = new Map<string, Set<string>>();
  const compiled = new Set<string>();
  let unit: string | undefined;
  for (const line of lines) {
    const [, object] = COMPILED.exec(line) ?? [];
    if (object !== undefined) for (const suffix of ['c', 'S']) compiled.add(`${object}.${suffix}`);
    unit = INCLUDED.exec(line)?.[1] ?? unit;
    const [, file, text] = WARNING.exec(line) ?? [];
    if (file === undefined || text === undefined) continue;
    if (!file.endsWith('.h')) unit = file;
    const of = unit ?? file;
    found.set(of, (found.get(of) ?? new Set()).add(of === file ? text : `${file}: ${text}`));
  }
  const kept = Object.entries(known).filter(([file]) => !compiled.has(file) && !found.has(file));
  return Object.fromEntries([...kept, ...[...found].map(([file, texts]) => [file, [...texts].sort()] as const)].sort(([a], [b]) => a.localeCompare(b)));
}

const IN_HEADER = /^\S+\.h: /;

/** "fs/fuse/dax.c: unused variable 'x' [-Wunused-variable]" for each that `after` has and `before` has not. */
export function newWarnings(before: Warnings, after: Warnings): string[] {
  const told = Object.entries(after).flatMap(([file, texts]) => texts.filter((text) => before[file]?.includes(text) !== true).map((text) => (IN_HEADER.test(text) ? text : `${file}: ${text}`)));
  // A header's warning is one, however many files include it.
  return [...new Set(told)];
}
