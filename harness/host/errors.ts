// SPDX-License-Identifier: GPL-2.0-only

/**
 * Every error that Fuselage expects to meet. The code is stable: scripts may match on it, and
 * docs/errors.md lists what to do about each. The exit code follows from the class, never from
 * the place that threw it, so that an infrastructure failure can not pass for a kernel verdict.
 */
export type ErrorCode =
  | 'usage'
  | 'tree.not-a-kernel'
  | 'tree.unknown-version'
  | 'tree.no-git'
  | 'series.unreadable'
  | 'series.empty'
  | 'series.does-not-apply'
  | 'config.symbol-lost'
  | 'config.no-fragment'
  | 'build.failed'
  | 'build.no-toolchain'
  | 'kernel.no-such-image'
  | 'run.unknown'
  | 'run.unusable'
  | 'case.none-matched'
  | 'case.invalid'
  | 'case.does-not-compile'
  | 'share.unknown'
  | 'share.window'
  | 'expectation.invalid'
  | 'packages.missing'
  | 'network.unreachable'
  | 'disk.full'
  | 'cache.unwritable'
  | 'toolbox.incomplete'
  | 'command.failed'
  | 'vm.qemu-died'
  | 'vm.boot-failed'
  | 'vm.no-accelerator'
  | 'guest.unreachable'
  | 'share.server-died'
  | 'bisect.nothing'
  | 'bisect.end'
  | 'bisect.no-verdict'
  | 'nightly.config'
  | 'nightly.history'
  | 'nightly.shard'
  | 'nightly.queue'
  | 'interrupted';

/** Exit codes of the program (DESIGN, rule 2); 130 is the shell's convention for Ctrl-C; 125 and 255 are for `git bisect run`. */
export type ExitCode = 0 | 1 | 2 | 3 | 125 | 130 | 255;

export interface ErrorDetails {
  /** What the user can do about it: one imperative sentence. */
  readonly hint?: string;
  /** Longer evidence (rejected hunks, a console's tail); printed after the one line. */
  readonly detail?: string;
  readonly cause?: unknown;
}

export abstract class FuselageError extends Error {
  abstract readonly exitCode: ExitCode;
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
    this.detail = details.detail;
  }

  /** What a user sees: what happened, to what, and what to do. */
  get line(): string {
    return this.hint === undefined ? this.message : `${this.message}; ${this.hint}`;
  }
}

/** The user asked for something that can not be: bad arguments, a bad tree, a bad series. */
export class InputError extends FuselageError {
  override readonly exitCode = 2;
}

/** The machinery failed: no statement about the kernel follows from it. */
export class InfrastructureError extends FuselageError {
  override readonly exitCode = 3;
}

/** The kernel under test failed before any case could: it does not build, or does not boot. */
export class KernelError extends FuselageError {
  override readonly exitCode = 1;
}

export class InterruptedError extends FuselageError {
  override readonly exitCode = 130;

  constructor() {
    super('interrupted', 'interrupted', { hint: 'the next start continues from the caches' });
  }
}

const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/**
 * Turns what the operating system says into one of ours where we know what to do about it.
 * Anything else is returned unchanged and ends as a stack trace: that is a defect of ours.
 */
export function explain(error: unknown): unknown {
  if (error instanceof FuselageError) return error;
  const errno = errnoOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new InfrastructureError('disk.full', `the disk is full (${message})`, {
      hint: 'free some space, or point FUSELAGE_CACHE or --out at another disk; finished work is kept',
      cause: error,
    });
  if (errno === 'EROFS' || errno === 'EACCES')
    return new InfrastructureError('cache.unwritable', `can not write (${message})`, {
      hint: 'point FUSELAGE_CACHE or --out at a directory that you own',
      cause: error,
    });
  return error;
}
