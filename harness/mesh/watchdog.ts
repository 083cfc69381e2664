import { spawn } from 'node:child_process';

/**
 * A shell that runs `script` when this process has died: when the pipe from it ends without a line. Returns a function that
 * dismisses it.
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
