// SPDX-License-Identifier: GPL-2.0-only
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';
import { killedWhileItWaits } from './interrupted.ts';

/** fuse_do_setattr() (fs/fuse/dir.c) holds the mapping's invalidate lock while it waits, interruptibly, for pinned pages. */
export default defineCase({
  title: 'ftruncate that is killed while it waits for a pinned page',
  needs: ['dax'],
  proof: [mounted(), counted('truncations-killed', 1)],
  timeoutSeconds: 6,
  run: (context) => killedWhileItWaits(context, (victim) => victim.ftruncate(0, 0)),
});
