// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'prints nothing and ends with 0', program: 'silent.c', proof: [mounted()] });
