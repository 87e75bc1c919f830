// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const MIB = 1024 * 1024;
const READERS = 4;

/** cachefiles_ondemand_restore() (fs/cachefiles/ondemand.c): somebody kept the device open, and a new daemon takes over. */
export default defineCase({
  title: 'the daemon dies with requests in flight, a supervisor keeps the device: after restore nobody sees wrong data or waits for ever',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('deaths', 3), counted('requests-asked-again', READERS + 1)],
  timeoutSeconds: 20,
  run: async ({ erofs, guest, subtest, prove }) => {
    const daemon = await erofs.startDaemon({ supervised: true });
    const failOver = async () => {
      const before = daemon.deaths;
      daemon.die();
      await daemon.until(() => daemon.deaths > before);
      prove('deaths');
      daemon.behaviour = {};
      await daemon.command('restore');
      await daemon.listen(1);
    };
    await subtest('while OPEN waits: it is asked again, and the mount succeeds', async () => {
      daemon.behaviour = { open: () => Promise.resolve() };
      const mounting = erofs.mount('chunked');
      mounting.catch(() => undefined);
      await daemon.until(() => daemon.count('opens') === 1);
      await failOver();
      await mounting;
      prove('requests-asked-again', daemon.of('open', 'chunked.img').length - 1);
    });
    await subtest(`while ${READERS} READs wait: objects are opened again, READs are asked again, every reader gets its bytes`, async () => {
      const actors = await Promise.all(Array.from({ length: READERS }, () => guest.actor()));
      for (const actor of actors) await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      daemon.behaviour = { read: () => Promise.resolve() };
      const before = daemon.of('read', 'chunked.blob').length;
      const reading = actors.map((actor, index) => actor.sum(0, index * MIB + MIB / 2, PAGE));
      await daemon.until(() => daemon.of('read', 'chunked.blob').length >= before + READERS);
      const opens = daemon.of('open', 'chunked.blob').length;
      const first = daemon.of('read', 'chunked.blob').slice(before);
      await failOver();
      for (const content of await Promise.all(reading)) assert.ok(content > 0);
      assert.equal(daemon.of('open', 'chunked.blob').length, opens + 1);
      const again = daemon.of('read', 'chunked.blob').slice(before + READERS);
      prove('requests-asked-again', again.length);
      assert.deepEqual(again.map(({ offset }) => offset).sort(), first.map(({ offset }) => offset).sort());
    });
    await subtest('with nothing in flight: the next miss opens its object again', async () => {
      await failOver();
      daemon.answerBytes = MIB;
      const opens = daemon.of('open', 'chunked.blob').length;
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
      assert.equal(daemon.of('open', 'chunked.blob').length, opens + 1);
      assert.deepEqual(daemon.problems, []);
    });
  },
});
