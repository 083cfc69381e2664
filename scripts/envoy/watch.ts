import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const DEBOUNCE_MS = 60;
const POLL_MS = 400;

/**
 * Calls `onChange` after a file may have changed, however it was saved: written in place, or replaced by a rename as most
 * editors do (so the folder is watched). A slow poll covers file systems that send no events and links that are switched.
 */
export function watchFile(path: string, onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(onChange, DEBOUNCE_MS);
  };
  let last: string | undefined;
  const poll = setInterval(() => {
    void fingerprint(path).then((now) => {
      if (last !== undefined && now !== last) soon();
      last = now;
    });
  }, POLL_MS);
  const watcher = events(dirname(path), soon);
  return () => {
    clearTimeout(timer);
    clearInterval(poll);
    watcher?.close();
  };
}

/** Any event in the folder counts: which name it carries depends on the platform, and the reader compares contents anyway. */
function events(folder: string, onEvent: () => void): { close(): void } | null {
  try {
    const watcher = watch(folder, onEvent);
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
