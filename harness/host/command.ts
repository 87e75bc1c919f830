// SPDX-License-Identifier: GPL-2.0-only
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { $, type ProcessPromise } from 'zx';
import { DIES_WITH_US, endGroup, groupSpawn, ownedSpawn } from './child.ts';
import { InfrastructureError, InterruptedError } from './errors.ts';

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  readonly signal?: AbortSignal;
  /** Called for each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface CommandOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that ended with an exit code that its caller did not expect. */
export class CommandError extends InfrastructureError {
  constructor(
    readonly command: readonly string[],
    readonly output: CommandOutput,
  ) {
    const lastWords = `${output.stdout}\n${output.stderr}`.trimEnd().split('\n').slice(-20).join('\n');
    super('command.failed', `${command.join(' ')} ended with ${output.exitCode}`, { detail: lastWords });
  }
}

/** A function, for a property that was once found false is not taken for false for ever. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

/** Runs a command to its end, whatever its exit code. Arguments are quoted by zx, never by us. */
export async function attempt(command: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
  if (isAborted(options.signal)) throw new InterruptedError();
  let child: ChildProcess | undefined;
  const running: ProcessPromise = $({
    nothrow: true,
    quiet: true,
    prefix: '',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? {} : { input: options.input }),
    env: { ...process.env, ...options.env },
    // zx asks for a function of node's overloaded type; ours is the one shape of it that zx calls.
    spawn: ((file: string, args: readonly string[], spawnOptions: object) => {
      child = groupSpawn(file, args, spawnOptions);
      return child;
    }) as unknown as typeof import('node:child_process').spawn,
  })`exec ${[...DIES_WITH_US, ...command]}`;
  if (options.onLine !== undefined)
    for (const stream of [running.stdout, running.stderr])
      createInterface({ input: stream }).on('line', options.onLine);
  const abort = () => {
    if (child !== undefined) void endGroup(child);
  };
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const output = await running;
    // An aborted signal can not be narrowed by the check above: time has passed.
    if ((options.signal)?.aborted === true) throw new InterruptedError();
    return { exitCode: output.exitCode ?? 128, stdout: output.stdout, stderr: output.stderr };
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Runs a command and returns its stdout. @throws CommandError unless it ends with 0. */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const output = await attempt(command, options);
  if (output.exitCode !== 0) throw new CommandError(command, output);
  return output.stdout;
}

/** Runs a command and returns its stdout as bytes, for content that need not be UTF-8. */
export async function runBytes(command: readonly string[], options: Pick<CommandOptions, 'env' | 'cwd'> = {}): Promise<Buffer> {
  const child = ownedSpawn(command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const chunks: Buffer[] = [];
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 128);
    });
  });
  if (exitCode !== 0) throw new CommandError(command, { exitCode, stdout: '', stderr });
  return Buffer.concat(chunks);
}
