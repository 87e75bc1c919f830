// SPDX-License-Identifier: GPL-2.0-only
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cache } from '../host/cache.ts';
import { run } from '../host/command.ts';
import { cacheRoot } from '../host/paths.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { nightlySchema } from '../results/nightly.ts';
import { Toolbox, type Program } from '../toolbox/toolbox.ts';
import { fuselage, Invocation, KERNEL_UNDER_TEST } from './testing.ts';

const scope = new Scope();
const PASSWORD = 'not-a-secret';
let directory: string;
let program: Program;

beforeAll(async () => {
  directory = await temporaryDirectory(scope, 'test-queue');
  const context = { cache: new Cache(cacheRoot()), emit: () => undefined, signal: new AbortController().signal };
  program = (await Toolbox.open(context, { set: 'queue' })).program('usr/bin/valkey-server');
});
afterAll(() => scope.end());

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A real server on loopback, with a password and a file that survives it. */
class Server {
  #child: ChildProcess | undefined;
  constructor(
    readonly port: number,
    private readonly data: string,
    private readonly more: readonly string[] = [],
  ) {}

  async start(): Promise<void> {
    const [file = '', ...args] = program.command;
    const plain = this.more.includes('--tls-port') ? [] : ['--port', String(this.port)];
    this.#child = spawn(file, [...args, '--bind', '127.0.0.1', ...plain, '--dir', this.data, '--requirepass', PASSWORD, '--appendonly', 'yes', '--appendfsync', 'always', '--save', '', ...this.more], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...program.env } });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      this.#child?.once('exit', () => {
        reject(new Error(`the server ended: ${said}`));
      });
      this.#child?.stdout?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('Ready to accept connections')) resolve();
      });
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}

async function server(name: string, more: readonly string[] = []): Promise<{ readonly server: Server; readonly url: string }> {
  const data = join(directory, name);
  await mkdir(data);
  const port = await freePort();
  const made = new Server(port, data, more);
  await scope.defer(() => made.stop('SIGKILL'));
  await made.start();
  return { server: made, url: `redis://127.0.0.1:${port}` };
}

const SUITES = 6;
const ENVIRONMENT = { FUSELAGE_QUEUE_PASSWORD: PASSWORD };

async function configuration(): Promise<string> {
  const file = join(directory, 'night.yaml');
  const suites = Array.from({ length: SUITES }, (_, index) => `  - {name: s${index}, shares: [device], cases: [fuse-protocol/dirops, fuse-protocol/forget]}`);
  await writeFile(file, `trees:\n  - {name: packaged, version: '${KERNEL_UNDER_TEST}'}\nsuites:\n${suites.join('\n')}\nconfirm: 0\nhistory: ./history.sqlite\n`);
  return file;
}

describe('a night for three workers', () => {
  it('one killed in a cell, one stopped for longer than its lock, the server started anew: each cell is in the report once', async () => {
    const { server: valkey, url } = await server('night');
    const worker = () => new Invocation(['worker', '--queue', url, '--lock-seconds', '8', '--jobs', '1'], ENVIRONMENT);
    const workers = [worker(), worker(), worker()];
    await scope.defer(() => {
      for (const one of workers) one.child.kill('SIGKILL');
    });
    await Promise.all(workers.map((one) => one.said(/waiting for cells/)));
    const out = join(directory, 'out');
    const night = new Invocation(['nightly', '--config', await configuration(), '--queue', url, '--out', out, '--format', 'json'], ENVIRONMENT);
    const [killed, stopped, steady] = workers;
    if (killed === undefined || stopped === undefined || steady === undefined) throw new Error('three were started');

    await killed.said(/attempt 1/);
    killed.child.kill('SIGKILL');
    await stopped.said(/PASS +device +guest\/boot/);
    stopped.child.kill('SIGSTOP');
    // Until another worker has been given what the stopped one holds.
    await steady.said(/attempt [2-9]|(?:attempt 1\)[^]*){3}/);
    await valkey.stop('SIGKILL');
    await sleep(1_000);
    await valkey.start();
    await sleep(9_000);
    stopped.child.kill('SIGCONT');

    const { code, stdout, stderr } = await night.ended;
    expect(code, stderr).toBe(0);
    const found = nightlySchema.parse(JSON.parse(stdout));
    expect(found.cells.map(({ cell, outcome }) => [cell.suite, outcome])).toEqual(Array.from({ length: SUITES }, (_, index) => [`s${index}`, 'green']));
    for (const { results } of found.cells) expect(results?.totals).toMatchObject({ fail: 0, crash: 0, hang: 0 });
    // Nothing is left behind for the next night.
    const redis = new Redis(url, { password: PASSWORD });
    expect((await redis.keys('bull:fuselage-cells:*')).filter((key) => /:[0-9a-f]{20}/.test(key))).toEqual([]);
    redis.disconnect();

    for (const one of [stopped, steady]) one.child.kill('SIGINT');
    expect((await steady.ended).code).toBe(130);
    expect((await stopped.ended).code).toBe(130);

    // What the killed one and the stopped one had begun was begun once more by another one.
    const begun = async (one: Invocation) => [...(await one.ended).stderr.matchAll(/^(\S+) \(attempt \d+\)$/gm)].map(([, cell]) => cell);
    const [ofKilled, ofStopped, ofSteady] = [await begun(killed), await begun(stopped), await begun(steady)];
    expect(ofKilled).toHaveLength(1);
    expect([...ofStopped, ...ofSteady]).toContain(ofKilled[0]);
    expect(ofSteady).toContain(ofStopped[0]);

    // All of it is in the history: the same night again has nothing to do.
    const again = await fuselage(['nightly', '--config', join(directory, 'night.yaml'), '--format', 'json']);
    expect(nightlySchema.parse(JSON.parse(again.stdout)).cells.map(({ outcome }) => outcome)).toEqual(Array.from({ length: SUITES }, () => 'unchanged'));
  });
});

describe('the queue', () => {
  it('refuses a wrong password, and none, in one clear line that does not show it', async () => {
    const { url } = await server('locked');
    for (const env of [{ FUSELAGE_QUEUE_PASSWORD: 'a-wrong-one' }, {}]) {
      for (const args of [
        ['worker', '--queue', url],
        ['nightly', '--config', await configuration(), '--queue', url],
      ]) {
        const { code, stderr } = await fuselage(args, env);
        expect([code, stderr.trim().split('\n').at(-1)]).toEqual([2, expect.stringMatching(/^fuselage: the queue at redis:\/\/127\.0\.0\.1:\d+ refuses this password; set FUSELAGE_QUEUE_PASSWORD/)]);
        expect(stderr).not.toContain('a-wrong-one');
      }
    }
    const inAddress = await fuselage(['worker', '--queue', url.replace('//', '//:a-wrong-one@')]);
    expect([inAddress.code, inAddress.stderr.includes('a-wrong-one')]).toEqual([2, false]);
  });

  it('speaks TLS, and trusts only what is signed by the authority given', async () => {
    const keys = join(directory, 'keys');
    await mkdir(keys);
    const pem = (name: string) => join(keys, name);
    await run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', pem('key.pem'), '-out', pem('cert.pem')]);
    await run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=other', '-keyout', pem('other-key.pem'), '-out', pem('other.pem')]);
    const port = await freePort();
    const data = join(directory, 'tls');
    await mkdir(data);
    const valkey = new Server(port, data, ['--port', '0', '--tls-port', String(port), '--tls-cert-file', pem('cert.pem'), '--tls-key-file', pem('key.pem'), '--tls-ca-cert-file', pem('cert.pem'), '--tls-auth-clients', 'no']);
    await scope.defer(() => valkey.stop('SIGKILL'));
    await valkey.start();
    const url = `rediss://127.0.0.1:${port}`;
    for (const authority of [[], ['--queue-ca', pem('other.pem')]]) {
      const { code, stderr } = await fuselage(['worker', '--queue', url, ...authority], ENVIRONMENT);
      expect([code, stderr.trim().split('\n').at(-1)]).toEqual([2, expect.stringMatching(/can not be trusted: .*; give --queue-ca/)]);
    }
    const worker = new Invocation(['worker', '--queue', url, '--queue-ca', pem('cert.pem')], ENVIRONMENT);
    await worker.said(/waiting for cells/);
    worker.child.kill('SIGINT');
    expect((await worker.ended).code).toBe(130);
  });

  it('that is not there, or is none, is said', async () => {
    const port = await freePort();
    const absent = await fuselage(['worker', '--queue', `redis://127.0.0.1:${port}`]);
    expect([absent.code, absent.stderr.trim().split('\n').at(-1)]).toEqual([3, expect.stringContaining('does not answer')]);
    for (const url of ['nowhere', 'http://127.0.0.1']) {
      const { code, stderr } = await fuselage(['worker', '--queue', url]);
      expect([code, stderr.trim().split('\n').at(-1)]).toEqual([2, expect.stringContaining('is no address of a queue')]);
    }
  });
});
