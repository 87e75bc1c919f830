// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collectCoverage, resetCoverage } from '../guest/coverage.ts';
import { Guest } from '../guest/guest.ts';
import { explain, FuselageError, InfrastructureError, InterruptedError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { BAD, type CaseResult } from '../results/schema.ts';
import { whyMissing, whyNever } from '../share/kernel-features.ts';
import { MOUNT_POINT, type DeviceSettings, type ServedShare } from '../share/share.ts';
import { TRACE_FILE } from '../share/trace-file.ts';
import { TroubleError } from '../vm/machine.ts';
import type { Case } from './discover.ts';
import { statusOf } from './expectations.ts';
import { COVERAGE_SUFFIX, makeResult, type GuestPlan, type GuestRunOptions } from './guest-plan.ts';
import { BOOT_WINDOW, LogWindows, TEARDOWN_WINDOW } from './log-windows.ts';
import { runCase, type RawOutcome } from './run-case.ts';

/** What a kernel lacks for a share: the cases are skipped, saying so. */
class ShareUnsupported extends Error {}

/** The kernel has the file system and does not mount the share: that may well be the change under test. */
class MountFailed extends Error {}

/**
 * Runs a plan's cases in order, in one guest after another: a guest that crashed, hung or let a case run
 * out of time is done with, and the cases after that one get a fresh one. Results are told as they come.
 * @throws InfrastructureError where the machinery failed; results told before that stand.
 */
export async function runGuestPlan(plan: GuestPlan, options: GuestRunOptions): Promise<void> {
  const remaining = [...plan.cases];
  try {
    for (let incarnation = 1; incarnation === 1 || remaining.length > 0; incarnation++) await runOneGuest(plan, remaining, incarnation, options);
  } catch (error) {
    // No case vanishes: what was planned and did not get its turn says so.
    const reason = error instanceof FuselageError ? error.message : 'the run ended early';
    for (const one of remaining) options.onCase(makeResult(plan, one.name, { status: 'not-exercised', reason, subtests: [], seconds: 0, proof: [] }));
    throw error;
  }
}

/** @param remaining the cases to run; one is taken off when it is settled. */
async function runOneGuest(plan: GuestPlan, remaining: Case[], incarnation: number, options: GuestRunOptions): Promise<void> {
  const directory = incarnation === 1 ? plan.directory : `${plan.directory}-${incarnation}`;
  const absolute = join(options.out, directory);
  await mkdir(absolute, { recursive: true });
  await Scope.run(async (scope) => {
    const served = await plan.share.serve({ context: options.context, toolbox: options.toolbox, scope, directory: absolute }, plan.settings);
    const session = new Session(plan, options, directory, served);
    session.skipUnsuited(remaining);
    if (remaining.length === 0) return;
    let guest: Guest;
    try {
      guest = await session.boot(scope, absolute);
    } catch (error) {
      if (error instanceof ShareUnsupported) session.skipAll(remaining.splice(0), error.message);
      else if (error instanceof MountFailed) session.failBoot(remaining.splice(0), 'fail', error.message);
      else if (error instanceof TroubleError && error.trouble.kind !== 'infrastructure')
        session.failBoot(remaining.splice(0), error.trouble.kind, `does not boot: ${error.trouble.reason}`);
      else throw error;
      return;
    }
    for (let [one] = remaining; one !== undefined; [one] = remaining) {
      const state = await session.run(guest, one);
      remaining.shift();
      // A console that could not be written (a full disk) may have lost a splat: no verdict then.
      if (guest.machine.console.writeError !== undefined) throw guest.machine.console.writeError;
      if (state === 'guest lost') return;
    }
    await session.tearDown(guest);
  });
}

class Session {
  #windows: LogWindows | undefined;
  #release = '';
  #peer: Guest | undefined;

  constructor(
    private readonly plan: GuestPlan,
    private readonly options: GuestRunOptions,
    private readonly directory: string,
    private readonly served: ServedShare,
  ) {}

  async boot(scope: Scope, absolute: string): Promise<Guest> {
    const { plan, options, served } = this;
    const startedMilliseconds = performance.now();
    const guestResult = { name: this.directory, kernel: plan.kernelIndex, share: plan.share.name, directory: this.directory };
    let guest: Guest;
    try {
      const gdb = options.debug?.gdbSocket;
      const common = { ...options, image: plan.image, initramfs: plan.initramfs, ...machineSettings(plan.settings), ...(gdb === undefined ? {} : { gdbSocket: gdb }) };
      const second = served.peer;
      [guest, this.#peer] = await Promise.all([
        Guest.boot(scope, {
          ...common,
          devices: served.devices,
          directory: absolute,
          onMachine: (machine) => {
            this.#windows = new LogWindows(machine.console);
          },
        }),
        second === undefined
          ? undefined
          : Guest.boot(scope, {
              ...common,
              devices: second.devices,
              directory: join(absolute, 'peer'),
              // Its splats are charged to whatever the first guest is about.
              onMachine: (machine) => {
                machine.console.onLine(({ text }) => {
                  this.#windows?.feedOther(text);
                });
              },
            }),
      ]);
    } catch (error) {
      options.onGuest(guestResult);
      throw error;
    }
    options.onGuest({ ...guestResult, bootSeconds: guest.bootSeconds });
    this.#release = guest.release;
    const proof = await this.#mount(guest, this.served);
    if (this.#peer !== undefined && this.served.peer !== undefined) await this.#mount(this.#peer, this.served.peer);
    this.#tell(BOOT_WINDOW, {
      ...statusOf([{ name: 'boot', status: 'pass' }], [], this.#splatTitles(BOOT_WINDOW)),
      subtests: [],
      seconds: (performance.now() - startedMilliseconds) / 1_000,
      proof: [`kernel ${guest.release}`, `mounted: ${proof}`],
    });
    return guest;
  }

  /** Settles the cases that this share or any kernel of this version has nothing for, and takes them off: no guest is needed to say so. */
  skipUnsuited(cases: Case[]): void {
    const { share, image } = this.plan;
    const never = image.release === undefined ? undefined : (share.kernelFeatures ?? []).map((feature) => whyNever(feature, image.release ?? '')).find((reason) => reason !== undefined);
    const why = ({ definition }: Case): string | undefined => {
      if (share.traits.includes('erofs') && definition.needs?.includes('erofs') !== true) return `${share.name} has images to read, and nothing else`;
      const missing = (definition.needs ?? []).filter((trait) => !share.traits.includes(trait));
      return missing.length > 0 ? `${share.name} has no ${missing.join(', ')}` : never;
    };
    for (const one of cases.splice(0)) {
      const reason = why(one);
      if (reason === undefined) cases.push(one);
      else this.skipAll([one], reason);
    }
  }

  async run(guest: Guest, one: Case): Promise<'go on' | 'guest lost'> {
    const { plan, served } = this;
    (served.device ?? served.erofs)?.trace.mark('guest', `begin ${one.name}`);
    const outputName = `${one.name.replace('/', '-')}.ktap`;
    if (plan.image.notesDirectory !== undefined) for (const each of this.#guests(guest)) await resetCoverage(each);
    const ran = runCase(one, { guest, ...(this.#peer === undefined ? {} : { peer: this.#peer }), share: plan.share, served, outputFile: join(this.options.out, this.directory, outputName), signal: this.options.context.signal });
    let outcome = await Promise.race([ran, ...(served.died === undefined ? [] : [served.died.then((words) => serverDied(plan.share.name, words))])]);
    const files = 'program' in one.definition ? [`${this.directory}/${outputName}`] : [];
    let mountProof: string | undefined;
    if (outcome.end === undefined) {
      try {
        mountProof = await this.#mountLine(guest);
        await this.#windows?.closed(one.name);
        if (plan.image.notesDirectory !== undefined) files.push(...(await this.#coverage(guest, one)));
      } catch (error) {
        // The guest's end came right behind the program's: it belongs to the same case.
        if (!(error instanceof TroubleError)) throw error;
        outcome = { ...outcome, end: { kind: 'trouble', trouble: error.trouble } };
      }
    }
    if (outcome.end?.kind === 'trouble' && outcome.end.trouble.kind === 'infrastructure') {
      // A device of ours that gave up first takes QEMU 11.1.3 with it (it aborts in memory_region_del_eventfd()).
      const [defect] = served.device?.defects ?? [];
      if (defect !== undefined) throw new InfrastructureError('share.server-died', `the device failed: ${defect}`, { hint: 'this is a defect of fuselage: please report it' });
      throw new InfrastructureError('vm.qemu-died', outcome.end.trouble.reason, { detail: outcome.end.trouble.tail.join('\n') });
    }
    // What is left steered or violated belongs to this case, whatever came of it.
    outcome = this.#wire(one, outcome);
    const lost = outcome.end !== undefined;
    if (lost) files.push(...(await this.#evidence(guest, outcome)));
    else if (outcome.problems.length > 0 || outcome.subtests.some(({ status }) => status === 'fail')) files.push(...this.#records());
    this.#settle(one, outcome, mountProof, files);
    if (outcome.end?.kind !== 'trouble') await this.options.debug?.afterCase?.(guest);
    return lost ? 'guest lost' : 'go on';
  }

  #guests(guest: Guest): readonly Guest[] {
    return this.#peer === undefined ? [guest] : [guest, this.#peer];
  }

  /** Which lines the case had executed: an archive a guest. */
  async #coverage(guest: Guest, one: Case): Promise<string[]> {
    const files: string[] = [];
    for (const [index, each] of this.#guests(guest).entries()) {
      const name = `${this.directory}/${one.name.replace('/', '-')}${index === 0 ? '' : '-peer'}${COVERAGE_SUFFIX}`;
      await collectCoverage(each, join(this.options.out, name));
      files.push(name);
    }
    return files;
  }

  /** Adds what crossed the wire, and what the kernel did there that it must not. @throws InfrastructureError for a defect of ours. */
  #wire(one: Case, outcome: RawOutcome): RawOutcome {
    const devices = [this.served.device, this.served.peer?.device].filter((device) => device !== undefined);
    if (this.served.erofs !== undefined) return { ...outcome, counters: { ...this.served.erofs.trace.counter.counts, ...outcome.counters } };
    if (devices.length === 0) return outcome;
    const problems = [...outcome.problems];
    for (const device of devices) {
      device.script.clear();
      device.session.restore();
      const defects = device.defects.splice(0);
      if (defects.length > 0) throw new InfrastructureError('share.server-died', `the device failed: ${defects[0] ?? ''}`, { hint: 'this is a defect of fuselage: please report it', detail: defects.join('\n') });
      const found = [...device.protocolErrors.splice(0), ...(device.window?.violations.splice(0) ?? []).filter(({ kind }) => !this.plan.tolerates.includes(kind)).map(({ kind, text }) => `${kind}: ${text}`)];
      if (one.definition.ownViolations !== true) problems.push(...found.slice(0, 3).map((text) => `against the protocol: ${text}`));
    }
    return { ...outcome, problems, counters: { ...this.served.device?.trace.counter.counts, ...outcome.counters } };
  }

  async tearDown(guest: Guest): Promise<void> {
    const startedMilliseconds = performance.now();
    const mark = (text: string) => guest.shell.run(['sh', '-c', `echo "fuselage: ${text} ${TEARDOWN_WINDOW}" > /dev/kmsg`]);
    const problems: string[] = [];
    try {
      await guest.orTrouble(mark('begin'));
      const mounted = this.served.mount === undefined ? [] : this.#peer === undefined ? [guest] : [this.#peer, guest];
      for (const one of mounted) {
        const unmount = await one.orTrouble(one.shell.run(['umount', MOUNT_POINT]));
        if (unmount.exit.code !== 0) problems.push(`umount: ${unmount.stderr.trim()}`);
      }
      await guest.orTrouble(mark('end'));
      await this.#windows?.closed(TEARDOWN_WINDOW);
    } catch (error) {
      if (!(error instanceof TroubleError) || error.trouble.kind === 'infrastructure') throw error;
      problems.push(error.trouble.reason);
    }
    this.#tell(TEARDOWN_WINDOW, {
      ...statusOf([{ name: 'umount', status: 'pass' }], problems, this.#splatTitles(TEARDOWN_WINDOW)),
      subtests: [],
      seconds: (performance.now() - startedMilliseconds) / 1_000,
      proof: [this.served.mount === undefined ? 'each case unmounts what it mounts' : 'umount was asked for and answered'],
    });
  }

  skipAll(cases: readonly Case[], reason: string): void {
    for (const one of cases) this.#tell(one.name, { status: 'skip', reason, subtests: [], seconds: 0, proof: [] });
  }

  failBoot(cases: readonly Case[], status: 'fail' | 'crash' | 'hang', reason: string): void {
    this.#splatTitles(BOOT_WINDOW);
    this.#tell(BOOT_WINDOW, { status, reason, subtests: [], seconds: 0, proof: [], files: [`${this.directory}/console.log`] });
    const consequence = status === 'fail' ? 'the share was not mounted' : 'the guest did not boot';
    for (const one of cases) this.#tell(one.name, { status: 'not-exercised', reason: consequence, subtests: [], seconds: 0, proof: [] });
  }

  async #mount(guest: Guest, served: ServedShare): Promise<string> {
    const { share } = this.plan;
    const fileSystems = await guest.orTrouble(guest.shell.run(['cat', '/proc/filesystems']));
    if (!fileSystems.stdout.split(/\s+/).includes(share.needsFileSystem)) throw new ShareUnsupported(`${guest.release} has no ${share.needsFileSystem}`);
    if (share.kernelFeatures !== undefined) {
      const { stdout } = await guest.orTrouble(guest.shell.run(['cat', '/proc/kallsyms']));
      for (const feature of share.kernelFeatures) {
        const reason = whyMissing(feature, guest.release, stdout);
        if (reason !== undefined) throw new ShareUnsupported(reason);
      }
    }
    for (const command of served.prepare ?? []) {
      const { exit, stderr } = await guest.orTrouble(guest.shell.run(command));
      if (exit.code !== 0) throw new MountFailed(`${share.name}: ${command.join(' ')}: ${stderr.trim()}`);
    }
    if (served.mount === undefined) return 'by each case';
    const { type, source, options } = served.mount;
    const mount = await guest.orTrouble(guest.shell.run(['mount', '-t', type, '-o', options, source, MOUNT_POINT]));
    const line = await this.#mountLine(guest);
    if (mount.exit.code !== 0 || line === undefined) throw new MountFailed(`${share.name} is not mounted: ${mount.stderr.trim() || 'no line in /proc/mounts'}`);
    return line;
  }

  async #mountLine(guest: Guest): Promise<string | undefined> {
    const { proof } = this.plan.share;
    if (proof === undefined) return undefined;
    const mounts = await guest.orTrouble(guest.shell.run(['cat', '/proc/mounts']));
    const found = proof.exec(mounts.stdout);
    return found === null ? undefined : mounts.stdout.slice(found.index).split('\n')[0];
  }

  /** What was recorded beside the case, whatever became of it. */
  #records(): string[] {
    return ['console.log', ...(this.served.device === undefined && this.served.erofs === undefined ? [] : [TRACE_FILE])].map((name) => `${this.directory}/${name}`);
  }

  /** What a lost guest leaves behind, and for a hang what it can still say. */
  async #evidence(guest: Guest, outcome: RawOutcome): Promise<string[]> {
    const files = this.#records();
    const trouble = outcome.end?.kind === 'trouble' ? outcome.end.trouble : undefined;
    if (trouble?.kind === 'crash') return files;
    const notes = {
      'last-case.txt': `${this.#windows?.current ?? 'unknown'}\n`,
      'servers.txt': this.served.describe?.() ?? 'this share has no server of its own\n',
    };
    const bundle = trouble?.bundle ?? (await guest.machine.collectHangBundle());
    for (const [name, text] of Object.entries(notes)) await writeFile(join(this.options.out, this.directory, 'hang', name), text);
    return [...files, ...[...bundle, ...Object.keys(notes).map((name) => `hang/${name}`)].map((name) => `${this.directory}/${name}`)];
  }

  #settle(one: Case, outcome: RawOutcome, mountLine: string | undefined, files: readonly string[]): void {
    const { share } = this.plan;
    let subtests = this.options.expectations.judge(one.name, share.name, this.#release, outcome.subtests);
    const splats = this.#windows?.take(one.name) ?? [];
    const proof: string[] = [];
    const unproved: string[] = [];
    for (const wanted of one.definition.proof) {
      if (wanted.kind === 'mount') (mountLine === undefined ? unproved : proof).push(mountLine === undefined ? 'the share was no longer mounted' : `mounted: ${mountLine}`);
      else {
        const count = outcome.proofs.get(wanted.name) ?? 0;
        (count >= wanted.atLeast ? proof : unproved).push(`${wanted.name}: ${count}${count >= wanted.atLeast ? '' : ` of ${wanted.atLeast}`}`);
      }
    }
    const judged = this.options.expectations.judgeSplats(one.name, share.name, this.#release, splats);
    let verdict = statusOf(subtests, outcome.problems, judged.unexpected.map(({ title }) => title));
    if (judged.reasons.length > 0 && (verdict.status === 'pass' || verdict.status === 'xpass')) verdict = { status: 'xfail', reason: judged.reasons.join('; ') };
    if (outcome.end?.kind === 'timeout') verdict = { status: 'timeout', reason: outcome.end.reason };
    else if (outcome.end?.kind === 'trouble') verdict = { status: outcome.end.trouble.kind === 'hang' ? 'hang' : 'crash', reason: outcome.end.trouble.reason };
    else if (unproved.length > 0 && ['pass', 'xfail', 'xpass'].includes(verdict.status)) verdict = { status: 'not-exercised', reason: `no proof: ${unproved.join(', ')}` };
    const end = this.options.expectations.judgeEnd(one.name, share.name, this.#release, verdict.status);
    if (end.reason !== undefined) {
      verdict = { status: 'xfail', reason: `${verdict.reason ?? ''}: ${end.reason}` };
      // What failed in a guest that was going down failed for that.
      subtests = subtests.map((subtest) => (BAD.has(subtest.status) ? { ...subtest, status: 'xfail' } : subtest));
    }
    this.#tell(one.name, { ...verdict, ...((end.flaky || judged.flaky) && !BAD.has(verdict.status) ? { flaky: true as const } : {}), subtests, splats: splats.map((splat) => (judged.unexpected.includes(splat) ? splat : { ...splat, expected: true as const })), seconds: outcome.seconds, proof, files: [...files], counters: { ...outcome.counters }, ...(outcome.figures.length === 0 ? {} : { figures: [...outcome.figures] }), ...(one.definition.wire === undefined || outcome.cutShort === true || outcome.end !== undefined ? {} : { wire: { ...one.definition.wire } }) });
  }

  #splatTitles(window: string): string[] {
    this.#windowSplats = this.#windows?.take(window) ?? [];
    return this.#windowSplats.map(({ title }) => title);
  }

  #windowSplats: CaseResult['splats'] = [];

  #tell(name: string, result: Pick<CaseResult, 'status' | 'subtests' | 'seconds' | 'proof'> & Partial<CaseResult>): void {
    const own = name === BOOT_WINDOW || name === TEARDOWN_WINDOW;
    this.options.onCase(makeResult(this.plan, own ? `${name}${this.plan.variant}` : name, { ...(own ? { splats: [...this.#windowSplats] } : {}), ...result }));
  }
}

function machineSettings({ memoryMiB, cpus }: DeviceSettings) {
  return { ...(memoryMiB === undefined ? {} : { memoryMiB }), ...(cpus === undefined ? {} : { cpus }) };
}

function serverDied(share: string, words: string): never {
  throw new InfrastructureError('share.server-died', `the server of ${share} died while a case ran`, { hint: 'see its log in the guest\'s folder', detail: words });
}

/** One line for a failure of the machinery; a failure that we do not know keeps its stack, and the results stand. */
export function infrastructureLine(error: unknown): string {
  const known = explain(error);
  if (known instanceof InterruptedError) throw known;
  if (known instanceof FuselageError) return known.line;
  return `unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
