// SPDX-License-Identifier: GPL-2.0-only
import Table from 'cli-table3';
import pc from 'picocolors';
import wrapAnsi from 'wrap-ansi';
import type { Bisection, Candidate, TrialResult } from '../results/bisection.ts';

const COLORS = { good: pc.green, bad: pc.red, skip: pc.yellow } as const;
const COLUMNS = 72;

/** One line a kernel that was tried, as it ends. */
export function trialLine(trial: TrialResult, role: string, stepsLeft?: number): string {
  const counts = trial.runs === 0 ? '' : `${trial.shown} of ${trial.runs}`;
  const left = stepsLeft === undefined || stepsLeft === 0 ? '' : pc.dim(`  (about ${stepsLeft} more)`);
  return `${COLORS[trial.verdict](trial.verdict.padEnd(4))} ${role.padEnd(8)} ${trial.title.slice(0, 72)}  ${counts}${trial.cached ? ' from before' : ` ${trial.seconds.toFixed(0)} s`}  ${pc.dim(trial.reason.slice(0, 100))}${left}`;
}

const percent = (share: number): string => `${(Math.floor(share * 1_000) / 10).toFixed(1)} %`;

/** What was tried, in order, and what came of it. */
export function renderBisection(bisection: Bisection): string {
  const { bad, good, steps, culprit, suspects, revert } = bisection;
  const table = new Table({ head: ['', 'kernel', 'verdict', 'showed it', 'what was seen', 's'], style: { head: [], border: [] }, colWidths: [null, 44, null, null, 48, null], wordWrap: true });
  const row = (name: string, trial: TrialResult) => table.push([name, trial.title, COLORS[trial.verdict](trial.verdict), trial.runs === 0 ? '' : `${trial.shown} of ${trial.runs}`, trial.reason, trial.cached ? '-' : trial.seconds.toFixed(0)]);
  row('bad', bad);
  row('good', good);
  for (const [index, step] of steps.entries()) row(String(index + 1), step);
  if (revert?.trial !== undefined) row('revert', revert.trial);
  const lines = ['', culprit === undefined ? pc.yellow(pc.bold(`UNCLEAR  one of ${suspects.length}`)) : pc.bold(`${pc.red('FIRST BAD')}  ${culprit.id.slice(0, 12)} ${culprit.title}`)];
  if (culprit?.author !== undefined) lines.push(`by ${culprit.author}`);
  for (const suspect of suspects) lines.push(`  ${suspect.id.slice(0, 12)} ${suspect.title}`);
  lines.push(`bad is: ${bisection.criterion}`, `${bisection.case} on ${bisection.share} (${bisection.flavor}); ${bisection.candidates} candidates, ${steps.length} steps, ${bisection.seconds.toFixed(0)} s`);
  lines.push(`no kernel was called good wrongly: ${percent(bisection.confidence)}`, table.toString());
  if (revert !== undefined) lines.push(revert.reason);
  const skipped = steps.filter(({ verdict }) => verdict === 'skip');
  if (skipped.length > 0) lines.push(pc.yellow(`${skipped.length} could not be judged: ${skipped.map(({ id }) => id).join(', ')}`));
  if (bisection.reproduce !== undefined) lines.push(pc.dim(`again: ${bisection.reproduce}`));
  return `${lines.join('\n')}\n`;
}

/** A draft of the mail that tells the author: plain text, 72 columns, nothing in it that was not seen. */
export function renderBisectionMail(bisection: Bisection): string {
  const { culprit, suspects, bad, good, steps, revert } = bisection;
  const lines: string[] = [];
  const say = (text: string, indent = '') => lines.push(...wrapAnsi(text, COLUMNS - indent.length, { hard: false }).split('\n').map((line, index) => `${index === 0 ? indent : indent.replace('-', ' ')}${line}`));
  const isCommit = culprit?.message !== undefined;
  if (culprit?.author !== undefined) lines.push(`To: ${culprit.author}`);
  lines.push(`Subject: [REGRESSION] ${culprit === undefined ? `${bisection.case} on ${bisection.share}` : culprit.title}`, '');
  if (culprit === undefined) {
    say(`${bisection.case} fails on ${bisection.share}, and one of these brought it:`);
    for (const one of suspects) say(nameOf(one), '- ');
  } else {
    say(`Since ${isCommit ? 'commit ' : ''}${nameOf(culprit)} ${bisection.case} fails on ${bisection.share} (${bisection.flavor}):`);
    lines.push('', `    ${bad.reason}`);
  }
  lines.push('');
  say(`Found by bisection between ${good.title} and ${bad.title}, ${bisection.candidates} candidates. What counts as bad: ${bisection.criterion}. That no kernel was called good wrongly has a probability of ${percent(bisection.confidence)}.`);
  lines.push('');
  for (const { id, verdict, shown, runs, reason } of steps) say(verdict === 'skip' ? `${id} skip: ${reason}` : `${id} ${verdict}: ${shown} of ${runs} runs show it`, '- ');
  if (revert !== undefined) {
    lines.push('');
    say(`Reverting: ${revert.reason}.`);
  }
  if (bisection.reproduce !== undefined) lines.push('', 'To see it again:', '', `    ${bisection.reproduce}`);
  if (isCommit) lines.push('', 'A fix would carry:', '', `    Fixes: ${nameOf(culprit)}`, '', `#regzbot introduced: ${culprit.id.slice(0, 12)}`);
  return `${lines.join('\n')}\n`;
}

/** As the kernel's documentation wants commits named: twelve digits and the title. */
const nameOf = ({ id, title, message }: Candidate): string => (message === undefined ? `${id} "${title}"` : `${id.slice(0, 12)} ("${title}")`);
