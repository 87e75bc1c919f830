// SPDX-License-Identifier: GPL-2.0-only
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { InputError } from '../host/errors.ts';
import { countTrace, perfettoOf, printTrace } from '../report/trace.ts';
import { traceLineSchema, type TraceLine } from '../results/trace.ts';
import { inSession } from './session.ts';

interface Options {
  readonly op?: string;
  readonly path?: string;
  readonly pid?: string;
  readonly case?: string;
  readonly errors?: boolean;
  readonly format: 'text' | 'counts' | 'json' | 'perfetto';
}

export function addTrace(program: Command): void {
  program
    .command('trace')
    .description('print, filter and count what crossed the wire: trace.jsonl of a guest on a device share')
    .argument('<file>', 'a trace.jsonl below --out')
    .option('--op <names>', 'only these operations, separated by commas')
    .option('--path <text>', 'only requests about paths that contain this')
    .option('--pid <pid>', 'only requests of this process of the guest')
    .option('--case <name>', 'only what crossed the wire during this case')
    .option('--errors', 'only requests that were answered with an error')
    .addOption(new Option('--format <format>', 'perfetto is the Trace Event format that ui.perfetto.dev opens').choices(['text', 'counts', 'json', 'perfetto']).default('text'))
    .action(async (file: string, options: Options) => {
      await inSession(async () => {
        const lines = (await readTrace(file)).filter(filterOf(options));
        const text = { text: () => printTrace(lines), counts: () => countTrace(lines), json: () => lines.map((line) => JSON.stringify(line)).join('\n'), perfetto: () => perfettoOf(lines) }[options.format]();
        process.stdout.write(`${text}\n`);
        return 0;
      });
    });
}

async function readTrace(file: string): Promise<TraceLine[]> {
  await access(file).catch((cause: unknown) => {
    throw new InputError('usage', `can not read ${file}`, { hint: 'give the trace.jsonl of a guest on a device share', cause });
  });
  const lines: TraceLine[] = [];
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(file) })) {
    number++;
    if (text === '') continue;
    lines.push(parseLine(text, file, number));
  }
  return lines;
}

function parseLine(text: string, file: string, number: number): TraceLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError('usage', `${file}:${number} is no line of a trace`, { hint: 'give the trace.jsonl of a guest on a device share', cause });
  }
  const parsed = traceLineSchema.safeParse(value);
  if (!parsed.success) throw new InputError('usage', `${file}:${number}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`, { hint: 'give the trace.jsonl of a guest on a device share' });
  return parsed.data;
}

function filterOf(options: Options): (line: TraceLine) => boolean {
  const ops = options.op === undefined ? undefined : new Set(options.op.toUpperCase().split(','));
  let within = options.case === undefined;
  return (line) => {
    if (line.kind === 'mark') {
      if (options.case !== undefined) within = line.text === `begin ${options.case}`;
      return within;
    }
    if (!within || (ops !== undefined && !ops.has(line.op))) return false;
    if (options.path !== undefined && !line.path.includes(options.path)) return false;
    if (options.pid !== undefined && line.pid !== Number(options.pid)) return false;
    return options.errors !== true || line.error !== undefined;
  };
}
