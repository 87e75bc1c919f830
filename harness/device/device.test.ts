// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { Device, type DeviceOptions } from './device.ts';
import { RANGE_BYTES } from './store/content.ts';
import { Store } from './store/store.ts';
import { Trace } from './trace/trace.ts';
import { encodeMessage, FLAG_NEED_REPLY, FRONTEND_REQUEST } from './vhost-user/messages.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fuselage-test'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const withDevice = (windowBytes: number, work: (device: Device, socket: string) => Promise<void>): Promise<void> =>
  Scope.run(async (scope) => {
    const socket = join(directory, 'socket');
    const options: DeviceOptions = { guest: 'guest', tag: 'share', store: await Store.open(scope), trace: new Trace(), windowBytes, requestQueues: 2 };
    await work(await Device.start(scope, socket, options), socket);
  });

/** A front-end that says these bytes and collects what comes back until `bytes` are there. */
const ask = (socket: string, message: Buffer, bytes: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const client = connect(socket);
    let answer = Buffer.alloc(0);
    client.on('error', reject);
    client.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= bytes) client.destroy();
    });
    client.on('close', () => {
      resolve(answer);
    });
    client.write(message);
  });

describe('the device', () => {
  it.each([RANGE_BYTES / 2, 3 * RANGE_BYTES, 2 * 1024 * RANGE_BYTES, -RANGE_BYTES])('a window of %d bytes is refused, saying what can be', async (windowBytes) => {
    await expect(withDevice(windowBytes, () => Promise.resolve())).rejects.toBeInstanceOf(InputError);
    await expect(withDevice(windowBytes, () => Promise.resolve())).rejects.toMatchObject({ code: 'share.window' });
  });

  it('answers what a front-end asks first: features, configuration, window', () =>
    withDevice(RANGE_BYTES, async (_, socket) => {
      const reads = Buffer.alloc(12 + 44);
      reads.writeUInt32LE(44, 4);
      const messages = [encodeMessage(FRONTEND_REQUEST.GET_FEATURES, 0, Buffer.alloc(0)), encodeMessage(FRONTEND_REQUEST.GET_CONFIG, 0, reads), encodeMessage(FRONTEND_REQUEST.GET_SHMEM_CONFIG, 0, Buffer.alloc(0))];
      const lengths = [12 + 8, 12 + 12 + 44, 12 + 8 + 8 * 256];
      const answer = await ask(socket, Buffer.concat(messages), lengths.reduce((sum, length) => sum + length, 0));
      expect(answer.readBigUInt64LE(12) & (1n << 32n)).not.toBe(0n);
      const configuration = answer.subarray(20 + 24, 20 + 24 + 44);
      expect([configuration.toString('utf8', 0, 5), configuration.readUInt32LE(36)]).toEqual(['share', 2]);
      const shmem = answer.subarray(20 + 68 + 12);
      expect([shmem.readUInt32LE(0), shmem.readBigUInt64LE(8)]).toEqual([1, BigInt(RANGE_BYTES)]);
    }));

  it('acknowledges by the flag, and not by the request', () =>
    withDevice(0, async (_, socket) => {
      const status = Buffer.alloc(8);
      const messages = [encodeMessage(FRONTEND_REQUEST.SET_STATUS, 0, status), encodeMessage(FRONTEND_REQUEST.SET_STATUS, FLAG_NEED_REPLY, status)];
      const answer = await ask(socket, Buffer.concat(messages), 20);
      expect([answer.length, answer.readUInt32LE(0), answer.readBigUInt64LE(12)]).toEqual([20, FRONTEND_REQUEST.SET_STATUS, 0n]);
    }));

  it.each([
    ['a message that it does not know', encodeMessage(99, FLAG_NEED_REPLY, Buffer.alloc(8)), /request 99: not supported/],
    ['a vring that it does not have', encodeMessage(FRONTEND_REQUEST.SET_VRING_NUM, 0, Buffer.from([9, 0, 0, 0, 128, 0, 0, 0])), /SET_VRING_NUM: vring 9 of 3/],
    ['memory without a descriptor', encodeMessage(FRONTEND_REQUEST.ADD_MEM_REG, 0, Buffer.alloc(40)), /guest RAM must be shared/],
    ['a length beyond every message', Buffer.from([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 127]), /announces 2130706432 bytes/],
    ['another version', Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]), /version 2/],
  ])('%s ends the connection with an error that says so, and nothing else', (_, message, expected) =>
    withDevice(0, async (device, socket) => {
      await ask(socket, message, 1_000);
      await device.ended;
      expect(device.defects.join()).toMatch(expected);
    }),
  );
});
