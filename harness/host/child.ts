// SPDX-License-Identifier: GPL-2.0-only
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Every process that Fuselage starts leads a process group of its own and dies with us:
 *  - the group makes `make` and all its compilers one thing to end;
 *  - a terminal's Ctrl-C reaches only us, and we end the groups in order;
 *  - PR_SET_PDEATHSIG (setpriv, util-linux) ends them even when we are killed with SIGKILL.
 */
const liveGroups = new Set<number>();

process.on('exit', () => {
  for (const group of liveGroups) signalGroup(group, 'SIGKILL');
});

export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false; // ESRCH: the group is gone
  }
}

/** Put before a command, makes it die with us. */
export const DIES_WITH_US = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;

/** Starts a command that we own. */
export function ownedSpawn(command: readonly string[], options: SpawnOptions): ChildProcess {
  const [file, ...args] = [...DIES_WITH_US, ...command];
  return groupSpawn(file, args, options);
}

/** spawn with a process group of its own; node's signature, so that zx can use it as well. */
export function groupSpawn(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(file, args, { ...options, detached: true });
  const group = child.pid;
  if (group !== undefined) {
    liveGroups.add(group);
    // Members may outlive the leader: sweep the group before it is forgotten.
    child.once('exit', () => {
      signalGroup(group, 'SIGKILL');
      liveGroups.delete(group);
    });
  }
  return child;
}

/** SIGTERM, and SIGKILL for what is left after the grace period. Resolves when the child is gone. */
export async function endGroup(child: ChildProcess, graceMilliseconds = 2_000): Promise<void> {
  const group = child.pid;
  if (group === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  signalGroup(group, 'SIGTERM');
  const timer = new AbortController();
  await Promise.race([gone, sleep(graceMilliseconds, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
  signalGroup(group, 'SIGKILL');
  await gone;
}
