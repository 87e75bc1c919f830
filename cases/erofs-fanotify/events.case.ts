// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, waits } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const MIB = 1024 * 1024;
/** What FAN_DENY_ERRNO() takes (fanotify_user.c), by number; each must reach who reads the marked file. */
const ERRNOS = [['EIO', 5], ['EBUSY', 16], ['ENOSPC', 28]] as const;

export default defineCase({
  title: 'pre-content events on the backing file: a read waits for its range, a refusal reaches the reader, a dead listener stops nobody',
  needs: ['pre-content', 'erofs'],
  proof: [counted('events', 2), counted('refusals', 2 * ERRNOS.length), counted('readers-released', 2)],
  timeoutSeconds: 20,
  run: async ({ erofs, guest, subtest, prove }) => {
    // Marked before it is mounted: EROFS opens it then, and files opened before have no mark (facts of 6.14 on).
    const { listener, path } = await erofs.startListener('plain.img');
    await erofs.mount('plain', { file: path });
    const reader = async () => {
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      return actor;
    };

    await subtest('a first read asks for a range that has its bytes, and gets them', async () => {
      const before = listener.events.length;
      const actor = await reader();
      assert.equal(await actor.sum(0, 0, PAGE), erofs.sumOf(LARGE, 0, PAGE));
      prove('events', listener.events.length - before);
      assert.ok(listener.events.length > before);
    });
    await subtest('again from the page cache: no event', async () => {
      const actor = await reader();
      const before = listener.events.length;
      assert.equal(await actor.sum(0, 0, PAGE), erofs.sumOf(LARGE, 0, PAGE));
      assert.equal(listener.events.length, before);
    });
    await subtest('after drop_caches: an event, and nothing to fetch', async () => {
      await erofs.dropCaches();
      const [events, filled] = [listener.events.length, listener.filledBytes];
      const actor = await reader();
      assert.equal(await actor.sum(0, 0, PAGE), erofs.sumOf(LARGE, 0, PAGE));
      prove('events', listener.events.length - events);
      assert.ok(listener.events.length > events);
      assert.equal(listener.filledBytes, filled);
    });
    await subtest('a reader waits until it is allowed', async () => {
      let go: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      listener.behaviour = async (event) => {
        await gate;
        await listener.fill(event);
        await listener.allow(event);
      };
      const [actor, clock] = [await reader(), await guest.actor()];
      const before = listener.events.length;
      const reading = actor.sum(0, MIB, PAGE);
      await listener.until(() => listener.events.length > before);
      assert.ok(await waits(reading, () => clock.stat('/')));
      go();
      assert.equal(await reading, erofs.sumOf(LARGE, MIB, PAGE));
      prove('readers-released');
      listener.behaviour = undefined;
    });
    for (const [index, [name, number]] of ERRNOS.entries()) {
      await subtest(`refused with ${name}: so it is told to who reads the file itself, and EIO to who reads it through EROFS`, async () => {
        const [actor, direct] = [await reader(), await guest.actor()];
        await direct.open(0, path, 'r');
        listener.behaviour = (event) => {
          prove('refusals');
          return listener.deny(event, number);
        };
        const offset = 2 * MIB + (index * MIB) / 4;
        await assert.rejects(direct.sum(0, 12 * MIB, PAGE), { errno: name });
        // A folio that could not be read has no more to say than that (filemap_read_folio()).
        await assert.rejects(actor.sum(0, offset, PAGE), { errno: 'EIO' });
        // Nothing of it may stay: allowed, the same page is read.
        listener.behaviour = undefined;
        assert.equal(await actor.sum(0, offset, PAGE), erofs.sumOf(LARGE, offset, PAGE));
      });
    }
    await subtest('the listener dies: who waits goes on, with what is there', async () => {
      const actor = await reader();
      const before = listener.events.length;
      listener.behaviour = () => new Promise<void>(() => undefined);
      const reading = actor.sum(0, 3 * MIB + MIB / 2, PAGE).then(() => 'ended', () => 'ended');
      await listener.until(() => listener.events.length > before);
      await listener.die();
      assert.equal(await reading, 'ended');
      prove('readers-released');
    });
  },
});
