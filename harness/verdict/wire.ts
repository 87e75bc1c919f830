// SPDX-License-Identifier: GPL-2.0-only
import { median } from 'simple-statistics';
import type { CaseResult, CounterRow, Row } from '../results/schema.ts';

/**
 * Sets the counts of base and patched kernel side by side: those that a case has a rule for, and what
 * else differs in such a case. With repetitions the median of each side counts. A case that failed under
 * the patched kernel alone is compared as well, by its rules: the count is often why it failed.
 */
export function compareCounters(cases: readonly CaseResult[], baseKernel: number, patchedKernel: number): CounterRow[] {
  const rows: CounterRow[] = [];
  const seen = new Set<string>();
  for (const one of cases) {
    const key = `${one.name}\0${one.share}`;
    if (one.wire === undefined || seen.has(key)) continue;
    seen.add(key);
    const side = (kernel: number) => cases.filter((other) => other.name === one.name && other.share === one.share && other.kernel === kernel);
    const [base, patched] = [side(baseKernel), side(patchedKernel)];
    if (base.length === 0 || patched.length === 0 || !base.every(isWhole) || !patched.every((run) => isWhole(run) || (run.status === 'fail' && run.wire !== undefined))) continue;
    const names = new Set([...Object.keys(one.wire), ...(patched.every(isWhole) ? [...base, ...patched].flatMap(({ counters }) => Object.keys(counters)) : [])]);
    for (const counter of names) {
      const rule = one.wire[counter];
      const values = { base: median(base.map(({ counters }) => counters[counter] ?? 0)), patched: median(patched.map(({ counters }) => counters[counter] ?? 0)) };
      if (rule === undefined && values.base === values.patched) continue;
      rows.push({ name: one.name, share: one.share, counter, ...values, ...(rule === undefined ? {} : { rule }), allowed: isAllowed(rule, values.base, values.patched) });
    }
  }
  return rows;
}

/** A case that did not get to its end has counted half of what it counts. */
const isWhole = ({ status }: CaseResult) => status === 'pass' || status === 'xfail' || status === 'xpass';

/** A count that moved where its case says that it must not is a regression like any other. */
export function rowsOf(counters: readonly CounterRow[], reproduce: (row: CounterRow) => string): Row[] {
  return counters
    .filter(({ allowed }) => !allowed)
    .map((row) => ({
      class: 'regressed',
      name: row.name,
      share: row.share,
      subtest: `on the wire: ${row.counter}`,
      base: ['pass'],
      patched: ['fail'],
      reason: `${row.base} -> ${row.patched}, where ${row.rule === 'same' ? 'no change' : `only ${row.rule ?? ''}`} is allowed`,
      reproduce: reproduce(row),
    }));
}

function isAllowed(rule: CounterRow['rule'], base: number, patched: number): boolean {
  if (rule === 'same') return base === patched;
  if (rule === 'fewer') return patched <= base;
  return rule !== 'more' || patched >= base;
}
