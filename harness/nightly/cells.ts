// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { contentId, sha256OfFile } from '../host/hash.ts';
import { repositoryRoot } from '../host/paths.ts';
import type { Cell } from '../results/nightly.ts';
import { readExpectationFiles, readExpectations } from '../suite/expectations.ts';
import type { NightlyConfig } from './config.ts';

/** Trees x refs x flavors x suites x shares, those that share a build side by side. */
export function cellsOf({ trees, flavors, suites }: NightlyConfig): Cell[] {
  return trees.flatMap((tree) =>
    ('refs' in tree ? tree.refs : ['-']).flatMap((ref) =>
      flavors.flatMap((flavor) =>
        suites.flatMap((suite) => suite.shares.map((share) => ({ id: [tree.name, ref, flavor, share, suite.name].join('/'), tree: tree.name, ref, flavor, share, suite: suite.name }))),
      ),
    ),
  );
}

/** What a cell costs that was never run. */
const UNKNOWN_SECONDS = 120;

/**
 * Cuts a night into shards of about the same length: the longest cell first, each to the shard that has least to do
 * (Graham 1969, longest processing time: at most 4/3 of the best). The same on every machine that has the same history.
 */
export function shardsOf(cells: readonly Cell[], of: number, secondsOf: (cell: string) => number | undefined): Cell[][] {
  const costs = new Map(cells.map((cell) => [cell.id, secondsOf(cell.id) ?? UNKNOWN_SECONDS]));
  const costOf = (cell: Cell) => costs.get(cell.id) ?? UNKNOWN_SECONDS;
  const shards = Array.from({ length: of }, () => ({ seconds: 0, cells: [] as Cell[] }));
  for (const cell of [...cells].sort((a, b) => costOf(b) - costOf(a) || cells.indexOf(a) - cells.indexOf(b))) {
    const least = shards.reduce((best, shard) => (shard.seconds < best.seconds ? shard : best));
    least.cells.push(cell);
    least.seconds += costOf(cell);
  }
  return shards.map((shard) => shard.cells.sort((a, b) => cells.indexOf(a) - cells.indexOf(b)));
}

let harness: Promise<string> | undefined;

/** Stands for this program: what another one of it finds may be another thing. */
export function harnessId(): Promise<string> {
  harness ??= (async () => {
    const hash = createHash('sha256');
    for (const folder of ['harness', 'kernel-configs']) {
      const names = (await readdir(join(repositoryRoot, folder), { recursive: true })).filter((name) => /\.(?:ts|c|h|sh|config)$/.test(name) && !name.endsWith('.test.ts')).sort();
      for (const name of names) hash.update(`${name} ${await sha256OfFile(join(repositoryRoot, folder, name))}\n`);
    }
    return hash.digest('hex').slice(0, 20);
  })();
  return harness;
}

/** Stands for everything that a cell's outcome depends on. An expectation that has expired since is another thing, too. */
export async function fingerprintOf(buildId: string, share: string, caseFiles: readonly string[], expectationFiles: readonly string[]): Promise<string> {
  const digests = await Promise.all(caseFiles.map(sha256OfFile));
  const today = new Date().toISOString().slice(0, 10);
  const inForce = [...(await readExpectations()), ...(await readExpectationFiles(expectationFiles))].filter(({ expires }) => expires >= today).map((entry) => JSON.stringify({ ...entry, file: '' }));
  return contentId({ build: buildId, share, files: digests.join(' '), expectations: inForce.sort().join(' '), harness: await harnessId() });
}
