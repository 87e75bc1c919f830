// SPDX-License-Identifier: GPL-2.0-only
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_BYTES, imageNamed, tagsOf, type Image, type ImageName } from '../erofs/images.ts';
import { CHECKSUM_BIT, chunkIndexOf, SUPER_FIELDS } from '../erofs/super-block.ts';
import { sumOf } from '../erofs/trees.ts';
import type { Guest } from '../guest/guest.ts';
import { CACHE_DIRECTORY, REMOTE_DIRECTORY } from '../share/erofs.ts';
import { MOUNT_POINT, type ServedShare } from '../share/share.ts';
import { Actor } from './actor.ts';
import { OnDemandDaemon, remoteFiles, type RemoteFile } from './on-demand.ts';
import { PreContentListener } from './pre-content.ts';

/** What tree-compare found. */
export interface Comparison {
  readonly entries: number;
  readonly bytes: number;
  readonly xattrs: number;
  /** One line a difference; at most fifty. */
  readonly differences: readonly string[];
}

export interface MountOptions {
  /** Default: the share's usual place. */
  readonly at?: string;
  /** Images with the same domain share the blobs that they have in common; on demand only. */
  readonly domain?: string;
  /** More mount options. */
  readonly also?: readonly string[];
  /** Other files than the image's own, as the guest sees them (loop and file) or by cookie (on demand). */
  readonly file?: string;
  readonly devices?: readonly string[];
  /** Who mounts, and may be killed while it does. */
  readonly by?: Actor;
}

/** EROFS images in a guest: mounted in the share's own way, compared with what they were made from. */
export class ErofsTools {
  readonly #mounted: string[] = [];
  readonly #loops: string[] = [];
  readonly #daemons: OnDemandDaemon[] = [];
  readonly #listeners: PreContentListener[] = [];
  #mounter: Actor | undefined;
  #remotes: Map<string, RemoteFile> | undefined;

  /** @param own a name for this case's directories. */
  constructor(
    private readonly guest: Guest,
    private readonly served: NonNullable<ServedShare['erofs']>,
    private readonly own: string,
  ) {}

  get backend(): NonNullable<ServedShare['erofs']>['backend'] {
    return this.served.backend;
  }

  /** A directory of the guest's own disk, of this case alone. */
  get directory(): string {
    return `${CACHE_DIRECTORY}/${this.own}`;
  }

  image(name: ImageName): Image {
    return imageNamed(name);
  }

  remotePath(file: string): string {
    return `${REMOTE_DIRECTORY}/${file}`;
  }

  sizeOf(file: string): number {
    return statSync(join(this.served.images.directory, file)).size;
  }

  /** The cookie key under which a kernel asks for a layer. */
  async tagOf(name: ImageName, device: number): Promise<string> {
    return (await tagsOf(this.served.images, imageNamed(name)))[device] ?? '';
  }

  /** A daemon with nothing bound yet; it ends with the case. */
  async openDaemon(options: { readonly supervised?: boolean } = {}): Promise<OnDemandDaemon> {
    const daemon = await OnDemandDaemon.start(this.guest.shell, { ...options, remotes: await this.remotes(), trace: this.served.trace, outstanding: this.served.outstanding });
    this.#daemons.push(daemon);
    return daemon;
  }

  /** A daemon that serves everything, from a cache that is empty. */
  async startDaemon(options: { readonly supervised?: boolean; readonly readers?: number; readonly cache?: string } = {}): Promise<OnDemandDaemon> {
    const daemon = await this.openDaemon(options);
    await daemon.bind(options.cache ?? `${this.directory}/cache`, options.readers);
    return daemon;
  }

  /** A listener on an empty file of an image's size. @returns the file beside it. */
  async startListener(file: string): Promise<{ readonly listener: PreContentListener; readonly path: string }> {
    const path = `${this.directory}/${file}`;
    const sizeBytes = this.sizeOf(file);
    await this.must(['sh', '-c', `mkdir -p ${this.directory} && rm -f ${path} && truncate -s ${sizeBytes} ${path} && sync`]);
    const listener = await PreContentListener.start(this.guest.shell, { file: path, source: this.remotePath(file), sizeBytes, trace: this.served.trace });
    this.#listeners.push(listener);
    return { listener, path };
  }

  /** Mounts an image in the way of this share, starting what it needs that is not there. @throws OperationError */
  async mount(name: ImageName, options: MountOptions = {}): Promise<void> {
    const image = imageNamed(name);
    const at = options.at ?? MOUNT_POINT;
    const actor = options.by ?? (this.#mounter ??= await this.actor());
    await this.must(['mkdir', '-p', at]);
    const { source, words } = await this.#source(image, options);
    await actor.mount(source, at, 'erofs', [...words, ...(options.also ?? [])].join(','));
    this.#mounted.push(at);
    const { stdout } = await this.guest.shell.run(['cat', '/proc/mounts']);
    if (!new RegExp(`^\\S+ ${at} erofs ro`, 'm').test(stdout)) throw new Error(`mount(2) said yes, and /proc/mounts has no ${at}`);
  }

  async #source(image: Image, { domain, file, devices }: MountOptions): Promise<{ readonly source: string; readonly words: readonly string[] }> {
    if (this.backend === 'fscache') {
      // For cases that are not about the daemon it does as daemons do, and fetches more than it is asked for.
      if (this.#daemons.length === 0) (await this.startDaemon()).answerBytes = CHUNK_BYTES;
      // A blob without a tag of its own must be named.
      const tags = await tagsOf(this.served.images, image);
      const named = devices ?? (tags.includes('') ? image.devices : []);
      return { source: 'none', words: [`fsid=${file ?? image.file}`, ...(domain === undefined ? [] : [`domain_id=${domain}`]), ...named.map((device) => `device=${device}`)] };
    }
    let paths = [file ?? this.remotePath(image.file), ...(devices ?? image.devices.map((device) => this.remotePath(device)))];
    if (this.backend === 'fanotify' && file === undefined) paths = await Promise.all([image.file, ...image.devices].map(async (part) => (await this.startListener(part)).path));
    if (this.backend === 'loop') paths = await this.#loopsFor(paths);
    const [source = '', ...rest] = paths;
    return { source, words: rest.map((device) => `device=${device}`) };
  }

  /** One after another: the first free device is the first for everybody who asks. */
  async #loopsFor(paths: readonly string[]): Promise<string[]> {
    const devices: string[] = [];
    for (const path of paths) {
      const device = (await this.must(['losetup', '-f'])).trim();
      await this.must(['losetup', '-r', device, path]);
      devices.push(device);
    }
    this.#loops.push(...devices);
    return devices;
  }

  async umount(at: string = MOUNT_POINT, lazy = false): Promise<void> {
    await (this.#mounter ??= await this.actor()).umount(at, lazy);
    const index = this.#mounted.lastIndexOf(at);
    if (index >= 0) this.#mounted.splice(index, 1);
    for (const device of this.#loops.splice(0)) await this.guest.shell.run(['losetup', '-d', device]);
  }

  /** The sum of the bytes that a file made of one seed, or of segments of it, has in a part: what Actor.sum() must give. */
  sumOf(described: { readonly path: string; readonly sizeBytes: number; readonly seed: number }, offset: number, length: number): number {
    return sumOf(described, offset, length);
  }

  /** An image's own file, named as it is mounted from. */
  fileOf(name: ImageName): { readonly file: string } {
    const { file } = imageNamed(name);
    return { file: this.backend === 'fscache' ? file : this.remotePath(file) };
  }

  /** Where the first chunk index of a file lies in its image, in bytes. */
  async chunkIndexOf(name: ImageName, path: string): Promise<number> {
    return chunkIndexOf(await readFile(join(this.served.images.directory, imageNamed(name).file)), path);
  }

  /**
   * A copy of a remote image with some bytes changed, or cut short. Its checksum is switched off, so that the change
   * itself is what is looked at, unless it is to be kept.
   * @returns what to mount it by: a path, or a cookie that daemons serve from now on.
   */
  async corrupt(file: string, change: (write: (offset: number, width: number, value: number) => Promise<void>) => Promise<void>, options: { readonly sizeBytes?: number; readonly keepChecksum?: boolean } = {}): Promise<string> {
    const bytes = await readFile(join(this.served.images.directory, file));
    const copy = `${this.directory}/corrupt-${this.#copies++}.img`;
    await this.must(['cp', this.remotePath(file), copy]);
    const actor = await this.actor();
    await actor.open(0, copy, 'w');
    const write = async (offset: number, width: number, value: number) => {
      for (let at = 0; at < width; at++) await actor.pwrite(0, offset + at, Math.floor(value / 256 ** at) % 256, 1);
    };
    const { offset, width } = SUPER_FIELDS.feature_compat;
    if (options.keepChecksum !== true) await write(offset, width, bytes.readUIntLE(offset, width) & ~CHECKSUM_BIT);
    await change(write);
    const sizeBytes = options.sizeBytes;
    if (sizeBytes !== undefined) await actor.ftruncate(0, sizeBytes);
    await actor.fsync(0);
    await actor.end();
    if (this.backend !== 'fscache') return copy;
    const cookie = copy.split('/').at(-1) ?? copy;
    await this.offer(cookie, { path: copy, sizeBytes: sizeBytes ?? bytes.length });
    return cookie;
  }

  #copies = 0;

  /** Mounts an image by a loop device, whatever the share's own way is. */
  async mountByLoop(name: ImageName, at: string): Promise<void> {
    const { file, devices } = imageNamed(name);
    const [source = '', ...rest] = await this.#loopsFor([file, ...devices].map((path) => this.remotePath(path)));
    await this.#mountAs(source, at, 'erofs', rest.map((device) => `device=${device}`).join(','));
  }

  /** Mounts our own FUSE server's copy of the standard image; only with the trait `comparison`. */
  async mountByFuse(at: string): Promise<void> {
    if (this.served.fuseTag === undefined) throw new Error("this case needs the trait 'comparison' and does not say so");
    await this.#mountAs(this.served.fuseTag, at, 'virtiofs', '');
  }

  async #mountAs(source: string, at: string, type: string, options: string): Promise<void> {
    await this.must(['mkdir', '-p', at]);
    await (this.#mounter ??= await this.actor()).mount(source, at, type, options);
    this.#mounted.push(at);
  }

  /** How long the guest's `workload` took, in nanoseconds, and how many bytes it read. */
  async workload(...words: readonly string[]): Promise<{ readonly bytes: number; readonly nanoseconds: number }> {
    const [bytes = 0, nanoseconds = 0] = (await this.must(['/fuselage/bin/workload', ...words])).trim().split(' ').map(Number);
    return { bytes, nanoseconds };
  }

  /** Compares every entry, byte and xattr of a mounted image with what it was made from. */
  async compare(name: ImageName, at: string = MOUNT_POINT): Promise<Comparison> {
    const { stdout, stderr, exit } = await this.guest.shell.run(['/fuselage/bin/tree-compare', at, this.remotePath(imageNamed(name).manifest)]);
    const totals = /^entries (\d+) bytes (\d+) xattrs (\d+) differences \d+$/m.exec(stdout);
    if (totals === null) throw new Error(`tree-compare ended with exit code ${exit.code ?? '?'}: ${stderr.trim() || stdout.trim()}`);
    const [entries = 0, bytes = 0, xattrs = 0] = totals.slice(1).map(Number);
    return { entries, bytes, xattrs, differences: stdout.split('\n').filter((line) => line.startsWith('differs ')) };
  }

  async dropCaches(): Promise<void> {
    await this.must(['sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches']);
  }

  /** An actor that this case's end does not wait for. */
  async actor(): Promise<Actor> {
    return new Actor(await this.guest.shell.start(['/fuselage/bin/actor']));
  }

  async must(command: readonly string[]): Promise<string> {
    const { exit, stdout, stderr } = await this.guest.shell.run(command);
    if (exit.code !== 0) throw new Error(`${command.join(' ')}: ${stderr.trim()}`);
    return stdout;
  }

  /** By cookie key: files by name, layers also by the tags of the device tables. */
  async remotes(): Promise<ReadonlyMap<string, RemoteFile>> {
    if (this.#remotes !== undefined) return this.#remotes;
    const names: Record<string, string> = {};
    for (const name of ['plain', 'chunked', 'merged-one', 'merged-two', 'compressed', 'many'] as const) {
      const image = imageNamed(name);
      const tags = await tagsOf(this.served.images, image);
      names[image.file] = image.file;
      for (const [index, device] of image.devices.entries()) for (const key of [device, tags[index] ?? '']) if (key !== '') names[key] = device;
    }
    return (this.#remotes = remoteFiles(this.served.images.directory, REMOTE_DIRECTORY, names));
  }

  /** Adds a file of the guest's that the daemons have from now on. */
  async offer(cookie: string, file: RemoteFile): Promise<void> {
    await this.remotes();
    this.#remotes?.set(cookie, file);
  }

  /** Ends what the case started: mounts, daemons, listeners, loop devices, files. */
  async end(): Promise<void> {
    // A daemon that is gone answers what still waits, so that nothing keeps a mount busy.
    const mounts = this.#mounted.splice(0).reverse();
    const mounter = mounts.length === 0 ? undefined : await this.actor();
    for (const at of mounts) await mounter?.umount(at).catch(() => mounter.umount(at, true)).catch(() => undefined);
    for (const listener of this.#listeners.splice(0)) await listener.end();
    for (const daemon of this.#daemons.splice(0)) await daemon.end();
    for (const device of this.#loops.splice(0)) await this.guest.shell.run(['losetup', '-d', device]);
    await mounter?.end();
    await this.#mounter?.end();
    await this.guest.shell.run(['rm', '-rf', this.directory]);
  }
}
