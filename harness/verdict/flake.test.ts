// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import type { Status } from '../results/schema.ts';
import { decide, isDecided, waldLines, wilson } from './flake.ts';

const statuses = (text: string): Status[] => text.split('').map((letter) => (letter === 'F' ? 'fail' : 'pass'));

describe('the interval of a rate', () => {
  // Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i', (failed, runs, low, high) => {
    const found = wilson(failed, runs);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });

  it('of no run is everything', () => {
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
  });
});

describe('the sequential test', () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, 6.2.6: p1 = 0.01, p2 = 0.10, alpha = 0.05, beta = 0.10.
  it('has the published lines', () => {
    const { accept, reject } = waldLines({ p0: 0.01, p1: 0.1, alpha: 0.05, beta: 0.1 });
    expect(accept(0)).toBeCloseTo(-0.939, 3);
    expect(reject(0)).toBeCloseTo(1.205, 3);
    expect(reject(1) - reject(0)).toBeCloseTo(0.0397, 4);
  });

  it('decides for a change that always fails after seven rounds, and not before', () => {
    expect(decide(statuses('......'), statuses('FFFFFF'))).toBe('undecided');
    expect(decide(statuses('.......'), statuses('FFFFFFF'))).toBe('worse');
    expect(decide(statuses('FFFFFFF'), statuses('.......'))).toBe('better');
  });

  it('rounds that both fail, or both pass, tell nothing', () => {
    expect(decide(statuses('F.F.F.F.'), statuses('F.F.F.F.'))).toBe('undecided');
  });

  it('what differs as often either way is the same', () => {
    expect(decide(statuses('F.F.F.F.F.F.'), statuses('.F.F.F.F.F.F'))).toBe('same');
  });

  it('errs as seldom as it says, and finds what is there', () => {
    // A generator with a seed: the same rounds in every run.
    let seed = 12_345;
    const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    const rounds = (rate: number) => Array.from({ length: 400 }, (): Status => (random() < rate ? 'fail' : 'pass'));
    const share = (base: number, patched: number, wanted: string) => {
      let hits = 0;
      for (let trial = 0; trial < 2_000; trial++) if (decide(rounds(base), rounds(patched)) === wanted) hits++;
      return hits / 2_000;
    };
    expect(share(0.2, 0.2, 'worse')).toBeLessThan(0.03);
    expect(share(0.02, 0.4, 'worse')).toBeGreaterThan(0.95);
  });

  it('stops when every row that differed is decided, and never where none did', () => {
    const steady = { base: statuses('.......'), patched: statuses('.......') };
    const broken = { base: statuses('.......'), patched: statuses('FFFFFFF') };
    const open = { base: statuses('.......'), patched: statuses('F......') };
    expect(isDecided([steady])).toBe(false);
    expect(isDecided([steady, broken])).toBe(true);
    expect(isDecided([broken, open])).toBe(false);
  });
});
