// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Daemon } from '../host/daemon.ts';
import { Scope } from '../host/scope.ts';
import { Console } from './console.ts';
import { Heartbeat } from './heartbeat.ts';
import { qemuArguments } from './qemu-arguments.ts';
import { listenOnce, Qmp } from './qmp.ts';
import { recogniseTrouble } from './trouble.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

describe('console', () => {
  const feed = async (chunks: readonly (string | Buffer)[]) => {
    const stream = new PassThrough();
    const console = new Console(stream, join(root, 'console.log'));
    const lines: string[] = [];
    console.onLine(({ text }) => lines.push(text));
    for (const chunk of chunks) stream.write(chunk);
    await sleep(20);
    await console.close();
    return { lines, console, log: readFileSync(join(root, 'console.log')) };
  };

  it('cuts lines wherever the bytes are cut, and drops CRs and escape sequences from them, never from the file', async () => {
    const { lines, log } = await feed(['one\r\ntw', 'o\r\n\u001b[2Jth', 'ree']);
    expect(lines).toEqual(['one', 'two', 'three']);
    expect(log.toString()).toBe('one\r\ntwo\r\n\u001b[2Jthree');
  });

  it('bounds a flood: 32 MiB are kept and the rest is counted', async () => {
    const block = Buffer.alloc(1024 * 1024, 'x');
    const { console, log } = await feed([...Array.from({ length: 40 }, () => block), '\nlast words\n']);
    expect(log.length).toBeLessThan(32 * 1024 * 1024 + 200);
    expect(console.droppedBytes).toBe(8 * 1024 * 1024 + 12);
    expect(log.subarray(-60).toString()).toContain('more bytes were not kept');
    expect(console.tail(1)).toEqual(['last words']);
  });

  it('survives binary noise', async () => {
    const { lines } = await feed([Buffer.from([0xff, 0xfe, 0, 1, 2, 10]), 'fuselage: ready\n']);
    expect(lines.at(-1)).toBe('fuselage: ready');
  });
});

describe('trouble', () => {
  it.each([
    ['[    7.1] Kernel panic - not syncing: Fatal exception', 'crash', 'kernel panic: Fatal exception'],
    ['[    7.1] Out of memory: Killed process 123 (oom) total-vm:1kB', 'crash', 'out of memory: oom was killed'],
    ['[   61.0] INFO: task fsync:219 blocked for more than 30 seconds.', 'hang', 'task fsync blocked for 30 s'],
    ['[   50.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [reclaim:240]', 'hang', 'soft lockup in reclaim for 26 s'],
    ['[   40.0] rcu: INFO: rcu_sched self-detected stall on CPU', 'hang', 'RCU stall'],
  ])('%s', (line, kind, reason) => {
    expect(recogniseTrouble(line)).toMatchObject({ kind, reason });
  });

  it('a warning is no trouble: the guest goes on', () => {
    expect(recogniseTrouble('[    5.1] WARNING: CPU: 0 PID: 212 at fs/fuse/file.c:1950')).toBeUndefined();
  });
});

describe('heartbeat', () => {
  it('reports silence once, of a process that was given the processor', async () => {
    await Scope.run(async (scope) => {
      const idle = await Daemon.start(scope, ['sleep', '600'], { name: 'idle' });
      const beat = new PassThrough();
      const silences: number[] = [];
      const heartbeat = new Heartbeat(beat, idle.pid, 300, (milliseconds) => silences.push(milliseconds));
      await scope.defer(() => {
        heartbeat.stop();
      });
      await sleep(600);
      expect(silences).toEqual([]); // it has not begun to beat
      beat.write('.');
      while (silences.length === 0) await sleep(50);
      expect(heartbeat.recovered).toBe(false);
      beat.write('.');
      await sleep(50);
      expect(heartbeat.recovered).toBe(true);
      expect(silences).toHaveLength(1);
    });
  });

  it('says nothing while the guest starved: time without a processor is not the guest\'s', async () => {
    await Scope.run(async (scope) => {
      // Two spinners on one processor: each waits about half of the time.
      const spin = ['taskset', '-c', '0', 'sh', '-c', 'while :; do :; done'];
      const watched = await Daemon.start(scope, spin, { name: 'watched' });
      for (let other = 0; other < 3; other++) await Daemon.start(scope, spin, { name: 'rival' });
      const beat = new PassThrough();
      let silence = 0;
      const started = performance.now();
      const heartbeat = new Heartbeat(beat, watched.pid, 600, (milliseconds) => (silence = milliseconds));
      await scope.defer(() => {
        heartbeat.stop();
      });
      beat.write('.');
      while (silence === 0 && performance.now() - started < 15_000) await sleep(50);
      // By the wall clock it would have been reported at 600 ms; a quarter of a processor makes it far more.
      expect(silence === 0 || silence > 900).toBe(true);
    });
  });
});

describe('QMP', () => {
  it('answers commands in order, tells events, and fails what is pending when QEMU goes', async () => {
    await Scope.run(async (scope) => {
      const path = join(root, 'qmp');
      const { connection } = await listenOnce(scope, path);
      const { connect } = await import('node:net');
      const qemu = connect(path);
      const events: string[] = [];
      let received = '';
      qemu.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        for (const line of received.split('\n').slice(0, -1)) {
          const { execute } = JSON.parse(line) as { execute: string };
          if (execute === 'qmp_capabilities') qemu.write('{"QMP": {}}\n{"return": {}}\n');
          else if (execute === 'query-status') qemu.write('{"event": "STOP", "data": {}}\n{"return": {"running": true}}\n');
          else if (execute === 'bad') qemu.write('not json\n{"error": {"class": "GenericError", "desc": "no"}}\n');
          else qemu.destroy();
        }
        received = received.split('\n').at(-1) ?? '';
      });
      const qmp = await Qmp.negotiate(await connection);
      qmp.onEvent((event) => events.push(event));
      expect(await qmp.command('query-status')).toEqual({ running: true });
      expect(events).toEqual(['STOP']);
      await expect(qmp.command('bad')).rejects.toMatchObject({ code: 'vm.qemu-died', exitCode: 3 });
      await expect(qmp.command('quit')).rejects.toMatchObject({ code: 'vm.qemu-died' });
    });
  });

  it('a socket in use is an error, not a hang', async () => {
    await Scope.run(async (scope) => {
      const path = join(root, 'used');
      const server = createServer().listen(path);
      await scope.defer(() => void server.close());
      await sleep(20);
      await expect(listenOnce(scope, path)).rejects.toThrow('EADDRINUSE');
    });
  });
});

it('QEMU listens on loopback only, shares its memory and ends at a reset', () => {
  const args = qemuArguments({
    qemu: { command: ['qemu'], env: {}, origin: 'system', version: '11' },
    accelerator: 'tcg',
    bzImage: '/k',
    initramfs: '/i',
    append: ['x=y'],
    devices: ['-device', 'd'],
    memoryMiB: 512,
    cpus: 2,
    directory: '/d',
    slowdown: 1,
    qmpPath: '/q',
    beatPath: '/b',
  });
  expect(args.join(' ')).toContain('hostfwd=tcp:127.0.0.1:0-:22');
  expect(args.filter((word) => /hostfwd|listen|vnc|server=on/.test(word)).every((word) => word.includes('127.0.0.1'))).toBe(true);
  expect(args).toEqual(expect.arrayContaining(['-no-reboot', 'memory-backend-memfd,id=mem,size=512M,share=on', 'tcg,thread=multi']));
  expect(args[args.indexOf('-append') + 1]).toContain('panic=-1');
});
