// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../host/scope.ts';
import { FATTR } from '../fuse/flags.ts';
import { fuse_in_header, fuse_setattr_in } from '../fuse/structs.ts';
import { Store } from '../store/store.ts';
import type { Call } from './call.ts';
import { HostDirectory } from './host-directory.ts';
import { DEFAULT_SESSION, Session } from './session.ts';

let outside: string;
let server: HostDirectory;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), 'fuselage-test'));
  mkdirSync(join(outside, 'root'));
  writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o600 });
  server = new HostDirectory(join(outside, 'root'));
});
afterEach(() => {
  server.end();
  rmSync(outside, { recursive: true, force: true });
});

const withCall = (work: (call: (nodeid: number) => Call) => void): Promise<void> =>
  Scope.run(async (scope) => {
    const session = new Session(await Store.open(scope), DEFAULT_SESSION);
    work((nodeid) => ({ header: { ...fuse_in_header.decode(Buffer.alloc(40)), nodeid }, session, window: undefined, reserve: (bytes) => [Buffer.alloc(bytes)] }));
  });
const noArguments = { fh: 0, offset: 0, size: 100, read_flags: 0, lock_owner: 0n, flags: 0 };

describe('a directory of the host', () => {
  it('is not left by names that no kernel sends', () =>
    withCall((call) => {
      for (const name of ['..', '.', '', '../secret', 'a/b']) expect(() => server.handlers.LOOKUP?.({ name }, call(1))).toThrow('EINVAL');
    }));

  it('is not left through a symbolic link', () =>
    withCall((call) => {
      symlinkSync(join(outside, 'secret'), join(outside, 'root/link'));
      const entry = server.handlers.LOOKUP?.({ name: 'link' }, call(1)) as { entry: { nodeid: number } };
      const { nodeid } = entry.entry;
      expect(() => server.handlers.OPEN?.({ args: { flags: 0, open_flags: 0 } }, call(nodeid))).toThrow('ELOOP');
      for (const valid of [FATTR.SIZE, FATTR.MODE]) expect(() => server.handlers.SETATTR?.({ args: { ...fuse_setattr_in.decode(Buffer.alloc(88)), valid, mode: 0o777 } }, call(nodeid))).toThrow('EOPNOTSUPP');
      expect([statSync(join(outside, 'secret')).size, statSync(join(outside, 'secret')).mode & 0o777]).toEqual([6, 0o600]);
    }));

  it('a directory that the host has replaced by a link is gone', () =>
    withCall((call) => {
      mkdirSync(join(outside, 'root/d'));
      const { entry } = server.handlers.LOOKUP?.({ name: 'd' }, call(1)) as { entry: { nodeid: number } };
      rmSync(join(outside, 'root/d'), { recursive: true });
      symlinkSync(outside, join(outside, 'root/d'));
      expect(() => server.handlers.LOOKUP?.({ name: 'secret' }, call(entry.nodeid))).toThrow('ESTALE');
    }));

  it('handles that are not open are EBADF, nodes that are not known ESTALE', () =>
    withCall((call) => {
      expect(() => server.handlers.READ?.({ args: { ...noArguments, fh: 77 } }, call(1))).toThrow('EBADF');
      expect(() => server.handlers.GETATTR?.({ args: { getattr_flags: 0, fh: 0 } }, call(77))).toThrow('ESTALE');
    }));
});
