// SPDX-License-Identifier: GPL-2.0-only
import { BAD, type Status } from '../results/schema.ts';

/** How often something failed, and between what bounds its true rate lies. */
export interface Rate {
  readonly failed: number;
  readonly runs: number;
  readonly low: number;
  readonly high: number;
}

/** The 97.5 % quantile of the normal distribution: two sides, 95 % between them. */
const Z = 1.959963984540054;

/**
 * The score interval of Wilson (1927) for a proportion; it keeps its level for few runs and for rates near nought, where
 * the textbook's does not (Newcombe, Statistics in Medicine 17, 1998, method 3).
 */
export function rateOf(statuses: readonly Status[]): Rate {
  const runs = statuses.length;
  const failed = statuses.filter((status) => BAD.has(status)).length;
  return { failed, runs, ...wilson(failed, runs) };
}

export function wilson(failed: number, runs: number): { readonly low: number; readonly high: number } {
  if (runs === 0) return { low: 0, high: 1 };
  const p = failed / runs;
  const middle = (p + (Z * Z) / (2 * runs)) / (1 + (Z * Z) / runs);
  const half = (Z / (1 + (Z * Z) / runs)) * Math.sqrt((p * (1 - p)) / runs + (Z * Z) / (4 * runs * runs));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

export interface SequentialTest {
  readonly p0: number;
  readonly p1: number;
  /** Probability of deciding for p1 where p0 is true, and the other way round. */
  readonly alpha: number;
  readonly beta: number;
}

/**
 * Wald's sequential probability ratio test for a proportion (Sequential Analysis, 1947, chapter 5). After n trials with x
 * hits it decides for p1 where x >= reject(n), for p0 where x <= accept(n), and wants more trials between.
 */
export function waldLines({ p0, p1, alpha, beta }: SequentialTest): { readonly accept: (trials: number) => number; readonly reject: (trials: number) => number } {
  const scale = Math.log((p1 * (1 - p0)) / (p0 * (1 - p1)));
  const slope = Math.log((1 - p0) / (1 - p1)) / scale;
  return {
    accept: (trials) => Math.log(beta / (1 - alpha)) / scale + slope * trials,
    reject: (trials) => Math.log((1 - beta) / alpha) / scale + slope * trials,
  };
}

/**
 * Rounds in which base and patched kernel differ fall either way as often, where the change does nothing (McNemar); where
 * it does harm, nine of ten fall one way. 2.5 % a direction: what is told wrongly in one of twenty series of rounds.
 */
const PAIRED: SequentialTest = { p0: 0.5, p1: 0.9, alpha: 0.025, beta: 0.05 };

export type Decision = 'worse' | 'better' | 'same' | 'undecided';

/** What rounds of both kernels, each a pair of statuses, allow to say; `same` only of rounds that differed, and evenly. */
export function decide(base: readonly Status[], patched: readonly Status[]): Decision {
  const { accept, reject } = waldLines(PAIRED);
  let [worse, better] = [0, 0];
  for (let round = 0; round < Math.min(base.length, patched.length); round++) {
    const [before, after] = [base[round], patched[round]].map((status) => status !== undefined && BAD.has(status));
    if (before === after) continue;
    if (after === true) worse++;
    else better++;
    const trials = worse + better;
    if (worse >= reject(trials)) return 'worse';
    if (better >= reject(trials)) return 'better';
    if (worse <= accept(trials) && better <= accept(trials)) return 'same';
  }
  return 'undecided';
}

/** Whether more rounds can tell nothing new: every row that ever differed is decided, and there is one. */
export function isDecided(rows: readonly { readonly base: readonly Status[]; readonly patched: readonly Status[] }[]): boolean {
  const differing = rows.filter(({ base, patched }) => base.slice(0, patched.length).some((status, round) => BAD.has(status) !== BAD.has(patched[round] ?? status)));
  return differing.length > 0 && differing.every(({ base, patched }) => decide(base, patched) !== 'undecided');
}
