// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'dies by a signal after the first of two results', program: 'dies.c', proof: [mounted()] });
