// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../host/command.ts';

/** A history on fs/fuse whose every commit is known; for tests and for trying the bisection by hand. */
export interface KnownHistory {
  /** A bare repository. */
  readonly gitDirectory: string;
  readonly good: string;
  readonly bad: string;
  readonly culprit: string;
  readonly unbuildable: readonly string[];
  readonly unbootable: string;
}

interface Change {
  readonly title: string;
  readonly file: string;
  readonly edit: (text: string) => string;
  readonly role?: 'culprit' | 'unbuildable' | 'unbootable';
}

const FILES = ['dir', 'file', 'dev', 'readdir', 'xattr', 'acl', 'ioctl', 'control'].map((name) => `fs/fuse/${name}.c`);

const note = (index: number): Change => {
  const file = FILES[index % FILES.length] ?? '';
  return { title: `fuse: say what ${file} is about (${index})`, file, edit: (text) => `${text}\n/* ${file}: remark ${index} */\n` };
};

function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the source has no ${from}`);
  return text.replace(from, to);
}

const HALF = '\n#error "half of a change"\n';
const PANIC = '\tpanic("fuse: not ready yet");\n';
const FIRST_LINE = '\tpr_info("init (API version';

/** Twenty commits: the tenth does not build, and that is where git looks first. */
const CHANGES: readonly Change[] = [
  ...Array.from({ length: 4 }, (_, index) => note(index + 1)),
  { title: 'fuse: half of a change to file.c', file: 'fs/fuse/file.c', edit: (text) => text + HALF, role: 'unbuildable' },
  { title: 'fuse: the other half of the change to file.c', file: 'fs/fuse/file.c', edit: (text) => replaced(text, HALF, '') },
  ...Array.from({ length: 3 }, (_, index) => note(index + 7)),
  { title: 'fuse: half of a change to xattr.c', file: 'fs/fuse/xattr.c', edit: (text) => text + HALF, role: 'unbuildable' },
  { title: 'fuse: the other half of the change to xattr.c', file: 'fs/fuse/xattr.c', edit: (text) => replaced(text, HALF, '') },
  note(12),
  { title: 'fuse: be careful with directories', file: 'fs/fuse/inode.c', edit: (text) => replaced(text, 'fc->parallel_dirops = 1;', 'fc->parallel_dirops = 0;'), role: 'culprit' },
  note(14),
  { title: 'fuse: stop early', file: 'fs/fuse/inode.c', edit: (text) => replaced(text, FIRST_LINE, `${PANIC}${FIRST_LINE}`), role: 'unbootable' },
  { title: 'fuse: stop later', file: 'fs/fuse/inode.c', edit: (text) => replaced(text, PANIC, '') },
  ...Array.from({ length: 4 }, (_, index) => note(index + 17)),
];

/** Makes the history from a kernel source, or finds it made; the same source gives the same commits. */
export async function knownHistory(source: string, gitDirectory: string): Promise<KnownHistory> {
  const told = join(gitDirectory, 'fuselage-history.json');
  if (!existsSync(told)) {
    const making = `${gitDirectory}.making`;
    await rm(making, { recursive: true, force: true });
    await rm(gitDirectory, { recursive: true, force: true });
    await mkdir(dirname(gitDirectory), { recursive: true });
    const made = await make(source, making);
    await writeFile(join(making, 'fuselage-history.json'), JSON.stringify(made));
    await rename(making, gitDirectory);
  }
  return { ...(JSON.parse(await readFile(told, 'utf8')) as Omit<KnownHistory, 'gitDirectory'>), gitDirectory };
}

async function make(source: string, gitDirectory: string): Promise<Omit<KnownHistory, 'gitDirectory'>> {
  const who = { NAME: 'A Developer', EMAIL: 'developer@fuselage.example' };
  const env = (index: number) => ({
    GIT_DIR: gitDirectory,
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...Object.fromEntries(['AUTHOR', 'COMMITTER'].flatMap((role) => [...Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]), [`GIT_${role}_DATE`, `@${1_700_000_000 + 3_600 * index} +0000`]])) as Record<string, string>,
  });
  const git = async (index: number, args: readonly string[], input?: string) => (await run(['git', ...args], { env: env(index), ...(input === undefined ? {} : { input }) })).trim();
  await git(0, ['init', '--quiet', '--bare', gitDirectory]);
  await git(0, ['-c', 'core.compression=1', '-c', 'core.fsync=none', '-c', 'gc.auto=0', `--work-tree=${source}`, 'add', '--force', '--all', '--', source]);
  const commit = async (index: number, title: string, parent: string | undefined) =>
    await git(index, ['commit-tree', await git(index, ['write-tree']), ...(parent === undefined ? [] : ['-p', parent]), '-m', `${title}\n\nA commit of a history that tests bisection.\n\nSigned-off-by: ${who.NAME} <${who.EMAIL}>`]);
  const texts = new Map<string, string>();
  const commits = [await commit(0, 'the source as it is packaged', undefined)];
  const having = (role: Change['role']) => CHANGES.flatMap((change, index) => (change.role === role ? [commits[index + 1] ?? ''] : []));
  for (const [index, { title, file, edit }] of CHANGES.entries()) {
    const text = edit(texts.get(file) ?? (await readFile(join(source, file), 'utf8')));
    texts.set(file, text);
    const blob = await git(index, ['hash-object', '-w', '--stdin'], text);
    await git(index, ['update-index', '--cacheinfo', `100644,${blob},${file}`]);
    commits.push(await commit(index + 1, title, commits.at(-1)));
  }
  const bad = commits.at(-1) ?? '';
  await git(0, ['update-ref', 'refs/heads/master', bad]);
  await git(0, ['symbolic-ref', 'HEAD', 'refs/heads/master']);
  return { good: commits[0] ?? '', bad, culprit: having('culprit')[0] ?? '', unbuildable: having('unbuildable'), unbootable: having('unbootable')[0] ?? '' };
}
