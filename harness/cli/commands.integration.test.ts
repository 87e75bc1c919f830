// SPDX-License-Identifier: GPL-2.0-only
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resultsSchema } from '../results/schema.ts';
import { fuselage, Invocation, processes } from './testing.ts';

it('doctor examines everything, and what it prints with --json is one document', async () => {
  const { code, stdout } = await fuselage(['doctor', '--json']);
  const { findings } = JSON.parse(stdout) as { findings: { what: string; state: string; found: string }[] };
  expect(findings.map(({ what }) => what)).toEqual(['node', 'packages', 'compiler', 'disk', 'caches', 'qemu', 'accelerator']);
  expect(findings.filter(({ state }) => state === 'missing')).toEqual([]);
  expect(findings.find(({ what }) => what === 'qemu')?.found).toMatch(/^\d+\.\d+\.\d+.*SHMEM/);
  expect(code).toBe(0);
});

it('list knows cases, shares, flavors and series', async () => {
  const { code, stdout } = await fuselage(['list', '--json']);
  const listed = JSON.parse(stdout) as Record<string, { name: string }[]>;
  expect(code).toBe(0);
  expect(listed['cases']?.map(({ name }) => name)).toContain('posix/rename');
  expect(listed['shares']?.map(({ name }) => name)).toContain('virtiofs');
  expect(listed['series']?.map(({ name }) => name)).toContain('patches/worker-batching');
});

it('shell: commands run in the guest with the share mounted, and leaving it leaves nothing', async () => {
  const shell = new Invocation(['shell', '--share', 'virtiofs'], {}, 'grep /mnt/share /proc/mounts\nexit\n');
  const { code, stdout } = await shell.ended;
  expect(stdout).toMatch(/share \/mnt\/share virtiofs rw/);
  expect(code).toBe(0);
  expect(processes(/fuselage-(vm|fs)/)).toEqual([]);
});

it('a case that asks for fio has it in the guest', async () => {
  const fixtures = join(import.meta.dirname, '../suite/testdata/cases');
  const { stdout } = await fuselage(['run', '--share', 'ext4', '--cases', fixtures, '--json', 'tools/fio']);
  expect(resultsSchema.parse(JSON.parse(stdout)).cases.map(({ name, status, reason }) => `${name} ${status} ${reason ?? ''}`)).toContain('tools/fio pass ');
});
