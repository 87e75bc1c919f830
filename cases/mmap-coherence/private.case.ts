// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'private mappings: never written back, copied on write',
  program: 'private.c',
  proof: [mounted()],
});
