// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { discoverCases, selectCases } from './discover.ts';
import { ExpectationBook, inKernelRange, readExpectations, statusOf, type Expectation } from './expectations.ts';

const entry = (more: Partial<Expectation> = {}): Expectation => ({
  case: 'posix/times',
  subtest: 'keeps *',
  shares: ['9p'],
  kernels: '>=6.1 <6.13',
  reason: 'the client drops nanoseconds',
  owner: 'somebody',
  expires: '2030-01-01',
  file: 'cases/posix/expectations.yaml',
  ...more,
});
const book = (more: Partial<Expectation> = {}) => new ExpectationBook([entry(more)], '2026-11-21');
const failed = { name: 'keeps nanoseconds', status: 'fail' as const, reason: 'is 0' };

describe('expectations', () => {
  it('turn an expected failure into xfail, with both reasons', () => {
    expect(book().judge('posix/times', '9p', '6.12.107', [failed])).toEqual([{ name: 'keeps nanoseconds', status: 'xfail', reason: 'the client drops nanoseconds (is 0)' }]);
  });

  it.each([
    ['another share', 'posix/times', 'virtiofs', '6.12.107'],
    ['another kernel', 'posix/times', '9p', '7.3.4+deb13-cloud-amd64'],
    ['another case', 'posix/link', '9p', '6.12.107'],
  ])('excuse nothing on %s', (_, name, share, release) => {
    expect(book().judge(name, share, release, [failed])[0]?.status).toBe('fail');
  });

  it('excuse nothing once they have expired, and say so', () => {
    const expired = book({ expires: '2026-11-20' });
    expect(expired.judge('posix/times', '9p', '6.12.1', [failed])[0]?.status).toBe('fail');
    expect(expired.notes()).toEqual([{ kind: 'stale', text: expect.stringContaining('expired on 2026-11-20') as string }]);
  });

  it('report an unexpected pass and an entry that matches nothing', () => {
    const passed = book();
    expect(passed.judge('posix/times', '9p', '6.12.1', [{ name: 'keeps nanoseconds', status: 'pass' }])[0]?.status).toBe('xpass');
    expect(passed.notes()[0]?.kind).toBe('unexpected-pass');
    const unmatched = book();
    unmatched.judge('posix/times', '9p', '6.12.1', [{ name: 'other', status: 'pass' }]);
    expect(unmatched.notes()[0]).toMatchObject({ kind: 'stale' });
  });

  it('a flaky one takes both outcomes and marks them', () => {
    const flaky = book({ flaky: true });
    expect(flaky.judge('posix/times', '9p', '6.12.1', [failed])[0]).toMatchObject({ status: 'xfail', flaky: true });
    expect(flaky.judge('posix/times', '9p', '6.12.1', [{ name: 'keeps x', status: 'pass' }])[0]).toMatchObject({ status: 'pass', flaky: true });
    expect(flaky.notes()).toEqual([]);
  });

  it('kernel ranges', () => {
    expect(['6.1.192', '6.12.107', '6.13.0', '6.0'].map((release) => inKernelRange('>=6.1 <6.13', release))).toEqual([true, true, false, false]);
    expect(inKernelRange('*', 'whatever')).toBe(true);
  });

  it('the bundled ones are valid, name cases that exist and have not expired', async () => {
    const names = new Set((await discoverCases()).map((one) => one.name));
    const entries = await readExpectations();
    expect(entries.length).toBeGreaterThan(5);
    for (const one of entries) expect(names, one.file).toContain(one.case);
  });

  it('a file without an owner is refused', async () => {
    const root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
    try {
      mkdirSync(join(root, 'posix'));
      writeFileSync(join(root, 'posix/expectations.yaml'), '- {case: a/b, shares: [9p], kernels: "*", reason: because it is so, expires: 2030-01-01}\n');
      await expect(readExpectations(root)).rejects.toMatchObject({ code: 'expectation.invalid', exitCode: 2 });
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('expected ends and splats', () => {
  const common = { case: 'a/b', shares: ['device' as string], kernels: '*', reason: 'because it is so', owner: 'us', expires: '2030-01-01', file: 'f' };
  const splat = { fingerprint: 'x', kind: 'warn', title: 'fs/dax.c:1 somewhere', lines: [] };

  it('an end is excused where it is expected, and may go either way only where that is said', () => {
    const book = new ExpectationBook([{ ...common, end: 'timeout' }], '2026-01-01');
    expect(book.judgeEnd('a/b', 'device', '6.12', 'timeout')).toEqual({ reason: 'because it is so', flaky: false });
    expect(book.judgeEnd('a/b', 'device', '6.12', 'crash')).toEqual({ flaky: false });
    expect(book.judgeEnd('a/b', 'ext4', '6.12', 'timeout')).toEqual({ flaky: false });
    const flaky = new ExpectationBook([{ ...common, end: 'timeout', flaky: true }], '2026-01-01');
    expect(flaky.judgeEnd('a/b', 'device', '6.12', 'pass')).toEqual({ flaky: true });
    expect(flaky.notes()).toEqual([]);
  });

  it('a splat is excused where it is expected', () => {
    const book = new ExpectationBook([{ ...common, splat: 'warn: fs/dax.c*', flaky: true }], '2026-01-01');
    expect(book.judgeSplats('a/b', 'device', '6.12', [splat])).toEqual({ unexpected: [], reasons: ['because it is so'], flaky: true });
    expect(book.judgeSplats('a/b', 'device', '6.12', [{ ...splat, kind: 'bug' }])).toMatchObject({ unexpected: [{ kind: 'bug' }], reasons: [], flaky: true });
  });
});

describe('the status of a case', () => {
  it.each([
    [[{ name: 'a', status: 'pass' }], [], [], 'pass'],
    [[{ name: 'a', status: 'pass' }], ['planned 2, ran 1'], [], 'fail'],
    [[{ name: 'a', status: 'pass' }], [], ['WARNING'], 'fail'],
    [[{ name: 'a', status: 'skip', reason: 'no' }], [], [], 'skip'],
    [[{ name: 'a', status: 'pass' }, { name: 'b', status: 'xfail' }], [], [], 'xfail'],
    [[{ name: 'a', status: 'xpass' }, { name: 'b', status: 'xfail' }], [], [], 'xpass'],
    [[{ name: 'a', status: 'timeout' }], [], [], 'fail'],
  ] as const)('%j %j %j is %s', (subtests, problems, splats, expected) => {
    expect(statusOf(subtests, problems, splats).status).toBe(expected);
  });
});

describe('choosing cases', () => {
  it('by area, name and glob', async () => {
    const cases = await discoverCases();
    const names = (patterns: string[]) => selectCases(cases, patterns).map((one) => one.name);
    expect(names(['posix']).every((name) => name.startsWith('posix/'))).toBe(true);
    expect(names(['posix/rename'])).toEqual(['posix/rename']);
    expect(names(['mmap-*/**', 'posix/l*'])).toEqual(expect.arrayContaining(['mmap-coherence/host', 'posix/link', 'posix/locks', 'posix/lseek']));
    expect(() => names(['nothing'])).toThrow('no case matches');
  });
});
