// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import type { CaseResult, RowClass, Splat, Status } from '../results/schema.ts';
import { classify, pairRows, withoutEchoes } from './classify.ts';

const result = (kernel: number, status: Status, more: Partial<CaseResult> = {}): CaseResult => ({
  kernel,
  name: 'posix/rename',
  share: 'virtiofs',
  repetition: 1,
  status,
  subtests: [],
  seconds: 1,
  proof: [],
  counters: {},
  splats: [],
  files: [],
  reproduce: 'fuselage run',
  ...more,
});
const splat = (fingerprint: string): Splat => ({ fingerprint, kind: 'warn', title: 'fs/fuse/dir.c:1', lines: ['WARNING'] });

describe('classify', () => {
  it.each<[Status[], Status[], RowClass]>([
    [['pass'], ['pass'], 'same'],
    [['pass'], ['fail'], 'regressed'],
    [['pass'], ['crash'], 'regressed'],
    [['pass'], ['hang'], 'regressed'],
    [['pass'], ['timeout'], 'regressed'],
    [['fail'], ['pass'], 'fixed'],
    [['xfail'], ['pass'], 'fixed'],
    [['fail'], ['fail'], 'same'],
    [['fail'], ['crash'], 'regressed'],
    [['crash'], ['fail'], 'same'],
    [['pass'], ['skip'], 'newly-skipped'],
    [['pass'], ['not-exercised'], 'newly-skipped'],
    [['fail'], ['skip'], 'newly-skipped'],
    [['skip'], ['fail'], 'regressed'],
    [['skip'], ['pass'], 'same'],
    [['pass'], ['xfail'], 'regressed'],
    [[], ['pass'], 'new'],
    [[], ['fail'], 'regressed'],
    [['pass'], [], 'gone'],
    [['pass', 'fail'], ['pass', 'pass'], 'flaky'],
    [['pass', 'pass'], ['pass', 'fail'], 'flaky'],
    [['pass', 'pass'], ['fail', 'fail'], 'regressed'],
  ])('%j -> %j is %s', (base, patched, expected) => {
    expect(classify(base, patched)).toBe(expected);
  });
});

describe('pairRows', () => {
  it('pairs by case, share and subtest', () => {
    const rows = pairRows(
      [
        result(0, 'pass', { subtests: [{ name: 'a', status: 'pass' }, { name: 'b', status: 'pass' }] }),
        result(1, 'fail', { subtests: [{ name: 'a', status: 'pass' }, { name: 'b', status: 'fail', reason: 'why' }] }),
        result(1, 'pass', { share: 'ext4' }),
      ],
      0,
      1,
    );
    expect(rows.map(({ share, subtest, class: kind, reason }) => [share, subtest, kind, reason])).toEqual([
      ['virtiofs', undefined, 'regressed', undefined],
      ['virtiofs', 'a', 'same', undefined],
      ['virtiofs', 'b', 'regressed', 'why'],
      ['ext4', undefined, 'new', undefined],
    ]);
    expect(withoutEchoes(rows).filter((row) => row.class === 'regressed')).toHaveLength(1);
  });

  it('takes a splat that only the patched kernel shows for a regression, even of a case that failed before', () => {
    const rows = pairRows([result(0, 'fail', { splats: [splat('aa')] }), result(1, 'fail', { splats: [splat('aa'), splat('bb')] })], 0, 1);
    const regressed = rows.filter((row) => row.class === 'regressed');
    expect(regressed.map((row) => row.subtest)).toEqual(['kernel log: warn: fs/fuse/dir.c:1']);
  });

  it('keeps the row of a case that crashed, and drops the subtests that are gone with it', () => {
    const rows = pairRows([result(0, 'pass', { subtests: [{ name: 'a', status: 'pass' }] }), result(1, 'crash', { reason: 'kernel panic' })], 0, 1);
    expect(rows.map(({ subtest, class: kind }) => [subtest, kind])).toEqual([
      [undefined, 'regressed'],
      ['a', 'gone'],
    ]);
    expect(withoutEchoes(rows).map(({ subtest }) => subtest)).toEqual([undefined]);
  });

  it('an expected end that no longer comes is a fix; one that may come or not is flaky, and so is its regression', () => {
    const classOf = (base: CaseResult, patched: CaseResult) => pairRows([base, patched], 0, 1).find(({ subtest }) => subtest === undefined)?.class;
    expect(classOf(result(0, 'xfail', { reason: 'it hangs' }), result(1, 'pass'))).toBe('fixed');
    expect(classOf(result(0, 'xfail', { reason: 'it hangs' }), result(1, 'crash'))).toBe('regressed');
    expect(classOf(result(0, 'xfail', { flaky: true }), result(1, 'pass', { flaky: true }))).toBe('flaky');
    expect(classOf(result(0, 'pass', { flaky: true }), result(1, 'xfail', { flaky: true }))).toBe('flaky');
    // Bad in a way that nobody expects.
    expect(classOf(result(0, 'pass', { flaky: true }), result(1, 'fail'))).toBe('regressed');
    const flakySubtest = { name: 'a', status: 'xfail', flaky: true } as const;
    expect(classOf(result(0, 'xfail', { subtests: [flakySubtest] }), result(1, 'pass', { subtests: [{ name: 'a', status: 'pass', flaky: true }] }))).toBe('flaky');
  });
});
