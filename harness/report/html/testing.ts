// SPDX-License-Identifier: GPL-2.0-only
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../../host/command.ts';

/** A browser is needed by tests of pages alone: it is installed here, and not by those who use the program. */
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

/**
 * A page as a browser of this width has laid it out.
 * @param script calls set(name, value) for what is wanted
 * @returns what was set, and `overflow`: pixels that stick out
 */
export async function laidOut(page: string, width: number, script: string, directory: string): Promise<Record<string, string>> {
  const probe = `<script>
    const set = (name, value) => { document.body.dataset[name] = String(value); };
    set('overflow', document.documentElement.scrollWidth - document.documentElement.clientWidth);
    ${script}
  </script></body>`;
  const file = join(directory, 'page.html');
  writeFileSync(file, page.replace('</body>', probe));
  const { stdout } = await attempt([await chromium(), '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${join(directory, 'profile')}`, `--window-size=${width},900`, '--dump-dom', `file://${file}`]);
  const body = /<body[^>]*>/.exec(stdout)?.[0] ?? '';
  return Object.fromEntries([...body.matchAll(/data-(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]));
}
