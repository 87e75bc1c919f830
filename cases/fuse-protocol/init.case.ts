// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

/** Offered by every kernel from 6.1 on (fuse_new_init(), fs/fuse/inode.c). */
const ALWAYS_OFFERED = ['INIT_EXT', 'PARALLEL_DIROPS', 'MAX_PAGES', 'POSIX_ACL', 'HANDLE_KILLPRIV_V2', 'SETXATTR_EXT', 'DO_READDIRPLUS'] as const;

export default defineCase({
  title: 'INIT: what the kernel offers in each dax mode, and how it takes the answers',
  needs: ['dax-window'],
  proof: [mounted(), counted('inits', 6)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const { session } = device;
    const usual = session.options;
    const inits = device.script.watch({ op: 'INIT' });
    const remounted = async (options?: string) => {
      await guest.remount(options);
    };

    await subtest('protocol 7.38 or newer, and what every kernel offers', async () => {
      await remounted();
      assert.ok(session.minor >= 38 && session.minor <= 46, `7.${session.minor}`);
      for (const flag of ALWAYS_OFFERED) assert.ok(session.offered.has(flag), flag);
    });
    await subtest('a window makes the kernel offer MAP_ALIGNMENT', () => {
      assert.ok(session.offered.has('MAP_ALIGNMENT'));
    });
    await subtest('HAS_INODE_DAX is offered where inodes decide: dax=inode and no option, not with dax=always', async () => {
      for (const [options, offered] of [['rw,dax=inode', true], ['rw', true], ['rw,dax=always', false], ['rw,dax=never', false]] as const) {
        await remounted(options);
        assert.equal(session.offered.has('HAS_INODE_DAX'), offered, options);
      }
      await remounted();
    });
    await subtest('a mapping alignment of a range is taken, a larger one ends the connection', async () => {
      const works = async (shift: number) => {
        session.configure({ mapAlignmentShift: shift });
        await guest.remount();
        const listed = await guest.run(['ls', '/mnt/share']);
        session.configure(usual);
        return listed.code === 0;
      };
      assert.equal(await works(12), true);
      assert.equal(await works(21), true);
      assert.equal(await works(22), false);
      await remounted();
    });
    await subtest('without INIT_EXT the second word of flags counts for nothing', async () => {
      // INIT's reply as a whole, with HAS_INODE_DAX in flags2 and INIT_EXT taken out of flags.
      const rule = device.script.on(
        { op: 'INIT' },
        {
          kind: 'rewrite',
          reply: (bytes) => {
            bytes.writeUInt32LE((bytes.readUInt32LE(16 + 12) & ~(1 << 30)) >>> 0, 16 + 12);
            bytes.writeUInt32LE(1 << 1, 16 + 32);
            return bytes;
          },
        },
      );
      device.store.writeFile(`${share.storeDirectory}/marked`, Buffer.alloc(4096, 0x61));
      await remounted('rw,dax=inode');
      rule.remove();
      const setups = device.script.watch({ op: 'SETUPMAPPING' });
      const actor = await guest.actor();
      await actor.open(0, `${share.guestDirectory}/marked`, 'r');
      assert.deepEqual(await actor.pread(0, 0, 4096), [[0x61, 4096]]);
      assert.equal(setups.arrivals.length, 0, 'the file was mapped: flags2 was believed');
      await actor.end();
      await remounted();
    });
    prove('inits', inits.arrivals.length);
  },
});
