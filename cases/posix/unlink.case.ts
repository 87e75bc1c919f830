// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'open-unlinked files, link counts, temporary files without a name',
  program: 'unlink.c',
  proof: [mounted()],
});
