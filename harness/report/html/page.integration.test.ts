// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scope } from '../../host/scope.ts';
import { temporaryDirectory } from '../../host/temporary.ts';
import { sampleResults } from '../sample.ts';
import { renderHtml } from './page.ts';
import { laidOut } from './testing.ts';

const scope = new Scope();
let root: string;

beforeAll(async () => {
  root = await temporaryDirectory(scope, 'test-page');
});
afterAll(() => scope.end());

const SCRIPT = `
  set('rows', document.querySelectorAll('#rows tr').length);
  set('bars', document.querySelectorAll('svg rect').length);
  set('widest', Math.max(...[...document.querySelectorAll('svg rect')].map((bar) => bar.getBoundingClientRect().right)) <= document.querySelector('svg').getBoundingClientRect().right + 1);
  set('verdict', getComputedStyle(document.querySelector('h1')).fontWeight >= 600 && document.querySelector('h1').textContent);`;

describe('the page in a browser', () => {
  it.each([500, 1_200])('of %i pixels: nothing sticks out, every row and request is there', async (width) => {
    expect(await laidOut(renderHtml(sampleResults()), width, SCRIPT, root)).toEqual({ overflow: '0', rows: '2', bars: '2', widest: 'true', verdict: 'REGRESSED: fuse: two patches' });
  });
});
