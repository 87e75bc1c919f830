// SPDX-License-Identifier: GPL-2.0-only
import type { Timeline } from '../../results/schema.ts';
import { html, type Markup } from './markup.ts';

const WIDTH = 960;
const LABEL = 150;
const LANE = 14;
const LANE_GAP = 4;
const SIDE_GAP = 16;

/** Base above patched on one scale of time: a lane an operation, a bar a request from its arrival to its reply. */
export function timeline({ name, share, base, patched }: Timeline): Markup {
  const operations = [...new Set([...base, ...patched].map(({ op }) => op))].sort();
  const end = Math.max(1, ...[...base, ...patched].map(({ at, milliseconds }) => at + milliseconds));
  const x = (milliseconds: number) => LABEL + (milliseconds / end) * (WIDTH - LABEL);
  const sideHeight = operations.length * (LANE + LANE_GAP) + SIDE_GAP;
  const side = (label: string, requests: Timeline['base'], top: number) => html`
    <text x="0" y="${top + 10}" class="side">${label}: ${requests.length} requests</text>
    ${operations.map((op, lane) => {
      const y = top + SIDE_GAP + lane * (LANE + LANE_GAP);
      const own = requests.filter((request) => request.op === op);
      return html`<text x="0" y="${y + LANE - 3}" class="op">${op} ${own.length}</text><line x1="${LABEL}" x2="${WIDTH}" y1="${y + LANE}" y2="${y + LANE}" class="rule"/>${own.map(
        ({ at, milliseconds }) => html`<rect x="${x(at).toFixed(1)}" y="${y}" width="${Math.max(1, x(at + milliseconds) - x(at)).toFixed(1)}" height="${LANE}" class="op${lane % 8}"><title>${op} at ${at.toFixed(1)} ms, ${milliseconds.toFixed(2)} ms</title></rect>`,
      )}`;
    })}`;
  return html`<figure><figcaption>${share} ${name}</figcaption><div class="wide"><svg viewBox="0 0 ${WIDTH} ${2 * sideHeight + 24}" role="img" aria-label="requests of ${name} under both kernels">
    ${side('base', base, 0)}${side('patched', patched, sideHeight)}
    <text x="${LABEL}" y="${2 * sideHeight + 16}" class="op">0 ms</text><text x="${WIDTH}" y="${2 * sideHeight + 16}" class="op" text-anchor="end">${end.toFixed(0)} ms</text>
  </svg></div></figure>`;
}
