// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { confidenceOf, missProbability, runsPerVerdict } from './confidence.ts';

describe('how often a good kernel must pass', () => {
  it('the chance to miss is the mean of (1 - p)^n over Beta(shown + 1, missed + 1)', () => {
    const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));
    const beta = (a: number, b: number) => (factorial(a - 1) * factorial(b - 1)) / factorial(a + b - 1);
    for (const [shown, missed, runs] of [
      [5, 0, 3],
      [1, 4, 10],
      [2, 7, 1],
    ] as const)
      expect(missProbability({ shown, missed }, runs)).toBeCloseTo(beta(shown + 1, missed + runs + 1) / beta(shown + 1, missed + 1), 12);
    expect(missProbability({ shown: 5, missed: 0 }, 0)).toBe(1);
    expect(missProbability({ shown: 5, missed: 0 }, 3)).toBeCloseTo(1 / 84, 12);
  });

  it('asks for few runs of what always fails, for many of what seldom does, and never for more than may be', () => {
    expect(runsPerVerdict({ shown: 5, missed: 0 }, 0.95, 5, 50)).toBe(4);
    expect(runsPerVerdict({ shown: 2, missed: 3 }, 0.95, 5, 200)).toBeGreaterThan(12);
    expect(runsPerVerdict({ shown: 1, missed: 9 }, 0.95, 5, 50)).toBe(50);
  });

  it('the confidence is what all good verdicts together allow', () => {
    const evidence = { shown: 5, missed: 0 };
    expect(confidenceOf(evidence, [])).toBe(1);
    expect(confidenceOf(evidence, [3, 3])).toBeCloseTo((1 - 1 / 84) ** 2, 12);
  });
});
