// SPDX-License-Identifier: GPL-2.0-only
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout: where cases, patches and kernel-configs live. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** FUSELAGE_CACHE, else the user's cache directory (XDG Base Directory Specification). */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['FUSELAGE_CACHE'];
  if (chosen !== undefined && chosen !== '') return resolve(chosen);
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache'), 'fuselage');
}
