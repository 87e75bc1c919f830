// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { relative } from './figures.ts';

describe('figures', () => {
  it('relative to the first subject\'s median, with the range', () => {
    const of = (on: string, samples: number[]) => ({ workload: 'w', on, unit: 'ms', samples });
    expect(relative(of('b', [4, 8, 6]), of('a', [1, 3, 2]))).toEqual({ ratio: 3, low: 2, high: 4 });
  });
});
