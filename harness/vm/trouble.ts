// SPDX-License-Identifier: GPL-2.0-only

/** What ended or disabled a guest. `infrastructure` says nothing about the kernel under test. */
export interface Trouble {
  readonly kind: 'crash' | 'hang' | 'infrastructure';
  /** One line. */
  readonly reason: string;
  /** The console's last lines. */
  readonly tail: readonly string[];
  /** Files of the hang's bundle, below the guest's directory. */
  readonly bundle?: readonly string[];
}

interface Sign {
  readonly pattern: RegExp;
  readonly kind: 'crash' | 'hang';
  readonly reason: (match: RegExpExecArray) => string;
  /** The machine is about to reset: more of the text is still to come. */
  readonly final?: true;
}

const SIGNS: readonly Sign[] = [
  { pattern: /Kernel panic - not syncing: (.*?)\s*$/, kind: 'crash', reason: (match) => `kernel panic: ${match[1] ?? ''}`, final: true },
  { pattern: /Out of memory: Killed process \d+ \(([^)]*)\)/, kind: 'crash', reason: (match) => `out of memory: ${match[1] ?? ''} was killed` },
  { pattern: /INFO: task ([^:]+):\d+ blocked for more than (\d+) seconds/, kind: 'hang', reason: (match) => `task ${match[1] ?? ''} blocked for ${match[2] ?? ''} s` },
  { pattern: /watchdog: BUG: soft lockup - CPU#\d+ stuck for (\d+)s! \[([^:\]]+)/, kind: 'hang', reason: (match) => `soft lockup in ${match[2] ?? ''} for ${match[1] ?? ''} s` },
  { pattern: /rcu: INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stall/, kind: 'hang', reason: () => 'RCU stall' },
];

/** What a console line says about the guest's health, if anything. */
export function recogniseTrouble(line: string): (Omit<Trouble, 'tail'> & { readonly final: boolean }) | undefined {
  for (const sign of SIGNS) {
    const match = sign.pattern.exec(line);
    if (match !== null) return { kind: sign.kind, reason: sign.reason(match), final: sign.final === true };
  }
  return undefined;
}
