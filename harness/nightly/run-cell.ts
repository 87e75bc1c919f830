// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bisect, bisectionOf } from '../bisect/bisect.ts';
import { commitsBetween } from '../bisect/candidates.ts';
import { bySubtest } from '../bisect/criterion.ts';
import { Trials } from '../bisect/trial.ts';
import { run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { FuselageError, InfrastructureError, InputError, InterruptedError, KernelError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { buildKernel, identifyBuild, type Build, type BuildRequest } from '../kernel/build.ts';
import { flavorNamed } from '../kernel/flavor.ts';
import { mirrorOf } from '../kernel/mirror.ts';
import { openTree, type Tree } from '../kernel/tree.ts';
import type { Bisection } from '../results/bisection.ts';
import { findingsOf, type Cell, type CellResult, type Finding, type Issue } from '../results/nightly.ts';
import type { Results } from '../results/schema.ts';
import { shareNamed } from '../share/catalogue.ts';
import { selectCases, type Case } from '../suite/discover.ts';
import { runSuite, type SuiteListener } from '../suite/run-suite.ts';
import { casesFor } from '../suite/suitable.ts';
import { fingerprintOf } from './cells.ts';
import type { NightlyConfig } from './config.ts';
import type { Memory } from './history.ts';

export interface CellOptions {
  readonly config: NightlyConfig;
  readonly cases: readonly Case[];
  readonly memory: Memory;
  /** Run it though nothing changed. */
  readonly full: boolean;
  readonly night: number;
  readonly out: string;
  readonly command: string;
  readonly jobs?: number;
}

/** Opens the tree of a cell; of a remote, at what its ref is now. */
async function treeOf(context: Context, { config }: CellOptions, cell: Cell): Promise<{ readonly tree: Tree; readonly name: string }> {
  const found = config.trees.find(({ name }) => name === cell.tree);
  if (found === undefined) throw new InputError('nightly.config', `no tree ${cell.tree} in ${config.file}`, { hint: 'use the configuration that the plan was made with' });
  if ('version' in found) return { tree: await openTree(context, found.version), name: found.version };
  if ('path' in found) return { tree: await openTree(context, found.path, { commit: cell.ref }), name: found.path };
  const { path, commit } = await mirrorOf(context, found.git, cell.ref);
  return { tree: await openTree(context, path, { commit }), name: path };
}

/**
 * Judges one cell. Whatever is the matter with it becomes its result, for a night goes on with the next one; only an
 * interruption is thrown.
 */
export async function runCell(context: Context, cell: Cell, options: CellOptions, listener: SuiteListener): Promise<CellResult> {
  const [startedAt, startedMilliseconds] = [new Date().toISOString(), performance.now()];
  const about = { cell, fingerprint: '', startedAt, issues: [] };
  const since = () => ({ seconds: (performance.now() - startedMilliseconds) / 1_000 });
  try {
    const { tree, name } = await treeOf(context, options, cell);
    const commit = await commitOf(tree);
    const share = shareNamed(cell.share);
    const suite = options.config.suites.find((one) => one.name === cell.suite);
    const cases = casesFor(share, selectCases(options.cases, suite?.cases ?? []), [share]);
    if (cases.length === 0) throw new InputError('case.none-matched', `no case of the suite ${cell.suite} suits ${cell.share}`, { hint: 'mend its list of cases' });
    const request: BuildRequest = { tree, series: [], flavor: flavorNamed(cell.flavor), fragmentFiles: [] };
    const fingerprint = await fingerprintOf(await identifyBuild(request), cell.share, cases.flatMap(({ files }) => files), options.config.expectations);
    const { lastGood, greenFingerprint } = options.memory;
    const known = { ...about, fingerprint, ...(commit === undefined ? {} : { commit }), ...(lastGood === undefined ? {} : { lastGood: { startedAt: lastGood.startedAt, ...(lastGood.commit === undefined ? {} : { commit: lastGood.commit }) } }) };
    if (!options.full && greenFingerprint === fingerprint) return { ...known, outcome: 'unchanged', ...since() };

    let image: Build;
    try {
      image = await buildKernel(context, request);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return { ...known, outcome: 'red', reason: error.message, issues: [{ class: 'new', name: 'build', reason: error.message, reproduce: `fuselage build --tree ${tree.reproduce} --flavor ${cell.flavor}` }], ...since() };
    }
    const out = join(options.out, cell.id.replaceAll('/', '_'));
    await mkdir(out, { recursive: true });
    const common = { kernels: [{ role: 'only' as const, image }], shares: [share], command: options.command, expectationFiles: options.config.expectations, ...(options.jobs === undefined ? {} : { jobs: options.jobs }) };
    const results = await runSuite(context, { ...common, cases, out }, listener);
    if (context.signal.aborted) throw new InterruptedError();
    const findings = findingsOf(results);
    const again = await confirm(context, findings, { ...common, cases, out }, options.config.confirm, listener);
    const issues = findings.map((finding) => issueOf(finding, again, options));
    const red = issues.some((issue) => issue.class === 'new');
    const bisection = red && options.config.bisect && lastGood?.commit !== undefined && commit !== undefined ? await bisectionFor(context, { name, good: lastGood.commit.id, bad: commit.id }, issues, cell, options, join(out, 'bisection'), listener) : undefined;
    const broken = results.infrastructure.length > 0;
    return {
      ...known,
      outcome: red ? 'red' : broken ? 'no-verdict' : 'green',
      ...(broken ? { reason: results.infrastructure[0] ?? '' } : {}),
      issues: [...issues, ...mended(results, findings, options)],
      ...(bisection === undefined ? {} : { bisection }),
      results,
      ...since(),
    };
  } catch (error) {
    if (error instanceof InterruptedError || context.signal.aborted) throw new InterruptedError();
    if (!(error instanceof FuselageError)) throw error;
    return { ...about, outcome: 'no-verdict', reason: error.line, ...since() };
  }
}

async function commitOf({ git, commit }: Tree): Promise<{ readonly id: string; readonly title: string } | undefined> {
  if (git === undefined) return undefined;
  const [id = '', title = ''] = (await run(['git', 'log', '-1', '--format=%H%n%s', commit ?? 'HEAD', '--'], { env: { GIT_DIR: git } })).split('\n');
  return { id, title };
}

type Again = ReadonlyMap<string, { readonly failed: number; readonly runs: number }>;

const keyOf = ({ name, subtest }: Pick<Finding, 'name' | 'subtest'>): string => `${name}\0${subtest ?? ''}`;

/** Runs once more, and again, what failed: for the rate, never to turn red into green. */
async function confirm(context: Context, findings: readonly Finding[], request: Omit<Parameters<typeof runSuite>[1], 'repeat'>, times: number, listener: SuiteListener): Promise<Again> {
  const failed = findings.filter((finding) => finding.class === 'new');
  const names = new Set(failed.map(({ name }) => name));
  const cases = request.cases.filter(({ name }) => names.has(name));
  if (cases.length === 0 || times === 0) return new Map(failed.map((finding) => [keyOf(finding), { failed: 1, runs: 1 }]));
  const out = join(request.out, 'confirm');
  await mkdir(out);
  const results: Results = await runSuite(context, { ...request, cases, repeat: times, out }, listener);
  if (context.signal.aborted) throw new InterruptedError();
  return new Map(
    failed.map((finding) => {
      const runs = results.cases.filter((one) => one.name === finding.name);
      const bad = runs.filter((one) => findingsOf({ cases: [one] }).some((other) => other.class === 'new' && keyOf(other) === keyOf(finding)));
      return [keyOf(finding), { failed: 1 + bad.length, runs: 1 + runs.length }];
    }),
  );
}

function issueOf(finding: Finding, again: Again, { memory, night }: CellOptions): Issue {
  if (finding.class !== 'new') return finding;
  const confirmed = again.get(keyOf(finding));
  const before = memory.failing.find(({ name, subtest }) => name === finding.name && subtest === (finding.subtest ?? ''));
  return { ...finding, ...(confirmed === undefined ? {} : { confirmed }), since: before?.since ?? { night, startedAt: new Date().toISOString() } };
}

/** Rows that were bad the last time they were seen, and are not any more. */
function mended({ cases }: Results, findings: readonly Finding[], { memory }: CellOptions): Issue[] {
  const now = new Map(cases.flatMap((one) => [[keyOf({ name: one.name, subtest: '' }), one.status] as const, ...one.subtests.map((subtest) => [keyOf({ name: one.name, subtest: subtest.name }), subtest.status] as const)]));
  const told = new Set(findings.map(keyOf));
  const passes = memory.failing.filter((row) => now.get(keyOf(row)) === 'pass' && !told.has(keyOf(row)));
  // A case is told of where no subtest of it says more.
  const named = passes.filter(({ name, subtest }) => subtest !== '' || !passes.some((other) => other.name === name && other.subtest !== ''));
  return named.map(({ name, subtest }) => ({ class: 'fixed', name, ...(subtest === '' ? {} : { subtest }), reason: 'failed the last time, and passes' }));
}

/** Who brought the first new failure that always shows; a bisection that can not be is not the night's trouble. */
async function bisectionFor(context: Context, range: { readonly name: string; readonly good: string; readonly bad: string }, issues: readonly Issue[], cell: Cell, options: CellOptions, out: string, listener: SuiteListener): Promise<Bisection | undefined> {
  const issue = issues.find((one) => one.class === 'new' && one.confirmed?.failed === one.confirmed?.runs) ?? issues.find((one) => one.class === 'new');
  const one = options.cases.find(({ name }) => name === issue?.name);
  if (issue === undefined || one === undefined || range.good === range.bad) return undefined;
  const [startedAt, startedMilliseconds] = [new Date().toISOString(), performance.now()];
  try {
    await mkdir(out);
    return await Scope.run(async (scope) => {
      const flavor = flavorNamed(cell.flavor);
      const candidates = await commitsBetween(context, scope, { tree: range.name, good: range.good, bad: range.bad, paths: [], firstParent: false, flavor, fragmentFiles: [], what: ['--share', cell.share, one.name] });
      const trials = new Trials(context, { one, share: shareNamed(cell.share), out, command: options.command }, listener);
      const found = await bisect(trials, { candidates, runs: 3, confidence: 0.95, mostRuns: 20, ...(issue.subtest === undefined ? {} : { criterion: bySubtest(issue.subtest) }) });
      return bisectionOf(found, { command: options.command, startedAt, seconds: (performance.now() - startedMilliseconds) / 1_000, case: one.name, share: cell.share, flavor: flavor.name });
    });
  } catch (error) {
    if (error instanceof InterruptedError || context.signal.aborted) throw new InterruptedError();
    if (!(error instanceof InputError || error instanceof InfrastructureError)) throw error;
    context.emit({ type: 'warning', text: `${cell.id}: no bisection: ${error.message}` });
    return undefined;
  }
}
