// SPDX-License-Identifier: GPL-2.0-only
import { Option, type Command } from 'commander';
import { chooseCases } from '../check/case-choice.ts';
import { check, exitCodeOf } from '../check/check.ts';
import { InputError } from '../host/errors.ts';
import { flavorNamed, FLAVORS } from '../kernel/flavor.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import {
  addBuildOptions,
  addSuiteOptions,
  collect,
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

interface CheckOptions extends BuildOptions, SuiteOptions {
  readonly all?: boolean;
  readonly coverage: boolean;
  readonly buildFlavor?: readonly string[];
}

export function addCheck(program: Command): void {
  const command = program.command('check').description('base against patched: build both, run both, compare').argument('[case...]', 'case names or globs');
  addSuiteOptions(addBuildOptions(command))
    .option('--all', 'every case on every usual share, instead of those that are about what the series changes')
    .addOption(new Option('--build-flavor <flavor>', 'build every patch in this configuration as well, without running it; may be repeated').choices(Object.keys(FLAVORS)).argParser(collect))
    .option('--no-coverage', 'do not find out which of the changed lines the cases execute (saves a build and a run)')
    .action(async (patterns: string[], options: CheckOptions) => {
      await inSession(async (session) => {
        const { context } = session;
        const cases = await casesOf(options, patterns);
        const named = options.all === true || patterns.length > 0 || options.share !== undefined;
        const shares = sharesOf(options);
        await ensurePackages(context);
        const request = await readBuildRequest(context, options);
        if (request.series.length === 0) throw new InputError('usage', 'nothing to check', { hint: 'give --series or --range' });
        const out = await outputDirectory(context, options.out);
        const chosen = named ? { shares, cases } : await chooseCases(context, request.tree, request.series, cases);
        const results = await check(context, { ...options, ...request, ...chosen, alsoBuild: (options.buildFlavor ?? []).map(flavorNamed), out, command: commandLine() }, liveListener(session));
        await report(results, options, out);
        return context.signal.aborted ? 130 : exitCodeOf(results);
      });
    });
}
