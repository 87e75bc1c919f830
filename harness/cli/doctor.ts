// SPDX-License-Identifier: GPL-2.0-only
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { compilePrograms, TOOLS } from '../guest/compile.ts';
import { makeInitramfs } from '../guest/image.ts';
import { attempt } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { explain, FuselageError } from '../host/errors.ts';
import { fetchPrebuilt } from '../kernel/prebuilt.ts';
import { installCommand, missingPackages } from '../toolbox/packages.ts';
import { QEMU_MINIMUM_MAJOR, qemuHasDevice, systemQemu, Toolbox } from '../toolbox/toolbox.ts';
import { probeAccelerator } from '../vm/accelerator.ts';
import { jsonOption } from './options.ts';
import { inSession, print } from './session.ts';

interface Finding {
  readonly what: string;
  readonly state: 'good' | 'usable' | 'missing';
  readonly found: string;
  readonly advice?: string;
}

const NEEDED_BYTES = 8 * 1024 ** 3;

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what this machine can do, and what to do about the rest')
    .addOption(jsonOption())
    .action(async (options: { readonly json?: boolean }) => {
      await inSession(async ({ context }) => {
        const findings: Finding[] = [];
        for (const examine of [node, packages, compiler, disk, caches, qemu, accelerator]) findings.push(await guarded(examine, context));
        const paint = { good: pc.green, usable: pc.yellow, missing: pc.red };
        const text = findings
          .map(({ what, state, found, advice }) => `${paint[state](state.padEnd(8))} ${what.padEnd(13)} ${found}${advice === undefined ? '' : `\n${' '.repeat(23)}${pc.dim(advice)}`}`)
          .join('\n');
        print(options.json, { findings }, text);
        return findings.some(({ state }) => state === 'missing') ? 3 : 0;
      });
    });
}

/** A machine that can not be examined in one respect is still examined in the others. */
async function guarded(examine: (context: Context) => Promise<Finding>, context: Context): Promise<Finding> {
  try {
    return await examine(context);
  } catch (error) {
    const known = explain(error);
    if (!(known instanceof FuselageError)) throw error;
    return { what: examine.name, state: 'missing', found: known.message, ...(known.hint === undefined ? {} : { advice: known.hint }) };
  }
}

function node(): Promise<Finding> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  return Promise.resolve({ what: 'node', state: enough ? 'good' : 'missing', found: process.versions.node, ...(enough ? {} : { advice: 'install Node.js 20.19 or newer' }) });
}

async function packages(): Promise<Finding> {
  const missing = await missingPackages();
  if (missing.length === 0) return { what: 'packages', state: 'good', found: 'all there' };
  return { what: 'packages', state: 'missing', found: `missing: ${missing.join(' ')}`, advice: `as root: ${installCommand(missing)}` };
}

async function compiler(): Promise<Finding> {
  const gcc = await attempt(['gcc', '--version']);
  if (gcc.exitCode !== 0) return { what: 'compiler', state: 'missing', found: 'no gcc', advice: 'as root: apt-get install gcc libc6-dev' };
  const ccache = await attempt(['ccache', '--version']);
  const version = gcc.stdout.split('\n')[0] ?? '';
  return ccache.exitCode === 0
    ? { what: 'compiler', state: 'good', found: `${version}, with ccache` }
    : { what: 'compiler', state: 'usable', found: version, advice: 'apt-get install ccache makes repeated builds cheaper' };
}

async function disk(context: Context): Promise<Finding> {
  const { bavail, bsize } = await statfs(context.cache.root);
  const free = bavail * bsize;
  const found = `${(free / 1024 ** 3).toFixed(0)} GiB free at ${context.cache.root}`;
  if (free >= NEEDED_BYTES) return { what: 'disk', state: 'good', found };
  return { what: 'disk', state: 'usable', found, advice: 'a kernel version and its builds take about 3 GiB; point FUSELAGE_CACHE at a larger disk' };
}

async function caches(context: Context): Promise<Finding> {
  const output = await attempt(['du', '--summarize', '--human-readable', context.cache.root]);
  return { what: 'caches', state: 'good', found: `${output.stdout.split('\t')[0] ?? '0'} in ${context.cache.root}`, advice: 'everything below it can be deleted and is made again' };
}

async function qemu(context: Context): Promise<Finding> {
  const system = await systemQemu();
  const toolbox = await Toolbox.open(context);
  const chosen = await toolbox.qemu();
  const shmem = await qemuHasDevice(chosen, 'vhost-user-test-device-pci');
  const found = `${chosen.version} (${chosen.origin})${system === undefined || chosen.origin === 'system' ? '' : `, the system's ${system.version} is too old`}`;
  if (shmem) return { what: 'qemu', state: 'good', found: `${found}, with vhost-user SHMEM (DAX window)` };
  return { what: 'qemu', state: 'usable', found: `${found}, without vhost-user-test-device-pci`, advice: `no DAX window: needs QEMU ${QEMU_MINIMUM_MAJOR} or newer` };
}

async function accelerator(context: Context): Promise<Finding> {
  const image = await fetchPrebuilt(context, '6.12');
  const toolbox = await Toolbox.open(context);
  const initramfs = await makeInitramfs(context, toolbox, await compilePrograms(context, TOOLS), image.modulesDirectory);
  const probe = await probeAccelerator(context, await toolbox.qemu(), { bzImage: image.bzImage, initramfs });
  if (probe.accelerator === 'kvm') return { what: 'accelerator', state: 'good', found: `KVM: ${probe.reason}` };
  return { what: 'accelerator', state: 'usable', found: `TCG (software emulation): ${probe.reason}`, advice: `counts decide as well under TCG, only times do not; forget this probe by deleting ${join(context.cache.root, 'probes')}` };
}
