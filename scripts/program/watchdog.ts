import { spawn } from 'node:child_process';

/** What must not outlive this process. */
export interface Watched {
  readonly pid: number | undefined;
  /** A folder to remove then. */
  readonly folder: string;
  /** How the process is ended; default TERM. KILL where it would go on writing into the folder. */
  readonly signal?: 'TERM' | 'KILL';
  /** A command to run afterwards. */
  readonly removal?: readonly [string, ...string[]];
}

/**
 * Ends another process when this one is gone without having said so (a signal that cannot be caught, a closed terminal): a shell
 * that waits on a pipe from us. A line means that all is well; the end of the pipe without one means that we died.
 */
export function watch({ pid, folder, signal = 'TERM', removal = ['true'] }: Watched): { dismiss(): void } {
  const script = 'read -r _ || { kill "-$1" "$2"; rm -rf "$3"; shift 3; "$@"; }';
  const watchdog = spawn('sh', ['-c', script, 'sh', signal, String(pid ?? ''), folder, ...removal], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.on('error', () => undefined);
  watchdog.stdin.on('error', () => undefined);
  watchdog.unref();
  return { dismiss: () => void watchdog.stdin.end('done\n') };
}
