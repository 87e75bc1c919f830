// SPDX-License-Identifier: GPL-2.0-only
import type { Results } from '../results/schema.ts';
import { countedRows, coverageWords, orderRows, outcomeOf, patchNotes, patchWords } from './words.ts';

interface Check {
  readonly tool: string;
  readonly status: 'pass' | 'warn' | 'fail';
  readonly summary: string;
  readonly url: string;
  readonly details: string;
}

/** What `b4 review` takes from a check command: a JSON array, an object a check; one for the series, one for each patch. */
export function renderB4(results: Results): string {
  const { check } = results;
  const checks: Check[] = [];
  const add = (tool: string, status: Check['status'], summary: string, details: readonly string[]) => checks.push({ tool, status, summary, url: '', details: details.join('\n') });
  if (check === undefined) {
    const bad = results.cases.filter(({ status }) => ['fail', 'crash', 'hang', 'timeout'].includes(status));
    add('fuselage', bad.length > 0 ? 'fail' : 'pass', `${bad.length} of ${results.cases.length} case runs failed`, bad.map(({ name, share, reason }) => `${share} ${name}: ${reason ?? ''}`));
  } else {
    const status = { clean: 'pass', 'not-exercised': 'warn', regressed: 'fail', infrastructure: 'warn' } as const;
    add('fuselage', status[check.verdict], `${check.verdict}: ${countedRows(check)}`, [
      ...orderRows(check.rows).map((row) => `${row.class}: ${row.share} ${row.name} ${row.subtest ?? ''}: ${outcomeOf(row)}`),
      ...check.counters.filter(({ base, patched }) => base !== patched).map(({ share, name, counter, base, patched }) => `${share} ${name}: ${counter}: ${base} -> ${patched}`),
      ...results.infrastructure,
      results.command,
    ]);
    for (const [index, patch] of check.patches.entries()) {
      const notes = patchNotes(patch);
      const covered = check.coverage?.patches[index];
      add(`fuselage patch ${index + 1}`, !patch.builds ? 'fail' : notes.length > 0 ? 'warn' : 'pass', [...patchWords(patch), ...(covered === undefined ? [] : [coverageWords(covered)])].join(', '), notes);
    }
  }
  return `${JSON.stringify(checks, undefined, 2)}\n`;
}
