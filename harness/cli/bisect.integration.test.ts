// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { knownHistory, type KnownHistory } from '../bisect/testing.ts';
import { Cache } from '../host/cache.ts';
import { attempt, run } from '../host/command.ts';
import { cacheRoot, repositoryRoot } from '../host/paths.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { fetchSource } from '../kernel/sources.ts';
import { bisectionSchema, type Bisection } from '../results/bisection.ts';
import { fuselage, Invocation, KERNEL_UNDER_TEST, type Ended } from './testing.ts';

const scope = new Scope();
let directory: string;
let source: string;
let history: KnownHistory;

beforeAll(async () => {
  directory = await temporaryDirectory(scope, 'test-bisect');
  const cache = new Cache(cacheRoot());
  const fetched = await fetchSource({ cache, emit: () => undefined, signal: new AbortController().signal }, KERNEL_UNDER_TEST);
  source = fetched.path;
  // Beside the caches, for its workshop is there as well: the next test run finds both.
  history = await knownHistory(source, join(cache.root, 'histories', `${fetched.packageVersion}.git`));
});
afterAll(() => scope.end());

const DIROPS = ['--case', 'fuse-protocol/dirops', '--share', 'device'] as const;
const commits = () => ['--tree', history.gitDirectory, '--good', history.good, '--bad', history.bad];

function bisectionOf({ code, stdout, stderr }: Ended): Bisection {
  expect(code, stderr).toBe(0);
  return bisectionSchema.parse(JSON.parse(stdout));
}

describe('a history of twenty commits, one bad, two that do not build and one that does not boot', () => {
  it('ends in order at Ctrl-C, and the next start goes on from there to the right commit', async () => {
    const first = new Invocation(['bisect', ...commits(), ...DIROPS, '--fresh']);
    await first.said(/^(?:good|bad|skip) +step/m);
    first.child.kill('SIGINT');
    expect((await first.ended).code).toBe(130);

    const out = join(directory, 'history');
    const bisection = bisectionOf(await fuselage(['bisect', ...commits(), ...DIROPS, '--json', '--out', out]));
    expect(bisection.culprit).toMatchObject({ id: history.culprit, title: 'fuse: be careful with directories', author: 'A Developer <developer@fuselage.example>' });
    expect([bisection.bad, bisection.good, bisection.steps[0]].map((trial) => trial?.cached)).toEqual([true, true, true]);
    expect(bisection.candidates).toBe(20);
    // Git starts in the middle, which does not build, and comes by the one that does not boot.
    expect(bisection.steps.filter(({ verdict }) => verdict === 'skip').map(({ id }) => id)).toEqual([history.unbuildable[1], history.unbootable].map((id) => id?.slice(0, 12)));
    expect(bisection.revert).toMatchObject({ applies: true, trial: { verdict: 'good' } });
    expect(bisection.confidence).toBeGreaterThan(0.95);
    expect(await readFile(join(out, 'regression.txt'), 'utf8')).toContain(`Fixes: ${history.culprit.slice(0, 12)} ("fuse: be careful with directories")`);
  });

  it('is searched by a counter, from what was seen already', async () => {
    const bisection = bisectionOf(await fuselage(['bisect', ...commits(), ...DIROPS, '--counter', 'lookups side by side, agreed>=4', '--json']));
    expect(bisection.culprit?.id).toBe(history.culprit);
    expect(bisection.steps.every(({ cached }) => cached)).toBe(true);
    expect(bisection.bad.reason).toBe('lookups side by side, agreed: 1');
  });

  it('git bisect run with bisect-step finds the same', async () => {
    const env = { GIT_DIR: history.gitDirectory, LC_ALL: 'C' };
    await attempt(['git', 'bisect', 'reset'], { env }); // what a test that was killed left
    try {
      await run(['git', 'bisect', 'start', '--no-checkout', history.bad, history.good], { env });
      const step = [process.execPath, join(repositoryRoot, 'harness/cli/fuselage.js'), 'bisect-step', '--tree', history.gitDirectory, ...DIROPS, '--fresh'];
      const { stdout } = await attempt(['git', 'bisect', 'run', ...step], { env });
      expect(stdout).toContain(`${history.culprit} is the first bad commit`);
    } finally {
      await attempt(['git', 'bisect', 'reset'], { env });
    }
  });
});

describe('a series', () => {
  it('of three patches, the second of which fails two times of three, is bisected with so many runs as that takes', async () => {
    const series = join(directory, 'series');
    await mkdir(series);
    const change = async (name: string, file: string, edit: (text: string) => string) => {
      const [before, after] = [join(directory, 'a', file), join(directory, 'b', file)];
      const text = await readFile(before, 'utf8').catch(() => readFile(join(source, file), 'utf8'));
      for (const [path, content] of [
        [before, text],
        [after, edit(text)],
      ] as const) {
        await mkdir(join(path, '..'), { recursive: true });
        await writeFile(path, content);
      }
      const { stdout } = await attempt(['diff', '-u', '--label', `a/${file}`, '--label', `b/${file}`, before, after]);
      await writeFile(join(series, name), `Subject: [PATCH] fuse: ${name}\n\n${stdout}`);
      await writeFile(before, edit(text));
    };
    await change('one.patch', 'fs/fuse/dir.c', (text) => `${text}\n/* one */\n`);
    await change('two.patch', 'fs/fuse/inode.c', (text) => text.replace('fc->parallel_dirops = 1;', 'fc->parallel_dirops = get_random_u32_below(3) == 0;'));
    await change('three.patch', 'fs/fuse/dir.c', (text) => `${text}\n/* three */\n`);
    await writeFile(join(series, 'series'), 'one.patch\ntwo.patch\nthree.patch\n');
    const bisection = bisectionOf(await fuselage(['bisect', '--tree', KERNEL_UNDER_TEST, '--series', series, ...DIROPS, '--fresh', '--json', '--runs', '8', '--confidence', '0.98']));
    expect(bisection.culprit).toMatchObject({ id: 'patch 2', title: 'fuse: two.patch' });
    // One that always fails is good after a handful.
    expect(bisection.good.runs).toBeGreaterThan(4);
    expect(bisection.confidence).toBeGreaterThan(0.97);
    expect(bisection.revert?.trial?.verdict).toBe('good');
  });
});

describe('configurations', () => {
  it('the symbol is found that makes the mount fail', async () => {
    const [good, bad] = [join(directory, 'good.config'), join(directory, 'bad.config')];
    await writeFile(good, 'CONFIG_CUSE=y\nCONFIG_FUSE_DAX=y\nCONFIG_FUSE_PASSTHROUGH=y\n# CONFIG_EROFS_FS_DEBUG is not set\n');
    await writeFile(bad, '# CONFIG_CUSE is not set\n# CONFIG_FUSE_DAX is not set\n# CONFIG_FUSE_PASSTHROUGH is not set\nCONFIG_EROFS_FS_DEBUG=y\n');
    const bisection = bisectionOf(await fuselage(['bisect', '--tree', KERNEL_UNDER_TEST, '--configs', good, bad, '--case', 'mmap-coherence/shared', '--share', 'device-dax', '--fresh', '--json']));
    expect(bisection.culprit).toEqual({ id: 'CONFIG_FUSE_DAX', title: 'CONFIG_FUSE_DAX: y -> n' });
    expect(bisection.revert?.trial?.verdict).toBe('good');
  });
});

describe('bad input is one line, and nothing is built', () => {
  it.each([
    ['ends the wrong way round', () => ['--tree', history.gitDirectory, '--good', history.bad, '--bad', history.good, ...DIROPS], /no commit leads from .* are --good and --bad the wrong way round/],
    ['an unknown commit', () => ['--tree', history.gitDirectory, '--good', 'v99', ...DIROPS], /has no commit v99/],
    ['an unknown case', () => [...commits(), '--case', 'posix/nothing'], /posix\/nothing/],
    ['a condition that is none', () => [...commits(), ...DIROPS, '--counter', 'READ'], /READ is no condition on a counter/],
    ['nothing to search', () => ['--tree', history.gitDirectory, ...DIROPS], /bisect what/],
    ['no git tree', () => ['--tree', KERNEL_UNDER_TEST, '--good', 'v1', ...DIROPS], /6\.12/],
    ['paths that nothing touches', () => [...commits(), ...DIROPS, 'no/such/path'], /no commit that touches no\/such\/path/],
    ['two equal configurations', () => ['--tree', KERNEL_UNDER_TEST, '--configs', '/dev/null', '/dev/null', ...DIROPS], /ask for the same/],
  ] as const)('%s', async (_, args, line) => {
    const { code, stdout, stderr } = await fuselage(['bisect', ...args()]);
    expect(code, stderr).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.split('\n').filter((each) => each.startsWith('fuselage: '))).toHaveLength(1);
    expect(stderr).toMatch(line);
  });

  it('bisect-step stops git bisect run, and never says bad for a failure of its own', async () => {
    expect((await fuselage(['bisect-step', '--tree', directory, ...DIROPS])).code).toBe(255);
    expect((await fuselage(['bisect-step', '--tree', history.gitDirectory, '--case', 'posix/nothing'])).code).toBe(255);
  });
});
