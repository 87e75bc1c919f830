// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError, InputError } from '../host/errors.ts';
import { contentId } from '../host/hash.ts';
import { withLock } from '../host/lock.ts';
import { withStep } from '../host/progress.ts';

/** Nobody is there to type a password, and no protocol may start a program (git-remote-ext(1)). */
const ENVIRONMENT = { GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh', GIT_SSH_COMMAND: 'ssh -oBatchMode=yes', LC_ALL: 'C' } as const;

/**
 * A bare repository in the cache that holds one ref of a remote, fetched anew. What it has stays, so that only what is
 * new is fetched. @throws InfrastructureError where the remote can not be reached, InputError where it has no such ref
 */
export async function mirrorOf(context: Context, url: string, ref: string): Promise<{ readonly path: string; readonly commit: string }> {
  const path = `${join(context.cache.root, 'mirrors', contentId({ url }))}.git`;
  return await withLock(`${path}.lock`, { signal: context.signal }, async () => {
    if (!existsSync(path)) {
      const making = `${path}.making`;
      await rm(making, { recursive: true, force: true });
      await mkdir(making, { recursive: true });
      await run(['git', 'init', '--quiet', '--bare', making]);
      await rename(making, path);
    }
    const kept = `refs/fuselage/${contentId({ ref })}`;
    await withStep(context.emit, `fetching ${ref} of ${url}`, async () => {
      const { exitCode, stderr } = await attempt(['git', '--git-dir', path, 'fetch', '--quiet', '--force', '--no-tags', '--no-write-fetch-head', '--', url, `+${ref}:${kept}`], { env: ENVIRONMENT, signal: context.signal });
      if (exitCode === 0) return;
      const line = stderr.trim().split('\n').at(-1) ?? '';
      if (/couldn't find remote ref|invalid refspec/i.test(stderr)) throw new InputError('tree.no-git', `${url} has no ref ${ref}`, { hint: 'check it with git ls-remote' });
      throw new InfrastructureError('network.unreachable', `can not fetch from ${url}: ${line.replace(/^fatal: /, '')}`, { hint: 'check the address and the network; what was fetched before is kept', detail: stderr.trim() });
    });
    return { path, commit: (await run(['git', '--git-dir', path, 'rev-parse', '--verify', `${kept}^{commit}`])).trim() };
  });
}
