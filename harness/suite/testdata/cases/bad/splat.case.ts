// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'passes while the kernel warns', program: 'splat.c', proof: [mounted()] });
