// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'fallocate modes: sizes, holes and zeros',
  program: 'fallocate.c',
  proof: [mounted()],
});
