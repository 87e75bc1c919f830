// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderReadme } from '../../ci/readme.ts';
import { repositoryRoot } from '../host/paths.ts';
import { bundledSeries } from '../kernel/series-manifest.ts';
import { SHARES } from '../share/catalogue.ts';
import { discoverCases } from '../suite/discover.ts';

it("the README's tables are what is there (npx tsx ci/readme.ts writes them)", async () => {
  const text = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
  expect(await renderReadme(text)).toBe(text);
});

it('every mutant names cases and shares that exist', async () => {
  const cases = new Set((await discoverCases()).map(({ name }) => name));
  const shares = new Set(SHARES.map(({ name }) => name));
  const mutants = (await bundledSeries()).filter(({ manifest }) => manifest.kind === 'mutant');
  expect(mutants.length).toBeGreaterThanOrEqual(6);
  for (const { name, manifest } of mutants) {
    expect(manifest.caughtBy?.length, name).toBeGreaterThan(0);
    for (const catcher of manifest.caughtBy ?? []) {
      expect(cases, name).toContain(catcher.case.split('/').slice(0, 2).join('/'));
      for (const share of catcher.shares) expect(shares, name).toContain(share);
    }
  }
});
