// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Cache } from '../host/cache.ts';
import type { ProgressEvent } from '../host/progress.ts';
import { debianMirror } from './apt.ts';
import { ensurePackages, REQUIRED_PACKAGES } from './packages.ts';
import { pinned } from './pins.ts';

const events: ProgressEvent[] = [];
const context = { cache: new Cache('/nonexistent'), emit: (event: ProgressEvent) => void events.push(event), signal: new AbortController().signal };

describe('distribution packages', () => {
  const lacking = () => Promise.resolve(['flex', 'bison']);

  it('FUSELAGE_NO_APT=1 installs nothing and says what is missing, and the command', async () => {
    await expect(ensurePackages(context, { FUSELAGE_NO_APT: '1' }, lacking)).rejects.toMatchObject({
      code: 'packages.missing',
      exitCode: 3,
      line: 'missing packages: flex bison (FUSELAGE_NO_APT is set); install them with: apt-get install --no-install-recommends flex bison',
    });
    expect(events).toEqual([]);
  });

  it('nothing missing, nothing done', async () => {
    await ensurePackages(context, { FUSELAGE_NO_APT: '1' }, () => Promise.resolve([]));
    expect(events).toEqual([]);
  });

  it('each says what it is for', () => {
    for (const purpose of Object.values(REQUIRED_PACKAGES)) expect(purpose.length).toBeGreaterThan(3);
  });
});

describe('the mirror', () => {
  it("is FUSELAGE_MIRROR, else what the machine's apt uses", async () => {
    expect(await debianMirror({ FUSELAGE_MIRROR: 'http://127.0.0.1/x' })).toBe('http://127.0.0.1/x');
    expect(await debianMirror({})).toMatch(/^https?:\/\//);
  });
});

describe('pins', () => {
  it('are resolved once, again on request, and survive damage', async () => {
    const root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
    try {
      const own = { ...context, cache: new Cache(root) };
      let version = 0;
      const resolve = () => Promise.resolve([{ name: 'linux', version: String(++version), architecture: 'all' }]);
      const get = async (refresh: boolean) => (await pinned(own, 'prebuilt:6.12', refresh, resolve))[0]?.version;
      expect([await get(false), await get(false), await get(true), await get(false)]).toEqual(['1', '1', '2', '2']);
      const { writeFileSync } = await import('node:fs');
      writeFileSync(join(root, 'pins/prebuilt_6.12.json'), '[{');
      expect(await get(false)).toBe('3');
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
