// SPDX-License-Identifier: GPL-2.0-only
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { InputError } from '../host/errors.ts';
import { repositoryRoot } from '../host/paths.ts';

/** series.yaml: what a bundled series says of itself. */
const manifestSchema = z.strictObject({
  title: z.string(),
  kind: z.enum(['forward', 'mutant', 'ablation']),
  /** What it does and why, for people. */
  summary: z.string(),
  /** Kernel versions that it has patches for. */
  kernels: z.array(z.string()).min(1),
  /** A mutant: the cases (name or name/subtest) that must catch it, and on which shares. */
  caughtBy: z.array(z.object({ case: z.string(), shares: z.array(z.string()).min(1) })).optional(),
  /** Which counts it must change: to at most, or to at least, so many times what they are without it. */
  changes: z
    .array(
      z
        .strictObject({ case: z.string(), share: z.string(), counter: z.string(), atMost: z.number().nonnegative().optional(), atLeast: z.number().positive().optional() })
        .refine(({ atMost, atLeast }) => (atMost === undefined) !== (atLeast === undefined), 'a change is stated by atMost or by atLeast'),
    )
    .optional(),
  /** What it has the kernel do that counts as a violation of the protocol otherwise (device/window). */
  tolerates: z.array(z.enum(['map-over-other'])).optional(),
});

export type SeriesManifest = z.infer<typeof manifestSchema>;

/** The manifest of a directory, or undefined where it has none. */
export async function readManifest(directory: string): Promise<SeriesManifest | undefined> {
  const text = await readFile(join(directory, 'series.yaml'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = manifestSchema.safeParse(parse(text));
  if (!parsed.success)
    throw new InputError('series.unreadable', `${directory}/series.yaml: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`, {
      hint: 'see the bundled ones in patches/',
    });
  return parsed.data;
}

/** All bundled series: patches/NAME and patches/mutants/NAME. */
export async function bundledSeries(): Promise<{ name: string; manifest: SeriesManifest }[]> {
  const found: { name: string; manifest: SeriesManifest }[] = [];
  for (const parent of ['patches', 'patches/mutants'])
    for (const entry of await readdir(join(repositoryRoot, parent), { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const manifest = await readManifest(join(repositoryRoot, parent, entry.name));
      if (manifest !== undefined) found.push({ name: `${parent}/${entry.name}`, manifest });
    }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}
