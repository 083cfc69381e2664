import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EnvoyError } from './error.ts';
import { type PolicySource, readSource } from '../file/openPolicy.ts';
import { watchFile } from '../file/watchFile.ts';
import { PolicyProblems } from '../policy/index.ts';

/** A save in place is over when two readings this far apart agree. */
const SETTLE_MS = 30;
/** A file that changes for longer than this many readings is taken as it is. */
const MOST_READINGS = 20;
/** Some editors take the file away for a moment while they save. */
const GONE_MS = 2000;

interface Followed {
  /** A file or a folder. */
  readonly file: string;
  /** Puts content in force; throws when it cannot. PolicyProblems and EnvoyError are final, another error is tried again. */
  take(source: PolicySource): Promise<void>;
  /** Called once for every content that is refused, and once when the file is gone or cannot be read. */
  say(text: string): void;
}

/** Follows a policy: whatever is saved, and however, the newest content is taken in the end, one after the other. */
export class Follower {
  /**
   * What was read last, taken or refused, or the reason why there is none: each is reported once. Null: try again.
   */
  private seen: string | null;
  /** The files that were read last. */
  private files: readonly string[];
  private said = '';
  private goneSinceMs: number | null = null;
  private missingSinceMs: number | null = null;
  private queue: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | null = null;
  private unwatch: (() => void) | null = null;

  constructor(
    private readonly followed: Followed,
    source: PolicySource,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.seen = keyOf(source);
    this.files = namesOf(source);
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
    if (content.source === null && !(await isThere(this.followed.file))) return this.miss();
    if (content.source !== null && this.isMissing(content.source)) return;
    this.goneSinceMs = null;
    this.missingSinceMs = null;
    const found = content.source === null ? content.refusal.message : keyOf(content.source);
    if (found === this.seen) return;
    this.seen = found;
    try {
      if (content.source === null) throw content.refusal;
      this.files = namesOf(content.source);
      await this.followed.take(content.source);
      this.said = '';
    } catch (error) {
      this.refuse(error);
    }
  }

  /** True while a file of the folder has been gone for a moment only: without it, its consumers would be refused. */
  private isMissing(source: PolicySource): boolean {
    const names = new Set(namesOf(source));
    if (this.files.every((name) => names.has(name))) return false;
    const nowMs = this.nowMs();
    this.missingSinceMs ??= nowMs;
    return nowMs - this.missingSinceMs < GONE_MS;
  }

  private refuse(error: unknown): void {
    const { message } = error as Error;
    if (!isFinal(error)) this.seen = null;
    if (isFinal(error) || message !== this.said)
      this.followed.say(`edit refused, the old policy keeps serving:\n${message}`);
    this.said = message;
  }

  private miss(): void {
    const nowMs = this.nowMs();
    this.goneSinceMs ??= nowMs;
    if (nowMs - this.goneSinceMs < GONE_MS) return;
    this.goneSinceMs = Infinity;
    this.followed.say(`${this.followed.file} is gone; the policy in force keeps serving`);
  }
}

type Content =
  | { readonly source: PolicySource; readonly refusal?: undefined }
  | { readonly source: null; readonly refusal: PolicyProblems };

/** What the file holds; when that is not `known`, once it does not change any more. */
async function settled(file: string, known: string | null): Promise<Content> {
  let last = await contentOf(file);
  if (textOf(last) === known) return last;
  for (let reading = 1; reading < MOST_READINGS; reading++) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const next = await contentOf(file);
    if (textOf(next) === textOf(last)) return next;
    last = next;
  }
  return last;
}

async function contentOf(file: string): Promise<Content> {
  try {
    return { source: await readSource(file) };
  } catch (error) {
    if (error instanceof PolicyProblems) return { source: null, refusal: error };
    throw error;
  }
}

function textOf({ source, refusal }: Content): string {
  return source === null ? refusal.message : keyOf(source);
}

/** Differs whenever the content does. */
function keyOf({ files, isFolder }: PolicySource): string {
  return isFolder ? JSON.stringify(files) : files[0]!.text;
}

function namesOf({ files, isFolder }: PolicySource): string[] {
  return isFolder ? files.map(({ file }) => file) : [];
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
