// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'hard links, symbolic links, special files',
  program: 'link.c',
  proof: [mounted()],
});
