// SPDX-License-Identifier: GPL-2.0-only
import type { Nightly } from '../../results/nightly.ts';
import { renderJunit } from '../junit.ts';
import { renderKtap } from '../ktap.ts';
import { combined } from './combined.ts';
import { renderKcidb } from './kcidb.ts';
import { renderNightlyPage } from './page.ts';
import { renderAnnotations, renderNightly, renderNightlyMail } from './text.ts';

/** Every form of a night, made from its document and from nothing else. */
export const NIGHTLY_REPORTS = {
  terminal: renderNightly,
  json: (night: Nightly) => `${JSON.stringify(night, undefined, 2)}\n`,
  junit: (night: Nightly) => renderJunit(combined(night)),
  ktap: (night: Nightly) => renderKtap(combined(night)),
  kcidb: renderKcidb,
  mail: renderNightlyMail,
  github: renderAnnotations,
  html: (night: Nightly) => renderNightlyPage({ night }),
} as const satisfies Readonly<Record<string, (night: Nightly) => string>>;

export type NightlyFormat = keyof typeof NIGHTLY_REPORTS;
