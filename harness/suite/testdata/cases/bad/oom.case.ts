// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'uses up all memory', program: 'oom.c', proof: [mounted()] });
