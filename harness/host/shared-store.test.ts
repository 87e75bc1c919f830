// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cache, type CacheKind } from './cache.ts';
import { InterruptedError } from './errors.ts';
import type { Emit } from './progress.ts';
import { Scope } from './scope.ts';
import { SharedStore } from './shared-store.ts';
import { temporaryDirectory } from './temporary.ts';

const scope = new Scope();
let root: string;
let machines = 0;
beforeAll(async () => {
  root = await temporaryDirectory(scope, 'test-store');
});
afterAll(() => scope.end());

interface Machine {
  readonly cache: Cache;
  readonly notes: string[];
  obtain(key: string, text: string, kind?: CacheKind, signal?: AbortSignal): Promise<{ readonly content: string; readonly made: number }>;
}

/** A machine with a cache of its own; all of a store share it. */
function machine(store: SharedStore): Machine {
  const cache = new Cache(join(root, `machine${machines++}`));
  const shared = new Cache(cache.root, store);
  const notes: string[] = [];
  const emit: Emit = (event) => {
    if ('text' in event) notes.push(event.text);
  };
  return {
    cache: shared,
    notes,
    obtain: async (key, text, kind = 'builds', signal = new AbortController().signal) => {
      let made = 0;
      await mkdir(join(shared.root, kind), { recursive: true });
      const { path } = await shared.obtain({ kind, key, title: 'a kernel', signal, emit }, async (directory) => {
        made++;
        await mkdir(join(directory, 'sub'));
        await writeFile(join(directory, 'bzImage'), text);
        await writeFile(join(directory, 'sub/file'), text, { mode: 0o755 });
      });
      return { content: await readFile(join(path, 'sub/file'), 'utf8'), made };
    },
  };
}

const store = (name: string) => new SharedStore(join(root, name));

describe('a store that caches share', () => {
  it('what one machine has made, another one fetches', async () => {
    const shared = store('plain');
    const [one, other] = [machine(shared), machine(shared)];
    expect(await one.obtain('k', 'made by one')).toEqual({ content: 'made by one', made: 1 });
    expect(await other.obtain('k', 'made by the other')).toEqual({ content: 'made by one', made: 0 });
    expect(other.notes).toEqual(['a kernel: from the shared store']);
  });

  it('the same content is kept once, and what belongs to one machine is not shared', async () => {
    const shared = store('same');
    const [one, other] = [machine(shared), machine(shared)];
    await one.obtain('a', 'x');
    await one.obtain('b', 'x');
    expect((await readdir(join(shared.root, 'blobs'), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name))).toHaveLength(1);
    await one.obtain('w', 'x', 'workshops');
    expect((await other.obtain('w', 'y', 'workshops')).content).toBe('y');
  });

  it('machines that want the same at once make it once', async () => {
    const shared = store('race');
    const found = await Promise.all(Array.from({ length: 4 }, () => machine(shared).obtain('k', 'x')));
    expect(found.reduce((sum, { made }) => sum + made, 0)).toBe(1);
  });

  it('a damaged blob is not used, and is made again', async () => {
    const shared = store('damaged');
    await machine(shared).obtain('k', 'good');
    const [blob = ''] = (await readdir(join(shared.root, 'blobs'), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name));
    await writeFile(join(shared.root, 'blobs', blob), 'bad');
    expect(await machine(shared).obtain('k', 'again')).toEqual({ content: 'again', made: 1 });
    expect(await machine(shared).obtain('k', 'never')).toEqual({ content: 'again', made: 0 });
  });

  it('a claim of a machine that is gone is taken over, and not before', async () => {
    const shared = new SharedStore(join(root, 'gone'), 3);
    await mkdir(join(shared.root, 'claims'), { recursive: true });
    await writeFile(join(shared.root, 'claims/builds-k'), '');
    const one = machine(shared);
    const waiting = one.obtain('k', 'x');
    await sleep(1_500);
    expect(await readdir(join(shared.root, 'claims'))).toEqual(['builds-k']);
    expect(one.notes).toEqual(['waiting for another machine that is making a kernel']);
    expect(await waiting).toEqual({ content: 'x', made: 1 });
    expect(await readdir(join(shared.root, 'claims'))).toEqual([]);
  });

  it('whoever waits for another machine can be interrupted', async () => {
    const shared = store('claimed');
    await mkdir(join(shared.root, 'claims'), { recursive: true });
    await writeFile(join(shared.root, 'claims/builds-k'), '');
    const abort = new AbortController();
    const waiting = machine(shared).obtain('k', 'x', 'builds', abort.signal);
    setTimeout(() => {
      abort.abort(new InterruptedError());
    }, 100);
    await expect(waiting).rejects.toBeInstanceOf(InterruptedError);
  });
});
