// SPDX-License-Identifier: GPL-2.0-only
import { Parser, type Result as TapResult } from 'tap-parser';
import type { Subtest } from '../results/schema.ts';

/** What a program's KTAP output says, whatever state it is in. */
export interface KtapReport {
  readonly subtests: readonly Subtest[];
  /** The plan's count, or undefined where there was none. */
  readonly planned: number | undefined;
  /** Why the output can not be believed as a whole (no plan, too few lines, Bail out!). */
  readonly problems: readonly string[];
  /** `# proof NAME COUNT` diagnostics: what the program says it exercised. */
  readonly proofs: ReadonlyMap<string, number>;
}

const RESULT = /^(ok|not ok)\b/;
const LINE_LIMIT = 4_096;
const SUBTESTS_LIMIT = 10_000;

/**
 * Parses KTAP (Documentation/dev-tools/ktap.rst) on top of tap-parser. KTAP differs from TAP in what is
 * prepared here, line by line, before tap-parser sees it:
 *  - a version line may open a nested level, indented by two spaces or prefixed with "# " (the kselftest
 *    runner's way); nested results come before their parent's line;
 *  - XFAIL is a directive of its own, and both `ok N # SKIP why` and `ok N name # SKIP why` occur;
 *  - unknown lines are to be passed over, with the escape sequences and CRs of a console.
 */
export class KtapParser {
  readonly #parser = new Parser({ strict: false });
  readonly #results: Subtest[] = [];
  readonly #problems: string[] = [];
  readonly #proofs = new Map<string, number>();
  /** Results of the level below, waiting for the line of their parent. */
  #nested: Subtest[] = [];
  #diagnostics: string[] = [];
  /** What preceded each result line: tap-parser reports a line only when it has seen the next. */
  readonly #preceding: { readonly nested: readonly Subtest[]; readonly diagnostics: readonly string[] }[] = [];
  #planned: number | undefined;
  #planSeen = false;
  #topLevelCount = 0;
  #partial = '';
  #bailed = false;
  #overflowing = false;

  constructor() {
    this.#parser.on('assert', (result: TapResult) => {
      this.#accept(result);
    });
    this.#parser.on('plan', (plan: { readonly start: number; readonly end: number }) => {
      // tap-parser makes up a plan of nothing for an empty input: silence is no plan.
      if (this.#planSeen) this.#planned = Math.max(0, plan.end - plan.start + 1);
    });
    this.#parser.on('bailout', (reason: string) => {
      this.#bailed = true;
      this.#problems.push(`Bail out! ${reason}`.trim());
    });
  }

  /** Bytes as they come; lines may be cut anywhere. */
  write(text: string): void {
    const pieces = (this.#partial + text).split('\n');
    this.#partial = (pieces.pop() ?? '').slice(0, LINE_LIMIT);
    for (const piece of pieces) this.#line(piece.slice(0, LINE_LIMIT));
  }

  end(): KtapReport {
    // A last line without its end was cut in the middle: what it says can not be trusted.
    if (this.#partial !== '') {
      if (RESULT.test(this.#partial)) this.#problems.push(`the output ends in the middle of a line: ${this.#partial.slice(0, 60)}`);
      this.#partial = '';
    }
    this.#parser.end();
    if (this.#planned === undefined && !this.#bailed)
      this.#problems.push(this.#results.length === 0 ? 'no KTAP was printed' : 'no plan was printed');
    const run = this.#topLevelCount;
    if (this.#planned !== undefined && run !== this.#planned) this.#problems.push(`planned ${this.#planned}, ran ${run}`);
    if (this.#overflowing) this.#problems.push(`more than ${SUBTESTS_LIMIT} results: the rest is not kept`);
    return { subtests: this.#results, planned: this.#planned, problems: this.#problems, proofs: this.#proofs };
  }

  #line(raw: string): void {
    // eslint-disable-next-line no-control-regex -- consoles and binary noise
    const line = raw.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
    const nested = /^(?: {2,}|# )(.*)$/.exec(line)?.[1];
    if (nested !== undefined && (RESULT.test(nested.trimStart()) || /^# Subtest:|^(?:K?TAP version|1\.\.\d)/.test(nested.trimStart()))) {
      this.#nestedLine(nested.trim());
      return;
    }
    const proof = /^# proof (\S+) (\d+)$/.exec(line);
    if (proof?.[1] !== undefined) this.#proofs.set(proof[1], (this.#proofs.get(proof[1]) ?? 0) + Number(proof[2]));
    else if (line.startsWith('# ')) this.#diagnostics.push(line.slice(2));
    // tap-parser knows "TAP version"; the rest of KTAP's header is the same.
    if (/^K?TAP version/.test(line)) return;
    if (/^1\.\.\d/.test(line)) this.#planSeen = true;
    if (RESULT.test(line)) this.#preceding.push({ nested: this.#nested.splice(0), diagnostics: this.#diagnostics.splice(0) });
    if (RESULT.test(line) || /^1\.\.\d|^Bail out!/.test(line)) this.#parser.write(`${line}\n`);
  }

  #nestedLine(line: string): void {
    const match = /^(ok|not ok)(?: \d+)?\s*(?:- )?(.*)$/.exec(line);
    if (match === null) return;
    this.#nested.push(interpret(match[1] === 'ok', match[2] ?? '', []));
  }

  #accept(result: TapResult): void {
    this.#topLevelCount++;
    const before = this.#preceding.shift() ?? { nested: [], diagnostics: [] };
    const directive = result.skip !== false ? directiveText('SKIP', result.skip) : result.todo !== false ? directiveText('TODO', result.todo) : '';
    const own = interpret(result.ok, `${result.name}${directive}`, before.diagnostics);
    const named = own.name === '' ? { ...own, name: `#${String(result.id)}` } : own;
    for (const nested of before.nested) this.#keep({ ...nested, name: `${named.name}.${nested.name}` });
    this.#keep(named);
  }

  #keep(subtest: Subtest): void {
    if (this.#results.length < SUBTESTS_LIMIT) this.#results.push(subtest);
    else this.#overflowing = true;
  }
}

function directiveText(name: string, text: string | boolean): string {
  return ` # ${name} ${text === true ? '' : String(text)}`;
}

/** The status of one result line, with KTAP's directives in either position. */
function interpret(ok: boolean, description: string, diagnostics: readonly string[]): Subtest {
  const match = /^(.*?)\s*#\s*(SKIP|XFAIL|TODO|TIMEOUT|XPASS)\b:?\s*(.*)$/i.exec(description);
  const name = (match?.[1] ?? description).replace(/^- /, '').replace(/\s*# exit=\d+$/, '').trim();
  const directive = match?.[2]?.toUpperCase();
  const text = match?.[3]?.trim() ?? '';
  const withReason = (status: Subtest['status'], reason: string): Subtest => ({ name, status, ...(reason === '' ? {} : { reason }) });
  if (directive === 'SKIP') return withReason('skip', text);
  if (directive === 'XFAIL' || directive === 'TODO') return withReason('xfail', text);
  if (directive === 'XPASS') return withReason('xpass', text);
  if (directive === 'TIMEOUT') return withReason('timeout', text);
  return ok ? withReason('pass', '') : withReason('fail', diagnostics.slice(-3).join('; '));
}

export function parseKtap(text: string): KtapReport {
  const parser = new KtapParser();
  parser.write(text);
  return parser.end();
}
