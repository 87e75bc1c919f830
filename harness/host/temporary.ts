// SPDX-License-Identifier: GPL-2.0-only
import { rm } from 'node:fs/promises';
import { dir } from 'tmp-promise';
import type { Scope } from './scope.ts';

/** A private directory that its scope deletes. Short, for it holds Unix sockets (108 bytes at most). */
export async function temporaryDirectory(scope: Scope, purpose: string): Promise<string> {
  const { path } = await dir({ prefix: `fuselage-${purpose}`, mode: 0o700, unsafeCleanup: true });
  await scope.defer(() => rm(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}
