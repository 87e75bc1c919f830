// SPDX-License-Identifier: GPL-2.0-only

/** One row over the nights: how it went, and since when it is as it is. */
export interface RowTrend {
  readonly cell: string;
  readonly name: string;
  /** "" for the case as a whole. */
  readonly subtest: string;
  readonly runs: number;
  readonly failed: number;
  /** Bounds of the true failure rate, 95 % between them. */
  readonly low: number;
  readonly high: number;
  /** The nights of its first and last failure; absent of a row that never failed. */
  readonly firstSeen?: Seen;
  readonly lastSeen?: Seen;
  /** The newest last; true for a failure. */
  readonly recent: readonly boolean[];
}

export interface Seen {
  readonly night: number;
  readonly startedAt: string;
  readonly commit?: { readonly id: string; readonly title: string };
}

/** One counter of a case over the nights, the newest last. */
export interface CounterTrend {
  readonly cell: string;
  readonly name: string;
  readonly counter: string;
  readonly points: readonly { readonly night: number; readonly value: number }[];
}

export interface Trends {
  readonly since: string;
  readonly nights: number;
  /** Those that failed at least once, the latest failure first. */
  readonly rows: readonly RowTrend[];
  readonly counters: readonly CounterTrend[];
}
