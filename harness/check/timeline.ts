// SPDX-License-Identifier: GPL-2.0-only
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CounterRow, Results, Timeline } from '../results/schema.ts';
import { traceLineSchema, type TraceLine } from '../results/trace.ts';
import { TRACE_FILE } from '../share/trace-file.ts';

/** So many cases, and so many requests of each: a page that a phone can hold. */
const MOST_CASES = 12;
const MOST_REQUESTS = 1_500;

/** What crossed the wire in the cases whose counts moved, base beside patched, from the traces below `out`. */
export async function timelinesOf(results: Results, counters: readonly CounterRow[], out: string): Promise<Timeline[]> {
  const moved = new Map(counters.filter(({ base, patched }) => base !== patched).map(({ name, share }) => [`${share} ${name}`, { name, share }]));
  const found: Timeline[] = [];
  for (const { name, share } of [...moved.values()].slice(0, MOST_CASES)) {
    const [base, patched] = await Promise.all([0, 1].map(async (kernel) => {
      for (const { directory } of results.guests.filter((guest) => guest.kernel === kernel && guest.share === share)) {
        const requests = await requestsOf(join(out, directory, TRACE_FILE), name);
        if (requests.length > 0) return requests;
      }
      return [];
    }));
    if (base !== undefined && patched !== undefined && base.length + patched.length > 0) found.push({ name, share, base, patched });
  }
  return found;
}

/** The requests between a case's mark and the next, in milliseconds from the mark. */
async function requestsOf(file: string, name: string): Promise<Timeline['base']> {
  const requests: Timeline['base'] = [];
  if (!existsSync(file)) return requests;
  let begin: number | undefined;
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  for await (const text of lines) {
    const line = parseLine(text);
    if (line === undefined) continue;
    if (line.kind === 'mark') {
      if (begin !== undefined && line.text.startsWith('begin ')) break;
      if (line.text === `begin ${name}`) begin = line.at;
    } else if (begin !== undefined && requests.length < MOST_REQUESTS) requests.push({ at: line.at - begin, op: line.op, milliseconds: (line.latency ?? 0) / 1_000 });
  }
  lines.close();
  return requests;
}

/** The last line of a guest that was killed may be half of itself. */
function parseLine(text: string): TraceLine | undefined {
  try {
    return traceLineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
