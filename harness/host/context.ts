// SPDX-License-Identifier: GPL-2.0-only
import type { Cache } from './cache.ts';
import type { Emit } from './progress.ts';

/** What every piece of work is given: where to keep things, whom to tell, when to stop. */
export interface Context {
  readonly cache: Cache;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}
