// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InfrastructureError } from './errors.ts';
import { sha256OfFile } from './hash.ts';
import { withLock } from './lock.ts';
import type { Emit } from './progress.ts';
import type { SharedStore } from './shared-store.ts';

/** What the cache keeps, a folder each. */
export type CacheKind = 'apt' | 'sources' | 'prebuilt' | 'toolbox' | 'builds' | 'workshops' | 'cases' | 'guests' | 'images' | 'probes' | 'coverage' | 'sparse' | 'bisections';

/** What takes long to make, and is the same on every machine. */
const SHARED_KINDS: ReadonlySet<CacheKind> = new Set<CacheKind>(['builds', 'cases', 'guests', 'images']);

const SEAL = '.fuselage-entry.json';

const sealSchema = z.object({
  version: z.literal(1),
  /** Every regular file at the top of the entry with its digest; files further down are not listed. */
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
});

interface Request {
  readonly kind: CacheKind;
  /** Identifies the content; a plain file name. */
  readonly key: string;
  /** What is made, for messages. */
  readonly title: string;
  readonly signal: AbortSignal;
  readonly emit: Emit;
}

/**
 * A content-addressed store under one root. An entry is made in a directory beside its place,
 * sealed with the digests of its files, and renamed into place: it is there whole or not at all.
 * The seal is checked at every use, and an entry that fails is thrown away and made again.
 */
export class Cache {
  /** @param shared where other machines find what this one has made of `SHARED_KINDS`, and the other way round */
  constructor(
    readonly root: string,
    private readonly shared?: SharedStore,
  ) {}

  path(kind: CacheKind, key: string): string {
    return join(this.root, kind, key);
  }

  /** The entry's directory if it is there and intact. */
  async find(kind: CacheKind, key: string): Promise<string | undefined> {
    const path = this.path(kind, key);
    return (await damage(path)) === undefined ? path : undefined;
  }

  /** The entry's directory; `make` fills an empty one if there is none. Two runs never make it twice. */
  async obtain(request: Request, make: (directory: string) => Promise<void>): Promise<{ path: string; cached: boolean }> {
    const { kind, key } = request;
    const path = this.path(kind, key);
    if ((await damage(path)) === undefined) return { path, cached: true };
    return await withLock(
      join(this.root, kind, `.${key}.lock`),
      {
        signal: request.signal,
        onWait: () => {
          request.emit({ type: 'note', text: `waiting for another fuselage that is making ${request.title}` });
        },
      },
      async () => {
        const reason = await damage(path);
        if (reason === undefined) return { path, cached: true };
        if (reason !== 'absent') {
          request.emit({ type: 'warning', text: `the cached ${request.title} is damaged (${reason}); making it again` });
          await rm(path, { recursive: true, force: true });
        }
        const parent = join(this.root, kind);
        const prefix = `.making-${key}-`;
        // We hold the lock: whatever an earlier run left half-made belongs to nobody.
        for (const name of await readdir(parent))
          if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
        const making = await mkdtemp(join(parent, prefix));
        try {
          await this.#fill(request, making, make);
          await rename(making, path);
        } finally {
          await rm(making, { recursive: true, force: true });
        }
        return { path, cached: false };
      },
    );
  }

  /** From the shared store, or made here and put there. */
  async #fill({ kind, key, title, signal, emit }: Request, making: string, make: (directory: string) => Promise<void>): Promise<void> {
    const { shared } = this;
    const makeHere = async () => {
      await make(making);
      await seal(making);
      return true;
    };
    if (shared === undefined || !SHARED_KINDS.has(kind)) {
      await makeHere();
      return;
    }
    const fetched = async () => {
      if (await shared.fetch(kind, key, making)) {
        if ((await damage(making)) === undefined) return true;
        await shared.forget(kind, key);
      }
      for (const name of await readdir(making)) await rm(join(making, name), { recursive: true, force: true });
      return false;
    };
    for (;;) {
      if (await fetched()) {
        emit({ type: 'note', text: `${title}: from the shared store` });
        return;
      }
      const onWait = () => {
        emit({ type: 'note', text: `waiting for another machine that is making ${title}` });
      };
      const made = await shared.exclusively(kind, key, signal, onWait, async () => {
        await makeHere();
        await shared.publish(kind, key, making);
        return true;
      });
      if (made === true) return;
    }
  }

  async ensureRoot(): Promise<void> {
    try {
      await mkdir(this.root, { recursive: true });
    } catch (cause) {
      throw new InfrastructureError('cache.unwritable', `can not make the cache directory ${this.root}`, {
        hint: 'point FUSELAGE_CACHE at a directory that you own',
        cause,
      });
    }
  }
}

async function seal(directory: string): Promise<void> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(directory, entry.name);
    files[entry.name] = { bytes: (await stat(file)).size, sha256: await sha256OfFile(file) };
  }
  await writeFile(join(directory, SEAL), JSON.stringify({ version: 1, files } satisfies z.infer<typeof sealSchema>));
}

/** Why the entry can not be used: 'absent', a reason, or undefined when it is intact. */
async function damage(directory: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, SEAL), 'utf8');
  } catch {
    return (await stat(directory).catch(() => undefined)) === undefined ? 'absent' : 'it was never completed';
  }
  let parsed: z.infer<typeof sealSchema>;
  try {
    parsed = sealSchema.parse(JSON.parse(text));
  } catch {
    return 'its seal is unreadable';
  }
  for (const [name, expected] of Object.entries(parsed.files)) {
    const file = join(directory, name);
    const size = (await stat(file).catch(() => undefined))?.size;
    if (size !== expected.bytes || (await sha256OfFile(file)) !== expected.sha256) return `${name} is not what was stored`;
  }
  return undefined;
}
