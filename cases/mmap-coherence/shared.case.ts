// SPDX-License-Identifier: GPL-2.0-only
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'a shared mapping and read/write see each other at once',
  program: 'shared.c',
  needs: ['shared-mmap'],
  proof: [mounted(), counted('mapped-bytes')],
});
