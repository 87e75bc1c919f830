// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fuselage } from './testing.ts';
import { resultsSchema, type Results } from '../results/schema.ts';

let root: string;
let source: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  source = (await fuselage(['fetch', '6.12'])).stdout.trim();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A patch that puts `text` before `anchor`. */
function insert(name: string, file: string, anchor: string, text: string): string {
  const before = readFileSync(join(source, file), 'utf8');
  expect(before).toContain(anchor);
  const path = join(root, name);
  writeFileSync(path, createTwoFilesPatch(`a/${file}`, `b/${file}`, before, before.replace(anchor, `${text}${anchor}`)).replace(/^=+\n/, ''));
  return path;
}

const intoFuseInit = (name: string, line: string): string => insert(name, 'fs/fuse/inode.c', '\tpr_info("init (API version', `\t${line}\n`);

const check = async (args: readonly string[]): Promise<{ code: number | null; stderr: string; results: Results }> => {
  const { code, stdout, stderr } = await fuselage(['check', '--tree', '6.12', '--json', ...args]);
  // Without results, what it says on stderr is the only trace of why.
  if (stdout === '') throw new Error(`check ended with ${code} and no results:\n${stderr}`);
  return { code, stderr, results: resultsSchema.parse(JSON.parse(stdout)) };
};

describe('check', () => {
  it('a good series is clean and exits 0', async () => {
    const { code, results } = await check(['--series', 'patches/worker-batching', '--share', 'virtiofs', '--share', 'ext4']);
    expect(results.check).toMatchObject({ verdict: 'clean', rows: [] });
    expect(results.check?.sameRows).toBeGreaterThan(200);
    expect(code).toBe(0);
  });

  it('a mutant is regressed, exits 1 and names the case, the subtest and how to see it again', async () => {
    const { code, results } = await check(['--series', 'patches/mutants/rename-exchange-ignored', '--share', 'virtiofs', 'posix/rename']);
    expect(code).toBe(1);
    expect(results.check?.verdict).toBe('regressed');
    expect(results.check?.claims).toEqual([{ text: 'caught by posix/rename on virtiofs', state: 'held' }]);
    expect(results.check?.rows.filter((row) => row.class === 'regressed').map(({ name, subtest, reproduce }) => ({ name, subtest, reproduce }))).toContainEqual({
      name: 'posix/rename',
      subtest: 'RENAME_EXCHANGE swaps two files',
      reproduce: 'fuselage check --tree 6.12 --series patches/mutants/rename-exchange-ignored --share virtiofs posix/rename',
    });
  });

  it('the batching series: eight requests where there were eighty, as its manifest promises', async () => {
    const { code, results } = await check(['--series', 'patches/worker-batching', '--share', 'device-dax', 'dax-reclaim/stream']);
    const row = results.check?.counters.find(({ counter }) => counter === 'REMOVEMAPPING by the worker');
    expect(row).toMatchObject({ base: 80, patched: 8, rule: 'fewer', allowed: true });
    expect(results.check?.claims.map(({ state }) => state)).toEqual(['held']);
    expect(code).toBe(0);
  });

  it('a kernel that panics early is a regression of the boot, and no case vanishes', async () => {
    const { code, results } = await check(['--series', intoFuseInit('panic.patch', 'panic("made to panic early");'), '--share', 'tmpfs', 'posix/link', 'posix/times']);
    expect(code).toBe(1);
    const patched = results.cases.filter((one) => one.kernel === 1).map(({ name, status, reason }) => `${name} ${status}: ${reason ?? ''}`);
    expect(patched).toEqual([
      'guest/boot crash: does not boot: kernel panic: made to panic early',
      'posix/link not-exercised: the guest did not boot',
      'posix/times not-exercised: the guest did not boot',
    ]);
  });

  it('a share that the patched kernel no longer mounts is a regression, and no failure of the machinery', async () => {
    const patch = insert('mount.patch', 'fs/fuse/virtio_fs.c', '\tif (!fsc->source)\n\t\treturn invalf(fsc, "No source specified");', '\tif (fsc)\n\t\treturn -EINVAL;\n\n');
    const { code, results } = await check(['--series', patch, '--share', 'virtiofs', 'posix/link']);
    expect(results.infrastructure).toEqual([]);
    expect(results.cases.filter((one) => one.kernel === 1).map(({ name, status, reason }) => `${name} ${status}: ${reason ?? ''}`)).toEqual([
      expect.stringMatching(/^guest\/boot fail: virtiofs is not mounted: .*Invalid argument/) as string,
      'posix/link not-exercised: the share was not mounted',
    ]);
    expect(code).toBe(1);
  });

  it('a series whose first patch does not compile alone is caught, and the patch named; new warnings are told', async () => {
    const uses = insert('uses.patch', 'fs/fuse/inode.c', '\tpr_info("init (API version', '\tpr_info("%d\\n", FUSE_TOLD_LATER);\n');
    const tells = insert('tells.patch', 'fs/fuse/fuse_i.h', '#define FUSE_DEFAULT_MAX_PAGES_PER_REQ', '#define FUSE_TOLD_LATER 7\nstatic int fuse_nobody_calls_this(void)\n{\n\treturn 0;\n}\n');
    const { code, results } = await check(['--series', uses, '--series', tells, '--share', 'tmpfs', 'posix/link']);
    expect(results.check?.patches).toMatchObject([
      { title: 'uses.patch', builds: false, error: expect.stringMatching(/fs\/fuse\/inode\.c:\d+:\d+: error: .*FUSE_TOLD_LATER/) as string },
      { title: 'tells.patch', builds: true, symbols: { added: [], lost: [] } },
    ]);
    expect(results.check?.patches[1]?.warnings).toContainEqual(expect.stringMatching(/^fs\/fuse\/fuse_i\.h: .*fuse_nobody_calls_this.* defined but not used/));
    expect(results.check?.rows).toEqual([]);
    expect([code, results.check?.verdict]).toEqual([1, 'regressed']);
  });

  it('a series that does not compile: exit 1, with file, line and what the compiler says', async () => {
    const { code, stderr } = await fuselage(['check', '--tree', '6.12', '--series', intoFuseInit('error.patch', 'this is no C;'), '--share', 'tmpfs', 'posix/link']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^fuselage: Linux 6\.12\S* \+ error\.patch \(fast\) does not build: fs\/fuse\/inode\.c:\d+:\d+: error: /m);
  });
});
