// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'POSIX, open-file-description and flock locks',
  program: 'locks.c',
  proof: [mounted()],
});
