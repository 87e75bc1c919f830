// SPDX-License-Identifier: GPL-2.0-only
import ora, { type Ora } from 'ora';
import pc from 'picocolors';
import type { Emit, ProgressEvent } from '../host/progress.ts';

/** How often a step says how far it is where there is no terminal to redraw. */
const PLAIN_INTERVAL_MILLISECONDS = 15_000;

/** Shows progress on stderr: a redrawn line on a terminal, plain lines elsewhere. */
export class ProgressDisplay {
  readonly #titles = new Map<number, string>();
  readonly #saidAt = new Map<number, number>();
  readonly #spinner: Ora | undefined;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {
    // A terminal without a width (a pseudo-terminal that nobody has sized) can not be redrawn: every line
    // would count as infinitely many.
    this.#spinner = stream.isTTY && stream.columns > 0 ? ora({ stream, discardStdin: false }) : undefined;
  }

  readonly emit: Emit = (event) => {
    switch (event.type) {
      case 'begin':
        this.#titles.set(event.step, event.title);
        this.#saidAt.set(event.step, performance.now());
        if (this.#spinner === undefined) this.#plain(`${event.title} ...`);
        else this.#spinner.start(event.title);
        break;
      case 'advance':
        this.#advance(event);
        break;
      case 'end':
        this.#forget(event.step);
        this.line(`${pc.green('done')}  ${event.title}${event.note === undefined ? '' : `: ${event.note}`} ${pc.dim(`(${event.seconds.toFixed(1)} s)`)}`);
        break;
      case 'failed':
        this.#forget(event.step);
        this.line(`${pc.red('failed')} ${event.title}`);
        break;
      case 'note':
        this.line(event.text);
        break;
      case 'warning':
        this.line(`${pc.yellow('warning')} ${event.text}`);
        break;
    }
  };

  /** Prints a line above whatever is being redrawn. */
  line(text: string): void {
    const spinning = this.#spinner?.isSpinning === true;
    this.#spinner?.stop();
    this.stream.write(`${text}\n`);
    if (spinning && this.#titles.size > 0) this.#spinner.start();
  }

  stop(): void {
    this.#spinner?.stop();
  }

  #advance(event: Extract<ProgressEvent, { type: 'advance' }>): void {
    const title = this.#titles.get(event.step);
    if (title === undefined) return;
    const percent = event.fraction === undefined ? '' : ` ${(event.fraction * 100).toFixed(0)} %`;
    const left = event.remainingSeconds === undefined ? '' : `, about ${duration(event.remainingSeconds)} left`;
    const text = `${title}${percent}${left}`;
    if (this.#spinner !== undefined) {
      const note = event.note === undefined ? '' : pc.dim(` ${event.note.slice(0, Math.max(0, (this.stream.columns || 80) - text.length - 6))}`);
      this.#spinner.text = `${text}${note}`;
    } else if (performance.now() - (this.#saidAt.get(event.step) ?? 0) > PLAIN_INTERVAL_MILLISECONDS) {
      this.#saidAt.set(event.step, performance.now());
      this.#plain(text);
    }
  }

  #forget(step: number): void {
    this.#titles.delete(step);
    this.#saidAt.delete(step);
    if (this.#titles.size === 0) this.#spinner?.stop();
  }

  #plain(text: string): void {
    this.stream.write(`${text}\n`);
  }
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
