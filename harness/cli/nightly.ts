// SPDX-License-Identifier: GPL-2.0-only
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import pc from 'picocolors';
import { quote } from 'zx';
import type { Context } from '../host/context.ts';
import { FuselageError, InputError } from '../host/errors.ts';
import { readConfig, type NightlyConfig } from '../nightly/config.ts';
import { History } from '../nightly/history.ts';
import { mergeNights, nightOf, planOf, runNight } from '../nightly/nightly.ts';
import { dispatch, serve, type Task } from '../nightly/queue.ts';
import { runCell } from '../nightly/run-cell.ts';
import { daysBefore, trendsSince } from '../nightly/trends.ts';
import { NIGHTLY_REPORTS, type NightlyFormat } from '../report/nightly/reports.ts';
import { renderNightlyPage } from '../report/nightly/page.ts';
import { cellLine } from '../report/nightly/text.ts';
import { nightlyExitCode, nightlySchema, type Cell, type CellResult, type Nightly } from '../results/nightly.ts';
import type { Trends } from '../results/trends.ts';
import { discoverCases } from '../suite/discover.ts';
import { readExpectationFiles } from '../suite/expectations.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { commandLine, liveListener, outputDirectory, positive } from './options.ts';
import { inSession } from './session.ts';

export interface NightlyOptions {
  readonly config: string;
  readonly shard?: { readonly index: number; readonly of: number };
  readonly full?: boolean;
  readonly jobs?: number;
  readonly history?: string;
  readonly plan?: boolean;
  readonly queue?: string;
  readonly queueCa?: string;
  readonly format: NightlyFormat;
  readonly out?: string;
}

/** What the page of a night looks back on. */
const TREND_DAYS = 90;

const shard = (text: string): { index: number; of: number } => {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const found = { index: Number(index), of: Number(of) };
  if (!(found.index >= 1 && found.index <= found.of)) throw new InvalidArgumentError('give a part of a whole, such as 2/5');
  return found;
};

export const formatOption = (): Option => new Option('--format <format>', 'what is printed to stdout').choices(Object.keys(NIGHTLY_REPORTS)).default('terminal');

export function addNightly(program: Command): void {
  program
    .command('nightly')
    .description('judge trees x refs x flavors x shares x suites: what changed since the last green night')
    .requiredOption('--config <file>', 'YAML; ci/nightly.yaml is an example')
    .addOption(new Option('--shard <i/n>', 'only this part of the night; `fuselage merge` joins them').argParser(shard))
    .option('--full', 'judge what has not changed as well')
    .option('--jobs <n>', 'guests at a time (default: one a core)', positive)
    .option('--history <file>', 'SQLite file of the nights before (default: what the configuration says, or one below the cache)')
    .option('--queue <url>', 'have workers judge the cells: redis://host:6379, or rediss:// for TLS')
    .option('--queue-ca <file>', 'PEM file of the authority behind the certificate of the queue')
    .option('--plan', 'print the cells and how long they took the last times, and do nothing')
    .addOption(formatOption())
    .option('--out <dir>', 'where reports and the records of every guest go (default: below the cache)')
    .action(async (options: NightlyOptions) => {
      await inSession(async (session) => {
        const { context, display } = session;
        const config = await readConfig(options.config);
        // Told now, and not in the middle of the night.
        await readExpectationFiles(config.expectations);
        const history = openHistory(context, config, options);
        try {
          const plan = planOf(config, nightCommand(options), options.shard, (cell) => history.seconds(cell));
          if (options.plan === true) {
            process.stdout.write(plan.cells.map(({ id }) => `${(history.seconds(id)?.toFixed(0) ?? '-').padStart(6)} s  ${plan.shard === undefined || plan.shard.cells.some((cell) => cell.id === id) ? id : pc.dim(id)}\n`).join(''));
            return 0;
          }
          const out = await outputDirectory(context, options.out);
          const full = options.full === true;
          const onCell = (night: number) => (result: CellResult) => {
            try {
              history.record(night, result);
            } catch (error) {
              // The report has it all the same, and the next night judges the cell again.
              if (!(error instanceof FuselageError)) throw error;
              context.emit({ type: 'warning', text: `${result.cell.id} is not in the history: ${error.line}` });
            }
            // Said when it is kept: whoever has read it may pull the plug.
            display.line(cellLine(result));
          };
          let document: Nightly;
          if (options.queue === undefined) {
            await ensurePackages(context);
            const cases = await discoverCases();
            const night = history.beginNight(new Date().toISOString(), commandLine());
            const judge = async (cell: Cell) => await runCell(context, cell, { config, cases, memory: history.memoryOf(cell.id), full, night, out, command: plan.command, ...(options.jobs === undefined ? {} : { jobs: options.jobs }) }, liveListener(session));
            document = await runNight(plan, judge, onCell(night));
          } else {
            const startedAt = new Date().toISOString();
            const night = history.beginNight(startedAt, commandLine());
            const tasks = (plan.shard?.cells ?? plan.cells).map((cell) => ({ cell, config, memory: history.memoryOf(cell.id), full, night, command: plan.command }));
            document = nightOf(plan, await dispatch(context, queueOptions(options), `${startedAt} ${randomUUID()}`, tasks, onCell(night)));
          }
          history.prune(config.retentionDays);
          await reportNight(document, options.format, out, trendsSince(history, daysBefore(document.startedAt, TREND_DAYS)));
          return nightlyExitCode(document);
        } finally {
          history.close();
        }
      });
    });
}

export function addMerge(program: Command): void {
  program
    .command('merge')
    .description('join the shards of a night into one report')
    .argument('<file...>', 'nightly.json of every shard')
    .option('--history <file>', 'record the night there as well')
    .addOption(formatOption())
    .option('--out <dir>', 'where the reports go (default: below the cache)')
    .action(async (files: string[], options: { readonly history?: string; readonly format: NightlyFormat; readonly out?: string }) => {
      await inSession(async ({ context }) => {
        const document = mergeNights(await Promise.all(files.map(async (file) => ({ file, night: await readNight(file) }))));
        const out = await outputDirectory(context, options.out);
        let trends: Trends | undefined;
        if (options.history !== undefined) {
          const history = History.open(resolve(options.history));
          try {
            const night = history.beginNight(document.startedAt, document.command);
            for (const one of document.cells) history.record(night, one);
            trends = trendsSince(history, daysBefore(document.startedAt, TREND_DAYS));
          } finally {
            history.close();
          }
        }
        await reportNight(document, options.format, out, trends);
        return nightlyExitCode(document);
      });
    });
}

/** Where the nights before are. */
export const openHistory = (context: Context, config: Pick<NightlyConfig, 'history'> | undefined, options: { readonly history?: string }): History =>
  History.open(options.history === undefined ? (config?.history ?? join(context.cache.root, 'nightly', 'history.sqlite')) : resolve(options.history));

/** One of many machines that judge cells. */
export function addWorker(program: Command): void {
  program
    .command('worker')
    .description('judge the cells that `fuselage nightly --queue` puts into a queue, until Ctrl-C')
    .requiredOption('--queue <url>', 'redis://host:6379, or rediss:// for TLS; the password may be in FUSELAGE_QUEUE_PASSWORD')
    .option('--queue-ca <file>', 'PEM file of the authority behind the certificate of the queue')
    .option('--lock-seconds <n>', 'another worker takes over what this one has not been heard of for so long', positive, 60)
    .option('--jobs <n>', 'guests at a time (default: one a core)', positive)
    .action(async (options: { readonly queue: string; readonly queueCa?: string; readonly lockSeconds: number; readonly jobs?: number }) => {
      await inSession(async (session) => {
        const { context, display } = session;
        await ensurePackages(context);
        const cases = await discoverCases();
        const judge = async (task: Task) =>
          await runCell(context, task.cell, { ...task, cases, out: await outputDirectory(context, undefined), ...(options.jobs === undefined ? {} : { jobs: options.jobs }) }, liveListener(session));
        await serve(context, { ...queueOptions(options), lockSeconds: options.lockSeconds }, judge, {
          onReady: () => {
            display.line('waiting for cells');
          },
          onNote: (text) => {
            display.line(text);
          },
        });
        return context.signal.aborted ? 130 : 0;
      });
    });
}

/** The command that means this night, whichever part of it runs here. */
const nightCommand = ({ config, full }: Pick<NightlyOptions, 'config' | 'full'>): string => `fuselage nightly --config ${quote(config)}${full === true ? ' --full' : ''}`;

const queueOptions = ({ queue, queueCa }: { readonly queue?: string | undefined; readonly queueCa?: string | undefined }) => ({ url: queue ?? '', ...(queueCa === undefined ? {} : { caFile: resolve(queueCa) }) });

async function readNight(file: string): Promise<Nightly> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new InputError('nightly.shard', `can not read ${file}`, { hint: 'give the nightly.json of every shard', cause });
  });
  try {
    return nightlySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new InputError('nightly.shard', `${file} is no nightly.json of this version`, { hint: 'was it written to its end?', cause });
  }
}

/** Prints what was asked for, and writes every form below the output directory. */
export async function reportNight(night: Nightly, format: NightlyFormat, out: string, trends?: Trends): Promise<void> {
  process.stdout.write(NIGHTLY_REPORTS[format](night));
  const files: Readonly<Partial<Record<NightlyFormat, string>>> = { json: 'nightly.json', junit: 'junit.xml', ktap: 'results.ktap', kcidb: 'kcidb.json', mail: 'mail.txt' };
  for (const [name, file] of Object.entries(files)) await writeFile(join(out, file), NIGHTLY_REPORTS[name as NightlyFormat](night));
  await writeFile(join(out, 'report.html'), renderNightlyPage({ night, ...(trends === undefined ? {} : { trends }) }));
  process.stderr.write(`results: ${out}\n`);
}
