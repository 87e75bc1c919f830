// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError } from '../host/errors.ts';
import { sha256 } from '../host/hash.ts';
import { withLock } from '../host/lock.ts';
import { withStep, type Step } from '../host/progress.ts';

/**
 * Debian packages without installing them: apt with a configuration, lists, status and archives of
 * its own, so that the machine's sources are neither read into ours nor changed. Needs no privileges;
 * signatures are checked against the machine's Debian keyring.
 */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Less than this is as good as nothing. */
const DISK_RESERVE_BYTES = 1024 * 1024;
const LISTS_FRESH_SECONDS = 24 * 3_600;

/** The suites packages are taken from; kernels of 6.1 live in bookworm, the rest in trixie. */
export type Suite = 'bookworm' | 'trixie';

const SUITE_POCKETS: Readonly<Record<Suite, readonly string[]>> = {
  bookworm: ['bookworm', 'bookworm-updates'],
  trixie: ['trixie', 'trixie-updates', 'trixie-backports'],
};

/** FUSELAGE_MIRROR, else the first Debian archive that the machine's own apt uses. */
export async function debianMirror(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const chosen = env['FUSELAGE_MIRROR'];
  if (chosen !== undefined && chosen !== '') return chosen;
  const output = await attempt(['apt-get', 'indextargets', '--format', '$(ORIGIN)|$(REPO_URI)']);
  for (const line of output.stdout.split('\n')) {
    const [origin, uri] = line.split('|');
    // The security archive carries the same origin and only updates; it is no mirror of the rest.
    if (origin === 'Debian' && uri !== undefined && !uri.includes('security')) return uri;
  }
  throw new InfrastructureError('packages.missing', "apt's configuration names no Debian archive", {
    hint: 'set FUSELAGE_MIRROR to the address of a Debian mirror',
    detail: output.stderr.trim(),
  });
}

/** One version of one binary package of the archive. */
export interface ArchivePackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

export class AptDirectory {
  private constructor(
    private readonly context: Context,
    private readonly suite: Suite,
    private readonly root: string,
  ) {}

  /** apt's directories for one suite under the cache, with package lists at most a day old. */
  static async open(context: Context, suite: Suite): Promise<AptDirectory> {
    const mirror = await debianMirror();
    const root = join(context.cache.root, 'apt', `${suite}-${sha256(mirror).slice(0, 8)}`);
    const apt = new AptDirectory(context, suite, root);
    for (const directory of ['state/lists/partial', 'archives/partial', 'etc'])
      await mkdir(join(root, directory), { recursive: true });
    await writeFile(join(root, 'state/status'), '', { flag: 'a' });
    await writeFile(
      join(root, 'etc/sources.list'),
      SUITE_POCKETS[suite].map((pocket) => `deb [signed-by=${KEYRING}] ${mirror} ${pocket} main\n`).join(''),
    );
    await writeFile(
      join(root, 'etc/apt.conf'),
      [
        `Dir::State "${root}/state";`,
        `Dir::State::status "${root}/state/status";`,
        `Dir::Cache "${root}";`,
        `Dir::Cache::archives "${root}/archives";`,
        `Dir::Etc::sourcelist "${root}/etc/sources.list";`,
        'Dir::Etc::sourceparts "-";',
        'Dir::Etc::preferencesparts "-";',
        'Acquire::Languages "none";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Retries "3";',
        'APT::Sandbox::User "";',
        'APT::Architectures "amd64";',
        'APT::Keep-Downloaded-Packages "true";',
        '',
      ].join('\n'),
    );
    await apt.#locked(() => apt.#update());
    return apt;
  }

  /** What apt would install for these names (`name` or `name/pocket`), with all that they depend on. */
  async resolve(names: readonly string[]): Promise<ArchivePackage[]> {
    const simulation = await this.#apt(['apt-get', 'install', '--simulate', '--no-install-recommends', ...names]);
    return [...simulation.matchAll(/^Inst (\S+) \((\S+) .*\[(\w+)\]\)/gm)].map((match) => ({
      name: match[1] ?? '',
      version: match[2] ?? '',
      architecture: match[3] ?? '',
    }));
  }

  /** The newest version of each of these packages alone, without what they depend on. */
  async newest(names: readonly string[]): Promise<ArchivePackage[]> {
    const shown = await this.#apt(['apt-cache', 'show', '--no-all-versions', ...names]);
    return shown
      .split('\n\n')
      .filter((stanza) => stanza.includes('Package: '))
      .map((stanza) => ({
        name: /^Package: (.+)$/m.exec(stanza)?.[1] ?? '',
        version: /^Version: (.+)$/m.exec(stanza)?.[1] ?? '',
        architecture: /^Architecture: (.+)$/m.exec(stanza)?.[1] ?? '',
      }));
  }

  /** Package names of the archive that match a regular expression. */
  async search(pattern: string): Promise<string[]> {
    const output = await this.#apt(['apt-cache', 'search', '--names-only', pattern]);
    return output
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '')
      .filter((name) => name !== '');
  }

  /** Downloads packages and unpacks them under `into`; what an interrupted run has fetched is not fetched again. */
  async unpack(packages: readonly ArchivePackage[], into: string, step: Step): Promise<void> {
    await this.#locked(async () => {
      await this.#download(['apt-get', 'download', ...packages.map(({ name, version }) => `${name}=${version}`)], step);
      await mkdir(into, { recursive: true });
      for (const [index, { name, version, architecture }] of packages.entries()) {
        step.advance({ fraction: index / packages.length, note: `unpacking ${name}` });
        const file = `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
        await run(['dpkg-deb', '--extract', join(this.root, 'archives', file), into], { signal: this.context.signal });
      }
    });
  }

  async #update(): Promise<void> {
    const stamp = join(this.root, 'state/updated');
    const age = Date.now() - ((await stat(stamp).catch(() => undefined))?.mtimeMs ?? 0);
    if (age < LISTS_FRESH_SECONDS * 1_000) return;
    await withStep(this.context.emit, `package lists of Debian ${this.suite}`, (step) =>
      this.#download(['apt-get', 'update', '--error-on=any'], step),
    );
    await writeFile(stamp, '');
  }

  async #download(command: readonly string[], step: Step): Promise<void> {
    const [program, ...args] = command;
    if (program === undefined) throw new Error('an empty command');
    // apt waits for ever on a full disk: so somebody else has to look.
    const full = new AbortController();
    const watch = setInterval(() => {
      void statfs(this.root).then(({ bavail, bsize }) => {
        if (bavail * bsize < DISK_RESERVE_BYTES) full.abort();
      });
    }, 500);
    const output = await attempt([program, '-o', 'APT::Status-Fd=1', ...args], {
      cwd: join(this.root, 'archives'),
      env: this.#env,
      signal: AbortSignal.any([this.context.signal, full.signal]),
      onLine: (line) => {
        // Status-Fd 1 mixes apt's machine-readable progress into stdout: dlstatus:N:PERCENT:text.
        const match = /^dlstatus:\d+:([\d.]+):(.*)$/.exec(line);
        if (match !== null) step.advance({ fraction: Number(match[1]) / 100, note: match[2] ?? '' });
      },
    })
      .catch((error: unknown) => {
        throw full.signal.aborted && !this.context.signal.aborted ? diskFull('apt', '') : error;
      })
      .finally(() => {
        clearInterval(watch);
      });
    if (output.exitCode !== 0) throw this.#unreachable(`apt can not fetch ${args.at(-1) ?? ''}`, output.stderr);
  }

  async #apt(command: readonly string[]): Promise<string> {
    const output = await attempt(command, { cwd: this.root, env: this.#env, signal: this.context.signal });
    if (output.exitCode !== 0) throw this.#unreachable(`${command.join(' ')} failed`, output.stderr);
    return output.stdout;
  }

  get #env(): Record<string, string> {
    return { APT_CONFIG: join(this.root, 'etc/apt.conf'), LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  }

  #locked<T>(work: () => Promise<T>): Promise<T> {
    return withLock(
      join(this.root, '.lock'),
      {
        signal: this.context.signal,
        onWait: () => {
          this.context.emit({ type: 'note', text: 'waiting for another fuselage that is downloading packages' });
        },
      },
      work,
    );
  }

  #unreachable(what: string, stderr: string): InfrastructureError {
    if (/No space left on device/.test(stderr))
      return diskFull(what, stderr);
    return new InfrastructureError('network.unreachable', what, {
      hint: 'check the network or set FUSELAGE_MIRROR; the next start continues where this one stopped',
      detail: stderr.trim().split('\n').slice(-6).join('\n'),
    });
  }
}

function diskFull(what: string, stderr: string): InfrastructureError {
  return new InfrastructureError('disk.full', `the disk is full (${what})`, {
    hint: 'free some space, or point FUSELAGE_CACHE at another disk; what was downloaded is kept',
    detail: stderr.trim(),
  });
}

/** The packages installed on this machine, for `packages.ts`. */
export async function installedPackages(): Promise<ReadonlySet<string>> {
  const status = await readFile('/var/lib/dpkg/status', 'utf8').catch(() => '');
  const installed = new Set<string>();
  for (const stanza of status.split('\n\n'))
    if (/^Status: .* installed$/m.test(stanza)) installed.add(/^Package: (.+)$/m.exec(stanza)?.[1] ?? '');
  return installed;
}
