// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprint, normalise, scanKernelLog } from './kernel-log.ts';

const TESTDATA = join(import.meta.dirname, 'testdata');
const logs = readdirSync(TESTDATA).filter((name) => name.endsWith('.log'));

describe('golden kernel logs', () => {
  it('there are some', () => {
    expect(logs.length).toBeGreaterThan(8);
  });

  it.each(logs)('%s', async (name) => {
    const found = scanKernelLog(readFileSync(join(TESTDATA, name), 'utf8')).map(({ kind, title, lines, fingerprint: print }) => ({ kind, title, lines: lines.length, fingerprint: print }));
    await expect(`${JSON.stringify(found, undefined, 2)}\n`).toMatchFileSnapshot(join(TESTDATA, name.replace('.log', '.json')));
  });

  it('every log but the clean one holds a splat', () => {
    for (const name of logs) expect(scanKernelLog(readFileSync(join(TESTDATA, name), 'utf8')).length > 0, name).toBe(!name.startsWith('clean'));
  });
});

describe('fingerprint', () => {
  const oops = (address: string, offset: string, pid: number, seconds: string) =>
    scanKernelLog(
      [
        `[  ${seconds}] BUG: kernel NULL pointer dereference, address: ${address}`,
        `[  ${seconds}] CPU: 1 UID: 0 PID: ${pid} Comm: rename Not tainted 6.12.107 #1`,
        `[  ${seconds}] RIP: 0010:fuse_rename_common+0x${offset}/0x210`,
        `[  ${seconds}]  ? __die_body+0x1a/0x60`,
        `[  ${seconds}]  fuse_rename2+0x${offset}/0xd0`,
        `[  ${seconds}]  vfs_rename+0x8a4/0x1130`,
        `[  ${seconds}] ---[ end Kernel panic - not syncing: Fatal exception ]---`,
      ].join('\n'),
    );

  it('does not depend on addresses, offsets, process ids or times', () => {
    const [one] = oops('0000000000000008', '1f', 123, '12.345678');
    const [other] = oops('0000000000000010', '2a', 4567, '99.000001');
    expect(one?.fingerprint).toBe(other?.fingerprint);
    expect(one?.fingerprint).toMatch(/^[0-9a-f]{12}$/);
  });

  it('tells functions apart', () => {
    expect(fingerprint('oops', 'x', ['RIP: 0010:fuse_a+0x1/0x2'])).not.toBe(fingerprint('oops', 'x', ['RIP: 0010:fuse_b+0x1/0x2']));
  });

  it('ignores what the compiler adds to a name', () => {
    expect(fingerprint('oops', 'x', ['RIP: 0010:fuse_a.isra.0+0x1/0x2'])).toBe(fingerprint('oops', 'x', ['RIP: 0010:fuse_a+0x1/0x2']));
  });

  it('normalises titles', () => {
    expect(normalise('fs/fuse/dax.c:123 fuse_dax_fault+0x12/0x40')).toBe(normalise('fs/fuse/dax.c:321 fuse_dax_fault+0x99/0x50'));
    expect(normalise('unable to handle page fault for address: ffff888012345678')).toBe('unable to handle page fault for address: ADDR');
  });
});
