// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, SUPER_FIELDS, type SuperField } from '../../harness/suite/define-case.ts';

/** A value for each field that must not be believed, and whether the mount itself must already fail. */
const FIELDS: readonly (readonly [SuperField, number, 'no mount' | 'anything sane'])[] = [
  ['magic', 0, 'no mount'],
  ['checksum', 0x12345678, 'no mount'],
  ['blkszbits', 0, 'no mount'],
  ['blkszbits', 40, 'no mount'],
  ['feature_incompat', 0x8000_0000, 'no mount'],
  ['root_nid', 0xffff, 'no mount'],
  ['meta_blkaddr', 0xffff_fff0, 'no mount'],
  ['xattr_blkaddr', 0xffff_fff0, 'anything sane'],
  ['inos', 0xffff_ffff, 'anything sane'],
  ['blocks', 0, 'anything sane'],
  ['extra_devices', 0xffff, 'no mount'],
  ['devt_slotoff', 0xffff, 'anything sane'],
  ['dirblkbits', 9, 'no mount'],
  ['sb_extslots', 255, 'anything sane'],
];
export default defineCase({
  title: 'an image that is cut short, or no image, or has a field of its super block wrong: an errno, no splat, no hang',
  needs: ['erofs'],
  proof: [counted('corrupt-images', FIELDS.length + 5)],
  timeoutSeconds: 40,
  run: async ({ erofs, guest, subtest, prove }) => {
    /** Mounts if that goes, walks everything, reads everything: whatever comes of it must end. */
    const walk = async (file: string, mountMustFail: boolean) => {
      prove('corrupt-images');
      const mounted = await erofs.mount('chunked', { file }).then(() => true, (error: unknown) => {
        assert.match((error as { readonly errno?: string }).errno ?? String(error), /^E[A-Z]+$/);
        return false;
      });
      if (mountMustFail) assert.equal(mounted, false, 'it was mounted');
      if (!mounted) return;
      // A fifo would wait for a writer.
      await guest.run(['sh', '-c', 'find /mnt/share -type f | head -n 5 | while read -r f; do stat "$f"; head -c 20000 "$f"; done']);
      await erofs.umount();
    };
    for (const [field, value, expectation] of FIELDS) {
      await subtest(`${field} ${value}`, async () => {
        const { offset, width } = SUPER_FIELDS[field];
        const file = await erofs.corrupt('chunked.img', (write) => write(offset, width, value), { keepChecksum: field === 'checksum' });
        await walk(file, expectation === 'no mount');
      });
    }
    for (const [what, bytes] of [['nothing', 0], ['its boot block', 1_024], ['half its super block', 1_060]] as const) {
      await subtest(`cut after ${what}`, async () => {
        await walk(await erofs.corrupt('chunked.img', () => Promise.resolve(), { sizeBytes: bytes }), true);
      });
    }
    await subtest('cut after its first block: what lies behind is an error', async () => {
      const file = await erofs.corrupt('chunked.img', () => Promise.resolve(), { sizeBytes: 4_096 });
      await walk(file, false);
    });
    await subtest('ext4 instead of EROFS', async () => {
      await walk(await erofs.corrupt('chunked.img', (write) => write(SUPER_FIELDS.magic.offset, 4, 0xef53)), true);
    });
    await subtest('and a good image is mounted and read', async () => {
      await erofs.mount('chunked');
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      assert.equal(await actor.sum(0, 0, 4_096), erofs.sumOf(LARGE, 0, 4_096));
    });
  },
});
