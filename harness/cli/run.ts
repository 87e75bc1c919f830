// SPDX-License-Identifier: GPL-2.0-only
import type { Command } from 'commander';
import { exitCodeOf } from '../check/check.ts';
import { runSuite } from '../suite/run-suite.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { chooseKernel, DEFAULT_KERNEL } from './kernel-choice.ts';
import { addSuiteOptions, casesOf, commandLine, liveListener, outputDirectory, report, sharesOf, type SuiteOptions } from './options.ts';
import { inSession } from './session.ts';

export function addRun(program: Command): void {
  addSuiteOptions(program.command('run').description('run cases under one kernel').argument('[case...]', 'case names or globs, for example posix or "mmap-*/**"'))
    .option('--kernel <kernel>', 'a build id, a version, a bzImage or prebuilt:VERSION', DEFAULT_KERNEL)
    .action(async (patterns: string[], options: SuiteOptions & { readonly kernel: string }) => {
      await inSession(async (session) => {
        const { context } = session;
        const shares = sharesOf(options);
        const cases = await casesOf(options, patterns);
        await ensurePackages(context);
        const image = await chooseKernel(context, options.kernel);
        const out = await outputDirectory(context, options.out);
        const results = await runSuite(context, { ...options, kernels: [{ role: 'only', image }], shares, cases, out, command: commandLine() }, liveListener(session));
        await report(results, options, out);
        return context.signal.aborted ? 130 : exitCodeOf(results);
      });
    });
}
