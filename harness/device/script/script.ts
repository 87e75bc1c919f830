// SPDX-License-Identifier: GPL-2.0-only
import type { Errno } from '../fuse/errno.ts';
import type { OperationName } from '../fuse/operations.ts';

/** A request as a script sees it. */
export interface Arrival {
  readonly op: OperationName;
  readonly node: number;
  /** Of the node, with the name that the request is about behind it. */
  readonly path: string;
  readonly pid: number;
  readonly uid: number;
  readonly unique: number;
  readonly queue: number;
  /** Decoded, flat (printableArguments()). */
  readonly args: Readonly<Record<string, unknown>>;
}

export interface Match {
  readonly op: OperationName | readonly OperationName[];
  readonly node?: number;
  /** The whole path, or a pattern for it. */
  readonly path?: string | RegExp;
  readonly pid?: number;
  readonly where?: (arrival: Arrival) => boolean;
  /** Takes effect from this one of the matching requests on; the first is 1. */
  readonly from?: number;
  /** And for so many of them. */
  readonly times?: number;
}

export type Action =
  /** Waits for release(): before the operation is done, or after it and before the answer. */
  | { readonly kind: 'hold'; readonly when?: 'before' | 'after' }
  /** Waits so long before the operation. For load, never to decide a race. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** Answers this error; the operation is not done, or done all the same. */
  | { readonly kind: 'fail'; readonly errno: Errno; readonly done?: boolean }
  /** Changes the reply's bytes, header included: shorter, longer, or otherwise wrong. */
  | { readonly kind: 'rewrite'; readonly reply: (bytes: Buffer) => Buffer }
  /** Never answers. */
  | { readonly kind: 'drop' }
  /** Gives the request back to the guest twice. */
  | { readonly kind: 'twice' }
  /** Only counts. */
  | { readonly kind: 'watch' };

/** A rule that is in force: what it has met, and the way to let go what it holds. */
export class Rule {
  readonly arrivals: Arrival[] = [];
  #seen = 0;
  #open = false;
  readonly #held: (() => void)[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(
    readonly match: Match,
    readonly action: Action,
    private readonly forget: (rule: Rule) => void,
  ) {}

  /** Resolves when the k-th request that it acts on has arrived. */
  async arrived(k = 1): Promise<Arrival> {
    if (this.arrivals.length < k) await new Promise<void>((resolve) => this.#waiting.push({ count: k, resolve }));
    const arrival = this.arrivals[k - 1];
    if (arrival === undefined) throw new Error(`request ${k} did not arrive`);
    return arrival;
  }

  /** Whether something is held now. */
  get holding(): number {
    return this.#held.length;
  }

  /** Lets go the oldest that is held. */
  releaseOne(): void {
    this.#held.shift()?.();
  }

  /** Lets go what is held, and holds nothing from now on. */
  release(): void {
    this.#open = true;
    for (const go of this.#held.splice(0)) go();
  }

  /** Ends the rule; what it holds goes on. */
  remove(): void {
    this.release();
    this.forget(this);
  }

  /** For the device: whether the rule acts on this request, which then counts as arrived. */
  takes(arrival: Arrival): boolean {
    if (!matches(this.match, arrival)) return false;
    this.#seen++;
    const from = this.match.from ?? 1;
    if (this.#seen < from || this.#seen >= from + (this.match.times ?? Infinity)) return false;
    this.arrivals.push(arrival);
    for (const waiter of this.#waiting.splice(0)) {
      if (waiter.count <= this.arrivals.length) waiter.resolve();
      else this.#waiting.push(waiter);
    }
    return true;
  }

  /** For the device: resolves when the request may go on. */
  async pass(): Promise<void> {
    if (!this.#open) await new Promise<void>((resolve) => this.#held.push(resolve));
  }
}

function matches(match: Match, arrival: Arrival): boolean {
  const { op, node, path, pid, where } = match;
  if (typeof op === 'string' ? op !== arrival.op : !op.includes(arrival.op)) return false;
  if (node !== undefined && node !== arrival.node) return false;
  if (pid !== undefined && pid !== arrival.pid) return false;
  if (path !== undefined && (typeof path === 'string' ? path !== arrival.path : !path.test(arrival.path))) return false;
  return where?.(arrival) ?? true;
}

/** How a case steers the server: rules for requests, the youngest first. */
export class Script {
  readonly #rules: Rule[] = [];

  get active(): boolean {
    return this.#rules.length > 0;
  }

  on(match: Match, action: Action): Rule {
    const rule = new Rule(match, action, (ended) => {
      const index = this.#rules.indexOf(ended);
      if (index >= 0) this.#rules.splice(index, 1);
    });
    this.#rules.unshift(rule);
    return rule;
  }

  hold(match: Match, when: 'before' | 'after' = 'before'): Rule {
    return this.on(match, { kind: 'hold', when });
  }

  fail(match: Match, errno: Errno): Rule {
    return this.on(match, { kind: 'fail', errno });
  }

  watch(match: Match): Rule {
    return this.on(match, { kind: 'watch' });
  }

  /** For the device: every watch sees the request; of the rules that do something the youngest does. */
  take(arrival: Arrival): Rule | undefined {
    let acting: Rule | undefined;
    for (const rule of [...this.#rules]) {
      if (rule.action.kind === 'watch') rule.takes(arrival);
      else if (acting === undefined && rule.takes(arrival)) acting = rule;
    }
    return acting;
  }

  /** Ends all rules; nothing stays held. */
  clear(): void {
    for (const rule of [...this.#rules]) rule.remove();
  }
}
