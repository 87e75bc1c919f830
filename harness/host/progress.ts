// SPDX-License-Identifier: GPL-2.0-only

/** What the engine says while it works. Every display is a listener; the engine never prints. */
export type ProgressEvent =
  | { readonly type: 'begin'; readonly step: number; readonly title: string }
  | {
      readonly type: 'advance';
      readonly step: number;
      /** 0 to 1, where it is known how far it is. */
      readonly fraction?: number;
      readonly remainingSeconds?: number;
      readonly note?: string;
    }
  | { readonly type: 'end'; readonly step: number; readonly title: string; readonly seconds: number; readonly note?: string }
  | { readonly type: 'failed'; readonly step: number; readonly title: string }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string };

export type Emit = (event: ProgressEvent) => void;

export interface Step {
  advance(state: { readonly fraction?: number; readonly remainingSeconds?: number; readonly note?: string }): void;
  /** Shown beside the title when the step has ended. */
  conclude(note: string): void;
}

let steps = 0;

/** Runs one step of work and reports its begin, its progress and its end. */
export async function withStep<T>(emit: Emit, title: string, work: (step: Step) => Promise<T>): Promise<T> {
  const step = ++steps;
  const startedMilliseconds = performance.now();
  let conclusion: string | undefined;
  emit({ type: 'begin', step, title });
  try {
    const result = await work({
      advance: (state) => {
        emit({ type: 'advance', step, ...state });
      },
      conclude: (note) => {
        conclusion = note;
      },
    });
    const seconds = (performance.now() - startedMilliseconds) / 1_000;
    emit({ type: 'end', step, title, seconds, ...(conclusion === undefined ? {} : { note: conclusion }) });
    return result;
  } catch (error) {
    emit({ type: 'failed', step, title });
    throw error;
  }
}
