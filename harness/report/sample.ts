// SPDX-License-Identifier: GPL-2.0-only
import { countTotals, resultsSchema, type CaseResult, type Results } from '../results/schema.ts';

const one = (kernel: number, status: CaseResult['status']): CaseResult => ({
  kernel,
  name: 'dax-reclaim/stream',
  share: 'device-dax',
  repetition: 1,
  status,
  ...(status === 'fail' ? { reason: '<b>bytes</b> differ' } : {}),
  subtests: [],
  seconds: 1,
  proof: [],
  counters: {},
  splats: status === 'fail' ? [{ fingerprint: 'f', kind: 'WARN', title: 'fs/fuse/dax.c <script>', lines: ['WARNING: <script>alert(1)</script>'] }] : [],
  files: [],
  reproduce: 'fuselage run dax-reclaim/stream',
});

/** Made-up results with one of everything, for tests of reports. */
export function sampleResults(): Results {
  const cases = [one(0, 'pass'), one(1, 'fail')];
  return resultsSchema.parse({
    schema: 'fuselage-results',
    version: 2,
    command: 'fuselage check --tree 6.12 --series v2.mbox --series another.patch --share device-dax dax-reclaim/stream',
    startedAt: '2026-01-01T00:00:00Z',
    seconds: 61,
    accelerator: { name: 'tcg', reason: 'no KVM' },
    qemu: { version: '11.1.3', origin: 'toolbox' },
    kernels: [
      { role: 'base', id: 'a', title: 'Linux 6.12.1 (fast)', flavor: 'fast' },
      { role: 'patched', id: 'b', title: 'Linux 6.12.1 + fuse: two patches (fast)', flavor: 'fast' },
    ],
    shares: ['device-dax'],
    guests: [],
    cases,
    totals: countTotals(cases),
    expectations: [],
    infrastructure: [],
    check: {
      verdict: 'regressed',
      series: ['fuse: two patches'],
      fuzz: [],
      patches: [
        { title: 'fuse: dax: first', builds: true, fuzz: [], warnings: [], checkpatch: [], sizeBytes: 12, symbols: { added: [], lost: [] } },
        { title: 'fuse: dax: second', builds: false, fuzz: [], error: 'fs/fuse/dax.c:9: error: implicit declaration' },
      ],
      why: 'chosen by fs/fuse/dax.c',
      coverage: {
        patches: [
          {
            title: 'fuse: dax: first',
            executed: 1,
            notExecuted: 1,
            lines: [
              { file: 'fs/fuse/dax.c', line: 10, text: '\tif (a < b && c)', state: 'executed', cases: ['device-dax dax-reclaim/stream'] },
              { file: 'fs/fuse/dax.c', line: 11, text: '\t\tcontinue;', state: 'not-executed', cases: [] },
            ],
          },
          { title: 'fuse: dax: second', executed: 0, notExecuted: 0, lines: [] },
        ],
      },
      claims: [{ text: 'dax-reclaim/stream on device-dax: REMOVEMAPPING by the worker at most 0.2 of before (80 -> 8)', state: 'held' }],
      counters: [{ name: 'dax-reclaim/stream', share: 'device-dax', counter: 'REMOVEMAPPING by the worker', base: 80, patched: 8, rule: 'fewer', allowed: true }],
      timelines: [{ name: 'dax-reclaim/stream', share: 'device-dax', base: [{ at: 1, op: 'REMOVEMAPPING', milliseconds: 2 }], patched: [{ at: 1, op: 'INIT', milliseconds: 4 }] }],
      rows: [{ class: 'regressed', name: 'dax-reclaim/stream', share: 'device-dax', base: ['pass'], patched: ['fail'], reason: '<b>bytes</b> differ', reproduce: 'fuselage check --tree 6.12 --series v2.mbox --share device-dax dax-reclaim/stream' }],
      sameRows: 7,
    },
  });
}
