// SPDX-License-Identifier: GPL-2.0-only
import { BAD, type CaseResult, type Coverage, type PatchReport, type Results, type Row, type Status } from '../results/schema.ts';

type Check = NonNullable<Results['check']>;

const CLASSES = ['regressed', 'gone', 'flaky', 'newly-skipped', 'fixed', 'new'] as const;

/** The worst first. */
export const orderRows = (rows: readonly Row[]): Row[] => [...rows].sort((a, b) => CLASSES.indexOf(a.class as (typeof CLASSES)[number]) - CLASSES.indexOf(b.class as (typeof CLASSES)[number]));

/** "1 regressed, 2 fixed, 31 same". */
export function countedRows({ rows, sameRows }: Check): string {
  const counts = CLASSES.map((name) => [name, rows.filter((row) => row.class === name).length] as const).filter(([, count]) => count > 0);
  return [...counts.map(([name, count]) => `${count} ${name}`), `${sameRows} same`].join(', ');
}

/** "patched." where base and patched kernel are told apart. */
export function rolePrefix({ kernels }: Pick<Results, 'kernels'>, { kernel }: Pick<CaseResult, 'kernel'>, separator: string): string {
  const role = kernels[kernel]?.role ?? 'only';
  return role === 'only' ? '' : `${role}${separator}`;
}

/** "pass -> fail"; with repetitions the rates, their 95 % intervals and what they allow to say. */
export function outcomeOf({ base, patched, rates }: Row): string {
  return rates === undefined ? `${statuses(base)} -> ${statuses(patched)}` : `fails ${percent(rates.base)} -> ${percent(rates.patched)}, ${rates.decision}`;
}

/** "2 of 7 (8 to 64 %)". */
const percent = ({ failed, runs, low, high }: NonNullable<Row['rates']>['base']): string => `${failed} of ${runs} (${Math.round(100 * low)} to ${Math.round(100 * high)} %)`;

function statuses(all: readonly Status[]): string {
  if (all.length === 0) return 'absent';
  if (new Set(all).size === 1) return all[0] ?? '';
  return `bad ${all.filter((status) => BAD.has(status)).length} of ${all.length}`;
}

/** What a patch does by itself, a few words each; what somebody should look at is marked. */
export function patchRemarks(patch: PatchReport): { readonly text: string; readonly mark?: 'bad' | 'look' }[] {
  const { builds, warnings, sparse, sizeBytes, checkpatch, fuzz } = patch;
  const count = (noun: string, found: readonly string[]) => `${found.length} new ${noun}${found.length === 1 ? '' : 's'}`;
  return [
    builds ? { text: 'builds' } : { text: 'does not build by itself', mark: 'bad' },
    ...(warnings === undefined ? [] : [warnings.length === 0 ? { text: 'no new warning' } : { text: count('warning', warnings), mark: 'look' as const }]),
    ...(sparse === undefined ? [] : [sparse.length === 0 ? { text: 'sparse clean' } : { text: `sparse: ${sparse.length}`, mark: 'look' as const }]),
    ...(checkpatch === undefined ? [] : [checkpatch.length === 0 ? { text: 'checkpatch clean' } : { text: `checkpatch: ${checkpatch.length}`, mark: 'look' as const }]),
    ...(sizeBytes === undefined ? [] : [{ text: `vmlinux ${sizeBytes > 0 ? '+' : ''}${sizeBytes} bytes` }]),
    ...(fuzz.length === 0 ? [] : [{ text: 'with fuzz', mark: 'look' as const }]),
  ];
}

export const patchWords = (patch: PatchReport): string[] => patchRemarks(patch).map(({ text }) => text);

/** What is behind the remarks, a line each. */
export const patchNotes = ({ error, warnings = [], sparse = [], checkpatch = [], symbols, fuzz }: PatchReport): string[] => [
  ...(error === undefined ? [] : [error]),
  ...warnings,
  ...sparse,
  ...checkpatch,
  ...(symbols?.added ?? []).map((name) => `${name} is new`),
  ...(symbols?.lost ?? []).map((name) => `${name} is gone`),
  ...fuzz,
];

/** "12 of 14 changed lines of code executed (85 %)". */
export function coverageWords({ executed, notExecuted, lines }: Coverage['patches'][number]): string {
  const code = executed + notExecuted;
  if (code > 0) return `${executed} of ${code} changed lines of code executed (${Math.floor((100 * executed) / code)} %)`;
  return lines.some(({ state }) => state === 'not-compiled') ? 'not compiled into this kernel' : 'no line of code is added or changed';
}
