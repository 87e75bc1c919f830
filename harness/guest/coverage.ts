// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Guest } from './guest.ts';

/** Documentation/dev-tools/gcov.rst: where a kernel with GCOV_KERNEL keeps the counts of profiled files. */
const GCOV = '/sys/kernel/debug/gcov';
const RESET = `grep -q " /sys/kernel/debug debugfs" /proc/mounts || mount -t debugfs none /sys/kernel/debug; echo 1 > ${GCOV}/reset`;
// Files of debugfs say that they are empty: tar needs copies.
const COLLECT = `rm -rf /tmp/gcov; mkdir /tmp/gcov; cd ${GCOV} && find . -name "*.gcda" | while read -r f; do mkdir -p "/tmp/gcov/\${f%/*}"; cat "$f" > "/tmp/gcov/$f"; done; cd /tmp/gcov && tar cf - .`;

/** Sets all counts to nought. */
export async function resetCoverage(guest: Guest): Promise<void> {
  await guest.orTrouble(guest.shell.run(['sh', '-c', RESET]));
}

/** Writes the counts since the last reset into a tar file: one .gcda an object file, at its path on the machine that built it. */
export async function collectCoverage(guest: Guest, file: string): Promise<void> {
  const remote = await guest.shell.start(['sh', '-c', COLLECT]);
  remote.stderr.resume();
  await guest.orTrouble(Promise.all([pipeline(remote.stdout, createWriteStream(file)), remote.exited]));
}
