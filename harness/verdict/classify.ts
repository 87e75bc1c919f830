// SPDX-License-Identifier: GPL-2.0-only
import { BAD, type CaseResult, type Row, type RowClass, type Splat, type Status } from '../results/schema.ts';
import { decide, rateOf } from './flake.ts';

/** How bad a status is; a change to a worse one of two bad ones is a regression too. */
const SEVERITY: Readonly<Record<Status, number>> = {
  pass: 0,
  xpass: 0,
  xfail: 1,
  skip: 1,
  'not-exercised': 1,
  fail: 2,
  timeout: 3,
  crash: 4,
  hang: 4,
};

/**
 * The class of one row from its statuses under both kernels, one a repetition.
 * An outcome that differs between repetitions of one side is flaky, unless the rounds of both decide otherwise.
 */
export function classify(base: readonly Status[], patched: readonly Status[]): RowClass {
  if (base.length === 0) return patched.some((status) => BAD.has(status)) ? 'regressed' : 'new';
  // A result that is there on the base only: the program around it has a status of its own.
  if (patched.length === 0) return 'gone';
  if (new Set(base).size > 1 || new Set(patched).size > 1) {
    // Enough rounds tell a change for the worse from bad luck; short of that, nothing is said.
    const decision = decide(base, patched);
    return decision === 'worse' ? 'regressed' : decision === 'better' ? 'fixed' : 'flaky';
  }
  const [before, after] = [base[0] ?? 'skip', patched[0] ?? 'skip'];
  if (before === after) return 'same';
  if (BAD.has(after)) return SEVERITY[after] > SEVERITY[before] ? 'regressed' : 'same';
  if (BAD.has(before) || before === 'xfail') return SEVERITY[after] === 0 ? 'fixed' : BAD.has(before) ? 'newly-skipped' : 'same';
  return SEVERITY[after] === 1 && SEVERITY[before] === 0 ? (after === 'xfail' ? 'regressed' : 'newly-skipped') : 'same';
}

interface Side {
  readonly statuses: Status[];
  readonly reasons: string[];
  /** What it says may come or not. */
  flaky: boolean;
}

/** What is worse, or was, and may be so at any time, is no regression and no fix. */
function classOf(base: Side, patched: Side): RowClass {
  const found = classify(base.statuses, patched.statuses);
  return (found === 'regressed' && patched.flaky) || (found === 'fixed' && base.flaky) ? 'flaky' : found;
}

/** The patched kernel's splats that the base did not show and no expectation knows of, each with its case; the same one once. */
export function newSplats(cases: readonly CaseResult[], baseKernel = 0): readonly { readonly splat: Splat; readonly name: string }[] {
  const known = new Set(cases.filter(({ kernel }) => kernel === baseKernel).flatMap(({ splats }) => splats.map(({ fingerprint }) => fingerprint)));
  const fresh = cases.filter(({ kernel }) => kernel !== baseKernel).flatMap(({ splats, name }) => splats.filter((splat) => splat.expected !== true && !known.has(splat.fingerprint)).map((splat) => ({ splat, name })));
  return [...new Map(fresh.map((one) => [one.splat.fingerprint, one])).values()];
}

/** Pairs what base and patched say, by case, share and subtest; in the order the cases ran. */
export function pairRows(cases: readonly CaseResult[], baseKernel: number, patchedKernel: number): Row[] {
  const rows = new Map<string, { name: string; share: string; subtest?: string; reproduce: string; base: Side; patched: Side }>();
  const sideOf = (one: CaseResult, subtest: string | undefined, flaky = false) => {
    const key = JSON.stringify([one.name, one.share, subtest ?? null]);
    const row = rows.get(key) ?? {
      name: one.name,
      share: one.share,
      ...(subtest === undefined ? {} : { subtest }),
      reproduce: one.reproduce,
      base: { statuses: [], reasons: [], flaky: false },
      patched: { statuses: [], reasons: [], flaky: false },
    };
    rows.set(key, row);
    const side = one.kernel === baseKernel ? row.base : row.patched;
    side.flaky ||= flaky;
    return side;
  };
  const baseFingerprints = new Set(cases.filter((one) => one.kernel === baseKernel).flatMap((one) => one.splats.map((splat) => splat.fingerprint)));
  for (const one of cases) {
    if (one.kernel !== baseKernel && one.kernel !== patchedKernel) continue;
    // The case's own row carries what its subtests do not: crashes, splats, a missing proof, problems.
    // A case whose status only a flaky subtest made is as flaky as that one.
    const expected = one.subtests.filter(({ status }) => status === 'xfail');
    const side = sideOf(one, undefined, one.flaky === true || (one.status === 'xfail' && expected.length > 0 && expected.every(({ flaky }) => flaky === true)));
    side.statuses.push(one.status);
    if (one.reason !== undefined) side.reasons.push(one.reason);
    for (const subtest of one.subtests) {
      const sub = sideOf(one, subtest.name, subtest.flaky);
      sub.statuses.push(subtest.status);
      if (subtest.reason !== undefined) sub.reasons.push(subtest.reason);
    }
    if (one.kernel !== patchedKernel) continue;
    for (const splat of one.splats) {
      if (splat.expected === true) continue;
      if (baseFingerprints.has(splat.fingerprint)) continue;
      // A splat that only the patched kernel shows is a regression of the case it came in, even of a failing one.
      const own = sideOf(one, `kernel log: ${splat.kind}: ${splat.title}`);
      own.statuses.push('fail');
      own.reasons.push(splat.lines[0] ?? splat.title);
    }
  }
  return [...rows.values()].map(({ base, patched, ...row }) => {
    const reason = patched.reasons[0] ?? base.reasons[0];
    const rates = base.statuses.length > 1 && patched.statuses.length > 1 ? { rates: { base: rateOf(base.statuses), patched: rateOf(patched.statuses), decision: decide(base.statuses, patched.statuses) } } : {};
    return { ...row, ...rates, class: classOf(base, patched), base: base.statuses, patched: patched.statuses, ...(reason === undefined ? {} : { reason }) };
  });
}

/** Rows whose whole meaning another row of the same case already carries are left out. */
export function withoutEchoes(rows: readonly Row[]): Row[] {
  const ended = (row: Row) => [...row.base, ...row.patched].some((status) => status === 'crash' || status === 'hang' || status === 'timeout');
  const lost = new Set(rows.filter((row) => row.subtest === undefined && row.class === 'regressed' && ended(row)).map((row) => `${row.name} ${row.share}`));
  const explained = new Set(rows.filter((row) => row.subtest !== undefined && row.class !== 'same').map((row) => `${row.class} ${row.name} ${row.share}`));
  return rows.filter((row) => {
    // Subtests that are gone because the case crashed say no more than the crash.
    if (row.subtest !== undefined) return row.class !== 'gone' || !lost.has(`${row.name} ${row.share}`);
    return ended(row) || !explained.has(`${row.class} ${row.name} ${row.share}`);
  });
}
