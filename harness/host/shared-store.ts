// SPDX-License-Identifier: GPL-2.0-only
import { open, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { run } from './command.ts';
import { InterruptedError } from './errors.ts';
import { sha256OfFile } from './hash.ts';

const nameSchema = z.object({ version: z.literal(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** A claim whose owner has not touched it for so long is nobody's. */
const CLAIM_SECONDS = 120;
const TOUCH_SECONDS = 20;
const LOOK_SECONDS = 1;

/**
 * What caches of many machines have in common, in a directory that all of them reach (NFS will do): names/KIND/KEY.json
 * say which blob of blobs/ holds an entry, and a blob is named by its digest. Both are renamed into place, so that they are
 * there whole or not at all; what does not match its digest is not used.
 */
export class SharedStore {
  constructor(
    readonly root: string,
    private readonly claimSeconds: number = CLAIM_SECONDS,
  ) {}

  /** Unpacks an entry into an empty directory. @returns whether there is one */
  async fetch(kind: string, key: string, into: string): Promise<boolean> {
    const text = await readFile(this.#name(kind, key), 'utf8').catch(() => undefined);
    if (text === undefined) return false;
    try {
      const { sha256 } = nameSchema.parse(JSON.parse(text));
      const blob = this.#blob(sha256);
      if ((await sha256OfFile(blob)) !== sha256) throw new Error('not what was stored');
      await run(['tar', '--extract', '--no-same-owner', '--directory', into, '--file', blob]);
      return true;
    } catch {
      await this.forget(kind, key); // it can be made again
      return false;
    }
  }

  /** For an entry that turned out to be of no use. */
  async forget(kind: string, key: string): Promise<void> {
    await rm(this.#name(kind, key), { force: true });
  }

  async publish(kind: string, key: string, from: string): Promise<void> {
    const half = join(this.root, 'blobs', `.${randomUUID()}`);
    await mkdir(dirname(half), { recursive: true });
    try {
      // The same content, the same blob, whoever packs it and when.
      await run(['tar', '--create', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--directory', from, '--file', half, '.']);
      const sha256 = await sha256OfFile(half);
      await mkdir(dirname(this.#blob(sha256)), { recursive: true });
      await rename(half, this.#blob(sha256));
      const name = this.#name(kind, key);
      await mkdir(dirname(name), { recursive: true });
      const fresh = `${name}.${randomUUID()}`;
      await writeFile(fresh, JSON.stringify({ version: 1, sha256 }));
      await rename(fresh, name);
    } finally {
      await rm(half, { force: true });
    }
  }

  /**
   * Makes an entry while nobody else does: others wait until it is there, or until whoever makes it is gone.
   * @returns what `make` gave, or undefined where another one has made it meanwhile
   */
  async exclusively<T>(kind: string, key: string, signal: AbortSignal, onWait: () => void, make: () => Promise<T>): Promise<T | undefined> {
    const claim = join(this.root, 'claims', `${kind}-${key}`);
    await mkdir(dirname(claim), { recursive: true });
    let announced = false;
    let seen = { time: 0, sinceMilliseconds: performance.now() };
    while (!(await created(claim))) {
      if (!announced) onWait();
      announced = true;
      // By how long it stays as it is, by our own clock: clocks of machines differ.
      const time = (await stat(claim).catch(() => undefined))?.mtimeMs;
      if (time !== undefined && time === seen.time && performance.now() - seen.sinceMilliseconds > this.claimSeconds * 1_000) await rm(claim, { force: true });
      else if (time !== undefined && time !== seen.time) seen = { time, sinceMilliseconds: performance.now() };
      await sleep(LOOK_SECONDS * 1_000, undefined, { signal }).catch(() => {
        throw new InterruptedError();
      });
      if (await this.#has(kind, key)) return undefined;
    }
    const touch = setInterval(() => {
      const now = new Date();
      void utimes(claim, now, now).catch(() => undefined); // the disk may be away for a moment
    }, TOUCH_SECONDS * 1_000);
    try {
      if (await this.#has(kind, key)) return undefined;
      return await make();
    } finally {
      clearInterval(touch);
      await rm(claim, { force: true });
    }
  }

  async #has(kind: string, key: string): Promise<boolean> {
    return (await stat(this.#name(kind, key)).catch(() => undefined)) !== undefined;
  }

  #name(kind: string, key: string): string {
    return join(this.root, 'names', kind, `${key}.json`);
  }

  #blob(sha256: string): string {
    return join(this.root, 'blobs', sha256.slice(0, 2), sha256);
  }
}

async function created(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
