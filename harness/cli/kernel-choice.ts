// SPDX-License-Identifier: GPL-2.0-only
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import { sha256OfFile } from '../host/hash.ts';
import { buildKernel, findBuild } from '../kernel/build.ts';
import { DEFAULT_FLAVOR, flavorNamed } from '../kernel/flavor.ts';
import type { KernelImage } from '../kernel/image.ts';
import { fetchPrebuilt } from '../kernel/prebuilt.ts';
import { openTree } from '../kernel/tree.ts';
import { PACKAGED_KERNELS } from '../kernel/versions.ts';

export const DEFAULT_KERNEL = 'prebuilt:6.12';

/** --kernel BUILD | VERSION | bzImage | prebuilt:VERSION. */
export async function chooseKernel(context: Context, name: string): Promise<KernelImage> {
  if (name.startsWith('prebuilt:')) return await fetchPrebuilt(context, name.slice('prebuilt:'.length));
  if (PACKAGED_KERNELS[name] !== undefined) {
    const tree = await openTree(context, name);
    return await buildKernel(context, { tree, series: [], flavor: flavorNamed(DEFAULT_FLAVOR), fragmentFiles: [] });
  }
  const build = await findBuild(context, name);
  if (build !== undefined) return build;
  const file = resolve(name);
  const status = await stat(file).catch(() => undefined);
  if (status?.isFile() !== true)
    throw new InputError('kernel.no-such-image', `no kernel ${name}: neither a build, a version, prebuilt:VERSION nor a bzImage`, {
      hint: `\`fuselage build\` prints build ids; versions are ${Object.keys(PACKAGED_KERNELS).join(', ')}`,
    });
  return { id: (await sha256OfFile(file)).slice(0, 20), title: basename(file), flavor: 'unknown', bzImage: file, reproduce: file };
}
