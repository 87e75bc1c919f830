// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'modes, owners, and the set-id bits that a write must clear',
  program: 'permission.c',
  proof: [mounted()],
});
