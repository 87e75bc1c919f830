// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import pc from 'picocolors';
import wrapAnsi from 'wrap-ansi';
import { headlineOf, nightlyExitCode, type CellResult, type Issue, type Nightly } from '../../results/nightly.ts';

const COLORS = { green: pc.green, red: pc.red, unchanged: pc.dim, 'no-verdict': pc.magenta } as const;
const COLUMNS = 72;
const SHOWN = 20;

/** "dax-reclaim/gate: a read ..." */
const rowOf = ({ name, subtest }: Issue): string => `${name}${subtest === undefined ? '' : ` / ${subtest}`}`;

/** "fails 2 of 3, since night 12 (abc123 ...)". */
export function remarksOf({ confirmed, since, reason }: Issue): string {
  const words = [
    ...(confirmed === undefined ? [] : [confirmed.failed === confirmed.runs ? `fails ${confirmed.failed} of ${confirmed.runs}` : `flaky: fails ${confirmed.failed} of ${confirmed.runs}`]),
    ...(since === undefined ? [] : [`since night ${since.night}${since.commit === undefined ? '' : ` (${since.commit.id.slice(0, 12)} "${since.commit.title}")`}`]),
    ...(reason === undefined ? [] : [reason.replaceAll(/\s+/g, ' ').slice(0, 160)]),
  ];
  return words.join('; ');
}

/** One line a cell, as it ends. */
export function cellLine({ cell, outcome, seconds, issues, reason, commit }: CellResult): string {
  const fresh = issues.filter((issue) => issue.class === 'new').length;
  return `${COLORS[outcome](outcome.padEnd(10))} ${cell.id.padEnd(44)} ${`${seconds.toFixed(0)} s`.padStart(6)}${fresh > 0 ? pc.red(`  ${fresh} new`) : ''}${commit === undefined ? '' : pc.dim(`  ${commit.id.slice(0, 12)} ${commit.title.slice(0, 50)}`)}${reason === undefined ? '' : `  ${pc.dim(reason.slice(0, 120))}`}`;
}

/** The night on one screen: what is new first. */
export function renderNightly(night: Nightly): string {
  const paint = { 0: pc.green, 1: pc.red, 3: pc.magenta }[nightlyExitCode(night)];
  const table = new Table({ head: ['cell', '', 'new', 'known', 'fixed', 's'], style: { head: [], border: [] } });
  for (const { cell, outcome, issues, seconds } of night.cells) {
    const count = (name: Issue['class']) => issues.filter((issue) => issue.class === name).length || '';
    table.push([cell.id, COLORS[outcome](outcome), count('new'), count('known'), count('fixed'), seconds.toFixed(0)]);
  }
  const of = (name: Issue['class'], mark: (text: string) => string) =>
    night.cells.flatMap(({ cell, issues }) => issues.filter((issue) => issue.class === name).slice(0, SHOWN).flatMap((issue) => [`${mark(name.padEnd(5))} ${cell.id}  ${rowOf(issue)}`, ...(remarksOf(issue) === '' ? [] : [pc.dim(`      ${remarksOf(issue)}`)]), ...(name === 'new' && issue.reproduce !== undefined ? [pc.dim(`      again: ${issue.reproduce}`)] : [])]));
  const culprits = night.cells.flatMap(({ cell, bisection }) => (bisection?.culprit === undefined ? [] : [`${pc.red('since')} ${cell.id}  ${bisection.culprit.id.slice(0, 12)} ${bisection.culprit.title} ${pc.dim(`(${bisection.steps.length} steps)`)}`]));
  const verdictless = night.cells.filter(({ outcome }) => outcome === 'no-verdict').map(({ cell, reason }) => pc.magenta(`no verdict: ${cell.id}: ${reason ?? ''}`));
  return ['', paint(pc.bold(headlineOf(night))), table.toString(), ...of('new', pc.red), ...culprits, ...of('fixed', pc.green), ...verdictless, ''].join('\n');
}

/** The morning's mail: plain text of 72 columns. */
export function renderNightlyMail(night: Nightly): string {
  const lines: string[] = [];
  const say = (text: string, indent = '') => lines.push(...wrapAnsi(text, COLUMNS - indent.length, { hard: false }).split('\n').map((line, index) => `${index === 0 ? indent : indent.replace('-', ' ')}${line}`));
  const section = (title: string) => lines.push('', title, '-'.repeat(title.length), '');
  lines.push(`Subject: [fuselage] ${headlineOf(night)}`, '');
  say(`${headlineOf(night)}.`);
  for (const [name, title] of [['new', 'New'], ['fixed', 'Fixed'], ['known', 'Known']] as const) {
    const issues = night.cells.flatMap(({ cell, issues: all }) => all.filter((issue) => issue.class === name).map((issue) => ({ cell, issue })));
    if (issues.length === 0) continue;
    section(title);
    for (const { cell, issue } of issues.slice(0, SHOWN)) {
      say(`${cell.id}: ${rowOf(issue)}${remarksOf(issue) === '' ? '' : `: ${remarksOf(issue)}`}`, '- ');
      if (name === 'new' && issue.reproduce !== undefined) lines.push(`    ${issue.reproduce}`);
    }
    if (issues.length > SHOWN) say(`and ${issues.length - SHOWN} more`, '- ');
  }
  const culprits = night.cells.filter(({ bisection }) => bisection?.culprit !== undefined);
  if (culprits.length > 0) section('Bisected');
  for (const { cell, bisection } of culprits) say(`${cell.id}: ${bisection?.culprit?.id.slice(0, 12) ?? ''} ("${bisection?.culprit?.title ?? ''}"); ${bisection?.revert?.reason ?? ''}`, '- ');
  section('Cells');
  for (const { cell, outcome, reason, commit, seconds } of night.cells) say(`${outcome}: ${cell.id}${commit === undefined ? '' : ` at ${commit.id.slice(0, 12)}`}, ${seconds.toFixed(0)} s${reason === undefined ? '' : `: ${reason}`}`, '- ');
  lines.push('', `    ${night.command}`);
  return `${lines.join('\n')}\n`;
}

/** Workflow commands of GitHub Actions: what is new as errors, what could not be judged as warnings. */
export function renderAnnotations(night: Nightly): string {
  const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const lines = night.cells.flatMap(({ cell, outcome, reason, issues }) => [
    ...issues.filter((issue) => issue.class === 'new').map((issue) => `::error title=${property(`${cell.id}: ${rowOf(issue)}`)}::${data([remarksOf(issue), issue.reproduce].filter(Boolean).join('\n') || 'failed')}`),
    ...issues.filter((issue) => issue.class === 'fixed').map((issue) => `::notice title=${property(`${cell.id}: ${rowOf(issue)}`)}::${data(issue.reason ?? 'fixed')}`),
    ...(outcome === 'no-verdict' ? [`::warning title=${property(cell.id)}::${data(reason ?? 'no verdict')}`] : []),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}
