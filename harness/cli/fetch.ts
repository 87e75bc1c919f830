// SPDX-License-Identifier: GPL-2.0-only
import { Argument, type Command } from 'commander';
import { dirname } from 'node:path';
import type { Context } from '../host/context.ts';
import { fetchPrebuilt } from '../kernel/prebuilt.ts';
import { fetchSource } from '../kernel/sources.ts';
import { PACKAGED_KERNELS } from '../kernel/versions.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { Toolbox } from '../toolbox/toolbox.ts';
import { jsonOption } from './options.ts';
import { inSession, print } from './session.ts';

const CHOICES = [
  ...Object.keys(PACKAGED_KERNELS),
  ...Object.entries(PACKAGED_KERNELS).flatMap(([version, kernel]) => (kernel.prebuilt === undefined ? [] : [`prebuilt:${version}`])),
  'toolbox',
];

export function addFetch(program: Command): void {
  program
    .command('fetch')
    .description('fetch a kernel source, a ready-made kernel or the toolbox, and print its path')
    .addArgument(new Argument('<what>', 'what to fetch').choices(CHOICES))
    .option('--refresh', 'look for a newer version instead of keeping the one that is there')
    .addOption(jsonOption())
    .action(async (what: string, options: { readonly refresh?: boolean; readonly json?: boolean }) => {
      await inSession(async ({ context }) => {
        await ensurePackages(context);
        const fetched = await fetchOne(context, what, options.refresh ?? false);
        print(options.json, { what, ...fetched }, fetched.path);
        return 0;
      });
    });
}

async function fetchOne(context: Context, what: string, refresh: boolean): Promise<{ path: string; version: string }> {
  if (what === 'toolbox') {
    const toolbox = await Toolbox.open(context, { refresh });
    return { path: toolbox.root, version: (await toolbox.qemu()).version };
  }
  if (what.startsWith('prebuilt:')) {
    const image = await fetchPrebuilt(context, what.slice('prebuilt:'.length), { refresh });
    return { path: dirname(image.bzImage), version: image.release ?? '' };
  }
  const source = await fetchSource(context, what, { refresh });
  return { path: source.path, version: source.packageVersion };
}
