// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attempt } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { KernelError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { applySeries } from '../kernel/apply.ts';
import { buildKernel, warningsOf, type Build, type BuildRequest } from '../kernel/build.ts';
import { parseFragment } from '../kernel/configuration.ts';
import { profilableDirectories } from '../kernel/gcov.ts';
import type { Patch } from '../kernel/patch.ts';
import type { Flavor } from '../kernel/flavor.ts';
import { prefixOf, type Series } from '../kernel/series.ts';
import { sparseWarnings } from '../kernel/sparse.ts';
import type { Tree } from '../kernel/tree.ts';
import { newWarnings } from '../kernel/warnings.ts';
import type { PatchReport } from '../results/schema.ts';
import { materialiseChecker } from './checkpatch.ts';

/** What each patch does by itself, on top of those before it; and the build of all of them. */
export interface JudgedPatches {
  readonly patched: Build;
  readonly reports: readonly PatchReport[];
}

/**
 * Builds every prefix of a series, the shortest first, for a series must be bisectable: each one compiles, and says
 * no more than the one before. @throws KernelError where the whole series does not compile.
 */
export async function judgePatches(context: Context, request: BuildRequest, base: Build, alsoBuild: readonly Flavor[] = []): Promise<JudgedPatches> {
  const patches = request.series.flatMap((one) => one.patches);
  const reports: PatchReport[] = [];
  let before = base;
  let patched: Build | undefined;
  const checkpatch = await checkpatchAll(request.tree, patches);
  const sources = await compiledSources(request, patches);
  const sparseOf = (series: readonly Series[], build: Build) => sparseWarnings(context, { ...request, series }, build, sources);
  let sparse = await sparseOf([], base);
  for (const [index, patch] of patches.entries()) {
    context.signal.throwIfAborted();
    const last = index === patches.length - 1;
    const series = last ? request.series : [prefixOf(request.series, index + 1)];
    const { fuzz } = await applySeries(request.tree, series);
    const common = { title: patch.title, fuzz: fuzz.filter((line) => line.startsWith(`${patch.name}: `)), ...(checkpatch[index] === undefined ? {} : { checkpatch: checkpatch[index] }) };
    let build: Build;
    try {
      build = await buildKernel(context, { ...request, series });
    } catch (error) {
      if (!(error instanceof KernelError) || last) throw error;
      reports.push({ ...common, builds: false, error: error.message });
      continue;
    }
    const sparseNow = await sparseOf(series, build);
    reports.push({ ...common, builds: true, ...(await difference(before, build)), ...(sparse === undefined || sparseNow === undefined ? {} : { sparse: newWarnings(sparse, sparseNow) }) });
    sparse = sparseNow;
    before = build;
    patched = build;
  }
  if (patched === undefined) throw new Error('a series without a patch');
  let merged: readonly PatchReport[] = reports;
  for (const flavor of alsoBuild) merged = await inFlavor(context, { ...request, flavor }, merged);
  return { patched, reports: merged };
}

/** What reports say when every prefix is built in another flavor as well. */
async function inFlavor(context: Context, request: BuildRequest, reports: readonly PatchReport[]): Promise<PatchReport[]> {
  let before = await buildKernel(context, { ...request, series: [] });
  const merged: PatchReport[] = [];
  for (const [index, report] of reports.entries()) {
    try {
      const build = await buildKernel(context, { ...request, series: index === reports.length - 1 ? request.series : [prefixOf(request.series, index + 1)] });
      const warnings = newWarnings(await warningsOf(before), await warningsOf(build));
      merged.push({ ...report, ...(report.warnings === undefined ? {} : { warnings: [...new Set([...report.warnings, ...warnings])] }) });
      before = build;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      merged.push({ ...report, builds: false, error: report.error ?? error.message });
    }
  }
  return merged;
}

/** The C files that are there before and after the series, in directories that Kbuild compiles. */
async function compiledSources({ tree, series }: BuildRequest, patches: readonly Patch[]): Promise<string[]> {
  const files = [...new Set(patches.flatMap((patch) => patch.files))].filter((file) => file.endsWith('.c'));
  const directories = new Set(await profilableDirectories(tree, files));
  const { files: changed } = await applySeries(tree, series);
  const there = await Promise.all(files.map(async (file) => directories.has(dirname(file)) && changed.get(file)?.content !== undefined && (await tree.read(file)) !== undefined));
  return files.filter((_, index) => there[index]);
}

/** What a build has that the one before it had not. */
async function difference(before: Build, after: Build): Promise<Pick<PatchReport, 'warnings' | 'symbols' | 'sizeBytes'>> {
  const [known, now] = await Promise.all([warningsOf(before), warningsOf(after)]);
  const [old, fresh] = await Promise.all([before, after].map(async ({ config }) => parseFragment(await readFile(config, 'utf8'))));
  const [size, newSize] = await Promise.all([sizeOf(before), sizeOf(after)]);
  const names = (a: ReadonlyMap<string, string> = new Map(), b: ReadonlyMap<string, string> = new Map()) => [...a.keys()].filter((name) => !b.has(name));
  return {
    warnings: newWarnings(known, now),
    symbols: { added: names(fresh, old), lost: names(old, fresh) },
    ...(size === undefined || newSize === undefined ? {} : { sizeBytes: newSize - size }),
  };
}

/** The sizes of all functions and objects of vmlinux together, by nm(1): sections are padded, and would hide small changes. Kernel addresses are negative in decimal. */
async function sizeOf({ vmlinux }: Build): Promise<number | undefined> {
  const { exitCode, stdout } = await attempt(['nm', '--print-size', '--defined-only', '--radix=d', vmlinux]);
  if (exitCode !== 0) return undefined;
  return stdout.split('\n').reduce((sum, line) => sum + (Number(/^-?\d+ (\d+) /.exec(line)?.[1]) || 0), 0);
}

/** The tree's own checkpatch.pl on each patch that came with its message; undefined where the tree has none. */
async function checkpatchAll(tree: Tree, patches: readonly Patch[]): Promise<(PatchReport['checkpatch'] | undefined)[]> {
  return await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'checkpatch');
    const script = await materialiseChecker(tree, directory);
    if (!existsSync(script)) return patches.map(() => undefined);
    const found: (PatchReport['checkpatch'] | undefined)[] = [];
    for (const { mail } of patches) {
      if (mail === undefined) {
        found.push(undefined);
        continue;
      }
      const { stdout } = await attempt(['perl', script, '--no-tree', '--terse', '--show-types', '--no-summary', '-'], { input: Buffer.from(mail, 'latin1'), cwd: join(directory) });
      found.push(stdout.split('\n').filter((line) => /: (?:ERROR|WARNING|CHECK):/.test(line)).map((line) => line.replace(/^.*?: (ERROR|WARNING|CHECK):/, '$1:').slice(0, 200)));
    }
    return found;
  });
}
