// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import { quote } from 'zx';
import { attempt, run, runBytes } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import type { Scope } from '../host/scope.ts';
import { applySeries } from '../kernel/apply.ts';
import type { BuildRequest } from '../kernel/build.ts';
import { parseFragment } from '../kernel/configuration.ts';
import { makePatch } from '../kernel/patch.ts';
import { prefixOf, seriesOf, type Series } from '../kernel/series.ts';
import { openTree, type Tree } from '../kernel/tree.ts';
import type { Candidates } from './bisect.ts';
import { GitHistory } from './history.ts';
import type { Subject } from './trial.ts';

/** What every kernel of a search has in common, and the words of the command that runs its case. */
export interface Common {
  readonly flavor: BuildRequest['flavor'];
  readonly fragmentFiles: readonly string[];
  readonly what: readonly string[];
}

export interface CommitsRequest extends Common {
  readonly tree: string;
  readonly good: string;
  readonly bad: string;
  readonly paths: readonly string[];
  readonly firstParent: boolean;
}

/** The commits of a git tree. @throws InputError for ends that it does not have */
export async function commitsBetween(context: Context, scope: Scope, request: CommitsRequest): Promise<Candidates> {
  const { tree, flavor, fragmentFiles } = request;
  const [good, bad] = await Promise.all([request.good, request.bad].map((name) => openTree(context, tree, { commit: name })));
  if (good?.git === undefined || bad === undefined) throw new InputError('tree.no-git', `${tree} is no git tree`, { hint: 'bisect needs a git tree, or --series or --configs' });
  const gitDirectory = good.git;
  const env = { GIT_DIR: gitDirectory, GIT_OPTIONAL_LOCKS: '0' };
  const idOf = async (name: string) => (await run(['git', 'rev-parse', '--verify', `${name}^{commit}`], { env })).trim();
  const [goodId, badId] = await Promise.all([idOf(request.good), idOf(request.bad)]);
  const history = await GitHistory.ofCommits(scope, { gitDirectory, good: goodId, bad: badId, paths: request.paths, firstParent: request.firstParent });
  const field = async (id: string, format: string) => (await run(['git', 'log', '-1', `--format=${format}`, id], { env })).trim();
  const titleOf = async (id: string) => await field(id, '%h ("%s")');
  const subject = async (id: string, opened?: Tree): Promise<Subject> => ({ id: id.slice(0, 12), title: await titleOf(id), request: { tree: opened ?? (await openTree(context, tree, { commit: id })), series: [], flavor, fragmentFiles } });
  return {
    history,
    good: await subject(goodId, good),
    bad: await subject(badId, bad),
    subject,
    describe: async (id) => ({ id, title: await field(id, '%s'), author: await field(id, '%an <%ae>'), message: await field(id, '%B') }),
    without: async (id) => {
      const diff = (await runBytes(['git', 'diff', '--no-ext-diff', '--no-color', '--no-renames', '--full-index', id, `${id}^1`], { env })).toString('latin1');
      if (diff === '') return { reason: 'it changes nothing' };
      const title = `revert of ${await titleOf(id)}`;
      return await appliedTo({ tree: bad, flavor, fragmentFiles }, [seriesOf(title, [makePatch(title, title, diff)])], `revert-${id.slice(0, 12)}`);
    },
    reproduce: (id) => Promise.resolve(commandOf(['check', '--tree', tree, '--range', `${id.slice(0, 12)}~1..${id.slice(0, 12)}`, ...request.what])),
  };
}

export interface SeriesRequest extends Common {
  readonly tree: Tree;
  readonly series: readonly Series[];
}

/** The patches of series put one on another: which of them is the first that makes it bad. */
export async function patchesOf(scope: Scope, { tree, series, flavor, fragmentFiles, what }: SeriesRequest): Promise<Candidates> {
  const patches = series.flatMap((one) => one.patches);
  const { history, numberOf } = await GitHistory.ofSteps(scope, patches.length);
  const common = { tree, flavor, fragmentFiles };
  const prefix = (count: number): readonly Series[] => (count === 0 ? [] : count === patches.length ? series : [prefixOf(series, count)]);
  const subjectAt = (count: number): Subject => ({ id: `patch-${count}`, title: count === 0 ? tree.title : `${count}/${patches.length} ${patches[count - 1]?.title ?? ''}`, request: { ...common, series: prefix(count) } });
  return {
    history,
    good: subjectAt(0),
    bad: subjectAt(patches.length),
    subject: (id) => Promise.resolve(subjectAt(numberOf(id))),
    describe: (id) => {
      const patch = patches[numberOf(id) - 1];
      const author = /^From: (.+)$/m.exec(patch?.mail ?? '')?.[1];
      return Promise.resolve({ id: `patch ${numberOf(id)}`, title: patch?.title ?? '', ...(author === undefined ? {} : { author }) });
    },
    without: async (id) => {
      const others = patches.filter((_, index) => index !== numberOf(id) - 1);
      if (others.length === 0) return { reason: 'it is the only patch' };
      return await appliedTo(common, [seriesOf(`without patch ${numberOf(id)}`, others)], `without-patch-${numberOf(id)}`);
    },
    reproduce: () => Promise.resolve(commandOf(['check', '--tree', tree.reproduce, ...series.flatMap((one) => one.reproduce), ...what])),
  };
}

export interface ConfigsRequest extends Common {
  readonly tree: Tree;
  /** Kconfig files, whole or fragments, that are put on the flavor's. */
  readonly good: string;
  readonly bad: string;
}

/** The Kconfig symbols in which two configurations differ: which of them is the first that makes it bad, in the order of the bad one. */
export async function symbolsBetween(scope: Scope, { tree, good, bad, flavor, fragmentFiles, what }: ConfigsRequest): Promise<Candidates> {
  const [from, to] = await Promise.all([good, bad].map(async (file) => parseFragment(await readConfig(file))));
  if (from === undefined || to === undefined) throw new Error('two configurations were read');
  const named = new Set([...to.keys(), ...from.keys()]);
  const differing = [...named].map((symbol) => ({ symbol, before: from.get(symbol) ?? 'n', after: to.get(symbol) ?? 'n' })).filter(({ before, after }) => before !== after);
  if (differing.length === 0) throw new InputError('bisect.nothing', `${good} and ${bad} ask for the same`, { hint: 'give two configurations that differ' });
  const { history, numberOf } = await GitHistory.ofSteps(scope, differing.length);
  const lines = (wanted: ReadonlyMap<string, string>) => [...wanted].map(([symbol, value]) => (value === 'n' ? `# ${symbol} is not set` : `${symbol}=${value}`)).join('\n');
  const common = { tree, series: [], flavor, fragmentFiles };
  const titleOf = (step: number) => `${differing[step - 1]?.symbol ?? ''}: ${differing[step - 1]?.before ?? ''} -> ${differing[step - 1]?.after ?? ''}`;
  const subjectWith = (changes: typeof differing, id: string, title: string): Subject => ({ id, title, request: { ...common, wishes: lines(new Map([...from, ...changes.map(({ symbol, after }) => [symbol, after] as const)])) } });
  const subjectAt = (step: number): Subject => subjectWith(differing.slice(0, step), `symbol-${step}`, step === 0 ? good : `${good} with ${step} of ${differing.length} differences, the last ${titleOf(step)}`);
  return {
    history,
    good: subjectAt(0),
    bad: subjectWith(differing, `symbol-${differing.length}`, bad),
    subject: (id) => Promise.resolve(subjectAt(numberOf(id))),
    describe: (id) => Promise.resolve({ id: differing[numberOf(id) - 1]?.symbol ?? '', title: titleOf(numberOf(id)) }),
    without: (id) => Promise.resolve(subjectWith(differing.filter((_, index) => index !== numberOf(id) - 1), `without-symbol-${numberOf(id)}`, `${bad} without ${titleOf(numberOf(id))}`)),
    reproduce: () => Promise.resolve(commandOf(['bisect', '--tree', tree.reproduce, '--configs', good, bad, ...what])),
  };
}

async function readConfig(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new InputError('config.no-fragment', `can not read the configuration ${file}`, { hint: 'check the paths given to --configs', cause });
  });
}

/** A kernel with a series on top, or why it does not apply. */
async function appliedTo(request: Omit<BuildRequest, 'series'>, series: readonly Series[], id: string): Promise<Subject | { readonly reason: string }> {
  try {
    await applySeries(request.tree, series);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { reason: `it can not be taken away by itself: ${error.message}` };
  }
  return { id, title: series[0]?.title ?? id, request: { ...request, series } };
}

const commandOf = (words: readonly string[]): string => `fuselage ${words.map((word) => quote(word)).join(' ')}`;

/** The tree as `git bisect run` wants it judged: with what is changed in it, or at BISECT_HEAD where nothing is checked out. */
export async function underBisection(context: Context, tree: string): Promise<Tree> {
  const opened = await openTree(context, tree);
  if (opened.git === undefined) throw new InputError('tree.no-git', `${tree} is no git tree`, { hint: 'run it where git bisect runs, or give --tree' });
  const head = await attempt(['git', 'rev-parse', '--verify', '--quiet', 'BISECT_HEAD'], { env: { GIT_DIR: opened.git } });
  return head.exitCode === 0 ? await openTree(context, tree, { commit: head.stdout.trim() }) : opened;
}
