// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'lseek: positions, and where the data and the holes are',
  program: 'lseek.c',
  proof: [mounted()],
});
