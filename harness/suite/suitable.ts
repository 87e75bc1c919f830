// SPDX-License-Identifier: GPL-2.0-only
import type { Share, Trait } from '../share/share.ts';
import type { Case } from './discover.ts';

/** What some cases are about: on shares without it they are not even skipped, unless no other share has it either. */
const SUBJECTS = ['device', 'erofs', 'erofs-on-demand', 'pre-content', 'file-backed', 'compression', 'comparison'] as const satisfies readonly Trait[];

/** EROFS shares have nothing for the others' cases: read-only, and mounted by the cases themselves. A comparison is for scenarios alone. */
export function suits(one: Case, share: Share): boolean {
  const needs = one.definition.needs ?? [];
  const has = (trait: Trait) => share.traits.includes(trait);
  return SUBJECTS.every((subject) => !needs.includes(subject) || has(subject)) && (!has('erofs') || needs.includes('erofs')) && (!has('comparison') || needs.includes('comparison'));
}

/** The cases for a share of several. */
export function casesFor(share: Share, cases: readonly Case[], shares: readonly Share[]): readonly Case[] {
  // One that suits nobody is skipped where least is missing.
  const lacks = (one: Case, candidate: Share) => (one.definition.needs ?? []).filter((trait) => !candidate.traits.includes(trait)).length;
  const nearest = (one: Case) => Math.min(...shares.map((candidate) => lacks(one, candidate)));
  return cases.filter((one) => suits(one, share) || (!shares.some((candidate) => suits(one, candidate)) && lacks(one, share) === nearest(one)));
}
