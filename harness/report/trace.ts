// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import pc from 'picocolors';
import type { TraceLine, TraceRequest } from '../results/trace.ts';

/** One line a request, in the order of arrival. */
export function printTrace(lines: readonly TraceLine[]): string {
  const sorted = [...lines].sort((a, b) => a.at - b.at);
  return sorted.map((line) => (line.kind === 'mark' ? pc.bold(`${time(line.at)} -- ${line.text}`) : requestLine(line))).join('\n');
}

function requestLine(line: TraceRequest): string {
  const args = Object.entries(line.args)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const outcome = line.latency === undefined ? '' : `${line.latency} us`;
  const answer = line.error === undefined ? outcome : pc.red(`${line.error} ${outcome}`);
  const steered = line.steered === undefined ? '' : pc.magenta(` [${line.steered}]`);
  return `${time(line.at)} ${line.guest} q${line.queue} #${line.unique} pid ${String(line.pid).padEnd(4)} ${pc.cyan(line.op.padEnd(13))} ${line.path} ${pc.dim(args)} ${answer}${steered}`;
}

const time = (milliseconds: number): string => milliseconds.toFixed(3).padStart(11);

/** Requests by operation: how many, how many failed, and how long the server took. */
export function countTrace(lines: readonly TraceLine[]): string {
  const byOperation = new Map<string, TraceRequest[]>();
  for (const line of lines) if (line.kind === 'request') byOperation.set(line.op, [...(byOperation.get(line.op) ?? []), line]);
  const table = new Table({ head: ['operation', 'requests', 'errors', 'entries', 'median us', 'longest us'], style: { head: [], border: [] } });
  for (const [op, requests] of [...byOperation].sort(([, a], [, b]) => b.length - a.length)) {
    const latencies = requests.flatMap(({ latency }) => (latency === undefined ? [] : [latency])).sort((a, b) => a - b);
    const entries = requests.reduce((sum, { args }) => sum + (typeof args['count'] === 'number' ? args['count'] : 0), 0);
    table.push([op, requests.length, requests.filter(({ error }) => error !== undefined).length, entries || '', latencies[Math.floor(latencies.length / 2)] ?? '', latencies.at(-1) ?? '']);
  }
  return table.toString();
}

/** The Trace Event format: a process a guest, a track a process of the guest. */
export function perfettoOf(lines: readonly TraceLine[]): string {
  const guests = [...new Set(lines.map(({ guest }) => guest))];
  const traceEvents = [
    ...guests.map((guest, pid) => ({ ph: 'M', name: 'process_name', pid, args: { name: guest } })),
    ...lines.map((line) => {
      const pid = guests.indexOf(line.guest);
      const ts = line.at * 1_000;
      if (line.kind === 'mark') return { ph: 'i', s: 'g', name: line.text, pid, tid: 0, ts };
      const { op, path, args, error, unique, queue } = line;
      return { ph: 'X', name: op, cat: 'fuse', pid, tid: line.pid, ts, dur: line.latency ?? 0, args: { path, unique, queue, ...args, ...(error === undefined ? {} : { error }) } };
    }),
  ];
  return JSON.stringify({ traceEvents, displayTimeUnit: 'ms' });
}
