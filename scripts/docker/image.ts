import { spawn } from 'node:child_process';
import { Refusal } from '../cli/command.ts';
import { eachLine } from '../program/lines.ts';
import { docker, DOCKER, reasonIn } from './client.ts';

/** How often a pull that takes long says how far it is. */
const REPORT_MS = 5000;

/** The image is with the engine when this resolves: pulled if it was not, with a word now and then on how far that is. */
export async function provideImage(
  image: string,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  if ((await docker(['image', 'inspect', '--format', '{{.Id}}', image], signal)).code === 0) return;
  progress(`pulling ${image}; this happens once`);
  const layers = new Layers();
  const report = setInterval(() => progress(`pulling ${image}: ${layers.describe()}`), REPORT_MS);
  try {
    const failure = await pull(image, layers, signal);
    if (signal?.aborted) throw new Refusal('docker: was stopped');
    if (failure !== null) throw new Refusal(`docker: cannot pull ${image}: ${failure}`);
  } finally {
    clearInterval(report);
  }
}

/** Null, or docker's reason. */
function pull(image: string, layers: Layers, signal?: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(DOCKER, ['pull', image], { stdio: ['ignore', 'pipe', 'pipe'], ...(signal ? { signal } : {}) });
    const errors: string[] = [];
    eachLine(child.stdout, (line) => layers.take(line));
    eachLine(child.stderr, (line) => errors.push(line));
    child.on('error', (error) => errors.push(error.message));
    // what a stopped client started itself may hold the pipes open; nobody waits for that
    child.on('exit', () => {
      if (!signal?.aborted) return;
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on('close', (code) => resolve(code === 0 ? null : reasonIn(errors) || `exit code ${code}`));
  });
}

/** Layers of an image by what `docker pull` says of them without a terminal: a line for each step, `ID: Pull complete`. */
class Layers {
  private readonly steps = new Map<string, string>();

  take(line: string): void {
    const found = /^([0-9a-f]{12}): (.+)$/.exec(line.trim());
    if (found) this.steps.set(found[1]!, found[2]!);
  }

  describe(): string {
    const done = [...this.steps.values()].filter((step) => /^(Pull complete|Already exists)/.test(step)).length;
    return this.steps.size === 0 ? 'waiting for the registry' : `${done} of ${this.steps.size} layers`;
  }
}
