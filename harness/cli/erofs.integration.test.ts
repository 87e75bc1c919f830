// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BAD, resultsSchema, type Results } from '../results/schema.ts';
import { fuselage } from './testing.ts';

let root: string;
let results: Results;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  // Debian's kernels are built without EROFS over fscache.
  const ended = await fuselage(['run', '--kernel', '6.12', 'erofs-*/**', '--out', join(root, 'all'), '--json']);
  if (ended.stdout === '') throw new Error(`run ended with ${ended.code}:\n${ended.stderr}`);
  results = resultsSchema.parse(JSON.parse(ended.stdout));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('EROFS', () => {
  it('every case on every share that the kernel has: nothing fails that is not expected to', () => {
    expect(results.infrastructure).toEqual([]);
    expect(results.cases.filter(({ status }) => BAD.has(status) || status === 'not-exercised').map(({ name, share, status, reason }) => `${share} ${name} ${status}: ${reason ?? ''}`)).toEqual([]);
    expect(results.expectations.filter(({ kind }) => kind === 'unexpected-pass')).toEqual([]);
    for (const share of ['erofs-fscache', 'erofs-loop', 'erofs-file']) expect(results.cases.some((one) => one.share === share && one.status === 'pass' && one.name === 'erofs-image/content')).toBe(true);
  });

  it('what the kernel does not have is skipped, saying why', () => {
    const skipped = results.cases.filter(({ share }) => share === 'erofs-fanotify');
    expect(skipped.length).toBeGreaterThan(0);
    for (const { status, reason } of skipped) expect([status, reason]).toEqual(['skip', expect.stringMatching(/has no fanotify-pre-content: it came with 6\.14/)]);
  });

  it('what a daemon was asked for is in the trace and among the counters', () => {
    const trace = readFileSync(join(root, 'all/erofs-fscache-fscache/trace.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { readonly op?: string; readonly path?: string });
    expect(trace.some(({ op, path }) => op === 'READ' && path === 'chunked.blob')).toBe(true);
    const misses = results.cases.find(({ name }) => name === 'erofs-fscache/misses');
    expect(misses?.counters).toMatchObject({ 'reads of what is there': 0 });
    expect(misses?.counters['on-demand bytes asked']).toBeGreaterThan(1e6);
  });

  it('cases of other areas are skipped there', async () => {
    const { code, stdout } = await fuselage(['run', '--kernel', '6.12', '--share', 'erofs-loop', 'posix/link', '--json']);
    expect(resultsSchema.parse(JSON.parse(stdout)).cases.find(({ name }) => name === 'posix/link')).toMatchObject({ status: 'skip', reason: 'erofs-loop has images to read, and nothing else' });
    expect(code).toBe(0);
  });
});
