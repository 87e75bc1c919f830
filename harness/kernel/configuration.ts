// SPDX-License-Identifier: GPL-2.0-only
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../host/command.ts';
import { InputError } from '../host/errors.ts';
import { compareVersions } from './versions.ts';

/** Ends a line whose symbol not every kernel knows: asked for only where some Kconfig file defines it. */
const IF_DEFINED = /\s*# if defined\s*$/;

/** Ends a line that only kernels from a version on are asked for. */
const FROM_VERSION = /^(CONFIG_.*?)\s*# from (\d+\.\d+)$/;

/** A fragment as a kernel of this version is asked for it. */
export function fragmentFor(version: string, text: string): string {
  const lines = text.split('\n').map((line) => {
    const [, wish, from] = FROM_VERSION.exec(line) ?? [];
    if (wish === undefined || from === undefined) return line;
    return compareVersions(version, from) < 0 ? [] : wish;
  });
  return lines.flat().join('\n');
}

/** Symbols of a fragment that are asked for only where they exist. */
export function symbolsIfDefined(text: string): Set<string> {
  const symbols = text.split('\n').filter((line) => IF_DEFINED.test(line)).map((line) => /^CONFIG_\w+/.exec(line)?.[0] ?? '');
  return new Set(symbols);
}

/** What a fragment asks for: symbol (with CONFIG_) to value ("y", "n", a number, a quoted string). */
export function parseFragment(text: string): Map<string, string> {
  const wanted = new Map<string, string>();
  for (const raw of text.split('\n')) {
    const line = raw.replace(IF_DEFINED, '');
    const unset = /^# (CONFIG_\w+) is not set$/.exec(line);
    const set = /^(CONFIG_\w+)=(.*?)\s*$/.exec(line);
    if (unset?.[1] !== undefined) wanted.set(unset[1], 'n');
    else if (set?.[1] !== undefined && set[2] !== undefined) wanted.set(set[1], set[2]);
    else if (line.trim() !== '' && !line.startsWith('#'))
      throw new InputError('config.no-fragment', `not a Kconfig line in a fragment: ${line}`, {
        hint: 'write CONFIG_NAME=value or # CONFIG_NAME is not set',
      });
  }
  return wanted;
}

/** Symbols whose wish did not survive, with what .config says instead. */
export function lostSymbols(wanted: ReadonlyMap<string, string>, config: ReadonlyMap<string, string>): string[] {
  return [...wanted].filter(([symbol, value]) => (config.get(symbol) ?? 'n') !== value).map(([symbol]) => symbol);
}

/** What a kernel is configured from. */
export interface Wanted {
  /** Every symbol of these is there afterwards, or there is no kernel. */
  readonly fragments: string;
  /** On top; what can not be had is left out. */
  readonly wishes: string;
}

/**
 * Configures `objectDirectory` from tinyconfig with fragments on top, and verifies that every symbol
 * asked for is there: olddefconfig drops what it can not set without a word.
 */
export async function configure(options: {
  readonly source: string;
  readonly objectDirectory: string;
  readonly wanted: Wanted;
  readonly make: (targets: readonly string[]) => Promise<void>;
}): Promise<void> {
  const { source, objectDirectory, make } = options;
  const { fragments, wishes } = options.wanted;
  const [wanted, wished] = [parseFragment(fragments), parseFragment(wishes)];
  const config = join(objectDirectory, '.config');
  await make(['tinyconfig']);
  const lines = [...new Map([...wanted, ...wished])].map(([symbol, value]) => (value === 'n' ? `# ${symbol} is not set` : `${symbol}=${value}`));
  await appendFile(config, `${lines.join('\n')}\n`);
  await make(['olddefconfig']);
  const got = parseFragment(await readFile(config, 'utf8'));
  const optional = symbolsIfDefined(fragments);
  const lost: string[] = [];
  for (const symbol of lostSymbols(wanted, got)) if (!wished.has(symbol) && (!optional.has(symbol) || (await definedIn(source, symbol)).length > 0)) lost.push(symbol);
  if (lost.length === 0) return;
  const reasons = await Promise.all(lost.map((symbol) => whyLost(source, symbol, wanted.get(symbol) ?? '', got)));
  throw new InputError('config.symbol-lost', `not set after olddefconfig: ${reasons.join('; ')}`, {
    hint: 'add what it depends on to the fragment, or drop the symbol',
  });
}

/** The Kconfig files of a tree that define a symbol. */
async function definedIn(source: string, symbol: string): Promise<string[]> {
  const name = symbol.replace(/^CONFIG_/, '');
  const found = await attempt(['grep', '-rlE', `^[[:space:]]*(menu)?config ${name}$`, '--include=Kconfig*', '.'], { cwd: source });
  return found.stdout.split('\n').filter((file) => file !== '');
}

/** Says which dependency dropped a symbol, as far as the Kconfig text alone tells. */
async function whyLost(source: string, symbol: string, value: string, config: ReadonlyMap<string, string>): Promise<string> {
  const name = symbol.replace(/^CONFIG_/, '');
  const wish = `${symbol}=${value}`;
  const files = await definedIn(source, symbol);
  if (files.length === 0) return `${wish} (no Kconfig file of this tree defines it)`;
  for (const file of files) {
    const expressions = dependenciesOf(name, await readFile(join(source, file), 'utf8'));
    const unmet = expressions
      .flatMap((expression) => unmetSymbols(expression, config))
      .filter((dependency, index, all) => all.indexOf(dependency) === index);
    if (unmet.length > 0) return `${wish} (${file.replace('./', '')}: depends on ${unmet.join(', ')})`;
  }
  return `${wish} (defined in ${files.map((file) => file.replace('./', '')).join(', ')}; no plain dependency is unmet: a choice, a select or a type decides)`;
}

/** The `depends on` expressions of a symbol and of the `if` blocks around it, in one Kconfig file. */
export function dependenciesOf(name: string, kconfig: string): string[] {
  const enclosing: string[] = [];
  const expressions: string[] = [];
  let inside = false;
  for (const line of kconfig.replaceAll('\\\n', ' ').split('\n')) {
    const text = line.trim();
    const entry = /^(?:menu)?config (\w+)$/.exec(text);
    if (entry !== null) {
      inside = entry[1] === name;
      if (inside) expressions.push(...enclosing);
    } else if (/^(if) /.test(text)) {
      enclosing.push(text.slice(3));
      inside = false;
    } else if (text.startsWith('endif')) {
      enclosing.pop();
      inside = false;
    } else if (inside && text.startsWith('depends on ')) expressions.push(text.slice('depends on '.length));
  }
  return expressions;
}

/** Symbols of an expression that are off but should be on, or (after `!`) on but should be off. */
function unmetSymbols(expression: string, config: ReadonlyMap<string, string>): string[] {
  const unmet: string[] = [];
  for (const match of expression.matchAll(/(!?)\b([A-Z][A-Z0-9_]+)\b(?!\s*=)/g)) {
    const [, negation, name] = match;
    const on = (config.get(`CONFIG_${name ?? ''}`) ?? 'n') !== 'n';
    if (on === (negation === '!')) unmet.push(`${negation ?? ''}${name ?? ''}`);
  }
  return unmet;
}

/** Runs make for a kernel tree with output elsewhere. */
export async function kernelMake(
  source: string,
  objectDirectory: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly onLine?: (line: string) => void; readonly env?: Readonly<Record<string, string>> },
): Promise<void> {
  await run(['make', '-C', source, `O=${objectDirectory}`, ...args], options);
}
