// SPDX-License-Identifier: GPL-2.0-only
import koffi from 'koffi';

/** The C library, for what Node has no binding of. Only this room calls it. */
const libc = koffi.load('libc.so.6');

type Pointer = unknown;

const calls = {
  flock: libc.func('int flock(int fd, int operation)') as (fd: number, operation: number) => number,
  memfdCreate: libc.func('int memfd_create(str name, uint flags)') as (name: string, flags: number) => number,
  mmap: libc.func('void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)') as (
    address: Pointer,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => Pointer,
  munmap: libc.func('int munmap(void *address, size_t length)') as (address: Pointer, length: number) => number,
  fallocate: libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)') as (fd: number, mode: number, offset: number, length: number) => number,
  lseek: libc.func('int64_t lseek(int fd, int64_t offset, int whence)') as (fd: number, offset: number, whence: number) => number,
  eventfd: libc.func('int eventfd(uint initial, int flags)') as (initial: number, flags: number) => number,
  poll: libc.func('int poll(void *fds, uint64_t count, int timeout)') as ((fds: Buffer, count: number, timeout: number) => number) & {
    async: (fds: Buffer, count: number, timeout: number, done: (error: unknown, ready: number) => void) => void;
  },
  socket: libc.func('int socket(int domain, int type, int protocol)') as (domain: number, type: number, protocol: number) => number,
  bind: libc.func('int bind(int fd, void *address, uint length)') as (fd: number, address: Buffer, length: number) => number,
  listen: libc.func('int listen(int fd, int backlog)') as (fd: number, backlog: number) => number,
  accept4: libc.func('int accept4(int fd, void *address, void *length, int flags)') as (fd: number, address: null, length: null, flags: number) => number,
  shutdown: libc.func('int shutdown(int fd, int how)') as (fd: number, how: number) => number,
  recvmsg: libc.func('int64_t recvmsg(int fd, void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number,
  sendmsg: libc.func('int64_t sendmsg(int fd, void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number,
};

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

/** An errno of the C library, in the shape of Node's own system errors. */
export class SystemCallError extends Error {
  readonly code: string;

  constructor(
    readonly syscall: string,
    readonly errno: number,
  ) {
    const code = errnoNames.get(errno) ?? `errno ${errno}`;
    super(`${code}: ${syscall}`);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

function checked(name: string, value: number): number {
  if (value < 0) throw new SystemCallError(name, koffi.errno());
  return value;
}

/** The value, or undefined where the call would have had to wait. */
function unlessBlocked(name: string, value: number): number | undefined {
  if (value >= 0) return value;
  const errno = koffi.errno();
  if (errno === koffi.os.errno['EAGAIN'] || errno === koffi.os.errno['EWOULDBLOCK'] || errno === koffi.os.errno['EINTR']) return undefined;
  throw new SystemCallError(name, errno);
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/** flock(2), exclusive, without waiting. @returns whether the lock is now held. */
export function tryLockExclusive(fd: number): boolean {
  return unlessBlocked('flock', calls.flock(fd, LOCK_EX | LOCK_NB)) !== undefined;
}

const MFD_CLOEXEC = 1;

/** memfd_create(2): anonymous memory with a descriptor, of zero length. */
export function createMemfd(name: string): number {
  return checked('memfd_create', calls.memfdCreate(name, MFD_CLOEXEC));
}

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

/** Memory mapped by mmap(2), as bytes that need no copy. */
export class Mapping {
  readonly bytes: Buffer;
  #mapped = true;

  private constructor(
    private readonly address: Pointer,
    readonly lengthBytes: number,
  ) {
    this.bytes = Buffer.from(koffi.view(address, lengthBytes));
  }

  /** Maps a descriptor MAP_SHARED, readable and writable. */
  static shared(fd: number, offsetBytes: number, lengthBytes: number): Mapping {
    const address = calls.mmap(null, lengthBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offsetBytes);
    if (koffi.address(address) === 0xffffffffffffffffn) throw new SystemCallError('mmap', koffi.errno());
    return new Mapping(address, lengthBytes);
  }

  /** Puts private zeros where the memory was: whoever still holds a view reads those and does no harm. */
  retire(): void {
    if (!this.#mapped) return;
    calls.mmap(this.address, this.lengthBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  }

  /** Only when no view of it can be used any more: a later access would end the process. */
  unmap(): void {
    if (!this.#mapped) return;
    this.#mapped = false;
    checked('munmap', calls.munmap(this.address, this.lengthBytes));
  }
}

export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;

/** fallocate(2); offsets and lengths in bytes. */
export function fallocate(fd: number, mode: number, offsetBytes: number, lengthBytes: number): void {
  checked('fallocate', calls.fallocate(fd, mode, offsetBytes, lengthBytes));
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** lseek(2) with SEEK_DATA or SEEK_HOLE. @returns undefined where there is none (ENXIO). */
export function seek(fd: number, what: 'data' | 'hole', offsetBytes: number): number | undefined {
  const found = calls.lseek(fd, offsetBytes, what === 'data' ? SEEK_DATA : SEEK_HOLE);
  if (found >= 0) return found;
  if (koffi.errno() === koffi.os.errno['ENXIO']) return undefined;
  throw new SystemCallError('lseek', koffi.errno());
}

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** eventfd(2), not blocking. */
export function createEventfd(): number {
  return checked('eventfd', calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

const POLLIN = 1;
const POLLFD_BYTES = 8;

/** poll(2) for input on a fixed set of descriptors. */
export class PollSet {
  readonly #pollfds: Buffer;

  constructor(private readonly fds: readonly number[]) {
    this.#pollfds = Buffer.alloc(POLLFD_BYTES * fds.length);
    for (const [index, fd] of fds.entries()) {
      this.#pollfds.writeInt32LE(fd, index * POLLFD_BYTES);
      this.#pollfds.writeInt16LE(POLLIN, index * POLLFD_BYTES + 4);
    }
  }

  /** What is ready now, without waiting. */
  ready(): number[] {
    const count = unlessBlocked('poll', calls.poll(this.#pollfds, this.fds.length, 0)) ?? 0;
    return count === 0 ? [] : this.fds.filter((_, index) => this.#pollfds.readInt16LE(index * POLLFD_BYTES + 6) !== 0);
  }

  /** Waits on a thread of libuv's pool; the event loop goes on. */
  async wait(timeoutMilliseconds: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      calls.poll.async(this.#pollfds, this.fds.length, timeoutMilliseconds, (error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  }
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SUN_PATH_BYTES = 108;

/** A listening stream socket at a path; accepting from it does not block. */
export function listenUnix(path: string): number {
  const name = Buffer.from(path);
  if (name.length >= SUN_PATH_BYTES) throw new Error(`a socket path of ${name.length} bytes: at most ${SUN_PATH_BYTES - 1} fit`);
  const fd = checked('socket', calls.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  checked('bind', calls.bind(fd, address, address.length));
  checked('listen', calls.listen(fd, 1));
  return fd;
}

/** @returns the new connection, or undefined when none is waiting. */
export function acceptUnix(fd: number): number | undefined {
  return unlessBlocked('accept4', calls.accept4(fd, null, null, SOCK_CLOEXEC));
}

const SHUT_RDWR = 2;

/** Ends both directions: the peer reads the end of the stream. */
export function shutdownSocket(fd: number): void {
  calls.shutdown(fd, SHUT_RDWR);
}

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CMSG_HEADER_BYTES = 16;
/** VHOST_USER_MAX_RAM_SLOTS descriptors are the most that one message carries (SET_MEM_TABLE). */
const MOST_DESCRIPTORS = 32;

/**
 * What recvmsg() and sendmsg() read and write through bare addresses. They live as long as the program: the
 * collector sees no reference from one to the other. Both calls are synchronous, so one set is enough.
 */
const IOVEC = Buffer.alloc(16);
const CONTROL = Buffer.alloc(CMSG_HEADER_BYTES + 4 * MOST_DESCRIPTORS);
const MESSAGE = Buffer.alloc(56);

/** Fills struct msghdr for one buffer and so many bytes of CONTROL (64 bit). The caller keeps `bytes` alive. */
function prepareMessage(bytes: Buffer, controlBytes: number): void {
  IOVEC.writeBigUInt64LE(koffi.address(bytes), 0);
  IOVEC.writeBigUInt64LE(BigInt(bytes.length), 8);
  MESSAGE.fill(0);
  MESSAGE.writeBigUInt64LE(koffi.address(IOVEC), 16);
  MESSAGE.writeBigUInt64LE(1n, 24);
  MESSAGE.writeBigUInt64LE(controlBytes === 0 ? 0n : koffi.address(CONTROL), 32);
  MESSAGE.writeBigUInt64LE(BigInt(controlBytes), 40);
}

/**
 * recvmsg(2) without waiting.
 * @param bytes filled from its start; no more than its length is taken from the stream.
 * @returns undefined when nothing is there; 0 bytes at the stream's end.
 */
export function receive(fd: number, bytes: Buffer): { readonly count: number; readonly fds: readonly number[] } | undefined {
  prepareMessage(bytes, CONTROL.length);
  const count = unlessBlocked('recvmsg', calls.recvmsg(fd, MESSAGE, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (count === undefined || count > bytes.length) return undefined;
  const fds: number[] = [];
  const controlBytes = Number(MESSAGE.readBigUInt64LE(40));
  for (let at = 0; at + CMSG_HEADER_BYTES <= controlBytes; ) {
    const lengthBytes = Number(CONTROL.readBigUInt64LE(at));
    if (lengthBytes < CMSG_HEADER_BYTES) break;
    if (CONTROL.readInt32LE(at + 8) === SOL_SOCKET && CONTROL.readInt32LE(at + 12) === SCM_RIGHTS)
      for (let data = at + CMSG_HEADER_BYTES; data + 4 <= at + lengthBytes; data += 4) fds.push(CONTROL.readInt32LE(data));
    at += (lengthBytes + 7) & ~7;
  }
  return { count, fds };
}

/** sendmsg(2) of all bytes; the descriptors travel with the first of them. */
export function send(fd: number, bytes: Buffer, fds: readonly number[] = []): void {
  for (let sent = 0; sent < bytes.length; ) {
    const controlBytes = fds.length > 0 && sent === 0 ? (CMSG_HEADER_BYTES + 4 * fds.length + 7) & ~7 : 0;
    if (controlBytes > 0) {
      CONTROL.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + 4 * fds.length), 0);
      CONTROL.writeInt32LE(SOL_SOCKET, 8);
      CONTROL.writeInt32LE(SCM_RIGHTS, 12);
      for (const [index, one] of fds.entries()) CONTROL.writeInt32LE(one, CMSG_HEADER_BYTES + 4 * index);
    }
    prepareMessage(bytes.subarray(sent), controlBytes);
    sent += checked('sendmsg', calls.sendmsg(fd, MESSAGE, MSG_NOSIGNAL));
  }
}
