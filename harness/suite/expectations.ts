// SPDX-License-Identifier: GPL-2.0-only
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { parse } from 'yaml';
import { z } from 'zod';
import { InputError } from '../host/errors.ts';
import { repositoryRoot } from '../host/paths.ts';
import { compareVersions } from '../kernel/versions.ts';
import { BAD, type CaseResult, type ExpectationNote, type Splat, type Status, type Subtest } from '../results/schema.ts';

const expectationSchema = z.strictObject({
  case: z.string(),
  /** A name or a glob over subtests; every subtest of the case when left out. */
  subtest: z.string().optional(),
  /** Instead of a subtest: a finding in the kernel log, as a glob over "KIND: TITLE". */
  splat: z.string().optional(),
  /** Instead of a subtest: the case does not come to its end, in this way. */
  end: z.enum(['crash', 'hang', 'timeout']).optional(),
  shares: z.array(z.string()).min(1),
  /** Comparators over the release, all of which must hold: ">=6.1 <6.13". "*" for any. */
  kernels: z.string().regex(/^(\*|(>=|<=|>|<)\d+(\.\d+)*( (>=|<=|>|<)\d+(\.\d+)*)*)$/),
  reason: z.string().min(10),
  owner: z.string().min(2),
  /** It fails now and then: a failure is expected, and so is a pass. */
  flaky: z.literal(true).optional(),
  /** After this day it no longer excuses anything. */
  expires: z.iso.date(),
});

export type Expectation = z.infer<typeof expectationSchema> & { readonly file: string };

/** Reads cases/AREA/expectations.yaml of every area. */
export async function readExpectations(root: string = join(repositoryRoot, 'cases')): Promise<Expectation[]> {
  const found: Expectation[] = [];
  for (const area of (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
    const file = join(root, area.name, 'expectations.yaml');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) found.push(...parseExpectations(text, `cases/${area.name}/expectations.yaml`));
  }
  return found;
}

/** Reads files of the user's own. @throws InputError for one that is not there, or no list of expectations */
export async function readExpectationFiles(files: readonly string[]): Promise<Expectation[]> {
  const texts = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, 'utf8').catch((cause: unknown) => {
        throw new InputError('expectation.invalid', `can not read the expectations ${file}`, { hint: 'check the path', cause });
      });
      return parseExpectations(text, file);
    }),
  );
  return texts.flat();
}

function parseExpectations(text: string, file: string): Expectation[] {
  const parsed = z.array(expectationSchema).safeParse(parse(text));
  if (parsed.success) return parsed.data.map((entry) => ({ ...entry, file }));
  throw new InputError('expectation.invalid', `${file}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`, { hint: 'every entry needs case, shares, kernels, reason, owner and expires' });
}

export function inKernelRange(range: string, release: string): boolean {
  if (range === '*') return true;
  return range.split(' ').every((comparator) => {
    const [, operator, version] = /^(>=|<=|>|<)(.+)$/.exec(comparator) ?? [];
    const order = compareVersions(release, version ?? '0');
    return operator === '>=' ? order >= 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order < 0;
  });
}

/** Applies expectations to the subtests of one case run, and notes which of them matched anything. */
export class ExpectationBook {
  readonly #seen = new Map<Expectation, { matched: boolean; unexpectedPasses: Set<string> }>();

  constructor(
    private readonly entries: readonly Expectation[],
    private readonly today: string = new Date().toISOString().slice(0, 10),
  ) {}

  /** Turns expected failures into xfail and unexpected passes into xpass. */
  judge(caseName: string, share: string, release: string, subtests: readonly Subtest[]): Subtest[] {
    const relevant = this.#relevant(caseName, share, release).filter(({ splat, end }) => splat === undefined && end === undefined);
    for (const entry of relevant) this.#note(entry);
    return subtests.map((subtest) => {
      const entry = relevant.find((candidate) => candidate.subtest === undefined || picomatch.isMatch(subtest.name, candidate.subtest) || candidate.subtest === subtest.name);
      if (entry === undefined) return subtest;
      const note = this.#note(entry);
      note.matched = true;
      if (entry.expires < this.today) return subtest;
      const marked = entry.flaky === true ? { ...subtest, flaky: true as const } : subtest;
      if (BAD.has(subtest.status)) return { ...marked, status: 'xfail', reason: `${entry.reason}${subtest.reason === undefined ? '' : ` (${subtest.reason})`}` };
      if (subtest.status !== 'pass' || entry.flaky === true) return marked;
      note.unexpectedPasses.add(`${caseName}/${subtest.name} on ${share}, ${release}`);
      return { ...subtest, status: 'xpass', reason: `expected to fail: ${entry.reason}` };
    });
  }

  /** Takes out of a case's kernel-log findings those that are expected. @returns why, for these. */
  judgeSplats(caseName: string, share: string, release: string, splats: readonly Splat[]): { readonly unexpected: readonly Splat[]; readonly reasons: readonly string[]; readonly flaky: boolean } {
    const excused = new Map<Splat, string>();
    let flaky = false;
    for (const entry of this.#relevant(caseName, share, release)) {
      if (entry.splat === undefined) continue;
      const note = this.#note(entry);
      note.matched = true;
      if (entry.expires < this.today) continue;
      const found = splats.filter(({ kind, title }) => picomatch.isMatch(`${kind}: ${title}`, entry.splat ?? '', { bash: true }));
      for (const splat of found) excused.set(splat, entry.reason);
      flaky ||= entry.flaky === true;
      if (found.length === 0 && entry.flaky !== true) note.unexpectedPasses.add(`${caseName} on ${share}, ${release}: no "${entry.splat}" in the kernel log; it`);
    }
    return { unexpected: splats.filter((splat) => !excused.has(splat)), reasons: [...new Set(excused.values())], flaky };
  }

  /** The reason, where it is expected that a case ends like this; and whether it may end either way. */
  judgeEnd(caseName: string, share: string, release: string, status: Status): { readonly reason?: string; readonly flaky: boolean } {
    const ended = BAD.has(status) && status !== 'fail';
    let reason: string | undefined;
    let flaky = false;
    for (const entry of this.#relevant(caseName, share, release)) {
      if (entry.end === undefined) continue;
      const note = this.#note(entry);
      note.matched = true;
      if (entry.expires < this.today) continue;
      flaky ||= entry.flaky === true;
      if (entry.end === status) reason = entry.reason;
      else if (!ended && entry.flaky !== true) note.unexpectedPasses.add(`${caseName} on ${share}, ${release}`);
    }
    return { ...(reason === undefined ? {} : { reason }), flaky };
  }

  #relevant(caseName: string, share: string, release: string): Expectation[] {
    return this.entries.filter((entry) => entry.case === caseName && entry.shares.includes(share) && inKernelRange(entry.kernels, release));
  }

  /** What there is to say about the expectations that this run could have used. */
  notes(): ExpectationNote[] {
    return [...this.#seen].flatMap(([entry, { matched, unexpectedPasses }]): ExpectationNote[] => {
      const where = `${entry.file}: ${entry.case}${entry.subtest === undefined ? '' : `/${entry.subtest}`}`;
      if (entry.expires < this.today) return [{ kind: 'stale', text: `${where} expired on ${entry.expires} (owner ${entry.owner})` }];
      if (!matched) return [{ kind: 'stale', text: `${where} names no subtest that exists` }];
      return [...unexpectedPasses].map((what) => ({ kind: 'unexpected-pass' as const, text: `${what} passed; ${where} says it fails (owner ${entry.owner})` }));
    });
  }

  #note(entry: Expectation) {
    const note = this.#seen.get(entry) ?? { matched: false, unexpectedPasses: new Set<string>() };
    this.#seen.set(entry, note);
    return note;
  }
}

/** The status of a case from its parts; a splat or a problem fails it whatever it printed. */
export function statusOf(subtests: readonly Subtest[], problems: readonly string[], splatTitles: readonly string[]): Pick<CaseResult, 'status' | 'reason'> {
  const why = [...splatTitles.map((title) => `kernel log: ${title}`), ...problems];
  if (why.length > 0) return { status: 'fail', reason: why.join('; ') };
  const worst = subtests.find(({ status }) => BAD.has(status));
  if (worst !== undefined) return { status: 'fail', reason: `${worst.name}${worst.reason === undefined ? '' : `: ${worst.reason}`}` };
  if (subtests.every(({ status }) => status === 'skip')) return { status: 'skip', reason: subtests[0]?.reason ?? 'every subtest was skipped' };
  if (subtests.some(({ status }) => status === 'xpass')) return { status: 'xpass' };
  if (subtests.some(({ status }) => status === 'xfail')) return { status: 'xfail' };
  return { status: 'pass' };
}
