// SPDX-License-Identifier: GPL-2.0-only
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError } from '../host/errors.ts';
import { withStep } from '../host/progress.ts';
import { AptDirectory } from '../toolbox/apt.ts';
import { pinned } from '../toolbox/pins.ts';
import { packagedKernel } from './versions.ts';

export interface Source {
  readonly path: string;
  /** The package version, for example "6.12.107-1". */
  readonly packageVersion: string;
}

/** The distribution's source of a kernel version, unpacked in the cache; never built in. */
export async function fetchSource(context: Context, version: string, options: { readonly refresh?: boolean } = {}): Promise<Source> {
  const { suite, source } = packagedKernel(version);
  const packages = await pinned(context, source, options.refresh ?? false, async () =>
    (await AptDirectory.open(context, suite)).newest([source]),
  );
  const packageVersion = packages[0]?.version ?? '';
  const { path } = await context.cache.obtain(
    { kind: 'sources', key: `${source}_${packageVersion.replaceAll(/[^\w.+-]/g, '_')}`, title: `source of Linux ${version}`, ...context },
    async (directory) => {
      await withStep(context.emit, `source of Linux ${version} (${packageVersion})`, async (step) => {
        const unpacked = join(directory, 'package');
        await (await AptDirectory.open(context, suite)).unpack(packages, unpacked, step);
        step.advance({ note: 'unpacking the source (about 10 s)' });
        const archive = join(unpacked, 'usr/src', `${source}.tar.xz`);
        await run(['tar', '--extract', '--file', archive, '--directory', directory], {
          signal: context.signal,
          env: { XZ_OPT: '--threads=0' },
        });
        await rename(join(directory, source), join(directory, 'linux'));
        await rm(unpacked, { recursive: true });
      });
    },
  );
  const linux = join(path, 'linux');
  if (!(await readdir(path)).includes('linux'))
    throw new InfrastructureError('toolbox.incomplete', `${path} holds no kernel source`, { hint: `delete ${path} and run again` });
  return { path: linux, packageVersion };
}
