// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';
import { InputError } from '../host/errors.ts';
import { BAD, statusSchema, subtestSchema } from '../results/schema.ts';

/** What one run of the case under one kernel showed, as far as any criterion may ask. */
export const observationSchema = z.object({
  status: statusSchema,
  reason: z.string().optional(),
  /** The guest did not come up. */
  noBoot: z.literal(true).optional(),
  subtests: z.array(subtestSchema),
  /** Without those that an expectation file knows. */
  splats: z.array(z.object({ fingerprint: z.string(), title: z.string() })),
  counters: z.record(z.string(), z.number()),
});
export type Observation = z.infer<typeof observationSchema>;

/** What an observation says of its kernel; `other` says nothing: it failed for another reason, or not at all. */
export interface Sight {
  readonly kind: 'bad' | 'good' | 'other';
  readonly what: string;
}

/** What makes a kernel bad, and nothing else does. */
export interface Criterion {
  readonly text: string;
  see(observation: Observation): Sight;
}

const PASSED = new Set(['pass', 'xfail', 'xpass']);

/** What a failure is known by: the same again is the same failure, another one is not. */
export interface Signature {
  readonly subtests: readonly string[];
  readonly splats: readonly { readonly fingerprint: string; readonly title: string }[];
  /** How the case ended, where that is all there is: no subtest failed, and the kernel log is silent. */
  readonly status?: Observation['status'];
}

/** The signature of a run that failed; undefined of one that did not. */
export function signatureOf({ status, subtests, splats }: Observation): Signature | undefined {
  if (!BAD.has(status)) return undefined;
  const failed = subtests.filter((subtest) => BAD.has(subtest.status)).map(({ name }) => name);
  return { subtests: failed, splats, ...(failed.length === 0 && splats.length === 0 ? { status } : {}) };
}

/** A kernel is bad if it shows anything of this signature. */
export function bySignature(signature: Signature): Criterion {
  const { subtests, splats, status } = signature;
  const text = [...subtests.map((name) => `"${name}" fails`), ...splats.map(({ title, fingerprint }) => `the kernel log says "${title}" (${fingerprint})`), ...(status === undefined ? [] : [`the case ends with ${status}`])].join(', or ');
  return {
    text,
    see: (observation) => {
      const failed = observation.subtests.find((one) => BAD.has(one.status) && subtests.includes(one.name));
      if (failed !== undefined) return { kind: 'bad', what: `"${failed.name}" failed${failed.reason === undefined ? '' : ` (${failed.reason.slice(0, 120)})`}` };
      const splat = observation.splats.find((one) => splats.some(({ fingerprint }) => fingerprint === one.fingerprint));
      if (splat !== undefined) return { kind: 'bad', what: splat.title };
      if (status !== undefined && observation.status === status && observation.splats.length === 0 && !observation.subtests.some((one) => BAD.has(one.status))) return { kind: 'bad', what: observation.reason ?? status };
      return otherwise(observation);
    },
  };
}

/** A kernel is bad if this subtest fails, whatever else does. */
export function bySubtest(name: string): Criterion {
  return {
    text: `"${name}" fails`,
    see: (observation) => {
      const found = observation.subtests.find((one) => one.name === name);
      if (found === undefined) return { kind: 'other', what: `${observation.status}, and no word of "${name}"${observation.reason === undefined ? '' : ` (${observation.reason.slice(0, 120)})`}` };
      if (BAD.has(found.status)) return { kind: 'bad', what: `"${name}" failed${found.reason === undefined ? '' : ` (${found.reason.slice(0, 120)})`}` };
      return PASSED.has(found.status) ? { kind: 'good', what: `"${name}" passed` } : { kind: 'other', what: `"${name}": ${found.status}` };
    },
  };
}

/** A kernel is bad if the kernel log shows this. */
export const bySplat = (fingerprint: string): Criterion => bySignature({ subtests: [], splats: [{ fingerprint, title: fingerprint }] });

/** Any failure of the case makes a kernel bad: what `git bisect run` is given without more being said. */
export const byAnyFailure: Criterion = {
  text: 'the case fails',
  see: (observation) => (BAD.has(observation.status) ? { kind: 'bad', what: `${observation.status}: ${(observation.reason ?? '').slice(0, 160)}` } : otherwise(observation)),
};

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
};

/**
 * A kernel is good if a count holds: `REMOVEMAPPING.requests<=20`, `REMOVEMAPPING.entries==80`, or a counter of the case's
 * own by its name. @throws InputError where the text is no such condition
 */
export function byCounter(condition: string): Criterion {
  const [, name, operator = '', limit] = /^([^<>=!]+?)\s*(<=|>=|==|!=|<|>)\s*(\d+)$/.exec(condition.trim()) ?? [];
  const holds = COMPARISONS[operator];
  if (name === undefined || holds === undefined) throw new InputError('usage', `${condition} is no condition on a counter`, { hint: "write it as in 'REMOVEMAPPING.requests<=20'" });
  const [, operation, unit] = /^([A-Z_0-9]+)\.(\w+)$/.exec(name) ?? [];
  const counter = operation === undefined ? name : unit === 'requests' ? operation : `${operation} ${unit ?? ''}`;
  return {
    text: `not ${condition.trim()}`,
    see: (observation) => {
      // One that did not get to its end has not counted all.
      if (!PASSED.has(observation.status) && observation.status !== 'fail') return otherwise(observation);
      // No request of a kind is nought of it; a counter of the case's own is there, or was not got to.
      const value = observation.counters[counter] ?? (operation === undefined ? undefined : 0);
      if (value === undefined) return { kind: 'other', what: `nothing counted "${counter}"; there are ${Object.keys(observation.counters).join(', ') || 'no counters'}` };
      return { kind: holds(value, Number(limit)) ? 'good' : 'bad', what: `${counter}: ${value}` };
    },
  };
}

function otherwise({ status, reason = '', noBoot }: Observation): Sight {
  if (noBoot === true) return { kind: 'other', what: reason.slice(0, 160) };
  return PASSED.has(status) ? { kind: 'good', what: 'passed' } : { kind: 'other', what: `${status}: ${reason.slice(0, 160)}` };
}
