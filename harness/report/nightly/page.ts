// SPDX-License-Identifier: GPL-2.0-only
import { headlineOf, nightlyExitCode, type CellResult, type Issue, type Nightly } from '../../results/nightly.ts';
import type { CounterTrend, RowTrend, Trends } from '../../results/trends.ts';
import { html, Markup } from '../html/markup.ts';
import { STYLE } from '../html/style.ts';
import { remarksOf } from './text.ts';

/** A night, the nights before it, or both: one file that needs no network. */
export function renderNightlyPage({ night, trends }: { readonly night?: Nightly; readonly trends?: Trends }): string {
  const title = night === undefined ? 'Fuselage: nights' : headlineOf(night);
  const verdict = night === undefined ? '' : { 0: 'clean', 1: 'regressed', 3: 'infrastructure' }[nightlyExitCode(night)];
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${new Markup(STYLE)}</style></head>
<body>
<header class="verdict ${verdict}"><h1>${title}</h1>${night !== undefined && html`<div class="soft">${night.startedAt.slice(0, 16).replace('T', ' ')}, ${night.seconds.toFixed(0)} s</div>`}</header>
${night !== undefined && html`${issues(night)}${cells(night)}`}
${trends !== undefined && html`${rows(trends)}${counters(trends.counters)}`}
${night !== undefined && html`<h2>Again</h2><pre>${night.command}</pre>`}
</body></html>
`;
  return page.text;
}

/** A cell's name, which a narrow screen may break where it has a slash. */
const nameOf = (cell: string): Markup => html`${cell.split('/').map((part, at) => html`${at > 0 && html`/<wbr>`}${part}`)}`;

const COLORS: Readonly<Record<Issue['class'], string>> = { new: 'bad', known: 'look', fixed: 'good' };

function issues({ cells: all }: Nightly): Markup {
  const found = (['new', 'fixed', 'known'] as const).flatMap((name) => all.flatMap(({ cell, issues: own }) => own.filter((issue) => issue.class === name).map((issue) => ({ cell, issue }))));
  if (found.length === 0) return html`<p class="good">Nothing is new, known or fixed.</p>`;
  return html`<h2>Issues</h2><div class="wide"><table id="issues"><tr><th></th><th>what and where</th></tr>${found.map(
    ({ cell, issue }) => html`<tr><td class="${COLORS[issue.class]}">${issue.class}</td><td><div class="soft">${nameOf(cell.id)}</div>${issue.name}${issue.subtest !== undefined && html`<div>${issue.subtest}</div>`}<div class="soft">${remarksOf(issue)}</div>${issue.class === 'new' && issue.reproduce !== undefined && html`<code class="soft">${issue.reproduce}</code>`}</td></tr>`,
  )}</table></div>`;
}

const OUTCOMES: Readonly<Record<CellResult['outcome'], string>> = { green: 'good', red: 'bad', unchanged: 'soft', 'no-verdict': 'look' };

function cells({ cells: all }: Nightly): Markup {
  return html`<h2>Cells</h2><div class="wide"><table id="cells"><tr><th>cell</th><th></th><th>commit</th><th class="number">s</th></tr>${all.map(
    ({ cell, outcome, reason, commit, seconds, bisection }) =>
      html`<tr><td>${nameOf(cell.id)}${reason !== undefined && html`<div class="soft">${reason}</div>`}${bisection?.culprit !== undefined && html`<div class="bad">since ${bisection.culprit.id.slice(0, 12)} ${bisection.culprit.title}</div>`}</td><td class="${OUTCOMES[outcome]}">${outcome}</td><td>${commit !== undefined && html`<code>${commit.id.slice(0, 12)}</code> ${commit.title}`}</td><td class="number">${seconds.toFixed(0)}</td></tr>`,
  )}</table></div>`;
}

function rows({ rows: all, nights, since }: Trends): Markup {
  const row = (one: RowTrend) =>
    html`<tr><td>${nameOf(one.cell)}</td><td>${one.name}${one.subtest !== '' && html`<div>${one.subtest}</div>`}</td><td class="number">${one.failed} of ${one.runs}<div class="soft">${Math.round(100 * one.low)} to ${Math.round(100 * one.high)} %</div></td><td>${one.firstSeen?.startedAt.slice(0, 10) ?? ''}</td><td>${one.lastSeen?.startedAt.slice(0, 10) ?? ''}</td><td>${strip(one.recent)}</td></tr>`;
  return html`<h2>What failed in ${nights} nights since ${since.slice(0, 10)}</h2>${
    all.length === 0 ? html`<p class="good">Nothing.</p>` : html`<div class="wide"><table id="trends"><tr><th>cell</th><th>row</th><th class="number">failed</th><th>first seen</th><th>last seen</th><th>nights</th></tr>${all.map(row)}</table></div>`
  }`;
}

/** A bar a night: high and red for a failure. */
function strip(recent: readonly boolean[]): Markup {
  const [width, height] = [4, 16];
  return html`<svg class="spark" viewBox="0 0 ${recent.length * width} ${height}" width="${recent.length * width}" height="${height}" role="img" aria-label="${recent.map((failed) => (failed ? 'failed' : 'passed')).join(', ')}">${recent.map((failed, at) => html`<rect x="${at * width}" y="${failed ? 0 : height - 4}" width="${width - 1}" height="${failed ? height : 4}" class="${failed ? 'fail' : 'pass'}"/>`)}</svg>`;
}

function counters(all: readonly CounterTrend[]): Markup | false {
  if (all.length === 0) return false;
  // Those that moved are why one looks.
  const moved = (one: CounterTrend) => Number(new Set(one.points.map(({ value }) => value)).size > 1);
  const sorted = [...all].sort((a, b) => moved(b) - moved(a));
  return html`<h2>Counters</h2><div class="wide"><table id="counters"><tr><th>cell</th><th>counter</th><th class="number">last</th><th>nights</th></tr>${sorted.map(
    (one) => html`<tr><td>${nameOf(one.cell)}</td><td>${one.name}<div>${one.counter}</div></td><td class="number">${one.points.at(-1)?.value ?? ''}</td><td>${line(one)}</td></tr>`,
  )}</table></div>`;
}

/** Values from nought to the largest, so that a jump looks as large as it is. */
function line({ points }: CounterTrend): Markup {
  const [width, height] = [160, 28];
  const most = Math.max(1, ...points.map(({ value }) => value));
  const x = (at: number) => (points.length === 1 ? width / 2 : (at * (width - 4)) / (points.length - 1) + 2);
  const y = (value: number) => height - 3 - (value / most) * (height - 6);
  const places = points.map(({ value }, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  const last = points.at(-1);
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${points.map(({ value }) => value).join(', ')}"><polyline points="${places.join(' ')}"/>${last !== undefined && html`<circle cx="${x(points.length - 1).toFixed(1)}" cy="${y(last.value).toFixed(1)}" r="2"/>`}</svg>`;
}
