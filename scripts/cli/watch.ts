import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Io } from './command.ts';
import { MAX_POLICY_BYTES } from '../policy/check/plain.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import { watchFile } from '../file/watchFile.ts';

/** A save is over when two readings so far apart are alike. */
const SETTLE_MS = 50;
/** Files that change for longer than this many readings are taken as they are. */
const MOST_READINGS = 20;
/** Some editors take the file away while they save: it has to be gone for this many readings. */
const GONE_READINGS = 8;

const CLEAR = '\u001b[2J\u001b[3J\u001b[H';

/** Does the work now and whenever the content of a file has changed, until the user stops it. */
export async function againAndAgain(files: readonly string[], io: Io, work: () => Promise<void>): Promise<void> {
  const { signal } = io;
  const bell = new Bell();
  signal.addEventListener('abort', () => bell.ring());
  const unwatch = files.map((file) => watchFile(resolve(file), () => bell.ring()));
  try {
    let seen = await contentsOf(files);
    if (io.isTerminal) io.err(CLEAR);
    await work();
    io.err(`watching ${files.length === 1 ? files[0] : `${files.length} files`}; Ctrl-C ends\n`);
    while (!signal.aborted) {
      await bell.heard();
      const now = signal.aborted ? seen : await settled(files, seen, signal);
      const changed = files.filter((_, at) => now[at] !== seen[at]);
      if (signal.aborted || changed.length === 0) continue;
      seen = now;
      io.err(`${io.isTerminal ? CLEAR : '\n'}${changed.join(', ')} changed:\n`);
      await work();
    }
  } finally {
    for (const end of unwatch) end();
  }
}

/** Events that came while nobody listened are heard once. */
class Bell {
  #isDue = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#isDue = true;
    this.#wake?.();
  }

  async heard(): Promise<void> {
    if (!this.#isDue) await new Promise<void>((wake) => (this.#wake = wake));
    this.#isDue = false;
    this.#wake = null;
  }
}

/** What each file holds, to be compared: a digest, or why it cannot be read. */
type Contents = readonly string[];

async function settled(files: readonly string[], seen: Contents, signal: AbortSignal): Promise<Contents> {
  let last = await contentsOf(files);
  for (let reading = 1; reading < MOST_READINGS; reading++) {
    if (isSame(last, seen)) return last;
    await sleep(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    const next = await contentsOf(files);
    const isJustGone = reading < GONE_READINGS && next.some((one, at) => one === GONE && seen[at] !== GONE);
    if (signal.aborted || (isSame(next, last) && !isJustGone)) return next;
    last = next;
  }
  return last;
}

function isSame(one: Contents, other: Contents): boolean {
  return one.every((content, at) => content === other[at]);
}

const GONE = 'gone';

function contentsOf(files: readonly string[]): Promise<Contents> {
  return Promise.all(
    files.map(async (file) => {
      try {
        return createHash('sha256')
          .update(await readBounded(file, MAX_POLICY_BYTES))
          .digest('hex');
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        return error.code === 'ENOENT' ? GONE : error.message;
      }
    }),
  );
}
