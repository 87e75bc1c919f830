// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../../define-case.ts';

export default defineCase({ title: 'never ends', program: 'endless.c', proof: [mounted()], timeoutSeconds: 2 });
