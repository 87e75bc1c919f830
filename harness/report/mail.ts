// SPDX-License-Identifier: GPL-2.0-only
import wrapAnsi from 'wrap-ansi';
import type { Results, Row } from '../results/schema.ts';
import { countedRows, coverageWords, orderRows, outcomeOf, patchNotes, patchWords } from './words.ts';

const COLUMNS = 72;
const SHOWN_ROWS = 12;
const SHOWN_LINES = 10;

/** A reply to a series: Markdown that reads as plain text, 72 columns; names and commands are never broken. */
export function renderMail(results: Results): string {
  const { check } = results;
  const lines: string[] = [];
  const say = (text: string, indent = '') => {
    lines.push(...wrapAnsi(text, COLUMNS - indent.length, { hard: false }).split('\n').map((line, index) => `${index === 0 ? indent : indent.replace('-', ' ')}${line}`));
  };
  const verbatim = (text: string) => lines.push(`    ${text}`);
  say(check === undefined ? `Fuselage ran ${results.cases.length} case runs.` : `${check.verdict.toUpperCase().replace('-', ' ')}: ${check.series.join(', ')}`);
  lines.push('');
  for (const { role, title } of results.kernels) say(`${role}: ${title}`, '- ');
  say(`${results.accelerator.name.toUpperCase()}, QEMU ${results.qemu.version}, ${results.seconds.toFixed(0)} s${results.accelerator.name === 'tcg' ? '; under emulation counts decide, and times do not' : ''}`, '- ');
  if (check === undefined) {
    lines.push('');
    for (const one of results.cases.filter(({ status }) => status !== 'pass' && status !== 'skip')) say(`${one.status}: ${one.share} ${one.name}: ${one.reason ?? ''}`, '- ');
    return `${lines.join('\n')}\n`;
  }
  say(countedRows(check), '- ');
  if (check.why !== undefined) say(`cases ${check.why}`, '- ');
  section(lines, 'Patches');
  for (const [index, patch] of check.patches.entries()) {
    const words = [patchWords(patch).join(', '), ...(check.coverage?.patches[index] === undefined ? [] : [coverageWords(check.coverage.patches[index])])];
    say(`${index + 1}/${check.patches.length} ${patch.title}: ${words.join('; ')}`, '- ');
    for (const note of patchNotes(patch).slice(0, SHOWN_LINES)) verbatim(note);
  }
  const rows = orderRows(check.rows);
  if (rows.length > 0) section(lines, 'What differs');
  for (const row of rows.slice(0, SHOWN_ROWS)) {
    say(`${row.class}: ${row.share} ${row.name}${row.subtest === undefined ? '' : `: ${row.subtest}`}: ${outcomeOf(row)}${reasonOf(row)}`, '- ');
    if (row.class === 'regressed') verbatim(row.reproduce);
  }
  if (rows.length > SHOWN_ROWS) say(`and ${rows.length - SHOWN_ROWS} more`, '- ');
  const moved = check.counters.filter(({ base, patched }) => base !== patched);
  if (moved.length > 0) section(lines, 'On the wire');
  for (const { name, share, counter, base, patched, allowed } of moved) say(`${share} ${name}: ${counter}: ${base} -> ${patched}${allowed ? '' : ' (not allowed)'}`, '- ');
  if (check.claims.length > 0) section(lines, 'Promised by the series');
  for (const { text, state } of check.claims) say(`${state}: ${text}`, '- ');
  const missed = (check.coverage?.patches ?? []).flatMap((patch) => patch.lines.filter(({ state }) => state === 'not-executed' || state === 'not-compiled'));
  if (missed.length > 0) section(lines, 'Changed lines that no case ran');
  for (const { file, line, text } of missed.slice(0, SHOWN_LINES)) verbatim(`${file}:${line}: ${text.trim()}`);
  if (missed.length > SHOWN_LINES) verbatim(`and ${missed.length - SHOWN_LINES} more`);
  if (check.coverage?.unmeasured !== undefined) say(`Coverage is not known: ${check.coverage.unmeasured}`);
  for (const text of results.infrastructure) say(`infrastructure: ${text}`, '- ');
  section(lines, 'Again');
  verbatim(results.command);
  return `${lines.join('\n')}\n`;
}

const reasonOf = ({ reason }: Row): string => (reason === undefined ? '' : ` (${reason.replaceAll(/\s+/g, ' ').slice(0, 200)})`);

function section(lines: string[], title: string): void {
  lines.push('', title, '-'.repeat(title.length), '');
}
