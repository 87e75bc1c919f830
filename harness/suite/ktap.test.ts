// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KtapParser, parseKtap } from './ktap.ts';

const TESTDATA = join(import.meta.dirname, 'testdata/ktap');
const read = (name: string) => readFileSync(join(TESTDATA, `${name}.ktap`), 'utf8');
const rows = (name: string) => parseKtap(read(name)).subtests.map(({ name: subtest, status }) => `${status} ${subtest}`);

describe('KTAP files', () => {
  it('nested by indentation: the inner results carry the outer name', () => {
    expect(rows('nested-indented')).toEqual(['pass outer.first', 'fail outer.second', 'fail outer', 'pass other']);
  });

  it('nested as the kselftest runner prefixes it', () => {
    expect(rows('kselftest-runner')).toEqual([
      'pass selftests: filesystems/fuse: fusectl_test.fusectl.abort',
      'fail selftests: filesystems/fuse: fusectl_test.fusectl.umount',
      'fail selftests: filesystems/fuse: fusectl_test',
    ]);
  });

  it('both positions of a directive', () => {
    expect(parseKtap(read('directives')).subtests).toEqual([
      { name: '#1', status: 'skip', reason: 'no such ioctl' },
      { name: 'reads back', status: 'skip', reason: 'not on this file system' },
      { name: '#3', status: 'xfail', reason: 'broken since 6.1' },
      { name: 'truncates', status: 'xfail', reason: 'known' },
    ]);
  });

  it.each([
    ['missing-plan', 'no plan was printed'],
    ['truncated', 'the output ends in the middle of a line: ok 3 thi'],
    ['bail-out', 'Bail out! mkdir 2: No space left on device'],
    ['too-few', 'planned 5, ran 2'],
    ['too-many', 'planned 1, ran 2'],
    ['silent', 'no KTAP was printed'],
  ])('%s is a problem', (name, problem) => {
    expect(parseKtap(read(name)).problems).toContain(problem);
  });

  it('results before a truncation are kept', () => {
    expect(rows('truncated')).toEqual(['pass first', 'pass second']);
  });

  it.each(['binary-noise', 'crlf-console'])('%s is read through', (name) => {
    const report = parseKtap(read(name));
    expect(report.problems).toEqual([]);
    expect(report.subtests.map((subtest) => subtest.name)).toEqual(['first', 'second']);
  });

  it('a plan of nothing, said, is a skip and no problem', () => {
    expect(parseKtap(read('all-skipped'))).toMatchObject({ planned: 0, problems: [], subtests: [] });
  });

  it('unknown lines are passed over; diagnostics before a failure are its reason; proofs are counted', () => {
    const report = parseKtap(read('unknown-lines'));
    expect(report.subtests).toEqual([{ name: 'opens', status: 'fail', reason: 'x.c line 12: fd is -1, expected 3' }]);
    expect(report.proofs.get('opened')).toBe(3);
    expect(report.problems).toEqual([]);
  });

  it('every file is used', () => {
    expect(readdirSync(TESTDATA)).toHaveLength(13);
  });
});

describe('KTAP as a stream', () => {
  it('gives the same however the bytes are cut', () => {
    const text = read('kselftest-runner') + read('directives');
    const whole = parseKtap(text);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 20 }), (cuts) => {
        const parser = new KtapParser();
        const sorted = [0, ...cuts.sort((a, b) => a - b), text.length];
        for (const [index, start] of sorted.entries()) parser.write(text.slice(start, sorted[index + 1] ?? start));
        expect(parser.end()).toEqual(whole);
      }),
    );
  });

  it('never throws, whatever a guest prints', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('ok 1 a', 'not ok', '1..2', '1..99999999', 'Bail out!', '  ok 1', '# ok 1 x', 'KTAP version 1', 'ok 1 # SKIP', 'pragma +strict', '    1..1'))), (lines) => {
        const report = parseKtap(lines.join('\n'));
        expect(report.subtests.length).toBeLessThanOrEqual(lines.join('\n').split('\n').length);
      }),
    );
  });

  it('keeps no more than 10,000 results', () => {
    const report = parseKtap(`1..20000\n${Array.from({ length: 20_000 }, (_, index) => `ok ${index + 1} n${index}`).join('\n')}\n`);
    expect(report.subtests).toHaveLength(10_000);
    expect(report.problems).toContain('more than 10000 results: the rest is not kept');
  });
});
