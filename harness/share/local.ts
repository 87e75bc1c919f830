// SPDX-License-Identifier: GPL-2.0-only
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../host/command.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { Share } from './share.ts';

const DISK_BYTES = 256 * 1024 * 1024;

/** The oracle: what fails here is a fault of the case. */
export const ext4: Share = {
  name: 'ext4',
  summary: 'ext4 on virtio-blk: the oracle, what fails here is a fault of the case',
  traits: ['direct-io', 'shared-mmap'],
  needsFileSystem: 'ext4',
  proof: /^\S+ \/mnt\/share ext4 /m,
  serve: async ({ scope, toolbox }) => {
    const disk = join(await temporaryDirectory(scope, 'disk'), 'disk.img');
    await writeFile(disk, '');
    await truncate(disk, DISK_BYTES);
    const mke2fs = toolbox.program('usr/sbin/mke2fs');
    await run([...mke2fs.command, '-q', '-F', '-t', 'ext4', '-E', 'lazy_itable_init=1,lazy_journal_init=1', disk], {
      env: { MKE2FS_CONFIG: toolbox.file('etc/mke2fs.conf') },
    });
    return {
      devices: ['-drive', `file=${disk},format=raw,if=none,id=share0,cache=unsafe`, '-device', 'virtio-blk-pci,drive=share0'],
      mount: { type: 'ext4', source: '/dev/vda', options: 'rw' },
    };
  },
};

export const tmpfs: Share = {
  name: 'tmpfs',
  summary: "the guest's own memory: what POSIX costs without any server",
  traits: ['shared-mmap'],
  needsFileSystem: 'tmpfs',
  proof: /^\S+ \/mnt\/share tmpfs /m,
  serve: () => Promise.resolve({ devices: [], mount: { type: 'tmpfs', source: 'share', options: 'rw,size=256m' } }),
};
