// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Device } from '../device/device.ts';
import type { Guest } from '../guest/guest.ts';
import { guestProgramPath } from '../guest/image.ts';
import { InterruptedError } from '../host/errors.ts';
import { MOUNT_POINT, type ServedShare, type Share } from '../share/share.ts';
import type { Figure, Subtest } from '../results/schema.ts';
import { TroubleError } from '../vm/machine.ts';
import type { Trouble } from '../vm/trouble.ts';
import type { Actor } from './actor.ts';
import type { CaseContext } from './define-case.ts';
import type { Case } from './discover.ts';
import { ErofsTools } from './erofs-tools.ts';
import { guestTools } from './guest-tools.ts';
import { OperationError } from './line-program.ts';
import { CaseOutput, OUTPUT_LIMIT_BYTES } from './output.ts';

const DEFAULT_TIMEOUT_SECONDS = 15;

/** What one run of one case gave, before expectations, splats and proofs are weighed. */
export interface RawOutcome {
  readonly subtests: readonly Subtest[];
  readonly problems: readonly string[];
  readonly proofs: ReadonlyMap<string, number>;
  readonly counters: Readonly<Record<string, number>>;
  readonly figures: readonly Figure[];
  readonly seconds: number;
  /** Its script threw outside of its subtests: what comes after that was not counted. */
  readonly cutShort?: true;
  /** Set when the case did not end by itself. */
  readonly end?: { readonly kind: 'timeout'; readonly reason: string } | { readonly kind: 'trouble'; readonly trouble: Trouble };
}

export interface CaseEnvironment {
  readonly guest: Guest;
  readonly peer?: Guest;
  readonly share: Share;
  readonly served: ServedShare;
  /** Where the case's output is kept. */
  readonly outputFile: string;
  readonly signal: AbortSignal;
}

/** Exit codes of kselftest programs (tools/testing/selftests/kselftest.h) that results lines already tell. */
const KSFT_EXIT_CODES = new Set([0, 1, 2, 3, 4]);

export async function runCase(one: Case, environment: CaseEnvironment): Promise<RawOutcome> {
  const { guest, signal } = environment;
  const limitSeconds = (one.definition.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * guest.patience;
  const startedMilliseconds = performance.now();
  const timer = new AbortController();
  const work: Promise<Partial<RawOutcome>> = 'program' in one.definition ? runProgram(one, one.definition.args ?? [], environment) : runScript(one, one.definition.run, environment);
  const outcome = await Promise.race([
    guest.orTrouble(environment.peer === undefined ? work : environment.peer.orTrouble(work)).catch((error: unknown) => {
      if (error instanceof TroubleError) return { trouble: error.trouble };
      throw error;
    }),
    sleep(limitSeconds * 1_000, undefined, { signal: AbortSignal.any([timer.signal, signal]) }).then(
      () => ({ expired: true as const }),
      () => ({ expired: false as const }),
    ),
  ]);
  timer.abort();
  // A narrowing of the check at the call's start would be wrong by now.
  if ((signal as { readonly aborted: boolean }).aborted) throw new InterruptedError();
  const seconds = (performance.now() - startedMilliseconds) / 1_000;
  const nothing = { subtests: [], problems: [], proofs: new Map<string, number>(), counters: {}, figures: [], seconds };
  if ('trouble' in outcome) {
    // What it had printed by then is kept; the program itself is gone with its guest.
    const partial = await Promise.race([partialOf(environment), sleep(500).then(() => ({}))]);
    return { ...nothing, ...partial, end: { kind: 'trouble', trouble: outcome.trouble } };
  }
  if ('expired' in outcome) {
    const partial = await partialOf(environment);
    return { ...nothing, ...partial, end: { kind: 'timeout', reason: `did not end within ${limitSeconds} s` } };
  }
  return { ...nothing, ...outcome };
}

/** Outputs of the cases that are running, so that a crash does not lose what was printed before it. */
const running = new WeakMap<CaseEnvironment, () => Promise<Partial<RawOutcome>>>();

async function partialOf(environment: CaseEnvironment): Promise<Partial<RawOutcome>> {
  return (await running.get(environment)?.().catch(() => ({}))) ?? {};
}

async function runProgram(one: Case, args: readonly string[], environment: CaseEnvironment): Promise<Partial<RawOutcome>> {
  const { guest } = environment;
  const output = new CaseOutput(environment.outputFile);
  let report: ReturnType<CaseOutput['end']> | undefined;
  const end = () => (report ??= output.end());
  running.set(environment, async () => {
    const { subtests, problems, proofs } = await end();
    return { subtests, problems, proofs };
  });
  const remote = await guest.shell.start(['/fuselage/bin/run-case', one.name, directoryOf(one), guestProgramPath(one.name), ...args]);
  remote.stdout.on('data', (chunk: Buffer) => {
    output.stdout(chunk);
  });
  remote.stderr.on('data', (chunk: Buffer) => {
    output.stderr(chunk);
  });
  const ended = await Promise.race([remote.exited, output.overflowed]);
  if (ended === 'overflow') {
    remote.close();
    await guest.shell.run(['killall', '-KILL', one.name.split('/').at(-1) ?? one.name]);
  }
  const { subtests, problems, proofs } = await end();
  const found = [...problems];
  if (ended === 'overflow') found.unshift(`printed more than ${OUTPUT_LIMIT_BYTES / 1024 / 1024} MiB and was ended`);
  else if (ended.signal !== undefined) found.push(`died by SIG${ended.signal}`);
  else if (ended.code === undefined) {
    // The connection is gone: most likely the guest is, and says why in a moment.
    await Promise.race([guest.machine.trouble, sleep(3_000, undefined, { ref: false })]);
    found.push('ended without an exit code');
  }
  else if (ended.code > 128) found.push(`died by signal ${ended.code - 128}`);
  else if (!KSFT_EXIT_CODES.has(ended.code)) found.push(`ended with exit code ${ended.code}`);
  else if (ended.code === 1 && !subtests.some(({ status }) => status === 'fail')) found.push('ended with exit code 1 though no result line failed');
  return { subtests, problems: found, proofs };
}

function directoryOf(one: Case): string {
  return `${MOUNT_POINT}/${one.name.replace('/', '-')}`;
}

function wanted(device: Device | undefined): Device {
  if (device === undefined) throw new Error("this case needs the trait 'device' and does not say so");
  return device;
}

async function runScript(one: Case, script: (context: CaseContext) => Promise<void>, environment: CaseEnvironment): Promise<Partial<RawOutcome>> {
  const { guest, peer, share, served } = environment;
  const subtests: Subtest[] = [];
  const proofs = new Map<string, number>();
  const counters: Record<string, number> = {};
  const figures: Figure[] = [];
  running.set(environment, () => Promise.resolve({ subtests, proofs, counters, figures }));
  const actors: Actor[] = [];
  const guestDirectory = directoryOf(one);
  const erofs = served.erofs === undefined ? undefined : new ErofsTools(guest, served.erofs, one.name.replace('/', '-'));
  const hostDirectory = served.hostDirectory === undefined ? '' : join(served.hostDirectory, one.name.replace('/', '-'));
  const context: CaseContext = {
    share: { name: share.name, guestDirectory, hostDirectory, storeDirectory: guestDirectory.slice(MOUNT_POINT.length) },
    guest: guestTools(guest, served, actors),
    get peer() {
      if (peer === undefined || served.peer === undefined) throw new Error('this case did not ask for two guests');
      return guestTools(peer, served.peer, actors);
    },
    get device() {
      return wanted(served.device);
    },
    get erofs() {
      if (erofs === undefined) throw new Error("this case needs the trait 'erofs' and does not say so");
      return erofs;
    },
    get peerDevice() {
      return wanted(served.peer?.device);
    },
    subtest: async (name, body) => {
      const before = actors.length;
      try {
        await body();
        subtests.push({ name, status: 'pass' });
      } catch (error) {
        if (error instanceof InterruptedError) throw error;
        const reason = error instanceof OperationError ? error.message : error instanceof Error ? (error.message.split('\n').filter(Boolean).slice(0, 8).join(' ')) : String(error);
        subtests.push({ name, status: 'fail', reason });
        // It did not get to where it would have let go what it holds.
        if (actors.length > before) for (const device of [served.device, served.peer?.device]) device?.script.clear();
      }
      // What a subtest starts ends with it.
      for (const actor of actors.splice(before)) await actor.end();
    },
    prove: (name, count = 1) => {
      proofs.set(name, (proofs.get(name) ?? 0) + count);
    },
    counter: (name, value) => {
      counters[name] = value;
    },
    measured: (workload, on, unit, sample) => {
      const known = figures.find((figure) => figure.workload === workload && figure.on === on);
      if (known === undefined) figures.push({ workload, on, unit, samples: [sample] });
      else known.samples.push(sample);
    },
  };
  // The same marks as run-case.sh, in the same kernel log.
  const mark = (text: string) => guest.shell.run(['sh', '-c', `echo "fuselage: ${text}" > /dev/kmsg`]);
  const problems: string[] = [];
  let cutShort = false;
  await mark(`begin ${one.name}`);
  try {
    if (erofs !== undefined) await erofs.must(['mkdir', '-p', erofs.directory]);
    else if (hostDirectory === '') await guest.shell.run(['mkdir', '-p', guestDirectory]);
    else await mkdir(hostDirectory, { recursive: true });
    await script(context);
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    cutShort = true;
    problems.push(`the script ended early: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    // What a script still holds would keep the actors from ending.
    for (const device of [served.device, served.peer?.device]) device?.script.clear();
    for (const actor of actors) await actor.end();
    await erofs?.end();
    await mark(`end ${one.name}`);
  }
  if (subtests.length === 0) problems.push('the script ran no subtest');
  return { subtests, problems, proofs, counters, figures, ...(cutShort ? { cutShort } : {}) };
}
