// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fuselage, Invocation } from './testing.ts';
import { cacheRoot, repositoryRoot } from '../host/paths.ts';
import { resultsSchema, type Results } from '../results/schema.ts';

let root: string;
let source: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  source = (await fuselage(['fetch', '6.12'])).stdout.trim();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A patch that puts `text` before `anchor`. */
function insert(name: string, file: string, anchor: string, text: string): string {
  const before = readFileSync(join(source, file), 'utf8');
  expect(before).toContain(anchor);
  const path = join(root, name);
  writeFileSync(path, createTwoFilesPatch(`a/${file}`, `b/${file}`, before, before.replace(anchor, `${text}${anchor}`)).replace(/^=+\n/, ''));
  return path;
}

const intoFuseInit = (name: string, line: string): string => insert(name, 'fs/fuse/inode.c', '\tpr_info("init (API version', `\t${line}\n`);

/** Coverage is measured where a test is about it: it costs a build and a run. */
const check = async (args: readonly string[], coverage: '--no-coverage' | '' = '--no-coverage'): Promise<{ code: number | null; stderr: string; results: Results }> => {
  const { code, stdout, stderr } = await fuselage(['check', '--tree', '6.12', '--json', ...(coverage === '' ? [] : [coverage]), ...args]);
  // Without results, what it says on stderr is the only trace of why.
  if (stdout === '') throw new Error(`check ended with ${code} and no results:\n${stderr}`);
  return { code, stderr, results: resultsSchema.parse(JSON.parse(stdout)) };
};

/** What gcov prints for people, of a guest's counts of fs/fuse/dax.c and the notes of the build that it ran. */
function gcovOf(archive: string, patch: string): string {
  // gcov prints the lines of a source that it finds, where the compiler found it.
  const parent = mkdtempSync(join(root, 'gcov'));
  const directory = join(parent, 'objects');
  mkdirSync(directory);
  mkdirSync(join(parent, 'source/fs/fuse'), { recursive: true });
  writeFileSync(join(parent, 'source/fs/fuse/dax.c'), readFileSync(join(source, 'fs/fuse/dax.c')));
  execFileSync('patch', ['-s', '-p1', '-d', join(parent, 'source'), '-i', patch]);
  execFileSync('tar', ['-xf', archive, '-C', directory]);
  const [counts] = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('/fs/fuse/dax.gcda'));
  const notes = readdirSync(join(cacheRoot(), 'builds'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('gcno/fs/fuse/dax.gcno'));
  // Only the notes of the very build fit the counts: gcov says so of all others and prints nothing.
  const outputs = notes.map((name) => {
    execFileSync('cp', [join(cacheRoot(), 'builds', name), join(directory, 'dax.gcno')]);
    execFileSync('cp', [join(directory, counts ?? ''), join(directory, 'dax.gcda')]);
    const { stdout, stderr } = spawnSync('gcov', ['--stdout', 'dax.gcda'], { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 26 });
    return /stamp mismatch/.test(stderr) ? '' : stdout;
  });
  const whole = outputs.find((text) => text !== '') ?? '';
  // It prints headers too, each after its name.
  return whole.split(/^ +-: +0:Source:/m).find((part) => /^\S*fs\/fuse\/dax\.c$/m.test(part.split('\n')[0] ?? '')) ?? '';
}

describe('check', () => {
  it('a good series is clean and exits 0', async () => {
    const { code, results } = await check(['--series', 'patches/worker-batching', '--share', 'virtiofs', '--share', 'ext4']);
    expect(results.check).toMatchObject({ verdict: 'clean', rows: [] });
    expect(results.check?.sameRows).toBeGreaterThan(200);
    expect(code).toBe(0);
  });

  it('a mutant is regressed, exits 1 and names the case, the subtest and how to see it again', async () => {
    const { code, results } = await check(['--series', 'patches/mutants/rename-exchange-ignored', '--share', 'virtiofs', 'posix/rename']);
    expect(code).toBe(1);
    expect(results.check?.verdict).toBe('regressed');
    expect(results.check?.claims).toEqual([{ text: 'caught by posix/rename on virtiofs', state: 'held' }]);
    expect(results.check?.rows.filter((row) => row.class === 'regressed').map(({ name, subtest, reproduce }) => ({ name, subtest, reproduce }))).toContainEqual({
      name: 'posix/rename',
      subtest: 'RENAME_EXCHANGE swaps two files',
      reproduce: 'fuselage check --tree 6.12 --series patches/mutants/rename-exchange-ignored --share virtiofs posix/rename',
    });
  });

  it('the batching series: eight requests where there were eighty, as its manifest promises', async () => {
    const { code, results } = await check(['--series', 'patches/worker-batching', '--share', 'device-dax', 'dax-reclaim/stream']);
    const row = results.check?.counters.find(({ counter }) => counter === 'REMOVEMAPPING by the worker');
    expect(row).toMatchObject({ base: 80, patched: 8, rule: 'fewer', allowed: true });
    expect(results.check?.claims.map(({ state }) => state)).toEqual(['held']);
    expect(code).toBe(0);
  });

  it('a kernel that panics early is a regression of the boot, and no case vanishes', async () => {
    const { code, results } = await check(['--series', intoFuseInit('panic.patch', 'panic("made to panic early");'), '--share', 'tmpfs', 'posix/link', 'posix/times']);
    expect(code).toBe(1);
    const patched = results.cases.filter((one) => one.kernel === 1).map(({ name, status, reason }) => `${name} ${status}: ${reason ?? ''}`);
    expect(patched).toEqual([
      'guest/boot crash: does not boot: kernel panic: made to panic early',
      'posix/link not-exercised: the guest did not boot',
      'posix/times not-exercised: the guest did not boot',
    ]);
  });

  it('a share that the patched kernel no longer mounts is a regression, and no failure of the machinery', async () => {
    const patch = insert('mount.patch', 'fs/fuse/virtio_fs.c', '\tif (!fsc->source)\n\t\treturn invalf(fsc, "No source specified");', '\tif (fsc)\n\t\treturn -EINVAL;\n\n');
    const { code, results } = await check(['--series', patch, '--share', 'virtiofs', 'posix/link']);
    expect(results.infrastructure).toEqual([]);
    expect(results.cases.filter((one) => one.kernel === 1).map(({ name, status, reason }) => `${name} ${status}: ${reason ?? ''}`)).toEqual([
      expect.stringMatching(/^guest\/boot fail: virtiofs is not mounted: .*Invalid argument/) as string,
      'posix/link not-exercised: the share was not mounted',
    ]);
    expect(code).toBe(1);
  });

  it('a series whose first patch does not compile alone is caught, and the patch named; new warnings are told', async () => {
    const uses = insert('uses.patch', 'fs/fuse/inode.c', '\tpr_info("init (API version', '\tpr_info("%d\\n", FUSE_TOLD_LATER);\n');
    const tells = insert('tells.patch', 'fs/fuse/fuse_i.h', '#define FUSE_DEFAULT_MAX_PAGES_PER_REQ', '#define FUSE_TOLD_LATER 7\nstatic int fuse_nobody_calls_this(void)\n{\n\treturn 0;\n}\n');
    const { code, results } = await check(['--series', uses, '--series', tells, '--share', 'tmpfs', 'posix/link']);
    expect(results.check?.patches).toMatchObject([
      { title: 'uses.patch', builds: false, error: expect.stringMatching(/fs\/fuse\/inode\.c:\d+:\d+: error: .*FUSE_TOLD_LATER/) as string },
      { title: 'tells.patch', builds: true, symbols: { added: [], lost: [] } },
    ]);
    expect(results.check?.patches[1]?.warnings).toContainEqual(expect.stringMatching(/^fs\/fuse\/fuse_i\.h: .*fuse_nobody_calls_this.* defined but not used/));
    expect(results.check?.rows).toEqual([]);
    expect([code, results.check?.verdict]).toEqual([1, 'regressed']);
  });

  it('a patch that does not compile in another configuration is told, though it runs in this one', async () => {
    const patch = insert('gcov.patch', 'fs/fuse/inode.c', '\tpr_info("init (API version', '#ifdef CONFIG_GCOV_KERNEL\n#error not with gcov\n#endif\n');
    const { code, results } = await check(['--series', patch, '--build-flavor', 'gcov', '--share', 'tmpfs', 'posix/link']);
    expect(results.check?.patches).toMatchObject([{ builds: false, error: expect.stringMatching(/\(gcov\) does not build: fs\/fuse\/inode\.c:\d+:\d+: error: #error not with gcov/) as string }]);
    expect(results.check?.rows).toEqual([]);
    expect([code, results.check?.verdict]).toEqual([1, 'regressed']);
  });

  it('coverage: what it says of each changed line is what gcov prints, and who ran it is named', async () => {
    const out = join(root, 'covered');
    const { code, results } = await check(['--series', 'patches/worker-batching', '--share', 'device-dax', '--out', out, 'dax-reclaim/stream', 'dax-reclaim/one-range'], '');
    expect([code, results.check?.verdict]).toEqual([0, 'clean']);
    const [patch] = results.check?.coverage?.patches ?? [];
    expect(patch?.executed).toBeGreaterThan(30);
    const ran = new Set(patch?.lines.flatMap(({ state, line }) => (state === 'executed' ? [line] : [])));
    const missed = new Set(patch?.lines.flatMap(({ state, line }) => (state === 'not-executed' ? [line] : [])));
    const by = new Set(patch?.lines.flatMap(({ cases }) => cases));
    expect([...by].sort()).toEqual(['device-dax dax-reclaim/one-range', 'device-dax dax-reclaim/stream']);
    // The human-readable output of gcov itself, of the same counts: "count:line:text", "#####" for nought.
    const series = join(repositoryRoot, 'patches/worker-batching/6.12/0001-fuse-dax-batch-REMOVEMAPPING-in-the-reclaim-worker.patch');
    const archives = readdirSync(join(out, 'coverage'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.gcda.tar'));
    expect(archives).toHaveLength(2);
    const executed = new Set<number>();
    const code_ = new Set<number>();
    for (const archive of archives)
      for (const [, count = '', line = ''] of gcovOf(join(out, 'coverage', archive), series).matchAll(/^ *(\d+\*?|#####|=====): *(\d+):/gm)) {
        code_.add(Number(line));
        if (/^\d/.test(count)) executed.add(Number(line));
      }
    const changed = new Set(patch?.lines.map(({ line }) => line));
    expect([...executed].filter((line) => changed.has(line)).sort()).toEqual([...ran].sort());
    expect([...code_].filter((line) => changed.has(line) && !executed.has(line)).sort()).toEqual([...missed].sort());
  });

  it('a change that no case runs is not called clean, and exits 0', async () => {
    const patch = insert('ioctl.patch', 'fs/fuse/ioctl.c', '\targs.opcode = FUSE_IOCTL;\n\targs.nodeid = ff->nodeid;\n\targs.in_numargs = 2;\n\targs.in_args[0].size = sizeof(inarg);\n\targs.in_args[0].value = &inarg;\n\targs.in_args[1].size = inarg.in_size;\n\targs.in_args[1].value = ptr;', '\tif (!ptr)\n\t\treturn -EINVAL;\n');
    const { code, results } = await check(['--series', patch, '--share', 'tmpfs', 'posix/link'], '');
    expect([code, results.check?.verdict]).toEqual([0, 'not-exercised']);
  });

  it('a new splat: its frames in the changed code have file and line; what sparse says is told', async () => {
    const patch = insert('warn.patch', 'fs/fuse/inode.c', '\tpr_info("init (API version', '\t{ __le32 wire = FUSE_KERNEL_VERSION; WARN_ON(wire != 0); }\n');
    const { code, results } = await check(['--series', patch, '--share', 'tmpfs', 'posix/link']);
    const line = readFileSync(join(source, 'fs/fuse/inode.c'), 'utf8').split('\n').findIndex((text) => text.includes('pr_info("init (API version')) + 1;
    const lines = results.cases.filter(({ kernel }) => kernel === 1).flatMap(({ splats }) => splats.flatMap((splat) => splat.lines));
    expect(results.check?.patches[0]?.sparse).toContainEqual(expect.stringMatching(/^fs\/fuse\/inode\.c: .*incorrect type/));
    expect(lines.join('\n')).toMatch(new RegExp(`RIP: \\S*fuse_init\\+0x[0-9a-f]+/0x[0-9a-f]+ \\(fs/fuse/inode\\.c:${line}\\)`));
    expect([code, results.check?.verdict]).toEqual([1, 'regressed']);
  });

  it('a series of documentation alone: a case or two, and it says that there was no code', async () => {
    const patch = insert('words.patch', 'Documentation/filesystems/fuse.rst', 'Definitions\n', 'More words.\n\n');
    const { code, results } = await check(['--series', patch], '');
    expect([code, results.check?.verdict, results.check?.why]).toEqual([0, 'clean', 'chosen by Documentation/filesystems/fuse.rst']);
    expect(results.check?.coverage?.patches[0]).toMatchObject({ executed: 0, notExecuted: 0 });
  });

  it('rounds: a regression that is there every time is decided before they are all run', async () => {
    const { code, results } = await check(['--series', 'patches/mutants/rename-exchange-ignored', '--share', 'virtiofs', '--repeat', '12', 'posix/rename']);
    const row = results.check?.rows.find(({ share, subtest }) => share === 'virtiofs' && subtest === 'RENAME_EXCHANGE swaps two files');
    expect(row).toMatchObject({ class: 'regressed', rates: { base: { failed: 0 }, decision: 'worse' } });
    expect(row?.rates?.patched.failed).toBe(row?.rates?.patched.runs);
    expect(row?.rates?.patched.runs).toBeGreaterThanOrEqual(7);
    expect(row?.rates?.patched.runs).toBeLessThan(12);
    expect(code).toBe(1);
  });

  it('reproduce: the case that failed, in the same guest, with a shell at its end', async () => {
    const out = join(root, 'again');
    await check(['--series', 'patches/mutants/rename-exchange-ignored', '--share', 'virtiofs', '--out', out, 'posix/rename']);
    const { code, stdout, stderr } = await new Invocation(['reproduce', out, 'posix/rename', '--shell'], {}, 'echo shell on $(uname -r)\nexit\n').ended;
    expect(stderr).toMatch(/posix\/rename on virtiofs under .*RENAME_EXCHANGE ignored \(fast\): was fail/);
    expect(stdout).toMatch(/^shell on 6\.12\.\d+$/m);
    expect(stdout).toContain('fail virtiofs posix/rename');
    expect(code).toBe(1);
    expect((await fuselage(['reproduce', out, 'posix/rename', '--share', 'ext4'])).stderr).toContain('posix/rename did not run there on ext4; it holds posix/rename');
    expect((await fuselage(['reproduce', join(root, 'nothing'), 'posix/rename'])).stderr).toMatch(/^fuselage: no results in /m);
  });

  it('a series that does not compile: exit 1, with file, line and what the compiler says', async () => {
    const { code, stderr } = await fuselage(['check', '--tree', '6.12', '--series', intoFuseInit('error.patch', 'this is no C;'), '--share', 'tmpfs', 'posix/link']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^fuselage: Linux 6\.12\S* \+ error\.patch \(fast\) does not build: fs\/fuse\/inode\.c:\d+:\d+: error: /m);
  });
});
