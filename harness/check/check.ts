// SPDX-License-Identifier: GPL-2.0-only
import { quote } from 'zx';
import type { Context } from '../host/context.ts';
import { FuselageError, InterruptedError } from '../host/errors.ts';
import { buildKernel, type Build } from '../kernel/build.ts';
import { decodeLines } from '../kernel/decode.ts';
import { DEFAULT_FLAVOR, type Flavor } from '../kernel/flavor.ts';
import { profilableDirectories } from '../kernel/gcov.ts';
import type { Series } from '../kernel/series.ts';
import type { Tree } from '../kernel/tree.ts';
import { BAD, type CaseResult, type Claim, type CounterRow, type Coverage, type PatchReport, type Results, type Row, type Splat, type Timeline } from '../results/schema.ts';
import { runSuite, type SuiteListener, type SuiteRequest } from '../suite/run-suite.ts';
import { newSplats, pairRows, withoutEchoes } from '../verdict/classify.ts';
import { isDecided } from '../verdict/flake.ts';
import { compareCounters, rowsOf } from '../verdict/wire.ts';
import { learn } from './case-map.ts';
import { isUnexercised, measureCoverage } from './coverage.ts';
import { judgePatches } from './patches.ts';
import { timelinesOf } from './timeline.ts';

export interface CheckRequest extends Omit<SuiteRequest, 'kernels'> {
  readonly tree: Tree;
  readonly series: readonly Series[];
  readonly flavor: Flavor;
  readonly fragmentFiles: readonly string[];
  /** Every prefix of the series must compile in these flavors too; nothing is run in them. */
  readonly alsoBuild?: readonly Flavor[];
  /** Whether to find out which of the changed lines the cases execute. */
  readonly coverage?: boolean;
  /** How the cases were chosen, for the headline. */
  readonly why?: string;
}

/** Base against patched: builds both, runs the same cases on both, pairs the results. */
export async function check(context: Context, request: CheckRequest, listener: SuiteListener): Promise<Results> {
  const base = await buildKernel(context, { ...request, series: [] });
  const { patched, reports } = await judgePatches(context, request, base, request.alsoBuild);
  const found = await runSuite(
    context,
    {
      ...request,
      ...((request.repeat ?? 1) > 1 ? { enough: (found: readonly CaseResult[]) => isDecided(wholeRounds(pairRows(found, 0, 1))) } : {}),
      kernels: [
        { role: 'base', image: base },
        { role: 'patched', image: patched, tolerates: toleratedBy(request.series) },
      ],
    },
    listener,
  );
  const suite = context.signal.aborted ? found : await withDecodedSplats(context, request, found);
  const timelines = await timelinesOf(suite, compareCounters(suite.cases, 0, 1), request.out);
  const judged = judge(suite, request.series, patched, commandOf(request), { patches: reports, timelines, ...(request.why === undefined ? {} : { why: request.why }) });
  if (request.coverage !== true || context.signal.aborted) return judged;
  return withCoverage(judged, await coverageOf(context, request, listener));
}

export const toleratedBy = (series: readonly Series[]) => series.flatMap(({ manifest }) => manifest?.tolerates ?? []);

/** Guests of a round may still be under way: what has not run on both sides is left out. */
const wholeRounds = (rows: readonly Row[]) => rows.map(({ base, patched }) => ({ base: base.slice(0, patched.length), patched: patched.slice(0, base.length) }));

/** Says of which line of the changed directories each frame of a new splat is. */
async function withDecodedSplats(context: Context, request: CheckRequest, suite: Results): Promise<Results> {
  const fresh = new Set(newSplats(suite.cases).map(({ splat }) => splat.fingerprint));
  const isNew = (one: CaseResult, splat: Splat) => one.kernel === 1 && fresh.has(splat.fingerprint);
  const lines = suite.cases.flatMap((one) => one.splats.filter((splat) => isNew(one, splat)).flatMap((splat) => splat.lines));
  if (lines.length === 0) return suite;
  const directories = await profilableDirectories(request.tree, request.series.flatMap(({ patches }) => patches.flatMap(({ files }) => files)));
  const decoded = await decodeLines(context, request, directories, lines).catch((error: unknown) => {
    if (!(error instanceof FuselageError) || error instanceof InterruptedError) throw error;
    // What the cases found stands, decoded or not.
    context.emit({ type: 'warning', text: `the kernel log stays as it is: ${error.message}` });
    return [...lines];
  });
  return { ...suite, cases: suite.cases.map((one) => ({ ...one, splats: one.splats.map((splat) => (isNew(one, splat) ? { ...splat, lines: decoded.splice(0, splat.lines.length) } : splat)) })) };
}

/** A series that can not be profiled is judged all the same: the verdict's own runs are done by then. */
async function coverageOf(context: Context, request: CheckRequest, listener: SuiteListener): Promise<Coverage> {
  try {
    const { coverage, cases } = await measureCoverage(context, request, request, toleratedBy(request.series), listener);
    await learn(context, request.tree.version, cases);
    return coverage;
  } catch (error) {
    if (!(error instanceof FuselageError) || error instanceof InterruptedError) throw error;
    return { patches: [], unmeasured: error.message };
  }
}

/** A check whose cases never ran the change has shown nothing. */
export function withCoverage(results: Results, coverage: Coverage): Results {
  if (results.check === undefined) return results;
  const verdict = results.check.verdict === 'clean' && isUnexercised(coverage) ? 'not-exercised' : results.check.verdict;
  return { ...results, check: { ...results.check, verdict, coverage } };
}

/** Adds rows and verdict to the results of a suite that ran under two kernels. */
export function judge(
  suite: Results,
  series: readonly Series[],
  patched: Pick<Build, 'fuzz'>,
  command: string,
  { patches = [], timelines = [], why }: { readonly patches?: readonly PatchReport[]; readonly timelines?: readonly Timeline[]; readonly why?: string } = {},
): Results {
  const again = (row: { readonly name: string; readonly share: string }) => `${command} --share ${row.share}${row.name.startsWith('guest/') ? '' : ` ${row.name}`}`;
  const counters = compareCounters(suite.cases, 0, 1);
  const rows = [...withoutEchoes(pairRows(suite.cases, 0, 1)).map((row) => ({ ...row, reproduce: again(row) })), ...rowsOf(counters, again)];
  const changed = rows.filter((row) => row.class !== 'same');
  const claims = series.map((one) => ({ kind: one.manifest?.kind, claims: claimsOf(one, changed, counters, suite.cases) }));
  // A series that promises a change and does not bring it is not what it says it is.
  const brokenPromise = claims.some((one) => one.kind === 'forward' && one.claims.some(({ state }) => state === 'broken'));
  // A patch that does not compile without the next breaks every bisection that lands on it.
  const regressed = changed.some((row) => row.class === 'regressed') || patches.some(({ builds }) => !builds) || brokenPromise;
  // A base that does not even boot or mount is nothing to compare with.
  const grounded = suite.cases.length > 0 && !suite.cases.some((one) => one.kernel === 0 && one.name.startsWith('guest/boot') && BAD.has(one.status));
  const complete = suite.infrastructure.length === 0 && grounded;
  return {
    ...suite,
    check: {
      // What was seen to regress stands, whatever else went wrong beside it.
      verdict: regressed ? 'regressed' : complete ? 'clean' : 'infrastructure',
      series: series.map(({ title }) => title),
      fuzz: [...patched.fuzz],
      patches: [...patches],
      ...(why === undefined ? {} : { why }),
      claims: claims.flatMap((one) => one.claims),
      counters,
      timelines: [...timelines],
      rows: changed,
      sameRows: rows.length - changed.length,
    },
  };
}

/** The command that means this check, on whatever share and cases are put behind it. */
function commandOf({ tree, series, flavor, fragmentFiles }: CheckRequest): string {
  const words = ['--tree', tree.reproduce, ...(tree.commit === undefined ? [] : ['--base', tree.commit]), ...series.flatMap((one) => one.reproduce), ...fragmentFiles.flatMap((file) => ['--config', file])];
  if (flavor.name !== DEFAULT_FLAVOR) words.push('--flavor', flavor.name);
  return `fuselage check ${words.map((word) => quote(word)).join(' ')}`;
}

function claimsOf(series: Series, changed: readonly Row[], counters: readonly CounterRow[], cases: readonly CaseResult[]): Claim[] {
  const caught = (series.manifest?.caughtBy ?? []).flatMap((catcher) =>
    catcher.shares.map((share): Claim => {
      const [area, file, ...subtest] = catcher.case.split('/');
      const name = `${area ?? ''}/${file ?? ''}`;
      const ran = cases.some((one) => one.name === name && one.share === share);
      const held = changed.some(
        (row) => row.class === 'regressed' && row.name === name && row.share === share && (subtest.length === 0 || row.subtest === subtest.join('/')),
      );
      return { text: `caught by ${catcher.case} on ${share}`, state: !ran ? 'not-measured' : held ? 'held' : 'broken' };
    }),
  );
  const changes = (series.manifest?.changes ?? []).map((change): Claim => {
    const { counter, atMost, atLeast } = change;
    const promise = `${change.case} on ${change.share}: ${counter} ${atLeast === undefined ? `at most ${atMost ?? 0} of before` : `at least ${atLeast} times as many`}`;
    const row = counters.find((one) => one.name === change.case && one.share === change.share && one.counter === counter);
    if (row === undefined) return { text: promise, state: 'not-measured' };
    // Nothing is not many times nothing.
    const held = atLeast === undefined ? row.patched <= row.base * (atMost ?? 0) : row.patched > 0 && row.patched >= row.base * atLeast;
    return { text: `${promise} (${row.base} -> ${row.patched})`, state: held ? 'held' : 'broken' };
  });
  return [...caught, ...changes];
}

/** DESIGN, rule 2. */
export function exitCodeOf(results: Results): 0 | 1 | 3 {
  if (results.check !== undefined) return { clean: 0, 'not-exercised': 0, regressed: 1, infrastructure: 3 }[results.check.verdict] as 0 | 1 | 3;
  if (results.cases.some(({ status }) => BAD.has(status))) return 1;
  return results.infrastructure.length > 0 || results.cases.length === 0 ? 3 : 0;
}
