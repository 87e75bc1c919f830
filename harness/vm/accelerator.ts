// SPDX-License-Identifier: GPL-2.0-only
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../host/context.ts';
import { InfrastructureError } from '../host/errors.ts';
import { contentId } from '../host/hash.ts';
import { withStep } from '../host/progress.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { Qemu } from '../toolbox/toolbox.ts';
import { Machine } from './machine.ts';
import type { Accelerator } from './options.ts';

export interface AcceleratorProbe {
  readonly accelerator: Accelerator;
  /** Why, in words: printed wherever the accelerator is. */
  readonly reason: string;
}

const KVM_BOOT_LIMIT_SECONDS = 6;

const probeSchema = z.object({ accelerator: z.enum(['kvm', 'tcg']), reason: z.string() });

/**
 * Whether KVM can be used, found out by booting: /dev/kvm can be there, can be opened and can create
 * a machine, and still be unable to run a kernel. The answer is kept until the host reboots.
 * FUSELAGE_ACCEL=kvm|tcg overrides it.
 */
export async function probeAccelerator(
  context: Context,
  qemu: Qemu,
  guest: { readonly bzImage: string; readonly initramfs: string },
  env: NodeJS.ProcessEnv = process.env,
): Promise<AcceleratorProbe> {
  const forced = env['FUSELAGE_ACCEL'];
  if (forced === 'kvm' || forced === 'tcg') return { accelerator: forced, reason: 'FUSELAGE_ACCEL says so' };
  if (forced !== undefined && forced !== '')
    throw new InfrastructureError('vm.no-accelerator', `FUSELAGE_ACCEL=${forced} is neither kvm nor tcg`, { hint: 'set it to one of them, or unset it' });
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return {
      accelerator: 'tcg',
      reason: absent ? 'this machine has no /dev/kvm' : 'no permission for /dev/kvm (add yourself to the group kvm)',
    };
  }
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
  const file = join(context.cache.root, 'probes', contentId({ bootId, qemu: qemu.version }));
  const known = probeSchema.safeParse(parseJson(await readFile(file, 'utf8').catch(() => '')));
  if (known.success) return known.data;
  const probe = await withStep(context.emit, 'probing /dev/kvm by booting a guest', () => bootUnderKvm(qemu, guest));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(probe));
  return probe;
}

async function bootUnderKvm(qemu: Qemu, guest: { readonly bzImage: string; readonly initramfs: string }): Promise<AcceleratorProbe> {
  return await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'kvm');
    try {
      const machine = await Machine.start(scope, { ...guest, qemu, accelerator: 'kvm', append: [], devices: [], memoryMiB: 512, cpus: 1, directory, slowdown: 1 });
      await machine.waitForLine(/fuselage: ready/, KVM_BOOT_LIMIT_SECONDS, 'the end of the boot');
      return { accelerator: 'kvm', reason: '/dev/kvm boots a guest' };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { accelerator: 'tcg', reason: `/dev/kvm is there but boots no guest (${why})` };
    }
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
