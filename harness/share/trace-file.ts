// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Trace } from '../device/trace/trace.ts';
import type { Scope } from '../host/scope.ts';

export const TRACE_FILE = 'trace.jsonl';

/** What crosses a share's wire, written into `directory` until the scope ends. */
export async function traceInto(scope: Scope, directory: string): Promise<Trace> {
  const file = createWriteStream(join(directory, TRACE_FILE));
  file.on('error', () => undefined);
  await scope.defer(() => {
    file.end();
  });
  return new Trace((line) => file.write(`${line}\n`));
}
