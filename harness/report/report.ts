// SPDX-License-Identifier: GPL-2.0-only
import type { Results } from '../results/schema.ts';
import { renderB4 } from './b4.ts';
import { renderHtml } from './html/page.ts';
import { renderJunit } from './junit.ts';
import { renderKtap } from './ktap.ts';
import { renderMail } from './mail.ts';
import { renderTerminal } from './terminal.ts';

/** A report is made from the results and from nothing else. */
export type Render = (results: Results) => string;

export const REPORTS = {
  terminal: renderTerminal,
  ktap: renderKtap,
  json: (results: Results) => `${JSON.stringify(results, undefined, 2)}\n`,
  junit: renderJunit,
  mail: renderMail,
  html: renderHtml,
  b4: renderB4,
} as const satisfies Readonly<Record<string, Render>>;

export type ReportFormat = keyof typeof REPORTS;
export const REPORT_FORMATS = Object.keys(REPORTS) as ReportFormat[];
