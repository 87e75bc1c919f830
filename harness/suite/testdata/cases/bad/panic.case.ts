// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'makes the kernel panic', program: 'panic.c', proof: [mounted()] });
