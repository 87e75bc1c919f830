// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted, type CaseContext } from '../../harness/suite/define-case.ts';

/** fuse_out_header: len, error, unique. */
const HEADER = 16;
/** fuse_entry_out: attr follows nodeid, generation, four validities. */
const ENTRY_ATTR = HEADER + 40;
/** fuse_attr_out: attr follows a validity. */
const ATTR_ATTR = HEADER + 16;
const SIZE = 8;
const MODE = 60;

type Op = Parameters<CaseContext['device']['script']['on']>[0]['op'];

interface Corruption {
  readonly name: string;
  readonly op: Op;
  readonly reply: (bytes: Buffer) => Buffer;
  readonly act: readonly string[];
  /** Whether the operation must fail; else it may do either, and must end. */
  readonly fails?: true;
}

const write = (at: number, value: number) => (bytes: Buffer) => {
  bytes.writeUInt32LE(value >>> 0, at);
  return bytes;
};
const longer = (bytes: Buffer, by: number) => {
  const grown = Buffer.concat([bytes, Buffer.alloc(by, 0x5a)]);
  grown.writeUInt32LE(grown.length, 0);
  return grown;
};
const shorter = (bytes: Buffer, to: number) => {
  const cut = Buffer.from(bytes.subarray(0, to));
  cut.writeUInt32LE(cut.length, 0);
  return cut;
};

const CORRUPTIONS: readonly Corruption[] = [
  { name: 'LOOKUP: a node id of 0 means that there is no such name', op: 'LOOKUP', reply: (bytes) => (bytes.fill(0, HEADER, HEADER + 8), bytes), act: ['stat', 'file'], fails: true },
  { name: 'LOOKUP: the root as a child', op: 'LOOKUP', reply: (bytes) => (bytes.writeBigUInt64LE(1n, HEADER), bytes), act: ['stat', 'file'], fails: true },
  { name: 'LOOKUP: a mode without a type', op: 'LOOKUP', reply: write(ENTRY_ATTR + MODE, 0), act: ['stat', 'file'], fails: true },
  { name: 'LOOKUP: a size beyond what a file can have', op: 'LOOKUP', reply: (bytes) => (bytes.writeBigUInt64LE(0xffffffffffffffffn, ENTRY_ATTR + SIZE), bytes), act: ['stat', 'file'], fails: true },
  { name: 'LOOKUP: no link at all', op: 'LOOKUP', reply: write(ENTRY_ATTR + 64, 0), act: ['stat', 'file'] },
  { name: 'GETATTR: another type than before', op: 'GETATTR', reply: write(ATTR_ATTR + MODE, 0o040755), act: ['cat', 'file'] },
  { name: 'GETATTR: the size goes backwards', op: 'GETATTR', reply: (bytes) => (bytes.writeBigUInt64LE(1n, ATTR_ATTR + SIZE), bytes), act: ['cat', 'file'] },
  { name: 'GETATTR: cut short', op: 'GETATTR', reply: (bytes) => shorter(bytes, ATTR_ATTR), act: ['stat', 'file'] },
  { name: 'OPEN: cut short within its header', op: 'OPEN', reply: (bytes) => bytes.subarray(0, 8), act: ['cat', 'file'] },
  { name: 'OPEN: a length that is not its own', op: 'OPEN', reply: write(0, 4_000), act: ['cat', 'file'] },
  { name: 'OPEN: another request\'s unique', op: 'OPEN', reply: (bytes) => (bytes.writeBigUInt64LE(0x7777n, 8), bytes), act: ['cat', 'file'] },
  { name: 'READDIRPLUS and READDIR: a name longer than its record', op: ['READDIRPLUS', 'READDIR'], reply: (bytes) => (bytes.length > 200 ? write(HEADER + 128 + 16, 60_000)(bytes) : bytes), act: ['ls', '.'] },
  { name: 'READDIRPLUS and READDIR: half a record at the end', op: ['READDIRPLUS', 'READDIR'], reply: (bytes) => shorter(bytes, Math.max(HEADER, bytes.length - 20)), act: ['ls', '.'] },
  { name: 'READLINK: a target of no bytes', op: 'READLINK', reply: (bytes) => shorter(bytes, HEADER), act: ['readlink', 'link'] },
  { name: 'STATFS: more than there is room for', op: 'STATFS', reply: (bytes) => longer(bytes, 64), act: ['stat', '-f', '.'] },
  { name: 'GETXATTR: longer than was asked for', op: 'GETXATTR', reply: (bytes) => longer(bytes, 32), act: ['stat', 'file'] },
];

export default defineCase({
  title: 'corrupt replies: every call ends, with an errno a program can use, and the kernel log stays clean',
  needs: ['device'],
  proof: [mounted(), counted('corrupt-replies', CORRUPTIONS.length - 2)],
  timeoutSeconds: 30,
  run: async ({ share, guest, device, subtest, prove }) => {
    const { session } = device;
    const usual = session.options;
    session.configure({ entryValidSeconds: 0, attrValidSeconds: 0 });
    device.store.writeFile(`${share.storeDirectory}/file`, Buffer.from('content'));
    await guest.run(['ln', '-s', 'file', `${share.guestDirectory}/link`]);
    for (const { name, op, reply, act, fails } of CORRUPTIONS) {
      await subtest(name, async () => {
        await guest.remount();
        const rule = device.script.on({ op, path: new RegExp(`^${share.storeDirectory}`), ...(op === 'LOOKUP' ? { where: ({ path }) => path.endsWith('/file') } : {}) }, { kind: 'rewrite', reply });
        const ended = await guest.run(['sh', '-c', `cd ${share.guestDirectory} && ${act.join(' ')}`]);
        rule.remove();
        prove('corrupt-replies', Math.min(1, rule.arrivals.length));
        assert.notEqual(ended.code, undefined, 'it did not end by itself');
        if (fails === true) assert.notEqual(ended.code, 0, ended.stdout);
        // Whatever came of it, the mount is of use afterwards.
        await guest.remount();
        assert.equal((await guest.run(['cat', `${share.guestDirectory}/file`])).stdout, 'content');
      });
    }
    session.configure(usual);
    await guest.remount();
  },
});
