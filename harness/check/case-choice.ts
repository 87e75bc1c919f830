// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Context } from '../host/context.ts';
import type { Series } from '../kernel/series.ts';
import type { Tree } from '../kernel/tree.ts';
import { shareNamed } from '../share/catalogue.ts';
import type { Share } from '../share/share.ts';
import { selectCases, type Case } from '../suite/discover.ts';
import { suits } from '../suite/suitable.ts';
import { pairKey, readCaseMap, type CaseMap } from './case-map.ts';
import { attributeLines, changedFunctions } from './changed-lines.ts';

const TABLE = join(import.meta.dirname, 'default-cases.yaml');

const tableSchema = z.array(z.strictObject({ files: z.array(z.string()).min(1), cases: z.array(z.string()).min(1), shares: z.array(z.string()).min(1) }));

export interface Choice {
  readonly shares: readonly Share[];
  readonly cases: readonly Case[];
  /** Keys of the pairs of share and case that are to run. */
  readonly pairs: ReadonlySet<string>;
  /** For the headline. */
  readonly why: string;
}

/** The cases that are about what a series changes: by its files, and by its functions where coverage runs have shown who enters them. */
export async function chooseCases(context: Context, tree: Tree, series: readonly Series[], all: readonly Case[]): Promise<Choice> {
  const table = tableSchema.parse(parse(await readFile(TABLE, 'utf8')));
  const functions = changedFunctions(await attributeLines(tree, series));
  const candidates = new Set<string>();
  for (const file of functions.keys()) {
    const entry = table.find(({ files }) => picomatch.isMatch(file, [...files]));
    for (const share of entry?.shares ?? []) for (const one of selectCases(all, entry?.cases ?? [])) if (suits(one, shareNamed(share))) candidates.add(pairKey(share, one.name));
  }
  // What a bundled series says of itself is measured in any case.
  const named = series.flatMap(({ manifest }) => [...(manifest?.caughtBy ?? []), ...(manifest?.changes ?? []).map((change) => ({ case: change.case, shares: [change.share] }))]);
  const promised = new Set(named.flatMap((one) => one.shares.map((share) => pairKey(share, one.case.split('/').slice(0, 2).join('/')))));
  const { kept, dropped } = narrow(candidates, functions, await readCaseMap(context, tree.version));
  const pairs = new Set([...kept, ...promised]);
  const files = [...functions.keys()];
  const about = files.length === 1 ? (files[0] ?? '') : `${files.length} files`;
  return {
    pairs,
    shares: [...new Set([...pairs].map((pair) => pair.split(' ')[0] ?? ''))].map((name) => shareNamed(name)),
    cases: all.filter(({ name }) => [...pairs].some((pair) => pair.endsWith(` ${name}`))),
    why: `chosen by ${about}${dropped === 0 ? '' : `; ${dropped} more were seen not to enter the changed functions`}`,
  };
}

/** Leaves out who was seen not to enter any changed function, and takes in who was seen to; who was never looked at stays. */
export function narrow(candidates: ReadonlySet<string>, functions: ReadonlyMap<string, ReadonlySet<string>>, map: CaseMap): { readonly kept: ReadonlySet<string>; readonly dropped: number } {
  const changed = [...functions].filter(([file]) => file.endsWith('.c'));
  // A new function, a table, a header: nothing that was seen before tells who runs it.
  const entered = new Set(Object.values(map).flatMap((entry) => changed.flatMap(([file, names]) => (entry.functions[file] ?? []).filter((name) => names.has(name)).map((name) => `${file} ${name}`))));
  const telling = changed.length === functions.size && changed.length > 0 && changed.every(([file, names]) => [...names].some((name) => entered.has(`${file} ${name}`)));
  if (!telling) return { kept: candidates, dropped: 0 };
  const runs = (pair: string): boolean | undefined => {
    const entry = map[pair];
    if (entry === undefined || changed.some(([file]) => entry.functions[file] === undefined)) return undefined;
    return changed.some(([file, names]) => entry.functions[file]?.some((name) => names.has(name)));
  };
  const seen = Object.keys(map).filter((pair) => runs(pair) === true && !pair.split(' ')[1]?.startsWith('guest/'));
  const kept = [...candidates].filter((pair) => runs(pair) !== false);
  return { kept: new Set([...kept, ...seen]), dropped: candidates.size - kept.length };
}
