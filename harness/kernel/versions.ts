// SPDX-License-Identifier: GPL-2.0-only
import { InputError } from '../host/errors.ts';
import type { Suite } from '../toolbox/apt.ts';

/** The kernels that can be had by a plain version, as distribution packages. */
export interface PackagedKernel {
  readonly suite: Suite;
  /** The package of the kernel's source. */
  readonly source: string;
  /**
   * Packages of the ready-made kernel, as regular expressions over package names: the newest that
   * matches each is taken. Absent where the distribution's ready-made kernel has no FUSE DAX built in.
   */
  readonly prebuilt?: readonly string[];
}

export const PACKAGED_KERNELS: Readonly<Record<string, PackagedKernel>> = {
  '6.1': { suite: 'bookworm', source: 'linux-source-6.1' },
  '6.12': { suite: 'trixie', source: 'linux-source-6.12', prebuilt: ['^linux-image-6\\.12\\.[0-9]+\\+deb13-cloud-amd64$'] },
  '7.2': {
    suite: 'trixie',
    source: 'linux-source-7.2',
    prebuilt: ['^linux-binary-7\\.2\\.[0-9]+\\+deb13-cloud-amd64$', '^linux-modules-7\\.2\\.[0-9]+\\+deb13-cloud-amd64$'],
  },
  '7.3': {
    suite: 'trixie',
    source: 'linux-source-7.3',
    prebuilt: [
      '^linux-binary-(unsigned-)?7\\.3\\.[0-9]+\\+deb13-cloud-amd64$',
      '^linux-modules-7\\.3\\.[0-9]+\\+deb13-cloud-amd64$',
    ],
  },
};

export function packagedKernel(version: string): PackagedKernel {
  const kernel = PACKAGED_KERNELS[version];
  if (kernel === undefined)
    throw new InputError('tree.unknown-version', `no kernel ${version} is packaged`, {
      hint: `use one of ${Object.keys(PACKAGED_KERNELS).join(', ')}, or a directory`,
    });
  return kernel;
}

/** Compares dotted versions numerically; absent fields count as 0. */
export function compareVersions(a: string, b: string): number {
  const fields = (version: string) => version.split(/[.+~-]/).map((field) => Number.parseInt(field, 10) || 0);
  const left = fields(a);
  const right = fields(b);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** "6.12" of "6.12.107+deb13-cloud-amd64". */
export function majorMinor(release: string): string {
  return /^\d+\.\d+/.exec(release)?.[0] ?? release;
}
