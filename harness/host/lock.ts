// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError } from './errors.ts';
import { tryLockExclusive } from './libc.ts';

/**
 * Holds an exclusive lock on a file while `work` runs. The kernel drops the lock with the process
 * (flock(2)), so a run that was killed never locks out the next one, and there is nothing to clean up.
 */
export async function withLock<T>(
  file: string,
  options: { readonly signal: AbortSignal; readonly onWait?: () => void },
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'a');
  try {
    let announced = false;
    while (!tryLockExclusive(handle.fd)) {
      if (!announced) options.onWait?.();
      announced = true;
      await sleep(200, undefined, { signal: options.signal }).catch(() => {
        throw new InterruptedError();
      });
    }
    return await work();
  } finally {
    await handle.close();
  }
}
