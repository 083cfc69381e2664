import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EnvoyError } from './error.ts';
import { policyText } from '../file/openPolicy.ts';
import { watchFile } from '../file/watchFile.ts';
import { PolicyProblems } from '../policy/index.ts';

/** A save in place is over when two readings this far apart agree. */
const SETTLE_MS = 30;
/** A file that changes for longer than this many readings is taken as it is. */
const MOST_READINGS = 20;
/** Some editors take the file away for a moment while they save. */
const GONE_MS = 2000;

interface Followed {
  readonly file: string;
  /** Puts content in force; throws when it cannot. PolicyProblems and EnvoyError are final, another error is tried again. */
  take(text: string): Promise<void>;
  /** Called once for every text that is refused, and once when the file is gone or cannot be read. */
  say(text: string): void;
}

/** Follows a file: whatever is saved, and however, the newest text is taken in the end, one after the other. */
export class Follower {
  /**
   * What was read last, taken or refused, as text or as the reason why there is none: each is reported once. Null: try
   * again.
   */
  private seen: string | null;
  private said = '';
  private goneSinceMs: number | null = null;
  private queue: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | null = null;
  private unwatch: (() => void) | null = null;

  constructor(
    private readonly followed: Followed,
    text: string,
  ) {
    this.seen = text;
  }

  start(): void {
    this.unwatch = watchFile(resolve(this.followed.file), () => void this.look());
    // for what was saved before the watch began
    void this.look();
  }

  /** Reads the file, and takes its text if that is new. Never rejects. */
  look(): Promise<void> {
    if (this.waiting !== null) return this.waiting;
    const next = this.queue.then(() => {
      this.waiting = null;
      return this.read();
    });
    this.waiting = next;
    this.queue = next;
    return next;
  }

  async stop(): Promise<void> {
    this.unwatch?.();
    await this.queue;
  }

  private async read(): Promise<void> {
    const content = await settled(this.followed.file, this.seen);
    if (content.text === null && !(await isThere(this.followed.file))) return this.miss();
    this.goneSinceMs = null;
    const found = content.text ?? content.refusal.message;
    if (found === this.seen) return;
    this.seen = found;
    try {
      if (content.text === null) throw content.refusal;
      await this.followed.take(content.text);
      this.said = '';
    } catch (error) {
      this.refuse(error);
    }
  }

  private refuse(error: unknown): void {
    const { message } = error as Error;
    if (!isFinal(error)) this.seen = null;
    if (isFinal(error) || message !== this.said)
      this.followed.say(`edit refused, the old policy keeps serving:\n${message}`);
    this.said = message;
  }

  private miss(): void {
    const nowMs = performance.now();
    this.goneSinceMs ??= nowMs;
    if (nowMs - this.goneSinceMs < GONE_MS) return;
    this.goneSinceMs = Infinity;
    this.followed.say(`${this.followed.file} is gone; the policy in force keeps serving`);
  }
}

type Content =
  { readonly text: string; readonly refusal?: undefined } | { readonly text: null; readonly refusal: PolicyProblems };

/** What the file holds; when that is not `known`, once it does not change any more. */
async function settled(file: string, known: string | null): Promise<Content> {
  let last = await contentOf(file);
  if (last.text === known) return last;
  for (let reading = 1; reading < MOST_READINGS; reading++) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const next = await contentOf(file);
    if (next.text === last.text && next.refusal?.message === last.refusal?.message) return next;
    last = next;
  }
  return last;
}

async function contentOf(file: string): Promise<Content> {
  try {
    return { text: await policyText(file) };
  } catch (error) {
    if (error instanceof PolicyProblems) return { text: null, refusal: error };
    throw error;
  }
}

/** True for content that the next attempt would refuse too. */
function isFinal(error: unknown): boolean {
  return error instanceof EnvoyError || error instanceof PolicyProblems;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
