// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { compilePrograms, TOOLS } from '../guest/compile.ts';
import { Guest } from '../guest/guest.ts';
import { makeInitramfs } from '../guest/image.ts';
import { Scope } from '../host/scope.ts';
import { shareNamed } from '../share/catalogue.ts';
import { REMOTE_DIRECTORY } from '../share/erofs.ts';
import { MOUNT_POINT, type ServedShare } from '../share/share.ts';
import { discoverCases, programsOf } from '../suite/discover.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { Toolbox } from '../toolbox/toolbox.ts';
import { probeAccelerator } from '../vm/accelerator.ts';
import { chooseKernel, DEFAULT_KERNEL } from './kernel-choice.ts';
import { attach } from './attach.ts';
import { jsonOption, outputDirectory, shareNames } from './options.ts';
import { inSession, type Session } from './session.ts';

interface ShellOptions {
  readonly kernel: string;
  readonly share: string;
  readonly json?: boolean;
}

export function addShell(program: Command): void {
  program
    .command('shell')
    .description(`an interactive shell in a guest, the share mounted on ${MOUNT_POINT} (cases lie in /fuselage/cases)`)
    .option('--kernel <kernel>', 'a build id, a version, a bzImage or prebuilt:VERSION', DEFAULT_KERNEL)
    .option('--share <name>', `one of ${shareNames()}`, 'virtiofs')
    .addOption(jsonOption())
    .action(async (options: ShellOptions) => {
      await inSession((session) => openShell(session, options));
    });
}

async function openShell({ context, display }: Session, options: ShellOptions): Promise<0 | 1> {
  const share = shareNamed(options.share);
  await ensurePackages(context);
  const image = await chooseKernel(context, options.kernel);
  const toolbox = await Toolbox.open(context);
  const programs = await compilePrograms(context, [...TOOLS, ...programsOf(await discoverCases())]);
  const initramfs = await makeInitramfs(context, toolbox, programs, image.modulesDirectory);
  const qemu = await toolbox.qemu();
  const { accelerator } = await probeAccelerator(context, qemu, { bzImage: image.bzImage, initramfs });
  const out = await outputDirectory(context, undefined);
  return await Scope.run(async (scope) => {
    const directory = join(out, share.name);
    await mkdir(directory);
    const served = await share.serve({ context, toolbox, scope, directory });
    const guest = await Guest.boot(scope, { qemu, accelerator, image, initramfs, devices: served.devices, directory });
    display.line(`${image.title}, booted in ${guest.bootSeconds.toFixed(1)} s; ${await mountShare(guest, share.name, served)}`);
    if (served.hostDirectory !== undefined) display.line(`on this side: ${served.hostDirectory}`);
    display.line(`console: ${directory}/console.log; leave with exit or Ctrl-D`);
    const aborted = new Promise<undefined>((resolve) => {
      context.signal.addEventListener('abort', () => {
        resolve(undefined);
      });
    });
    const output = options.json === true ? process.stderr : process.stdout;
    const closed = attach(guest, output);
    const trouble = await Promise.race([closed, aborted, guest.machine.trouble]);
    process.stdin.pause();
    if (trouble !== undefined) display.line(`the guest is gone: ${trouble.reason}\n${trouble.tail.slice(-15).join('\n')}`);
    const ended = { kernel: image.title, share: share.name, end: trouble?.reason ?? 'the shell was left' };
    if (options.json === true) process.stdout.write(`${JSON.stringify(ended)}\n`);
    return trouble === undefined ? 0 : 1;
  });
}

/** @returns what came of it, for people. */
async function mountShare(guest: Guest, name: string, { prepare = [], mount }: ServedShare): Promise<string> {
  const commands = [...prepare, ...(mount === undefined ? [] : [['mount', '-t', mount.type, '-o', mount.options, mount.source, MOUNT_POINT]])];
  for (const command of commands) {
    const { exit, stderr } = await guest.shell.run(command);
    if (exit.code !== 0) return `no ${name}: ${stderr.trim()}`;
  }
  return mount === undefined ? `${name}: images in ${REMOTE_DIRECTORY}, nothing mounted yet` : `${name} on ${MOUNT_POINT}`;
}
