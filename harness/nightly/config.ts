// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { InputError } from '../host/errors.ts';
import { FLAVORS } from '../kernel/flavor.ts';
import { PACKAGED_KERNELS } from '../kernel/versions.ts';
import { SHARES } from '../share/catalogue.ts';

const name = z.string().regex(/^[\w.+-]+$/, 'a name has letters, digits, ".", "_", "+" and "-" only');

const treeSchema = z.union([
  z.strictObject({ name, version: z.string().refine((version) => PACKAGED_KERNELS[version] !== undefined, `not one of ${Object.keys(PACKAGED_KERNELS).join(', ')}`) }),
  z.strictObject({ name, path: z.string(), refs: z.array(z.string().min(1)).min(1).default(['HEAD']) }),
  z.strictObject({ name, git: z.string().min(1), refs: z.array(z.string().min(1)).min(1) }),
]);
export type TreeConfig = z.infer<typeof treeSchema>;

const suiteSchema = z.strictObject({
  name,
  shares: z.array(z.string().refine((share) => SHARES.some((one) => one.name === share), `no such share; \`fuselage list\` has them`)).min(1),
  /** Names or globs, as on the command line; all that suit the share where it is left out. */
  cases: z.array(z.string()).default([]),
});

const unique = (items: readonly { readonly name: string }[]) => new Set(items.map((one) => one.name)).size === items.length;

/** What a configuration file may say. */
export const configSchema = z.strictObject({
  trees: z.array(treeSchema).min(1).refine(unique, 'two trees of one name'),
  flavors: z.array(z.enum(Object.keys(FLAVORS) as [string, ...string[]])).min(1).default(['fast']),
  suites: z.array(suiteSchema).min(1).refine(unique, 'two suites of one name'),
  /** How often a case that failed is run again, to tell what always fails from what sometimes does. */
  confirm: z.number().int().min(0).max(50).default(2),
  /** Bisect what is new, where the tree is a git tree and was green before. */
  bisect: z.boolean().default(false),
  /** Days that the history goes back; the last green night of a cell is kept in any case. */
  retentionDays: z.number().int().positive().default(365),
  /** Relative to this file; below the cache where it is left out. */
  history: z.string().optional(),
  /** Expectation files on top of those of cases/. */
  expectations: z.array(z.string()).default([]),
});

export interface NightlyConfig extends z.infer<typeof configSchema> {
  readonly file: string;
}

/** @throws InputError that names the line and the key */
export async function readConfig(path: string): Promise<NightlyConfig> {
  const file = resolve(path);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new InputError('nightly.config', `can not read ${path}`, { hint: 'give --config a YAML file such as ci/nightly.yaml', cause });
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) throw new InputError('nightly.config', `${path}:${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0] ?? ''}`, { hint: 'mend the YAML' });
  const parsed = configSchema.safeParse(document.toJS());
  if (!parsed.success) throw refusal(path, parsed.error, (keys) => lineOf(document, lines, keys));
  const relative = (other: string) => resolve(dirname(file), other);
  const { history, expectations, trees } = parsed.data;
  return {
    ...parsed.data,
    file,
    trees: trees.map((tree) => ('path' in tree ? { ...tree, path: relative(tree.path) } : tree)),
    expectations: expectations.map(relative),
    ...(history === undefined ? {} : { history: relative(history) }),
  };
}

type Located = (keys: readonly PropertyKey[]) => number;

/** The line of the innermost node of a path that is there. */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, keys: readonly PropertyKey[]): number {
  for (let length = keys.length; length >= 0; length--) {
    const node: unknown = document.getIn(keys.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function refusal(path: string, error: z.ZodError, line: Located): InputError {
  const text = flattened(error.issues).map(({ keys, message }) => `${path}:${line(keys)}: ${keys.length === 0 ? '' : `${keys.map(String).join('.')}: `}${message}`);
  return new InputError('nightly.config', text[0] ?? path, { hint: 'ci/nightly.yaml is an example with every key', detail: text.slice(1).join('\n') });
}

/** Of a union, what the alternative misses that comes closest. */
function flattened(issues: readonly z.core.$ZodIssue[], above: readonly PropertyKey[] = []): { readonly keys: readonly PropertyKey[]; readonly message: string }[] {
  return issues.flatMap((issue) => {
    const keys = [...above, ...issue.path];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) return flattened([...issue.errors].sort((a, b) => a.length - b.length)[0] ?? [], keys);
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ keys: [...keys, key], message: 'no such key' }));
    return [{ keys, message: issue.message }];
  });
}
