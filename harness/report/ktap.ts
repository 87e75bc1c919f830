// SPDX-License-Identifier: GPL-2.0-only
import { rolePrefix } from './words.ts';
import { BAD, type CaseResult, type Results, type Status } from '../results/schema.ts';

/** KTAP (Documentation/dev-tools/ktap.rst): one result a case, its subtests nested below it. */
export function renderKtap(results: Results): string {
  const lines = ['KTAP version 1', `1..${results.cases.length}`];
  for (const [index, one] of results.cases.entries()) {
    if (one.subtests.length > 0) {
      lines.push('  KTAP version 1', `  1..${one.subtests.length}`);
      for (const [number, subtest] of one.subtests.entries()) lines.push(`  ${resultLine(number + 1, subtest.name, subtest.status, subtest.reason)}`);
    }
    for (const splat of one.splats) lines.push(`# kernel log: ${splat.kind}: ${oneLine(splat.title)} [${splat.fingerprint}]`);
    lines.push(resultLine(index + 1, caseName(results, one), one.status, one.reason));
  }
  const { totals } = results;
  lines.push(
    `# Totals: pass:${totals.pass} fail:${totals.fail + totals.crash + totals.hang + totals.timeout} xfail:${totals.xfail} xpass:${totals.xpass} skip:${totals.skip} error:${results.infrastructure.length}`,
  );
  for (const text of results.infrastructure) lines.push(`# infrastructure: ${oneLine(text)}`);
  return `${lines.join('\n')}\n`;
}

function caseName(results: Results, one: CaseResult): string {
  return `${rolePrefix(results, one, ' ')}${one.share} ${one.name}${one.repetition > 1 ? ` (${one.repetition})` : ''}`;
}

function resultLine(number: number, name: string, status: Status, reason: string | undefined): string {
  const ok = BAD.has(status) ? 'not ok' : 'ok';
  // A "#" in a name would begin a directive.
  const head = `${ok} ${number} ${oneLine(name).replaceAll('#', '')}`;
  const text = oneLine(reason ?? '');
  if (status === 'pass') return head;
  if (status === 'skip' || status === 'not-exercised') return `${head} # SKIP ${status === 'skip' ? '' : 'not exercised: '}${text}`.trimEnd();
  if (status === 'xfail' || status === 'xpass') return `${head} # ${status.toUpperCase()} ${text}`.trimEnd();
  return `${head}${status === 'fail' ? '' : ` # ${status.toUpperCase()}`}`;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
