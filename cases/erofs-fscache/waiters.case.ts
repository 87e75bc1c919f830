// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, SECOND, waits } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const CHUNK = 1024 * 1024;
const READERS = 8;
const BLOB = 'chunked.blob';

export default defineCase({
  title: 'many processes miss at once: the same page is asked for once and wakes all, other pages are asked for side by side',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('readers-woken', 2 * READERS), counted('readers-killed', 1)],
  wire: { 'reads of one page by eight processes': 'same' },
  run: async ({ erofs, guest, subtest, prove, counter }) => {
    const daemon = await erofs.startDaemon();
    await erofs.mount('chunked');
    let go: () => void = () => undefined;
    const hold = () => {
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      daemon.behaviour = {
        read: async (request) => {
          await gate;
          await daemon.serveRead(request);
        },
      };
    };
    const readers = async () => {
      const actors = await Promise.all(Array.from({ length: READERS }, () => guest.actor()));
      for (const actor of actors) await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      return actors;
    };
    await subtest(`${READERS} processes read the same page`, async () => {
      const actors = await readers();
      const clock = await guest.actor();
      hold();
      const before = daemon.of('read', BLOB).length;
      const reading = actors.map((actor) => actor.sum(0, 0, PAGE));
      await daemon.until(() => daemon.of('read', BLOB).length > before);
      for (const one of reading) assert.ok(await waits(one, () => clock.stat('/')));
      const asked = daemon.of('read', BLOB).slice(before);
      go();
      const contents = await Promise.all(reading);
      prove('readers-woken', contents.length);
      for (const content of contents) assert.equal(content, contents[0]);
      counter('reads of one page by eight processes', asked.length);
      assert.equal(asked.length, 1);
    });
    await subtest(`${READERS} processes read a page each, of one file or the other: all questions are there before the first answer`, async () => {
      const actors = await readers();
      hold();
      const before = daemon.of('read', BLOB).length;
      // Half a chunk apart: beyond what readahead of another reader takes along.
      const reading = actors.map((actor, index) => actor.sum(0, CHUNK / 2 + (index * CHUNK) / 2, PAGE));
      await daemon.until(() => daemon.of('read', BLOB).length >= before + READERS);
      go();
      prove('readers-woken', (await Promise.all(reading)).length);
    });
    await subtest('SIGKILL ends one that waits, and the others get their bytes', async () => {
      const [victim, other] = [await guest.actor(), await guest.actor()];
      for (const actor of [victim, other]) await actor.open(0, `/mnt/share/${SECOND.path}`, 'r');
      const pid = await victim.pid();
      hold();
      const before = daemon.of('read', BLOB).length;
      const killed = victim.sum(0, 0, PAGE).catch(() => undefined);
      await daemon.until(() => daemon.of('read', BLOB).length > before);
      const reading = other.sum(0, CHUNK + CHUNK / 2, PAGE);
      await daemon.until(() => daemon.of('read', BLOB).length > before + 1);
      await guest.run(['kill', '-KILL', String(pid)]);
      await killed;
      go();
      assert.ok((await reading) > 0);
      prove('readers-killed');
    });
    daemon.behaviour = {};
    await subtest('and what everybody has read is right', async () => {
      daemon.answerBytes = CHUNK;
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
    });
  },
});
