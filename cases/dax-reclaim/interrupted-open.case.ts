// SPDX-License-Identifier: GPL-2.0-only
import { counted, DEFAULT_SESSION, defineCase, mounted } from '../../harness/suite/define-case.ts';
import { killedWhileItWaits } from './interrupted.ts';

/** The same lock in fuse_open() (fs/fuse/file.c), where the server truncates at OPEN: stable kernels forget to give it back. */
export default defineCase({
  title: 'open with O_TRUNC that is killed while it waits for a pinned page',
  needs: ['dax'],
  device: { session: { initFlags: [...DEFAULT_SESSION.initFlags, 'ATOMIC_O_TRUNC'] } },
  proof: [mounted(), counted('truncations-killed', 1)],
  timeoutSeconds: 6,
  run: (context) => killedWhileItWaits(context, (victim, path) => victim.open(1, path, 'wt')),
});
