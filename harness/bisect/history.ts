// SPDX-License-Identifier: GPL-2.0-only
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../host/command.ts';
import { InputError } from '../host/errors.ts';
import type { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { Verdict } from '../results/bisection.ts';

/** Where a search stands: at a candidate that is to be tried, or at its end. */
export type Position = { readonly kind: 'try'; readonly id: string; readonly stepsLeft: number } | { readonly kind: 'found'; readonly id: string } | { readonly kind: 'unclear'; readonly ids: readonly string[] };

/** What is searched, between a good and a bad end. */
export interface History {
  /** How many candidates may be the first bad one. */
  readonly candidates: number;
  start(): Promise<Position>;
  tell(id: string, verdict: Verdict): Promise<Position>;
}

export interface Commits {
  /** The user's repository; only its objects are read. */
  readonly gitDirectory: string;
  readonly good: string;
  readonly bad: string;
  /** Only commits that touch these. */
  readonly paths: readonly string[];
  readonly firstParent: boolean;
}

const AUTHOR = { GIT_AUTHOR_NAME: 'fuselage', GIT_AUTHOR_EMAIL: 'fuselage@localhost', GIT_COMMITTER_NAME: 'fuselage', GIT_COMMITTER_EMAIL: 'fuselage@localhost', GIT_AUTHOR_DATE: '@0 +0000', GIT_COMMITTER_DATE: '@0 +0000' };

/**
 * `git bisect` in a repository of its own, which borrows the objects of the user's: that one's refs, index, work tree and
 * own bisection, if it is in the middle of one, stay as they are. Nothing is checked out (git-bisect(1), --no-checkout):
 * the workshop of the build takes each commit from the user's objects.
 */
export class GitHistory implements History {
  private constructor(
    private readonly directory: string,
    private readonly limits: Pick<Commits, 'good' | 'bad' | 'paths' | 'firstParent'>,
    readonly candidates: number,
  ) {}

  /** @throws InputError where there is nothing between the ends */
  static async ofCommits(scope: Scope, commits: Commits): Promise<GitHistory> {
    const directory = await emptyRepository(scope);
    const common = (await run(['git', 'rev-parse', '--path-format=absolute', '--git-common-dir'], { env: { GIT_DIR: commits.gitDirectory } })).trim();
    await writeFile(join(directory, 'objects/info/alternates'), `${join(common, 'objects')}\n`);
    await copyFile(join(common, 'shallow'), join(directory, 'shallow')).catch(() => undefined); // most are whole
    const { good, bad, paths, firstParent } = commits;
    const counted = await run(['git', 'rev-list', '--count', ...(firstParent ? ['--first-parent'] : []), bad, `^${good}`, '--', ...paths], { env: environment(directory) });
    if (Number(counted) === 0)
      throw new InputError('bisect.nothing', `no commit${paths.length === 0 ? '' : ` that touches ${paths.join(', ')}`} leads from ${good.slice(0, 12)} to ${bad.slice(0, 12)}`, { hint: 'are --good and --bad the wrong way round?' });
    return new GitHistory(directory, commits, Number(counted));
  }

  /** A line of steps that are no commits: "0" is the good end, the last one the bad end. */
  static async ofSteps(scope: Scope, count: number): Promise<{ readonly history: GitHistory; readonly numberOf: (id: string) => number }> {
    const directory = await emptyRepository(scope);
    const env = environment(directory);
    const tree = (await run(['git', 'hash-object', '-t', 'tree', '-w', '/dev/null'], { env })).trim();
    const ids: string[] = [];
    for (let step = 0; step <= count; step++) {
      const parent = ids.at(-1);
      ids.push((await run(['git', 'commit-tree', tree, ...(parent === undefined ? [] : ['-p', parent]), '-m', String(step)], { env })).trim());
    }
    const history = new GitHistory(directory, { good: ids[0] ?? '', bad: ids.at(-1) ?? '', paths: [], firstParent: false }, count);
    return { history, numberOf: (id) => ids.indexOf(id) };
  }

  async start(): Promise<Position> {
    const { good, bad, paths, firstParent } = this.limits;
    // It wants to know what to go back to.
    await run(['git', 'update-ref', '--no-deref', 'HEAD', bad], { env: environment(this.directory) });
    return await this.#ask(['start', '--no-checkout', ...(firstParent ? ['--first-parent'] : []), bad, good, '--', ...paths]);
  }

  async tell(id: string, verdict: Verdict): Promise<Position> {
    return await this.#ask([verdict, id]);
  }

  async #ask(args: readonly string[]): Promise<Position> {
    const env = environment(this.directory);
    const { exitCode, stdout, stderr } = await attempt(['git', 'bisect', ...args], { env });
    const [, found] = /^([0-9a-f]{40,64}) is the first bad commit$/m.exec(stdout) ?? [];
    if (found !== undefined) return { kind: 'found', id: found };
    // git's exit code for "only skipped ones are left".
    if (exitCode === 2) return { kind: 'unclear', ids: stdout.split('\n').filter((line) => /^[0-9a-f]{40,64}$/.test(line)) };
    if (exitCode !== 0)
      throw new InputError('bisect.nothing', `git bisect ${args[0] ?? ''}: ${(stderr || stdout).trim().split('\n')[0]?.replace(/^error: /, '') ?? ''}`, { hint: 'see git-bisect(1); --good must have what led to --bad', detail: `${stdout}${stderr}`.trim() });
    const id = (await run(['git', 'rev-parse', '--verify', 'BISECT_HEAD'], { env })).trim();
    return { kind: 'try', id, stepsLeft: Number(/roughly (\d+) step/.exec(stdout)?.[1] ?? 0) };
  }
}

/** The user's configuration stays out: his aliases and hooks are not about this. */
const environment = (directory: string) => ({ ...AUTHOR, LC_ALL: 'C', GIT_DIR: directory, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_OPTIONAL_LOCKS: '0' });

async function emptyRepository(scope: Scope): Promise<string> {
  const directory = await temporaryDirectory(scope, 'bisect');
  await run(['git', 'init', '--quiet', '--bare', directory], { env: environment(directory) });
  await mkdir(join(directory, 'objects/info'), { recursive: true });
  return directory;
}
