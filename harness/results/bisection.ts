// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

/** bisect.json: what a bisection tried and found. docs/bisect.md describes it. */
export const BISECTION_VERSION = 1;

export const verdictSchema = z.enum(['good', 'bad', 'skip']);
export type Verdict = z.infer<typeof verdictSchema>;

export const trialSchema = z.object({
  /** A commit's id, "patch 3" of a series, a Kconfig line. */
  id: z.string(),
  title: z.string(),
  verdict: verdictSchema,
  /** What was seen. */
  reason: z.string(),
  /** How often the case ran for it, and how often it showed what is looked for. */
  runs: z.number().int().nonnegative(),
  shown: z.number().int().nonnegative(),
  /** All of it was known from an earlier bisection. */
  cached: z.boolean(),
  seconds: z.number().nonnegative(),
});
export type TrialResult = z.infer<typeof trialSchema>;

export const candidateSchema = z.object({
  id: z.string(),
  title: z.string(),
  /** Of a commit: author ("Name <address>") and whole message. */
  author: z.string().optional(),
  message: z.string().optional(),
});
export type Candidate = z.infer<typeof candidateSchema>;

export const bisectionSchema = z.object({
  schema: z.literal('fuselage-bisection'),
  version: z.literal(BISECTION_VERSION),
  command: z.string(),
  startedAt: z.string(),
  seconds: z.number().nonnegative(),
  /** What makes a kernel bad, in words. */
  criterion: z.string(),
  case: z.string(),
  share: z.string(),
  flavor: z.string(),
  /** How many candidates there were between the ends. */
  candidates: z.number().int().nonnegative(),
  bad: trialSchema,
  good: trialSchema,
  steps: z.array(trialSchema),
  /** The first bad one; absent where those that could not be tried leave several. */
  culprit: candidateSchema.optional(),
  /** One of these is the first bad one. */
  suspects: z.array(candidateSchema),
  /** That no kernel was called good wrongly. */
  confidence: z.number().min(0).max(1),
  /** What taking the culprit away from the bad end gives; absent where that was not tried. */
  revert: z.object({ applies: z.boolean(), reason: z.string(), trial: trialSchema.optional() }).optional(),
  /** The command that shows the failure under the culprit again. */
  reproduce: z.string().optional(),
});
export type Bisection = z.infer<typeof bisectionSchema>;
