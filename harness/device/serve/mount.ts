// SPDX-License-Identifier: GPL-2.0-only
import { initFlagBits, initFlagsOf, type InitFlag } from '../fuse/flags.ts';
import { NEWEST_MINOR } from '../fuse/wire.ts';
import type { Handlers } from './call.ts';

const FUSE_KERNEL_VERSION = 7;
const NEEDS_WINDOW: ReadonlySet<InitFlag> = new Set<InitFlag>(['MAP_ALIGNMENT', 'HAS_INODE_DAX']);

/** INIT and what ends a mount; FORGET and INTERRUPT, which nobody waits for. */
export const mountHandlers: Handlers = {
  INIT: ({ args }, { session, window }) => {
    session.reset();
    session.minor = Math.min(args.minor, NEWEST_MINOR);
    for (const flag of initFlagsOf(args.flags, args.flags2)) session.offered.add(flag);
    for (const flag of session.options.initFlags) {
      if (session.offered.has(flag) && (window !== undefined || !NEEDS_WINDOW.has(flag))) session.agreed.add(flag);
    }
    // Without INIT_EXT the kernel must take no notice of flags2 (6.1.42 mended that): nothing is put there.
    const bits = initFlagBits(session.agreed);
    return {
      init: {
        major: FUSE_KERNEL_VERSION,
        minor: session.minor,
        max_readahead: args.max_readahead,
        flags: bits.flags,
        max_background: session.options.maxBackground,
        congestion_threshold: Math.floor((session.options.maxBackground * 3) / 4),
        max_write: session.options.maxWriteBytes,
        time_gran: 1,
        max_pages: session.options.maxWriteBytes / 4096,
        map_alignment: session.agreed.has('MAP_ALIGNMENT') ? session.options.mapAlignmentShift : 0,
        flags2: session.agreed.has('INIT_EXT') ? bits.flags2 : 0,
        max_stack_depth: 0,
        request_timeout: 0,
      },
    };
  },
  DESTROY: async (_, { session, window }) => {
    session.reset();
    await window?.clear();
    return {};
  },
  FORGET: ({ args }, { header, session }) => {
    session.forget(header.nodeid, args.nlookup);
    return {};
  },
  BATCH_FORGET: ({ forgets }, { session }) => {
    for (const { nodeid, nlookup } of forgets) session.forget(nodeid, nlookup);
    return {};
  },
  INTERRUPT: () => ({}),
  STATFS: (_, { session }) => {
    const files = [...session.store.inodes()].length;
    const total = 2 ** 26;
    return { st: { blocks: total, bfree: total / 2, bavail: total / 2, files: 2 ** 20, ffree: 2 ** 20 - files, bsize: 4096, namelen: 255, frsize: 4096 } };
  },
  SYNCFS: () => ({}),
};
