// SPDX-License-Identifier: GPL-2.0-only
import { FuseError } from '../fuse/errno.ts';
import { FUSE_LK_FLOCK } from '../fuse/flags.ts';
import type { LockKind, LockRequest } from '../store/locks.ts';
import type { Call, Handlers } from './call.ts';

/** l_type of fcntl(2). */
const [F_RDLCK, F_WRLCK, F_UNLCK] = [0, 1, 2];

interface LockArguments {
  readonly owner: bigint;
  readonly lk_flags: number;
  readonly lk: { readonly start: bigint; readonly end: bigint; readonly type: number; readonly pid: number };
}

/** Locks that the server keeps (POSIX_LOCKS, FLOCK_LOCKS): those of one guest exclude another's. */
export const lockHandlers: Handlers = {
  GETLK: ({ args }, call) => {
    const { kind, request } = requestOf(args, call);
    const found = call.session.inode(call.header.nodeid).locks.conflict(kind, request);
    if (found === undefined) return { lock: { lk: { ...args.lk, type: F_UNLCK } } };
    // Another mount's process has no number here.
    const pid = found.owner.startsWith(call.session.ownerPrefix) ? found.pid : 0;
    return { lock: { lk: { start: found.start, end: found.end, type: found.exclusive ? F_WRLCK : F_RDLCK, pid } } };
  },
  SETLK: ({ args }, call) => {
    const { kind, request } = requestOf(args, call);
    const { locks } = call.session.inode(call.header.nodeid);
    if (args.lk.type === F_UNLCK) locks.unlock(kind, request);
    else locks.set(kind, request);
    return {};
  },
  SETLKW: async ({ args }, call) => {
    const { kind, request } = requestOf(args, call);
    const { locks } = call.session.inode(call.header.nodeid);
    if (args.lk.type === F_UNLCK) locks.unlock(kind, request);
    else await locks.wait(kind, request);
    return {};
  },
};

function requestOf(args: LockArguments, { session }: Call): { kind: LockKind; request: LockRequest } {
  if (args.lk.type > F_UNLCK || args.lk.start > args.lk.end) throw new FuseError('EINVAL');
  return {
    kind: (args.lk_flags & FUSE_LK_FLOCK) === 0 ? 'posix' : 'flock',
    request: { owner: session.ownerOf(args.owner), pid: args.lk.pid, exclusive: args.lk.type === F_WRLCK, start: args.lk.start, end: args.lk.end },
  };
}
