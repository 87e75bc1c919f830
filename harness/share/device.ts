// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Device } from '../device/device.ts';
import { FOPEN } from '../device/fuse/flags.ts';
import { RANGE_BYTES } from '../device/store/content.ts';
import { Store } from '../device/store/store.ts';
import { Trace } from '../device/trace/trace.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { DeviceSettings, ServedShare, ServeOptions, Share } from './share.ts';

/** One a CPU of the guest. */
const REQUEST_QUEUES = 2;
/** Smaller than most files of the cases that fill it, so that reclaim is the rule. */
export const DEFAULT_WINDOW_RANGES = 32;
export const TRACE_FILE = 'trace.jsonl';

export type DaxMode = 'always' | 'inode' | 'default';

/** Our own virtio-fs device (harness/device), on a store in memory. */
export function device(name: string, summary: string, dax: DaxMode | undefined): Share {
  const always = dax === 'always';
  return {
    name,
    summary,
    traits: ['direct-io', 'shared-mmap', 'device', ...(dax === undefined ? [] : (['dax-window'] as const)), ...(always ? (['dax'] as const) : [])],
    needsFileSystem: 'virtiofs',
    // An option that says the default is not printed (fuse_show_options(), virtio_fs_show_options()).
    proof: dax === 'always' ? /^\S+ \/mnt\/share virtiofs \S*dax=always/m : dax === 'inode' ? /^\S+ \/mnt\/share virtiofs \S*dax=inode/m : /^\S+ \/mnt\/share virtiofs (?!\S*dax)/m,
    serve: (options, settings) => serve(options, dax, settings),
  };
}

async function serve({ scope, directory }: ServeOptions, dax: DaxMode | undefined, settings: DeviceSettings = {}): Promise<ServedShare> {
  const root = await temporaryDirectory(scope, 'dev');
  const file = createWriteStream(join(directory, TRACE_FILE));
  file.on('error', () => undefined);
  await scope.defer(() => {
    file.end();
  });
  const trace = new Trace((line) => file.write(`${line}\n`));
  const store = await Store.open(scope);
  const one = async (guest: string): Promise<ServedShare & { readonly device: Device }> => {
    const socket = join(root, guest);
    const served = await Device.start(scope, socket, {
      guest,
      tag: 'share',
      store,
      trace,
      windowBytes: dax === undefined ? 0 : (settings.windowRanges ?? DEFAULT_WINDOW_RANGES) * RANGE_BYTES,
      requestQueues: REQUEST_QUEUES,
      // What is mapped is never stale: nothing to throw away at an open, and nothing to wait for in attributes.
      session: { ...(dax === undefined ? {} : { attrValidSeconds: 0, openFlags: FOPEN.KEEP_CACHE }), ...settings.session },
    });
    return {
      devices: Device.qemuArguments(socket, 'share0', REQUEST_QUEUES),
      mount: { type: 'virtiofs', source: 'share', options: dax === undefined || dax === 'default' ? 'rw' : `rw,dax=${dax}` },
      describe: () => served.describe(),
      device: served,
    };
  };
  const first = await one('guest');
  return settings.guests === 2 ? { ...first, peer: await one('peer') } : first;
}
