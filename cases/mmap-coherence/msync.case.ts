// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'msync, fsync and drop_caches: dirty pages are kept until they are written',
  program: 'msync.c',
  needs: ['shared-mmap'],
  proof: [mounted()],
});
