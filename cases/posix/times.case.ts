// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'timestamps: utimensat, and what updates which',
  program: 'times.c',
  proof: [mounted()],
});
