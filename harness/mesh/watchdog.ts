import { spawn } from 'node:child_process';

/**
 * A shell that waits on a pipe from us and runs `script` when we have died: at the end of the pipe without a line. Returns
 * how to dismiss it.
 */
export function whenWeDie(script: string, ...args: string[]): () => void {
  const shell = spawn('sh', ['-c', `read -r _ || { ${script}; }`, 'sh', ...args], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return () => void shell.stdin.end('done\n');
}
