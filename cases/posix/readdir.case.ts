// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'readdir: every name once, also while the directory changes',
  program: 'readdir.c',
  proof: [mounted()],
});
