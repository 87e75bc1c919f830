// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../host/temporary.ts';
import type { Share } from './share.ts';

/** A host directory through QEMU's own 9p server. */
export function ninep(name: string, summary: string, cache: 'none' | 'mmap' | 'loose'): Share {
  return {
    name,
    summary,
    traits: cache === 'none' ? ['host-directory'] : ['host-directory', 'shared-mmap'],
    needsFileSystem: '9p',
    proof: /^\S+ \/mnt\/share 9p \S*trans=virtio/m,
    serve: async ({ scope }) => {
      const root = await temporaryDirectory(scope, '9p');
      const hostDirectory = join(root, 'shared');
      await mkdir(hostDirectory, { mode: 0o755 });
      return {
        hostDirectory,
        devices: [
          // mapped-xattr: modes and owners live in extended attributes, so no privilege is needed.
          '-fsdev', `local,id=share0,path=${hostDirectory},security_model=mapped-xattr`,
          '-device', 'virtio-9p-pci,fsdev=share0,mount_tag=share',
        ],
        mount: { type: '9p', source: 'share', options: `rw,trans=virtio,version=9p2000.L,msize=262144,cache=${cache}` },
      };
    },
  };
}
