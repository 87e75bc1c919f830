// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'one subtest that passes', program: 'good.c', proof: [mounted()] });
