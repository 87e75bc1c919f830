// SPDX-License-Identifier: GPL-2.0-only
import type { Command } from 'commander';
import type { Context } from '../host/context.ts';
import { withStep } from '../host/progress.ts';
import { fetchPrebuilt } from '../kernel/prebuilt.ts';
import { fetchSource } from '../kernel/sources.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { Toolbox } from '../toolbox/toolbox.ts';
import { jsonOption } from './options.ts';
import { inSession, print } from './session.ts';

/** The kernel that the tour and the tests are about. */
export const SETUP_VERSION = '6.12';

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('install and fetch what everything else needs: packages, toolbox, a ready-made kernel, the 6.12 source')
    .addOption(jsonOption())
    .action(async (options: { readonly json?: boolean }) => {
      await inSession(async ({ context }) => {
        const toolbox = await prepare(context);
        const image = await fetchPrebuilt(context, SETUP_VERSION);
        const source = await fetchSource(context, SETUP_VERSION);
        print(options.json, { toolbox: toolbox.root, prebuilt: image.release, source: source.path }, `ready: ${context.cache.root}`);
        return 0;
      });
    });
}

/** Distribution packages and the toolbox: what any guest needs. */
export async function prepare(context: Context): Promise<Toolbox> {
  await ensurePackages(context);
  return await withStep(context.emit, 'toolbox', async (step) => {
    const toolbox = await Toolbox.open(context);
    step.conclude(`QEMU ${(await toolbox.qemu()).version}`);
    return toolbox;
  });
}
