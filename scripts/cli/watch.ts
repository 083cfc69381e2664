import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Io } from './command.ts';
import { MAX_POLICY_BYTES } from '../policy/check/plain.ts';
import { readFolder } from '../file/folder.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import { visibleName } from '../policy/secret.ts';
import { PolicyProblems } from '../policy/yaml/readPolicy.ts';
import { watchFile } from '../file/watchFile.ts';

/** A save is over when two readings so far apart are alike. */
const SETTLE_MS = 50;
/** Files that change for longer than this many readings are taken as they are. */
const MOST_READINGS = 20;
/** Some editors take the file away while they save: it has to be gone for this many readings. */
const GONE_READINGS = 8;

/** More changed files than this are counted, not listed. */
const MAX_NAMED = 8;

const CLEAR = '\u001b[2J\u001b[3J\u001b[H';

/** Does the work now and whenever the content of a file has changed, or of a file in a folder, until the user stops it. */
export async function againAndAgain(files: readonly string[], io: Io, work: () => Promise<void>): Promise<void> {
  const { signal } = io;
  const bell = new Bell();
  signal.addEventListener('abort', () => bell.ring());
  const unwatch = files.map((file) => watchFile(resolve(file), () => bell.ring()));
  try {
    let seen = await contentsOf(files);
    if (io.isTerminal) io.err(CLEAR);
    await work();
    io.err(`watching ${files.length === 1 ? visibleName(files[0]!) : `${files.length} files`}; Ctrl-C ends\n`);
    while (!signal.aborted) {
      await bell.heard();
      const now = signal.aborted ? seen : await settled(files, seen, signal);
      const changed = changedIn(seen, now);
      if (signal.aborted || changed.length === 0) continue;
      seen = now;
      io.err(`${io.isTerminal ? CLEAR : '\n'}${named(changed)} changed:\n`);
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

/** What each file holds, by its name, to be compared: a digest, or why it cannot be read. */
type Contents = ReadonlyMap<string, string>;

async function settled(files: readonly string[], seen: Contents, signal: AbortSignal): Promise<Contents> {
  let last = await contentsOf(files);
  for (let reading = 1; reading < MOST_READINGS; reading++) {
    if (isSame(last, seen)) return last;
    await sleep(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    const next = await contentsOf(files);
    const isJustGone =
      reading < GONE_READINGS && [...seen].some(([file, content]) => content !== GONE && isGone(file, next));
    if (signal.aborted || (isSame(next, last) && !isJustGone)) return next;
    last = next;
  }
  return last;
}

function isGone(file: string, contents: Contents): boolean {
  return (contents.get(file) ?? GONE) === GONE;
}

function isSame(one: Contents, other: Contents): boolean {
  return changedIn(one, other).length === 0;
}

/** Files with another content, those that are new, and those that are gone. */
function changedIn(seen: Contents, now: Contents): string[] {
  return [...new Set([...seen.keys(), ...now.keys()])].filter((file) => seen.get(file) !== now.get(file));
}

const GONE = 'gone';

async function contentsOf(files: readonly string[]): Promise<Contents> {
  const contents = new Map<string, string>();
  for (const file of files) for (const [name, content] of await contentOf(file)) contents.set(name, content);
  return contents;
}

/** Of a file, or of each file in a folder. */
async function contentOf(file: string): Promise<(readonly [string, string])[]> {
  try {
    return [[file, digest(await readBounded(file, MAX_POLICY_BYTES))]];
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    if (error.code === 'EISDIR') return contentOfFolder(file);
    return [[file, error.code === 'ENOENT' ? GONE : error.message]];
  }
}

async function contentOfFolder(folder: string): Promise<(readonly [string, string])[]> {
  try {
    return (await readFolder(folder)).map(({ file, text }) => [file, digest(text)]);
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error;
    return [[folder, error.message]];
  }
}

function named(files: readonly string[]): string {
  const rest = files.length - MAX_NAMED;
  const names = files.map(visibleName);
  return rest > 0 ? `${names.slice(0, MAX_NAMED).join(', ')} and ${rest} more` : names.join(', ');
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
