// SPDX-License-Identifier: GPL-2.0-only
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Built before the tests, by npm test or by the first of them. */
export const KERNEL_UNDER_TEST = '6.12';

const PROGRAM = join(import.meta.dirname, 'fuselage.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as a user would; for integration tests only. */
export class Invocation {
  #stdout = '';
  #stderr = '';
  readonly ended: Promise<Ended>;
  readonly child: ChildProcess;
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = '') {
    this.child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, NO_COLOR: '1', ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin?.end(input);
    this.child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      for (const look of this.#watchers) look();
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** Resolves when stderr has said it; rejects when the program ends before. */
  said(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (pattern.test(this.#stderr)) resolve();
      };
      this.#watchers.add(look);
      look();
      void this.ended.then(({ stderr }) => {
        reject(new Error(`ended without saying ${String(pattern)}:\n${stderr}`));
      });
    });
  }
}

export const fuselage = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> => new Invocation(args, env).ended;

/** Running processes whose command line matches. */
export function processes(pattern: RegExp): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((command) => pattern.test(command));
}

/** Our temporary directories that are there now. */
export const temporaryDirectories = (): string[] => readdirSync(tmpdir()).filter((name) => /^fuselage-(?!test)/.test(name));
