// SPDX-License-Identifier: GPL-2.0-only
// Rooms import downwards only: each may use those below it in this list, and nothing above.
const ROOMS = ['cli', 'nightly', 'bisect', 'check', 'report', 'suite', 'share', 'guest', 'vm', 'kernel', 'erofs', 'toolbox', 'device', 'verdict', 'results', 'host'];

module.exports = {
  forbidden: [
    ...ROOMS.slice(1).map((room, index) => ({
      name: `${room}-imports-downwards`,
      comment: `harness/${room} may import only rooms below it (docs/architecture.md)`,
      severity: 'error',
      from: { path: `^harness/${room}/` },
      to: { path: `^harness/(${ROOMS.slice(0, index + 1).join('|')})/` },
    })),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    {
      name: 'only-host-starts-processes',
      severity: 'error',
      from: { path: '^harness/', pathNot: '^harness/host/|\\.test\\.ts$|/testing\\.ts$' },
      to: { path: '^(node:)?child_process$|^koffi$|node_modules/koffi' },
    },
    { name: 'no-unlisted-packages', severity: 'error', from: { path: '^(harness|cases)' }, to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] } },
    {
      name: 'cases-use-defineCase-only',
      comment: 'a case sees what defineCase offers, not the machinery',
      severity: 'error',
      from: { path: '^cases/' },
      to: { path: '^harness/', pathNot: '^harness/suite/(define-case|actor)\\.ts$' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.d\\.ts$' },
  },
};
