import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

const DEBOUNCE_MS = 60;
const POLL_MS = 400;

/**
 * Calls `onChange` after a file may have changed, however it was saved: written in place, or replaced by a rename as most
 * editors do (so the folder is watched). A slow poll covers file systems that send no events and links that are switched.
 */
export function watchFile(path: string, onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  // A timer that runs is left alone: events that never end must not put off the change for ever.
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      onChange();
    }, DEBOUNCE_MS);
  };
  let last: string | undefined;
  const poll = setInterval(() => {
    void fingerprint(path).then((now) => {
      if (last !== undefined && now !== last) soon();
      last = now;
    });
  }, POLL_MS);
  const watcher = events(path, soon);
  return () => {
    clearTimeout(timer);
    clearInterval(poll);
    watcher?.close();
  };
}

/** Events of the folder that name the file, or no file: what they name depends on the platform. */
function events(path: string, onEvent: () => void): { close(): void } | null {
  try {
    const watcher = watch(dirname(path), (_, name) => {
      if (name === null || name === basename(path)) onEvent();
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}

async function fingerprint(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found === null ? 'gone' : `${found.ino} ${found.size} ${found.mtimeMs}`;
}
