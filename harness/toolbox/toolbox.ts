// SPDX-License-Identifier: GPL-2.0-only
import { access, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError } from '../host/errors.ts';
import { contentId } from '../host/hash.ts';
import { withStep } from '../host/progress.ts';
import { AptDirectory } from './apt.ts';
import { pinned } from './pins.ts';

/** The first QEMU with the vhost-user SHMEM messages, which the DAX window needs. */
export const QEMU_MINIMUM_MAJOR = 11;

/** What is unpacked together: the tools that every run needs, and one that only some cases ask for. */
const SETS = {
  base: {
    title: 'QEMU, virtiofsd, busybox, dropbear',
    packages: [
      'qemu-system-x86/trixie-backports',
      'qemu-system-common/trixie-backports',
      'qemu-system-data/trixie-backports',
      'seabios/trixie-backports',
      'virtiofsd',
      'erofs-utils',
      'e2fsprogs',
      'busybox-static',
      'dropbear-bin',
      'kmod',
    ],
  },
  fio: { title: 'fio', packages: ['fio'] },
  // For tests of the queue alone: whoever has many machines has a server.
  queue: { title: 'Valkey', packages: ['valkey-server', 'valkey-tools'] },
} as const;

/** Programs that a case can ask to have in the guest. */
export type GuestTool = Exclude<keyof typeof SETS, 'base' | 'queue'>;

/** How a program is started: by its own path, or through the toolbox's dynamic loader. */
export interface Program {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `system` or `toolbox`. */
  readonly origin: 'system' | 'toolbox';
}

export interface Qemu extends Program {
  /** For example "11.1.3". */
  readonly version: string;
}

const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

/**
 * Programs newer than the distribution's, unpacked and never installed. A program is run through the
 * toolbox's own loader and libraries, so no chroot, mount or privilege is needed.
 */
export class Toolbox {
  private constructor(readonly root: string) {}

  static async open(context: Context, options: { readonly refresh?: boolean; readonly set?: keyof typeof SETS } = {}): Promise<Toolbox> {
    const suite = 'trixie';
    const { title, packages: wanted } = SETS[options.set ?? 'base'];
    const packages = await pinned(context, `toolbox-${contentId({ packages: wanted.join(' ') })}`, options.refresh ?? false, async () =>
      (await AptDirectory.open(context, suite)).resolve(wanted),
    );
    const key = contentId({ packages: packages.map(({ name, version }) => `${name}=${version}`).join('\n') });
    const { path } = await context.cache.obtain({ kind: 'toolbox', key, title: `toolbox (${title})`, ...context }, async (directory) => {
      await withStep(context.emit, `toolbox (${title}: ${packages.length} packages)`, async (step) => {
        await (await AptDirectory.open(context, suite)).unpack(packages, directory, step);
        await mergeUsr(directory);
      });
    });
    return new Toolbox(path);
  }

  /** The directory of shared libraries that dynamically linked toolbox programs need. */
  get libraryDirectory(): string {
    return join(this.root, LIBRARIES);
  }

  file(relative: string): string {
    return join(this.root, relative);
  }

  /** A toolbox program by its path below the toolbox, for example `usr/libexec/virtiofsd`. */
  program(relative: string): Program {
    const libraries = join(this.root, LIBRARIES);
    return {
      command: [join(libraries, 'ld-linux-x86-64.so.2'), '--library-path', libraries, join(this.root, relative)],
      env: { QEMU_MODULE_DIR: join(libraries, 'qemu') },
      origin: 'toolbox',
    };
  }

  /** The machine's QEMU when it is new enough, else the toolbox's. */
  async qemu(): Promise<Qemu> {
    const system = await systemQemu();
    if (system !== undefined && Number.parseInt(system.version, 10) >= QEMU_MINIMUM_MAJOR) return system;
    const program = this.program('usr/bin/qemu-system-x86_64');
    const command = [...program.command, '-L', this.file('usr/share/qemu'), '-L', this.file('usr/share/seabios')];
    return { ...program, command, version: await qemuVersion({ ...program, command }) };
  }
}

/** The distribution's own QEMU, whatever its age. */
export async function systemQemu(): Promise<Qemu | undefined> {
  const path = '/usr/bin/qemu-system-x86_64';
  if (!(await access(path).then(() => true, () => false))) return undefined;
  const program: Program = { command: [path], env: {}, origin: 'system' };
  return { ...program, version: await qemuVersion(program) };
}

/** Whether this QEMU has a device, by the name that `-device help` lists. */
export async function qemuHasDevice(qemu: Qemu, device: string): Promise<boolean> {
  const output = await attempt([...qemu.command, '-machine', 'none', '-device', 'help'], { env: qemu.env });
  return output.stdout.includes(`"${device}"`);
}

async function qemuVersion(program: Program): Promise<string> {
  const output = await attempt([...program.command, '--version'], { env: program.env });
  const version = /QEMU emulator version (\S+)/.exec(output.stdout)?.[1];
  if (version === undefined)
    throw new InfrastructureError('toolbox.incomplete', `QEMU (${program.origin}) does not say its version`, {
      hint: 'run `fuselage fetch --refresh toolbox`',
      detail: output.stderr,
    });
  return version;
}

/** Packages unpacked alone lack the symbolic links of a merged /usr that base-files would bring. */
async function mergeUsr(root: string): Promise<void> {
  const present = await readdir(root);
  for (const name of ['bin', 'lib', 'lib64', 'sbin'])
    if (!present.includes(name)) await symlink(`usr/${name}`, join(root, name));
}
