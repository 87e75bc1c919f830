// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'rename and renameat2 flags: the target always exists, nothing is lost',
  program: 'rename.c',
  proof: [mounted()],
});
