// SPDX-License-Identifier: GPL-2.0-only
import type { Guest } from '../guest/guest.ts';
import { MOUNT_POINT, type ServedShare } from '../share/share.ts';
import { Actor } from './actor.ts';
import type { GuestTools } from './define-case.ts';

/** @param actors where every actor is kept until the case ends it. */
export function guestTools(guest: Guest, served: ServedShare, actors: Actor[]): GuestTools {
  const must = async (command: readonly string[]) => {
    const { exit, stderr } = await guest.shell.run(command);
    if (exit.code !== 0) throw new Error(`${command[0] ?? ''}: ${stderr.trim() || `exit code ${exit.code ?? '?'}`}`);
  };
  return {
    run: async (command) => {
      const { exit, stdout, stderr } = await guest.shell.run(command);
      return { code: exit.code, stdout, stderr };
    },
    start: (command) => guest.shell.start(command),
    actor: async () => {
      const actor = new Actor(await guest.shell.start(['/fuselage/bin/actor']));
      actors.push(actor);
      return actor;
    },
    remount: async (options) => {
      const { mount } = served;
      if (mount === undefined) throw new Error('this share is mounted by its cases');
      await must(['umount', MOUNT_POINT]);
      await must(['mount', '-t', mount.type, '-o', options ?? mount.options, mount.source, MOUNT_POINT]);
      // mount(2) of virtio-fs does not wait for INIT; the first access does, and may well find that it failed.
      await guest.shell.run(['stat', MOUNT_POINT]);
    },
  };
}
