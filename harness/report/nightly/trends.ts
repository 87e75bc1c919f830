// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import pc from 'picocolors';
import type { RowTrend, Seen, Trends } from '../../results/trends.ts';

const percent = (share: number): string => `${Math.round(100 * share)} %`;

const seen = (one: Seen | undefined): string => (one === undefined ? '' : `${one.startedAt.slice(0, 10)} #${one.night}${one.commit === undefined ? '' : ` ${one.commit.id.slice(0, 12)}`}`);

/** A mark a night, the newest last. */
export const marks = (recent: readonly boolean[]): string => recent.map((failed) => (failed ? 'x' : '.')).join('');

/** How rows went, one line each: for `fuselage history` and `fuselage report`. */
export function renderRowTrends(rows: readonly RowTrend[]): string {
  if (rows.length === 0) return 'nothing that matches is in the history';
  const table = new Table({ head: ['cell', 'row', 'failed', '95 %', 'first seen', 'last seen', 'nights'], style: { head: [], border: [] } });
  for (const row of rows) {
    const paint = row.failed === 0 ? pc.green : row.recent.at(-1) === true ? pc.red : pc.yellow;
    table.push([row.cell, `${row.name}${row.subtest === '' ? '' : `\n${row.subtest}`}`, paint(`${row.failed} of ${row.runs}`), `${percent(row.low)} to ${percent(row.high)}`, seen(row.firstSeen), seen(row.lastSeen), marks(row.recent)]);
  }
  return table.toString();
}

export const renderTrends = (trends: Trends): string => `${trends.nights} nights since ${trends.since.slice(0, 10)}, ${trends.rows.length} rows failed\n${renderRowTrends(trends.rows)}`;
