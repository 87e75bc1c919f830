// SPDX-License-Identifier: GPL-2.0-only
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import picomatch from 'picomatch';
import type { ProgramSource } from '../guest/compile.ts';
import { InputError } from '../host/errors.ts';
import { repositoryRoot } from '../host/paths.ts';
import type { CaseDefinition } from './define-case.ts';

export interface Case {
  /** Area and file: "posix/rename". */
  readonly name: string;
  readonly definition: CaseDefinition;
  /** Its C source, for a case that has one. */
  readonly source?: string;
  /** What it is written in: another content, another case. */
  readonly files: readonly string[];
}

/** All cases of a directory laid out as cases/AREA/NAME.case.ts, in name order. */
export async function discoverCases(root: string = join(repositoryRoot, 'cases')): Promise<Case[]> {
  const found: Case[] = [];
  for (const area of (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
    const directory = join(root, area.name);
    for (const file of (await readdir(directory)).filter((name) => name.endsWith('.case.ts'))) {
      const name = `${area.name}/${file.slice(0, -'.case.ts'.length)}`;
      const module = (await import(pathToFileURL(join(directory, file)).href)) as { readonly default?: CaseDefinition };
      const definition = module.default;
      if (definition === undefined || !('program' in definition || 'run' in definition) || definition.proof.length === 0)
        throw new InputError('case.invalid', `${name} has no default export made by defineCase, or states no proof`, { hint: 'see README, "How to add a case"' });
      const source = 'program' in definition ? join(directory, definition.program) : undefined;
      found.push({ name, definition, ...(source === undefined ? {} : { source }), files: [join(directory, file), ...(source === undefined ? [] : [source])] });
    }
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** The cases that any of the patterns matches; "posix" alone means everything in that area. */
export function selectCases(cases: readonly Case[], patterns: readonly string[]): Case[] {
  if (patterns.length === 0) return [...cases];
  const matchers = patterns.map((pattern) => picomatch(pattern.includes('/') || /[*?[{]/.test(pattern) ? [pattern] : [`${pattern}/**`, pattern]));
  const selected = cases.filter(({ name }) => matchers.some((matches) => matches(name)));
  if (selected.length === 0)
    throw new InputError('case.none-matched', `no case matches ${patterns.join(' ')}`, { hint: '`fuselage list` shows them all' });
  return selected;
}

/** What has to be compiled for these cases. */
export function programsOf(cases: readonly Case[]): ProgramSource[] {
  return cases.flatMap(({ name, source }) => (source === undefined ? [] : [{ name, source }]));
}
