// SPDX-License-Identifier: GPL-2.0-only
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError, InputError } from '../host/errors.ts';
import { withStep } from '../host/progress.ts';
import { AptDirectory, type ArchivePackage } from '../toolbox/apt.ts';
import { pinned } from '../toolbox/pins.ts';
import type { KernelImage } from './image.ts';
import { compareVersions, PACKAGED_KERNELS, packagedKernel } from './versions.ts';

/**
 * Modules that a guest needs and distribution kernels do not build in, each after what it depends on.
 * A name that a kernel lacks (built in, or absent) is passed over.
 */
const GUEST_MODULES = ['failover', 'net_failover', 'virtio_net', 'virtio_blk', 'netfs', '9pnet', '9pnet_virtio', '9p'];

/** A distribution's own kernel, ready to boot: no build needed. */
export async function fetchPrebuilt(context: Context, version: string, options: { readonly refresh?: boolean } = {}): Promise<KernelImage> {
  const { suite, prebuilt } = packagedKernel(version);
  if (prebuilt === undefined)
    throw new InputError('tree.unknown-version', `no ready-made kernel ${version}`, {
      hint: `use ${Object.entries(PACKAGED_KERNELS)
        .filter(([, kernel]) => kernel.prebuilt !== undefined)
        .map(([name]) => `prebuilt:${name}`)
        .join(' or ')}, or build it with \`fuselage build --tree ${version}\``,
    });
  const packages = await pinned(context, `prebuilt-${version}`, options.refresh ?? false, async () => {
    const apt = await AptDirectory.open(context, suite);
    return await Promise.all(prebuilt.map((pattern) => newestMatch(apt, pattern)));
  });
  const packageVersion = packages[0]?.version ?? '';
  const { path } = await context.cache.obtain(
    { kind: 'prebuilt', key: `${version}_${packageVersion.replaceAll(/[^\w.+-]/g, '_')}`, title: `ready-made kernel ${version}`, ...context },
    async (directory) => {
      await withStep(context.emit, `ready-made kernel ${version} (${packageVersion})`, async (step) => {
        const unpacked = join(directory, 'package');
        await (await AptDirectory.open(context, suite)).unpack(packages, unpacked, step);
        await collect(unpacked, directory);
        await rm(unpacked, { recursive: true });
      });
    },
  );
  const release = (await readFile(join(path, 'release'), 'utf8')).trim();
  return {
    id: `prebuilt-${release}`,
    title: `Debian ${release}`,
    release,
    flavor: 'distribution',
    bzImage: join(path, 'bzImage'),
    modulesDirectory: join(path, 'modules'),
    reproduce: `prebuilt:${version}`,
  };
}

async function newestMatch(apt: AptDirectory, pattern: string): Promise<ArchivePackage> {
  const names = await apt.search(pattern);
  if (names.length === 0)
    throw new InfrastructureError('packages.missing', `no package matches ${pattern}`, { hint: 'set FUSELAGE_MIRROR to a complete mirror' });
  const candidates = await apt.newest(names);
  const [newest] = candidates.sort((a, b) => compareVersions(b.version, a.version));
  if (newest === undefined) throw new Error(`apt knows ${names.join(' ')} by name only`);
  return newest;
}

/** Keeps of the packages what a guest needs: the image and a few modules, decompressed. */
async function collect(unpacked: string, into: string): Promise<void> {
  const files = (await readdir(unpacked, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const image = files.find((file) => /\/vmlinuz(-|\.|$)/.test(file));
  const release = files.map((file) => /\/lib\/modules\/([^/]+)\//.exec(file)?.[1]).find((name) => name !== undefined);
  if (image === undefined || release === undefined)
    throw new InfrastructureError('toolbox.incomplete', 'the kernel package holds no image', { hint: 'run `fuselage fetch --refresh`' });
  await copyFile(image, join(into, 'bzImage'));
  await writeFile(join(into, 'release'), `${release}\n`);
  const config = files.find((file) => basename(file).startsWith('config-') || basename(file) === 'config');
  if (config !== undefined) await copyFile(config, join(into, 'config'));
  const modules = join(into, 'modules');
  await mkdir(modules);
  const order: string[] = [];
  for (const name of GUEST_MODULES) {
    const module = files.find((file) => new RegExp(`/${name}\\.ko(\\.xz)?$`).test(file));
    if (module === undefined) continue;
    await copyFile(module, join(modules, basename(module)));
    if (module.endsWith('.xz')) await run(['xz', '--decompress', join(modules, basename(module))]);
    order.push(`${name}.ko`);
  }
  await writeFile(join(modules, 'order'), order.map((name) => `${name}\n`).join(''));
}
