// SPDX-License-Identifier: GPL-2.0-only
import { writeFile } from 'node:fs/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import picomatch from 'picomatch';
import { readConfig } from '../nightly/config.ts';
import { rowTrends, trendsSince } from '../nightly/trends.ts';
import { renderNightlyPage } from '../report/nightly/page.ts';
import { renderRowTrends, renderTrends } from '../report/nightly/trends.ts';
import { openHistory } from './nightly.ts';
import { jsonOption } from './options.ts';
import { inSession, print } from './session.ts';

interface HistoryOptions {
  readonly history?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** "30d" before now, or a date. */
const moment = (text: string): string => {
  const [, days] = /^(\d+)d$/.exec(text) ?? [];
  const time = days === undefined ? Date.parse(text) : Date.now() - Number(days) * 86_400_000;
  if (Number.isNaN(time)) throw new InvalidArgumentError('give a date such as 2026-11-01, or a number of days such as 30d');
  return new Date(time).toISOString();
};

const addHistoryOptions = (command: Command): Command =>
  command.option('--config <file>', 'the configuration of the nights, which says where their history is').option('--history <file>', 'SQLite file of the nights').addOption(jsonOption());

export function addHistory(program: Command): void {
  addHistoryOptions(program.command('history').description('how a case went, night by night: rates, first seen, last seen').argument('<case>', 'AREA/NAME, or AREA/NAME/SUBTEST with globs')).action(
    async (pattern: string, options: HistoryOptions) => {
      await inSession(async ({ context }) => {
        const history = openHistory(context, options.config === undefined ? undefined : await readConfig(options.config), options);
        try {
          const [area = '', name = '', ...subtest] = pattern.split('/');
          const matches = subtest.length === 0 ? () => true : picomatch(subtest.join('/'), { bash: true });
          const rows = rowTrends(history.entries({ name: `${area}/${name}` })).filter((row) => matches(row.subtest));
          print(options.json, rows, renderRowTrends(rows));
          return rows.length === 0 ? 2 : 0;
        } finally {
          history.close();
        }
      });
    },
  );
}

export function addReport(program: Command): void {
  addHistoryOptions(program.command('report').description('what failed in the nights since a day, and how counters went'))
    .addOption(new Option('--since <when>', 'a date, or a number of days such as 30d').argParser(moment).default(moment('30d'), '30d'))
    .option('--html <file>', 'write it as a page as well')
    .action(async (options: HistoryOptions & { readonly since: string; readonly html?: string }) => {
      await inSession(async ({ context }) => {
        const history = openHistory(context, options.config === undefined ? undefined : await readConfig(options.config), options);
        try {
          const trends = trendsSince(history, options.since);
          print(options.json, trends, renderTrends(trends));
          if (options.html !== undefined) await writeFile(options.html, renderNightlyPage({ trends }));
          return 0;
        } finally {
          history.close();
        }
      });
    });
}
