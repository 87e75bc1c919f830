// SPDX-License-Identifier: GPL-2.0-only
import { BAD, type ChangedLine, type PatchReport, type Results, type Row } from '../../results/schema.ts';
import { newSplats } from '../../verdict/classify.ts';
import { countedRows, coverageWords, orderRows, outcomeOf, patchNotes, patchRemarks } from '../words.ts';
import { html, Markup } from './markup.ts';
import { STYLE } from './style.ts';
import { timeline } from './timeline.ts';

type Check = NonNullable<Results['check']>;

/** One file that needs no network: everything of the results that a reviewer wants to see, the worst first. */
export function renderHtml(results: Results): string {
  const { check } = results;
  const title = check === undefined ? 'Fuselage' : `${check.verdict}: ${check.series.join(', ')}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${new Markup(STYLE)}</style></head>
<body>
<header class="verdict ${check?.verdict ?? (results.cases.some(({ status }) => BAD.has(status)) ? 'regressed' : 'clean')}">
<h1>${check === undefined ? 'Fuselage' : `${check.verdict.toUpperCase().replace('-', ' ')}: ${check.series.join(', ')}`}</h1>
${results.kernels.map(({ role, title: kernel }) => html`<div><span class="soft">${role}</span> ${kernel}</div>`)}
<div class="soft">${check === undefined ? '' : `${countedRows(check)}; `}${results.accelerator.name.toUpperCase()}, QEMU ${results.qemu.version}, ${results.seconds.toFixed(0)} s${check?.why === undefined ? '' : `; cases ${check.why}`}</div>
</header>
${results.infrastructure.map((text) => html`<p class="bad">infrastructure: ${text}</p>`)}
${check === undefined ? caseTable(results) : html`${patches(check)}${rows(check)}${wire(check)}${promises(check)}${splats(results)}${check.timelines.length > 0 && html`<h2>Requests, base above patched</h2>${check.timelines.map(timeline)}`}${source(check)}`}
<h2>Again</h2><pre>${results.command}</pre>
</body></html>
`;
  return page.text;
}

function patches(check: Check): Markup {
  const row = (patch: PatchReport, index: number) => html`<tr><td class="number">${index + 1}</td><td>${patch.title}<div>${patchRemarks(patch).map(({ text, mark }, at) => html`${at > 0 && ', '}<span class="${mark ?? 'soft'}">${text}</span>`)}</div>${patchNotes(patch).map((note) => html`<div><code>${note}</code></div>`)}</td>
<td>${check.coverage?.patches[index] === undefined ? '' : coverageWords(check.coverage.patches[index])}</td></tr>`;
  return html`<h2>Patches</h2><div class="wide"><table id="patches"><tr><th class="number">#</th><th>patch</th><th>coverage</th></tr>${check.patches.map(row)}</table></div>${check.coverage?.unmeasured !== undefined && html`<p class="look">Coverage is not known: ${check.coverage.unmeasured}</p>`}`;
}

const COLORS: Readonly<Partial<Record<Row['class'], string>>> = { regressed: 'bad', gone: 'bad', fixed: 'good' };

function rows(check: Check): Markup {
  if (check.rows.length === 0) return html`<h2>What differs</h2><p class="good">Nothing: ${check.sameRows} rows are the same under both kernels.</p>`;
  return html`<h2>What differs</h2><div class="wide"><table id="rows"><tr><th></th><th>case</th><th>outcome</th></tr>${orderRows(check.rows).map(
    (row) => html`<tr><td class="${COLORS[row.class] ?? 'look'}">${row.class}</td><td>${row.share} ${row.name}${row.subtest !== undefined && html`<div>${row.subtest}</div>`}<div><code class="soft">${row.reproduce}</code></div></td><td>${outcomeOf(row)}${row.reason !== undefined && html`<div class="soft">${row.reason}</div>`}</td></tr>`,
  )}</table></div>`;
}

function wire({ counters }: Check): Markup | false {
  return (
    counters.length > 0 &&
    html`<h2>On the wire</h2><div class="wide"><table id="wire"><tr><th>case</th><th>count</th><th class="number">base</th><th class="number">patched</th><th class="number">ratio</th><th>may be</th></tr>${counters.map(
      ({ name, share, counter, base, patched, rule, allowed }) =>
        html`<tr><td>${share} ${name}</td><td>${counter}</td><td class="number">${base}</td><td class="number ${!allowed ? 'bad' : base === patched ? 'soft' : rule === undefined ? 'look' : 'good'}">${patched}</td><td class="number">${base === 0 ? '' : (patched / base).toPrecision(2)}</td><td>${rule ?? 'anything'}</td></tr>`,
    )}</table></div>`
  );
}

function promises({ claims }: Check): Markup | false {
  return claims.length > 0 && html`<h2>Promised by the series</h2><ul>${claims.map(({ text, state }) => html`<li class="${{ held: 'good', broken: 'bad', 'not-measured': 'look' }[state]}">${state}: ${text}</li>`)}</ul>`;
}

/** Of the patched kernel, and only what the base did not say. */
function splats(results: Results): Markup | false {
  const fresh = newSplats(results.cases);
  return fresh.length > 0 && html`<h2>New in the kernel log</h2>${fresh.map(({ splat: { kind, title, lines }, name }) => html`<p class="bad">${kind}: ${title} <span class="soft">(${name})</span></p><pre>${lines.join('\n')}</pre>`)}`;
}

function source({ coverage }: Check): Markup | false {
  if (coverage === undefined || coverage.patches.length === 0) return false;
  const line = ({ file, line: number, text, state, cases }: ChangedLine) => html`<span class="${state}" title="${cases.slice(0, 8).join(', ')}${cases.length > 8 ? ` and ${cases.length - 8} more` : ''}">${file.split('/').at(-1) ?? ''}:${String(number).padEnd(5)} ${text}</span>`;
  return html`<h2>Changed lines, and who ran them</h2>${coverage.patches.map((patch) => html`<details${new Markup(patch.notExecuted > 0 ? ' open' : '')}><summary>${patch.title}: ${coverageWords(patch)}</summary><pre class="source">${patch.lines.map(line)}</pre></details>`)}`;
}

function caseTable(results: Results): Markup {
  return html`<h2>Cases</h2><div class="wide"><table><tr><th>share</th><th>case</th><th>status</th><th></th></tr>${results.cases.map(
    ({ share, name, status, reason }) => html`<tr><td>${share}</td><td>${name}</td><td class="${BAD.has(status) ? 'bad' : status === 'pass' ? 'good' : 'look'}">${status}</td><td>${reason}</td></tr>`,
  )}</table></div>`;
}
