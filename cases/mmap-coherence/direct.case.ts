// SPDX-License-Identifier: GPL-2.0-only
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'O_DIRECT against mappings and buffered I/O',
  program: 'direct.c',
  needs: ['shared-mmap', 'direct-io'],
  proof: [mounted(), counted('direct-bytes')],
});
