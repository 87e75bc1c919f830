// SPDX-License-Identifier: GPL-2.0-only
// npm run bench: measures the targets of docs/benchmarks.md on this machine and writes that page.
// Builds in a cache of its own (packages are downloaded again), so that "first" means first.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePrograms, TOOLS } from '../harness/guest/compile.ts';
import { Guest } from '../harness/guest/guest.ts';
import { makeInitramfs } from '../harness/guest/image.ts';
import { Cache } from '../harness/host/cache.ts';
import { repositoryRoot } from '../harness/host/paths.ts';
import { Scope } from '../harness/host/scope.ts';
import { findBuild } from '../harness/kernel/build.ts';
import { resultsSchema } from '../harness/results/schema.ts';
import { Toolbox } from '../harness/toolbox/toolbox.ts';
import { probeAccelerator } from '../harness/vm/accelerator.ts';

const FUSELAGE = join(repositoryRoot, 'harness/cli/fuselage.js');
const cacheDirectory = mkdtempSync(join(tmpdir(), 'fuselage-bench'));
const rows: { what: string; measured: string; target: string; command: string }[] = [];

function fuselage(args: readonly string[], expected: readonly number[] = [0]): { stdout: string; seconds: number } {
  const started = performance.now();
  const ended = spawnSync(process.execPath, [FUSELAGE, ...args], {
    encoding: 'utf8',
    env: { ...process.env, FUSELAGE_CACHE: cacheDirectory },
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  if (!expected.includes(ended.status ?? -1)) throw new Error(`fuselage ${args.join(' ')} ended with ${ended.status ?? ended.signal ?? ''}`);
  return { stdout: ended.stdout, seconds: (performance.now() - started) / 1_000 };
}

const row = (what: string, seconds: number, target: string, command: string) => {
  rows.push({ what, measured: `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`, target, command });
};

function builds(): string {
  fuselage(['fetch', '6.12']);
  const first = JSON.parse(fuselage(['build', '--tree', '6.12', '--json']).stdout) as { id: string; seconds: number };
  row('first 6.12 build, fast flavor, nothing cached but the source', first.seconds, 'at most 9 min', 'fuselage build --tree 6.12');
  const patched = JSON.parse(fuselage(['build', '--tree', '6.12', '--series', 'patches/worker-batching', '--json']).stdout) as { seconds: number };
  row('one-file rebuild after it', patched.seconds, 'at most 30 s', 'fuselage build --tree 6.12 --series patches/worker-batching');
  row('a cached build, the whole command', fuselage(['build', '--tree', '6.12', '--json']).seconds, 'under 1 s', 'fuselage build --tree 6.12');
  return first.id;
}

function boots(id: string): void {
  const arguments_ = ['run', '--kernel', id, '--share', 'virtiofs', '--json', '--jobs', '1', '--repeat', '5', 'posix/link'];
  const { guests } = resultsSchema.parse(JSON.parse(fuselage(arguments_).stdout));
  const seconds = guests.map((guest) => guest.bootSeconds ?? NaN).sort((a, b) => a - b);
  const spread = `${(seconds[0] ?? NaN).toFixed(1)} to ${(seconds.at(-1) ?? NaN).toFixed(1)} s`;
  rows.push({ what: 'QEMU started to first command in the guest, fast flavor, 5 boots', measured: spread, target: 'at most 5 s', command: `fuselage ${arguments_.join(' ').replace(id, '6.12')}` });
}

/** From the event until the harness knows: the panic's line on the console, the death of QEMU. */
async function notices(id: string): Promise<void> {
  const context = { cache: new Cache(cacheDirectory), emit: () => undefined, signal: new AbortController().signal };
  const toolbox = await Toolbox.open(context);
  const qemu = await toolbox.qemu();
  const image = await findBuild(context, id);
  if (image === undefined) throw new Error(`no build ${id}`);
  const initramfs = await makeInitramfs(context, toolbox, await compilePrograms(context, TOOLS), undefined);
  const { accelerator } = await probeAccelerator(context, qemu, { bzImage: image.bzImage, initramfs });
  const boot = (scope: Scope) => Guest.boot(scope, { qemu, accelerator, image, initramfs, devices: [], directory: join(cacheDirectory, 'notices') });
  await Scope.run(async (scope) => {
    const guest = await boot(scope);
    let panicked = NaN;
    guest.machine.console.onLine(({ text, atMilliseconds }) => {
      if (text.includes('Kernel panic')) panicked = atMilliseconds;
    });
    void guest.shell.run(['sh', '-c', 'echo c > /proc/sysrq-trigger']).catch(() => undefined);
    await guest.machine.trouble;
    row('a panic noticed after its line on the console', (performance.now() - panicked) / 1_000, 'within 2 s', 'ci/bench.ts');
  });
  await Scope.run(async (scope) => {
    const guest = await boot(scope);
    process.kill(guest.machine.pid, 'SIGKILL');
    const killed = performance.now();
    await guest.machine.trouble;
    row('the death of QEMU noticed', (performance.now() - killed) / 1_000, 'within 2 s', 'ci/bench.ts');
  });
}

function frozen(id: string): void {
  const args = ['run', '--kernel', id, '--share', 'tmpfs', '--cases', join(repositoryRoot, 'harness/suite/testdata/cases'), '--json', 'bad/freeze'];
  const results = resultsSchema.parse(JSON.parse(fuselage(args, [1]).stdout));
  const silent = /for ([\d.]+) s/.exec(results.cases.find((one) => one.name === 'bad/freeze')?.reason ?? '')?.[1];
  row('a frozen guest suspected after its last sign of life', Number(silent), 'within 2 s', 'fuselage run --cases harness/suite/testdata/cases bad/freeze');
}

function tour(): void {
  fuselage(['start', '--json']);
  row('npm start, second run, everything from caches', fuselage(['start', '--json']).seconds, 'within 90 s', 'npm start');
}

try {
  const id = builds();
  boots(id);
  await notices(id);
  frozen(id);
  tour();
  const model = cpus()[0]?.model ?? 'unknown processor';
  const commit = execFileSync('git', ['-C', repositoryRoot, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const page = join(repositoryRoot, 'docs/benchmarks.md');
  const head = readFileSync(page, 'utf8').split('<!-- measured -->')[0] ?? '';
  const table = ['| what | measured | target | command |', '|---|---|---|---|', ...rows.map((one) => `| ${one.what} | ${one.measured} | ${one.target} | \`${one.command}\` |`)];
  writeFileSync(page, `${head}<!-- measured -->\nMeasured at ${commit} on ${availableParallelism()} cores of ${model}, software emulation unless said otherwise.\n\n${table.join('\n')}\n`);
  process.stdout.write(`${table.join('\n')}\n`);
} finally {
  rmSync(cacheDirectory, { recursive: true, force: true });
}
