// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import type { CaseResult } from '../results/schema.ts';
import { compareCounters, rowsOf } from './wire.ts';

const one = (kernel: number, counters: Record<string, number>, more: Partial<CaseResult> = {}): CaseResult => ({
  kernel,
  name: 'dax-reclaim/stream',
  share: 'device-dax',
  repetition: 1,
  status: 'pass',
  subtests: [],
  seconds: 1,
  proof: [],
  counters,
  wire: { REMOVEMAPPING: 'fewer', SETUPMAPPING: 'same' },
  splats: [],
  files: [],
  reproduce: '',
  ...more,
});

const compare = (...cases: CaseResult[]) => compareCounters(cases, 0, 1).map(({ counter, base, patched, allowed }) => [counter, base, patched, allowed]);

describe('counters', () => {
  it('may move the way that their rule says, and no other', () => {
    expect(compare(one(0, { REMOVEMAPPING: 80, SETUPMAPPING: 100 }), one(1, { REMOVEMAPPING: 8, SETUPMAPPING: 100 }))).toEqual([
      ['REMOVEMAPPING', 80, 8, true],
      ['SETUPMAPPING', 100, 100, true],
    ]);
    expect(compare(one(0, { REMOVEMAPPING: 8, SETUPMAPPING: 100 }), one(1, { REMOVEMAPPING: 80, SETUPMAPPING: 101 }))).toEqual([
      ['REMOVEMAPPING', 8, 80, false],
      ['SETUPMAPPING', 100, 101, false],
    ]);
  });

  it('without a rule are shown where they differ, and never regress', () => {
    expect(compare(one(0, { GETATTR: 1 }), one(1, { GETATTR: 9 })).at(-1)).toEqual(['GETATTR', 1, 9, true]);
  });

  it('of repetitions the median counts', () => {
    const repeated = [70, 80, 90].map((count, index) => one(0, { REMOVEMAPPING: count }, { repetition: index + 1 }));
    expect(compare(...repeated, one(1, { REMOVEMAPPING: 80 }))[0]).toEqual(['REMOVEMAPPING', 80, 80, true]);
  });

  it('of cases that failed with the base, that did not get to their end, or have no rules, are not compared', () => {
    expect(compare(one(0, { REMOVEMAPPING: 1 }, { status: 'fail' }), one(1, { REMOVEMAPPING: 9 }))).toEqual([]);
    expect(compare(one(0, { REMOVEMAPPING: 1 }), one(1, { REMOVEMAPPING: 9 }, { status: 'timeout' }))).toEqual([]);
    const cutShort = one(1, { REMOVEMAPPING: 9 }, { status: 'fail' });
    delete cutShort.wire;
    expect(compare(one(0, { REMOVEMAPPING: 1 }), cutShort)).toEqual([]);
    const plain = one(0, { REMOVEMAPPING: 1 });
    delete plain.wire;
    expect(compare(plain, { ...plain, kernel: 1 })).toEqual([]);
  });

  it('of a case that failed under the patched kernel alone are compared by their rules', () => {
    const failed = one(1, { REMOVEMAPPING: 524, SETUPMAPPING: 2, GETATTR: 3 }, { status: 'fail' });
    expect(compare(one(0, { REMOVEMAPPING: 5, SETUPMAPPING: 2 }), failed)).toEqual([
      ['REMOVEMAPPING', 5, 524, false],
      ['SETUPMAPPING', 2, 2, true],
    ]);
  });

  it('that moved against their rule are regressions, with both numbers', () => {
    const counters = compareCounters([one(0, { REMOVEMAPPING: 8 }), one(1, { REMOVEMAPPING: 80 })], 0, 1);
    expect(rowsOf(counters, () => 'again')).toMatchObject([{ class: 'regressed', subtest: 'on the wire: REMOVEMAPPING', reason: '8 -> 80, where only fewer is allowed', reproduce: 'again' }]);
  });
});
