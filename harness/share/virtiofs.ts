// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Daemon } from '../host/daemon.ts';
import { InfrastructureError } from '../host/errors.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { ServedShare, ServeOptions, Share } from './share.ts';

/** A host directory through the real virtiofsd (no DAX window: it has none). */
export function virtiofs(name: string, summary: string, cache: 'auto' | 'always' | 'never', extra: readonly string[] = []): Share {
  return {
    name,
    summary,
    // With cache=never a file is opened FOPEN_DIRECT_IO: no shared mapping.
    traits: cache === 'never' ? ['host-directory', 'direct-io'] : ['host-directory', 'direct-io', 'shared-mmap'],
    needsFileSystem: 'virtiofs',
    proof: /^\S+ \/mnt\/share virtiofs /m,
    serve: (options) => serve(options, cache, extra),
  };
}

async function serve(options: ServeOptions, cache: string, extra: readonly string[]): Promise<ServedShare> {
  const { scope, toolbox, directory } = options;
  const root = await temporaryDirectory(scope, 'fs');
  const hostDirectory = join(root, 'shared');
  await mkdir(hostDirectory, { mode: 0o755 });
  const socket = join(root, 'socket');
  const program = toolbox.program('usr/libexec/virtiofsd');
  const daemon = await Daemon.start(
    scope,
    [
      ...program.command,
      `--socket-path=${socket}`,
      `--shared-dir=${hostDirectory}`,
      `--cache=${cache}`,
      // The directory is a scratch one of ours, and the namespaces of a sandbox are not to be had everywhere.
      '--sandbox=none',
      '--inode-file-handles=never',
      '--xattr',
      '--posix-acl',
      '--log-level=info',
      ...extra,
    ],
    { env: program.env, name: 'virtiofsd' },
  );
  const log = createWriteStream(join(directory, 'virtiofsd.log'));
  log.on('error', () => undefined);
  daemon.stderr.pipe(log);
  await scope.defer(() => {
    log.end();
  });
  await listening(daemon);
  return {
    hostDirectory,
    devices: ['-chardev', `socket,id=share0,path=${socket}`, '-device', 'vhost-user-fs-pci,chardev=share0,tag=share,queue-size=128'],
    mount: { type: 'virtiofs', source: 'share', options: 'rw' },
    died: daemon.exited.then(() => daemon.lastWords),
    describe: () => `virtiofsd pid ${daemon.pid}\n${daemon.lastWords}\n`,
  };
}

/** It says so once it listens; its socket's file alone would not (bind comes before listen). */
async function listening(daemon: Daemon): Promise<void> {
  const lines = createInterface({ input: daemon.stderr });
  const said = new Promise<void>((resolve) => {
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      if (line.includes('Waiting for vhost-user socket connection')) resolve();
    });
  });
  const ended = daemon.exited.then((exit) => {
    throw new InfrastructureError('share.server-died', `virtiofsd ended at its start (${exit.code ?? exit.signal ?? ''})`, {
      hint: 'run `fuselage doctor`',
      detail: daemon.lastWords,
    });
  });
  ended.catch(() => undefined);
  await Promise.race([said, ended]);
}
