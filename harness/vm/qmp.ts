// SPDX-License-Identifier: GPL-2.0-only
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { InfrastructureError } from '../host/errors.ts';
import type { Scope } from '../host/scope.ts';

/** Listens on a Unix socket for the one connection that QEMU will make: no "has it started yet". */
export async function listenOnce(scope: Scope, path: string): Promise<{ readonly connection: Promise<Socket> }> {
  const server: Server = createServer();
  await scope.defer(() => {
    server.close();
  });
  const connection = new Promise<Socket>((resolve) => {
    server.once('connection', (socket) => {
      socket.on('error', () => undefined); // QEMU's exit is what tells
      server.close();
      resolve(socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return { connection }; // in an object: an async function would wait for a bare promise
}

type Reply = { readonly return: unknown } | { readonly error: { readonly class: string; readonly desc: string } };

/** QEMU Machine Protocol (docs/interop/qmp-spec.rst): commands in order, events as they come. */
export class Qmp {
  readonly #pending: ((reply: Reply | undefined) => void)[] = [];
  readonly #listeners = new Set<(event: string, data: Readonly<Record<string, unknown>>) => void>();

  private constructor(private readonly socket: Socket) {
    // readline passes the socket's errors on, and one that nobody hears ends the program; QEMU's exit is what tells.
    createInterface({ input: socket })
      .on('error', () => undefined)
      .on('line', (line) => {
        this.#accept(line);
      });
    socket.once('close', () => {
      for (const settle of this.#pending.splice(0)) settle(undefined);
    });
  }

  static async negotiate(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await qmp.command('qmp_capabilities');
    return qmp;
  }

  onEvent(listener: (event: string, data: Readonly<Record<string, unknown>>) => void): void {
    this.#listeners.add(listener);
  }

  async command(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const reply = await new Promise<Reply | undefined>((resolve) => {
      if (this.socket.destroyed) {
        resolve(undefined);
        return;
      }
      this.#pending.push(resolve);
      this.socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
    if (reply === undefined) throw new InfrastructureError('vm.qemu-died', `QEMU went away during ${execute}`, { hint: 'see qemu.log of this guest' });
    if ('error' in reply) throw new InfrastructureError('vm.qemu-died', `QEMU refused ${execute}: ${reply.error.desc}`, { hint: 'run `fuselage doctor`' });
    return reply.return;
  }

  /** A command of the human monitor; its text. */
  async monitor(commandLine: string): Promise<string> {
    return String(await this.command('human-monitor-command', { 'command-line': commandLine }));
  }

  #accept(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    if ('event' in message && typeof message.event === 'string') {
      const data = 'data' in message && typeof message.data === 'object' && message.data !== null ? message.data : {};
      for (const listener of this.#listeners) listener(message.event, data as Readonly<Record<string, unknown>>);
    } else if ('return' in message || 'error' in message) this.#pending.shift()?.(message as Reply);
  }
}
