// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Device } from '../device/device.ts';
import { FOPEN, type InitFlag } from '../device/fuse/flags.ts';
import { HostDirectory } from '../device/serve/host-directory.ts';
import { DEFAULT_SESSION } from '../device/serve/session.ts';
import { RANGE_BYTES } from '../device/store/content.ts';
import { Store } from '../device/store/store.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { DeviceSettings, ServedShare, ServeOptions, Share } from './share.ts';
import { traceInto } from './trace-file.ts';

/** One a CPU of the guest. */
const REQUEST_QUEUES = 2;
/** Smaller than most files of the cases that fill it, so that reclaim is the rule. */
export const DEFAULT_WINDOW_RANGES = 32;

export type DaxMode = 'always' | 'inode' | 'default';

/** Our own virtio-fs device (harness/device), on a store in memory. */
export function device(name: string, summary: string, dax: DaxMode | undefined): Share {
  const always = dax === 'always';
  return {
    name,
    summary,
    traits: ['direct-io', 'shared-mmap', 'device', ...(dax === undefined ? (['detachable'] as const) : (['dax-window'] as const)), ...(always ? (['dax'] as const) : [])],
    needsFileSystem: 'virtiofs',
    // An option that says the default is not printed (fuse_show_options(), virtio_fs_show_options()).
    proof: dax === 'always' ? /^\S+ \/mnt\/share virtiofs \S*dax=always/m : dax === 'inode' ? /^\S+ \/mnt\/share virtiofs \S*dax=inode/m : /^\S+ \/mnt\/share virtiofs (?!\S*dax)/m,
    serve: (options, settings) => serve(options, dax, settings),
  };
}

/** A directory of the host through our own device: for a look from both sides, with scripts and traces. */
export const deviceHost: Share = {
  name: 'device-host',
  summary: 'our own virtio-fs device on a directory of the host; no xattrs, device nodes or rename flags',
  traits: ['host-directory', 'direct-io', 'shared-mmap'],
  needsFileSystem: 'virtiofs',
  proof: /^\S+ \/mnt\/share virtiofs (?!\S*dax)/m,
  serve: async ({ scope, directory }) => {
    const root = await temporaryDirectory(scope, 'dev');
    const hostDirectory = join(root, 'shared');
    await mkdir(hostDirectory, { mode: 0o755 });
    const server = new HostDirectory(hostDirectory);
    await scope.defer(() => {
      server.end();
    });
    const socket = join(root, 'socket');
    const served = await Device.start(scope, socket, {
      guest: 'guest',
      tag: 'share',
      store: await Store.open(scope),
      trace: await traceInto(scope, directory),
      windowBytes: 0,
      requestQueues: REQUEST_QUEUES,
      session: { initFlags: DEFAULT_SESSION.initFlags.filter((flag) => !WITHOUT_STORE.has(flag)) },
      handlers: server.handlers,
    });
    return {
      hostDirectory,
      devices: Device.qemuArguments(socket, 'share0', REQUEST_QUEUES),
      mount: { type: 'virtiofs', source: 'share', options: 'rw' },
      describe: () => served.describe(),
      device: served,
    };
  },
};

/** What only the store can keep. */
const WITHOUT_STORE: ReadonlySet<InitFlag> = new Set<InitFlag>(['POSIX_ACL', 'HANDLE_KILLPRIV_V2', 'DO_READDIRPLUS', 'READDIRPLUS_AUTO']);

async function serve({ scope, directory }: ServeOptions, dax: DaxMode | undefined, settings: DeviceSettings = {}): Promise<ServedShare> {
  const root = await temporaryDirectory(scope, 'dev');
  const trace = await traceInto(scope, directory);
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
