// SPDX-License-Identifier: GPL-2.0-only
import { InputError } from '../host/errors.ts';
import { BISECTION_VERSION, type Bisection, type Candidate, type TrialResult } from '../results/bisection.ts';
import { confidenceOf, runsPerVerdict, type Evidence } from './confidence.ts';
import { bySignature, signatureOf, type Criterion, type Observation } from './criterion.ts';
import type { History } from './history.ts';
import type { Observed, Subject } from './trial.ts';

/** Who builds and runs (trial.ts). */
export interface Judge {
  judge(subject: Subject, criterion: Criterion, runs: number): Promise<TrialResult>;
  observe(subject: Subject, runs: number): Promise<Observed>;
}

/** The candidates of a search as kernels, and what to call them. */
export interface Candidates {
  readonly history: History;
  readonly good: Subject;
  readonly bad: Subject;
  subject(id: string): Promise<Subject>;
  describe(id: string): Promise<Candidate>;
  /** The bad end without one candidate, or why there is no such kernel. */
  without(id: string): Promise<Subject | { readonly reason: string }>;
  /** The command that tells base from culprit. */
  reproduce(id: string): Promise<string>;
}

export interface BisectRequest {
  readonly candidates: Candidates;
  /** What makes a kernel bad; where it is left out, the failure that the bad end shows. */
  readonly criterion?: Criterion;
  /** Runs of the bad end, from which the failure rate is estimated. */
  readonly runs: number;
  /** Wanted probability that no kernel is called good wrongly. */
  readonly confidence: number;
  /** Never more runs of one kernel. */
  readonly mostRuns: number;
}

export interface BisectListener {
  onCriterion?(text: string): void;
  onTrial?(trial: TrialResult, role: 'bad end' | 'good end' | 'step' | 'revert', stepsLeft?: number): void;
}

export type Found = Omit<Bisection, 'schema' | 'version' | 'command' | 'startedAt' | 'seconds' | 'case' | 'share' | 'flavor'>;

/**
 * Verifies both ends, then asks the history for candidates until it knows the first bad one, and tries what the bad end
 * is without it. @throws InputError where an end is not what it is said to be
 */
export async function bisect(judge: Judge, request: BisectRequest, listener: BisectListener = {}): Promise<Found> {
  const { candidates, confidence, mostRuns } = request;
  const { history } = candidates;
  const { observations, ...how } = await judge.observe(candidates.bad, request.runs);
  const criterion = request.criterion ?? criterionOf(candidates.bad, observations);
  listener.onCriterion?.(criterion.text);

  const bad = { ...(await judge.judge(candidates.bad, criterion, request.runs)), ...how };
  listener.onTrial?.(bad, 'bad end');
  if (bad.verdict !== 'bad') throw notAsSaid('bad', bad, criterion);
  let evidence: Evidence = { shown: bad.shown, missed: bad.runs - bad.shown };
  const verdicts = Math.ceil(Math.log2(history.candidates + 1)) + 1;
  const wanted = () => runsPerVerdict(evidence, confidence, verdicts, mostRuns);

  const good = await judge.judge(candidates.good, criterion, wanted());
  listener.onTrial?.(good, 'good end');
  if (good.verdict !== 'good') throw notAsSaid('good', good, criterion);

  const steps: TrialResult[] = [];
  let position = await history.start();
  while (position.kind === 'try') {
    const trial = await judge.judge(await candidates.subject(position.id), criterion, wanted());
    steps.push(trial);
    listener.onTrial?.(trial, 'step', position.stepsLeft);
    if (trial.verdict === 'bad') evidence = { shown: evidence.shown + trial.shown, missed: evidence.missed + trial.runs - trial.shown };
    position = await history.tell(position.id, trial.verdict);
  }
  const called = [good, ...steps].filter(({ verdict }) => verdict === 'good').map(({ runs }) => runs);
  const found: Found = { criterion: criterion.text, candidates: history.candidates, bad, good, steps, suspects: [], confidence: confidenceOf(evidence, called) };
  if (position.kind === 'unclear') return { ...found, suspects: await Promise.all(position.ids.map((id) => candidates.describe(id))) };

  const culprit = await candidates.describe(position.id);
  const reproduce = await candidates.reproduce(position.id);
  const without = await candidates.without(position.id);
  if ('reason' in without) return { ...found, culprit, reproduce, revert: { applies: false, reason: without.reason } };
  const trial = await judge.judge(without, criterion, wanted());
  listener.onTrial?.(trial, 'revert');
  const said = { good: `without it the bad end is good (${trial.reason})`, bad: `without it the bad end is bad all the same: it is not the only cause (${trial.reason})`, skip: `without it the bad end can not be judged (${trial.reason})` };
  return { ...found, culprit, reproduce, revert: { applies: true, reason: said[trial.verdict], trial } };
}

/** @throws InputError where the bad end shows no failure */
function criterionOf(bad: Subject, observations: readonly Observation[]): Criterion {
  const signature = observations.map(signatureOf).find((one) => one !== undefined);
  if (signature !== undefined) return bySignature(signature);
  const statuses = observations.map(({ status, reason }) => `${status}${reason === undefined ? '' : ` (${reason.slice(0, 160)})`}`);
  throw new InputError('bisect.end', `the bad end ${bad.title} shows no failure: ${observations.length} runs, ${[...new Set(statuses)].join(', ')}`, { hint: 'check --bad, --share and --flavor; for a rare failure give more --runs' });
}

/** @throws InputError with what was seen instead */
function notAsSaid(end: 'good' | 'bad', trial: TrialResult, criterion: Criterion): InputError {
  const seen = trial.verdict === 'skip' ? `says nothing: ${trial.reason}` : `is ${trial.verdict}: ${trial.reason}`;
  return new InputError('bisect.end', `the ${end} end ${trial.title} ${seen} (${trial.shown} of ${trial.runs} runs; bad is: ${criterion.text})`, {
    hint: end === 'good' ? 'give an older --good, or a case that passes there' : 'check --bad, --share and --flavor; for a rare failure give more --runs',
  });
}

export const bisectionOf = (found: Found, about: Pick<Bisection, 'command' | 'startedAt' | 'seconds' | 'case' | 'share' | 'flavor'>): Bisection => ({ schema: 'fuselage-bisection', version: BISECTION_VERSION, ...about, ...found });
