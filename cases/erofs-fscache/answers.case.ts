// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, SECOND, waits, type ReadRequest } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const MIB = 1024 * 1024;
const BLOB = 'chunked.blob';

/** What a daemon can do wrong; the kernel must neither believe it nor fall over it (fs/cachefiles/ondemand.c). */
export default defineCase({
  title: 'wrong, stale, short and empty answers: refused or harmless, and the reader gets its bytes or an error',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('wrong-answers', 14)],
  timeoutSeconds: 20,
  run: async ({ erofs, guest, subtest, prove }) => {
    const daemon = await erofs.startDaemon();
    const wrong = async (answer: Promise<void>, errno: RegExp) => {
      prove('wrong-answers');
      await assert.rejects(answer, { errno });
    };
    await subtest('copen with ids that are none, with a size that is none, twice', async () => {
      daemon.behaviour = {
        open: async (request) => {
          for (const text of ['copen 77777,4096', `copen ${request.id}`, 'copen ,1', 'copen x,1', 'copen']) await wrong(daemon.command(text), /EINVAL/);
          await daemon.serveOpen(request);
          await wrong(daemon.copen(request, 4_096), /EINVAL/);
        },
      };
      await erofs.mount('chunked');
      assert.equal(daemon.count('opens'), 2);
    });
    await subtest('copen with a size that is no number fails that OPEN', async () => {
      daemon.behaviour = {
        open: async (request) => {
          await wrong(daemon.command(`copen ${request.id},many`), /EINVAL/);
          await daemon.closeFd(request.fd);
        },
      };
      await assert.rejects(erofs.mount('plain', { at: '/mnt/plain' }), { errno: /^E/ });
    });
    await subtest('the fd closed before copen: that OPEN fails', async () => {
      daemon.behaviour = {
        open: async (request) => {
          await daemon.closeFd(request.fd);
          prove('wrong-answers');
          await daemon.copen(request, 16 * MIB).catch(() => undefined);
        },
      };
      await assert.rejects(erofs.mount('plain', { at: '/mnt/plain' }), { errno: /^E/ });
    });

    const reader = async (path: string) => {
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${path}`, 'r');
      return actor;
    };
    const requests: ReadRequest[] = [];
    await subtest('cread with an id that is none, with another object\'s fd, of a request that is none: the reader waits on, and gets its bytes', async () => {
      const [actor, clock] = [await reader(LARGE.path), await guest.actor()];
      daemon.behaviour = { read: (request) => Promise.resolve(void requests.push(request)) };
      const reading = actor.sum(0, 0, PAGE);
      await daemon.until(() => requests.length > 0);
      const [request] = requests;
      assert.ok(request !== undefined);
      const other = daemon.of('open', 'chunked.img')[0];
      assert.ok(other !== undefined);
      await daemon.fetch(request, request.offset, request.length);
      await wrong(daemon.cread({ id: request.id + 1_000, fd: request.fd }), /EINVAL/);
      await wrong(daemon.cread({ id: request.id, fd: other.fd }), /EINVAL/);
      await wrong(daemon.copen(request, 4_096), /EINVAL/);
      assert.ok(await waits(reading, () => clock.stat('/')));
      daemon.behaviour = {};
      await daemon.cread(request);
      assert.ok((await reading) > 0);
      await wrong(daemon.cread(request), /EINVAL/);
    });
    await subtest('READ completed without data: an error, and no zeros', async () => {
      const actor = await reader(LARGE.path);
      daemon.behaviour = {
        read: async (request) => {
          prove('wrong-answers');
          await daemon.cread(request);
        },
      };
      await assert.rejects(actor.sum(0, MIB, PAGE), { errno: 'EIO' });
      daemon.behaviour = {};
      assert.ok((await actor.sum(0, MIB, PAGE)) > 0);
    });
    await subtest('READ answered a page at a time: asked for again until it is there', async () => {
      const actor = await reader(SECOND.path);
      const before = daemon.of('read', BLOB).length;
      daemon.behaviour = {
        read: async (request) => {
          prove('wrong-answers');
          await daemon.fetch(request, request.offset, PAGE);
          await daemon.cread(request);
        },
      };
      assert.ok((await actor.sum(0, 0, 4 * PAGE)) > 0);
      assert.ok(daemon.of('read', BLOB).length - before >= 4, 'the first answer was enough');
      daemon.behaviour = {};
    });
    await subtest('commands that make no sense now are refused', async () => {
      for (const text of ['bind ondemand', 'dir /cache', 'nonsense', `copen ${'9'.repeat(40)},1`, 'cull x', 'bind', 'tag x', 'secctx x']) {
        prove('wrong-answers');
        await assert.rejects(daemon.command(text), { errno: /^E/ }, text);
      }
    });
    await subtest('a second opener of the device is refused', async () => {
      await assert.rejects(erofs.openDaemon(), { errno: 'EBUSY' });
    });
    await subtest('after all that every byte is right', async () => {
      daemon.answerBytes = MIB;
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
      assert.deepEqual(daemon.problems, []);
    });
  },
});
