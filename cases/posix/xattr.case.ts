// SPDX-License-Identifier: GPL-2.0-only
import { defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'extended attributes: flags, sizes, lists, ACLs',
  program: 'xattr.c',
  proof: [mounted()],
});
