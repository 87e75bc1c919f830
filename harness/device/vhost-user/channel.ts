// SPDX-License-Identifier: GPL-2.0-only
import { closeSync } from 'node:fs';
import { receive, send, shutdownSocket } from '../../host/libc.ts';
import { reactor } from '../../host/reactor.ts';
import { decodeHeader, HEADER_BYTES, type Header, type Message } from './messages.ts';

/**
 * One vhost-user socket. Header and payload are read exactly: descriptors travel with the first byte of
 * their message, and reading on into the next one would take its descriptors as well.
 */
export class Channel {
  readonly #unwatch: () => void;
  #header: Header | undefined;
  #buffer = Buffer.alloc(HEADER_BYTES);
  #filled = 0;
  #fds: number[] = [];
  #closed = false;

  /** @param onClose told once, with the reason where it was not the peer's orderly end. */
  constructor(
    private readonly fd: number,
    private readonly onMessage: (message: Message) => void,
    private readonly onClose: (error: unknown) => void,
  ) {
    this.#unwatch = reactor.watch(fd, () => {
      try {
        this.#read();
      } catch (error) {
        this.close(error);
      }
    });
  }

  send(bytes: Buffer, fds: readonly number[] = []): void {
    if (!this.#closed) send(this.fd, bytes, fds);
  }

  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    for (const fd of this.#fds) closeSync(fd);
    shutdownSocket(this.fd);
    closeSync(this.fd);
    this.onClose(error);
  }

  #read(): void {
    while (!this.#closed) {
      if (this.#filled < this.#buffer.length) {
        const got = receive(this.fd, this.#buffer.subarray(this.#filled));
        if (got === undefined) return;
        this.#fds.push(...got.fds);
        if (got.count === 0) {
          this.close(this.#filled === 0 && this.#header === undefined ? undefined : new Error('the vhost-user socket ended within a message'));
          return;
        }
        this.#filled += got.count;
        if (this.#filled < this.#buffer.length) continue;
      }
      if (this.#header === undefined) {
        this.#header = decodeHeader(this.#buffer);
        this.#expect(this.#header.sizeBytes);
        continue;
      }
      const message = { request: this.#header.request, flags: this.#header.flags, payload: this.#buffer, fds: this.#fds };
      this.#header = undefined;
      this.#fds = [];
      this.#expect(HEADER_BYTES);
      this.onMessage(message);
    }
  }

  #expect(bytes: number): void {
    this.#buffer = Buffer.alloc(bytes);
    this.#filled = 0;
  }
}
