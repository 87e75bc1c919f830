// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;

export default defineCase({
  title: 'POSIX_LOCKS and FLOCK_LOCKS: locks of one guest exclude those of another, and end with their owner',
  needs: ['device'],
  device: { guests: 2 },
  proof: [mounted(), counted('locks-at-the-server', 5)],
  run: async ({ share, guest, peer, device, peerDevice, subtest, prove }) => {
    for (const one of [device, peerDevice]) one.session.configure({ initFlags: [...one.session.options.initFlags, 'POSIX_LOCKS', 'FLOCK_LOCKS'] });
    await Promise.all([guest.remount(), peer.remount()]);
    device.store.writeFile(`${share.storeDirectory}/file`, Buffer.alloc(4 * PAGE));
    const opened = async () => {
      const actors = [await guest.actor(), await peer.actor()] as const;
      for (const actor of actors) await actor.open(0, `${share.guestDirectory}/file`, 'w');
      return actors;
    };

    await subtest('a write lock keeps the other guest out of its range, and of no other', async () => {
      const [a, b] = await opened();
      await a.lock(0, 'w', 0, PAGE);
      await assert.rejects(b.lock(0, 'r', PAGE - 1, 10), { errno: 'EAGAIN' });
      await b.lock(0, 'w', PAGE, PAGE);
    });
    await subtest('read locks go together', async () => {
      const [a, b] = await opened();
      await a.lock(0, 'r', 0, 10);
      await b.lock(0, 'r', 5, 10);
      await assert.rejects(a.lock(0, 'w', 0, 10), { errno: 'EAGAIN' });
    });
    await subtest('a waiting lock is given when the other guest unlocks', async () => {
      const [a, b] = await opened();
      await a.lock(0, 'w', 0, 10);
      const wait = peerDevice.script.watch({ op: 'SETLKW' });
      const waiting = b.lockWaiting(0, 'w', 0, 10);
      await wait.arrived();
      await a.lock(0, 'u', 0, 10);
      await waiting;
      await assert.rejects(a.lock(0, 'w', 0, 10), { errno: 'EAGAIN' });
      wait.remove();
    });
    await subtest('closing any descriptor of the file gives the process\'s record locks up', async () => {
      const [a, b] = await opened();
      await a.open(1, `${share.guestDirectory}/file`, 'r');
      await a.lock(0, 'w', 0, 10);
      await a.close(1);
      await b.lock(0, 'w', 0, 10);
    });
    await subtest('a process that is killed leaves no lock behind', async () => {
      const [a, b] = await opened();
      await a.lock(0, 'w', 0, 10);
      const flushed = device.script.watch({ op: 'RELEASE', path: `${share.storeDirectory}/file` });
      await guest.run(['kill', '-KILL', String(await a.pid())]);
      await flushed.arrived();
      await b.lock(0, 'w', 0, 10);
      flushed.remove();
    });
    await subtest('flock: between guests, and apart from record locks', async () => {
      const [a, b] = await opened();
      await a.flock(0, 'w');
      await assert.rejects(b.flock(0, 'r'), { errno: /EAGAIN|EWOULDBLOCK/ });
      await b.lock(0, 'w', 0, 10);
      await a.flock(0, 'u');
      await b.flock(0, 'w');
    });
    prove('locks-at-the-server', device.trace.counter.of('SETLK') + device.trace.counter.of('SETLKW'));
  },
});
