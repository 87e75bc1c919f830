// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { byAnyFailure, byCounter, bySignature, bySplat, bySubtest, signatureOf, type Observation } from './criterion.ts';

const seen = (status: Observation['status'], more: Partial<Observation> = {}): Observation => ({ status, subtests: [], splats: [], counters: {}, ...more });
const subtest = (name: string, status: Observation['status']) => ({ name, status });
const splat = (fingerprint: string) => ({ fingerprint, title: `WARNING in ${fingerprint}` });

const failure = seen('fail', { subtests: [subtest('a', 'pass'), subtest('b', 'fail')] });
const kind = (criterion: { see(one: Observation): { kind: string } }, one: Observation) => criterion.see(one).kind;

describe('a failure is known by its signature', () => {
  const signature = signatureOf(failure);
  if (signature === undefined) throw new Error('it failed');
  const criterion = bySignature(signature);

  it('the same subtest is bad, another one says nothing, none is good', () => {
    expect(criterion.text).toBe('"b" fails');
    expect(kind(criterion, failure)).toBe('bad');
    expect(kind(criterion, seen('fail', { subtests: [subtest('a', 'fail'), subtest('b', 'pass')] }))).toBe('other');
    expect(kind(criterion, seen('crash', { reason: 'kernel panic' }))).toBe('other');
    expect(kind(criterion, seen('skip', { reason: 'no DAX' }))).toBe('other');
    expect(kind(criterion, seen('pass', { subtests: [subtest('a', 'pass'), subtest('b', 'pass')] }))).toBe('good');
    expect(kind(criterion, seen('xfail'))).toBe('good');
  });

  it('a splat is known by its fingerprint, whatever the program printed', () => {
    const crash = signatureOf(seen('crash', { splats: [splat('f1')] }));
    const other = crash === undefined ? byAnyFailure : bySignature(crash);
    expect(kind(other, seen('fail', { splats: [splat('f1')] }))).toBe('bad');
    expect(kind(other, seen('crash', { splats: [splat('f2')] }))).toBe('other');
    expect(kind(bySplat('f2'), seen('crash', { splats: [splat('f2')] }))).toBe('bad');
  });

  it('a case that only ends badly is known by how it ends', () => {
    const hang = signatureOf(seen('timeout', { reason: 'did not end' }));
    const criterionOfHang = hang === undefined ? byAnyFailure : bySignature(hang);
    expect(kind(criterionOfHang, seen('timeout'))).toBe('bad');
    expect(kind(criterionOfHang, failure)).toBe('other');
    expect(kind(criterionOfHang, seen('timeout', { splats: [splat('f1')] }))).toBe('other');
  });

  it('what passed, was skipped or not exercised has none', () => {
    for (const status of ['pass', 'skip', 'xfail', 'xpass', 'not-exercised'] as const) expect(signatureOf(seen(status))).toBeUndefined();
  });
});

describe('a kernel can be judged by', () => {
  it('one subtest, whatever the others do', () => {
    const criterion = bySubtest('a');
    expect(kind(criterion, failure)).toBe('good');
    expect(kind(criterion, seen('fail', { subtests: [subtest('a', 'fail')] }))).toBe('bad');
    expect(kind(criterion, seen('crash'))).toBe('other');
    expect(kind(criterion, seen('fail', { subtests: [subtest('a', 'skip')] }))).toBe('other');
  });

  it('any failure', () => {
    expect(kind(byAnyFailure, seen('hang'))).toBe('bad');
    expect(kind(byAnyFailure, seen('pass'))).toBe('good');
    expect(kind(byAnyFailure, seen('not-exercised', { reason: 'kernel panic', noBoot: true }))).toBe('other');
  });

  it('a count, with every comparison', () => {
    const counted = (value: number) => seen('pass', { counters: { REMOVEMAPPING: value, 'REMOVEMAPPING entries': 80, 'accesses that waited': 2 } });
    expect(kind(byCounter('REMOVEMAPPING.requests<=20'), counted(20))).toBe('good');
    expect(kind(byCounter('REMOVEMAPPING.requests <= 20'), counted(21))).toBe('bad');
    expect(kind(byCounter('REMOVEMAPPING.entries==80'), counted(1))).toBe('good');
    expect(kind(byCounter('accesses that waited<2'), counted(1))).toBe('bad');
    expect(kind(byCounter('FORGET.requests!=0'), counted(1))).toBe('bad');
    expect(kind(byCounter('FORGET.requests>=0'), counted(1))).toBe('good');
    expect(kind(byCounter('REMOVEMAPPING.requests>3'), seen('fail', { counters: { REMOVEMAPPING: 3 } }))).toBe('bad');
  });

  it('a count that is not there, or of a run that did not end, says nothing', () => {
    expect(byCounter('never counted<2').see(seen('pass', { counters: { READ: 1 } }))).toMatchObject({ kind: 'other', what: expect.stringContaining('there are READ') as string });
    expect(kind(byCounter('READ.requests<2'), seen('timeout', { counters: { READ: 1 } }))).toBe('other');
  });

  it('nothing that is no condition', () => {
    for (const text of ['REMOVEMAPPING', 'a<b', '<=3', 'a=>3', 'a<-1']) expect(() => byCounter(text), text).toThrow(/is no condition/);
  });
});
