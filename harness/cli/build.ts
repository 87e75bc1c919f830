// SPDX-License-Identifier: GPL-2.0-only
import type { Command } from 'commander';
import { buildKernel } from '../kernel/build.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { addBuildOptions, jsonOption, readBuildRequest, type BuildOptions } from './options.ts';
import { inSession, print } from './session.ts';

export function addBuild(program: Command): void {
  addBuildOptions(program.command('build').description('build a kernel, or find it built')).addOption(jsonOption()).action(async (options: BuildOptions) => {
    await inSession(async ({ context }) => {
      await ensurePackages(context);
      const build = await buildKernel(context, await readBuildRequest(context, options));
      const { id, title, release, flavor, bzImage, vmlinux, config, cached, seconds, fuzz } = build;
      print(
        options.json,
        { id, title, release, flavor, bzImage, vmlinux, config, cached, seconds, fuzz },
        [`build    ${id}`, `kernel   ${title}`, `release  ${release}`, `bzImage  ${bzImage}`, `vmlinux  ${vmlinux}`, `seconds  ${seconds.toFixed(1)}${cached ? ' (cached)' : ''}`].join('\n'),
      );
      return 0;
    });
  });
}
