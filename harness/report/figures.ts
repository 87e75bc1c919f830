// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import { median } from 'simple-statistics';
import type { Figure, Results } from '../results/schema.ts';

/** What a subject's figure is of the first subject's: its median, and the range of its samples. */
export function relative(figure: Figure, first: Figure): { readonly ratio: number; readonly low: number; readonly high: number } {
  const base = median(first.samples);
  return { ratio: median(figure.samples) / base, low: Math.min(...figure.samples) / base, high: Math.max(...figure.samples) / base };
}

/** A table for each case that measured: a row a workload, a column a subject, relative to the first. No verdict is in it. */
export function figureTables(results: Results): string[] {
  return results.cases.flatMap((one) => {
    const figures = one.figures ?? [];
    if (figures.length === 0) return [];
    const subjects = [...new Set(figures.map(({ on }) => on))];
    const table = new Table({ head: [one.name, ...subjects], style: { head: [], border: [] } });
    for (const workload of new Set(figures.map((figure) => figure.workload))) {
      const row = figures.filter((figure) => figure.workload === workload);
      const [first] = row;
      if (first === undefined) continue;
      table.push([
        `${workload} (${first.unit})`,
        ...subjects.map((subject) => {
          const figure = row.find(({ on }) => on === subject);
          if (figure === undefined) return '-';
          if (first.unit.startsWith('events')) return median(figure.samples).toFixed(2);
          const { ratio, low, high } = relative(figure, first);
          return `${ratio.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
        }),
      ]);
    }
    return [table.toString(), `relative to ${subjects[0] ?? ''} of the same run, medians and ranges${results.accelerator.name === 'tcg' ? '; under emulation: for a look, not for a verdict' : ''}`];
  });
}
