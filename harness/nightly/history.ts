// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { z } from 'zod';
import { InfrastructureError, InputError } from '../host/errors.ts';
import type { CellResult, Issue } from '../results/nightly.ts';
import { BAD, type Status } from '../results/schema.ts';

/**
 * What nights found, in an SQLite file. A night is a row; a cell of it is written in one transaction with all its rows,
 * so that a program that is killed, a machine that is switched off or a second writer leave whole cells or none. Order is
 * that of the rows' numbers: a clock that is put back changes nothing. docs/nightly.md documents the tables.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE nights (id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, command TEXT NOT NULL) STRICT;
   CREATE TABLE cells (
     id INTEGER PRIMARY KEY AUTOINCREMENT, night INTEGER NOT NULL REFERENCES nights (id) ON DELETE CASCADE,
     cell TEXT NOT NULL, fingerprint TEXT NOT NULL, commit_id TEXT, commit_title TEXT,
     outcome TEXT NOT NULL CHECK (outcome IN ('green', 'red', 'no-verdict')), reason TEXT,
     started_at TEXT NOT NULL, seconds REAL NOT NULL, rows INTEGER NOT NULL) STRICT;
   CREATE INDEX cells_by_cell ON cells (cell, id);
   CREATE TABLE rows (
     cell INTEGER NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
     name TEXT NOT NULL, subtest TEXT NOT NULL, status TEXT NOT NULL, reason TEXT) STRICT;
   CREATE INDEX rows_by_cell ON rows (cell);
   CREATE INDEX rows_by_name ON rows (name, subtest);`,
  `CREATE TABLE counters (
     cell INTEGER NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
     name TEXT NOT NULL, counter TEXT NOT NULL, value REAL NOT NULL) STRICT;
   CREATE INDEX counters_by_cell ON counters (cell);`,
];

/** Of a cell's last green night. */
export interface LastGood {
  readonly fingerprint: string;
  readonly startedAt: string;
  readonly commit?: { readonly id: string; readonly title: string } | undefined;
}

/** A cell's past, as plain data: it travels to whichever machine judges the cell. */
export interface Memory {
  readonly lastGood?: LastGood | undefined;
  /** Of what was green the last time it was judged. */
  readonly greenFingerprint?: string | undefined;
  /** Rows that failed the last time they were seen, and since when. */
  readonly failing: readonly { readonly name: string; readonly subtest: string; readonly since: NonNullable<Issue['since']> }[];
}

const isFailure = (status: Status): boolean => BAD.has(status) || status === 'not-exercised';

/** One row as it was in one night. */
export interface Entry {
  readonly night: number;
  readonly startedAt: string;
  readonly cell: string;
  readonly name: string;
  /** "" for the case as a whole. */
  readonly subtest: string;
  readonly status: Status;
  readonly commit?: { readonly id: string; readonly title: string };
}

export interface CounterEntry {
  readonly night: number;
  readonly cell: string;
  readonly name: string;
  readonly counter: string;
  readonly value: number;
}

const cellRowSchema = z.object({ fingerprint: z.string(), started_at: z.string(), commit_id: z.string().nullable(), commit_title: z.string().nullable() });
const entrySchema = z.object({ night: z.number(), started_at: z.string(), cell: z.string(), name: z.string(), subtest: z.string(), status: z.string(), commit_id: z.string().nullable(), commit_title: z.string().nullable() });

const commitOf = (row: { readonly commit_id: string | null; readonly commit_title: string | null }) => (row.commit_id === null ? {} : { commit: { id: row.commit_id, title: row.commit_title ?? '' } });

export class History {
  private constructor(
    private readonly database: Database.Database,
    readonly path: string,
  ) {}

  /** Opens the file, or makes it, and brings it to this version's tables. @throws InputError where it is newer, or no history */
  static open(path: string): History {
    mkdirSync(dirname(path), { recursive: true });
    let database: Database.Database;
    try {
      database = new Database(path, { timeout: 30_000 });
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 30000;');
      migrate(database, path);
    } catch (cause) {
      if (cause instanceof InputError) throw cause;
      throw new InputError('nightly.history', `${path} is no history: ${cause instanceof Error ? cause.message : String(cause)}`, { hint: 'move it away, or give another one', cause });
    }
    return new History(database, path);
  }

  close(): void {
    this.database.close();
  }

  beginNight(startedAt: string, command: string): number {
    return this.#write(() => Number(this.database.prepare('INSERT INTO nights (started_at, command) VALUES (?, ?)').run(startedAt, command).lastInsertRowid));
  }

  /** Whole or not at all. What did not run is not recorded: the night it ran is. */
  record(night: number, { cell, fingerprint, commit, outcome, reason, startedAt, seconds, results }: CellResult): void {
    if (outcome === 'unchanged') return;
    const cases = results?.cases ?? [];
    const rows = cases.flatMap((one) => [{ name: one.name, subtest: '', status: one.status, reason: one.reason }, ...one.subtests.map((subtest) => ({ name: one.name, subtest: subtest.name, status: subtest.status, reason: subtest.reason }))]);
    const counters = cases.flatMap((one) => Object.entries(one.counters).filter(([counter]) => one.wire?.[counter] !== undefined).map(([counter, value]) => ({ name: one.name, counter, value })));
    this.#write(() => {
      const { lastInsertRowid } = this.database
        .prepare('INSERT INTO cells (night, cell, fingerprint, commit_id, commit_title, outcome, reason, started_at, seconds, rows) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
        .run(night, cell.id, fingerprint, commit?.id ?? null, commit?.title ?? null, outcome, reason ?? null, startedAt, seconds, rows.length);
      const row = this.database.prepare('INSERT INTO rows (cell, name, subtest, status, reason) VALUES (?, ?, ?, ?, ?)');
      for (const { name, subtest, status, reason: why } of rows) row.run(lastInsertRowid, name, subtest, status, why ?? null);
      const counted = this.database.prepare('INSERT INTO counters (cell, name, counter, value) VALUES (?, ?, ?, ?)');
      for (const { name, counter, value } of counters) counted.run(lastInsertRowid, name, counter, value);
    });
  }

  lastGood(cell: string): LastGood | undefined {
    return this.#cell("SELECT fingerprint, started_at, commit_id, commit_title FROM cells WHERE cell = ? AND outcome = 'green' ORDER BY id DESC LIMIT 1", cell);
  }

  /** Whether it was green the last time it was judged. */
  greenFingerprint(cell: string): string | undefined {
    return this.#cell("SELECT fingerprint, started_at, commit_id, commit_title FROM (SELECT * FROM cells WHERE cell = ? AND outcome <> 'no-verdict' ORDER BY id DESC LIMIT 1) WHERE outcome = 'green'", cell)?.fingerprint;
  }

  /** The middle one of the last five durations, in seconds. */
  seconds(cell: string): number | undefined {
    const found = z.array(z.object({ seconds: z.number() })).parse(this.database.prepare("SELECT seconds FROM cells WHERE cell = ? AND outcome <> 'no-verdict' ORDER BY id DESC LIMIT 5").all(cell));
    return found.map(({ seconds }) => seconds).sort((a, b) => a - b)[Math.floor(found.length / 2)];
  }

  /** All that is known of a row or of a case, the oldest first. */
  entries({ name, cell, since }: { readonly name?: string; readonly cell?: string; readonly since?: string } = {}): Entry[] {
    const rows = this.database
      .prepare(
        `SELECT cells.night, cells.started_at, cells.cell, rows.name, rows.subtest, rows.status, cells.commit_id, cells.commit_title FROM rows JOIN cells ON cells.id = rows.cell
         WHERE (? IS NULL OR rows.name = ?) AND (? IS NULL OR cells.cell = ?) AND cells.started_at >= ? ORDER BY cells.id, rows.rowid`,
      )
      .all(name ?? null, name ?? null, cell ?? null, cell ?? null, since ?? '');
    return z.array(entrySchema).parse(rows).map((row) => ({ night: row.night, startedAt: row.started_at, cell: row.cell, name: row.name, subtest: row.subtest, status: row.status as Status, ...commitOf(row) }));
  }

  counters({ since }: { readonly since?: string } = {}): CounterEntry[] {
    const rows = this.database.prepare('SELECT cells.night, cells.cell, counters.name, counters.counter, counters.value FROM counters JOIN cells ON cells.id = counters.cell WHERE cells.started_at >= ? ORDER BY cells.id').all(since ?? '');
    return z.array(z.object({ night: z.number(), cell: z.string(), name: z.string(), counter: z.string(), value: z.number() })).parse(rows);
  }

  /** What whoever judges a cell has to know of the nights before. */
  memoryOf(cell: string): Memory {
    const failing = new Map<string, Memory['failing'][number]>();
    for (const { name, subtest, status, night, startedAt, commit } of this.entries({ cell })) {
      const key = `${name}\0${subtest}`;
      // The first of a row of failures is the one that counts.
      if (!isFailure(status)) failing.delete(key);
      else if (!failing.has(key)) failing.set(key, { name, subtest, since: { night, startedAt, ...(commit === undefined ? {} : { commit }) } });
    }
    const [lastGood, greenFingerprint] = [this.lastGood(cell), this.greenFingerprint(cell)];
    return { failing: [...failing.values()], ...(lastGood === undefined ? {} : { lastGood }), ...(greenFingerprint === undefined ? {} : { greenFingerprint }) };
  }

  /** Forgets what is older than so many days before the newest night; the last green night of each cell stays. @returns cells that were forgotten */
  prune(days: number): number {
    return this.#write(() => {
      const { changes } = this.database
        .prepare(
          `DELETE FROM cells WHERE julianday(started_at) < (SELECT max(julianday(started_at)) FROM cells) - ?
           AND id NOT IN (SELECT max(id) FROM cells WHERE outcome = 'green' GROUP BY cell)`,
        )
        .run(days);
      this.database.exec('DELETE FROM nights WHERE id NOT IN (SELECT night FROM cells) AND id < (SELECT max(id) FROM nights)');
      return changes;
    });
  }

  /** Problems of the file itself, and cells that lack rows; none in a sound one. */
  problems(): string[] {
    const integrity = z.array(z.object({ integrity_check: z.string() })).parse(this.database.prepare('PRAGMA integrity_check').all());
    const torn = z.array(z.object({ id: z.number() })).parse(this.database.prepare('SELECT id FROM cells WHERE rows <> (SELECT count(*) FROM rows WHERE rows.cell = cells.id)').all());
    return [...integrity.map((row) => row.integrity_check).filter((text) => text !== 'ok'), ...torn.map(({ id }) => `cell ${id} lacks rows`)];
  }

  #cell(sql: string, cell: string): LastGood | undefined {
    const row: unknown = this.database.prepare(sql).get(cell);
    if (row === undefined || row === null) return undefined;
    const found = cellRowSchema.parse(row);
    return { fingerprint: found.fingerprint, startedAt: found.started_at, ...commitOf(found) };
  }

  /** @throws InfrastructureError where the disk is full or another writer does not let go */
  #write<T>(work: () => T): T {
    try {
      this.database.exec('BEGIN IMMEDIATE');
      const result = work();
      this.database.exec('COMMIT');
      return result;
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      try {
        this.database.exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself.
      }
      if (/full|I\/O/i.test(text)) throw new InfrastructureError('disk.full', `the disk of ${this.path} is full or broken (${text})`, { hint: 'free some space; the history is whole, and the cell runs again next night', cause });
      throw new InfrastructureError('nightly.history', `can not write to ${this.path}: ${text}`, { hint: 'is another night holding it?', cause });
    }
  }
}

function migrate(database: Database.Database, path: string): void {
  const version = (): number => z.object({ user_version: z.number() }).parse(database.prepare('PRAGMA user_version').get()).user_version;
  if (version() > MIGRATIONS.length)
    throw new InputError('nightly.history', `${path} was written by a newer Fuselage (tables of version ${version()}, this one knows ${MIGRATIONS.length})`, { hint: 'update, or give another --history' });
  database
    .transaction(() => {
      // Asked again, for another process may have been first.
      for (const [index, sql] of MIGRATIONS.entries()) if (index >= version()) database.exec(`${sql} PRAGMA user_version = ${index + 1};`);
    })
    .immediate();
}
