// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'floods the console and passes', program: 'console-flood.c', proof: [mounted()] });
