// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import type { Command } from 'commander';
import { FLAVORS } from '../kernel/flavor.ts';
import { bundledSeries } from '../kernel/series-manifest.ts';
import { SHARES } from '../share/catalogue.ts';
import { discoverCases } from '../suite/discover.ts';
import { jsonOption } from './options.ts';
import { inSession, print } from './session.ts';

export function addList(program: Command): void {
  program
    .command('list')
    .description('list cases, shares, flavors and bundled series')
    .addOption(jsonOption())
    .action(async (options: { readonly json?: boolean }) => {
      await inSession(async () => {
        const cases = (await discoverCases()).map(({ name, definition }) => ({ name, title: definition.title, needs: definition.needs ?? [] }));
        const shares = SHARES.map(({ name, summary, traits }) => ({ name, summary, traits }));
        const flavors = Object.values(FLAVORS).map(({ name, summary }) => ({ name, summary }));
        const series = (await bundledSeries()).map(({ name, manifest }) => ({ name, ...manifest }));
        const sections: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
          ['case', cases.map(({ name, title }) => [name, title] as const)],
          ['share', shares.map(({ name, summary }) => [name, summary] as const)],
          ['flavor', flavors.map(({ name, summary }) => [name, summary] as const)],
          ['series', series.map(({ name, title, kind }) => [name, `${kind}: ${title}`] as const)],
        ];
        print(options.json, { cases, shares, flavors, series }, sections.map(([head, rows]) => section(head, rows)).join('\n\n'));
        return 0;
      });
    });
}

function section(head: string, rows: readonly (readonly [string, string])[]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ' };
  const table = new Table({ head: [head, 'what it is'], chars: none, style: { head: ['bold'], 'padding-left': 0, 'padding-right': 1 } });
  for (const row of rows) table.push([...row]);
  return table.toString();
}
