// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { absorbWarnings, newWarnings } from './warnings.ts';

const FIRST = ['  CC      fs/fuse/dax.o', '../source/fs/fuse/dax.c:10:5: warning: unused variable ‘x’ [-Wunused-variable]', '  CC      fs/fuse/dir.o', '../source/fs/fuse/dir.c:7:1: warning: old [-Wold]', 'In file included from ../source/include/linux/b.h:8,', '                 from ../source/fs/fuse/dir.c:9:', '../source/include/linux/a.h:3: warning: from a header'];

describe('compiler warnings', () => {
  it('are kept by file, without places', () => {
    expect(absorbWarnings({}, FIRST)).toEqual({ 'fs/fuse/dax.c': ['unused variable ‘x’ [-Wunused-variable]'], 'fs/fuse/dir.c': ['include/linux/a.h: from a header', 'old [-Wold]'] });
  });

  it('of files that were not compiled again stay, of files that were are what was printed now', () => {
    const before = absorbWarnings({}, FIRST);
    const after = absorbWarnings(before, ['  CC      fs/fuse/dax.o', '../source/fs/fuse/dax.c:99:5: warning: another [-Wother]']);
    expect(after['fs/fuse/dir.c']).toEqual(['include/linux/a.h: from a header', 'old [-Wold]']);
    expect(newWarnings(before, after)).toEqual(['fs/fuse/dax.c: another [-Wother]']);
    expect(newWarnings(after, absorbWarnings(after, ['  CC      fs/fuse/dax.o']))).toEqual([]);
  });

  it('of a header go when what includes it is compiled without them, and are told once for all that do', () => {
    const header = (file: string) => [`  CC      ${file}.o`, `In file included from ../source/${file}.c:9:`, '../source/include/linux/a.h:3:1: warning: from a header'];
    const with2 = absorbWarnings({}, [...header('fs/fuse/dax'), ...header('fs/fuse/dir')]);
    expect(newWarnings({}, with2)).toEqual(['include/linux/a.h: from a header']);
    expect(absorbWarnings(with2, ['  CC      fs/fuse/dax.o', '  CC      fs/fuse/dir.o'])).toEqual({});
  });

  it('that only moved are not new', () => {
    const before = absorbWarnings({}, FIRST);
    expect(newWarnings(before, absorbWarnings(before, FIRST.map((line) => line.replace(':10:5:', ':4711:9:'))))).toEqual([]);
  });
});
