// SPDX-License-Identifier: GPL-2.0-only
import { resolve } from 'node:path';
import pc from 'picocolors';
import { Cache } from '../host/cache.ts';
import type { Context } from '../host/context.ts';
import { explain, FuselageError, InterruptedError, type ExitCode } from '../host/errors.ts';
import { cacheRoot } from '../host/paths.ts';
import { SharedStore } from '../host/shared-store.ts';
import { ProgressDisplay } from '../report/progress-display.ts';

export interface Session {
  readonly context: Context;
  readonly display: ProgressDisplay;
}

/**
 * What every command runs in: a cache, a display on stderr, and signals that end the work in order.
 * The exit code is set and never forced, so that what was deferred gets its turn.
 */
export async function inSession(work: (session: Session) => Promise<ExitCode>): Promise<void> {
  const display = new ProgressDisplay();
  const abort = new AbortController();
  let signals = 0;
  const interrupt = () => {
    signals++;
    if (signals === 1) {
      display.line('ending what runs (once more to end at once)');
      abort.abort(new InterruptedError());
    } else process.exit(130); // the exit handler of host/child.ts kills what is left
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  const shared = process.env['FUSELAGE_STORE'];
  const cache = new Cache(cacheRoot(), shared === undefined || shared === '' ? undefined : new SharedStore(resolve(shared)));
  // Work that waits for something that can no longer come would end the program without a word.
  const drained = () => {
    finish(new Error('the program ran out of work before it was done'));
  };
  process.once('beforeExit', drained);
  try {
    await cache.ensureRoot();
    process.exitCode = await work({ context: { cache, emit: display.emit, signal: abort.signal }, display });
  } catch (error) {
    display.stop();
    finish(abort.signal.aborted ? new InterruptedError() : error);
  } finally {
    process.off('beforeExit', drained);
    display.stop();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, interrupt);
  }
}

/** Known errors print one line (and their evidence), unknown ones a stack; both set the exit code. */
export function finish(error: unknown): void {
  const known = explain(error);
  if (known instanceof FuselageError) {
    process.stderr.write(`${pc.red('fuselage:')} ${known.line}\n`);
    if (known.detail !== undefined && known.detail !== '') process.stderr.write(`${pc.dim(known.detail.trimEnd())}\n`);
    process.exitCode = known.exitCode;
    return;
  }
  process.stderr.write(`fuselage: unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 3;
}

/** With --json one document goes to stdout; otherwise text for people. */
export function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value, undefined, 2)}\n` : `${text}\n`);
}
