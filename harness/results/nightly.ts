// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';
import { bisectionSchema } from './bisection.ts';
import { BAD, resultsSchema, type Results, type Status } from './schema.ts';

/** nightly.json: what a night, or a shard of one, found. docs/nightly.md describes it. */
export const NIGHTLY_VERSION = 1;

/** One combination that is judged by itself. */
export const cellSchema = z.object({
  /** "TREE/REF/FLAVOR/SHARE/SUITE". */
  id: z.string(),
  tree: z.string(),
  /** "-" for a tree that has none. */
  ref: z.string(),
  flavor: z.string(),
  share: z.string(),
  suite: z.string(),
});
export type Cell = z.infer<typeof cellSchema>;

export const commitSchema = z.object({ id: z.string(), title: z.string() });

export const issueSchema = z.object({
  /** A failure that nobody knew of; one that an expectation file knows; one that is known, or was seen last time, and is no more. */
  class: z.enum(['new', 'known', 'fixed']),
  /** Of the case; "build" for a kernel that there is not. */
  name: z.string(),
  subtest: z.string().optional(),
  reason: z.string().optional(),
  /** Of a new one: runs of the night that showed it. */
  confirmed: z.object({ failed: z.number().int(), runs: z.number().int() }).optional(),
  /** Of a new one: the night that first showed it, in the row of nights that did. */
  since: z.object({ night: z.number().int(), startedAt: z.string(), commit: commitSchema.optional() }).optional(),
  reproduce: z.string().optional(),
});
export type Issue = z.infer<typeof issueSchema>;

export const cellResultSchema = z.object({
  cell: cellSchema,
  /** Stands for kernel, cases and harness: the same again needs no run. */
  fingerprint: z.string(),
  commit: commitSchema.optional(),
  /** `unchanged`: green the last time, and everything is as it was; `no-verdict`: the machinery failed. */
  outcome: z.enum(['green', 'red', 'unchanged', 'no-verdict']),
  reason: z.string().optional(),
  startedAt: z.string(),
  seconds: z.number().nonnegative(),
  issues: z.array(issueSchema),
  /** The last night that it was green. */
  lastGood: z.object({ startedAt: z.string(), commit: commitSchema.optional() }).optional(),
  bisection: bisectionSchema.optional(),
  results: resultsSchema.optional(),
});
export type CellResult = z.infer<typeof cellResultSchema>;

export const nightlySchema = z.object({
  schema: z.literal('fuselage-nightly'),
  version: z.literal(NIGHTLY_VERSION),
  command: z.string(),
  /** All cells of the night, in order, those of other shards too. */
  plan: z.array(z.string()),
  /** Which of them these are; absent of a whole night. */
  shard: z.object({ index: z.number().int().positive(), of: z.number().int().positive(), cells: z.array(z.string()) }).optional(),
  /** When the first cell began, and how long all of them took together. */
  startedAt: z.string(),
  seconds: z.number().nonnegative(),
  cells: z.array(cellResultSchema),
});
export type Nightly = z.infer<typeof nightlySchema>;

/** A failed, known or fixed row of one run. */
export interface Finding {
  readonly class: Issue['class'];
  readonly name: string;
  readonly subtest?: string;
  readonly reason?: string;
  readonly reproduce: string;
}

const CLASSES: Readonly<Partial<Record<Status, Issue['class']>>> = { xfail: 'known', xpass: 'fixed' };

const classOf = (status: Status): Issue['class'] | undefined => (BAD.has(status) || status === 'not-exercised' ? 'new' : CLASSES[status]);

/** The rows of a run that somebody may want to hear of: subtests, and a case as a whole where it says more than they do. */
export function findingsOf({ cases }: Pick<Results, 'cases'>): Finding[] {
  return cases.flatMap((one) => {
    const { name, reproduce } = one;
    const rows = one.subtests.flatMap((subtest) => {
      const found = classOf(subtest.status);
      return found === undefined ? [] : [{ class: found, name, subtest: subtest.name, ...(subtest.reason === undefined ? {} : { reason: subtest.reason }), reproduce }];
    });
    const whole = classOf(one.status);
    return whole === undefined || rows.some((row) => row.class === whole) ? rows : [...rows, { class: whole, name, ...(one.reason === undefined ? {} : { reason: one.reason }), reproduce }];
  });
}

/** "2 new, 3 known, 1 fixed; 4 green, 1 red, 2 unchanged, 1 without a verdict". */
export function headlineOf({ cells }: Pick<Nightly, 'cells'>): string {
  const issues = cells.flatMap((one) => one.issues);
  const count = (name: Issue['class']) => issues.filter((issue) => issue.class === name).length;
  const of = (outcome: CellResult['outcome']) => cells.filter((one) => one.outcome === outcome).length;
  const cellsOf = [
    [of('green'), 'green'],
    [of('red'), 'red'],
    [of('unchanged'), 'unchanged'],
    [of('no-verdict'), 'without a verdict'],
  ] as const;
  return `${count('new')} new, ${count('known')} known, ${count('fixed')} fixed; ${cellsOf.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`).join(', ') || 'no cells'}`;
}

/** Only what is new is a failure; where the machinery failed there is no verdict. */
export function nightlyExitCode({ cells }: Pick<Nightly, 'cells'>): 0 | 1 | 3 {
  if (cells.some(({ issues }) => issues.some((issue) => issue.class === 'new'))) return 1;
  return cells.some(({ outcome }) => outcome === 'no-verdict') || cells.length === 0 ? 3 : 0;
}
