// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cache } from './cache.ts';
import { attempt, run } from './command.ts';
import { Daemon } from './daemon.ts';
import { explain, InfrastructureError, InputError, InterruptedError } from './errors.ts';
import { contentId } from './hash.ts';
import { withLock } from './lock.ts';
import type { ProgressEvent } from './progress.ts';
import { Scope } from './scope.ts';
import { temporaryDirectory } from './temporary.ts';

let root: string;
const events: ProgressEvent[] = [];
const signal = new AbortController().signal;
const request = (key: string) => ({ kind: 'cases' as const, key, title: 'thing', signal, emit: (event: ProgressEvent) => void events.push(event) });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  events.length = 0;
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

describe('cache', () => {
  it('makes an entry once', async () => {
    const cache = new Cache(root);
    let made = 0;
    const make = (directory: string) => {
      made++;
      writeFileSync(join(directory, 'file'), 'content');
      return Promise.resolve();
    };
    const [first, second] = await Promise.all([cache.obtain(request('k'), make), cache.obtain(request('k'), make)]);
    expect(made).toBe(1);
    expect(first.path).toBe(second.path);
    expect((await cache.obtain(request('k'), make)).cached).toBe(true);
  });

  it.each([
    ['a changed file', (entry: string) => { writeFileSync(join(entry, 'file'), 'contenT'); }],
    ['a truncated file', (entry: string) => { writeFileSync(join(entry, 'file'), ''); }],
    ['a missing file', (entry: string) => { rmSync(join(entry, 'file')); }],
    ['a broken seal', (entry: string) => { writeFileSync(join(entry, '.fuselage-entry.json'), '{'); }],
    ['no seal', (entry: string) => { rmSync(join(entry, '.fuselage-entry.json')); }],
  ])('%s: says so and makes it again', async (_, spoil) => {
    const cache = new Cache(root);
    const make = (directory: string) => {
      writeFileSync(join(directory, 'file'), 'content');
      return Promise.resolve();
    };
    const { path } = await cache.obtain(request('k'), make);
    spoil(path);
    expect(await cache.find('cases', 'k')).toBeUndefined();
    const again = await cache.obtain(request('k'), make);
    expect(again.cached).toBe(false);
    expect(readFileSync(join(again.path, 'file'), 'utf8')).toBe('content');
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning', text: expect.stringContaining('damaged') as string }));
  });

  it('a failed or killed making leaves nothing that is trusted', async () => {
    const cache = new Cache(root);
    await expect(
      cache.obtain(request('k'), () => {
        throw new Error('half way');
      }),
    ).rejects.toThrow('half way');
    // What a SIGKILL would have left:
    mkdirSync(join(root, 'cases/.making-k-dead'));
    writeFileSync(join(root, 'cases/.making-k-dead/file'), 'half');
    expect(await cache.find('cases', 'k')).toBeUndefined();
    await cache.obtain(request('k'), (directory) => {
      writeFileSync(join(directory, 'file'), 'whole');
      return Promise.resolve();
    });
    expect(readdirSync(join(root, 'cases')).filter((name) => name.startsWith('.making'))).toEqual([]);
  });
});

describe('lock', () => {
  it('keeps two at a time apart and tells who waits', async () => {
    const file = join(root, 'lock');
    const order: string[] = [];
    let waited = 0;
    const use = (name: string) =>
      withLock(file, { signal, onWait: () => { waited++; } }, async () => {
        order.push(`${name} in`);
        await sleep(50);
        order.push(`${name} out`);
      });
    await Promise.all([use('a'), use('b')]);
    expect(order[1]?.slice(0, 1)).toBe(order[0]?.slice(0, 1));
    expect(waited).toBe(1);
  });

  it('a wait can be interrupted', async () => {
    const file = join(root, 'lock');
    const abort = new AbortController();
    await withLock(file, { signal }, async () => {
      const waiting = withLock(file, { signal: abort.signal }, () => Promise.resolve());
      abort.abort();
      await expect(waiting).rejects.toBeInstanceOf(InterruptedError);
    });
  });
});

describe('scope', () => {
  it('ends everything in reverse order, on failure too, and reports all failures', async () => {
    const ended: number[] = [];
    const work = Scope.run(async (scope) => {
      await scope.defer(() => void ended.push(1));
      await scope.defer(() => {
        ended.push(2);
        throw new Error('two');
      });
      await scope.defer(() => void ended.push(3));
    });
    await expect(work).rejects.toMatchObject({ errors: [expect.objectContaining({ message: 'two' })] });
    expect(ended).toEqual([3, 2, 1]);
  });

  it('owns temporary directories', async () => {
    const path = await Scope.run(async (scope) => {
      const directory = await temporaryDirectory(scope, 'test');
      writeFileSync(join(directory, 'file'), 'x');
      return directory;
    });
    expect(() => readdirSync(path)).toThrow('ENOENT');
  });
});

/** A zombie that nobody has waited for yet does not run. */
const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('processes', () => {
  it('die with us, even when we are killed', async () => {
    const script = `import { attempt } from ${JSON.stringify(join(import.meta.dirname, 'command.ts'))}; await attempt(['sh', '-c', 'echo pid $$; sleep 600'], { onLine: (line) => console.log(line) });`;
    const victim = await Scope.run(async (scope) => {
      const parent = await Daemon.start(scope, [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script], { name: 'parent' });
      const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
      process.kill(parent.pid, 'SIGKILL');
      await parent.exited;
      return Number(/pid (\d+)/.exec(chunk.toString())?.[1]);
    });
    for (let waited = 0; waited < 100 && isRunning(victim); waited++) await sleep(20);
    expect(victim).toBeGreaterThan(1);
    expect(isRunning(victim)).toBe(false);
  });

  it('arguments are never a shell string', async () => {
    expect(await run(['printf', '%s', '$(id) `id` ; "\'\n*'])).toBe('$(id) `id` ; "\'\n*');
  });

  it('a failed command carries its command and last words', async () => {
    await expect(run(['sh', '-c', 'echo out; echo err >&2; exit 7'])).rejects.toMatchObject({
      code: 'command.failed',
      message: expect.stringContaining('ended with 7') as string,
      detail: expect.stringContaining('err') as string,
    });
  });

  it('an abort ends the whole process group', async () => {
    const abort = new AbortController();
    const pids: number[] = [];
    const running = attempt(['sh', '-c', 'sleep 600 & echo $!; wait'], { signal: abort.signal, onLine: (line) => void pids.push(Number(line)) });
    while (pids.length === 0) await sleep(10);
    abort.abort();
    await expect(running).rejects.toBeInstanceOf(InterruptedError);
    expect(isRunning(pids[0] ?? 0)).toBe(false);
  });

  it('a daemon ends with its scope, by SIGKILL if it must', async () => {
    const pid = await Scope.run(async (scope) => {
      const daemon = await Daemon.start(scope, ['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 1; done'], { name: 'stubborn' });
      await once(daemon.stdout, 'data');
      return daemon.pid;
    });
    expect(isRunning(pid)).toBe(false);
  });

  it('a program that is not there is an infrastructure failure or an exit code, never a crash of ours', async () => {
    expect((await attempt(['/nonexistent/program'])).exitCode).toBe(127);
  });
});

describe('errors', () => {
  it('carry exit codes by class', () => {
    expect(new InputError('usage', 'x').exitCode).toBe(2);
    expect(new InfrastructureError('disk.full', 'x', { hint: 'do y' }).line).toBe('x; do y');
  });

  it('a full disk is explained', () => {
    const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(explain(error)).toMatchObject({ code: 'disk.full', exitCode: 3 });
    const unknown = new Error('?');
    expect(explain(unknown)).toBe(unknown);
  });
});

it('content ids keep parts apart', () => {
  expect(contentId({ a: 'xy', b: '' })).not.toBe(contentId({ a: 'x', b: 'y' }));
  expect(contentId({ a: '1', b: '2' })).toBe(contentId({ b: '2', a: '1' }));
});
