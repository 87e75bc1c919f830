// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InterruptedError } from '../host/errors.ts';
import type { Context } from '../host/context.ts';
import { buildKernel, type BuildRequest } from '../kernel/build.ts';
import { FLAVORS } from '../kernel/flavor.ts';
import { profilableDirectories, readCounts, type Counts } from '../kernel/gcov.ts';
import { BAD, type CaseResult, type ChangedLine, type Coverage } from '../results/schema.ts';
import { COVERAGE_SUFFIX } from '../suite/guest-plan.ts';
import { runSuite, type SuiteListener, type SuiteRequest } from '../suite/run-suite.ts';
import { attributeLines, type SourceLine } from './changed-lines.ts';

/** What one case had executed, by file. */
export interface CaseCounts {
  readonly name: string;
  readonly share: string;
  readonly counts: readonly Counts[];
}

export interface MeasuredCoverage {
  readonly coverage: Coverage;
  /** For whoever learns from it which cases run what. */
  readonly cases: readonly CaseCounts[];
}

/**
 * Runs the same cases once more, on the patched kernel with the directories that the series touches profiled. Results of
 * that run are no part of the verdict: instrumented code is other code.
 */
export async function measureCoverage(
  context: Context,
  build: BuildRequest,
  suite: Pick<SuiteRequest, 'shares' | 'cases' | 'pairs' | 'jobs' | 'out' | 'command'>,
  tolerates: NonNullable<SuiteRequest['kernels'][number]['tolerates']>,
  listener: SuiteListener,
): Promise<MeasuredCoverage> {
  const { tree, series } = build;
  const files = await attributeLines(tree, series);
  const titles = series.flatMap(({ patches }) => patches.map(({ title }) => title));
  const profile = await profilableDirectories(tree, [...files.keys()]);
  const gcov = FLAVORS['gcov'];
  if (gcov === undefined || profile.length === 0) return { coverage: summarise(titles, files, [], new Set()), cases: [] };
  const image = await buildKernel(context, { ...build, flavor: gcov, profile });
  const out = join(suite.out, 'coverage');
  await mkdir(out);
  const results = await runSuite(context, { ...suite, out, repeat: 1, kernels: [{ role: 'only', image, tolerates }] }, listener);
  if (context.signal.aborted) throw new InterruptedError();
  const cases: CaseCounts[] = [];
  for (const one of results.cases) cases.push({ name: one.name, share: one.share, counts: await countsOf(one, out, image.notesDirectory ?? '') });
  const silent = cases.every(({ counts }) => counts.length === 0);
  const [failed = silent ? `no case left any counts on the profiled kernel (${results.cases.find(({ status }) => BAD.has(status))?.reason ?? 'none ran'})` : undefined] = results.infrastructure;
  if (failed !== undefined) return { coverage: { patches: [], unmeasured: failed }, cases };
  return { coverage: summarise(titles, files, cases, new Set(profile)), cases };
}

async function countsOf({ files }: CaseResult, out: string, notesDirectory: string): Promise<Counts[]> {
  const found: Counts[] = [];
  for (const file of files) if (file.endsWith(COVERAGE_SUFFIX)) found.push(await readCounts(join(out, file), notesDirectory));
  return found;
}

/** For every line of every patch: who executed it. */
export function summarise(titles: readonly string[], files: ReadonlyMap<string, readonly SourceLine[]>, cases: readonly CaseCounts[], profiled: ReadonlySet<string>): Coverage {
  const changed = titles.map((title) => ({ title, lines: [] as ChangedLine[] }));
  // Of a file that no object has, nothing can be said.
  const known = new Set(cases.flatMap(({ counts }) => counts.flatMap((one) => [...one.keys()])));
  for (const [file, lines] of files)
    for (const [index, { text, patch }] of lines.entries()) {
      if (patch === undefined) continue;
      const line = index + 1;
      const counts = cases.map(({ name, share, counts: all }) => ({ by: `${share} ${name}`, count: countOf(all, file, line) }));
      const isCode = counts.some(({ count }) => count !== undefined);
      const by = counts.filter(({ count }) => (count ?? 0) > 0).map((one) => one.by);
      const compiled = known.has(file) || (file.endsWith('.h') && profiled.size > 0) || !/\.[chS]$/.test(file);
      const state = by.length > 0 ? 'executed' : isCode ? 'not-executed' : compiled || isBlank(text) ? 'not-code' : 'not-compiled';
      changed[patch]?.lines.push({ file, line, text, state, cases: by });
    }
  const count = (lines: readonly ChangedLine[], state: ChangedLine['state']) => lines.filter((one) => one.state === state).length;
  return { patches: changed.map((patch) => ({ ...patch, executed: count(patch.lines, 'executed'), notExecuted: count(patch.lines, 'not-executed') })) };
}

function countOf(all: readonly Counts[], file: string, line: number): number | undefined {
  const found = all.map((counts) => counts.get(file)?.lines.get(line)).filter((count) => count !== undefined);
  return found.length === 0 ? undefined : found.reduce((sum, count) => sum + count, 0);
}

const isBlank = (text: string): boolean => /^\s*(?:\/\*.*|\*.*|\/\/.*)?$/.test(text);

/** Whether a series changes code, and no case has run a line of it. */
export function isUnexercised({ patches, unmeasured }: Coverage): boolean {
  const states = new Set(patches.flatMap(({ lines }) => lines.map(({ state }) => state)));
  return unmeasured === undefined && !states.has('executed') && (states.has('not-executed') || states.has('not-compiled'));
}
