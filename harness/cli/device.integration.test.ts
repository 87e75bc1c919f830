// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BAD, resultsSchema, type Results } from '../results/schema.ts';
import { fuselage, Invocation, KERNEL_UNDER_TEST, processes, temporaryDirectories } from './testing.ts';

let root: string;
let results: Results;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  const ended = await fuselage(['run', '--kernel', KERNEL_UNDER_TEST, '--share', 'device', '--share', 'device-dax', '--out', join(root, 'all'), '--json']);
  if (ended.stdout === '') throw new Error(`run ended with ${ended.code}:\n${ended.stderr}`);
  results = resultsSchema.parse(JSON.parse(ended.stdout));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('our own device', () => {
  it('serves every case, with and without a DAX window: nothing fails that is not expected to', () => {
    expect(results.infrastructure).toEqual([]);
    expect(results.cases.filter(({ status }) => BAD.has(status) || status === 'not-exercised').map(({ name, share, status, reason }) => `${share} ${name} ${status}: ${reason ?? ''}`)).toEqual([]);
    // A case whose end is known to be flaky may not have got to its subtests; but nothing may pass that must fail.
    expect(results.expectations.filter(({ kind }) => kind === 'unexpected-pass')).toEqual([]);
  });

  it('leaves a trace that can be printed, filtered and counted', async () => {
    const file = join(root, 'all/device-dax/trace.jsonl');
    const counts = await fuselage(['trace', file, '--case', 'dax-reclaim/stream', '--format', 'counts']);
    expect(counts.code).toBe(0);
    expect(counts.stdout).toMatch(/SETUPMAPPING\s+│ 100 /);
    const text = await fuselage(['trace', file, '--case', 'dax-reclaim/stream', '--op', 'removemapping']);
    expect(text.stdout.split('\n').filter((line) => line.includes('REMOVEMAPPING')).length).toBeGreaterThanOrEqual(80);
    const perfetto = await fuselage(['trace', file, '--errors', '--format', 'perfetto']);
    const { traceEvents } = JSON.parse(perfetto.stdout) as { traceEvents: { ph: string; args?: { error?: string } }[] };
    expect(traceEvents.filter(({ ph }) => ph === 'X').every(({ args }) => args?.error !== undefined)).toBe(true);
  });

  it('a trace that is none is bad input', async () => {
    const file = join(root, 'no-trace');
    writeFileSync(file, 'no JSON\n');
    for (const name of [file, join(root, 'not-there')]) {
      const { code, stderr } = await fuselage(['trace', name]);
      expect([code, stderr.split('\n').filter(Boolean).length]).toEqual([2, 1]);
    }
  });

  it('a mutant is caught by the case that it names', async () => {
    const { code, stdout } = await fuselage(['mutants', 'dax-eviction-one-by-one', '--out', join(root, 'mutants')]);
    expect(code).toBe(0);
    expect(stdout).toContain('1 of 1 killed');
    expect(JSON.parse(readFileSync(join(root, 'mutants/mutants.json'), 'utf8'))).toMatchObject([{ name: 'dax-eviction-one-by-one', outcome: 'killed' }]);
  });

  it('no mutant by that name is bad input', async () => {
    expect((await fuselage(['mutants', 'no-such'])).code).toBe(2);
  });

  it('Ctrl-C while replies are held leaves nothing behind', async () => {
    const before = new Set(temporaryDirectories());
    const invocation = new Invocation(['run', '--kernel', KERNEL_UNDER_TEST, '--share', 'device-dax', 'dax-reclaim/gate', '--out', join(root, 'interrupted')]);
    await invocation.said(/guest\/boot/);
    invocation.child.kill('SIGINT');
    const { code } = await invocation.ended;
    expect(code).toBe(130);
    expect(processes(new RegExp(join(root, 'interrupted')))).toEqual([]);
    expect(temporaryDirectories().filter((name) => !before.has(name))).toEqual([]);
  });
});
