// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultsSchema, type Results } from '../results/schema.ts';
import { fuselage, Invocation, processes, temporaryDirectories } from './testing.ts';

const FIXTURES = join(import.meta.dirname, '../suite/testdata/cases');

/** What is built here was never built before. */
const unique = `fuselage-test ${process.pid} ${Date.now()}`;

let root: string;
let source: string;
let build: { id: string; bzImage: string };

/** A patch to the 6.12 source that replaces `from` by `to` in one file. */
function patchTo(name: string, file: string, from: string, to: string): string {
  const before = readFileSync(join(source, file), 'utf8');
  if (!before.includes(from)) throw new Error(`${file} does not hold ${from}`);
  const path = join(root, name);
  writeFileSync(path, createTwoFilesPatch(`a/${file}`, `b/${file}`, before, before.replace(from, to)).replace(/^=+\n/, ''));
  return path;
}

/** Takes a build out of the cache again: nobody will ask for it twice. */
function forget(stdout: string): { id: string; cached: boolean; bzImage: string } {
  const made = JSON.parse(stdout) as { id: string; cached: boolean; bzImage: string };
  rmSync(dirname(made.bzImage), { recursive: true, force: true });
  return made;
}

/** The last line that the program says of itself; everything before it is progress. */
const complaint = (stderr: string): string => stderr.split('\n').find((line) => line.startsWith('fuselage: ')) ?? '';

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  source = (await fuselage(['fetch', '6.12'])).stdout.trim();
  const built = await fuselage(['build', '--tree', '6.12', '--json']);
  expect(built.stderr).not.toContain('fuselage: ');
  build = JSON.parse(built.stdout) as typeof build;
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('bad input: one clear line and exit code 2', () => {
  it('a tree that is no kernel', async () => {
    const { code, stderr } = await fuselage(['build', '--tree', root]);
    expect(code).toBe(2);
    expect(complaint(stderr)).toMatch(/is no Linux kernel source .*; point --tree at the top directory/);
  });

  it('a series that does not apply', async () => {
    const patch = patchTo('hunk.patch', 'fs/fuse/dir.c', '#include "fuse_i.h"', '#include "fuse_other.h"');
    writeFileSync(patch, readFileSync(patch, 'utf8').replaceAll('#include "fuse_i.h"', '#include "fuse_was_never_here.h"'));
    const { code, stderr, stdout } = await fuselage(['build', '--tree', '6.12', '--series', patch]);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(complaint(stderr)).toMatch(/patch 1 of 1 \(hunk\.patch\) does not apply to Linux 6\.12.*: fs\/fuse\/dir\.c hunk 1/);
    expect(stderr).toContain('-#include "fuse_was_never_here.h"');
  });

  it('a config symbol that can not be set', async () => {
    const fragment = join(root, 'usb.config');
    writeFileSync(fragment, 'CONFIG_USB_STORAGE=y\nCONFIG_NO_SUCH_SYMBOL=y\n');
    const { code, stderr } = await fuselage(['build', '--tree', '6.12', '--config', fragment]);
    expect(code).toBe(2);
    expect(complaint(stderr)).toMatch(/CONFIG_USB_STORAGE=y \(drivers\/usb\/storage\/Kconfig: depends on .*SCSI/);
    expect(complaint(stderr)).toContain('CONFIG_NO_SUCH_SYMBOL=y (no Kconfig file of this tree defines it)');
  });

  it.each([
    [['run', '--share', 'nfs'], /no share nfs; use one of virtiofs/],
    [['run', 'posix/nothing'], /no case matches posix\/nothing; `fuselage list`/],
    [['run', '--kernel', 'no-such'], /no kernel no-such/],
    [['check', '--tree', '6.12'], /nothing to check; give --series or --range/],
  ])('%j', async (args, expected) => {
    const { code, stderr } = await fuselage(args);
    expect(code).toBe(2);
    expect(complaint(stderr)).toMatch(expected);
  });

  it('an unknown option is wrong usage, and --help is none', async () => {
    expect((await fuselage(['run', '--nonsense'])).code).toBe(2);
    for (const command of ['start', 'setup', 'doctor', 'fetch', 'build', 'run', 'check', 'shell', 'list']) expect((await fuselage([command, '--help'])).code, command).toBe(0);
  });
});

describe('infrastructure failures: exit code 3, never 1', () => {
  it('no network', async () => {
    const { code, stderr } = await fuselage(['fetch', '6.12'], { FUSELAGE_CACHE: join(root, 'offline'), FUSELAGE_MIRROR: 'http://127.0.0.1:9/debian' });
    expect(code).toBe(3);
    expect(complaint(stderr)).toMatch(/apt can not fetch .*; check the network or set FUSELAGE_MIRROR/);
  });

  it('a full disk under the cache, and one under --out that loses no result', async () => {
    const small = join(root, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
    try {
      const fetched = await fuselage(['fetch', 'toolbox'], { FUSELAGE_CACHE: join(small, 'cache') });
      expect(fetched.code).toBe(3);
      expect(complaint(fetched.stderr)).toMatch(/the disk is full .*; free some space/);
      rmSync(join(small, 'cache'), { recursive: true });
      writeFileSync(join(small, 'ballast'), Buffer.alloc(160 * 1024));
      const ran = await fuselage(['run', '--kernel', build.id, '--share', 'tmpfs', '--cases', FIXTURES, '--out', join(small, 'out'), '--json', 'bad/good', 'bad/noisy']);
      expect(ran.code).toBe(3);
      expect(ran.stderr + ran.stdout).toMatch(/the disk is full/);
      expect((JSON.parse(ran.stdout) as Results).cases.find((one) => one.name === 'bad/good')?.status).toBe('pass');
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('QEMU killed in the middle of a run', async () => {
    const run = new Invocation(['run', '--kernel', build.id, '--share', 'tmpfs', '--cases', FIXTURES, '--json', 'bad/endless', 'bad/good']);
    await run.said(/guest\/boot/);
    execFileSync('pkill', ['-KILL', '-f', `kernel ${build.bzImage}`]);
    const { code, stdout } = await run.ended;
    expect(code).toBe(3);
    const results = resultsSchema.parse(JSON.parse(stdout));
    expect(results.infrastructure.join()).toMatch(/QEMU ended by SIGKILL/);
    expect(results.cases.map(({ name, status }) => `${name} ${status}`)).toEqual(['guest/boot pass', 'bad/endless not-exercised', 'bad/good not-exercised']);
  });
});

describe('interruption', () => {
  it('Ctrl-C in a run: what was found is kept, nothing is left behind', async () => {
    const before = temporaryDirectories();
    const out = join(root, 'interrupted');
    const run = new Invocation(['run', '--kernel', build.id, '--share', 'virtiofs', '--out', out, 'posix/*']);
    await run.said(/posix\/fallocate/);
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    const results = resultsSchema.parse(JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')));
    expect(results.infrastructure).toEqual(['interrupted']);
    expect(results.cases.find((one) => one.name === 'posix/fallocate')?.status).toBe('pass');
    expect(processes(/fuselage-(vm|fs)/)).toEqual([]);
    expect(temporaryDirectories()).toEqual(before);
  });

  it('Ctrl-C in a build: no compiler left, no entry trusted, the next one goes on', async () => {
    const before = temporaryDirectories();
    const patch = patchTo('header.patch', 'fs/fuse/fuse_i.h', '#ifndef _FS_FUSE_I_H', `/* ${unique} */\n#ifndef _FS_FUSE_I_H`);
    const building = new Invocation(['build', '--tree', '6.12', '--series', patch]);
    await building.said(/^building /m);
    while (processes(/cc1/).length === 0 && building.child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    building.child.kill('SIGINT');
    const { code, stderr } = await building.ended;
    expect(code).toBe(130);
    expect(complaint(stderr)).toBe('fuselage: interrupted; the next start continues from the caches');
    expect(processes(/cc1|make -C .*linux/)).toEqual([]);
    expect(temporaryDirectories()).toEqual(before);
    const again = await fuselage(['build', '--tree', '6.12', '--series', patch, '--json']);
    expect(again.code).toBe(0);
    expect(forget(again.stdout)).toMatchObject({ cached: false });
  });
});

describe('the cache', () => {
  it('two runs at once: one builds, the other waits and takes it', async () => {
    const patch = patchTo('twice.patch', 'fs/fuse/control.c', '#include "fuse_i.h"', `/* ${unique} */\n#include "fuse_i.h"`);
    const [one, other] = await Promise.all([1, 2].map(() => fuselage(['build', '--tree', '6.12', '--series', patch, '--json'])));
    expect([one?.code, other?.code]).toEqual([0, 0]);
    const [a, b] = [one, other].map((ended) => forget(ended?.stdout ?? ''));
    expect(a?.id).toBe(b?.id);
    expect([a?.cached, b?.cached].sort()).toEqual([false, true]);
    expect(`${one?.stderr ?? ''}${other?.stderr ?? ''}`).toContain('waiting for another fuselage');
  });

  it('a corrupt entry is noticed, thrown away and made again', async () => {
    const bytes = readFileSync(build.bzImage);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 0xff, bytes.length >> 1);
    writeFileSync(build.bzImage, bytes);
    const { code, stdout, stderr } = await fuselage(['build', '--tree', '6.12', '--json']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/the cached Linux 6\.12\S* \(fast\) is damaged \(bzImage is not what was stored\); making it again/);
    expect(JSON.parse(stdout)).toMatchObject({ id: build.id, cached: false });
  });
});

describe('cases that misbehave', () => {
  let results: Results;
  let out: string;

  beforeAll(async () => {
    out = join(root, 'fixtures');
    const { code, stdout } = await fuselage(['run', '--kernel', build.id, '--share', 'tmpfs', '--cases', FIXTURES, '--out', out, '--json', 'bad']);
    expect(code).toBe(1);
    results = resultsSchema.parse(JSON.parse(stdout));
  });

  it.each([
    ['console-flood', 'pass', undefined],
    ['dies', 'fail', /planned 2, ran 1; died by signal 11/],
    ['endless', 'timeout', /did not end within/],
    ['freeze', 'hang', /the guest froze/],
    ['good', 'pass', undefined],
    ['noisy', 'fail', /printed more than 8 MiB and was ended/],
    ['oom', 'crash', /out of memory: oom was killed/],
    ['panic', 'crash', /kernel panic: sysrq triggered crash/],
    ['silent', 'fail', /no KTAP was printed/],
    ['splat', 'fail', /kernel log: fs\/fuse\/made_up\.c/],
    ['unproved', 'not-exercised', /no proof: work-done: 0 of 1/],
  ])('%s is %s', (name, status, reason) => {
    const found = results.cases.find((one) => one.name === `bad/${name}`);
    expect(found?.status).toBe(status);
    if (reason === undefined) expect(found?.reason).toBeUndefined();
    else expect(found?.reason).toMatch(reason);
  });

  it('what was printed before a panic, a freeze or a flood is kept', () => {
    for (const [name, subtest] of [['panic', 'before the panic'], ['freeze', 'before the freeze'], ['noisy', 'before the flood']] as const)
      expect(results.cases.find((one) => one.name === `bad/${name}`)?.subtests).toContainEqual({ name: subtest, status: 'pass' });
  });

  it('a hang leaves a bundle: registers, blocked tasks, the servers', () => {
    const files = results.cases.find((one) => one.name === 'bad/freeze')?.files ?? [];
    const registers = files.find((file) => file.endsWith('registers.txt'));
    expect(readFileSync(join(out, registers ?? ''), 'utf8')).toMatch(/RIP=[0-9a-f]{16}/);
    const last = files.find((file) => file.endsWith('last-case.txt'));
    expect(readFileSync(join(out, last ?? ''), 'utf8')).toBe('bad/freeze\n');
    const endless = results.cases.find((one) => one.name === 'bad/endless')?.files ?? [];
    expect(readFileSync(join(out, endless.find((file) => file.endsWith('sysrq-t.txt')) ?? ''), 'utf8')).toContain('task:endless');
  });

  it('writes all reports, and they agree', () => {
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['results.json', 'results.ktap', 'junit.xml', 'tmpfs']));
    expect(readFileSync(join(out, 'results.ktap'), 'utf8')).toContain('not ok');
    expect(readFileSync(join(out, 'junit.xml'), 'utf8')).toContain('<failure message="kernel panic: sysrq triggered crash"');
  });
});
