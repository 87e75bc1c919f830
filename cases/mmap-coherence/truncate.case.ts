// SPDX-License-Identifier: GPL-2.0-only
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'truncate against mappings: SIGBUS past the end, zeros when it grows again',
  program: 'truncate.c',
  needs: ['shared-mmap'],
  proof: [mounted(), counted('sigbus')],
});
