// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'keeps every CPU from everybody else', program: 'freeze.c', proof: [mounted()] });
