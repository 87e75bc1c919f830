// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../host/scope.ts';
import type { KernelImage } from '../kernel/image.ts';
import { slowdownOf } from '../kernel/flavor.ts';
import type { Qemu } from '../toolbox/toolbox.ts';
import type { Accelerator } from '../vm/options.ts';
import { Machine, TroubleError } from '../vm/machine.ts';
import { GuestShell, makeKey } from './ssh.ts';

export interface GuestOptions {
  readonly qemu: Qemu;
  readonly accelerator: Accelerator;
  readonly image: KernelImage;
  readonly initramfs: string;
  readonly devices: readonly string[];
  readonly directory: string;
  readonly memoryMiB?: number;
  readonly cpus?: number;
  /** QEMU waits for gdb here, and nothing is ever late. */
  readonly gdbSocket?: string;
  /** Called when QEMU runs and before the kernel says anything. */
  readonly onMachine?: (machine: Machine) => void;
}

/** How long after a broken connection the reason for it may come. */
const TROUBLE_FOLLOWS_MILLISECONDS = 3_000;
const BOOT_LIMIT_SECONDS = 30;
const HUNG_TASK_SECONDS = 15;
/** Somebody is stepping through it. */
const GDB_PATIENCE = 1_000;

/** How much longer than on `fast` with KVM anything may take in this guest. */
export function patienceOf(options: Pick<GuestOptions, 'accelerator' | 'image'>): number {
  return slowdownOf(options.image.flavor) * (options.accelerator === 'kvm' ? 1 : 2);
}

/** A booted guest that takes commands. */
export class Guest {
  private constructor(
    readonly machine: Machine,
    readonly shell: GuestShell,
    readonly release: string,
    /** From QEMU's start until the first command can run. */
    readonly bootSeconds: number,
    readonly patience: number,
  ) {}

  /** @throws TroubleError when it panics or hangs on the way; InfrastructureError when QEMU fails. */
  static async boot(scope: Scope, options: GuestOptions): Promise<Guest> {
    const startedMilliseconds = performance.now();
    const unhurried = options.gdbSocket === undefined ? 1 : GDB_PATIENCE;
    const patience = patienceOf(options) * unhurried;
    const key = makeKey();
    const machine = await Machine.start(scope, {
      ...options,
      bzImage: options.image.bzImage,
      append: [...(options.gdbSocket === undefined ? [] : ['nokaslr']), `fuselage.key=${key.publicBlob}`, `sysctl.kernel.hung_task_timeout_secs=${HUNG_TASK_SECONDS * patience}`],
      memoryMiB: options.memoryMiB ?? 512,
      cpus: options.cpus ?? 2,
      slowdown: slowdownOf(options.image.flavor) * unhurried,
    });
    options.onMachine?.(machine);
    const limit = BOOT_LIMIT_SECONDS * patience;
    const hostKey = await machine.waitForLine(/fuselage: hostkey (\S+)/, limit, 'the ssh host key');
    await machine.waitForLine(/fuselage: ready/, limit, 'the end of the boot');
    const shell = await orTrouble(machine, GuestShell.connect(machine.sshPort, key, hostKey[1] ?? '', limit));
    await scope.defer(() => {
      shell.end();
    });
    const release = (await orTrouble(machine, shell.run(['uname', '-r']))).stdout.trim();
    return new Guest(machine, shell, release, (performance.now() - startedMilliseconds) / 1_000, patience);
  }

  /** What `work` gives, unless the guest gets into trouble first: then TroubleError. */
  async orTrouble<T>(work: Promise<T>): Promise<T> {
    return await orTrouble(this.machine, work);
  }
}

async function orTrouble<T>(machine: Machine, work: Promise<T>): Promise<T> {
  const trouble = machine.trouble.then((found) => {
    throw new TroubleError(found);
  });
  trouble.catch(() => undefined); // it may come when nobody waits any more
  // A connection that breaks is mostly the first that is heard of a guest's end: its reason follows.
  const explained = work.catch(async (error: unknown) => {
    await Promise.race([trouble, sleep(TROUBLE_FOLLOWS_MILLISECONDS, undefined, { ref: false })]);
    throw error;
  });
  explained.catch(() => undefined);
  return await Promise.race([explained, trouble]);
}
