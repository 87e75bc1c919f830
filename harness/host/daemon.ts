// SPDX-License-Identifier: GPL-2.0-only
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { endGroup, ownedSpawn } from './child.ts';
import { InfrastructureError } from './errors.ts';
import type { Scope } from './scope.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that runs beside us (QEMU, virtiofsd) until its scope ends. */
export class Daemon {
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  #stderrTail = '';

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
    readonly stdin: Writable,
    readonly stdout: Readable,
    readonly stderr: Readable,
    readonly pid: number,
  ) {
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    stderr.on('data', (chunk: Buffer) => {
      this.#stderrTail = (this.#stderrTail + chunk.toString('latin1')).slice(-8_192);
    });
    // A daemon that dies closes its pipes under our writes; its exit is what tells.
    stdin.on('error', () => undefined);
  }

  static async start(
    scope: Scope,
    command: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly name: string },
  ): Promise<Daemon> {
    const child = ownedSpawn(command, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        reject(new InfrastructureError('command.failed', `can not start ${options.name}`, { cause }));
      });
    });
    const { stdin, stdout, stderr, pid } = child;
    if (stdin === null || stdout === null || stderr === null || pid === undefined)
      throw new Error(`${options.name} was started without pipes`);
    const daemon = new Daemon(options.name, child, stdin, stdout, stderr, pid);
    await scope.defer(() => daemon.stop());
    return daemon;
  }

  /** The last 8 KiB that it said on stderr. */
  get lastWords(): string {
    return this.#stderrTail.trim();
  }

  async stop(): Promise<void> {
    await endGroup(this.child);
  }
}
