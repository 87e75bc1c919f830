// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import type { BuildRequest } from '../kernel/build.ts';
import { renderBisection, renderBisectionMail } from '../report/bisection.ts';
import { bisectionSchema, type Verdict } from '../results/bisection.ts';
import { bisect, bisectionOf, type BisectRequest, type Candidates, type Judge } from './bisect.ts';
import type { Observation } from './criterion.ts';
import type { History, Position } from './history.ts';
import type { Subject } from './trial.ts';

/** A line of candidates, searched in memory: thousands of bisections a second. */
class Line implements History {
  #good = 0;
  #bad: number;
  readonly #skipped = new Set<number>();

  constructor(readonly candidates: number) {
    this.#bad = candidates;
  }

  start(): Promise<Position> {
    return Promise.resolve(this.#next());
  }

  tell(id: string, verdict: Verdict): Promise<Position> {
    if (verdict === 'good') this.#good = Number(id);
    else if (verdict === 'bad') this.#bad = Number(id);
    else this.#skipped.add(Number(id));
    return Promise.resolve(this.#next());
  }

  #next(): Position {
    if (this.#bad - this.#good === 1) return { kind: 'found', id: String(this.#bad) };
    const between = Array.from({ length: this.#bad - this.#good - 1 }, (_, index) => this.#good + 1 + index);
    const open = between.filter((each) => !this.#skipped.has(each));
    const middle = open[Math.floor(open.length / 2)];
    if (middle === undefined) return { kind: 'unclear', ids: [...between, this.#bad].map(String) };
    return { kind: 'try', id: String(middle), stepsLeft: Math.ceil(Math.log2(open.length)) };
  }
}

const request: BuildRequest = { tree: { id: '', family: '', title: '', version: '6.12.0', reproduce: '', read: () => Promise.resolve(undefined), materialise: () => Promise.resolve() }, series: [], flavor: { name: 'fast', summary: '', fragments: [], slowdown: 1 }, fragmentFiles: [] };
const subject = (id: string): Subject => ({ id, title: `commit ${id}`, request });

const line = (length: number, more: Partial<Candidates> = {}): Candidates => ({
  history: new Line(length),
  good: subject('0'),
  bad: subject(String(length)),
  subject: (id) => Promise.resolve(subject(id)),
  describe: (id) => Promise.resolve({ id, title: `commit ${id}`, author: 'A <a@b>', message: `commit ${id}\n` }),
  without: () => Promise.resolve({ reason: 'it can not be taken away by itself' }),
  reproduce: (id) => Promise.resolve(`fuselage check ${id}`),
  ...more,
});

const passing: Observation = { status: 'pass', subtests: [{ name: 'it works', status: 'pass' }], splats: [], counters: {} };
const failing: Observation = { status: 'fail', subtests: [{ name: 'it works', status: 'fail', reason: 'it does not' }], splats: [], counters: {} };
const other: Observation = { status: 'crash', reason: 'kernel panic', subtests: [], splats: [{ fingerprint: 'f', title: 'BUG in g()' }], counters: {} };

/** Runs the case once; what is remembered is not run again, as with the real one. */
function judging(runOf: (id: string) => Observation): Judge & { readonly ran: string[] } {
  const seen = new Map<string, Observation[]>();
  const ran: string[] = [];
  const observe = (id: string, runs: number, isEnough: (observations: readonly Observation[]) => boolean) => {
    const observations = seen.get(id) ?? [];
    seen.set(id, observations);
    while (observations.length < runs && !isEnough(observations)) {
      observations.push(runOf(id));
      ran.push(id);
    }
    return observations;
  };
  return {
    ran,
    observe: ({ id }, runs) => Promise.resolve({ observations: observe(id, runs, () => false), cached: false, seconds: 0 }),
    judge: ({ id, title }, criterion, runs) => {
      const sights = observe(id, runs, (all) => all.some((one) => criterion.see(one).kind === 'bad')).map((one) => criterion.see(one));
      const bad = sights.filter(({ kind }) => kind === 'bad');
      const odd = sights.find(({ kind }) => kind === 'other');
      return Promise.resolve({ id, title, verdict: bad.length > 0 ? 'bad' : odd === undefined ? 'good' : 'skip', reason: (bad[0] ?? odd ?? sights[0])?.what ?? '', runs: sights.length, shown: bad.length, cached: false, seconds: 0 });
    },
  };
}

const usual = { runs: 5, confidence: 0.95, mostRuns: 200 };
const search = (length: number, runOf: (id: string) => Observation, more: Partial<BisectRequest> = {}) => bisect(judging(runOf), { candidates: line(length), ...usual, ...more });
const since = (culprit: number) => (id: string) => (Number(id) >= culprit ? failing : passing);

describe('bisect', () => {
  it('finds each of 16 in at most five steps', async () => {
    for (let culprit = 1; culprit <= 16; culprit++) {
      const found = await search(16, since(culprit));
      expect(found.culprit?.id).toBe(String(culprit));
      expect(found.steps.length).toBeLessThanOrEqual(5);
      expect(found.confidence).toBeGreaterThan(0.95);
    }
  });

  it('is not led astray by another failure: that is skipped, and listed', async () => {
    const found = await search(16, (id) => (id === '8' || id === '9' ? other : since(5)(id)));
    expect(found.culprit?.id).toBe('5');
    expect(found.steps.find(({ id }) => id === '9')).toMatchObject({ verdict: 'skip', reason: expect.stringContaining('kernel panic') as string });
  });

  it('names the suspects where those that say nothing leave several', async () => {
    const found = await search(8, (id) => (id === '4' ? other : since(5)(id)));
    expect(found.culprit).toBeUndefined();
    expect(found.suspects.map(({ id }) => id)).toEqual(['4', '5']);
    expect(renderBisection(bisectionOf(found, about))).toContain('UNCLEAR  one of 2');
  });

  it('verifies both ends first, and says what it saw', async () => {
    await expect(search(8, since(0))).rejects.toMatchObject({ code: 'bisect.end', exitCode: 2, message: expect.stringMatching(/^the good end commit 0 is bad: "it works" failed \(it does not\)/) as string });
    await expect(search(8, since(9))).rejects.toMatchObject({ code: 'bisect.end', message: 'the bad end commit 8 shows no failure: 5 runs, pass' });
    await expect(search(8, (id) => (id === '0' ? other : failing))).rejects.toMatchObject({ message: expect.stringMatching(/^the good end commit 0 says nothing: crash: kernel panic/) as string });
  });

  it('tries the bad end without the culprit, and says what that gave', async () => {
    const without = (good: boolean) => search(8, (id) => (id === 'without' ? (good ? passing : failing) : since(3)(id)), { candidates: line(8, { without: () => Promise.resolve(subject('without')) }) });
    expect((await without(true)).revert).toMatchObject({ applies: true, reason: expect.stringContaining('is good') as string, trial: { verdict: 'good' } });
    expect((await without(false)).revert).toMatchObject({ reason: expect.stringContaining('not the only cause') as string });
    expect((await search(8, since(3))).revert).toEqual({ applies: false, reason: 'it can not be taken away by itself' });
  });
});

const about = { command: 'fuselage bisect', startedAt: '2026-11-21T00:00:00Z', seconds: 1, case: 'posix/rename', share: 'virtiofs', flavor: 'fast' };

describe('the report', () => {
  it('is valid, and its mail is plain text of 72 columns that names commit, failure and command', async () => {
    const bisection = bisectionOf(await search(16, since(7)), about);
    expect(bisectionSchema.parse(JSON.parse(JSON.stringify(bisection)))).toEqual(bisection);
    const mail = renderBisectionMail(bisection);
    for (const expected of ['To: A <a@b>', 'Subject: [REGRESSION] commit 7', 'Fixes: 7 ("commit 7")', '    fuselage check 7', '"it works" failed']) expect(mail).toContain(expected);
    for (const one of mail.split('\n').filter((text) => !text.startsWith('    '))) expect(one.length).toBeLessThanOrEqual(72);
  });
});

/** Numbers that are as good as random and the same every time (Numerical Recipes, ran, section 7.1: a linear congruence on 32 bits). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('flaky failures, simulated with known rates', () => {
  /** Bisections of 16 commits with a culprit somewhere; those whose bad end showed nothing are refused, and count for nothing. */
  async function simulate(rate: () => number, rounds: number, random: () => number) {
    const counts = { right: 0, wrong: 0, refused: 0, runs: 0, promised: 0 };
    for (let round = 0; round < rounds; round++) {
      const [p, culprit] = [rate(), 1 + Math.floor(random() * 16)];
      const judge = judging((id) => (Number(id) >= culprit && random() < p ? failing : passing));
      const found = await bisect(judge, { candidates: line(16), ...usual, runs: 10 }).catch(() => undefined);
      if (found === undefined) counts.refused++;
      else if (found.culprit?.id === String(culprit)) counts.right++;
      else counts.wrong++;
      counts.promised += found?.confidence ?? 0;
      counts.runs += judge.ran.length;
    }
    return { ...counts, share: counts.right / (counts.right + counts.wrong), promised: counts.promised / (counts.right + counts.wrong) };
  }

  it.each([0.3, 0.5, 0.8, 1])('a failure rate of %d is found as often as was asked for', async (rate) => {
    const { share, refused } = await simulate(() => rate, 1_500, generator(1));
    expect(share).toBeGreaterThan(0.95);
    expect(refused).toBeLessThan(100);
  });

  it('over all rates the promise is kept on average, and not by running everything as often as may be', async () => {
    const random = generator(2);
    const { share, promised, runs } = await simulate(random, 4_000, random);
    expect(share).toBeGreaterThan(0.94);
    expect(Math.abs(share - promised)).toBeLessThan(0.02);
    expect(runs / 4_000).toBeLessThan(150);
  });

  it('fewer runs than the evidence asks for are paid with wrong culprits: the simulation can tell', async () => {
    const random = generator(3);
    let wrong = 0;
    for (let round = 0; round < 500; round++) {
      const found = await bisect(judging((id) => (Number(id) >= 7 && random() < 0.5 ? failing : passing)), { candidates: line(16), ...usual, runs: 10, mostRuns: 1 }).catch(() => undefined);
      if (found !== undefined && found.culprit?.id !== '7') wrong++;
    }
    expect(wrong).toBeGreaterThan(100);
  });
});
