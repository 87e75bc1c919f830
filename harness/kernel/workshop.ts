// SPDX-License-Identifier: GPL-2.0-only
import { chmod, mkdir, readFile, rename, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { withLock } from '../host/lock.ts';
import type { ChangedFile } from './apply.ts';
import { configure, kernelMake, type Wanted } from './configuration.ts';
import type { Tree } from './tree.ts';
import { absorbWarnings, type Warnings } from './warnings.ts';

const stateSchema = z.object({
  /** The tree that `source` holds, or '' while that is being changed. */
  treeId: z.string(),
  /** Files whose content may differ from the tree's. */
  changed: z.array(z.string()),
  /** Identifies what the object directory was configured with, or ''. */
  configurationId: z.string(),
  /** Set while make runs: an object may then be half-written. */
  building: z.boolean(),
  /** What the compiler has to say of the objects as they are. */
  warnings: z.record(z.string(), z.array(z.string()).readonly()),
});

type State = z.infer<typeof stateSchema>;

const EMPTY: State = { treeId: '', changed: [], configurationId: '', building: false, warnings: {} };

/**
 * One source directory and one object directory at fixed paths, kept between builds. Going from one
 * series to the next rewrites only the files whose content differs, so make rebuilds only what depends on
 * them. (A copy of the base build per series would cost 1.6 GiB of links and change every path.)
 * What is done is written down before it is done: a run that was killed is taken up where it stopped.
 */
export class Workshop {
  readonly source: string;
  readonly objects: string;
  readonly #stateFile: string;

  private constructor(
    private readonly context: Context,
    root: string,
    private state: State,
  ) {
    this.source = join(root, 'source');
    this.objects = join(root, 'objects');
    this.#stateFile = join(root, 'state.json');
  }

  /** Opens the workshop of a key and holds its lock while `work` runs. */
  static async use<T>(context: Context, key: string, work: (workshop: Workshop) => Promise<T>): Promise<T> {
    const root = context.cache.path('workshops', key);
    const onWait = () => {
      context.emit({ type: 'note', text: 'waiting for another fuselage that is building in the same tree' });
    };
    return await withLock(`${root}.lock`, { signal: context.signal, onWait }, async () => {
      await mkdir(join(root, 'objects'), { recursive: true });
      const text = await readFile(join(root, 'state.json'), 'utf8').catch(() => undefined);
      const workshop = new Workshop(context, root, parseState(text));
      if (workshop.state.building) await workshop.#dropHalfWritten();
      try {
        return await work(workshop);
      } catch (error) {
        // One that was never configured (a bad fragment) is of use to nobody.
        if (workshop.state.configurationId === '' && !context.signal.aborted) await rm(root, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /** Makes `source` the tree with `files` on top. */
  async sync(tree: Tree, files: ReadonlyMap<string, ChangedFile>): Promise<void> {
    if (this.state.treeId !== tree.id) {
      await this.#save({ ...this.state, treeId: '' });
      if (tree.git === undefined) {
        await rm(this.source, { recursive: true, force: true });
        await rm(this.objects, { recursive: true, force: true });
        await mkdir(this.objects);
        await this.#save(EMPTY);
      }
      await mkdir(this.source, { recursive: true });
      // git restores what the tree has; what only a series had would stay.
      for (const file of this.state.changed) await rm(join(this.source, file), { force: true });
      await tree.materialise(this.source, this.context.signal);
      await this.#save({ ...this.state, treeId: tree.id, changed: [] });
    }
    const before = this.state.changed;
    await this.#save({ ...this.state, changed: [...new Set([...before, ...files.keys()])] });
    for (const file of before) if (!files.has(file)) await this.#write(file, await original(tree, file));
    for (const [file, changed] of files) await this.#write(file, changed);
    await this.#save({ ...this.state, changed: [...files.keys()] });
  }

  /** Configures the object directory unless it already is so; `id` stands for what is wanted and for Kconfig files. */
  async configureOnce(id: string, wanted: Wanted, make: (targets: readonly string[]) => Promise<void>): Promise<void> {
    if (this.state.configurationId === id) return;
    await this.#save({ ...this.state, configurationId: '' });
    await configure({ source: this.source, objectDirectory: this.objects, wanted, make });
    await this.#save({ ...this.state, configurationId: id });
  }

  async make(args: readonly string[], options: { readonly env: Readonly<Record<string, string>>; readonly onLine?: (line: string) => void }): Promise<void> {
    await this.#save({ ...this.state, building: true });
    try {
      await kernelMake(this.source, this.objects, args, { ...options, signal: this.context.signal });
    } finally {
      // make was ended by SIGTERM at worst, and then it deletes the target it was making.
      await this.#save({ ...this.state, building: false });
    }
  }

  /** Takes note of what a make printed. @returns all warnings of the objects as they are now. */
  async noteWarnings(lines: readonly string[]): Promise<Warnings> {
    await this.#save({ ...this.state, warnings: { ...absorbWarnings(this.state.warnings, lines) } });
    return this.state.warnings;
  }

  async #write(file: string, wanted: ChangedFile): Promise<void> {
    const path = join(this.source, file);
    const present = await readFile(path).catch(() => undefined);
    if (wanted.content === undefined) {
      if (present !== undefined) await unlink(path);
      return;
    }
    if (present?.equals(wanted.content) === true) return;
    // A new file renamed over the old one: the old one may be a hard link to the pristine source.
    const half = `${path}.fuselage-new`;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(half, wanted.content);
    await chmod(half, wanted.executable ? 0o755 : 0o644);
    const now = new Date();
    await utimes(half, now, now);
    await rename(half, path);
  }

  /** After a SIGKILL or a power cut: whatever was written last may be half of itself. */
  async #dropHalfWritten(): Promise<void> {
    const listing = await run(['find', this.objects, '-type', 'f', '-printf', '%T@ %P\\0']);
    const files = listing.split('\0').filter(Boolean).map((entry) => {
      const space = entry.indexOf(' ');
      return { seconds: Number(entry.slice(0, space)), path: entry.slice(space + 1) };
    });
    const newest = files.reduce((latest, { seconds }) => Math.max(latest, seconds), 0);
    for (const { seconds, path } of files)
      if (seconds > newest - 30 && path !== '.config') await rm(join(this.objects, path), { force: true });
    await this.#save({ ...this.state, building: false });
  }

  async #save(state: State): Promise<void> {
    this.state = state;
    await writeFile(`${this.#stateFile}.new`, JSON.stringify(state));
    await rename(`${this.#stateFile}.new`, this.#stateFile);
  }
}

function parseState(text: string | undefined): State {
  if (text === undefined) return EMPTY;
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return EMPTY; // starts over: everything here can be made again
  }
}

async function original(tree: Tree, file: string): Promise<ChangedFile> {
  return (await tree.read(file)) ?? { content: undefined, executable: false };
}
