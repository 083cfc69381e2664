import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

const DEBOUNCE_MS = 60;
const POLL_MS = 400;

/**
 * Calls `onChange` soon after an event of the file's folder, so that a save by a rename is seen as well as one in place;
 * and now and then without any, because links are switched elsewhere, some file systems send no events, and neither size
 * nor time of a file need change with its content. So whoever is called reads the file.
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
  const poll = setInterval(onChange, POLL_MS);
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
