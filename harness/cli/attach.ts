// SPDX-License-Identifier: GPL-2.0-only
import type { Guest } from '../guest/guest.ts';

/** A shell in a guest for whoever started us: on their terminal, or fed from a pipe. Resolves when it is left. */
export function attach(guest: Guest, output: NodeJS.WriteStream): Promise<undefined> {
  return process.stdin.isTTY ? terminal(guest, output) : script(guest, output);
}

/** A shell on a terminal of the guest's, as large as ours. Resolves when it is left. */
async function terminal(guest: Guest, output: NodeJS.WriteStream): Promise<undefined> {
  const { stdin, stdout } = process;
  const channel = await guest.shell.interactive({ rows: stdout.rows || 24, cols: stdout.columns || 80, term: process.env['TERM'] ?? 'vt100' });
  const resize = () => {
    channel.setWindow(stdout.rows, stdout.columns, 0, 0);
  };
  stdin.setRawMode(true);
  stdout.on('resize', resize);
  stdin.pipe(channel);
  channel.pipe(output, { end: false });
  try {
    await new Promise<void>((resolve) => {
      channel.once('close', () => {
        resolve();
      });
    });
  } finally {
    stdin.unpipe(channel);
    stdin.setRawMode(false);
    stdout.off('resize', resize);
  }
  return undefined;
}

/** Commands from a pipe: no terminal, so that an end of input ends the shell and echoes nothing. */
async function script(guest: Guest, output: NodeJS.WriteStream): Promise<undefined> {
  const remote = await guest.shell.start(['/bin/sh', '-l']);
  process.stdin.pipe(remote.stdin);
  remote.stdout.pipe(output, { end: false });
  remote.stderr.pipe(process.stderr, { end: false });
  await remote.exited;
  return undefined;
}
