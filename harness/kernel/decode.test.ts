// SPDX-License-Identifier: GPL-2.0-only
import { expect, it } from 'vitest';
import { framesOf } from './decode.ts';

it('frames of a kernel log: where the processor is, and return addresses behind their calls', () => {
  const lines = [
    'WARNING: CPU: 1 PID: 1 at fs/fuse/inode.c:2200 fuse_init+0x1a/0x60',
    'RIP: 0010:fuse_init+0x1a/0x60',
    ' ? __warn+0x7c/0x120',
    ' do_one_initcall+0x5b/0x310',
    ' fuse_dax_inode_cleanup.part.0+0x3c/0x90',
    'RSP: 0018:ffffc90000013d98 EFLAGS: 00010246',
  ];
  expect(framesOf(lines)).toEqual([
    { symbol: 'fuse_init', offset: 0x1a, isReturn: true },
    { symbol: 'fuse_init', offset: 0x1a, isReturn: false },
    { symbol: '__warn', offset: 0x7c, isReturn: true },
    { symbol: 'do_one_initcall', offset: 0x5b, isReturn: true },
    { symbol: 'fuse_dax_inode_cleanup.part.0', offset: 0x3c, isReturn: true },
  ]);
});
