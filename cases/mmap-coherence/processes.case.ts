// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'several processes map one file: nobody sees old bytes, nobody loses a store',
  program: 'processes.c',
  needs: ['shared-mmap'],
  proof: [mounted()],
});
