import { spawn } from 'node:child_process';
import { DockerError } from './error.ts';
import { eachLine, type Finished, runToEnd } from '../program/run.ts';

export const DOCKER = 'docker';

/** Runs the docker client to its end; rejects with a DockerError only where there is no client to run, or the user wants to stop. */
export async function docker(args: string[], signal?: AbortSignal): Promise<Finished> {
  const finished = await runToEnd(DOCKER, args, signal ? { signal } : {});
  if (signal?.aborted) throw new DockerError('docker: was stopped');
  if (finished.notStarted !== undefined)
    throw new DockerError(`docker: ${withoutClient(finished.notStarted)}, or run without --docker`);
  return finished;
}

function withoutClient(code: string): string {
  if (code === 'ENOENT') return 'not found on PATH; install Docker';
  return `the program on PATH cannot be started (${code}); fix that`;
}

/** What the client printed, without the words that are the same for every failure: the reason is what is left. */
function reasonOf({ code, stdout, stderr }: Finished): string {
  return reasonIn((stderr.trim() || stdout.trim()).split('\n')) || `exit code ${code}`;
}

/** The same from lines that were read one by one. */
export function reasonIn(lines: readonly string[]): string {
  const said = lines.map((line) =>
    line
      .trim()
      .replace(/^docker: /, '')
      .replace(/^Error response from daemon: /, ''),
  );
  // "See 'docker run --help'." of old clients, "Run 'docker run --help' for more information" of new ones
  return said
    .filter((line) => line !== '' && !/^(See|Run) 'docker .*--help'/.test(line))
    .join('\n')
    .replace(/\.$/, '');
}

/** What must be known about an engine before anything runs on it. */
interface EngineFacts {
  /** The engine is an unprivileged user's, and root of its containers is that user. */
  readonly isRootless: boolean;
}

/** Asks the engine about itself; rejects with a DockerError with docker's own reason when none answers. */
export async function engineFacts(signal?: AbortSignal): Promise<EngineFacts> {
  const version = await docker(['version', '--format', '{{.Server.Version}}'], signal);
  if (version.code !== 0) throw new DockerError(`docker: no engine: ${reasonOf(version)}`);
  const info = await docker(['info', '--format', '{{json .SecurityOptions}}'], signal);
  return { isRootless: info.stdout.includes('name=rootless') };
}

/** How often a slow pull reports its progress. */
const REPORT_MS = 5000;

/** Resolves when the engine has the image: pulled if it was missing, with progress reported now and then. */
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
    if (signal?.aborted) throw new DockerError('docker: was stopped');
    if (failure !== null) throw new DockerError(`docker: cannot pull ${image}: ${failure}`);
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
