// SPDX-License-Identifier: GPL-2.0-only
import type { Splat } from '../results/schema.ts';
import { sha256 } from '../host/hash.ts';

interface SplatKind {
  readonly kind: string;
  readonly pattern: RegExp;
}

/** The first line of every kind of splat that we know, the more specific before the more general. */
const KINDS: readonly SplatKind[] = [
  { kind: 'kasan', pattern: /BUG: KASAN: (.+)/ },
  { kind: 'kcsan', pattern: /BUG: KCSAN: (.+)/ },
  { kind: 'kmsan', pattern: /BUG: KMSAN: (.+)/ },
  { kind: 'ubsan', pattern: /UBSAN: (.+)/ },
  { kind: 'kmemleak', pattern: /kmemleak: (\d+ new suspected memory leaks.*)/ },
  {
    kind: 'lockdep',
    pattern:
      /WARNING: (possible circular locking dependency detected|possible recursive locking detected|possible irq lock inversion dependency detected|inconsistent lock state|bad unlock balance detected.*|held lock freed.*|lock held when returning to user space.*|suspicious RCU usage|Nested lock was not taken|.*-safe -> .*-unsafe lock order detected)/,
  },
  { kind: 'hung-task', pattern: /INFO: task (\S+) blocked (?:in I\/O wait )?for more than \d+ seconds/ },
  { kind: 'soft-lockup', pattern: /watchdog: BUG: (soft lockup.+)/ },
  { kind: 'hard-lockup', pattern: /(Watchdog detected hard LOCKUP.+)/ },
  { kind: 'rcu-stall', pattern: /rcu: INFO: (\w+ (?:self-)?detected (?:expedited )?stall).*/ },
  { kind: 'workqueue-lockup', pattern: /BUG: (workqueue lockup.*)/ },
  { kind: 'atomic-sleep', pattern: /BUG: (sleeping function called from invalid context.*|scheduling while atomic.*)/ },
  { kind: 'bad-page', pattern: /BUG: (Bad (?:page|rss-counter|swap).*)/ },
  { kind: 'oops', pattern: /(BUG: (?:unable to handle|kernel NULL pointer dereference).*)/ },
  { kind: 'oops', pattern: /(?:Oops: )?(general protection fault,? ?.*?)(?:: \d{4}|$)/ },
  { kind: 'oops', pattern: /^(Oops: .+)/ },
  { kind: 'bug', pattern: /kernel (BUG at \S+)/ },
  { kind: 'list', pattern: /(list_(?:add|del) corruption.*)/ },
  { kind: 'refcount', pattern: /(refcount_t: .*)/ },
  { kind: 'warn', pattern: /WARNING: (?:CPU: \d+ PID: \d+ )?(?:at )?(.+)/ },
  { kind: 'panic', pattern: /Kernel panic - not syncing: (.+)/ },
];

/** Stack frames that every splat of a kind shares: they identify nothing. */
const COMMON_FRAMES =
  /^(?:__)?(?:dump_stack\w*|show_stack|panic|v?panic|warn_slowpath\w*|warn|report_bug|handle_bug|exc_\w+|asm_\w+|print_\w+|kasan_\w+|check_\w+|lock_acquire|lock_release|validate_chain|debug_\w+|bust_spinlocks|oops_end|die\w*|page_fault_oops|do_user_addr_fault|might_\w+|nmi_\w+|schedule\w*|ret_from_fork\w*|entry_SYSCALL\w*|do_syscall_64|x64_sys_call|kthread)$/;

const SPLAT_LINES = 150;
const FRAMES = 4;

/**
 * Finds splats in a console's lines. Feed every line; a splat is reported when its end is seen or when
 * the window closes. One that follows another without end (an oops, then the panic) belongs to it.
 */
export class KernelLogScanner {
  #open: { kind: string; title: string; lines: string[] } | undefined;

  constructor(private readonly onSplat: (splat: Splat) => void) {}

  feed(raw: string): void {
    const line = stripPrefix(raw);
    const start = recognise(line);
    if (this.#open !== undefined) {
      if (this.#open.lines.length < SPLAT_LINES && (start === undefined || follows(this.#open.kind, start.kind))) {
        this.#open.lines.push(line);
        if (/---\[ end /.test(line) && !/end trace/.test(line)) this.close();
        else if (/^={20,}$/.test(line) && this.#open.lines.length > 4) this.close();
        else if (/---\[ end trace/.test(line) && this.#open.kind === 'warn') this.close();
        return;
      }
      this.close();
    }
    if (start !== undefined) this.#open = { ...start, lines: [line] };
  }

  /** Reports what is open: a window has ended. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) this.onSplat({ ...open, fingerprint: fingerprint(open.kind, open.title, open.lines) });
  }
}

/** All splats of a whole log. */
export function scanKernelLog(text: string): Splat[] {
  const splats: Splat[] = [];
  const scanner = new KernelLogScanner((splat) => splats.push(splat));
  for (const line of text.split('\n')) scanner.feed(line.replace(/\r$/, ''));
  scanner.close();
  return splats;
}

/** What tells one splat from another: its kind, its words and the innermost frames that are its own. */
export function fingerprint(kind: string, title: string, lines: readonly string[]): string {
  const frames: string[] = [];
  for (const line of lines) {
    // Frames marked "?" are leftovers on the stack; RIP names the faulting function itself.
    const frame = /^(?:RIP: \S+?:|\s*)([\w.]+)\+0x[0-9a-f]+\/0x[0-9a-f]+/.exec(line)?.[1];
    const name = frame?.replace(/\.(?:isra|constprop|part|cold|llvm)\b.*$/, '');
    if (name === undefined || COMMON_FRAMES.test(name) || frames.at(-1) === name) continue;
    frames.push(name);
    if (frames.length === FRAMES) break;
  }
  return sha256(JSON.stringify([kind, normalise(title), frames])).slice(0, 12);
}

/** Takes out whatever differs between two runs of the same fault. */
export function normalise(title: string): string {
  return title
    .replaceAll(/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, '')
    .replaceAll(/\b(?:0x)?[0-9a-f]{8,16}\b/g, 'ADDR')
    .replaceAll(/(\.[chS]):\d+/g, '$1:LINE')
    .replaceAll(/\b([\w./-]+):\d+\b(?! *$)/g, '$1:N')
    .replaceAll(/\b\d+\b/g, 'N')
    .replace(/\.(?:isra|constprop|part|cold)\.N/g, '')
    .trim();
}

function recognise(line: string): { kind: string; title: string } | undefined {
  for (const { kind, pattern } of KINDS) {
    const match = pattern.exec(line);
    if (match !== null) return { kind, title: (match[1] ?? line).trim() };
  }
  return undefined;
}

/** Whether a line that would begin a splat of its own still belongs to the open one. */
function follows(open: string, next: string): boolean {
  if (next === 'panic') return open !== 'panic';
  return next === 'oops' && ['kasan', 'bug', 'oops', 'atomic-sleep', 'list'].includes(open);
}

/** "[   12.345678][  T42] text" or "<4>[...] text": level, time and caller are no part of the text. */
function stripPrefix(line: string): string {
  return line.replace(/^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?/, '');
}
