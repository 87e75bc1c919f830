// SPDX-License-Identifier: GPL-2.0-only
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Device } from '../device/device.ts';
import { Store } from '../device/store/store.ts';
import { Trace } from '../device/trace/trace.ts';
import { makeImages, standardTreeOf } from '../erofs/images.ts';
import { contentOf } from '../erofs/tree.ts';
import { run } from '../host/command.ts';
import type { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { Toolbox } from '../toolbox/toolbox.ts';
import type { Share, Trait } from './share.ts';
import { traceInto } from './trace-file.ts';

/** Where the guest finds the images: the "registry" that everything is fetched from, read-only. */
export const REMOTE_DIRECTORY = '/remote';
/** And a disk of its own for what is fetched: ext4, which has what cachefiles needs (tmpfile, xattrs, direct I/O). */
export const CACHE_DIRECTORY = '/cache';
const CACHE_BYTES = 96 * 1024 * 1024;
/** A comparison keeps a cache for each of its rounds, and a copy of the tree. */
const COMPARISON_BYTES = 256 * 1024 * 1024;

/** How EROFS gets at an image's bytes. */
export type ErofsBackend = 'loop' | 'file' | 'fscache' | 'fanotify';

const QUEUES = 2;

/** The standard image's files through virtio-fs, from our own server: what a user-space file system costs. */
async function serveByFuse(scope: Scope, toolbox: Toolbox): Promise<{ readonly tag: string; readonly devices: readonly string[] }> {
  const tag = 'fuse';
  const store = await Store.open(scope);
  for (const entry of await standardTreeOf(toolbox)) if (entry.type === 'file') store.writeFile(entry.path, await contentOf(entry));
  const socket = join(await temporaryDirectory(scope, 'dev'), tag);
  await Device.start(scope, socket, { guest: 'guest', tag, store, trace: new Trace(), windowBytes: 0, requestQueues: QUEUES });
  return { tag, devices: Device.qemuArguments(socket, tag, QUEUES) };
}

/** EROFS images that each case mounts itself, as often and in whatever way it is about. */
export function erofs(backend: ErofsBackend, summary: string, traits: readonly Trait[], kernelFeatures: readonly string[], name = `erofs-${backend}`): Share {
  return {
    name,
    summary,
    traits: ['erofs', ...traits],
    needsFileSystem: 'erofs',
    kernelFeatures,
    serve: async ({ context, toolbox, scope, directory }) => {
      const fuse = traits.includes('comparison') ? await serveByFuse(scope, toolbox) : undefined;
      const images = await makeImages(context, toolbox);
      const disk = join(await temporaryDirectory(scope, 'disk'), 'cache.img');
      await writeFile(disk, '');
      await truncate(disk, traits.includes('comparison') ? COMPARISON_BYTES : CACHE_BYTES);
      const mke2fs = toolbox.program('usr/sbin/mke2fs');
      await run([...mke2fs.command, '-q', '-F', '-t', 'ext4', '-E', 'lazy_itable_init=1,lazy_journal_init=1', disk], { env: { MKE2FS_CONFIG: toolbox.file('etc/mke2fs.conf') } });
      const outstanding = new Set<string>();
      return {
        describe: () => (outstanding.size === 0 ? 'nothing was asked for that was not answered\n' : `${[...outstanding].join('\n')}\n`),
        devices: [
          ...(fuse?.devices ?? []),
          ...['-drive', `file=${images.disk},format=raw,if=none,id=remote,readonly=on`, '-device', 'virtio-blk-pci,drive=remote'],
          ...['-drive', `file=${disk},format=raw,if=none,id=cache,cache=unsafe`, '-device', 'virtio-blk-pci,drive=cache'],
        ],
        prepare: [
          ['mkdir', '-p', REMOTE_DIRECTORY, CACHE_DIRECTORY],
          ['mount', '-t', 'ext4', '-o', 'ro', '/dev/vda', REMOTE_DIRECTORY],
          ['mount', '-t', 'ext4', '-o', 'rw', '/dev/vdb', CACHE_DIRECTORY],
        ],
        erofs: { backend, images, trace: await traceInto(scope, directory), outstanding, ...(fuse === undefined ? {} : { fuseTag: fuse.tag }) },
      };
    },
  };
}
