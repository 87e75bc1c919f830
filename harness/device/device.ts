// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../host/errors.ts';
import type { Scope } from '../host/scope.ts';
import { errnoNumber, errnoOf, FuseError, type Errno } from './fuse/errno.ts';
import { decodeParts, encodeParts, operationNamed, OPERATIONS, Reader, type OperationName, type Parts } from './fuse/operations.ts';
import { fuse_in_header, fuse_out_header, type InHeader } from './fuse/structs.ts';
import { WireError } from './fuse/wire.ts';
import { Script, type Arrival, type Rule } from './script/script.ts';
import type { Call, Handlers } from './serve/call.ts';
import { HANDLERS } from './serve/handlers.ts';
import { DEFAULT_SESSION, Session, type SessionOptions } from './serve/session.ts';
import { RANGE_BYTES } from './store/content.ts';
import type { Store } from './store/store.ts';
import { bigintAsText, printableArguments, REMOVED_RANGES, type Trace } from './trace/trace.ts';
import { BackEnd } from './vhost-user/back-end.ts';
import { QueueError, type Chain } from './virtqueue/chain.ts';
import type { Vring } from './virtqueue/vring.ts';
import { LARGEST_WINDOW_BYTES, Window } from './window/window.ts';

/** Virtio device number of virtio-fs (virtio 1.2, 5.11). */
const VIRTIO_ID_FS = 26;
const TAG_BYTES = 36;
const QUEUE_SIZE = 128;
const OUT_HEADER_BYTES = fuse_out_header.bytes;

export interface DeviceOptions {
  /** A name for the guest, in traces. */
  readonly guest: string;
  readonly tag: string;
  readonly store: Store;
  readonly trace: Trace;
  /** 0 for a device without a DAX window; else a power of two, from a range to LARGEST_WINDOW_BYTES. */
  readonly windowBytes: number;
  /** Beside the high-priority queue; since 6.12 the kernel uses one a CPU. */
  readonly requestQueues: number;
  readonly session?: Partial<SessionOptions>;
  readonly handlers?: Handlers;
  /** Told each request as it came, for fixtures: the whole message, and the protocol's minor it is to be read by. */
  readonly onRequest?: (op: OperationName, bytes: Buffer, minor: number) => void;
}

interface Request {
  readonly header: InHeader;
  readonly op: OperationName;
  readonly args: Readonly<Record<string, unknown>>;
  readonly arrival: Arrival;
}

/** One virtio-fs device of one guest: the requests of its queues, answered from a store that guests may share. */
export class Device {
  readonly script = new Script();
  readonly session: Session;
  readonly window: Window | undefined;
  /** Failures of ours or of QEMU's, and no fault of the guest: a case that met one gives no verdict. */
  readonly defects: string[] = [];
  /** What the guest's kernel did against the protocol, beside the window's violations. */
  readonly protocolErrors: string[] = [];
  /** Resolves when the connection to QEMU is over. */
  readonly ended: Promise<unknown>;
  readonly #waiting = new Set<Request>();
  #backEnd: BackEnd | undefined;
  /** Rises when the queues are gone: a chain of before must be left alone, for its memory may be gone too. */
  #epoch = 0;

  private constructor(private readonly options: DeviceOptions) {
    const { windowBytes } = options;
    if (windowBytes !== 0 && (windowBytes < RANGE_BYTES || windowBytes > LARGEST_WINDOW_BYTES || !Number.isInteger(Math.log2(windowBytes))))
      throw new InputError('share.window', `a DAX window of ${windowBytes} bytes can not be`, {
        hint: `take a power of two from ${RANGE_BYTES} (one range) to ${LARGEST_WINDOW_BYTES}: QEMU shows it as a PCI BAR`,
      });
    this.session = new Session(options.store, { ...DEFAULT_SESSION, ...options.session });
    this.window = windowBytes === 0 ? undefined : new Window(windowBytes, () => this.#backEnd?.frontend);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  #end: (error: unknown) => void = () => undefined;

  /** Listens on a Unix socket for the QEMU that takes `qemuArguments(path)`. */
  static async start(scope: Scope, socketPath: string, options: DeviceOptions): Promise<Device> {
    const device = new Device(options);
    const config = Buffer.alloc(TAG_BYTES + 8);
    config.write(options.tag, 0, 'utf8');
    config.writeUInt32LE(options.requestQueues, TAG_BYTES);
    device.#backEnd = await BackEnd.listen(scope, socketPath, {
      queues: 1 + options.requestQueues,
      config,
      windowBytes: options.windowBytes,
      onKick: (vring, index) => {
        device.#drain(vring, index);
      },
      onReset: () => {
        device.#reset();
      },
      onEnd: (error) => {
        device.#epoch++;
        if (error !== undefined) device.defects.push(`vhost-user: ${error instanceof Error ? error.message : 'the connection broke'}`);
        device.#end(error);
      },
    });
    await scope.defer(() => {
      // Guest memory is unmapped next: what a script holds must not be written there any more.
      device.#epoch++;
      device.script.clear();
    });
    return device;
  }

  /** What attaches it. Guest RAM must be shared with us: memory-backend-memfd,share=on. */
  static qemuArguments(socketPath: string, id: string, requestQueues: number): string[] {
    const device = `vhost-user-test-device-pci,chardev=${id},virtio-id=${VIRTIO_ID_FS},num_vqs=${1 + requestQueues},vq_size=${QUEUE_SIZE},config_size=${TAG_BYTES + 8}`;
    return ['-chardev', `socket,id=${id},path=${socketPath}`, '-device', device];
  }

  get trace(): Trace {
    return this.options.trace;
  }

  get store(): Store {
    return this.options.store;
  }

  /** What is under way, in words. */
  describe(): string {
    const lines = [...this.#waiting].map(({ arrival }) => `${arrival.op} unique ${arrival.unique} pid ${arrival.pid} ${arrival.path} ${JSON.stringify(arrival.args, bigintAsText)}`);
    return lines.length === 0 ? `${this.options.guest}: no request is outstanding\n` : `${this.options.guest}: outstanding\n${lines.join('\n')}\n`;
  }

  /** Ends the connection without a word, as a server that dies does. */
  kill(): void {
    this.#epoch++;
    this.#backEnd?.close();
  }

  #reset(): void {
    this.#epoch++;
    this.script.clear();
    this.session.reset();
    this.window?.clear().catch((error: unknown) => {
      this.defects.push(String(error));
    });
  }

  #drain(vring: Vring, queue: number): void {
    try {
      for (const chain of vring.chains()) this.#take(chain, queue, vring.completion());
    } catch (error) {
      // The queue has ended; the guest's driver is at fault, and the process goes on.
      if (!(error instanceof QueueError)) throw error;
      this.protocolErrors.push(`queue ${queue}: ${error.message}`);
    }
  }

  #take(chain: Chain, queue: number, complete: (head: number, writtenBytes: number) => void): void {
    const reader = new Reader(chain.readable);
    let header: InHeader | undefined;
    try {
      header = fuse_in_header.decode(reader.take(fuse_in_header.bytes));
      const op = operationNamed(header.opcode);
      if (op === undefined) throw new FuseError('ENOSYS');
      const minor = this.session.minor === 0 ? minorOf(op, chain) : this.session.minor;
      this.options.onRequest?.(op, Buffer.concat(chain.readable), minor);
      const args = decodeParts(OPERATIONS[op].request as Parts, reader, minor);
      this.#begin({ header, op, args, arrival: this.#arrival(header, op, args, queue) }, chain, complete);
    } catch (error) {
      if (error instanceof WireError) this.protocolErrors.push(`request ${header?.opcode ?? 'without a header'}: ${error.message}`);
      else if (!(error instanceof FuseError)) throw error;
      const errno = error instanceof FuseError ? error.errno : 'EIO';
      complete(chain.head, header === undefined ? 0 : write(chain.writable, errorReply(header.unique, errno)));
    }
  }

  #arrival(header: InHeader, op: OperationName, args: Readonly<Record<string, unknown>>, queue: number): Arrival {
    return {
      op,
      node: header.nodeid,
      path: this.#pathOf(header.nodeid, args['name']),
      pid: header.pid,
      uid: header.uid,
      unique: header.unique,
      queue,
      args: printableArguments(args),
    };
  }

  #pathOf(nodeid: number, name: unknown): string {
    if (nodeid === 0) return '';
    let path: string;
    try {
      path = this.session.inode(nodeid).path;
    } catch {
      path = `node ${nodeid}`;
    }
    return typeof name === 'string' ? `${path === '/' ? '' : path}/${Buffer.from(name, 'latin1').toString()}` : path;
  }

  #begin(request: Request, chain: Chain, complete: (head: number, writtenBytes: number) => void): void {
    const { op, arrival } = request;
    const startedAt = this.trace.now();
    const { counter } = this.trace;
    const leave = counter.begin(op, arrival.node);
    if (op === 'REMOVEMAPPING') counter.add(REMOVED_RANGES, Number(arrival.args['count']));
    this.#waiting.add(request);
    const rule = this.script.active ? this.script.take(arrival) : undefined;
    const epoch = this.#epoch;
    const settle = (reply: Buffer[] | undefined, errno: Errno | undefined) => {
      this.#waiting.delete(request);
      leave();
      if (epoch !== this.#epoch) return;
      const written = reply === undefined ? 0 : write(chain.writable, reply);
      this.trace.record({
        kind: 'request',
        at: startedAt,
        guest: this.options.guest,
        ...arrival,
        ...(errno === undefined ? {} : { error: errno }),
        ...(reply === undefined ? {} : { replyBytes: written, latency: Math.round((this.trace.now() - startedAt) * 1_000) }),
        ...(rule === undefined ? {} : { steered: rule.action.kind }),
      });
      if (rule?.action.kind === 'drop') return;
      complete(chain.head, written);
      if (rule?.action.kind === 'twice') complete(chain.head, written);
    };
    if (rule === undefined) this.#answer(request, chain, settle);
    else void this.#steer(rule, request, chain, settle);
  }

  async #steer(rule: Rule, request: Request, chain: Chain, settle: (reply: Buffer[] | undefined, errno: Errno | undefined) => void): Promise<void> {
    const epoch = this.#epoch;
    const { action } = rule;
    const { unique } = request.header;
    if (action.kind === 'hold' && action.when !== 'after') await rule.pass();
    if (action.kind === 'delay') await sleep(action.milliseconds);
    if (epoch !== this.#epoch) {
      settle(undefined, undefined);
      return;
    }
    if (action.kind === 'drop') {
      settle(undefined, undefined);
      return;
    }
    if (action.kind === 'fail' && action.done !== true) {
      settle(errorReply(unique, action.errno), action.errno);
      return;
    }
    const { reply, errno } = await new Promise<{ reply: Buffer[] | undefined; errno: Errno | undefined }>((resolve) => {
      this.#answer(request, chain, (answered, failed) => {
        resolve({ reply: answered, errno: failed });
      });
    });
    if (action.kind === 'hold' && action.when === 'after') await rule.pass();
    if (action.kind === 'fail') settle(errorReply(unique, action.errno), action.errno);
    // A copy: what a handler read lies in guest memory already.
    else if (action.kind === 'rewrite' && reply !== undefined) settle([action.reply(Buffer.concat(reply))], errno);
    else settle(reply, errno);
  }

  /** Runs the operation; `settle` is called in this very turn where the handler does not wait. */
  #answer(request: Request, chain: Chain, settle: (reply: Buffer[] | undefined, errno: Errno | undefined) => void): void {
    const { header, op, args } = request;
    const operation = OPERATIONS[op];
    const finish = (value: Readonly<Record<string, unknown>>) => {
      if ('unanswered' in operation) {
        settle(undefined, undefined);
        return;
      }
      const body = encodeParts(operation.reply as Parts, value, this.session.minor);
      const len = body.reduce((sum, piece) => sum + piece.length, OUT_HEADER_BYTES);
      settle([fuse_out_header.encode({ len, error: 0, unique: header.unique }), ...body], undefined);
    };
    const fail = (error: unknown) => {
      const errno = errnoOf(error);
      // A failure that no errno describes is ours; EIO is all that the guest can be told.
      if (errno === undefined) this.defects.push(`${op}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      settle('unanswered' in operation ? undefined : errorReply(header.unique, errno ?? 'EIO'), errno ?? 'EIO');
    };
    const handler = (this.options.handlers ?? HANDLERS)[op] as ((args: unknown, call: Call) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>) | undefined;
    if (handler === undefined) {
      fail(new FuseError('ENOSYS'));
      return;
    }
    try {
      const value = handler(args, { header, session: this.session, window: this.window, reserve: (bytes) => reserve(chain.writable, bytes) });
      if (value instanceof Promise) value.then(finish, fail);
      else finish(value);
    } catch (error) {
      fail(error);
    }
  }
}

/** INIT tells its own protocol by its length: before it, nothing is agreed on. */
function minorOf(op: OperationName, chain: Chain): number {
  if (op !== 'INIT') return 0;
  const bytes = chain.readable.reduce((sum, piece) => sum + piece.length, 0) - fuse_in_header.bytes;
  return bytes >= OPERATIONS.INIT.request.args.bytes ? 36 : 0;
}

function errorReply(unique: number, errno: Errno): Buffer[] {
  return [fuse_out_header.encode({ len: OUT_HEADER_BYTES, error: -errnoNumber(errno), unique })];
}

/** The guest's writable bytes from behind the reply's header on. */
function reserve(writable: readonly Buffer[], bytes: number): Buffer[] {
  const pieces: Buffer[] = [];
  let skip = OUT_HEADER_BYTES;
  let left = bytes;
  for (const piece of writable) {
    const room = piece.subarray(Math.min(skip, piece.length));
    skip -= Math.min(skip, piece.length);
    if (room.length === 0 || left === 0) continue;
    pieces.push(room.length <= left ? room : room.subarray(0, left));
    left -= Math.min(left, room.length);
  }
  return pieces;
}

/** Puts a reply where the guest expects it; pieces that lie there already are left. @returns how many bytes. */
function write(writable: readonly Buffer[], reply: readonly Buffer[]): number {
  let written = 0;
  let [index, at] = [0, 0];
  for (const piece of reply) {
    for (let from = 0; from < piece.length; ) {
      const target = writable[index];
      if (target === undefined) return written;
      const count = Math.min(piece.length - from, target.length - at);
      const there = piece.buffer === target.buffer && piece.byteOffset + from === target.byteOffset + at;
      if (!there) piece.copy(target, at, from, from + count);
      from += count;
      at += count;
      written += count;
      if (at === target.length) [index, at] = [index + 1, 0];
    }
  }
  return written;
}
