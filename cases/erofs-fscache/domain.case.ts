// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

/** Two container images on one base layer; the layer is a blob of its own, named by the device tables of both. */
export default defineCase({
  title: 'two images with one domain_id share the blobs that they have in common; without it each fetches its own',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('images-compared', 4)],
  wire: { 'opens of the base layer, one domain': 'same', 'opens of the base layer, no domain': 'same' },
  run: async ({ erofs, subtest, prove, counter }) => {
    const base = (await erofs.tagOf('merged-one', 0));
    const both = async (cache: string, domain: string | undefined) => {
      const daemon = await erofs.startDaemon({ cache: `${erofs.directory}/${cache}` });
      for (const [name, at] of [['merged-one', '/mnt/one'], ['merged-two', '/mnt/two']] as const) {
        await erofs.mount(name, { at, ...(domain === undefined ? {} : { domain }) });
        assert.deepEqual((await erofs.compare(name, at)).differences, []);
        prove('images-compared');
      }
      // The first goes, the second still has the layer.
      await erofs.umount('/mnt/one');
      await erofs.dropCaches();
      assert.deepEqual((await erofs.compare('merged-two', '/mnt/two')).differences, []);
      await erofs.umount('/mnt/two');
      assert.deepEqual(daemon.problems, []);
      const opens = daemon.of('open', base);
      const bytes = daemon.of('read', base).reduce((sum, { length }) => sum + length, 0);
      await daemon.end();
      return { opens, bytes };
    };
    await subtest('one domain: the base layer is opened once and fetched once', async () => {
      const { opens, bytes } = await both('shared', 'containers');
      counter('opens of the base layer, one domain', opens.length);
      assert.deepEqual(opens.map(({ volume }) => volume), ['erofs,containers']);
      assert.ok(bytes <= erofs.sizeOf('layer-base.img'), `${bytes} bytes`);
    });
    await subtest('no domain: each image has a volume of its own, and the layer twice', async () => {
      const { opens, bytes } = await both('apart', undefined);
      counter('opens of the base layer, no domain', opens.length);
      assert.deepEqual(opens.map(({ volume }) => volume), ['erofs,merged-one.img', 'erofs,merged-two.img']);
      assert.ok(bytes > erofs.sizeOf('layer-base.img'), `${bytes} bytes`);
    });
  },
});
