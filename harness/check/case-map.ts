// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Context } from '../host/context.ts';
import { withLock } from '../host/lock.ts';
import { majorMinor } from '../kernel/versions.ts';
import type { CaseCounts } from './coverage.ts';

const KEPT_DAYS = 30;
const DAY_MILLISECONDS = 86_400_000;

const entrySchema = z.object({
  learntAt: z.iso.datetime(),
  /** Functions that the case entered, by file: of every file that was profiled, one that it did not touch included. */
  functions: z.record(z.string(), z.array(z.string())),
});

const mapSchema = z.object({ version: z.literal(1), pairs: z.record(z.string(), entrySchema) });

/** What coverage runs have shown: which functions a case on a share enters. Kept a kernel version, for a month. */
export type CaseMap = Readonly<Record<string, z.infer<typeof entrySchema>>>;

export const pairKey = (share: string, name: string): string => `${share} ${name}`;

export async function readCaseMap(context: Context, version: string): Promise<CaseMap> {
  const text = await readFile(pathOf(context, version), 'utf8').catch(() => undefined);
  if (text === undefined) return {};
  const parsed = mapSchema.safeParse(safeJson(text));
  if (!parsed.success) return {}; // it is learnt again
  const oldest = Date.now() - KEPT_DAYS * DAY_MILLISECONDS;
  return Object.fromEntries(Object.entries(parsed.data.pairs).filter(([, { learntAt }]) => Date.parse(learntAt) >= oldest));
}

/** Adds what a coverage run has shown; what it says of a file takes the place of what was known of it. */
export async function learn(context: Context, version: string, cases: readonly CaseCounts[]): Promise<void> {
  const path = pathOf(context, version);
  await mkdir(dirname(path), { recursive: true });
  await withLock(`${path}.lock`, { signal: context.signal }, async () => {
    const pairs = { ...(await readCaseMap(context, version)) };
    const files = new Set(cases.flatMap(({ counts }) => counts.flatMap((one) => [...one.keys()])));
    for (const { name, share, counts } of cases) {
      if (counts.length === 0) continue;
      const key = pairKey(share, name);
      const seen = [...files].map((file) => [file, [...new Set(counts.flatMap((one) => [...(one.get(file)?.functions ?? [])]))].sort()] as const);
      pairs[key] = { learntAt: new Date().toISOString(), functions: { ...pairs[key]?.functions, ...Object.fromEntries(seen) } };
    }
    await writeFile(`${path}.new`, JSON.stringify({ version: 1, pairs } satisfies z.infer<typeof mapSchema>));
    await rename(`${path}.new`, path);
  });
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const pathOf = ({ cache }: Context, version: string): string => cache.path('coverage', `${majorMinor(version)}.json`);
