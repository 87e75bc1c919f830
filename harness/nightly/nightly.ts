// SPDX-License-Identifier: GPL-2.0-only
import { InputError } from '../host/errors.ts';
import { NIGHTLY_VERSION, type Cell, type CellResult, type Nightly } from '../results/nightly.ts';
import { cellsOf, shardsOf } from './cells.ts';
import type { NightlyConfig } from './config.ts';

export interface NightPlan {
  readonly command: string;
  /** All cells of the night. */
  readonly cells: readonly Cell[];
  /** Those that are judged here; all where it is left out. */
  readonly shard?: { readonly index: number; readonly of: number; readonly cells: readonly Cell[] };
}

/** All cells of a configuration, and those of one shard, cut by how long cells took. */
export function planOf(config: NightlyConfig, command: string, shard: { readonly index: number; readonly of: number } | undefined, secondsOf: (cell: string) => number | undefined): NightPlan {
  const cells = cellsOf(config);
  return { command, cells, ...(shard === undefined ? {} : { shard: { ...shard, cells: shardsOf(cells, shard.of, secondsOf)[shard.index - 1] ?? [] } }) };
}

/** Judges cell after cell and hands each on as soon as it is judged. */
export async function runNight(plan: NightPlan, judge: (cell: Cell) => Promise<CellResult>, onCell: (result: CellResult) => void): Promise<Nightly> {
  const found: CellResult[] = [];
  for (const cell of plan.shard?.cells ?? plan.cells) {
    const result = await judge(cell);
    found.push(result);
    onCell(result);
  }
  return nightOf(plan, found);
}

/** The document of a night; it depends on the plan and on the results alone, not on who judged what when. */
export function nightOf({ command, cells, shard }: NightPlan, found: readonly CellResult[]): Nightly {
  const order = cells.map(({ id }) => id);
  return {
    schema: 'fuselage-nightly',
    version: NIGHTLY_VERSION,
    command,
    plan: order,
    ...(shard === undefined ? {} : { shard: { index: shard.index, of: shard.of, cells: shard.cells.map(({ id }) => id) } }),
    startedAt: found.map((one) => one.startedAt).sort()[0] ?? new Date(0).toISOString(),
    seconds: found.reduce((sum, one) => sum + one.seconds, 0),
    cells: [...found].sort((a, b) => order.indexOf(a.cell.id) - order.indexOf(b.cell.id)),
  };
}

/** Puts the shards of a night together. @throws InputError where they are not all shards of one night, each once */
export function mergeNights(shards: readonly { readonly file: string; readonly night: Nightly }[]): Nightly {
  const [first] = shards;
  if (first?.night.shard === undefined) throw refused(first === undefined ? 'no shard to merge' : `${first.file} is no shard`);
  const { of } = first.night.shard;
  const seen = new Map<number, string>();
  for (const { file, night } of shards) {
    if (night.shard === undefined) throw refused(`${file} is no shard`);
    if (night.shard.of !== of || night.command !== first.night.command || JSON.stringify(night.plan) !== JSON.stringify(first.night.plan))
      throw refused(`${file} and ${first.file} are of different nights`);
    const same = seen.get(night.shard.index);
    if (same !== undefined) throw refused(`${file} and ${same} are both shard ${night.shard.index}/${of}`);
    seen.set(night.shard.index, file);
  }
  const missing = Array.from({ length: of }, (_, index) => index + 1).filter((index) => !seen.has(index));
  if (missing.length > 0) throw refused(`shard ${missing.map((index) => `${index}/${of}`).join(', ')} is missing`);
  const results = shards.flatMap(({ night }) => night.cells);
  const judged = new Map<string, number>();
  for (const { cell } of results) judged.set(cell.id, (judged.get(cell.id) ?? 0) + 1);
  for (const id of first.night.plan) {
    const times = judged.get(id) ?? 0;
    // Shards that were cut with different histories overlap, and leave gaps.
    if (times !== 1) throw refused(times === 0 ? `no shard judged ${id}` : `${times} shards judged ${id}`);
  }
  const cells = new Map(results.map(({ cell }) => [cell.id, cell]));
  return nightOf({ command: first.night.command, cells: first.night.plan.flatMap((id) => cells.get(id) ?? []) }, results);
}

const refused = (what: string): InputError => new InputError('nightly.shard', what, { hint: 'give every shard of one night once; all of them are cut by the same configuration and history' });
