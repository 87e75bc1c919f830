// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

/**
 * results.json, version 2: everything a run found, and the only input of every report.
 * docs/results.md describes it; a change that a reader could notice raises the version.
 */
export const RESULTS_VERSION = 2;

export const statusSchema = z.enum([
  'pass',
  'fail',
  'skip',
  /** Failed as an expectation file says it would. */
  'xfail',
  /** Passed although an expectation file says it fails. */
  'xpass',
  /** The proof that it tested what it is about is missing: neither pass nor skip. */
  'not-exercised',
  /** The kernel crashed while it ran. */
  'crash',
  /** The kernel hung while it ran. */
  'hang',
  /** The case did not end in its time, and the kernel was alive. */
  'timeout',
]);
export type Status = z.infer<typeof statusSchema>;

export const subtestSchema = z.object({
  name: z.string(),
  status: statusSchema,
  /** Why it is not a plain pass: the directive's text, the expectation's reason, the failed comparison. */
  reason: z.string().optional(),
  /** An expectation file knows that it fails now and then: a difference proves nothing. */
  flaky: z.literal(true).optional(),
});

export const splatSchema = z.object({
  /** Stable across addresses, process ids, times and builds. */
  fingerprint: z.string(),
  kind: z.string(),
  title: z.string(),
  lines: z.array(z.string()),
  /** An expectation file knows of it: neither a failure nor a difference. */
  expected: z.literal(true).optional(),
});

/** What a scenario measured of one workload on one subject; for comparison within the run, never for a verdict. */
export const figureSchema = z.object({ workload: z.string(), on: z.string(), unit: z.string(), samples: z.array(z.number()).min(1) });

export const caseResultSchema = z.object({
  /** Index into `kernels`. */
  kernel: z.number().int().nonnegative(),
  /** "posix/rename"; "guest/boot" and "guest/teardown" are the guest's own. */
  name: z.string(),
  share: z.string(),
  /** 1 for the first; more with --repeat. */
  repetition: z.number().int().positive(),
  status: statusSchema,
  reason: z.string().optional(),
  /** An expectation says that its end, or a splat of it, may come or not. */
  flaky: z.literal(true).optional(),
  subtests: z.array(subtestSchema),
  seconds: z.number().nonnegative(),
  /** What proves that it was exercised, in words. */
  proof: z.array(z.string()),
  /** Counts that the case or the share reports; wire counters when a device serves the share. */
  counters: z.record(z.string(), z.number()),
  /** Which of them may differ between base and patched kernel, and in which direction; absent where the case did not get to its end, and so has not counted all. */
  wire: z.record(z.string(), z.enum(['same', 'fewer', 'more'])).optional(),
  /** Only from scenarios that measure. */
  figures: z.array(figureSchema).optional(),
  splats: z.array(splatSchema),
  /** Files below --out that belong to it. */
  files: z.array(z.string()),
  /** The one command that runs exactly this again. */
  reproduce: z.string(),
});

export const kernelSchema = z.object({
  role: z.enum(['only', 'base', 'patched']),
  id: z.string(),
  title: z.string(),
  release: z.string().optional(),
  flavor: z.string(),
  /** The value of --kernel that means it. */
  choice: z.string().optional(),
});

export const guestSchema = z.object({
  name: z.string(),
  kernel: z.number().int().nonnegative(),
  share: z.string(),
  /** Absent for a guest that did not boot. */
  bootSeconds: z.number().optional(),
  directory: z.string(),
});

export const rowClassSchema = z.enum(['same', 'regressed', 'fixed', 'newly-skipped', 'new', 'gone', 'flaky']);

export const rateSchema = z.object({ failed: z.number().int(), runs: z.number().int(), low: z.number(), high: z.number() });

export const rowSchema = z.object({
  class: rowClassSchema,
  name: z.string(),
  share: z.string(),
  /** Absent where the row is about the case as a whole. */
  subtest: z.string().optional(),
  /** One status a repetition. */
  base: z.array(statusSchema),
  patched: z.array(statusSchema),
  /** With repetitions: how often it failed, the 95 % interval of the true rate, and what the rounds of both allow to say. */
  rates: z.object({ base: rateSchema, patched: rateSchema, decision: z.enum(['worse', 'better', 'same', 'undecided']) }).optional(),
  reason: z.string().optional(),
  reproduce: z.string(),
});

/** A count under both kernels: of cases that have rules for theirs. */
export const counterRowSchema = z.object({
  name: z.string(),
  share: z.string(),
  counter: z.string(),
  base: z.number(),
  patched: z.number(),
  rule: z.enum(['same', 'fewer', 'more']).optional(),
  allowed: z.boolean(),
});

const wireRequestSchema = z.object({ at: z.number(), op: z.string(), milliseconds: z.number() });

/** What crossed the wire in one case under both kernels: milliseconds from the case's beginning, and how long each request took. */
export const timelineSchema = z.object({ name: z.string(), share: z.string(), base: z.array(wireRequestSchema), patched: z.array(wireRequestSchema) });

/** What one patch of a series does by itself, on top of those before it. */
export const patchReportSchema = z.object({
  title: z.string(),
  /** Whether the tree with this patch and those before it compiles. */
  builds: z.boolean(),
  error: z.string().optional(),
  /** Hunks that only applied with fuzz. */
  fuzz: z.array(z.string()),
  /** Compiler warnings that were not there before; absent where that is not known. */
  warnings: z.array(z.string()).optional(),
  /** Kconfig symbols of the resulting configuration. */
  symbols: z.object({ added: z.array(z.string()), lost: z.array(z.string()) }).optional(),
  /** By how much the functions and objects of vmlinux grew together. */
  sizeBytes: z.number().int().optional(),
  /** What sparse says of the changed files that it did not say before. */
  sparse: z.array(z.string()).optional(),
  /** What the tree's own checkpatch.pl says; absent for a diff without a message. */
  checkpatch: z.array(z.string()).optional(),
});

/** A line that a patch adds or changes, as it is at the end of the series. */
export const lineSchema = z.object({
  file: z.string(),
  line: z.number().int().positive(),
  text: z.string(),
  /** `not-compiled`: its file is no part of this kernel, or of no directory that could be profiled. */
  state: z.enum(['executed', 'not-executed', 'not-code', 'not-compiled']),
  /** "device-dax dax-reclaim/stream": who executed it. */
  cases: z.array(z.string()),
});

/** Whether the tests ran what the series changes. */
export const coverageSchema = z.object({
  /** One a patch, in order; lines that a later patch replaces are that one's. */
  patches: z.array(z.object({ title: z.string(), executed: z.number().int(), notExecuted: z.number().int(), lines: z.array(lineSchema) })),
  /** Why it could not be measured; the patches are empty then. */
  unmeasured: z.string().optional(),
});

export const expectationNoteSchema = z.object({
  kind: z.enum(['unexpected-pass', 'stale']),
  text: z.string(),
});

export const resultsSchema = z.object({
  schema: z.literal('fuselage-results'),
  version: z.literal(RESULTS_VERSION),
  command: z.string(),
  startedAt: z.iso.datetime(),
  seconds: z.number().nonnegative(),
  accelerator: z.object({ name: z.enum(['kvm', 'tcg']), reason: z.string() }),
  qemu: z.object({ version: z.string(), origin: z.enum(['system', 'toolbox']) }),
  kernels: z.array(kernelSchema).min(1),
  shares: z.array(z.string()),
  guests: z.array(guestSchema),
  cases: z.array(caseResultSchema),
  /** Subtests (or the case itself where it has none) by status. */
  totals: z.record(statusSchema, z.number()),
  expectations: z.array(expectationNoteSchema),
  /** Set when the machinery failed; what had been found by then is kept. */
  infrastructure: z.array(z.string()),
  check: z
    .object({
      /** `not-exercised`: nothing regressed, and no case executed a line of what is changed. */
      verdict: z.enum(['clean', 'not-exercised', 'regressed', 'infrastructure']),
      series: z.array(z.string()),
      fuzz: z.array(z.string()),
      /** One a patch, in order. */
      patches: z.array(patchReportSchema),
      /** How the cases were chosen, where nobody named them. */
      why: z.string().optional(),
      /** Absent where nobody asked for it. */
      coverage: coverageSchema.optional(),
      /** What the series' own manifests promise, and whether it was seen. */
      claims: z.array(z.object({ text: z.string(), state: z.enum(['held', 'broken', 'not-measured']) })),
      /** What crossed the wire, base beside patched. */
      counters: z.array(counterRowSchema),
      /** Of cases whose counts moved. */
      timelines: z.array(timelineSchema),
      /** Every row that is not `same`. */
      rows: z.array(rowSchema),
      sameRows: z.number().int().nonnegative(),
    })
    .optional(),
});

export type Results = z.infer<typeof resultsSchema>;
export type Timeline = z.infer<typeof timelineSchema>;
export type Coverage = z.infer<typeof coverageSchema>;
export type ChangedLine = z.infer<typeof lineSchema>;
export type PatchReport = z.infer<typeof patchReportSchema>;
export type Figure = z.infer<typeof figureSchema>;
export type CaseResult = z.infer<typeof caseResultSchema>;
export type Subtest = z.infer<typeof subtestSchema>;
export type Splat = z.infer<typeof splatSchema>;
export type Row = z.infer<typeof rowSchema>;
export type CounterRow = z.infer<typeof counterRowSchema>;
export type RowClass = z.infer<typeof rowClassSchema>;
export type KernelResult = z.infer<typeof kernelSchema>;
export type GuestResult = z.infer<typeof guestSchema>;
export type ExpectationNote = z.infer<typeof expectationNoteSchema>;

export type Claim = NonNullable<Results['check']>['claims'][number];

/** Statuses that say the kernel (or the case) is at fault. */
export const BAD: ReadonlySet<Status> = new Set<Status>(['fail', 'crash', 'hang', 'timeout']);

export function countTotals(cases: readonly CaseResult[]): Results['totals'] {
  const totals = Object.fromEntries(statusSchema.options.map((status) => [status, 0])) as Record<Status, number>;
  for (const one of cases) {
    for (const subtest of one.subtests) totals[subtest.status]++;
    // A case whose own end is worse than its subtests' (a crash, a splat) counts once more.
    if (one.subtests.length === 0 || !one.subtests.some(({ status }) => status === one.status)) totals[one.status]++;
  }
  return totals;
}
