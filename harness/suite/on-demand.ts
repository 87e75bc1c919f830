// SPDX-License-Identifier: GPL-2.0-only
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Trace } from '../device/trace/trace.ts';
import type { GuestShell } from '../guest/ssh.ts';
import { LineProgram, OperationError } from './line-program.ts';

const PAGE_BYTES = 4096;
const ENOENT = 2;
const EIO = 5;

/** What the kernel asks a daemon for (struct cachefiles_msg; Documentation/filesystems/caching/cachefiles.rst). */
export interface OpenRequest {
  readonly kind: 'open';
  readonly id: number;
  readonly object: number;
  /** Of the daemon: what it writes there is the object's data. */
  readonly fd: number;
  readonly flags: number;
  readonly volume: string;
  readonly cookie: string;
}
export interface ReadRequest {
  readonly kind: 'read';
  readonly id: number;
  readonly object: number;
  readonly cookie: string;
  readonly fd: number;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
}
export interface CloseRequest {
  readonly kind: 'close';
  readonly id: number;
  readonly object: number;
  readonly cookie: string;
}
export type OnDemandRequest = OpenRequest | ReadRequest | CloseRequest;

/** What a case does instead of serving: undefined keeps the usual. */
export interface Behaviour {
  open?(request: OpenRequest): Promise<void>;
  read?(request: ReadRequest): Promise<void>;
  close?(request: CloseRequest): Promise<void>;
}

/** Counts of a daemon's life; bytes as the kernel asked for them and as they were written to the cache. */
export type OnDemandCount = 'opens' | 'reads' | 'closes' | 'bytes asked' | 'bytes fetched';

/** A file that can be fetched: where the guest finds it. */
export interface RemoteFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * An on-demand daemon whose hands are a program in the guest and whose head is here: every request comes to
 * this side, and what a case wants done with it is done. Unless told otherwise it serves everything at once.
 */
export class OnDemandDaemon {
  readonly requests: OnDemandRequest[] = [];
  /** What went wrong while serving, for a case to look at; errors of a daemon that died are none. */
  readonly problems: string[] = [];
  behaviour: Behaviour = {};
  /** What is fetched together: a page, so that answers are exact; or more, so that neighbours are not asked for. */
  answerBytes = PAGE_BYTES;
  /** Resolves when the daemon's process is gone for good. */
  readonly exited: Promise<unknown>;
  /** Deaths that a supervisor answered by a new process. */
  deaths = 0;
  readonly #counts = new Map<OnDemandCount, number>();
  readonly #objects = new Map<number, { readonly cookie: string; readonly fd: number }>();
  readonly #waiting = new Set<() => void>();
  readonly #program: LineProgram;
  readonly #serving = new Set<Promise<void>>();
  readonly #unanswered = new Map<number, string>();

  private constructor(
    private readonly shell: GuestShell,
    remote: Awaited<ReturnType<GuestShell['start']>>,
    private readonly remotes: ReadonlyMap<string, RemoteFile>,
    private readonly trace: Trace,
    private readonly outstanding: Set<string>,
  ) {
    this.#program = new LineProgram('the daemon', remote, (words) => {
      this.#event(words);
    });
    this.exited = this.#program.exited;
  }

  /**
   * Opens /dev/cachefiles; nothing is bound yet.
   * @param remotes by cookie key.
   * @throws OperationError EBUSY where another daemon has it.
   */
  static async start(shell: GuestShell, options: { readonly remotes: ReadonlyMap<string, RemoteFile>; readonly trace: Trace; readonly outstanding: Set<string>; readonly supervised?: boolean }): Promise<OnDemandDaemon> {
    const remote = await shell.start(['/fuselage/bin/ondemand', ...(options.supervised === true ? ['--supervised'] : [])]);
    const daemon = new OnDemandDaemon(shell, remote, options.remotes, options.trace, options.outstanding);
    await daemon.#program.greeting('open /dev/cachefiles');
    return daemon;
  }

  /** Makes a cache of a directory, and reads messages with so many threads. */
  async bind(directory: string, readers = 1, tag?: string): Promise<void> {
    await this.shell.run(['mkdir', '-p', directory]);
    await this.command(`dir ${directory}`);
    if (tag !== undefined) await this.command(`tag ${tag}`);
    await this.command('bind ondemand');
    await this.listen(readers);
  }

  /** Writes one command to the device. @throws OperationError */
  async command(text: string): Promise<void> {
    await this.#program.ask(`write ${text}`);
  }

  async listen(readers: number): Promise<void> {
    await this.#program.ask(`listen ${readers}`);
  }

  async pid(): Promise<number> {
    return Number(await this.#program.ask('pid'));
  }

  count(of: OnDemandCount): number {
    return this.#counts.get(of) ?? 0;
  }

  /** Requests of a kind so far, of one cookie or of all. */
  of<Kind extends OnDemandRequest['kind']>(kind: Kind, cookie?: string): Extract<OnDemandRequest, { kind: Kind }>[] {
    return this.requests.filter((request): request is Extract<OnDemandRequest, { kind: Kind }> => request.kind === kind && (cookie === undefined || request.cookie === cookie));
  }

  /** Resolves when `condition` holds; it is looked at after everything that happens. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
  }

  remote(cookie: string): RemoteFile | undefined {
    return this.remotes.get(cookie);
  }

  /** Answers OPEN with a size, or with a negative errno. @throws OperationError */
  async copen(request: { readonly id: number }, size: number): Promise<void> {
    await this.command(`copen ${request.id},${size}`);
    this.#answered(request.id);
  }

  /** CACHEFILES_IOC_READ_COMPLETE: the data are there. @throws OperationError */
  async cread(request: { readonly id: number; readonly fd: number }): Promise<void> {
    await this.#program.ask(`cread ${request.fd} ${request.id}`);
    this.#answered(request.id);
  }

  /** Fetches a part of a file into its object; offset and length are widened to whole pages, and end with the file. */
  async fetch(object: { readonly cookie: string; readonly fd: number }, offset: number, length: number): Promise<void> {
    const file = this.remotes.get(object.cookie);
    if (file === undefined) throw new Error(`nobody has ${object.cookie}`);
    const from = Math.floor(offset / PAGE_BYTES) * PAGE_BYTES;
    const to = Math.min(Math.ceil((offset + length) / PAGE_BYTES), Math.ceil(file.sizeBytes / PAGE_BYTES)) * PAGE_BYTES;
    this.#add('bytes fetched', to - from);
    await this.#program.ask(`pwrite ${object.fd} ${from} ${to - from} ${file.path} ${from}`);
  }

  /** Writes bytes of one value, from memory that lies `shift` bytes beside a page's beginning. @throws OperationError */
  async fill(fd: number, offset: number, length: number, byte: number, shift = 0): Promise<void> {
    await this.#program.ask(`fill ${fd} ${offset} ${length} ${byte} ${shift}`);
  }

  /** lseek(2) of an object: where the next data, or the next hole, begin. @throws OperationError ENXIO */
  async seek(fd: number, offset: number, whence: 'data' | 'hole'): Promise<number> {
    return Number(await this.#program.ask(`seek ${fd} ${offset} ${whence === 'data' ? 3 : 4}`));
  }

  async closeFd(fd: number): Promise<void> {
    await this.#program.ask(`close ${fd}`);
  }

  /** Answers OPEN with an error. The kernel sends no CLOSE for what was never open, and keeps the volume until the fd is closed. */
  async refuse(request: OpenRequest, errnoNumber: number): Promise<void> {
    await this.copen(request, -errnoNumber);
    await this.closeFd(request.fd);
  }

  /** The usual answers. */
  async serveOpen(request: OpenRequest): Promise<void> {
    const file = this.remotes.get(request.cookie);
    if (file === undefined) await this.refuse(request, ENOENT);
    else await this.copen(request, file.sizeBytes);
  }
  async serveRead(request: ReadRequest): Promise<void> {
    const { offset, length } = request;
    const from = Math.floor(offset / this.answerBytes) * this.answerBytes;
    await this.fetch(request, from, Math.ceil((offset + length) / this.answerBytes) * this.answerBytes - from);
    await this.cread(request);
  }

  /** SIGKILL, in the middle of whatever it does. With a supervisor another process takes over. */
  die(): void {
    this.#program.tell('die');
  }

  async end(): Promise<void> {
    for (const id of [...this.#unanswered.keys()]) this.#answered(id);
    if (!this.#program.ended) {
      const pid = await this.pid().catch(() => undefined);
      // What still waits for an answer gets an error from the kernel when the device is closed.
      if (pid !== undefined) await this.#program.end();
    }
    await Promise.all(this.#serving);
  }

  #add(of: OnDemandCount, count: number): void {
    this.#counts.set(of, this.count(of) + count);
    this.trace.counter.add(`on-demand ${of}`, count);
  }

  #event([word, ...rest]: readonly string[]): void {
    const request = this.#request(word ?? '', rest);
    if (word === 'died') this.deaths++;
    else if (request === undefined) this.problems.push(`the device said ${[word, ...rest].join(' ')}`);
    else {
      this.requests.push(request);
      this.#add(request.kind === 'open' ? 'opens' : request.kind === 'read' ? 'reads' : 'closes', 1);
      if (request.kind === 'read') this.#add('bytes asked', request.length);
      if (request.kind !== 'close') {
        const text = `${request.kind.toUpperCase()} ${request.id} of ${request.cookie}${request.kind === 'read' ? `, ${request.length} bytes at ${request.offset}` : ''}: not answered`;
        this.#unanswered.set(request.id, text);
        this.outstanding.add(text);
      }
      const serving = this.#serve(request).finally(() => {
        this.#serving.delete(serving);
        this.#look();
      });
      this.#serving.add(serving);
    }
    this.#look();
  }

  #answered(id: number): void {
    const text = this.#unanswered.get(id);
    if (text !== undefined) this.outstanding.delete(text);
    this.#unanswered.delete(id);
  }

  #request(word: string, rest: readonly string[]): OnDemandRequest | undefined {
    const [id = 0, object = 0] = rest.slice(0, 2).map(Number);
    if (word === 'open') {
      const [, , fd, flags, volume = '', cookie = ''] = rest;
      this.#objects.set(object, { cookie, fd: Number(fd) });
      return { kind: 'open', id, object, fd: Number(fd), flags: Number(flags), volume, cookie };
    }
    const known = this.#objects.get(object) ?? { cookie: `object ${object}`, fd: -1 };
    if (word === 'read') return { kind: 'read', id, object, ...known, offset: Number(rest[2]), length: Number(rest[3]) };
    if (word === 'close') return { kind: 'close', id, object, cookie: known.cookie };
    return undefined;
  }

  async #serve(request: OnDemandRequest): Promise<void> {
    const at = this.trace.now();
    let error: string | undefined;
    try {
      if (request.kind === 'open') await (this.behaviour.open?.(request) ?? this.serveOpen(request));
      else if (request.kind === 'read') await (this.behaviour.read?.(request) ?? this.serveRead(request));
      else await (this.behaviour.close?.(request) ?? this.#close(request));
    } catch (cause) {
      error = cause instanceof OperationError ? cause.errno : cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof OperationError) this.problems.push(`${request.kind} of ${request.cookie}: ${cause.message}`);
      // Whoever waits for it is told that there is nothing.
      if (request.kind === 'open') await this.refuse(request, EIO).catch(() => undefined);
      else if (request.kind === 'read') await this.cread(request).catch(() => undefined);
    }
    const args = request.kind === 'read' ? { offset: request.offset, length: request.length } : request.kind === 'open' ? { volume: request.volume, flags: request.flags } : {};
    this.trace.record({
      kind: 'request', at, guest: 'guest', queue: 0, unique: request.id, op: request.kind.toUpperCase(), node: request.object, path: request.cookie, pid: 0, uid: 0, args,
      latency: Math.round((this.trace.now() - at) * 1_000),
      ...(error === undefined ? {} : { error }),
    });
  }

  async #close({ object }: CloseRequest): Promise<void> {
    const known = this.#objects.get(object);
    if (known !== undefined) await this.closeFd(known.fd);
  }

  #look(): void {
    for (const resolve of [...this.#waiting]) {
      this.#waiting.delete(resolve);
      resolve();
    }
  }
}

/** Files of the remote disk by their names, and layers by the tags that device tables name them by. */
export function remoteFiles(hostDirectory: string, guestDirectory: string, names: Readonly<Record<string, string>>): Map<string, RemoteFile> {
  return new Map(Object.entries(names).map(([cookie, name]) => [cookie, { path: `${guestDirectory}/${basename(name)}`, sizeBytes: statSync(join(hostDirectory, name)).size }]));
}
