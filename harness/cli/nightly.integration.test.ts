// SPDX-License-Identifier: GPL-2.0-only
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { knownHistory, type KnownHistory } from '../bisect/testing.ts';
import { Cache } from '../host/cache.ts';
import { run } from '../host/command.ts';
import { cacheRoot } from '../host/paths.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { fetchSource } from '../kernel/sources.ts';
import { nightlySchema, type Nightly } from '../results/nightly.ts';
import { fuselage, Invocation, KERNEL_UNDER_TEST, type Ended } from './testing.ts';

const scope = new Scope();
let directory: string;
let history: KnownHistory;
let config: string;
let good: string;

const BRANCH = 'refs/heads/nightly-test';
const CASE = 'fuse-protocol/dirops';
const SUBTEST = 'agreed on: 4 lookups are under way at once';

const moveTo = async (commit: string) => await run(['git', '--git-dir', history.gitDirectory, 'update-ref', BRANCH, commit]);

/** Two trees, of which one is a git tree whose branch moves, on two shares. */
const text = (more = '') => `trees:
  - {name: packaged, version: '${KERNEL_UNDER_TEST}'}
  - {name: mine, path: '${history.gitDirectory}', refs: [${BRANCH}]}
suites:
  - {name: quick, shares: [device, device-dax], cases: [${CASE}]}
bisect: true
history: ./history.sqlite
${more}`;

beforeAll(async () => {
  directory = await temporaryDirectory(scope, 'test-nightly');
  const cache = new Cache(cacheRoot());
  const { path, packageVersion } = await fetchSource({ cache, emit: () => undefined, signal: new AbortController().signal }, KERNEL_UNDER_TEST);
  history = await knownHistory(path, join(cache.root, 'histories', `${packageVersion}.git`));
  config = join(directory, 'night.yaml');
  await writeFile(config, text());
  // Near the culprit, for bisections have tests of their own.
  good = (await run(['git', '--git-dir', history.gitDirectory, 'rev-parse', `${history.culprit}~1`])).trim();
  await moveTo(good);
  await scope.defer(async () => {
    await run(['git', '--git-dir', history.gitDirectory, 'update-ref', '-d', BRANCH]);
  });
});
afterAll(() => scope.end());

const nightly = (...args: readonly string[]) => fuselage(['nightly', '--config', config, '--format', 'json', ...args]);

function nightOf({ stdout, stderr }: Ended): Nightly {
  if (stdout === '') throw new Error(stderr);
  return nightlySchema.parse(JSON.parse(stdout));
}

const outcomes = (night: Nightly) => night.cells.map(({ cell, outcome }) => `${cell.tree} ${cell.share} ${outcome}`);

describe('nights, one after another', () => {
  it('killed in the middle, the first goes on where it was; the second has nothing to do', async () => {
    const first = new Invocation(['nightly', '--config', config, '--format', 'json']);
    await first.said(/^green +packaged/m);
    first.child.kill('SIGKILL');
    await first.ended;
    const night = await nightly();
    expect([night.code, outcomes(nightOf(night))]).toEqual([0, ['packaged device unchanged', 'packaged device-dax green', 'mine device green', 'mine device-dax green']]);
    const second = await nightly();
    expect([second.code, outcomes(nightOf(second))]).toEqual([0, ['packaged device unchanged', 'packaged device-dax unchanged', 'mine device unchanged', 'mine device-dax unchanged']]);
  });

  it('the third, with a regression in one tree, runs that tree alone, and finds the commit', async () => {
    await moveTo(history.bad);
    const out = join(directory, 'third');
    const ended = await nightly('--out', out);
    const night = nightOf(ended);
    expect([ended.code, outcomes(night)]).toEqual([1, ['packaged device unchanged', 'packaged device-dax unchanged', 'mine device red', 'mine device-dax red']]);
    for (const { issues, bisection, lastGood } of night.cells.slice(2)) {
      expect(issues).toMatchObject([{ class: 'new', name: CASE, subtest: SUBTEST, confirmed: { failed: 3, runs: 3 }, since: { night: expect.any(Number) as number } }]);
      expect(bisection?.culprit?.id).toBe(history.culprit);
      expect(lastGood?.commit?.id).toBe(good);
    }
    for (const file of ['nightly.json', 'junit.xml', 'results.ktap', 'kcidb.json', 'mail.txt', 'report.html']) expect((await readFile(join(out, file), 'utf8')).length, file).toBeGreaterThan(100);
    expect(await readFile(join(out, 'mail.txt'), 'utf8')).toContain('fuse: be careful with');
    const told = await fuselage(['history', `${CASE}/agreed*`, '--config', config, '--json']);
    expect(JSON.parse(told.stdout)).toEqual(expect.arrayContaining([expect.objectContaining({ cell: `mine/${BRANCH}/fast/device/quick`, runs: 2, failed: 1, recent: [false, true] })]));
    const report = await fuselage(['report', '--since', '1d', '--config', config, '--html', join(directory, 'trends.html')]);
    expect(report.stdout).toContain('1 of 2');
    expect(await readFile(join(directory, 'trends.html'), 'utf8')).toContain('id="counters"');
  });

  it('the fourth calls it known where an expectation says so, the fifth new again when that has expired, the sixth fixed', async () => {
    const known = join(directory, 'known.yaml');
    const entry = (expires: string) => `- {case: ${CASE}, subtest: '${SUBTEST}', shares: [device, device-dax], kernels: '*', reason: the commit is being reverted, owner: the maintainers, expires: ${expires}}\n`;
    await writeFile(known, entry('2099-01-01'));
    await writeFile(config, text('expectations: [known.yaml]\n').replace('bisect: true', 'bisect: false'));
    const fourth = await nightly();
    expect([fourth.code, nightOf(fourth).cells.slice(2).map(({ outcome, issues }) => [outcome, issues.map((issue) => issue.class)])]).toEqual([0, [['green', ['known']], ['green', ['known']]]]);
    await writeFile(known, entry('2020-01-01'));
    const fifth = await nightly();
    expect([fifth.code, nightOf(fifth).cells.slice(2).map(({ issues }) => issues.map((issue) => issue.class))]).toEqual([1, [['new'], ['new']]]);
    await moveTo(good);
    const sixth = await nightly();
    expect([sixth.code, nightOf(sixth).cells.slice(2).map(({ issues }) => issues.map(({ class: name, subtest }) => [name, subtest]))]).toEqual([0, [[['fixed', SUBTEST]], [['fixed', SUBTEST]]]]);
  });

  it('shards of it, merged, judge the same cells; one missing is refused', async () => {
    const [one, two] = [join(directory, 'one'), join(directory, 'two')];
    // As on two machines: each has the history as it was before the night.
    const ended: Ended[] = [];
    for (const [index, out] of [one, two].entries()) {
      const past = join(directory, `past-${index}.sqlite`);
      await copyFile(join(directory, 'history.sqlite'), past);
      ended.push(await nightly('--full', '--shard', `${index + 1}/2`, '--out', out, '--history', past));
    }
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(ended.map((each) => nightOf(each).cells.length)).toEqual([2, 2]);
    const merged = await fuselage(['merge', join(two, 'nightly.json'), join(one, 'nightly.json'), '--format', 'json']);
    expect([merged.code, outcomes(nightOf(merged))]).toEqual([0, ['packaged device green', 'packaged device-dax green', 'mine device green', 'mine device-dax green']]);
    const missing = await fuselage(['merge', join(one, 'nightly.json')]);
    expect([missing.code, missing.stderr.trim().split('\n').at(-1)]).toEqual([2, expect.stringContaining('shard 2/2 is missing')]);
  });
});

describe('what a night can not have is said for its cells, and the others are judged', () => {
  it('an unreachable remote, a ref that there is not, a tree that is none', async () => {
    const trees = [
      `  - {name: away, git: 'git://127.0.0.1:1/linux.git', refs: [master]}`,
      `  - {name: norefs, git: 'file://${history.gitDirectory}', refs: [no/such/ref]}`,
      `  - {name: empty, path: '${directory}', refs: [HEAD]}`,
    ];
    await writeFile(config, text().replace('trees:\n', `trees:\n${trees.join('\n')}\n`).replace('[device, device-dax]', '[device]'));
    const ended = await nightly();
    const night = nightOf(ended);
    expect([ended.code, outcomes(night)]).toEqual([3, ['away device no-verdict', 'norefs device no-verdict', 'empty device no-verdict', 'packaged device unchanged', 'mine device unchanged']]);
    expect(night.cells.slice(0, 3).map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^can not fetch from git:\/\/127\.0\.0\.1:1\/linux\.git: /),
      expect.stringMatching(/has no ref no\/such\/ref/),
      expect.stringMatching(/is no git tree/),
    ]);
  });

  it('a remote is mirrored, and judged like any other tree', async () => {
    await writeFile(config, text().replace(/ {2}- \{name: packaged[^\n]*\n/, '').replace(`path: '${history.gitDirectory}'`, `git: 'file://${history.gitDirectory}'`).replace('[device, device-dax]', '[device]'));
    const ended = await nightly();
    expect([ended.code, outcomes(nightOf(ended))]).toEqual([0, ['mine device unchanged']]);
  });

  it('a misspelt key stops it before anything is built', async () => {
    await writeFile(config, text().replace('bisect:', 'bisekt:'));
    const { code, stdout, stderr } = await fuselage(['nightly', '--config', config]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/night\.yaml:6: bisekt: no such key; ci\/nightly\.yaml is an example/);
  });
});
