// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../host/paths.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import type { CellResult } from '../results/nightly.ts';
import { History } from './history.ts';
import { caseResult, cellNamed, judged, resultsOf } from './testing.ts';
import { rowTrends, trendsSince } from './trends.ts';

const scope = new Scope();
let directory: string;
let count = 0;
beforeAll(async () => {
  directory = await temporaryDirectory(scope, 'test-history');
});
afterAll(() => scope.end());

const fresh = () => join(directory, `${count++}.sqlite`);

async function withHistory<T>(path: string, work: (history: History) => T | Promise<T>): Promise<T> {
  const history = History.open(path);
  try {
    return await work(history);
  } finally {
    history.close();
  }
}

const cell = cellNamed('dax');
const day = (number: number): string => new Date(Date.UTC(2026, 0, number)).toISOString();

/** A night a day: '.' green, 'x' red, '!' without a verdict. */
function nights(history: History, outcomes: string, more: (index: number) => Partial<CellResult> = () => ({})): void {
  for (const [index, mark] of outcomes.split('').entries()) {
    const night = history.beginNight(day(index + 1), 'fuselage nightly');
    history.record(night, judged(cell, mark === '.' ? 'green' : mark === 'x' ? 'red' : 'no-verdict', { startedAt: day(index + 1), commit: { id: String(index + 1).padStart(40, '0'), title: `commit ${index + 1}` }, ...more(index) }));
  }
}

describe('the history', () => {
  it('tells whoever judges a cell when it was good, and since when rows fail', async () => {
    await withHistory(fresh(), (history) => {
      expect(history.memoryOf(cell.id)).toEqual({ failing: [] });
      nights(history, '.x.xx!');
      expect(history.memoryOf(cell.id)).toEqual({
        lastGood: { fingerprint: `fingerprint of ${cell.id}`, startedAt: day(3), commit: { id: '3'.padStart(40, '0'), title: 'commit 3' } },
        failing: ['', 'a rename'].map((subtest) => ({ name: 'dax-reclaim/gate', subtest, since: { night: 4, startedAt: day(4), commit: { id: '4'.padStart(40, '0'), title: 'commit 4' } } })),
      });
      nights(history, '.');
      expect(history.memoryOf(cell.id)).toMatchObject({ greenFingerprint: `fingerprint of ${cell.id}`, failing: [] });
    });
  });

  it('does not record what did not run, and a night without a verdict hides no green one', async () => {
    await withHistory(fresh(), (history) => {
      nights(history, '.!');
      history.record(3, judged(cell, 'unchanged'));
      expect(history.greenFingerprint(cell.id)).toBe(`fingerprint of ${cell.id}`);
      expect(history.entries({ cell: cell.id })).toHaveLength(3);
    });
  });

  it('knows how long a cell takes: the middle of the last five', async () => {
    await withHistory(fresh(), (history) => {
      expect(history.seconds(cell.id)).toBeUndefined();
      nights(history, '.......!', (index) => ({ seconds: [1, 1, 30, 10, 50, 20, 40, 999][index] ?? 0 }));
      expect(history.seconds(cell.id)).toBe(30);
    });
  });

  it('gives trends: rates, first and last seen, and counters night by night', async () => {
    await withHistory(fresh(), (history) => {
      nights(history, '..x.x.');
      const trends = trendsSince(history, day(1));
      expect(trends).toMatchObject({ nights: 6, rows: [{ subtest: '', failed: 2, runs: 6 }, { subtest: 'a rename', failed: 2, runs: 6, firstSeen: { night: 3 }, lastSeen: { night: 5 }, recent: [false, false, true, false, true, false] }] });
      expect(trends.counters).toEqual([{ cell: cell.id, name: 'dax-reclaim/gate', counter: 'accesses that waited', points: [2, 2, 3, 2, 3, 2].map((value, index) => ({ night: index + 1, value })) }]);
      expect(rowTrends(history.entries({ name: 'dax-reclaim/gate' })).map(({ subtest }) => subtest)).toEqual(['', 'a read of another range', 'a rename']);
      expect(trendsSince(history, day(4))).toMatchObject({ nights: 3 });
    });
  });

  it('a clock that is put back changes nothing: the order is that of the nights', async () => {
    await withHistory(fresh(), (history) => {
      nights(history, '...x', (index) => ({ startedAt: day(30 - index) }));
      expect(history.memoryOf(cell.id).failing).toMatchObject([{ since: { night: 4 } }, { since: { night: 4 } }]);
      expect(history.memoryOf(cell.id).greenFingerprint).toBeUndefined();
    });
  });

  it('forgets what is old, measured by its newest night, and never the last green one', async () => {
    await withHistory(fresh(), (history) => {
      nights(history, '.x....xxxxx');
      expect(history.prune(3)).toBe(6);
      const nightsLeft = [...new Set(history.entries().map(({ night }) => night))];
      expect(nightsLeft).toEqual([6, 8, 9, 10, 11]);
      expect(history.lastGood(cell.id)?.startedAt).toBe(day(6));
      expect(history.problems()).toEqual([]);
      expect(history.prune(3)).toBe(0);
    });
  });
});

describe('the file', () => {
  it('of an older version is brought up to date, and keeps what it has', async () => {
    const path = fresh();
    await withHistory(path, (history) => {
      nights(history, '.');
    });
    const old = new Database(path);
    old.exec('DROP TABLE counters; PRAGMA user_version = 1;');
    old.close();
    await withHistory(path, (history) => {
      expect(history.entries()).toHaveLength(3);
      nights(history, '.');
      expect(history.counters()).toHaveLength(1);
    });
  });

  it('of a newer version is left alone, and so is what is none', async () => {
    const path = fresh();
    const newer = new Database(path);
    newer.exec('PRAGMA user_version = 99;');
    newer.close();
    expect(() => History.open(path)).toThrow(expect.objectContaining({ code: 'nightly.history', exitCode: 2, message: expect.stringContaining('newer Fuselage (tables of version 99') as string }));
    const text = fresh();
    await writeFile(text, 'this is no database, though it is long enough to be taken for one '.repeat(20));
    expect(() => History.open(text)).toThrow(expect.objectContaining({ code: 'nightly.history', exitCode: 2, message: expect.stringContaining('is no history') as string }));
  });
});

/** Writes cells for ever, each with many rows. */
const WRITER = `
import { History } from './harness/nightly/history.ts';
import { caseResult, cellNamed, judged, resultsOf } from './harness/nightly/testing.ts';
const [path, name] = process.argv.slice(-2);
const history = History.open(path);
const results = resultsOf(Array.from({ length: 300 }, (_, index) => caseResult(index % 7 === 0 ? 'fail' : 'pass', { name: 'area/case' + index })));
const night = history.beginNight('2026-01-01T00:00:00.000Z', name);
for (;;) { history.record(night, judged(cellNamed(name), 'green', { results })); process.stdout.write('.'); }
`;

describe('killed while it writes', () => {
  it('two writers, one killed five times: every cell that is there is whole, and none that was told is lost', async () => {
    const path = fresh();
    const program = join(directory, 'writer.mts');
    await writeFile(program, WRITER.replaceAll('./harness/', `${repositoryRoot}/harness/`));
    const start = (name: string) => {
      const child = spawn(process.execPath, [join(repositoryRoot, 'node_modules/tsx/dist/cli.mjs'), program, path, name], { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
      let told = '';
      child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
      const end = async () => {
        // The whole group: tsx starts node.
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        await once(child, 'close');
        return told.length;
      };
      return { end, wrote: () => told.length > 0, done: () => told.length };
    };
    const steady = start('steady');
    let told = 0;
    for (let round = 0; round < 5; round++) {
      const victim = start(`victim`);
      while (!victim.wrote()) await sleep(20);
      await sleep(37 * round); // somewhere else in a transaction each time
      told += await victim.end();
    }
    while (steady.done() < 5) await sleep(20);
    const steadyTold = await steady.end();
    await withHistory(path, (history) => {
      expect(history.problems()).toEqual([]);
      const cells = (suite: string) => history.entries({ cell: cellNamed(suite).id, name: 'area/case1' }).filter(({ subtest }) => subtest === '').length;
      // One more may have been written whose dot was not.
      expect(cells('victim') - told).toBeGreaterThanOrEqual(0);
      expect(cells('victim') - told).toBeLessThanOrEqual(5);
      expect(cells('steady') - steadyTold).toBeGreaterThanOrEqual(0);
      expect(cells('steady') - steadyTold).toBeLessThanOrEqual(1);
    });
  });

  it('on a disk that is full it says so, and what was there stays', async () => {
    const path = fresh();
    await withHistory(path, (history) => {
      nights(history, '.');
    });
    const program = join(directory, 'full.mts');
    await writeFile(program, WRITER.replaceAll('./harness/', `${repositoryRoot}/harness/`).replace("'green', { results })); process.stdout.write('.');", "'green', { results }));"));
    // Files of 200 KiB at most, and no signal for more: as good as a full disk.
    const limited = `trap '' XFSZ; ulimit -f 200; exec "$@"`;
    const child = spawn('bash', ['-c', limited, 'bash', process.execPath, join(repositoryRoot, 'node_modules/tsx/dist/cli.mjs'), program, path, 'full'], { cwd: repositoryRoot, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    expect(said).toMatch(/InfrastructureError: the disk of .* is full or broken/);
    await withHistory(path, (history) => {
      expect(history.problems()).toEqual([]);
      expect(history.greenFingerprint(cell.id)).toBe(`fingerprint of ${cell.id}`);
    });
  });

  it('the check would see a torn cell', async () => {
    const path = fresh();
    await withHistory(path, (history) => {
      history.record(history.beginNight(day(1), 'x'), judged(cell, 'green', { results: resultsOf([caseResult('pass')]) }));
    });
    const raw = new Database(path);
    raw.exec("DELETE FROM rows WHERE subtest = 'a rename'");
    raw.close();
    await withHistory(path, (history) => {
      expect(history.problems()).toEqual(['cell 1 lacks rows']);
    });
  });
});
