// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../host/context.ts';
import { InfrastructureError, InputError, InterruptedError, KernelError } from '../host/errors.ts';
import { contentId, sha256OfFile } from '../host/hash.ts';
import { buildKernel, identifyBuild, type BuildRequest } from '../kernel/build.ts';
import { BAD, type CaseResult } from '../results/schema.ts';
import type { TrialResult } from '../results/bisection.ts';
import type { Share } from '../share/share.ts';
import type { Case } from '../suite/discover.ts';
import { runSuite, type SuiteListener } from '../suite/run-suite.ts';
import { observationSchema, type Criterion, type Observation } from './criterion.ts';

/** One kernel of a search: a commit, a prefix of a series, a configuration. */
export interface Subject {
  readonly id: string;
  readonly title: string;
  readonly request: BuildRequest;
}

/** What is known of one kernel and one case, kept between bisections. */
const recordSchema = z.object({
  version: z.literal(1),
  /** Why there is no kernel, where there is none. */
  unbuildable: z.string().optional(),
  observations: z.array(observationSchema),
});
type Record = z.infer<typeof recordSchema>;

/** Of a kernel without a build: what it lacks, and what the compiler says. */
const NO_KERNEL = new Set(['build.failed', 'config.symbol-lost']);

/** What was seen of a kernel, and whether an earlier bisection had seen it. */
export interface Observed {
  readonly observations: readonly Observation[];
  readonly cached: boolean;
  readonly seconds: number;
}

export interface TrialOptions {
  readonly one: Case;
  readonly share: Share;
  /** Each kernel's guests leave their records below it. */
  readonly out: string;
  readonly command: string;
  readonly jobs?: number;
  /** Do not use what earlier bisections saw. */
  readonly fresh?: boolean;
}

/** Builds kernels and runs one case under them, as often as asked, and never twice what has been seen. */
export class Trials {
  #count = 0;
  readonly #seen = new Set<string>();

  constructor(
    private readonly context: Context,
    private readonly options: TrialOptions,
    private readonly listener: SuiteListener,
  ) {}

  /**
   * Runs the case until it has shown what is looked for, or has run `runs` times without it.
   * @throws InfrastructureError where the machinery failed: nothing follows from that for the kernel
   */
  async judge(subject: Subject, criterion: Criterion, runs: number): Promise<TrialResult> {
    const startedMilliseconds = performance.now();
    const { record, cached } = await this.#observe(subject, runs, (observations) => observations.some((one) => one.noBoot === true || criterion.see(one).kind === 'bad'));
    const told = { id: subject.id, title: subject.title, cached, seconds: (performance.now() - startedMilliseconds) / 1_000 };
    if (record.unbuildable !== undefined) return { ...told, verdict: 'skip', reason: record.unbuildable, runs: 0, shown: 0 };
    const sights = record.observations.map((one) => criterion.see(one));
    const bad = sights.filter(({ kind }) => kind === 'bad');
    const other = sights.find(({ kind }) => kind === 'other');
    const decisive = bad[0] ?? other ?? sights[0];
    return { ...told, verdict: bad.length > 0 ? 'bad' : other === undefined ? 'good' : 'skip', reason: decisive?.what ?? '', runs: sights.length, shown: bad.length };
  }

  /** Runs the case so often, whatever it shows. @throws KernelError where there is no kernel to run it under */
  async observe(subject: Subject, runs: number): Promise<Observed> {
    const startedMilliseconds = performance.now();
    const { record, cached } = await this.#observe(subject, runs, () => false);
    if (record.unbuildable !== undefined) throw new KernelError('build.failed', `${subject.title}: ${record.unbuildable}`, { hint: 'give ends that build and boot' });
    return { observations: record.observations, cached, seconds: (performance.now() - startedMilliseconds) / 1_000 };
  }

  async #observe(subject: Subject, runs: number, isEnough: (observations: readonly Observation[]) => boolean): Promise<{ readonly record: Record; readonly cached: boolean }> {
    const { context, options } = this;
    const { one, share } = options;
    const files = await Promise.all(one.files.map(sha256OfFile));
    const key = contentId({ build: await identifyBuild(subject.request), case: one.name, files: files.join(' '), share: share.name });
    const path = context.cache.path('bisections', `${key}.json`);
    const record: Record = (options.fresh === true && !this.#seen.has(key) ? undefined : await readRecord(path)) ?? { version: 1, observations: [] };
    this.#seen.add(key);
    const isDone = () => record.unbuildable !== undefined || record.observations.length >= runs || isEnough(record.observations);
    if (isDone()) return { record, cached: true };
    let image;
    try {
      image = await buildKernel(context, subject.request);
    } catch (error) {
      if (!(error instanceof KernelError || error instanceof InputError) || !NO_KERNEL.has(error.code)) throw error;
      record.unbuildable = error.message.split('\n')[0] ?? '';
      await writeRecord(path, record);
      return { record, cached: false };
    }
    const known = record.observations.length;
    const out = join(options.out, `${String(this.#count++).padStart(2, '0')}-${subject.id.replaceAll(/[^\w.-]+/g, '-').slice(0, 40)}`);
    await mkdir(out);
    const results = await runSuite(
      context,
      {
        kernels: [{ role: 'only', image }],
        shares: [share],
        cases: [one],
        repeat: runs - known,
        enough: (found) => isEnough([...record.observations, ...observationsOf(found, one.name)]),
        ...(options.jobs === undefined ? {} : { jobs: options.jobs }),
        out,
        command: options.command,
      },
      this.listener,
    );
    if (context.signal.aborted) throw new InterruptedError();
    record.observations.push(...observationsOf(results.cases, one.name));
    if (results.infrastructure.length > 0 && !isDone())
      throw new InfrastructureError('bisect.no-verdict', `no verdict on ${subject.title}: ${results.infrastructure[0] ?? ''}`, { hint: 'start the same bisection again: what was found until here is kept', detail: results.infrastructure.join('\n') });
    await writeRecord(path, record);
    return { record, cached: false };
  }
}

/** One observation a run of the case; what its guest's boot left in its place says why there is none. */
function observationsOf(found: readonly CaseResult[], name: string): Observation[] {
  return found
    .filter((one) => one.name === name)
    .map(({ status, reason, subtests, splats, counters, repetition }) => {
      const boot = found.find((other) => other.repetition === repetition && other.name.startsWith('guest/boot') && BAD.has(other.status));
      const why = boot === undefined ? reason : (boot.reason ?? boot.status);
      // A guest that is up and can not mount the share is a failure to look for; one that is not up says nothing.
      const told = boot === undefined ? { status } : boot.status === 'fail' ? { status: boot.status } : { status, noBoot: true as const };
      return { ...told, ...(why === undefined ? {} : { reason: why }), subtests, splats: splats.filter((splat) => splat.expected !== true).map(({ fingerprint, title }) => ({ fingerprint, title })), counters };
    });
}

async function readRecord(path: string): Promise<Record | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // it can be seen again
  }
}

async function writeRecord(path: string, record: Record): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, JSON.stringify(record));
  await rename(`${path}.${process.pid}`, path);
}
