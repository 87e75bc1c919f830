// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt } from '../../host/command.ts';
import { renderHtml } from './page.ts';
import { sampleResults } from '../sample.ts';

let root: string;

/** A browser is needed by this test alone: it is installed here, and not by those who use the program. */
async function chromium(): Promise<string> {
  const found = async () => (await attempt(['which', 'chromium'])).stdout.trim();
  if ((await found()) === '') {
    const install = () => attempt(['apt-get', 'install', '--yes', '--no-install-recommends', 'chromium'], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
    if ((await install()).exitCode !== 0) {
      await attempt(['apt-get', 'update']);
      await install();
    }
  }
  return await found();
}

/** The page as a browser of this width has laid it out: attributes that a script of the test's own leaves on the body. */
async function measure(width: number): Promise<Record<string, string>> {
  const probe = `<script>
    const set = (name, value) => { document.body.dataset[name] = String(value); };
    set('overflow', document.documentElement.scrollWidth - document.documentElement.clientWidth);
    set('rows', document.querySelectorAll('#rows tr').length);
    set('bars', document.querySelectorAll('svg rect').length);
    set('widest', Math.max(...[...document.querySelectorAll('svg rect')].map((bar) => bar.getBoundingClientRect().right)) <= document.querySelector('svg').getBoundingClientRect().right + 1);
    set('verdict', getComputedStyle(document.querySelector('h1')).fontWeight >= 600 && document.querySelector('h1').textContent);
  </script></body>`;
  const file = join(root, 'page.html');
  writeFileSync(file, renderHtml(sampleResults()).replace('</body>', probe));
  const { stdout } = await attempt([await chromium(), '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${join(root, 'profile')}`, `--window-size=${width},900`, '--dump-dom', `file://${file}`]);
  const body = /<body[^>]*>/.exec(stdout)?.[0] ?? '';
  return Object.fromEntries([...body.matchAll(/data-(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]));
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fuselage-test'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('the page in a browser', () => {
  it.each([500, 1_200])('of %i pixels: nothing sticks out, every row and request is there', async (width) => {
    expect(await measure(width)).toEqual({ overflow: '0', rows: '2', bars: '2', widest: 'true', verdict: 'REGRESSED: fuse: two patches' });
  });
});
