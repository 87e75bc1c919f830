// SPDX-License-Identifier: GPL-2.0-only
// npx tsx ci/readme.ts: fills the README's tables from what is there, so that they can not drift.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../harness/host/paths.ts';
import { bundledSeries, type SeriesManifest } from '../harness/kernel/series-manifest.ts';
import { SHARES } from '../harness/share/catalogue.ts';
import { discoverCases } from '../harness/suite/discover.ts';

const changesOf = ({ changes = [] }: SeriesManifest): string =>
  changes.map(({ case: one, counter, atMost, atLeast }) => `${counter} (${one}): ${atLeast === undefined ? `at most ${atMost ?? 0} of before` : `at least ${atLeast} times as many`}`).join('; ');

/** The README with every table made anew between its marks. */
export async function renderReadme(text: string): Promise<string> {
  const cases = (await discoverCases()).map(({ name, definition, source }) => {
    const file = source ?? join(repositoryRoot, 'cases', `${name}.case.ts`);
    const text = readFileSync(file, 'utf8');
    const count = text.match(source === undefined ? /await subtest\(/g : /^SUBTEST\(/gm)?.length ?? 0;
    // A subtest in a loop stands for several.
    const subtests = /^ {5,}await subtest\(/m.test(text) ? `${count}+` : String(count);
    const [area = '', file_ = ''] = name.split('/');
    return `| ${area} | ${file_} | ${subtests} | ${definition.title} |`;
  });
  const mutants = (await bundledSeries())
    .filter(({ manifest }) => manifest.kind !== 'forward')
    .map(({ name, manifest }) => `| ${name.replace('patches/mutants/', '')}${manifest.kind === 'ablation' ? ' (ablation)' : ''} | ${manifest.kernels.join(', ')} | ${[(manifest.caughtBy ?? []).map((one) => one.case).join(', '), changesOf(manifest)].filter(Boolean).join('; ')} |`);
  const series = (await bundledSeries())
    .filter(({ manifest }) => manifest.kind === 'forward')
    .map(({ name, manifest }) => `| ${name} | ${manifest.kernels.join(', ')} | ${manifest.title} | ${changesOf(manifest)} |`);
  const tables: Readonly<Record<string, readonly string[]>> = {
    cases: ['| area | case | subtests | about |', '|---|---|---|---|', ...cases],
    series: ['| series | for | what it does | promises |', '|---|---|---|---|', ...series],
    mutants: ['| mutant | of | caught by |', '|---|---|---|', ...mutants],
    shares: ['| share | how it is served |', '|---|---|', ...SHARES.map(({ name, summary }) => `| ${name} | ${summary} |`)],
  };
  return Object.entries(tables).reduce(
    (page, [mark, rows]) => page.replace(new RegExp(`<!-- ${mark} -->\\n(?:\\|.*\\n)*`), () => `<!-- ${mark} -->\n${rows.join('\n')}\n`),
    text,
  );
}

if (process.argv[1]?.endsWith('ci/readme.ts') === true) {
  const file = join(repositoryRoot, 'README.md');
  writeFileSync(file, await renderReadme(readFileSync(file, 'utf8')));
}
