// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Identifies content by a hash of labelled parts; the labels keep ("ab","c") apart from ("a","bc"). */
export function contentId(parts: Readonly<Record<string, string>>): string {
  return createHash('sha256').update(JSON.stringify(Object.entries(parts).sort())).digest('hex').slice(0, 20);
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
