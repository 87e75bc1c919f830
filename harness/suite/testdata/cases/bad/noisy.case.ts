// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'writes 100 MiB to stdout', program: 'noisy.c', proof: [mounted()] });
