// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import type { Actor } from '../../harness/suite/actor.ts';
import { counted, defineCase, mounted, type CaseContext } from '../../harness/suite/define-case.ts';

type Op = Parameters<CaseContext['device']['script']['on']>[0]['op'];

/** fuse_out_header: len, error, unique. */
const HEADER_BYTES = 16;

const OPERATIONS: readonly { readonly op: Op; readonly act: (actor: Actor, path: string) => Promise<unknown> }[] = [
  { op: 'LOOKUP', act: (actor, path) => actor.stat(path) },
  { op: 'GETATTR', act: (actor) => actor.size(0) },
  { op: 'OPEN', act: (actor, path) => actor.open(1, path, 'r') },
  { op: 'LSEEK', act: (actor) => actor.seekData(0, 0) },
  { op: 'SETATTR', act: (actor) => actor.ftruncate(0, 5) },
  { op: ['COPY_FILE_RANGE', 'COPY_FILE_RANGE_64'], act: (actor) => actor.copyRange(0, 0, 2, 0, 4) },
];

/**
 * A reply that says "done" and brings nothing: /dev/fuse refuses it (copy_out_args(), fs/fuse/dev.c). virtio-fs
 * copied the missing structure from its own buffer until 7.3.4 (copy_args_from_argbuf(); since then
 * virtio_fs_verify_response() looks): whatever kmalloc() left there became sizes, handles and offsets, and the
 * server gets such handles back.
 */
export default defineCase({
  title: 'a reply without the structure that belongs into it: EIO, not a made-up answer',
  needs: ['device'],
  ownViolations: true,
  proof: [mounted(), counted('short-replies', OPERATIONS.length)],
  run: async ({ share, guest, device, subtest, prove }) => {
    device.session.configure({ entryValidSeconds: 0, attrValidSeconds: 0 });
    for (const { op, act } of OPERATIONS) {
      await subtest(`${typeof op === 'string' ? op : (op[0] ?? '')} answered by its header alone`, async () => {
        await guest.remount();
        const path = `${share.guestDirectory}/file`;
        const stored = `${share.storeDirectory}/file`;
        device.store.writeFile(stored, Buffer.from('content'));
        device.store.writeFile(`${share.storeDirectory}/copy`, Buffer.alloc(10));
        const actor = await guest.actor();
        await actor.open(0, path, 'w');
        await actor.open(2, `${share.guestDirectory}/copy`, 'w');
        const rule = device.script.on(
          { op, path: stored },
          {
            kind: 'rewrite',
            reply: (bytes) => {
              const cut = Buffer.from(bytes.subarray(0, HEADER_BYTES));
              cut.writeUInt32LE(HEADER_BYTES, 0);
              return cut;
            },
          },
        );
        const acting = act(actor, path);
        await Promise.all([assert.rejects(acting, { errno: 'EIO' }), rule.arrived().then(() => { prove('short-replies'); })]);
        rule.remove();
      });
    }
  },
});
