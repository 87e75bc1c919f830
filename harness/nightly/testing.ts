// SPDX-License-Identifier: GPL-2.0-only
import type { Cell, CellResult } from '../results/nightly.ts';
import { sampleResults } from '../report/sample.ts';
import { countTotals, type CaseResult, type Results, type Status } from '../results/schema.ts';

export const cellNamed = (suite: string, more: Partial<Cell> = {}): Cell => {
  const cell = { tree: 'stable', ref: 'master', flavor: 'fast', share: 'device-dax', suite, ...more };
  return { ...cell, id: [cell.tree, cell.ref, cell.flavor, cell.share, cell.suite].join('/') };
};

export const caseResult = (status: Status, more: Partial<CaseResult> = {}): CaseResult => ({
  kernel: 0,
  name: 'dax-reclaim/gate',
  share: 'device-dax',
  repetition: 1,
  status,
  subtests: [
    { name: 'a read of another range', status: 'pass' },
    { name: 'a rename', status, ...(status === 'pass' ? {} : { reason: 'it waited' }) },
  ],
  seconds: 2,
  proof: [],
  counters: { READ: 7, 'accesses that waited': status === 'pass' ? 2 : 3 },
  wire: { 'accesses that waited': 'fewer' },
  splats: [],
  files: [],
  reproduce: 'fuselage run --kernel 0123 --share device-dax dax-reclaim/gate',
  ...more,
});

/** Of one kernel, where the sample of the reports is a check of two. */
export const resultsOf = (cases: CaseResult[]): Results => {
  const sample = sampleResults();
  delete sample.check;
  return { ...sample, seconds: 12, kernels: [{ role: 'only', id: '0123', title: 'Linux 6.12.107 (fast)', flavor: 'fast' }], cases, totals: countTotals(cases) };
};

/** A judged cell, as runCell() gives it. */
export const judged = (cell: Cell, outcome: CellResult['outcome'], more: Partial<CellResult> = {}): CellResult => ({
  cell,
  fingerprint: `fingerprint of ${cell.id}`,
  commit: { id: '9bcc77f02076bf4ffd43e6d1783c0914a769b21d', title: 'fuse: be careful with directories' },
  outcome,
  startedAt: '2026-11-20T01:00:00.000Z',
  seconds: 12,
  issues: outcome === 'red' ? [{ class: 'new', name: 'dax-reclaim/gate', subtest: 'a rename', reason: 'it waited', confirmed: { failed: 3, runs: 3 }, since: { night: 4, startedAt: '2026-11-20T01:00:00.000Z' }, reproduce: 'fuselage run --kernel 0123 --share device-dax dax-reclaim/gate' }] : [],
  ...(outcome === 'green' || outcome === 'red' ? { results: resultsOf([caseResult(outcome === 'green' ? 'pass' : 'fail')]) } : {}),
  ...(outcome === 'no-verdict' ? { reason: 'the disk is full' } : {}),
  ...more,
});
