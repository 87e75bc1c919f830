// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { parseCounts } from '../kernel/gcov.ts';
import { narrow } from './case-choice.ts';
import { carry, changedFunctions, type SourceLine } from './changed-lines.ts';
import { isUnexercised, summarise, type CaseCounts } from './coverage.ts';

const was = (...texts: string[]): SourceLine[] => texts.map((text) => ({ text, patch: undefined }));

const counts = (file: string, lines: Record<number, number>, functions: readonly string[] = []) =>
  new Map([[file, { lines: new Map(Object.entries(lines).map(([line, count]) => [Number(line), count])), functions: new Set(functions) }]]);

describe('whose a line is', () => {
  it('a line that stays keeps its patch, through patches that move it', () => {
    const first = carry(was('a', 'b', 'c'), ['a', 'new', 'b', 'c'], 0);
    const second = carry(first, ['top', 'a', 'new', 'b', 'changed'], 1);
    expect(second.map(({ text, patch }) => [text, patch])).toEqual([['top', 1], ['a', undefined], ['new', 0], ['b', undefined], ['changed', 1]]);
  });

  it('a line that a later patch replaces is that one\'s', () => {
    expect(carry(carry(was('a'), ['a', 'x'], 0), ['a', 'y'], 1)).toEqual([{ text: 'a', patch: undefined }, { text: 'y', patch: 1 }]);
  });

  it('functions are those whose body, or first line, has a changed line', () => {
    const lines = carry(was('static int one(struct inode *inode,', '\t\tloff_t at)', '{', '\treturn 0;', '}', '', 'void two(void)', '{', 'out:', '\treturn;', '}'), ['static int one(struct inode *inode,', '\t\tloff_t at)', '{', '\treturn 1;', '}', '', 'void two(void)', '{', 'out:', '\treturn;', '}', 'int x;'], 0);
    expect(changedFunctions(new Map([['a.c', lines]]))).toEqual(new Map([['a.c', new Set(['one'])]]));
  });
});

describe('coverage', () => {
  const files = new Map([['fs/fuse/dax.c', carry(was('a', 'b'), ['a', 'ran', 'never', '/* words */', 'b'], 0)]]);

  it('says of every changed line who executed it, or that nobody did', () => {
    const cases: CaseCounts[] = [
      { name: 'dax-reclaim/stream', share: 'device-dax', counts: [counts('fs/fuse/dax.c', { 1: 7, 2: 3, 3: 0 })] },
      { name: 'posix/link', share: 'device-dax', counts: [counts('fs/fuse/dax.c', { 1: 7, 2: 0, 3: 0 })] },
    ];
    const coverage = summarise(['one'], files, cases, new Set(['fs/fuse']));
    expect(coverage.patches[0]).toMatchObject({ executed: 1, notExecuted: 1 });
    expect(coverage.patches[0]?.lines.map(({ line, state, cases: by }) => [line, state, by])).toEqual([
      [2, 'executed', ['device-dax dax-reclaim/stream']],
      [3, 'not-executed', []],
      [4, 'not-code', []],
    ]);
    expect(isUnexercised(coverage)).toBe(false);
  });

  it('a change that nobody ran, or that is not compiled, was not exercised; one without code needs no case', () => {
    const nobody = summarise(['one'], files, [{ name: 'a/b', share: 'x', counts: [counts('fs/fuse/dax.c', { 2: 0, 3: 0 })] }], new Set(['fs/fuse']));
    expect(isUnexercised(nobody)).toBe(true);
    const foreign = summarise(['one'], new Map([['fs/btrfs/super.c', carry([], ['int x;'], 0)]]), [], new Set());
    expect(foreign.patches[0]?.lines[0]?.state).toBe('not-compiled');
    expect(isUnexercised(foreign)).toBe(true);
    const words = summarise(['one'], new Map([['Documentation/a.rst', carry([], ['words'], 0)]]), [], new Set());
    expect(isUnexercised(words)).toBe(false);
  });

  it('of what gcov prints, a header\'s lines are added up over the objects that include it', () => {
    const object = (name: string, count: number) =>
      JSON.stringify({ format_version: '1', files: [{ file: '../source/fs/fuse/fuse_i.h', functions: [{ name: 'get_fuse_conn', execution_count: count }], lines: [{ line_number: 900, count }] }, { file: `../source/fs/fuse/${name}.c`, functions: [{ name: 'unused', execution_count: 0 }], lines: [] }] });
    const parsed = parseCounts(`${object('dax', 2)}\n${object('dir', 3)}\n`);
    expect(parsed.get('fs/fuse/fuse_i.h')?.lines.get(900)).toBe(5);
    expect(parsed.get('fs/fuse/dax.c')?.functions).toEqual(new Set());
  });
});

describe('the choice of cases', () => {
  const changed = new Map([['fs/fuse/dax.c', new Set(['reclaim'])]]);
  const entry = (...functions: string[]) => ({ learntAt: new Date().toISOString(), functions: { 'fs/fuse/dax.c': functions } });
  const candidates = new Set(['dax a/one', 'dax a/two', 'dax a/three']);

  it('who was seen not to enter the function is left out, who was seen to is taken in, who was never seen stays', () => {
    const { kept, dropped } = narrow(candidates, changed, { 'dax a/one': entry('reclaim'), 'dax a/two': entry('other'), 'other b/four': entry('reclaim') });
    expect([...kept].sort()).toEqual(['dax a/one', 'dax a/three', 'other b/four']);
    expect(dropped).toBe(1);
  });

  it('nobody is left out for a function that nobody was ever seen to enter, nor for a header', () => {
    expect(narrow(candidates, changed, { 'dax a/two': entry('other') })).toEqual({ kept: candidates, dropped: 0 });
    expect(narrow(candidates, new Map([...changed, ['fs/fuse/fuse_i.h', new Set<string>()]]), { 'dax a/one': entry('reclaim'), 'dax a/two': entry('other') }).dropped).toBe(0);
  });
});
