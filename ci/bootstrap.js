#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
// Runs before any package is there, so it uses none: installs the npm packages, then hands over.
// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [task = 'start', ...rest] = process.argv.slice(2);
const bin = (/** @type {string} */ name) => join(root, 'node_modules/.bin', name);
const fuselage = join(root, 'harness/cli/fuselage.js');

/** @type {Record<string, string[][]>} */
const TASKS = {
  start: [[fuselage, 'start', ...rest]],
  test: [
    [fuselage, 'setup'],
    [bin('tsc'), '--noEmit'],
    [bin('eslint'), '--config', 'ci/eslint.config.js', '.'],
    [bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'harness', 'cases', 'ci'],
    // Tests build it too; here one can watch it.
    [fuselage, 'build', '--tree', '6.12'],
    [bin('vitest'), 'run', '--config', 'ci/vitest.config.ts', '--root', '.', ...rest],
  ],
  bench: [[bin('tsx'), join(root, 'ci/bench.ts'), ...rest]],
  throughput: [[bin('tsx'), join(root, 'ci/throughput.ts'), ...rest]],
};

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`fuselage: Node.js ${process.versions.node} is too old; install 20.19 or newer`);
  process.exit(2);
}
const commands = TASKS[task];
if (commands === undefined) {
  console.error(`fuselage: no task ${task}; use one of ${Object.keys(TASKS).join(', ')}`);
  process.exit(2);
}

installPackages();
for (const command of commands) {
  const code = await run(command);
  if (code !== 0) process.exit(code);
}

/** npm ci, unless what is installed was installed from this very lock file. */
function installPackages() {
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
  // Written last: an installation that was interrupted has no stamp and is done again.
  const stamp = join(root, 'node_modules/.fuselage-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('installing npm packages ...');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (npm.status !== 0) {
    console.error('fuselage: npm ci failed; check the network and run again');
    process.exit(3);
  }
  writeFileSync(stamp, lock);
}

/**
 * The terminal sends Ctrl-C to the child as well, which ends its work in order: we only wait for it.
 * @param {string[]} command
 * @returns {Promise<number>}
 */
function run([file = '', ...args]) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: 'inherit' });
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGHUP'])) process.on(signal, () => undefined);
    process.once('SIGTERM', () => child.kill('SIGTERM'));
    child.once('error', (error) => {
      console.error(`fuselage: can not start ${file}: ${error.message}`);
      resolve(3);
    });
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 3)));
  });
}
