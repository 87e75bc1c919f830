// SPDX-License-Identifier: GPL-2.0-only
import { attempt } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError } from '../host/errors.ts';
import { withStep } from '../host/progress.ts';
import { installedPackages } from './apt.ts';

/** What must be installed on the machine itself, and for what. */
export const REQUIRED_PACKAGES: Readonly<Record<string, string>> = {
  gcc: 'compiles kernels and cases',
  'libc6-dev': 'static C library for the cases',
  make: 'drives the kernel build',
  flex: 'Kconfig',
  bison: 'Kconfig',
  bc: 'kernel build',
  perl: 'kernel build, checkpatch',
  sparse: 'checks the files that a series changes',
  'libelf-dev': 'objtool',
  'libssl-dev': 'kernel build',
  patch: 'applies series',
  git: 'git trees',
  cpio: 'initramfs',
  'xz-utils': 'unpacks kernel sources',
  ccache: 'makes repeated builds cheaper',
  'debian-archive-keyring': 'checks what is downloaded',
};

export async function missingPackages(): Promise<string[]> {
  const installed = await installedPackages();
  return Object.keys(REQUIRED_PACKAGES).filter((name) => !installed.has(name));
}

/** The command that installs them, for messages. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get install --no-install-recommends ${packages.join(' ')}`;
}

/**
 * Installs what is missing from the machine's own sources, saying first what. With FUSELAGE_NO_APT=1, or
 * without root, it only says what is missing.
 */
export async function ensurePackages(context: Context, env: NodeJS.ProcessEnv = process.env, findMissing = missingPackages): Promise<void> {
  const missing = await findMissing();
  if (missing.length === 0) return;
  const refused = env['FUSELAGE_NO_APT'] === '1' ? 'FUSELAGE_NO_APT is set' : process.getuid?.() === 0 ? undefined : 'not root';
  if (refused !== undefined)
    throw new InfrastructureError('packages.missing', `missing packages: ${missing.join(' ')} (${refused})`, {
      hint: `install them with: ${installCommand(missing)}`,
    });
  context.emit({ type: 'note', text: `distribution packages to install: ${missing.join(' ')}` });
  await withStep(context.emit, `installing ${missing.length} distribution packages`, async (step) => {
    const apt = (args: readonly string[]) =>
      attempt(['apt-get', '-o', 'APT::Status-Fd=1', '-o', 'DPkg::Lock::Timeout=300', ...args], {
        env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
        signal: context.signal,
        onLine: (line) => {
          const match = /^(?:dl|pm)status:[^:]*:([\d.]+):(.*)$/.exec(line);
          if (match !== null) step.advance({ fraction: Number(match[1]) / 100, note: match[2] ?? '' });
        },
      });
    const install = ['install', '--yes', '--no-install-recommends', ...missing];
    let output = await apt(install);
    if (output.exitCode !== 0) {
      // Fresh machines have no package lists, old ones stale lists.
      await apt(['update']);
      output = await apt(install);
    }
    if (output.exitCode !== 0)
      throw new InfrastructureError('packages.missing', `can not install ${missing.join(' ')}`, {
        hint: `check the network, then: ${installCommand(missing)}`,
        detail: output.stderr.trim().split('\n').slice(-6).join('\n'),
      });
  });
}
