// SPDX-License-Identifier: GPL-2.0-only
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { laidOut } from '../report/html/testing.ts';
import { renderNightlyPage } from '../report/nightly/page.ts';
import { History } from './history.ts';
import { nightOf } from './nightly.ts';
import { cellNamed, judged } from './testing.ts';
import { trendsSince } from './trends.ts';

const scope = new Scope();
let root: string;
let page: string;

beforeAll(async () => {
  root = await temporaryDirectory(scope, 'test-night-page');
  const cell = cellNamed('dax');
  const history = History.open(join(root, 'history.sqlite'));
  for (const [index, outcome] of (['green', 'red', 'green', 'red'] as const).entries()) {
    const startedAt = new Date(Date.UTC(2026, 0, index + 1)).toISOString();
    history.record(history.beginNight(startedAt, 'fuselage nightly'), judged(cell, outcome, { startedAt }));
  }
  page = renderNightlyPage({ night: nightOf({ command: 'fuselage nightly', cells: [cell] }, [judged(cell, 'red')]), trends: trendsSince(history, '2026-01-01') });
  history.close();
});
afterAll(() => scope.end());

const SCRIPT = `
  for (const table of ['issues', 'cells', 'trends', 'counters']) set(table, document.querySelectorAll('#' + table + ' tr').length - 1);
  const bars = [...document.querySelector('#trends svg').querySelectorAll('rect')].map((bar) => bar.getBoundingClientRect().height);
  set('nights', bars.map((height) => (height > 8 ? 'x' : '.')).join(''));
  const [x, y] = document.querySelector('#counters polyline').getAttribute('points').split(' ').map((point) => point.split(',').map(Number)).reduce(([xs, ys], [px, py]) => [[...xs, px], [...ys, py]], [[], []]);
  set('rises', x.every((each, at) => at === 0 || each > x[at - 1]) && y[1] < y[0] && y[2] === y[0]);
  set('headline', document.querySelector('h1').textContent);`;

describe('the page of a night in a browser', () => {
  it.each([400, 1_200])('of %i pixels: nothing sticks out, every table, bar and point is there', async (width) => {
    expect(await laidOut(page, width, SCRIPT, root)).toEqual({ overflow: '0', issues: '1', cells: '1', trends: '2', counters: '1', nights: '.x.x', rises: 'true', headline: '1 new, 0 known, 0 fixed; 1 red' });
  });
});
