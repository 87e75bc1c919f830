// SPDX-License-Identifier: GPL-2.0-only
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Option, type Command } from 'commander';
import pc from 'picocolors';
import picomatch from 'picomatch';
import { runMutants, type MutantResult } from '../check/mutants.ts';
import { InputError } from '../host/errors.ts';
import { flavorNamed, FLAVORS } from '../kernel/flavor.ts';
import { openTree } from '../kernel/tree.ts';
import { discoverCases } from '../suite/discover.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { jsonOption, outputDirectory } from './options.ts';
import { inSession, print } from './session.ts';

interface Options {
  readonly tree: string;
  readonly flavor: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function addMutants(program: Command): void {
  program
    .command('mutants')
    .description('build each known-bad change, run the cases that must catch it, print the kill table')
    .argument('[glob...]', 'names of patches/mutants (default: all)')
    .option('--tree <dir|version>', 'kernel source that they are applied to', '6.12')
    .addOption(new Option('--flavor <flavor>', 'kernel configuration').choices(Object.keys(FLAVORS)).default('fast'))
    .option('--out <dir>', 'a folder a mutant (default: below the cache)')
    .addOption(jsonOption())
    .action(async (globs: string[], options: Options) => {
      await inSession(async ({ context, display }) => {
        await ensurePackages(context);
        const tree = await openTree(context, options.tree);
        const out = await outputDirectory(context, options.out);
        const results = await runMutants(
          context,
          { tree, flavor: flavorNamed(options.flavor), cases: await discoverCases(), matches: globs.length === 0 ? () => true : picomatch(globs), out },
          {
            onMutant: (result) => {
              display.line(line(result));
            },
          },
        );
        if (results.length === 0) throw new InputError('series.unreadable', `no mutant for ${tree.version} matches ${globs.join(' ')}`, { hint: '`fuselage list` shows them all' });
        await writeFile(join(out, 'mutants.json'), `${JSON.stringify(results, undefined, 2)}\n`);
        print(options.json, results, killTable(results));
        if (results.some(({ outcome }) => outcome === 'survived')) return 1;
        return results.some(({ outcome }) => outcome === 'no-verdict') ? 3 : 0;
      });
    });
}

const COLORS = { killed: pc.green, survived: pc.red, 'no-verdict': pc.magenta };

const line = ({ name, outcome, seconds, reasons }: MutantResult): string =>
  `${COLORS[outcome](outcome.padEnd(10))} ${name.padEnd(30)} ${seconds.toFixed(0).padStart(4)} s  ${pc.dim((reasons[0] ?? '').slice(0, 110))}`;

function killTable(results: readonly MutantResult[]): string {
  const table = new Table({ head: ['mutant', 'outcome', 'caught by'], style: { head: [], border: [] } });
  for (const { name, outcome, catchers } of results)
    table.push([name, COLORS[outcome](outcome), catchers.map(({ text, caught }) => `${caught ? '' : 'not '}${text.replace(/^caught /, '')}`).join('\n')]);
  const killed = results.filter(({ outcome }) => outcome === 'killed').length;
  return `${table.toString()}\n${killed} of ${results.length} killed`;
}
