// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { quote } from 'zx';
import { exitCodeOf } from '../check/check.ts';
import type { Context } from '../host/context.ts';
import { InputError, type ExitCode } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { BAD, resultsSchema, type CaseResult, type Results } from '../results/schema.ts';
import { shareNamed } from '../share/catalogue.ts';
import { discoverCases, selectCases } from '../suite/discover.ts';
import { runSuite } from '../suite/run-suite.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { attach } from './attach.ts';
import { chooseKernel } from './kernel-choice.ts';
import { commandLine, jsonOption, liveListener, outputDirectory, report } from './options.ts';
import { inSession, type Session } from './session.ts';

interface Options {
  readonly share?: string;
  readonly kernel?: 'base' | 'patched' | 'only';
  readonly shell?: boolean;
  readonly gdb?: boolean;
  readonly json?: boolean;
}

export function addReproduce(program: Command): void {
  program
    .command('reproduce')
    .description('run one case of an earlier run again, in the same guest: same kernel, share and device settings')
    .argument('<run>', 'the folder of its results, or its name below the cache\'s runs')
    .argument('<case>', 'for example dax-reclaim/gate')
    .option('--share <name>', 'on which share, where it ran on several (default: where it failed)')
    .addOption(new Option('--kernel <role>', 'under which kernel (default: where it failed, else the patched one)').choices(['base', 'patched', 'only']))
    .option('--shell', 'a shell in the guest when the case has ended')
    .option('--gdb', 'wait for gdb before the first instruction')
    .addOption(jsonOption())
    .action(async (run: string, name: string, options: Options) => {
      await inSession((session) => reproduce(session, run, name, options));
    });
}

async function reproduce(session: Session, run: string, name: string, options: Options): Promise<ExitCode> {
  const { context, display } = session;
  const results = await readResults(context, run);
  const found = pick(results, name, options);
  const kernel = results.kernels[found.kernel];
  if (kernel?.choice === undefined) throw new InputError('run.unusable', `${run} does not say which kernel ${name} ran under`, { hint: 'run it again with this version of fuselage' });
  await ensurePackages(context);
  const image = await chooseKernel(context, kernel.choice);
  const cases = selectCases(await discoverCases(), [name]);
  const out = await outputDirectory(context, undefined);
  display.line(`${name} on ${found.share} under ${kernel.title}: was ${found.status}`);
  return await Scope.run(async (scope) => {
    const gdbSocket = options.gdb === true ? join(await temporaryDirectory(scope, 'gdb'), 'gdb') : undefined;
    if (gdbSocket !== undefined) {
      display.line('the guest stands still until gdb lets it go:');
      display.line(`  gdb ${[image.vmlinux ?? '', '-ex', `target remote ${gdbSocket}`].filter(Boolean).map((word) => quote(word)).join(' ')}`);
    }
    const output = options.json === true ? process.stderr : process.stdout;
    const again = await runSuite(
      context,
      {
        kernels: [{ role: 'only', image }],
        shares: [shareNamed(found.share)],
        cases,
        jobs: 1,
        out,
        command: commandLine(),
        debug: {
          ...(gdbSocket === undefined ? {} : { gdbSocket }),
          ...(options.shell === true ? { afterCase: (guest) => attach(guest, output) } : {}),
        },
      },
      liveListener(session),
    );
    process.stdin.pause();
    await report(again, { format: 'terminal', ...(options.json === undefined ? {} : { json: options.json }) }, out);
    return context.signal.aborted ? 130 : exitCodeOf(again);
  });
}

async function readResults(context: Context, run: string): Promise<Results> {
  for (const directory of [resolve(run), join(context.cache.root, 'runs', run)]) {
    const text = await readFile(join(directory, 'results.json'), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const parsed = resultsSchema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw new InputError('run.unusable', `${directory}/results.json is not of this version of fuselage`, { hint: 'run it again, or use the version that wrote it' });
  }
  throw new InputError('run.unknown', `no results in ${run}`, { hint: 'give the folder that a run named in its last line' });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of the runs of a case the first that failed, else the last: the patched kernel's. */
function pick(results: Results, name: string, { share, kernel }: Options): CaseResult {
  const all = results.cases.filter((one) => one.name === name && (share === undefined || one.share === share) && (kernel === undefined || results.kernels[one.kernel]?.role === kernel));
  const found = all.find(({ status }) => BAD.has(status)) ?? all.at(-1);
  if (found !== undefined) return found;
  const names = [...new Set(results.cases.map((one) => one.name).filter((one) => !one.startsWith('guest/')))];
  throw new InputError('case.none-matched', `${name} did not run there${share === undefined ? '' : ` on ${share}`}`, { hint: `it holds ${names.slice(0, 6).join(', ')}${names.length > 6 ? ', ...' : ''}` });
}
