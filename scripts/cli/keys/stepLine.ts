import type { Io } from '../command.ts';

/** What is over sooner needs no words. */
const PATIENCE_MS = 2000;
/** Where nobody watches, one line is enough for so long. */
const PAUSE_MS = 10_000;
/** Of so many bytes, a step that cannot say anything meanwhile takes about as long as patience lasts. */
const SLOW_BYTES = 4 * 1024 * 1024;

/**
 * Says on standard error what a long command is doing: on a terminal in one line that is written over and is gone at the end, elsewhere
 * in a line now and then.
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

  /** What is done now, and how many bytes a step is about that says nothing until it is over. */
  say(words: string, bytes = 0): void {
    const now = this.nowMs();
    if (now - this.#begunMs < PATIENCE_MS && bytes < SLOW_BYTES) return;
    if (this.io.isTerminal) this.io.err(`\r\u001b[K${words} …`);
    else if (now - this.#saidMs >= PAUSE_MS) this.io.err(`${words} …\n`);
    else return;
    this.#saidMs = now;
    this.#isShown = this.io.isTerminal;
  }

  /** Takes the line away; what is printed next stands in its place. */
  end(): void {
    if (this.#isShown) this.io.err('\r\u001b[K');
    this.#isShown = false;
  }
}
