// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { check, exitCodeOf } from '../check/check.ts';
import { flavorNamed } from '../kernel/flavor.ts';
import { fetchPrebuilt } from '../kernel/prebuilt.ts';
import { readSeries } from '../kernel/series.ts';
import { openTree } from '../kernel/tree.ts';
import { renderTerminal } from '../report/terminal.ts';
import type { Results } from '../results/schema.ts';
import { discoverCases, selectCases } from '../suite/discover.ts';
import { runSuite } from '../suite/run-suite.ts';
import { shareNamed } from '../share/catalogue.ts';
import { jsonOption, liveListener, outputDirectory } from './options.ts';
import { inSession, type Session } from './session.ts';
import { prepare, SETUP_VERSION as VERSION } from './setup.ts';

const FORWARD = 'patches/worker-batching';
/** The device counts what the series is about; the others show that it hurts nothing. */
const GOOD_SHARES = ['device-dax', 'virtiofs'];
/** What the series is about, in few guests: the tour is short. */
const GOOD_CASES = ['dax-reclaim/{stream,model,inline,eviction,upgrade,truncate,gate}', 'mmap-coherence/!(peers)'];
const READY_CASES = ['posix', 'mmap-coherence', 'dax-reclaim/stream'];
const MUTANT = 'patches/mutants/rename-exchange-ignored';

export function addStart(program: Command): void {
  program
    .command('start')
    .description('the tour: cases on a ready-made kernel, a good series judged clean, a mutant judged regressed')
    .addOption(jsonOption())
    .action(async (options: { readonly json?: boolean }) => {
      await inSession((session) => tour(session, options.json === true));
    });
}

/** What the series is for, in one line: the counts that it promises to lower. */
function headlineOf(results: Results): string {
  const moved = (results.check?.counters ?? []).filter(({ rule, base, patched }) => rule === 'fewer' && base !== patched);
  return moved.map(({ counter, base, patched }) => `${counter}: ${base} -> ${patched}`).join(', ') || 'no count moved';
}

/** Ends with 0 when everything came out as it should, the mutant's red verdict included. */
async function tour(session: Session, json: boolean): Promise<0 | 1 | 3> {
  const { context, display } = session;
  const say = (text: string) => {
    if (!json) process.stdout.write(`${text}\n`);
  };
  const out = await outputDirectory(context, undefined);
  const listener = liveListener(session);
  await prepare(context);
  const cases = await discoverCases();
  const directory = async (name: string) => {
    const path = join(out, name);
    await mkdir(path);
    return path;
  };

  display.line(pc.bold('\n1. The cases on a ready-made kernel: no build needed'));
  const ready = await runSuite(
    context,
    {
      kernels: [{ role: 'only', image: await fetchPrebuilt(context, VERSION) }],
      shares: ['virtiofs', 'device-dax'].map((name) => shareNamed(name)),
      cases: selectCases(cases, READY_CASES),
      out: await directory('ready-made'),
      command: `fuselage run --kernel prebuilt:${VERSION} --share virtiofs --share device-dax ${READY_CASES.join(' ')}`,
    },
    listener,
  );
  say(renderTerminal(ready));
  context.signal.throwIfAborted();

  const tree = await openTree(context, VERSION);
  const judge = async (series: string, shares: readonly string[], patterns: readonly string[]): Promise<Results> => {
    const results = await check(
      context,
      {
        tree,
        series: [await readSeries(series, tree)],
        flavor: flavorNamed('fast'),
        fragmentFiles: [],
        shares: shares.map((name) => shareNamed(name)),
        cases: selectCases(cases, patterns),
        out: await directory(series.split('/').at(-1) ?? series),
        command: ['fuselage check', '--tree', VERSION, '--series', series].join(' '),
      },
      listener,
    );
    say(renderTerminal(results));
    return results;
  };

  display.line(pc.bold(`\n2. A good series: ${FORWARD}, base against patched, on cases and on the wire`));
  const good = await judge(FORWARD, GOOD_SHARES, GOOD_CASES);
  context.signal.throwIfAborted();

  display.line(pc.bold(`\n3. A known-bad change: ${MUTANT}, which must come out red`));
  const bad = await judge(MUTANT, ['virtiofs'], ['posix/rename']);

  const codes = [exitCodeOf(ready), exitCodeOf(good), exitCodeOf(bad)] as const;
  const asExpected = codes[0] === 0 && codes[1] === 0 && codes[2] === 1;
  say(
    [
      asExpected ? pc.green(`As it should be: the good series is clean (${headlineOf(good)}), the mutant is caught.`) : pc.red('Not as it should be: see above.'),
      `Your own patch:  npx fuselage check --tree ~/linux --series v2.mbox`,
      `What is there:   npx fuselage list`,
      `Everything:      ${out}`,
    ].join('\n'),
  );
  if (json) process.stdout.write(`${JSON.stringify({ asExpected, ready, good, bad }, undefined, 2)}\n`);
  if (asExpected) return 0;
  return codes.includes(3) ? 3 : 1;
}
