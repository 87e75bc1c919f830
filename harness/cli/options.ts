// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import pc from 'picocolors';
import { quote } from 'zx';
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import { flavorNamed, FLAVORS } from '../kernel/flavor.ts';
import type { BuildRequest } from '../kernel/build.ts';
import { openInputs } from '../kernel/inputs.ts';
import { REPORT_FORMATS, REPORTS, type ReportFormat } from '../report/report.ts';
import { caseLine } from '../report/terminal.ts';
import type { Results } from '../results/schema.ts';
import { DEFAULT_SHARES, shareNamed, SHARES } from '../share/catalogue.ts';
import { discoverCases, selectCases } from '../suite/discover.ts';
import type { SuiteListener } from '../suite/run-suite.ts';
import type { Session } from './session.ts';

const KEPT_RUNS = 20;

export const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

export const positive = (value: string): number => {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('give a whole number from 1');
  return number;
};

export const jsonOption = (): Option => new Option('--json', 'print one JSON document to stdout and everything else to stderr');

export interface BuildOptions {
  readonly tree: string;
  readonly series?: readonly string[];
  readonly range?: string;
  readonly base?: string;
  readonly flavor: string;
  readonly config?: readonly string[];
  readonly json?: boolean;
}

export function addBuildOptions(command: Command): Command {
  return command
    .requiredOption('--tree <dir|version>', 'kernel source: a directory (never written to) or 6.1, 6.12, 7.2, 7.3')
    .option('--series <series>', 'quilt directory, mbox, maildir, .patch file or bundled name; may be repeated', collect)
    .option('--range <a..b>', 'commits of a git tree, as a series')
    .option('--base <commit>', 'of a git tree: what series are put on (default: what their base-commit trailer says, else HEAD)')
    .addOption(new Option('--flavor <flavor>', 'kernel configuration').choices(Object.keys(FLAVORS)).default('fast'))
    .option('--config <fragment>', 'Kconfig fragment on top; may be repeated', collect);
}

export async function readBuildRequest(context: Context, options: BuildOptions): Promise<BuildRequest> {
  const { tree, series } = await openInputs(context, options);
  return { tree, series, flavor: flavorNamed(options.flavor), fragmentFiles: (options.config ?? []).map((file) => resolve(file)) };
}

export interface SuiteOptions {
  readonly share?: readonly string[];
  readonly cases?: string;
  readonly jobs?: number;
  readonly repeat?: number;
  readonly format: ReportFormat;
  readonly out?: string;
  readonly json?: boolean;
}

export function addSuiteOptions(command: Command): Command {
  return command
    .option('--share <name>', `how the guest sees the directory; may be repeated (default: ${DEFAULT_SHARES.join(', ')})`, collect)
    .option('--cases <dir>', 'take cases from this directory instead of the bundled ones (laid out as AREA/NAME.case.ts)')
    .option('--jobs <n>', 'guests at a time (default: one a core)', positive)
    .option('--repeat <n>', 'run everything so often; for statistics, never to turn red into green', positive)
    .addOption(new Option('--format <format>', 'what is printed to stdout').choices(REPORT_FORMATS).default('terminal'))
    .option('--out <dir>', 'where results and reports go, and one folder a guest (default: below the cache)')
    .addOption(jsonOption());
}

/** The cases that a command line means. */
export async function casesOf(options: Pick<SuiteOptions, 'cases'>, patterns: readonly string[]) {
  return selectCases(await (options.cases === undefined ? discoverCases() : discoverCases(resolve(options.cases))), patterns);
}

export function sharesOf(options: SuiteOptions) {
  return (options.share ?? DEFAULT_SHARES).map((name) => shareNamed(name));
}

export const shareNames = (): string => SHARES.map(({ name }) => name).join(', ');

/** The directory of a run's results: --out, or a new one below the cache, where the last 20 are kept. */
export async function outputDirectory(context: Context, chosen: string | undefined): Promise<string> {
  if (chosen !== undefined) {
    const directory = resolve(chosen);
    await mkdir(directory, { recursive: true });
    if ((await readdir(directory)).length > 0)
      throw new InputError('usage', `${directory} is not empty`, { hint: 'give --out a new directory: results are never overwritten' });
    return directory;
  }
  const runs = join(context.cache.root, 'runs');
  await mkdir(runs, { recursive: true });
  const old = (await readdir(runs)).filter((name) => /^\d{8}T\d{6}-\d+$/.test(name)).sort();
  for (const name of old.slice(0, Math.max(0, old.length - KEPT_RUNS + 1))) await rm(join(runs, name), { recursive: true, force: true });
  const stamp = new Date().toISOString().replaceAll(/[-:]|\..*/g, '');
  const directory = join(runs, `${stamp}-${process.pid}`);
  await mkdir(directory);
  return directory;
}

/** This very command line, for results and reproduction. */
export const commandLine = (): string => ['fuselage', ...process.argv.slice(2).map((word) => quote(word))].join(' ');

/** Prints each case as it ends. */
export function liveListener(session: Session): SuiteListener {
  let roles: readonly string[] = [];
  return {
    onPlan: (plan) => {
      roles = plan.roles;
      const { name, reason } = plan.accelerator;
      session.display.line(
        name === 'kvm' ? `accelerator: KVM (${reason})` : pc.yellow(`accelerator: TCG, software emulation (${reason}); counts decide, times do not`),
      );
      session.display.line(`${plan.cases} case runs in ${plan.guests} guests, QEMU ${plan.qemuVersion}`);
    },
    onCase: (result) => {
      session.display.line(caseLine(result, roles[result.kernel]));
    },
  };
}

/** Prints the report that was asked for, then writes all of them below the output directory: a full disk loses no result. */
export async function report(results: Results, options: SuiteOptions, out: string): Promise<void> {
  process.stdout.write(REPORTS[options.json === true ? 'json' : options.format](results));
  const files: Readonly<Partial<Record<ReportFormat, string>>> = { json: 'results.json', ktap: 'results.ktap', junit: 'junit.xml', html: 'report.html', mail: 'reply.txt', b4: 'b4.json' };
  for (const format of REPORT_FORMATS) if (files[format] !== undefined) await writeFile(join(out, files[format]), REPORTS[format](results));
  process.stderr.write(`results: ${out}\n`);
}
