// SPDX-License-Identifier: GPL-2.0-only
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attempt } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import { contentId, sha256 } from '../host/hash.ts';
import { repositoryRoot } from '../host/paths.ts';

/** A static program for the guest. */
export interface Program {
  /** Its place below /fuselage/cases (or /fuselage/bin for tools), for example "posix/rename". */
  readonly name: string;
  readonly id: string;
  readonly file: string;
  /** One of the harness's own programs, and no case. */
  readonly tool: boolean;
}

const FLAGS = ['-std=gnu11', '-O2', '-static', '-s', '-pthread', '-Wall', '-Wextra', '-Werror', '-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections'];
const INCLUDE = join(repositoryRoot, 'cases/include');
const PROGRAMS = join(repositoryRoot, 'harness/guest/programs');

export interface ProgramSource {
  readonly name: string;
  readonly source: string;
  readonly tool?: boolean;
}

/** The harness's own guest programs. */
export const TOOLS: readonly ProgramSource[] = ['heartbeat', 'actor', 'ondemand', 'precontent', 'tree-compare', 'workload'].map((name) => ({
  name,
  source: join(PROGRAMS, `${name}.c`),
  tool: true,
}));

/** Compiles C programs, statically; each is cached by its text, the headers' and the compiler. */
export async function compilePrograms(context: Context, sources: readonly ProgramSource[]): Promise<Program[]> {
  const headers = (await Promise.all([INCLUDE, PROGRAMS].map(headersIn))).flat();
  const compiler = (await attempt(['gcc', '--version'])).stdout.split('\n')[0] ?? '';
  const programs: Program[] = [];
  for (const { name, source, tool = false } of sources) {
    const text = await readFile(source, 'utf8').catch((cause: unknown) => {
      throw new InputError('case.does-not-compile', `can not read ${source}`, { hint: 'check the name in the case', cause });
    });
    const id = contentId({ text, headers: sha256(headers.join('\0')), compiler, flags: FLAGS.join(' ') });
    const { path } = await context.cache.obtain({ kind: 'cases', key: id, title: `program ${name}`, ...context }, async (directory) => {
      const output = await attempt(['gcc', ...FLAGS, '-I', INCLUDE, '-o', join(directory, 'program'), source], { cwd: dirname(source), signal: context.signal });
      if (output.exitCode !== 0)
        throw new InputError('case.does-not-compile', `${source} does not compile: ${output.stderr.split('\n').find((line) => line.includes('error')) ?? ''}`, {
          hint: 'mend the case',
          detail: output.stderr.trim(),
        });
    });
    programs.push({ name, id, file: join(path, 'program'), tool });
  }
  return programs;
}

async function headersIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.h')).sort();
  return await Promise.all(names.map(async (name) => `${name}\n${await readFile(join(directory, name), 'utf8')}`));
}
