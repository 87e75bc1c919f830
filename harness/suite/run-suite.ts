// SPDX-License-Identifier: GPL-2.0-only
import { copyFile, mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import type { Violation } from '../device/window/window.ts';
import type { Context } from '../host/context.ts';
import { FuselageError, InterruptedError } from '../host/errors.ts';
import { compilePrograms, TOOLS } from '../guest/compile.ts';
import { makeInitramfs } from '../guest/image.ts';
import { sha256 } from '../host/hash.ts';
import type { KernelImage } from '../kernel/image.ts';
import { BAD, countTotals, RESULTS_VERSION, type CaseResult, type KernelResult, type Results } from '../results/schema.ts';
import type { DeviceSettings, Share } from '../share/share.ts';
import { Toolbox } from '../toolbox/toolbox.ts';
import { probeAccelerator } from '../vm/accelerator.ts';
import { programsOf, type Case } from './discover.ts';
import { ExpectationBook, readExpectationFiles, readExpectations } from './expectations.ts';
import type { GuestDebugging, GuestPlan } from './guest-plan.ts';
import { infrastructureLine, runGuestPlan } from './guest-run.ts';
import { casesFor } from './suitable.ts';

export interface SuiteRequest {
  readonly kernels: readonly {
    readonly role: KernelResult['role'];
    readonly image: KernelImage;
    /** Violations of the protocol that this kernel is known, and allowed, to commit. */
    readonly tolerates?: readonly Violation['kind'][];
  }[];
  readonly shares: readonly Share[];
  readonly cases: readonly Case[];
  /** "SHARE CASE" for those that run; all that suit each other where it is left out. */
  readonly pairs?: ReadonlySet<string>;
  /** Guests at a time. */
  readonly jobs?: number;
  /** How often each kernel runs each case; for statistics, never to turn red into green. */
  readonly repeat?: number;
  /** Asked before each round but the first, with what was found until then: whether no further round is needed. */
  readonly enough?: (found: readonly CaseResult[]) => boolean;
  /** Expectation files on top of those that lie beside the cases. */
  readonly expectationFiles?: readonly string[];
  /** For whoever wants to look at a guest while it lives. */
  readonly debug?: GuestDebugging;
  readonly out: string;
  /** The command line, for the results. */
  readonly command: string;
}

/** What listeners are told while a suite runs. */
export interface SuiteListener {
  onPlan?(plan: {
    readonly accelerator: Results['accelerator'];
    readonly qemuVersion: string;
    readonly roles: readonly KernelResult['role'][];
    readonly guests: number;
    readonly cases: number;
  }): void;
  onCase?(result: CaseResult): void;
}

/**
 * Runs every case on every share under every kernel. Always returns what was found, in a stable order;
 * failures of the machinery are listed in `infrastructure`, and so is an interruption.
 */
export async function runSuite(context: Context, request: SuiteRequest, listener: SuiteListener): Promise<Results> {
  const startedAt = new Date();
  const toolbox = await Toolbox.open(context);
  const [qemu, programs] = await Promise.all([toolbox.qemu(), compilePrograms(context, [...TOOLS, ...programsOf(request.cases)])]);
  const tools = [...new Set(request.cases.flatMap(({ definition }) => definition.tools ?? []))].sort();
  const initramfs = new Map<string, string>();
  for (const { image } of request.kernels) initramfs.set(image.id, await makeInitramfs(context, toolbox, programs, image.modulesDirectory, tools));
  const [first] = request.kernels;
  if (first === undefined) throw new Error('a suite without a kernel');
  const probe = await probeAccelerator(context, qemu, { bzImage: first.image.bzImage, initramfs: initramfs.get(first.image.id) ?? '' });
  const plans = makePlans(request, initramfs);
  const accelerator = { name: probe.accelerator, reason: probe.reason };
  listener.onPlan?.({ accelerator, qemuVersion: qemu.version, roles: request.kernels.map(({ role }) => role), guests: plans.length, cases: plans.reduce((sum, plan) => sum + plan.cases.length, 0) });

  const expectations = new ExpectationBook([...(await readExpectations()), ...(await readExpectationFiles(request.expectationFiles ?? []))]);
  const found: CaseResult[] = [];
  const guests: Results['guests'] = [];
  const infrastructure: string[] = [];
  // What a case started and did not wait for must not take the program down. That its guest is gone is told elsewhere.
  const unheard = (error: unknown) => {
    if (!(error instanceof FuselageError && error.code === 'guest.unreachable')) infrastructure.push(`a promise of a case failed unheard: ${infrastructureLine(error)}`);
  };
  process.on('unhandledRejection', unheard);
  const queue = [...plans];
  let round = 1;
  const worker = async () => {
    for (let plan = queue.shift(); plan !== undefined; plan = queue.shift()) {
      if (plan.repetition > round) {
        round = plan.repetition;
        if (request.enough?.(found) === true) {
          queue.splice(0);
          return;
        }
      }
      try {
        await runGuestPlan(plan, {
          context,
          toolbox,
          qemu,
          accelerator: probe.accelerator,
          out: request.out,
          ...(request.debug === undefined ? {} : { debug: request.debug }),
          expectations,
          onGuest: (guest) => guests.push(guest),
          onCase: (result) => {
            found.push(result);
            listener.onCase?.(result);
          },
        });
      } catch (error) {
        if (error instanceof InterruptedError || context.signal.aborted) throw new InterruptedError();
        infrastructure.push(`${plan.directory}: ${infrastructureLine(error)}`);
      }
    }
  };
  const workers = Array.from({ length: Math.min(request.jobs ?? availableParallelism(), plans.length) }, worker);
  const ends = await Promise.allSettled(workers);
  process.off('unhandledRejection', unheard);
  for (const end of ends) {
    if (end.status === 'fulfilled') continue;
    if (!(end.reason instanceof InterruptedError)) throw end.reason as Error;
    if (!infrastructure.includes('interrupted')) infrastructure.push('interrupted');
  }
  if (found.some(({ status }) => BAD.has(status))) await keepKernels(request);
  const releases = new Map(found.flatMap((one) => one.proof.filter((line) => line.startsWith('kernel ')).map((line) => [one.kernel, line.slice('kernel '.length)] as const)));
  return {
    schema: 'fuselage-results',
    version: RESULTS_VERSION,
    command: request.command,
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1_000,
    accelerator,
    qemu: { version: qemu.version, origin: qemu.origin },
    kernels: request.kernels.map(({ role, image }, index) => {
      const release = releases.get(index) ?? image.release;
      return { role, id: image.id, title: image.title, flavor: image.flavor, choice: image.reproduce, ...(release === undefined ? {} : { release }) };
    }),
    shares: request.shares.map(({ name }) => name),
    guests,
    cases: inOrder(found, request),
    totals: countTotals(found),
    expectations: expectations.notes(),
    infrastructure,
  };
}

/** Configuration and symbols of the kernels, beside what failed under them: whoever gets the folder may not have our cache. */
async function keepKernels({ kernels, out }: SuiteRequest): Promise<void> {
  for (const { role, image } of kernels) {
    const directory = join(out, role === 'only' ? 'kernel' : `kernel-${role}`);
    await mkdir(directory, { recursive: true });
    for (const file of [image.config, image.symbols]) if (file !== undefined) await copyFile(file, join(directory, basename(file)));
  }
}

/** A guest per kernel, share, device settings and repetition; kernels alternate (A B, B A, A B), so that base and patched meet the same weather. */
function makePlans(request: SuiteRequest, initramfs: ReadonlyMap<string, string>): GuestPlan[] {
  const plans: GuestPlan[] = [];
  for (let repetition = 1; repetition <= (request.repeat ?? 1); repetition++)
    for (const share of request.shares)
      for (const { cases, settings, variant } of variantsOf(casesFor(share, request.cases, request.shares).filter(({ name }) => request.pairs?.has(`${share.name} ${name}`) !== false), share))
        for (const [kernelIndex, { role, image, tolerates = [] }] of inTurn([...request.kernels.entries()], repetition))
          plans.push({
            kernelIndex,
            image,
            tolerates,
            initramfs: initramfs.get(image.id) ?? '',
            share,
            cases,
            settings,
            variant,
            repetition,
            directory: [...(role === 'only' ? [] : [role]), `${share.name}${variant}`, ...(repetition === 1 ? [] : [`r${repetition}`])].join('-'),
          });
  return plans;
}

const inTurn = <T>(items: readonly T[], repetition: number): readonly T[] => (repetition % 2 === 1 ? items : [...items].reverse());

interface Variant {
  readonly cases: Case[];
  readonly settings: DeviceSettings;
  readonly variant: string;
}

/** Cases that want the same of the device share a guest. */
function variantsOf(cases: readonly Case[], share: Share): Variant[] {
  const variants = new Map<string, Variant>();
  for (const one of cases) {
    const skipped = (one.definition.needs ?? []).some((trait) => !share.traits.includes(trait));
    const settings = share.traits.includes('device') && !skipped ? (one.definition.device ?? {}) : {};
    // What mounts for itself needs no guest in common: areas run side by side.
    const variant = share.traits.includes('erofs') ? `-${one.name.split('/')[0]?.replace('erofs-', '') ?? ''}` : variantName(settings);
    const known = variants.get(variant) ?? { cases: [], settings, variant };
    variants.set(variant, known);
    known.cases.push(one);
  }
  return [...variants.values()];
}

/** For folders and for the rows of boot and teardown: what is not the usual, "" where nothing is. */
function variantName({ windowRanges, session, guests, memoryMiB, cpus }: DeviceSettings): string {
  const parts = [
    ...(windowRanges === undefined ? [] : [`window${windowRanges}`]),
    ...(guests === undefined ? [] : [`guests${guests}`]),
    ...(cpus === undefined ? [] : [`cpus${cpus}`]),
    ...(memoryMiB === undefined ? [] : [`memory${memoryMiB}`]),
    ...(session === undefined ? [] : [`session-${sha256(JSON.stringify(session)).slice(0, 6)}`]),
  ];
  return parts.map((part) => `-${part}`).join('');
}

/** Guests run side by side; the report does not depend on which was faster. */
function inOrder(found: readonly CaseResult[], request: SuiteRequest): CaseResult[] {
  const shareOrder = new Map(request.shares.map(({ name }, index) => [name, index]));
  const caseOrder = new Map(request.cases.map(({ name }, index) => [name, index]));
  const place = (name: string) => (name.startsWith('guest/boot') ? -1 : name.startsWith('guest/teardown') ? Infinity : (caseOrder.get(name) ?? 0));
  const keys = (one: CaseResult) => [shareOrder.get(one.share) ?? 0, place(one.name), one.kernel, one.repetition];
  return [...found].sort((a, b) => {
    const [left, right] = [keys(a), keys(b)];
    const different = left.findIndex((value, index) => value !== right[index]);
    return different < 0 ? a.name.localeCompare(b.name) : (left[different] ?? 0) < (right[different] ?? 0) ? -1 : 1;
  });
}
