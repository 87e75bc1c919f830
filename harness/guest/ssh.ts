// SPDX-License-Identifier: GPL-2.0-only
import type { Readable, Writable } from 'node:stream';
import ssh2, { type ClientChannel } from 'ssh2';
import { quote } from 'zx';
import { InfrastructureError } from '../host/errors.ts';

export interface KeyPair {
  readonly privateKey: string;
  /** The base64 field of an OpenSSH public key line. */
  readonly publicBlob: string;
}

/** A key that lives as long as the run: the guest accepts nothing else. */
export function makeKey(): KeyPair {
  // One in some hundred that ssh2 (1.17) makes it can not read itself.
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return { privateKey: pair.private, publicBlob: pair.public.split(' ')[1] ?? '' };
  }
}

export interface Exit {
  readonly code: number | undefined;
  /** For example "KILL". */
  readonly signal: string | undefined;
}

export interface RemoteProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<Exit>;
  close(): void;
}

/** The one ssh connection to a guest. */
export class GuestShell {
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;

  private constructor(private readonly client: ssh2.Client) {
    // events.once() would reject at an 'error', which is how a guest's end mostly looks from here.
    this.closed = new Promise((resolve) => client.once('close', resolve));
    client.on('error', () => undefined); // 'close' follows, and pending work rejects
  }

  /** @param hostKey what the guest said on its console; a different key is refused. */
  static async connect(port: number, key: KeyPair, hostKey: string, limitSeconds: number): Promise<GuestShell> {
    const client = new ssh2.Client();
    const ready = new Promise<void>((resolve, reject) => {
      client.once('ready', resolve);
      client.once('error', (cause) => {
        reject(new InfrastructureError('guest.unreachable', `no ssh to the guest (${cause.message})`, { hint: 'see its console.log', cause }));
      });
    });
    client.connect({
      host: '127.0.0.1',
      port,
      username: 'root',
      privateKey: key.privateKey,
      hostVerifier: (presented: Buffer) => presented.toString('base64') === hostKey,
      readyTimeout: limitSeconds * 1_000,
      // The cheapest that both sides speak: the guest computes under emulation.
      algorithms: { kex: ['curve25519-sha256'], cipher: ['chacha20-poly1305@openssh.com', 'aes128-ctr'], serverHostKey: ['ssh-ed25519'] },
    });
    const shell = new GuestShell(client);
    await ready;
    return shell;
  }

  /** Starts a program; arguments are quoted here and nowhere else. */
  async start(command: readonly string[]): Promise<RemoteProcess> {
    return await new Promise<RemoteProcess>((resolve, reject) => {
      try {
        this.client.exec(`exec ${command.map((word) => quote(word)).join(' ')}`, (error, channel) => {
          // Listened to at once: a short program's exit can come in the very packet that opens the channel.
          if (error === undefined) resolve(fromChannel(channel, this.closed));
          else reject(unreachable(error));
        });
      } catch (error) {
        reject(unreachable(error instanceof Error ? error : new Error(String(error)))); // "Not connected" is thrown
      }
    });
  }

  /** Runs a program to its end and returns what it printed; at most 1 MiB of each stream is kept. */
  async run(command: readonly string[]): Promise<{ readonly exit: Exit; readonly stdout: string; readonly stderr: string }> {
    const remote = await this.start(command);
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      remote[name].on('data', (chunk: Buffer) => {
        if (texts[name].length < 1024 * 1024) texts[name] += chunk.toString('utf8');
      });
    const exit = await remote.exited;
    return { exit, ...texts };
  }

  /** An interactive shell on a terminal of the given size. */
  async interactive(size: { readonly rows: number; readonly cols: number; readonly term: string }): Promise<ClientChannel> {
    return await new Promise((resolve, reject) => {
      this.client.shell(size, (error, channel) => {
        if (error === undefined) resolve(channel);
        else reject(unreachable(error));
      });
    });
  }

  end(): void {
    this.client.destroy();
  }
}

function unreachable(cause: Error): InfrastructureError {
  return new InfrastructureError('guest.unreachable', `the guest takes no command (${cause.message})`, { hint: 'see its console.log', cause });
}

function fromChannel(channel: ClientChannel, connectionClosed: Promise<void>): RemoteProcess {
  const exited = new Promise<Exit>((resolve) => {
    let exit: Exit = { code: undefined, signal: undefined };
    channel.once('exit', (code: number | null, signal?: string) => {
      exit = { code: code ?? undefined, signal };
    });
    channel.once('close', () => {
      resolve(exit);
    });
    void connectionClosed.then(() => {
      resolve(exit);
    });
  });
  channel.on('error', () => undefined);
  return {
    stdin: channel.stdin,
    stdout: channel,
    stderr: channel.stderr,
    exited,
    close: () => {
      channel.close();
    },
  };
}
