// SPDX-License-Identifier: GPL-2.0-only
import { InputError } from '../host/errors.ts';
import { device, deviceHost } from './device.ts';
import { ext4, tmpfs } from './local.ts';
import { ninep } from './ninep.ts';
import type { Share } from './share.ts';
import { virtiofs } from './virtiofs.ts';

export const SHARES: readonly Share[] = [
  virtiofs('virtiofs', 'virtiofsd, cache=auto', 'auto'),
  virtiofs('virtiofs-always', 'virtiofsd, cache=always', 'always'),
  virtiofs('virtiofs-never', 'virtiofsd, cache=never', 'never'),
  virtiofs('virtiofs-writeback', 'virtiofsd, cache=auto with write-back caching', 'auto', ['--writeback']),
  device('device', 'our own virtio-fs device, no DAX window', undefined),
  device('device-dax', 'our own virtio-fs device, dax=always through a window', 'always'),
  device('device-dax-inode', 'our own virtio-fs device, dax=inode: files that the server marks', 'inode'),
  device('device-dax-default', 'our own virtio-fs device with a window, mounted without a dax option', 'default'),
  deviceHost,
  ninep('9p', '9p, cache=none', 'none'),
  ninep('9p-mmap', '9p, cache=mmap', 'mmap'),
  ninep('9p-loose', '9p, cache=loose', 'loose'),
  ext4,
  tmpfs,
];

/** What `run` and `check` take when no --share is given. */
export const DEFAULT_SHARES = ['virtiofs', 'device-dax', '9p', 'ext4', 'tmpfs'] as const;

export function shareNamed(name: string): Share {
  const share = SHARES.find((candidate) => candidate.name === name);
  if (share === undefined)
    throw new InputError('share.unknown', `no share ${name}`, { hint: `use one of ${SHARES.map((known) => known.name).join(', ')}` });
  return share;
}
