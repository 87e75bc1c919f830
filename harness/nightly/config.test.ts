// SPDX-License-Identifier: GPL-2.0-only
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scope } from '../host/scope.ts';
import { repositoryRoot } from '../host/paths.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { cellsOf } from './cells.ts';
import { readConfig } from './config.ts';

const scope = new Scope();
let directory: string;
beforeAll(async () => {
  directory = await temporaryDirectory(scope, 'test-config');
});
afterAll(() => scope.end());

const GOOD = `trees:
  - name: packaged
    version: '6.12'
  - name: mine
    path: linux
    refs: [master, next]
flavors: [fast, lockdep]
suites:
  - name: dax
    shares: [device-dax, device]
    cases: ['dax-reclaim/**']
`;

async function read(text: string) {
  const file = join(directory, 'n.yaml');
  await writeFile(file, text);
  return await readConfig(file);
}

describe('a configuration', () => {
  it('has defaults, and paths relative to itself', async () => {
    const config = await read(`${GOOD}history: past.sqlite\nexpectations: [known.yaml]\n`);
    expect(config).toMatchObject({ confirm: 2, bisect: false, retentionDays: 365, history: join(directory, 'past.sqlite'), expectations: [join(directory, 'known.yaml')] });
    expect(config.trees[1]).toMatchObject({ path: join(directory, 'linux') });
  });

  it('gives trees x refs x flavors x suites x shares, those of one build side by side', async () => {
    const ids = cellsOf(await read(GOOD)).map(({ id }) => id);
    expect(ids).toHaveLength((1 + 2) * 2 * 2);
    expect(ids.slice(0, 3)).toEqual(['packaged/-/fast/device-dax/dax', 'packaged/-/fast/device/dax', 'packaged/-/lockdep/device-dax/dax']);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('the example in ci/ is one', async () => {
    expect(cellsOf(await readConfig(join(repositoryRoot, 'ci/nightly.yaml'))).length).toBeGreaterThan(1);
  });

  it.each([
    ['a misspelt key', GOOD.replace('flavors:', 'flavours:'), /n\.yaml:\d+: flavours: no such key/],
    ['a misspelt key of a tree', GOOD.replace("version: '6.12'", "versoin: '6.12'"), /n\.yaml:\d+: trees\.0\.\w+: /],
    ['an unknown flavor', GOOD.replace('lockdep', 'lockdown'), /n\.yaml:7: flavors\.1: .*"kasan"/],
    ['an unknown share', GOOD.replace('device-dax', 'device-wax'), /n\.yaml:10: suites\.0\.shares\.0: no such share/],
    ['a version that is not packaged', GOOD.replace("'6.12'", "'5.4'"), /n\.yaml:3: trees\.0\.version: not one of/],
    ['two trees of one name', GOOD.replace('mine', 'packaged'), /trees: two trees of one name/],
    ['no suite', GOOD.replace(/suites:[^]*/, 'suites: []\n'), /n\.yaml:8: suites: /],
    ['broken YAML', 'trees: [', /n\.yaml:\d+: /],
    ['an empty file', '', /n\.yaml:1: /],
  ])('with %s is refused with file, line and key', async (_, text, line) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'nightly.config', exitCode: 2, message: expect.stringMatching(line) as string });
  });

  it('that is not there is refused', async () => {
    await expect(readConfig(join(directory, 'absent.yaml'))).rejects.toMatchObject({ code: 'nightly.config' });
  });
});
