// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Context } from '../host/context.ts';
import type { Flavor } from '../kernel/flavor.ts';
import { bundledSeries } from '../kernel/series-manifest.ts';
import { readSeries } from '../kernel/series.ts';
import type { Tree } from '../kernel/tree.ts';
import type { Results } from '../results/schema.ts';
import { shareNamed } from '../share/catalogue.ts';
import { selectCases, type Case } from '../suite/discover.ts';
import type { SuiteListener } from '../suite/run-suite.ts';
import { check } from './check.ts';

/** What became of one known-bad change. */
export interface MutantResult {
  readonly name: string;
  readonly title: string;
  /** By every case that its manifest names; "survived" by one of them at least. */
  readonly outcome: 'killed' | 'survived' | 'no-verdict';
  /** Each named case on each share, and whether it caught it. */
  readonly catchers: readonly { readonly text: string; readonly caught: boolean }[];
  /** What else went red. */
  readonly reasons: readonly string[];
  readonly seconds: number;
}

export interface MutantsRequest {
  readonly tree: Tree;
  readonly flavor: Flavor;
  readonly cases: readonly Case[];
  readonly matches: (name: string) => boolean;
  readonly out: string;
  readonly jobs?: number;
}

/**
 * Builds each mutant that has patches for the tree's version, runs the cases that must catch it under base
 * and mutant, and says whether they did: a suite is as good as the share of known-bad kernels it catches.
 */
export async function runMutants(context: Context, request: MutantsRequest, listener: SuiteListener & { onMutant(result: MutantResult): void }): Promise<MutantResult[]> {
  const version = request.tree.version.split('.').slice(0, 2).join('.');
  const mutants = (await bundledSeries()).filter(
    ({ name, manifest }) => manifest.kind !== 'forward' && manifest.kernels.includes(version) && (request.matches(name) || request.matches(basename(name))),
  );
  const results: MutantResult[] = [];
  for (const { name, manifest } of mutants) {
    context.signal.throwIfAborted();
    const startedMilliseconds = performance.now();
    const catchers = manifest.caughtBy ?? [];
    const shares = [...new Set(catchers.flatMap((catcher) => catcher.shares))];
    const out = join(request.out, basename(name));
    await mkdir(out, { recursive: true });
    const checked = await check(
      context,
      {
        ...request,
        series: [await readSeries(name, request.tree)],
        fragmentFiles: [],
        shares: shares.map((share) => shareNamed(share)),
        cases: selectCases(request.cases, catchers.map((catcher) => catcher.case.split('/').slice(0, 2).join('/'))),
        out,
        command: `fuselage check --tree ${request.tree.reproduce} --series ${name}`,
      },
      listener,
    );
    const result = { name: basename(name), title: manifest.title, ...outcomeOf(checked), seconds: (performance.now() - startedMilliseconds) / 1_000 };
    results.push(result);
    listener.onMutant(result);
  }
  return results;
}

function outcomeOf(results: Results): Pick<MutantResult, 'outcome' | 'catchers' | 'reasons'> {
  const claims = results.check?.claims ?? [];
  const catchers = claims.map(({ text, state }) => ({ text, caught: state === 'held' }));
  const reasons = (results.check?.rows ?? []).filter((row) => row.class === 'regressed').map((row) => `${row.name}${row.subtest === undefined ? '' : ` / ${row.subtest}`}${row.reason === undefined ? '' : `: ${row.reason}`}`);
  if (catchers.length > 0 && catchers.every(({ caught }) => caught)) return { outcome: 'killed', catchers, reasons };
  return { outcome: results.infrastructure.length > 0 || claims.some(({ state }) => state === 'not-measured') ? 'no-verdict' : 'survived', catchers, reasons };
}
