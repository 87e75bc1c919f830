// SPDX-License-Identifier: GPL-2.0-only
import type { Command } from 'commander';
import { check, exitCodeOf } from '../check/check.ts';
import { InputError } from '../host/errors.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import {
  addBuildOptions,
  addSuiteOptions,
  casesOf,
  commandLine,
  liveListener,
  outputDirectory,
  readBuildRequest,
  report,
  sharesOf,
  type BuildOptions,
  type SuiteOptions,
} from './options.ts';
import { inSession } from './session.ts';

export function addCheck(program: Command): void {
  const command = program.command('check').description('base against patched: build both, run both, compare').argument('[case...]', 'case names or globs');
  addSuiteOptions(addBuildOptions(command)).action(async (patterns: string[], options: BuildOptions & SuiteOptions) => {
    await inSession(async (session) => {
      const { context } = session;
      const shares = sharesOf(options);
      const cases = await casesOf(options, patterns);
      await ensurePackages(context);
      const request = await readBuildRequest(context, options);
      if (request.series.length === 0) throw new InputError('usage', 'nothing to check', { hint: 'give --series or --range' });
      const out = await outputDirectory(context, options.out);
      const results = await check(context, { ...options, ...request, shares, cases, out, command: commandLine() }, liveListener(session));
      await report(results, options, out);
      return context.signal.aborted ? 130 : exitCodeOf(results);
    });
  });
}
