// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../host/command.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { GitHistory, type History, type Position } from './history.ts';

const scope = new Scope();
let directory: string;
let gitDirectory: string;
/** By number; 10 is a merge whose side are commits 6 and 7. */
const ids: string[] = [];

const git = async (...args: readonly string[]) => (await run(['git', '-C', directory, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { env: { GIT_CONFIG_GLOBAL: '/dev/null' } })).trim();

beforeAll(async () => {
  directory = await temporaryDirectory(scope, 'test-history');
  gitDirectory = join(directory, '.git');
  await git('init', '--quiet', '--initial-branch=main');
  const commit = async (number: number, file: string) => {
    await mkdir(join(directory, file, '..'), { recursive: true });
    await writeFile(join(directory, file), String(number));
    await git('add', '--all');
    await git('commit', '--quiet', '-m', `commit ${number}`);
    ids[number] = await git('rev-parse', 'HEAD');
  };
  for (const number of [0, 1, 2, 3, 4, 5]) await commit(number, number % 2 === 0 ? 'fs/fuse/a.c' : 'mm/b.c');
  await git('checkout', '--quiet', '-b', 'side', ids[3] ?? '');
  for (const number of [6, 7]) await commit(number, 'fs/side.c');
  await git('checkout', '--quiet', 'main');
  for (const number of [8, 9]) await commit(number, 'fs/fuse/a.c');
  await git('merge', '--quiet', '--no-edit', 'side');
  ids[10] = await git('rev-parse', 'HEAD');
});
afterAll(() => scope.end());

const between = (more: Partial<Parameters<typeof GitHistory.ofCommits>[1]> = {}) => GitHistory.ofCommits(scope, { gitDirectory, good: ids[0] ?? '', bad: ids[10] ?? '', paths: [], firstParent: false, ...more });

/** Goes to the end: what is bad has the culprit in its history. */
async function search(history: History, verdictOf: (id: string) => Promise<'good' | 'bad' | 'skip'>): Promise<{ readonly end: Position; readonly tried: string[] }> {
  const tried: string[] = [];
  let position = await history.start();
  while (position.kind === 'try') {
    tried.push(position.id);
    position = await history.tell(position.id, await verdictOf(position.id));
  }
  return { end: position, tried };
}

const since = (culprit: number, skip: readonly number[] = []) => async (id: string) => {
  if (skip.some((number) => ids[number] === id)) return 'skip' as const;
  return (await git('merge-base', '--is-ancestor', ids[culprit] ?? '', id).then(
    () => true,
    () => false,
  ))
    ? ('bad' as const)
    : ('good' as const);
};

describe('a history of commits', () => {
  it('finds each culprit, whichever side of a merge it is on', async () => {
    for (const culprit of [1, 4, 7, 8, 9]) expect((await search(await between(), since(culprit))).end).toEqual({ kind: 'found', id: ids[culprit] });
  });

  it('goes round what can not be tried, and names the suspects where it can not', async () => {
    expect((await search(await between({ bad: ids[9] ?? '' }), since(3, [5, 8]))).end).toEqual({ kind: 'found', id: ids[3] });
    const { end } = await search(await between({ bad: ids[9] ?? '' }), since(4, [3, 4]));
    expect(end.kind === 'unclear' ? new Set(end.ids) : end).toEqual(new Set([ids[3], ids[4], ids[5]]));
  });

  it('follows the first parent only, and looks at some paths only, where asked to', async () => {
    const firstParent = await between({ firstParent: true });
    expect(firstParent.candidates).toBe(8);
    expect((await search(firstParent, since(7))).end).toEqual({ kind: 'found', id: ids[10] });
    const limited = await between({ paths: ['fs/fuse'], bad: ids[9] ?? '' });
    expect(limited.candidates).toBe(4);
    const { end, tried } = await search(limited, since(4));
    expect(end).toEqual({ kind: 'found', id: ids[4] });
    for (const id of tried) expect([2, 4, 8, 9].map((number) => ids[number])).toContain(id);
  });

  it('leaves the repository as it is, also one that is being bisected', async () => {
    await git('bisect', 'start', ids[9] ?? '', ids[0] ?? '');
    const files = async () => {
      const names = (await readdir(directory, { recursive: true })).sort();
      return await Promise.all(names.map(async (name) => [name, (await stat(join(directory, name))).isFile() ? await readFile(join(directory, name), 'latin1') : '']));
    };
    const before = await files();
    await search(await between(), since(4));
    expect(await files()).toEqual(before);
    await git('bisect', 'reset');
  });

  it('ends that lead nowhere are refused in one line', async () => {
    await expect(between({ good: ids[9] ?? '', bad: ids[0] ?? '' })).rejects.toMatchObject({ code: 'bisect.nothing', exitCode: 2 });
    await expect(between({ paths: ['no/such'] })).rejects.toMatchObject({ message: expect.stringContaining('touches no/such') as string });
  });
});

describe('a history of steps', () => {
  it('finds the step, whichever it is, in at most log2 steps', async () => {
    for (let culprit = 1; culprit <= 16; culprit++) {
      const { history, numberOf } = await GitHistory.ofSteps(scope, 16);
      const { end, tried } = await search(history, (id) => Promise.resolve(numberOf(id) >= culprit ? 'bad' : 'good'));
      expect(end.kind === 'found' ? numberOf(end.id) : end).toBe(culprit);
      expect(tried.length).toBeLessThanOrEqual(4);
    }
  });

  it('one step is found without a try', async () => {
    const { history, numberOf } = await GitHistory.ofSteps(scope, 1);
    const { end, tried } = await search(history, () => Promise.resolve('bad'));
    expect([end.kind === 'found' ? numberOf(end.id) : end, tried.length]).toEqual([1, 0]);
  });
});
