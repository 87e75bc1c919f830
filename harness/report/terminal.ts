// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import pc from 'picocolors';
import { figureTables } from './figures.ts';
import { countedRows, coverageWords, orderRows, outcomeOf, patchNotes, patchRemarks } from './words.ts';
import { BAD, type CaseResult, type CounterRow, type Coverage, type PatchReport, type Results, type Row, type Status } from '../results/schema.ts';
import { newSplats } from '../verdict/classify.ts';

const COLORS: Readonly<Record<Status, (text: string) => string>> = {
  pass: pc.green,
  fail: pc.red,
  skip: pc.yellow,
  xfail: pc.yellow,
  xpass: pc.magenta,
  'not-exercised': pc.magenta,
  crash: pc.red,
  hang: pc.red,
  timeout: pc.red,
};

const PAINT = { bad: pc.red, look: pc.yellow };

const SHOWN_ROWS = 30;
const SHOWN_NOTES = 6;

/** One line a case run, as it ends. */
export function caseLine(one: CaseResult, kernelRole: string | undefined): string {
  const passed = one.subtests.filter(({ status }) => status === 'pass').length;
  const counts = one.subtests.length === 0 ? '' : `${passed}/${one.subtests.length}`;
  const role = kernelRole === undefined || kernelRole === 'only' ? '' : kernelRole.padEnd(8);
  const head = `${COLORS[one.status](one.status.toUpperCase().padEnd(13))}${role}${one.share.padEnd(10)} ${one.name.padEnd(26)} ${counts.padStart(6)} ${`${one.seconds.toFixed(1)} s`.padStart(7)}`;
  return one.reason === undefined || one.status === 'pass' ? head : `${head}  ${pc.dim(one.reason.slice(0, 160))}`;
}

/** The summary on one screen: worst first, then how to see it again. */
export function renderTerminal(results: Results): string {
  const lines: string[] = ['', ...headline(results)];
  if (results.check !== undefined) lines.push(...patchLines(results.check.patches), ...checkRows(results.check.rows), ...wire(results.check.counters), ...splatLines(results), ...claims(results), ...coverageLines(results.check.coverage));
  else lines.push(...byShare(results), ...failures(results));
  lines.push(...figureTables(results));
  for (const note of results.expectations) lines.push(pc.magenta(`${note.kind}: ${note.text}`));
  for (const text of results.infrastructure) lines.push(pc.red(`infrastructure: ${text}`));
  lines.push('');
  return lines.join('\n');
}

function headline(results: Results): string[] {
  const { totals, check } = results;
  const where = `${results.accelerator.name === 'tcg' ? 'TCG (emulation)' : 'KVM'}, QEMU ${results.qemu.version}, ${results.seconds.toFixed(0)} s`;
  const counted = (Object.keys(totals) as Status[]).filter((status) => totals[status] > 0).map((status) => `${totals[status]} ${status}`);
  const kernels = results.kernels.map((kernel) => `${kernel.role === 'only' ? 'kernel ' : kernel.role.padEnd(7)} ${kernel.title}`);
  if (check === undefined) return [...kernels, `${counted.join(', ')}  (${where})`];
  const paint = { clean: pc.green, 'not-exercised': pc.magenta, regressed: pc.red, infrastructure: pc.red }[check.verdict];
  const chosen = check.why === undefined ? [] : [`${new Set(results.cases.filter(({ name }) => !name.startsWith('guest/')).map(({ name, share }) => `${share} ${name}`)).size} cases, ${check.why}`];
  return [paint(pc.bold(`${check.verdict.toUpperCase().replace('-', ' ')}  ${check.series.join(', ')}`)), ...kernels, `${countedRows(check)}  (${where})`, ...chosen, ...check.fuzz.map((text) => pc.yellow(text))];
}

function byShare(results: Results): string[] {
  const table = new Table({ head: ['share', 'cases', 'pass', 'fail', 'xfail', 'skip', 'other'], style: { head: [], border: [] } });
  for (const share of results.shares) {
    const cases = results.cases.filter((one) => one.share === share);
    // None of the cases is about it.
    if (cases.length === 0) continue;
    const subtests = cases.flatMap((one) => (one.subtests.length > 0 ? one.subtests : [one])) as readonly { readonly status: Status }[];
    const count = (...statuses: readonly Status[]): number => subtests.filter(({ status }) => statuses.includes(status)).length;
    table.push([share, cases.length, count('pass'), count('fail', 'crash', 'hang', 'timeout'), count('xfail'), count('skip'), count('xpass', 'not-exercised')]);
  }
  return [table.toString()];
}

function failures(results: Results): string[] {
  const bad = results.cases.filter(({ status }) => BAD.has(status) || status === 'not-exercised');
  return bad.flatMap((one) => [
    `${COLORS[one.status](one.status)} ${one.share} ${one.name}: ${one.reason ?? ''}`,
    ...one.subtests.filter(({ status }) => BAD.has(status)).map((subtest) => `    ${subtest.name}${subtest.reason === undefined ? '' : pc.dim(` (${subtest.reason})`)}`),
    ...one.splats.map((splat) => `    kernel log: ${splat.kind}: ${splat.title} [${splat.fingerprint}]`),
    pc.dim(`    again: ${one.reproduce}`),
  ]);
}

/** One line a patch, and one for each thing that somebody should look at. */
function patchLines(patches: readonly PatchReport[]): string[] {
  return patches.flatMap((patch, index) => [
    `${index + 1}/${patches.length} ${patch.title.slice(0, 72)}: ${patchRemarks(patch).map(({ text, mark }) => (mark === undefined ? text : PAINT[mark](text))).join(', ')}`,
    ...patchNotes(patch).slice(0, SHOWN_NOTES).map((note) => pc.dim(`      ${note}`)),
  ]);
}

/** One line a patch, and the changed lines that nobody ran. */
function coverageLines(coverage: Coverage | undefined): string[] {
  if (coverage === undefined) return [];
  if (coverage.unmeasured !== undefined) return [pc.yellow(`coverage is not known: ${coverage.unmeasured}`)];
  return coverage.patches.flatMap((patch, index) => {
    const missed = patch.lines.filter(({ state }) => state === 'not-executed' || state === 'not-compiled');
    const words = coverageWords(patch);
    const shown = missed.slice(0, SHOWN_NOTES).map(({ file, line, text }) => pc.dim(`      never run: ${file}:${line}: ${text.trim()}`));
    return [
      `${index + 1}/${coverage.patches.length} ${patch.title.slice(0, 72)}: ${missed.length > 0 ? pc.yellow(words) : words}`,
      ...shown,
      ...(missed.length > SHOWN_NOTES ? [pc.dim(`      and ${missed.length - SHOWN_NOTES} more in results.json`)] : []),
    ];
  });
}

function checkRows(rows: readonly Row[]): string[] {
  const sorted = orderRows(rows);
  const lines = sorted.slice(0, SHOWN_ROWS).flatMap((row) => {
    const paint = row.class === 'regressed' ? pc.red : row.class === 'fixed' ? pc.green : pc.yellow;
    return [
      `${paint(row.class.padEnd(13))} ${row.share} ${row.name}${row.subtest === undefined ? '' : ` / ${row.subtest}`}: ${outcomeOf(row)}`,
      ...(row.reason === undefined ? [] : [pc.dim(`              ${row.reason.slice(0, 200)}`)]),
    ];
  });
  if (sorted.length > SHOWN_ROWS) lines.push(`... and ${sorted.length - SHOWN_ROWS} more rows in results.json`);
  const first = sorted.find((row) => row.class === 'regressed');
  if (first !== undefined) lines.push(pc.dim(`again: ${first.reproduce}`));
  return lines;
}

const SHOWN_FRAMES = 6;

/** Frames of the patched kernel's new splats that are in the changed code: those that were decoded. */
function splatLines(results: Results): string[] {
  return newSplats(results.cases).flatMap(({ splat: { kind, title, lines } }) => [
    pc.red(`kernel log    ${kind}: ${title}`),
    ...lines.filter((line) => /\+0x[0-9a-f]+\/0x[0-9a-f]+ \(\S+:\d+\)/.test(line)).slice(0, SHOWN_FRAMES).map((line) => pc.dim(`              ${line.trim()}`)),
  ]);
}

/** Counts side by side: under emulation they are what can be compared. */
function wire(counters: readonly CounterRow[]): string[] {
  if (counters.length === 0) return [];
  const table = new Table({ head: ['on the wire', 'base', 'patched', 'ratio', 'may be'], style: { head: [], border: [] } });
  let last = '';
  for (const row of counters) {
    const heading = `${row.share} ${row.name}`;
    if (heading !== last) table.push([{ content: pc.bold(heading), colSpan: 5 }]);
    last = heading;
    const ratio = row.base === row.patched ? '1' : row.base === 0 ? '-' : (row.patched / row.base).toPrecision(2);
    const paint = !row.allowed ? pc.red : row.base === row.patched ? pc.dim : row.rule === undefined ? pc.yellow : pc.green;
    table.push([paint(row.counter), row.base, paint(String(row.patched)), ratio, row.rule ?? 'anything']);
  }
  return [table.toString()];
}

function claims(results: Results): string[] {
  return (results.check?.claims ?? []).map(({ text, state }) => {
    if (state === 'held') return pc.green(`as its manifest says: ${text}`);
    if (state === 'broken') return pc.red(`its manifest says, and it was not so: ${text}`);
    return pc.yellow(`its manifest says, and nothing here measures it: ${text}`);
  });
}
