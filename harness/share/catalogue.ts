// SPDX-License-Identifier: GPL-2.0-only
import { InputError } from '../host/errors.ts';
import { device, deviceHost } from './device.ts';
import { erofs } from './erofs.ts';
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
  erofs('fscache', 'EROFS on demand over fscache: a daemon that cases steer answers /dev/cachefiles', ['erofs-on-demand'], ['erofs-on-demand']),
  erofs('fscache', 'EROFS on demand beside ext4, a loop device and a FUSE server, for scenarios that measure', ['erofs-on-demand', 'comparison'], ['erofs-on-demand', 'loop'], 'erofs-comparison'),
  erofs('loop', 'EROFS on a loop device', ['compression'], ['loop']),
  erofs('file', 'EROFS on an image file of ext4, without a block device', ['file-backed', 'compression'], ['erofs-file-backed']),
  erofs('fanotify', 'EROFS on an image file that fills up by pre-content events of fanotify', ['file-backed', 'pre-content', 'compression'], ['erofs-file-backed', 'fanotify-pre-content']),
];

/** What `run` and `check` take when no --share is given. */
export const DEFAULT_SHARES = ['virtiofs', 'device-dax', '9p', 'ext4', 'tmpfs', 'erofs-fscache', 'erofs-loop', 'erofs-file', 'erofs-fanotify'] as const;

export function shareNamed(name: string): Share {
  const share = SHARES.find((candidate) => candidate.name === name);
  if (share === undefined)
    throw new InputError('share.unknown', `no share ${name}`, { hint: `use one of ${SHARES.map((known) => known.name).join(', ')}` });
  return share;
}
