// SPDX-License-Identifier: GPL-2.0-only
import { BAD } from '../results/schema.ts';
import type { CounterTrend, RowTrend, Seen, Trends } from '../results/trends.ts';
import { wilson } from '../verdict/flake.ts';
import type { Entry, History } from './history.ts';

const RECENT = 30;

const seenOf = ({ night, startedAt, commit }: Entry): Seen => ({ night, startedAt, ...(commit === undefined ? {} : { commit }) });

/** How rows went, each by itself: cell, case and subtest. */
export function rowTrends(entries: readonly Entry[]): RowTrend[] {
  const rows = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = [entry.cell, entry.name, entry.subtest].join('\0');
    const known = rows.get(key);
    if (known === undefined) rows.set(key, [entry]);
    else known.push(entry);
  }
  return [...rows.values()].flatMap((all) => {
    const [first] = all;
    if (first === undefined) return [];
    const failures = all.filter(({ status }) => BAD.has(status));
    const [firstFailure, lastFailure] = [failures[0], failures.at(-1)];
    return {
      cell: first.cell,
      name: first.name,
      subtest: first.subtest,
      runs: all.length,
      failed: failures.length,
      ...wilson(failures.length, all.length),
      ...(firstFailure === undefined ? {} : { firstSeen: seenOf(firstFailure) }),
      ...(lastFailure === undefined ? {} : { lastSeen: seenOf(lastFailure) }),
      recent: all.slice(-RECENT).map(({ status }) => BAD.has(status)),
    };
  });
}

/** By the night's own date, not by the clock. */
export const daysBefore = (startedAt: string, days: number): string => new Date(Date.parse(startedAt) - days * 86_400_000).toISOString();

/** What failed since a day, and how counters went. */
export function trendsSince(history: History, since: string): Trends {
  const entries = history.entries({ since });
  const counters = new Map<string, { trend: Omit<CounterTrend, 'points'>; points: { night: number; value: number }[] }>();
  for (const { night, cell, name, counter, value } of history.counters({ since })) {
    const key = [cell, name, counter].join('\0');
    const known = counters.get(key) ?? { trend: { cell, name, counter }, points: [] };
    counters.set(key, known);
    known.points.push({ night, value });
  }
  return {
    since,
    nights: new Set(entries.map(({ night }) => night)).size,
    rows: rowTrends(entries)
      .filter(({ failed }) => failed > 0)
      .sort((a, b) => (b.lastSeen?.night ?? 0) - (a.lastSeen?.night ?? 0)),
    counters: [...counters.values()].map(({ trend, points }) => ({ ...trend, points })),
  };
}
