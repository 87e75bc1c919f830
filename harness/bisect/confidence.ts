// SPDX-License-Identifier: GPL-2.0-only

/** Runs under kernels that are known to be bad: so many showed what is looked for, so many did not. */
export interface Evidence {
  readonly shown: number;
  readonly missed: number;
}

/**
 * How probable it is that a bad kernel shows nothing in so many runs. Its failure rate is not known: what is known of it
 * is the evidence, under which (with a uniform prior) it is distributed as Beta(shown + 1, missed + 1); this is the
 * posterior predictive of a row of misses (Gelman et al., Bayesian Data Analysis, section 2.4). That the runs of a step
 * end with the first that shows it does not bias it: the likelihood is the same.
 */
export function missProbability({ shown, missed }: Evidence, runs: number): number {
  let probability = 1;
  for (let run = 0; run < runs; run++) probability *= (missed + 1 + run) / (shown + missed + 2 + run);
  return probability;
}

/**
 * So many runs without it make a kernel good, for all `verdicts` such verdicts together to be right with `confidence`.
 * @param most where the evidence asks for more, this is what it gets; confidenceOf() tells what that costs
 */
export function runsPerVerdict(evidence: Evidence, confidence: number, verdicts: number, most: number): number {
  const allowed = 1 - confidence ** (1 / Math.max(1, verdicts));
  let runs = 1;
  while (runs < most && missProbability(evidence, runs) > allowed) runs++;
  return runs;
}

/**
 * How probable it is that no kernel was called good wrongly.
 * @param good the runs of each kernel that was called good; one that showed it is bad for certain
 */
export const confidenceOf = (evidence: Evidence, good: readonly number[]): number => good.reduce((product, runs) => product * (1 - missProbability(evidence, runs)), 1);
