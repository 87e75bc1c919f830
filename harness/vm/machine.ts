// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, type Exit } from '../host/daemon.ts';
import { InfrastructureError } from '../host/errors.ts';
import type { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { Console } from './console.ts';
import { Heartbeat, SILENCE_LIMIT_MILLISECONDS } from './heartbeat.ts';
import type { MachineOptions } from './options.ts';
import { qemuArguments } from './qemu-arguments.ts';
import { listenOnce, Qmp } from './qmp.ts';
import { recogniseTrouble, type Trouble } from './trouble.ts';

/** SysRq keys for a hang's bundle: blocked tasks, all tasks, CPUs' backtraces, held locks. */
const SYSRQ_KEYS = ['w', 't', 'l', 'd'] as const;

/** One QEMU, from its start to the end of its scope. */
export class Machine {
  readonly console: Console;
  /** Resolves with the first thing that ends or disables the guest without our asking; never rejects. */
  readonly trouble: Promise<Trouble>;
  #settle: (trouble: Trouble) => void = () => undefined;
  #trouble: Trouble | undefined;
  #stopping = false;
  #heartbeat: Heartbeat | undefined;
  #panic: Trouble | undefined;

  private constructor(
    private readonly options: MachineOptions,
    private readonly process: Daemon,
    private readonly qmp: Qmp,
    readonly sshPort: number,
    console: Console,
  ) {
    this.console = console;
    this.trouble = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  static async start(scope: Scope, options: MachineOptions): Promise<Machine> {
    await mkdir(options.directory, { recursive: true });
    const sockets = await temporaryDirectory(scope, 'vm');
    const qmpPath = join(sockets, 'qmp');
    const beatPath = join(sockets, 'beat');
    const [qmpSocket, beatSocket] = [await listenOnce(scope, qmpPath), await listenOnce(scope, beatPath)];
    const args = qemuArguments({ ...options, qmpPath, beatPath });
    const command = [...options.qemu.command, ...args];
    await writeFile(join(options.directory, 'qemu.command'), `${command.join(' ')}\n`);
    const process = await Daemon.start(scope, command, { env: options.qemu.env, name: 'QEMU' });
    const log = createWriteStream(join(options.directory, 'qemu.log'));
    log.on('error', () => undefined);
    process.stderr.pipe(log);
    const console = new Console(process.stdout, join(options.directory, 'console.log'));
    await scope.defer(() => console.close());
    const early = process.exited.then((exit) => {
      throw died(exit, process, 'before it was ready');
    });
    const [qmpConnection, beatConnection] = await Promise.race([Promise.all([qmpSocket.connection, beatSocket.connection]), early]);
    const qmp = await Qmp.negotiate(qmpConnection);
    early.catch(() => undefined);
    const usernet = await qmp.monitor('info usernet');
    const port = /TCP\[HOST_FORWARD\]\s+\S+\s+127\.0\.0\.1\s+(\d+)/.exec(usernet)?.[1];
    if (port === undefined)
      throw new InfrastructureError('vm.qemu-died', 'QEMU forwards no ssh port', { hint: 'run `fuselage doctor`', detail: usernet });
    const machine = new Machine(options, process, qmp, Number(port), console);
    machine.#watch(beatConnection);
    await scope.defer(() => machine.stop());
    return machine;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Resolves when a console line matches; rejects when the guest is in trouble or the time is over. */
  async waitForLine(pattern: RegExp, limitSeconds: number, what: string): Promise<RegExpExecArray> {
    const timer = new AbortController();
    let forget: () => void = () => undefined;
    const found = new Promise<RegExpExecArray>((resolve) => {
      const look = (text: string) => {
        const match = pattern.exec(text);
        if (match !== null) resolve(match);
      };
      forget = this.console.onLine(({ text }) => {
        look(text);
      });
      for (const text of this.console.tail(400)) look(text);
    });
    try {
      const outcome = await Promise.race([
        found,
        this.trouble,
        sleep(limitSeconds * 1_000, undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      if (Array.isArray(outcome)) return outcome;
      throw new TroubleError(outcome ?? { kind: 'hang', reason: `${what} did not come within ${limitSeconds} s`, tail: this.console.tail() });
    } finally {
      timer.abort();
      forget();
    }
  }

  /** What a hung guest can still tell, written below the guest's directory. @returns the file names. */
  async collectHangBundle(): Promise<string[]> {
    const directory = join(this.options.directory, 'hang');
    await mkdir(directory, { recursive: true });
    const files: string[] = [];
    const keep = async (name: string, text: string) => {
      await writeFile(join(directory, name), text);
      files.push(`hang/${name}`);
    };
    const ask = (work: Promise<string>) =>
      Promise.race([work, sleep(2_000).then(() => 'no answer from QEMU\n')]).catch((error: unknown) => `${String(error)}\n`);
    await keep('registers.txt', await ask(this.qmp.monitor('info registers -a')));
    await keep('status.txt', await ask(this.qmp.monitor('info status')));
    for (const key of SYSRQ_KEYS) {
      const lines: string[] = [];
      const forget = this.console.onLine(({ text }) => lines.push(text));
      // A BREAK on the serial line, then the key (Documentation/admin-guide/sysrq.rst).
      await ask(this.qmp.command('chardev-send-break', { id: 'console' }).then(() => ''));
      this.process.stdin.write(key);
      let seen = -1;
      for (let waited = 0; waited < 8 && seen !== lines.length; waited++) {
        seen = lines.length;
        await sleep(300);
      }
      forget();
      await keep(`sysrq-${key}.txt`, lines.length === 0 ? 'the guest does not answer SysRq\n' : `${lines.join('\n')}\n`);
    }
    return files;
  }

  /** Ends QEMU at once. What the guest has not synced is lost, on purpose. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#heartbeat?.stop();
    await this.process.stop();
  }

  #watch(beat: import('node:net').Socket): void {
    const limit = SILENCE_LIMIT_MILLISECONDS * this.options.slowdown;
    this.#heartbeat = new Heartbeat(beat, this.process.pid, limit, (silentMilliseconds) => void this.#suspect(silentMilliseconds));
    this.console.onLine(({ text }) => {
      const sign = recogniseTrouble(text);
      if (sign === undefined) return;
      const { kind, reason } = sign;
      const report = () => {
        this.#report({ kind, reason, tail: this.console.tail() });
      };
      if (sign.final) {
        // The machine resets right after a panic (panic=-1, -no-reboot): its exit brings the whole text.
        this.#panic ??= { kind, reason, tail: [] };
        void sleep(1_500, undefined, { ref: false }).then(report);
      } else report();
    });
    void this.process.exited.then(async (exit) => {
      await sleep(50); // the pipe's last bytes come after the exit
      this.#report(this.#explainExit(exit));
    });
  }

  #explainExit(exit: Exit): Trouble {
    const tail = this.console.tail();
    if (this.#panic !== undefined) return { ...this.#panic, tail };
    if (exit.code === 0) return { kind: 'crash', reason: 'the guest reset itself without a panic (a triple fault?)', tail };
    const reason = died(exit, this.process, 'while the guest ran').line;
    return { kind: 'infrastructure', reason, tail: [...tail, ...this.process.lastWords.split('\n')] };
  }

  async #suspect(silentMilliseconds: number): Promise<void> {
    if (this.#stopping || this.#trouble !== undefined) return;
    const trouble: Trouble = {
      kind: 'hang',
      reason: `the guest froze: no sign of life for ${(silentMilliseconds / 1_000).toFixed(1)} s of its own time`,
      tail: this.console.tail(),
    };
    const bundle = await this.collectHangBundle();
    // A guest that beats again while we ask was slow, not frozen.
    if (this.#heartbeat?.recovered === true) return;
    this.#report({ ...trouble, bundle });
  }

  #report(trouble: Trouble): void {
    if (this.#stopping || this.#trouble !== undefined) return;
    this.#trouble = trouble;
    this.#settle(trouble);
  }
}

/** The guest got into trouble while somebody waited for it. */
export class TroubleError extends InfrastructureError {
  constructor(readonly trouble: Trouble) {
    super('vm.boot-failed', trouble.reason, { detail: trouble.tail.join('\n') });
  }
}

function died(exit: Exit, process: Daemon, when: string): InfrastructureError {
  const how = exit.signal === null ? `with exit code ${exit.code ?? '?'}` : `by ${exit.signal}`;
  const said = process.lastWords.split('\n').at(-1) ?? '';
  return new InfrastructureError('vm.qemu-died', `QEMU ended ${how} ${when}${said === '' ? '' : ` (${said})`}`, {
    hint: 'see qemu.command in the guest\'s folder',
    detail: process.lastWords,
  });
}
