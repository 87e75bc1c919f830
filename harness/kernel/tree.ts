// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { attempt, run, runBytes } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import { contentId, sha256 } from '../host/hash.ts';
import { fetchSource } from './sources.ts';
import { PACKAGED_KERNELS } from './versions.ts';

/** A kernel source that is only ever read. */
export interface Tree {
  /** Changes whenever the content does. */
  readonly id: string;
  /** Trees of one family share an incremental build directory. */
  readonly family: string;
  readonly title: string;
  /** From the top Makefile: "6.12.107". */
  readonly version: string;
  /** The value of --tree that means this tree. */
  readonly reproduce: string;
  /** Local changes of a git work tree, as a patch (bytes as latin1) on top of its commit. */
  readonly localChanges?: string;
  /** Of a git tree that was asked for at a commit: which. */
  readonly commit?: string;
  /** The git directory, for `--range`. */
  readonly git?: string;
  /** A file's content and mode, or undefined where the tree has none. */
  read(file: string): Promise<{ content: Buffer; executable: boolean } | undefined>;
  /** Brings a directory to this tree's content; one that held another git tree is only changed where it differs. */
  materialise(into: string, signal: AbortSignal): Promise<void>;
}

/** A directory or a packaged version. */
export async function openTree(context: Context, name: string, options: { readonly commit?: string } = {}): Promise<Tree> {
  if (PACKAGED_KERNELS[name] !== undefined && !(await isDirectory(name))) return await packagedTree(context, name);
  const path = resolve(name);
  if (!(await isDirectory(path))) {
    const hint = `use a directory, or one of ${Object.keys(PACKAGED_KERNELS).join(', ')}`;
    throw new InputError('tree.unknown-version', `no such tree: ${name}`, { hint });
  }
  const repository = await repositoryAt(path);
  if (repository !== undefined) return await gitTree(path, repository, options.commit);
  if (options.commit !== undefined)
    throw new InputError('tree.no-git', `${name} is no git tree`, { hint: 'give a git tree, or leave the commit out' });
  return await plainTree(path, await kernelVersion(path));
}

interface Repository {
  readonly gitDirectory: string;
  /** The same for all work trees of a repository. */
  readonly commonDirectory: string;
  /** A mirror: there is no work tree, and so nothing that is not committed. */
  readonly bare: boolean;
}

/** The repository whose top a directory is, if it is one. */
async function repositoryAt(path: string): Promise<Repository | undefined> {
  const answer = await attempt(['git', '-C', path, 'rev-parse', '--path-format=absolute', '--git-dir', '--git-common-dir', '--is-bare-repository', '--show-toplevel']);
  const [gitDirectory, commonDirectory, bare, topLevel] = answer.stdout.split('\n');
  if (gitDirectory === undefined || commonDirectory === undefined || gitDirectory === '') return undefined;
  const real = await realpath(path);
  if (bare === 'true') return gitDirectory === real ? { gitDirectory, commonDirectory, bare: true } : undefined;
  return answer.exitCode === 0 && topLevel === real ? { gitDirectory, commonDirectory, bare: false } : undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function kernelVersion(path: string): Promise<string> {
  return versionOf(path, await readFile(join(path, 'Makefile'), 'utf8').catch(() => ''), await isDirectory(join(path, 'scripts/kconfig')));
}

/** @throws InputError where what `path` holds is no kernel source. */
function versionOf(path: string, makefile: string, hasKconfig: boolean): string {
  const field = (name: string) => new RegExp(`^${name} = (\\d+)$`, 'm').exec(makefile)?.[1];
  const [version, patchlevel, sublevel] = ['VERSION', 'PATCHLEVEL', 'SUBLEVEL'].map(field);
  if (version === undefined || patchlevel === undefined || !hasKconfig)
    throw new InputError('tree.not-a-kernel', `${path} is no Linux kernel source (no top Makefile with VERSION, or no scripts/kconfig)`, {
      hint: 'point --tree at the top directory of a kernel tree, or give a version such as 6.12',
    });
  return `${version}.${patchlevel}.${sublevel ?? '0'}`;
}

async function readFrom(root: string, file: string) {
  const path = join(root, file);
  const status = await stat(path).catch(() => undefined);
  if (status?.isFile() !== true) return undefined;
  return { content: await readFile(path), executable: (status.mode & 0o100) !== 0 };
}

async function packagedTree(context: Context, version: string): Promise<Tree> {
  const { path, packageVersion } = await fetchSource(context, version);
  return {
    id: contentId({ package: version, packageVersion }),
    family: contentId({ package: version, packageVersion }),
    title: `Linux ${packageVersion}`,
    version: await kernelVersion(path),
    reproduce: version,
    read: (file) => readFrom(path, file),
    // Hard links: everything that writes into a workshop replaces files and never writes in place.
    materialise: async (into, signal) => {
      await run(['cp', '--recursive', '--link', '--no-target-directory', path, into], { signal });
    },
  };
}

async function gitTree(path: string, { gitDirectory, commonDirectory, bare }: Repository, asked: string | undefined): Promise<Tree> {
  const commit = asked ?? 'HEAD';
  // Never the user's index: a status that refreshes it would write to the user's repository.
  const env = { GIT_OPTIONAL_LOCKS: '0', GIT_DIR: gitDirectory };
  const git = (args: readonly string[], more: Readonly<Record<string, string>> = {}) => run(['git', ...args], { env: { ...env, ...more } });
  const resolved = await attempt(['git', 'rev-parse', '--verify', '--quiet', `${commit}^{commit}`], { env });
  if (resolved.exitCode !== 0)
    throw new InputError('tree.no-git', `${path} has no commit ${commit}`, { hint: 'check the name with git rev-parse' });
  const id = resolved.stdout.trim();
  const treeId = (await git(['rev-parse', `${id}^{tree}`])).trim();
  const described = (await git(['log', '-1', '--format=%h ("%s")', id])).trim();
  const makefile = await attempt(['git', 'show', `${treeId}:Makefile`], { env });
  const version = versionOf(path, makefile.stdout, (await git(['ls-tree', treeId, '--', 'scripts/kconfig'])) !== '');
  const localChanges = commit === 'HEAD' && !bare ? await localChangesOf(path, env) : '';
  return {
    id: contentId({ git: treeId, localChanges: sha256(localChanges) }),
    family: contentId({ gitDirectory: commonDirectory }),
    title: `Linux ${version} ${described}${localChanges === '' ? '' : ' with local changes'}`,
    version,
    reproduce: path,
    git: gitDirectory,
    ...(asked === undefined || asked === 'HEAD' ? {} : { commit: id }),
    ...(localChanges === '' ? {} : { localChanges }),
    read: async (file) => {
      const listed = await git(['ls-tree', '-z', treeId, '--', file]);
      const [mode, type, object] = listed.split(/[ \t]/);
      if (type !== 'blob' || object === undefined) return undefined;
      const content = await runBytes(['git', 'cat-file', 'blob', object], { env });
      return { content, executable: mode === '100755' };
    },
    // An index of the workshop's own: git then writes only the files that differ.
    materialise: async (into, signal) => {
      await run(['git', 'read-tree', '--reset', '-u', treeId], {
        env: { ...env, GIT_WORK_TREE: into, GIT_INDEX_FILE: `${into}.index` },
        cwd: into,
        signal,
      });
    },
  };
}

async function localChangesOf(path: string, env: Readonly<Record<string, string>>): Promise<string> {
  const diff = await runBytes(['git', 'diff', 'HEAD', '--no-ext-diff', '--no-color'], { env: { ...env, GIT_WORK_TREE: path }, cwd: path });
  return diff.toString('latin1');
}

async function plainTree(path: string, version: string): Promise<Tree> {
  const id = await identify(path);
  return {
    id,
    family: contentId({ directory: path }),
    title: `Linux ${version} in ${path}`,
    version,
    reproduce: path,
    read: (file) => readFrom(path, file),
    materialise: async (into, signal) => {
      await run(['cp', '--archive', '--reflink=auto', '--no-target-directory', path, into], { signal });
      // Kbuild refuses a separate output directory beside an in-tree build; the copy is ours to clean.
      if ((await readdir(into)).includes('.config')) await run(['make', '-C', into, 'mrproper'], { signal });
    },
  };
}

/** Names, sizes and times of all files: reading 1.5 GiB at every start would cost more than it proves. */
async function identify(path: string): Promise<string> {
  const listing = await run(['find', path, '-type', 'f', '!', '-path', '*/.git/*', '-printf', '%P\\0%s\\0%T@\\0%m\\n']);
  return createHash('sha256').update(listing.split('\n').sort().join('\n')).digest('hex').slice(0, 20);
}
