import { statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

const DEBOUNCE_MS = 60;
const POLL_MS = 400;

/**
 * Calls `onChange` soon after an event of the file's folder (of a folder: its own too), so that a save by a rename is seen as well as one in place;
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
  const watchers = [events(dirname(path), basename(path), soon), isFolder(path) ? events(path, null, soon) : null];
  return () => {
    clearTimeout(timer);
    clearInterval(poll);
    for (const watcher of watchers) watcher?.close();
  };
}

/** Events of a folder that name the file (null: any), or no file: what they name depends on the platform. */
function events(folder: string, file: string | null, onEvent: () => void): { close(): void } | null {
  try {
    const watcher = watch(folder, (_, name) => {
      if (name === null || file === null || name === file) onEvent();
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
