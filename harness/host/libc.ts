// SPDX-License-Identifier: GPL-2.0-only
import koffi from 'koffi';

/** The C library, for what Node has no binding of. Only this room calls it. */
const libc = koffi.load('libc.so.6');

const flockCall = libc.func('int flock(int fd, int operation)') as (fd: number, operation: number) => number;

const LOCK_EX = 2;
const LOCK_NB = 4;

/** flock(2), exclusive, without waiting. @returns whether the lock is now held. */
export function tryLockExclusive(fd: number): boolean {
  if (flockCall(fd, LOCK_EX | LOCK_NB) === 0) return true;
  if (koffi.errno() === koffi.os.errno['EWOULDBLOCK'] || koffi.errno() === koffi.os.errno['EAGAIN']) return false;
  throw new Error(`flock failed with errno ${koffi.errno()}`);
}
