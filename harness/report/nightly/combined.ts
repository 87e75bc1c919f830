// SPDX-License-Identifier: GPL-2.0-only
import type { Nightly } from '../../results/nightly.ts';
import { countTotals, RESULTS_VERSION, type Results } from '../../results/schema.ts';

/**
 * A night as the results of one run, for the reports that know runs only: a kernel a cell, shares named by their cells.
 * What has no results of its own is said as the machinery's failure, or left out where nothing had changed.
 */
export function combined(night: Nightly): Results {
  const having = night.cells.flatMap((one) => (one.results === undefined ? [] : [{ ...one, results: one.results }]));
  const cases = having.flatMap(({ cell, results }, kernel) => results.cases.map((one) => ({ ...one, kernel, share: cell.id })));
  return {
    schema: 'fuselage-results',
    version: RESULTS_VERSION,
    command: night.command,
    startedAt: night.startedAt,
    seconds: night.seconds,
    accelerator: having[0]?.results.accelerator ?? { name: 'tcg', reason: 'nothing ran' },
    qemu: having[0]?.results.qemu ?? { version: 'none', origin: 'toolbox' },
    kernels: having.flatMap(({ results }) => results.kernels),
    shares: having.map(({ cell }) => cell.id),
    guests: having.flatMap(({ results }, kernel) => results.guests.map((guest) => ({ ...guest, kernel }))),
    cases,
    totals: countTotals(cases),
    expectations: having.flatMap(({ results }) => results.expectations),
    infrastructure: [
      ...having.flatMap(({ cell, results }) => results.infrastructure.map((text) => `${cell.id}: ${text}`)),
      ...night.cells.filter((one) => one.results === undefined && one.outcome !== 'unchanged').map(({ cell, reason }) => `${cell.id}: ${reason ?? 'no results'}`),
    ],
  };
}
