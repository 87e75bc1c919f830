// SPDX-License-Identifier: GPL-2.0-only
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Trace } from '../device/trace/trace.ts';
import type { GuestShell, RemoteProcess } from '../guest/ssh.ts';
import { LineProgram, OperationError } from './line-program.ts';
import { OnDemandDaemon } from './on-demand.ts';

/** A program of ours on this side of the wire: what it is told, and how it says something. */
function program() {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  let exit: () => void = () => undefined;
  const exited = new Promise<{ readonly code: number }>((resolve) => {
    exit = () => {
      resolve({ code: 0 });
    };
  });
  const told: string[] = [];
  const listeners = new Set<() => void>();
  stdin.on('data', (chunk: Buffer) => {
    told.push(...chunk.toString().split('\n').filter(Boolean));
    for (const listener of listeners) listener();
  });
  const remote = { stdin, stdout, stderr: new PassThrough(), exited, close: () => undefined } as unknown as RemoteProcess;
  const toldThat = async (count: number) => {
    while (told.length < count) await new Promise<void>((resolve) => listeners.add(resolve));
    return told[count - 1];
  };
  return { remote, told, toldThat, say: (text: string) => stdout.write(`${text}\n`), exit };
}

describe('a program of lines', () => {
  it('answers in order, and says events in between', async () => {
    const { remote, say } = program();
    const events: string[] = [];
    const lines = new LineProgram('the program', remote, (words) => events.push(words.join('|')));
    const [first, second] = [lines.ask('a'), lines.ask('b')];
    second.catch(() => undefined);
    say('event one 1');
    say('ok 5');
    say('event two');
    say('error ENOENT');
    expect(await first).toBe('5');
    await expect(second).rejects.toMatchObject({ errno: 'ENOENT', operation: 'b' });
    await expect(second).rejects.toBeInstanceOf(OperationError);
    expect(events).toEqual(['one|1', 'two']);
  });

  it('that ends leaves nobody waiting', async () => {
    const { remote, exit } = program();
    const lines = new LineProgram('the program', remote);
    const asked = lines.ask('a');
    asked.catch(() => undefined);
    exit();
    await expect(asked).rejects.toMatchObject({ code: 'guest.unreachable', message: 'the program ended before it answered "a"' });
    await expect(lines.ask('b')).rejects.toMatchObject({ code: 'guest.unreachable' });
  });
});

describe('an on-demand daemon', () => {
  const start = async (sizeBytes = 8_192) => {
    const hands = program();
    const shell = { start: () => Promise.resolve(hands.remote) } as unknown as GuestShell;
    const outstanding = new Set<string>();
    const starting = OnDemandDaemon.start(shell, { remotes: new Map([['img', { path: '/remote/img', sizeBytes }]]), trace: new Trace(), outstanding });
    await new Promise((resolve) => setImmediate(resolve));
    hands.say('ok 1');
    return { ...hands, daemon: await starting, outstanding };
  };

  it('answers OPEN with the size, READ with the pages around it, CLOSE with close', async () => {
    const { daemon, say, told, toldThat } = await start();
    say('event open 1 10 5 0 erofs,img img');
    expect(await toldThat(1)).toBe('write copen 1,8192');
    say('ok 13');
    say('event read 2 10 100 5000');
    expect(await toldThat(2)).toBe('pwrite 5 0 8192 /remote/img 0');
    say('ok 8192');
    expect(await toldThat(3)).toBe('cread 5 2');
    say('ok 0');
    say('event close 3 10');
    expect(await toldThat(4)).toBe('close 5');
    say('ok 0');
    expect(told.length).toBe(4);
    expect(['opens', 'reads', 'closes', 'bytes asked', 'bytes fetched'].map((of) => daemon.count(of as 'opens'))).toEqual([1, 1, 1, 5_000, 8_192]);
    expect(daemon.of('read', 'img')).toMatchObject([{ id: 2, cookie: 'img', fd: 5, offset: 100, length: 5_000 }]);
  });

  it('refuses what it does not have, and gives the fd back', async () => {
    const { say, toldThat } = await start();
    say('event open 1 10 5 0 erofs,x nobody');
    expect(await toldThat(1)).toBe('write copen 1,-2');
    say('ok 9');
    expect(await toldThat(2)).toBe('close 5');
  });

  it('says what it has not answered', async () => {
    const { daemon, say, outstanding } = await start();
    daemon.behaviour = { open: () => Promise.resolve() };
    say('event open 4 10 5 0 erofs,img img');
    await daemon.until(() => daemon.count('opens') === 1);
    expect([...outstanding]).toEqual(['OPEN 4 of img: not answered']);
  });

  it('tells who waits that there is nothing when it can not fetch', async () => {
    const { daemon, say, toldThat } = await start();
    say('event open 1 10 5 0 erofs,img img');
    await toldThat(1);
    say('ok 13');
    say('event read 2 10 0 4096');
    await toldThat(2);
    say('error ENOSPC');
    expect(await toldThat(3)).toBe('cread 5 2');
    say('ok 0');
    await daemon.until(() => daemon.problems.length > 0);
    expect(daemon.problems).toEqual(['read of img: pwrite 5 0 4096 /remote/img 0: ENOSPC']);
  });
});
