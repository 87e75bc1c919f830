// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../host/context.ts';
import type { ArchivePackage } from './apt.ts';

const pinSchema = z.array(z.object({ name: z.string(), version: z.string(), architecture: z.string() })).min(1);

/**
 * Remembers which package versions a name ("6.12", "toolbox") was resolved to, so that later runs need
 * no network and mean the same kernel. `fuselage fetch --refresh` resolves again.
 */
export async function pinned(
  context: Context,
  name: string,
  refresh: boolean,
  resolve: () => Promise<readonly ArchivePackage[]>,
): Promise<readonly ArchivePackage[]> {
  const directory = join(context.cache.root, 'pins');
  const file = join(directory, `${name.replaceAll(/[^\w.-]/g, '_')}.json`);
  if (!refresh) {
    const known = await readFile(file, 'utf8').then(
      (text) => pinSchema.safeParse(safeJson(text)),
      () => undefined,
    );
    if (known?.success === true) return known.data;
  }
  const packages = await resolve();
  await mkdir(directory, { recursive: true });
  const half = `${file}.${process.pid}`;
  await writeFile(half, JSON.stringify(packages));
  await rename(half, file);
  return packages;
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
