// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { attempt, CommandError } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { InfrastructureError, InputError, KernelError } from '../host/errors.ts';
import { contentId } from '../host/hash.ts';
import { withStep, type Step } from '../host/progress.ts';
import { applySeries } from './apply.ts';
import { fragmentFor, type Wanted } from './configuration.ts';
import { fragmentText, type Flavor } from './flavor.ts';
import { keepNotes, withProfiles } from './gcov.ts';
import type { KernelImage } from './image.ts';
import type { Series } from './series.ts';
import type { Tree } from './tree.ts';
import type { Warnings } from './warnings.ts';
import { Workshop } from './workshop.ts';

export interface BuildRequest {
  readonly tree: Tree;
  readonly series: readonly Series[];
  readonly flavor: Flavor;
  /** The user's own Kconfig fragments, on top of the flavor's. */
  readonly fragmentFiles: readonly string[];
  /**
   * Kconfig lines on top of all, which olddefconfig may drop if it can not have them. Kernels that differ in them alone
   * are built in one workshop, one after another.
   */
  readonly wishes?: string;
  /** Directories below the tree whose C files count which of their lines are executed; only with the flavor gcov. */
  readonly profile?: readonly string[];
}

export interface Build extends KernelImage {
  readonly vmlinux: string;
  readonly config: string;
  readonly release: string;
  readonly cached: boolean;
  readonly seconds: number;
  readonly fuzz: readonly string[];
}

/** What is kept of a build and in a workshop; another number where old ones lack something (2: every warning). */
const FORMAT = '2';

/** What a fast 6.12 prints while it is built from nothing; only the progress display depends on it. */
const EXPECTED_LINES = 2_200;

/** Kconfig files that a series changes ask for a new configuration. */
const configurationId = (tree: Tree, { fragments, wishes }: Wanted, files: Parameters<typeof kconfigChanges>[0]): string =>
  contentId({ tree: tree.id, fragments, kconfig: kconfigChanges(files), ...(wishes === '' ? {} : { wishes }) });

/**
 * Builds a kernel, or finds it built. Incremental on whatever was built last of the same tree, flavor and
 * compiler. @throws InputError for a series or symbol that can not be; KernelError where it does not compile.
 */
export async function buildKernel(context: Context, request: BuildRequest): Promise<Build> {
  const startedMilliseconds = performance.now();
  const { tree, series, flavor, profile = [] } = request;
  const { id, fragments, toolchain } = await identify(request);
  const wanted: Wanted = { fragments, wishes: request.wishes ?? '' };
  const title = [`Linux ${tree.version}`, ...series.map((one) => one.title)].join(' + ') + ` (${flavor.name})`;
  // Applied even when the build is cached: what applies with fuzz is to be said every time.
  const applied = await applySeries(tree, series);
  for (const line of applied.fuzz) context.emit({ type: 'warning', text: line });
  const { path, cached } = await context.cache.obtain({ kind: 'builds', key: id, title, ...context }, async (directory) => {
    await Workshop.use(context, workshopKey(tree, fragments, toolchain), async (workshop) => {
      await withStep(context.emit, `building ${title}`, async (step) => {
        const [wide] = [...applied.files.keys()].filter((file) => /^(?:include|arch\/\w+\/include|scripts)\/|(?:^|\/)Kconfig/.test(file));
        if (wide !== undefined) context.emit({ type: 'note', text: `${wide} is changed, which much depends on: this is no small rebuild` });
        step.advance({ note: 'preparing the source' });
        await workshop.sync(tree, await withProfiles(tree, applied.files, profile));
        await compile(workshop, {
          wanted,
          configurationId: configurationId(tree, wanted, applied.files),
          title,
          step,
          log: join(directory, 'build.log'),
          warnings: join(directory, WARNINGS_FILE),
        });
      });
      for (const [from, to] of [
        ['arch/x86/boot/bzImage', 'bzImage'],
        ['vmlinux', 'vmlinux'],
        ['System.map', 'System.map'],
        ['.config', 'config'],
        ['include/config/kernel.release', 'release'],
      ] as const)
        await copyFile(join(workshop.objects, from), join(directory, to));
      if (profile.length > 0) await keepNotes(workshop.objects, profile, join(directory, NOTES_DIRECTORY));
      const info = { id, title, flavor: flavor.name, tree: tree.title, toolchain, series: series.map((one) => one.title) };
      await writeFile(join(directory, 'build.json'), `${JSON.stringify(info, undefined, 2)}\n`);
    });
  });
  return {
    ...(await describeBuild(path, id)),
    cached,
    seconds: (performance.now() - startedMilliseconds) / 1_000,
    fuzz: applied.fuzz,
  };
}

async function identify({ tree, series, flavor, fragmentFiles, wishes = '', profile = [] }: BuildRequest) {
  const [text, toolchain] = await Promise.all([fragmentText(flavor, fragmentFiles), identifyToolchain()]);
  const fragments = fragmentFor(tree.version, text);
  const id = contentId({ format: FORMAT, tree: tree.id, series: series.map((one) => one.id).join(' '), fragments, toolchain, ...(wishes === '' ? {} : { wishes }), ...(profile.length === 0 ? {} : { profile: profile.join(' ') }) });
  return { id, fragments, toolchain };
}

/** What the build of a request is named by, whether it is there, can be made, or not. */
export const identifyBuild = async (request: BuildRequest): Promise<string> => (await identify(request)).id;

const workshopKey = (tree: Tree, fragments: string, toolchain: string): string => contentId({ format: FORMAT, family: tree.family, fragments, toolchain });

/** Lends out where a kernel is built, its source in place and configured: for single objects, beside its builds. */
export async function inWorkshop<T>(context: Context, { tree, series, flavor, fragmentFiles, wishes = '' }: BuildRequest, work: (objects: string, make: Make) => Promise<T>): Promise<T> {
  const [text, toolchain, applied] = await Promise.all([fragmentText(flavor, fragmentFiles), identifyToolchain(), applySeries(tree, series)]);
  const fragments = fragmentFor(tree.version, text);
  return await Workshop.use(context, workshopKey(tree, fragments, toolchain), async (workshop) => {
    await workshop.sync(tree, applied.files);
    const make = await makeIn(workshop);
    const wanted: Wanted = { fragments, wishes };
    await workshop.configureOnce(configurationId(tree, wanted, applied.files), wanted, (targets) => make(['-s', ...targets]));
    return await work(workshop.objects, make);
  });
}

const WARNINGS_FILE = 'warnings.json';
const NOTES_DIRECTORY = 'gcno';

/** The compiler's warnings about a build. */
export async function warningsOf(build: Pick<Build, 'config'>): Promise<Warnings> {
  return JSON.parse(await readFile(join(dirname(build.config), WARNINGS_FILE), 'utf8')) as Warnings;
}

/** A build by the id that `fuselage build` printed. */
export async function findBuild(context: Context, id: string): Promise<KernelImage | undefined> {
  if (!/^[0-9a-f]{20}$/.test(id)) return undefined;
  const path = await context.cache.find('builds', id);
  return path === undefined ? undefined : await describeBuild(path, id);
}

async function describeBuild(path: string, id: string) {
  const notes = join(path, NOTES_DIRECTORY);
  const info = JSON.parse(await readFile(join(path, 'build.json'), 'utf8')) as { title: string; flavor: string };
  return {
    id,
    title: info.title,
    release: (await readFile(join(path, 'release'), 'utf8')).trim(),
    flavor: info.flavor,
    bzImage: join(path, 'bzImage'),
    vmlinux: join(path, 'vmlinux'),
    config: join(path, 'config'),
    symbols: join(path, 'System.map'),
    reproduce: id,
    ...(existsSync(notes) ? { notesDirectory: notes } : {}),
  };
}

export type Make = (args: readonly string[], onLine?: (line: string) => void) => Promise<void>;

async function makeIn(workshop: Workshop): Promise<Make> {
  const ccache = await attempt(['ccache', '--version']).then(
    (output) => output.exitCode === 0,
    () => false,
  );
  // Nothing of the time and place of a build may reach its objects: the same input, the same kernel.
  const env = {
    LC_ALL: 'C',
    KBUILD_BUILD_TIMESTAMP: '1970-01-01T00:00:00Z',
    KBUILD_BUILD_USER: 'fuselage',
    KBUILD_BUILD_HOST: 'fuselage',
    KBUILD_BUILD_VERSION: '1',
    ...(ccache ? ccacheEnvironment(workshop) : {}),
  };
  return (args, onLine) =>
    workshop.make([`-j${cpus().length}`, ...(ccache ? ['CC=ccache gcc', 'HOSTCC=ccache gcc'] : []), ...args], {
      env,
      ...(onLine === undefined ? {} : { onLine }),
    });
}

async function compile(
  workshop: Workshop,
  options: { readonly wanted: Wanted; readonly configurationId: string; readonly title: string; readonly step: Step; readonly log: string; readonly warnings: string },
): Promise<void> {
  const make = await makeIn(workshop);
  options.step.advance({ note: 'configuring' });
  await workshop.configureOnce(options.configurationId, options.wanted, (targets) => make(['-s', ...targets]));
  const startedMilliseconds = performance.now();
  const lines: string[] = [];
  try {
    await make(['bzImage'], (line) => {
      lines.push(line);
      const fraction = Math.min(0.99, lines.length / EXPECTED_LINES);
      const elapsedSeconds = (performance.now() - startedMilliseconds) / 1_000;
      // Before a tenth is done an estimate only misleads; an incremental build is over by then.
      const estimate = fraction > 0.1 ? { remainingSeconds: (elapsedSeconds * (1 - fraction)) / fraction } : {};
      options.step.advance({ ...(fraction > 0.1 ? { fraction } : {}), ...estimate, note: line.trim() });
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw compileFailure(options.title, error, lines);
  } finally {
    await writeFile(options.log, `${lines.join('\n')}\n`);
    await writeFile(options.warnings, JSON.stringify(await workshop.noteWarnings(lines)));
  }
}

/** One ccache for all workshops: paths below a workshop are taken relative to it, so that two hold the same. */
function ccacheEnvironment(workshop: Workshop): Record<string, string> {
  return {
    CCACHE_DIR: join(workshop.objects, '../../../ccache'),
    CCACHE_MAXSIZE: '2G',
    CCACHE_BASEDIR: join(workshop.objects, '..'),
    CCACHE_NOHASHDIR: '1',
    // Kbuild maps the source's absolute path away with it: it differs, and what it makes does not.
    CCACHE_IGNOREOPTIONS: '-fmacro-prefix-map=*',
  };
}

function compileFailure(title: string, cause: CommandError, lines: readonly string[]): Error {
  const text = lines.join('\n');
  if (/No space left on device/.test(text))
    return new InfrastructureError('disk.full', `the disk is full while building ${title}`, {
      hint: 'free some space, or point FUSELAGE_CACHE at another disk; what was compiled is kept',
      cause,
    });
  const first = lines.find((line) => /(?:: (?:fatal )?error: |undefined reference|\*\*\* )/.test(line)) ?? 'see the log';
  return new KernelError('build.failed', `${title} does not build: ${first.replace(/^.*\/source\//, '')}`, {
    hint: 'mend the code; the build goes on from where it stopped',
    detail: lines.filter((line) => /error|\*\*\*/i.test(line)).slice(0, 20).join('\n'),
    cause,
  });
}

function kconfigChanges(files: ReadonlyMap<string, { readonly content: Buffer | undefined }>): string {
  return [...files]
    .filter(([file]) => /(?:^|\/)Kconfig[^/]*$/.test(file))
    .map(([file, { content }]) => `${file}\n${content?.toString('utf8') ?? ''}`)
    .join('\0');
}

let toolchain: Promise<string> | undefined;

/** The first lines of what compiler and linker say of themselves. */
export function identifyToolchain(): Promise<string> {
  toolchain ??= Promise.all(['gcc', 'ld'].map((tool) => attempt([tool, '--version']))).then((outputs) => {
    if (outputs.some((output) => output.exitCode !== 0))
      throw new InputError('build.no-toolchain', 'there is no gcc or no ld on this machine', { hint: 'install gcc and binutils, or run `fuselage doctor`' });
    return outputs.map((output) => output.stdout.split('\n')[0] ?? '').join(', ');
  });
  return toolchain;
}
