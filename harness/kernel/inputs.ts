// SPDX-License-Identifier: GPL-2.0-only
import type { Context } from '../host/context.ts';
import { InputError } from '../host/errors.ts';
import { readRange, readSeries, type Series } from './series.ts';
import { openTree, type Tree } from './tree.ts';

export interface Inputs {
  /** A directory or a packaged version. */
  readonly tree: string;
  readonly series?: readonly string[];
  /** Commits of the tree, as a series. */
  readonly range?: string;
  /** What the series are put on; else the commit that they say they were made on, else the tree as it is. */
  readonly base?: string;
}

/** Opens a tree, at the commit that is meant, and reads what is put on it, in the order given. */
export async function openInputs(context: Context, { tree: name, series: names = [], range, base }: Inputs): Promise<{ readonly tree: Tree; readonly series: readonly Series[] }> {
  // Of A..B the tree is A: the range itself is what is put on top.
  const start = range?.split('..')[0];
  const asked = base ?? (start === '' ? undefined : start);
  let tree = await openTree(context, name, asked === undefined ? {} : { commit: asked });
  const series = await Promise.all(names.map((one) => readSeries(one, tree)));
  const madeOn = series.find(({ baseCommit }) => baseCommit !== undefined)?.baseCommit;
  if (asked === undefined && madeOn !== undefined && tree.git !== undefined) tree = await onBase(context, tree, name, madeOn);
  if (range !== undefined) series.push(await readRange(range, tree));
  return { tree, series };
}

/** The commit that a series says it was made on, where the tree has it. */
async function onBase(context: Context, tree: Tree, name: string, commit: string): Promise<Tree> {
  try {
    const base = await openTree(context, name, { commit });
    context.emit({ type: 'note', text: `on ${base.title}, the series' base commit (--base HEAD takes the tree as it is)` });
    return base;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    context.emit({ type: 'warning', text: `${name} has no commit ${commit.slice(0, 12)}, which the series was made on; it is put on ${tree.title}` });
    return tree;
  }
}
