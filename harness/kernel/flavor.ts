// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../host/errors.ts';
import { repositoryRoot } from '../host/paths.ts';

export interface Flavor {
  readonly name: string;
  readonly summary: string;
  /** Files of kernel-configs/, in the order they are merged. */
  readonly fragments: readonly string[];
  /** How much slower than `fast` a guest is: every timeout is multiplied by it. */
  readonly slowdown: number;
}

const COMMON = ['base', 'shares', 'dax', 'erofs'] as const;

export const FLAVORS: Readonly<Record<string, Flavor>> = {
  fast: { name: 'fast', summary: 'no debugging; quickest to build and boot', fragments: [...COMMON, 'fast'], slowdown: 1 },
  lockdep: { name: 'lockdep', summary: 'lock order, atomic sleep, list and page checks', fragments: [...COMMON, 'fast', 'lockdep'], slowdown: 3 },
  kasan: { name: 'kasan', summary: 'memory errors', fragments: [...COMMON, 'fast', 'kasan'], slowdown: 5 },
  gcov: { name: 'gcov', summary: 'line coverage', fragments: [...COMMON, 'fast', 'gcov'], slowdown: 2 },
};

export const DEFAULT_FLAVOR = 'fast';

export function flavorNamed(name: string): Flavor {
  const flavor = FLAVORS[name];
  if (flavor === undefined)
    throw new InputError('usage', `no flavor ${name}`, { hint: `use one of ${Object.keys(FLAVORS).join(', ')}` });
  return flavor;
}

/** How much longer things take on a kernel of this flavor; distribution kernels boot slower than ours. */
export function slowdownOf(flavorName: string): number {
  return FLAVORS[flavorName]?.slowdown ?? 2;
}

/** The text of a flavor's fragments and of the user's own, in merge order. */
export async function fragmentText(flavor: Flavor, extraFiles: readonly string[]): Promise<string> {
  const own = flavor.fragments.map((name) => join(repositoryRoot, 'kernel-configs', `${name}.config`));
  const texts = await Promise.all(
    [...own, ...extraFiles].map((file) =>
      readFile(file, 'utf8').catch((cause: unknown) => {
        throw new InputError('config.no-fragment', `can not read the fragment ${file}`, { hint: 'check the path given to --config', cause });
      }),
    ),
  );
  return texts.join('\n');
}
