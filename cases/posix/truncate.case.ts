// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'truncate, extend and append: sizes, zeros and offsets',
  program: 'truncate.c',
  proof: [mounted()],
});
