// SPDX-License-Identifier: GPL-2.0-only
// Records one request of each operation that a real guest sends, as fixtures of the codec's tests:
//   npx tsx ci/capture.ts 6.1 6.12 7.3
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeParts, OPERATIONS, Reader, type OperationName, type Parts } from '../harness/device/fuse/operations.ts';
import { Device } from '../harness/device/device.ts';
import { fuse_in_header } from '../harness/device/fuse/structs.ts';
import { RANGE_BYTES } from '../harness/device/store/content.ts';
import { Store } from '../harness/device/store/store.ts';
import { Trace } from '../harness/device/trace/trace.ts';
import { compilePrograms, TOOLS } from '../harness/guest/compile.ts';
import { Guest } from '../harness/guest/guest.ts';
import { makeInitramfs } from '../harness/guest/image.ts';
import { Cache } from '../harness/host/cache.ts';
import type { Context } from '../harness/host/context.ts';
import { cacheRoot, repositoryRoot } from '../harness/host/paths.ts';
import { Scope } from '../harness/host/scope.ts';
import { temporaryDirectory } from '../harness/host/temporary.ts';
import { buildKernel } from '../harness/kernel/build.ts';
import { flavorNamed } from '../harness/kernel/flavor.ts';
import { openTree } from '../harness/kernel/tree.ts';
import { Toolbox } from '../harness/toolbox/toolbox.ts';

/** Makes the guest send as many different operations as a shell can. */
const EXERCISE = `cd /mnt/share && mkdir d && echo content > d/f && cat d/f && ls -l d && ln d/f d/l && ln -s f d/s && readlink d/s && mv d/l d/m
  chmod 600 d/f; touch d/f; mkfifo d/p; truncate -s 4194304 d/f; fallocate -l 8192 d/m; df . ; sync; dd if=d/f of=d/g bs=4096 count=8 conv=fsync
  rm d/m d/g d/p d/s; rmdir d || true; cd /; echo 3 > /proc/sys/vm/drop_caches; rm -r /mnt/share/d; umount /mnt/share`;

const printable = (_: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  const buffer = value as { readonly type?: string; readonly data?: number[] } | null;
  return buffer?.type === 'Buffer' ? Buffer.from(buffer.data ?? []).toString('hex') : value;
};

async function capture(context: Context, version: string): Promise<void> {
  const toolbox = await Toolbox.open(context);
  const image = await buildKernel(context, { tree: await openTree(context, version), series: [], flavor: flavorNamed('fast'), fragmentFiles: [] });
  const initramfs = await makeInitramfs(context, toolbox, await compilePrograms(context, TOOLS), image.modulesDirectory, []);
  const captured = new Map<OperationName, object>();
  await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'cap');
    const socket = join(directory, 'socket');
    await Device.start(scope, socket, {
      guest: 'guest',
      tag: 'share',
      store: await Store.open(scope),
      trace: new Trace(),
      windowBytes: 4 * RANGE_BYTES,
      requestQueues: 2,
      onRequest: (op, bytes, minor) => {
        if (captured.has(op) || bytes.length > 4_096) return;
        const value = decodeParts(OPERATIONS[op].request as Parts, new Reader([bytes.subarray(fuse_in_header.bytes)]), minor) as Record<string, unknown>;
        const joined = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, Array.isArray(one) && one.every((piece) => Buffer.isBuffer(piece)) ? Buffer.concat(one) : one]));
        captured.set(op, { op, minor, bytes: bytes.toString('hex'), decoded: JSON.parse(JSON.stringify(joined, printable)) as unknown });
      },
    });
    const guest = await Guest.boot(scope, { qemu: await toolbox.qemu(), accelerator: 'tcg', image, initramfs, devices: Device.qemuArguments(socket, 'share0', 2), directory });
    await guest.shell.run(['mount', '-t', 'virtiofs', '-o', 'rw,dax=always', 'share', '/mnt/share']);
    const ran = await guest.shell.run(['sh', '-c', EXERCISE]);
    process.stderr.write(ran.stderr);
  });
  const file = join(repositoryRoot, `harness/device/fuse/testdata/requests-${version}.json`);
  await writeFile(file, `[\n${[...captured.values()].map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`);
  process.stderr.write(`${version}: ${[...captured.keys()].join(' ')}\n`);
}

const context: Context = { cache: new Cache(cacheRoot()), emit: () => undefined, signal: new AbortController().signal };
for (const version of process.argv.slice(2)) await capture(context, version);
