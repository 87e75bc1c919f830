// SPDX-License-Identifier: GPL-2.0-only
import { counted, defineCase } from '../../../define-case.ts';

export default defineCase({ title: 'passes without the proof that it asks for', program: 'good.c', proof: [counted('work-done')] });
