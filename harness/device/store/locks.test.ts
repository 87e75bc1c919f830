// SPDX-License-Identifier: GPL-2.0-only
import { expect, it } from 'vitest';
import { Locks, type LockRequest } from './locks.ts';

const lock = (owner: string, start: number, end: number, exclusive = true): LockRequest => ({ owner, pid: 1, exclusive, start: BigInt(start), end: BigInt(end) });

it('owners exclude each other where they overlap, and only there', () => {
  const locks = new Locks();
  locks.set('posix', lock('a', 10, 19));
  expect(() => {
    locks.set('posix', lock('b', 19, 30));
  }).toThrow('EAGAIN');
  locks.set('posix', lock('b', 20, 30));
  expect(locks.conflict('posix', lock('c', 0, 9))).toBeUndefined();
  expect(locks.conflict('posix', lock('c', 0, 10))?.owner).toBe('a');
  locks.set('flock', lock('c', 0, 100));
});

it('shared locks go together, and an owner may change its own', () => {
  const locks = new Locks();
  locks.set('posix', lock('a', 0, 9, false));
  locks.set('posix', lock('b', 0, 9, false));
  expect(() => {
    locks.set('posix', lock('a', 0, 9));
  }).toThrow('EAGAIN');
  locks.unlock('posix', lock('b', 0, 9));
  locks.set('posix', lock('a', 0, 9));
  expect(locks.conflict('posix', lock('b', 5, 5, false))?.exclusive).toBe(true);
});

it('unlocking the middle leaves both ends', () => {
  const locks = new Locks();
  locks.set('posix', lock('a', 0, 29));
  locks.unlock('posix', lock('a', 10, 19));
  expect([5, 15, 25].map((at) => locks.conflict('posix', lock('b', at, at)) !== undefined)).toEqual([true, false, true]);
});

it('waiters come in order, and a mount that goes away waits no more', async () => {
  const locks = new Locks();
  const order: string[] = [];
  locks.set('posix', lock('1/a', 0, 9));
  const waiting = ['1/b', '2/c', '1/d'].map((owner) =>
    locks.wait('posix', lock(owner, 0, 9)).then(
      () => order.push(owner),
      (error: unknown) => order.push(`${owner} ${error instanceof Error ? error.message : ''}`),
    ),
  );
  locks.drop('2/');
  locks.unlock('posix', lock('1/a', 0, 9));
  await waiting[0];
  expect(order).toEqual(['2/c EINTR', '1/b']);
  locks.drop('1/b');
  await Promise.all(waiting);
  expect(order).toEqual(['2/c EINTR', '1/b', '1/d']);
});
