import type { Guidance } from '../../policyFile/change.ts';
import type { Io } from '../command.ts';

/** Commands that finish sooner print nothing. */
const PATIENCE_MS = 2000;
/** Without a terminal, at most one line in this time. */
const PAUSE_MS = 10_000;
/** Steps on this many bytes take seconds, during which nothing can be printed; they are announced at once. */
const SLOW_BYTES = 4 * 1024 * 1024;

/**
 * Progress of a long command on standard error: on a terminal one line that is overwritten and removed at the end, otherwise
 * a line now and then.
 */
export class StepLine {
  readonly #begunMs: number;
  #saidMs = -Infinity;
  #isShown = false;

  constructor(
    private readonly io: Io,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#begunMs = nowMs();
  }

  /** `bytes`: the size of a step that cannot report anything until it is done. */
  say(words: string, bytes = 0): void {
    const now = this.nowMs();
    if (now - this.#begunMs < PATIENCE_MS && bytes < SLOW_BYTES) return;
    if (this.io.isTerminal) this.io.err(`\r\u001b[K${words} …`);
    else if (now - this.#saidMs >= PAUSE_MS) this.io.err(`${words} …\n`);
    else return;
    this.#saidMs = now;
    this.#isShown = this.io.isTerminal;
  }

  /** Reports the steps of an edit of a file, until the user stops it. */
  guidance(file: string): Required<Guidance> {
    return {
      signal: this.io.signal,
      onStep: (step, bytes) => this.say(`${file}: ${step} (${megabytes(bytes)})`, bytes),
    };
  }

  /** Removes the line. */
  end(): void {
    if (this.#isShown) this.io.err('\r\u001b[K');
    this.#isShown = false;
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
