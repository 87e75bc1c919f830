// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judge } from './check.ts';
import { resultsSchema, countTotals, type CaseResult, type Results } from '../results/schema.ts';
import { parseKtap } from '../suite/ktap.ts';
import { REPORTS } from '../report/report.ts';

const one = (kernel: number, status: CaseResult['status'], more: Partial<CaseResult> = {}): CaseResult => ({
  kernel,
  name: 'posix/rename',
  share: 'virtiofs',
  repetition: 1,
  status,
  subtests: [],
  seconds: 0.5,
  proof: ['mounted: share /mnt/share virtiofs rw 0 0'],
  counters: {},
  splats: [],
  files: [],
  reproduce: 'fuselage run --share virtiofs posix/rename',
  ...more,
});

const cases = [
  one(0, 'pass', { subtests: [{ name: 'swaps # two files', status: 'pass' }] }),
  one(1, 'fail', {
    reason: 'swaps: a holds <B> & "C"\u0001',
    subtests: [
      { name: 'swaps # two files', status: 'fail', reason: 'a holds <B> & "C"\u0001' },
      { name: 'known', status: 'xfail', reason: 'known since 6.1' },
      { name: 'not here', status: 'skip', reason: 'no such flag' },
    ],
  }),
  one(1, 'crash', { name: 'posix/link', reason: 'kernel panic: boom' }),
];
const results: Results = {
  schema: 'fuselage-results',
  version: 2,
  command: 'fuselage check --tree 6.12 --series x',
  startedAt: '2026-01-02T03:04:05.000Z',
  seconds: 12.5,
  accelerator: { name: 'tcg', reason: 'this machine has no /dev/kvm' },
  qemu: { version: '11.1.3', origin: 'toolbox' },
  kernels: [
    { role: 'base', id: 'a', title: 'Linux 6.12.107 (fast)', flavor: 'fast' },
    { role: 'patched', id: 'b', title: 'Linux 6.12.107 + x (fast)', flavor: 'fast', release: '6.12.107' },
  ],
  shares: ['virtiofs'],
  guests: [{ name: 'base-virtiofs', kernel: 0, share: 'virtiofs', directory: 'base-virtiofs', bootSeconds: 1.5 }],
  cases,
  totals: countTotals(cases),
  expectations: [],
  infrastructure: [],
};
const series = { id: 's', title: 'x', patches: [], reproduce: ['--series', 'x'] };
const checked = judge(results, [series], { fuzz: [] }, 'fuselage check --tree 6.12 --series x');

describe('results', () => {
  it('are valid, and stay so through JSON', () => {
    expect(resultsSchema.parse(JSON.parse(REPORTS.json(checked)))).toEqual(checked);
  });

  it('the documented schema names every field', () => {
    const documentation = readFileSync(join(import.meta.dirname, '../../docs/results.md'), 'utf8');
    const fields = Object.keys(resultsSchema.shape).concat(Object.keys(resultsSchema.shape.cases.element.shape), Object.keys(resultsSchema.shape.kernels.element.shape));
    for (const field of fields) expect(documentation, field).toContain(`\`${field}\``);
  });

  it('totals count subtests, and a case whose end says more than they do', () => {
    expect(results.totals).toMatchObject({ pass: 1, fail: 1, xfail: 1, skip: 1, crash: 1 });
  });

  it('judge: a crash and a failed subtest are regressions, each once', () => {
    expect(checked.check?.verdict).toBe('regressed');
    const regressed = checked.check?.rows.filter((row) => row.class === 'regressed').map((row) => `${row.name}/${row.subtest ?? ''}`);
    expect(regressed).toEqual(['posix/rename/swaps # two files', 'posix/link/']);
  });

  it('judge: without a regression, a failure of the machinery is no clean verdict', () => {
    const broken = judge({ ...results, cases: results.cases.slice(0, 1), infrastructure: ['QEMU died'] }, [series], { fuzz: [] }, 'c');
    expect(broken.check?.verdict).toBe('infrastructure');
  });
});

it('judge: a base that does not boot gives no verdict', () => {
  const boot = (kernel: number) => one(kernel, 'crash', { name: 'guest/boot', reason: 'kernel panic' });
  expect(judge({ ...results, cases: [boot(0), boot(1)] }, [series], { fuzz: [] }, 'c').check?.verdict).toBe('infrastructure');
  expect(judge({ ...results, cases: [one(0, 'pass', { name: 'guest/boot' }), boot(1)] }, [series], { fuzz: [] }, 'c').check?.verdict).toBe('regressed');
});

describe('judge: what a series promises of the wire', () => {
  const promising = { ...series, manifest: { title: 'x', kind: 'forward' as const, summary: 'fewer', kernels: ['6.12'], changes: [{ case: 'posix/rename', share: 'virtiofs', counter: 'RENAME', atMost: 0.5 }] } };
  const counting = (kernel: number, count: number) => one(kernel, 'pass', { counters: { RENAME: count }, wire: { RENAME: 'fewer' } });
  const verdictOf = (base: number, patched: number) => judge({ ...results, cases: [counting(0, base), counting(1, patched)] }, [promising], { fuzz: [] }, 'c').check;

  it('a promise that is kept is clean, one that is not is regressed though nothing else differs', () => {
    expect(verdictOf(80, 8)).toMatchObject({ verdict: 'clean', claims: [{ state: 'held' }] });
    expect(verdictOf(80, 79)).toMatchObject({ verdict: 'regressed', rows: [], claims: [{ state: 'broken' }] });
  });

  it('an ablation says how many times as many it must be, and is judged by it though its case failed', () => {
    const worse = { ...series, manifest: { title: 'x', kind: 'ablation' as const, summary: 'more', kernels: ['6.12'], changes: [{ case: 'posix/rename', share: 'virtiofs', counter: 'RENAME', atLeast: 10 }] } };
    const of = (count: number) => judge({ ...results, cases: [counting(0, 5), { ...counting(1, count), status: 'fail' as const }] }, [worse], { fuzz: [] }, 'c').check;
    expect(of(50)?.claims).toMatchObject([{ text: 'posix/rename on virtiofs: RENAME at least 10 times as many (5 -> 50)', state: 'held' }]);
    expect(of(50)?.rows.map(({ subtest }) => subtest)).toContain('on the wire: RENAME');
    expect(of(49)?.claims).toMatchObject([{ state: 'broken' }]);
  });

  it('one that nothing measured is said, and decides nothing', () => {
    expect(judge({ ...results, cases: results.cases.slice(0, 1) }, [promising], { fuzz: [] }, 'c').check).toMatchObject({ claims: [{ state: 'not-measured' }] });
  });
});

describe('reports', () => {
  it('KTAP can be parsed by our own parser and tells the same', () => {
    const report = parseKtap(REPORTS.ktap(checked));
    expect(report.problems).toEqual([]);
    expect(report.planned).toBe(3);
    expect(report.subtests.map(({ name, status }) => `${status} ${name}`)).toEqual([
      'pass base virtiofs posix/rename.swaps  two files',
      'pass base virtiofs posix/rename',
      'fail patched virtiofs posix/rename.swaps  two files',
      'xfail patched virtiofs posix/rename.known',
      'skip patched virtiofs posix/rename.not here',
      'fail patched virtiofs posix/rename',
      'fail patched virtiofs posix/link # CRASH',
    ]);
  });

  it('JUnit escapes, counts, and holds no character that XML can not say', () => {
    const xml = REPORTS.junit(checked);
    expect(xml).toContain('<testsuite name="patched.virtiofs.posix/rename" tests="3" failures="1" skipped="2"');
    expect(xml).toContain('message="a holds &lt;B&gt; &amp; &quot;C&quot;"');
    expect(xml).not.toContain('\u0001');
  });

  it('the terminal says verdict, kernels, rows and the command, worst first', () => {
    const text = REPORTS.terminal(checked);
    for (const expected of ['REGRESSED  x', 'Linux 6.12.107 + x (fast)', 'posix/link', 'TCG (emulation)', 'again: fuselage check --tree 6.12 --series x --share virtiofs posix/rename']) expect(text).toContain(expected);
  });
});
